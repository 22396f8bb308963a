"""Networks with a code: reconstruct and generate from the data to the report, encode and decode, what they refuse."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import cuello
from cuello.core.config import TrainConfig
from cuello.core.errors import CuelloError
from cuello.inference.model import Model
from cuello.jobs.catalog import task_of
from cuello.jobs.data import prepare
from cuello.models.catalog import architecture_of, build
from cuello.runs.artefact import Artefact

QUICK: dict[str, Any] = {"epochs": 2, "samples": 320, "batch_size": 32, "threads": 1, "device": "cpu"}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return cuello.train(
        "reconstruct", "glyphs", model="mlp:35-16-2", learning_rate=0.01, output=tmp_path_factory.mktemp("r") / "run",
        **QUICK,
    )  # fmt: skip


@pytest.fixture(scope="module")
def model(run: Any) -> Model:
    return cuello.load(run.path)


def test_the_report_compares_with_principal_components(run: Any) -> None:
    metrics = run.metrics
    assert list(metrics["methods"]) == ["mean", "pca", "network"]
    assert metrics["methods"]["pca"]["label"] == "PCA, 2 numbers"
    assert "reference" in metrics["verdict"]
    page = run.report_path.read_text()
    assert "Against principal components" in page
    assert "degraded" not in page


def test_a_set_that_is_all_there_is_is_validated_whole() -> None:
    prepared = prepare(TrainConfig(job="reconstruct", data="glyphs", samples=3200))
    assert prepared.split.train.tolist() == prepared.split.validation.tolist() == list(range(32))
    assert prepared.test is None
    assert (prepared.training.count, prepared.validation.count) == (3200, 32)


def test_validation_of_nothing_is_on_the_training_images(images: Path) -> None:
    split = prepare(TrainConfig(data=str(images), crop=16, validation=0, test=0.2)).split
    assert split.train.tolist() == split.validation.tolist()
    assert not set(split.train.tolist()) & set(split.test.tolist())


@pytest.mark.parametrize("job", ["reconstruct", "generate"])
@pytest.mark.parametrize("wrong", [{"noise": "gaussian:25"}, {"target": "clean"}])
def test_noise_and_targets_are_for_denoising(job: str, wrong: dict[str, str]) -> None:
    with pytest.raises(CuelloError, match="cuello train denoise"):
        task_of(TrainConfig(job=job, **wrong))  # type: ignore[arg-type]


def test_generate_ends_with_a_prior(tmp_path: Path) -> None:
    made = cuello.train("generate", "emoji-4", model="vae:400-20-2", output=tmp_path / "run", epochs=1, samples=40,
                        batch_size=4, threads=1, device="cpu")  # fmt: skip
    model = cuello.load(made.path)
    assert model.prior == "normal"
    assert model.size == (20, 20)
    assert cuello.latent.sample(model, 3, seed=1).images.shape == (3, 20, 20, 1)


class TestEncodeAndDecode:
    def test_arrays_and_tensors(self, model: Model) -> None:
        pixels = np.random.default_rng(0).integers(0, 256, (5, 7, 5), dtype=np.uint8)
        codes = model.encode(pixels)
        assert (codes.shape, codes.dtype) == ((5, 2), np.float32)
        tensor = torch.from_numpy(pixels[:, None] / np.float32(255))
        torch.testing.assert_close(torch.from_numpy(codes), model.encode(tensor))
        decoded = model.decode(codes)
        assert decoded.shape == (5, 7, 5, 1)
        assert decoded.min() >= 0
        assert decoded.max() <= 1
        torch.testing.assert_close(model.decode(torch.from_numpy(codes)).permute(0, 2, 3, 1), torch.from_numpy(decoded))

    def test_decoding_the_code_is_what_the_model_does(self, model: Model) -> None:
        images = torch.rand(4, 1, 7, 5, generator=torch.Generator().manual_seed(2))
        torch.testing.assert_close(model.decode(model.encode(images)), model(images))

    def test_one_image_is_a_stack_of_one(self, model: Model) -> None:
        image = np.zeros((7, 5), np.uint8)
        expected = model.encode(image[None])
        for one in (image, image[..., None], Image.fromarray(image), [image]):
            np.testing.assert_array_equal(model.encode(one), expected)
        assert model.decode(expected[0]).shape == (1, 7, 5, 1)

    @pytest.mark.parametrize(
        ("images", "problem"),
        [
            (np.zeros((2, 8, 5), np.uint8), "takes 5×7"),
            (np.full((1, 7, 5), 2.0), "needed 0 to 1"),
            (np.zeros((1, 7, 5, 3), np.uint8), r"needed floats \(N, 1, H, W\)"),
            ("a", "needed a NumPy array"),
            ([np.zeros((7, 5), np.uint8), np.zeros((7, 6), np.uint8)], "different shapes"),
            ([], "different shapes"),
        ],
    )  # fmt: skip
    def test_what_does_not_fit_is_refused(self, model: Model, images: Any, problem: str) -> None:
        with pytest.raises(CuelloError, match=problem):
            model.encode(images)

    def test_codes_of_another_shape_are_refused(self, model: Model) -> None:
        with pytest.raises(CuelloError, match=r"needed \(N, 2\)"):
            model.decode(np.zeros((4, 3)))

    def test_a_network_without_a_code_says_so(self) -> None:
        architecture = architecture_of("impulse-s", 1)
        without = Model(Artefact(architecture, "denoise", None, {}), build(architecture).eval())
        for use in (without.encode, without.decode):
            with pytest.raises(CuelloError, match="no code in its middle"):
                use(np.zeros((2, 7, 5), np.uint8))


def test_images_of_another_size_are_refused_with_the_remedy(model: Model) -> None:
    with pytest.raises(CuelloError, match="resize='5x7'"):
        model(np.zeros((28, 28), np.uint8))


def test_widths_that_do_not_fit_the_data_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CuelloError, match="made for images of 400 numbers"):
        cuello.train("reconstruct", "glyphs", model="mlp:400-20-2", output=tmp_path / "run", **QUICK)
