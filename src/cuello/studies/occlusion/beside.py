"""Ours beside the source's networks: errors, fidelity, the best and worst maps, and speed."""

import math
from functools import partial

import numpy as np

from cuello.comparison.page import NONE, duration
from cuello.jobs.explain.figures import Scale
from cuello.jobs.explain.settings import FLAT
from cuello.models.summary import count
from cuello.report.figures import Theme
from cuello.report.grids import image_grid
from cuello.report.page import Picture, Section
from cuello.saliency.fidelity import Measured
from cuello.studies.base import StudyOutcome
from cuello.studies.occlusion.measures import Findings, maps_of, squared_errors
from cuello.studies.occlusion.plans import LABELS, MIXED, OURS, encoder_plan
from cuello.studies.occlusion.source import ESTIMATE_SECONDS, EXACT_SECONDS
from cuello.studies.tables import Column, table

SHOWN = 3
"""Best and worst examples, each so many; the source shows two."""
LABEL = Column("network", lambda plan: LABELS[plan])
OURS_ROW = list(LABELS).index(OURS)


def ours_beside_all(outcome: StudyOutcome, findings: Findings) -> Section:
    text = (
        f"{OURS}: a small decoder on the features of the frozen classifier at every depth, told the class and what the "
        "classifier says. Trained as long as the others, with its own recipe."
    )
    tested, exact = findings.tested, {"exact": "exact maps", "random": "random order"}
    networks = {plan: findings.models[plan][0].network for plan in LABELS}
    frozen = {plan: sum(tensor.numel() for tensor in network.parameters() if not tensor.requires_grad)
              for plan, network in networks.items()}  # fmt: skip
    fidelity = [
        LABEL,
        Column("trainable>", lambda plan: count(networks[plan])[0], ","),
        Column("frozen>", lambda plan: frozen[plan] or None, ","),
        Column("MSE>", lambda plan: with_half(tested[plan].mse, 5)),
        Column("Pearson>", lambda plan: tested[plan].pearson.mean, ".3f"),
        Column("Spearman>", lambda plan: tested[plan].spearman.mean, ".3f"),
        Column("top 10%>", lambda plan: tested[plan].overlap.mean, ".0%"),
    ]
    note = (
        f"{tested[OURS].images:,} test images, none of which any network has seen; every network that takes a class is "
        "told the prediction. MSE ± half its 95% interval over images. Pearson, Spearman: correlation with the "
        "exact map, means over images. Top 10%: share of the most important tenth of the pixels in common with the "
        f"exact map; by chance 10%. Correlations and the top 10% are of images whose exact map spreads by more than "
        f"{FLAT:g} of its scale, errors of all."
    )
    deletion, insertion = (
        dict(findings.areas[way]) | {plan: getattr(found, way)["estimated"] for plan, found in tested.items()}
        for way in ("deletion", "insertion")
    )
    areas = [
        Column("order of pixels", (exact | LABELS).get),
        Column("deletion>", lambda name: with_half(deletion[name], 3)),
        Column("insertion>", lambda name: with_half(insertion[name], 3)),
    ]
    below = (
        "Area under the predicted class's probability while the pixels that a map calls important are removed (set to "
        "0) or put into an image of zeros, the most important first (Petsiuk et al. 2018), ± half the 95% interval "
        "over images. A good map has a small area of deletion and a large one of insertion."
    )
    series = [
        outcome.curve(plan, label, "validation_mse", role="ours" if plan == OURS else "other")
        for plan, label in LABELS.items()
    ]
    seed = "First seed; networks that are told the label are told it here too."
    curves = outcome.curves("errors", series, title="Validation MSE by epoch", up="MSE", note=seed)
    tables = [
        table(LABELS, fidelity, note, ours=[OURS_ROW]),
        table([*exact, *LABELS], areas, below, ours=[len(exact) + OURS_ROW]),
    ]
    return Section("Ours beside all", [text], [*tables, curves])


def with_half(found: Measured, decimals: int) -> str:
    """Write a mean and, behind ±, half the width of its interval."""
    mean = f"{found.mean:.{decimals}f}"
    return mean if math.isnan(found.low) else f"{mean} ±{(found.high - found.low) / 2:.{decimals}f}"


def best_and_worst(outcome: StudyOutcome, findings: Findings) -> Section:
    """Draw the validation images whose maps come out best and worst: image, exact map, estimate."""
    best = findings.best_of_source
    labels = {best: f"the source's best network here ({LABELS[best]})", OURS: f"ours ({OURS})"}
    images = len(findings.sets[MIXED].validation.images)
    drawn: list[Picture] = []
    for plan, label in labels.items():
        alt = f"{label}: the validation images whose maps come out best and worst"
        note = (
            f"{label[0].upper()}{label[1:]}, told the prediction; the {SHOWN} best and the {SHOWN} worst of "
            f"{images:,} validation images. Under an image: its class and what the classifier predicts; under an "
            "estimate: its MSE. Maps range from 0 (dark), where the classifier loses most of its probability, to 1."
        )
        name = "best-and-worst-ours" if plan == OURS else "best-and-worst"
        drawn.append(outcome.picture(name, partial(example_grid, findings, plan), alt=alt, note=note))
    return Section("Best and worst maps", parts=drawn)


