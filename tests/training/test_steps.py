"""One pass of training and one of validation: sums, randomness, learning rates, the network's mode."""

import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from cuello.core.config import TrainConfig
from cuello.core.seeding import derived_seed, generator
from cuello.core.types import Output, StepResult
from cuello.data.batches import Batches
from cuello.data.images import Images
from cuello.degrade import parse
from cuello.degrade.level import estimated_level
from cuello.jobs.images.pairs import Task
from cuello.models.base import ImageNetwork
from cuello.models.catalog import Architecture
from cuello.runs.artefact import Artefact
from cuello.runs.directory import Run
from cuello.scoring.metrics import mse, psnr
from cuello.training.session import Session
from cuello.training.steps import loss_of, train_epoch, validate, validation_pairs

CPU = torch.device("cpu")


class Gain(ImageNetwork):
    """Multiplies by one number; remembers what it was given, in which mode, and torch's random numbers then."""

    def __init__(self) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.tensor(1.0))
        self.seen: list[tuple[Tensor, bool, float]] = []

    def forward(self, x: Tensor, condition: Tensor | None = None) -> Output:
        drawn = torch.rand(()).item() if self.training else 0.0
        self.seen.append((x.clone(), self.training, drawn))
        return Output(self.gain * x)


@pytest.fixture
def batches(make_image: Callable[..., np.ndarray]) -> Batches:
    arrays = [make_image(number, 16, 16) for number in range(5)]
    images = Images("five", arrays, [str(number) for number in range(5)])
    return Batches(images, np.arange(5), batch_size=2, seed=4, shuffle=True)


TASK = Task("denoise", parse("gaussian:20..40"))
CONFIG = TrainConfig(noise="gaussian:20..40", optimizer="sgd", learning_rate=0.1, seed=9)


def session(network: ImageNetwork, batches: Batches, config: TrainConfig) -> Session:
    """Return a training that is only stepped through, and keeps nothing."""
    artefact = Artefact(Architecture("none", "none", {}), "denoise", None, {})
    return Session(Run(Path("nowhere")), network, artefact, TASK, batches, batches, config, "")


def run_epoch(network: ImageNetwork, batches: Batches, config: TrainConfig = CONFIG, rate: float = 0.0, epoch: int = 3):
    told: list[tuple[int, StepResult]] = []
    optimizer = torch.optim.SGD(network.parameters(), lr=123.0)
    result = train_epoch(
        session(network, batches, config), network, optimizer, rates=lambda step: rate * (step + 1), device=CPU,
        epoch=epoch, after_step=lambda step, so_far: told.append((step, so_far)),
    )  # fmt: skip
    return result, told, optimizer


def test_the_sums_are_those_of_every_image(batches: Batches) -> None:
    network = Gain()
    result, told, _ = run_epoch(network, batches)
    expected = 0.0
    for step, batch in enumerate(batches.epoch(3)):
        noisy = TASK.degradation(batch.images, generator(9, "noise", 3, step))  # type: ignore[misc]
        assert torch.equal(network.seen[step][0], noisy)
        expected += float(mse(noisy, batch.images).sum())
    assert result.images == 5
    assert result.loss_sum == pytest.approx(expected, rel=1e-5)
    assert [step for step, _ in told] == [1, 2, 3]
    assert [so_far.images for _, so_far in told] == [2, 4, 5]
    assert told[-1][1].loss_sum == result.loss_sum


def test_dropout_and_noise_depend_on_seed_epoch_and_step_alone(batches: Batches) -> None:
    first, second, other_epoch, other_seed = Gain(), Gain(), Gain(), Gain()
    run_epoch(first, batches)
    torch.rand(100)  # random numbers drawn elsewhere change nothing
    run_epoch(second, batches)
    run_epoch(other_epoch, batches, epoch=4)
    run_epoch(other_seed, batches, CONFIG.model_copy(update={"seed": 10}))
    assert all(torch.equal(a, b) and u == v for (a, _, u), (b, _, v) in zip(first.seen, second.seen, strict=True))
    assert first.seen[0][2] == torch.rand((), generator=torch.Generator().manual_seed(derived_seed(9, "network", 3, 0)))
    for other in (other_epoch, other_seed):
        assert not torch.equal(first.seen[0][0], other.seen[0][0])
        assert first.seen[0][2] != other.seen[0][2]
    assert len({drawn for _, _, drawn in first.seen}) == 3


def test_each_step_has_its_learning_rate(batches: Batches) -> None:
    network = Gain()
    _, _, optimizer = run_epoch(network, batches, rate=0.01)
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.03)
    still = Gain()
    run_epoch(still, batches, rate=0.0)
    assert still.gain.item() == 1.0
    assert network.gain.item() != 1.0


def test_a_step_goes_down_the_gradient_of_the_mean_loss(batches: Batches) -> None:
    network = Gain()
    optimizer = torch.optim.SGD(network.parameters(), lr=1.0)
    gains = []
    train_epoch(
        session(network, batches, CONFIG), network, optimizer, rates=lambda step: 0.5, device=CPU, epoch=1,
        after_step=lambda step, so_far: gains.append(network.gain.item()),
    )  # fmt: skip
    batch = next(batches.epoch(1))
    noisy = network.seen[0][0]
    gradient = float((2 * (noisy - batch.images) * noisy).mean())
    assert gains[0] == pytest.approx(1 - 0.5 * gradient, rel=1e-4)


