"""The study `salt-pepper`: what its report tells, in order."""

from collections.abc import Mapping

from cuello.comparison import compare
from cuello.comparison.figures import pictures
from cuello.comparison.page import cost_table, difference_table, duration, reached_table
from cuello.inference.model import Model, load
from cuello.jobs.catalog import task_of
from cuello.jobs.data import prepare
from cuello.jobs.images.evaluated import EvaluatedImages, own_images
from cuello.jobs.images.matrix import Matrix, evaluate_matrix
from cuello.report.page import Picture, Section, Table
from cuello.studies.base import Outcome, Story, Study
from cuello.studies.salt_pepper.pictures import by_size, epochs_picture, grids, levels_picture, matrix_picture
from cuello.studies.salt_pepper.plans import HIGHEST, LOWEST, OURS, OURS_EVERY, SCALES, at_level, plans
from cuello.studies.salt_pepper.source import BATCH, CHOSEN, SOURCE_LEVELS, SOURCE_ROWS
from cuello.studies.salt_pepper.tables import costs_table, epochs_table, levels_table, losses_table, parameters, ratios


def story(outcome: Outcome) -> Story:
    """Tell what the trainings came to."""
    subjects, matrix, models = tested(outcome)
    return Story(
        verdict(matrix),
        [
            Section(
                "Networks compared",
                text_of_comparison(outcome),
                [losses_table(outcome), costs_table(outcome), by_size(outcome)],
            ),
            Section("Loss by epoch", parts=[epochs_table(outcome), epochs_picture(outcome)]),
            Section(
                "Stronger and stronger noise",
                text_of_levels(),
                [levels_table(matrix), levels_picture(outcome, matrix)],
            ),
            Section("Trained level against tested level", parts=[matrix_picture(outcome, matrix)]),
            Section("What it looks like", parts=grids(outcome, subjects, models)),
            Section("All trainings at 20%, side by side", parts=side_by_side(outcome)),
            Section("What was guessed, and what differs", GUESSES),
            Section("Data and time", text_of_data(outcome, subjects)),
        ],
    )  # fmt: skip


GUESSES = (
    "The source gives filters, parameter counts, losses and times. For the chosen network it gives the order of layers "
    "too; its smaller and larger kin follow the same rule here and have exactly the source's counts.",
    "The network without the dense layer: convolutions doubled around the same poolings, and four batch normalisations "
    "where they give the source's 426,447 parameters exactly; that these stand where we put them is a guess.",
    "The networks with dense layers are guessed: the doubled network's convolutions, pooled four times, with a code of "
    "108 or 310 numbers, which comes within 0.2% and 0.03% of the source's counts (138,347 for 138,601; 1,698,565 for "
    "1,698,057) and has about the source's ratio of times.",
    f"The source states the batch size only of the dense networks. The others are trained with {BATCH}, the best of "
    "those it tried. Adam with a learning rate of .001, Keras' default, is a guess too.",
    "Salt and pepper hits a pixel's three channels together; the source does not say.",
    "The chosen network at stronger noise is trained anew at each level, with our recipe (a learning rate that rises "
    "to .01 and falls along a cosine, batch 64), which serves it better than the source's in the same time. Ours has "
    "one set of weights for all levels.",
)


def text_of_comparison(outcome: Outcome) -> list[str]:
    """Say how the networks were trained."""
    scale = SCALES[outcome.data]
    return [
        f"20% of the pixels are hit; {scale.samples:,} crops for training, {scale.validation_samples:,} for "
        "validation. The source's networks are trained as it trains them, ours with their own recipe. Loss is the "
        "mean squared error; gap is validation minus training loss."
    ]


def text_of_levels() -> list[str]:
    """Say what the columns are."""
    return [
        "Mean squared error on the validation crops; every method sees the same noise. The source's network is trained "
        f"at each level; {OURS} was trained once, with a share between {LOWEST} and {HIGHEST} drawn for every crop."
    ]


def text_of_data(outcome: Outcome, subjects: EvaluatedImages) -> list[str]:
    """Say what it was measured on."""
    return [
        f"{outcome.data}: 64×64 crops, the validation crops from {len(set(subjects.names))} photographs of their own. "
        "The weights of a training are those of its best epoch on these validation crops, as in the source.",
        f"The epochs of all trainings take {duration(outcome.seconds)}, one after another; {outcome.workers} trainings "
        "ran at once. The source: 1.5 hours for one of its 14 rows.",
        "Every training is a run directory below runs/, which `cuello compare`, `evaluate` and `apply` read.",
    ]


def tested(outcome: Outcome) -> tuple[EvaluatedImages, Matrix, Mapping[str, Model]]:
    """Test the networks of the first seed at every level, on the validation crops."""
    names = {
        f"{CHOSEN}, 91 epochs": f"{CHOSEN}-batch-{BATCH}",
        **{at_level(level): at_level(level) for level in SOURCE_LEVELS},
        OURS: OURS,
        OURS_EVERY: OURS_EVERY,
    }
    runs = {name: outcome.runs[plan][0] for name, plan in names.items()}
    models = {name: load(run.path) for name, run in runs.items()}
    tasks = {name: task_of(run.config) for name, run in runs.items()}
    subjects, _ = own_images(prepare(runs[OURS].config))
    matrix = evaluate_matrix(
        models, tasks, subjects, tuple(SOURCE_LEVELS), baselines=("input", "median-3", "median-5", "adaptive-median"),
        seed=runs[OURS].config.split_seed, progress=lambda doing, done, total: outcome.watch(f"testing {doing}", 1.0),
    )  # fmt: skip
    return subjects, matrix, models


def verdict(matrix: Matrix) -> str:
    """Say how much of the source's network's error ours leaves."""
    found = {level: ratio for level, ratio in ratios(matrix).items() if 0.3 <= level <= 0.9}
    low, high = min(found.values()), max(found.values())
    return (
        f"{OURS} ({parameters(OURS):,} parameters, one set of weights) leaves {low:.0%} to {high:.0%} of the error "
        f"that the source's network ({parameters(CHOSEN):,} parameters) leaves when trained at each level of 30% to "
        "90%, on the same data."
    )


def side_by_side(outcome: Outcome) -> list[Table | Picture]:
    """Compare all trainings at 20%, as `cuello compare` does."""
    names = [row.plan for row in SOURCE_ROWS] + [at_level(0.2), OURS]
    folders = [outcome.folder / "runs" / name for name in dict.fromkeys(names)]
    group = compare(folders, progress=lambda doing, done, total: outcome.watch(doing, 1.0)).groups[0]
    tables = [reached_table(group, True), cost_table(group, True)]
    if group.differences:
        tables.insert(1, difference_table(group.differences))
    return [*tables, *pictures(group, outcome.folder / "figures", "")]


STUDY = Study(
    "salt-pepper",
    "small convolutional denoisers compared, on 20% to 100% salt and pepper",
    ("photos", "bsds400"),
    plans,
    story,
)
