"""Tensors from callers: the same checks for every way in, and the same kind back."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

import cuello
from cuello.core.errors import CuelloError
from cuello.data.levels import Levels, ends, parse_levels
from cuello.inference.model import Model, load

GREY = torch.linspace(0.1, 0.9, 2 * 7 * 5).view(2, 1, 7, 5)


@pytest.fixture(scope="module")
def coder(tmp_path_factory: pytest.TempPathFactory) -> Model:
    options: dict[str, Any] = {"samples": 32, "epochs": 1, "report": False, "threads": 1}
    output = tmp_path_factory.mktemp("coder") / "run"
    return load(cuello.train("reconstruct", "glyphs", model="mlp:35-8-2", output=output, **options).path)


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Model:
    options: dict[str, Any] = {"samples": 32, "epochs": 1, "report": False, "threads": 1}
    return load(cuello.train("classify", "glyphs", output=tmp_path_factory.mktemp("judge") / "run", **options).path)


@pytest.fixture
def ways(coder: Model, judge: Model) -> dict[str, Callable[[Any], Any]]:
    return {
        "call": coder,
        "encode": coder.encode,
        "classify": judge.classify,
        "map": lambda images: cuello.occlusion_map(judge.network, images, box=2).maps,
    }


WRONG = {
    "bright": (GREY * 255, "needed 0 to 1"),
    "negative": (GREY * 2 - 1, "needed 0 to 1"),
    "NaN": (GREY * torch.nan, "NaN"),
    "infinity": (GREY / 0, "infin"),
    "bytes": ((GREY * 255).to(torch.uint8), "got .*uint8"),
    "complex": (GREY * 1j, "got .*complex"),
    "truths": (GREY > 0.5, "got .*bool"),
    "one plane": (GREY[0, 0], r"shape \(7, 5\)"),
    "five axes": (GREY[None], r"shape \(1, 2, 1, 7, 5\)"),
    "none": (GREY[:0], r"shape \(0, 1, 7, 5\)"),
    "sparse": (GREY.to_sparse(), "needed a plain one"),
    "without values": (GREY.to("meta"), "needed a plain one"),
}


@pytest.mark.parametrize("what", WRONG)
@pytest.mark.parametrize("way", ["call", "encode", "classify", "map"])
def test_every_way_in_refuses_the_same(ways: dict[str, Callable[[Any], Any]], way: str, what: str) -> None:
    images, said = WRONG[what]
    with pytest.raises(CuelloError, match=said) as error:
        ways[way](images)
    assert ("range" in str(error.value)) == (way == "call" and said == "needed 0 to 1")  # only there it can be stated


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.float8_e4m3fn])
def test_the_type_comes_back_and_rounds_but_once(model: Model, dtype: torch.dtype) -> None:
    images = torch.linspace(0, 1, 3 * 16 * 16).view(1, 3, 16, 16).to(dtype)
    found = model(images)
    assert (found.dtype, found.shape) == (dtype, images.shape)
    assert torch.equal(found, model(images.float()).to(dtype))


def test_strides_and_graphs_make_no_difference(model: Model, ways: dict[str, Callable[[Any], Any]]) -> None:
    wide = torch.rand(1, 3, 16, 24)
    expected = model(wide.transpose(2, 3).contiguous())
    assert torch.equal(model(wide.transpose(2, 3)), expected)
    assert torch.equal(model(wide.transpose(2, 3).contiguous().requires_grad_()), expected)
    assert not model(wide.requires_grad_()).requires_grad
    for name in ("encode", "classify", "map"):
        expected = ways[name](GREY)
        torch.testing.assert_close(ways[name](GREY.double().requires_grad_()), expected, check_dtype=False)
        torch.testing.assert_close(ways[name](GREY.flip(3).flip(3)), expected)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda codes: codes * np.nan, "NaN or infinite"),
        (lambda codes: codes.astype(float) + 1e300, "NaN or infinite"),
        (lambda codes: codes + 1j, "complex"),
        (lambda codes: codes.astype(str), "needed numbers"),
        (lambda codes: [[1.0], [1.0, 2.0]], "needed numbers"),
        (lambda codes: codes[:0], r"shape \(0, 2\)"),
        (lambda codes: codes[..., None], r"shape \(3, 2, 1\), needed \(N, 2\)"),
        (lambda codes: torch.from_numpy(codes) * torch.nan, "NaN or infinite"),
        (lambda codes: torch.from_numpy(codes) * 1j, "complex"),
        (lambda codes: torch.from_numpy(codes).to_sparse(), "needed a plain tensor"),
    ],
)  # fmt: skip
def test_codes_that_are_none_are_refused(coder: Model, change: Callable[[np.ndarray], Any], said: str) -> None:
    with pytest.raises(CuelloError, match=said):
        coder.decode(change(np.zeros((3, 2), np.float32)))


def test_codes_of_any_number_type_mean_the_same(coder: Model) -> None:
    codes = np.array([[1, -2], [0, 3]])
    expected = coder.decode(codes.astype(np.float32))
    for same in (codes, codes.tolist(), codes.astype(">f8"), codes[::-1].copy()[::-1], codes.astype(np.float16)):
        np.testing.assert_array_equal(coder.decode(same), expected)
    graph = torch.from_numpy(codes).double().requires_grad_()
    assert torch.equal(coder.decode(graph), torch.from_numpy(expected).permute(0, 3, 1, 2))


def test_codes_in_space_have_the_network_s_planes(model: Model) -> None:
    codes = model.encode(np.zeros((1, 16, 16, 3), np.uint8))
    assert model.decode(codes).shape == (1, 16, 16, 3)
    assert np.array_equal(model.decode(codes[0]), model.decode(codes))
    for wrong in (codes[:, :-1], codes[..., 0, 0], codes[None]):
        with pytest.raises(CuelloError, match="got codes of shape"):
            model.decode(wrong)


def test_tensors_are_shares_whatever_the_range_of_the_training(trained_with_range: Model) -> None:
    assert trained_with_range.levels == Levels(0, 4095)
    shares = torch.rand(1, 3, 16, 16)
    units = trained_with_range(shares.permute(0, 2, 3, 1).numpy() * 4095)
    torch.testing.assert_close(
        trained_with_range(shares), torch.from_numpy(units / 4095).permute(0, 3, 1, 2), atol=1e-5, rtol=0
    )
    with pytest.raises(CuelloError, match="needed 0 to 1"):
        trained_with_range(shares * 4095)
    asked = trained_with_range(shares * 4095, range="0..4095")
    torch.testing.assert_close(asked, trained_with_range(shares) * 4095, atol=0.05, rtol=0)


@pytest.fixture(scope="module")
def trained_with_range(tmp_path_factory: pytest.TempPathFactory) -> Model:
    folder = tmp_path_factory.mktemp("range")
    random = np.random.default_rng(0)
    np.save(folder / "images.npy", random.integers(0, 4096, (4, 16, 16, 3)).astype(np.uint16))
    run = cuello.train(
        "denoise", folder / "images.npy", noise="gaussian:25", range="0..4095", model="conv-8-16-8", crop=16,
        samples=4, epochs=1, output=folder / "run", report=False, threads=1,
    )  # fmt: skip
    return load(run.path)


@given(st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=5), st.sampled_from([np.float32, np.float64]))
def test_the_range_that_an_error_names_is_taken(values: list[float], dtype: Any) -> None:
    array = np.array(values, dtype) / dtype(3)
    levels = parse_levels(ends(array) if array.any() else "0..1")
    assert levels is not None
    shares = levels.scaled(array, "the array")
    assert ((shares >= 0) & (shares <= 1)).all()


def test_the_way_out_that_is_named_works(model: Model) -> None:
    images = torch.rand(1, 3, 16, 16) * 3 - 1
    with pytest.raises(CuelloError) as error:
        model(images)
    named = str(error.value).rsplit("range='", 1)[1].removesuffix("'.")
    assert model(images, range=named).shape == images.shape
    assert isinstance(model(images, range="auto"), Tensor)
