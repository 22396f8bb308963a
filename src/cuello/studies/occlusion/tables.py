"""The tables: the source's numbers, which are of other data, and ours."""

import math
from collections.abc import Sequence
from typing import Any

from cuello.comparison.page import NONE, duration, spread_text
from cuello.jobs.classify.evaluation import Classification
from cuello.jobs.explain.settings import FLAT
from cuello.report.page import Table
from cuello.saliency.fidelity import Fidelity, Measured
from cuello.scoring.repeats import PairedDifference, paired_difference, spread
from cuello.studies.base import Outcome
from cuello.studies.occlusion.measures import MIXED, Errors, Findings, Times
from cuello.studies.occlusion.plans import (
    CONDITIONED,
    CUTS,
    ENCODERS,
    OURS,
    TOLD,
    cut_plan,
    encoder_plan,
    told_plan,
)
from cuello.studies.occlusion.source import (
    CONFUSION,
    ESTIMATE_SECONDS,
    EXACT_SECONDS,
    EXPERIMENT_1,
    EXPERIMENT_2,
    EXPERIMENT_3_WHOLE,
    EXPERIMENT_4,
    PRINTED_4,
    PRINTED_ACCURACY,
    SETS,
    Confusion,
)

OTHER_DATA = "source (other data)"
NETWORKS_4 = {"frozen": encoder_plan("frozen"), "conditioned": told_plan(CONDITIONED)}
"""Experiment 4: the source's name of a network, and our plan."""
POSITIVE = "real"


def confusion_of(found: Classification) -> Confusion:
    """Return our confusion matrix as the source prints its own."""
    place, counts = list(found.classes).index(POSITIVE), found.confusion
    other = 1 - place
    return Confusion(*(int(counts[pair]) for pair in ((place, place), (place, other), (other, place), (other, other))))


def confusion_table(ours: Confusion) -> Table:
    """Set our confusion matrix beside the source's."""
    rows = []
    for label, found, printed in ((OTHER_DATA, CONFUSION, PRINTED_ACCURACY), ("here", ours, None)):
        rows.append(
            [label, f"{found.images:,}", f"{found.true_positive:,}", f"{found.missed:,}", f"{found.false:,}",
             f"{found.true_negative:,}", percent(found.recall), percent(found.precision), f"{found.accuracy:.1%}",
             NONE if printed is None else f"{printed:.1%}"]
        )  # fmt: skip
    columns = ["", "test images>", "true positive>", "missed>", "false positive>", "true negative>", "recall>",
               "precision>", "accuracy>", "as printed>"]  # fmt: skip
    note = "Positive: a supernova. Accuracy, recall and precision are worked out from the four numbers."
    return Table(columns, rows, note, frozenset({1}))


def percent(share: float) -> str:
    """Write a share in percent; a dash where there is none."""
    return NONE if math.isnan(share) else f"{share:.1%}"


def training(one: Errors) -> float:
    """Return the error on training images."""
    return one.training


def validation(one: Errors) -> float:
    """Return the error on validation images, told what was told in training."""
    return one.validation


def by_prediction(one: Errors) -> float:
    """Return the error on validation images, told the prediction."""
    return one.by_prediction


def five(value: float) -> str:
    """Return an MSE with as many digits as the source's."""
    return f"{value:.5f}"


def first(findings: Findings, plan: str) -> Errors:
    """Return the errors of a plan's first seed."""
    return findings.errors[plan][0]


def sets_table(findings: Findings) -> Table:
    """Experiment 1: encoders and training sets."""
    rows = []
    for (encoder, part), printed in EXPERIMENT_1.items():
        found = first(findings, encoder_plan(encoder, part))
        rows.append(
            [encoder, SETS[part], *map(five, printed), five(found.training), five(found.validation),
             f"{found.validation / findings.floors[part]:.2f}"]
        )  # fmt: skip
    rows += [["always the mean map", SETS[part], NONE, NONE, NONE, five(floor), "1"]
             for part, floor in findings.floors.items()]  # fmt: skip
    columns = ["encoder", "training set", f"{OTHER_DATA}: training>", "validation>", "here: training>", "validation>",
               "÷ mean map>"]  # fmt: skip
    note = (
        "Mean squared error of maps in [0, 1]; the first seed, at its best epoch. Frozen: the classifier's "
        "convolutions. Validation images are of the training set's kind. Always the mean map: what is left where every "
        "estimate is the mean of the training maps."
    )
    return Table(columns, rows, note)


