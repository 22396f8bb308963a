"""The whole of a job in Python: settings, places, notes, what is written, what is refused before any work."""

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cuello
from cuello.core.config import TrainConfig
from cuello.core.errors import CuelloError, Interrupted
from cuello.core.progress import Progress
from cuello.degrade import parse
from cuello.jobs.images.pairs import Task, check_sweep
from cuello.models.named import NETWORKS
from cuello.runs.artefact import load_artefact
from cuello.runs.directory import Run
from cuello.training.observers import EpochDone, Event
from cuello.work.train import fresh_path, repeat_command, resolve


def test_public_names_are_functions_whatever_was_imported_before() -> None:
    import cuello.inference.files
    import cuello.jobs.images.evaluation
    import cuello.work.train

    assert cuello.inference.files is not cuello.apply  # a module of the function's name would hide it
    for name in ("apply", "evaluate", "load", "resume", "train"):
        assert callable(getattr(cuello, name)), name
    assert set(cuello.__all__) <= set(dir(cuello)) | {*cuello._HOMES, *cuello._MODULES}
    with pytest.raises(AttributeError, match=r"no attribute 'sharpen'"):
        cuello.sharpen  # noqa: B018  # type: ignore[attr-defined]


def test_the_recipe_fills_what_is_not_given() -> None:
    assert resolve({"model": "unet-s"}).clip == NETWORKS["unet-s"].recipe["clip"]
    assert resolve({"model": "unet-s", "clip": None}).clip is None
    assert resolve({"model": "unet-s", "clip": 5}).clip == 5
    assert resolve({"model": "conv-8-16-8"}).clip is TrainConfig().clip


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"model": "unet"}, "Did you mean 'unet-s'"),
        ({"los": "l1"}, "no setting called 'los'. Did you mean 'loss'"),
        ({"model": "unet-s", "loss": "mes"}, "Did you mean 'mse'"),
        ({"model": "unet-s", "optimizer": "sdg"}, "Did you mean 'sgd'"),
        ({"model": "unet-s", "schedule": "plato"}, "no schedule called 'plato'"),
    ],
)
def test_an_unknown_name_is_an_error_before_any_image_is_read(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(CuelloError, match=message):
        cuello.train(data="/nowhere/at/all", **{"noise": "gaussian:25", **settings})


def test_another_word_for_a_job_is_said_to_be_one(images: Path, small: dict[str, Any], tmp_path: Path) -> None:
    def notes(job: str, call: Callable[..., Any] = cuello.train, **settings: Any) -> list[str | None]:
        told: list[Progress] = []
        call(job, images, output=tmp_path / f"{job}-{call.__name__}", progress=told.append, **settings)
        return [event.note for event in told if event.note and "job" in event.note]

    quick = {**small, "epochs": 1, "report": False}
    assert notes("restoration", **quick) == ["restoration: that is the job denoise"]
    assert notes("denoise", **quick) == []
    assert notes("restoration", cuello.train_repeats, repeats=1, **quick) == ["restoration: that is the job denoise"]
    searched = {**small, "epochs": 1, "space": {"optimizer": ["sgd"]}}
    assert notes("Clean", cuello.search.search, **searched) == ["Clean: that is the job denoise"]


def test_the_usual_epochs_of_few_images_are_said_to_be_little(tmp_path: Path) -> None:
    """Of 64 images 38 are learned from: three steps of 16 and, in 30 epochs, 90; 334 epochs make 1,002."""
    np.save(tmp_path / "few.npy", np.random.default_rng(0).integers(0, 255, (64, 6, 5), np.uint8))
    told: list[str] = []

    def listen(event: Progress) -> None:
        told.extend([event.note] if event.note and "steps" in event.note else [])

    common: dict[str, Any] = {"model": "mlp:30-4-2", "validation": 0.2, "test": 0.2, "report": False, "threads": 1}
    place = tmp_path / "few.npy"
    run = cuello.train("reconstruct", place, output=tmp_path / "a", progress=listen, batch_size=16, **common)
    assert run.config.epochs == 30
    assert told == [
        "30 epochs of so few images are 90 steps of training, which is little; epochs=334 makes 1,002, a smaller "
        "batch_size more"
    ]
    cuello.train("reconstruct", place, output=tmp_path / "b", progress=listen, epochs=1, **common)
    cuello.train("reconstruct", place, output=tmp_path / "c", progress=listen, batch_size=2, **common)
    assert len(told) == 1, "who asks for few gets few; and 570 steps are no longer little"


def test_a_sweep_is_checked_before_the_training(images: Path, small: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(CuelloError, match=r"amount is 3.0, needed 0 to 1"):
        cuello.train(data=images, output=tmp_path / "run", sweep=(0.1, 3), **small)
    assert not (tmp_path / "run").exists()
    check_sweep(Task("denoise", parse("none")), ())
    check_sweep(Task("denoise", parse("gaussian:5..50")), (1, 255))
    for task in (Task("denoise", None), Task("denoise", parse("none"))):
        with pytest.raises(CuelloError, match=r"no noise level to sweep"):
            check_sweep(task, (1,))


def test_a_fresh_path_counts_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    config = TrainConfig(model="unet-s")
    assert fresh_path(config) == Path("runs/denoise-unet-s")
    for name in ("denoise-unet-s", "denoise-unet-s-2"):
        (tmp_path / "runs" / name).mkdir(parents=True)
    assert fresh_path(config) == Path("runs/denoise-unet-s-3")
    assert fresh_path(TrainConfig(model="nets/net.py:Net")) == Path("runs/denoise-Net")


def test_without_an_output_a_run_lies_below_runs(
    images: Path, small: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    paths = [cuello.train(data=images, report=False, **small).path for _ in range(2)]
    assert paths == [Path("runs/denoise-conv-8-16-8"), Path("runs/denoise-conv-8-16-8-2")]
    assert (tmp_path / paths[1] / "model.safetensors").is_file()


def test_overwrite_starts_anew(copied: Run, images: Path, small: dict[str, Any]) -> None:
    cuello.train(data=images, output=copied.path, overwrite=True, report=False, **{**small, "epochs": 1})
    assert len(copied.history) == 1
    assert not copied.report_path.exists()


def test_progress_tells_of_reading_and_evaluating(images: Path, small: dict[str, Any], tmp_path: Path) -> None:
    told: list[tuple[str, float, float]] = []
    run = cuello.train(
        data=images,
        output=tmp_path / "run",
        progress=lambda event: told.append((event.stage, event.done, event.total)),
        **{**small, "epochs": 1},
    )
    assert told[:6] == [("reading images", done, 6) for done in range(1, 7)]
    assert told[-1][0] == "evaluating"
    assert told[-1][1] == told[-1][2] == run.metrics["protocol"]["images"]


def test_the_report_says_on_which_images(images: Path, small: dict[str, Any], tmp_path: Path, trained: Run) -> None:
    assert "test images, never seen in training" in trained.report_path.read_text()
    run = cuello.train(data=images, output=tmp_path / "run", **{**small, "epochs": 1, "test": 0})
    page = run.report_path.read_text()
    assert "validation images, on which the best epoch was chosen" in page
    assert "never seen in training" not in page


def test_ctrl_c_becomes_a_message_that_says_how_to_go_on(images: Path, small: dict[str, Any], tmp_path: Path) -> None:
    def press(event: Event) -> None:
        if isinstance(event, EpochDone):
            raise KeyboardInterrupt

    path = tmp_path / "run"
    with pytest.raises(Interrupted, match=rf"stopped; 1 epochs are saved in {path}. Go on with: cuello resume {path}"):
        cuello.train(data=images, output=path, observers=[press], **small)
    with pytest.raises(Interrupted, match=r"stopped; 2 epochs are saved"):
        cuello.resume(path, observers=[press])
    assert cuello.resume(path, report=False).metrics_path.exists() is False
    assert len(Run(path).history) == 2


def test_the_artefact_says_what_it_was_trained_with(trained: Run) -> None:
    artefact = load_artefact(trained.path)
    assert TrainConfig.model_validate(dict(artefact.training)) == trained.config
    assert (artefact.job, artefact.noise) == ("denoise", "salt-pepper:0.1..0.5")


def test_grey_images_make_a_grey_network(
    tmp_path: Path, make_images: Callable[..., Path], small: dict[str, Any]
) -> None:
    folder = make_images(tmp_path / "grey", 6, channels=1)
    run = cuello.train(data=folder, output=tmp_path / "run", report=False, **{**small, "epochs": 1})
    model = cuello.load(run.path)
    assert model.channels == 1
    assert model(np.zeros((5, 6), np.uint8)).shape == (5, 6)


@pytest.mark.parametrize("value", [0, 255])
def test_constant_images_train_to_finite_numbers(tmp_path: Path, small: dict[str, Any], value: int) -> None:
    np.save(tmp_path / "flat.npy", np.full((6, 20, 20, 3), value, np.uint8))
    run = cuello.train(data=tmp_path / "flat.npy", output=tmp_path / "run", report=False, **small)
    numbers = [number for record in run.history for number in (record.loss, record.validation_psnr)]
    assert np.isfinite(numbers).all()
    assert all(tensor.isfinite().all() for tensor in load_artefact(run.path).weights.values())


def test_pairs_are_trained_and_evaluated(images: Path, opposites: Path, tmp_path: Path, small: dict[str, Any]) -> None:
    del small["noise"]
    run = cuello.train(data=images, target=str(opposites), output=tmp_path / "run", **{**small, "epochs": 1})
    assert run.metrics["noise"] is None
    assert run.metrics["methods"]["input"]["mse"] > 0.05, "the pairs are opposites here"
    assert "pairs of images" in run.report_path.read_text()
    with pytest.raises(CuelloError, match=r"needs pairs: give the clean ones with target"):
        cuello.evaluate(run.path, images)


def test_repeat_command_names_what_is_no_default_and_nothing_else(trained: Run) -> None:
    words = shlex.split(repeat_command(trained))
    assert words[:4] == ["cuello", "train", "denoise", trained.config.data]
    flags = dict(zip(words[4::2], words[5::2], strict=True))
    assert flags == {
        "--noise": "salt-pepper:0.1..0.5", "--model": "conv-8-16-8", "--crop": "16", "--epochs": "2",
        "--batch-size": "8", "--learning-rate": "0.001", "--warmup-epochs": "0.0", "--device": "cpu", "--threads": "1",
    }  # fmt: skip


def test_a_training_against_noise_that_neighbours_share(
    images: Path, tmp_path: Path, command: Callable[..., Any]
) -> None:
    """Through the command line; the noise is the model's contract, and the evaluation makes it again."""
    noise = "camera:2,read=10,correlated=0.8"
    sizes = ("--crop", 16, "--epochs", 3, "--model", "dncnn-s", "--samples", 48, "--batch-size", 8, "--threads", 1)
    done = command("train", "denoise", images, "--noise", noise, *sizes, "-o", tmp_path / "run", "--no-report")
    assert done.code == 0, done.error
    assert load_artefact(tmp_path / "run" / "model.safetensors").noise == noise
    losses = [epoch.validation_loss for epoch in Run(tmp_path / "run").history]
    assert losses[-1] < losses[0]
