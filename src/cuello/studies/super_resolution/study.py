"""The study `super-resolution`: the sections of its report, in order."""

from collections.abc import Mapping
from itertools import chain
from statistics import fmean

from cuello.comparison.page import decibels, duration, loss_text
from cuello.core.progress import Progress
from cuello.report.grids import Series
from cuello.report.page import Picture, Section
from cuello.scoring.repeats import Spread
from cuello.studies.base import Story, Study, StudyOutcome
from cuello.studies.super_resolution import source
from cuello.studies.super_resolution.causes import about, large_kernel, last_activation
from cuello.studies.super_resolution.measures import GREY, INPUT, BlurResult, measure
from cuello.studies.super_resolution.memory import peak_memory
from cuello.studies.super_resolution.pictures import restored
from cuello.studies.super_resolution.plans import (
    EVERY,
    FACTORS,
    OUR_BATCH,
    OUR_NETWORKS,
    OURS,
    SCALES,
    UPSCALER,
    plan_name,
    plans,
)
from cuello.studies.super_resolution.source import EPOCHS, GUESSES, IN_ITS_UNITS, NETWORKS, SOURCE_ROWS, TRAINED_ON
from cuello.studies.tables import Column, table

HARDEST = max(FACTORS)
REFERENCES = {INPUT: "bicubic: the input itself", GREY: "mid grey everywhere"}
OURS_ROWS = range(len(SOURCE_ROWS), len(EVERY))


def story(outcome: StudyOutcome) -> Story:
    models = outcome.models()
    results = {factor: measure(outcome, factor, models) for factor in FACTORS}
    shown = [
        picture for factor, result in results.items() for picture in restored(outcome, factor, result, models=models)
    ]
    sections = [
        last_losses(outcome, results),
        beside_bicubic(results),
        Section("What it looks like", parts=shown),
        last_activation(outcome, HARDEST, results[HARDEST]),
        large_kernel(),
        time_and_memory(outcome),
        Section("What was guessed, and what differs", GUESSES),
    ]
    return Story(verdict(results[HARDEST]), sections)


def verdict(hardest: BlurResult) -> str:
    best = max(NETWORKS, key=lambda name: hardest.psnr[name].mean)
    better = sum(hardest.gain(name) > 0 for name in NETWORKS)
    counted = "none improves" if better == 0 else f"{better} of them improve{'s' if better == 1 else ''}"
    ours = " and ".join(
        f"{name} ({about(name).trainable:,} parameters) {decibels(hardest.psnr[name].mean)} dB" for name in OUR_NETWORKS
    )
    return (
        f"Of the source's {len(NETWORKS)} networks {counted} on its input: at ×{HARDEST} the best, {best}, reaches "
        f"{decibels(hardest.psnr[best].mean)} dB on test images, where bicubic enlargement alone has "
        f"{decibels(hardest.psnr[INPUT].mean)} dB. Ours: {ours}."
    )


def last_losses(outcome: StudyOutcome, results: Mapping[int, BlurResult]) -> Section:
    scale = SCALES[outcome.data]
    text = [
        f"{scale.samples} crops of {scale.side}×{scale.side} pixels for training, {scale.validation_samples} for "
        f"validation, in batches of {scale.batch}: Adam with a learning rate of .01, weight decay 1e-5, mean squared "
        f"error, {EPOCHS} epochs, as the source trains: {EPOCHS * -(-scale.samples // scale.batch)} steps; the source, "
        f"with its {TRAINED_ON} images in batches of {source.BATCH}, takes {EPOCHS * -(-TRAINED_ON // source.BATCH)}. "
        f"Ours, {OURS} and {UPSCALER}, with their own recipes, {scale.ours} epochs in batches of {OUR_BATCH}.",
        f"The source's networks: {'; '.join(f'{row.network}, {row.label}' for row in SOURCE_ROWS)}. Where a loss is "
        "that of mid grey everywhere, nothing was learned.",
    ]
    stated = {row.network: row.losses for row in SOURCE_ROWS if row.losses is not None}

    def here(name: str, factor: int, validation: bool) -> float | Spread | None:
        if name in REFERENCES:
            return IN_ITS_UNITS * results[factor].losses[name][validation]
        plan = plan_name(name, factor)
        if validation:
            return outcome.over_seeds(plan, lambda history: IN_ITS_UNITS * history[-1].validation_mse)
        if outcome.runs[plan][0].config.loss != "mse":
            return None
        return outcome.over_seeds(plan, lambda history: IN_ITS_UNITS * history[-1].loss)

    columns = [
        Column("network", lambda name: REFERENCES.get(name, name)),
        Column("source: training>", lambda name: stated[name][0] if name in stated else None, ".4f"),
        Column("validation>", lambda name: stated[name][1] if name in stated else None, ".4f"),
    ]
    for factor in FACTORS:
        columns += [
            Column(f"×{factor}: training>", lambda name, factor=factor: here(name, factor, False), ".4f"),
            Column("validation>", lambda name, factor=factor: here(name, factor, True), ".4f"),
        ]
    note = (
        "Mean squared errors of the last epoch, of values in [-1, 1] as in the source: four times those of values in "
        "[0, 1], in which the other tables are. The source's are of other images (its own, not available) and of "
        "a blur that it does not state. No training error where another loss is trained on."
    )
    losses = table((*EVERY, *REFERENCES), columns, note, ours=OURS_ROWS)
    return Section("Losses", text, [losses, *(curves(outcome, factor, result) for factor, result in results.items())])


