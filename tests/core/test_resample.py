import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from torch import Tensor

from cuello.core.errors import CuelloError
from cuello.core.resample import ResizeMethod, cubic_kernel, lanczos_kernel, output_side, resize, resize_matrix

METHODS: tuple[ResizeMethod, ...] = ("bicubic", "bilinear", "lanczos", "area", "nearest")
sides = st.integers(1, 17)
methods = st.sampled_from(METHODS)
scales = st.sampled_from((0.2, 0.25, 1 / 3, 0.5, 0.7, 1.0, 1.5, 2.0, 3.0, 4.0))
seeds = st.integers(0, 2**32 - 1)


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


# Values worked by hand


def test_keys_cubic() -> None:
    """At 1/4: 1.5/64 - 2.5/16 + 1 = .8671875; at 7/4: -.5·5.359375 + 2.5·3.0625 - 7 + 2 = -.0234375."""
    assert cubic_kernel(np.array([0, 0.25, -0.25, 1, 1.75, -1.75, 2, 9])).tolist() == [
        1, 0.8671875, 0.8671875, 0, -0.0234375, -0.0234375, 0, 0,
    ]  # fmt: skip


def test_lanczos_of_three_lobes() -> None:
    """At 3/2, sin(3π/2) / (3π/2) · sin(π/2) / (π/2) = -4 / (3 π²)."""
    found = lanczos_kernel(np.array([0, 1, 2, 1.5, 3, 4]))
    assert found == pytest.approx([1, 0, 0, -4 / (3 * np.pi**2), 0, 0], abs=1e-15)


def test_bicubic_halving_weighs_eight_pixels() -> None:
    """Centres lie between two pixels; the widened cubic is met at 1/4, 3/4, 5/4 and 7/4, times 1/2."""
    row = resize_matrix(16, 8, 0.5)[4]
    side = np.array([0.8671875, 0.2265625, -0.0703125, -0.0234375]) / 2
    assert row[5:13].tolist() == pytest.approx([*side[::-1], *side])
    assert np.count_nonzero(row) == 8


def test_bicubic_doubling_mirrors_the_edge() -> None:
    """Output 0 is centred at -1/4 and meets pixels -2 to 1 at distances 7/4, 3/4, 1/4, 5/4; -1 is 0, -2 is 1."""
    row = resize_matrix(4, 8, 2.0)[0]
    assert row.tolist() == pytest.approx([0.2265625 + 0.8671875, -0.0703125 - 0.0234375, 0, 0])


def test_bilinear_without_antialiasing_takes_the_two_nearest() -> None:
    """Quartering puts the centres at 1.5 and 5.5."""
    row = torch.arange(8.0).view(1, 1, 1, 8) ** 2
    found = resize(row, (1, 2), method="bilinear", antialias=False)
    assert found.flatten().tolist() == [(1 + 4) / 2, (25 + 36) / 2]


def test_area_shares_a_pixel_between_two() -> None:
    """Three pixels to two: each result covers one and a half."""
    found = resize(torch.tensor([[[[3.0, 6.0, 9.0]]]]), (1, 2), method="area")
    assert found.flatten().tolist() == pytest.approx([(3 + 3) / 1.5, (3 + 9) / 1.5])


def test_nearest_takes_pixels_as_they_are() -> None:
    image = torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]])
    assert resize(image, scale=3, method="nearest")[0, 0].tolist() == [
        *[[1, 1, 1, 2, 2, 2]] * 3,
        *[[3, 3, 3, 4, 4, 4]] * 3,
    ]
    assert resize(torch.arange(6.0).view(1, 1, 1, 6), (1, 2), method="nearest").flatten().tolist() == [1, 4]


def test_sides_are_rounded_up() -> None:
    assert output_side(5, 0.5) == 3
    assert output_side(10, 0.3) == 3
    assert resize(noise(2, 3, 5, 7), scale=0.5).shape == (2, 3, 3, 4)
    assert resize(noise(2, 3, 5, 7), (9, 2)).shape == (2, 3, 9, 2)


# Laws


@given(methods, scales, sides, sides, st.booleans())
def test_a_flat_image_stays_flat(method: ResizeMethod, scale: float, height: int, width: int, smooth: bool) -> None:
    found = resize(torch.full((1, 1, height, width), 0.3), scale=scale, method=method, antialias=smooth)
    assert torch.allclose(found, torch.tensor(0.3), atol=1e-6)


@given(methods, st.sampled_from((0.25, 1 / 3, 0.5, 2.0, 3.0, 4.0)), st.integers(1, 5), seeds)
def test_a_mirrored_image_gives_the_mirrored_result(method: ResizeMethod, scale: float, units: int, seed: int) -> None:
    """Sides are multiples of twelve, so that no size is rounded; nearest's ties break the mirror when it shrinks."""
    if method == "nearest" and scale < 1:
        return
    images = noise(1, 2, 12, 12 * units, seed=seed)
    found = resize(images.flip(-1, -2), scale=scale, method=method)
    assert torch.allclose(found, resize(images, scale=scale, method=method).flip(-1, -2), atol=1e-5)


@given(methods, sides, sides, st.booleans(), seeds)
def test_scale_one_changes_nothing(method: ResizeMethod, height: int, width: int, smooth: bool, seed: int) -> None:
    images = noise(2, 1, height, width, seed=seed)
    assert torch.allclose(resize(images, scale=1, method=method, antialias=smooth), images, atol=1e-6)
    assert torch.allclose(resize(images, (height, width), method=method, antialias=smooth), images, atol=1e-6)


