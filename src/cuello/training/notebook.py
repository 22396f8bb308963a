"""Bars of progress in a notebook: one output of the cell, drawn anew as the work goes on."""

import sys
import time
from dataclasses import dataclass, field
from html import escape
from types import TracebackType
from typing import Any, Self

DRAW_SECONDS = 0.2


def in_notebook() -> bool:
    """Tell whether this process is the kernel of a notebook, which shows HTML."""
    if "IPython" not in sys.modules:
        return False
    from IPython.core.getipython import get_ipython  # type: ignore[import-not-found]

    return getattr(get_ipython(), "kernel", None) is not None


@dataclass
class NotebookBar:
    """One bar. share: of the whole, in percent. started: when, in seconds; before: how much was done then."""

    description: str
    total: float | None
    completed: float
    share: bool = False
    started: float = field(default_factory=time.monotonic)
    before: float = 0.0

    def __post_init__(self) -> None:
        self.before = self.completed

    @property
    def left(self) -> str:
        """The time that is left, ``m:ss``, or "" while nothing is known of it."""
        done = self.completed - self.before
        if not self.total or done <= 0 or self.completed >= self.total:
            return ""
        seconds = (time.monotonic() - self.started) * (self.total - self.completed) / done
        return f"{int(seconds // 60)}:{int(seconds % 60):02d} left"

    @property
    def html(self) -> str:
        total = self.total or 1
        counted = f"{self.completed:,.0f} of {total:,.0f}" if not self.share else f"{self.completed:.0f}%"
        left, right = (f"<td style='text-align:{side};padding:1px 8px'>" for side in ("left", "right"))
        return (
            f"<tr>{left}{escape(self.description)}</td>"
            f"<td><progress value='{min(self.completed, total):g}' max='{total:g}'></progress></td>"
            f"{right}{counted}</td>{left}{self.left}</td></tr>"
        )


class NotebookBars:
    """What ``Display`` uses of rich's bars, for a notebook."""

    def __init__(self) -> None:
        self.tasks: dict[int, NotebookBar] = {}
        self.drawn = 0.0
        self.shown: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.draw()

    def add_task(
        self, description: str, total: float | None = None, completed: float = 0, *, share: bool = False
    ) -> Any:
        task = len(self.tasks)
        self.tasks[task] = NotebookBar(description, total, completed, share=share)
        self.draw()
        return task

    def update(
        self, task: Any, *, completed: float | None = None, description: str | None = None, total: float | None = None
    ) -> None:
        bar = self.tasks[task]
        bar.completed = bar.completed if completed is None else completed
        bar.description = bar.description if description is None else description
        bar.total = bar.total if total is None else total
        if time.monotonic() - self.drawn > DRAW_SECONDS:
            self.draw()

    def draw(self) -> None:
        if not self.tasks:
            return
        from IPython.display import HTML, display  # type: ignore[import-not-found]

        self.drawn = time.monotonic()
        rows = "".join(bar.html for bar in self.tasks.values())
        page = HTML(f"<table style='margin:0'>{rows}</table>")
        if self.shown is None:
            self.shown = display(page, display_id=True)
        else:
            self.shown.update(page)
