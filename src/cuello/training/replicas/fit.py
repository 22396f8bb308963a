"""Many small networks trained at once: replicas that differ in seed, learning rate, optimiser, noise or stopping.

Each ends as it would by itself, to the bit: its weights, batches, noise and draws are those of its own seed, and
the arithmetic of all in one go gives each what it would without the others (``stack.Layout``, ``team.idle_rows``).
"""

import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from statistics import fmean

import torch
from torch import Tensor

from cuello.core.errors import CuelloError
from cuello.core.memory import kept_memory
from cuello.core.threads import torch_divided
from cuello.runs.history import EpochRecord
from cuello.training.loop import restore, save
from cuello.training.observers import EpochDone, Event, Observer, Started, StepDone, Stopped
from cuello.training.replicas.eligibility import reason_apart
from cuello.training.replicas.stack import in_groups
from cuello.training.replicas.team import AfterStep, Pairs, Replica, Sums, Team, save_together
from cuello.training.schedule import reason_to_stop
from cuello.training.session import Session
from cuello.training.steps import validation_pairs

SAVE_SECONDS = 5.0
"""All replicas are saved after the first epoch that ends so long after they were saved before."""

MOST_PARTS, LEAST_ROWS = 2, 64
"""Parts of the replicas that are trained at once, at most, and replicas in one, at least."""


def fit_replicas(
    members: Sequence[Session], device: torch.device, observers: Sequence[Observer] = ()
) -> list[list[EpochRecord]]:
    """Train all members from their last checkpoints, or from the start, and return every epoch of each.

    In the end each run holds what ``fit`` would have written, but for float32's rounding, and either can go on with the
    other's checkpoint. To the bit, it holds the same whatever other members there are. On the way they are saved less
    often: see SAVE_SECONDS; and when the work is interrupted. An epoch's seconds are shared
    out evenly. Members that have reached fewer epochs go first until they have caught up; one that stops is left out
    from then on. Observers are told of one training, with means over the members that take part.
    Raises ValueError where ``reason_apart`` finds a reason. CuelloError, in the end, where the loss of a member is no
    longer a number: the others are trained first.
    """
    if (reason := reason_apart(members, device)) is not None:
        raise ValueError(f"these cannot be trained in one batch: {reason}")

    def tell(event: Event) -> None:
        for observer in observers:
            observer(event)

    replicas = [begun(member, device) for member in members]
    epochs, steps = max(member.config.epochs for member in members), len(members[0].training)
    first = {member.config.noise: member for member in members}
    pairs = {
        noise: validation_pairs(member.task, member.validation, member.config.split_seed, device=device)
        for noise, member in first.items()
    }
    tell(Started(min(replica.reached for replica in replicas), epochs, steps))
    teams: list[Team] = []
    due = time.monotonic() + SAVE_SECONDS
    threads = torch.get_num_threads()
    with torch_divided(threads), kept_memory():  # several threads at one of so small matrices only wait; see at_once
        try:
            while behind := furthest_behind(replicas):
                if {replica for team in teams for replica in team.replicas} != set(behind):
                    for team in teams:
                        team.store()
                    teams = [Team(part, device) for part in parted(behind, threads)]

                def after_step(step: int, loss: Tensor, images: int, epoch: int = teams[0].epoch + 1) -> None:
                    tell(StepDone(epoch, step, steps, loss=float(loss.mean()) / images))

                sums = at_once(teams, pairs, after_step if observers else None)
                records = [team.records(*own, len(behind)) for team, own in zip(teams, sums, strict=True)]
                improved = [team.take_in(own) for team, own in zip(teams, records, strict=True)]
                is_due = time.monotonic() >= due
                if is_due or any(replica.over is not None for replica in behind):
                    stored = [replica for team in teams for replica in team.store()]
                    save_together([replica for replica in stored if is_due or replica.over is not None])
                due = time.monotonic() + SAVE_SECONDS if is_due else due
                tell(EpochDone(mean_record([record for own in records for record in own]), epochs, any(improved)))
        finally:
            save_together([replica for team in teams for replica in team.store()])
    tell(Stopped(max(replica.reached for replica in replicas), reason_of(replicas)))
    raise_first(replicas)
    return [replica.state.records for replica in replicas]


def parted(replicas: Sequence[Replica], threads: int) -> list[list[Replica]]:
    """Return the replicas in as many parts as are trained at once, those that share an optimiser together."""
    order = [replicas[row] for row in in_groups([replica.member.config for replica in replicas])]
    parts = max(1, min(threads, MOST_PARTS, len(order) // LEAST_ROWS))
    return [order[len(order) * part // parts : len(order) * (part + 1) // parts] for part in range(parts)]


def at_once(
    teams: Sequence[Team], pairs: Mapping[str | None, Pairs], after_step: AfterStep | None
) -> list[tuple[Sums, Sums]]:
    """Train and validate teams for an epoch, each in a thread of its own, and return the sums of both.

    pairs: of validation, by noise.
    after_step: called in this thread, which has the first team. If that fails, the others stop at their next step.
    """
    stop = threading.Event()

    def check(step: int, loss: Tensor, images: int) -> None:
        if stop.is_set():
            raise KeyboardInterrupt

    def work(team: Team, after: AfterStep | None) -> tuple[Sums, Sums]:
        return team.train(after), team.validate(pairs)

    with ThreadPoolExecutor(max(1, len(teams) - 1)) as pool:
        others = [pool.submit(work, team, check) for team in teams[1:]]
        try:
            return [work(teams[0], after_step), *(other.result() for other in others)]
        except BaseException:
            stop.set()
            raise


def begun(member: Session, device: torch.device) -> Replica:
    """Return a member as its last checkpoint has it, or as it begins; its first checkpoint is written then."""
    member.network.to(device)
    state = restore(member)
    if not state.records:
        save(member, state, improved=False)
    return Replica(member, state, len(state.records), over=reason_to_stop(member.config, state.records))


def furthest_behind(replicas: Sequence[Replica]) -> list[Replica]:
    """Return those with the fewest epochs among the replicas that are not over."""
    active = [replica for replica in replicas if replica.over is None]
    least = min((replica.reached for replica in active), default=0)
    return [replica for replica in active if replica.reached == least]


def mean_record(records: Sequence[EpochRecord]) -> EpochRecord:
    """Return the mean of an epoch's records; seconds are summed, what they lack (an accuracy) is left out."""
    known = [field.name for field in fields(EpochRecord) if getattr(records[0], field.name) is not None]
    means = {name: fmean(getattr(record, name) for record in records) for name in known}
    whole = {"epoch": records[0].epoch, "images": records[0].images}
    sums = {name: sum(getattr(record, name) for record in records) for name in ("seconds", "training_seconds")}
    return EpochRecord(**{**means, **whole, **sums})


def reason_of(replicas: Sequence[Replica]) -> str:
    """Return why the replicas stopped, each reason once."""
    return "; ".join(dict.fromkeys(replica.over for replica in replicas if replica.over is not None))


def raise_first(replicas: Sequence[Replica]) -> None:
    """Raise the error of the first replica that failed; the message says which run it is, and how many failed."""
    failed = [(replica.member.run.path, replica.error) for replica in replicas if replica.error is not None]
    for path, error in failed[:1]:
        if len(replicas) == 1:
            raise error
        raise CuelloError(f"{path}: {error} {len(failed)} of {len(replicas)} diverged; the others are trained.")
