"""The study `mnist`: what is trained, and what its report tells, in order."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from cuello.comparison.page import NONE, duration, loss_text, spread_text
from cuello.core.seeding import numpy_generator
from cuello.data.batches import Batches
from cuello.inference.model import Model, load
from cuello.jobs.data import Prepared, prepare
from cuello.models.summary import count
from cuello.report.figures import Theme
from cuello.report.grids import Series, image_grid, lines
from cuello.report.page import Picture, Section, Table
from cuello.runs.history import EpochRecord
from cuello.scoring.metrics import mse
from cuello.scoring.references import fit_references
from cuello.scoring.repeats import Spread, spread
from cuello.studies.base import Outcome, Plan, Story, Study
from cuello.studies.mnist.source import EPOCHS, MOMENTUM, RATE, RATIO, SECONDS

CONVOLUTIONAL, DENSE, OURS = "mnist-conv", "mnist-dense", "conv-128"
NUMBERS = {CONVOLUTIONAL: 128, DENSE: 512, OURS: 128}
LABELS = {CONVOLUTIONAL: "convolutional, 4×4×8", DENSE: "dense, 784-512-784", OURS: f"ours: {OURS}"}
BATCH, OUR_EPOCHS = 512, 12
SHOWN = 10


def plans(data: str) -> list[Plan]:
    """Return every training."""
    common = {"job": "reconstruct", "validation": 1 / 12}
    as_source = {
        "optimizer": "sgd", "nesterov": True, "momentum": MOMENTUM, "learning_rate": RATE, "schedule": "constant",
        "batch_size": BATCH, "epochs": EPOCHS, "loss": "mse", "warmup_epochs": 0.0,
    }  # fmt: skip
    return [
        Plan(CONVOLUTIONAL, {**common, **as_source, "model": CONVOLUTIONAL}),
        Plan(DENSE, {**common, **as_source, "model": DENSE}),
        Plan(OURS, {**common, "model": OURS, "epochs": OUR_EPOCHS}),
    ]


@dataclass(frozen=True)
class Tested:
    """Mean squared errors: of every network on test and training images, by seed, and of principal components."""

    test: Mapping[str, Sequence[float]]
    training: Mapping[str, Sequence[float]]
    linear: Mapping[int, float]

    def of(self, name: str) -> Spread:
        """Return mean and deviation on test images over seeds."""
        return spread(self.test[name])


def images_of(batches: Batches, most: int) -> Tensor:
    """Return the first images of some batches, ``(N, 1, 28, 28)``."""
    found, count = [], 0
    for batch in batches.epoch(0):
        found.append(batch.images)
        count += len(batch.images)
        if count >= most:
            break
    return torch.cat(found)[:most]


def error(model: Model, images: Tensor) -> float:
    """Return a network's mean squared error."""
    return float(torch.cat([mse(model.restore_batch(part), part) for part in images.split(1000)]).mean())


def measure(outcome: Outcome, prepared: Prepared, models: Mapping[str, Sequence[Model]]) -> Tested:
    """Test all networks, and principal components with as many numbers as their codes."""
    assert prepared.test is not None
    test, training = images_of(prepared.test, 10_000), images_of(prepared.training, 10_000)
    linear = {}
    for numbers in sorted(set(NUMBERS.values())):
        outcome.watch(f"principal components, {numbers}", 1.0)
        every = (batch.images for batch in prepared.training.epoch(0))
        pca = next(found for found in fit_references(every, numbers) if found.name == "pca")
        linear[numbers] = float(mse(pca.run(test), test).mean())
    outcome.watch("testing", 1.0)
    return Tested(
        {name: [error(model, test) for model in own] for name, own in models.items()},
        {name: [error(model, training) for model in own] for name, own in models.items()},
        linear,
    )


def story(outcome: Outcome) -> Story:
    """Tell what the trainings came to."""
    models = {plan: [load(run.path) for run in runs] for plan, runs in outcome.runs.items()}
    prepared = prepare(outcome.runs[OURS][0].config)
    tested = measure(outcome, prepared, models)
    return Story(
        verdict(tested),
        [
            Section("Two networks, and ours", [crossing(outcome)], parts=[table(tested, models), curves(outcome)]),
            Section("What it looks like", parts=[digits(outcome, prepared, models)]),
            Section("What was guessed, and what differs", GUESSES),
            Section("Time", [
                f"The epochs of all trainings take {duration(outcome.seconds)}, one after another; trainings at once: "
                f"{outcome.workers}.",
            ], parts=[times(outcome)]),
        ],
    )  # fmt: skip


