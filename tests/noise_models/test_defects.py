import numpy as np

from cuello.noise_models.defects import defects, repaired
from cuello.noise_models.model import NoiseModel


def scenes(count: int) -> list[np.ndarray]:
    random = np.random.default_rng(0)
    waves = [np.sin(np.arange(64) / (3 + number)) * 60 + 100 for number in range(count)]
    return [random.normal(wave[:, None] + wave * 0.2, 4, (64, 64)) for wave in waves]


def test_pixels_that_stand_out_in_every_scene_are_defects() -> None:
    images = scenes(5)
    for image in images:
        image[10, 20] += 90
        image[40, 5] -= 90
    images[0][30, 30] += 200  # once: the scene's own
    found = defects(images, NoiseModel(0, 16))
    assert (found.hot.tolist(), found.dead.tolist()) == ([[10, 20]], [[40, 5]])


def test_noise_alone_has_none() -> None:
    random = np.random.default_rng(1)
    images = [5.0 * random.poisson(0.3, (128, 128)) for _ in range(2)]
    for some in (images[:1], images):
        found = defects(some, NoiseModel(5, 0))
        assert (len(found.hot), len(found.dead)) == (0, 0)
        assert found.impulses < 1e-3


def test_in_one_scene_only_what_no_noise_can_be_is_taken() -> None:
    image = np.random.default_rng(0).normal(100, 4, (64, 64))
    image[10, 20] = 145
    assert not len(defects([image], NoiseModel(0, 16)).hot)
    image[10, 20] = 190
    assert defects([image], NoiseModel(0, 16)).hot.tolist() == [[10, 20]]


def test_repairing_leaves_other_pixels_and_takes_none_that_is_bad() -> None:
    image = np.arange(25, dtype=np.uint16).reshape(5, 5) * 10
    image[2, 2] = image[2, 3] = 60_000
    mended = repaired(image, np.array([[2, 2], [2, 3]]))
    assert mended.dtype == np.uint16
    assert mended[2, 2] == np.median([60, 70, 80, 110, 160, 170, 180])
    assert (mended != image).sum() == 2
    assert image[2, 2] == 60_000
