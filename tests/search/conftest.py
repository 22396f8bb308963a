"""Make the helpers beside these tests importable, for pytest imports each test file by itself; and one server."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope="session")
def server() -> "Iterator[databases.Server]":
    """A PostgreSQL server; who stops it starts it again."""
    with databases.running() as found:
        yield found


import databases  # noqa: E402 (it lies beside this file)
