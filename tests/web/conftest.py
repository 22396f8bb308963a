"""A server of the page in a process of its own, and a browser to look at it with."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest


class Server:
    """`cuello web`, started in ``folder``. address: what it printed."""

    def __init__(self, folder: Path, *words: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "cuello", "web", *words], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True,
        )  # fmt: skip
        self.said = ""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert "http" in line, self.process.communicate()
        self.address = line.split()[-1]
        self.base, self.token = self.address.split("/?token=")

    def end(self, number: int = signal.SIGTERM) -> None:
        if self.process.poll() is None:
            self.process.send_signal(number)
        self.said += "".join(self.process.communicate(timeout=120))  # a busy machine is no failure


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Start servers in the test's folder; all of them end with the test."""
    pytest.importorskip("nicegui", reason="the page needs the extra web")
    several: list[Server] = []

    def start(*words: str) -> Server:
        several.append(Server(tmp_path, "runs", "--port", "0", *words))
        return several[-1]

    yield start
    for server in several:
        server.end(signal.SIGKILL)


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    """Give an empty page of a browser that knows nothing yet; it must ask nobody but this machine."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page, elsewhere = context.new_page(), []
    page.set_default_timeout(120_000)  # a busy machine is no failure
    page.on("request", lambda one: elsewhere.append(one.url))
    yield page
    context.close()
    local = ("http://127.0.0.1:", "ws://127.0.0.1:", "data:", "blob:", "about:")
    assert [url for url in elsewhere if not url.startswith(local)] == []


@pytest.fixture
def ended() -> Iterator[list[int]]:
    """Numbers of processes that are ended with the test, where it has not come so far."""
    several: list[int] = []
    yield several
    for number in several:
        try:
            os.kill(number, signal.SIGKILL)
        except ProcessLookupError:
            continue
