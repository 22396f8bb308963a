"""Ways through a code: their ends, their lengths, what they change, what is refused."""

import math

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from cuello.core.errors import CuelloError
from cuello.inference.model import Model
from cuello.latent import along, direction, interpolate, traverse
from cuello.latent.codes import is_code

numbers = st.floats(-50, 50, width=32)
codes = st.integers(1, 6).flatmap(
    lambda count: st.tuples(arrays(np.float32, count, elements=numbers), arrays(np.float32, count, elements=numbers))
)


# Interpolation


@settings(deadline=None)
@given(codes, st.integers(2, 9), st.sampled_from(["straight", "spherical"]))
def test_the_ends_of_a_path_are_exactly_the_ends(pair: tuple, steps: int, path: str) -> None:
    a, b = pair
    opposite = a.astype(np.float64) @ b < -0.999 * np.linalg.norm(a.astype(np.float64)) * np.linalg.norm(b)
    assume(path == "straight" or not opposite)
    found = along(a, b, np.linspace(0, 1, steps), path)  # type: ignore[arg-type]
    assert found.shape == (steps, len(a))
    assert found.dtype == np.float32
    assert np.array_equal(found[0], a)
    assert np.array_equal(found[-1], b)


@settings(deadline=None)
@given(codes, st.floats(0, 1))
def test_a_spherical_path_turns_and_lengthens_evenly(pair: tuple, share: float) -> None:
    a, b = (end.astype(np.float64) for end in pair)
    lengths = np.linalg.norm(a), np.linalg.norm(b)
    assume(min(lengths) > 1e-2)
    cosine = float(np.clip(a @ b / (lengths[0] * lengths[1]), -1, 1))
    assume(-0.999 < cosine < 0.999)
    found = along(a, b, [share], "spherical")[0].astype(np.float64)
    length = np.linalg.norm(found)
    assert length == pytest.approx((1 - share) * lengths[0] + share * lengths[1], rel=1e-5)
    turned = math.acos(np.clip(found @ a / (length * lengths[0]), -1, 1))
    assert turned == pytest.approx(share * math.acos(cosine), abs=2e-3)


def test_a_spherical_path_by_hand() -> None:
    half = along(np.array([2.0, 0.0]), np.array([0.0, 2.0]), [0.5], "spherical")
    assert np.allclose(half, [[math.sqrt(2), math.sqrt(2)]])
    third = along(np.array([1.0, 0.0]), np.array([0.0, 1.0]), [1 / 3], "spherical")
    assert np.allclose(third, [[math.cos(math.pi / 6), math.sin(math.pi / 6)]])


def test_a_straight_path_by_hand() -> None:
    assert along(np.array([1.0, 0.0]), np.array([0.0, 3.0]), [0.25]).tolist() == [[0.75, 0.75]]


@pytest.mark.parametrize("other", [[3.0, 6.0], [0.0, 0.0]], ids=["the same direction", "zero"])
def test_without_a_turn_a_spherical_path_is_straight(other: list[float]) -> None:
    ends = np.array([1.0, 2.0]), np.array(other)
    shares = np.linspace(0, 1, 5)
    assert np.allclose(along(*ends, shares, "spherical"), along(*ends, shares), atol=1e-6)


def test_opposite_codes_have_no_one_spherical_path() -> None:
    with pytest.raises(CuelloError, match=r"opposite directions.*Take the straight path"):
        along(np.array([1.0, 1.0]), np.array([-2.0, -2.0]), [0.5], "spherical")


def test_codes_and_images_give_the_same_path(plain: Model, characters: np.ndarray) -> None:
    a, b = characters[1], characters[2]
    ends = plain.encode(a)[0], plain.encode(b)[0]
    expected = interpolate(plain, *ends, steps=4)
    assert np.array_equal(expected.codes[[0, 3]], np.stack(ends))
    assert expected.images.shape == (4, 7, 5, 1)
    assert np.array_equal(expected.images, plain.decode(expected.codes))
    given = [
        (a, b), (plain.encode(a), plain.encode(b)), (ends[0], b),
        (torch.from_numpy(a).permute(2, 0, 1), torch.from_numpy(b).permute(2, 0, 1)[None]),
        (Image.fromarray((a[..., 0] * 255).astype(np.uint8)), (b * 255).astype(np.uint8)),
        (torch.from_numpy(ends[0]), b),
    ]  # fmt: skip
    for one, other in given:
        assert np.array_equal(interpolate(plain, one, other, steps=4).codes, expected.codes)


