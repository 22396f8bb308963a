"""What is trained: the source's networks as it trains them, and ours, at two degrees of blur."""

from dataclasses import dataclass
from typing import Any

from cuello.studies.base import Plan
from cuello.studies.super_resolution.source import (
    DECAY,
    EPOCHS,
    NETWORKS,
    RATE,
    SIDE,
)


@dataclass(frozen=True)
class Scale:
    """How much of it: crops for training, crops for validation and as many for the test, images a step, and the
    crops' side in pixels; ours: epochs of our networks.
    """

    samples: int
    validation_samples: int
    batch: int
    side: int
    ours: int


SCALES = {"photos": Scale(48, 16, 8, SIDE, 30), "bsds400": Scale(192, 48, 18, SIDE, 10)}
"""On ``bsds400`` as many steps as the source's 220, on fewer crops: all of its 685 would take most of a day."""
FACTORS = (2, 4)
OURS, UPSCALER = "dncnn-s", "up-s"
OUR_NETWORKS = (OURS, UPSCALER)
OUR_BATCH = 4
EVERY = (*NETWORKS, *OUR_NETWORKS)


def plan_name(network: str, factor: int) -> str:
    """Name a training by its network and by how many times smaller the images were."""
    return f"{network}-x{factor}"


def plans(data: str) -> list[Plan]:
    """Return every training."""
    scale = SCALES[data]
    common: dict[str, Any] = {
        "job": "upscale", "channels": 3, "crop": scale.side, "crops": "fixed", "samples": scale.samples,
        "validation_samples": scale.validation_samples, "validation": 0.15, "test": 0.15,
    }  # fmt: skip
    as_source = {
        "optimizer": "adam", "learning_rate": RATE, "weight_decay": DECAY, "schedule": "constant",
        "warmup_epochs": 0.0, "loss": "mse", "batch_size": scale.batch, "epochs": EPOCHS,
    }  # fmt: skip
    ours = {"batch_size": OUR_BATCH, "epochs": scale.ours}
    found = []
    for factor in FACTORS:
        same_size = {"noise": f"resize:{factor}"}
        found += [
            Plan(plan_name(name, factor), {**common, **as_source, **same_size, "model": name}) for name in NETWORKS
        ]
        found.append(Plan(plan_name(OURS, factor), {**common, **ours, **same_size, "model": OURS}))
        found.append(Plan(plan_name(UPSCALER, factor), {**common, **ours, "scale": factor, "model": UPSCALER}))
    return found
