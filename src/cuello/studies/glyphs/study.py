"""The study `glyphs`: the sections of its report, in order."""

from cuello.comparison.page import duration
from cuello.report.page import Section
from cuello.studies.base import Story, Study, StudyOutcome
from cuello.studies.glyphs import characters
from cuello.studies.glyphs.characters import wrong_text
from cuello.studies.glyphs.emoji import emoji_section
from cuello.studies.glyphs.measures import DRAWS, WrongPixels, measure
from cuello.studies.glyphs.plans import FLIPS, OURS, denoising, plans
from cuello.studies.glyphs.source import PIXELS

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


def story(outcome: StudyOutcome) -> Story:
    models = outcome.models()
    tested = measure({plan: own for plan, own in models.items() if own[0].size == (7, 5)}, FLIPS)
    ours = models[OURS][0]
    time = [
        f"The epochs of all trainings take {duration(outcome.seconds)}, one after another. The source: hours, by hand. "
        f"Noise of the test: {DRAWS} draws a character.",
        "Every training is a run directory below runs/, which `cuello compare`, `evaluate` and `latent` read.",
    ]
    sections = [
        characters.through_two_numbers(outcome, tested, ours),
        characters.new_characters(outcome, ours),
        characters.compared(outcome, tested),
        characters.noise(outcome, tested, models),
        characters.trained_and_tested(tested),
        emoji_section(outcome, models),
        Section("What was guessed, and what differs", GUESSES),
        Section("Time", time),
    ]
    return Story(verdict(tested), sections)


def verdict(tested: WrongPixels) -> str:
    seeds = list(tested.by_seed(OURS, 0).values())
    perfect = sum(value == 0 for value in seeds)
    means = {flips: tested.spread(denoising(flips, ours=True), flips).mean for flips in FLIPS}
    left = [
        f"{wrong_text(mean)} with {flips} pixels inverted ({mean / tested.limits[flips].wrong:.1f} times the limit)"
        for flips, mean in means.items()
    ]
    return (
        f"Our network brings all 32 characters through two numbers without a wrong pixel in {perfect} of {len(seeds)} "
        f"seeds. Of {PIXELS:,} pixels it leaves wrong {' and '.join(left)}, on fresh noise."
    )


STUDY = Study(
    name="glyphs",
    summary="characters of 5×7 pixels and emoji through two numbers, and noise on them",
    data=("glyphs",),
    plans=plans,
    story=story,
    repeats=10,
)
