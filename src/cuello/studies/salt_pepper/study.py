"""The study `salt-pepper`: the sections of its report, in order."""

from collections.abc import Callable, Mapping
from functools import cache

from cuello.comparison import compare, figures
from cuello.comparison.page import cost_table, difference_table, duration, loss_text, reached_table
from cuello.core.progress import Progress
from cuello.inference.model import Model, load
from cuello.jobs.catalog import task_of
from cuello.jobs.data import prepare
from cuello.jobs.images.evaluated import EvaluatedImages, own_images
from cuello.jobs.images.matrix import Matrix, evaluate_matrix
from cuello.jobs.images.matrix_figures import heat_map
from cuello.models.catalog import architecture_of, build
from cuello.models.summary import count
from cuello.report.grids import Series, points
from cuello.report.page import Picture, Section
from cuello.scoring.repeats import Spread
from cuello.studies.base import Story, Study, StudyOutcome, Value
from cuello.studies.salt_pepper import source
from cuello.studies.salt_pepper.pictures import restored
from cuello.studies.salt_pepper.plans import HIGHEST, LOWEST, OURS, OURS_EVERY, SCALES, at_level, plans
from cuello.studies.salt_pepper.source import AS_CHOSEN, CHOSEN, OTHER, SOURCE_EPOCHS, SOURCE_LEVELS, ComparedNetwork
from cuello.studies.tables import Column, table


def story(outcome: StudyOutcome) -> Story:
    subjects, matrix, models = tested(outcome)
    shares = [ratio for level, ratio in ratios(matrix).items() if 0.3 <= level <= 0.9]
    verdict = (
        f"{OURS} ({parameters(OURS):,} parameters, one set of weights) leaves {min(shares):.0%} to {max(shares):.0%} "
        f"of the error that the source's network ({parameters(CHOSEN):,} parameters) leaves when trained at each level "
        "of 30% to 90%, on the same data."
    )
    data = [
        f"{outcome.data}: 64×64 crops, the validation crops from {len(set(subjects.names))} photographs of their own. "
        "The weights of a training are those of its best epoch on these validation crops, as in the source.",
        f"The epochs of all trainings take {duration(outcome.seconds)}, one after another; {outcome.workers} trainings "
        "ran at once. The source: 1.5 hours for one of its 14 rows.",
        "Every training is a run directory in runs/, which `cuello compare`, `evaluate` and `apply` read.",
    ]
    sections = [
        networks_compared(outcome),
        losses_by_epoch(outcome),
        noise_levels(outcome, matrix),
        Section("Trained level against tested level", parts=[trained_and_tested(outcome, matrix)]),
        Section("What it looks like", parts=restored(outcome, subjects, models)),
        side_by_side(outcome),
        Section("What was guessed, and what differs", source.GUESSES),
        Section("Data and time", data),
    ]
    return Story(verdict, sections)


def tested(outcome: StudyOutcome) -> tuple[EvaluatedImages, Matrix, Mapping[str, Model]]:
    """Test the networks of the first seed at every level, on the validation crops."""
    plan_of = {f"{CHOSEN}, 91 epochs": AS_CHOSEN}
    plan_of |= {name: name for name in (*map(at_level, SOURCE_LEVELS), OURS, OURS_EVERY)}
    runs = {name: outcome.runs[plan][0] for name, plan in plan_of.items()}
    models = {name: load(run.path) for name, run in runs.items()}
    tasks = {name: task_of(run.config) for name, run in runs.items()}
    subjects, _ = own_images(prepare(runs[OURS].config))
    matrix = evaluate_matrix(
        models, tasks, subjects, levels=tuple(SOURCE_LEVELS), seed=runs[OURS].config.split_seed,
        baselines=("input", "median-3", "median-5", "adaptive-median"),
        progress=lambda event: outcome.watch(Progress(f"testing {event.stage}", 1)),
    )  # fmt: skip
    return subjects, matrix, models


@cache
def parameters(network: str) -> int:
    """Count the trainable parameters of a network for colour images."""
    return count(build(architecture_of(network, 3)))[0]


