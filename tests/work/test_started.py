"""Trainings that start from a trained network: its function at the start, what is kept of it, going on without it."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import cuello
from cuello.core.errors import CuelloError
from cuello.core.progress import Progress
from cuello.inference.model import artefact_at
from cuello.models.base import as_output
from cuello.runs.artefact import Artefact, load_artefact
from cuello.runs.checkpoint import load_checkpoint
from cuello.runs.directory import Run
from cuello.runs.origin import Origin
from cuello.runs.rights import rights_of
from cuello.search.run import search
from cuello.work.started import name_of
from cuello.work.train import resolve

SMALL: dict[str, Any] = {
    "noise": "gaussian:25", "crop": 16, "samples": 8, "validation_samples": 2, "epochs": 1, "batch_size": 4,
    "device": "cpu", "threads": 1, "report": False,
}  # fmt: skip
STILL: dict[str, Any] = {"learning_rate": 1e-12, "warmup_epochs": 0, "ema": None, "optimizer": "sgd"}
"""A training that moves nothing."""
ANOTHER: dict[str, Any] = {name: value for name, value in SMALL.items() if name != "noise"}


@pytest.fixture(scope="module")
def first(images: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A denoiser of colour images, with a licence; not to be changed."""
    place = tmp_path_factory.mktemp("started") / "first"
    return cuello.train(data=images, model="conv-8-16-8", license="MIT", author="Ada", output=place, **SMALL)


def answer(artefact: Artefact, x: Tensor) -> Tensor:
    with torch.no_grad():
        return as_output(artefact.network()(x, torch.full((len(x), 1, 1, 1), 0.1))).image


def begun(run: Run) -> dict[str, Tensor]:
    return dict(load_checkpoint(run.checkpoint_path).weights)


def test_without_model_it_is_the_network_started_from_with_all_its_weights(
    first: Run, images: Path, tmp_path: Path
) -> None:
    notes: list[str] = []
    run = cuello.train(
        data=images, start_from=first.path, output=tmp_path / "second", **SMALL, **STILL,
        progress=lambda event: notes.append(event.note) if isinstance(event, Progress) and event.note else None,
    )  # fmt: skip
    source, found = load_artefact(first.model_path), load_artefact(run.model_path)
    assert run.config.model == "conv-8-16-8"
    assert run.config.start_from == str(first.path)
    for name, tensor in source.weights.items():
        if "running" not in name and "batches" not in name:
            assert torch.allclose(found.weights[name], tensor, atol=1e-6), name
    layers = len({name.rpartition(".")[0] for name in source.weights})
    said = f"{layers} of {layers} layers from first"
    assert f"training starts with {said}" in notes
    assert any("conv-8-16-8, that of first" in note for note in notes)
    data = f"images of the author's own, {images.name}"
    assert found.started_from == (
        Origin("first", "conv-8-16-8", source.checksum, said, "MIT", "Ada", "not stated", data=data),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("ready", "settings"),
    [("denoise", {"job": "denoise", "noise": "gaussian:25"}), ("upscale-x2", {"job": "upscale", "scale": 2})],
)
def test_a_ready_model_is_trained_on_from_the_very_function_that_it_is(
    ready: str, settings: dict[str, Any], images: Path, tmp_path: Path
) -> None:
    given = {**ANOTHER, **STILL, "channels": 1, **settings}
    run = cuello.train(data=images, start_from=ready, output=tmp_path / "second", **given)
    source, found = artefact_at(ready), load_artefact(run.model_path)
    assert (source.architecture.settings["folded"], found.architecture.settings["folded"]) == (True, False)
    x = torch.rand(2, 1, 16, 20, generator=torch.Generator().manual_seed(1))
    assert (answer(found, x) - answer(source, x)).abs().max() < 1e-6
    (origin,) = found.started_from
    assert (origin.name, origin.checksum, origin.licence) == (ready, source.checksum, "Apache-2.0")
    assert "photographs that anybody may use" in origin.data


def test_another_scale_and_colours_take_what_fits(images: Path, tmp_path: Path) -> None:
    given = {**ANOTHER, "job": "upscale", "scale": 3, "crop": 24, "start_from": "upscale-x2"}
    run = cuello.train(data=images, output=tmp_path / "x3", **given)
    (origin,) = load_artefact(run.model_path).started_from
    assert origin.taken == "18 of 19 layers from upscale-x2; layers.0 for other channels; layers.18 begins fresh"


def test_every_network_on_the_way_is_kept(first: Run, images: Path, tmp_path: Path) -> None:
    second = cuello.train(data=images, start_from=first.path, output=tmp_path / "second", **SMALL)
    third = cuello.train(data=images, start_from=second.model_path, output=tmp_path / "third", **SMALL)
    origins = load_artefact(third.model_path).started_from
    assert [origin.name for origin in origins] == ["second", "first"]
    assert [origin.licence for origin in origins] == ["not stated", "MIT"]


