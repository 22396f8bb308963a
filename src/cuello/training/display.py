"""Progress for people: a bar on a terminal, plain lines where the output is piped. All of it goes to stderr."""

import math
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich import progress as bars
from rich.console import Console
from rich.progress import BarColumn, TaskID, TextColumn
from rich.table import Column
from rich.text import Text

from cuello.core.files import printable
from cuello.core.progress import Progress
from cuello.runs.history import EpochRecord
from cuello.training.notebook import NotebookBars, in_notebook
from cuello.training.observers import EpochDone, Event, Started, StepDone, Stopped

PLAIN_SECONDS = 5.0


def reached_text(record: EpochRecord) -> str:
    """Return an epoch's PSNR, with the wrong pixels of binary images, or the accuracy of a classifier, in words.

    Without clean images the validation loss is all that there is.
    """
    if record.validation_accuracy is not None:
        return f"accuracy {record.validation_accuracy:.2%}"
    if math.isnan(record.validation_psnr):
        return "against noisy values"
    wrong = "" if record.validation_wrong is None else f"{record.validation_wrong:.2f} wrong pixels, "
    return f"{wrong}PSNR {record.validation_psnr:.2f} dB"


@dataclass
class Display:
    """Shows a training's events and other long work.

    quiet: show nothing. bar: rich's progress bars, or None for plain lines. left_out: why images are left
    out of the work, as notes said.
    """

    console: Console
    bar: bars.Progress | NotebookBars | None
    quiet: bool = False
    tasks: dict[str, TaskID] = field(default_factory=dict)
    said: float = 0.0
    validation: str = ""
    left_out: list[str] = field(default_factory=list)

    def observe(self, event: Event) -> None:
        """Show an event of a training."""
        if self.quiet:
            return
        if isinstance(event, Started):
            if event.epoch:
                self.console.print(f"going on after epoch {event.epoch} of {event.epochs}")
            if self.bar:
                total = event.epochs * event.steps
                self.tasks["training"] = self.bar.add_task("training", total=total, completed=event.epoch * event.steps)
        elif isinstance(event, StepDone):
            if self.bar:
                done = (event.epoch - 1) * event.steps + event.step
                words = f"epoch {event.epoch}  loss {event.loss:.5f}{self.validation}"
                self.bar.update(self.tasks["training"], completed=done, description=words)
        elif isinstance(event, EpochDone):
            record = event.record
            self.validation = f"  validation {record.validation_loss:.5f}"
            if not self.bar:
                left = (event.epochs - record.epoch) * record.seconds
                time_left = f"  about {clock(left)} left" if record.epoch < event.epochs else ""
                self.console.print(
                    f"epoch {record.epoch}/{event.epochs}  loss {record.loss:.5f}  validation "
                    f"{record.validation_loss:.5f}  {reached_text(record)}  {record.seconds:.1f} s"
                    f"{'  best' if event.best else ''}{time_left}"
                )
        elif isinstance(event, Stopped):
            if self.bar and "training" in self.tasks:
                task = self.tasks.pop("training")
                words = f"trained {event.epoch} epochs{self.validation}"
                self.bar.update(task, description=words, total=self.bar.tasks[task].completed)
            if event.reason != "all epochs done":
                self.console.print(f"stopped after epoch {event.epoch}: {event.reason}")

    def work(self, event: Progress) -> None:
        """Show other long work."""
        self.say_note(event)
        doing, done, total = event.stage, event.done, event.total
        if self.quiet or total <= 1:
            return
        if self.bar:
            if doing not in self.tasks:
                self.tasks[doing] = self.bar.add_task(doing, total=total)
            self.bar.update(self.tasks[doing], completed=done)
        elif done == total or time.monotonic() - self.said > PLAIN_SECONDS:
            self.said = time.monotonic()
            self.console.print(f"{doing}: {int(done + 1e-6)} of {total}")  # parts at work have shares

    def say_note(self, event: Progress) -> None:
        """Say what an event has to say of the work, and keep why images are left out; what was said is not repeated."""
        if event.note is None or (reason := event.note.removeprefix("left out: ")) in self.left_out:
            return
        if reason != event.note:
            self.left_out.append(reason)
        if not self.quiet:
            self.console.print(f"note: {printable(event.note)}", markup=False)

    def whole(self, event: Progress) -> None:
        """Show one bar for a work of many parts: what is being done, and the share of the whole that is."""
        self.say_note(event)
        words, share = event.stage, event.share
        if self.quiet or event.note is not None:
            return
        if self.bar:
            if "whole" not in self.tasks:
                self.tasks["whole"] = self.bar.add_task(words, total=100, share=True)
            self.bar.update(self.tasks["whole"], completed=round(100 * share, 2), description=words)
        elif time.monotonic() - self.said > PLAIN_SECONDS:
            self.said = time.monotonic()
            self.console.print(f"{share:.0%}  {words}")


@contextmanager
def display(quiet: bool = False) -> Iterator[Display]:
    """Give a Display for the time of the block: bars on a terminal or in a notebook, else lines; nothing if quiet."""
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    if in_notebook() and not quiet:
        with NotebookBars() as bar:  # notes are text of the cell: what goes to stderr is red there
            yield Display(Console(file=sys.stdout, force_jupyter=False, highlight=False, soft_wrap=True), bar)
        return
    if quiet or not console.is_terminal:
        yield Display(console, None, quiet)
        return
    with bars_on(console) as bar:
        yield Display(console, bar)


NARROW = 100
"""Signs of a line below which bars are short, so that there is room for what is being done."""


def bars_on(console: Console) -> bars.Progress:
    """Return bars whose amount and time left are always seen: what is being done is cut where there is no room."""
    columns = (
        TextColumn("{task.description}", table_column=Column(ratio=1, no_wrap=True, overflow="ellipsis")),
        BarColumn(bar_width=28 if console.width >= NARROW else 12, table_column=Column(no_wrap=True)),
        Amount(table_column=Column(no_wrap=True, justify="right")),
        TimeLeft(table_column=Column(no_wrap=True, justify="right")),
    )
    return bars.Progress(*columns, console=console, expand=True)


class Amount(bars.ProgressColumn):
    """How much is done: so many of so many, or a share of the whole."""

    def render(self, task: bars.Task) -> Text:
        total = int(task.total or 0)
        return Text(f"{task.percentage:.0f}%" if task.fields.get("share") else f"{int(task.completed)}/{total}")


class TimeLeft(bars.ProgressColumn):
    """How long it will still take, and in the end how long it took; nothing where that is not known yet."""

    max_refresh = 0.5

    def render(self, task: bars.Task) -> Text:
        seconds = task.finished_time if task.finished else task.time_remaining
        if seconds is None:
            return Text(" ")
        return Text(clock(seconds) if task.finished else f"{clock(seconds)} left")


def clock(seconds: float) -> str:
    """Write a time as people do.

    >>> clock(0.4), clock(59.6), clock(75), clock(3725)
    ('0 s', '1:00', '1:15', '1:02:05')
    """
    whole = round(seconds)
    hours, minutes = whole // 3600, whole // 60 % 60
    if whole < 60:
        return f"{whole} s"
    return f"{hours}:{minutes:02d}:{whole % 60:02d}" if hours else f"{minutes}:{whole % 60:02d}"
