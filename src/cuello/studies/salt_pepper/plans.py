"""What is trained."""

from dataclasses import dataclass

from cuello.studies.base import StudyPlan
from cuello.studies.salt_pepper.source import CHOSEN, SOURCE_LEVELS, SOURCE_ROWS


@dataclass(frozen=True)
class CropsAndEpochs:
    """How much of it: crops for training and validation, epochs of the source's network at each level and of ours."""

    samples: int
    validation_samples: int
    level_epochs: int = 12
    our_epochs: int = 8


SCALES = {"photos": CropsAndEpochs(256, 96), "bsds400": CropsAndEpochs(4000, 1000)}
OURS, OURS_EVERY = "impulse-s", "impulse-s-every-level"
LOWEST, HIGHEST = 0.1, 0.9


def at_level(level: float) -> str:
    """Name the source's chosen network, trained at a level with our recipe."""
    return f"{CHOSEN}-at-{100 * level:g}"


def plans(data: str) -> list[StudyPlan]:
    """List the source's rows as it trains them, its chosen network at each level, and ours."""
    scale = SCALES[data]
    common = {
        "job": "denoise", "noise": "salt-pepper:0.2", "crop": 64, "crops": "fixed", "samples": scale.samples,
        "validation_samples": scale.validation_samples, "validation": 0.2, "test": 0.0, "split_seed": 0,
    }  # fmt: skip
    as_source = {"optimizer": "adam", "learning_rate": 1e-3, "schedule": "constant", "warmup_epochs": 0.0}
    ours = {**common, "model": OURS, "epochs": scale.our_epochs}
    at_levels = {**common, "model": CHOSEN, "epochs": scale.level_epochs}
    longest = {row.plan: row for row in SOURCE_ROWS}  # the chosen network's two rows are one training's
    return [
        StudyPlan(OURS, ours),
        StudyPlan(OURS_EVERY, {**ours, "noise": f"salt-pepper:{LOWEST}..{HIGHEST}"}),
        *(
            StudyPlan(name, {**common, **as_source, "model": row.network, "batch_size": row.batch, "epochs": row.epoch})
            for name, row in longest.items()
        ),
        *(StudyPlan(at_level(level), {**at_levels, "noise": f"salt-pepper:{level:g}"}) for level in SOURCE_LEVELS),
    ]
