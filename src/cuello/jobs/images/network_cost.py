"""What it costs to run a network: its arithmetic, and its time on one core."""

import statistics
import time
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from cuello.inference.model import Model
from cuello.inference.onnx import OnnxNetwork
from cuello.models.catalog import build
from cuello.models.summary import probe, summarise

SIDE = 256
"""Side of the image that is timed, in pixels."""
ROUNDS, ENOUGH = 5, 0.5
"""How often it is timed, and after how many seconds in all no more."""
LEVEL = 0.1
"""The noise level that is told to networks that take one, white being 1."""


@dataclass(frozen=True)
class NetworkCost:
    """What one image costs.

    parameters: how many numbers the network has. multiply_adds: for one pixel that goes in, of all its channels; None
    where the network is only a file of somebody's own. milliseconds: processor time on one core for an image of
    ``size`` (height, width) that goes in, of the network's own channels, all around the network included; None where it
    runs elsewhere, or on more cores.
    """

    parameters: int
    multiply_adds: float | None
    milliseconds: float | None
    size: tuple[int, int]


def cost_of(model: Model) -> NetworkCost:
    """Count and time a network; other processes at work change the time little, since the processor's is taken."""
    plain = plain_network(model)
    size = model.size or (SIDE, SIDE)
    summary = summarise(plain, model.channels, model.size or (64, 64)) if plain is not None else None
    own = sum(one.numel() for one in (model.network if plain is None else plain).parameters())
    return NetworkCost(
        own or sum(one.numel() for one in model.artefact.weights.values()),
        summary.multiply_adds_a_pixel if summary is not None else None,
        milliseconds_of(model, size) if on_one_core(model) else None,
        size=size,
    )


def plain_network(model: Model) -> nn.Module | None:
    """Return the network as torch runs it; of an exported file the same built again, None where nobody can."""
    if not isinstance(model.network, OnnxNetwork):
        return model.network
    architecture = model.artefact.architecture
    return build(architecture) if architecture.kind != "custom" else None


def on_one_core(model: Model) -> bool:
    """Tell whether a network can be timed on one core: it runs on the processor, and its threads can be set to one."""
    network = model.network
    if isinstance(network, OnnxNetwork):
        return network.session.get_session_options().intra_op_num_threads == 1
    return next(iter(network.state_dict().values()), torch.zeros(0)).device.type == "cpu"


def milliseconds_of(model: Model, size: tuple[int, int]) -> float:
    """Time a network on one image, ``(height, width)``: the median of some runs, after one that does not count."""
    image = np.ascontiguousarray(probe(model.channels, *size)[0].permute(1, 2, 0).numpy())
    level = LEVEL if model.conditioned else None
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        model.restore(image, level=level)
        taken: list[float] = []
        while len(taken) < ROUNDS and sum(taken) < ENOUGH:
            start = time.thread_time()
            model.restore(image, level=level)
            taken.append(time.thread_time() - start)
    finally:
        torch.set_num_threads(threads)
    return 1000 * statistics.median(taken)
