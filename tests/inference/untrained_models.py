"""Models that nothing was trained for, for tests."""

import torch

from cuello.inference.model import Model
from cuello.models.catalog import architecture_of, build
from cuello.runs.artefact import Artefact


def untrained(name: str, channels: int, scale: int = 1, noise: str | None = None) -> Model:
    """A network with some weights, of which none is zero."""
    torch.manual_seed(1)
    architecture = architecture_of(name, channels, scale=scale)
    network = build(architecture).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.02)
    return Model(Artefact(architecture, "denoise", noise, network.state_dict()), network)
