"""The report of what was denoised: what each file's noise was, what was done, how sure it is, and pictures."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cuello.denoising.noise_pictures import draw_variance
from cuello.denoising.restorer import PlaneResult
from cuello.denoising.said import BLENDED, level, sigmas, sure, way_of, worse
from cuello.report.figures import Theme, as_png, drawing, save_both, shorten
from cuello.report.grids import image_grid
from cuello.report.page import Headline, Headlines, Picture, Section, Table, Verdict, write_page
from cuello.runs.directory import environment

if TYPE_CHECKING:
    from cuello.denoising.denoise import Denoised

SHOWN = 6
"""Channels of which there are pictures, the first ones."""
ENDS = (0.5, 99.5)
"""Percent of the values between which a picture goes from black to white."""
TAKEN = 4.0
"""Standard deviations of the noise that are black or white in pictures of what was taken away."""
BESIDE_ERROR = 12.0
"""From black to white are at least so many times the error that is left, which would look like clouds if it filled a
picture."""
NamedImage = Sequence[tuple[str, PlaneResult]]


def write_report(folder: Path, found: "Denoised") -> Path:
    """Write report.html and the folder of its pictures; return the page's path."""
    several = [
        (name_of(file.input, place, len(done)), one)
        for file, done in zip(found.files, found.channels, strict=True)
        if file.output is not None
        for place, one in enumerate(done)
    ]
    scored = [(name, one) for name, one in several if one.score is not None]
    folder.mkdir(parents=True, exist_ok=True)
    parts: list[Section] = [overview(several)]
    if found.captures is not None:
        parts.append(Section("Captures of one scene", [f"{found.captures}."]))
    if any(found.truths):
        parts.append(by_clean_images(found))
    if scored:
        shown = scored[:SHOWN]
        figures = folder / "figures"
        before_after = Picture(
            save_both(figures, "before-after", lambda theme: pictures(shown, theme)),
            alt="before, after and what was taken away",
            note=f"The middle of each image. What was taken away: grey is nothing, black and white {TAKEN:g} standard "
            "deviations of the noise. From black to white in the others are at least "
            f"{BESIDE_ERROR:g} times the error that is left.",
        )
        curves = Picture(
            save_both(figures, "noise", lambda theme: noise_curves(shown, theme)),
            alt="variance of the noise against brightness",
            note="A point is the variance measured at one brightness, the line the model; faint points hold texture as "
            "well, and count less.",
        )
        parts += [Section("Before and after", parts=[before_after]), Section("The noise", parts=[curves])]
    failed = [Section("Not denoised", [f"{problem}" for _, problem in found.failed])] if found.failed else []
    notes = [Section("Notes", list(found.notes))] if found.notes else []
    path = folder / "report.html"
    count = len(found.written)
    how = "judged by, and denoised without," if any(found.truths) else "without"
    write_page(
        path, "Denoised", f"{count} file{'' if count == 1 else 's'}, {how} a clean image",
        verdict=verdict_of(scored), sections=[*parts, *failed, *notes], environment=environment(),
    )  # fmt: skip
    return path


def name_of(path: str | Path, place: int, count: int) -> str:
    name = Path(path).name
    return name if count == 1 else f"{name}, {place + 1}"


def verdict_of(scored: NamedImage) -> Verdict:
    """Say how much smaller the error is, and whether noise alone was taken away."""
    if not scored:
        return Verdict("Nothing was taken away.")
    gains = [one.score.gain for _, one in scored if one.score is not None and one.score.known]
    clean = [one.score.checks.is_noise for _, one in scored if one.score is not None]
    if not gains:
        return Verdict("The images are too small to tell how much error is left.", all(clean))
    ends = " to ".join(dict.fromkeys(f"{gain:.1f}" for gain in (min(gains), max(gains)))) + " dB"
    which = "What was taken away looks like noise" if all(clean) else (
        f"What was taken away looks like noise in {sum(clean)} of {len(clean)}"
    )  # fmt: skip
    return Verdict(f"The error is smaller by {ends}, estimated without a clean image. {which}.", all(clean))