def test_clip_limits_the_gradient(batches: Batches) -> None:
    network = Gain()
    clipped = CONFIG.model_copy(update={"clip": 1e-3})
    optimizer = torch.optim.SGD(network.parameters(), lr=1.0)
    gains = [1.0]
    train_epoch(
        session(network, batches, clipped), network, optimizer, rates=lambda step: 1.0, device=CPU, epoch=1,
        after_step=lambda step, so_far: gains.append(network.gain.item()),
    )  # fmt: skip
    moves = [abs(b - a) for a, b in itertools.pairwise(gains)]
    assert moves == pytest.approx([1e-3] * 3, rel=1e-2)


def test_validation_gives_the_same_pairs_each_time_and_sums_over_images(batches: Batches) -> None:
    fixed = Batches(batches.images, np.arange(5), batch_size=2)
    pairs = validation_pairs(TASK, fixed, 7, CPU)
    first, second = list(pairs()), list(pairs())
    for one, other in zip(first, second, strict=True):
        assert torch.equal(one.x, other.x)
        assert torch.equal(one.target, other.target)
    network = Gain().eval()
    result = validate(network, network, pairs, CONFIG, CPU)
    noisy, clean = torch.cat([pair.x for pair in first]), torch.cat([pair.target for pair in first])
    assert result.images == 5
    assert result.loss_sum == pytest.approx(float(mse(noisy, clean).sum()), rel=1e-5)
    assert result.terms["mse"] == pytest.approx(float(mse(noisy, clean).sum()), rel=1e-5)
    assert result.terms["psnr"] == pytest.approx(float(psnr(noisy, clean).sum()), rel=1e-5)
    assert not any(training for _, training, _ in network.seen)


def test_pairs_too_many_to_keep_are_made_anew_and_alike(batches: Batches) -> None:
    fixed = Batches(batches.images, np.arange(5), batch_size=2)
    kept, made = validation_pairs(TASK, fixed, 7, CPU), validation_pairs(TASK, fixed, 7, CPU, keep_bytes=0)
    assert next(kept())[0] is next(kept())[0]
    assert next(made())[0] is not next(made())[0]
    assert all(torch.equal(one.x, other.x) for one, other in zip(kept(), made(), strict=True))


def test_validation_noise_does_not_depend_on_the_batch_size(batches: Batches) -> None:
    whole, single = (
        torch.cat(
            [
                pair.x
                for pair in validation_pairs(TASK, Batches(batches.images, np.arange(5), batch_size=size), 7, CPU)()
            ]
        )
        for size in (5, 1)
    )
    assert torch.equal(whole, single)


def test_the_networks_own_terms_join_the_loss() -> None:
    image, target = torch.full((2, 1, 2, 2), 0.5), torch.zeros(2, 1, 2, 2)
    output = Output(image, terms={"kl": torch.tensor(0.25), "sparse": torch.tensor([1.0, 2.0])})
    assert loss_of(output, target, "mse").tolist() == pytest.approx([1.5, 2.5])
    assert loss_of(Output(image), target, "l1").tolist() == pytest.approx([0.5, 0.5])


class Told(ImageNetwork):
    """Takes the noise level, and remembers it."""

    conditioning = "level"

    def __init__(self) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.tensor(1.0))
        self.seen: list[tuple[Tensor, Tensor]] = []

    def forward(self, x: Tensor, condition: Tensor | None = None) -> Output:
        assert condition is not None
        self.seen.append((x.clone(), condition.clone()))
        return Output(self.gain * x)


def test_a_network_that_takes_the_noise_level_is_told_what_was_drawn(batches: Batches) -> None:
    network = Told()
    run_epoch(network, batches)
    pairs = [TASK.pair(batch, generator(CONFIG.seed, "noise", 3, step)) for step, batch in enumerate(batches.epoch(3))]
    assert len(network.seen) == len(pairs) == 3
    for (x, level), pair in zip(network.seen, pairs, strict=True):
        assert pair.level is not None
        assert torch.equal(x, pair.x)
        assert torch.equal(level, pair.level)
        assert 20 / 255 <= level.min() <= level.max() <= 40 / 255
    fixed = Batches(batches.images, np.arange(5), batch_size=2)
    network.seen.clear()
    validate(network, network, validation_pairs(TASK, fixed, 7, CPU), CONFIG, CPU)
    for (_, level), pair in zip(network.seen, validation_pairs(TASK, fixed, 7, CPU)(), strict=True):
        assert pair.level is not None
        assert torch.equal(level, pair.level)


def test_where_nobody_knows_the_noise_level_it_is_estimated(batches: Batches) -> None:
    network = Told()
    fixed = Batches(batches.images, np.arange(5), batch_size=5)
    validate(network, network, validation_pairs(Task("denoise", parse("blur:1")), fixed, 7, CPU), CONFIG, CPU)
    ((x, level),) = network.seen
    assert torch.equal(level, estimated_level(x))