def test_a_run_goes_on_without_what_it_started_from(first: Run, images: Path, tmp_path: Path) -> None:
    source = tmp_path / "source"
    shutil.copytree(first.path, source)
    settings: dict[str, Any] = {**SMALL, "schedule": "constant", "start_from": source}
    short = cuello.train(data=images, output=tmp_path / "short", **settings)
    long = cuello.train(data=images, output=tmp_path / "long", **{**settings, "epochs": 2})
    shutil.rmtree(source)
    cuello.resume(short.path, epochs=2, report=False)
    assert load_artefact(short.model_path).started_from == load_artefact(long.model_path).started_from
    for name, tensor in begun(long).items():
        assert torch.equal(begun(short)[name], tensor), name


def test_the_same_settings_and_the_same_start_give_the_same_bits(first: Run, images: Path, tmp_path: Path) -> None:
    runs = [cuello.train(data=images, start_from=first.path, output=tmp_path / name, **SMALL) for name in "ab"]
    assert load_artefact(runs[0].model_path).checksum == load_artefact(runs[1].model_path).checksum


def test_what_does_not_fit_is_refused_with_both_networks(first: Run, images: Path, tmp_path: Path) -> None:
    with pytest.raises(CuelloError, match=r"'conv-8-16-8' \(convolutional.*'dncnn-s' \(residual.*Leave model out"):
        cuello.train(data=images, start_from=first.path, model="dncnn-s", output=tmp_path / "second", **SMALL)
    assert not (tmp_path / "second").exists()


def test_what_is_not_there_is_refused_before_images_are_read(tmp_path: Path) -> None:
    with pytest.raises(CuelloError, match=r"there is no file .*nowhere.*Ready to use: denoise"):
        resolve({"data": tmp_path / "none", "start_from": "nowhere", "noise": "gaussian:25"})


def test_an_exported_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.onnx").write_bytes(b"")
    with pytest.raises(CuelloError, match=r"start_from.*exported file.*Name the run"):
        resolve({"start_from": tmp_path / "a.onnx", "noise": "gaussian:25"})


def test_a_classifier_of_other_classes_keeps_all_but_its_last_layer(
    make_classes: Callable[..., Path], tmp_path: Path
) -> None:
    settings = {**ANOTHER, "crop": None, "model": "classify-s"}
    two = cuello.train("classify", make_classes(tmp_path / "two"), output=tmp_path / "a", **settings)
    three = make_classes(tmp_path / "three", names=("bright", "dark", "black"))
    run = cuello.train("classify", three, start_from=two.path, output=tmp_path / "b", **settings, **STILL)
    theirs, found = load_artefact(two.model_path), load_artefact(run.model_path)
    (origin,) = found.started_from
    last = [name for name, tensor in found.weights.items() if tensor.shape != theirs.weights[name].shape]
    assert last
    assert {name.rpartition(".")[0] for name in last} == {"head.0"}
    assert origin.taken.endswith("from a; head.0 begins fresh")
    same = [name for name in found.weights if name not in last and "running" not in name and "batches" not in name]
    assert all(torch.allclose(found.weights[name], theirs.weights[name], atol=1e-6) for name in same)


def test_names_do_not_tell_where_a_network_lies() -> None:
    names = {"denoise": "denoise", "/home/ada/first": "first", "~/a/model.safetensors": "a", "a.safetensors": "a"}
    assert {place: name_of(place) for place in names} == names


def test_the_command_line_takes_it(first: Run, images: Path, tmp_path: Path, command: Callable[..., Any]) -> None:
    flags = "--noise gaussian:25 --crop 16 --samples 8 --validation-samples 2 --epochs 1 --no-report --threads 1"
    done = command("train", "denoise", images, *flags.split(), "--start-from", first.path, "-o", tmp_path / "a")
    assert done.code == 0
    assert "layers from first" in done.out + done.error
    assert np.isfinite(Run(tmp_path / "a").history[-1].loss)


def test_repeats_and_folds_all_start_there(first: Run, images: Path, tmp_path: Path) -> None:
    runs = cuello.train_repeats(data=images, repeats=2, start_from=first, output=tmp_path / "repeats", **SMALL)
    runs += cuello.train_folds(data=images, folds=2, start_from=first, output=tmp_path / "folds", **SMALL)
    origins = [load_artefact(run.model_path).started_from for run in runs]
    assert [[origin.name for origin in several] for several in origins] == [["first"]] * 4
    assert len({load_artefact(run.model_path).checksum for run in runs}) == 4
    finished = [run.checkpoint_path.stat().st_mtime_ns for run in runs]
    again = cuello.train_repeats(data=images, repeats=2, start_from=first, output=tmp_path / "repeats", **SMALL)
    assert [run.checkpoint_path.stat().st_mtime_ns for run in again] == finished[:2], "what is finished is kept"
    with pytest.raises(CuelloError, match=r"was trained with start_from = .*first', now it is 'denoise'"):
        cuello.train_repeats(
            data=images, repeats=2, start_from="denoise", model="conv-8-16-8", output=tmp_path / "repeats", **SMALL
        )


