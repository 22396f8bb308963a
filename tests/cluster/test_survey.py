"""What machines say of themselves before work begins, and what is told of their differences."""

from pathlib import Path

import pytest

from cuello.cluster.carried import content_of, put_down, stamps_of
from cuello.cluster.survey import Survey, differences, listing, surveyed
from cuello.core.errors import CuelloError


def test_machines_with_the_same_have_nothing_to_say(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"one")
    here = surveyed([str(tmp_path)])
    assert differences(here, surveyed([str(tmp_path)]), "node b") == []
    assert set(here.versions) == {"cuello", "python", "torch", "ray"}


def test_each_version_and_each_path_that_differs_is_named(tmp_path: Path) -> None:
    path, other = tmp_path / "data", tmp_path / "other"
    for folder, content in ((path, b"four"), (other, b"fives")):
        (folder / "in").mkdir(parents=True)
        (folder / "in/a.png").write_bytes(content)
    here = surveyed([str(path), "/is/nowhere"])
    swapped = {str(path): listing(Path("/is/nowhere")), "/is/nowhere": listing(path)}
    away = Survey({**here.versions, "cuello": "0.0.1"}, swapped)
    version, missing, more = differences(here, away, "node b")
    assert version.startswith("node b has cuello 0.0.1, needed ")
    assert missing == f"node b does not have {path}: copy it there, to the same place, or share it with all machines."
    assert "node b has another /is/nowhere (1 file, 4 bytes; here nothing)" in more
    assert listing(path) != listing(other)
    (other / "in/a.png").write_bytes(b"FOUR")
    assert listing(path) == listing(other), "of folders, names and sizes"
    assert listing(path / "in/a.png") != listing(other / "in/a.png"), "of files, what is in them"


def test_a_folder_is_shared_where_what_was_written_is_read(tmp_path: Path) -> None:
    (tmp_path / "mark").write_text("token", "utf-8")
    assert surveyed([], str(tmp_path / "mark"), "token").shares
    assert not surveyed([], str(tmp_path / "mark"), "another").shares
    assert not surveyed([], str(tmp_path / "none"), "token").shares


def test_folders_are_carried_whole_and_names_that_lead_out_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a/in").mkdir(parents=True)
    (tmp_path / "a/in/one").write_bytes(b"1")
    (tmp_path / "a/.hidden").write_bytes(b"2")
    before = stamps_of(tmp_path / "a")
    (tmp_path / "a/two").write_bytes(b"22")
    assert content_of(tmp_path / "a", before) == {"two": b"22"}
    put_down(tmp_path / "b", content_of(tmp_path / "a"))
    assert content_of(tmp_path / "b") == {"in/one": b"1", "two": b"22"}
    for name in ("../x", "/x", ""):
        with pytest.raises(CuelloError, match="no file's name within"):
            put_down(tmp_path / "b", {"fine": b"", name: b""})
    assert not (tmp_path / "b/fine").exists()