def told_table(findings: Findings) -> Table:
    """Experiment 2: how the label joins the bottleneck, and what is left when no label is known."""
    rows = []
    plain = first(findings, encoder_plan("normal"))
    printed = EXPERIMENT_1["normal", MIXED]
    rows.append(["not at all", *map(five, printed), five(plain.training), five(plain.validation), NONE])
    for told in TOLD:
        found, stated = first(findings, told_plan(told)), EXPERIMENT_2.get(told)
        label = f"as {'a number' if told == 'number' else 'an embedding' if told == 'embedding' else told}"
        rows.append(
            [f"{label}{'' if stated else ' (not in the source)'}",
             *(map(five, stated) if stated else (NONE, NONE)), five(found.training), five(found.validation),
             five(found.by_prediction)]
        )  # fmt: skip
    columns = ["told the label", f"{OTHER_DATA}: training>", "validation>", "here: training>", "validation>",
               "told the prediction>"]  # fmt: skip
    note = (
        "Mean squared error; the first seed. Training and validation: told the label, as in the source. Told the "
        "prediction: the same networks on the same validation images, told the class that the classifier predicts, for "
        "when something is to be explained no label is known."
    )
    return Table(columns, rows, note)


def cuts_table(findings: Findings) -> Table:
    """Experiment 3: where the network is cut."""
    rows = []
    for cut in CUTS:
        found = first(findings, cut_plan(cut))
        parameters = sum(tensor.numel() for tensor in findings.models[cut_plan(cut)][0].network.parameters())
        stated = five(EXPERIMENT_3_WHOLE) if cut == "whole" else f"more than {five(EXPERIMENT_3_WHOLE)}"
        rows.append([cut, f"{parameters:,}", stated, five(found.training), five(found.validation)])
    columns = ["network", "parameters>", f"{OTHER_DATA}: validation>", "here: training>", "validation>"]
    note = (
        "Mean squared error; the first seed. The cut networks have no dense layer: their decoder begins right after "
        "the second or the first pooling. The source shows them as curves and calls the whole network the best."
    )
    return Table(columns, rows, note)


def seeds_table(findings: Findings) -> Table:
    """Experiment 4: all values of the repeated trainings."""
    most = max(len(values) for values in EXPERIMENT_4.values())
    rows = []
    for name, values in EXPERIMENT_4.items():
        rows.append([f"source: {name}", *map(five, values), *mean_cells(values), five(PRINTED_4[name].mean)])
    for name, plan in NETWORKS_4.items():
        own = list(findings.by_seed(plan).values())[:most]
        rows.append([f"here: {name}", *map(five, own), *[NONE] * (most - len(own)), *mean_cells(own), NONE])
    columns = ["validation MSE", *(f"{number}>" for number in range(1, most + 1)), "mean>", "deviation>",
               "mean as printed>"]  # fmt: skip
    deviations = " and ".join(five(PRINTED_4[name].deviation) for name in EXPERIMENT_4)
    note = (
        "The source's numbers are of other data. Deviation: of a sample (n - 1). The source's printed means are not "
        "those of its five values, which are worked out in the columns before (deviations as printed: "
        f"{deviations}). Here, a training's number is its seed plus 1; the conditioned network is told the label, "
        "one-hot."
    )
    return Table(columns, rows, note)


def mean_cells(values: Sequence[float]) -> list[str]:
    """Return mean and deviation of values."""
    found = spread(values)
    return [five(found.mean), NONE if math.isnan(found.deviation) else five(found.deviation)]


def difference_of(findings: Findings) -> PairedDifference:
    """Return conditioned minus frozen over the seeds, paired."""
    conditioned, frozen = (findings.by_seed(NETWORKS_4[name]) for name in ("conditioned", "frozen"))
    return paired_difference(conditioned, frozen)


