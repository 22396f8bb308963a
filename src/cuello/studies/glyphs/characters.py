"""The sections on the 32 characters: through two numbers, new ones, what was compared, and noise."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch

from cuello.comparison.page import loss_text
from cuello.data.catalog import open_source
from cuello.inference.model import Model
from cuello.latent import grid, invent
from cuello.latent.map_picture import Map, draw_map
from cuello.latent.sheets import image_plane
from cuello.report.figures import Theme
from cuello.report.grids import image_grid
from cuello.report.page import Picture, Section
from cuello.scoring.repeats import Spread, in_words, paired_difference
from cuello.studies.base import StudyOutcome
from cuello.studies.glyphs import plans
from cuello.studies.glyphs.measures import DRAWS, WrongPixels, characters, inverted
from cuello.studies.glyphs.source import CLASSIC_EPOCHS, CLASSIC_WRONG, NOISE_WRONG, PIXELS
from cuello.studies.tables import Column, table

SHOWN = (1, 2, 7, 11, 18, 23, 26, 31)
"""Characters shown with noise: a, b, g, k, r, w, z and the filled square."""


def as_ink(x: torch.Tensor) -> np.ndarray:
    """Turn characters ``(N, C, H, W)`` into ``(N, H, W, C)``, black on white."""
    return 1 - x.permute(0, 2, 3, 1).numpy()


def names_of_characters() -> list[str]:
    return list(open_source("glyphs").label_names or [])


def wrong_text(value: float) -> str:
    """Write wrong pixels: a count as it is, a mean below ten with two digits."""
    return str(value) if isinstance(value, int) else f"{value:.2f}" if value < 10 else f"{value:.1f}"


def steps_of(outcome: StudyOutcome, plan: str) -> int:
    return sum(record.images for record in outcome.runs[plan][0].history) // 32


def through_two_numbers(outcome: StudyOutcome, tested: WrongPixels, model: Model) -> Section:
    """Set the wrong pixels of characters through two numbers beside the source's, and draw the two numbers."""
    text = "32 characters of 5×7 pixels; every network sees all of them, in every step, and is tested on them."
    found = {plan: (steps_of(outcome, plan), tested.spread(plan, 0), list(tested.by_seed(plan, 0).values()))
             for plan in (plans.CLASSIC_PLAN, plans.OURS)}  # fmt: skip
    rows = [
        ("source", CLASSIC_EPOCHS, CLASSIC_WRONG, None),
        ("the source's network, redone", *found[plans.CLASSIC_PLAN]),
        (f"ours: {plans.RECOMMENDED}", *found[plans.OURS]),
        ("principal components, 2 numbers", None, tested.linear[0], None),
    ]

    def share(wrong: float | Spread) -> float:
        return (wrong.mean if isinstance(wrong, Spread) else wrong) / PIXELS

    def perfect(seeds: Sequence[float] | None) -> str | None:
        return None if seeds is None else f"{sum(value == 0 for value in seeds)} of {len(seeds)}"

    columns = [
        Column("network", lambda label, steps, wrong, seeds: label),
        Column("steps>", lambda label, steps, wrong, seeds: steps, ","),
        Column(f"wrong of {PIXELS:,}>", lambda label, steps, wrong, seeds: wrong, wrong_text),
        Column("share>", lambda label, steps, wrong, seeds: share(wrong), ".2%"),
        Column("seeds without a wrong pixel>", lambda label, steps, wrong, seeds: perfect(seeds)),
        Column("from, to>", lambda *row: f"{min(row[-1]):.0f} to {max(row[-1]):.0f}" if row[-1] else None),
    ]
    images = characters()
    shown = Map(
        points=model.encode(images).numpy(), images=as_ink(images), labels=np.arange(32), classes=names_of_characters(),
        title="The 32 characters at their two numbers", across="first number", up="second number", thumbnails=True,
    )  # fmt: skip
    alt = "Scatter plot of the characters at their codes"
    parts = [
        table(rows, columns, "Mean ± standard deviation over seeds.", ours=[2]),
        outcome.picture("map", lambda theme: draw_map(shown, theme), alt=alt),
        plane(outcome, model, images, name="plane", title="What the plane of two numbers stands for", ink=True),
    ]
    return Section("Characters through two numbers", [text], parts)


