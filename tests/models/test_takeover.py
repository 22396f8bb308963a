"""Networks that begin with a trained one's weights give what it gave, as far as they can."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from cuello.core.types import Output
from cuello.models.base import ImageNetwork, as_output
from cuello.models.catalog import Architecture, architecture_of, build
from cuello.models.reparameterised import BranchedConv2d
from cuello.models.takeover import Taken, take_over, with_channels

NAMES = ("denoise-s", "denoise-m", "restore-m", "up-s", "dncnn-s", "unet-s", "espcn", "fsrcnn")
SCALES = {"up-s": 2, "espcn": 2, "fsrcnn": 2}


def network_of(name: str, channels: int = 1, scale: int | None = None, seed: int = 0, **settings: Any) -> ImageNetwork:
    """Build a network none of whose weights is 0, so that everything it does shows."""
    torch.manual_seed(seed)
    about = architecture_of(name, channels, scale=scale or SCALES.get(name), **settings)
    network = build(about)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.02)
    return network.eval()


def answer(network: nn.Module, x: Tensor) -> Tensor:
    level = torch.full((len(x), 1, 1, 1), 0.1)
    with torch.no_grad():
        return as_output(network(x, level)).image


def image(channels: int = 1) -> Tensor:
    return torch.rand(2, 1, 20, 24, generator=torch.Generator().manual_seed(5)).expand(-1, channels, -1, -1)


@pytest.mark.parametrize("name", NAMES)
def test_all_weights_of_the_same_architecture_are_taken(name: str) -> None:
    source, network = network_of(name), network_of(name, seed=1)
    assert not torch.allclose(answer(network, image()), answer(source, image()), atol=1e-3)
    taken = take_over(network, source.state_dict(), source)
    assert taken is not None
    assert not taken.fresh
    assert not taken.spread
    for key, tensor in source.state_dict().items():
        assert torch.equal(network.state_dict()[key], tensor), key


@pytest.mark.parametrize("name", ["denoise-s", "denoise-m", "up-s"])
def test_a_folded_network_in_half_precision_becomes_one_of_branches_that_gives_the_same(name: str) -> None:
    folded = network_of(name).folded()
    half = {key: tensor.half() for key, tensor in folded.state_dict().items()}
    folded.load_state_dict(half)
    network = network_of(name, seed=1)
    assert any(isinstance(module, BranchedConv2d) for module in network.modules())
    taken = take_over(network, half, folded)
    assert taken is not None
    assert not taken.fresh
    assert (answer(network, image()) - answer(folded, image())).abs().max() < 1e-6
    assert all(parameter.dtype == torch.float32 for parameter in network.parameters())


def test_all_branches_learn_after_a_plain_kernel_was_taken() -> None:
    torch.manual_seed(0)
    block, plain = BranchedConv2d(4, 4), nn.Conv2d(4, 4, 3, padding=1)
    assert plain.bias is not None
    block.become(plain.weight, plain.bias)
    optimizer = torch.optim.SGD(block.parameters(), lr=0.1)
    before = {name: tensor.clone() for name, tensor in block.named_parameters()}
    for _ in range(2):  # what is behind a branch that is 0 learns a step later
        optimizer.zero_grad()
        block(torch.rand(1, 4, 8, 8)).square().sum().backward()
        optimizer.step()
    for name, tensor in block.named_parameters():
        assert not torch.equal(tensor, before[name]), name


@pytest.mark.parametrize("zero", [False, True])
def test_a_kernel_replaces_whatever_the_branches_were(zero: bool) -> None:
    torch.manual_seed(3)
    block, plain = BranchedConv2d(4, 4, zero=zero), nn.Conv2d(4, 4, 3, padding=1)
    assert plain.bias is not None
    block.become(plain.weight, plain.bias)
    assert torch.allclose(block.folded().weight, plain.weight, atol=1e-6)
    assert torch.equal(block.folded().bias, plain.bias)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("folded", [False, True])
def test_grey_images_give_in_colour_what_they_gave_in_grey(name: str, folded: bool) -> None:
    source, network = network_of(name), network_of(name, 3, seed=1)
    source = source.folded() if folded else source
    taken = take_over(network, source.state_dict(), source)
    assert taken is not None
    assert not taken.fresh
    assert set(taken.spread) == set(network.ends)
    expected = answer(source, image()).expand(-1, 3, -1, -1)
    assert (answer(network, image(3)) - expected).abs().max() < 1e-5


@pytest.mark.parametrize("name", NAMES)
def test_a_colour_network_gives_the_mean_of_its_channels_in_grey(name: str) -> None:
    source, network = network_of(name, 3), network_of(name, 1, seed=1)
    assert take_over(network, source.state_dict(), source) is not None
    expected = answer(source, image(3)).mean(1, keepdim=True)
    assert (answer(network, image()) - expected).abs().max() < 1e-5


@pytest.mark.parametrize(("channels", "spread"), [(1, []), (3, ["layers.0"])])
def test_another_scale_begins_with_a_fresh_last_layer(channels: int, spread: list[str]) -> None:
    source, network = network_of("up-s", scale=2), build(architecture_of("up-s", channels, scale=3)).eval()
    first = answer(network, image(channels))
    taken = take_over(network, source.state_dict(), source)
    assert taken is not None
    assert list(taken.fresh) == ["layers.18"]
    assert list(taken.spread) == spread
    assert torch.equal(answer(network, image(channels)), first), "bicubic interpolation, as a fresh last layer gives it"
    assert torch.equal(network.state_dict()["layers.2.plain"], source.state_dict()["layers.2.plain"])


def test_a_classifier_of_other_classes_and_colours_keeps_its_features() -> None:
    source = build(architecture_of("classify-s", 1, (32, 32), classes=5)).eval()
    network = build(architecture_of("classify-s", 3, (32, 32), classes=7)).eval()
    taken = take_over(network, source.state_dict(), source)
    assert taken is not None
    assert taken.fresh == [path for path in taken.fresh if path.startswith("head.")]
    assert list(taken.spread) == ["stages.0.0"]
    theirs, ours = source.features(image()), network.features(image(3))  # type: ignore[operator]
    for before, after in zip(theirs, ours, strict=True):
        assert torch.allclose(before, after, atol=1e-5)


def test_a_layer_without_the_identity_is_taken_as_what_it_computes() -> None:
    """The last convolution of a shallow network lies where a deeper one has a hidden one, which adds its input."""
    about = architecture_of("denoise-s", 1)
    shallow = build(Architecture("a", about.kind, {**about.settings, "width": 4, "depth": 1})).eval()
    deep = build(Architecture("b", about.kind, {**about.settings, "width": 4, "depth": 2})).eval()
    last, hidden = shallow.get_submodule("layers.4"), deep.get_submodule("layers.4")
    assert isinstance(last, BranchedConv2d)
    assert isinstance(hidden, BranchedConv2d)
    assert (last.has_identity, hidden.has_identity) == (False, True)
    nn.init.normal_(last.plain)
    assert take_over(deep, shallow.state_dict(), shallow) is not None
    assert torch.allclose(hidden.kernel(), last.kernel(), atol=1e-6)


class Own(ImageNetwork):
    """A network of somebody's own, with a parameter that belongs to no layer."""

    channels = 1

    def __init__(self, width: int) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(1))
        self.first = nn.Conv2d(1, width, 3, padding=1)
        self.last = nn.Conv2d(width, 1, 3, padding=1)

    def forward(self, x: Tensor, condition: Tensor | None = None) -> Output:
        return Output(self.last(self.first(x)) * self.gain)


