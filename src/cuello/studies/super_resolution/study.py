"""The study `super-resolution`: what its report tells, in order."""

from collections.abc import Mapping

from cuello.comparison.page import decibels, duration
from cuello.inference.model import load
from cuello.report.page import Section
from cuello.studies.base import Outcome, Story, Study
from cuello.studies.super_resolution.measures import INPUT, Tested, measure, reachable
from cuello.studies.super_resolution.pictures import curves, reach_picture, restored_pictures
from cuello.studies.super_resolution.plans import FACTORS, OUR_BATCH, OUR_NETWORKS, OURS, SCALES, UPSCALER, plans
from cuello.studies.super_resolution.source import (
    BATCH,
    BEST,
    EPOCHS,
    IMAGES,
    IN_ITS_UNITS,
    KERNEL,
    NETWORKS,
    SOURCE_ROWS,
    TESTED_ON,
    TRAINED_ON,
    VALIDATED_ON,
    WORST,
)
from cuello.studies.super_resolution.tables import (
    about,
    costs_table,
    errors_table,
    four,
    gates_table,
    kernels_table,
    losses_table,
    share,
)

HARDEST = max(FACTORS)


def story(outcome: Outcome) -> Story:
    """Tell what the trainings came to."""
    models = {plan: [load(run.path) for run in runs] for plan, runs in outcome.runs.items()}
    tested = {factor: measure(outcome, factor, models) for factor in FACTORS}
    return Story(
        verdict(tested),
        [
            Section(
                "Losses",
                text_of_losses(outcome),
                [losses_table(outcome, tested), *(curves(outcome, factor, tested[factor]) for factor in FACTORS)],
            ),
            Section("Beside bicubic enlargement", conclusions(tested), [errors_table(tested)]),
            Section(
                "What it looks like",
                parts=[picture for factor in FACTORS for picture in restored_pictures(outcome, factor, models)],
            ),
            Section(
                "Why they hardly learn: the last activation",
                text_of_gates(tested[HARDEST]),
                [reach_picture(outcome, HARDEST, tested[HARDEST]), gates_table(tested[HARDEST])],
            ),
            Section("Why they hardly learn: the large kernel", text_of_kernels(), [kernels_table()]),
            Section("Time and memory", text_of_time(outcome), [costs_table(outcome)]),
            Section("What was guessed, and what differs", GUESSES),
        ],
    )


GUESSES = (
    f"The source's {IMAGES} pairs of images are not to be had, nor is it known how its low resolution was made. Here "
    "images are made 2 and 4 times smaller and as large again as before, both by MATLAB's bicubic imresize, rounded to "
    "8 bits.",
    "The source's images have a fourth channel, alpha, as screenshots have; photographs have three.",
    f"The source has {TRAINED_ON} images for training, {VALIDATED_ON} for validation, {TESTED_ON} for the test; here "
    "they are crops, from different photographs in each part.",
    "The source states filters, kernels and strides. Paddings, the share of dropout (.2) and, for the U-Net, its "
    "strides, its joins and its activation (ReLU before tanh, as in the others) are guesses. The sigmoid and tanh "
    "variants have their activation in place of every ReLU, before the last tanh too.",
    "Losses in the first table are of the last epoch, as in the source; all else is of each training's best epoch.",
)


def verdict(tested: Mapping[int, Tested]) -> str:
    """Say whether the source's networks improve on what they are given, and what ours do."""
    hardest = tested[HARDEST]
    best = max(NETWORKS, key=lambda name: hardest.decibels(name).mean)
    better = sum(hardest.gain(name) > 0 for name in NETWORKS)
    counted = "none improves" if better == 0 else f"{better} of them improve{'s' if better == 1 else ''}"
    ours = " and ".join(
        f"{name} ({about(name).trainable:,} parameters) {decibels(hardest.decibels(name).mean)} dB"
        for name in OUR_NETWORKS
    )
    return (
        f"Of the source's {len(NETWORKS)} networks {counted} on its input: at ×{HARDEST} the best, {best}, reaches "
        f"{decibels(hardest.decibels(best).mean)} dB on test images, where bicubic enlargement alone has "
        f"{decibels(hardest.decibels(INPUT).mean)} dB. Ours: {ours}."
    )


def text_of_losses(outcome: Outcome) -> list[str]:
    """Say which networks there are and how they were trained."""
    scale = SCALES[outcome.data]
    return [
        f"{scale.samples} crops of {scale.side}×{scale.side} pixels for training, {scale.validation_samples} for "
        f"validation, in batches of {scale.batch}: Adam with a learning rate of .01, weight decay 1e-5, mean squared "
        f"error, {EPOCHS} epochs, as the source trains: {EPOCHS * -(-scale.samples // scale.batch)} steps; the source, "
        f"with its {TRAINED_ON} images in batches of {BATCH}, takes {EPOCHS * -(-TRAINED_ON // BATCH)}. Ours, {OURS} "
        f"and {UPSCALER}, with their own recipes, {scale.ours} epochs in batches of {OUR_BATCH}.",
        f"The source's networks: {'; '.join(f'{row.network}, {row.label}' for row in SOURCE_ROWS)}. Where a loss is "
        "that of mid grey everywhere, nothing was learned.",
    ]


