"""history.jsonl: one line an epoch."""

import json
import math
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cuello.core.errors import CuelloError
from cuello.runs.history import EpochRecord, best_epoch, read_history, write_history

finite = st.floats(allow_nan=False, allow_infinity=False)
records = st.builds(
    EpochRecord, st.integers(1, 10**6), finite, finite, finite, finite, finite, finite, finite, st.integers(0, 10**9)
)


def record(epoch: int, loss: float) -> EpochRecord:
    return EpochRecord(epoch, 1.0, loss, loss, 20.0, 1e-3, 1.0, 0.9, 64)


@given(st.lists(records, max_size=5))
def test_what_is_written_is_read_to_the_last_digit(written: list[EpochRecord]) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "history.jsonl"
        written = [replace(one, epoch=place) for place, one in enumerate(written, 1)]
        write_history(path, written)
        assert read_history(path) == written
        assert len(path.read_text().splitlines()) == len(written)


def test_each_line_is_json_of_the_record(tmp_path: Path) -> None:
    write_history(tmp_path / "h", [record(1, 0.5), record(2, 0.25)])
    lines = (tmp_path / "h").read_text().splitlines()
    for line, loss in zip(lines, (0.5, 0.25), strict=True):
        expected = asdict(record(1 if loss == 0.5 else 2, loss))
        assert expected.pop("validation_accuracy") is expected.pop("validation_wrong") is None
        assert json.loads(line) == expected


def test_a_classifiers_line_has_an_accuracy_and_no_errors_of_images(tmp_path: Path) -> None:
    written = EpochRecord(1, 1.0, 0.5, math.nan, math.nan, 1e-3, 1.0, 0.9, 64, 0.75)
    write_history(tmp_path / "h", [written])
    assert json.loads((tmp_path / "h").read_text()) == {
        "epoch": 1, "loss": 1.0, "validation_loss": 0.5, "learning_rate": 1e-3, "seconds": 1.0, "training_seconds": 0.9,
        "images": 64, "validation_accuracy": 0.75,
    }  # fmt: skip
    (read,) = read_history(tmp_path / "h")
    assert (read.epoch, read.validation_accuracy) == (1, 0.75)
    assert math.isnan(read.validation_mse)
    assert math.isnan(read.validation_psnr)


def test_a_missing_history_is_explained(tmp_path: Path) -> None:
    with pytest.raises(CuelloError, match=r"is .* a run directory"):
        read_history(tmp_path / "history.jsonl")


DAMAGED = ["{", "[]", "5", '{"epoch": 1}', '{"epoch": 1, "more": 2}', "null", "[" * 100_000, "1" * 5000, "\x89PNG", ","]


@pytest.mark.parametrize("line", DAMAGED, ids=range(len(DAMAGED)))
def test_a_damaged_line_is_explained(tmp_path: Path, line: str) -> None:
    (tmp_path / "h").write_bytes(line.encode("latin-1") + b"\n")
    with pytest.raises(CuelloError, match=r"is damaged"):
        read_history(tmp_path / "h")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("epoch", 2), ("epoch", "1"), ("epoch", 10**400), ("loss", "0.5"), ("loss", math.nan), ("loss", None),
        ("validation_loss", math.inf), ("seconds", [1.0]), ("images", -1), ("images", 1.5),
        ("validation_accuracy", {}), ("more", 1),
    ],
)  # fmt: skip
def test_a_line_with_another_value_is_refused(tmp_path: Path, name: str, value: object) -> None:
    line = {**asdict(record(1, 0.5)), name: value}
    (tmp_path / "h").write_text(json.dumps(line) + "\n")
    with pytest.raises(CuelloError, match=r"is damaged"):
        read_history(tmp_path / "h")


def test_the_best_epoch_is_the_first_with_the_lowest_validation_loss() -> None:
    history = [record(1, 0.5), record(2, 0.2), record(3, 0.3), record(4, 0.2)]
    best = best_epoch(history)
    assert best is not None
    assert best.epoch == 2
    assert best_epoch([]) is None
