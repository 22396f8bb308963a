"""The tables: the source's numbers and ours."""

from functools import cache

from cuello.comparison.page import NONE, loss_text, spread_text
from cuello.jobs.images.matrix import Matrix
from cuello.models.catalog import architecture_of, build
from cuello.models.summary import count
from cuello.report.page import Table
from cuello.runs.history import EpochRecord
from cuello.studies.base import Outcome
from cuello.studies.salt_pepper.plans import OURS, OURS_EVERY, OWN_ROWS, at_level
from cuello.studies.salt_pepper.source import BATCH, CHOSEN, OTHER, SOURCE_EPOCHS, SOURCE_LEVELS, SOURCE_ROWS


def gap_of(record: EpochRecord) -> float:
    """Return the over-fitting gap of an epoch."""
    return record.validation_loss - record.loss


def loss_of(record: EpochRecord) -> float:
    """Return the validation loss of an epoch."""
    return record.validation_loss


def losses_table(outcome: Outcome) -> Table:
    """Set the losses of the source's 14 rows beside ours, and our networks' below."""
    rows = [
        [
            row.label,
            str(row.epoch),
            loss_text(row.loss),
            spread_text(outcome.at(row.plan, row.epoch, loss_of), loss_text),
            loss_text(row.gap),
            spread_text(outcome.at(row.plan, row.epoch, gap_of), loss_text),
        ]
        for row in SOURCE_ROWS
    ]
    for label, plan, _ in OWN_ROWS:
        last = len(outcome.runs[plan][0].history)
        own = [spread_text(outcome.at(plan, last, value), loss_text) for value in (loss_of, gap_of)]
        rows.append([label, str(last), NONE, own[0], NONE, own[1]])
    columns = ["network", "epoch>", "source: validation loss>", "validation loss>", "source: gap>", "gap>"]
    return Table(columns, rows, OTHER, frozenset({len(rows) - 1}))


def costs_table(outcome: Outcome) -> Table:
    """Set times and parameters of the source's 14 rows beside ours, and our networks' below."""

    def seconds(plan: str) -> str:
        return spread_text(outcome.at(plan, 5, lambda record: record.seconds), lambda value: f"{value:.1f}")

    rows = [
        [row.label, str(row.seconds), seconds(row.plan), f"{row.parameters:,}", f"{parameters(row.network):,}"]
        for row in SOURCE_ROWS
    ]
    rows += [[label, NONE, seconds(plan), NONE, f"{parameters(network):,}"] for label, plan, network in OWN_ROWS]
    columns = ["network", "source: s, epoch 5>", "s, epoch 5>", "source: parameters>", "parameters>"]
    return Table(columns, rows, f"{OTHER} Times of the source are of its own machine.", frozenset({len(rows) - 1}))


@cache
def parameters(network: str) -> int:
    """Return the trainable parameters of a network for colour images."""
    return count(build(architecture_of(network, 3)))[0]


def epochs_table(outcome: Outcome) -> Table:
    """Set the chosen network's losses by epoch beside the source's."""
    plan = f"{CHOSEN}-batch-{BATCH}"

    def cells(name: str, epoch: int) -> list[str]:
        return [
            spread_text(outcome.at(name, epoch, value), loss_text)
            for value in (lambda record: record.loss, lambda record: record.validation_loss)
        ]

    rows = [
        [str(epoch), loss_text(known[0]), loss_text(known[1]), *cells(plan, epoch), *cells(OURS, epoch)]
        for epoch, known in SOURCE_EPOCHS.items()
    ]
    columns = ["epoch>", "source: training>", "source: validation>", f"{CHOSEN}: training>", "validation>",
               f"{OURS}: training>", "validation>"]  # fmt: skip
    return Table(columns, rows, OTHER + " Training losses are means over the epoch, with dropout.")


def ratios(matrix: Matrix) -> dict[float, float]:
    """Return, by level, our MSE with one set of weights over that of the source's network trained at that level."""
    ours = matrix.row(OURS_EVERY)
    return {level: ours.mse[level] / matrix.row(at_level(level)).mse[level] for level in SOURCE_LEVELS}


def levels_table(matrix: Matrix) -> Table:
    """Set the noise sweep beside the source's."""
    columns = ["pixels hit>", "source>", f"{CHOSEN}, at that level>", f"{CHOSEN}, at 20%>", f"{OURS}, one for all>",
               "ratio>", "best classical>", ""]  # fmt: skip
    rows = []
    for level, known in SOURCE_LEVELS.items():
        classical = min(matrix.of_kind("classical"), key=lambda row, level=level: row.mse[level])
        own = (at_level(level), f"{CHOSEN}, 91 epochs", OURS_EVERY)
        rows.append(
            [f"{level:.0%}", loss_text(known), *(loss_text(matrix.row(name).mse[level]) for name in own),
             f"{ratios(matrix)[level]:.2f}", loss_text(classical.mse[level]), classical.label]
        )  # fmt: skip
    return Table(
        columns, rows, f"{OTHER} Ratio: {OURS} over {CHOSEN} at that level. At 100% nothing of the image is left."
    )
