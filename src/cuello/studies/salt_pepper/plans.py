"""What is trained."""

from dataclasses import dataclass

from cuello.studies.base import Plan
from cuello.studies.salt_pepper.source import CHOSEN, SOURCE_LEVELS, SOURCE_ROWS


@dataclass(frozen=True)
class Scale:
    """How much of it: crops for training and validation, epochs of the source's network at each level and of ours."""

    samples: int
    validation_samples: int
    level_epochs: int
    our_epochs: int


SCALES = {"photos": Scale(256, 96, 12, 8), "bsds400": Scale(4000, 1000, 12, 8)}
OURS, OURS_EVERY = "impulse-s", "impulse-s-every-level"
LOWEST, HIGHEST = 0.1, 0.9
EVERY_LEVEL = f"salt-pepper:{LOWEST}..{HIGHEST}"


def at_level(level: float) -> str:
    """Name the source's chosen network, trained at a level with our recipe."""
    return f"{CHOSEN}-at-{100 * level:g}"


def plans(data: str) -> list[Plan]:
    """Return every training: the source's rows as it trains them, its chosen network at each level, and ours."""
    scale = SCALES[data]
    common = {
        "job": "denoise", "noise": "salt-pepper:0.2", "crop": 64, "crops": "fixed", "samples": scale.samples,
        "validation_samples": scale.validation_samples, "validation": 0.2, "test": 0.0,
    }  # fmt: skip
    as_source = {"optimizer": "adam", "learning_rate": 1e-3, "schedule": "constant", "warmup_epochs": 0.0}
    longest = {row.plan: row.epoch for row in SOURCE_ROWS}  # the chosen network's two rows are one training's
    source = {
        row.plan: Plan(
            row.plan,
            {**common, **as_source, "model": row.network, "batch_size": row.batch, "epochs": longest[row.plan]},
        )
        for row in SOURCE_ROWS
    }
    levels = [
        Plan(
            at_level(level),
            {**common, "model": CHOSEN, "noise": f"salt-pepper:{level:g}", "epochs": scale.level_epochs},
        )
        for level in SOURCE_LEVELS
    ]
    ours = [
        Plan(OURS, {**common, "model": OURS, "epochs": scale.our_epochs}),
        Plan(OURS_EVERY, {**common, "model": OURS, "noise": EVERY_LEVEL, "epochs": scale.our_epochs}),
    ]
    return [*ours, *source.values(), *levels]


OWN_ROWS = ((f"the chosen one, our recipe: {CHOSEN}", at_level(0.2), CHOSEN), (f"ours: {OURS}", OURS, OURS))
"""Label, plan and network of the rows that the source does not have."""
