"""Classical methods tuned without a clean image choose what the clean image would choose."""

from collections.abc import Mapping
from functools import partial

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from cuello.noise_models.model import NoiseModel
from cuello.scoring.blind import BlindScore, Method, blind_score, judge, judge_by_captures
from cuello.scoring.classical import STRENGTHS, classical, tuned, verdict

NOISE = NoiseModel(gain=4, base=16)


def scene(side: int = 128) -> np.ndarray:
    """Waves between 10 and 170."""
    y, x = np.mgrid[:side, :side] / 9
    return 90 + 40 * np.sin(x + 0.5 * y) + 40 * np.cos(1.3 * y)


def spoiled(clean: np.ndarray) -> np.ndarray:
    random = np.random.default_rng(0)
    return NOISE.gain * random.poisson(clean / NOISE.gain) + random.normal(0, 4, clean.shape)


def test_what_is_tuned_without_the_clean_image_is_what_it_would_choose() -> None:
    clean = scene()
    noisy = spoiled(clean)
    found = tuned(partial(judge, [noisy], noise=NOISE, peak=255), NOISE, names=("gaussian", "median-3"))
    assert len(found) == 4
    for one in found:
        errors = {
            strength: float(np.mean((classical(one.name, strength, NOISE, behind=one.behind)(noisy) - clean) ** 2))
            for strength in STRENGTHS[one.name]
        }
        assert errors[one.strength] < 1.05 * min(errors.values())
    assert [one.score.mse for one in found] == sorted(one.score.mse for one in found)


def test_captures_choose_the_same() -> None:
    captures = [scene() + np.random.default_rng(seed).normal(0, 20, (128, 128)) for seed in (1, 2)]
    (one,) = tuned(partial(judge_by_captures, captures, peak=255), NoiseModel(0, 400), names=("gaussian",))[:1]
    (other,) = tuned(partial(judge, captures, noise=NoiseModel(0, 400), peak=255), NoiseModel(0, 400), ("gaussian",))[
        :1
    ]
    assert one.strength == other.strength
    assert one.score.psnr == pytest.approx(other.score.psnr, abs=0.3)


def test_only_strengths_on_the_way_downhill_are_tried() -> None:
    asked = []

    def counted(methods: Mapping[str, Method]) -> list[BlindScore]:
        ((name, method),) = methods.items()
        strength = method.keywords["strength"]  # type: ignore[attr-defined]
        asked.append(strength)
        return [blind_score(name, [np.full((32, 32), abs(strength - 2.1))], peak=1, bias="")]

    (one, _) = tuned(counted, NOISE, names=("gaussian",))
    assert one.strength == 2.0
    assert asked == [1.4, 1.0, 2.0, 2.8] * 2


@pytest.mark.parametrize("behind", [False, True])
@pytest.mark.parametrize("name", STRENGTHS)
def test_methods_keep_unit_and_brightness_and_take_noise_off(name: str, behind: bool) -> None:
    clean = 1000 + 10 * scene(64)  # another unit: the model goes with it
    noise = NoiseModel(gain=40, base=1600 - 40 * 1000)
    noisy = 1000 + 10 * spoiled(scene(64))
    restored = classical(name, STRENGTHS[name][len(STRENGTHS[name]) // 2], noise, behind=behind)(noisy)
    assert restored.shape == noisy.shape
    assert np.mean((restored - clean) ** 2) < np.mean((noisy - clean) ** 2)
    assert abs(restored.mean() - clean.mean()) < 10


def test_the_plain_method_is_the_baseline_itself() -> None:
    noisy = spoiled(scene(32))
    assert classical("gaussian", 1.4, NOISE, behind=False)(noisy) == pytest.approx(
        gaussian_filter(noisy, 1.4), abs=1e-3
    )


def test_verdicts() -> None:
    random = np.random.default_rng(0)

    def score(name: str, mean: float) -> BlindScore:
        return blind_score(name, [random.normal(mean, 0.3 * mean, (256, 256))], peak=255, bias="")

    assert "network is 3.0" in verdict(score("network", 4), [score("blur", 8), score("median", 9)])
    assert "blur is 3.0" in verdict(score("network", 8), [score("blur", 4), score("median", 9)])
    assert verdict(score("network", 8), [score("blur", 8.0)]).startswith("blur is as good: ")
    assert verdict(score("network", 8), []) == "There is nothing to compare with."
