"""The classifier and the source's four experiments, beside its numbers, which are of other data."""

import math
from collections.abc import Callable, Sequence
from typing import Any

from cuello.comparison.page import NONE
from cuello.jobs.classify.evaluation import Classification
from cuello.jobs.classify.figures import confusion_picture
from cuello.report.page import Section
from cuello.scoring.repeats import PairedDifference, paired_difference, spread
from cuello.studies.base import StudyOutcome
from cuello.studies.occlusion import source
from cuello.studies.occlusion.measures import Errors, Findings
from cuello.studies.occlusion.plans import CONDITIONED, CUTS, MIXED, SCALES, TOLD, cut_plan, encoder_plan, told_plan
from cuello.studies.tables import Column, table

OTHER_DATA = "source (other data)"
NETWORKS_4 = {"frozen": encoder_plan("frozen"), "conditioned": told_plan(CONDITIONED)}
"""Experiment 4: the source's name of a network, and our plan."""
FIVE = ".5f"
"""As many digits of an MSE as the source has."""


def confusion_of(found: Classification) -> source.Confusion:
    """Read our confusion matrix as the source prints its own; positive: a supernova."""
    place, counts = list(found.classes).index("real"), found.confusion
    other = 1 - place
    return source.Confusion(
        true_positive=int(counts[place, place]), missed=int(counts[place, other]),
        false=int(counts[other, place]), true_negative=int(counts[other, other]),
    )  # fmt: skip


def the_classifier(outcome: StudyOutcome, findings: Findings) -> Section:
    text = [
        "The source's data, HiTS 2013, is not available: here its classifier learns simulated stamps of such a survey, "
        "the difference over its noise alone. All of the source's numbers on this page are of other data.",
        f"The source prints an accuracy of {source.PRINTED_ACCURACY:.1%}; its own confusion matrix gives "
        f"{source.CONFUSION.accuracy:.1%}.",
    ]
    rows = [(OTHER_DATA, source.CONFUSION, source.PRINTED_ACCURACY), ("here", confusion_of(findings.classified), None)]
    counts = {"test images>": "images", "true positive>": "true_positive", "missed>": "missed",
              "false positive>": "false", "true negative>": "true_negative"}  # fmt: skip
    shares = {"recall>": "recall", "precision>": "precision", "accuracy>": "accuracy"}
    columns = [
        Column("", lambda label, found, printed: label),
        *(
            Column(heading, lambda label, found, printed, name=name: getattr(found, name), form)
            for names, form in ((counts, ","), (shares, ".1%"))
            for heading, name in names.items()
        ),
        Column("as printed>", lambda label, found, printed: printed, ".1%"),
    ]
    note = "Positive: a supernova. Accuracy, recall and precision are worked out from the four numbers."
    alt = "Confusion matrix of the classifier on test images"
    picture = outcome.picture("confusion", lambda theme: confusion_picture(findings.classified, theme), alt=alt)
    return Section("The classifier", text, [table(rows, columns, note, ours=[1]), picture])


def training_sets(outcome: StudyOutcome, findings: Findings) -> Section:
    """Experiment 1: encoders and training sets."""
    scale = SCALES[outcome.data]
    text = [
        "A 3×3 box of zeros moves by one pixel over the padded image of 27×27; the probability of the predicted class "
        "is added to every pixel under the box; the sum is standardised, clipped to ±1 standard deviation and moved to "
        "[0, 1], and the padding is cut off. Estimators learn these maps with binary cross-entropy.",
        f"{scale.samples:,} maps for training and {scale.validation_samples:,} for validation, of each training set; "
        f"at most {scale.epochs} epochs. The source: {source.MAPS:,} maps, a quarter of them for validation.",
    ]

    def first(encoder: str, part: str) -> Errors:
        return findings.errors[encoder_plan(encoder, part)][0]

    columns = [
        Column("encoder", lambda encoder, part: encoder),
        Column("training set", lambda encoder, part: source.SETS[part]),
        Column(f"{OTHER_DATA}: training>", lambda *key: source.EXPERIMENT_1[key][0], FIVE),
        Column("validation>", lambda *key: source.EXPERIMENT_1[key][1], FIVE),
        Column("here: training>", lambda *key: first(*key).training, FIVE),
        Column("validation>", lambda *key: first(*key).validation, FIVE),
        Column("÷ mean map>", lambda *key: first(*key).validation / findings.sets[key[1]].floor, ".2f"),
    ]
    floors = [["always the mean map", source.SETS[part], NONE, NONE, NONE, f"{found.floor:{FIVE}}", "1"]
              for part, found in findings.sets.items()]  # fmt: skip
    note = (
        "Mean squared error of maps in [0, 1]; the first seed, at its best epoch. Frozen: the classifier's "
        "convolutions. Validation images are of the training set's kind. Always the mean map: what is left where every "
        "estimate is the mean of the training maps."
    )
    return Section("Experiment 1: the training set", text, [table(source.EXPERIMENT_1, columns, note, more=floors)])