def conclusions(tested: Mapping[int, Tested]) -> list[str]:
    """Set the source's conclusions beside what was measured."""
    found = []
    for factor in FACTORS:
        order = sorted(NETWORKS, key=lambda name: -tested[factor].decibels(name).mean)
        found.append(f"×{factor}: {', '.join(order)}")
    firsts = [max(NETWORKS, key=lambda name: tested[factor].decibels(name).mean) for factor in FACTORS]
    lasts = [min(NETWORKS, key=lambda name: tested[factor].decibels(name).mean) for factor in FACTORS]
    return [
        f"The source finds its U-Net the best ({agreement(BEST, firsts)} here) and batch normalisation with dropout in "
        f"every layer the worst ({agreement(WORST, lasts)}). From best to worst: {'; '.join(found)}."
    ]


def agreement(said: str, found: list[str]) -> str:
    """Say whether a conclusion holds at every degree of blur."""
    count = sum(name == said for name in found)
    return "so it is" if count == len(found) else "so it is not" if count == 0 else "so it is in part"


def text_of_gates(tested: Tested) -> list[str]:
    """Explain the last activation with its numbers."""
    known = {row.network: row for row in SOURCE_ROWS}
    relus = [name for name in NETWORKS if known[name].activation == "relu"]
    dead = max(relus, key=lambda name: tested.gates[name].dead)
    left = {name: four(IN_ITS_UNITS * value) for name, value in tested.floors.items()}
    sigmoid, tanh = ("{:.2f} to {:.2f}".format(*reachable(name)) for name in ("sigmoid", "tanh"))
    return [
        "The last layer is tanh of an activation. ReLU gives nothing below 0, so tanh of it lies in [0, 1), and as the "
        "networks count from -1 (black) to 1 (white), nothing darker than mid grey can be made: "
        f"{share(tested.darker)} of the test images' values are darker. With every other value perfect, a mean squared "
        f"error of {left['relu']} in the source's units would be left; the input itself has "
        f"{four(IN_ITS_UNITS * tested.error(INPUT).mean)}. Sigmoid reaches {sigmoid} of white (left: "
        f"{left['sigmoid']}); tanh, twice, {tanh} (left: {left['tanh']}). {order_of_losses(tested)}",
        "Where a ReLU is given a negative value it passes no gradient: an output that is at mid grey by mistake is not "
        f"corrected. Most of it in {dead}: {share(tested.gates[dead].dead)} of its "
        "outputs are shut in every test image.",
        f"Measured at ×{HARDEST} on the test images, first seed.",
    ]


def order_of_losses(tested: Tested) -> str:
    """Say whether the source's losses, by activation, stand in the order of what is left at least."""
    stated = {row.activation: row.validation_loss for row in reversed(SOURCE_ROWS) if row.validation_loss is not None}
    in_order = sorted(stated, key=lambda name: tested.floors[name]) == sorted(stated, key=lambda name: stated[name])
    listed = ", ".join(f"{name} {four(loss)}" for name, loss in sorted(stated.items(), key=lambda item: item[1]))
    return f"The source's validation losses stand in {'the same' if in_order else 'another'} order: {listed}."


def text_of_kernels() -> list[str]:
    """Explain the large kernel."""
    return [
        f"In the four-layer networks the {KERNEL}×{KERNEL} kernel meets a map of {KERNEL}×{KERNEL}: it is a dense "
        "layer, used once an image, and an image passes through 128 numbers. What a small image lacks, its edges' "
        "sharpness, has no room there; the code can hold little more than where it is bright and dark. In the "
        "three-layer network the map's sides are twice as long; the code is larger, but each of its numbers is a sum "
        "over a quarter of the map, and the mirrored kernel smears each over as much.",
        "No connection brings the input itself to the output, so the networks have to learn to draw what they are "
        "given, which bicubic enlargement has for nothing. Ours add what is missing to their input.",
    ]


def text_of_time(outcome: Outcome) -> list[str]:
    """Say how long everything took."""
    return [
        f"The epochs of all trainings take {duration(outcome.seconds)}, one after another; trainings at once: "
        f"{outcome.workers}. Every training is a run directory below runs/, which `cuello compare`, `evaluate` and "
        "`apply` read.",
    ]


STUDY = Study(
    "super-resolution",
    "strided autoencoders and a U-Net make enlarged images sharp, or do not",
    ("photos", "bsds400"),
    plans,
    story,
)
