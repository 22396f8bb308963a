"""Replicas trained at once: each ends as its solo run does, within rounding; so do its files, and what goes on."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from cuello.core.errors import CuelloError
from cuello.jobs.base import JobData
from cuello.jobs.data import prepare, reseeded
from cuello.models.autoencoder.bottlenecks import BOTTLENECKS
from cuello.models.autoencoder.layers import ACTIVATIONS
from cuello.runs.artefact import load_artefact
from cuello.runs.checkpoint import Checkpoint, load_checkpoint
from cuello.runs.directory import create_run
from cuello.training.loop import State, fit
from cuello.training.observers import EpochDone, Event, Observer, Started, StepDone, Stopped
from cuello.training.optimizers import OPTIMIZERS
from cuello.training.replicas import fit as replicas
from cuello.training.replicas import team
from cuello.training.replicas.batched import RULES
from cuello.training.replicas.eligibility import FREE, products, reason_apart, reason_slower
from cuello.training.replicas.fit import fit_replicas
from cuello.training.session import Session
from cuello.work.train import make_network, resolve, session_of

CPU = torch.device("cpu")
SETTINGS: dict[str, Any] = {
    "job": "reconstruct", "data": "glyphs", "model": "mlp:35-8-2,code=tanh,output=tanh", "batch_size": 32,
    "samples": 96, "epochs": 3, "learning_rate": 1e-2, "schedule": "constant", "device": "cpu", "threads": 1,
}  # fmt: skip
SEEDS = [{"seed": seed} for seed in range(3)]
MODELS = {
    "plain": "mlp:35-8-2",
    "sparse": "sparse:35-8-2",
    "contractive": "contractive:35-8-2",
    "variational": "vae:35-8-2,beta=4,warmup=2,capacity=1,growth=2",
    "info": "infovae:35-8-2",
    "wasserstein": "wae:35-8-2",
    "vector": "vq:35-8-4",
    "scalar": "fsq:35-8-2",
}
"""A dense network with each bottleneck."""


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., Session]:
    """Make a member in a run directory of its own; settings override the usual ones."""
    made = 0

    def member(**settings: Any) -> Session:
        nonlocal made
        made += 1
        config = resolve({**SETTINGS, **settings})
        data = JobData(prepare(config))
        run = create_run(tmp_path / str(made), config)
        return session_of(run, config, data, make_network(config, data))

    return member


def again(member: Session) -> Session:
    """Return the member as another process would begin with it: its network is new, its files are there."""
    data = JobData(prepare(member.config))
    network, artefact = make_network(member.config, data)
    return replace(
        member, network=network, artefact=artefact, training=data.prepared.training, validation=data.prepared.validation
    )


def solo(member: Session, observers: Sequence[Observer] = ()) -> None:
    fit(member, CPU, observers)


def same(found: Mapping[str, Tensor], expected: Mapping[str, Tensor], within: float = 1e-5) -> None:
    assert set(found) == set(expected)
    for name, tensor in expected.items():
        torch.testing.assert_close(found[name], tensor, rtol=1e-4, atol=within, msg=lambda text, name=name: name + text)


def assert_same_runs(found: Session, expected: Session, within: float = 1e-5) -> None:
    """Compare all that two runs hold: histories, checkpoints, models."""
    histories = found.run.history, expected.run.history
    assert len(histories[0]) == len(histories[1])
    for one, other in zip(*histories, strict=True):
        for name in ("loss", "validation_loss", "validation_mse", "validation_psnr"):
            assert getattr(one, name) == pytest.approx(getattr(other, name), rel=1e-4), name
        for name in ("epoch", "learning_rate", "images"):
            assert getattr(one, name) == getattr(other, name)
    kept, whole = (load_checkpoint(member.run.checkpoint_path) for member in (found, expected))
    assert (kept.records, kept.fingerprint) == (tuple(histories[0]), whole.fingerprint)
    for group in ("weights", "average", "best"):
        same(getattr(kept, group), getattr(whole, group), within)
    assert set(kept.optimizer) == set(whole.optimizer)
    for position, tensors in whole.optimizer.items():
        same(kept.optimizer[position], tensors, 1e-3)
    models = [load_artefact(member.run.path) for member in (found, expected)]
    same(models[0].weights, models[1].weights, within)
    assert models[0].metrics == pytest.approx(models[1].metrics, rel=1e-4)
    assert models[0].training == models[1].training


def assert_same_bits(found: Session, expected: Session) -> None:
    """Compare all that two runs hold but times, to the bit."""
    kept, whole = (load_checkpoint(member.run.checkpoint_path) for member in (found, expected))
    untimed = [[replace(record, seconds=0, training_seconds=0) for record in one.records] for one in (kept, whole)]
    assert untimed[0] == untimed[1]
    for group in ("weights", "average", "best"):
        assert_equal(getattr(kept, group), getattr(whole, group))
    assert set(kept.optimizer) == set(whole.optimizer)
    for position, tensors in whole.optimizer.items():
        assert_equal(kept.optimizer[position], tensors)
    assert_equal(load_artefact(found.run.path).weights, load_artefact(expected.run.path).weights)


def assert_equal(found: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> None:
    assert set(found) == set(expected)
    for name, tensor in expected.items():
        assert torch.equal(found[name], tensor), name


def assert_like_solo(make: Callable[..., Session], variants: Sequence[Mapping[str, Any]], **common: Any) -> None:
    """Train the variants at once, and each by itself, in both ways, and compare."""
    at_once, single, alone = ([make(**{**common, **own}) for own in variants] for _ in range(3))
    given = fit_replicas(at_once, CPU)
    for member, history, one, expected in zip(at_once, given, single, alone, strict=True):
        assert history == member.run.history
        solo(expected)
        assert_same_runs(member, expected)
        fit_replicas([one], CPU)
        assert_same_bits(member, one)


# Equal to solo runs


@pytest.mark.parametrize(
    "variants",
    [
        SEEDS,
        [{"learning_rate": rate} for rate in (1e-4, 1e-2, 1e-3)],
        [{"seed": seed, "learning_rate": rate} for seed, rate in ((0, 1e-3), (0, 1e-2), (1, 1e-3))],
        [{"weight_decay": decay} for decay in (0.0, 1e-2)],
        [{"clip": clip} for clip in (1e-3, 1e-1, None)],
        [{"ema": ema, "seed": 1} for ema in (0.5, 0.99)],
        [
            {"schedule": schedule, "warmup_epochs": warmup, "learning_rate": 1e-3}
            for schedule in ("cosine", "plateau", "constant")
            for warmup in (0.0, 1.5)
        ],
        [{"schedule": "plateau", "plateau_patience": 1, "min_delta": 10.0, "seed": seed} for seed in range(2)],
        [{"epochs": epochs, "schedule": "cosine"} for epochs in (1, 3, 2)],
    ],
    ids=["seeds", "rates", "both", "decay", "clip", "ema", "schedules", "plateaus", "epochs"],
)
def test_what_differs_in_training(make: Callable[..., Session], variants: list[dict[str, Any]]) -> None:
    assert_like_solo(make, variants)


RATES = {"adam": 1e-3, "adamw": 1e-3, "sgd": 0.1, "adadelta": 1.0, "rmsprop": 1e-3}


def test_every_optimiser_beside_every_other(make: Callable[..., Session]) -> None:
    variants = [
        {"optimizer": spec.name, "learning_rate": factor * RATES[spec.name], "weight_decay": 1e-2, "seed": seed}
        for seed, factor in enumerate((1, 0.3))
        for spec in OPTIMIZERS
        if not spec.whole_kernels
    ]
    nesterov = {"optimizer": "sgd", "learning_rate": 0.1, "nesterov": True}
    assert_like_solo(make, [*variants, nesterov, {**nesterov, "nesterov": False, "momentum": 0.0}])


def test_batches_in_the_order_of_each_seed(make: Callable[..., Session]) -> None:
    assert_like_solo(make, SEEDS, batch_size=7, samples=40)
    assert_like_solo(make, SEEDS, augment=True, validation=0.25)


@pytest.mark.parametrize("batch_size", [8, 32])
def test_noise_of_each_seed(make: Callable[..., Session], batch_size: int) -> None:
    variants = [*SEEDS, {"seed": 1, "learning_rate": 1e-3}]
    assert_like_solo(make, variants, job="denoise", noise="invert:3", batch_size=batch_size)


def test_different_noises(make: Callable[..., Session]) -> None:
    noises = ["invert:3", "invert:7", "gaussian:25"]
    variants = [{"noise": noise, "seed": seed} for seed in (0, 1) for noise in noises]
    assert_like_solo(make, variants, job="denoise")
    assert reason_apart([make(), make(job="denoise", noise="invert:3")], CPU) is not None


def test_pairs(make: Callable[..., Session], tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    for name in ("noisy", "clean"):
        np.save(tmp_path / f"{name}.npy", random.integers(0, 256, (20, 7, 5), dtype=np.uint8))
    data = {"data": str(tmp_path / "noisy.npy"), "target": str(tmp_path / "clean.npy"), "job": "denoise"}
    assert_like_solo(make, SEEDS, **data, batch_size=8, samples=None)


@pytest.mark.parametrize("kind", MODELS)
def test_every_bottleneck(make: Callable[..., Session], kind: str) -> None:
    loss = "bernoulli" if kind in ("variational", "info") else "mse"
    assert_like_solo(make, [*SEEDS, {"seed": 1, "learning_rate": 1e-3}], model=MODELS[kind], loss=loss, batch_size=9)
    assert set(MODELS) == set(BOTTLENECKS)


def test_a_contractive_code_of_many_numbers_draws_too(make: Callable[..., Session]) -> None:
    assert_like_solo(make, SEEDS, model="contractive:35-12-10")


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_activation(make: Callable[..., Session], activation: str) -> None:
    output = {"sigmoid": "sigmoid", "tanh": "tanh"}.get(activation, "linear")
    model = f"mlp:35-12-8-2,activation={activation},code={activation},output={output},centred=yes"
    assert_like_solo(make, SEEDS[:2], model=model, learning_rate=1e-3, epochs=2)
    assert set(RULES) == set(ACTIVATIONS)


def test_a_single_layer_and_a_single_replica(make: Callable[..., Session]) -> None:
    assert_like_solo(make, SEEDS[:1], model="mlp:35-2", loss="bce")


def test_parts_in_threads(make: Callable[..., Session], monkeypatch: pytest.MonkeyPatch) -> None:
    """Two parts at once, which draw from torch's one generator: each still has its own draws."""
    monkeypatch.setattr(replicas, "LEAST_ROWS", 1)
    torch.set_num_threads(2)
    try:
        variants = [{"seed": seed, "optimizer": name} for seed in (0, 1) for name in ("adam", "rmsprop")]
        assert_like_solo(make, [*variants, {"seed": 2}], model="vae:35-8-2", learning_rate=1e-3, batch_size=8)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(1)


