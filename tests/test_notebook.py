"""A notebook, executed: bars, pages and figures are what its cells show."""

import textwrap
from typing import Any

import pytest

nbformat = pytest.importorskip("nbformat")
nbclient = pytest.importorskip("nbclient")
pytest.importorskip("ipykernel")

CELLS = (
    """
    import numpy as np, cuello
    dots = (np.random.default_rng(0).random((20, 16, 16)) > 0.5) * np.uint8(255)
    run = cuello.train("denoise", dots, noise="salt-pepper:0.2", model="conv-8-16-8", epochs=2, threads=1, output="run")
    """,
    "run",
    "cuello.load(run)",
    "run.plot()",
    "run.history",
    """
    import matplotlib.pyplot as plt
    figure, axes = plt.subplots()
    run.plot(ax=axes);
    """,
    'cuello.train("denoise", dots, noise="gaussian:25", model="conv-8-16-8", epochs=1, progress=False, report=False);',
)


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> list[list[dict[str, Any]]]:
    """What each cell shows: its outputs."""
    folder = tmp_path_factory.mktemp("notebook")
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(textwrap.dedent(cell)) for cell in CELLS])
    client = nbclient.NotebookClient(book, timeout=300, kernel_name="python3", resources={"metadata": {"path": folder}})
    client.execute()
    return [cell.outputs for cell in book.cells]


def data_of(outputs: list[dict[str, Any]]) -> list[dict[str, str]]:
    return [output["data"] for output in outputs if "data" in output]


def test_a_training_is_one_output_of_bars(shown: list[list[dict[str, Any]]]) -> None:
    (bars,) = data_of(shown[0])
    assert "trained 2 epochs" in bars["text/html"]
    assert "<progress" in bars["text/html"]
    assert shown[-1] == []


@pytest.mark.parametrize(
    ("cell", "found"), [(1, "<b>Run run</b>"), (2, "<b>Model conv-8-16-8</b>"), (4, "<th>epoch</th>")]
)
def test_what_a_cell_ends_with_is_a_page(shown: list[list[dict[str, Any]]], cell: int, found: str) -> None:
    (page,) = data_of(shown[cell])
    assert found in page["text/html"]
    assert ("data:image/png" in page["text/html"]) == (cell < 3)


@pytest.mark.parametrize("cell", [3, 5])
def test_figures_are_shown_once(shown: list[list[dict[str, Any]]], cell: int) -> None:
    (figure,) = data_of(shown[cell])
    assert "image/png" in figure