def networks_compared(outcome: StudyOutcome) -> Section:
    scale = SCALES[outcome.data]
    text = (
        f"20% of the pixels are hit; {scale.samples:,} crops for training, {scale.validation_samples:,} for "
        "validation. The source's networks are trained as it trains them, ours with their own recipe. Loss is the "
        "mean squared error; gap is validation minus training loss."
    )
    rows = list(source.SOURCE_ROWS)
    for label, plan, network in (
        (f"the chosen one, our recipe: {CHOSEN}", at_level(0.2), CHOSEN),
        (f"ours: {OURS}", OURS, OURS),
    ):
        last = len(outcome.runs[plan][0].history)
        rows.append(ComparedNetwork(label=label, network=network, plan=plan, epoch=last))

    def here(value: Value) -> Callable[[ComparedNetwork], Spread | None]:
        return lambda row: outcome.at(row.plan, row.epoch, value)

    losses = [
        Column("network", lambda row: row.label),
        Column("epoch>", lambda row: row.epoch),
        Column("source: validation loss>", lambda row: row.loss, loss_text),
        Column("validation loss>", here(lambda record: record.validation_loss), loss_text),
        Column("source: gap>", lambda row: row.gap, loss_text),
        Column("gap>", here(lambda record: record.validation_loss - record.loss), loss_text),
    ]
    costs = [
        Column("network", lambda row: row.label),
        Column("source: s, epoch 5>", lambda row: row.seconds),
        Column("s, epoch 5>", lambda row: outcome.at(row.plan, 5, lambda record: record.seconds), ".1f"),
        Column("source: parameters>", lambda row: row.parameters, ","),
        Column("parameters>", lambda row: parameters(row.network), ","),
    ]
    note, ours = f"{OTHER} Times of the source are of its own machine.", [len(rows) - 1]
    tables = [table(rows, losses, OTHER, ours=ours), table(rows, costs, note, ours=ours)]
    return Section("Networks compared", [text], [*tables, losses_by_size(outcome)])


def losses_by_size(outcome: StudyOutcome) -> Picture:
    rows = [row for row in source.SOURCE_ROWS if row.epoch == 10]
    losses = {row.plan: outcome.at(row.plan, row.epoch, lambda record: record.validation_loss) for row in rows}
    means = {plan: spread.mean for plan, spread in losses.items() if spread is not None}
    kept = [row for row in rows if row.plan in means]
    best_of = {row.network: row.plan for row in sorted(kept, key=lambda row: -means[row.plan])}  # named once each
    names = [row.network.removeprefix("conv-") if row.plan in best_of.values() else "" for row in kept]
    own = {CHOSEN: at_level(0.2), OURS: OURS}
    best = [outcome.best(plan, lambda record: record.validation_loss) for plan in own.values()]
    series = [
        Series("source, epoch 10 (other data)", [row.parameters or 0 for row in rows], [row.loss or 0 for row in rows],
               role="source"),
        Series("the same networks here, epoch 10", [parameters(row.network) for row in kept],
               [means[row.plan] for row in kept], names=names),
        Series("our recipe, our network", [parameters(network) for network in own],
               [spread.mean for spread in best if spread is not None], role="ours", names=list(own)),
    ]  # fmt: skip
    labels = {"title": "Loss by size", "across": "parameters", "up": "validation loss"}
    alt = "Validation loss of every network against its parameters"
    return outcome.picture("size", lambda theme: points(series, theme, **labels), alt=alt)


def losses_by_epoch(outcome: StudyOutcome) -> Section:
    def column(heading: str, plan: str, value: Value) -> Column:
        return Column(heading, lambda epoch, _losses: outcome.at(plan, epoch, value), loss_text)

    columns = [
        Column("epoch>", lambda epoch, _losses: epoch),
        Column("source: training>", lambda _epoch, losses: losses[0], loss_text),
        Column("source: validation>", lambda _epoch, losses: losses[1], loss_text),
        column(f"{CHOSEN}: training>", AS_CHOSEN, lambda record: record.loss),
        column("validation>", AS_CHOSEN, lambda record: record.validation_loss),
        column(f"{OURS}: training>", OURS, lambda record: record.loss),
        column("validation>", OURS, lambda record: record.validation_loss),
    ]
    note = f"{OTHER} Training losses are means over the epoch, with dropout."
    series = [
        Series("source, validation", list(SOURCE_EPOCHS), [loss for _, loss in SOURCE_EPOCHS.values()], role="source"),
        outcome.curve(AS_CHOSEN, f"{CHOSEN}, training", "loss"),
        outcome.curve(AS_CHOSEN, f"{CHOSEN}, validation", "validation_loss"),
        outcome.curve(OURS, f"{OURS}, validation", "validation_loss", role="ours"),
    ]
    alt = "Loss by epoch of the chosen network, the source's and ours"
    picture = outcome.curves("epochs", series, alt=alt, title="Loss by epoch", up="loss")
    return Section("Loss by epoch", parts=[table(SOURCE_EPOCHS.items(), columns, note), picture])


