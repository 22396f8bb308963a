"""What to try next: every combination of a grid, or what one of Optuna's samplers draws."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

from cuello.core.errors import CuelloError
from cuello.core.seeding import derived_seed
from cuello.search.question import Question
from cuello.search.space import Choices, Space
from cuello.search.trials import Trial

JOURNAL_NAME, STUDY_NAME = "optuna.log", "search"
LOCK_SECONDS = 5
"""After so long a lock on the journal, which is held for an instant, is one that a kill has left."""
STARTUP_TRIALS = 5
"""So many trials are finished before one is pruned."""


@dataclass(frozen=True)
class Proposal:
    """A trial to make: its number and its values by searched key."""

    number: int
    values: Mapping[str, Any]


class Sampler(Protocol):
    """Says what to try next, and learns what came of it. total: how many trials there will be."""

    total: int

    def propose(self, most: int) -> Sequence[Proposal]:
        """Return the next trials, ``most`` at most, those that were interrupted first; none when all are done."""
        ...

    def tell(self, trial: Trial) -> None:
        """Learn that a trial is over."""
        ...

    def hopeless(self, number: int, epoch: int, value: float) -> bool:
        """Learn the objective of an epoch (from 1) of a trial, and tell whether to stop it."""
        ...

    def others(self) -> Mapping[int, Trial]:
        """Return the trials by number that others make or made, as they were at the last proposal."""
        ...

    def close(self) -> None:
        """Give back what was proposed and is not over, so that others can take it."""
        ...


class Alone:
    """What a sampler says that nobody else works with."""

    def others(self) -> Mapping[int, Trial]:
        """None."""
        return {}

    def close(self) -> None:
        """Nothing needs to be given back: what is not over is proposed again."""


class GridSampler(Alone):
    """Proposes every combination of a space in order, those not done yet."""

    def __init__(self, points: Sequence[Mapping[str, Any]], trials: Mapping[int, Trial]):
        self.total = len(points)
        self.waiting = {
            number: Proposal(number, values)
            for number, values in enumerate(points)
            if number not in trials or not trials[number].over
        }

    def propose(self, most: int) -> Sequence[Proposal]:
        """Return the next combinations."""
        return list(islice(self.waiting.values(), most))

    def tell(self, trial: Trial) -> None:
        """Take a combination that is done from those that wait."""
        del self.waiting[trial.number]

    def hopeless(self, number: int, epoch: int, value: float) -> bool:
        """Never: a grid tries everything to the end."""
        return False


class Drawn(Alone):
    """Proposes what one of Optuna's samplers draws; everything is kept in a journal that Optuna's own tools read.

    Each trial is drawn with a sampler whose seed depends on the search's seed and the trial's number alone: a search
    that was killed and goes on draws what it would have drawn.
    """

    def __init__(self, question: Question, folder: Path):
        optuna = load_optuna(question.sampler)
        self.space, self.seed = question.space, question.first.seed
        self.make = optunas_sampler(optuna, question.sampler)
        mend(folder / JOURNAL_NAME)
        journal, store = str(folder / JOURNAL_NAME), optuna.storages.journal
        backend = store.JournalFileBackend(journal, store.JournalFileOpenLock(journal, LOCK_SECONDS))
        with quiet(optuna):
            self.study = optuna.create_study(
                storage=optuna.storages.JournalStorage(backend),
                study_name=STUDY_NAME,
                direction="minimize" if question.objective.sign > 0 else "maximize",
                pruner=median_pruner(optuna, question),
                load_if_exists=True,
            )
        self.optuna = optuna
        self.total = max(question.trials, len(self.study.trials))
        self.open: dict[int, Any] = {}

    def propose(self, most: int) -> Sequence[Proposal]:
        """Return trials that were interrupted, then new ones."""
        optuna, state = self.optuna, self.optuna.trial.TrialState
        known = self.study.get_trials(deepcopy=False)
        begun = [trial for trial in known if trial.state == state.RUNNING][:most]
        new = range(len(known), min(self.total, len(known) + most - len(begun)))
        found = []
        for number, identity in [*((trial.number, trial._trial_id) for trial in begun), *((n, None) for n in new)]:
            self.study.sampler = self.make(trial_seed(self.seed, number))
            # a trial that was begun says what it drew before, where it has drawn it
            trial = self.study.ask() if identity is None else optuna.trial.Trial(self.study, identity)
            self.open[number] = trial
            found.append(Proposal(number, drawn_values(trial, self.space)))
        return found

    def tell(self, trial: Trial) -> None:
        """Write down what a trial came to."""
        told, value = ending_of(self.optuna, trial)
        asked = self.open.pop(trial.number)
        asked.set_user_attr("folder", trial.name)
        if trial.message:
            asked.set_user_attr("message", trial.message)
        with quiet(self.optuna):
            self.study.tell(asked, value, state=told)

    def hopeless(self, number: int, epoch: int, value: float) -> bool:
        """Report an epoch and ask the pruner: worse than the median of the others at that epoch."""
        trial = self.open[number]
        known = self.study.get_trials(deepcopy=False)[number].intermediate_values
        if epoch not in known:
            trial.report(value, epoch)
        return trial.should_prune()


def ending_of(optuna: Any, trial: Trial) -> tuple[Any, float | None]:
    """Return what a trial that is over came to, as Optuna has it: its state, and its value if it was finished."""
    value = trial.reached.objective if trial.state == "finished" and trial.reached else None
    return optuna_states(optuna)[trial.state], value


def optuna_states(optuna: Any) -> dict[str, Any]:
    """Return Optuna's states of trials that are over, by ours."""
    state = optuna.trial.TrialState
    return {"finished": state.COMPLETE, "pruned": state.PRUNED, "failed": state.FAIL}


