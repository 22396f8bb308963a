"""Files changed, and their checksum made anew: a plain error, or a result of finite numbers."""

import copy
import json
import math
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from cuello.core.errors import CuelloError
from cuello.inference.model import load
from cuello.models.catalog import architecture_of, build
from cuello.runs.artefact import Artefact, load_artefact, save_artefact
from cuello.runs.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from cuello.runs.history import EpochRecord
from cuello.runs.tensors import load_tensors, save_tensors

VALUES: list[Any] = [
    None, True, "", "x", "a" * 2000, -1, 0, 1, 2**31, 10**30, 0.5, math.nan, math.inf, [], [1], [[]], {}, {"kind": "x"},
    2_000_000_000, 1_000_000, "1e999", "\ud7ff", ["a", 1], [2**40] * 3,
]  # fmt: skip
NETWORKS = {"dncnn-s": "denoise", "mlp:35-3-2": "reconstruct", "classify-s": "classify", "up-s": "upscale"}


def an_artefact(name: str) -> Artefact:
    job = NETWORKS[name]
    architecture = architecture_of(name, 1, (7, 5) if name.startswith("mlp") else None)
    torch.manual_seed(5)
    classes = ("no", "yes") if job == "classify" else ()
    training = {"epochs": 3, "job": job, "resize": "7x5"}
    return Artefact(architecture, job, "gaussian:25", build(architecture).state_dict(), training, classes=classes)


def changed(value: Any, rng: random.Random) -> Any:
    """Return JSON with one value in it changed, left out, or put deep into lists."""
    value = copy.deepcopy(value)
    places: list[tuple[Any, Any]] = []

    def walk(inside: Any) -> None:
        for key in list(inside) if isinstance(inside, dict) else range(len(inside)):
            places.append((inside, key))
            if isinstance(inside[key], dict | list):
                walk(inside[key])

    walk(value)
    inside, key = rng.choice(places)
    what = rng.random()
    if what < 0.2:
        del inside[key]
    elif what < 0.3:
        inside[key] = [[[[inside[key]]]]]
    elif what < 0.4 and isinstance(inside, dict):
        inside[f"{key}s"] = inside.pop(key)
    else:
        inside[key] = rng.choice(VALUES)
    return value


def changed_tensors(tensors: dict[str, torch.Tensor], rng: random.Random) -> dict[str, torch.Tensor]:
    """Return tensors of which one is of another shape, type, name or value, or missing."""
    name = rng.choice(sorted(tensors))
    tensor = tensors[name]
    changes: list[Callable[[], dict[str, torch.Tensor]]] = [
        lambda: {key: value for key, value in tensors.items() if key != name},
        lambda: {**tensors, name: tensor * math.nan if tensor.is_floating_point() else tensor},
        lambda: {**tensors, name: tensor * math.inf if tensor.is_floating_point() else tensor - 1},
        lambda: {**tensors, name: tensor.double() * 1e300},
        lambda: {**tensors, name: tensor.float() * 3e38},
        lambda: {**tensors, name: tensor.to(torch.complex64)},
        lambda: {**tensors, name: tensor.to(torch.int16)},
        lambda: {**tensors, name: tensor.reshape(-1)[:0]},
        lambda: {**tensors, name: tensor[None]},
        lambda: {**tensors, f"{name}/x": tensor},
    ]
    return rng.choice(changes)()


def rewritten(path: Path, kind: str, rng: random.Random) -> None:
    """Change a file and make its checksum anew."""
    tensors, about = load_tensors(path, kind, 1)
    about = {key: value for key, value in about.items() if key not in ("kind", "format", "version")}
    if rng.random() < 0.7:
        about = changed(about, rng)
    else:
        tensors = changed_tensors(tensors, rng)
    save_tensors(path, tensors, about, kind=kind, format=1)


