"""The training loop: epochs, validation, the best so far, saving, stopping, in the order in which they happen."""

import math
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from cuello.core.config import TrainConfig
from cuello.core.errors import CuelloError, Fault
from cuello.core.own import is_own
from cuello.core.rights import RIGHTS
from cuello.core.types import StepResult
from cuello.runs.artefact import save_artefact
from cuello.runs.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from cuello.runs.directory import Run, write_json
from cuello.runs.history import EpochRecord, as_json, best_epoch, write_history
from cuello.runs.settings import environment_of
from cuello.runs.tensors import check_fit
from cuello.runs.whole import has_best, has_history, has_rights
from cuello.scoring.metrics import PSNR_CEILING
from cuello.training.compilation import compiled
from cuello.training.observers import EpochDone, Event, Observer, Started, StepDone, Stopped
from cuello.training.optimizers import OPTIMIZERS
from cuello.training.ranks.state import combined, spread
from cuello.training.ranks.stopping import stopping_together
from cuello.training.schedule import learning_rate, reason_to_stop
from cuello.training.session import Session
from cuello.training.steps import Forward, train_epoch, validate, validation_pairs


@dataclass
class State:
    """What changes while training: everything that a checkpoint holds."""

    network: nn.Module
    optimizer: torch.optim.Optimizer
    average: dict[str, Tensor]
    best: dict[str, Tensor] = field(default_factory=dict)
    records: list[EpochRecord] = field(default_factory=list)
    environment: dict[str, Any] = field(default_factory=dict)

    def kept_weights(self) -> dict[str, Tensor]:
        """Return the weights that are validated and handed over: the moving average if there is one."""
        return self.average or self.network.state_dict()


def fit(session: Session, device: torch.device, observers: Sequence[Observer] = ()) -> list[EpochRecord]:
    """Train the session's network from the run's last checkpoint, or from the start, and return every epoch.

    After each epoch the run holds history.jsonl, last.safetensors, and in model.safetensors the weights with the
    lowest validation loss (the artefact says what else goes into that file). A checkpoint is complete: a training
    that was killed and goes on ends with the same bits, on a CPU with the same number of threads.
    Raises CuelloError when the loss is no longer a number, or the checkpoint does not fit.
    """

    def tell(event: Event) -> None:
        for observer in observers:
            observer(event)

    network, config, group = session.network, session.config, session.group
    training = session.training
    network.to(device)
    forward: Forward = compiled(network) if config.compile else network
    state = begin(session)
    pairs = validation_pairs(session.task, session.validation, config.split_seed, device=device)
    tell(Started(len(state.records), config.epochs, len(training)))
    if not state.records:
        save(session, state, improved=False)
    while (reason := reason_to_stop(config, state.records)) is None:
        epoch = len(state.records) + 1
        first_step = (epoch - 1) * len(training)
        start = time.perf_counter()

        def rate(step: int, first_step: int = first_step) -> float:
            return learning_rate(config, first_step + step, len(training), history=state.records)

        def after_step(step: int, so_far: StepResult, epoch: int = epoch, first_step: int = first_step) -> None:
            move_average(state, config, first_step + step)
            tell(StepDone(epoch, step, len(training), loss=so_far.loss_sum / so_far.images))

        with stopping_together(group):
            trained = train_epoch(
                session, forward, state.optimizer, rates=rate, device=device, epoch=epoch, after_step=after_step
            )
        trained_at = time.perf_counter()
        with averaged(network, state.average):
            network.eval()
            checked = combined(validate(forward, network, pairs, config=config, device=device), group)
        seconds = time.perf_counter() - start
        record = epoch_record(
            epoch, trained, checked, rate=rate(len(training) - 1), seconds=seconds, training_seconds=trained_at - start
        )
        if group is not None:
            record = EpochRecord(**group.first(asdict(record)))  # the seconds of rank 0 can end the training
            spread(network, state.optimizer, state.average, group=group)
        refuse_divergence(record, config)
        improved = add_record(state.records, record)
        if improved:
            state.best = {name: tensor.detach().clone() for name, tensor in state.kept_weights().items()}
        save(session, state, improved)
        tell(EpochDone(record, config.epochs, improved))
    tell(Stopped(len(state.records), reason))
    return state.records


def begin(session: Session) -> State:
    """Return the state of the run's last checkpoint, or a fresh one; several processes all have that of the first."""
    group = session.group
    if group is None:
        return restore(session)
    state = restore(session) if group.rank == 0 else fresh(session)
    spread(state.network, state.optimizer, state.average, group=group)
    state.records = [EpochRecord(**record) for record in group.first([asdict(record) for record in state.records])]
    return state