# Stopping and going on


def stop_at(epoch: int, step: int | None = None) -> Observer:
    """Return an observer that interrupts after an epoch, or in it after a step."""

    def observe(event: Event) -> None:
        reached = (event.record.epoch, None) if isinstance(event, EpochDone) else None
        if isinstance(event, StepDone):
            reached = event.epoch, event.step
        if reached == (epoch, step):
            raise KeyboardInterrupt

    return observe


@pytest.mark.parametrize(("epoch", "step", "reached"), [(2, None, 2), (2, 2, 1), (1, 1, 0)])
def test_an_interrupted_batch_is_saved_and_solo_runs_go_on(
    make: Callable[..., Session], epoch: int, step: int | None, reached: int
) -> None:
    variants = [{"seed": 0, "ema": 0.9}, {"seed": 1, "ema": 0.9, "optimizer": "sgd"}, {"seed": 2, "ema": 0.9}]
    begun, whole = ([make(**own) for own in variants] for _ in range(2))
    with pytest.raises(KeyboardInterrupt):
        fit_replicas(begun, CPU, [stop_at(epoch, step)])
    for member, expected in zip(begun, whole, strict=True):
        assert len(load_checkpoint(member.run.checkpoint_path).records) == reached
        solo(again(member))
        solo(expected)
        assert_same_runs(member, expected)


