"""A store that speaks S3: what is fetched from it, and what it says where something is wrong."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cuello.core.errors import CuelloError, Fault
from cuello.data.catalog import open_source
from cuello.data.remote import stores
from cuello.data.remote.fetch import fetched
from cuello.inference.targets import find

Png = Callable[..., bytes]
BUCKET = "s3://photos-bucket"


@pytest.fixture
def photos(s3: Any, own_place: Path, make_png: Png) -> dict[str, bytes]:
    content = {f"{kind}/{k}.png": make_png(k) for kind in ("cat", "dog") for k in range(3)}
    s3.pipe({f"photos-bucket/photos/{name}": value for name, value in content.items()})
    s3.pipe("photos-bucket/photos/notes.txt", b"words")
    return content


def test_a_folder_with_classes(photos: dict[str, bytes]) -> None:
    source = open_source(f"{BUCKET}/photos")
    assert list(source.names) == sorted(photos)
    assert source.label_names == ["cat", "dog"]
    assert (fetched(f"{BUCKET}/photos") / "cat/1.png").read_bytes() == photos["cat/1.png"]


def test_a_pattern_a_file_and_a_whole_bucket(photos: dict[str, bytes], s3: Any) -> None:
    assert [str(name) for name in find([f"{BUCKET}/photos/*/1.png"]).files.values()] == ["cat/1.png", "dog/1.png"]
    assert [str(name) for name in find([f"{BUCKET}/photos/d*"]).files.values()] == ["0.png", "1.png", "2.png"]
    found = find([f"{BUCKET}/photos/**/?.png"])
    assert len(found.files) == 6
    alone = find([f"{BUCKET}/photos/cat/2.png"])
    assert alone.single
    assert [path.read_bytes() for path in alone.files] == [photos["cat/2.png"]]
    assert len(open_source(BUCKET).names) >= 6


def test_a_changed_object_is_fetched_anew(photos: dict[str, bytes], s3: Any, make_png: Png) -> None:
    before = fetched(f"{BUCKET}/photos")
    s3.pipe("photos-bucket/photos/cat/1.png", make_png(1)[:-1] + b"!")  # as long as it was
    after = fetched(f"{BUCKET}/photos")
    assert (before / "cat/1.png").read_bytes() == make_png(1)
    assert (after / "cat/1.png").read_bytes() == make_png(1)[:-1] + b"!"


def test_what_is_not_there(photos: dict[str, bytes]) -> None:
    with pytest.raises(Fault, match=f"there is no file or folder {BUCKET}/none"):
        open_source(f"{BUCKET}/none")
    with pytest.raises(Fault, match="there is no bucket no-such-bucket"):
        open_source("s3://no-such-bucket/photos")
    with pytest.raises(CuelloError, match="none that this pattern stands for"):
        find([f"{BUCKET}/photos/*.tif"])


@pytest.fixture
def nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A user who has no credentials."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))


def test_without_credentials_what_is_public_is_read(s3: Any, own_place: Path, make_png: Png, nobody: None) -> None:
    s3.pipe("photos-bucket/public/a.png", make_png(0))
    s3.chmod("photos-bucket/public/a.png", "public-read")
    assert len(open_source(f"{BUCKET}/public").names) == 1


def test_without_permission_it_is_said_where_credentials_belong(photos: dict[str, bytes], nobody: None) -> None:
    with pytest.raises(Fault, match=f"{BUCKET}/photos/cat could not be read: no permission.*AWS_ACCESS_KEY_ID"):
        open_source(f"{BUCKET}/photos/cat")


def test_a_store_that_is_away(own_place: Path, s3: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    type(s3).clear_instance_cache()
    monkeypatch.setattr(stores, "FIRST_WAIT", 0)
    with pytest.raises(Fault, match=rf"{BUCKET}/photos could not be reached .* Try again when there is a network"):
        open_source(f"{BUCKET}/photos")
    type(s3).clear_instance_cache()
