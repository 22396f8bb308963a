"""What every part has to do, Cuello's or one's own: the checks that the tests of the tables make, for anybody's."""

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from cuello.core.config import TrainConfig
from cuello.core.errors import CuelloError
from cuello.core.own import kind_of, naming, register, text_of
from cuello.data.catalog import open_source
from cuello.degrade import parse
from cuello.models.base import ImageNetwork, as_output
from cuello.models.catalog import architecture_of, build
from cuello.scoring.baselines import BASELINES, run_baseline
from cuello.scoring.losses import find_loss
from cuello.scoring.metrics import METRICS
from cuello.training.optimizers import OPTIMIZERS
from cuello.training.schedule import SCHEDULES
from cuello.training.steps import backward

COUNT = 3


def check(
    kind: str, thing: Any, *, size: tuple[int, int] | int = (32, 32), channels: int = 1, classes: int = 0
) -> list[str]:
    """Check that a part does what is asked of its kind, and return what was checked, a line each.

    kind: "network", "loss", "metric", "noise", "baseline", "data", "optimizer" or "schedule". thing: its name,
    FILE.py:NAME with its arguments, or the class or function itself. size: height and width, or one number for both, of
    the images that it is tried on, of so many channels. classes: of a classifier, or of a loss for one.
    Raises CuelloError that says what it does not do.

    >>> check("loss", "mse")
    ['one value per image', 'finite numbers', 'an image alone counts the same', 'a gradient']
    """
    known, text = kind_of(kind), text_of(kind, thing)
    if not isinstance(text, str):
        raise CuelloError(f"check: got {thing!r}, needed a name, FILE.py:NAME, or the class or function itself.")
    size = (size, size) if isinstance(size, int) else size
    if min(*size, channels) < 1:
        raise CuelloError(f"check: got the size {size} of {channels} channels, needed 1 or more of each.")
    with naming(text), torch.random.fork_rng(()):
        torch.manual_seed(0)
        images = torch.rand(COUNT, channels, *size, generator=random())
        done = CHECKS[known](text, images, classes)
    for name, passed in done:
        if not passed:
            raise CuelloError(f"the {known} {text} fails a check: needed {name}.")
    return [name for name, _ in done]


Checked = list[tuple[str, bool]]


