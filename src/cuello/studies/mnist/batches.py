"""What the source's finding depends on: the two networks at several batch sizes, the dense one also with dropout."""

from math import ceil

from cuello.comparison.page import loss_text
from cuello.report.axes import plain_ticks
from cuello.report.figures import Theme, as_png, drawing
from cuello.report.page import Picture, Section, Table
from cuello.scoring.repeats import Spread
from cuello.studies.base import StudyOutcome
from cuello.studies.mnist.plans import BATCHES, CONVOLUTIONAL, DENSE, NETWORKS, plan_name
from cuello.studies.mnist.source import EPOCHS, RATIO
from cuello.studies.tables import Column, table

OTHERS = [name for name in NETWORKS if name != CONVOLUTIONAL]
ABOUT = 0.1
"""How far from the source's "about half" a ratio may be and still be called so."""


def label(network: str) -> str:
    """Name a dense network by its dropout.

    >>> label("mnist-dense"), label("mnist-dense-dropout-0.1")
    ('dense', 'dropout 0.1')
    """
    return network.removeprefix(f"{DENSE}-").replace("-", " ") if network != DENSE else "dense"


def error(outcome: StudyOutcome, network: str, batch: int, epoch: int) -> Spread | None:
    """Return a network's validation MSE after an epoch, over seeds; None where it was trained for fewer."""
    return outcome.at(plan_name(network, batch), epoch, lambda record: record.validation_mse)


def ratio(outcome: StudyOutcome, dense: str, batch: int, epoch: int) -> float | None:
    """Return the convolutional network's error over a dense one's, means over seeds; None where one has none."""
    ours, theirs = error(outcome, CONVOLUTIONAL, batch, epoch=epoch), error(outcome, dense, batch, epoch=epoch)
    return None if ours is None or theirs is None else ours.mean / theirs.mean


def steps_an_epoch(outcome: StudyOutcome, batch: int) -> int:
    return ceil(outcome.runs[plan_name(DENSE, batch)][0].history[0].images / batch)


def sizes(outcome: StudyOutcome) -> list[int]:
    """Return the batch sizes at which all networks were trained."""
    return [batch for batch in BATCHES if all(plan_name(network, batch) in outcome.runs for network in NETWORKS)]


def few_epochs(outcome: StudyOutcome) -> int:
    """Return how many epochs all have."""
    names = [plan_name(network, batch) for network in NETWORKS for batch in sizes(outcome)]
    return min(len(run.history) for name in names for run in outcome.runs[name])


def section(outcome: StudyOutcome) -> Section:
    """Tell what the finding depends on, with a table and a picture."""
    epochs = few_epochs(outcome)
    text = [
        sentence(outcome),
        f"All are trained as above, but most of them for {epochs} epochs instead of {EPOCHS}, for the time that "
        "takes; the table compares validation images then. Dropout stands between the hidden layer and the last. "
        "Smaller batches mean more steps per epoch: the picture shows the ratio against steps.",
    ]
    return Section("What it depends on: batch size and dropout", text, [batch_table(outcome), picture(outcome)])


def sentence(outcome: StudyOutcome) -> str:
    """Say between what the ratio lies, where it is lowest, and whether the source's half is reached anywhere."""
    epochs = few_epochs(outcome)
    found = {(dense, batch): ratio(outcome, dense, batch, epoch=epochs) for dense in OTHERS for batch in sizes(outcome)}
    known = {key: value for key, value in found.items() if value is not None}
    (dense, batch), lowest = min(known.items(), key=lambda item: item[1])
    highest = max(known.values())
    about = [key for key, value in known.items() if abs(value - RATIO) <= ABOUT]
    reached = f"about half at {len(about)} of {len(known)}" if about else "nowhere near half"
    where = f"a batch size of {batch:,}" + ("" if dense == DENSE else f" and {label(dense)}")
    few, many = min(sizes(outcome)), max(sizes(outcome))
    return (
        f"After {epochs} epochs the convolutional network leaves {lowest:.2f} to {highest:.2f} of the dense one's "
        f"error, over batch sizes of {few} to {many:,}, with and without dropout; least with {where}; "
        f"{reached}."
    )


def batch_table(outcome: StudyOutcome) -> Table:
    epochs = few_epochs(outcome)
    columns = [
        Column("batch size>", lambda batch: batch, ",d"),
        Column("steps>", lambda batch: epochs * steps_an_epoch(outcome, batch), ",d"),
        Column("convolutional>", lambda batch: error(outcome, CONVOLUTIONAL, batch, epoch=epochs), loss_text),
    ]
    for dense in OTHERS:
        columns += [
            Column(
                f"{label(dense)}>", lambda batch, dense=dense: error(outcome, dense, batch, epoch=epochs), loss_text
            ),
            Column("÷>", lambda batch, dense=dense: ratio(outcome, dense, batch, epoch=epochs), ".2f"),
        ]
    note = (
        f"MSE of validation images after {epochs} epochs, mean ± standard deviation over seeds. ÷: the convolutional "
        f"network's over that of the dense one left of it; the source: about {RATIO:g}."
    )
    return table(sizes(outcome), columns, note)


def picture(outcome: StudyOutcome) -> Picture:
    alt = "The convolutional network's error over the dense one's, by steps, for each batch size and dropout"
    note = f"Below 1 the convolutional network is ahead. Dashed: the source's, about {RATIO:g}, after 50 epochs."
    return outcome.picture("batches", lambda theme: ratio_curves(outcome, theme), alt=alt, note=note)


def ratio_curves(outcome: StudyOutcome, theme: Theme) -> bytes:
    """Draw the ratio of errors against steps, a panel a dense network, a curve a batch size."""
    with drawing(theme, 8.4, 3.4, ncols=len(OTHERS), sharey=True) as (figure, axes):
        for dense, panel in zip(OTHERS, axes, strict=True):
            for place, batch in enumerate(sizes(outcome)):
                steps, values, epoch = [], [], 1
                while (value := ratio(outcome, dense, batch, epoch=epoch)) is not None:
                    steps.append(epoch * steps_an_epoch(outcome, batch))
                    values.append(value)
                    epoch += 1
                style = {"color": (theme.ours, *theme.others[1:])[place], "label": f"batch size {batch:,}"}
                panel.plot(steps, values, marker="o" if len(steps) < 20 else "", markersize=4, **style)
            panel.axhline(1, color=theme.faint, linewidth=1)
            panel.axhline(RATIO, color=theme.text, linewidth=1.2, linestyle="--")
            panel.set(title=label(dense), xlabel="steps", xscale="log")
            plain_ticks(panel.xaxis)
        axes[0].set(ylabel="error, convolutional ÷ dense")
        figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=5, fontsize=8)
        return as_png(figure)