def fresh(session: Session) -> State:
    """Return the state before the first step."""
    network, config = session.network, session.config
    if not any(weight.requires_grad for weight in network.parameters()):
        raise CuelloError(f"the network {config.model} has no weights to train: it needs parameters with a gradient.")
    optimizer = OPTIMIZERS[config.optimizer].make(network.parameters(), config)
    average = {}
    if config.ema is not None:
        average = {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}
    return State(network, optimizer, average)


def restore(session: Session) -> State:
    """Return the state of the run's last checkpoint, or a fresh one where there is none."""
    run, network, config = session.run, session.network, session.config
    state = fresh(session)
    optimizer, average = state.optimizer, state.average
    where = with_ranks(session, environment_of(run))
    if run.environment != where:
        write_json(run.environment_path, where)
    if not run.checkpoint_path.is_file():
        check_new(run)
        return State(network, optimizer, average, environment=where)
    checkpoint = load_checkpoint(run.checkpoint_path)
    if checkpoint.fingerprint != session.fingerprint:
        raise Fault(
            f"the images of {run.path} are not those it was trained on so far: files were added, removed or changed. "
            "Bring them back, or start a new run."
        )
    device = next(iter(network.state_dict().values())).device
    check_fit(checkpoint.weights, network.state_dict(), run.checkpoint_path)
    network.load_state_dict(dict(checkpoint.weights))
    if average:
        check_fit(checkpoint.average, network.state_dict(), run.checkpoint_path)
    if checkpoint.records:
        check_fit(checkpoint.best, network.state_dict(), run.checkpoint_path)
    check_optimizer(checkpoint, network, config=config, path=run.checkpoint_path)
    if average:
        average = {name: tensor.to(device) for name, tensor in checkpoint.average.items()}
    states = optimizer.state_dict()
    states["state"] = {position: dict(named) for position, named in checkpoint.optimizer.items()}
    optimizer.load_state_dict(states)
    best = {name: tensor.to(device) for name, tensor in checkpoint.best.items()}
    state = State(
        network, optimizer, average, best=best, records=list(checkpoint.records), environment=where,
    )  # fmt: skip
    mend(session, state)
    return state


def with_ranks(session: Session, where: dict[str, Any]) -> dict[str, Any]:
    """Note in how many processes a run is trained; warn where these are not as many as so far."""
    ranks = 1 if session.group is None else session.group.ranks
    before = where.get("ranks", 1)
    if before != ranks and session.run.checkpoint_path.is_file():
        warnings.warn(
            f"{session.run.path} goes on in {ranks} ranks (so far {before}), which rounds differently: to the bit, the "
            "weights will not be those of a run that was never interrupted.",
            stacklevel=2,
        )
    return where if before == ranks else where | {"ranks": ranks}


def check_new(run: Run) -> None:
    """Raise Fault where a run without a checkpoint was trained: it would begin anew without a word."""
    trained = run.history_path.is_file() and run.history_path.stat().st_size > 0
    if trained or run.model_path.is_file():
        raise Fault(
            f"{run.checkpoint_path} is gone, and with it what is needed to go on. Bring the file back, or move "
            f"{run.path} away to train anew. Its best weights, if they are there, can be used as before."
        )


def mend(session: Session, state: State) -> None:
    """Make again what is gone, damaged, of an epoch that is not in the checkpoint, or says another licence."""
    run, config = session.run, session.config
    if state.records and not (has_best(run, state.records) and has_rights(run, config)):
        save_reached(session, state, improved=True)
    elif not has_history(run, state.records):
        save_reached(session, state, improved=False)


def check_optimizer(checkpoint: Checkpoint, network: nn.Module, config: TrainConfig, path: Path) -> None:
    """Raise CuelloError where the optimiser's state is not that of these settings and parameters.

    What somebody's own keeps is not known before its first step.
    """
    if is_own("optimiser", config.optimizer):
        return
    tried = nn.Parameter(torch.zeros(1))
    tried.grad = torch.zeros(1)
    optimizer = OPTIMIZERS[config.optimizer].make([tried], config)
    optimizer.step()
    needed = {name for name, value in optimizer.state[tried].items() if isinstance(value, Tensor)}
    shapes = [parameter.shape for parameter in network.parameters()]
    for position, named in checkpoint.optimizer.items():
        if position >= len(shapes) or not (not named or set(named) == needed):
            raise CuelloError(f"{path} is damaged: the optimiser's state {position} does not fit {config.optimizer}.")
        for name, tensor in named.items():
            if tensor.shape not in (shapes[position], ()) or tensor.isnan().any():
                raise CuelloError(f"{path} is damaged: the optimiser's {name} {position} does not fit its weights.")


