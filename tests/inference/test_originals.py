"""Images replaced in place: originals are beside their results, at every moment and after every call."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cuello.core.errors import CuelloError
from cuello.core.files import write_bytes
from cuello.inference.files import apply
from cuello.inference.model import Model
from cuello.inference.originals import replaced, was_replaced

MakeImages = Callable[..., Path]


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_images_are_replaced_and_their_originals_kept(model: Model, tmp_path: Path, make_images: MakeImages) -> None:
    source = make_images(tmp_path / "in", 2)
    make_images(source / "deep", 1)
    (source / "1.png").chmod(0o640)
    before = contents(source)
    expected = {name: model(np.asarray(Image.open(source / name))) for name in before}
    applied = apply(model, source, in_place=True)
    assert sorted(applied.written) == sorted(source / name for name in before)
    after = contents(source)
    assert after.keys() == before.keys() | {f"{name}.orig" for name in before}
    for name, content in before.items():
        assert after[f"{name}.orig"] == content
        assert np.array_equal(np.asarray(Image.open(source / name)), expected[name])
    assert (source / "1.png").stat().st_mode & 0o777 == 0o640


def test_a_second_call_keeps_the_true_original(model: Model, tmp_path: Path, make_images: MakeImages) -> None:
    source = make_images(tmp_path / "in", 2)
    apply(model, source / "0.png", in_place=True)
    before = contents(source)
    with pytest.raises(
        CuelloError, match=r"1 of 2 images were replaced before, as .*0\.png\.orig shows.*skip_existing=True"
    ):
        apply(model, source, in_place=True)
    with pytest.raises(
        CuelloError, match=r"0\.png was replaced before, as .*0\.png\.orig shows, .*move the originals back"
    ):
        apply(model, source / "0.png", in_place=True)
    assert contents(source) == before
    applied = apply(model, source, in_place=True, skip_existing=True)
    assert (applied.written, applied.skipped) == ([source / "1.png"], [source / "0.png"])
    after = contents(source)
    assert after["1.png.orig"] == before["1.png"]
    assert {name: after[name] for name in ("0.png", "0.png.orig")} == {
        name: before[name] for name in ("0.png", "0.png.orig")
    }
    apply(model, source, in_place=True, keep_originals=False)
    assert contents(source)["0.png.orig"] == before["0.png.orig"]


def test_originals_are_kept_unless_told_not_to(model: Model, tmp_path: Path, make_images: MakeImages) -> None:
    source = make_images(tmp_path / "in", 1)
    before = contents(source)
    apply(model, source, in_place=True, keep_originals=False)
    assert contents(source).keys() == before.keys()
    assert contents(source) != before


def test_what_fails_stays_as_it_was(
    model: Model, tmp_path: Path, make_images: MakeImages, make_image: Callable
) -> None:
    source = make_images(tmp_path / "in", 1)
    (source / "bad.png").write_bytes(b"\x89PNG no")
    Image.fromarray(make_image(0)).convert("P").save(source / "a.gif")
    (source / "link.png").symlink_to("bad.png")
    before = contents(source)
    applied = apply(model, source, in_place=True)
    assert applied.written == [source / "0.png"]
    why = {Path(path).name: problem for path, problem in applied.failed}
    assert why.keys() == {"bad.png", "a.gif", "link.png"}
    assert "a GIF holds 256 colours" in why["a.gif"]
    assert "is a link to" in why["link.png"]
    after = contents(source)
    assert after.keys() == before.keys() | {"0.png.orig"}
    assert {name: after[name] for name in before if name != "0.png"} == {
        name: content for name, content in before.items() if name != "0.png"
    }


def test_a_name_that_is_taken_is_not_replaced(model: Model, tmp_path: Path, make_images: MakeImages) -> None:
    source = make_images(tmp_path / "in", 1)
    (source / "0.png.orig").mkdir()
    before = contents(source)
    with pytest.raises(CuelloError, match="was replaced before"):
        apply(model, source, in_place=True)
    assert contents(source) == before


def test_what_makes_no_sense_in_place(model: Model, tmp_path: Path, make_images: MakeImages) -> None:
    source, other = make_images(tmp_path / "in", 1), make_images(tmp_path / "other", 1)
    before = contents(tmp_path)
    for match, call in (
        ("writes nowhere else", lambda: apply(model, source, other, in_place=True)),
        ("the images of one folder", lambda: apply(model, [source, other], in_place=True)),
        ("leave overwrite out", lambda: apply(model, source, in_place=True, overwrite=True)),
        ("every image keeps its own", lambda: apply(model, source, in_place=True, format="tif")),
        ("where do the results go", lambda: apply(model, source)),
        ("no original is touched", lambda: apply(model, source, tmp_path / "out", keep_originals=False)),
    ):
        with pytest.raises(CuelloError, match=match):
            call()
    assert contents(tmp_path) == before
    assert apply(model, source, source, in_place=True).written == [source / "0.png"]
    assert apply(model, [other, other], in_place=True).written == [other / "0.png"]


@pytest.mark.parametrize("links", [True, False])
def test_without_a_second_name_a_copy_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, links: bool) -> None:
    def refuses(*paths: object) -> None:
        raise OSError(95, "Operation not supported")

    if not links:
        monkeypatch.setattr(os, "link", refuses)
    image = tmp_path / "a.png"
    image.write_bytes(b"original")

    def fails() -> None:
        with replaced(image, keep=True):
            assert (tmp_path / "a.png.orig").read_bytes() == b"original"
            assert not was_replaced(image)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fails()
    assert contents(tmp_path) == {"a.png": b"original"}
    with replaced(image, keep=True):
        write_bytes(image, b"result")
    assert contents(tmp_path) == {"a.png": b"result", "a.png.orig": b"original"}
    assert was_replaced(image)


STOPPED = """
import os, sys
from pathlib import Path
from cuello.core.files import write_bytes
from cuello.inference.originals import replaced
image, moment = Path(sys.argv[1]), sys.argv[2]
name, _, when = moment.partition(" ")
true = getattr(os, name)
def stop(*arguments, **options):
    if when == "after":
        true(*arguments, **options)
    os.kill(os.getpid(), 9)
setattr(os, name, stop)
with replaced(image, keep=True):
    write_bytes(image, b"result")
"""


@pytest.mark.parametrize(
    ("moment", "original", "done"),
    [
        ("link before", False, False), ("link after", True, False), ("fsync before", True, False),
        ("replace before", True, False), ("replace after", True, True),
    ],
)  # fmt: skip
def test_a_kill_at_any_moment_loses_nothing(tmp_path: Path, moment: str, original: bool, done: bool) -> None:
    image = tmp_path / "a.png"
    image.write_bytes(b"original")
    ended = subprocess.run([sys.executable, "-c", STOPPED, str(image), moment], check=False)
    assert ended.returncode == -9
    found = {name: content for name, content in contents(tmp_path).items() if not name.startswith(".")}
    assert found == {"a.png": b"result" if done else b"original"} | ({"a.png.orig": b"original"} if original else {})
    assert was_replaced(image) == done
    if not done:
        with replaced(image, keep=True):
            write_bytes(image, b"result")
        assert contents(tmp_path)["a.png.orig"] == b"original"
        assert was_replaced(image)
