"""Whole or not at all: what is on disk after a full disk, an interruption, a missing permission."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cuello.core.errors import CuelloError
from cuello.core.files import (
    TEMPORARY,
    as_cuello_error,
    existing_parent,
    make_folder,
    only_new,
    remove_leftovers,
    replacing,
    temporary_name,
    write_bytes,
    write_text,
)


def fail_with(code: int):
    def fail(*arguments, **options):
        raise OSError(code, os.strerror(code))

    return fail


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A file that was saved before."""
    path = tmp_path / "model.bin"
    path.write_bytes(b"old")
    return path


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_new_file_is_written_and_nothing_else(tmp_path):
    write_text(tmp_path / "note.txt", "grüß dich")
    assert (tmp_path / "note.txt").read_bytes() == "grüß dich".encode()
    assert names(tmp_path) == ["note.txt"]


def test_an_old_file_is_replaced_only_when_the_new_one_is_whole(old):
    with replacing(old) as temporary:
        temporary.write_bytes(b"new")
        assert old.read_bytes() == b"old"
        assert temporary.parent == old.parent
        assert temporary.suffix == old.suffix
    assert old.read_bytes() == b"new"
    assert names(old.parent) == ["model.bin"]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, CuelloError])
def test_a_failure_half_way_keeps_the_old_file_and_passes_on(old, error):
    def write_half() -> None:
        with replacing(old) as temporary:
            temporary.write_bytes(b"ne")
            raise error("half way")

    with pytest.raises(error, match="half way"):
        write_half()
    assert old.read_bytes() == b"old"
    assert names(old.parent) == ["model.bin"]


@pytest.mark.parametrize("function", ["replace", "fsync"])
@pytest.mark.parametrize(
    ("code", "words"),
    [
        (errno.ENOSPC, ["no space left for", "MB free", "Free some space", "another place"]),
        (errno.EDQUOT, ["no space left for"]),
        (errno.EACCES, ["no permission to write", "a place of your own"]),
        (errno.EROFS, ["no permission to write"]),
        (errno.EIO, ["could not be written: Input/output error"]),
    ],
)
def test_what_the_system_refuses_keeps_the_old_file_and_says_what_to_do(old, monkeypatch, function, code, words):
    monkeypatch.setattr(os, function, fail_with(code))
    with pytest.raises(CuelloError) as caught:
        write_bytes(old, b"new")
    for word in [str(old), *words]:
        assert word in str(caught.value)
    assert old.read_bytes() == b"old"
    assert names(old.parent) == ["model.bin"]


def test_a_disk_that_fills_up_during_the_write_leaves_no_part(old, monkeypatch):
    def write_half_then_fail(path: Path, content: bytes) -> int:
        with open(path, "wb") as file:
            file.write(content[:1])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", write_half_then_fail)
    with pytest.raises(CuelloError, match=r"no space left for .*whatever was saved before is intact"):
        write_bytes(old, b"new")
    assert old.read_bytes() == b"old"
    assert names(old.parent) == ["model.bin"]


@pytest.mark.parametrize("links", [True, False])
def test_a_file_that_came_meanwhile_stays_and_the_same_is_as_good(old, monkeypatch, links):
    if not links:
        monkeypatch.setattr(os, "link", fail_with(errno.EPERM))
    other, fresh = old.with_name("other.bin"), old.with_name("fresh.bin")
    with only_new(old):
        with pytest.raises(CuelloError, match="written by somebody else meanwhile, and is left as it is"):
            write_bytes(old, b"new")
        write_bytes(old, b"old")
        write_bytes(other, b"any")
        write_bytes(other, b"other")
    assert (old.read_bytes(), other.read_bytes()) == (b"old", b"other")
    with only_new(fresh):
        write_bytes(fresh, b"fresh")
    old.unlink()
    old.symlink_to(fresh.name)
    with only_new(old), pytest.raises(CuelloError, match="written by somebody else meanwhile"):
        write_bytes(old, b"fresh")
    assert names(old.parent) == ["fresh.bin", "model.bin", "other.bin"]
    write_bytes(old, b"new")
    assert (old.read_bytes(), fresh.read_bytes()) == (b"new", b"fresh")