def plane(
    outcome: StudyOutcome, model: Model, images: torch.Tensor, *, name: str, title: str, ink: bool = False
) -> Picture:
    """Draw what a plane of codes stands for; ink: black on white."""
    plane = grid(model, 15, None if model.prior == "normal" else model.encode(images).numpy())
    if ink:
        plane = replace(plane, images=1 - plane.images)
    names = "first number", "second number"
    return outcome.picture(name, lambda theme: image_plane(plane, title, names, theme=theme), alt=title)


def new_characters(outcome: StudyOutcome, model: Model) -> Section:
    """Draw new characters between two known ones; nothing where none is new."""
    images = characters()
    found = invent(model, images.permute(0, 2, 3, 1).numpy(), 12)
    if not len(found):
        return Section("New characters")
    known, names = as_ink(images), names_of_characters()
    first, second = ([(known[place], names[place]) for place in places] for places in found.parents.T)
    new = [(1 - image, f"{far:.0f} px off") for image, far in zip(found.images, found.distances, strict=True)]
    half = (len(found) + 1) // 2
    blanks = [(np.ones_like(known[0]), "")] * half
    rows = [
        (label, (cells[start : start + half] + blanks)[:half])
        for start in (0, half)
        for label, cells in (("between", first), ("new", new), ("and", second))
        if cells[start:]
    ]
    note = (
        "Points between two close codes, decoded and cut at one half; under each new character, in how many pixels it "
        "differs from the known character that is nearest. Copies of known ones are left out."
    )
    alt = "Characters unlike any of the 32"
    drawn = outcome.picture("invented", lambda theme: image_grid(rows, [""] * half, theme), alt=alt, note=note)
    return Section("New characters", parts=[drawn])


def compared(outcome: StudyOutcome, tested: WrongPixels) -> Section:
    layers = {f"{number} layer{'s' if number > 1 else ''}: {widths}": f"layers-{number}"
              for widths, number in plans.LAYERS.items()}  # fmt: skip
    optimisers = {name: plans.optimiser(name) for name in plans.OPTIMISERS}
    rates = {f"{rate:g}": f"rate-{rate:g}" for rate in plans.RATES}
    rows = [*layers.items(), *optimisers.items()]
    rows += [(f"Adam, learning rate {rate}", plan) for rate, plan in rates.items()]
    columns = [
        Column("network or training", lambda label, plan: label),
        Column("mean squared error>", lambda label, plan: outcome.last(plan, "validation_mse"), loss_text),
        Column("wrong pixels>", lambda label, plan: tested.spread(plan, 0), wrong_text),
    ]
    steps = steps_of(outcome, "layers-1")
    note = f"{steps:,} steps each. The source shows such comparisons as curves, without numbers."

    def curves(name: str, title: str, shown: Mapping[str, str]) -> Picture:
        series = [outcome.curve(plan, label, "validation_mse", steps=plans.EPOCH) for label, plan in shown.items()]
        return outcome.curves(name, series, title=title, across="step", up="mean squared error")

    pictures = [
        curves("layers", "By number of layers", layers),
        curves("optimisers", "By optimiser", optimisers),
        curves("rates", "By learning rate (Adam)", rates),
    ]
    return Section("Layers, optimisers, learning rates", parts=[table(rows, columns, note), *pictures])


