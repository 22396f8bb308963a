"""Trained runs side by side, and the page about them."""

from collections.abc import Sequence
from os import PathLike
from pathlib import Path

from cuello.comparison import Comparison
from cuello.comparison import compare as side_by_side
from cuello.comparison.page import write_comparison
from cuello.core.caller import caller_kept
from cuello.core.progress import OnProgress, listener
from cuello.training.watched import watched


@caller_kept()
@watched()
def compare(
    paths: str | PathLike[str] | Sequence[str | PathLike[str]],
    *,
    epoch: int | None = None,
    latency: bool = True,
    output: str | Path | None = None,
    overwrite: bool = False,
    progress: OnProgress | bool | None = None,
) -> Comparison:
    """Put trained runs side by side.

    paths: run directories, or folders of run directories, such as one of repeats; one, or several. epoch: (from 1) at
    which losses are compared, by default the last that all runs of a group have. latency: measure the time for one
    image. What is no complete run is left out and listed with the reason.
    output: a folder for compare.html, compare.csv and figures, as `cuello compare -o` writes them; where it holds other
    things, only with ``overwrite``.
    Raises CuelloError where nothing is left, or no run has that epoch.
    """
    named = [Path(path) for path in ([paths] if isinstance(paths, str | PathLike) else paths)]
    found = side_by_side(named, epoch=epoch, latency=latency, progress=listener(progress))
    if output is not None:
        write_comparison(Path(output).expanduser(), found, overwrite)
    return found
