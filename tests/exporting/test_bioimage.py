"""BioImage.IO packages: what rdf.yaml says is what the network does; and bioimageio.core's own test, where it is."""

import hashlib
import io
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

import cuello
from cuello.core.errors import CuelloError
from cuello.exporting.bioimage import network_by_name, write_bioimage
from cuello.exporting.yaml import yaml_of
from cuello.runs.directory import Run

onnxruntime = pytest.importorskip("onnxruntime")

CHECK = """
import sys
from bioimageio.core import test_description
found = test_description(sys.argv[1])
errors = [(one.name, error.loc, error.msg) for one in found.details for error in one.errors]
assert found.status == "passed", errors
print(sorted(one.name for one in found.details))
"""


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory, images: Path, make_classes: Callable) -> dict[str, Path]:
    """A package of each kind: an image of the same size, a larger one, classes, an image with a range of its own."""
    folder = tmp_path_factory.mktemp("packages")
    shared: dict[str, Any] = {"epochs": 1, "device": "cpu", "threads": 1, "report": False}
    stated: dict[str, Any] = {"license": "MIT", "author": "Ada Lovelace; Charles Babbage", "citation": "10.1000/xyz"}
    restoring = cuello.train(data=str(images), noise="gaussian:25", model="unet-s", crop=16, output=folder / "a",
                             **stated, **shared)  # fmt: skip
    ranged = cuello.train(data=str(images), noise="gaussian:25", model="conv-8-16-8", crop=16, range="0..4095",
                          output=folder / "r", **shared)  # fmt: skip
    classes = cuello.train("classify", str(make_classes(folder / "classes")), output=folder / "c", **shared)
    models = {"restoring": restoring.path, "ranged": ranged.path, "classes": classes.path, "larger": "upscale-x2"}
    for name, place in models.items():
        write_bioimage(cuello.load(place), folder / f"{name}.zip")
    return {name: folder / f"{name}.zip" for name in models}