def seeds_text(found: PairedDifference) -> list[str]:
    """Say whether the conditioned network is better, by a paired test here and by the source's own values."""
    from scipy.stats import ttest_ind

    theirs: Any = ttest_ind(EXPERIMENT_4["conditioned"], EXPERIMENT_4["frozen"], equal_var=False)
    gap = spread(EXPERIMENT_4["conditioned"]).mean - spread(EXPERIMENT_4["frozen"]).mean
    interval = theirs.confidence_interval(0.95)
    said = (
        f"The source's ten values: conditioned minus frozen {gap:+.5f} (95% interval {interval.low:+.5f} to "
        f"{interval.high:+.5f}; Welch's t test, {p_text(float(theirs.pvalue))}; which of its trainings belong "
        "together is not said). Its printed mean of the frozen network, .01309, is not that of its five values, whose "
        f"mean is {five(spread(EXPERIMENT_4['frozen']).mean)}; nor is that of the conditioned one, .00909 "
        f"({five(spread(EXPERIMENT_4['conditioned']).mean)})."
    )
    if not found.enough:
        return [said, "Here there are too few repeats for a test."]
    verdict = "the conditioned network is better" if found.high < 0 else (
        "the frozen network is better" if found.low > 0 else "which is better cannot be told"
    )  # fmt: skip
    return [
        said,
        f"Here, paired by seed: {found.mean:+.5f} (95% interval {found.low:+.5f} to {found.high:+.5f}; paired t test "
        f"over {found.count} seeds, {p_text(found.p_value)}): {verdict}.",
    ]


def p_text(value: float) -> str:
    """Return a p-value.

    >>> p_text(0.0321), p_text(0.00002)
    ('p = 0.032', 'p < 0.001')
    """
    return f"p = {value:.2g}" if value >= 0.001 else "p < 0.001"


def labels_of(plans: Sequence[str]) -> dict[str, str]:
    """Return what estimators are called in tables, by plan; networks trained on one class are left out."""
    encoders = {encoder_plan(name): name for name in ENCODERS}
    told = {told_plan(name): f"told the label, {name}" for name in TOLD}
    cuts = {cut_plan(name): f"cut at {name}" for name in CUTS if name != "whole"}
    every = {**encoders, **told, **cuts, OURS: f"ours: {OURS}"}
    return {plan: label for plan, label in every.items() if plan in plans}


def beside_table(findings: Findings) -> Table:
    """Set ours beside all of the source's networks, on test images, told the prediction."""
    named = labels_of(list(findings.tested))
    rows = []
    for plan, label in named.items():
        found, network = findings.tested[plan], findings.models[plan][0].network
        free = sum(tensor.numel() for tensor in network.parameters() if tensor.requires_grad)
        fixed = sum(tensor.numel() for tensor in network.parameters() if not tensor.requires_grad)
        rows.append([label, f"{free:,}", f"{fixed:,}" if fixed else NONE, *fidelity_cells(found)])
    columns = ["network", "trainable>", "frozen>", "MSE>", "Pearson>", "Spearman>", "top 10%>"]
    images = findings.tested[OURS].images
    note = (
        f"{images:,} test images, none of which any network has seen; every network that takes a class is told the "
        "prediction. MSE with half its 95% interval over images. Pearson, Spearman: correlation with the exact map, "
        "means over images. Top 10%: share of the most important tenth of the pixels in common with the exact map; by "
        f"chance 10%. Correlations and the top 10% are of images whose exact map spreads by more than {FLAT:g} of its "
        "scale, errors of all."
    )
    return Table(columns, rows, note, frozenset({list(named).index(OURS)}))


def fidelity_cells(found: Fidelity) -> list[str]:
    """Return the measures of a network as text."""
    return [with_half(found.mse, 5), f"{found.pearson.mean:.3f}", f"{found.spearman.mean:.3f}",
            f"{found.overlap.mean:.0%}"]  # fmt: skip


def with_half(found: Measured, decimals: int) -> str:
    """Return a mean and, behind ±, half the width of its interval."""
    mean = f"{found.mean:.{decimals}f}"
    return mean if math.isnan(found.low) else f"{mean} ±{(found.high - found.low) / 2:.{decimals}f}"


