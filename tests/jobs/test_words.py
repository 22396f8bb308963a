"""Words for jobs: each leads to one, and the table says the same as the jobs' own classes."""

import pytest

import cuello
from cuello.core.config import TrainConfig
from cuello.jobs.catalog import JOBS
from cuello.jobs.words import BY_WORD, WORDS, JobWords, job_named
from cuello.work.train import resolve


def test_the_table_is_that_of_the_jobs() -> None:
    assert WORDS.names() == JOBS.names()
    assert {one.name: set(one.options) for one in WORDS} == {job.name: set(job.options) for job in JOBS}


@pytest.mark.parametrize("job", WORDS, ids=lambda job: job.name)
def test_a_job_shows_settings_that_there_are(job: JobWords) -> None:
    assert {*job.options, *job.useful} <= set(TrainConfig.model_fields)
    assert not {*job.options} & {*job.useful}


def test_no_word_stands_for_two_jobs() -> None:
    assert len(BY_WORD) == sum(1 + len(one.words) for one in WORDS)


@pytest.mark.parametrize(
    ("word", "job"),
    [
        ("autoencoder", "reconstruct"), ("autoencode", "reconstruct"), ("anomaly", "reconstruct"), ("vae", "generate"),
        ("VAE", "generate"), ("super-resolution", "upscale"), ("super_resolution", "upscale"), ("sr", "upscale"),
        ("Super Resolution", "upscale"), ("saliency", "explain"), ("deblur", "denoise"), ("recognition", "classify"),
    ],
)  # fmt: skip
def test_words_that_people_use(word: str, job: str) -> None:
    assert job_named(word) == job


@pytest.mark.parametrize(
    ("word", "meant"), [("denoize", "'denoise'"), ("superres", "'upscale'"), ("autoencodr", "'reconstruct'")]
)
def test_an_unknown_word_gets_the_nearest_job(word: str, meant: str) -> None:
    with pytest.raises(cuello.CuelloError, match=f"no job called '{word}'. Did you mean {meant}"):
        job_named(word)


def test_a_word_near_nothing_gets_the_jobs() -> None:
    with pytest.raises(cuello.CuelloError, match=r"called 'qqq'. Known: denoise, upscale, reconstruct, generate"):
        job_named("qqq")


def test_a_training_and_its_settings_know_the_words() -> None:
    assert resolve({"job": "sr", "data": "photos", "scale": 2}).job == "upscale"
    with pytest.raises(cuello.CuelloError, match="no job called 'paint'"):
        cuello.train("paint", "photos")
