"""Images at a URL: fetched once, checked each time, fetched again where anything changed, and called by the URL."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cuello.core.errors import CuelloError, Fault
from cuello.core.progress import Progress, hearing
from cuello.data.catalog import open_source
from cuello.data.images import load_images
from cuello.data.remote import cache, fetch, stores
from cuello.data.remote.fetch import fetched

Png = Callable[..., bytes]


def files_of(tree: Path) -> dict[str, bytes]:
    return {path.relative_to(tree).as_posix(): path.read_bytes() for path in sorted(tree.rglob("*")) if path.is_file()}


def objects(place: Path) -> list[Path]:
    return sorted(path for path in (place / "remote" / "objects").rglob("*") if path.is_file())


def fetches(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Note the names of the files that are fetched."""
    asked: list[str] = []
    real = stores.get

    def get(system: Any, files: Any, targets: Any, **options: Any) -> None:
        asked.extend(one.name for one in files)
        real(system, files, targets, **options)

    monkeypatch.setattr(fetch, "get", get)
    return asked


def test_a_folder_is_fetched_once(memory: Any, own_place: Path, make_png: Png, monkeypatch: pytest.MonkeyPatch) -> None:
    content = {"a.png": make_png(0), "sub/b.png": make_png(1)}
    memory.pipe({f"/in/{name}": value for name, value in content.items()})
    asked = fetches(monkeypatch)
    first = fetched("memory://in")
    assert files_of(first) == content
    assert sorted(asked) == ["a.png", "sub/b.png"]
    assert fetched("memory://in/") == first
    assert len(asked) == 2, "nothing is fetched a second time"
    assert first.name == "in"


