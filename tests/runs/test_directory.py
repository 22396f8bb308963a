"""A run directory: made, refused, replaced, described."""

import errno
import json
import re
import tomllib
from pathlib import Path

import pytest

import cuello
from cuello.core.config import TrainConfig, make_config, read_toml
from cuello.core.errors import CuelloError
from cuello.latent import page as latent_page
from cuello.runs.directory import OWN_FILES, OWN_FOLDERS, Run, available_cores, create_run, environment, write_json

CONFIG = TrainConfig(data="somewhere", noise="gaussian:25", epochs=7)


def test_a_new_run_holds_its_settings_and_environment(tmp_path: Path) -> None:
    run = create_run(tmp_path / "a" / "b", CONFIG)
    assert run.config == CONFIG
    assert make_config(read_toml(run.config_path)) == CONFIG
    found = json.loads(run.environment_path.read_text())
    assert {"cuello", "python", "processor", "cores", "gpu", "packages"} <= set(found)
    assert found["packages"]["torch"]
    assert sorted(path.name for path in run.path.iterdir()) == ["config.toml", "environment.json"]


def test_an_empty_folder_is_used(tmp_path: Path) -> None:
    assert create_run(tmp_path, CONFIG).config == CONFIG


def test_a_finished_run_is_not_overwritten_unasked(copied: Run) -> None:
    before = copied.model_path.read_bytes()
    with pytest.raises(
        CuelloError, match=r"is not empty: go on with it \(cuello resume .*replace it \(overwrite=True\)"
    ):
        create_run(copied.path, CONFIG)
    assert copied.model_path.read_bytes() == before


def test_overwrite_removes_a_runs_own_files_and_nothing_else(copied: Run) -> None:
    mine = ["figures/mine.png", "figures/more/loss.png", "latent/map.svg", "mlflow/artifacts/a.txt", "notes.txt"]
    hidden = [".notes.tmp", "tensorboard/.keep"]
    own = [
        "latent/map.png",
        "latent/latent.npz",
        "mlflow/mlflow.db",
        "mlflow/run-id.txt",
        "tensorboard/events.out.tfevents.1",
    ]
    for name in (*mine, *hidden, *own):
        (copied.path / name).parent.mkdir(exist_ok=True, parents=True)
        (copied.path / name).write_text("mine")
    with pytest.warns(UserWarning, match=r"keeps what is not the run's own: figures/mine\.png, figures/more/"):
        create_run(copied.path, CONFIG, overwrite=True)
    left = {path.relative_to(copied.path).as_posix() for path in copied.path.rglob("*") if path.is_file()}
    assert left == {"config.toml", "environment.json", *mine, *hidden}
    assert all((copied.path / name).read_text() == "mine" for name in (*mine, *hidden))
    assert copied.config == CONFIG


def test_nothing_is_said_where_everything_was_the_runs_own(copied: Run, recwarn: pytest.WarningsRecorder) -> None:
    create_run(copied.path, CONFIG, overwrite=True)
    assert sorted(path.name for path in copied.path.iterdir()) == ["config.toml", "environment.json"]
    assert not recwarn.list


def test_a_folder_of_figures_that_lies_elsewhere_keeps_what_is_the_users(copied: Run, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "loss.png").write_text("mine")
    (copied.path / "latent").symlink_to(tmp_path / "elsewhere")
    with pytest.warns(UserWarning, match=r"not the run's own: latent\."):
        create_run(copied.path, CONFIG, overwrite=True)
    assert (tmp_path / "elsewhere" / "loss.png").read_text() == "mine"


def test_every_picture_of_a_report_is_known_as_the_runs_own() -> None:
    found = set()
    for source in Path(cuello.__file__).parent.rglob("*.py"):
        found |= set(
            re.findall(r'(?:save_both\(\s*run\.figures|curves_picture\(\s*run),\s*"(\w+)"', source.read_text())
        )
    assert {f"{name}.png" for name in found} == set(OWN_FOLDERS["figures"])
    assert set(OWN_FOLDERS["latent"]) == set(latent_page.FILES)


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_folder_that_is_no_run_is_never_touched(tmp_path: Path, overwrite: bool) -> None:
    (tmp_path / "model.safetensors").write_text("somebody's")
    with pytest.raises(CuelloError, match=r"exists and is not empty: choose another place with output"):
        create_run(tmp_path, CONFIG, overwrite)
    assert (tmp_path / "model.safetensors").read_text() == "somebody's"


def test_a_file_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("")
    with pytest.raises(CuelloError, match=r"is a file, needed a folder"):
        create_run(tmp_path / "run", CONFIG)
    with pytest.raises(CuelloError, match=r"a file is in the way"):
        create_run(tmp_path / "run" / "below", CONFIG)


def test_a_folder_without_permission_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(self: Path, *arguments: object, **options: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "mkdir", refuses)
    with pytest.raises(CuelloError, match=r"no permission to write .*Choose a place of your own"):
        create_run(tmp_path / "run", CONFIG)


def test_what_is_no_run_is_said_to_be_none(tmp_path: Path) -> None:
    with pytest.raises(CuelloError, match=r"is not a run directory: it holds no config.toml"):
        _ = Run(tmp_path).config
    with pytest.raises(CuelloError, match=r"has not been evaluated yet: cuello evaluate"):
        _ = Run(tmp_path).metrics


def test_a_damaged_config_is_named(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("epochs = ")
    with pytest.raises(CuelloError, match=r"config\.toml is not TOML"):
        _ = Run(tmp_path).config
    (tmp_path / "config.toml").write_text("epoch = 3")
    with pytest.raises(CuelloError, match=r"Did you mean 'epochs'"):
        _ = Run(tmp_path).config


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[]", b"5", b"[" * 100_000])
def test_a_damaged_environment_is_none(copied: Run, content: bytes) -> None:
    copied.environment_path.write_bytes(content)
    assert not copied.environment


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"null", b"5", b"[" * 100_000])
def test_a_damaged_evaluation_is_named(copied: Run, content: bytes) -> None:
    copied.metrics_path.write_bytes(content)
    with pytest.raises(CuelloError, match=r"metrics.json is damaged; make it anew: cuello evaluate"):
        _ = copied.metrics


def test_every_file_of_a_finished_run_is_there(trained: Run) -> None:
    found = {path.name for path in trained.path.iterdir()}
    assert found == {*OWN_FILES, "figures"}
    assert {path.name for path in trained.figures.iterdir()} >= {"examples.png", "loss.png", "methods.png", "sweep.png"}
    assert trained.metrics["verdict"]
    assert [record.epoch for record in trained.history] == [1, 2]
    assert tomllib.loads(trained.config_path.read_text())["threads"] == 1


def test_json_is_for_people(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"a": [1]})
    assert (tmp_path / "a.json").read_text() == '{\n  "a": [\n    1\n  ]\n}\n'


def test_the_environment_is_plain_json() -> None:
    assert json.loads(json.dumps(environment()))["cores"] == available_cores() >= 1
