"""What exported pages need of ONNX Runtime: taken only if it is the very package that was checked."""

from pathlib import Path

import pytest

from cuello.core.errors import CuelloError
from cuello.exporting.page import runtime as places
from cuello.exporting.page.fetch import TARBALL, FetchError, fetch, is_complete


def test_another_package_is_refused_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "package.tgz").write_bytes(b"another")
    monkeypatch.setenv(TARBALL, str(tmp_path / "package.tgz"))
    with pytest.raises(FetchError, match="SHA-512 differs"):
        fetch(tmp_path / "runtime")
    assert [path.name for path in tmp_path.iterdir()] == ["package.tgz"]


def test_without_npm_it_says_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(TARBALL, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(FetchError, match=f"npm is not installed, and {TARBALL}"):
        fetch(tmp_path / "runtime")


def test_an_installation_without_it_names_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "BUILT_IN", tmp_path / "none")
    monkeypatch.setenv("CUELLO_CACHE", str(tmp_path))
    assert not is_complete(places.kept())
    with pytest.raises(CuelloError, match=r"python -m cuello\.exporting\.page\.fetch"):
        places.runtime()
