"""What is measured: errors on the test images, what a last activation lets through, and where large kernels look."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import inf, tanh
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from cuello.core.progress import Progress
from cuello.core.types import Pair
from cuello.inference.model import Model
from cuello.jobs.catalog import task_of
from cuello.jobs.data import prepare
from cuello.jobs.images.evaluated import evaluated_crops
from cuello.jobs.images.evaluation import Draw, restore
from cuello.models.strided import StridedAutoencoder
from cuello.scoring.metrics import counts, mse, psnr
from cuello.scoring.protocols import mean_of
from cuello.scoring.repeats import Spread, spread
from cuello.studies.base import StudyOutcome
from cuello.studies.super_resolution.plans import EVERY, OURS, UPSCALER, plan_name
from cuello.studies.super_resolution.source import NETWORKS

INPUT, GREY = "bicubic", "grey"
BINS = 64
ACTIVATED = {"relu": (0.0, inf), "tanh": (-1.0, 1.0), "sigmoid": (0.0, 1.0)}
"""Lowest and highest value that each activation can give."""


def reachable(activation: str) -> tuple[float, float]:
    """Say between which values, out of 1, ``(tanh(activation(z)) + 1) / 2`` can come near any.

    >>> reachable("relu")
    (0.5, 1.0)
    """
    low, high = ACTIVATED[activation]
    return (tanh(low) + 1) / 2, (tanh(high) + 1) / 2


@dataclass(frozen=True, kw_only=True)
class Gate:
    """What comes through the last activation of a strided network, on test images.

    closed: share of all values for which it is given 0 or less, and a ReLU then has no gradient. dead: share of the
    C · H · W outputs for which that holds in every image. gradient: derivative of ``tanh(activation(z))``, mean; 1
    lets everything through. code_still: share of the code's numbers that are the same for every image. between:
    standard deviation of the outputs from image to image, out of 1, root of the mean square over the outputs; the
    targets': between_targets. shares: of the outputs in each of BINS equal steps from black to white.
    """

    closed: float
    dead: float
    gradient: float
    code_still: float
    between: float
    between_targets: float
    shares: np.ndarray


def gate_of(network: StridedAutoencoder, batches: Sequence[tuple[Tensor, Tensor]]) -> Gate:
    """Measure the last activation on batches of inputs and targets, ``(N, C, H, W)`` in [0, 1]."""
    last = cast("nn.Sequential", network.decoder[-1])[1]
    given: list[Tensor] = []
    hook = last.register_forward_hook(lambda _module, inputs, _result: given.append(inputs[0]))
    network.eval()
    try:
        with torch.no_grad():
            outputs = [network(x) for x, _ in batches]
    finally:
        hook.remove()
    images, codes = torch.cat([one.image for one in outputs]), torch.cat([one.latent for one in outputs])
    z = torch.cat(given)[:, :, : images.shape[2], : images.shape[3]].requires_grad_()
    slope = torch.autograd.grad(torch.tanh(last(z)).sum(), z)[0]
    shut = z <= 0
    return Gate(
        closed=share_of(shut),
        dead=share_of(shut.all(0)),
        gradient=float(slope.mean()),
        code_still=share_of(codes.amax(0) - codes.amin(0) < 1e-6),
        between=deviation(images),
        between_targets=deviation(torch.cat([target for _, target in batches])),
        shares=histogram(images),
    )


def share_of(true: Tensor) -> float:
    return float(true.float().mean())


def deviation(images: Tensor) -> float:
    """Take the root of the mean, over places, of the variance over images ``(N, C, H, W)``."""
    return float(images.double().var(0, correction=0).mean().sqrt())


def histogram(images: Tensor) -> np.ndarray:
    """Give the share of values in each of BINS equal steps from 0 to 1."""
    return (torch.histc(images, BINS, min=0, max=1) / images.numel()).numpy()


def taps_on_padding(side: int, kernel: int, padding: int) -> float:
    """Say which share of a convolution's taps falls outside its map, of ``side`` pixels per side.

    kernel: its side; padding: on all sides together, at each of the two axes (half on either side, the odd one behind).

    >>> taps_on_padding(4, 2, 0), taps_on_padding(1, 2, 2)
    (0.0, 0.75)
    """
    positions = np.arange(side + padding - kernel + 1)[:, None] + np.arange(kernel) - padding // 2
    return 1 - float(((positions >= 0) & (positions < side)).mean()) ** 2


@dataclass(frozen=True, kw_only=True)
class BlurResult:
    """Errors at one degree of blur.

    mse, psnr: on test images, over seeds, by method; ``bicubic`` is the input itself, ``grey`` .5 everywhere.
    losses: MSE of these two on the training and on the validation crops. floors: by activation, the MSE that is left
    when every value is as near to the test target as the activation allows. gates: of the first seed's strided
    networks. pairs: the test crops, for our network and for the one that enlarges. photographs: that each is cut from.
    """

    mse: Mapping[str, Spread]
    psnr: Mapping[str, Spread]
    losses: Mapping[str, tuple[float, float]]
    floors: Mapping[str, float]
    gates: Mapping[str, Gate]
    pairs: Mapping[str, Sequence[Pair]]
    photographs: Sequence[str]

    @property
    def targets(self) -> Tensor:
        return torch.cat([pair.target for pair in self.pairs[OURS]])

    def gain(self, name: str) -> float:
        """Say how much better than bicubic a method is, dB."""
        return self.psnr[name].mean - self.psnr[INPUT].mean


def measure(outcome: StudyOutcome, factor: int, models: Mapping[str, Sequence[Model]]) -> BlurResult:
    """Test every network of one degree of blur, each on its own input for the same targets."""
    configs = {name: outcome.runs[plan_name(name, factor)][0].config for name in (OURS, UPSCALER)}
    tasks, seed = {name: task_of(config) for name, config in configs.items()}, configs[OURS].split_seed
    prepared = prepare(configs[OURS])
    assert prepared.test is not None
    crops = evaluated_crops(prepared.test)
    pairs = {name: list(Draw(task, crops, seed).pairs()) for name, task in tasks.items()}
    targets = [pair.target for pair in pairs[OURS]]

    def scores(images: Sequence[Tensor]) -> np.ndarray:
        couples = list(zip(images, targets, strict=True))
        return np.stack([torch.cat([score(*couple) for couple in couples]).double().numpy() for score in (mse, psnr)])

    scored = {
        INPUT: [scores([pair.x for pair in pairs[OURS]])],
        GREY: [scores([torch.full_like(target, 0.5) for target in targets])],
    }
    for name in EVERY:
        outcome.watch(Progress(f"testing {plan_name(name, factor)}", 1))
        own = pairs[UPSCALER if name == UPSCALER else OURS]
        scored[name] = [scores([restore(model, pair.x) for pair in own]) for model in models[plan_name(name, factor)]]
    inputs = [(pair.x, pair.target) for pair in pairs[OURS]]
    networks = {name: models[plan_name(name, factor)][0].network for name in NETWORKS}
    training, validation = (
        untouched(Draw(tasks[OURS], evaluated_crops(part), seed).pairs())
        for part in (prepared.training, prepared.validation)
    )
    every = torch.cat(targets)
    counted = np.all([counts(decibels) for found in scored.values() for _, decibels in found], axis=0)
    return BlurResult(
        mse={name: spread([float(errors.mean()) for errors, _ in found]) for name, found in scored.items()},
        psnr={name: spread([mean_of(decibels, counted) for _, decibels in found]) for name, found in scored.items()},
        losses={name: (training[name], validation[name]) for name in (INPUT, GREY)},
        floors={name: float((every - every.clamp(*reachable(name))).square().mean()) for name in ACTIVATED},
        gates={name: gate_of(cast("StridedAutoencoder", network), inputs) for name, network in networks.items()},
        pairs=pairs,
        photographs=crops.names,
    )


def untouched(pairs: Iterable[Pair]) -> dict[str, float]:
    """Measure the MSE of the inputs as they are, and of mid grey everywhere."""
    errors = [(mse(pair.x, pair.target), mse(torch.full_like(pair.target, 0.5), pair.target)) for pair in pairs]
    inputs, grey = (float(torch.cat(values).mean()) for values in zip(*errors, strict=True))
    return {INPUT: inputs, GREY: grey}
