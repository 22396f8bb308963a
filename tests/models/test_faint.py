"""Noise that is faint beside white: black stays black, and what holds no noise comes back as it came."""

import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

import cuello
from cuello.core.types import Output
from cuello.models.base import ImageNetwork
from cuello.models.faint import LIFTED, Lifted
from cuello.models.summary import summarise

OWN_ERROR = 0.3 / 255


class Erring(ImageNetwork):
    """Takes noise off by a mean of 5×5 pixels, and errs everywhere by ``OWN_ERROR``; keeps what it was told."""

    conditioning, channels, receptive_field, stride = "level", 1, 5, 2

    def forward(self, x: Tensor, condition: Tensor | None = None) -> Output:
        self.told = condition
        return Output(torch.nn.functional.avg_pool2d(x, 5, 1, 2, count_include_pad=False) + OWN_ERROR)


def level(value: float) -> Tensor:
    return torch.full((1, 1, 1, 1), value)


@pytest.mark.parametrize("sigma", [1 / 255, 5 / 255, 0.3])
def test_noise_that_is_not_faint_is_left_to_the_network(sigma: float) -> None:
    x = torch.rand(1, 1, 12, 14)
    assert torch.equal(Lifted(Erring())(x, level(sigma)).image, Erring()(x).image)


@pytest.mark.parametrize("brightest", [1.0, 1e-3, 0.0])
def test_without_noise_nothing_changes(brightest: float) -> None:
    x = brightest * torch.rand(1, 1, 12, 14)
    assert torch.equal(Lifted(Erring())(x, level(0)).image, x)


@pytest.mark.parametrize("sigma", [0.9 / 255, 1e-3, 1e-4, 1e-5, 1e-7])
def test_the_networks_own_error_is_small_beside_faint_noise(sigma: float) -> None:
    x = sigma * (10 + torch.randn(1, 1, 64, 64, generator=torch.Generator().manual_seed(0)))
    network = Erring()
    image = Lifted(network)(x, level(sigma)).image
    assert network.told is not None
    assert float(network.told) == pytest.approx(LIFTED)
    assert abs(float((image - x).mean())) < 0.06 * sigma
    assert float(image.std()) < 0.3 * sigma


def test_what_is_bright_beside_faint_noise_stays_and_nothing_jumps() -> None:
    sigma = 0.2 / 255
    x = torch.linspace(0, 1, 8000).repeat(20, 1)[None, None]
    change = (Lifted(Erring())(x, level(sigma)).image - x).abs()
    bright = x > sigma / LIFTED
    assert float(change[bright].max()) == 0
    assert float(change.max()) < 0.2 * sigma


def test_a_map_of_levels_is_taken_place_by_place() -> None:
    x = torch.rand(1, 1, 8, 20)
    levels = torch.zeros(1, 1, 8, 20)
    levels[..., 10:] = 0.1
    image = Lifted(Erring())(x, levels).image
    assert torch.equal(image[..., :10], x[..., :10])
    assert not torch.equal(image[..., 10:], x[..., 10:])


# The model that comes with the package, as a user meets it


@pytest.fixture(scope="module")
def denoise() -> cuello.Model:
    return cuello.load("denoise")


def sky(sigma: float, stars: int, brightest: float, pedestal: float) -> tuple[np.ndarray, np.ndarray]:
    """Return what a sky is without noise, and with it, in counts of 16 bits."""
    random = np.random.default_rng(0)
    y, x = np.indices((160, 160))
    clean = np.full((160, 160), float(pedestal))
    for _ in range(stars):
        row, column = random.uniform(0, 160, 2)
        clean += brightest * random.random() * np.exp(-((y - row) ** 2 + (x - column) ** 2) / 4)
    return clean, (clean + random.normal(0, sigma, clean.shape)).round().clip(0, 65535).astype(np.uint16)


@pytest.mark.parametrize("range", [None, "full"])
@pytest.mark.parametrize(
    ("sigma", "stars", "brightest", "pedestal"),
    [(10, 0, 0, 200), (3, 30, 30_000, 10), (30, 30, 30_000, 1000), (200, 30, 60_000, 200), (5, 300, 60_000, 0)],
)
def test_dark_images_of_16_bits_keep_their_black(
    denoise: cuello.Model, range: str | None, sigma: float, stars: int, brightest: float, pedestal: float
) -> None:
    """Before, black became brighter by 5 to 12 times the noise where stars or --range=full kept white far away."""
    clean, image = sky(sigma, stars, brightest, pedestal)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that values fill little of their range
        found = denoise(image, range=range).astype(float)
    black = clean <= pedestal + 0.1 * sigma
    assert abs((found - image)[black].mean()) < 0.25 * sigma
    assert (found - clean)[black].std() <= 1.001 * (image - clean)[black].std()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_drawings_come_back_as_they_are(denoise: cuello.Model, dtype: type) -> None:
    from skimage import data

    drawn = np.where(data.horse(), 1.0, 0.0) * (1 if dtype is np.float32 else np.iinfo(dtype).max)
    image = drawn.astype(dtype)
    assert np.array_equal(denoise(image), image)


def test_clean_photographs_hardly_change(denoise: cuello.Model) -> None:
    from skimage import data

    for image in (data.camera(), data.coins(), data.astronaut(), data.coffee()):
        error = np.mean((denoise(image).astype(float) - image) ** 2)
        assert error < 255**2 / 10**4.5, "45 dB"


def test_without_a_level_it_is_an_image_without_noise_and_its_arithmetic_is_counted(denoise: cuello.Model) -> None:
    x = torch.rand(1, denoise.channels, 16, 16)
    assert torch.equal(denoise.network(x, None).image, x)
    inner = denoise.network.network
    assert isinstance(inner, torch.nn.Module)
    assert (
        summarise(denoise.network, denoise.channels).multiply_adds == summarise(inner, denoise.channels).multiply_adds
    )


def test_an_exported_file_does_the_same(denoise: cuello.Model, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")
    path = tmp_path / "denoise.onnx"
    cuello.export(denoise, path)
    image = sky(3, 30, 30_000, 10)[1]
    want, found = (one(image, range="full").astype(int) for one in (denoise, cuello.load(path)))
    assert np.abs(want - found).max() <= 1


def test_networks_for_other_faults_see_images_as_they_are(tmp_path: Path) -> None:
    run = cuello.train(
        data="photos", noise="poisson:30", model="denoise-s", crop=32, samples=8, validation_samples=2, epochs=1,
        output=tmp_path / "run", report=False,
    )  # fmt: skip
    assert not isinstance(cuello.load(run.path).network, Lifted)
