"""Fidelity: correlations beside SciPy's, areas and overlaps by hand, and laws."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from torch import nn

from cuello.core.errors import CuelloError
from cuello.saliency import SCORES
from cuello.saliency.fidelity import (
    IMPORTANT,
    MAPS,
    CurveSettings,
    areas,
    break_even,
    curves,
    fidelity,
    measured,
    overlap,
    pearson,
    positions,
    random_maps,
    spearman,
)


def some_maps(count: int = 6, levels: int = 0, seed: int = 0) -> np.ndarray:
    """Return maps of 5×7 pixels; levels: so many values alone, with ties."""
    random = np.random.default_rng(seed)
    return random.integers(levels, size=(count, 5, 7)).astype(float) if levels else random.normal(size=(count, 5, 7))


class Left(nn.Module):
    """The class 1 is as likely as the first row's pixels are bright: sigmoid(4 · their mean - 2)."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        score = 4 * x[:, :, 0].mean((1, 2)) - 2
        return torch.stack([torch.zeros_like(score), score], 1)


# Correlations


@pytest.mark.parametrize("levels", [0, 4])
def test_correlations_are_scipy_s(levels: int) -> None:
    first, second = some_maps(levels=levels), some_maps(levels=levels, seed=1) + some_maps(levels=levels)
    for row, (one, other) in enumerate(zip(first, second, strict=True)):
        assert pearson(first, second)[row] == pytest.approx(stats.pearsonr(one.ravel(), other.ravel())[0])
        assert spearman(first, second)[row] == pytest.approx(stats.spearmanr(one.ravel(), other.ravel())[0])


def test_ties_share_their_rank_by_hand() -> None:
    """Ranks 1, 2.5, 2.5, 4 and 1, 2, 3, 4, less 2.5: products 2.25 + 0 + 0 + 2.25, squares 4.5 and 5."""
    first, second = np.array([[[0.0, 5, 5, 9]]]), np.array([[[1.0, 2, 3, 4]]])
    assert spearman(first, second)[0] == pytest.approx(4.5 / math.sqrt(4.5 * 5))


def test_constant_maps_have_no_correlation_and_are_counted() -> None:
    first, second = some_maps(), some_maps(seed=1)
    first[2], second[4] = 0.1, 1 / 3
    found = fidelity(first, second)
    assert (found.constant, found.images) == (2, 6)
    for one in (found.pearson, found.spearman):
        assert np.flatnonzero(np.isnan(one.values)).tolist() == [2, 4]
        assert one.count == 4
        assert one.mean == pytest.approx(np.nanmean(one.values))
        assert math.isnan(one.low), "four images are too few for an interval"
    assert found.mse.count == 6


@given(st.integers(0, 100), st.floats(0.1, 10), st.floats(-5, 5))
@settings(max_examples=20, deadline=None)
def test_no_measure_but_the_plain_mse_knows_scale_and_offset(seed: int, factor: float, offset: float) -> None:
    first, second = some_maps(2, seed=seed), some_maps(2, seed=seed + 1)
    before, after = fidelity(first, second), fidelity(first, factor * second + offset)
    for name in ("normalised_mse", "pearson", "spearman", "overlap"):
        assert np.allclose(getattr(before, name).values, getattr(after, name).values, atol=1e-9)


# MSE


def test_mse_by_hand_and_after_the_source_s_normalisation() -> None:
    """0 0 0 4: mean 1, deviation √3, so -1/√3 and, clipped, 1; 4 0 0 0 the same: two pixels differ."""
    first, second = np.array([[[0.0, 0, 0, 4]]]), np.array([[[4.0, 0, 0, 0]]])
    found = fidelity(first, second)
    assert found.mse.mean == (16 + 16) / 4
    low, high = (1 - 1 / math.sqrt(3)) / 2, 1
    assert found.normalised_mse.mean == pytest.approx(2 * (high - low) ** 2 / 4)


# Overlap


def test_overlap_by_hand() -> None:
    first, second = np.array([[[9.0, 8, 1, 0, 2]]]), np.array([[[9.0, 0, 8, 1, 2]]])
    assert overlap(first, second, share=0.4).tolist() == [0.5]
    assert overlap(first, second, share=0.4, important="low").tolist() == [0.5], (
        "1 0 and 0 1 have the fourth pixel in common"
    )
    assert overlap(first, second, share=0.01).tolist() == [1.0], "at least one pixel"


