"""Inputs and targets, their noise and its seeds."""

import pytest
import torch

from cuello.core.config import make_config
from cuello.core.errors import CuelloError
from cuello.core.types import Batch
from cuello.degrade import parse
from cuello.jobs.catalog import task_of
from cuello.jobs.images.pairs import Task, degrade_each

NOISY = Task("denoise", parse("salt-pepper:0.3+gaussian:5..50"))
PAIRS = Task("denoise", None)


def batch_of(ids: list[int], targets: bool = False) -> Batch:
    """Images that are a function of their id, as those of a data set are."""
    images = torch.stack([torch.rand(3, 6, 5, generator=torch.Generator().manual_seed(index)) for index in ids])
    return Batch(images, torch.tensor(ids), 1 - images if targets else None)


def random(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_training_pairs_are_degraded_input_and_clean_target():
    batch = batch_of([0, 1, 2])
    noisy, target, *_ = NOISY.pair(batch, random(0))
    assert target is batch.images
    assert NOISY.degradation is not None
    assert torch.equal(noisy, NOISY.degradation(batch.images, random(0)))
    assert not torch.equal(noisy, NOISY.pair(batch, random(1))[0])


def test_the_noise_on_a_validation_image_does_not_depend_on_its_batch():
    together, target, *_ = NOISY.pair_each(batch_of([4, 7, 9]), seed=3)
    other_company, _, *_ = NOISY.pair_each(batch_of([9, 1, 4, 2]), seed=3)
    assert torch.equal(together[0], other_company[2])
    assert torch.equal(together[2], other_company[0])
    assert torch.equal(target, batch_of([4, 7, 9]).images)


def test_the_noise_on_a_validation_image_depends_on_seed_and_id():
    same_image = Batch(torch.full((2, 1, 8, 8), 0.5), torch.tensor([1, 2]))
    first = degrade_each(parse("gaussian:25"), same_image, seed=0)[0]
    assert not torch.equal(first[0], first[1])
    assert not torch.equal(first, degrade_each(parse("gaussian:25"), same_image, seed=1)[0])
    assert torch.equal(first, degrade_each(parse("gaussian:25"), same_image, seed=0)[0])


def test_of_half_of_the_images_a_network_in_training_may_know_how_strong_the_fault_is():
    soft = Task("denoise", parse("blur:0.5..2.5"))
    batch = Batch(torch.rand(200, 1, 4, 4), torch.arange(200))
    strength = soft.pair(batch, random(0)).strength
    assert strength is not None
    known = strength[strength > 0]
    assert 70 < len(known) < 130
    assert 0.1 <= known.min() < 0.2
    assert 0.9 < known.max() <= 1
    assert soft.pair_each(batch, seed=0).strength is None
    assert NOISY.pair(batch_of([0, 1]), random(0)).strength is None


def test_pairs_bring_their_own_targets():
    batch = batch_of([0, 1], targets=True)
    for image, target, level, *_ in (PAIRS.pair(batch, random(0)), PAIRS.pair_each(batch, seed=0)):
        assert image is batch.images
        assert target is batch.targets
        assert level is None


def test_pairs_without_targets_are_an_error_with_the_remedy():
    for pair in (lambda: PAIRS.pair(batch_of([0]), random(0)), lambda: PAIRS.pair_each(batch_of([0]), 0)):
        with pytest.raises(CuelloError, match="needs pairs: give the clean ones with target"):
            pair()


def test_the_task_of_a_configuration():
    assert task_of(make_config({"noise": "salt-pepper:0.3+gaussian:5..50"})) == NOISY
    assert task_of(make_config({"target": "clean/"})) == PAIRS


@pytest.mark.parametrize(
    ("chosen", "words"),
    [
        ({"data": "photos"}, ["no noise was given", "noise='salt-pepper:0.2'", "cuello noises", "clean images"]),
        ({"noise": "blur:1", "target": "clean/"}, ["noise='blur:1' and target='clean/'", "Leave one out"]),
        ({"noise": "salt-peper:0.2"}, ["'salt-peper'", "Did you mean 'salt-pepper'?"]),
        ({"noise": "gaussian:500"}, ["sigma is 500.0", "needed 0 to 255 (grey levels out of 255)"]),
    ],
)
def test_a_configuration_without_a_task_says_what_to_do(chosen, words):
    with pytest.raises(CuelloError) as caught:
        task_of(make_config(chosen))
    for word in words:
        assert word in str(caught.value)


def test_the_noise_level_comes_with_the_pair():
    batch = batch_of([3, 5])
    task = Task("denoise", parse("gaussian:5..50"))
    for pair in (task.pair(batch, random(0)), task.pair_each(batch, 1)):
        assert pair.level is not None
        assert pair.level.shape == (2, 1, 1, 1)
    alone = task.pair_each(batch_of([5]), 1)
    both = task.pair_each(batch, 1).level
    assert both is not None
    assert alone.level == both[1]
    assert Task("denoise", parse("blur:1")).pair_each(batch, 1).level is None


# Upscaling


def test_the_input_is_smaller_and_the_target_is_cut_to_a_multiple():
    batch = batch_of([0, 1])  # 6×5 pixels
    task = Task("upscale", parse("down:2"))
    for pair in (task.pair(batch, random(0)), task.pair_each(batch, 0)):
        assert pair.x.shape == (2, 3, 3, 2)
        assert torch.equal(pair.target, batch.images[:, :, :6, :4])
        assert torch.equal(pair.x, parse("down:2")(pair.target, random(0)))
    assert (task.scale, PAIRS.scale, Task("upscale", None, 3).scale) == (2, 1, 3)


def test_an_image_smaller_than_the_scale_is_refused():
    one = Batch(torch.zeros(1, 3, 1, 9), torch.tensor([0]))
    with pytest.raises(CuelloError, match="an image of 9×1 pixels cannot be made 2 times smaller: needed at least 2×2"):
        Task("upscale", parse("down:2")).pair_each(one, 0)


@pytest.mark.parametrize(
    ("chosen", "spec"),
    [
        ({"scale": 2}, "down:2"),
        ({"scale": 3, "noise": "gaussian:5"}, "down:3+gaussian:5"),
        ({"scale": 2, "noise": "gaussian:5+jpeg:60"}, "down:2+gaussian:5+jpeg:60"),
        ({"noise": "blur:1+down:2+gaussian:5+jpeg:60"}, "blur:1+down:2+gaussian:5+jpeg:60"),
        ({"scale": 4, "noise": "down:4,method=area"}, "down:4,method=area"),
        ({"scale": 4, "noise": "down:2+down:2"}, "down:2+down:2"),
        ({"noise": "resize:2"}, "resize:2"),
        ({"noise": "resize:2..4+jpeg:60"}, "resize:2..4+jpeg:60"),
    ],
)
def test_what_makes_the_input_of_upscale(chosen, spec):
    task = task_of(make_config({"job": "upscale", **chosen}))
    assert task.degradation == parse(spec)
    assert task.scale == parse(spec).scale


def test_pairs_to_upscale_have_the_scale_that_is_stated():
    task = task_of(make_config({"job": "upscale", "target": "large/", "scale": 3}))
    assert (task.degradation, task.scale) == (None, 3)


@pytest.mark.parametrize(
    ("chosen", "words"),
    [
        ({"job": "upscale"}, ["how much larger is not stated", "scale=2"]),
        ({"job": "upscale", "noise": "gaussian:5"}, ["noise='gaussian:5'", "scale=2", "resize:2"]),
        ({"job": "upscale", "noise": "down:2", "scale": 3}, ["scale=3", "2 times smaller", "Leave out scale"]),
        ({"job": "upscale", "target": "large/"}, ["without their scale", "scale=2"]),
        ({"job": "upscale", "target": "large/", "scale": 2, "noise": "down:2"}, ["Leave one out"]),
        ({"job": "upscale", "scale": 3, "crop": 64}, ["crop=64", "multiple of the scale 3", "66 or 63"]),
        ({"job": "upscale", "scale": 3, "crop": 64, "target": "large/"}, ["crop=64", "multiple of the scale 3"]),
        ({"job": "upscale", "scale": 8, "crop": 4}, ["crop=4", "Use crop=8."]),
        ({"job": "denoise", "noise": "gaussian:25", "scale": 2}, ["scale=2 for denoise", "only upscale"]),
        ({"job": "reconstruct", "scale": 2}, ["scale=2 for reconstruct", "only upscale"]),
        ({"job": "denoise", "noise": "down:2"}, ["noise='down:2' for denoise", "cuello train upscale", "resize"]),
    ],
)
def test_a_scale_that_does_not_belong_there_says_what_to_do(chosen, words):
    with pytest.raises(CuelloError) as caught:
        task_of(make_config(chosen))
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize("scale", [1, 9, -2, 2.5])
def test_a_scale_out_of_range_is_refused(scale):
    with pytest.raises(CuelloError, match="scale: got"):
        make_config({"job": "upscale", "scale": scale})
