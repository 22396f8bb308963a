"""Networks that no memory holds: refused by their numbers, before memory is taken."""

import tracemalloc

import pytest
import torch

from cuello.core.errors import CuelloError
from cuello.models.catalog import Architecture, architecture_of, build
from cuello.models.limits import built
from cuello.models.named import find_network

HUGE = [
    "vae:c99999999-2",
    "mlp:35-999999999-2",
    "mlp:35-2000000000000000000000",
    "mlp:" + "9" * 5000 + "-2",
    "mlp:784-" + "65536-" * 60 + "2",
    "mlp:784-65536-65536-65536-65536-2",
    "ae:" + "c2-" * 65 + "2",
    "ae:" + "c2-" * 100000 + "2",
    "ae:c65536-c65536-65536,kernel=255",
    "ae:c16-c8-c8,kernel=999999999",
    "ae:c16-c8-c8,unpadded=99999999999999999999",
    "contractive:784-1000000",
    "vq:c32-c16,entries=999999999",
    "fsq:c32-c4,levels=8-5-5-99999999999",
    "fsq:c32-c100,levels=" + "2-" * 99 + "2",
    "conv-99999999",
    "unet-99999999",
]


@pytest.mark.parametrize("name", HUGE, ids=range(len(HUGE)))
def test_a_name_that_asks_for_too_much_is_refused(name: str) -> None:
    with pytest.raises(CuelloError):
        build(architecture_of(name, 1))


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        ("residual", {"depth": 2_000_000_000}),
        ("residual", {"depth": -1}),
        ("denoiser", {"depth": 2_000_000_000}),
        ("impulse", {"passes": 2_000_000_000}),
        ("fsrcnn", {"mappings": 10**30}),
        ("unet", {"width": 65536, "depth": 5}),
        ("espcn", {"channels": 10**9}),
        ("strided", {"filters": [65536] * 8, "bottom": 255}),
        ("strided", {"filters": [1] * 20}),
        ("convolutional", {"filters": [1] * 31}),
        ("doubled", {"code": 65536, "side": 2**30}),
        ("classifier", {"stages": [[1]] * 1000}),
        ("classifier", {"height": 10**12, "width": 10**12}),
        ("classifier", {"height": 65536, "width": 65536, "dense": [65536]}),
        ("estimator", {"height": 65536, "width": 65536}),
        ("autoencoder", {"height": 65536, "width": 65536, "code": 65536}),
    ],
)
def test_settings_that_ask_for_too_much_are_refused(kind: str, settings: dict[str, object]) -> None:
    with pytest.raises(CuelloError):
        build(Architecture("x", kind, settings))


def test_the_needed_memory_is_said() -> None:
    # 784 x 65536 + 65536 and back, and 65536 x 65536 + 65536 twice with the code between: 33,162 MiB, by hand.
    hidden = 784 * 65536 + 65536 + 65536**2 + 65536 + 65536 * 2 + 2
    back = 2 * 65536 + 65536 + 65536**2 + 65536 + 65536 * 784 + 784
    with pytest.raises(CuelloError, match=rf"need {4 * (hidden + back) / 2**20:,.0f} MiB"):
        build(architecture_of("mlp:784-65536-65536-2", 1))


def test_a_network_within_bounds_has_the_weights_that_its_seed_gives() -> None:
    architecture = architecture_of("mlp:3000-400-2", 1, (1, 3000))  # one layer is large: counted first, then made
    torch.manual_seed(3)
    first = build(architecture).state_dict()
    torch.manual_seed(3)
    bare = torch.nn.Linear(3000, 400)
    assert all(not tensor.is_meta for tensor in first.values())
    assert first["encoder.layers.0.weight"].shape == bare.weight.shape
    torch.manual_seed(3)
    again = build(architecture, most=10 * 2**20).state_dict()
    assert all(torch.equal(first[name], again[name]) for name in first)


def test_counting_takes_no_memory_and_nothing_is_made() -> None:
    tracemalloc.start()
    made = []

    def make() -> torch.nn.Module:
        made.append(1)
        return torch.nn.Linear(2**20, 2**20)

    with pytest.raises(CuelloError, match=r"4,194,308 MiB"):
        built(make, "x")  # type: ignore[arg-type]
    assert made == [1]
    assert tracemalloc.get_traced_memory()[1] < 2**20
    tracemalloc.stop()


def test_a_stride_no_image_has_is_refused() -> None:
    with pytest.raises(CuelloError, match=r"multiple of 1048576 pixels"):
        build(Architecture("x", "strided", {"filters": [1] * 20, "bottom": None}))


def test_known_networks_are_within_the_limits() -> None:
    assert find_network("dncnn-l").settings["depth"] == 17
    assert build(architecture_of("strided-unet", 1)).stride == 32
