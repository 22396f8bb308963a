"""`cuello evaluate` with several runs: which words are runs, the call, and the tables."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cuello.core.errors import CuelloError


def is_run(text: str) -> bool:
    """Tell whether a word names a run: a directory with config.toml or model.safetensors, or a .safetensors file."""
    path = Path(text).expanduser()
    if path.is_dir():
        return (path / "config.toml").is_file() or (path / "model.safetensors").is_file()
    return path.is_file() and path.suffix == ".safetensors"


def split_words(words: Sequence[str]) -> tuple[list[Path], str | None]:
    """Divide what was named into runs and, last, the images; the first word is a run whatever it is.

    Raises CuelloError where a run follows the images, or images are named twice.
    """
    runs, images = [Path(words[0])], None
    for word in words[1:]:
        if is_run(word) and images is None:
            runs.append(Path(word))
        elif is_run(word):
            raise CuelloError(
                f"got the run {word} after {images}, which is no run (it holds neither config.toml nor "
                "model.safetensors) and so counts as IMAGES. Name all runs first and the images last."
            )
        elif images is None:
            images = word
        else:
            raise CuelloError(
                f"got {images} and {word}, neither of which is a run (a folder with config.toml or model.safetensors): "
                "needed at most one set of IMAGES, the last."
            )
    return runs, images


def check_flags(several: bool, for_one: dict[str, Any], for_several: dict[str, Any]) -> None:
    """Raise CuelloError that names a flag which means nothing for so many runs; values: what was given."""
    wrong = for_one if several else for_several
    for flag, value in wrong.items():
        if value:
            needed = "one run" if several else "several runs: cuello evaluate RUN RUN …"
            raise CuelloError(f"{flag} is for {needed}. Leave it out.")


def evaluate_several(
    runs: Sequence[Path], images: str | None, json: bool, quiet: bool, output: Path | None, **options: Any
) -> None:
    """Evaluate several runs and print the matrix: the help is in cli/app.py."""
    from cuello.cli.progress import display
    from cuello.cli.render import print_result
    from cuello.jobs.base import Request
    from cuello.work import evaluate as judging

    with display(quiet or json) as shown:
        own = {name: options.pop(name) for name in ("network", "device", "overwrite")}
        request = Request(runs[0], images, progress=shown.work, **options)
        several = judging.several_runs(runs, request, output=output, **own)
    print_result(several.result, json)
    if output is not None and not json:
        print(f"\nreport: {output / 'matrix.html'}")
