"""Inputs and targets, their noise and its seeds."""

import pytest
import torch

from cuello.config import make_config
from cuello.degrade import parse
from cuello.errors import CuelloError
from cuello.tasks import Task, degrade_each, task_of
from cuello.types import Batch

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
    noisy, target = NOISY.pair(batch, random(0))
    assert target is batch.images
    assert NOISY.degradation is not None
    assert torch.equal(noisy, NOISY.degradation(batch.images, random(0)))
    assert not torch.equal(noisy, NOISY.pair(batch, random(1))[0])


def test_the_noise_on_a_validation_image_does_not_depend_on_its_batch():
    together, target = NOISY.pair_each(batch_of([4, 7, 9]), seed=3)
    other_company, _ = NOISY.pair_each(batch_of([9, 1, 4, 2]), seed=3)
    assert torch.equal(together[0], other_company[2])
    assert torch.equal(together[2], other_company[0])
    assert torch.equal(target, batch_of([4, 7, 9]).images)


def test_the_noise_on_a_validation_image_depends_on_seed_and_id():
    same_image = Batch(torch.full((2, 1, 8, 8), 0.5), torch.tensor([1, 2]))
    first = degrade_each(parse("gaussian:25"), same_image, seed=0)
    assert not torch.equal(first[0], first[1])
    assert not torch.equal(first, degrade_each(parse("gaussian:25"), same_image, seed=1))
    assert torch.equal(first, degrade_each(parse("gaussian:25"), same_image, seed=0))


def test_pairs_bring_their_own_targets():
    batch = batch_of([0, 1], targets=True)
    for image, target in (PAIRS.pair(batch, random(0)), PAIRS.pair_each(batch, seed=0)):
        assert image is batch.images
        assert target is batch.targets


def test_pairs_without_targets_are_an_error_with_the_remedy():
    for pair in (lambda: PAIRS.pair(batch_of([0]), random(0)), lambda: PAIRS.pair_each(batch_of([0]), 0)):
        with pytest.raises(CuelloError, match="needs pairs: give the clean ones with --target"):
            pair()


def test_the_task_of_a_configuration():
    assert task_of(make_config({"noise": "salt-pepper:0.3+gaussian:5..50"})) == NOISY
    assert task_of(make_config({"target": "clean/"})) == PAIRS


@pytest.mark.parametrize(
    ("chosen", "words"),
    [
        ({}, ["no noise was given", "--noise salt-pepper:0.2", "cuello noises"]),
        ({"noise": "blur:1", "target": "clean/"}, ["--noise blur:1 and --target clean/", "Leave one out"]),
        ({"noise": "salt-peper:0.2"}, ["'salt-peper'", "Did you mean 'salt-pepper'?"]),
        ({"noise": "gaussian:500"}, ["sigma is 500.0", "needed 0 to 255 (grey levels out of 255)"]),
    ],
)
def test_a_configuration_without_a_task_says_what_to_do(chosen, words):
    with pytest.raises(CuelloError) as caught:
        task_of(make_config(chosen))
    for word in words:
        assert word in str(caught.value)
