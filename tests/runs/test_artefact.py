"""model.safetensors: the one file that is handed over."""

import json
import re
import shutil
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from cuello.core.errors import CuelloError
from cuello.models.catalog import Architecture, architecture_of, build
from cuello.runs.artefact import FILE_NAME, Artefact, load_artefact, save_artefact
from cuello.runs.directory import Run
from cuello.runs.tensors import load_tensors, save_tensors


def an_artefact(name: str = "conv-8-16-8", channels: int = 3) -> Artefact:
    architecture = architecture_of(name, channels)
    torch.manual_seed(5)
    weights = build(architecture).state_dict()
    return Artefact(architecture, "denoise", "gaussian:25", weights, {"epochs": 3}, {"validation_psnr": 30.5})


def test_what_is_saved_comes_back(tmp_path: Path) -> None:
    artefact = an_artefact()
    save_artefact(tmp_path / FILE_NAME, artefact)
    loaded = load_artefact(tmp_path / FILE_NAME)
    assert json.loads(json.dumps(asdict(artefact.architecture))) == asdict(loaded.architecture)
    assert (loaded.job, loaded.noise, loaded.training, loaded.metrics) == (
        "denoise", "gaussian:25", {"epochs": 3}, {"validation_psnr": 30.5},
    )  # fmt: skip
    assert loaded.channels == 3
    assert all(torch.equal(loaded.weights[name], tensor) for name, tensor in artefact.weights.items())


def test_the_network_has_these_weights_and_is_in_evaluation_mode() -> None:
    artefact = an_artefact("unet-s")
    network = artefact.network()
    assert not network.training
    assert all(torch.equal(tensor, artefact.weights[name]) for name, tensor in network.state_dict().items())


def test_a_run_directory_stands_for_its_file(trained: Run) -> None:
    by_folder, by_file = load_artefact(trained.path), load_artefact(trained.model_path)
    assert by_folder.architecture == by_file.architecture
    assert all(torch.equal(by_folder.weights[name], by_file.weights[name]) for name in by_file.weights)


def test_a_trained_file_needs_nothing_else(trained: Run, tmp_path: Path) -> None:
    alone = load_artefact(Path(shutil.copy(trained.model_path, tmp_path / "renamed.safetensors")))
    assert alone.noise == "salt-pepper:0.1..0.5"
    assert alone.training["epochs"] == 2
    assert set(alone.metrics) == {"epoch", "validation_mse", "validation_psnr"}
    assert torch.isfinite(alone.network()(torch.rand(1, 3, 8, 8)).image).all()


def test_a_run_without_an_epoch_says_so(tmp_path: Path) -> None:
    with pytest.raises(CuelloError, match=rf"holds no {re.escape(FILE_NAME)}: no epoch of a training has ended"):
        load_artefact(tmp_path)


def test_another_networks_weights_are_refused_by_name() -> None:
    wrong = replace(an_artefact(), weights=an_artefact("unet-s").weights)
    with pytest.raises(CuelloError, match=r"lacks the tensor 'encoder"):
        wrong.network()
    grey = replace(an_artefact(), architecture=architecture_of("conv-8-16-8", 1))
    with pytest.raises(CuelloError, match=r"has shape .*, needed .*another network's weights"):
        grey.network()


def test_a_checkpoint_is_no_model(trained: Run) -> None:
    with pytest.raises(CuelloError, match=r"is a checkpoint file, needed a model file"):
        load_artefact(trained.checkpoint_path)


def test_a_later_format_is_refused_with_a_remedy(tmp_path: Path) -> None:
    save_tensors(tmp_path / FILE_NAME, {}, {}, "model", 99)
    with pytest.raises(CuelloError, match=r"format 99.*Install the version"):
        load_artefact(tmp_path)


@pytest.mark.parametrize("lacking", ["architecture", "job", "noise", "training", "metrics"])
def test_a_description_with_a_part_missing_is_refused(tmp_path: Path, lacking: str) -> None:
    save_artefact(tmp_path / FILE_NAME, an_artefact())
    tensors, about = load_tensors(tmp_path / FILE_NAME, "model", 1)
    about = {key: value for key, value in about.items() if key not in (lacking, "kind", "format", "version")}
    save_tensors(tmp_path / FILE_NAME, tensors, about, "model", 1)
    with pytest.raises(CuelloError, match=rf"lacks a part of its description .*{lacking}"):
        load_artefact(tmp_path)


def test_settings_of_a_later_version_are_refused(tmp_path: Path) -> None:
    artefact = an_artefact()
    later = Architecture("conv-9", "convolutional", {**artefact.architecture.settings, "attention": True})
    with pytest.raises(CuelloError, match=r"'conv-9' has settings this version does not know \(attention"):
        replace(artefact, architecture=later).network()
    with pytest.raises(CuelloError, match=r"no kind of network called 'transformer'"):
        replace(artefact, architecture=Architecture("t", "transformer", {})).network()


def test_no_pickle_is_in_the_file(trained: Run) -> None:
    content = trained.model_path.read_bytes()
    length = int(np.frombuffer(content[:8], "<u8")[0])
    assert json.loads(content[8 : 8 + length])["__metadata__"]["sha256"]
    assert b"\x80\x02" not in content[: 8 + length]


def test_a_folder_of_several_runs_says_which_they_are(series: Path, tmp_path: Path) -> None:
    with pytest.raises(
        CuelloError, match=r"is not a run but holds 2: seed-0, seed-1\. Name one, e\.g\. .*seed-0; .*compare"
    ):
        load_artefact(series)
    (tmp_path / "one" / "seed-3").mkdir(parents=True)
    (tmp_path / "one" / "seed-3" / FILE_NAME).write_bytes((series / "seed-0" / FILE_NAME).read_bytes())
    with pytest.raises(CuelloError, match=r"is not a run but holds one: name .*seed-3"):
        load_artefact(tmp_path / "one")
    with pytest.raises(CuelloError, match=r"no epoch of a training has ended there yet"):
        load_artefact(tmp_path)