def test_solo_runs_of_different_age_go_on_at_once(make: Callable[..., Session]) -> None:
    begun, whole = ([make(seed=seed, epochs=4) for seed in range(4)] for _ in range(2))
    for member, epoch in zip(begun, (1, 3, 1), strict=False):
        with pytest.raises(KeyboardInterrupt):
            solo(member, [stop_at(epoch)])
    events: list[Event] = []
    fit_replicas([again(member) for member in begun], CPU, [events.append])
    assert events[0] == Started(0, 4, 3)
    done = [(event.epoch, event.step) for event in events if isinstance(event, StepDone)]
    assert done == [(epoch, step) for epoch in (1, 2, 3, 4) for step in (1, 2, 3)], "they catch up, then go together"
    for member, expected in zip(begun, whole, strict=True):
        solo(expected)
        assert_same_runs(member, expected)


def test_a_finished_batch_is_left_as_it_is(make: Callable[..., Session]) -> None:
    members = [make(**own) for own in SEEDS]
    first = fit_replicas(members, CPU)
    before = [member.run.checkpoint_path.stat().st_mtime_ns for member in members]
    events: list[Event] = []
    assert fit_replicas([again(member) for member in members], CPU, [events.append]) == first
    assert events == [Started(3, 3, 3), Stopped(3, "all epochs done")]
    assert [member.run.checkpoint_path.stat().st_mtime_ns for member in members] == before


