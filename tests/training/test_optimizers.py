"""Every optimiser by name: it learns, obeys its settings, and its state goes on from a checkpoint."""

import pytest
import torch
from torch import nn

from cuello.core.config import TrainConfig
from cuello.core.errors import CuelloError
from cuello.training.optimizers import OPTIMIZERS

NAMES = OPTIMIZERS.names()


def parameter() -> nn.Parameter:
    return nn.Parameter(torch.tensor([2.0, -3.0]))


def step(optimizer: torch.optim.Optimizer, values: nn.Parameter, steps: int = 1) -> None:
    for _ in range(steps):
        optimizer.zero_grad()
        (0.5 * values.square().sum()).backward()
        optimizer.step()


@pytest.mark.parametrize("name", NAMES)
def test_it_goes_downhill(name: str) -> None:
    values = parameter()
    rate = 1.0 if name == "adadelta" else 0.05
    step(OPTIMIZERS[name].make([values], TrainConfig(optimizer=name, learning_rate=rate)), values, 20)
    assert values.detach().square().sum() < 13
    assert torch.isfinite(values).all()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_a_state_of_tensors_is_all_it_needs_to_go_on(name: str, momentum: float) -> None:
    """As the checkpoint keeps it: tensors by position and name, nothing else."""
    config = TrainConfig(optimizer=name, learning_rate=0.05, momentum=momentum, weight_decay=0.1)
    straight, halted = parameter(), parameter()
    step(OPTIMIZERS[name].make([straight], config), straight, 6)
    first = OPTIMIZERS[name].make([halted], config)
    step(first, halted, 3)
    kept = {
        position: {key: value.clone() for key, value in named.items() if isinstance(value, torch.Tensor)}
        for position, named in first.state_dict()["state"].items()
    }
    second = OPTIMIZERS[name].make([halted], config)
    state = second.state_dict()
    state["state"] = kept
    second.load_state_dict(state)
    step(second, halted, 3)
    assert torch.equal(straight, halted)


def test_adams_first_step_is_the_learning_rate() -> None:
    values = parameter()
    step(OPTIMIZERS["adam"].make([values], TrainConfig(learning_rate=0.01)), values)
    assert values.tolist() == pytest.approx([1.99, -2.99], abs=1e-5)


def test_weight_decay_joins_adams_gradient_but_not_adamws() -> None:
    config = TrainConfig(learning_rate=0.01, weight_decay=0.5)
    with_adam, with_adamw = parameter(), parameter()
    step(OPTIMIZERS["adam"].make([with_adam], config), with_adam)
    step(OPTIMIZERS["adamw"].make([with_adamw], config), with_adamw)
    assert with_adam.tolist() == pytest.approx([1.99, -2.99], abs=1e-5)
    # decoupled: values · (1 - rate · decay), then Adam's step of one learning rate
    assert with_adamw.tolist() == pytest.approx([2 * 0.995 - 0.01, -3 * 0.995 + 0.01], abs=1e-5)


@pytest.mark.parametrize(
    ("nesterov", "expected"),
    [
        (False, [0.8, 0.54]),  # velocity 1, then 0.5 · 1 + 0.8 = 1.3
        (True, [0.7, 0.44]),  # 1 + 0.5 · 1 = 1.5, then velocity 1.2 and 0.7 + 0.5 · 1.2 = 1.3
    ],
)
def test_sgd_with_momentum_by_hand(nesterov: bool, expected: list[float]) -> None:
    values = nn.Parameter(torch.tensor([1.0]))
    config = TrainConfig(optimizer="sgd", learning_rate=0.2, momentum=0.5, nesterov=nesterov)
    optimizer = OPTIMIZERS["sgd"].make([values], config)
    found = []
    for _ in range(2):
        step(optimizer, values)
        found.append(values.item())
    assert found == pytest.approx(expected)


def test_an_unknown_optimiser_names_the_nearest() -> None:
    with pytest.raises(CuelloError, match=r"no optimiser called 'adma'. Did you mean 'adam'"):
        OPTIMIZERS["adma"]