def test_layers_of_somebodys_own_are_taken_by_name_and_shape() -> None:
    source, network = Own(4), Own(4)
    assert take_over(network, source.state_dict()) == Taken(["", "first", "last"], [], [])
    assert torch.equal(answer(network, image()), answer(source, image()))


def test_where_nothing_fits_nothing_changes() -> None:
    source, network = Own(4), Own(5)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    assert take_over(network, source.state_dict()) is None
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())


def test_a_layer_is_taken_with_all_its_weights_or_not_at_all() -> None:
    source, network = Own(4), Own(4)
    weights = {name: tensor for name, tensor in source.state_dict().items() if name != "last.bias"}
    before = network.last.weight.clone()
    assert take_over(network, weights) == Taken(["", "first"], [], ["last"])
    assert torch.equal(network.last.weight, before)


def test_what_was_taken_is_said_in_one_line() -> None:
    assert Taken(["a", "b"], [], []).sentence("denoise") == "2 of 2 layers from denoise"
    assert (
        Taken(["a"], ["b"], ["c", "d"]).sentence("x") == "2 of 4 layers from x; b for other channels; c, d begin fresh"
    )


def test_channels_that_are_neither_one_nor_become_one_are_not_spread() -> None:
    assert with_channels(torch.ones(4, 3, 3, 3), (4, 4, 3, 3), (3, 4), outputs=False) is None


def test_each_channel_has_its_numbers_one_after_another() -> None:
    """Two numbers a channel, and one of none: as outputs [a, b, z] becomes [a, b, a, b, a, b, z]; as inputs each of
    four rows has them at one channel, in turn.
    """
    grey = torch.tensor([[3.0, 6.0, 9.0]]).expand(4, 3)[:, :, None, None]
    colour = with_channels(grey, (4, 7, 1, 1), (1, 3), outputs=False)
    assert colour is not None
    assert colour[:, :, 0, 0].tolist() == [
        [3, 6, 0, 0, 0, 0, 9], [0, 0, 3, 6, 0, 0, 9], [0, 0, 0, 0, 3, 6, 9], [3, 6, 0, 0, 0, 0, 9],
    ]  # fmt: skip
    back = with_channels(colour, (4, 3, 1, 1), (3, 1), outputs=False)
    assert back is not None
    assert torch.equal(back, grey)
    given = with_channels(grey[0, :, 0], (7, 1), (1, 3), outputs=True)
    assert given is not None
    assert given[:, 0].tolist() == [3, 6, 3, 6, 3, 6, 9]
    mean = with_channels(torch.tensor([1.0, 2, 3, 4, 5, 9, 0]), (3,), (3, 1), outputs=True)
    assert mean is not None
    assert mean.tolist() == [3, 5, 0]


@pytest.mark.parametrize("name", ["denoise-s", "up-s"])
def test_networks_of_other_depths_share_the_first_layer_in_colour_too(name: str) -> None:
    about = architecture_of(name, 1, scale=SCALES.get(name))
    source = build(Architecture("a", about.kind, {**about.settings, "depth": 2})).eval()
    network = build(Architecture("b", about.kind, {**about.settings, "depth": 3, "channels": 3})).eval()
    taken = take_over(network, source.state_dict(), source)
    assert taken is not None
    assert list(taken.spread) == ["layers.0"]
