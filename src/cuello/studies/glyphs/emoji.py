"""The section on emoji: variational autoencoders, their planes, and what is drawn from them."""

from collections.abc import Mapping, Sequence

import numpy as np

from cuello.inference.model import Model
from cuello.latent import sample
from cuello.report.grids import image_grid
from cuello.report.page import Picture, Section, Table
from cuello.scoring.losses import bernoulli
from cuello.studies.base import StudyOutcome
from cuello.studies.glyphs.characters import plane
from cuello.studies.glyphs.measures import images_of
from cuello.studies.glyphs.plans import EMOJI_EPOCH, EMOJI_FOUR, EMOJI_OURS, emoji
from cuello.studies.glyphs.source import EMOJI_CHOSEN, EMOJI_RATES, EMOJI_WIDTHS
from cuello.studies.tables import Column, table

DRAWN = 8


def emoji_section(outcome: StudyOutcome, models: Mapping[str, Sequence[Model]]) -> Section:
    text = "8 faces, then 4 very different pictures, 20×20 in grey: variational autoencoders."
    chosen, rate = EMOJI_CHOSEN
    widths = {f"400-{one}": emoji(one, rate) for one in EMOJI_WIDTHS}
    rates = {f"{one:g}": emoji(chosen, one) for one in EMOJI_RATES}
    parts = [
        losses(outcome),
        curves(outcome, "emoji-widths", f"By architecture, learning rate {rate:g}", plans=widths),
        curves(outcome, "emoji-rates", f"By learning rate, 400-{chosen}", plans=rates),
        *pictures(outcome, models),
    ]
    return Section("Emoji from a distribution", [text], parts)


def losses(outcome: StudyOutcome) -> Table:
    columns = [
        Column("architecture", lambda widths: f"400-{widths}"),
        *(
            Column(
                f"rate {rate:g}>", lambda widths, rate=rate: outcome.last(emoji(widths, rate), "validation_loss"), ".1f"
            )
            for rate in EMOJI_RATES
        ),
    ]
    faces = images_of("emoji")
    unused = float(bernoulli(faces.mean(0, keepdim=True).expand_as(faces), faces).mean())
    note = (
        "Loss after 1,000 steps in nats: cross-entropy of the pixels plus the Kullback-Leibler divergence. Where it "
        f"stays near {unused:.1f}, the code is not used: every face comes out as their mean."
    )
    return table(EMOJI_WIDTHS, columns, note)


def curves(outcome: StudyOutcome, name: str, title: str, *, plans: Mapping[str, str]) -> Picture:
    series = [outcome.curve(plan, label, "validation_loss", steps=EMOJI_EPOCH) for label, plan in plans.items()]
    return outcome.curves(name, series, title=title, across="step", up="loss, nats")


def pictures(outcome: StudyOutcome, models: Mapping[str, Sequence[Model]]) -> list[Picture]:
    """Draw the decoded planes of both sets of emoji, and samples."""
    drawn = []
    for data, plan, name, label in (
        ("emoji", emoji(*EMOJI_CHOSEN), "emoji", "emoji, the source's choice"),
        ("emoji", EMOJI_OURS, EMOJI_OURS, "emoji, ours"),
        ("emoji-4", EMOJI_FOUR, EMOJI_FOUR, "four very different ones"),
    ):
        known, model = images_of(data), models[plan][0]
        title = f"{label}: what the quantiles of the prior stand for"
        drawn.append(plane(outcome, model, known, name=f"{name}-plane", title=title))
        images = {
            "known": known.permute(0, 2, 3, 1).numpy(),
            "through 2": model.restore_batch(known).permute(0, 2, 3, 1).numpy(),
            "drawn": sample(model, DRAWN, seed=0).images,
        }
        blanks = [np.ones_like(images["known"][0])] * DRAWN
        rows = [(state, [(image, "") for image in [*found, *blanks][:DRAWN]]) for state, found in images.items()]
        alt = f"{label}: known, reconstructed through 2 numbers, and drawn from the prior"
        drawn.append(
            outcome.picture(
                f"{name}-drawn", lambda theme, rows=rows: image_grid(rows, [""] * DRAWN, theme), alt=alt, note=label
            )
        )
    return drawn