def random(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def near(one: Tensor, other: Tensor) -> bool:
    return one.shape == other.shape and bool(torch.allclose(one, other, rtol=1e-3, atol=1e-4))


def check_network(text: str, images: Tensor, classes: int) -> Checked:
    """Check a network by its answers to images, and by the gradients that reach its weights."""
    channels, size = images.shape[1], (images.shape[2], images.shape[3])
    network = build(architecture_of(text, channels, size, classes=classes or None))
    images = images[:, :, : size[0] // network.stride * network.stride, : size[1] // network.stride * network.stride]
    told = network.condition(images, torch.full((COUNT, 1, 1, 1), 0.1), torch.zeros(COUNT, dtype=torch.long))
    if 0 in images.shape:
        raise CuelloError(f"check: got the size {size}, needed at least the network's stride, {network.stride} pixels.")
    network.train()
    backward(answer(network, images, told).square())
    reached = [weight.grad is not None for weight in network.parameters() if weight.requires_grad]
    network.eval()
    with torch.no_grad():
        first, again = answer(network, images, told), answer(network, images, told)
        alone = answer(network, images[:1], None if told is None else told[:1])
        other = build(architecture_of(text, channels, size, classes=classes or None)).eval()
        other.load_state_dict(network.state_dict())
        loaded = answer(other, images, told)
    done = [
        ("finite numbers", bool(first.isfinite().all())),
        ("the same answer to the same images", near(first, again)),
        ("the same answer to an image alone as in a batch", near(first[:1], alone)),
        ("the same answer after its weights were loaded", near(first, loaded)),
        ("a gradient for every weight", all(reached)),
    ]
    if network.has_code:
        with torch.no_grad():
            done.append(
                (
                    "images of the same shape from its codes",
                    network.decode(network.encode(images)).shape == images.shape,
                )
            )
    return done


def answer(network: ImageNetwork, images: Tensor, told: Tensor | None) -> Tensor:
    return as_output(network(images, told)).image


def check_smallest(side: int, images: Tensor) -> None:
    """Raise CuelloError where images are smaller than what measures them needs."""
    if min(images.shape[2:]) < side:
        height, width = images.shape[2:]
        raise CuelloError(f"check: got the size ({height}, {width}), needed at least {side} pixels per side.")


def check_loss(text: str, images: Tensor, classes: int) -> Checked:
    """Check a loss of images, or of scores where there are classes."""
    spec = find_loss(text)
    check_smallest(spec.smallest_side, images)
    function, target = spec.function, images.flip(0)
    if classes:
        images = torch.rand(COUNT, classes, generator=random())
        target = torch.arange(COUNT) % classes
    given = images.clone().requires_grad_()
    values = function(given, target)
    backward(values)
    return [
        ("one value per image", values.shape == (COUNT,)),
        ("finite numbers", bool(values.isfinite().all())),
        ("an image alone counts the same", near(function(images[:1], target[:1]), values[:1].detach())),
        ("a gradient", given.grad is not None and bool(given.grad.isfinite().all())),
    ]


def check_metric(text: str, images: Tensor, classes: int) -> Checked:
    check_smallest(METRICS[text].smallest_side, images)
    function, target = METRICS[text].function, images.flip(0)
    values = function(images, target)
    return [
        ("one value per image", values.shape == (COUNT,)),
        ("finite numbers", bool(values.isfinite().all())),
        ("an image alone measures the same", near(function(images[:1], target[:1]), values[:1])),
    ]


def check_noise(text: str, images: Tensor, classes: int) -> Checked:
    noise, before = parse(text), images.clone()
    first = noise(images, random())
    side = -(-images.shape[2] // noise.scale), -(-images.shape[3] // noise.scale)
    return [
        ("images of the same shape, or smaller by its scale", first.shape == (*images.shape[:2], *side)),
        ("finite numbers", bool(first.isfinite().all())),
        ("the same from the same random numbers", bool(torch.equal(first, noise(images, random())))),
        ("to leave the images that it gets unchanged", bool(torch.equal(before, images))),
        ("a description that is read back as the same", parse(noise.spec()).spec() == noise.spec()),
    ]


def check_baseline(text: str, images: Tensor, classes: int) -> Checked:
    spec, arrays = BASELINES[text], images.numpy()
    found = [run_baseline(spec, arrays, strength) for strength in spec.strengths]
    return [
        ("images of the same shape", all(one.shape == arrays.shape for one in found)),
        ("finite numbers", all(bool(np.isfinite(one).all()) for one in found)),
    ]


def check_data(text: str, images: Tensor, classes: int) -> Checked:
    source = open_source(text)
    first, last = source.read(0), source.read(len(source.names) - 1)
    return [
        ("pixels (H, W, C)", first.pixels.ndim == last.pixels.ndim == 3),
        ("one label per image, where there are any", source.labels is None or len(source.labels) == len(source.names)),
    ]


def check_optimizer(text: str, images: Tensor, classes: int) -> Checked:
    """Check that an optimiser goes down a parabola, and goes on from its own state as if it had not stopped."""
    config = TrainConfig(optimizer=text, learning_rate=1e-2)

    def made(start: Tensor) -> tuple[torch.nn.Parameter, torch.optim.Optimizer]:
        weight = torch.nn.Parameter(start.clone())
        return weight, OPTIMIZERS[text].make([weight], config)

    def step(weight: torch.nn.Parameter, optimizer: torch.optim.Optimizer, times: int) -> None:
        for _ in range(times):
            optimizer.zero_grad()
            (weight**2).sum().backward()
            optimizer.step()

    weight, optimizer = made(torch.tensor([1.0, -2.0]))
    step(weight, optimizer, 5)
    later, resumed = made(weight.detach())
    resumed.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    step(weight, optimizer, 1)
    step(later, resumed, 1)
    return [
        ("to come nearer to the lowest point of a parabola", float((weight**2).sum().detach()) < 5),
        ("to go on from its own state as if it had not stopped", near(weight.detach(), later.detach())),
    ]


def check_schedule(text: str, images: Tensor, classes: int) -> Checked:
    config = TrainConfig(schedule=text)
    factors = [SCHEDULES[text].factor(config, progress / 10, []) for progress in range(11)]
    return [("a factor of 0 or more from the beginning to the end", all(0 <= one < float("inf") for one in factors))]


CHECKS: dict[str, Callable[[str, Tensor, int], Checked]] = {
    "network": check_network, "loss": check_loss, "metric": check_metric, "noise": check_noise,
    "baseline": check_baseline, "data set": check_data, "optimiser": check_optimizer, "schedule": check_schedule,
}  # fmt: skip
"""What is checked of each kind of part."""

__all__ = ["check", "register"]  # registered from here, where every table is loaded, and its names are known
