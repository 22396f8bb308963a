"""A search that several machines share: Optuna's study in a PostgreSQL database, and who makes which trial."""

import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

from cuello.core.errors import CuelloError
from cuello.core.owner import this_process
from cuello.core.schema import read_json
from cuello.jobs.catalog import JOBS
from cuello.runs.directory import write_json
from cuello.search.claims import SILENT, Claim, Claims, SearchPlace
from cuello.search.database import Database, is_the_databases
from cuello.search.question import Question
from cuello.search.samplers import (
    Proposal,
    drawn_values,
    ending_of,
    load_optuna,
    median_pruner,
    optuna_states,
    optunas_sampler,
    quiet,
    trial_seed,
)
from cuello.search.trials import Reached, Trial, difference, folder_name, known_values, objectives_of

MARK_NAME = "storage.json"
"""In the search's folder: in which database it is, and a mark that tells the folder from others of its name."""
ASKED = "asked"
"""Under this name Optuna keeps what a study of ours asks."""
TAKEN_OVER = (
    f"was given to another machine, because this one had not been heard of for {SILENT:.0f} s: what it came to there "
    "counts, and its folder here stays."
)
SHARE = 16
"""At most one of so many of the trials that are left is claimed at once, so that others have work too."""


class SharedSampler:
    """Proposes what no other machine makes: combinations of a grid, or what one of Optuna's samplers draws.

    A trial's number is given by the database, once; its values follow from the number in a grid, from the seed and the
    number for "random", and for "tpe" from what all machines have found by then as well. A trial that was begun is
    proposed again, under the same number, where whoever made it gave it up or has gone silent.
    """

    def __init__(self, question: Question, folder: Path, database: Database, mark: str):
        """Make the study, or join it; CuelloError where one of this name is another search.

        mark: of the folder, which is the same for all who share it.
        """
        optuna = self.optuna = load_optuna(question.sampler)
        self.question, self.database = question, database
        self.points = question.space.grid(question.points) if question.sampler == "grid" else None
        self.make = optunas_sampler(optuna, "random" if self.points is not None else question.sampler)
        self.claims = Claims(database, SearchPlace(this_process(), str(folder.resolve()), mark))
        self.open: dict[int, Any] = {}
        self.over: dict[int, Trial] = {}
        self.known: Sequence[Any] = []
        self.unsaid: dict[int, dict[int, float]] = {}
        self.study = database.patiently(self.opened)
        listed = database.patiently(self.listed)
        self.total = len(self.points) if self.points is not None else max(question.trials, len(listed))
        self.claims.heart.start()

    def opened(self) -> Any:
        """Make the study or join it, and return it."""
        question = self.question
        with quiet(self.optuna), self.database.alone("cuello") as connection:
            study = self.optuna.create_study(
                storage=self.database.storage(),
                study_name=question.study_name,
                direction="minimize" if question.objective.sign > 0 else "maximize",
                pruner=median_pruner(self.optuna, question),
                load_if_exists=True,
            )
            check_same(study, question, self.database.shown)
            self.claims.make_table(connection)
        return study

    def listed(self) -> list[Any]:
        """Return Optuna's trials by number, without what others put behind a grid's end."""
        return self.study.get_trials(deepcopy=False)[: None if self.points is None else len(self.points)]

    def propose(self, most: int) -> Sequence[Proposal]:
        """Claim trials that were given up, then new ones; none where all are over or made by others."""
        taken, proposals = self.database.patiently(lambda: self.claimed(most))
        self.open.update(taken)
        return proposals

    def claimed(self, most: int) -> tuple[dict[int, Any], list[Proposal]]:
        """Return Optuna's trials that are claimed by now, by number, and what to make of them."""
        trial_of = self.optuna.trial.Trial
        with quiet(self.optuna), self.alone() as connection:
            self.known = self.listed()
            held = self.claims.all(connection, self.study._study_id)
            free = [trial for trial in self.known if self.is_free(trial, held.get(trial._trial_id))]
            new = range(len(self.known), self.total)
            count = min(most, max(1, (len(free) + len(new)) // SHARE))
            for trial in free[:count]:
                if trial.state == self.optuna.trial.TrialState.WAITING:  # put there with Optuna's own tools
                    self.storage.set_trial_state_values(trial._trial_id, self.optuna.trial.TrialState.RUNNING)
            taken = [trial_of(self.study, trial._trial_id) for trial in free[:count]]
            taken += [self.begun(number) for number in new[: count - len(taken)]]
            proposals = [Proposal(trial.number, self.values(trial)) for trial in taken]
            self.claims.take(connection, [trial._trial_id for trial in taken])
        return {trial.number: trial for trial in taken}, proposals

    def alone(self) -> AbstractContextManager[Any]:
        """Let nobody else claim a trial of this study, or tell one, for the time of the block."""
        return self.database.alone(f"cuello/{self.question.study_name}")

    @property
    def storage(self) -> Any:
        """Optuna's storage of the study, which keeps what is over in memory."""
        return self.study._storage

    def is_free(self, trial: Any, claim: Claim | None) -> bool:
        """Tell whether a trial of Optuna's is not over, and nobody at work on it."""
        if trial.state.is_finished() or trial.number in self.open:
            return False
        return claim is None or claim.claimant == self.claims.me or self.claims.is_free(claim)

    def begun(self, number: int) -> Any:
        """Begin a new trial of Optuna's; a grid's has its values from the start."""
        if self.points is None:
            return self.study.ask()
        choices = {name: [point[name] for point in self.points if name in point] for name in self.points[number]}
        template = self.optuna.trial.create_trial(
            state=self.optuna.trial.TrialState.RUNNING,
            params=dict(self.points[number]),
            distributions={
                name: self.optuna.distributions.CategoricalDistribution(list(dict.fromkeys(values)))
                for name, values in choices.items()
            },
        )
        return self.optuna.trial.Trial(
            self.study, self.storage.create_new_trial(self.study._study_id, template_trial=template)
        )

    def values(self, trial: Any) -> dict[str, Any]:
        """Return the values of a trial of Optuna's; they are drawn where they are not yet."""
        if self.points is not None:
            return dict(self.points[trial.number])
        self.study.sampler = self.make(trial_seed(self.question.first.seed, trial.number))
        return drawn_values(trial, self.question.space)

    def tell(self, trial: Trial) -> None:
        """Write down what a trial came to, unless another machine took it over because this one had gone silent."""
        self.database.patiently(lambda: self.write_down(trial))
        del self.open[trial.number]
        self.unsaid.pop(trial.number, None)

    def write_down(self, trial: Trial) -> None:
        """Write down what a trial came to; it may be done again."""
        asked = self.open[trial.number]
        told, value = ending_of(self.optuna, trial)
        with quiet(self.optuna), self.alone() as connection:
            claim = self.claims.all(connection, self.study._study_id).get(asked._trial_id)
            if claim is None or claim.claimant != self.claims.me:
                self.database.note(f"trial {trial.number} {TAKEN_OVER}")
                return
            if not self.storage.get_trial(asked._trial_id).state.is_finished():
                self.report(trial.number)
                asked.set_user_attr("folder", trial.name)
                asked.set_user_attr("place", self.claims.place.as_json())
                if trial.reached is not None:
                    asked.set_user_attr("reached", known_values(trial.reached))
                if trial.message:
                    asked.set_user_attr("message", trial.message)
                self.study.tell(asked, value, state=told)
            self.claims.drop(connection, asked._trial_id)

    def hopeless(self, number: int, epoch: int, value: float) -> bool:
        """Report an epoch and ask the pruner; while the database is away a training goes on, and is not stopped."""
        self.unsaid.setdefault(number, {})[epoch] = value
        try:
            self.report(number)
            return self.open[number].should_prune()
        except Exception as error:
            if not is_the_databases(error):
                raise
            self.database.lost = time.monotonic()
            return False

    def report(self, number: int) -> None:
        """Write down the epochs of a trial that the database does not know yet."""
        waiting = self.unsaid.get(number, {})
        if waiting:
            known = self.storage.get_trial(self.open[number]._trial_id).intermediate_values
            for epoch in sorted(waiting.keys() - known.keys()):
                self.open[number].report(waiting[epoch], epoch)
            waiting.clear()

    def others(self) -> Mapping[int, Trial]:
        """Return the trials by number that are not this search's to make, as they were at the last proposal."""
        return {trial.number: self.trial(trial) for trial in self.known if trial.number not in self.open}

    def trial(self, known: Any) -> Trial:
        """Return one of Optuna's trials as a search has it."""
        number = known.number
        if number in self.over:
            return self.over[number]
        values = known.params if self.points is None else self.points[number]
        values = {name: values[name] for name in self.question.space.axes if name in values}
        found = Trial(number, folder_name(number, values, self.total), values)
        if not known.state.is_finished():
            return found
        facts, place = known.user_attrs, known.user_attrs.get("place", {})
        elsewhere = place and place["mark"] != self.claims.place.mark
        states = {its: ours for ours, its in optuna_states(self.optuna).items()}
        self.over[number] = replace(
            found,
            name=facts.get("folder", found.name),
            state=states[known.state],
            message=facts.get("message", ""),
            reached=Reached(**facts["reached"]) if "reached" in facts else None,
            where=f"{place['host']}:{place['folder']}" if elsewhere else "",
        )
        return self.over[number]

    def close(self) -> None:
        """Stop the heartbeat, and give back the trials that are not over."""
        self.claims.end()


def joined(question: Question, database: Database, *, asked: str | None) -> Question:
    """Return the question of a search that may be in a database already, by that one's objective where none is asked.

    Raises CuelloError where a search of that name asks something else; Fault where the database cannot be reached.
    """
    optuna = load_optuna(question.sampler)
    database.connect()

    def look() -> Question:
        with quiet(optuna), database.alone("cuello"):
            storage = database.storage()
            if question.study_name not in optuna.get_all_study_names(storage):
                return question
            study = optuna.load_study(study_name=question.study_name, storage=storage)
            objectives, before = objectives_of(JOBS[question.job]), study.user_attrs.get(ASKED, {}).get("objective")
            by = objectives[before] if asked is None and before in objectives else question.objective
            check_same(study, replace(question, objective=by), database.shown)
            return replace(question, objective=by)

    return database.patiently(look)


def check_same(study: Any, question: Question, shown: str) -> None:
    """Write down what a new study asks; CuelloError where one that is there asks something else. shown: where it is."""
    asked = study.user_attrs.get(ASKED)
    if asked is None and not study.get_trials(deepcopy=False):
        study.set_user_attr(ASKED, question.as_json())
        return
    held = f"the database {shown} holds"
    remedy = "or choose another name with --study-name."
    if asked is None:
        raise CuelloError(f"{held} a study {question.study_name!r} that is none of Cuello's: choose another name with "
                          "--study-name.")  # fmt: skip
    if (found := difference(asked, question.as_json())) is not None:
        raise CuelloError(
            f"{held} a search {question.study_name!r} with {found}. Ask for the same to join it, {remedy}"
        )


def mark_of(folder: Path, question: Question) -> str:
    """Return what tells a search's folder from others of its name; it is written into it where it is not yet."""
    path = folder / MARK_NAME
    try:
        return str(read_json(path.read_text("utf-8"))["mark"])
    except FileNotFoundError:
        mark = uuid4().hex
        write_json(path, {"database": question.database, "study_name": question.study_name, "mark": mark})
        return mark
    except (OSError, ValueError, KeyError, TypeError):
        raise CuelloError(f"{path} is damaged. Choose another place with --output.") from None
