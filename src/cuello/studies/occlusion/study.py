"""The study `occlusion`: what its report tells, in order."""

from cuello.comparison.page import duration
from cuello.inference.model import load
from cuello.report.page import Section
from cuello.studies.base import Outcome, Story, Study
from cuello.studies.occlusion.measures import MIXED, Findings, best_of_source, make_maps, measure
from cuello.studies.occlusion.pictures import confusion, cut_curves, error_curves, examples
from cuello.studies.occlusion.plans import CLASSIFIER, CUTS, OURS, SCALES, SEEDS, cut_plan, encoder_plan, plans
from cuello.studies.occlusion.source import (
    BATCH,
    CONFUSION,
    EXACT_SECONDS,
    MAPS,
    PATIENCE,
    PRINTED_ACCURACY,
    RATE,
)
from cuello.studies.occlusion.tables import (
    areas_table,
    beside_table,
    confusion_of,
    confusion_table,
    cuts_table,
    difference_of,
    labels_of,
    pays_table,
    seconds_text,
    seeds_table,
    seeds_text,
    sets_table,
    times_table,
    told_table,
    trainings_table,
)


def story(outcome: Outcome) -> Story:
    """Tell what the trainings came to."""
    findings = measure(outcome, {plan: [load(run.path) for run in runs] for plan, runs in outcome.runs.items()})
    best, labels = best_of_source(findings), labels_of(list(outcome.runs))
    shown = {best: f"the source's best network here ({labels[best]})", OURS: f"ours ({OURS})"}
    return Story(
        verdict(findings),
        [
            Section("The classifier", text_of_classifier(), [confusion_table(confusion_of(findings.classified)),
                                                             confusion(outcome, findings)]),
            Section("Experiment 1: the training set", text_of_maps(outcome), [sets_table(findings)]),
            Section("Experiment 2: the label joins the bottleneck", text_of_told(findings), [told_table(findings)]),
            Section("Experiment 3: the network cut at its poolings", text_of_cuts(findings),
                    [cuts_table(findings), cut_curves(outcome)]),
            Section("Experiment 4: five trainings", seeds_text(difference_of(findings)), [seeds_table(findings)]),
            Section("Ours beside all", text_of_ours(), [beside_table(findings), areas_table(findings),
                                                        error_curves(outcome)]),
            Section("Best and worst maps", parts=examples(outcome, findings, shown)),
            Section("Speed", text_of_speed(findings), [times_table(findings.times), pays_table(outcome, findings)]),
            Section("What was guessed, and what differs", guesses(outcome)),
            Section("Time", text_of_time(outcome), [trainings_table(outcome)]),
        ],
    )  # fmt: skip


def verdict(findings: Findings) -> str:
    """Say how near estimates come, and how much quicker they are."""
    best = best_of_source(findings)
    theirs, ours = (findings.tested[plan] for plan in (best, OURS))
    times = findings.times
    quicker = times.batches / times.estimates[OURS]
    return (
        f"On test images the source's best network here ({labels_of([best])[best]}) leaves an MSE of "
        f"{theirs.mse.mean:.5f} and correlates with the exact maps by {theirs.pearson.mean:.2f}; ours, with "
        f"{trainable(findings, OURS):,} trainable parameters instead of {trainable(findings, best):,}, "
        f"{ours.mse.mean:.5f} and {ours.pearson.mean:.2f}. A map of ours takes "
        f"{seconds_text(times.estimates[OURS])}, an exact one {seconds_text(times.batches)} with boxes in batches "
        f"({quicker:,.0f} times as long) and {seconds_text(times.together)} where only what boxes can reach is worked "
        "out."
    )


def trainable(findings: Findings, plan: str) -> int:
    """Return how many parameters of a network are trained."""
    return sum(one.numel() for one in findings.models[plan][0].network.parameters() if one.requires_grad)


def text_of_classifier() -> list[str]:
    """Say what the classifier is."""
    return [
        "The source's data, HiTS 2013, is not to be had: here its classifier learns simulated stamps of such a survey, "
        "the difference over its noise alone. All of the source's numbers on this page are of other data.",
        f"The source prints an accuracy of {PRINTED_ACCURACY:.1%}; its own confusion matrix gives "
        f"{CONFUSION.accuracy:.1%}.",
    ]


def text_of_maps(outcome: Outcome) -> list[str]:
    """Say what is learned."""
    scale = SCALES[outcome.data]
    return [
        "A 3×3 box of zeros moves by one pixel over the padded image of 27×27; the probability of the predicted class "
        "is added to every pixel under the box; the sum is standardised, clipped to ±1 standard deviation and moved to "
        "[0, 1], and the padding is cut off. Estimators learn these maps with binary cross-entropy.",
        f"{scale.samples:,} maps for training and {scale.validation_samples:,} for validation, of each training set; "
        f"at most {scale.epochs} epochs. The source: {MAPS:,} maps, a quarter of them for validation.",
    ]


def text_of_told(findings: Findings) -> list[str]:
    """Say what being told the label is worth, and what it is worth when no label is known."""
    wrong = float(
        (findings.subjects[MIXED].validation.labels != findings.subjects[MIXED].validation.predicted).float().mean()
    )
    return [
        "The source tells the network the label of the image, but when an image is to be explained its label is not "
        f"known, and the map is of the class that the classifier predicts, which is another for {wrong:.1%} of the "
        "validation images. So the same networks are also shown when told the prediction.",
    ]


def text_of_cuts(findings: Findings) -> list[str]:
    """Say which depth is best."""
    errors = {cut: findings.errors[cut_plan(cut)][0].validation for cut in CUTS}
    best = min(errors, key=lambda cut: errors[cut])
    name = "the whole network" if best == "whole" else f"the network cut at {best}"
    agrees = "as in the source" if best == "whole" else "in the source it is the whole one"
    return [
        f"Lowest validation error: {name} ({agrees}). In the whole network an image passes through 36 numbers that are "
        "positive and sum to 1; a network that is cut keeps all maps of features at that depth.",
    ]


def text_of_ours() -> list[str]:
    """Say what ours is."""
    return [
        f"{OURS}: a small decoder on the features of the frozen classifier at every depth, told the class and what the "
        "classifier says. Trained as long as the others, with its own recipe.",
    ]


def text_of_speed(findings: Findings) -> list[str]:
    """Say how much quicker an estimate is, against either way of making exact maps."""
    times = findings.times
    less = f"{times.batches / times.together:,.0f} times less than with whole images in batches"
    return [
        f"The source compares its estimates with exact maps that take {seconds_text(EXACT_SECONDS)}, 625 answers of "
        "the classifier each. Worked out only where boxes can reach, an exact map takes "
        f"{seconds_text(times.together)} here, {less}: that is what an estimator has to be measured against.",
    ]


def guesses(outcome: Outcome) -> list[str]:
    """Say what is not the source's."""
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


def text_of_time(outcome: Outcome) -> list[str]:
    """Say how long it took."""
    number = sum(len(runs) for plan, runs in outcome.runs.items() if plan != CLASSIFIER)
    return [
        f"The epochs of all trainings take {duration(outcome.seconds)}, one after another; {outcome.workers} at once. "
        f"{number} estimators: the first of experiment 4's frozen and conditioned networks are those of experiments 1 "
        f"and 2, and the whole network of experiment 3 is {encoder_plan('normal')}.",
        "Every training is a run directory below runs/.",
    ]


STUDY = Study(
    "occlusion",
    "a supernova classifier's occlusion maps, exact and estimated in one pass",
    ("transients-snr",),
    plans,
    story,
    repeats=SEEDS,
    prepare=make_maps,
)