def overview(several: NamedImage) -> Section:
    """Make the table of all channels, and the headline numbers."""
    rows = [
        [
            name,
            way_of(one),
            "–" if one.way == "nothing" else level(one),
            "this image" if one.own else "the whole set",
            f"{one.repaired:,}",
            *scored_in(one),
        ]
        for name, one in several
    ]
    table = Table(
        ["image", "effort", "noise", "measured in", "repaired>", "error left>", "dB less>"], rows,
        note=f"Error left: of the result, where the noise's standard deviation is 1, {judged_by(several)}, "
        "± what the truth is within in about 95% of images. Repaired: hot and dead pixels.",
    )  # fmt: skip
    said = [f"{name}: {sure(one)}." for name, one in several if one.score is not None and not one.score.checks.is_noise]
    left = Counter(phrase for _, one in several for phrase in worse(one))
    left.update(f"results {BLENDED}" for _, one in several if one.kind.blend is not None)
    tried = [f"{phrase[0].upper()}{phrase[1:]} ({count} of {len(several)} channels)." for phrase, count in left.items()]
    scores = [one.score for _, one in several if one.score is not None and one.score.known]
    tiles = [
        Headline("channels", f"{len(several):,}"),
        *([Headline("error now", f"{np.median([one.left for one in scores]):.2f}", "of the noise")] if scores else []),
    ]
    return Section("What was done", [*tried, *said[:SHOWN]], [Headlines(tiles), table])


def judged_by(several: NamedImage) -> str:
    """Say what the errors of a table were told by."""
    told = {one.kind.captures is not None for _, one in several if one.score is not None}
    alone = "estimated from the middle of the image itself"
    if True not in told:
        return alone
    others = "measured on other captures of the scene, the same for all that learned from them"
    return others if len(told) == 1 else f"{others}; else {alone}"


def by_clean_images(found: "Denoised") -> Section:
    """Make the table of what clean images tell of the results, and of their scores."""
    rows = [
        [
            Path(one.input).name, f"{truth.before:.2f}", f"{truth.after:.2f}", f"{truth.after - truth.before:.2f}",
            *(["–"] * 3 if truth.off is None else [f"{truth.scored:.2f}", f"{truth.score:.2f}", f"{truth.off:+.2f}"]),
        ]
        for one, truth in zip(found.files, found.truths, strict=True)
        if truth is not None
    ]  # fmt: skip
    head = ["image", "PSNR before>", "PSNR after>", "dB less>", "dB less, scored channels>", "score>", "score off by>"]
    off = [abs(truth.off) for truth in found.truths if truth is not None and truth.off is not None]
    said = (
        [f"The score, made without clean images, was {np.mean(off):.2f} dB from the truth on average."] if off else []
    )
    peaks = ", ".join(dict.fromkeys(f"{truth.peak:g}" for truth in found.truths if truth is not None))
    note = (
        f"PSNR in dB, peak {shorten(peaks, 40)} (255 for 8 bits, else the range of the clean image). Score: by how "
        "many dB the error was said to be smaller. Clean images were used for this table alone."
    )
    return Section("By the clean images", said, [Table(head, rows, note=note)])


def scored_in(one: PlaneResult) -> tuple[str, str]:
    """Write the score of a channel in the cells of a table."""
    if one.score is None:
        return "–", "–"
    if not one.score.known:
        return "too small to tell", "–"
    return f"{one.score.left:.2f} ± {one.score.left_error:.2f}", f"{one.score.gain:.1f}"


def shades(one: PlaneResult, after: np.ndarray) -> tuple[float, float]:
    """Choose the value that is black, and by how much white is brighter: what a result spans, but no span so small that
    the error that is left fills it.
    """
    low, high = map(float, np.percentile(after, ENDS))
    noise = float(np.median(one.kind.survey.model.deviation(after)))
    least = BESIDE_ERROR * one.score.left * noise if one.score is not None and one.score.known else 0.0
    span = max(high - low, least, np.finfo(float).tiny)
    return (low + high - span) / 2, span


def pictures(shown: NamedImage, theme: Theme) -> bytes:
    """Draw the middle of each channel before and after, and what was taken away."""
    rows = []
    for name, one in shown:
        if one.before is None or one.after is None:
            continue
        low, span = shades(one, one.after)
        deviation = np.maximum(one.kind.survey.model.deviation(one.after), max(sigmas(one)) * 1e-2)
        taken = (one.before - one.after) / (2 * TAKEN * np.maximum(deviation, np.finfo(float).tiny)) + 0.5
        images = [((one.before - low) / span, ""), ((one.after - low) / span, ""), (taken, "")]
        rows.append((shorten(name, 16), [(image[:, :, None], caption) for image, caption in images]))
    return image_grid(rows, ["before", "after", "taken away"], theme)


def noise_curves(shown: NamedImage, theme: Theme) -> bytes:
    """Draw variance against brightness for each channel, measured and by the model."""
    several = [(name, one.kind.survey) for name, one in shown]
    columns = min(3, len(several))
    lines = -(-len(several) // columns)
    with drawing(theme, 8.4, 2.6 * lines, nrows=lines, ncols=columns, squeeze=False) as (figure, axes):
        for axis, (name, found) in zip(axes.ravel(), several, strict=False):
            draw_variance(axis, found, theme)
            axis.set(title=shorten(name, 26), xlabel="brightness", ylabel="variance")
        for axis in axes.ravel()[len(several) :]:
            axis.set_visible(False)
        return as_png(figure)