GUESSES = (
    f"The batch size, the same for both, is not stated; {BATCH} is about what the source's times allow on its GPU.",
    "One of the convolutional network's layers has 16 filters in the source's text and 8 by its code's shape, 4×4×8; "
    "it is 8 here. The dense network's hidden activation is not stated; it is ReLU here.",
    "Curves are of 5,000 of the 60,000 training images, kept apart for validation, where the source shows test images. "
    "The test images are used once, at the end, with the weights of the best epoch.",
)


def verdict(tested: Tested) -> str:
    """Say how the two networks and ours compare."""
    convolutional, dense, ours = (tested.of(name).mean for name in (CONVOLUTIONAL, DENSE, OURS))
    return (
        f"Trained as the source trains them, the convolutional network leaves {convolutional / dense:.2f} of the dense "
        f"one's error on test digits (the source: about {RATIO:g}). Ours, with a code of {NUMBERS[OURS]} numbers, "
        f"leaves {ours / min(convolutional, dense):.2f} of the better one's."
    )


def crossing(outcome: Outcome) -> str:
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


def table(tested: Tested, models: Mapping[str, Sequence[Model]]) -> Table:
    """Set the networks side by side, with principal components as the floor."""
    rows = []
    for name, own in models.items():
        ratio = tested.of(name).mean / tested.of(DENSE).mean
        source = {CONVOLUTIONAL: f"about {RATIO:g}", DENSE: "1"}.get(name, NONE)
        rows.append(
            [LABELS[name], str(NUMBERS[name]), f"{count(own[0].network)[0]:,}",
             loss_text(spread(tested.training[name]).mean), spread_text(tested.of(name), loss_text),
             f"{ratio:.2g}", source]
        )  # fmt: skip
    for numbers, found in tested.linear.items():
        ratio = found / tested.of(DENSE).mean
        rows.append([f"PCA, {numbers}", str(numbers), NONE, NONE, loss_text(found), f"{ratio:.2g}",
                     NONE])  # fmt: skip
    columns = ["network", "code>", "parameters>", "MSE, training>", "MSE, test>", "÷ dense>", "source>"]
    note = (
        "Code: its numbers. Means ± standard deviation over seeds; training: the first 10,000 images of an epoch. "
        "PCA: principal components, the best linear code of as many numbers."
    )
    return Table(columns, rows, note, frozenset({list(models).index(OURS)}))


def times(outcome: Outcome) -> Table:
    """Show how long each network is trained."""
    rows = []
    for name in (CONVOLUTIONAL, DENSE, OURS):
        seconds = outcome.over_seeds(name, lambda history: sum(record.seconds for record in history))
        epochs = str(len(outcome.runs[name][0].history))
        rows.append([LABELS[name], epochs, spread_text(seconds, lambda value: f"{value:.0f}"),
                     str(SECONDS.get(name, NONE))])  # fmt: skip
    return Table(["network", "epochs>", "s here>", "s, source, on a GPU>"], rows)


def curves(outcome: Outcome) -> Picture:
    """Draw losses by epoch on a log axis, training and validation, first seed."""

    def of(name: str, label: str, value: str) -> Series:
        history: Sequence[EpochRecord] = outcome.runs[name][0].history
        return Series(
            f"{name}, {label}", [record.epoch for record in history], [getattr(record, value) for record in history],
            role="ours" if name == OURS and value == "validation_mse" else "other",
        )  # fmt: skip

    series = [of(name, label, value) for name in (CONVOLUTIONAL, DENSE, OURS)
              for label, value in (("training", "loss"), ("validation", "validation_mse"))]  # fmt: skip
    return outcome.picture(
        "curves", lambda theme: lines(series, theme, title="Mean squared error by epoch", up="MSE"),
        "Mean squared error by epoch, training and validation, on a log axis",
    )  # fmt: skip


def digits(outcome: Outcome, prepared: Prepared, models: Mapping[str, Sequence[Model]]) -> Picture:
    """Draw random test digits above their reconstructions."""
    assert prepared.test is not None
    every = images_of(prepared.test, prepared.test.count)
    chosen = every[numpy_generator(0, "shown digits").choice(len(every), SHOWN, replace=False)]
    rows = {"test digits": chosen} | {name: own[0].restore_batch(chosen) for name, own in models.items()}
    return outcome.picture("digits", partial(digit_grid, rows), "Random test digits above their reconstructions")


def digit_grid(rows: Mapping[str, Tensor], theme: Theme) -> bytes:
    """Draw a row of digits for each method."""
    shown = [(name, [(image, "") for image in images.permute(0, 2, 3, 1).numpy()]) for name, images in rows.items()]
    return image_grid(shown, [""] * SHOWN, theme)


STUDY = Study(
    "mnist",
    "a convolutional autoencoder of handwritten digits against a dense one",
    ("mnist",),
    plans,
    story,
    repeats=3,
)
