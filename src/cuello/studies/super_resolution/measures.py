"""What is measured: errors on the test images, what a last activation lets through, and where large kernels look."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import inf, tanh

import numpy as np
import torch
from torch import Tensor

from cuello.core.types import Pair
from cuello.inference.model import Model
from cuello.jobs.catalog import task_of
from cuello.jobs.data import Prepared, prepare
from cuello.jobs.images.evaluated import EvaluatedImages, evaluated_crops
from cuello.jobs.images.evaluation import Draw, restore
from cuello.models.strided import StridedAutoencoder
from cuello.scoring.metrics import mse, psnr
from cuello.scoring.repeats import Spread, spread
from cuello.studies.base import Outcome
from cuello.studies.super_resolution.plans import EVERY, OURS, plan_name
from cuello.studies.super_resolution.source import NETWORKS

INPUT, GREY = "bicubic", "grey"
BINS = 64
ACTIVATED = {"relu": (0.0, inf), "tanh": (-1.0, 1.0), "sigmoid": (0.0, 1.0)}
"""Lowest and highest value that each activation can give."""


def reachable(activation: str) -> tuple[float, float]:
    """Return the darkest and the brightest value, out of 1, that ``(tanh(activation(z)) + 1) / 2`` can come near.

    >>> reachable("relu")
    (0.5, 1.0)
    """
    low, high = ACTIVATED[activation]
    return (tanh(low) + 1) / 2, (tanh(high) + 1) / 2


@dataclass(frozen=True)
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
    last = network.decoder[-1][1]  # type: ignore[index]
    seen: list[Tensor] = []
    hook = last.register_forward_hook(lambda _module, inputs, _result: seen.append(inputs[0]))
    outputs, targets = Moments(), Moments()
    closed, gradient, shares = 0.0, 0.0, torch.zeros(BINS)
    dead, code_low, code_high = None, None, None
    network.eval()
    try:
        for x, target in batches:
            with torch.no_grad():
                output = network(x)
            z = seen.pop()[:, :, : x.shape[2], : x.shape[3]].detach().requires_grad_()
            slope = torch.autograd.grad(torch.tanh(last(z)).sum(), z)[0]
            shut = z.detach() <= 0
            closed += float(shut.sum())
            gradient += float(slope.sum())
            dead = shut.all(0) if dead is None else dead & shut.all(0)
            low, high = output.latent.amin(0), output.latent.amax(0)
            code_low = low if code_low is None else torch.minimum(code_low, low)
            code_high = high if code_high is None else torch.maximum(code_high, high)
            shares += torch.histc(output.image, BINS, 0, 1)
            outputs.add(output.image)
            targets.add(target)
    finally:
        hook.remove()
    assert dead is not None
    assert code_low is not None
    assert code_high is not None
    values = outputs.count * dead.numel()
    return Gate(
        closed / values, float(dead.float().mean()), gradient / values,
        float((code_high - code_low < 1e-6).float().mean()), outputs.deviation(), targets.deviation(),
        (shares / values).numpy(),
    )  # fmt: skip


class Moments:
    """Sums over images, place by place, for how much images differ from one another."""

    def __init__(self) -> None:
        self.count = 0
        self.sum, self.squares = torch.zeros(()), torch.zeros(())

    def add(self, images: Tensor) -> None:
        """Take in images ``(N, C, H, W)``."""
        self.count += len(images)
        self.sum = self.sum + images.double().sum(0)
        self.squares = self.squares + images.double().square().sum(0)

    def deviation(self) -> float:
        """Return the root of the mean, over places, of the variance over images."""
        mean = self.sum / self.count
        return float((self.squares / self.count - mean.square()).clamp(min=0).mean().sqrt())


def taps_on_padding(side: int, kernel: int, padding: int) -> float:
    """Return which share of a convolution's taps falls outside its map, of ``side`` pixels a side.

    kernel: its side; padding: on all sides together, at each of the two axes (half on either side, the odd one behind).

    >>> taps_on_padding(4, 2, 0), taps_on_padding(1, 2, 2)
    (0.0, 0.75)
    """
    before = padding // 2
    positions = np.arange(side + padding - kernel + 1)[:, None] + np.arange(kernel) - before
    return 1 - float(((positions >= 0) & (positions < side)).mean()) ** 2


@dataclass(frozen=True)
class Tested:
    """Mean errors at one degree of blur.

    mse, psnr: on test images, by method and seed; ``bicubic`` is the input itself, ``grey`` .5 everywhere.
    losses: MSE of these two on the training and on the validation crops.
    floors: by activation, the MSE that is left when every value is as near to the test target as the activation allows.
    darker: share of the targets' values below .5. targets: share of their values in each of BINS steps.
    gates: of the first seed's strided networks. photographs, images: how many test images, and crops of them.
    """

    mse: Mapping[str, Sequence[float]]
    psnr: Mapping[str, Sequence[float]]
    losses: Mapping[str, tuple[float, float]]
    floors: Mapping[str, float]
    darker: float
    targets: np.ndarray
    gates: Mapping[str, Gate]
    photographs: int
    images: int

    def error(self, name: str) -> Spread:
        """Return mean and deviation over seeds of a method's MSE."""
        return spread(self.mse[name])

    def decibels(self, name: str) -> Spread:
        """Return mean and deviation over seeds of a method's PSNR."""
        return spread(self.psnr[name])

    def gain(self, name: str) -> float:
        """Return how much better than bicubic a method is, dB."""
        return self.decibels(name).mean - self.decibels(INPUT).mean