def used(path: Path) -> None:
    """Use a model as its job does; every number that comes out is finite."""
    model = load(path)
    if model.classes:
        found = model.classify(np.full((1, 40, 40, model.channels), 128, np.uint8))
    else:
        height, width = model.size or (16, 16)
        found = model(np.linspace(0, 1, height * width * model.channels, dtype=np.float32).reshape(height, width, -1))
    assert np.isfinite(found).all()


@pytest.mark.parametrize("name", NETWORKS)
def test_a_changed_model_is_refused_or_works(tmp_path: Path, name: str) -> None:
    path = tmp_path / "model.safetensors"
    save_artefact(path, an_artefact(name))
    whole, refused = path.read_bytes(), 0
    used(path)
    for seed in range(80):
        path.write_bytes(whole)
        rewritten(path, "model", random.Random(seed))
        try:
            used(path)
        except CuelloError:
            refused += 1
    assert refused > 40


def test_a_changed_checkpoint_is_refused_or_read(tmp_path: Path) -> None:
    path = tmp_path / "last.safetensors"
    record = EpochRecord(1, 0.5, 0.5, 0.1, 10.0, 1e-3, 1.0, 0.9, 64)
    weights, state = {"a": torch.ones(2)}, {0: {"step": torch.tensor(1.0), "exp_avg": torch.ones(2)}}
    save_checkpoint(path, Checkpoint(weights, weights, weights, state, (record,), "abc"))
    whole, refused = path.read_bytes(), 0
    for seed in range(200):
        path.write_bytes(whole)
        rewritten(path, "checkpoint", random.Random(seed))
        try:
            found = load_checkpoint(path)
            assert [one.epoch for one in found.records] == list(range(1, len(found.records) + 1))
            assert all(tensor.isfinite().all() for tensor in (*found.weights.values(), *found.best.values()))
        except CuelloError:
            refused += 1
    assert refused > 80


def test_changed_bytes_are_refused(tmp_path: Path) -> None:
    save_artefact(tmp_path / "model.safetensors", an_artefact("mlp:35-3-2"))
    whole = (tmp_path / "model.safetensors").read_bytes()
    rng = random.Random(0)
    for _ in range(200):
        content = bytearray(whole)
        for _ in range(rng.randint(1, 4)):
            content[rng.randrange(min(len(content), rng.choice((8, 40, 2000))))] = rng.randrange(256)
        (tmp_path / "model.safetensors").write_bytes(bytes(content[: rng.choice((len(content), rng.randrange(600)))]))
        if bytes(content) != whole:
            with pytest.raises(CuelloError):
                load_artefact(tmp_path)


@pytest.mark.parametrize(
    "text", ["[" * 200_000 + "]" * 200_000, "[]" * 10, '{"a":' * 100_000, "1" * 10_000, "[" + "[]," * 2_100_000 + "1]"],
    ids=range(5),
)  # fmt: skip
def test_a_description_without_end_is_refused(tmp_path: Path, text: str) -> None:
    from safetensors.torch import save_file

    from cuello.runs.tensors import KEY, digest_of

    save_file({}, tmp_path / "model.safetensors", {KEY: text, "sha256": digest_of({}, text)})
    with pytest.raises(CuelloError, match="changed after it was written"):
        load_artefact(tmp_path)


def test_a_header_of_exabytes_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes((2**62).to_bytes(8, "little") + b"{}")
    with pytest.raises(CuelloError, match="MiB"):
        load_artefact(tmp_path)


def test_what_does_not_belong_together_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    for change in (
        {"classes": ["a", "b", "c"]}, {"job": "denoise"}, {"classes": []}, {"job": "paint"},
        {"training": {"epochs": "many"}}, {"noise": 5}, {"classifier": ["x"]},
    ):  # fmt: skip
        save_artefact(path, an_artefact("classify-s"))
        tensors, about = load_tensors(path, "model", 1)
        about = {key: value for key, value in about.items() if key not in ("kind", "format", "version")}
        save_tensors(path, tensors, json.loads(json.dumps({**about, **change})), kind="model", format=1)
        with pytest.raises(CuelloError):
            load_artefact(path)