def test_codes_in_space(spatial: Model) -> None:
    random = np.random.default_rng(0)
    a, b = random.random((2, 8, 12, 1), dtype=np.float32)
    found = interpolate(spatial, a, b, 3, "spherical")
    assert found.codes.shape == (3, 16, 4, 6)
    assert found.images.shape == (3, 8, 12, 1)
    assert np.array_equal(interpolate(spatial, found.codes[0], found.codes[2], 3, "spherical").codes, found.codes)
    lengths = np.linalg.norm(found.codes.reshape(3, -1).astype(np.float64), axis=1)
    assert lengths[1] == pytest.approx((lengths[0] + lengths[2]) / 2, rel=1e-5)


@pytest.mark.parametrize(
    ("shape", "code"),
    [((16, 4, 6), True), ((1, 16, 4, 6), True), ((16, 4, 1), False), ((8, 12), False), ((8, 12, 1), False),
     ((2, 16, 4, 6), False)],
)  # fmt: skip
def test_codes_in_space_are_told_from_images(spatial: Model, shape: tuple[int, ...], code: bool) -> None:
    assert is_code(spatial, np.zeros(shape, np.float32)) is code
    assert not is_code(spatial, np.zeros(shape, np.uint8))


def test_what_cannot_be_joined(plain: Model, spatial: Model, characters: np.ndarray) -> None:
    with pytest.raises(CuelloError, match="steps: got 1, needed 2 or more"):
        interpolate(plain, characters[0], characters[1], 1)
    with pytest.raises(CuelloError, match=r"no path called 'sphere'\. Did you mean 'spherical'"):
        interpolate(plain, characters[0], characters[1], path="sphere")  # type: ignore[arg-type]
    with pytest.raises(CuelloError, match=r"got 32 images, needed one \(or one code of shape \(2,\)\)"):
        interpolate(plain, characters, characters[1])
    with pytest.raises(CuelloError, match=r"shapes \(16, 4, 4\) and \(16, 6, 4\), needed one"):
        interpolate(spatial, np.zeros((8, 8), np.float32), np.zeros((12, 8), np.float32))
    with pytest.raises(CuelloError, match="this network takes 5×7"):
        interpolate(plain, np.zeros((8, 8)), characters[1])


# Traversal


def test_one_number_is_changed_and_no_other(plain: Model, characters: np.ndarray) -> None:
    start = plain.encode(characters[5])[0]
    found = traverse(plain, characters[5], 1, [-3, 0, 2.5])
    assert found.codes[:, 1].tolist() == [-3, 0, 2.5]
    assert (found.codes[:, 0] == start[0]).all()
    assert np.array_equal(found.images, plain.decode(found.codes))


def test_a_direction_is_added(plain: Model) -> None:
    found = traverse(plain, np.array([1.0, 2.0]), np.array([10.0, -1.0]), [0, 1, 0.5])
    assert found.codes.tolist() == [[1, 2], [11, 1], [6, 1.5]]


def test_numbers_of_codes_in_space_are_counted_along_them(spatial: Model) -> None:
    start = np.zeros((16, 2, 2), np.float32)
    found = traverse(spatial, start, 5, [7])
    assert found.codes[0, 1, 0, 1] == 7
    assert np.count_nonzero(found.codes) == 1
    assert traverse(spatial, start, np.ones_like(start), [2]).codes.min() == 2


def test_a_direction_leads_from_mean_to_mean() -> None:
    random = np.random.default_rng(0)
    codes, labels = random.normal(size=(40, 3, 2, 2)), random.integers(4, size=40)
    found = direction(codes, labels, 1, 3)
    assert np.allclose(found, codes[labels == 3].mean(0) - codes[labels == 1].mean(0), atol=1e-6)
    assert np.allclose(direction(codes, labels, 3, 1), -found)


def test_what_cannot_be_traversed(plain: Model) -> None:
    with pytest.raises(CuelloError, match="axis: got 2, needed 0 to 1: the code has 2 numbers"):
        traverse(plain, np.zeros(2), 2, [0])
    with pytest.raises(CuelloError, match=r"got a direction of shape \(3,\) for a code of shape \(2,\)"):
        traverse(plain, np.zeros(2), np.zeros(3), [0])
    with pytest.raises(CuelloError, match=r"no image has the label 7\. Labels: 0, 1"):
        direction(np.zeros((2, 2)), [0, 1], 0, 7)
    with pytest.raises(CuelloError, match=r"labels of shape \(3,\) for 2 codes"):
        direction(np.zeros((2, 2)), [0, 1, 1], 0, 1)
