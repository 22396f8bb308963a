"""Results that go to a URL: written whole, then put there; nothing there is replaced unasked."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import cuello
from cuello.core.errors import CuelloError, Fault, Interrupted
from cuello.data.remote import send, stores
from cuello.inference.model import Model

Png = Callable[..., bytes]


@pytest.fixture
def noisy(memory: Any, make_png: Png) -> list[str]:
    """Three images in the store in memory, two of them in a folder within."""
    names = ["a.png", "sub/b.png", "sub/c.png"]
    memory.pipe({f"/in/{name}": make_png(k) for k, name in enumerate(names)})
    return names


def there(memory: Any, folder: str = "/out") -> list[str]:
    return sorted(path.removeprefix(f"{folder}/") for path in memory.find(folder))


def sending(place: Path) -> list[Path]:
    return [path for path in (place / "remote" / "sending").rglob("*") if path.is_file()]


def test_a_folder_into_a_folder(model: Model, memory: Any, noisy: list[str], own_place: Path, tmp_path: Path) -> None:
    applied = cuello.apply(model, "memory://in", "memory://out")
    assert applied.written == [f"memory://out/{name}" for name in noisy]
    assert [one.input for one in applied.files] == [f"memory://in/{name}" for name in noisy]
    assert there(memory) == noisy
    assert sending(own_place) == []
    (tmp_path / "in").mkdir()
    (tmp_path / "in/a.png").write_bytes(memory.cat("/in/a.png"))
    cuello.apply(model, tmp_path / "in/a.png", tmp_path / "a.png")
    assert memory.cat("/out/a.png") == (tmp_path / "a.png").read_bytes()


def test_a_file_to_a_file_and_mixed_places(model: Model, memory: Any, noisy: list[str], tmp_path: Path) -> None:
    assert cuello.apply(model, "memory://in/a.png", "memory://one.tif").written == ["memory://one.tif"]
    assert cuello.apply(model, "memory://in/a.png", tmp_path / "d.png").written == [tmp_path / "d.png"]
    assert cuello.apply(model, tmp_path / "d.png", "memory://deep/er/").written == ["memory://deep/er/d.png"]
    several = cuello.apply(model, ["memory://in/sub/*.png", tmp_path / "d.png"], "memory://several")
    assert several.written == ["memory://several/b.png", "memory://several/c.png", "memory://several/d.png"]


def test_nothing_is_replaced_unasked(model: Model, memory: Any, noisy: list[str], make_png: Png) -> None:
    memory.pipe("/out/sub/b.png", b"precious")
    with pytest.raises(CuelloError, match=r"1 of 3 results exist already, e\.g\. memory://out/sub/b\.png"):
        cuello.apply(model, "memory://in", "memory://out")
    assert there(memory) == ["sub/b.png"]
    applied = cuello.apply(model, "memory://in", "memory://out", skip_existing=True)
    assert applied.skipped == ["memory://out/sub/b.png"]
    assert memory.cat("/out/sub/b.png") == b"precious"
    assert there(memory) == noisy
    cuello.apply(model, "memory://in", "memory://out", overwrite=True)
    assert memory.cat("/out/sub/b.png") != b"precious"


def test_many_results_are_looked_for_in_one_listing(
    model: Model, memory: Any, noisy: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(send, "FEW", 1)
    memory.pipe("/out/sub/c.png", b"precious")
    applied = cuello.apply(model, "memory://in", "memory://out", skip_existing=True)
    assert applied.skipped == ["memory://out/sub/c.png"]


@pytest.mark.parametrize("place", ["memory://in", "memory://in/", "memory://in/results"])
def test_results_among_the_images_are_refused(model: Model, memory: Any, noisy: list[str], place: str) -> None:
    with pytest.raises(CuelloError, match=r"lies in memory://in, so that|is the image itself"):
        cuello.apply(model, "memory://in", place, overwrite=True)
    with pytest.raises(CuelloError, match=r"memory://in/a\.png is the image itself"):
        cuello.apply(model, "memory://in/a.png", "memory://in/a.png", overwrite=True)
    assert there(memory, "/in") == noisy


def test_one_bad_file_is_named_by_its_url_and_the_others_go_on(
    model: Model, memory: Any, noisy: list[str], own_place: Path
) -> None:
    memory.pipe("/in/sub/b.png", b"no image")
    applied = cuello.apply(model, "memory://in", "memory://out")
    assert there(memory) == ["a.png", "sub/c.png"]
    ((path, why),) = applied.failed
    assert path == "memory://in/sub/b.png"
    assert "memory://in/sub/b.png" in why
    assert str(own_place) not in why


def test_what_fails_for_a_moment_is_tried_again(
    model: Model, memory: Any, noisy: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stores, "FIRST_WAIT", 0)
    real, fails = type(memory).put_file, [2]

    def put_file(self: Any, *args: Any, **options: Any) -> None:
        if fails[0]:
            fails[0] -= 1
            raise ConnectionResetError("reset by peer")
        real(self, *args, **options)

    monkeypatch.setattr(type(memory), "put_file", put_file)
    assert len(cuello.apply(model, "memory://in", "memory://out").written) == 3
    fails[0] = stores.TRIES
    applied = cuello.apply(model, "memory://in", "memory://again")
    assert len(applied.written) == 2
    assert "memory://again/a.png could not be reached (reset by peer)" in applied.failed[0][1]


def test_half_of_a_result_is_noticed(
    model: Model, memory: Any, noisy: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stores, "FIRST_WAIT", 0)
    monkeypatch.setattr(type(memory), "put_file", lambda self, _, remote, **__: self.pipe(remote, b"half"))
    applied = cuello.apply(model, "memory://in/a.png", "memory://out/a.png")
    assert "4 bytes arrived of" in applied.failed[0][1]


def test_a_store_that_refuses_ends_the_work(
    model: Model, memory: Any, noisy: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []

    def put_file(*_: Any, **__: Any) -> None:
        calls.append(1)
        raise PermissionError("Access Denied")

    monkeypatch.setattr(type(memory), "put_file", put_file)
    with pytest.raises(Fault, match=r"memory://out/a\.png could not be written: no permission"):
        cuello.apply(model, "memory://in", "memory://out")
    assert len(calls) == 1


def test_stopped_between_two_files_the_next_call_goes_on(
    model: Model, memory: Any, noisy: list[str], own_place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, calls = stores.put, [0]

    def put(*args: Any, **options: Any) -> None:
        calls[0] += 1
        if calls[0] == 2:
            raise KeyboardInterrupt
        real(*args, **options)

    monkeypatch.setattr(send, "put", put)
    with pytest.raises(Interrupted, match="stopped: 1 written, each whole, and 2 left to do"):
        cuello.apply(model, "memory://in", "memory://out")
    assert there(memory) == ["a.png"]
    monkeypatch.setattr(send, "put", real)
    applied = cuello.apply(model, "memory://in", "memory://out", skip_existing=True)
    assert applied.skipped == ["memory://out/a.png"]
    assert there(memory) == noisy
    assert sending(own_place) == []


def test_places_that_results_cannot_go_to(model: Model, memory: Any, noisy: list[str]) -> None:
    with pytest.raises(CuelloError, match="got a web address, which is for reading"):
        cuello.apply(model, "memory://in", "https://host/out")
    with pytest.raises(CuelloError, match="got a pattern, needed the name"):
        cuello.apply(model, "memory://in", "memory://out/*.png")
    with pytest.raises(CuelloError, match=r"got memory://in and in_place=True"):
        cuello.apply(model, "memory://in", in_place=True)
    with pytest.raises(CuelloError, match=r"memory://out\.png is a file|needed a folder"):
        cuello.apply(model, "memory://in", "memory://out.png")


def test_denoising_reads_its_results_again(memory: Any, own_place: Path, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    clean = (np.add.outer(np.linspace(60, 160, 64), np.linspace(0, 40, 64))).round().astype(np.uint8)
    for name in ("a", "b"):
        Image.fromarray((clean + random.normal(0, 8, clean.shape)).clip(0, 255).astype(np.uint8)).save(
            tmp_path / "n.png"
        )
        memory.pipe(f"/in/{name}.png", (tmp_path / "n.png").read_bytes())
        Image.fromarray(clean).save(tmp_path / "c.png")
        memory.pipe(f"/clean/{name}.png", (tmp_path / "c.png").read_bytes())
    found = cuello.denoise("memory://in", "memory://out", target="memory://clean", report=tmp_path / "report")
    assert found.written == ["memory://out/a.png", "memory://out/b.png"]
    assert [truth is not None and truth.after > truth.before for truth in found.truths] == [True, True]
    assert str(own_place) not in (tmp_path / "report/report.html").read_text("utf-8")
    assert cuello.noise("memory://in").images == 2
