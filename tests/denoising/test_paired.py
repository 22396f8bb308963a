"""The network trained on with captures of one scene: from each other, judged where nothing was learned, or left."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

import cuello
from cuello.core.errors import Interrupted
from cuello.denoising import kinds, paired
from cuello.denoising.denoise import shipped
from cuello.denoising.kinds import kinds_of
from cuello.denoising.quick import transform_of
from cuello.denoising.said import values_of
from cuello.noise_models.survey import survey
from cuello.scoring.blind import BlindScore


def scene(shift: float = 0.0, side: int = 96) -> np.ndarray:
    y, x = np.mgrid[:side, :side] / side
    return 340 + 130 * np.sin(9 * x + shift) + 130 * np.cos(8 * y * (1 + x))


def captures(count: int, shift: float = 0.0, seed: int = 0) -> list[np.ndarray]:
    random = np.random.default_rng(seed)
    return [random.normal(scene(shift), 25) for _ in range(count)]


def test_captures_are_put_together_by_scene() -> None:
    first, second = captures(3), captures(2, shift=2.0, seed=1)
    model = survey([*first, *second]).model
    found = paired.scenes_of([first[0], second[0], first[1], second[1], first[2]], model)
    assert [len(one) for one in found] == [3, 2]
    assert paired.scenes_of([*first, second[0]], model) == []


def test_a_scene_that_moves_is_none() -> None:
    one = captures(1)[0]
    moved = np.roll(scene(), 2, axis=1) + np.random.default_rng(5).normal(0, 25, one.shape)
    assert paired.scenes_of([one, moved], survey([one]).model) == []


@pytest.mark.parametrize("shape", [(512, 512), (96, 130), (16, 16), (7, 9)])
def test_a_fifth_of_the_scene_is_kept_apart_everywhere(shape: tuple[int, int]) -> None:
    apart = paired.kept_apart(shape)
    assert apart.mean() == pytest.approx(0.2, abs=0.06)
    if min(shape) >= 96:
        quarters = apart[: shape[0] // 2 * 2, : shape[1] // 2 * 2].reshape(2, shape[0] // 2, 2, shape[1] // 2)
        assert np.abs(quarters.mean((1, 3)) - 0.2).max() < 0.06


def test_crops_of_two_captures_show_one_place_and_what_is_kept_apart_does_not_count() -> None:
    apart = paired.kept_apart((96, 80))
    code = np.arange(apart.size, dtype=float).reshape(apart.shape)
    evened = np.stack([code, code + apart.size, ~apart], axis=2)
    seen, target, counts, level = paired.crops_of([evened], 1.0, random=np.random.default_rng(0))
    assert seen.shape == target.shape == counts.shape == (paired.CROPS, 1, paired.SIDE, paired.SIDE)
    places = (seen.double() / level.double()).round().long()
    assert torch.equal((target / level).round().long() % apart.size, places)
    assert np.array_equal(counts.numpy() == 0, apart.ravel()[places.numpy()])


def test_the_same_captures_give_the_same_weights_and_leave_the_shipped_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paired, "STEPS", 4)
    given = captures(2)
    transform = transform_of(survey(given))
    before = [weight.clone() for weight in shipped().network.parameters()]
    one, other = (paired.paired([given], transform, 1, network=shipped(), seconds=60) for _ in range(2))
    weights = [list(model.network.parameters()) for model in (one, other, shipped())]
    assert all(map(torch.equal, weights[0], weights[1]))
    assert all(map(torch.equal, before, weights[2]))
    assert not all(map(torch.equal, before, weights[0]))
    stopped = paired.paired([given], transform, 1, network=shipped(), seconds=0)
    assert all(map(torch.equal, before, stopped.network.parameters()))


def test_squares_kept_apart_tell_the_true_error() -> None:
    nothing, half = paired.judge_apart(
        [captures(3)], [lambda noisy: noisy, lambda noisy: (noisy + scene()) / 2], peak=600
    )
    assert nothing.mse == pytest.approx(625, rel=0.1)
    assert half.mse == pytest.approx(625 / 4, rel=0.2)


def scored(*errors: float) -> Callable[..., list[BlindScore]]:
    """Give scores that are known beforehand: of the noise, of the way before, and of the one that was learned."""
    return lambda *_, **__: [BlindScore("", mse=mse, mse_error=1.0, psnr=0, error=0, bias="") for mse in errors]


@pytest.fixture
def brief(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cuello.denoising.learned.STEPS", 1)
    monkeypatch.setattr(paired, "STEPS", 2)


def test_a_network_that_learned_from_captures_is_kept_where_they_score_it_better(
    brief: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for number, noisy in enumerate(captures(2)):
        np.save(tmp_path / f"{number}.npy", noisy)
    monkeypatch.setattr(paired, "judge_apart", scored(100, 30, 25))
    files = sorted(tmp_path.glob("*.npy"))
    found = cuello.denoise(files, tmp_path / "better", effort="thorough")
    done = found.channels[0][0]
    assert values_of(done)["learned"]["network"]
    assert (found.captures.count, found.captures.left, found.captures.apart) == (2, 0.5, True)
    assert (done.score.left, done.score.gain) == (0.5, pytest.approx(6.02, abs=0.01))
    assert "in the fifth of the scene that nothing was learned from" in str(found.captures)
    monkeypatch.setattr(paired, "judge_apart", scored(100, 25, 25))
    left = cuello.denoise(files, tmp_path / "left", effort="thorough")
    done = left.channels[0][0]
    assert "network" in values_of(done)["scored_lower"]
    assert not values_of(done)["learned"]["network"]
    assert not left.captures.apart
    normal = cuello.denoise(files, tmp_path / "normal", effort="normal")
    for one, other, learned in zip(left.written, normal.written, found.written, strict=True):
        assert np.array_equal(np.load(one), np.load(other))
        assert not np.array_equal(np.load(one), np.load(learned))


def test_images_of_other_scenes_learn_each_from_itself(brief: None, monkeypatch: pytest.MonkeyPatch) -> None:
    called = []
    monkeypatch.setattr(kinds, "trained_on", lambda kind, *_, **__: called.append(len(kind.planes)) or kind)
    images = [captures(1)[0], captures(1, shift=2.0, seed=1)[0]]
    kinds.with_learned(kinds_of([one[:, :, None] for one in images], "thorough"), shipped())
    assert called == [2]


def test_stopping_says_that_what_was_learned_is_lost(
    brief: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    np.save(tmp_path / "0.npy", captures(1)[0])
    monkeypatch.setattr(kinds, "trained_on", stop)
    with pytest.raises(Interrupted, match=r"before a file was written.*lost.*effort='quick'"):
        cuello.denoise(tmp_path / "0.npy", tmp_path / "out.npy", effort="thorough")
    assert not (tmp_path / "out.npy").exists()
