"""What the study `mnist` trains: the source's two networks and ours; and, for some epochs, the source's two at other
batch sizes, and its dense one with dropout.
"""

from typing import Any

from cuello.studies.base import StudyPlan
from cuello.studies.mnist.source import EPOCHS, MOMENTUM, RATE

CONVOLUTIONAL, DENSE, OURS = "mnist-conv", "mnist-dense", "conv-128"
BATCH, OUR_EPOCHS = 512, 12

BATCHES = (64, 128, 256, 512, 1024)
DROPOUTS = (0.1, 0.2)
FEW_EPOCHS = 4
"""How long those train whose batch size or dropout is another one: with 50 epochs they would take five hours."""

COMMON: dict[str, Any] = {"job": "reconstruct", "validation": 1 / 12}
AS_SOURCE: dict[str, Any] = {
    **COMMON, "optimizer": "sgd", "nesterov": True, "momentum": MOMENTUM, "learning_rate": RATE, "schedule": "constant",
    "epochs": EPOCHS, "loss": "mse", "warmup_epochs": 0.0,
}  # fmt: skip
NETWORKS = {
    CONVOLUTIONAL: CONVOLUTIONAL,
    DENSE: DENSE,
    **{f"{DENSE}-dropout-{share}": f"mlp:784-512,code=relu,dropout={share}" for share in DROPOUTS},
}
"""The networks that are trained at all batch sizes, by what their plans' names begin with."""


def plan_name(network: str, batch: int) -> str:
    """Name the training of a network at a batch size; the source's two have their own names at the usual one."""
    return network if batch == BATCH and network in (CONVOLUTIONAL, DENSE) else f"{network}-batch-{batch}"


def batch_plans() -> list[StudyPlan]:
    """Plan every network at every batch size, but what is trained for all of the source's epochs anyway."""
    settings = {**AS_SOURCE, "epochs": FEW_EPOCHS}
    return [
        StudyPlan(plan_name(network, batch), {**settings, "model": model, "batch_size": batch})
        for batch in BATCHES
        for network, model in NETWORKS.items()
        if plan_name(network, batch) != network
    ]


def plans(data: str) -> list[StudyPlan]:
    return [
        StudyPlan(CONVOLUTIONAL, {**AS_SOURCE, "batch_size": BATCH, "model": CONVOLUTIONAL}),
        StudyPlan(DENSE, {**AS_SOURCE, "batch_size": BATCH, "model": DENSE}),
        StudyPlan(OURS, {**COMMON, "model": OURS, "epochs": OUR_EPOCHS}),
        *batch_plans(),
    ]
