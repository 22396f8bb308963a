import numpy as np
import pytest
from skimage import data

from cuello.noise_models.estimate import blocks_of
from cuello.noise_models.survey import survey
from cuello.noise_models.texture import hides_noise


@pytest.mark.parametrize("name", ["gravel", "grass"])
@pytest.mark.parametrize("sigma", [0, 2])
def test_weak_noise_on_dense_texture_is_not_told_from_it(name: str, sigma: float) -> None:
    image = getattr(data, name)()[:256, :256].astype(float)
    found = survey([image + np.random.default_rng(0).normal(0, sigma, image.shape)])
    assert found.kind == "textured"
    assert "is the most that noise can be" in found.notes[0]
    assert found.curve is not None


@pytest.mark.parametrize("name", ["gravel", "grass"])
def test_strong_noise_on_dense_texture_is_noise(name: str) -> None:
    image = getattr(data, name)()[:256, :256].astype(float)
    found = survey([image + np.random.default_rng(0).normal(0, 12, image.shape)])
    assert found.kind == "ordinary"
    assert abs(found.model.deviation(128) / 12 - 1) < 0.2


@pytest.mark.parametrize("name", ["brick", "camera", "moon"])
def test_flat_places_tell(name: str) -> None:
    image = getattr(data, name)()[:256, :256].astype(float)
    assert not hides_noise(blocks_of([image + np.random.default_rng(0).normal(0, 3, image.shape)]))


def test_too_few_blocks_hide_nothing() -> None:
    assert not hides_noise(blocks_of([np.random.default_rng(0).normal(0, 3, (17, 17))]))
