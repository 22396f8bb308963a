"""Folders for the hub: what is in them is the network, and what its card says is what was measured."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from huggingface_hub import ModelCard

import cuello
from cuello.core.errors import CuelloError
from cuello.exporting.hub import hub_name, licence_fields, write_hub
from cuello.exporting.plain import plain_onnx
from cuello.inference.bundled import BUNDLED
from cuello.models.custom import CustomNetwork
from cuello.runs.artefact import load_artefact
from cuello.runs.directory import Run

onnxruntime = pytest.importorskip("onnxruntime")


def no_graph(model: cuello.Model) -> bytes:
    """Stand for the ONNX file, which takes seconds to make, where a test is of other things."""
    return b"onnx"


@pytest.fixture(scope="module")
def stated(tmp_path_factory: pytest.TempPathFactory, images: Path) -> Run:
    """A run with a report, a licence and an author."""
    return cuello.train(
        data=str(images), noise="salt-pepper:0.3", model="conv-8-16-8", crop=16, epochs=1, threads=1, device="cpu",
        license="GPL-3.0-or-later", author="Ada Lovelace", citation="10.1000/xyz",
        output=tmp_path_factory.mktemp("hub") / "first.run",
    )  # fmt: skip


@pytest.fixture(scope="module")
def folder(stated: Run) -> Path:
    found = stated.path.parent / "folder"
    write_hub(cuello.load(stated.path), found)
    return found


def test_everything_is_there(folder: Path) -> None:
    assert sorted(path.name for path in folder.iterdir()) == [
        "README.md", "config.json", "examples.png", "methods.png", "metrics.json", "model.onnx", "model.safetensors",
    ]  # fmt: skip


def test_the_onnx_file_gives_what_the_network_gives(folder: Path, stated: Run) -> None:
    session = onnxruntime.InferenceSession(folder / "model.onnx")
    network = cuello.load(stated.path).network
    for height, width in ((16, 16), (34, 50), (100, 20)):
        x = torch.rand(2, 3, height, width)
        with torch.inference_mode():
            expected = network(x).image.clamp(0, 1).numpy()
        np.testing.assert_allclose(session.run(None, {"image": x.numpy()})[0], expected, atol=1e-5)


def test_the_card_says_what_the_hub_wants_to_know(folder: Path, stated: Run) -> None:
    found: Any = ModelCard.load(folder / "README.md").data
    assert (found.license, found.library_name, found.pipeline_tag) == ("gpl-3.0", "cuello", "image-to-image")
    network = stated.metrics["methods"]["network"]
    results = {one.metric_type: one for one in found.eval_results or []}
    assert set(results) == {"psnr", "ssim", "mse", "wrong"} & set(network) == set(found.metrics)
    assert results["psnr"].metric_value == pytest.approx(network["psnr"], abs=1e-6)
    assert results["psnr"].dataset_name == "images, images kept apart from training"
    assert "noise salt-pepper:0.3; mean of the images' peak signal-to-noise ratios" in str(results["psnr"].metric_name)
    assert results["psnr"].source_url == "README.md#validation"


def test_the_card_says_what_it_was_judged_against(folder: Path, stated: Run) -> None:
    text = (folder / "README.md").read_text()
    assert stated.metrics["verdict"] in text
    for method in stated.metrics["methods"].values():
        assert f"| {method['psnr']:.2f} |" in text
    for part in ("Ada Lovelace", "10.1000/xyz", "## Limits", "](examples.png)", "cuello train denoise images --"):
        assert part in text


def test_nothing_says_where_the_images_lay(folder: Path, stated: Run) -> None:
    place = str(Path(stated.config.data).parent).encode()
    assert place in stated.model_path.read_bytes()
    assert not [path.name for path in folder.iterdir() if place in path.read_bytes()]
    assert load_artefact(folder).training["data"] == "images"
    assert load_artefact(folder).checksum == load_artefact(stated.path).checksum


def test_the_checksum_in_the_card_and_the_configuration_is_the_files(folder: Path) -> None:
    checksum = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    assert f"hf://OWNER/first.run@COMMIT#sha256={checksum}" in (folder / "README.md").read_text()
    config = json.loads((folder / "config.json").read_text())
    assert config["files"]["model.safetensors"]["sha256"] == checksum
    assert (config["channels"], config["job"], config["architecture"]["name"]) == (3, "denoise", "conv-8-16-8")


def test_what_is_not_stated_is_said_with_what_to_add(trained: Run, tmp_path: Path) -> None:
    found = write_hub(cuello.load(trained.path), tmp_path / "hub", onnx=no_graph)
    (note,) = [note for note in found if "licence" in note]
    assert f"cuello resume {trained.path} --license Apache-2.0 --author" in note
    text = (tmp_path / "hub" / "README.md").read_text()
    assert 'license: "unknown"' in text
    assert "ask its author" in text


def test_a_run_without_an_evaluation_says_so(trained: Run, tmp_path: Path) -> None:
    found = write_hub(cuello.load(trained.path), tmp_path / "hub", onnx=no_graph)
    assert any(f"cuello evaluate {trained.path}" in note for note in found) == (not trained.metrics_path.is_file())


def test_a_ready_model_states_its_yardsticks(tmp_path: Path) -> None:
    model = cuello.load("upscale-x2")
    write_hub(model, tmp_path / "hub", onnx=no_graph)
    found: Any = ModelCard.load(tmp_path / "hub" / "README.md").data
    (psnr,) = [one for one in found.eval_results or [] if one.metric_type == "psnr"]
    score = round(model.artefact.metrics["scores"][0]["psnr"]["value"], 2)
    assert (psnr.dataset_type, round(psnr.metric_value, 2)) == ("set5", score)
    assert psnr.metric_name.startswith("PSNR in dB on Y of YCbCr")
    assert found.datasets == [model.artefact.training["data"]]
    text = (tmp_path / "hub" / "README.md").read_text()
    assert "float32, N×1×H×W, 0 to 1; out: `result`, values from 0 to 1.\n" in text, "every side is a multiple of 1"
    assert "made smaller in another way" in text
    assert f"- It is not for {BUNDLED['upscale-x2'].not_for}.\n" in text


def test_the_commands_that_a_file_keeps_are_told(tmp_path: Path) -> None:
    model = cuello.load("upscale-x2")
    kept = {**model.artefact.metrics, "commands": ["cuello train upscale photographs -o one", "cuello train …"]}
    about = replace(model.artefact, metrics=kept, trained_on="stars: of the sky (licence: free; by Ada (CC0-1.0))")
    write_hub(replace(model, artefact=about), tmp_path / "hub", onnx=no_graph)
    text = (tmp_path / "hub" / "README.md").read_text()
    assert "```bash\ncuello train upscale photographs -o one\ncuello train …\n```" in text
    assert "| training data | stars: of the sky (licence: free; by Ada (CC0-1.0)) |" in text
    assert "- It has learned from stars: of the sky. Of images" in text


def test_a_classifier_is_an_image_classification(make_classes: Callable[..., Path], tmp_path: Path) -> None:
    run = cuello.train(
        "classify", str(make_classes(tmp_path / "classes")), epochs=1, device="cpu", threads=1, output=tmp_path / "run"
    )
    write_hub(cuello.load(run.path), tmp_path / "hub")
    found: Any = ModelCard.load(tmp_path / "hub" / "README.md").data
    assert found.pipeline_tag == "image-classification"
    assert "accuracy" in found.metrics
    assert (
        "float32, N×1×12×10, 0 to 1; out: `result`, one probability a class.\n"
        in (tmp_path / "hub" / "README.md").read_text()
    )
    session = onnxruntime.InferenceSession(tmp_path / "hub" / "model.onnx")
    height, width = cuello.load(run.path).size or (12, 12)
    shares = session.run(None, {"image": np.random.default_rng(0).random((3, 1, height, width), np.float32)})[0]
    assert shares.shape == (3, 2)
    np.testing.assert_allclose(shares.sum(1), 1, atol=1e-5)


@pytest.mark.parametrize("kind", ["full", "file"])
def test_what_lies_there_is_not_touched(trained: Run, tmp_path: Path, kind: str) -> None:
    place = tmp_path / "there"
    if kind == "full":
        place.mkdir()
        (place / "mine.txt").write_text("mine")
    else:
        place.write_text("mine")
    with pytest.raises(CuelloError, match="nothing was written"):
        write_hub(cuello.load(trained.path), place, onnx=no_graph)
    assert (place / "mine.txt" if kind == "full" else place).read_text() == "mine"


def test_what_fails_leaves_nothing(trained: Run, tmp_path: Path) -> None:
    def fails(model: Any) -> bytes:
        raise CuelloError("no")

    with pytest.raises(CuelloError, match="no"):
        write_hub(cuello.load(trained.path), tmp_path / "hub", onnx=fails)
    assert list(tmp_path.iterdir()) == []


class Branching(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x if x.sum() > 0 else -x


class Bessel(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.special.i0(x)


@pytest.mark.parametrize(
    ("step", "said"),
    [
        (Branching, r"test_hub\.py, line \d+, reads values of a tensor by a condition .*torch\.where"),
        (Bessel, r"uses the operation aten::\S+, which ONNX .* does not have\. Write"),
    ],
)
def test_what_cannot_be_written_is_named(trained: Run, step: type[torch.nn.Module], said: str) -> None:
    model = replace(cuello.load(trained.path), network=CustomNetwork(step(), 3, 1, None))
    with pytest.raises(CuelloError, match=said):
        plain_onnx(model)


@pytest.mark.parametrize("name", ["mlp:35-20-2", "ünï", "a..b--c", "-x-", "x" * 200, "", "a.git", "run 1"])
def test_names_become_such_as_the_hub_takes(name: str) -> None:
    from huggingface_hub.utils import validate_repo_id

    validate_repo_id(f"owner/{hub_name(name)}")


@pytest.mark.parametrize(
    ("licence", "fields"),
    [
        ("MIT", {"license": "mit"}),
        ("LGPL-2.1-only", {"license": "lgpl-2.1"}),
        ("MIT OR Apache-2.0", {"license": "other", "license_name": "mit-or-apache-2.0", "license_link": "README.md"}),
        (
            "LicenseRef-Lab",
            {"license": "other", "license_name": "licenseref-lab", "license_link": "README.md"},
        ),
        (None, {"license": "unknown"}),
    ],
)
def test_licences_are_said_as_the_hub_says_them(licence: str | None, fields: dict[str, str]) -> None:
    assert licence_fields(licence) == fields


def test_what_a_network_started_from_is_handed_on_without_the_way_to_it(
    stated: Run, images: Path, tmp_path: Path
) -> None:
    run = cuello.train(
        data=str(images), noise="salt-pepper:0.3", start_from=stated, crop=16, epochs=1, threads=1, device="cpu",
        output=tmp_path / "second", license="MIT", author="Grace", citation="none",
    )  # fmt: skip
    notes = write_hub(cuello.load(run), tmp_path / "folder", onnx=no_graph)
    told = "first.run (conv-8-16-8, checksum "
    assert any(note.startswith(f"it started from {told}") and "GPL-3.0-or-later" in note for note in notes)
    card = (tmp_path / "folder" / "README.md").read_text()
    assert f"| started from | {told}" in card
    assert "- It started from first.run" in card
    assert "starting from first.run." in card
    assert "--start-from first.run" in card
    assert str(stated.path.parent) not in card
    artefact = load_artefact(tmp_path / "folder" / "model.safetensors")
    assert artefact.training["start_from"] == "first.run"
    assert artefact.started_from == load_artefact(run.model_path).started_from
