"""One contract for every degradation of the table; a new entry is held to it without a new test."""

import re
from typing import Any, Literal, get_args, get_origin

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cuello.core.errors import CuelloError
from cuello.degrade import DEGRADATIONS, Degradation, Range, has_range, parse

CLASSES = list(DEGRADATIONS)
NOT_RANDOM = {"blur", "jpeg", "none", "down", "resize"}
SMALL = {("missing-blocks", "count"): 12, ("invert", "count"): 9, ("blur", "sigma"): 6}
"""Upper limits where a value within the documented ones would be slow, or too much for the smallest image here."""

every_degradation = pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.name)
every_random_one = pytest.mark.parametrize(
    "cls", [cls for cls in CLASSES if cls.name not in NOT_RANDOM], ids=lambda cls: cls.name
)
every_sweepable_one = pytest.mark.parametrize("cls", [cls for cls in CLASSES if cls().varies], ids=lambda cls: cls.name)


def random(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def grey_levels(*shape: int, seed: int = 0) -> torch.Tensor:
    """Images between dark and light grey, so that black, white and inverted pixels show."""
    return 0.1 + 0.3 * torch.rand(shape, generator=random(seed))


def limits_of(cls: type[Degradation], name: str) -> dict[str, Any]:
    return cls().quantities()[name][1]


@st.composite
def degradations(draw: st.DrawFn, cls: type[Degradation], small: bool = False) -> Degradation:
    """Any degradation of a class, each quantity a number or a range within its limits."""
    settings: dict[str, Any] = {}
    for name, field in cls.model_fields.items():
        if isinstance(field.json_schema_extra, dict):
            limits = limits_of(cls, name)
            high = min(limits["high"], SMALL.get((cls.name, name), limits["high"])) if small else limits["high"]
            if limits["whole"]:
                number = st.integers(int(limits["low"]), int(high)).map(float)
            else:
                number = st.floats(limits["low"], high, allow_nan=False)
            both = st.tuples(number, number).map(lambda pair: Range(min(pair), max(pair)))
            settings[name] = draw(number | both if limits["ranged"] else number)
        elif get_origin(field.annotation) is Literal:
            settings[name] = draw(st.sampled_from(get_args(field.annotation)))
        else:
            assert field.annotation is bool
            settings[name] = draw(st.booleans())
    return cls(**settings)


@every_degradation
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_its_spec_string_gives_it_back(cls, data):
    degradation = data.draw(degradations(cls))
    assert parse(degradation.spec()) == degradation


@every_degradation
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_any_image_size_keeps_shape_by_its_scale_type_and_input_and_gives_numbers(cls, data):
    degradation = data.draw(degradations(cls, small=True))
    sides = st.integers(3, 13)
    shape = data.draw(st.tuples(st.integers(1, 3), st.sampled_from([1, 3]), sides, sides), label="N, C, H, W")
    images = grey_levels(*shape)
    before = images.clone()
    degraded = degradation(images, random(1))
    assert degraded.shape == (*shape[:2], *(-(-side // degradation.scale) for side in shape[2:]))
    assert degraded.dtype == torch.float32
    assert torch.equal(images, before)
    assert degraded.isfinite().all()
    degraded.zero_()  # the result is a copy: writing to it does not reach the input
    assert torch.equal(images, before)


@every_degradation
@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_the_same_generator_gives_the_same_result_whatever_the_global_one(cls, data):
    degradation = data.draw(degradations(cls, small=True))
    images = grey_levels(2, 3, 9, 7)
    torch.manual_seed(1)
    first = degradation(images, random(5))
    torch.manual_seed(2)
    state = torch.get_rng_state()
    assert torch.equal(first, degradation(images, random(5)))
    assert torch.equal(state, torch.get_rng_state())


@every_random_one
def test_another_seed_gives_another_result_and_images_of_a_batch_differ(cls):
    images = grey_levels(1, 1, 19, 17).expand(2, 3, 19, 17).contiguous()
    one, other = cls()(images, random(0)), cls()(images, random(1))
    assert not torch.equal(one, other)
    assert not torch.equal(one[0], one[1])


@pytest.mark.parametrize("name", sorted(NOT_RANDOM))
def test_what_is_not_random_is_the_same_for_every_seed(name):
    images = grey_levels(2, 3, 19, 17)
    degradation = DEGRADATIONS[name]()
    assert torch.equal(degradation(images, random(0)), degradation(images, random(1)))


@every_degradation
def test_the_default_keeps_images_in_the_range_of_a_file(cls):
    images = torch.rand(2, 3, 17, 15, generator=random(3))
    degraded = cls()(images, random(4))
    assert degraded.min() >= 0
    assert degraded.max() <= 1 + 1e-6


@every_sweepable_one
def test_a_range_of_the_main_parameter_is_drawn_for_every_image(cls):
    limits = limits_of(cls, cls.main)
    high = min(limits["high"], SMALL.get((cls.name, cls.main), limits["high"]))
    ranged = cls(**{cls.main: Range(limits["low"], high)})
    assert has_range(ranged)
    images = torch.rand(1, 1, 16, 16, generator=random(3)).expand(12, 1, 16, 16).contiguous()
    degraded = ranged(images, random(0))
    different = {tuple(image.flatten().tolist()) for image in degraded}
    assert len(different) >= 4
    typical = ranged.typical()
    assert not has_range(typical)
    middle = (limits["low"] + high) / 2
    assert abs(getattr(typical, cls.main) - middle) <= (0.5 if limits["whole"] else 0)


@every_sweepable_one
def test_a_sweep_changes_the_main_parameter_only(cls):
    low = limits_of(cls, cls.main)["low"]
    swept = cls().with_main(low)
    assert getattr(swept, cls.main) == low
    others = {name for name in cls.model_fields if getattr(swept, name) != getattr(cls(), name)}
    assert others <= {cls.main}


@every_degradation
@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_level_and_strength_are_a_number_an_image_or_none_and_come_with_the_same_images(cls, data):
    degradation = data.draw(degradations(cls, small=True))
    images = grey_levels(3, 1, 8, 9)
    degraded, level, strength = degradation.with_values(images, random(2))
    assert torch.equal(degraded, degradation(images, random(2)))
    if level is not None:
        assert level.shape == (3, 1, 1, 1)
        assert level.min() >= 0
    assert (strength is not None) == degradation.ranges
    if strength is not None:
        assert strength.shape == (3, 1, 1, 1)
        assert 0.1 <= strength.min() <= strength.max() <= 1.0001


@every_degradation
def test_every_parameter_is_documented_with_its_unit_and_default(cls):
    listed = cls().parameters()
    assert [parameter["name"] for parameter in listed] == list(cls.model_fields)
    for parameter in listed:
        assert len(parameter["meaning"]) > 3
        assert parameter["default"] != ""
        if parameter["name"] in cls().quantities():
            limits = limits_of(cls, parameter["name"])
            assert parameter["values"] == f"{limits['low']:,.12g} to {limits['high']:,.12g}, {limits['unit']}"
            assert limits["unit"]
        else:
            assert parameter["default"] in parameter["values"].replace(" or ", " ").split()
    assert cls.summary
    assert cls.__doc__
    assert cls.__doc__.strip().endswith(".")


@every_degradation
def test_a_value_outside_the_limits_names_the_parameter_and_what_is_allowed(cls):
    for name in cls().quantities():
        limits = limits_of(cls, name)
        for wrong in (limits["low"] - 1, limits["high"] * 1.5 + 1):
            words = re.escape(f"{limits['low']:,.12g} to {limits['high']:,.12g} ({limits['unit']})")
            with pytest.raises(CuelloError, match=f"{name} is .*{words}"):
                parse(f"{cls.name}:{name}={wrong:.17g}")


@every_degradation
def test_a_range_where_one_number_is_needed_is_refused(cls):
    for name, (_, limits) in cls().quantities().items():
        spec = f"{cls.name}:{name}={limits['low']:g}..{limits['low'] + 1:g}"
        if limits["ranged"]:
            assert has_range(parse(spec))
        else:
            with pytest.raises(CuelloError, match=f"{name} is .*needed one number"):
                parse(spec)
        with pytest.raises(CuelloError, match="much"):
            parse(f"{cls.name}:{name}=much")


@every_degradation
def test_an_unknown_parameter_is_refused_with_the_known_ones(cls):
    with pytest.raises(CuelloError, match=f"'nonsense_parameter'.*{', '.join(cls.model_fields) or 'none'}"):
        parse(f"{cls.name}:nonsense-parameter=1")


@every_degradation
def test_it_is_frozen_and_can_be_compared_and_hashed(cls):
    assert cls() == cls()
    assert hash(cls()) == hash(cls())
    for name in cls.model_fields:
        with pytest.raises(ValueError, match="frozen"):
            setattr(cls(), name, 1)
