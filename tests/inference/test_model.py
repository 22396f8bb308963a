"""A trained network on anything: the same kind, shape and type back; channels, sizes, tiles, refusals."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch import nn
from untrained_models import untrained

import cuello
from cuello.core.errors import CuelloError
from cuello.core.resample import resize
from cuello.core.types import Output
from cuello.degrade.level import estimated_level
from cuello.inference import model as inference
from cuello.inference.model import Model
from cuello.models.base import ImageNetwork

COLOUR, GREY = untrained("unet-s", 3), untrained("unet-s", 1)
LARGER, LARGER_GREY = untrained("espcn", 3, 2), untrained("espcn", 1, 3)


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


@pytest.mark.parametrize("mode", ["P", "CMYK", "YCbCr", "HSV", "RGBX"])
def test_other_pillow_modes_become_rgb(mode: str) -> None:
    image = Image.fromarray(pixels(8, 8, 3)).convert(mode)
    restored = COLOUR(image)
    assert restored.mode == "RGB"
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
    image[..., 3] |= 1  # none is hidden
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
    told: list[tuple[float, float]] = []
    restored = GREY.restore(image, progress=lambda event: told.append((event.done, event.total)))
    assert told == [(done, 4) for done in range(1, 5)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inference, "TILE", 1024)
        whole = GREY.restore(image)
    assert np.abs(restored.astype(int) - whole).max() <= 1


class WholeImage(ImageNetwork):
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
        (np.zeros((2, 3, 8, 9), np.uint8), r"channels seem to come first.*transpose\(0, 2, 3, 1\)"),
        (np.ma.masked_less(np.arange(16.0).reshape(4, 4) / 16, 0.5), "masked values; fill them first"),
        (Image.new("F", (4, 4), 1.5), "mode F: the image holds floats from 1.5 to 1.5; needed 0 to 1"),
        (Image.new("F", (4, 4), float("nan")), "mode F: .*not numbers"),
        (Image.new("I", (4, 4), 70_000), "mode I: the image has pixels of type int32"),
        (Image.new("I", (4, 4), -1), "mode I: the image has pixels of type int32"),
        (Image.new("LAB", (4, 4)), "mode LAB: its colours are stored as LAB; save it as RGB"),
        (Image.new("RGB", (0, 4)), "empty"),
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


# Networks that make images larger

both_scales = pytest.mark.parametrize("model", [LARGER, LARGER_GREY], ids=["colour, 2", "grey, 3"])


def larger(shape: tuple[int, ...], scale: int, rows: int) -> tuple[int, ...]:
    """The shape of a result; rows: which axis is the height."""
    return tuple(scale * side if axis in (rows, rows + 1) else side for axis, side in enumerate(shape))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float16, np.float32, np.float64])
@pytest.mark.parametrize(
    ("shape", "rows"),
    [((9, 13), 0), ((9, 13, 1), 0), ((9, 13, 3), 0), ((9, 13, 4), 0), ((2, 9, 13), 1), ((2, 9, 13, 3), 1),
     ((1, 1), 0), ((1, 1, 3), 0), ((2, 1, 1, 4), 1)],
)  # fmt: skip
@both_scales
def test_an_array_becomes_a_larger_one_of_its_type(model: Model, shape: tuple[int, ...], rows: int, dtype: Any) -> None:
    image = pixels(*shape, dtype=dtype)
    before = image.copy()
    found = model(image)
    assert (found.shape, found.dtype) == (larger(shape, model.scale, rows), image.dtype)
    assert np.array_equal(image, before)


@pytest.mark.parametrize("shape", [(3, 9, 13), (2, 3, 9, 13), (5, 1, 4, 4), (1, 3, 1, 1)])
@both_scales
def test_a_tensor_and_a_pillow_image_become_larger(model: Model, shape: tuple[int, ...]) -> None:
    image = torch.rand(shape).to(torch.float64)
    found = model(image)
    assert (tuple(found.shape), found.dtype) == (larger(shape, model.scale, len(shape) - 2), torch.float64)
    for mode in ("L", "LA", "RGB", "RGBA", "I;16"):
        picture = Image.new(mode, (5, 4), None if mode != "I;16" else 300)
        result = model(picture)
        assert (result.mode, result.size) == (mode, (5 * model.scale, 4 * model.scale))


@settings(max_examples=30, deadline=None)
@given(height=st.integers(1, 30), width=st.integers(1, 30), tile=st.integers(1, 12), channels=st.sampled_from([1, 3]))
@both_scales
def test_a_larger_image_in_tiles_is_that_of_the_whole(
    model: Model, height: int, width: int, tile: int, channels: int
) -> None:
    image = pixels(height, width, channels, dtype=np.float32)
    whole = model(image)
    before = inference.TILE
    inference.TILE = tile
    try:
        tiled = model(image)
    finally:
        inference.TILE = before
    np.testing.assert_allclose(tiled, whole, atol=1e-5)


def test_a_larger_image_is_the_networks_output() -> None:
    image = pixels(8, 12, 3, dtype=np.float32)
    x = torch.from_numpy(image).permute(2, 0, 1)[None]
    expected = LARGER.network(x).image.detach().clamp(0, 1)
    np.testing.assert_allclose(LARGER(image), expected[0].permute(1, 2, 0).numpy(), atol=1e-6)
    np.testing.assert_allclose(LARGER.restore_batch(x).numpy(), expected.numpy(), atol=1e-6)


def test_transparency_is_enlarged_bicubically_within_its_own_range() -> None:
    image = pixels(8, 12, 4)
    image[:, :, 3] = np.where(np.arange(12) < 6, 40, 200)
    found = LARGER(image)
    assert np.array_equal(found[..., :3], LARGER(image[..., :3]))
    alpha = resize(torch.from_numpy(image[..., 3].astype(np.float64))[None, None], scale=2)[0, 0].numpy()
    assert alpha.min() < 40, "bicubic overshoots here"
    assert np.array_equal(found[..., 3], alpha.clip(40, 200).round().astype(np.uint8))


def test_a_range_and_its_transparency_are_enlarged_in_their_own_units() -> None:
    ranged = Model(replace(LARGER.artefact, training={"range": "-100..900"}), LARGER.network)
    image = np.random.default_rng(0).integers(-100, 901, (6, 5, 4)).astype(np.int16)
    image[..., 3] = 7
    found = ranged(image)
    assert (found.shape, found.dtype) == ((12, 10, 4), np.int16)
    assert (found[..., 3] == 7).all()
    shares = ((image[..., :3] + 100) / 1000).astype(np.float32)
    np.testing.assert_allclose(found[..., :3], LARGER(shares) * 1000 - 100, atol=0.51)


# Networks that take the noise level


class Shift(ImageNetwork):
    """Adds the noise level; remembers every level it is told."""

    receptive_field, channels, conditioning = 3, 3, "level"

    def __init__(self) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(()))
        self.told: list[float] = []

    def forward(self, x: torch.Tensor, condition: torch.Tensor | None = None) -> Output:
        assert condition is not None
        assert condition.shape == (len(x), 1, 1, 1)
        self.told += condition.flatten().tolist()
        return Output(x + condition)


@pytest.fixture
def shift() -> Model:
    return Model(COLOUR.artefact, Shift())


def told(model: Model) -> list[float]:
    """Return the levels that a model with the network Shift was told."""
    assert isinstance(model.network, Shift)
    return model.network.told


def test_the_level_that_is_said_is_told_to_every_tile(shift: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inference, "TILE", 8)
    image = pixels(20, 30, 3, dtype=np.float32) * 0.5
    np.testing.assert_allclose(shift(image, 0.25), image + 0.25, atol=1e-6)
    assert set(told(shift)) == {0.25}
    assert len(told(shift)) == 12


def test_by_default_the_level_is_estimated_once_for_the_whole_image(
    shift: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inference, "TILE", 8)
    image = pixels(20, 30, 3, dtype=np.float32)
    image[:, :15] = 0.5  # a tile there alone would be without noise
    shift(image)
    whole = float(estimated_level(torch.from_numpy(image).permute(2, 0, 1)[None]))
    assert told(shift) == pytest.approx([whole] * 12)
    batch = torch.from_numpy(np.stack([image, image / 2])).permute(0, 3, 1, 2)
    told(shift).clear()
    shift.restore_batch(batch)
    assert told(shift) == pytest.approx(estimated_level(batch).flatten().tolist())


@pytest.mark.parametrize("level", [-0.1, 1.5, float("nan")])
def test_a_level_that_cannot_be_is_refused(shift: Model, level: float) -> None:
    with pytest.raises(CuelloError, match="needed 0 to 1, in units of white"):
        shift(pixels(4, 4, 3), level)


def test_a_level_for_a_network_that_takes_none_is_refused() -> None:
    with pytest.raises(CuelloError, match=r"takes no noise level, got 0\.1"):
        COLOUR(pixels(4, 4, 3), 0.1)


def test_a_loaded_network_is_folded_and_gives_the_same(
    tmp_path: Path, images: Path, make_image: Callable[..., np.ndarray]
) -> None:
    run = cuello.train(
        "upscale", images, scale=2, model="up-s", crop=16, samples=8, epochs=1, report=False, output=tmp_path / "run",
        device="cpu", threads=1,
    )  # fmt: skip
    model = cuello.load(run.path)
    wide = Model(model.artefact, model.artefact.network())
    assert sum(p.numel() for p in model.network.parameters()) < sum(p.numel() for p in wide.network.parameters())
    image = make_image(3, 11, 14).astype(np.float32) / 255
    np.testing.assert_allclose(model(image), wide(image), atol=1e-4)


@pytest.mark.parametrize("range", [None, "0..255", "auto"])
def test_hidden_colours_of_arrays_never_reach_visible_ones(
    model: Model, make_image: Callable[..., np.ndarray], range: Any
) -> None:
    pixels = np.concatenate([make_image(0, 12, 14), np.full((12, 14, 1), 255, np.uint8)], axis=2)
    pixels[3:9, 4:10, 3] = 0
    pixels[3:9, 4:10, :3] = 0
    spoiled = pixels.copy()
    spoiled[3:9, 4:10, :3] = np.random.default_rng(1).integers(0, 256, (6, 6, 3))
    one, other = model(pixels, range=range), model(spoiled, range=range)
    seen = pixels[..., 3] > 0
    assert np.array_equal(one[seen], other[seen])
    assert np.array_equal(other[~seen], spoiled[~seen])
