"""Chromium with an exported page, for tests: files go in, results come out, and every request is noted."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest


@dataclass
class Opened:
    """A page that is open. requests: addresses of all that it asked for. errors: what its scripts raised."""

    tab: Any
    requests: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def wait(self, question: str, seconds: float = 120) -> Any:
        """Ask until the answer is true; the page's policy forbids Playwright's own way of waiting."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if answer := self.tab.evaluate(question):
                return answer
            time.sleep(0.02)
        raise AssertionError(f"{question} after {seconds} s; the page says: {self.tab.inner_text('#status')}")

    def add(self, *paths: Path) -> list[dict[str, Any]]:
        """Choose files, wait until they are worked on, and tell what became of each."""
        first = self.tab.evaluate("entries.length")
        self.tab.set_input_files("#file", [str(path) for path in paths])
        return self.results(first, len(paths))

    def results(self, first: int, count: int) -> list[dict[str, Any]]:
        these = f"entries.slice({first}, {first + count})"
        self.wait(f"{these}.filter(e => ['done', 'failed'].includes(e.state)).length === {count}")
        return self.tab.evaluate(
            f"{these}.map(e => ({{level: e.level, notes: e.notes, scores: e.scores && [...e.scores],"
            " failed: e.failed && say(...e.failed)}))"
        )

    def result(self, number: int, path: Path) -> Path:
        """Write the result of an image as the page would save it."""
        content = self.tab.evaluate(f"entries[{number}].blob.arrayBuffer().then(b => Array.from(new Uint8Array(b)))")
        path.write_bytes(bytes(content))
        return path


@pytest.fixture
def opened(browser: Any) -> Callable[..., AbstractContextManager[Opened]]:
    """Open a page from its file, with Playwright's settings of a context, such as ``locale``."""
    return partial(opened_page, browser)


@contextmanager
def opened_page(browser: Any, page: Path, **how: Any) -> Iterator[Opened]:
    context = browser.new_context(accept_downloads=True, **how)
    one = Opened(context.new_page())
    one.tab.on("request", lambda request: one.requests.append(request.url))
    one.tab.on("pageerror", lambda error: one.errors.append(str(error)))
    try:
        one.tab.goto(page.as_uri())
        one.wait("document.body.dataset.state")
        yield one
    finally:
        context.close()