def told_the_label(findings: Findings) -> Section:
    """Experiment 2: how the label joins the bottleneck, and what is left when no label is known."""
    validation = findings.sets[MIXED].validation
    wrong = float((validation.labels != validation.predicted).float().mean())
    text = (
        "The source tells the network the label of the image, but when an image is to be explained its label is not "
        f"known, and the map is of the class that the classifier predicts, which is another for {wrong:.1%} of the "
        "validation images. So the same networks are also shown when told the prediction."
    )
    plans = {None: encoder_plan("normal"), **{name: told_plan(name) for name in TOLD}}
    stated = {None: source.EXPERIMENT_1["normal", MIXED], **source.EXPERIMENT_2}
    labels = {None: "not at all", "number": "as a number", "one-hot": "as one-hot",
              "embedding": "as an embedding (not in the source)"}  # fmt: skip

    def first(value: Callable[[Errors], float]) -> Callable[[str | None], float]:
        return lambda told: value(findings.errors[plans[told]][0])

    columns = [
        Column("told the label", labels.get),
        Column(f"{OTHER_DATA}: training>", lambda told: stated[told][0] if told in stated else None, FIVE),
        Column("validation>", lambda told: stated[told][1] if told in stated else None, FIVE),
        Column("here: training>", first(lambda one: one.training), FIVE),
        Column("validation>", first(lambda one: one.validation), FIVE),
        Column("told the prediction>", lambda told: first(lambda one: one.by_prediction)(told) if told else None, FIVE),
    ]
    note = (
        "Mean squared error; the first seed. Training and validation: told the label, as in the source. Told the "
        "prediction: the same networks on the same validation images, told the class that the classifier predicts, for "
        "when something is to be explained no label is known."
    )
    return Section("Experiment 2: the label joins the bottleneck", [text], [table(plans, columns, note)])


def cut_networks(outcome: StudyOutcome, findings: Findings) -> Section:
    errors = {cut: findings.errors[cut_plan(cut)][0] for cut in CUTS}
    best = min(errors, key=lambda cut: errors[cut].validation)
    name = "the whole network" if best == "whole" else f"the network cut at {best}"
    agrees = "as in the source" if best == "whole" else "in the source it is the whole one"
    text = (
        f"Lowest validation error: {name} ({agrees}). In the whole network an image passes through 36 numbers that are "
        "positive and sum to 1; a network that is cut keeps all maps of features at that depth."
    )
    networks = {cut: findings.models[cut_plan(cut)][0].network for cut in CUTS}
    whole = f"{source.EXPERIMENT_3_WHOLE:{FIVE}}"
    columns = [
        Column("network", lambda cut: cut),
        Column("parameters>", lambda cut: sum(tensor.numel() for tensor in networks[cut].parameters()), ","),
        Column(f"{OTHER_DATA}: validation>", lambda cut: whole if cut == "whole" else f"more than {whole}"),
        Column("here: training>", lambda cut: errors[cut].training, FIVE),
        Column("validation>", lambda cut: errors[cut].validation, FIVE),
    ]
    note = (
        "Mean squared error; the first seed. The cut networks have no dense layer: their decoder begins right after "
        "the second or the first pooling. The source shows them as curves and calls the whole network the best."
    )
    series = [
        outcome.curve(cut_plan(cut), f"{cut if cut == 'whole' else f'cut at {cut}'}, {label}", value)
        for cut in CUTS
        for label, value in (("training", "loss"), ("validation", "validation_loss"))
    ]
    title = "Binary cross-entropy by epoch, the network cut at its poolings"
    below = "Cross-entropy does not fall to 0: maps between 0 and 1 have an entropy of their own."
    picture = outcome.curves("cuts", series, title=title, up="loss, nats", note=below)
    title = "Experiment 3: the network cut at its poolings"
    return Section(title, [text], [table(CUTS, columns, note), picture])