def curves(outcome: StudyOutcome, factor: int, result: BlurResult) -> Picture:
    series = []
    for name in EVERY:
        role = "ours" if name == OURS else "other"
        series.append(outcome.curve(plan_name(name, factor), name, "validation_mse", role=role, factor=IN_ITS_UNITS))
    epochs = max(len(one.x) for one in series)
    for name, label, role in ((GREY, "mid grey everywhere", "other"), (INPUT, "bicubic", "source")):
        series.append(Series(label, [1, epochs], [IN_ITS_UNITS * result.losses[name][1]] * 2, role=role))
    title = f"×{factor}: validation error by epoch, values in [-1, 1]"
    alt = f"{title}, on a log axis"
    return outcome.curves(f"curves-x{factor}", series, alt=alt, title=title, up="mean squared error")


def beside_bicubic(results: Mapping[int, BlurResult]) -> Section:
    """Set errors on test images beside the input's, and the source's conclusions beside what was measured."""
    ranked = {factor: sorted(NETWORKS, key=lambda name: -result.psnr[name].mean) for factor, result in results.items()}
    listed = [f"×{factor}: {', '.join(names)}" for factor, names in ranked.items()]
    firsts, lasts = ([names[place] for names in ranked.values()] for place in (0, -1))
    text = (
        f"The source finds its U-Net the best ({agreement(source.BEST, firsts)} here) and batch normalisation with "
        f"dropout in every layer the worst ({agreement(source.WORST, lasts)}). From best to worst: {'; '.join(listed)}."
    )
    columns = [Column("network", lambda name: REFERENCES.get(name, name))]
    for factor, result in results.items():
        columns += [
            Column(f"×{factor}: MSE>", result.mse.get, loss_text),
            Column("PSNR, dB>", result.psnr.get, ".2f"),
            Column("on bicubic>", lambda name, result=result: None if name == INPUT else result.gain(name), "+.2f"),
        ]
    photographs = results[FACTORS[0]].photographs
    note = (
        f"{len(photographs)} crops of {len(set(photographs))} test images, never seen in training, with the weights "
        f"of the best epoch. {UPSCALER} enlarges the small image itself; the others are given the same small image "
        "after bicubic enlargement, so that all know the same and have the same target."
    )
    errors = table((*EVERY, *REFERENCES), columns, note, ours=OURS_ROWS)
    return Section("Beside bicubic enlargement", [text], [errors])


def agreement(said: str, found: list[str]) -> str:
    """Say whether a conclusion holds at every degree of blur."""
    count = sum(name == said for name in found)
    return "so it is" if count == len(found) else "so it is not" if count == 0 else "so it is in part"


def time_and_memory(outcome: StudyOutcome) -> Section:
    scale = SCALES[outcome.data]
    text = (
        f"The epochs of all trainings take {duration(outcome.seconds)}, one after another; trainings at once: "
        f"{outcome.workers}. Every training is a run directory in runs/, which `cuello compare`, `evaluate` and "
        "`apply` read."
    )

    def batch(name: str) -> int:
        return OUR_BATCH if name in OUR_NETWORKS else scale.batch

    def epochs(name: str) -> list[list[float]]:
        runs = [run for factor in FACTORS for run in outcome.runs[plan_name(name, factor)]]
        return [[record.seconds for record in run.history] for run in runs]

    def gigabytes(name: str) -> float | None:
        outcome.watch(Progress(f"measuring the memory of {name}", 1))
        taken = peak_memory(name, batch(name), side=scale.side, scale=2 if name == UPSCALER else 1)
        return None if taken is None else taken / 2**30

    columns = [
        Column("network", lambda name: name),
        Column("parameters>", lambda name: about(name, scale.side).trainable, ","),
        Column("10⁹ multiply-adds>", lambda name: about(name, scale.side).multiply_adds / 1e9, ".2f"),
        Column("time per epoch>", lambda name: fmean(chain(*epochs(name))), duration),
        Column("a training>", lambda name: fmean(map(sum, epochs(name))), duration),
        Column("batch>", batch),
        Column("memory, GiB>", gigabytes, ".2f"),
    ]
    note = (
        f"Multiply-adds: of one crop ({UPSCALER}: ×2). Times: means over both degrees of blur. Memory: what a training "
        "step takes at its peak in a fresh process, above what the process had with its libraries loaded; measured on "
        f"the processor, so no GPU's. {source.COSTS}"
    )
    return Section("Time and memory", [text], [table(EVERY, columns, note, ours=OURS_ROWS)])


STUDY = Study(
    name="super-resolution",
    summary="strided autoencoders and a U-Net make enlarged images sharp, or do not",
    data=("photos", "bsds400"),
    plans=plans,
    story=story,
)
