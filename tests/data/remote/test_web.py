"""Images on a web server: one file, a folder that its server shows, and pages that are neither."""

from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from cuello.core.errors import CuelloError, Fault
from cuello.data.catalog import open_source
from cuello.data.remote import stores
from cuello.data.remote.fetch import fetched
from cuello.inference.targets import find

Png = Callable[..., bytes]
Web = tuple[str, Path]


def test_one_file(web: Web, make_png: Png) -> None:
    url, folder = web
    (folder / "a photo.png").write_bytes(make_png(0))
    path = fetched(f"{url}/a%20photo.png")
    assert path.name == "a photo.png"
    assert path.read_bytes() == make_png(0)
    (named,) = find([f"{url}/a%20photo.png?token=secret"]).files.values()
    assert str(named) == "a photo.png"


def test_a_folder_that_its_server_shows(web: Web, make_png: Png) -> None:
    url, folder = web
    for name in ("in/cat/a.png", "in/dog/b.png", "in/readme.txt", "other/c.png"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(make_png(len(name)))
    for named in (f"{url}/in", f"{url}/in/"):
        source = open_source(named)
        assert list(source.names) == ["cat/a.png", "dog/b.png"]
        assert source.label_names == ["cat", "dog"]
        assert source.name == f"{url}/in"
        assert "1 .txt" in source.notes[0]


def test_a_page_is_no_image(web: Web) -> None:
    url, folder = web
    (folder / "page.html").write_text("<html><a href='https://elsewhere/a.png'>login</a></html>")
    (folder / "bare").mkdir()
    for name in ("page.html", "bare"):
        with pytest.raises(CuelloError, match="is a web page, and neither an image"):
            fetched(f"{url}/{name}")


def test_what_is_not_there_and_a_server_that_is_away(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    url, _ = web
    with pytest.raises(Fault, match=f"there is no file or folder {url}/none.png"):
        fetched(f"{url}/none.png")
    monkeypatch.setattr(stores, "FIRST_WAIT", 0)
    with pytest.raises(Fault, match=r"could not be reached .*Try again when there is a network") as raised:
        fetched("http://127.0.0.1:9/a.png?signature=secret")
    assert "secret" not in str(raised.value)


def test_a_changed_file_is_fetched_anew(web: Web, make_png: Png) -> None:
    url, folder = web
    (folder / "a.png").write_bytes(make_png(0))
    fetched(f"{url}/a.png")
    (folder / "a.png").write_bytes(make_png(1, side=30))
    assert fetched(f"{url}/a.png").read_bytes() == make_png(1, side=30)


def test_a_file_of_which_no_version_is_told_is_fetched_each_time(
    web: Web, make_png: Png, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, folder = web
    real = BaseHTTPRequestHandler.send_header

    def without_dates(self: BaseHTTPRequestHandler, keyword: str, value: str) -> None:
        if keyword != "Last-Modified":
            real(self, keyword, value)

    monkeypatch.setattr(BaseHTTPRequestHandler, "send_header", without_dates)
    (folder / "a.png").write_bytes(make_png(0))
    first = fetched(f"{url}/a.png")
    (folder / "a.png").write_bytes(make_png(0)[:-1] + b"!")
    assert fetched(f"{url}/a.png").read_bytes() == make_png(0)[:-1] + b"!"
    assert first.read_bytes() == make_png(0)