def optunas_sampler(optuna: Any, kind: str) -> Callable[[int], Any]:
    """Return what makes one of Optuna's samplers from a seed. kind: "random" or "tpe"."""
    return {
        "random": lambda drawn: optuna.samplers.RandomSampler(seed=drawn),
        "tpe": lambda drawn: optuna.samplers.TPESampler(seed=drawn),
    }[kind]


def median_pruner(optuna: Any, question: Question) -> Any:
    """Return Optuna's pruner of what is worse than the median."""
    return optuna.pruners.MedianPruner(n_startup_trials=STARTUP_TRIALS, n_warmup_steps=question.warmup)


def trial_seed(seed: int, number: int) -> int:
    """Return the seed that a trial is drawn with. seed: of the search."""
    return derived_seed(seed, "search", index=number) % 2**32


def drawn_values(trial: Any, space: Space) -> dict[str, Any]:
    """Draw a trial's values: settings first, then what their placeholders need."""
    values: dict[str, Any] = {}
    for name in sorted(space.axes, key=lambda name: not space.sets(name)):
        if space.sets(name) or name in space.needed(values):
            values[name] = suggest(trial, name, space.axes[name])
    return {name: values[name] for name in space.axes if name in values}


def suggest(trial: Any, name: str, axis: Any) -> Any:
    """Draw one value with Optuna."""
    if isinstance(axis, Choices):
        return trial.suggest_categorical(name, list(axis.values))
    if axis.whole:
        return trial.suggest_int(name, axis.low, axis.high, log=axis.log, step=axis.step or 1)
    return trial.suggest_float(name, axis.low, axis.high, log=axis.log, step=axis.step)


def load_optuna(kind: str) -> Any:
    """Import and return optuna; CuelloError where it is missing."""
    try:
        import optuna
    except ImportError as error:
        raise CuelloError(
            f"--sampler={kind} needs a package that is missing ({error}): pip install 'cuello[search]'. --sampler=grid "
            "does without."
        ) from None
    return optuna


@contextmanager
def quiet(optuna: Any) -> Iterator[None]:
    """Keep Optuna's own log lines, other than warnings, off the screen for the time of the block."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(max(before, optuna.logging.WARNING))
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)


def mend(journal: Path) -> None:
    """Cut half a line off a journal's end, which a kill while writing leaves, and which Optuna does not read."""
    if not journal.is_file():
        return
    whole = journal.read_bytes()
    end = whole.rfind(b"\n") + 1
    if end < len(whole):
        with open(journal, "r+b") as file:
            file.truncate(end)
