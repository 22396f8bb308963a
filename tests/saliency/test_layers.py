import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from cuello.saliency.layers import Unreadable, read


def names(network: nn.Module, size: int = 8) -> list[str]:
    return [layer.name for layer in read(network.eval(), torch.rand(1, 2, size, size)).layers]


class Functions(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.rand(3, 2, 3, 3))
        self.dense = nn.Linear(3 * 9, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.relu(functional.conv2d((x - 0.5) / 0.2, self.weight, padding=1))
        x = functional.dropout(functional.max_pool2d(x, 2), training=self.training)
        return self.dense(functional.conv2d(x, self.weight[:, :1], groups=3, padding=1)[:, :, :3, :3].flatten(1))


class Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(2, 2, 3, padding=1), nn.Conv2d(2, 2, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        return (x + self.second(x)).mean((2, 3))


class Branching(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(1)[:, :2] if x.sum() > 0 else x.flatten(1)[:, 2:4]


def test_a_stack_is_read_to_its_dense_layers() -> None:
    network = nn.Sequential(
        nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.ReLU(), nn.Sequential(nn.MaxPool2d(2)), nn.AdaptiveAvgPool2d(1),
        nn.Flatten(), nn.Linear(3, 2),
    )  # fmt: skip
    assert names(network) == ["0", "3.0", "4"]


def test_the_chain_and_its_tail_are_the_network() -> None:
    torch.manual_seed(0)
    for network in (Functions().eval(), Residual().eval()):
        image = torch.rand(1, 2, 8, 8)
        chain = read(network, image)
        x = image
        for operation in chain.first:
            x = operation(x)
        for layer in chain.layers:
            x = layer.whole(x)
            for operation in layer.then:
                x = operation(x)
        torch.testing.assert_close(chain.tail(x), network(image))


def test_a_network_is_read_up_to_where_it_forks_or_is_not_known() -> None:
    assert names(Residual()) == ["first"]
    assert len(names(Functions())) == 2


@pytest.mark.parametrize(
    ("layer", "reason"),
    [
        (nn.Conv2d(2, 3, 3, padding=1, padding_mode="reflect"), "neither"),
        (nn.InstanceNorm2d(2), "neither"),
        (nn.AvgPool2d(3, ceil_mode=True), "neither"),
        (nn.AdaptiveAvgPool2d(3), "neither"),
        (nn.Flatten(), "neither"),
        (nn.BatchNorm2d(2, track_running_stats=False), "neither"),
        (Branching(), "torch.fx cannot trace it"),
    ],
)
def test_what_cannot_be_read_says_why(layer: nn.Module, reason: str) -> None:
    with pytest.raises(Unreadable, match=reason):
        names(nn.Sequential(layer))


def test_hooks_are_respected() -> None:
    network = nn.Sequential(nn.Conv2d(2, 3, 3))
    network[0].register_forward_hook(lambda module, inputs, output: None)
    with pytest.raises(Unreadable, match="0 has hooks"):
        names(network)


def test_a_module_that_stands_there_twice_is_read_twice() -> None:
    twice = nn.ReLU()
    network = nn.Sequential(
        nn.Conv2d(1, 2, 3), twice, nn.Sequential(nn.Conv2d(2, 2, 3), twice), nn.Flatten(), nn.Linear(32, 4), twice
    )
    chain = read(network.eval(), torch.rand(1, 1, 8, 8))
    assert [(layer.name, len(layer.then)) for layer in chain.layers] == [("0", 1), ("2.0", 1)]
    assert [type(module).__name__ for module in chain.tail] == ["Flatten", "Linear", "ReLU"]  # type: ignore[attr-defined]