def five_trainings(findings: Findings) -> Section:
    """Experiment 4: all values of the repeated trainings."""
    most = max(len(values) for values in source.EXPERIMENT_4.values())
    rows = [(f"source: {name}", values, source.PRINTED_4[name].mean) for name, values in source.EXPERIMENT_4.items()]
    rows += [
        (f"here: {name}", tuple(findings.by_seed(plan).values())[:most], None) for name, plan in NETWORKS_4.items()
    ]

    def deviation(values: Sequence[float]) -> float | None:
        return None if math.isnan(found := spread(values).deviation) else found

    columns = [
        Column("validation MSE", lambda label, values, printed: label),
        *(
            Column(f"{seed + 1}>", lambda _, values, __, seed=seed: values[seed] if seed < len(values) else None, FIVE)
            for seed in range(most)
        ),
        Column("mean>", lambda label, values, printed: spread(values).mean, FIVE),
        Column("deviation>", lambda label, values, printed: deviation(values), FIVE),
        Column("mean as printed>", lambda label, values, printed: printed, FIVE),
    ]
    note = (
        "The source's numbers are of other data. Deviation: of a sample (n - 1). The source's printed means are not "
        "those of its five values, which are worked out in the columns before (deviations as printed: "
        f"{' and '.join(f'{printed.deviation:{FIVE}}' for printed in source.PRINTED_4.values())}). Here, a training's "
        "number is its seed plus 1; the conditioned network is told the label, one-hot."
    )
    conditioned, frozen = (findings.by_seed(NETWORKS_4[name]) for name in ("conditioned", "frozen"))
    text = text_of_seeds(paired_difference(conditioned, frozen))
    return Section("Experiment 4: five trainings", text, [table(rows, columns, note)])


def text_of_seeds(found: PairedDifference) -> list[str]:
    """Say whether the conditioned network is better, by a paired test here and by the source's own values."""
    from scipy.stats import ttest_ind

    conditioned, frozen = (source.EXPERIMENT_4[name] for name in ("conditioned", "frozen"))
    theirs: Any = ttest_ind(conditioned, frozen, equal_var=False)
    gap = spread(conditioned).mean - spread(frozen).mean
    interval = theirs.confidence_interval(0.95)
    said = (
        f"The source's ten values: conditioned minus frozen {gap:+.5f} (95% interval {interval.low:+.5f} to "
        f"{interval.high:+.5f}; Welch's t test, {p_text(float(theirs.pvalue))}; which of its trainings belong "
        "together is not said). Its printed mean of the frozen network, .01309, is not that of its five values, whose "
        f"mean is {spread(frozen).mean:{FIVE}}; nor is that of the conditioned one, .00909 "
        f"({spread(conditioned).mean:{FIVE}})."
    )
    if not found.enough:
        return [said, "Here there are too few repeats for a test."]
    better = "conditioned" if found.mean < 0 else "frozen"
    verdict = f"the {better} network is better" if found.told_from_zero else "it cannot be told which is better"
    return [
        said,
        f"Here, paired by seed: {found.mean:+.5f} (95% interval {found.low:+.5f} to {found.high:+.5f}; paired t test "
        f"over {found.count} seeds, {p_text(found.p_value)}): {verdict}.",
    ]


def p_text(value: float) -> str:
    """Write a p-value.

    >>> p_text(0.0321), p_text(0.00002)
    ('p = 0.032', 'p < 0.001')
    """
    return f"p = {value:.2g}" if value >= 0.001 else "p < 0.001"
