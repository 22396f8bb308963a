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
from cuello.studies.sources import said


def story(outcome: StudyOutcome) -> Story:
    models = outcome.models()
    tested = measure({plan: own for plan, own in models.items() if own[0].size == (7, 5)}, FLIPS)
    ours = models[OURS][0]
    time = [
        f"The epochs of all trainings take {duration(outcome.seconds)}, one after another. The source: hours, by hand. "
        f"Noise of the test: {DRAWS} draws per character.",
        "Every training is a run directory in runs/, which `cuello compare`, `evaluate` and `latent` read.",
    ]
    sections = [
        characters.through_two_numbers(outcome, tested, ours),
        characters.new_characters(outcome, ours),
        characters.compared(outcome, tested),
        characters.noise(outcome, tested, models),
        characters.trained_and_tested(tested),
        emoji_section(outcome, models),
        Section("What was guessed, and what differs", said("glyphs")["guesses"]),
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
