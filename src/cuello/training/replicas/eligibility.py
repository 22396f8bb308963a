"""Which trainings can be made at once, and whether that is faster: decided by their settings, networks and images."""

from collections.abc import Sequence

import torch
from torch import nn

from cuello.core.config import TrainConfig
from cuello.core.own import own_kind
from cuello.models.named import find_network
from cuello.training.optimizers import OPTIMIZERS
from cuello.training.replicas.batched import reason_unbatched
from cuello.training.session import Session

FREE = (
    "seed", "learning_rate", "optimizer", "momentum", "nesterov", "weight_decay", "schedule", "warmup_epochs",
    "plateau_patience", "plateau_factor", "clip", "ema", "epochs", "patience", "min_delta", "noise", "model",
    "start_from", "device", "threads", "storage",
)  # fmt: skip
"""Settings in which replicas may differ (of the model, only its name; noise and a moving average all have, or none)."""

MOST_PRODUCTS = 4e6
"""Multiply-adds of a step's forward pass above which replicas are not faster together; see ``pays``."""


def settings_in_common(config: TrainConfig) -> str:
    """Return what must be equal for two trainings to be batched: all settings but those of FREE."""
    return repr((config.model_dump(exclude=set(FREE)), config.ema is None, config.noise is None))


def reason_alone(config: TrainConfig, device: torch.device) -> str | None:
    """Return why a training is made by itself, as far as its settings tell; None if it may be batched."""
    if device.type != "cpu":
        return f"on {device.type} this was not tried"
    if config.method is not None:
        return "they learn from noisy images alone"
    if config.crop is not None:
        return "they train on crops"
    if config.precision != "float32" or config.compile:
        return "they are compiled, or in mixed precision"
    if config.max_minutes is not None:
        return "their time is limited"
    if (kind := own_kind(config.model_dump())) is not None:
        return f"their {kind} is somebody's own code"
    if OPTIMIZERS[config.optimizer].whole_kernels:
        return f"{config.optimizer} wants each kernel by itself"
    if find_network(config.model).kind != "autoencoder":
        return "their network is not an autoencoder of dense layers"
    if find_network(config.model).settings["layers"]["kind"] != "dense":
        return "their network has other layers than dense ones"
    return None


def reason_apart(members: Sequence[Session], device: torch.device) -> str | None:
    """Return why members cannot be trained in one batch, in words for people; None if they can."""
    first = members[0]
    for member in members:
        if reason := reason_alone(member.config, device) or reason_unbatched(member.network):
            return reason
        if settings_in_common(member.config) != settings_in_common(first.config):
            return "their settings differ in more than training"
        here, there = member.artefact.architecture, first.artefact.architecture
        if (here.kind, here.settings) != (there.kind, there.settings):
            return "their networks differ"
        if member.training.resident is None or member.fingerprint != first.fingerprint:
            return "their images are streamed, or differ"
    return None


def products(network: nn.Module, batch_size: int) -> int:
    """Return the multiply-adds of a dense network's forward pass for a batch: one a weight and image."""
    return batch_size * sum(parameter.numel() for parameter in network.parameters() if parameter.ndim > 1)


def is_small(member: Session, device: torch.device) -> bool:
    """Tell whether a training is made as replicas are, be it a single one: so its result does not depend on others."""
    return (
        reason_apart([member], device) is None and products(member.network, member.config.batch_size) <= MOST_PRODUCTS
    )


def reason_slower(members: Sequence[Session]) -> str | None:
    """Return why a batch of members would not be faster than one after another, or None if it would."""
    first = members[0]
    if len(members) < 2:
        return "it is a single one"
    if products(first.network, first.config.batch_size) > MOST_PRODUCTS:
        return "networks of this size are as fast one after another"
    return None
