"""The work of a search: trials proposed, trained, written down, until there are no more."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cuello.core.errors import CuelloError
from cuello.runs.directory import Run
from cuello.search.question import Question
from cuello.search.samplers import Proposal, Sampler
from cuello.search.trials import Reached, Trial, folder_name, outcome, ranked, runs_of, save_trials
from cuello.training.observers import EpochDone, Event, Observer, Started, StepDone, Stopped
from cuello.work.together import found_together, train_together
from cuello.work.train import train_or_resume

GROUP = 64
"""So many trials are handed over to be trained together, where none depends on what another came to."""
SAVE_SECONDS, TELL_SECONDS = 2.0, 0.2

Watch = Callable[[str, float], None]
"""Called with what is being done and how much of the whole is done, 0 to 1."""


class Hopeless(Exception):
    """Raised by an observer to stop a training that is worse than the others; its run directory stays as it is."""


@dataclass
class Work:
    """A search under way. trials: by number. saved, told: when search.json was last written, and progress shown."""

    question: Question
    folder: Path
    sampler: Sampler
    trials: dict[int, Trial]
    observers: Sequence[Observer]
    watch: Watch
    saved: float = 0.0
    told: float = 0.0

    @property
    def over(self) -> int:
        """How many trials are done."""
        return sum(trial.over for trial in self.trials.values())

    @property
    def ranked(self) -> list[tuple[Trial, Reached]]:
        """The finished trials with what they reached, the best first."""
        return ranked(self.trials.values(), self.question.objective)

    def run(self) -> None:
        """Make trials until there are no more."""
        together = 1 if self.question.prune or self.question.sampler == "tpe" else GROUP
        while proposals := self.sampler.propose(together):
            group = [self.begin(proposal) for proposal in proposals]
            for trial in self.trained([trial for trial in group if not trial.over]):
                self.trials[trial.number] = trial
                self.save(SAVE_SECONDS)
                self.tell("")
            self.save()
            for trial in group:  # saved before it is told: what Optuna knows is never more than what is written here
                self.sampler.tell(self.trials[trial.number])

    def begin(self, proposal: Proposal) -> Trial:
        """Return the trial of a proposal, a new one or one that was begun before."""
        number, values = proposal.number, proposal.values
        new = Trial(number, folder_name(number, values, self.sampler.total), dict(values))
        return self.trials.setdefault(number, new)

    def trained(self, trials: Sequence[Trial]) -> Iterator[Trial]:
        """Train trials and yield each with what it came to."""
        if len(trials) > 1:
            self.train_together(trials)
        for trial in trials:
            yield self.train(trial)

    def train_together(self, trials: Sequence[Trial]) -> None:
        """Train those of the trials that are faster at once; what is not finished then is trained by itself."""
        work = [
            (run, {**self.question.settings(trial.values), "seed": seed})
            for trial in trials
            for run, seed in zip(runs_of(self.folder, trial, self.question.seeds), self.question.seeds, strict=True)
        ]
        done = 0.0
        for batch in found_together([run for run, _ in work], [settings for _, settings in work], report=False):
            size = len(batch.members)
            share = len(trials) * size / len(work)
            shown = self.shown(f"{size} at once,", 1, share, before=done)
            try:
                train_together(batch, observers=[*self.observers, shown])
            except Exception as error:  # trained one by one, each says for itself whether it fails
                if not is_failure(error):
                    raise
            done += share

    def train(self, trial: Trial) -> Trial:
        """Train one trial with every seed, or go on with it, and return what it came to."""
        runs = runs_of(self.folder, trial, self.question.seeds)
        settings = self.question.settings(trial.values)
        try:
            for place, (run, seed) in enumerate(zip(runs, self.question.seeds, strict=True)):
                observers = [*self.observers, self.shown(trial.name, self.question.repeats, done=place)]
                if self.question.prune and place == 0:
                    observers.append(self.judged(trial, run))
                train_or_resume(run.path, {**settings, "seed": seed}, report=False, observers=observers)
        except Hopeless as stopped:
            trial = replace(trial, state="pruned", message=str(stopped))
        except Exception as error:
            if not is_failure(error):
                raise
            return replace(trial, state="failed", message=str(error))
        else:
            trial = replace(trial, state="finished")
        return replace(trial, reached=outcome(runs, self.question.objective))

    def judged(self, trial: Trial, run: Run) -> Observer:
        """Return an observer that stops a training where the sampler finds it hopeless."""

        def observe(event: Event) -> None:
            if isinstance(event, Started):
                records = run.history[: event.epoch] if event.epoch else []
            else:
                records = [event.record] if isinstance(event, EpochDone) else []
            for record in records:
                worse = self.sampler.hopeless(trial.number, record.epoch, self.question.objective.value(record))
                if worse and record.epoch < event.epochs:  # type: ignore[union-attr]  # both have it
                    raise Hopeless(f"worse than the median after epoch {record.epoch} of {event.epochs}")  # type: ignore[union-attr]

        return observe

    def shown(self, name: str, parts: int, trials: float = 1, done: int = 0, before: float = 0.0) -> Observer:
        """Return an observer that tells how far so many trials are, trained in so many parts, ``done`` of them done.

        before: the trials' worth of work that was done before them.
        """
        epochs = 1

        def observe(event: Event) -> None:
            nonlocal epochs, done
            if isinstance(event, Started):
                epochs = event.epochs
            elif isinstance(event, StepDone):
                share = (done + (event.epoch - 1 + event.step / event.steps) / epochs) / parts
                self.tell(f"{name} epoch {event.epoch} of {epochs}", before + trials * min(share, 1.0))
            elif isinstance(event, Stopped):
                done += 1

        return observe

    def tell(self, doing: str, share: float = 0.0) -> None:
        """Tell, now and then, how many trials are done, the best so far, and what else is: ``share`` trials' worth."""
        if time.monotonic() - self.told < TELL_SECONDS:
            return
        self.told = time.monotonic()
        words = [f"{self.over} of {self.sampler.total} trials"]
        for best, reached in self.ranked[:1]:
            words.append(f"best {self.question.objective.text(reached.objective)} ({best.name})")
        self.watch("  ".join([*words, *([doing] if doing else [])]), min(1.0, (self.over + share) / self.sampler.total))

    def save(self, after: float = 0.0) -> None:
        """Write search.json, unless that was done less than so many seconds ago."""
        if time.monotonic() - self.saved >= after:
            save_trials(self.folder, self.question.as_json(), self.trials, self.sampler.total)
            self.saved = time.monotonic()


def is_failure(error: Exception) -> bool:
    """Tell whether an error is of one trial, to be written down, or a fault that ends the search."""
    out_of_memory = isinstance(error, RuntimeError) and "memory" in str(error)
    return out_of_memory or isinstance(error, CuelloError | MemoryError)