def contents(package: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(package) as files:
        return {name: files.read(name) for name in files.namelist()}


KINDS = ["restoring", "ranged", "classes", "larger"]


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_described_gives_the_test_tensor(packages: dict[str, Path], kind: str) -> None:
    files = contents(packages[kind])
    about = yaml.safe_load(files["rdf.yaml"])
    (input_,), (output,) = about["inputs"], about["outputs"]
    x, expected = (np.load(io.BytesIO(files[f"test_{name}.npy"])) for name in ("input", "output"))
    (step,) = input_["preprocessing"]
    scaled = (x * step["kwargs"]["gain"] + step["kwargs"]["offset"]).astype(np.float32)
    black, white = input_["data"]["range"]
    assert black <= x.min() < x.max() <= white
    assert scaled.min() >= -1e-6
    assert scaled.max() <= 1 + 1e-6
    found = [onnxruntime.InferenceSession(files["model.onnx"]).run(None, {"image": scaled})[0]]
    state = about["weights"]["pytorch_state_dict"]
    network = network_by_name(**state["architecture"]["kwargs"])
    network.load_state_dict(torch.load(io.BytesIO(files["weights.pt"]), weights_only=True))
    with torch.inference_mode():
        found.append(network(torch.from_numpy(scaled)).numpy())
    for one in found:
        for step in output.get("postprocessing", ()):
            one = one * step["kwargs"]["gain"] + step["kwargs"]["offset"]  # noqa: PLW2901
        np.testing.assert_allclose(one, expected, atol=1e-4 * (white - black))


@pytest.mark.parametrize("kind", KINDS)
def test_every_file_is_there_with_its_checksum(packages: dict[str, Path], kind: str) -> None:
    files = contents(packages[kind])

    def named(value: Any) -> list[dict[str, Any]]:
        if isinstance(value, list):
            return [one for part in value for one in named(part)]
        if isinstance(value, dict):
            return ([value] if "sha256" in value else []) + [one for part in value.values() for one in named(part)]
        return []

    entries = named(yaml.safe_load(files["rdf.yaml"]))
    assert {"model.onnx", "weights.pt", "test_input.npy", "test_output.npy"} <= {one["source"] for one in entries}
    for one in entries:
        assert one["sha256"] == hashlib.sha256(files[one["source"]]).hexdigest()


def test_steps_and_halos_are_those_of_the_tiles(packages: dict[str, Path]) -> None:
    about = yaml.safe_load(contents(packages["restoring"])["rdf.yaml"])
    network = cuello.load(packages["restoring"].parent / "a").network
    field, stride = network.receptive_field, network.stride
    assert field is not None
    for axis in about["inputs"][0]["axes"][2:]:
        assert axis["size"]["step"] == stride
        assert axis["size"]["min"] % stride == 0
    for axis in about["outputs"][0]["axes"][2:]:
        assert axis["halo"] % stride == 0
        assert field // 2 <= axis["halo"] < field // 2 + stride
    larger = yaml.safe_load(contents(packages["larger"])["rdf.yaml"])["outputs"][0]["axes"][2]
    assert (larger["scale"], larger["halo"] % 2) == (0.5, 0)


def test_licence_authors_and_range_are_stated(packages: dict[str, Path]) -> None:
    about = yaml.safe_load(contents(packages["restoring"])["rdf.yaml"])
    assert about["license"] == "MIT"
    assert about["authors"] == [{"name": "Ada Lovelace"}, {"name": "Charles Babbage"}]
    assert about["cite"] == [{"text": "10.1000/xyz", "doi": "10.1000/xyz"}]
    ranged = yaml.safe_load(contents(packages["ranged"])["rdf.yaml"])
    assert ranged["inputs"][0]["data"]["range"] == [0, 4095]
    assert "license" not in ranged
    assert ranged["authors"] == [{"name": "not stated"}]


def test_nothing_says_where_the_images_lay(packages: dict[str, Path], images: Path) -> None:
    for name, content in contents(packages["restoring"]).items():
        assert str(images.parent).encode() not in content, name


def test_classes_are_channels(packages: dict[str, Path]) -> None:
    output = yaml.safe_load(contents(packages["classes"])["rdf.yaml"])["outputs"][0]
    assert output["axes"] == [{"type": "batch"}, {"type": "channel", "channel_names": ["bright", "dark"]}]


def test_the_same_network_is_the_same_description(trained: Run, tmp_path: Path) -> None:
    both = []
    for name in ("a.zip", "b.zip"):
        notes = write_bioimage(cuello.load(trained.path), tmp_path / name)
        assert any("states no licence and no author" in note for note in notes)
        both.append(contents(tmp_path / name)["test_output.npy"])
    assert both[0] == both[1]


def test_a_network_that_is_told_the_level_has_no_place(tmp_path: Path) -> None:
    with pytest.raises(CuelloError, match="is told the noise's level"):
        write_bioimage(cuello.load("denoise"), tmp_path / "denoise.zip")
    assert list(tmp_path.iterdir()) == []


def test_the_command_writes_it_and_says_what_is_missing(trained: Run, tmp_path: Path, command: Callable) -> None:
    answer = command("export", trained.path, tmp_path / "m.zip", "--bioimage", "--json")
    assert answer.code == 0
    assert json.loads(answer.out)["bytes"] == (tmp_path / "m.zip").stat().st_size
    assert any("--license Apache-2.0" in note for note in json.loads(answer.out)["notes"])


def test_other_endings_are_refused_before_any_work(tmp_path: Path, refused: Callable[..., str]) -> None:
    assert "model.zip" in refused("export", "no-such-model", tmp_path / "model.html", "--bioimage")
    assert "--bioimage" in refused("export", "no-such-model", tmp_path / "model.zip")
    assert "--hub" in refused("export", "no-such-model", tmp_path / "folder")
    assert "leave one of them out" in refused("export", "no-such-model", tmp_path / "x.zip", "--bioimage", "--hub")


@pytest.mark.parametrize("value", [{"a": [], "b": {}}, {"a": [{"b": [1, {"c": None}]}, "x: y"], "d": "ü\n"}])
def test_yaml_gives_back_what_was_written(value: Any) -> None:
    assert yaml.safe_load(yaml_of(value)) == value


@pytest.mark.parametrize("kind", KINDS)
def test_bioimageio_core_passes_it(packages: dict[str, Path], kind: str) -> None:
    python = os.environ.get("BIOIMAGE_PYTHON") or (sys.executable if find_spec("bioimageio") else None)
    if python is None:
        pytest.skip("bioimageio.core is not installed here; make bioimage has an environment with it")
    environment = {**os.environ, "PYTHONPATH": str(Path(cuello.__file__).parents[1])}
    found = subprocess.run(
        [python, "-c", CHECK, str(packages[kind])], capture_output=True, text=True, env=environment, check=False
    )
    assert found.returncode == 0, found.stderr[-2000:]
    assert "(onnx)" in found.stdout
    assert "(pytorch_state_dict)" in found.stdout
