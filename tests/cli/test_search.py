"""cuello search: flags, files, what is printed, and mistakes."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

Command = Callable[..., Any]
Refused = Callable[..., str]
TINY = ["--epochs", 1, "--batch-size", 16, "--device", "cpu", "--threads", 1]


@pytest.fixture(scope="module")
def dots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """24 random binary images, 5 wide and 7 high, as an .npy file."""
    path = tmp_path_factory.mktemp("data") / "dots.npy"
    np.save(path, (np.random.default_rng(0).random((24, 7, 5)) > 0.5).astype(np.uint8) * 255)
    return path


def test_a_space_on_the_command_line(
    dots: Path, tmp_path: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    flags = ["search", "reconstruct", dots, "--model", "mlp:35-{widths}", "--over", "widths=4-2,2", "--over",
             "learning-rate=1e-3,1e-1", "-o", tmp_path / "search", *TINY]  # fmt: skip
    answer = command(*flags)
    assert answer.code == 0, answer.error
    lines = answer.out.splitlines()
    assert lines[0].split() == ["trial", "widths", "learning", "rate", "parameters", "wrong", "pixels", "PSNR,", "dB"]
    assert max(len(line) for line in lines[:6]) <= 80
    assert "The best of 4 trials is trial" in answer.out
    assert "again:  cuello train reconstruct" in answer.out
    assert f"page:   {tmp_path / 'search' / 'search.html'}" in answer.out
    assert "note:" not in answer.error
    assert "note: ae: that is the job reconstruct\n" in command("search", "ae", *flags[2:]).error
    found = json.loads(command(*flags, "--json").out)
    assert len(found["trials"]) == 4
    assert found["best"] in found["trials"]
    assert Path(found["run"]).is_dir()
    train = found["command"].split()[1:]
    assert command(*train, "-o", tmp_path / "again", "--no-report", "--quiet").code == 0
    best = json.loads((tmp_path / "again" / "history.jsonl").read_text().splitlines()[-1])
    assert best["validation_wrong"] == found["best"]["reached"]["objective"], "the command trains the best trial again"


def test_a_space_in_a_file_with_settings_in_another(dots: Path, tmp_path: Path, command: Command) -> None:
    (tmp_path / "space.toml").write_text(
        'model = "mlp:35-{widths}"\nwidths = ["4-2", "2"]\nlearning_rate = {low = 1e-3, high = 1e-1, log = true}\n'
    )
    (tmp_path / "settings.toml").write_text('learning_rate = 5.0\nepochs = 9\noptimizer = "sgd"\n')
    answer = command(
        "search", "reconstruct", dots, "--space", tmp_path / "space.toml", "--config", tmp_path / "settings.toml",
        "--points", 2, "-o", tmp_path / "search", "--json", *TINY,
    )  # fmt: skip
    assert answer.code == 0, answer.error
    assert answer.error == ""
    assert [trial["values"]["learning_rate"] for trial in json.loads(answer.out)["trials"]] == [0.001, 0.1, 0.001, 0.1]
    config = next(iter((tmp_path / "search" / "trials").iterdir())) / "config.toml"
    assert 'optimizer = "sgd"' in config.read_text()
    assert "epochs = 1\n" in config.read_text(), "a flag wins over the file"


def test_mistakes(dots: Path, tmp_path: Path, refused: Refused) -> None:
    common = ["search", "reconstruct", dots, "-o", tmp_path / "search", *TINY]
    assert "nothing is searched" in refused(*common)
    assert "Did you mean 'learning_rate'?" in refused(*common, "--over", "learning-rat=1,2")
    assert "learning_rate is both given and searched" in refused(
        *common, "--learning-rate", 1, "--over", "learning-rate=1,2"
    )
    (tmp_path / "space.toml").write_text('model = "mlp:35-{widths}"\nwidhts = ["2"]\n')
    assert "Did you mean 'widths'?" in refused(*common, "--space", tmp_path / "space.toml")
    assert "is in --space and in --over" in refused(
        *common, "--space", tmp_path / "space.toml", "--over", "model=mlp:35-2"
    )
    assert "is not TOML" in refused(*common, "--space", dots.parent / "dots.npy")
    assert "there is no configuration file" in refused(*common, "--space", tmp_path / "none.toml")
    assert not (tmp_path / "search").exists()


def test_mistakes_in_a_database(dots: Path, tmp_path: Path, refused: Refused) -> None:
    pytest.importorskip("psycopg")
    common = ["search", "reconstruct", dots, "--over", "learning-rate=1e-3,1e-2", "-o", tmp_path / "search", *TINY]
    away = refused(*common, "--storage", "postgresql://ann:secret-5@127.0.0.1:1/searches")
    assert "the database postgresql://ann@127.0.0.1:1/searches cannot be reached" in away
    assert "secret-5" not in away
    assert "needed PostgreSQL: postgresql://USER@HOST/DATABASE" in refused(*common, "--database", "sqlite:///search.db")
    assert "storage: got 'memry', needed 'auto', 'memory' or 'stream'" in refused(*common, "--storage", "memry")
    assert not (tmp_path / "search").exists()