def test_the_longest_file_name_can_be_written(tmp_path):
    path = tmp_path / ("ä" * 125 + ".png")  # 254 bytes of the 255 that a file system allows
    write_bytes(path, b"x")
    assert path.read_bytes() == b"x"


def test_a_folder_that_does_not_exist_is_named(tmp_path):
    with pytest.raises(CuelloError, match=r"missing/note\.txt could not be written: No such file or directory"):
        write_text(tmp_path / "missing" / "note.txt", "text")


def test_folders_are_made_with_their_parents_and_twice(tmp_path):
    folder = tmp_path / "a" / "b"
    assert make_folder(folder) == folder
    assert make_folder(folder).is_dir()


@pytest.mark.parametrize("below", ["", "c"])
def test_a_file_in_the_way_of_a_folder_is_named(tmp_path, below):
    (tmp_path / "a").write_text("a file")
    path = tmp_path / "a" / below
    with pytest.raises(CuelloError) as caught:
        make_folder(path)
    assert str(path) in str(caught.value)
    assert "a file is in the way. Move that file" in str(caught.value)
    assert (tmp_path / "a").read_text() == "a file"


def test_a_folder_without_permission_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(Path, "mkdir", fail_with(errno.EACCES))
    with pytest.raises(CuelloError, match=r"no permission to write .*/new\. Choose a place of your own"):
        make_folder(tmp_path / "new")


def test_the_free_space_is_that_of_the_nearest_folder_that_exists(tmp_path):
    assert existing_parent(tmp_path / "no" / "such" / "file") == tmp_path
    assert existing_parent(tmp_path) == tmp_path
    message = str(as_cuello_error(OSError(errno.ENOSPC, ""), tmp_path / "no" / "such" / "file"))
    assert "no/such/file" in message
    assert "MB free on that disk" in message


# What killed processes left

KILLED = """
import os, sys
from pathlib import Path
from cuello.core.files import replacing, temporary_folder
with replacing(Path(sys.argv[1]) / "a.png") as temporary, temporary_folder(Path(sys.argv[1]), "parts") as folder:
    temporary.write_text("half")
    (folder / "0.npz").write_text("half")
    print("written", flush=True)
    input()
"""


def test_what_a_killed_process_left_goes_and_nothing_else(tmp_path: Path) -> None:
    mine = [".notes.tmp", ".a.1234abcd.tmp.png", "b.cuello-tmp", ".a.1-2-abc.cuello-tmp", ".cuello-tmp", ".tmp12"]
    for name in mine:
        (tmp_path / name).write_text("mine")
    process = subprocess.Popen([sys.executable, "-c", KILLED, str(tmp_path)], stdin=-1, stdout=-1)
    assert process.stdout is not None
    process.stdout.readline()
    half = set(names(tmp_path)) - {*mine}
    assert len(half) == 2
    remove_leftovers(tmp_path)
    assert set(names(tmp_path)) == {*mine, *half}, "it is still at work"
    process.kill()
    process.communicate()
    write_text(tmp_path / "c.txt", "the next call")
    assert set(names(tmp_path)) == {*mine, "c.txt"}


def test_what_another_machine_left_goes_after_a_day(tmp_path: Path) -> None:
    for name in ("old", "new"):
        (tmp_path / f".{name}.7-8-00000000-12345678.cuello-tmp.png").write_text("half")
    os.utime(tmp_path / ".old.7-8-00000000-12345678.cuello-tmp.png", (0, 0))
    remove_leftovers(tmp_path)
    assert names(tmp_path) == [".new.7-8-00000000-12345678.cuello-tmp.png"]


@given(st.text(st.characters(blacklist_characters="/\0", blacklist_categories=["Cs"]), min_size=1, max_size=60))
def test_every_temporary_name_is_known_again(stem: str) -> None:
    assert TEMPORARY.fullmatch(temporary_name(stem, ".png"))
    assert not TEMPORARY.fullmatch(stem)
