"""What is trained: the source's networks as it trains them, and ours, at two degrees of blur."""

from dataclasses import dataclass
from typing import Any

from cuello.studies.base import StudyPlan
from cuello.studies.super_resolution.source import DECAY, EPOCHS, NETWORKS, RATE, SIDE


@dataclass(frozen=True, kw_only=True)
class CropsAndSteps:
    """How much of it: crops for training, crops for validation and as many for the test, images a step, and the
    crops' side in pixels; ours: epochs of our networks.
    """

    samples: int
    validation_samples: int
    batch: int
    side: int = SIDE
    ours: int


SCALES = {
    "photos": CropsAndSteps(samples=48, validation_samples=16, batch=8, ours=30),
    "bsds400": CropsAndSteps(samples=192, validation_samples=48, batch=18, ours=10),
}
"""On ``bsds400`` as many steps as the source's 220, on fewer crops: all of its 685 would take most of a day."""
FACTORS = (2, 4)
OURS, UPSCALER = "dncnn-s", "up-s"
OUR_NETWORKS = (OURS, UPSCALER)
OUR_BATCH = 4
EVERY = (*NETWORKS, *OUR_NETWORKS)


def plan_name(network: str, factor: int) -> str:
    """Name a training by its network and by how many times smaller the images were."""
    return f"{network}-x{factor}"


def plans(data: str) -> list[StudyPlan]:
    scale = SCALES[data]
    common: dict[str, Any] = {
        "job": "upscale", "channels": 3, "crop": scale.side, "crops": "fixed", "samples": scale.samples,
        "validation_samples": scale.validation_samples, "validation": 0.15, "test": 0.15, "split_seed": 0,
    }  # fmt: skip
    as_source = {
        "optimizer": "adam", "learning_rate": RATE, "weight_decay": DECAY, "schedule": "constant",
        "warmup_epochs": 0.0, "loss": "mse", "batch_size": scale.batch, "epochs": EPOCHS,
    }  # fmt: skip
    ours = {"batch_size": OUR_BATCH, "epochs": scale.ours}

    def plan(name: str, factor: int) -> StudyPlan:
        task = {"scale": factor} if name == UPSCALER else {"noise": f"resize:{factor}"}
        own = ours if name in OUR_NETWORKS else as_source
        return StudyPlan(plan_name(name, factor), {**common, **own, **task, "model": name})

    return [plan(name, factor) for factor in FACTORS for name in EVERY]
