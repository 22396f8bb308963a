"""Help that leads: what one can do, a job's own settings first, and words that lead to a job."""

from collections.abc import Callable
from typing import Any

import pytest

from cuello.cli.app import app
from cuello.cli.job_help import HELPS
from cuello.cli.purposes import PURPOSES
from cuello.jobs.words import WORDS, JobWords

Command = Callable[..., Any]
Refused = Callable[..., str]


def panels(help: str) -> list[str]:
    """Return the titles of a help's panels, in order."""
    return [line.strip("╭─╮ ") for line in help.splitlines() if line.startswith("╭")]


@pytest.mark.parametrize("words", [(), ("--help",)])
@pytest.mark.parametrize("columns", [60, 80, 120])
def test_what_one_can_do(
    command: Command, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], columns: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setattr(app, "_fallback_console", None)  # made once, for the first width
    answer = command(*words)
    assert (answer.code, answer.error) == (0, "")
    lines = answer.out.splitlines()
    assert max(map(len, lines)) <= columns
    assert 8 <= len(PURPOSES) <= 10
    for purpose, typed in PURPOSES:
        (said,) = [place for place, line in enumerate(lines) if line.startswith(purpose)]
        assert lines[said].rstrip().endswith(typed) if columns >= 80 else lines[said + 1].rstrip() == f"  {typed}"
    assert panels(answer.out) == (["Begin", "Train", "Use", "Judge", "See what there is", "Options"] if words else [])


def test_every_line_to_type_is_one_that_is_read() -> None:
    of_jobs = [line for job in WORDS for about in HELPS.values() for line in about.examples(job)]
    for line in [line for _, line in PURPOSES] + of_jobs:
        program, *words = line.replace("\\\n", "").split()
        assert program == "cuello"
        called, given, *_ = app.parse_args(words, print_error=False, exit_on_error=False)
        assert called.__name__ == words[0]
        assert given.arguments


@pytest.mark.parametrize("job", WORDS, ids=lambda job: job.name)
@pytest.mark.parametrize("called", ["train", "search"])
def test_a_job_shows_its_settings_first(
    command: Command, monkeypatch: pytest.MonkeyPatch, called: str, job: JobWords
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    answer = command(called, job.words[0], "--help")
    assert (answer.code, answer.error) == (0, "")
    before, _, after = answer.out.partition(f"╭─ For {job.name} ")
    assert before.startswith(f"Usage: cuello {called} {job.name} DATA")
    examples = HELPS[called].examples(job)
    assert len(examples) == {"train": 3, "search": 2}[called]
    assert all(line in before.splitlines() for example in examples for line in example.splitlines())
    own, _, rest = after.partition("╰")
    for name in ("data", *HELPS[called].first, *job.options, *job.useful):
        flag = name.replace("_", "-")
        assert f"--{flag} " in own
        assert f"│ --{flag} " not in rest
    others = {name for other in WORDS for name in other.options} - set(job.options)
    assert not any(f"│ --{name} " in answer.out for name in others)
    assert panels(answer.out)[0] == f"For {job.name}"
    assert "--epochs" in rest
    assert "--output" in rest


def test_a_word_that_is_no_command_leads_to_its_job(refused: Refused) -> None:
    assert "'vae' is not a command. To train a network for it, type: cuello train generate DATA" in refused("vae", "x")
    assert "no command called 'evaluat'. Did you mean 'evaluate'?" in refused("evaluat", "x")


def test_a_word_for_a_job_is_taken_by_train_and_search(refused: Refused) -> None:
    assert "pairs to upscale without their scale" in refused("train", "sr", "photos", "--target", "x")
    assert "Did you mean 'upscale'?" in refused("train", "super-resolutoin", "photos")
    assert "Did you mean 'reconstruct'?" in refused("search", "autoencoders", "photos", "--over", "seed=1,2")
