"""The study `occlusion`: the sections of its report, in order."""

from cuello.comparison.page import duration
from cuello.models.summary import count
from cuello.report.page import Section
from cuello.studies.base import Story, Study, StudyOutcome
from cuello.studies.occlusion import beside, experiments
from cuello.studies.occlusion.beside import seconds_text
from cuello.studies.occlusion.measures import Findings, make_maps, measure
from cuello.studies.occlusion.plans import CLASSIFIER, LABELS, OURS, SCALES, SEEDS, cut_plan, encoder_plan, plans
from cuello.studies.occlusion.source import BATCH, MAPS, PATIENCE, RATE
from cuello.studies.tables import Column, table


def story(outcome: StudyOutcome) -> Story:
    findings = measure(outcome)
    sections = [
        experiments.the_classifier(outcome, findings),
        experiments.training_sets(outcome, findings),
        experiments.told_the_label(findings),
        experiments.cut_networks(outcome, findings),
        experiments.five_trainings(findings),
        beside.ours_beside_all(outcome, findings),
        beside.best_and_worst(outcome, findings),
        beside.speed(outcome, findings),
        Section("What was guessed, and what differs", guesses(outcome)),
        time(outcome),
    ]
    return Story(verdict(findings), sections)


def verdict(findings: Findings) -> str:
    best, times = findings.best_of_source, findings.times
    theirs, ours = (findings.tested[plan] for plan in (best, OURS))
    trainable = {plan: count(findings.models[plan][0].network)[0] for plan in (best, OURS)}
    quicker = times.batches / times.estimates[OURS]
    return (
        f"On test images the source's best network here ({LABELS[best]}) leaves an MSE of "
        f"{theirs.mse.mean:.5f} and correlates with the exact maps by {theirs.pearson.mean:.2f}; ours, with "
        f"{trainable[OURS]:,} trainable parameters instead of {trainable[best]:,}, "
        f"{ours.mse.mean:.5f} and {ours.pearson.mean:.2f}. A map of ours takes "
        f"{seconds_text(times.estimates[OURS])}, an exact one {seconds_text(times.batches)} with boxes in batches "
        f"({quicker:,.0f} times as long) and {seconds_text(times.together)} where only what boxes can reach is worked "
        "out."
    )


def guesses(outcome: StudyOutcome) -> list[str]:
    scale = SCALES[outcome.data]
    cut_rate = outcome.runs[cut_plan("two poolings")][0].config
    return [
        "Boxes slide over the 27×27 pixels of the image and the classifier's padding, as in the source; the "
        "standardisation is of the padded map.",
        f"The classifier is trained with Adam, {RATE:g}, in batches of {BATCH}, as in the source, for "
        f"{scale.classifier} epochs; how many those of the source were is not stated.",
        f"The source does not say its number of epochs, nor Adadelta's learning rate (1 here, as in Adadelta's paper). "
        f"Early stopping with a patience of {PATIENCE} epochs as in the source, but its epochs were longer: "
        f"{int(0.75 * MAPS):,} maps, here {scale.samples:,}.",
        "Which way the label is told to the conditioned network of experiment 4 is a guess: one-hot, the best of "
        "experiment 2, whose validation error is the first of experiment 4's values.",
        "Training errors are those of the best epoch's weights on some of the training images, not the mean over the "
        "epoch while the weights still change.",
        f"The network cut at two poolings is trained with {cut_rate.optimizer}, {cut_rate.learning_rate:g}; the "
        "source's settings are not stated.",
        "Validation and test images of one class are drawn from that class; all comparisons of the section on ours are "
        "on the same test images of both.",
    ]


def time(outcome: StudyOutcome) -> Section:
    number = sum(len(runs) for plan, runs in outcome.runs.items() if plan != CLASSIFIER)
    text = [
        f"The epochs of all trainings take {duration(outcome.seconds)}, one after another; {outcome.workers} at once. "
        f"{number} estimators: the first of experiment 4's frozen and conditioned networks are those of experiments 1 "
        f"and 2, and the whole network of experiment 3 is {encoder_plan('normal')}.",
        "Every training is a run directory in runs/.",
    ]
    config = {plan: runs[0].config for plan, runs in outcome.runs.items()}

    def epochs(plan: str) -> str:
        counts = sorted({len(run.history) for run in outcome.runs[plan]})
        return f"{counts[0]} to {counts[-1]}" if len(counts) > 1 else str(counts[0])

    columns = [
        Column("training", lambda plan: plan),
        Column("network", lambda plan: config[plan].model),
        Column("seeds>", lambda plan: len(outcome.runs[plan])),
        Column("epochs>", epochs),
        Column("optimizer", lambda plan: f"{config[plan].optimizer} {config[plan].learning_rate:g}"),
        Column("batch>", lambda plan: config[plan].batch_size),
        Column("s>", outcome.seconds_of, ".0f"),
    ]
    return Section("Time", text, [table(outcome.runs, columns)])


STUDY = Study(
    name="occlusion",
    summary="a supernova classifier's occlusion maps, exact and estimated in one pass",
    data=("transients-snr",),
    plans=plans,
    story=story,
    repeats=SEEDS,
    prepare=make_maps,
)
