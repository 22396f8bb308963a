"""The tables: the source's numbers, ours, the floor that principal components give, and the limit."""

from collections.abc import Sequence

from cuello.comparison.page import NONE, loss_text, spread_text
from cuello.report.page import Table
from cuello.runs.history import EpochRecord
from cuello.scoring.losses import bernoulli
from cuello.scoring.repeats import in_words, paired_difference
from cuello.studies.base import Outcome
from cuello.studies.glyphs.measures import DRAWS, Tested, images_of
from cuello.studies.glyphs.plans import (
    CLASSIC_PLAN,
    FLIPS,
    LAYERS,
    OPTIMISERS,
    OURS,
    RATES,
    RECOMMENDED,
    RECOMMENDED_DENOISER,
    denoising,
    emoji,
    optimiser,
)
from cuello.studies.glyphs.source import (
    CLASSIC_EPOCHS,
    CLASSIC_WRONG,
    EMOJI_RATES,
    EMOJI_WIDTHS,
    NOISE_ROWS,
    PIXELS,
)


def wrong_text(value: float) -> str:
    """Return wrong pixels as text: two digits below ten."""
    return f"{value:.2f}" if value < 10 else f"{value:.1f}"


def share(value: float) -> str:
    """Return wrong pixels as a share of all."""
    return f"{value / PIXELS:.2%}"


def classic_table(outcome: Outcome, tested: Tested) -> Table:
    """Set the wrong pixels of characters through two numbers beside the source's."""
    rows = [["source", f"{CLASSIC_EPOCHS:,}", str(CLASSIC_WRONG), share(CLASSIC_WRONG), NONE, NONE]]
    for label, plan in (("the source's network, redone", CLASSIC_PLAN), (f"ours: {RECOMMENDED}", OURS)):
        found, seeds = tested.spread(plan, 0), list(tested.by_seed(plan, 0).values())
        steps = sum(record.images for record in outcome.runs[plan][0].history) // 32
        rows.append(
            [label, f"{steps:,}", spread_text(found, wrong_text), share(found.mean),
             f"{sum(value == 0 for value in seeds)} of {len(seeds)}", f"{min(seeds):.0f} to {max(seeds):.0f}"]
        )  # fmt: skip
    linear = tested.linear[0]
    rows.append(["principal components, 2 numbers", NONE, wrong_text(linear), share(linear), NONE, NONE])
    columns = ["network", "steps>", f"wrong of {PIXELS:,}>", "share>", "seeds without a wrong pixel>", "from, to>"]
    return Table(columns, rows, "Mean ± standard deviation over seeds.", frozenset({2}))


def layers_text(widths: str) -> str:
    """Say how many layers an encoder has."""
    return f"{LAYERS[widths]} layer{'s' if LAYERS[widths] > 1 else ''}: {widths}"


def last_loss(history: Sequence[EpochRecord]) -> float | None:
    """Return the loss at the end."""
    return history[-1].validation_mse if history else None


def compared_table(outcome: Outcome, tested: Tested) -> Table:
    """Compare numbers of layers, optimisers and learning rates, for the source's kind of network."""
    entries = [(layers_text(widths), f"layers-{number}") for widths, number in LAYERS.items()]
    entries += [(name, optimiser(name)) for name in OPTIMISERS]
    entries += [(f"Adam, learning rate {rate:g}", f"rate-{rate:g}") for rate in RATES]
    rows = [
        [label, spread_text(outcome.over_seeds(plan, last_loss), loss_text),
         spread_text(tested.spread(plan, 0), wrong_text)]
        for label, plan in entries
    ]  # fmt: skip
    steps = sum(record.images for record in outcome.runs["layers-1"][0].history) // 32
    note = f"{steps:,} steps each. The source shows such comparisons as curves, without numbers."
    return Table(["network or training", "mean squared error>", "wrong pixels>"], rows, note)


def noise_table(tested: Tested) -> Table:
    """Set wrong pixels after denoising beside the source's, with the floor and the limit."""
    columns = ["pixels inverted in training>", "in testing>", "source>", "its network, redone>", "ours>",
               "principal components>", "limit>", "ours ÷ limit>"]  # fmt: skip
    rows = []
    for row in NOISE_ROWS:
        ours, limit = tested.spread(denoising(row.trained, True), row.tested), tested.limits[row.tested].wrong
        rows.append(
            [str(row.trained), str(row.tested), str(row.wrong),
             spread_text(tested.spread(denoising(row.trained, False), row.tested), wrong_text),
             spread_text(ours, wrong_text), wrong_text(tested.linear[row.tested]), wrong_text(limit),
             f"{ours.mean / limit:.1f}"]
        )  # fmt: skip
    note = (
        f"Wrong pixels of {PIXELS:,}, mean over {DRAWS} noises that no training has seen, ± standard deviation over "
        f"seeds. Ours: {RECOMMENDED_DENOISER}. Principal components: the noisy character through two of them. Limit: "
        "what the decoder leaves that knows the characters and how many pixels are inverted, computed exactly."
    )
    return Table(columns, rows, note)


def matrix_table(tested: Tested) -> Table:
    """Show trained level against tested level, with the difference that harder training makes."""
    rows = []
    for ours in (False, True):
        name = "ours" if ours else "source's network"
        plans = [(f"{name}, trained at {flips}", denoising(flips, ours)) for flips in FLIPS]
        plans = [(f"{name}, no noise", OURS if ours else CLASSIC_PLAN), *plans]
        rows += [
            [label, *(spread_text(tested.spread(plan, flips), wrong_text) for flips in (0, *FLIPS))]
            for label, plan in plans
        ]
    columns = ["", *(f"tested at {flips}>" for flips in (0, *FLIPS))]
    return Table(columns, rows, "Wrong pixels, mean ± standard deviation over seeds.")


def hypothesis(tested: Tested) -> list[str]:
    """Say whether training at 7 inverted pixels helps at 3, with an interval over seeds."""
    said = []
    for ours, name in ((False, "the source's network"), (True, "our network")):
        hard, easy = (tested.by_seed(denoising(flips, ours), 3) for flips in (7, 3))
        found = paired_difference(hard, easy)
        interval = f"95% interval {found.low:+.1f} to {found.high:+.1f}, {found.count} pairs of seeds"
        said.append(
            f"Tested at 3 inverted pixels, {name} trained at 7 leaves {found.mean:+.1f} wrong pixels against the one "
            f"trained at 3 ({interval if found.enough else 'one seed'}): "
            f"{in_words(found, 'harder training', 'training at the same level')}."
        )
    return said


def emoji_table(outcome: Outcome) -> Table:
    """Compare the variational autoencoders by architecture and learning rate: loss at the end."""
    rows = []
    for widths in EMOJI_WIDTHS:
        cells = [outcome.over_seeds(emoji(widths, rate), lambda history: history[-1].validation_loss)
                 for rate in EMOJI_RATES]  # fmt: skip
        rows.append([f"400-{widths}", *(spread_text(cell, lambda value: f"{value:.1f}") for cell in cells)])
    columns = ["architecture", *(f"rate {rate:g}>" for rate in EMOJI_RATES)]
    faces = images_of("emoji")
    unused = float(bernoulli(faces.mean(0, keepdim=True).expand_as(faces), faces).mean())
    note = (
        "Loss after 1,000 steps in nats: cross-entropy of the pixels plus the Kullback-Leibler divergence. Where it "
        f"stays near {unused:.1f}, the code is not used: every face comes out as their mean."
    )
    return Table(columns, rows, note)
