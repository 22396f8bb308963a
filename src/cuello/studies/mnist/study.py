"""The study `mnist`: what is trained, and the sections of its report, in order."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from cuello.comparison.page import NONE, duration, loss_text
from cuello.core.progress import Progress
from cuello.core.seeding import numpy_generator
from cuello.data.batches import Batches
from cuello.inference.model import Model, load
from cuello.jobs.data import Prepared, prepare
from cuello.models.summary import count
from cuello.report.grids import image_grid
from cuello.report.page import Picture, Section, Table
from cuello.scoring.metrics import mse
from cuello.scoring.references import fit_references
from cuello.scoring.repeats import Spread, spread
from cuello.studies.base import Story, Study, StudyOutcome
from cuello.studies.mnist.batches import section as batch_section
from cuello.studies.mnist.batches import sentence as batch_sentence
from cuello.studies.mnist.plans import CONVOLUTIONAL, DENSE, OURS, plans
from cuello.studies.mnist.source import RATIO, SECONDS
from cuello.studies.sources import said
from cuello.studies.tables import Column, table

NUMBERS = {CONVOLUTIONAL: 128, DENSE: 512, OURS: 128}
LABELS = {CONVOLUTIONAL: "convolutional, 4×4×8", DENSE: "dense, 784-512-784", OURS: f"ours: {OURS}"}
SHOWN = 10


@dataclass(frozen=True)
class DigitErrors:
    """Mean squared errors: of every network on test and training images, over seeds; of principal components on test
    images, by their number.
    """

    test: Mapping[str, Spread]
    training: Mapping[str, Spread]
    linear: Mapping[int, float]


def images_of(batches: Batches, most: int) -> Tensor:
    """Take the first images of some batches, ``(N, 1, 28, 28)``."""
    taken, count = [], 0
    for batch in batches.epoch(0):
        taken.append(batch.images)
        count += len(batch.images)
        if count >= most:
            break
    return torch.cat(taken)[:most]


def measure(outcome: StudyOutcome, prepared: Prepared, models: Mapping[str, Sequence[Model]]) -> DigitErrors:
    """Test all networks, and principal components with as many numbers as their codes."""
    assert prepared.test is not None
    test, training = images_of(prepared.test, 10_000), images_of(prepared.training, 10_000)
    linear = {}
    for numbers in sorted(set(NUMBERS.values())):
        outcome.watch(Progress(f"principal components, {numbers}", 1))
        every = (batch.images for batch in prepared.training.epoch(0))
        pca = next(found for found in fit_references(every, numbers) if found.name == "pca")
        linear[numbers] = float(mse(pca.run(test), test).mean())
    outcome.watch(Progress("testing", 1))

    def errors(images: Tensor) -> dict[str, Spread]:
        def error(model: Model) -> float:
            return float(torch.cat([mse(model.restore_batch(part), part) for part in images.split(1000)]).mean())

        return {name: spread([error(model) for model in own]) for name, own in models.items()}

    return DigitErrors(errors(test), errors(training), linear)


def story(outcome: StudyOutcome) -> Story:
    models = {name: [load(run.path) for run in outcome.runs[name]] for name in LABELS}
    prepared = prepare(outcome.runs[OURS][0].config)
    tested = measure(outcome, prepared, models)
    time = (
        f"The epochs of all trainings take {duration(outcome.seconds)}, one after another; trainings at once: "
        f"{outcome.workers}."
    )
    times = [
        Column("network", lambda name: LABELS[name]),
        Column("epochs>", lambda name: len(outcome.runs[name][0].history)),
        Column("s here>", outcome.seconds_of, ".0f"),
        Column("s, source, on a GPU>", SECONDS.get),
    ]
    sections = [
        Section("Two networks, and ours", [crossing(outcome)], [errors_table(tested, models), curves(outcome)]),
        batch_section(outcome),
        Section("What it looks like", parts=[digits(outcome, prepared, models)]),
        Section("What was guessed, and what differs", said("mnist")["guesses"]),
        Section("Time", [time], [table(LABELS, times)]),
    ]
    convolutional, dense, ours = (tested.test[name].mean for name in (CONVOLUTIONAL, DENSE, OURS))
    verdict = (
        f"Trained as the source trains them, the convolutional network leaves {convolutional / dense:.2f} of the dense "
        f"one's error on test digits (the source: about {RATIO:g}). Ours, with a code of {NUMBERS[OURS]} numbers, "
        f"leaves {ours / min(convolutional, dense):.2f} of the better one's. {batch_sentence(outcome)}"
    )
    return Story(verdict, sections)


def crossing(outcome: StudyOutcome) -> str:
    """Say until when the convolutional network is ahead of the dense one on validation images, means over seeds."""
    epochs = range(1, len(outcome.runs[CONVOLUTIONAL][0].history) + 1)

    def error(name: str, epoch: int) -> float:
        found = outcome.at(name, epoch, lambda record: record.validation_mse)
        return found.mean if found is not None else float("inf")

    ahead = [epoch for epoch in epochs if error(CONVOLUTIONAL, epoch) < error(DENSE, epoch)]
    count = f"{len(ahead)} of {len(epochs)} epochs"
    said = f"On validation images the convolutional network is ahead of the dense one in {count}"
    if not ahead or ahead[-1] == epochs[-1]:
        return f"{said}."
    return (
        f"{said}, last in epoch {ahead[-1]}: how they compare depends on when one stops, and so on how many steps an "
        "epoch has."
    )


def errors_table(tested: DigitErrors, models: Mapping[str, Sequence[Model]]) -> Table:
    dense = tested.test[DENSE].mean
    columns = [
        Column("network", lambda name: LABELS[name]),
        Column("code>", lambda name: NUMBERS[name]),
        Column("parameters>", lambda name: count(models[name][0].network)[0], ","),
        Column("MSE, training>", lambda name: tested.training[name].mean, loss_text),
        Column("MSE, test>", tested.test.get, loss_text),
        Column("÷ dense>", lambda name: tested.test[name].mean / dense, ".2g"),
        Column("source>", {CONVOLUTIONAL: f"about {RATIO:g}", DENSE: "1"}.get),
    ]
    note = (
        "Code: its numbers. Means ± standard deviation over seeds; training: the first 10,000 images of an epoch. "
        "PCA: principal components, the best linear code of as many numbers."
    )
    linear = [[f"PCA, {numbers}", str(numbers), NONE, NONE, loss_text(error), f"{error / dense:.2g}", NONE]
              for numbers, error in tested.linear.items()]  # fmt: skip
    return table(models, columns, note, ours=[list(models).index(OURS)], more=linear)


def curves(outcome: StudyOutcome) -> Picture:
    series = []
    for name in LABELS:
        series.append(outcome.curve(name, f"{name}, training", "loss"))
        role = "ours" if name == OURS else "other"
        series.append(outcome.curve(name, f"{name}, validation", "validation_mse", role=role))
    alt = "Mean squared error by epoch, training and validation, on a log axis"
    return outcome.curves("curves", series, alt=alt, title="Mean squared error by epoch", up="MSE")


def digits(outcome: StudyOutcome, prepared: Prepared, models: Mapping[str, Sequence[Model]]) -> Picture:
    """Draw random test digits above their reconstructions."""
    assert prepared.test is not None
    every = images_of(prepared.test, prepared.test.count)
    chosen = every[numpy_generator(0, "shown digits").choice(len(every), SHOWN, replace=False)]
    rows = {"test digits": chosen} | {name: own[0].restore_batch(chosen) for name, own in models.items()}
    shown = [(name, [(image, "") for image in images.permute(0, 2, 3, 1).numpy()]) for name, images in rows.items()]
    alt = "Random test digits above their reconstructions"
    return outcome.picture("digits", lambda theme: image_grid(shown, [""] * SHOWN, theme), alt=alt)


STUDY = Study(
    name="mnist",
    summary="a convolutional autoencoder of handwritten digits against a dense one",
    data=("mnist",),
    plans=plans,
    story=story,
    repeats=3,
)