@given(methods, scales, seeds)
def test_rows_and_columns_are_treated_alike(method: ResizeMethod, scale: float, seed: int) -> None:
    images = noise(1, 1, 6, 11, seed=seed)
    turned = resize(images.mT, scale=scale, method=method).mT
    assert torch.allclose(resize(images, scale=scale, method=method), turned, atol=1e-6)


# References: Pillow has the same kernels but cuts them at the edges instead of mirroring, so the inside is compared


@pytest.mark.parametrize(
    ("method", "filtering"),
    [
        ("bicubic", Image.Resampling.BICUBIC),
        ("bilinear", Image.Resampling.BILINEAR),
        ("lanczos", Image.Resampling.LANCZOS),
    ],
)
@pytest.mark.parametrize("factor", [1 / 4, 1 / 3, 1 / 2, 2, 3])
def test_the_inside_agrees_with_pillow(method: ResizeMethod, filtering: Image.Resampling, factor: float) -> None:
    pixels = noise(72, 96, seed=1).numpy()
    height, width = round(72 * factor), round(96 * factor)
    expected = np.asarray(Image.fromarray(pixels).resize((width, height), filtering))
    found = resize(torch.from_numpy(pixels)[None, None], scale=factor, method=method)[0, 0].numpy()
    edge = max(4, round(4 * factor))
    assert np.abs(found - expected)[edge:-edge, edge:-edge].max() < 2e-6


def test_area_agrees_with_pillows_reduce_everywhere() -> None:
    pixels = noise(24, 36, seed=2).numpy()
    expected = np.asarray(Image.fromarray(pixels).reduce(3))
    found = resize(torch.from_numpy(pixels)[None, None], scale=1 / 3, method="area")[0, 0].numpy()
    assert np.abs(found - expected).max() < 2e-7


def test_bicubic_agrees_with_torchs_inside() -> None:
    images = noise(1, 3, 40, 40, seed=3)
    expected = torch.nn.functional.interpolate(images, scale_factor=0.5, mode="bicubic", antialias=True)
    assert torch.allclose(resize(images, scale=0.5)[..., 4:-4, 4:-4], expected[..., 4:-4, 4:-4], atol=1e-6)


def test_gradients_flow() -> None:
    images = noise(1, 1, 6, 5).double().requires_grad_()
    assert torch.autograd.gradcheck(lambda x: resize(x, scale=0.5), images)


# Mistakes


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"scale": 2, "size": (4, 4)}, "exactly one"),
        ({}, "exactly one"),
        ({"scale": 0}, "above 0"),
        ({"scale": float("nan")}, "above 0"),
        ({"size": (0, 4)}, "at least one pixel"),
        ({"scale": 2, "method": "cubic"}, "bicubic, bilinear"),
        ({"scale": 2, "edges": "wrap"}, "edges 'wrap', needed one of: mirror, repeat"),
    ],
)
def test_what_cannot_be_is_refused(change: dict, said: str) -> None:
    with pytest.raises(CuelloError, match=said):
        resize(noise(1, 1, 4, 4), **change)


def test_other_arrays_are_refused() -> None:
    with pytest.raises(CuelloError, match="floating-point"):
        resize(noise(4, 4), scale=2)
    with pytest.raises(CuelloError, match="divide"):
        resize(torch.zeros(1, 1, 4, 4, dtype=torch.uint8), scale=2)


def test_edges_by_hand() -> None:
    """Halving weighs eight pixels by -3 -9 29 111 111 29 -9 -3 of 256; here three of them lie before the image."""
    weights = np.array([-3, -9, 29, 111, 111, 29, -9, -3]) / 256
    mirrored, repeated = (resize_matrix(16, 8, 0.5, edges=edges)[0] for edges in ("mirror", "repeat"))
    assert repeated[:5] == pytest.approx([weights[:4].sum(), *weights[4:]])
    assert mirrored[:5] == pytest.approx(weights[3:] + np.array([*weights[2::-1], 0, 0]))


@pytest.mark.parametrize(("size", "expected"), [((1, 1), 1), ((1, 2), [1, 1]), ((2, 1), [1, 2])])
def test_eight_bits_are_rounded_after_either_axis(size: tuple[int, int], expected: int | list[int]) -> None:
    """0 1 above 2 1: down the columns first 1 1, then 1; across first .5 1.5, up to 1 2, then 1.5, up to 2."""
    image = torch.tensor([[[[0.0, 1], [2, 1]]]]) / 255
    found = resize(image, size, method="area", eight_bits=True) * 255
    assert found.flatten().tolist() == pytest.approx(np.ravel(expected), abs=1e-4)


@given(height=sides, width=sides, scale=st.sampled_from([0.3, 0.5, 2.0]), seed=seeds)
def test_eight_bits_are_about_a_level_from_the_exact_values(height: int, width: int, scale: float, seed: int) -> None:
    """Half a level after one axis, times at most 1.3 (the sum of a row's weights without their signs), and half more.

    The values are far enough from black and white that nothing is cut.
    """
    image = (64 + (noise(1, 1, height, width, seed=seed) * 128).round()) / 255
    rounded = resize(image, scale=scale, eight_bits=True) * 255
    assert float((rounded - resize(image, scale=scale) * 255).abs().max()) <= 1.15 + 1e-3
    assert torch.allclose(rounded, rounded.round(), atol=1e-3)
