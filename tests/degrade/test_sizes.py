"""Smaller images, and smaller and large again: sizes, values by hand, and Pillow's enlarging as a reference."""

import numpy as np
import pytest
import torch
from PIL import Image

from cuello.core.resample import resize
from cuello.degrade import Range, parse
from cuello.degrade.sizes import Down, Resize


def random(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def levels(*shape: int, seed: int = 0) -> torch.Tensor:
    """Images of 8 bits."""
    return torch.randint(0, 256, shape, generator=random(seed)) / 255


@pytest.mark.parametrize("factor", [2, 3, 4, 8])
def test_a_side_becomes_its_share_rounded_up(factor):
    small = Down(factor=factor)(levels(2, 3, 24, 25), random(0))
    assert small.shape == (2, 3, 24 // factor, -(-25 // factor))
    assert Down(factor=factor).scale == factor
    assert Resize(factor=factor).scale == 1


def test_the_mean_of_four_by_hand_is_rounded_to_a_level():
    # columns first, halves up: 1, 3 → 2 and 2, 4 → 3, together 2.5 → 3; 1, 1 → 1 and 1, 2 → 1.5 → 2, together 1.5 → 2
    images = torch.tensor([[1.0, 2, 1, 1], [3, 4, 1, 2]]).view(1, 1, 2, 4) / 255
    small = parse("down:2,method=area")(images, random(0))
    assert (small * 255).flatten().tolist() == pytest.approx([3, 2], abs=1e-4)
    unrounded = parse("down:2,method=area,round=no")(images, random(0))
    assert (unrounded * 255).flatten().tolist() == pytest.approx([2.5, 1.25], abs=1e-4)


def test_bicubic_overshoots_and_is_cut_as_a_file_would():
    edge = torch.zeros(1, 1, 16, 16)
    edge[..., 8:] = 1
    assert resize(edge, scale=0.5).min() < 0
    small = parse("down:2,round=no")(edge, random(0))
    assert small.min() == 0
    assert small.max() == 1


def test_every_value_is_a_level_of_eight_bits():
    for spec in ("down:3", "resize:3", "resize:2..4,method=lanczos"):
        values = parse(spec)(torch.rand(3, 1, 17, 19, generator=random(1)), random(2)) * 255
        torch.testing.assert_close(values, values.round(), atol=1e-4, rtol=0)


def test_enlarging_again_is_near_what_pillow_gives():
    """Away from the edge, where Pillow cuts the kernel off and MATLAB mirrors the image."""
    image = levels(1, 1, 32, 40)
    small = parse("down:2")(image, random(0))
    pixels = (small[0, 0] * 255).round().byte().numpy()
    expected = np.asarray(Image.fromarray(pixels).resize((40, 32), Image.Resampling.BICUBIC))
    found = (parse("resize:2")(image, random(0))[0, 0] * 255).round().numpy()
    inside = np.s_[5:-5, 5:-5]
    assert np.abs(found[inside] - expected[inside]).max() <= 1


def test_each_image_of_a_batch_has_the_factor_that_was_drawn_for_it():
    images = levels(1, 1, 24, 24).expand(30, 1, 24, 24)
    mixed = Resize(factor=Range(2, 4))(images, random(3))
    alone = {factor: Resize(factor=factor)(images[:1], random(0))[0] for factor in (2, 3, 4)}
    found = [[factor for factor, one in alone.items() if torch.equal(one, image)] for image in mixed]
    assert all(len(factors) == 1 for factors in found)
    assert {factors[0] for factors in found} == {2, 3, 4}


def test_a_small_image_leaves_its_input_and_takes_its_edge_as_asked():
    image = levels(1, 1, 8, 8)
    before = image.clone()
    mirrored, repeated = (parse(spec)(image, random(0)) for spec in ("down:2", "down:2,edges=repeat"))
    assert torch.equal(image, before)
    assert torch.equal(repeated, resize(image, scale=0.5, edges="repeat", eight_bits=True))
    assert torch.equal(mirrored[..., 1:-1, 1:-1], repeated[..., 1:-1, 1:-1])
    assert not torch.equal(mirrored, repeated)


def test_a_single_pixel_stays_one():
    one = torch.full((1, 3, 1, 1), 0.4)
    for spec in ("down:4", "resize:4"):
        assert parse(spec)(one, random(0)).flatten().tolist() == pytest.approx([0.4] * 3, abs=1e-6)
