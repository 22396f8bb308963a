"""What reduced precision costs, worked by hand on results that are known."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import cuello
from cuello.exporting.cost import Answer, Sample, Samples, measure, photographs, samples_for

IMAGE = np.full((1, 1, 2, 2), 0.5, np.float32)


def adding(value: float) -> Answer:
    return lambda given: given["image"] + np.float32(value)


def telling(*shares: float) -> Answer:
    return lambda given: np.array([shares], np.float32)


def test_a_loss_is_the_difference_to_the_clean_image() -> None:
    found = measure(Samples([], [Sample(IMAGE, IMAGE)], "x"), "int8", full=adding(0.01), less=adding(0.1), given={})
    assert (found.psnr_float32, found.psnr) == pytest.approx((40, 20), abs=1e-3)  # -20 log10 of the error
    assert found.decibels == pytest.approx(20, abs=1e-3)
    assert found.too_much
    assert "int8 costs 20.00 dB: PSNR 20.00 dB, not 40.00 (on 1 images: x)" in found.words
    assert "loses 20.00 dB, more than 0.5" in found.lost


def test_without_clean_images_only_the_results_are_compared() -> None:
    found = measure(Samples([], [Sample(IMAGE)], "x"), "fp16", full=adding(0), less=adding(0.001), given={})
    assert found.decibels is None
    assert found.apart == pytest.approx(60, abs=1e-2)
    assert "PSNR beside float32's is 60.0 dB" in found.words
    assert not found.too_much


def test_changed_classes_are_counted_and_right_ones_too() -> None:
    samples = Samples([], [Sample(IMAGE, 0), Sample(IMAGE, 1)], "x")
    found = measure(samples, "int8", full=telling(0.6, 0.4), less=telling(0.4, 0.6), given={})
    assert (found.changed, found.accuracy_float32, found.accuracy) == (1, 0.5, 0.5)
    assert found.too_much
    assert "changes the class of 100.00%" in found.words
    unknown = measure(
        replace(samples, measured=[Sample(IMAGE)]), "int8", full=telling(1, 0), less=telling(1, 0), given={}
    )
    assert (unknown.changed, unknown.accuracy) == (0, None)


def test_a_runs_own_images_are_taken_and_photographs_where_they_are_gone(
    trained: cuello.Run, model: cuello.Model, tmp_path: Path
) -> None:
    own = samples_for(model)
    assert own.origin == "the run's validation images"
    assert own.measured[0].image.shape == (1, 3, 16, 16)
    assert isinstance(own.measured[0].target, np.ndarray)
    other = samples_for(replace(model, path=None))
    assert other.origin.startswith("photographs")
    assert other.measured[0].image.shape == (1, 3, 192, 192)
    assert not {one.image.tobytes() for one in other.measured} & {one.image.tobytes() for one in other.calibration}


def test_photographs_are_made_small_for_networks_that_enlarge() -> None:
    one = photographs(cuello.load("upscale-x2")).measured[0]
    assert isinstance(one.target, np.ndarray)
    assert (one.image.shape, one.target.shape) == ((1, 1, 192, 192), (1, 1, 384, 384))
