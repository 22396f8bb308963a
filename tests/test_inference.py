"""A trained network on anything: the same kind, shape and type back; channels, sizes, tiles, refusals."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch import nn

import cuello
from cuello import inference
from cuello.errors import CuelloError
from cuello.inference import Model
from cuello.models.catalog import architecture_of, build
from cuello.runs.artefact import Artefact
from cuello.types import Output


def untrained(name: str, channels: int) -> Model:
    """A network with some weights, of which none is zero."""
    torch.manual_seed(1)
    architecture = architecture_of(name, channels)
    network = build(architecture).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.02)
    return Model(Artefact(architecture, "denoise", None, {}), network)


COLOUR, GREY = untrained("unet-s", 3), untrained("unet-s", 1)


def pixels(*shape: int, dtype: Any = np.uint8, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    if np.dtype(dtype).kind == "f":
        return random.random(shape).astype(dtype)
    return random.integers(0, np.iinfo(dtype).max + 1, shape).astype(dtype)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float16, np.float32, np.float64])
@pytest.mark.parametrize(
    "shape", [(9, 13), (9, 13, 1), (9, 13, 3), (9, 13, 4), (2, 9, 13), (2, 9, 13, 1), (2, 9, 13, 3), (1, 1), (1, 1, 3)]
)
@pytest.mark.parametrize("model", [COLOUR, GREY], ids=["colour", "grey"])
def test_an_array_gives_an_array_of_its_shape_and_type(model: Model, shape: tuple[int, ...], dtype: Any) -> None:
    image = pixels(*shape, dtype=dtype)
    before = image.copy()
    restored = model(image)
    assert type(restored) is np.ndarray
    assert (restored.shape, restored.dtype) == (image.shape, image.dtype)
    assert np.array_equal(image, before)
    assert not np.array_equal(restored, image), "a network that does nothing would pass"


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("shape", [(3, 9, 13), (1, 9, 13), (2, 3, 9, 13), (5, 1, 4, 4), (1, 3, 1, 1)])
@pytest.mark.parametrize("model", [COLOUR, GREY], ids=["colour", "grey"])
def test_a_tensor_gives_a_tensor_of_its_shape_and_type(
    model: Model, shape: tuple[int, ...], dtype: torch.dtype
) -> None:
    image = torch.rand(shape).to(dtype)
    restored = model(image)
    assert isinstance(restored, torch.Tensor)
    assert (restored.shape, restored.dtype, restored.device) == (image.shape, image.dtype, image.device)
    assert not restored.requires_grad
    assert 0 <= float(restored.min()) <= float(restored.max()) <= 1


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
def test_a_pillow_image_gives_a_pillow_image_of_its_mode_and_size(mode: str) -> None:
    image = Image.fromarray(pixels(9, 13, 4), "RGBA").convert(mode)
    restored = COLOUR(image)
    assert isinstance(restored, Image.Image)
    assert (restored.mode, restored.size) == (mode, (13, 9))
    if mode in ("LA", "RGBA"):
        assert np.array_equal(np.asarray(restored)[..., -1], np.asarray(image)[..., -1]), "alpha is kept"


def test_sixteen_bits_of_a_pillow_image_are_kept() -> None:
    levels = pixels(9, 13, dtype=np.uint16)
    restored = GREY(Image.fromarray(levels))
    assert restored.mode == "I;16"
    assert np.array_equal(np.asarray(restored), GREY(levels))


@pytest.mark.parametrize(("mode", "becomes"), [("1", "RGB"), ("P", "RGB"), ("CMYK", "RGB"), ("YCbCr", "RGB")])
def test_other_pillow_modes_become_rgb(mode: str, becomes: str) -> None:
    image = Image.fromarray(pixels(8, 8, 3)).convert(mode)
    restored = COLOUR(image)
    assert restored.mode == becomes
    assert np.array_equal(np.asarray(restored), COLOUR(np.asarray(image.convert("RGB"))))


def test_a_palettes_transparency_is_kept() -> None:
    image = Image.fromarray(pixels(8, 8, 3)).convert("P")
    image.info["transparency"] = 0
    restored = COLOUR(image)
    assert restored.mode == "RGBA"
    assert np.array_equal(np.asarray(restored)[..., 3], np.asarray(image.convert("RGBA"))[..., 3])


def test_a_list_gives_a_list_of_the_same_kinds() -> None:
    mixed = [pixels(8, 9, 3), torch.rand(1, 5, 5), Image.new("L", (4, 6), 90)]
    restored = COLOUR(mixed)
    assert isinstance(restored, list)
    assert [type(item) for item in restored] == [np.ndarray, torch.Tensor, Image.Image]
    assert np.array_equal(restored[0], COLOUR(mixed[0]))
    assert COLOUR([]) == []


def test_every_kind_gives_the_same_pixels() -> None:
    image = pixels(8, 12, 3)
    expected = COLOUR(image)
    assert np.array_equal(np.asarray(COLOUR(Image.fromarray(image))), expected)
    as_float = COLOUR(image.astype(np.float32) / 255)
    assert np.abs(as_float * 255 - expected).max() <= 0.5 + 1e-3
    as_tensor = COLOUR(torch.from_numpy(image.astype(np.float32) / 255).permute(2, 0, 1))
    assert np.array_equal(as_tensor.permute(1, 2, 0).numpy(), as_float)
    as_batch = COLOUR.restore_batch(torch.from_numpy(image.astype(np.float32) / 255).permute(2, 0, 1)[None])
    assert np.allclose(as_batch[0].permute(1, 2, 0).numpy(), as_float, atol=1e-6)
    alone = COLOUR.network(torch.from_numpy(image.astype(np.float32) / 255).permute(2, 0, 1)[None]).image.detach()
    assert np.allclose(alone.clamp(0, 1)[0].permute(1, 2, 0).numpy(), as_float, atol=1e-6)


def test_grey_through_a_colour_network_is_the_mean_of_three_equal_channels() -> None:
    grey = pixels(8, 12, 1, dtype=np.float32)
    expected = COLOUR(np.repeat(grey, 3, axis=2)).mean(axis=2, keepdims=True)
    assert np.allclose(COLOUR(grey), expected, atol=1e-6)
    assert np.array_equal(COLOUR(grey)[..., 0], COLOUR(grey[..., 0]))


def test_colour_through_a_grey_network_goes_channel_by_channel() -> None:
    colour = pixels(8, 12, 3, dtype=np.float32)
    expected = np.stack([GREY(colour[..., channel]) for channel in range(3)], axis=-1)
    assert np.allclose(GREY(colour), expected, atol=1e-6)


def test_alpha_is_kept_and_does_not_touch_the_colours() -> None:
    image = pixels(8, 12, 4)
    restored = COLOUR(image)
    assert np.array_equal(restored[..., 3], image[..., 3])
    assert np.array_equal(restored[..., :3], COLOUR(image[..., :3]))


@settings(max_examples=25, deadline=None)
@given(height=st.integers(1, 23), width=st.integers(1, 23))
def test_sizes_that_are_no_multiple_are_padded_by_their_edge(height: int, width: int) -> None:
    image = pixels(height, width, 3, dtype=np.float32)
    padded = np.pad(image, ((0, -height % 4), (0, -width % 4), (0, 0)), mode="edge")
    restored = COLOUR(image)
    assert restored.shape == image.shape
    assert np.allclose(restored, COLOUR(padded)[:height, :width], atol=1e-6)
    batch = COLOUR.restore_batch(torch.from_numpy(image).permute(2, 0, 1)[None])
    assert np.allclose(batch[0].permute(1, 2, 0).numpy(), restored, atol=1e-5)


def test_large_images_are_run_in_tiles_that_progress_counts() -> None:
    image = pixels(300, 270, 1)
    told: list[tuple[int, int]] = []
    restored = GREY.restore(image, progress=lambda done, total: told.append((done, total)))
    assert told == [(done, 4) for done in range(1, 5)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inference, "TILE", 1024)
        whole = GREY.restore(image)
    assert np.abs(restored.astype(int) - whole).max() <= 1


class WholeImage(nn.Module):
    channels, stride, receptive_field = 1, 1, None

    def forward(self, x: torch.Tensor, condition: None = None) -> Output:
        return Output(x - x.mean((2, 3), keepdim=True) + 0 * self.bias)

    def __init__(self) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(()))


def test_a_network_that_sees_the_whole_image_is_never_tiled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inference, "TILE", 8)
    model = Model(GREY.artefact, WholeImage())
    image = pixels(20, 30, 1, dtype=np.float32)
    assert np.allclose(model(image), np.clip(image - image.mean(), 0, 1), atol=1e-6)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (5, "got int, needed a NumPy array, a tensor, a Pillow image or a list"),
        (None, "got NoneType"),
        ("image.png", "got str"),
        (np.zeros((4, 4), np.int32), "got an array of int32, needed uint8, uint16 or floats"),
        (np.zeros((4, 4), bool), "got an array of bool"),
        (np.array([[{}]]), "got an array of object"),
        (np.full((4, 4), 1.5), "floats from 1.5 to 1.5, needed 0 to 1: scale it first"),
        (np.full((4, 4), np.nan), "NaN or infinite values; replace them first"),
        (np.zeros((4,), np.uint8), r"shape \(4,\), needed \(H, W\)"),
        (np.zeros((1, 1, 4, 4, 3), np.uint8), r"needed \(H, W\)"),
        (np.zeros((0, 4, 3), np.uint8), r"shape \(0, 4, 3\)"),
        (np.zeros((2, 4, 4, 5), np.uint8), r"got an image of 5 channels, this network takes 3 \(or 1, 3\)"),
        (torch.zeros(4, 4), r"got a tensor of shape \(4, 4\)"),
        (torch.zeros(3, 4, 4, dtype=torch.uint8), r"type torch.uint8, needed floats in \[0, 1\]"),
        (torch.zeros(0, 3, 4, 4), r"got a tensor of shape \(0, 3, 4, 4\)"),
        (Image.new("F", (4, 4)), "mode 'F'.*give a NumPy array"),
        (Image.new("I", (4, 4)), "mode 'I'.*give a NumPy array"),
        (Image.new("RGB", (0, 4)), "is empty"),
    ],
)
def test_what_cannot_be_restored_is_refused(images: Any, message: str) -> None:
    with pytest.raises(CuelloError, match=message):
        COLOUR(images)


def test_load_by_run_by_file_and_by_string(trained: Any, make_image: Callable[..., np.ndarray]) -> None:
    image = make_image(50)
    by_run, by_file = cuello.load(trained.path), cuello.load(str(trained.model_path))
    assert by_run.channels == 3
    assert np.array_equal(by_run(image), by_file(image))


def test_load_refuses_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(CuelloError, match=r"there is no file"):
        cuello.load(tmp_path / "none.safetensors")
    with pytest.raises(CuelloError, match=r"holds no model.safetensors"):
        cuello.load(tmp_path)
