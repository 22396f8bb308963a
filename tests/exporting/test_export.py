"""A network as a file for other programs, by the ending that was asked for."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import cuello


@pytest.mark.usefixtures("page_runtime")
def test_the_command_writes_a_page(command: Callable[..., Any], tmp_path: Path) -> None:
    path = tmp_path / "pages" / "denoise.html"
    answer = command("export", "denoise", str(path), "--json")
    assert (answer.code, answer.error) == (0, "")
    assert json.loads(answer.out) == {"path": str(path), "bytes": path.stat().st_size}
    assert 4e6 < path.stat().st_size < 6e6
    assert [one.name for one in path.parent.iterdir()] == ["denoise.html"]


@pytest.mark.parametrize(
    ("name", "said"), [("model.exe", "'.exe', needed .onnx or .html"), ("model", "'(none)', needed .onnx or .html")]
)
def test_other_endings_are_refused_before_any_work(
    refused: Callable[..., str], tmp_path: Path, name: str, said: str
) -> None:
    assert said in refused("export", "no-such-model", str(tmp_path / name))


def test_a_file_that_exists_is_kept(refused: Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text("mine")
    assert "--overwrite" in refused("export", "denoise", str(tmp_path / "page.html"))
    assert (tmp_path / "page.html").read_text() == "mine"


def test_python_exports_runs_paths_and_names(trained: cuello.Run, tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    written = [
        cuello.export(one, tmp_path / f"{place}.onnx")
        for place, one in enumerate((trained, str(trained.path), cuello.load(trained.path)))
    ]
    assert {Path(one.path).read_bytes() for one in written} == {(tmp_path / "0.onnx").read_bytes()}
    assert written[0].size == (tmp_path / "0.onnx").stat().st_size
    assert "of white at most" in written[0].notes[0]
    with pytest.raises(cuello.CuelloError, match=r"'pdf': needed 'hub' or 'bioimage'"):
        cuello.export("no-such-model", tmp_path / "model", form="pdf")