def test_images(prepared: Prepared) -> EvaluatedImages:
    """Return the images that no training and no choice of an epoch has seen."""
    assert prepared.test is not None
    return evaluated_crops(prepared.test)


def measure(outcome: Outcome, factor: int, models: Mapping[str, Sequence[Model]]) -> Tested:
    """Test every network of one degree of blur, each on its own input for the same targets."""
    configs = {name: outcome.runs[plan_name(name, factor)][0].config for name in EVERY}
    tasks = {name: task_of(config) for name, config in configs.items()}
    seed = configs[OURS].split_seed
    prepared = prepare(configs[OURS])
    subjects = test_images(prepared)
    errors: dict[str, list[float]] = {}
    decibels: dict[str, list[float]] = {}

    def note(name: str, images: Sequence[Tensor], targets: Sequence[Tensor]) -> None:
        couples = list(zip(images, targets, strict=True))
        errors.setdefault(name, []).append(float(torch.cat([mse(image, target) for image, target in couples]).mean()))
        decibels.setdefault(name, []).append(
            float(torch.cat([psnr(image, target) for image, target in couples]).mean())
        )

    made = {name: list(Draw(tasks[name], subjects, seed).pairs()) for name in (OURS, "up-s")}
    targets = [pair.target for pair in made[OURS]]
    note(INPUT, [pair.x for pair in made[OURS]], targets)
    note(GREY, [torch.full_like(target, 0.5) for target in targets], targets)
    for name in EVERY:
        outcome.watch(f"testing {plan_name(name, factor)}", 1.0)
        own = made.get(name, made[OURS])
        for model in models[plan_name(name, factor)]:
            note(name, [restore(model, pair.x) for pair in own], targets)
    inputs = [(pair.x, pair.target) for pair in made[OURS]]
    gates = {name: gate_of(strided(models[plan_name(name, factor)][0]), inputs) for name in NETWORKS}
    parts = [evaluated_crops(part) for part in (prepared.training, prepared.validation)]
    found = [untouched(Draw(tasks[OURS], part, seed).pairs()) for part in parts]
    every = torch.cat(targets)
    return Tested(
        errors,
        decibels,
        {name: (found[0][name], found[1][name]) for name in (INPUT, GREY)},
        {name: float((every - every.clamp(*reachable(name))).square().mean()) for name in ACTIVATED},
        float((every < 0.5).float().mean()),
        (torch.histc(every, BINS, 0, 1) / every.numel()).numpy(),
        gates,
        len(set(subjects.names)),
        subjects.count,
    )


def untouched(made: Iterable[Pair]) -> dict[str, float]:
    """Return the MSE of the inputs as they are, and of mid grey everywhere."""
    errors: dict[str, list[Tensor]] = {INPUT: [], GREY: []}
    for pair in made:
        errors[INPUT].append(mse(pair.x, pair.target))
        errors[GREY].append(mse(torch.full_like(pair.target, 0.5), pair.target))
    return {name: float(torch.cat(values).mean()) for name, values in errors.items()}


def strided(model: Model) -> StridedAutoencoder:
    """Return the network of a model of the source's."""
    assert isinstance(model.network, StridedAutoencoder)
    return model.network
