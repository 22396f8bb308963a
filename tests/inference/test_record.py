"""What is written down of results: what is finished, what is made again, and what is never touched."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import cuello
from cuello.inference import files
from cuello.inference.files import Applied, apply
from cuello.inference.model import Model
from cuello.inference.record import RECORD, as_made, read_record

MakeImages = Callable[..., Path]


@pytest.fixture
def made(model: Model, tmp_path: Path, make_images: MakeImages) -> tuple[Path, Path]:
    """Images and their results."""
    source, out = make_images(tmp_path / "in", 3), tmp_path / "out"
    make_images(source / "deep", 1)
    assert len(apply(model, source, out, workers=1).written) == 4
    return source, out


def again(model: Model, places: tuple[Path, Path], **more: Any) -> Applied:
    return apply(model, *places, skip_existing=True, **{"workers": 1, **more})


def lines(out: Path) -> list[Any]:
    return [json.loads(line) for line in (out / RECORD).read_text("utf-8").splitlines()]


def names(applied: Applied) -> list[str]:
    return sorted(Path(path).name for path in applied.written)


def later(path: Path) -> None:
    """Let a file seem to have been written a minute later."""
    about = path.stat()
    os.utime(path, ns=(about.st_atime_ns, about.st_mtime_ns + 60 * 10**9))


def test_every_result_is_written_down_and_then_finished(model: Model, made: tuple[Path, Path]) -> None:
    _, out = made
    assert sorted(line[0] for line in lines(out)) == ["0.png", "1.png", "2.png", "deep/0.png"]
    first = read_record(out, ["0.png"])["0.png"]
    assert first.result.size == (out / "0.png").stat().st_size
    assert bytes.fromhex(first.head).startswith(b"\x89PNG")
    applied = again(model, made)
    assert (applied.written, len(applied.skipped), applied.notes) == ([], 4, [])
    assert len(lines(out)) == 4


def test_one_file_leaves_no_record(model: Model, images: Path, tmp_path: Path) -> None:
    apply(model, images / "0.png", tmp_path / "out.png")
    apply(model, images / "0.png", tmp_path / "folder")
    assert not list(tmp_path.rglob(RECORD))


def test_files_copied_elsewhere_are_known_by_their_content(model: Model, made: tuple[Path, Path]) -> None:
    source, out = made
    for path in (source / "0.png", out / "0.png", out / "1.png"):
        later(path)
    applied = again(model, made)
    assert (applied.written, applied.notes) == ([], [])


def test_results_of_another_model_or_other_settings_or_images_are_made_again(
    model: Model, made: tuple[Path, Path]
) -> None:
    source, out = made
    other = cuello.load("denoise")
    applied = again(other, made)
    assert names(applied) == ["0.png", "0.png", "1.png", "2.png"]
    assert applied.skipped == []
    assert applied.notes[0] == f"results that were there are made again: 4 of another model; e.g. {out / '0.png'}"
    assert np.array_equal(np.asarray(Image.open(out / "1.png")), other(np.asarray(Image.open(source / "1.png"))))
    assert again(other, made).written == []
    assert "4 with other settings" in again(other, made, level=0.1).notes[0]
    Image.open(source / "2.png").transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(source / "2.png")
    applied = again(other, made, level=0.1)
    assert names(applied) == ["2.png"]
    assert "1 of images that have changed since" in applied.notes[0]
    assert [Path(path).name for path in applied.skipped] == ["0.png", "1.png", "0.png"]


def test_what_somebody_changed_is_left_alone_whatever_else_changed(model: Model, made: tuple[Path, Path]) -> None:
    _, out = made
    Image.open(out / "0.png").rotate(90).save(out / "0.png")
    (out / "1.png").write_text("mine")
    (out / "2.png").unlink()
    (out / "2.png").symlink_to(out / "deep" / "0.png")
    before = [(out / name).read_bytes() for name in ("0.png", "1.png", "2.png")]
    applied = again(cuello.load("denoise"), made)
    assert applied.written == [out / "deep" / "0.png"]
    assert len(applied.skipped) == 3
    changed = f"results that were changed since they were made are left as they are, 3 of them, e.g. {out / '0.png'}"
    assert f"{changed}; overwrite=True makes all anew" in applied.notes
    assert [(out / name).read_bytes() for name in ("0.png", "1.png")] == before[:2]
    assert (out / "2.png").is_symlink()
    assert len(apply(model, *made, overwrite=True, workers=1).written) == 4


@pytest.mark.parametrize("left", [0, 20, 200])
def test_what_is_left_of_a_result_cut_short_is_made_again(model: Model, made: tuple[Path, Path], left: int) -> None:
    _, out = made
    whole = (out / "0.png").read_bytes()
    (out / "0.png").write_bytes(whole[:left])
    applied = again(model, made)
    assert applied.written == [out / "0.png"]
    assert "1 cut short since" in applied.notes[0]
    assert (out / "0.png").read_bytes() == whole
    assert again(model, made).written == []


def test_what_no_record_knows_is_skipped_as_ever(model: Model, made: tuple[Path, Path]) -> None:
    _, out = made
    (out / RECORD).unlink()
    (out / "0.png").write_text("mine")
    applied = again(cuello.load("denoise"), made)
    assert (applied.written, len(applied.skipped), applied.notes) == ([], 4, [])
    assert not (out / RECORD).exists()


def test_a_record_that_a_kill_or_somebody_else_damaged_is_read_as_far_as_it_goes(
    model: Model, made: tuple[Path, Path]
) -> None:
    _, out = made
    text = (out / RECORD).read_text("utf-8").splitlines()
    half = "\n".join([*text[:2], "null", "{}", '["0.png", 1, 2]', "[" * 100_000, '"é', text[2][:40]])
    (out / RECORD).write_bytes(half.encode("latin-1"))
    (out / "2.png").unlink()
    assert again(model, made).written == [out / "2.png"]
    kept = (out / RECORD).read_bytes().splitlines()
    assert as_made(kept[-1].decode()) is not None  # on a line of its own
    assert again(cuello.load("denoise"), made).notes[0].startswith("results that were there are made again: 3 of")


def test_a_result_changed_while_others_are_made_is_left(
    model: Model, made: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, out = made
    restore_file = files.restore_file

    def edits_the_next(*given: Any, **more: Any) -> None:
        restore_file(*given, **more)
        (out / "2.png").write_text("mine")

    monkeypatch.setattr(files, "restore_file", edits_the_next)
    applied = again(cuello.load("denoise"), made)
    assert (out / "2.png").read_text() == "mine"
    ((path, why),) = applied.failed
    assert why == f"{out / '2.png'} was changed meanwhile and is left as it is. Move it, or add overwrite=True."
    assert Path(path).name == "2.png"


def test_workers_write_down_the_same(model: Model, made: tuple[Path, Path], tmp_path: Path) -> None:
    source, out = made
    apply(model, source, tmp_path / "shared", workers=2)

    def known(folder: Path) -> dict[str, Any]:
        found = read_record(folder, ["0.png", "1.png", "2.png", "deep/0.png"])
        return {name: one._replace(result=one.result._replace(changed=0)) for name, one in found.items()}

    assert known(tmp_path / "shared") == known(out)
    assert len(known(out)) == 4
    (tmp_path / "shared" / "1.png").unlink()
    assert names(again(model, (source, tmp_path / "shared"), workers=2)) == ["1.png"]


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="everything may be written")
def test_a_record_that_cannot_be_written_is_said_and_costs_no_result(model: Model, made: tuple[Path, Path]) -> None:
    _, out = made
    (out / RECORD).chmod(0o400)
    applied = apply(model, *made, overwrite=True, workers=1)
    assert len(applied.written) == 4
    assert "no permission to write" in applied.notes[0]


@pytest.mark.parametrize("kind", ["link", "dangling", "folder", "pipe"])
def test_what_is_no_file_is_no_record(model: Model, made: tuple[Path, Path], tmp_path: Path, kind: str) -> None:
    if kind == "pipe" and not hasattr(os, "mkfifo"):
        pytest.skip("this system has no named pipes")
    source, out = made
    record, precious = out / RECORD, tmp_path / "precious.txt"
    record.unlink()
    precious.write_text("precious", "utf-8")
    if kind == "pipe":
        os.mkfifo(record)
    elif kind == "folder":
        record.mkdir()
    else:
        record.symlink_to(precious if kind == "link" else tmp_path / "nowhere")
    assert len(again(model, made, level=None).skipped) == 4
    applied = apply(model, source, out, overwrite=True, workers=1)
    assert len(applied.written) == 4
    assert f"{record} is a link, a folder or a pipe, and nothing is written into it: remove it." in applied.notes[-1]
    assert precious.read_text("utf-8") == "precious"
    assert not (tmp_path / "nowhere").exists()


def test_a_change_that_keeps_size_and_time_is_seen_before_a_result_is_replaced(
    model: Model, made: tuple[Path, Path]
) -> None:
    _, out = made
    about, content = (out / "0.png").stat(), bytearray((out / "0.png").read_bytes())
    content[-1] ^= 1
    (out / "0.png").write_bytes(content)
    os.utime(out / "0.png", ns=(about.st_atime_ns, about.st_mtime_ns))
    applied = again(cuello.load("denoise"), made)
    assert len(applied.written) == 3
    assert (out / "0.png").read_bytes() == content
    assert "changed since they were made are left as they are, 1 of them" in applied.notes[1]