def test_equal_pixels_at_the_edge_share_what_is_left() -> None:
    """The two highest of 5 3 3 3: all of the first, a third of each other; of 3 5 3 3: all of the second."""
    first, second = np.array([[[5.0, 3, 3, 3]]]), np.array([[[3.0, 5, 3, 3]]])
    assert overlap(first, second, share=0.5)[0] == pytest.approx(4 / 3 / 2)
    assert overlap(first, first, share=0.5)[0] == pytest.approx(1)
    assert overlap(np.zeros((1, 1, 4)), first, share=0.5)[0] == pytest.approx((1 / 2 + 3 * 1 / 3) / 2)


@given(st.integers(0, 100), st.sampled_from([0, 2, 5]), st.floats(0.01, 1))
@settings(max_examples=30, deadline=None)
def test_overlap_is_symmetric_within_0_and_1_and_whole_with_itself(seed: int, levels: int, share: float) -> None:
    first, second = some_maps(2, levels, seed), some_maps(2, levels, seed + 1)
    found = overlap(first, second, share=share)
    assert np.allclose(found, overlap(second, first, share=share))
    assert ((found >= 0) & (found <= 1 + 1e-12)).all()
    assert np.allclose(overlap(first, first, share=share), 1)


# Deletion and insertion


def test_areas_by_hand() -> None:
    """Four white pixels, the upper two of which decide; the good map takes these first, the bad one last."""
    images = torch.ones(2, 1, 2, 2)
    maps = torch.tensor([[[4.0, 3], [2, 1]], [[1, 2], [3, 4]]])
    p = [1 / (1 + math.exp(2 - 4 * mean)) for mean in (1, 0.5, 0)]
    found = curves(Left(), images, maps, "deletion", settings=CurveSettings(steps=4))
    assert found.shares.tolist() == [0, 0.25, 0.5, 0.75, 1]
    good, bad = [p[0], p[1], p[2], p[2], p[2]], [p[0], p[0], p[0], p[1], p[2]]
    assert np.allclose(found.probabilities, [good, bad], atol=1e-6)
    area = [0.25 * (sum(curve) - (curve[0] + curve[-1]) / 2) for curve in (good, bad)]
    assert np.allclose(found.areas, area, atol=1e-6)
    put_in = curves(Left(), images, maps, "insertion", settings=CurveSettings(steps=4))
    assert np.allclose(
        put_in.probabilities, [[p[2], p[1], p[0], p[0], p[0]], [p[2], p[2], p[2], p[1], p[0]]], atol=1e-6
    )
    low = curves(Left(), images, -maps, "deletion", settings=CurveSettings(steps=4, important="low"))
    assert np.array_equal(low.probabilities, found.probabilities)


def test_steps_classes_and_fills() -> None:
    images = torch.rand(3, 2, 4, 5, generator=torch.Generator().manual_seed(1))
    maps = some_maps(3)[:, :4, :5]

    def put_in(classes: Any = 1) -> np.ndarray:
        return curves(
            Left(), images, maps, "insertion", classes=classes, settings=CurveSettings(fill="mean")
        ).probabilities

    whole = put_in()
    assert whole.shape == (3, 21), "no more steps than pixels"
    assert np.allclose(put_in(classes=[1, 0, 1])[1], 1 - whole[1], atol=1e-6)
    with torch.no_grad():
        means = images.mean((2, 3), keepdim=True).expand_as(images)
        assert np.allclose(whole[:, 0], Left()(means).softmax(1)[:, 1], atol=1e-6)
        assert np.allclose(whole[:, -1], Left()(images).softmax(1)[:, 1], atol=1e-6)
    thirds = curves(Left(), images, maps, "deletion", settings=CurveSettings(steps=3)).shares
    assert np.allclose(thirds, [0, 7 / 20, 13 / 20, 1])


def test_the_order_is_the_map_s_and_equal_pixels_come_at_random() -> None:
    assert positions(np.array([[[1.0, 9], [5, 3]]]), 0).tolist() == [[[3, 0], [1, 2]]]
    flat = positions(np.zeros((2, 3, 4)), 0)
    assert [sorted(one.flatten().tolist()) for one in flat] == [list(range(12))] * 2
    assert flat.flatten().tolist()[:12] != list(range(12))
    assert torch.equal(flat, positions(np.zeros((2, 3, 4)), 0))
    assert not torch.equal(flat, positions(np.zeros((2, 3, 4)), 1))


