"""The pictures: curves, the map of the characters, invented ones, denoised ones, and emoji from the plane."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import torch

from cuello.data.catalog import open_source
from cuello.inference.model import Model
from cuello.latent import grid, invent, sample
from cuello.latent.map_picture import Map, draw_map
from cuello.latent.sheets import image_plane
from cuello.report.figures import Theme
from cuello.report.grids import Series, image_grid, lines
from cuello.report.page import Picture
from cuello.runs.history import EpochRecord
from cuello.studies.base import Outcome
from cuello.studies.glyphs.measures import characters, images_of, inverted
from cuello.studies.glyphs.plans import (
    EMOJI_EPOCH,
    EMOJI_FOUR,
    EMOJI_OURS,
    EPOCH,
    FLIPS,
    LAYERS,
    OPTIMISERS,
    RATES,
    denoising,
    emoji,
    optimiser,
)
from cuello.studies.glyphs.source import EMOJI_CHOSEN, EMOJI_RATES, EMOJI_WIDTHS
from cuello.studies.glyphs.tables import layers_text

SHOWN = (1, 2, 7, 11, 18, 23, 26, 31)
"""Characters shown with noise: a, b, g, k, r, w, z and the filled square."""
EMOJI_DRAWN = 8


def as_images(x: torch.Tensor) -> np.ndarray:
    """Return ``(N, C, H, W)`` as ``(N, H, W, C)``."""
    return x.permute(0, 2, 3, 1).numpy()


def as_ink(x: torch.Tensor) -> np.ndarray:
    """Return characters ``(N, C, H, W)`` as ``(N, H, W, C)``, black on white."""
    return 1 - as_images(x)


def curves(
    outcome: Outcome,
    name: str,
    title: str,
    plans: Mapping[str, str],
    steps: int,
    value: Callable[[EpochRecord], float],
    up: str,
    ours: str = "",
) -> Picture:
    """Draw a value by step for several trainings (label to plan), first seed; steps: in an epoch of ours."""
    series = []
    for label, plan in plans.items():
        history = outcome.runs[plan][0].history
        series.append(
            Series(label, [record.epoch * steps for record in history], [value(record) for record in history],
                   role="ours" if plan == ours else "other")
        )  # fmt: skip
    return outcome.picture(name, lambda theme: lines(series, theme, title=title, up=up, across="step"), title)


def mean_squared(record: EpochRecord) -> float:
    """Return the error of an epoch on all characters."""
    return record.validation_mse


def comparisons(outcome: Outcome) -> list[Picture]:
    """Draw losses by step for numbers of layers, optimisers and learning rates."""
    up = "mean squared error"
    layers = {layers_text(widths): f"layers-{number}" for widths, number in LAYERS.items()}
    return [
        curves(outcome, "layers", "By number of layers", layers, EPOCH, mean_squared, up),
        curves(outcome, "optimisers", "By optimiser", {name: optimiser(name) for name in OPTIMISERS}, EPOCH,
               mean_squared, up),
        curves(outcome, "rates", "By learning rate (Adam)", {f"{rate:g}": f"rate-{rate:g}" for rate in RATES}, EPOCH,
               mean_squared, up),
    ]  # fmt: skip


def map_picture(outcome: Outcome, model: Model) -> Picture:
    """Draw the characters at their codes."""
    images = characters()
    codes = model.encode(images).numpy()
    names = list(open_source("glyphs").label_names or [])
    title, across, up = "The 32 characters at their two numbers", "first number", "second number"
    shown = Map(codes, as_ink(images), np.arange(32), names, title, across, up, thumbnails=True)
    return outcome.picture("map", lambda theme: draw_map(shown, theme), "Scatter plot of the characters at their codes")


def plane_picture(
    outcome: Outcome, model: Model, images: torch.Tensor, name: str, title: str, ink: bool = False
) -> Picture:
    """Draw what a plane of codes stands for; ink: black on white."""
    plane = grid(model, 15, None if model.prior == "normal" else model.encode(images).numpy())
    if ink:
        plane = replace(plane, images=1 - plane.images)
    names = "first number", "second number"
    return outcome.picture(name, lambda theme: image_plane(plane, title, names, theme), title)


def invented_picture(outcome: Outcome, model: Model) -> list[Picture]:
    """Draw new characters between two known ones; nothing where none is new."""
    images = characters()
    found = invent(model, as_images(images), 12)
    if not len(found):
        return []
    known = as_ink(images)
    names = list(open_source("glyphs").label_names or [])
    half = (len(found) + 1) // 2

    def cells(chosen: Sequence[int], which: Callable[[int], tuple[np.ndarray, str]]) -> list[tuple[np.ndarray, str]]:
        blank = (np.ones_like(known[0]), "")
        return [which(k) for k in chosen] + [blank] * (half - len(chosen))

    def draw(theme: Theme) -> bytes:
        rows = []
        for start in (0, half):
            chosen = list(range(start, min(start + half, len(found))))
            if chosen:
                rows += [
                    ("between", cells(chosen, lambda k: (known[found.parents[k, 0]], names[found.parents[k, 0]]))),
                    ("new", cells(chosen, lambda k: (1 - found.images[k], f"{found.distances[k]:.0f} px off"))),
                    ("and", cells(chosen, lambda k: (known[found.parents[k, 1]], names[found.parents[k, 1]]))),
                ]
        return image_grid(rows, [""] * half, theme)

    note = (
        "Points between two close codes, decoded and cut at one half; under each new character, in how many pixels it "
        "differs from the known character that is nearest. Copies of known ones are left out."
    )
    return [outcome.picture("invented", draw, "Characters that are none of the 32", note)]


def denoised_picture(outcome: Outcome, models: Mapping[str, Sequence[Model]]) -> list[Picture]:
    """Draw some characters at each level: original, noisy, restored by the source's network and by ours."""
    clean = characters()[list(SHOWN)]

    def one(flips: int) -> Picture:
        noisy = inverted(flips, 1, seed=1)[list(SHOWN)]
        rows = {
            "original": clean,
            "noisy": noisy,
            "source's network": models[denoising(flips, False)][0].restore_batch(noisy),
            "ours": models[denoising(flips, True)][0].restore_batch(noisy),
        }

        def draw(theme: Theme) -> bytes:
            shown = []
            for label, images in rows.items():
                wrong = ((images >= 0.5) != (clean >= 0.5)).flatten(1).sum(1).tolist()
                captions = ["" if label == "original" else f"{count} wrong" for count in wrong]
                shown.append((label, list(zip(as_ink(images), captions, strict=True))))
            return image_grid(shown, [""] * len(SHOWN), theme)

        note = f"{flips} pixels of each character inverted; wrong pixels after cutting at one half."
        return outcome.picture(f"denoised-{flips}", draw, "Characters: original, noisy, restored", note)

    return [one(flips) for flips in FLIPS]


