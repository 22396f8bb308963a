"""Safetensors with a checksum: what is written comes back; anything else is refused."""

import json
import os
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from cuello.core.errors import CuelloError
from cuello.runs.tensors import KEY, check_fit, digest_of, load_tensors, save_tensors

ABOUT = {"name": "grüße", "numbers": [0.1, 1e-300, 3]}


def some_tensors() -> dict[str, torch.Tensor]:
    return {
        "float": torch.tensor([[0.1, float("nan")], [float("inf"), -0.0]]),
        "half": torch.tensor([1.5, 2.5], dtype=torch.bfloat16),
        "step": torch.tensor(7, dtype=torch.int64),
        "flag": torch.tensor([True, False]),
        "empty": torch.zeros(0, 3),
        "transposed": torch.arange(6.0).view(2, 3).t(),
    }


def same_bits(a: torch.Tensor, b: torch.Tensor) -> bool:
    flat = [tensor.contiguous().view(-1).view(torch.uint8) if tensor.numel() else tensor for tensor in (a, b)]
    return a.dtype == b.dtype and a.shape == b.shape and torch.equal(*flat)


def write(path: Path) -> Path:
    save_tensors(path, some_tensors(), ABOUT, "model", 1)
    return path


def test_everything_comes_back_bit_for_bit(tmp_path: Path) -> None:
    tensors, about = load_tensors(write(tmp_path / "a.safetensors"), "model", 1)
    expected = some_tensors()
    assert set(tensors) == set(expected)
    assert all(same_bits(tensors[name], expected[name]) for name in expected)
    assert {key: about[key] for key in ABOUT} == ABOUT
    assert about["kind"] == "model"
    assert about["format"] == 1


def test_the_same_content_gives_the_same_checksum(tmp_path: Path) -> None:
    sums = []
    for name in ("a", "b"):
        with safe_open(write(tmp_path / f"{name}.safetensors"), framework="pt") as file:
            sums.append(file.metadata()["sha256"])
    assert sums[0] == sums[1]


def test_the_same_content_is_the_same_file(tmp_path: Path) -> None:
    # the library's own order of two names is drawn anew for every file
    files = {write(tmp_path / f"{number}.safetensors").read_bytes() for number in range(16)}
    assert len(files) == 1
    (content,) = files
    length = int.from_bytes(content[:8], "little")
    assert length % 8 == 0
    assert content[8:].startswith(b'{"__metadata__":{"cuello":"')
    assert set(load_file(tmp_path / "0.safetensors")) == set(some_tensors())


def test_nothing_but_the_file_is_left(tmp_path: Path) -> None:
    write(tmp_path / "a.safetensors")
    assert os.listdir(tmp_path) == ["a.safetensors"]


@pytest.mark.parametrize(
    "change",
    [
        lambda tensors: tensors | {"step": torch.tensor(8)},
        lambda tensors: {("stop" if name == "step" else name): value for name, value in tensors.items()},
        lambda tensors: tensors | {"transposed": tensors["transposed"].reshape(2, 3)},
        lambda tensors: tensors | {"step": torch.tensor(7, dtype=torch.float64)},
        lambda tensors: tensors | {"more": torch.zeros(1)},
    ],
)
def test_the_digest_sees_values_names_shapes_types(change) -> None:
    assert digest_of(change(some_tensors()), "{}") != digest_of(some_tensors(), "{}")


def test_the_digest_sees_the_description_but_not_the_order() -> None:
    tensors = some_tensors()
    assert digest_of(tensors, "{}") != digest_of(tensors, "{ }")
    assert digest_of(dict(reversed(tensors.items())), "{}") == digest_of(tensors, "{}")


@settings(max_examples=150, deadline=None)
@given(share=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_one_flipped_bit_anywhere_is_noticed(tmp_path_factory: pytest.TempPathFactory, share: float, bit: int) -> None:
    path = write(tmp_path_factory.mktemp("flip") / "a.safetensors")
    content = bytearray(path.read_bytes())
    content[int(share * len(content))] ^= 1 << bit
    path.write_bytes(content)
    with pytest.raises(CuelloError, match=r"a\.safetensors"):
        load_tensors(path, "model", 1)


@pytest.mark.parametrize("share", [0, 0.001, 0.1, 0.5, 0.99])
def test_a_file_cut_short_is_refused_with_a_remedy(tmp_path: Path, share: float) -> None:
    path = write(tmp_path / "a.safetensors")
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(CuelloError, match=r"cut short, or something else. Copy it again"):
        load_tensors(path, "model", 1)


def test_bytes_behind_the_end_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.safetensors")
    path.write_bytes(path.read_bytes() + b"more")
    with pytest.raises(CuelloError, match=r"not a whole safetensors file"):
        load_tensors(path, "model", 1)


def rewrite(path: Path, header: str) -> Path:
    """Write a file whose JSON was edited, with the checksum of the original."""
    original = {"kind": "model", "format": 1}
    tensors = {"a": torch.ones(2)}
    save_file(tensors, path, {KEY: header, "sha256": digest_of(tensors, json.dumps(original))})
    return path


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ('{"kind": "model", "format": 1, "noise": "x"}', "checksum does not fit"),
        ('{"kind": "checkpoint", "format": 1}', "is a checkpoint file, needed a model file"),
        ('{"kind": "model", "format": 2, "version": "9.9"}', r"format 2 \(cuello 9.9\).*reads format 1"),
        ('{"kind": "model", "format": "1"}', "format 1 .*Install the version of cuello that wrote it"),
        ("{", "is not JSON"),
        ("[]", "not a JSON object"),
        ("null", "not a JSON object"),
    ],
)
def test_an_edited_description_is_refused(tmp_path: Path, header: str, message: str) -> None:
    with pytest.raises(CuelloError, match=message):
        load_tensors(rewrite(tmp_path / "a.safetensors", header), "model", 1)


def test_somebody_elses_safetensors_file_is_refused(tmp_path: Path) -> None:
    save_file({"a": torch.ones(2)}, tmp_path / "a.safetensors")
    with pytest.raises(CuelloError, match=r"not one of Cuello's.*Needed: model.safetensors of a run"):
        load_tensors(tmp_path / "a.safetensors", "model", 1)


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CuelloError, match=r"there is no file"):
        load_tensors(tmp_path / "none.safetensors", "model", 1)
    with pytest.raises(CuelloError, match=r"not a whole safetensors file"):
        load_tensors(tmp_path, "model", 1)


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "a.safetensors")
    before = path.read_bytes()

    def fails(source: Path, target: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "replace", fails)
    with pytest.raises(CuelloError, match=r"no permission to write"):
        save_tensors(path, {"a": torch.ones(1)}, {}, "model", 1)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["a.safetensors"]


def test_check_fit_names_the_leaf_that_differs() -> None:
    needed = {"a": torch.zeros(2), "b": torch.zeros(3, 1)}
    check_fit(dict(needed), needed, Path("x"))
    with pytest.raises(CuelloError, match=r"x lacks the tensor 'b'"):
        check_fit({"a": needed["a"]}, needed, Path("x"))
    with pytest.raises(CuelloError, match=r"tensor 'b' has shape \(1, 3\), needed \(3, 1\)"):
        check_fit(needed | {"b": torch.zeros(1, 3)}, needed, Path("x"))
    with pytest.raises(CuelloError, match=r"holds the tensor 'c'"):
        check_fit(needed | {"c": torch.zeros(1)}, needed, Path("x"))
