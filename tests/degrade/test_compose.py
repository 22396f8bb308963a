"""Composition in order with one generator, and the errors of spec strings."""

import pytest
import torch

from cuello.core.errors import CuelloError
from cuello.core.mixtures import MIXTURES
from cuello.core.seeding import generator
from cuello.degrade import Composition, Range, has_range, parse
from cuello.degrade.impulses import Invert, SaltPepper
from cuello.degrade.noise import Gaussian
from cuello.degrade.optics import Blur


def random(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_parts_are_applied_in_order_with_one_generator():
    images = torch.rand(2, 3, 9, 11, generator=random(0))
    stream = random(7)
    expected = Gaussian(sigma=10)(SaltPepper(amount=0.3)(images, stream), stream)
    both = Composition((SaltPepper(amount=0.3), Gaussian(sigma=10)))
    assert torch.equal(both(images, random(7)), expected)
    other_order = Composition((Gaussian(sigma=10), SaltPepper(amount=0.3)))
    assert not torch.equal(other_order(images, random(7)), expected)


def test_two_equal_parts_draw_different_numbers():
    images = torch.full((1, 1, 64, 64), 0.5)
    twice = parse("gaussian:10+gaussian:10")(images, random(0))
    # Independent noises add their variances; the same noise twice would double the standard deviation.
    assert abs((twice - 0.5).std().item() * 255 / 10 - 2**0.5) < 0.1


def test_a_composition_leaves_its_input_as_it_was():
    images = torch.rand(1, 1, 8, 8, generator=random(0))
    before = images.clone()
    parse("invert:3+none")(images, random(0))
    assert torch.equal(images, before)


def test_the_parts_and_their_spec_string():
    both = parse("blur:1.5+gaussian:5..50,clip=no")
    assert both == Composition((Blur(sigma=1.5), Gaussian(sigma=Range(5, 50), clip=False)))
    assert both.name == "blur+gaussian"
    assert both.spec() == "blur:1.5+gaussian:5..50,clip=no"
    assert parse(both.spec()) == both
    assert hash(parse(both.spec())) == hash(both)
    assert repr(both) == "Composition('blur:1.5+gaussian:5..50,clip=no')"
    assert both != parse("gaussian:5..50,clip=no+blur:1.5")


def test_has_range_typical_and_sweep_of_a_composition():
    both = parse("blur:1+gaussian:5..50")
    assert has_range(both)
    assert not has_range(both.typical())
    assert both.typical().spec() == "blur:1+gaussian:27.5"
    assert both.with_main(2).spec() == "blur:2+gaussian:5..50"
    assert not has_range(parse("blur:1+gaussian:5"))


@pytest.mark.parametrize(
    ("spec", "degradation"),
    [
        ("salt-pepper", SaltPepper()),
        (" salt-pepper:0.2 ", SaltPepper(amount=0.2)),
        ("salt-pepper:0.4", SaltPepper(amount=0.4)),
        ("salt-pepper:0.1..0.9,per=channel", SaltPepper(amount=Range(0.1, 0.9), per="channel")),
        ("salt-pepper:salt=1,amount=0.3,draws=exact", SaltPepper(amount=0.3, salt=1, draws="exact")),
        ("gaussian: 25 , clip = no", Gaussian(sigma=25, clip=False)),
        ("invert:3..5", Invert(count=Range(3, 5))),
    ],
)
def test_spec_strings_that_are_understood(spec, degradation):
    assert parse(spec) == degradation


@pytest.mark.parametrize(
    ("spec", "parts"),
    [
        ("salt-peper:0.2", ["noise called 'salt-peper'", "Did you mean 'salt-pepper'?", "Known: salt-pepper, invert"]),
        ("", ["noise called ''", "Known: salt-pepper"]),
        ("blur:1+gausian:5", ["'gausian'", "Did you mean 'gaussian'?"]),
        ("salt-pepper:amont=0.2", ["no parameter 'amont'", "Did you mean 'amount'?", "amount, salt, per, draws"]),
        ("salt-pepper:0.2,0.3", ["'0.3' has no name", "(it is amount)", "write parameter=value"]),
        ("none:0.2", ["'0.2' has no name", "write parameter=value"]),
        ("salt-pepper:0.2,amount=0.3", ["amount is given twice"]),
        ("salt-pepper:2", ["salt-pepper: amount is 2.0, needed 0 to 1"]),
        ("salt-pepper:lots", ["a number or a range such as 0.1..0.9", "'lots'"]),
        ("salt-pepper:0.9..0.1", ["amount is 0.9..0.1", "a range goes from low to high"]),
        ("salt-pepper:0.2,per=row", ["per got 'row'", "needed 'pixel' or 'channel'"]),
        ("gaussian:25,clip=perhaps", ["clip got 'perhaps'"]),
        ("invert:2.5", ["count is 2.5", "whole number"]),
        ("gaussian:nan", ["sigma", "finite"]),
        ("down:1", ["factor is 1.0", "2 to 8 (times)"]),
        ("down:2.5", ["factor is 2.5", "whole number"]),
        ("down:2..4", ["factor is 2..4", "needed one number"]),
        ("down:2,method=cubic", ["method got 'cubic'", "'bicubic'"]),
        ("resize:9", ["factor is 9.0", "2 to 8 (times)"]),
    ],
)
def test_a_mistake_in_a_spec_string_says_what_to_write(spec, parts):
    with pytest.raises(CuelloError) as caught:
        parse(spec)
    for part in parts:
        assert part in str(caught.value)


@pytest.mark.parametrize(("name", "scale"), [("real-x2", 2), ("real-x4", 4)])
def test_a_name_stands_for_what_belongs_together(name: str, scale: int) -> None:
    mixture = parse(name)
    assert isinstance(mixture, Composition)
    assert mixture.spec() == MIXTURES[name] == parse(MIXTURES[name]).spec()
    assert (mixture.name, mixture.scale, mixture.network) == ("blur+down+gaussian+jpeg", scale, "up-s")
    images = torch.rand(2, 3, 8 * scale, 12 * scale, generator=generator(0, "images"))
    small, level, strength = mixture.with_values(images, generator(0, "noise"))
    assert small.shape == (2, 3, 8, 12)
    assert level is not None
    assert strength is None
    assert torch.equal(small, mixture(images, generator(0, "noise")))
    torch.testing.assert_close(small * 255, (small * 255).round(), atol=1e-3, rtol=0)
    assert parse(f" {name} +missing:0.1").spec() == f"{MIXTURES[name]}+missing:0.1"


def test_a_name_of_a_mixture_takes_no_values() -> None:
    with pytest.raises(CuelloError, match=r"real-x2 stands for blur.* takes no values"):
        parse("real-x2:3")


def test_the_scale_of_a_composition_is_the_product_and_so_is_the_size():
    both = parse("blur:1+down:2+gaussian:5+down:3+jpeg:60")
    assert both.scale == 6
    assert both(torch.rand(2, 3, 13, 24, generator=random(0)), random(1)).shape == (2, 3, 3, 4)
    assert parse("blur:1+resize:2+gaussian:5").scale == 1


def test_a_sweep_of_a_composition_leaves_the_size_as_it_is():
    both = parse("down:2+gaussian:5+jpeg:60")
    assert both.varies
    assert both.with_main(9).spec() == "down:2+gaussian:9+jpeg:60"
    for spec in ("down:2", "down:2+down:3", "none+blur:1"):
        assert not parse(spec).varies
        with pytest.raises(CuelloError, match=f"'{spec[:4]}' has no parameter that a sweep could vary"):
            parse(spec).with_main(3)


def test_the_noise_level_of_a_composition_adds_variances():
    images = torch.full((4, 1, 8, 8), 0.5)
    _, level, _ = parse("gaussian:3+down:2+gaussian:4").with_values(images, random(0))
    assert level is not None
    torch.testing.assert_close(level, torch.full((4, 1, 1, 1), 5 / 255))
    assert parse("blur:1+jpeg:60").with_values(images, random(0)).level is None
