"""The study `glyphs`: what its report tells, in order."""

from cuello.comparison.page import duration
from cuello.inference.model import Model, load
from cuello.report.page import Section
from cuello.studies.base import Outcome, Story, Study
from cuello.studies.glyphs.measures import DRAWS, Tested, characters, measure
from cuello.studies.glyphs.pictures import (
    comparisons,
    denoised_picture,
    emoji_curves,
    emoji_pictures,
    invented_picture,
    map_picture,
    plane_picture,
)
from cuello.studies.glyphs.plans import FLIPS, OURS, denoising, plans
from cuello.studies.glyphs.source import PIXELS
from cuello.studies.glyphs.tables import (
    classic_table,
    compared_table,
    emoji_table,
    hypothesis,
    matrix_table,
    noise_table,
    wrong_text,
)


def story(outcome: Outcome) -> Story:
    """Tell what the trainings came to."""
    models = load_all(outcome)
    tested = measure({plan: own for plan, own in models.items() if own[0].size == (7, 5)}, FLIPS)
    ours = models[OURS][0]
    return Story(
        verdict(tested),
        [
            Section(
                "Characters through two numbers",
                ["32 characters of 5×7 pixels; every network sees all of them, in every step, and is tested on them."],
                [classic_table(outcome, tested), map_picture(outcome, ours),
                 plane_picture(outcome, ours, characters(), "plane", "What the plane of two numbers stands for", True)],
            ),
            Section("New characters", parts=invented_picture(outcome, ours)),
            Section(
                "Layers, optimisers, learning rates",
                parts=[compared_table(outcome, tested), *comparisons(outcome)],
            ),
            Section("Noise", parts=[noise_table(tested), *denoised_picture(outcome, models)]),
            Section("Trained level against tested level", hypothesis(tested), [matrix_table(tested)]),
            Section(
                "Emoji from a distribution",
                ["8 faces, then 4 very different pictures, 20×20 in grey: variational autoencoders."],
                [emoji_table(outcome), *emoji_curves(outcome), *emoji_pictures(outcome, models)],
            ),
            Section("What was guessed, and what differs", GUESSES),
            Section("Time", time_text(outcome)),
        ],
    )  # fmt: skip


GUESSES = (
    "The characters are the source's. Its network has tanh after every layer; that its pixels are -1 and 1 inside, its "
    "first weights (Glorot's here) and its loss (the mean squared error here) are guesses.",
    "The source does not say which numbers of layers, and which learning rates of gradient descent and momentum, it "
    "compared; those here are ours.",
    "The weights of a training are those of its best hundredth step on all characters, for denoisers with a noise that "
    "is neither the training's nor the test's; the source takes the last ones.",
    "The emoji are drawn by this project, for the source's are not to be had. Its loss is a reconstruction error plus "
    "the Kullback-Leibler divergence; the cross-entropy of the pixels is a guess for the former. For grey pixels it is "
    "no likelihood and cannot become zero.",
    "Our emoji: 400-200-100-2, a Gaussian likelihood with a deviation of .2, 6,000 steps, a rate that falls from .003.",
    "Ours: wider layers, ELU or ReLU, cross-entropy, a learning rate that falls along a cosine; for noise also batches "
    "of 512 characters, each with noise of its own.",
)


def load_all(outcome: Outcome) -> dict[str, list[Model]]:
    """Load the model of every training, by plan, in the order of seeds."""
    return {plan: [load(run.path) for run in runs] for plan, runs in outcome.runs.items()}


def verdict(tested: Tested) -> str:
    """Say how near the networks come to what is possible."""
    seeds = list(tested.by_seed(OURS, 0).values())
    perfect = sum(value == 0 for value in seeds)
    parts = [
        f"{wrong_text(tested.spread(denoising(flips, True), flips).mean)} with {flips} pixels inverted "
        f"({tested.spread(denoising(flips, True), flips).mean / tested.limits[flips].wrong:.1f} times the limit)"
        for flips in FLIPS
    ]
    return (
        f"Our network brings all 32 characters through two numbers without a wrong pixel in {perfect} of {len(seeds)} "
        f"seeds. Of {PIXELS:,} pixels it leaves wrong {' and '.join(parts)}, on fresh noise."
    )


def time_text(outcome: Outcome) -> list[str]:
    """Say how long it took, and on what it was tested."""
    return [
        f"The epochs of all trainings take {duration(outcome.seconds)}, one after another. The source: hours, by hand. "
        f"Noise of the test: {DRAWS} draws a character.",
        "Every training is a run directory below runs/, which `cuello compare`, `evaluate` and `latent` read.",
    ]


STUDY = Study(
    "glyphs",
    "characters of 5×7 pixels and emoji through two numbers, and noise on them",
    ("glyphs",),
    plans,
    story,
    repeats=10,
)
