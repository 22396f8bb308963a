"""How strong a fault is, told by a caller."""

from pathlib import Path
from typing import cast

import numpy as np
import pytest
import torch
from PIL import Image
from untrained_models import untrained

import cuello
from cuello.core.errors import CuelloError
from cuello.data.levels import RangeChoice
from cuello.inference.model import Model, load
from cuello.inference.told import told_level
from cuello.models.base import ImageNetwork
from cuello.runs.artefact import save_artefact

SOFT, SAVED = (untrained("restore-m", 1, noise=noise) for noise in ("blur:0.5..2.5", "jpeg:5..95"))
PLAIN = untrained("denoise-m", 1, noise="gaussian:0..75")


def noise() -> np.ndarray:
    return np.random.default_rng(0).random((20, 24), np.float32)


def seen(model: Model, image: np.ndarray, strength: float) -> np.ndarray:
    """What the network gives where it is told a strength as it was while it learned."""
    network: ImageNetwork = model.network
    with torch.inference_mode():
        found = network(torch.from_numpy(image)[None, None], torch.full((1, 1, 1, 1), strength)).image
    return found.clamp(0, 1)[0, 0].numpy()


@pytest.mark.parametrize(
    ("model", "level", "strength"),
    [(SOFT, 0.5, 0.1), (SOFT, 1.5, 0.55), (SOFT, 2.5, 1), (SOFT, None, 0), (SAVED, 5, 0.1), (SAVED, 50, 0.55)],
)
def test_a_stated_value_is_its_place_in_the_range_that_was_learned(
    model: Model, level: float | None, strength: float
) -> None:
    image = noise()
    network = Model(model.artefact, model.network)
    network.network.keeps_flat = True
    np.testing.assert_allclose(network(image, level), seen(model, image, strength), atol=1e-6)


def test_units_of_an_image_do_not_change_a_blurs_width() -> None:
    image = (noise() * 4095).astype(np.uint16)
    whole = SOFT(image, 1.5, range="0..4095").astype(int)
    np.testing.assert_allclose(whole / 4095, SOFT(image / np.float32(4095), 1.5), atol=2e-4)
    assert RangeChoice.parse("0..4095", None).levels is not None


@pytest.mark.parametrize("level", [0.4, 2.6, float("nan")])
def test_what_was_not_learned_is_refused(level: float) -> None:
    with pytest.raises(CuelloError, match=r"as the sigma of blur, needed 0\.5 to 2\.5"):
        SOFT(noise(), level)
    with pytest.raises(CuelloError, match="got a level of 'x', needed a number of blur"):
        SOFT(noise(), cast("float", "x"))


def test_a_caller_states_what_the_fault_is_measured_in() -> None:
    assert told_level(PLAIN) is told_level(SOFT) is None
    assert told_level(PLAIN, sigma=51) == 0.2
    assert told_level(SOFT, sigma=1.5) == 1.5
    assert told_level(SAVED, quality=30) == 30


@pytest.mark.parametrize(
    ("model", "given", "words"),
    [
        (PLAIN, {"quality": 30}, r"quality: got 30, but the network 'denoise-m' takes no quality of JPEG\."),
        (SOFT, {"quality": 30}, "takes no quality of JPEG"),
        (SAVED, {"sigma": 3}, "sigma: got 3, but the network 'restore-m' takes off jpeg, not noise"),
        (SAVED, {"sigma": 3, "quality": 30}, "takes no quality of JPEG and a sigma"),
        (PLAIN, {"sigma": 256}, "sigma: got 256, needed 0 to 255, in grey levels of 255"),
    ],
)
def test_other_numbers_are_refused_with_what_the_network_takes(
    model: Model, given: dict[str, float], words: str
) -> None:
    with pytest.raises(CuelloError, match=words):
        told_level(model, **given)


@pytest.mark.parametrize("noise", ["blur:1", "blur:0.5..2.5+gaussian:5", "gaussian:0..50"])
def test_only_one_fault_with_a_range_can_be_told_unless_it_is_noise_that_is(noise: str) -> None:
    model = untrained("denoise-m" if noise.startswith("gaussian") else "restore-m", 1, noise=noise)
    assert model.fault is None
    assert model.conditioned == noise.startswith("gaussian")


def test_files_are_restored_with_what_is_told(tmp_path: Path) -> None:
    save_artefact(tmp_path / "model.safetensors", SOFT.artefact)
    model = load(tmp_path / "model.safetensors")
    pixels = (noise() * 255).astype(np.uint8)
    Image.fromarray(pixels).save(tmp_path / "soft.png")
    for level in (None, 1.5):
        cuello.apply(model, tmp_path / "soft.png", tmp_path / f"{level}.png", level=level)
        np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / f"{level}.png")), model(pixels, level))
    assert (tmp_path / "None.png").read_bytes() != (tmp_path / "1.5.png").read_bytes()