def emoji_curves(outcome: Outcome) -> list[Picture]:
    """Draw losses by step, by architecture and by learning rate."""
    widths, rate = EMOJI_CHOSEN
    by_width = {f"400-{one}": emoji(one, rate) for one in EMOJI_WIDTHS}
    by_rate = {f"{one:g}": emoji(widths, one) for one in EMOJI_RATES}

    def loss(record: EpochRecord) -> float:
        return record.validation_loss

    up = "loss, nats"
    return [
        curves(outcome, "emoji-widths", f"By architecture, learning rate {rate:g}", by_width, EMOJI_EPOCH, loss, up),
        curves(outcome, "emoji-rates", f"By learning rate, 400-{widths}", by_rate, EMOJI_EPOCH, loss, up),
    ]


def emoji_pictures(outcome: Outcome, models: Mapping[str, Sequence[Model]]) -> list[Picture]:
    """Draw the decoded planes of both sets of emoji, and samples."""
    shown = []
    chosen = emoji(*EMOJI_CHOSEN)
    for data, plan, label in (
        ("emoji", chosen, "emoji, the source's choice"), ("emoji", EMOJI_OURS, "emoji, ours"),
        ("emoji-4", EMOJI_FOUR, "four very different ones"),
    ):  # fmt: skip
        known, model, name = images_of(data), models[plan][0], "emoji" if plan == chosen else plan
        title = f"{label}: what the quantiles of the prior stand for"
        shown.append(plane_picture(outcome, model, known, f"{name}-plane", title))
        rows = {
            "known": as_images(known),
            "through 2": as_images(model.restore_batch(known)),
            "drawn": sample(model, EMOJI_DRAWN, seed=0).images,
        }
        alt = f"{label}: known, reconstructed through 2 numbers, and drawn from the prior"
        shown.append(outcome.picture(f"{name}-drawn", partial(emoji_grid, rows), alt, label))
    return shown


def emoji_grid(rows: Mapping[str, np.ndarray], theme: Theme) -> bytes:
    """Draw rows of images, filled up with blanks."""
    blank = np.ones_like(next(iter(rows.values()))[0])
    filled = [
        (label, [(image, "") for image in [*images, *[blank] * (EMOJI_DRAWN - len(images))]])
        for label, images in rows.items()
    ]
    return image_grid(filled, [""] * EMOJI_DRAWN, theme)