@pytest.mark.parametrize("seconds", [0.0, 1e9])
def test_each_stops_when_its_patience_ends(
    make: Callable[..., Session], seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replicas, "SAVE_SECONDS", seconds)
    variants = [
        {"patience": 2, "min_delta": 10.0},
        {"patience": 1, "min_delta": 10.0, "seed": 1},
        {"seed": 2},
        {"patience": 3, "learning_rate": 1.0, "seed": 3, "optimizer": "sgd"},
    ]
    assert_like_solo(make, variants, epochs=6)


def test_all_are_saved_after_a_while_and_not_after_every_epoch(
    make: Callable[..., Session], monkeypatch: pytest.MonkeyPatch
) -> None:
    saves: list[int] = []
    made = team.checkpoint_of

    def count(member: Session, state: State) -> Checkpoint:
        saves.append(len(state.records))
        return made(member, state)

    monkeypatch.setattr(team, "checkpoint_of", count)
    fit_replicas([make(**own) for own in SEEDS], CPU)
    assert saves == [3, 3, 3]
    saves.clear()
    monkeypatch.setattr(replicas, "SAVE_SECONDS", 0.0)
    fit_replicas([make(**own) for own in SEEDS], CPU)
    assert saves == [1] * 3 + [2] * 3 + [3] * 3


def test_one_that_diverges_does_not_stop_the_others(make: Callable[..., Session]) -> None:
    variants = [{"seed": 0}, {"seed": 1, "optimizer": "sgd", "learning_rate": 1e38, "clip": 1.0}, {"seed": 2}]
    at_once, alone = ([make(**own, model="mlp:35-2,output=linear") for own in variants] for _ in range(2))
    with pytest.raises(CuelloError, match=r"2: the training diverged in epoch 1.*1 of 3 diverged; the others are"):
        fit_replicas(at_once, CPU)
    with pytest.raises(CuelloError, match="diverged in epoch 1"):
        solo(alone[1])
    kept, expected = (load_checkpoint(members[1].run.checkpoint_path) for members in (at_once, alone))
    assert kept.records == expected.records == ()
    same(kept.weights, expected.weights)
    assert not at_once[1].run.model_path.exists()
    for place in (0, 2):
        solo(alone[place])
        assert_same_runs(at_once[place], alone[place])


def test_one_that_diverges_later_keeps_what_it_had(make: Callable[..., Session]) -> None:
    """Its learning rate is 0 at first, then beyond all numbers."""
    own = {"seed": 1, "optimizer": "sgd", "learning_rate": 1e38, "model": "mlp:35-2,output=linear"}
    alone = make(**own, epochs=1)
    members = [make(seed=0, model=own["model"]), make(**own)]
    records = [[], []]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "cuello.training.replicas.stack.learning_rate",
            lambda config, step, *_, **__: 0.001 if config.seed == 0 or step < 3 else 1e38,
        )
        patch.setattr("cuello.training.loop.learning_rate", lambda *_, **__: 0.001)
        with pytest.raises(CuelloError, match="diverged in epoch 2"):
            fit_replicas(members, CPU)
        solo(alone)
    records = [member.run.history for member in members]
    assert [len(history) for history in records] == [3, 1]
    kept, expected = (load_checkpoint(member.run.checkpoint_path) for member in (members[1], alone))
    same(kept.weights, expected.weights)
    same(kept.best, expected.best)
    same(load_artefact(members[1].run.path).weights, load_artefact(alone.run.path).weights)