def ratios(matrix: Matrix) -> dict[float, float]:
    """Divide our MSE with one set of weights by that of the source's network trained at each level."""
    ours = matrix.row(OURS_EVERY)
    return {level: ours.mse[level] / matrix.row(at_level(level)).mse[level] for level in SOURCE_LEVELS}


def noise_levels(outcome: StudyOutcome, matrix: Matrix) -> Section:
    text = (
        "Mean squared error on the validation crops; every method sees the same noise. The source's network is trained "
        f"at each level; {OURS} was trained once, with a share between {LOWEST} and {HIGHEST} drawn for every crop."
    )
    mse = {row.name: row.mse for row in matrix.rows}
    best = {level: min(matrix.of_kind("classical"), key=lambda row: row.mse[level]) for level in SOURCE_LEVELS}
    at_each = {level: mse[at_level(level)][level] for level in SOURCE_LEVELS}
    columns = [
        Column("pixels hit>", lambda level: level, ".0%"),
        Column("source>", SOURCE_LEVELS.get, loss_text),
        Column(f"{CHOSEN}, at that level>", at_each.get, loss_text),
        Column(f"{CHOSEN}, at 20%>", mse[f"{CHOSEN}, 91 epochs"].get, loss_text),
        Column(f"{OURS}, one for all>", mse[OURS_EVERY].get, loss_text),
        Column("ratio>", ratios(matrix).get, ".2f"),
        Column("best classical>", lambda level: best[level].mse[level], loss_text),
        Column("", lambda level: best[level].label),
    ]
    note = f"{OTHER} Ratio: {OURS} over {CHOSEN} at that level. At 100% nothing of the image is left."
    drawn = {
        "source (other data)": SOURCE_LEVELS,
        f"{CHOSEN}, trained at each level": at_each,
        f"{CHOSEN}, trained at 20%": mse[f"{CHOSEN}, 91 epochs"],
        "median 3×3": mse["median-3"],
        "median 5×5": mse["median-5"],
        "adaptive median": mse["adaptive-median"],
        f"{OURS}, one set of weights": mse[OURS_EVERY],
    }
    roles = ["source", *["other"] * (len(drawn) - 2), "ours"]
    series = [
        Series(label, [100 * level for level in SOURCE_LEVELS], [by_level[level] for level in SOURCE_LEVELS], role=role)
        for (label, by_level), role in zip(drawn.items(), roles, strict=True)
    ]
    labels = {"title": "Error by noise level", "across": "pixels hit, %", "up": "mean squared error", "whole": False}
    alt = "Mean squared error of every method against the share of pixels that are hit"
    picture = outcome.curves("levels", series, alt=alt, **labels)
    return Section("Stronger and stronger noise", [text], [table(SOURCE_LEVELS, columns, note), picture])


def trained_and_tested(outcome: StudyOutcome, matrix: Matrix) -> Picture:
    images, photographs = matrix.protocol["images"], matrix.protocol["photographs"]
    note = f"Mean PSNR in dB on {images:,} crops of {photographs} photographs."
    alt = "PSNR by trained and tested level"
    return outcome.picture("matrix", lambda theme: heat_map(matrix, theme), alt=alt, note=note)


def side_by_side(outcome: StudyOutcome) -> Section:
    """Compare all trainings at 20%, as `cuello compare` does."""
    names = dict.fromkeys([*(row.plan for row in source.SOURCE_ROWS), at_level(0.2), OURS])
    folders = [outcome.folder / "runs" / name for name in names]
    group = compare(folders, progress=lambda event: outcome.watch(Progress(event.stage, 1))).groups[0]
    tables = [reached_table(group, True), cost_table(group, True)]
    if group.differences:
        tables.insert(1, difference_table(group.differences))
    drawn = figures.pictures(group, outcome.folder / "figures", "")
    return Section("All trainings at 20%, side by side", parts=[*tables, *drawn])


STUDY = Study(
    name="salt-pepper",
    summary="small convolutional denoisers compared, on 20% to 100% salt and pepper",
    data=("photos", "bsds400"),
    plans=plans,
    story=story,
)