def example_grid(findings: Findings, plan: str, theme: Theme) -> bytes:
    model, part, classes = findings.models[plan][0], findings.sets[MIXED].validation, findings.classified.classes
    errors = squared_errors(model, part, part.predicted)
    ranked = np.argsort(errors, kind="stable").tolist()
    chosen = list(dict.fromkeys([*ranked[:SHOWN], *ranked[-SHOWN:]]))
    estimated = maps_of(model, part, part.predicted)
    images = part.images.permute(0, 2, 3, 1).numpy()
    classified = zip(part.labels.tolist(), part.predicted.tolist(), strict=True)
    said = [classes[true] if true == taken else f"{classes[true]}, taken for {classes[taken]}"
            for true, taken in classified]  # fmt: skip
    rows = [
        ("image", [(images[row], said[row]) for row in chosen]),
        ("exact", [(coloured(part.exact[row]), "") for row in chosen]),
        ("estimate", [(coloured(estimated[row]), f"{errors[row]:.4f}") for row in chosen]),
    ]
    half = len(chosen) // 2
    return image_grid(rows, ["best"] * half + ["worst"] * (len(chosen) - half), theme)


def coloured(values: np.ndarray) -> np.ndarray:
    """Colour a map ``(H, W)`` in [0, 1], to ``(H, W, 3)``: dark where the class needs the pixels."""
    import matplotlib

    return matplotlib.colormaps[Scale(False, "").colours](values)[..., :3]


def seconds_text(value: float) -> str:
    """Write seconds as people do.

    >>> seconds_text(1.28), seconds_text(0.0017), seconds_text(0.00034)
    ('1.28 s', '1.7 ms', '0.34 ms')
    """
    return f"{value:.3g} s" if value >= 1 else f"{1000 * value:.2g} ms" if value < 0.1 else f"{1000 * value:.0f} ms"


def speed(outcome: StudyOutcome, findings: Findings) -> Section:
    """Set the seconds of a map beside the source's, and say after how many maps each estimator is repaid."""
    times = findings.times
    text = (
        f"The source compares its estimates with exact maps that take {seconds_text(EXACT_SECONDS)}, 625 answers of "
        "the classifier each. Worked out only where boxes can reach, an exact map takes "
        f"{seconds_text(times.together)} here, {times.batches / times.together:,.0f} times less than with whole images "
        "in batches: that is what an estimator has to be measured against."
    )
    rows = [
        ("exact, boxes in batches, one image after another", EXACT_SECONDS, times.batches),
        ("exact, only what a box can reach, one image after another", None, times.alone),
        ("… many images at once", None, times.together),
        *(
            (f"estimated: {label}", ESTIMATE_SECONDS if plan == encoder_plan("normal") else None, times.estimates[plan])
            for plan, label in LABELS.items()
        ),
    ]

    def quicker(seconds: float) -> str:
        ratio = times.batches / seconds
        return "1" if ratio == 1 else f"{ratio:.1f}" if ratio < 10 else f"{ratio:,.0f}"

    columns = [
        Column("map", lambda label, source, here: label),
        Column("source>", lambda label, source, here: source, seconds_text),
        Column("here>", lambda label, source, here: here, seconds_text),
        Column("times quicker>", lambda label, source, here: here, quicker),
    ]
    note = (
        "Of one map of 21×21 pixels, 625 boxes; medians, measured in one go with one thread. Estimates: 100 images in "
        f"a pass. The source's ratio is {EXACT_SECONDS / ESTIMATE_SECONDS:,.0f}, on an unnamed machine."
    )
    runs = {plan: outcome.runs[plan][0] for plan in LABELS}
    repaid = [
        LABEL,
        Column("exact maps made for it>", lambda plan: findings.sets[MIXED].maps, ","),
        Column("training>", lambda plan: sum(record.seconds for record in runs[plan].history), duration),
        Column("repaid after, against batches>", lambda plan: findings.repaid[plan][0], whole),
        Column("against the quickest exact maps>", lambda plan: findings.repaid[plan][1], whole),
    ]
    below = (
        "Maps after which making its exact maps, training and estimating take less time than exact maps of all of them "
        "would. Time of the classifier, which is there anyway, is left out."
    )
    tables = [table(rows, columns, note, ours=[3 + OURS_ROW]), table(LABELS, repaid, below, ours=[OURS_ROW])]
    return Section("Speed", [text], tables)


def whole(number: float) -> str:
    return "never" if math.isinf(number) else NONE if math.isnan(number) else f"{number:,.0f}"