def save(session: Session, state: State, improved: bool) -> None:
    """Write the epoch's files; the checkpoint last, for it alone decides where a resumed training goes on.

    Of several processes, the first alone does.
    """
    if session.group is not None and session.group.rank:
        return
    save_reached(session, state, improved)
    save_checkpoint(session.run.checkpoint_path, checkpoint_of(session, state))


def save_reached(session: Session, state: State, improved: bool) -> None:
    """Write the history and, where it improved, the best weights."""
    run = session.run
    write_history(run.history_path, state.records)
    if improved:
        best = best_epoch(state.records)
        names = ("epoch", "validation_mse", "validation_psnr", "validation_accuracy", "validation_wrong")
        known = as_json(best) if best else {}
        metrics = {name: known[name] for name in names if name in known}
        save_artefact(run.model_path, replace(session.artefact, weights=dict(state.best), metrics=metrics))


def checkpoint_of(session: Session, state: State) -> Checkpoint:
    """Return the state for its file."""
    tensors = {
        position: {name: value for name, value in named.items() if isinstance(value, Tensor)}
        for position, named in state.optimizer.state_dict()["state"].items()
    }
    return Checkpoint(
        weights=state.network.state_dict(), average=state.average, best=state.best, optimizer=tensors,
        records=tuple(state.records), fingerprint=session.fingerprint, settings=settings_of(session.config),
        environment=state.environment, started_from=session.artefact.started_from,
    )  # fmt: skip


def settings_of(config: TrainConfig) -> dict[str, Any]:
    """Return all settings, without a licence, an author, a citation or a beginning that nobody stated."""
    return config.model_dump(exclude={name for name in (*RIGHTS, "start_from") if getattr(config, name) is None})


def epoch_record(
    epoch: int, trained: StepResult, checked: StepResult, *, rate: float, seconds: float, training_seconds: float
) -> EpochRecord:
    """Return an epoch's record from the sums over its training and its validation images."""
    sums, images = checked.terms, checked.images
    mse, psnr = sums.get("mse", math.nan) / images, math.nan
    if "psnr" in sums:  # of images that are not perfect; where all are it is as high as one can be
        psnr = sums["psnr"] / sums["counted"] if sums["counted"] else PSNR_CEILING
    accuracy = sums["accuracy"] / images if "accuracy" in sums else None
    wrong = sums["wrong"] / images if sums.get("grey") == 0 else None
    return EpochRecord(
        epoch=epoch, loss=trained.loss_sum / trained.images, validation_loss=checked.loss_sum / checked.images,
        validation_mse=mse, validation_psnr=psnr, learning_rate=rate, seconds=seconds,
        training_seconds=training_seconds, images=trained.images, validation_accuracy=accuracy,
        validation_wrong=wrong,
    )  # fmt: skip


def add_record(records: list[EpochRecord], record: EpochRecord) -> bool:
    """Add an epoch to those before and tell whether it is the best so far."""
    improved = is_best(records, record)
    records.append(record)
    return improved


def is_best(records: Sequence[EpochRecord], record: EpochRecord) -> bool:
    """Tell whether an epoch is better than all before it; the first one is."""
    before = best_epoch(records)
    return before is None or record.validation_loss < before.validation_loss


def average_share(ema: float, step: int) -> float:
    """Return which share of the way to the weights the average goes after a step, from 1 over all epochs."""
    return 1 - min(ema, (1 + step) / (10 + step))


def move_average(state: State, config: TrainConfig, step: int) -> None:
    """Move the average of the weights towards them; its decay grows to ``config.ema`` over the first steps."""
    if config.ema is None:
        return
    share = average_share(config.ema, step)
    with torch.no_grad():
        for name, tensor in state.network.state_dict().items():
            if tensor.is_floating_point():
                state.average[name].lerp_(tensor, share)
            else:
                state.average[name].copy_(tensor)


@contextmanager
def averaged(network: nn.Module, average: dict[str, Tensor]) -> Iterator[None]:
    """Put the averaged weights into the network for the time of the block."""
    if not average:
        yield
        return
    own = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    network.load_state_dict(average)
    try:
        yield
    finally:
        network.load_state_dict(own)


def refuse_divergence(record: EpochRecord, config: TrainConfig) -> None:
    """Raise CuelloError where the loss is no longer a number; what was saved before stays."""
    if not (abs(record.loss) < float("inf") and abs(record.validation_loss) < float("inf")):
        raise CuelloError(
            f"the training diverged in epoch {record.epoch}: its loss is {record.loss}, on validation "
            f"{record.validation_loss}. The best weights so far are kept. Lower --learning-rate (now "
            f"{config.learning_rate:g}), or limit the gradients with --clip=1."
        )
