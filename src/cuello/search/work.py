"""The work of a search: trials proposed, trained, written down, until there are no more."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cuello.cluster.base import Cluster
from cuello.core.lock import kept
from cuello.core.progress import OnProgress, Progress
from cuello.runs.directory import Run
from cuello.search.question import Question
from cuello.search.samplers import Proposal, Sampler
from cuello.search.trials import Reached, Trial, folder_name, outcome, ranked, read_trials, runs_of, save_trials
from cuello.training.observers import EpochDone, Event, Observer, Started
from cuello.work.plans import Hopeless, PlannedRun, run_plans
from cuello.work.train import RunOptions

GROUP = 64
"""So many trials are handed over to be trained together, where none depends on what another came to."""
SAVE_SECONDS, TELL_SECONDS = 2.0, 0.2
DOING, REMEDY = "cuello search", ", or choose another place with --output"
"""What is said of a folder that a search keeps."""
WRITE_SECONDS = 120.0
"""For so long a search that others share waits while another one writes into its folder."""
LOOK_SECONDS = 2.0
"""Between two looks at what others make, where nothing else is left to do."""


@dataclass
class Work:
    """A search under way.

    trials: by number. alone: whether nobody else writes into the folder. cluster: where trainings are made side by
    side; None: in this process. saved, told: when search.json was last written, and progress shown.
    """

    question: Question
    folder: Path
    sampler: Sampler
    trials: dict[int, Trial]
    observers: Sequence[Observer]
    watch: OnProgress
    alone: bool = True
    cluster: Cluster | None = None
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
        if self.cluster is not None and self.cluster.remote:
            together = self.sampler.total  # no machine waits for the last of a group
        while proposals := self.next(together):
            group = [self.begin(proposal) for proposal in proposals]
            for trial in self.trained([trial for trial in group if not trial.over]):
                self.trials[trial.number] = trial
                self.save(SAVE_SECONDS)
                self.tell("")
            self.save()
            for trial in group:  # saved before it is told: what Optuna knows is never more than what is written here
                self.sampler.tell(self.trials[trial.number])

    def next(self, most: int) -> Sequence[Proposal]:
        """Return the next trials, once there are some; none when all are over, those that others make too."""
        while True:
            proposals = self.sampler.propose(most)
            others = self.sampler.others()
            for number, trial in others.items():
                if trial.over or number not in self.trials or not self.trials[number].over:
                    self.trials[number] = trial
            left = sum(not trial.over for trial in others.values())
            if proposals or not left:
                return proposals
            self.save(SAVE_SECONDS)
            self.tell(f"{left} made by others")
            time.sleep(LOOK_SECONDS)

    def begin(self, proposal: Proposal) -> Trial:
        """Return the trial of a proposal, a new one or one that was begun before."""
        number, values = proposal.number, proposal.values
        new = Trial(number, folder_name(number, values, self.sampler.total), dict(values))
        if not self.alone and (known := self.trials.get(number)) and known.values != new.values:
            del self.trials[number]  # of a database that is there no more; its run directory stays
        return self.trials.setdefault(number, new)

    def trained(self, trials: Sequence[Trial]) -> Iterator[Trial]:
        """Train trials with every seed, or go on with them, and yield each with what it came to."""
        plans: list[PlannedRun] = []
        owners: list[Trial] = []
        for trial in trials:
            settings = self.question.settings(trial.values)
            runs = runs_of(self.folder, trial, self.question.seeds)
            for place, (run, seed) in enumerate(zip(runs, self.question.seeds, strict=True)):
                watched = [self.judged(trial, run)] if self.question.prune and place == 0 else []
                plans.append(
                    PlannedRun(run.path, {**settings, "seed": seed}, trial.name, group=trial.name, observers=watched)
                )
                owners.append(trial)
        shares: dict[int, float] = {}
        missing = {trial.number: self.question.repeats for trial in trials}

        def tell(places: Sequence[int], share: float, words: str) -> None:
            shares.update(dict.fromkeys(places, share))
            name = plans[places[0]].name if len(places) == 1 else f"{len(places)} at once,"
            under_way = sum(share for place, share in shares.items() if missing[owners[place].number])
            self.tell(f"{name} {words}".strip(), under_way / self.question.repeats)

        def note(sentence: str) -> None:
            self.watch(Progress("training", note=sentence))

        options = RunOptions(report=False, observers=self.observers)
        for ending in run_plans(plans, options, cluster=self.cluster, retry=True, tell=tell, note=note):
            for place in ending.places:
                trial = owners[place]
                missing[trial.number] -= 1
                if ending.error is not None or not missing[trial.number]:
                    missing[trial.number] = 0
                    yield self.ended(trial, ending.error)

    def ended(self, trial: Trial, error: Exception | None) -> Trial:
        """Return what a trial came to."""
        if error is not None and not isinstance(error, Hopeless):
            return replace(trial, state="failed", message=str(error))
        runs = runs_of(self.folder, trial, self.question.seeds)
        reached = outcome(runs, self.question.objective)
        if error is None:
            return replace(trial, state="finished", reached=reached)
        return replace(trial, state="pruned", message=str(error), reached=reached)

    def judged(self, trial: Trial, run: Run) -> Observer:
        """Return an observer that stops a training where the sampler finds it hopeless."""

        def observe(event: Event) -> None:
            if isinstance(event, Started):
                records = run.history[: event.epoch] if event.epoch else []
            elif isinstance(event, EpochDone):
                records = [event.record]
            else:
                return
            for record in records:
                worse = self.sampler.hopeless(trial.number, record.epoch, self.question.objective.value(record))
                if worse and record.epoch < event.epochs:
                    raise Hopeless(f"worse than the median after epoch {record.epoch} of {event.epochs}")

        return observe

    def tell(self, doing: str, share: float = 0.0) -> None:
        """Tell, now and then, how many trials are done, the best so far, and what else is: ``share`` trials' worth."""
        if time.monotonic() - self.told < TELL_SECONDS:
            return
        self.told = time.monotonic()
        words = [f"{self.over} of {self.sampler.total} trials"]
        for best, reached in self.ranked[:1]:
            words.append(f"best {self.question.objective.text(reached.objective)} ({best.name})")
        total = self.sampler.total
        self.watch(Progress("  ".join([*words, *([doing] if doing else [])]), min(self.over + share, total), total))

    def save(self, after: float = 0.0) -> None:
        """Write search.json, unless that was done less than so many seconds ago."""
        if time.monotonic() - self.saved < after:
            return
        asked, total = self.question.as_json(), self.sampler.total
        if self.alone:
            save_trials(self.folder, asked, self.trials, total=total)
        else:
            with kept(self.folder, DOING, seconds=WRITE_SECONDS, remedy=REMEDY):
                for number, trial in read_trials(self.folder, asked).items():
                    if trial.over and (number not in self.trials or not self.trials[number].over):
                        self.trials[number] = trial
                save_trials(self.folder, asked, self.trials, total=total)
        self.saved = time.monotonic()
