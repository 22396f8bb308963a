"""One pass over the training batches, one over the validation batches; both return the same type."""

from collections.abc import Callable, Iterator
from contextlib import closing

import torch
from torch import Tensor, nn

from cuello.core.config import TrainConfig
from cuello.core.seeding import derived_seed, generator
from cuello.core.types import Output, Pair, Pairing, StepResult
from cuello.data.batches import Batches
from cuello.models.base import ImageNetwork, as_output
from cuello.scoring.losses import find_loss
from cuello.training.device import precision_context
from cuello.training.gradients import backward, summed_backward
from cuello.training.norms import lone_images
from cuello.training.ranks.draws import drawn_whole, known_rows, may_draw, seeded
from cuello.training.ranks.norms import shared_norms
from cuello.training.session import Session

Forward = Callable[..., Output | Tensor]


def loss_of(output: Output | Tensor, target: Tensor, name: str) -> Tensor:
    """Return the loss of each image, ``(N,)``: the named one plus the network's own terms, ``(N,)`` or scalars.

    output: what a network gives; a classifier gives scores, ``(N, K)``, and its target is ``(N,)``.
    """
    given = as_output(output)
    losses = find_loss(name).function(given.image.float(), target)
    for term in given.terms.values():
        losses = losses + term
    return losses


def answer(
    forward: Forward, network: ImageNetwork, pair: Pair, *, config: TrainConfig, device: torch.device
) -> tuple[Output | Tensor, Tensor]:
    """Run the network on a pair; return what it gives for the pair's x, and the loss of each image, ``(N,)``."""
    condition = network.condition(pair.x, pair.level, pair.condition, strength=pair.strength)

    def given(x: Tensor) -> Output | Tensor:
        with precision_context(config, device):
            return forward(x, condition)

    if pair.loss is None:
        output = given(pair.x)
        return output, loss_of(output, pair.target, config.loss)
    outputs: list[Output] = []

    def run(x: Tensor) -> Tensor:
        outputs.append(as_output(given(x)))
        return outputs[-1].image.float()

    losses = pair.loss(run)
    for term in outputs[-1].terms.values():
        losses = losses + term
    return outputs[-1], losses


def train_epoch(
    session: Session,
    forward: Forward,
    optimizer: torch.optim.Optimizer,
    *,
    rates: Callable[[int], float],
    device: torch.device,
    epoch: int,
    after_step: Callable[[int, StepResult], None],
) -> StepResult:
    """Train for one epoch.

    forward: the network, or its compiled form. rates: the learning rate by the step's number within the epoch.
    after_step: called with that number (from 1) and the sums so far.
    """
    network, config, batches, group = session.network, session.config, session.training, session.group
    network.train()
    loss_sum, images, draws = torch.zeros((), device=device), 0, may_draw(network)
    reading = closing(batches.epoch(epoch, device))  # what reads ahead ends with the epoch, however that ends
    with lone_images(network, batches), shared_norms(network, group), reading as given:
        for step, batch in enumerate(given):
            if group is not None and batch.rows is not None and not group.begins(batch.rows, batches.images.streamed):
                continue
            for parameters in optimizer.param_groups:
                parameters["lr"] = rates(step)
            network.epochs_passed = epoch - 1 + step / len(batches)
            seeded(derived_seed(config.seed, "network", epoch, index=step), device)  # dropout, in anybody's network
            with drawn_whole(batch.rows, group):
                pair = session.task.pair(batch, generator(config.seed, "noise", epoch, index=step))
            optimizer.zero_grad(set_to_none=True)
            with drawn_whole(batch.rows, group) if draws or pair.loss is not None else known_rows(batch.rows):
                _, losses = answer(forward, network, pair, config=config, device=device)
            summed = backward(losses) if group is None else summed_backward(network, losses, group)
            if config.clip is not None:
                nn.utils.clip_grad_norm_(network.parameters(), config.clip)
            optimizer.step()
            loss_sum += summed.loss_sum
            images += summed.images
            if summed.stop:
                raise KeyboardInterrupt
            after_step(step + 1, StepResult(float(loss_sum), images))
    if not images:
        raise batches.nothing_left()
    return StepResult(float(loss_sum), images)


@torch.inference_mode()
def validate(
    forward: Forward,
    network: ImageNetwork,
    pairs: Callable[[], Iterator[Pair]],
    config: TrainConfig,
    device: torch.device,
) -> StepResult:
    """Return the sums of the loss and of what is measured over the validation pairs, with the network as it is.

    Where several processes share the batches, these are sums over this one's share.
    """
    loss_sum, images, terms = 0.0, 0, dict[str, float]()
    for pair in pairs():
        output, losses = answer(forward, network, pair, config=config, device=device)
        loss_sum += float(losses.sum())
        if pair.loss is None:
            for name, values in find_loss(config.loss).measures(as_output(output).image, pair.target).items():
                terms[name] = terms.get(name, 0.0) + float(values.sum())
        images += len(pair.x)
    return StepResult(loss_sum, images, terms)


def validation_pairs(
    task: Pairing, batches: Batches, seed: int, device: torch.device, keep_bytes: int = 512 * 2**20
) -> Callable[[], Iterator[Pair]]:
    """Return a function that yields the same pairs each time; kept in memory where they fit."""

    def make() -> Iterator[Pair]:
        given = (batch for batch in batches.epoch(0, device) if batch.rows is None or batch.rows.count)
        return (task.pair_each(batch, seed) for batch in given)

    height, width = batches.size
    if 2 * 4 * batches.count * batches.images.channels * height * width > keep_bytes:
        return make
    kept = list(make())
    return lambda: iter(kept)