def areas_table(findings: Findings) -> Table:
    """Show what the classifier says while pixels are removed or put in, in the order of exact and other maps."""
    exact = {"exact maps": "exact", "random order": "random"}
    rows = [[label, *(with_half(findings.areas[way][name], 3) for way in findings.areas)]
            for label, name in exact.items()]  # fmt: skip
    named = labels_of(list(findings.tested))
    for plan, label in named.items():
        found = findings.tested[plan]
        rows.append([label, with_half(found.deletion["estimated"], 3), with_half(found.insertion["estimated"], 3)])
    note = (
        "Area under the predicted class's probability while the pixels that a map calls important are removed (set to "
        "0) or put into an image of zeros, the most important first (Petsiuk et al. 2018), with half the 95% interval "
        "over images. A good map has a small area of deletion and a large one of insertion."
    )
    return Table(["order of pixels", "deletion>", "insertion>"], rows, note,
                 frozenset({len(exact) + list(named).index(OURS)}))  # fmt: skip


def seconds_text(value: float) -> str:
    """Return seconds as people write them.

    >>> seconds_text(1.28), seconds_text(0.0017), seconds_text(0.00034)
    ('1.28 s', '1.7 ms', '0.34 ms')
    """
    return f"{value:.3g} s" if value >= 1 else f"{1000 * value:.2g} ms" if value < 0.1 else f"{1000 * value:.0f} ms"


def times_table(times: Times) -> Table:
    """Set the seconds of a map beside the source's."""
    estimates = times.estimates
    rows = [
        ["exact, boxes in batches, one image after another", seconds_text(EXACT_SECONDS), seconds_text(times.batches),
         "1"],
        ["exact, only what a box can reach, one image after another", NONE, seconds_text(times.alone),
         ratio(times.batches, times.alone)],
        ["… many images at once", NONE, seconds_text(times.together), ratio(times.batches, times.together)],
    ]  # fmt: skip
    for plan, label in labels_of(list(estimates)).items():
        stated = seconds_text(ESTIMATE_SECONDS) if plan == encoder_plan("normal") else NONE
        rows.append([f"estimated: {label}", stated, seconds_text(estimates[plan]),
                     ratio(times.batches, estimates[plan])])  # fmt: skip
    note = (
        "Of one map of 21×21 pixels, 625 boxes; medians, measured in one go with one thread. Estimates: 100 images in "
        f"a pass. The source's ratio is {EXACT_SECONDS / ESTIMATE_SECONDS:,.0f}, on an unnamed machine."
    )
    return Table(["map", "source>", "here>", "times quicker>"], rows, note,
                 frozenset({3 + list(labels_of(list(estimates))).index(OURS)}))  # fmt: skip


def ratio(slow: float, quick: float) -> str:
    """Return how many times quicker something is."""
    value = slow / quick
    return f"{value:.1f}" if value < 10 else f"{value:,.0f}"


def pays_table(outcome: Outcome, findings: Findings) -> Table:
    """Show after how many maps each estimator is repaid."""
    rows = []
    named = labels_of(list(findings.pays))
    for plan, label in named.items():
        run = outcome.runs[plan][0]
        seconds = sum(record.seconds for record in run.history)
        own = findings.subjects[MIXED]
        rows.append([label, f"{own.trained + own.validated:,}", duration(seconds),
                     *(whole(number) for number in findings.pays[plan])])  # fmt: skip
    columns = ["network", "exact maps made for it>", "training>", "repaid after, against batches>",
               "against the quickest exact maps>"]  # fmt: skip
    note = (
        "Maps after which making its exact maps, training and estimating take less time than exact maps of all of them "
        "would. Time of the classifier, which is there anyway, is left out."
    )
    return Table(columns, rows, note, frozenset({list(named).index(OURS)}))


def whole(number: float) -> str:
    """Return a number of maps."""
    return "never" if math.isinf(number) else NONE if math.isnan(number) else f"{number:,.0f}"


def trainings_table(outcome: Outcome) -> Table:
    """Show how each training went."""
    rows = []
    for plan, runs in outcome.runs.items():
        config = runs[0].config
        epochs = [len(run.history) for run in runs]
        seconds = outcome.over_seeds(plan, lambda history: sum(record.seconds for record in history))
        rows.append([plan, config.model, str(len(runs)), f"{min(epochs)}" if min(epochs) == max(epochs)
                     else f"{min(epochs)} to {max(epochs)}", f"{config.optimizer} {config.learning_rate:g}",
                     str(config.batch_size), spread_text(seconds, lambda value: f"{value:.0f}")])  # fmt: skip
    columns = ["training", "network", "seeds>", "epochs>", "optimizer", "batch>", "s>"]
    return Table(columns, rows)