def noise(outcome: StudyOutcome, tested: WrongPixels, models: Mapping[str, Sequence[Model]]) -> Section:
    def ours(trained: int, at: int) -> Spread:
        return tested.spread(plans.denoising(trained, ours=True), at)

    columns = [
        Column("pixels inverted in training>", lambda trained, at: trained),
        Column("in testing>", lambda trained, at: at),
        Column("source>", lambda *levels: NOISE_WRONG[levels]),
        Column(
            "its network, redone>",
            lambda trained, at: tested.spread(plans.denoising(trained, ours=False), at),
            wrong_text,
        ),
        Column("ours>", ours, wrong_text),
        Column("principal components>", lambda trained, at: tested.linear[at], wrong_text),
        Column("limit>", lambda trained, at: tested.limits[at].wrong, wrong_text),
        Column("ours ÷ limit>", lambda trained, at: ours(trained, at).mean / tested.limits[at].wrong, ".1f"),
    ]
    note = (
        f"Wrong pixels of {PIXELS:,}, mean over {DRAWS} noises that no training has seen, ± standard deviation over "
        f"seeds. Ours: {plans.RECOMMENDED_DENOISER}. Principal components: the noisy character through two of them. "
        "Limit: what remains after a decoder that knows the characters and how many pixels are inverted, computed "
        "exactly."
    )
    return Section(
        "Noise", parts=[table(NOISE_WRONG, columns, note), *(denoised(outcome, models, flips) for flips in plans.FLIPS)]
    )


def denoised(outcome: StudyOutcome, models: Mapping[str, Sequence[Model]], flips: int) -> Picture:
    """Draw some characters: original, noisy, restored by the source's network and by ours."""
    clean, noisy = characters()[list(SHOWN)], inverted(flips, 1, seed=1)[list(SHOWN)]
    states = {
        "original": clean,
        "noisy": noisy,
        "source's network": models[plans.denoising(flips, ours=False)][0].restore_batch(noisy),
        "ours": models[plans.denoising(flips, ours=True)][0].restore_batch(noisy),
    }

    def draw(theme: Theme) -> bytes:
        rows = []
        for label, images in states.items():
            wrong = ((images >= 0.5) != (clean >= 0.5)).flatten(1).sum(1).tolist()
            captions = ["" if label == "original" else f"{count} wrong" for count in wrong]
            rows.append((label, list(zip(as_ink(images), captions, strict=True))))
        return image_grid(rows, [""] * len(SHOWN), theme)

    note = f"{flips} pixels of each character inverted; wrong pixels after cutting at one half."
    return outcome.picture(f"denoised-{flips}", draw, alt="Characters: original, noisy, restored", note=note)


def trained_and_tested(tested: WrongPixels) -> Section:
    """Show trained level against tested level, and whether training at 7 inverted pixels helps at 3."""
    rows, text = [], []
    for ours, name in ((False, "source's network"), (True, "ours")):
        rows.append((f"{name}, no noise", plans.OURS if ours else plans.CLASSIC_PLAN))
        rows += [(f"{name}, trained at {flips}", plans.denoising(flips, ours=ours)) for flips in plans.FLIPS]
    for ours, name in ((False, "the source's network"), (True, "our network")):
        hard, easy = (tested.by_seed(plans.denoising(flips, ours=ours), 3) for flips in (7, 3))
        found = paired_difference(hard, easy)
        interval = f"95% interval {found.low:+.1f} to {found.high:+.1f}, {found.count} pairs of seeds"
        text.append(
            f"Tested at 3 inverted pixels, {name} trained at 7 leaves {found.mean:+.1f} wrong pixels against the one "
            f"trained at 3 ({interval if found.enough else 'one seed'}): "
            f"{in_words(found, 'harder training', 'training at the same level')}."
        )
    columns = [
        Column("", lambda label, plan: label),
        *(
            Column(f"tested at {flips}>", lambda label, plan, flips=flips: tested.spread(plan, flips), wrong_text)
            for flips in (0, *plans.FLIPS)
        ),
    ]
    note = "Wrong pixels, mean ± standard deviation over seeds."
    return Section("Trained level against tested level", text, [table(rows, columns, note)])