def test_only_images_are_fetched_of_a_folder_and_the_others_are_named(
    memory: Any, make_png: Png, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory.pipe({"/in/a.png": make_png(0), "/in/video.mp4": b"long", "/in/.hidden.png": b"", "/in/__MACOSX/b.png": b""})
    asked = fetches(monkeypatch)
    source = open_source("memory://in")
    assert asked == ["a.png"]
    assert source.name == "memory://in"
    assert list(source.names) == ["a.png"]
    assert source.notes == ["1 file in memory://in is not an image by its ending and was ignored (1 .mp4): video.mp4"]


def test_a_changed_file_is_fetched_anew_and_the_old_folder_stays(
    memory: Any, make_png: Png, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory.pipe({"/in/a.png": make_png(0), "/in/b.png": make_png(1)})
    before = fetched("memory://in")
    memory.pipe("/in/a.png", make_png(2))
    memory.rm("/in/b.png")
    asked = fetches(monkeypatch)
    after = fetched("memory://in")
    assert asked == ["a.png"]
    assert files_of(after) == {"a.png": make_png(2)}
    assert files_of(before) == {"a.png": make_png(0), "b.png": make_png(1)}, "who reads them still has them"


@pytest.mark.parametrize("flipped", [0, 40, -1])
def test_a_flipped_byte_in_the_cache_is_noticed_and_mended(
    memory: Any, own_place: Path, make_png: Png, flipped: int
) -> None:
    memory.pipe({"/in/a.png": make_png(0), "/in/b.png": make_png(1)})
    tree = fetched("memory://in")
    damaged = bytearray((tree / "a.png").read_bytes())
    damaged[flipped] ^= 1
    (tree / "a.png").write_bytes(damaged)
    cache.VERIFIED.clear()  # as in a process of its own
    notes: list[Progress] = []
    with hearing(notes.append):
        again = fetched("memory://in")
    assert files_of(again) == {"a.png": make_png(0), "b.png": make_png(1)}
    said = [event.note for event in notes if event.note]
    assert said == ["1 files of memory://in in the cache were damaged and are fetched again: a.png"]


def test_damage_is_noticed_within_one_process_too(memory: Any, make_png: Png) -> None:
    memory.pipe("/in/a.png", make_png(0))
    tree = fetched("memory://in")
    (tree / "a.png").write_bytes(b"something else")
    assert files_of(fetched("memory://in")) == {"a.png": make_png(0)}


def test_what_goes_missing_in_the_cache_comes_back(memory: Any, own_place: Path, make_png: Png) -> None:
    memory.pipe("/in/a.png", make_png(0))
    tree = fetched("memory://in")
    (tree / "a.png").unlink()
    assert files_of(fetched("memory://in")) == {"a.png": make_png(0)}
    for path in objects(own_place):
        path.unlink()
    assert files_of(fetched("memory://in")) == {"a.png": make_png(0)}


def test_a_file_system_without_second_names_gets_copies(
    memory: Any, make_png: Png, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise OSError("no links here")

    monkeypatch.setattr(os, "link", refuse)
    memory.pipe("/in/a.png", make_png(0))
    tree = fetched("memory://in")
    assert files_of(tree) == {"a.png": make_png(0)}
    (tree / "a.png").write_bytes(b"damaged")
    assert files_of(fetched("memory://in")) == {"a.png": make_png(0)}


def test_what_breaks_off_leaves_nothing_that_looks_whole(
    memory: Any, own_place: Path, make_png: Png, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory.pipe({"/in/a.png": make_png(0), "/in/b.png": make_png(1)})

    def half(system: Any, files: Any, targets: Any, **_: Any) -> None:
        targets[0].write_bytes(make_png(0))
        targets[1].write_bytes(make_png(1)[:50])
        raise KeyboardInterrupt

    monkeypatch.setattr(fetch, "get", half)
    with pytest.raises(KeyboardInterrupt):
        fetched("memory://in")
    assert objects(own_place) == []
    assert [path.name for path in (own_place / "remote").iterdir()] == []


def test_a_file_shorter_than_it_was_listed_is_refused(
    memory: Any, own_place: Path, make_png: Png, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory.pipe("/in/a.png", make_png(0))
    monkeypatch.setattr(fetch, "get", lambda system, files, targets, **_: targets[0].write_bytes(b"half"))
    with pytest.raises(Fault, match=r"memory://in/a.png has 4 bytes and had \d+ when it was listed"):
        fetched("memory://in")
    assert objects(own_place) == []


def test_finished_batches_survive_a_stop(
    memory: Any, own_place: Path, make_png: Png, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory.pipe({f"/in/{k}.png": make_png(k) for k in range(5)})
    monkeypatch.setattr(fetch, "BATCH", 2)
    real, calls = stores.get, [0]

    def twice(*args: Any, **options: Any) -> None:
        calls[0] += 1
        if calls[0] == 3:
            raise KeyboardInterrupt
        real(*args, **options)

    monkeypatch.setattr(fetch, "get", twice)
    with pytest.raises(KeyboardInterrupt):
        fetched("memory://in")
    assert len(objects(own_place)) == 4
    monkeypatch.setattr(fetch, "get", real)
    asked = fetches(monkeypatch)
    assert len(files_of(fetched("memory://in"))) == 5
    assert asked == ["4.png"]


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.dictionaries(
        st.lists(st.text("abé (1)#%&+'", min_size=1, max_size=6).filter(lambda one: one.strip(" .")), min_size=1,
                 max_size=3).map(lambda parts: "/".join(parts) + ".png"),
        st.binary(max_size=40), min_size=1, max_size=5,
    )
)  # fmt: skip
def test_whatever_is_there_is_the_same_here_twice(memory: Any, content: dict[str, bytes]) -> None:
    memory.store.clear()
    memory.pipe({f"/any/{name}": value for name, value in content.items()})
    around = {"/".join(name.split("/")[:k]) for name in content for k in range(1, name.count("/") + 1)}
    expected = {name: value for name, value in content.items() if name not in around}
    first = fetched("memory://any")
    assert files_of(first) == expected
    assert fetched("memory://any") == first


def test_names_that_lead_elsewhere_are_left_out_with_a_word(memory: Any, own_place: Path, make_png: Png) -> None:
    for name in ("/in/a.png", "/in/sub//b.png", "/in/C:c.png", "/in/back\\d.png"):
        memory.store[name] = memory.open(name, "wb", data=make_png(0))  # as other programs may put them
    notes: list[Progress] = []
    with hearing(notes.append):
        assert list(files_of(fetched("memory://in"))) == ["a.png"]
    (said,) = [event.note for event in notes if event.note]
    assert said.startswith("left out: memory://in holds names that cannot be files here: ")


@pytest.mark.parametrize("name", ["../a.png", "sub/../../a.png", "/etc/a.png", "a\0.png", "./a.png", "..\\a.png"])
def test_no_name_leads_out_of_its_folder(name: str) -> None:
    assert not fetch.is_safe(name)


def test_classes_parts_pages_arrays_and_data_sets(memory: Any, make_png: Png, tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    memory.pipe({f"/pets/{kind}/{k}.png": make_png(k) for kind in ("cat", "dog") for k in range(2)})
    source = open_source("memory://pets")
    assert source.label_names == ["cat", "dog"]
    assert source.labels is not None
    assert source.labels.tolist() == [0, 0, 1, 1]
    np.save(tmp_path / "stack.npy", np.arange(2 * 8 * 8, dtype=np.uint8).reshape(2, 8, 8))
    with h5py.File(tmp_path / "cells.h5", "w") as file:
        file["raw"] = np.zeros((3, 8, 8), np.uint8)
    for name in ("stack.npy", "cells.h5"):
        memory.pipe(f"/data/{name}", (tmp_path / name).read_bytes())
    assert len(open_source("memory://data/stack.npy").names) == 2
    cells = open_source("memory://data/cells.h5:raw")
    assert len(cells.names) == 3
    assert cells.name == "memory://data/cells.h5:raw"


def test_labels_beside_an_idx_file_come_with_it(memory: Any) -> None:
    images = b"\0\0\x08\x03" + bytes([0, 0, 0, 2, 0, 0, 0, 4, 0, 0, 0, 4]) + bytes(range(32))
    memory.pipe({"/d/t-images-idx3-ubyte": images, "/d/t-labels-idx1-ubyte": b"\0\0\x08\x01\0\0\0\2\7\3"})
    source = open_source("memory://d/t-images-idx3-ubyte")
    assert source.labels is not None
    assert source.labels.tolist() == [7, 3]


def test_messages_name_the_url_and_never_the_cache(memory: Any, own_place: Path, make_png: Png) -> None:
    memory.pipe({"/in/a.png": make_png(0), "/in/b.png": b"no image"})
    with pytest.warns(UserWarning, match="1 image is left out: memory://in/b.png"):
        loaded = load_images(open_source("memory://in"), on_error="skip")
    (said,) = loaded.skipped
    assert "memory://in/b.png" in said
    assert str(own_place) not in said
    memory.pipe("/empty/note.txt", b"words")
    with pytest.raises(CuelloError, match="memory://empty holds no image") as raised:
        open_source("memory://empty")
    assert str(own_place) not in str(raised.value)


def test_a_disk_that_is_too_small_is_told_before(memory: Any, make_png: Png, monkeypatch: pytest.MonkeyPatch) -> None:
    memory.pipe("/in/a.png", make_png(0))
    monkeypatch.setattr(cache.shutil, "disk_usage", lambda _: type("Free", (), {"free": 3})())
    with pytest.raises(Fault, match="set CUELLO_CACHE to a folder on a larger disk"):
        fetched("memory://in")


def test_a_cache_that_cannot_be_written_is_told(
    memory: Any, make_png: Png, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory.pipe("/in/a.png", make_png(0))
    (tmp_path / "file").write_text("no folder")
    for place in (tmp_path / "file" / "cache", Path("/proc/cuello")):
        monkeypatch.setenv("CUELLO_CACHE", str(place))
        with pytest.raises(Fault, match=rf"cannot be fetched into {place}.*Set CUELLO_CACHE to a folder that can"):
            fetched("memory://in")


def test_progress_of_fetching(memory: Any, make_png: Png, monkeypatch: pytest.MonkeyPatch) -> None:
    memory.pipe({f"/in/{k}.png": make_png(k) for k in range(3)})
    monkeypatch.setattr(fetch, "BATCH", 2)
    events: list[Progress] = []
    with hearing(events.append):
        fetched("memory://in")
        fetched("memory://in")
    assert [(event.stage, event.done, event.total) for event in events] == [
        ("fetching", 0, 3), ("fetching", 2, 3), ("fetching", 3, 3),
    ]  # fmt: skip


def test_several_that_fetch_the_same_at_once_all_have_it(memory: Any, own_place: Path, make_png: Png) -> None:
    content = {f"{k % 3}/{k}.png": make_png(k) for k in range(30)}
    memory.pipe({f"/in/{name}": value for name, value in content.items()})
    with ThreadPoolExecutor(4) as pool:
        trees = list(pool.map(fetched, ["memory://in"] * 8))
    assert len(set(trees)) == 1
    assert files_of(trees[0]) == content
    assert len(objects(own_place)) == 30
    assert sorted(path.name for path in (own_place / "remote").iterdir()) == ["objects", "trees"]


def test_a_name_too_long_for_this_disk_is_told_by_its_url(memory: Any, own_place: Path, make_png: Png) -> None:
    memory.pipe(f"/in/{'a' * 300}.png", make_png(0))
    with pytest.raises(Fault, match="memory://in could not be written: File name too long") as raised:
        fetched("memory://in")
    assert str(own_place) not in str(raised.value)