def test_a_good_map_is_told_from_a_random_one() -> None:
    images = torch.ones(6, 1, 6, 6)
    exact = np.zeros((6, 6, 6))
    exact[:, 0] = 1
    estimated = exact + some_maps(6, seed=3)[:, :1, :1] / 100
    found = areas(Left(), images, dict(zip(MAPS, (exact, estimated, random_maps(exact.shape)), strict=True)))
    deletion, insertion = found["deletion"], found["insertion"]
    assert fidelity(exact, estimated, share=1 / 6).overlap.mean == 1
    assert deletion["exact"].high < deletion["random"].low
    assert insertion["exact"].low > insertion["random"].high
    assert deletion["estimated"].mean == pytest.approx(deletion["exact"].mean)


def test_every_score_says_where_its_maps_are_extreme() -> None:
    assert list(IMPORTANT) == SCORES.names()


# Intervals, errors


def test_a_measure_by_hand() -> None:
    found = measured(np.array([1.0, np.nan, 3, 1, 3, 1, 3]))
    assert (found.mean, found.count) == (2.0, 6)
    assert 1 <= found.low < 2 < found.high <= 3
    assert math.isnan(measured(np.array([np.nan])).mean)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"estimated": np.zeros((6, 5, 6))}, "needed the same shape"),
        ({"estimated": np.zeros((6, 1, 5, 7))}, r"estimated maps: got shape \(6, 1, 5, 7\), needed \(N, H, W\)"),
        ({"estimated": np.full((6, 5, 7), np.nan)}, "got NaN or infinity"),
        ({"share": 0.0}, "share: got 0.0, needed more than 0"),
        ({"important": "left"}, "important: got 'left'"),
    ],
)
def test_maps_that_do_not_fit_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(CuelloError, match=message):
        fidelity(**{"exact": some_maps(), "estimated": some_maps(seed=1), **arguments})


@pytest.mark.parametrize(
    ("side", "classes", "settings", "message"),
    [
        (9, "predicted", {}, "needed one map per image"),
        (7, "predicted", {"steps": 0}, "steps: got 0"),
        (7, "predicted", {"important": "left"}, "important: got 'left'"),
        (7, [0, 1], {}, "got 2 for 6 images"),
        (7, 2, {}, "needed numbers from 0 to 1"),
        (7, "all", {}, "needed 'predicted', a class"),
    ],
)
def test_curves_that_cannot_be_are_refused(side: int, classes: Any, settings: dict[str, Any], message: str) -> None:
    images = torch.zeros(6, 1, 5, side)
    with pytest.raises(CuelloError, match=message):
        curves(Left(), images, some_maps(), "deletion", classes=classes, settings=CurveSettings(**settings))


# When it pays


def test_break_even_by_hand() -> None:
    """The source: 1.28 s an exact map, 1.7 ms an estimate, 40,000 maps; 51,200 s over 1.2783 s are 40,053.2 maps."""
    assert break_even(1.28, 40_000, 0, 0.0017) == 40_054
    assert break_even(2.0, 0, 0.0, 1.0) == 0
    assert break_even(1.0, 1, 1.0, 1.0) == math.inf
    assert break_even(0.001, 10, 1.0, 0.002) == math.inf
    assert math.isnan(break_even(1.0, 10, math.nan, 0.5))
    with pytest.raises(CuelloError, match="seconds and maps are 0 or more"):
        break_even(1.0, -1, 0.0, 0.0)


@given(st.floats(0.01, 10), st.integers(0, 1000), st.floats(0, 1000), st.floats(0, 0.9))
def test_at_the_break_even_both_ways_cost_the_same_and_before_it_they_do_not(
    exact: float, maps: int, training: float, part: float
) -> None:
    least = break_even(exact, maps, training, part * exact)
    expense = maps * exact + training
    slack = 1e-9 * (expense + exact)
    assert expense + least * part * exact <= least * exact + slack
    assert least == 0 or expense + (least - 1) * part * exact >= (least - 1) * exact - slack


def test_flat_maps_have_no_correlation_but_an_error() -> None:
    random = np.random.default_rng(3)
    exact, ours = random.random((6, 5, 5)), random.random((6, 5, 5))
    exact[:2] = 0.5 + 0.01 * exact[:2]
    all_of_them, others = fidelity(exact, ours), fidelity(exact[2:], ours[2:])
    found = fidelity(exact, ours, flat=0.02)
    assert (all_of_them.constant, found.constant) == (0, 2)
    for name in ("pearson", "spearman", "overlap"):
        assert np.isnan(getattr(found, name).values[:2]).all()
        assert getattr(found, name).mean == pytest.approx(getattr(others, name).mean)
    assert found.mse.mean == all_of_them.mse.mean
    assert found.pooled == pytest.approx(np.corrcoef(exact.ravel(), ours.ravel())[0, 1])
