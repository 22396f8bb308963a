"""last.safetensors: everything that a training needs to go on."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from cuello.core.errors import CuelloError
from cuello.runs.checkpoint import Checkpoint, load_checkpoint, read_reached, save_checkpoint
from cuello.runs.directory import Run
from cuello.runs.history import EpochRecord

RECORD = EpochRecord(1, 0.1 + 0.2, 1 / 3, 1e-17, 15.5, 1e-3, 0.25, 0.2, 100)
SECOND = replace(RECORD, epoch=2)


def a_checkpoint() -> Checkpoint:
    """Names with dots and slashes, tensors without axes, groups of equal names."""
    return Checkpoint(
        weights={"a.weight": torch.randn(2, 3), "a/b": torch.tensor(3)},
        average={"a.weight": torch.randn(2, 3)},
        best={"a.weight": torch.randn(2, 3)},
        optimizer={0: {"step": torch.tensor(4.0), "exp_avg": torch.randn(2, 3)}, 12: {"step": torch.tensor(5.0)}},
        records=(RECORD, SECOND),
        fingerprint="abc",
    )


def test_everything_comes_back(tmp_path: Path) -> None:
    expected = a_checkpoint()
    save_checkpoint(tmp_path / "last.safetensors", expected)
    found = load_checkpoint(tmp_path / "last.safetensors")
    assert found.records == expected.records
    assert found.fingerprint == "abc"
    for group in ("weights", "average", "best"):
        here, there = getattr(found, group), getattr(expected, group)
        assert set(here) == set(there)
        assert all(torch.equal(here[name], there[name]) for name in there)
    assert {position: set(named) for position, named in found.optimizer.items()} == {
        0: {"step", "exp_avg"},
        12: {"step"},
    }
    assert torch.equal(found.optimizer[0]["exp_avg"], expected.optimizer[0]["exp_avg"])


def test_empty_groups_come_back_empty(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "last.safetensors", Checkpoint({"w": torch.ones(1)}, {}, {}, {}, (), ""))
    found = load_checkpoint(tmp_path / "last.safetensors")
    assert (found.average, found.best, found.optimizer, found.records) == ({}, {}, {}, ())


def test_a_model_is_no_checkpoint(trained: Run) -> None:
    with pytest.raises(CuelloError, match=r"is a model file, needed a checkpoint file"):
        load_checkpoint(trained.model_path)


def test_a_missing_checkpoint_is_named(tmp_path: Path) -> None:
    with pytest.raises(CuelloError, match=r"there is no file .*last"):
        load_checkpoint(tmp_path / "last.safetensors")


def test_a_finished_runs_checkpoint_holds_all_parts(trained: Run) -> None:
    found = load_checkpoint(trained.checkpoint_path)
    assert list(found.records) == trained.history
    assert set(found.best) == set(found.weights)
    assert found.average == {}
    assert {"step", "exp_avg", "exp_avg_sq"} <= set(found.optimizer[0])


def test_how_far_it_is_can_be_read_without_the_tensors(tmp_path: Path) -> None:
    path = tmp_path / "last.safetensors"
    save_checkpoint(path, a_checkpoint())
    content = bytearray(path.read_bytes())
    content[-1] ^= 1  # in a tensor
    path.write_bytes(content)
    with pytest.raises(CuelloError, match="its checksum does not fit"):
        load_checkpoint(path)
    reached = read_reached(path)
    assert (reached.records, reached.fingerprint) == ((RECORD, SECOND), "abc")
    path.write_bytes(content[:-1])
    with pytest.raises(CuelloError, match="cut short"):
        read_reached(path)
