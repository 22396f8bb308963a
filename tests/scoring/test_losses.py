"""Losses by hand, against torch's own, and the contract that all of them keep."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.distributions import Bernoulli, Normal
from torch.nn import functional

from cuello.core.errors import CuelloError
from cuello.scoring.losses import (
    LOSSES,
    bce,
    bernoulli,
    charbonnier,
    cross_entropy,
    find_loss,
    gaussian,
    image_measures,
    psnr_loss,
    rmse,
    ssim_loss,
)
from cuello.scoring.metrics import mae, mse, ssim

every_loss = pytest.mark.parametrize(  # of images: that of classes is in test_classification.py
    "spec", [spec for spec in LOSSES if not spec.classifies], ids=lambda spec: spec.name
)


def two_images(seed: int, *shape: int) -> tuple[torch.Tensor, torch.Tensor]:
    random = torch.Generator().manual_seed(seed)
    return torch.rand(shape, generator=random), torch.rand(shape, generator=random)


def test_names_and_functions():
    assert {spec.name: spec.function for spec in LOSSES} == {
        "mse": mse, "l1": mae, "charbonnier": charbonnier, "psnr": psnr_loss, "rmse": rmse, "bce": bce,
        "ssim": ssim_loss,
        "bernoulli": bernoulli, "gaussian": gaussian, "cross-entropy": cross_entropy,
    }  # fmt: skip


def test_a_bernoulli_likelihood_is_torchs():
    image, target = two_images(3, 4, 1, 7, 5)
    target = target.round()
    expected = -Bernoulli(probs=image.double()).log_prob(target.double()).flatten(1).sum(1)
    torch.testing.assert_close(bernoulli(image, target).double(), expected, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("sigma", [0.1, 0.5, 2.0])
def test_a_gaussian_likelihood_is_torchs(sigma):
    image, target = two_images(4, 4, 3, 6, 5)
    expected = -Normal(image.double(), sigma).log_prob(target.double()).flatten(1).sum(1)
    found = find_loss(f"gaussian:{sigma}").function(image, target)
    torch.testing.assert_close(found.double(), expected, rtol=1e-5, atol=1e-3)


def test_a_loss_may_take_a_number():
    assert find_loss("mse").function is mse
    image, target = two_images(5, 2, 1, 3, 3)
    assert torch.equal(find_loss("gaussian").function(image, target), gaussian(image, target, sigma=0.1))


@pytest.mark.parametrize(
    ("text", "problem"),
    [("gauss:1", "gaussian"), ("gaussian:0", "above 0"), ("gaussian:x", "above 0"), ("mse:2", "takes no number")],
)
def test_what_is_no_loss_is_named(text, problem):
    with pytest.raises(CuelloError, match=problem):
        find_loss(text)


def test_psnr_by_hand():
    """Errors of .1 and of .01 everywhere: 20 and 40 dB, but for the floor of 1e-5."""
    target = torch.full((2, 1, 4, 4), 0.5)
    image = target + torch.tensor([0.1, 0.01]).view(2, 1, 1, 1)
    torch.testing.assert_close(psnr_loss(image, target), torch.tensor([-19.9957, -39.5861]), rtol=0, atol=1e-3)


def test_psnr_of_a_perfect_image_is_its_floor():
    image = torch.rand(1, 1, 4, 4, requires_grad=True)
    loss = psnr_loss(image, image.detach())
    loss.sum().backward()
    assert loss.item() == pytest.approx(-50)
    assert image.grad is not None
    assert torch.equal(image.grad, torch.zeros(1, 1, 4, 4))


def test_rmse_by_hand():
    """Of 0, 0, .3 and .4 the mean square is .0625; the floor of .6 makes that .65² and is taken off."""
    image = torch.tensor([0.0, 0.0, 0.3, 0.4]).view(1, 1, 2, 2)
    torch.testing.assert_close(rmse(image, torch.zeros(1, 1, 2, 2), floor=0.6), torch.tensor([0.05]))
    same = image.clone().requires_grad_()
    rmse(same, image).sum().backward()
    assert same.grad is not None
    assert torch.equal(same.grad, torch.zeros(1, 1, 2, 2)), "an image that is right has no slope, not an endless one"


def test_charbonnier_by_hand():
    # sqrt(0.3² + 0.4²) - 0.4 = 0.1
    image, target = torch.full((2, 1, 2, 2), 0.5), torch.full((2, 1, 2, 2), 0.2)
    torch.testing.assert_close(charbonnier(image, target, epsilon=0.4), torch.full((2,), 0.1))


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**31))
def test_charbonnier_lies_just_below_the_absolute_error(seed):
    image, target = two_images(seed, 2, 3, 6, 5)
    below = mae(image, target) - charbonnier(image, target)
    assert (below >= -1e-6).all()
    assert (below <= 1e-3 + 1e-6).all()


def test_cross_entropy_by_hand():
    # A sure guess of one half costs log 2; certainty in the wrong is cut at one in a million.
    half, one, zero = (torch.full((1, 1, 2, 2), level) for level in (0.5, 1.0, 0.0))
    assert bce(half, one).item() == pytest.approx(0.6931, abs=1e-4)
    assert bce(zero, one).item() == pytest.approx(13.8155, abs=1e-3)
    assert bce(one, zero).item() == pytest.approx(13.8155, abs=0.5)  # 1 - 1e-6 is not exact in float32


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**31))
def test_cross_entropy_is_torchs(seed):
    image, target = two_images(seed, 3, 1, 7, 5)
    expected = functional.binary_cross_entropy(image, target, reduction="none").flatten(1).mean(1)
    torch.testing.assert_close(bce(image, target), expected, atol=1e-4, rtol=1e-4)


def test_the_ssim_loss_is_what_is_missing_to_one():
    image, target = two_images(0, 2, 3, 12, 13)
    torch.testing.assert_close(ssim_loss(image, target), 1 - ssim(image, target))


@every_loss
def test_one_value_an_image_that_does_not_depend_on_its_batch(spec):
    image, target = two_images(1, 3, 3, spec.smallest_side + 1, spec.smallest_side + 2)
    together = spec.function(image, target)
    assert together.shape == (3,)
    alone = torch.cat([spec.function(image[k : k + 1], target[k : k + 1]) for k in range(3)])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-5)


@every_loss
def test_the_smallest_image_is_enough(spec):
    side = spec.smallest_side
    perfect = spec.function(torch.ones(1, 1, side, side), torch.ones(1, 1, side, side)).item()
    at_best = {"gaussian": -1.3836, "psnr": -50}  # a density: log(2π · 0.1²) / 2; the floor of 1e-5
    assert perfect == pytest.approx(at_best.get(spec.name, 0), abs=1e-4)
    assert spec.summary


@every_loss
def test_a_step_against_the_gradient_makes_it_smaller_and_the_gradient_is_finite(spec):
    _, target = two_images(2, 2, 1, 12, 12)
    image = (0.3 + 0.4 * torch.rand(2, 1, 12, 12, generator=torch.Generator().manual_seed(3))).requires_grad_()
    loss = spec.function(image, target).sum()
    (gradient,) = torch.autograd.grad(loss, image)
    assert gradient.isfinite().all()
    better = image.detach() - 1e-3 * gradient / gradient.norm()
    assert spec.function(better, target).sum() < loss.detach()


@every_loss
def test_the_gradient_is_finite_where_image_and_target_agree(spec):
    image = torch.tensor([0.0, 1.0]).repeat(72).view(1, 1, 12, 12).requires_grad_()
    (gradient,) = torch.autograd.grad(spec.function(image, image.detach()).sum(), image)
    assert gradient.isfinite().all()


def test_what_is_measured_beside_a_loss_by_hand() -> None:
    grey, binary = torch.full((1, 1, 1, 2), 0.5), torch.tensor([[[[0.0, 1.0]]]])
    targets = torch.cat([grey, grey, binary])
    images = torch.cat([grey, grey + 0.1, torch.tensor([[[[0.6, 1.4]]]])])
    found = {name: values.tolist() for name, values in image_measures(images, targets).items()}
    assert found["mse"] == pytest.approx([0, 0.01, 0.18], abs=1e-6), "the last value is cut to 1"
    assert found["psnr"] == pytest.approx([0, 20, 7.447], abs=1e-3), "a perfect image has none"
    assert found["counted"] == [0, 1, 1]
    assert found["grey"] == [1, 1, 0]
    assert found["wrong"] == [0, 0, 1]