# What is told


def test_observers_see_one_training(make: Callable[..., Session]) -> None:
    members = [make(seed=seed, epochs=2) for seed in range(3)]
    events: list[Event] = []
    fit_replicas(members, CPU, [events.append])
    kinds = [type(event) for event in events]
    assert kinds == [Started, *[StepDone] * 3, EpochDone, *[StepDone] * 3, EpochDone, Stopped]
    assert events[0] == Started(0, 2, 3)
    assert events[-1] == Stopped(2, "all epochs done")
    done = [event for event in events if isinstance(event, EpochDone)]
    histories = [member.run.history for member in members]
    for event, epoch in zip(done, zip(*histories, strict=True), strict=True):
        assert event.record.loss == pytest.approx(sum(record.loss for record in epoch) / 3)
        assert event.record.seconds == pytest.approx(sum(record.seconds for record in epoch))
        assert (event.record.epoch, event.record.images) == (epoch[0].epoch, 96)
    last = [event for event in events if isinstance(event, StepDone)][2]
    assert last.loss == pytest.approx(done[0].record.loss)


def test_an_observer_that_fails_stops_all_parts(make: Callable[..., Session], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replicas, "LEAST_ROWS", 1)
    monkeypatch.setattr(replicas, "MOST_PARTS", 3)
    torch.set_num_threads(3)
    try:
        with pytest.raises(KeyboardInterrupt):
            fit_replicas([make(**own, samples=32 * 2000) for own in SEEDS], CPU, [stop_at(1, 2)])
    finally:
        torch.set_num_threads(1)


# What can be batched


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"model": "ae:35-c4-2"}, "other layers than dense ones"),
        ({"model": "conv-single", "job": "denoise", "noise": "invert:3"}, "not an autoencoder of dense layers"),
        ({"crop": 4, "model": "mlp:16-2"}, "crops"),
        ({"precision": "bf16"}, "mixed precision"),
        ({"optimizer": "muon"}, "each kernel by itself"),
        ({"max_minutes": 1.0}, "time is limited"),
        ({"batch_size": 16}, "settings differ in more than training"),
        ({"loss": "bce"}, "settings differ in more than training"),
        ({"ema": 0.9}, "settings differ in more than training"),
        ({"model": "mlp:35-9-2"}, "networks differ"),
        ({"model": "mlp:35-20-2,dropout=0.1"}, "dropout"),
    ],
)
def test_what_is_trained_apart(make: Callable[..., Session], settings: dict[str, Any], reason: str) -> None:
    members = [make(), make(**settings)]
    assert reason in str(reason_apart(members, CPU))
    with pytest.raises(ValueError, match=reason):
        fit_replicas(members, CPU)
    assert not any(member.run.checkpoint_path.exists() for member in members)


def test_other_names_of_the_same_network_are_no_reason(make: Callable[..., Session]) -> None:
    members = [make(model="mlp-20-2"), make(model="mlp:35-20-2,code=tanh")]
    assert reason_apart(members, CPU) is None
    assert "cuda" in str(reason_apart(members, torch.device("cuda")))
    assert set(FREE) < set(type(members[0].config).model_fields)


def test_what_is_faster(make: Callable[..., Session]) -> None:
    small, large = make(), make(model="mlp:35-2000-2", batch_size=512, samples=512)
    assert products(small.network, 32) == 32 * 2 * (35 * 8 + 8 * 2)
    assert reason_slower([small, small]) is None
    assert reason_slower([small]) == "it is a single one"
    assert "as fast one after another" in str(reason_slower([large, large]))


def test_another_seed_of_the_same_data(make: Callable[..., Session]) -> None:
    first, second = (prepare(resolve({**SETTINGS, "seed": seed, "batch_size": 7})) for seed in (0, 1))
    other = reseeded(first, 1)
    for given, expected in zip(other.training.epoch(2), second.training.epoch(2), strict=True):
        assert torch.equal(given.images, expected.images)
        assert torch.equal(given.ids, expected.ids)
    assert other.training.resident is first.training.resident, "one copy of the images"
    crops = prepare(resolve({**SETTINGS, "model": "mlp:16-2", "crop": 4, "crops": "fixed"}))
    with pytest.raises(ValueError, match="depend on the seed"):
        reseeded(crops, 1)
