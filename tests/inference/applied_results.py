"""What lies in a folder of results, for tests."""

from pathlib import Path

from cuello.inference.record import RECORD


def contents(folder: Path) -> dict[str, bytes]:
    """Return the files of a folder by name, but for what Cuello writes down of its own results."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != RECORD]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}