def test_workers_start_there_too(first: Run, images: Path, tmp_path: Path) -> None:
    given = {**SMALL, "start_from": first}
    apart = cuello.train_repeats(data=images, repeats=2, workers=2, output=tmp_path / "apart", **given)
    here = cuello.train_repeats(data=images, repeats=2, output=tmp_path / "here", **given)
    for one, other in zip(apart, here, strict=True):
        assert load_artefact(one.model_path).checksum == load_artefact(other.model_path).checksum


def test_ranks_have_the_weights_of_the_first(first: Run, images: Path, tmp_path: Path) -> None:
    given: dict[str, Any] = {**SMALL, "epochs": 1, "start_from": first.path, "data": images}
    shared = cuello.train(output=tmp_path / "shared", ranks=2, **given)
    alone = cuello.train(output=tmp_path / "alone", **given)
    assert shared.history[0].loss == pytest.approx(alone.history[0].loss, rel=1e-4)
    assert load_artefact(shared.model_path).started_from == load_artefact(alone.model_path).started_from
    cuello.resume(shared.path, ranks=2, epochs=2, report=False)
    assert len(shared.history) == 2


def test_small_networks_trained_at_once_start_there_too(images: Path, tmp_path: Path) -> None:
    given: dict[str, Any] = {
        "data": images, "job": "reconstruct", "model": "mlp-32-8-2", "resize": 8, "channels": 1, "epochs": 1,
        "validation": 0.5, "test": 0, "device": "cpu", "threads": 1, "report": False,
    }  # fmt: skip
    first = cuello.train(output=tmp_path / "first", **given)
    runs = cuello.train_repeats(repeats=2, start_from=first, output=tmp_path / "two", **{**given, **STILL})
    for run in runs:
        assert run.environment is not None
        assert run.environment["trained_at_once"] == 2
        found = load_artefact(run.model_path)
        assert [origin.name for origin in found.started_from] == ["first"]
        for name, tensor in load_artefact(first.model_path).weights.items():
            assert torch.allclose(found.weights[name], tensor, atol=1e-6), name
    cuello.resume(runs[0].path, epochs=2, report=False)
    assert load_artefact(runs[0].model_path).started_from[0].name == "first"


def test_a_search_starts_there(first: Run, images: Path, tmp_path: Path) -> None:
    given = {name: value for name, value in SMALL.items() if name != "report"}
    search(data=images, space={"learning_rate": [1e-3, 1e-4]}, start_from=first, output=tmp_path / "found", **given)
    runs = sorted((tmp_path / "found").rglob("model.safetensors"))
    assert len(runs) == 2
    assert all(load_artefact(path).started_from[0].name == "first" for path in runs)


def test_images_seen_before_are_told(first: Run, images: Path, tmp_path: Path) -> None:
    same = cuello.train(data=images, start_from=first, output=tmp_path / "same", **SMALL)
    other = cuello.train(data=images, start_from=first, split_seed=5, output=tmp_path / "other", **SMALL)
    taken = [load_artefact(run.model_path).started_from[0].taken for run in (same, other)]
    assert ["may have seen" in text for text in taken] == [False, True]


def test_an_estimator_starts_from_one_of_the_same_classifier(make_classes: Callable[..., Path], tmp_path: Path) -> None:
    classes = make_classes(tmp_path / "classes")
    common: dict[str, Any] = {**ANOTHER, "crop": None, "resize": 12, "samples": None, "validation_samples": None}
    theirs = [
        cuello.train("classify", classes, model="classify-s", seed=seed, output=tmp_path / f"c{seed}", **common)
        for seed in (0, 1)
    ]
    first = cuello.train("explain", classes, classifier=theirs[0], output=tmp_path / "a", **common)
    second = cuello.train("explain", classes, classifier=theirs[0], start_from=first, output=tmp_path / "b", **common)
    assert "begin" not in load_artefact(second.model_path).started_from[0].taken
    with pytest.raises(CuelloError, match="maps of another classifier"):
        cuello.train("explain", classes, classifier=theirs[1], start_from=first, output=tmp_path / "c", **common)


def test_what_it_started_from_is_told_wherever_its_licence_is(
    first: Run, images: Path, tmp_path: Path, command: Callable[..., Any]
) -> None:
    given = {name: value for name, value in SMALL.items() if name != "report"}
    run = cuello.train(data=images, start_from=first, output=tmp_path / "second", **given)
    said = "started from"
    assert "first (conv-8-16-8, checksum" in rights_of(cuello.load(run).artefact)[said]
    assert "licence: MIT; author: Ada" in rights_of(cuello.load(run).artefact)[said]
    page = run.report_path.read_text()
    assert "first (conv-8-16-8, checksum" in page
    assert f"{said}: first (conv-8-16-8" in " ".join(command("summary", run.path).out.split())
    assert f"--start-from {first.path}" in " ".join(page.replace("<span>", "").replace("</span>", "").split())
