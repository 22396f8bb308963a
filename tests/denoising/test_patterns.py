import numpy as np
import pytest

from cuello.denoising.denoise import denoise


@pytest.mark.parametrize("side", [1, 2, 4])
def test_a_checkerboard_with_weak_noise_stays(side: int) -> None:
    image = np.where((np.indices((64, 64)) // side).sum(0) % 2, 20.0, 80.0)
    noisy = image + np.random.default_rng(0).normal(0, 1, image.shape)
    result = denoise(noisy)
    assert abs(result.mean() - noisy.mean()) < 0.3
    assert np.sqrt(np.mean((result - image) ** 2)) < 1.5
