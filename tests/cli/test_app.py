"""The command line: mistakes end with code 2 and a remedy; what is right does what it says."""

import json
import shlex
import shutil
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from cuello.inference.bundled import BUNDLED
from cuello.models import catalog
from cuello.runs.artefact import load_artefact
from cuello.runs.directory import Run

Command = Callable[..., Any]
Refused = Callable[..., str]

OTHERS = ["--noise", "gaussian:25", "--crop", 16, "--epochs", 1, "--threads", 1, "--device", "cpu"]
TINY = ["--model", "conv-8-16-8", *OTHERS]


# Mistakes


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--model", "unet"], "no network called 'unet'. Did you mean 'unet-s'?"),
        (["--loss", "charbonier"], "no loss called 'charbonier'. Did you mean 'charbonnier'?"),
        (["--optimizer", "admw"], "no optimiser called 'admw'. Did you mean 'adamw'?"),
        (["--schedule", "cosin"], "no schedule called 'cosin'. Did you mean 'cosine'?"),
        (["--noise", "salt-peper:0.2"], "no noise called 'salt-peper'. Did you mean 'salt-pepper'?"),
        (["--noise", "gaussian:sgma=3"], "gaussian has no parameter 'sgma'. Did you mean 'sigma'?"),
        (["--noise", "salt-pepper:1.5"], "amount is 1.5, needed 0 to 1"),
        (["--device", "gpu"], "device: got 'gpu', needed auto, cpu, cuda, cuda:N or mps"),
        (["--epochs", "0"], "--epochs: got 0, needed greater than or equal to 1"),
        (["--learning-rate", "-1"], "--learning-rate: got -1.0, needed greater than 0"),
        (["--ema", "1.5"], "ema: got 1.5, needed less than 1"),
        (["--resize", "big"], "resize: got 'big', needed a size in pixels such as 64"),
        (["--crop", "64"], "smaller than the crop of 64×64 pixels"),
        (["--crop", "18", "--model", "unet-s"], "needs a multiple of 4. Pad or crop to 20"),
        (["--loss", "ssim", "--crop", "8"], "needs images of at least 11×11 pixels, got 8×8. Choose another --loss"),
        (["--sweep", "a,b"], "sweep: got 'a,b', needed numbers with commas between, such as 0.1,0.2,0.5"),
        (["--sweep", "0.1,,2"], "needed numbers with commas"),
        (["--sweep", "10,300"], "sigma is 300.0, needed 0 to 255"),
        (["--sweep", "nan"], "finite number"),
        (["--validation", "0.6", "--test", "0.6"], "got 6 images, needed more than"),
        (["--target", "elsewhere"], "pairs bring their own noise. Leave one out"),
        (["--config", "missing.toml"], "there is no configuration file missing.toml"),
    ],
)
def test_a_mistake_in_a_setting(
    images: Path, tmp_path: Path, refused: Refused, flags: list[str], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    pairs = [(name, value) for name, value in zip(TINY[::2], TINY[1::2], strict=True) if name not in flags]
    tiny = [part for both in pairs for part in both]
    assert message in refused("train", "denoise", images, "-o", tmp_path / "run", *tiny, *flags)
    assert not (tmp_path / "run").exists(), "a mistake found before the training leaves nothing behind"


def test_no_noise_at_all(images: Path, refused: Refused) -> None:
    assert "no noise was given: add e.g. --noise salt-pepper:0.2" in refused(
        "train", "denoise", images, "--model", "unet-s"
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ["train", "--nope"],
        ["train", "denoise", "x", "--crops", "foo"],
        ["train", "denoise", "x", "--epochs", "many"],
        ["apply", "only-one"],
        ["models", "--channels", "2"],
        ["summary", "unet-s", "--channels", "0"],
    ],
)
def test_what_cannot_be_parsed_is_code_2(command: Command, arguments: list[str]) -> None:
    answer = command(*arguments)
    assert answer.code == 2
    assert "Traceback" not in answer.error
    assert "Error" in answer.error + answer.out


def test_a_gpu_that_is_absent(images: Path, tmp_path: Path, refused: Refused, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    message = refused("train", "denoise", images, *TINY[:-2], "--device", "cuda", "-o", tmp_path / "run")
    assert "sees no NVIDIA GPU. Use --device cpu" in message


def test_images_that_are_not_there(tmp_path: Path, refused: Refused) -> None:
    assert "there is no file, folder or data set" in refused("train", "denoise", tmp_path / "no", *TINY)
    assert "Did you mean 'photos'?" in refused("train", "denoise", "photo", *TINY)
    assert "published test set" in refused("train", "denoise", "set12", *TINY)
    (tmp_path / "text.txt").write_text("a")
    said = refused("train", "denoise", tmp_path, *TINY)
    assert "holds no image (PNG, JPEG, BMP, GIF, WebP, TIFF, TGA, PPM, JPEG 2000 or AVIF); 1 file in" in said


def test_an_output_that_exists(images: Path, trained: Run, tmp_path: Path, refused: Refused) -> None:
    before = trained.model_path.read_bytes()
    message = refused("train", "denoise", images, *TINY, "-o", trained.path)
    assert f"go on with it (cuello resume {trained.path})" in message
    assert "--overwrite" in message
    assert trained.model_path.read_bytes() == before
    (tmp_path / "file").write_text("")
    assert "is a file, needed a folder for the run" in refused(
        "train", "denoise", images, *TINY, "-o", tmp_path / "file"
    )


def test_no_permission(images: Path, tmp_path: Path, refused: Refused, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(self: Path, *arguments: object, **options: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "mkdir", refuses)
    message = refused("train", "denoise", images, *TINY, "-o", tmp_path / "run")
    assert f"no permission to write {tmp_path / 'run'}" in message
    assert "no permission to write" in message
    assert "Choose a place of your own" in message


def break_model(path: Path, how: str) -> None:
    content = bytearray(path.read_bytes())
    if how == "cut short":
        content = content[: len(content) // 2]
    elif how == "a byte flipped":
        content[-3] ^= 1
    elif how == "JSON edited":
        content = content.replace(b"salt-pepper:0.1..0.5", b"salt-pepper:0.1..0.6")
    elif how == "other version":
        content = content.replace(b'\\"format\\": 1', b'\\"format\\": 7')
    elif how == "of another kind":
        content = bytearray((path.parent / "last.safetensors").read_bytes())
    elif how == "missing":
        path.unlink()
        return
    elif how == "text":
        content = bytearray(b"hello")
    assert bytes(content) != path.read_bytes(), "the change has to change something"
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("cut short", "is not a whole safetensors file"),
        ("a byte flipped", "was changed after it was written"),
        ("JSON edited", "was changed after it was written"),
        ("other version", "has format 7"),
        ("of another kind", "is a checkpoint file, needed a model file"),
        ("missing", "holds no model.safetensors"),
        ("text", "is not a whole safetensors file"),
    ],
)
def test_a_bad_weights_file(
    copied: Run, images: Path, tmp_path: Path, refused: Refused, how: str, message: str
) -> None:
    break_model(copied.model_path, how)
    assert message in refused("apply", copied.path, images, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert message in refused("evaluate", copied.path, images)
    assert message in refused("summary", copied.path)


def test_evaluate_with_mistakes(trained: Run, tmp_path: Path, refused: Refused) -> None:
    (tmp_path / "text.txt").write_text("")
    assert "holds no image" in refused("evaluate", trained.path, tmp_path)
    assert "sweep: got '1;2', needed numbers with commas" in refused("evaluate", trained.path, "--sweep", "1;2")
    assert "amount is 7.0, needed 0 to 1" in refused("evaluate", trained.path, "--sweep", "7")
    assert "Did you mean 'median-3'?" in refused("evaluate", trained.path, "--baselines", "median3")
    assert "name the images to evaluate it on" in refused("evaluate", trained.model_path)
    assert "without the noisy ones" in refused("evaluate", trained.path, "--target", tmp_path)
    assert "no noise level to sweep for 'none'" in refused("evaluate", trained.path, "--noise", "none", "--sweep", "1")
    assert "Did you mean 'poisson'?" in refused("evaluate", trained.path, "--noise", "poison")


def test_threads_below_one(trained: Run, images: Path, tmp_path: Path, refused: Refused) -> None:
    assert "threads: got -1" in refused("apply", trained.path, images, tmp_path / "out", "--threads", "-1")


# Somebody's own network

NET = """
import pathlib
pathlib.Path({mark!r}).write_text("this code ran")
from torch import nn
class Net(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.layer = nn.Conv2d(channels, channels, 3, padding=1)
    def forward(self, x):
        return x - self.layer(x)
"""


def test_somebodys_code_runs_only_when_it_is_named(
    images: Path, tmp_path: Path, refused: Refused, command: Command
) -> None:
    mark, file, run = tmp_path / "ran", tmp_path / "net.py", tmp_path / "run"
    file.write_text(NET.format(mark=str(mark)))
    answer = command("train", "denoise", images, *OTHERS, "--model", f"{file}:Net", "-o", run, "--no-report")
    assert answer.code == 0, answer.error
    assert mark.exists()
    mark.unlink()
    for arguments in (
        ["apply", run, images, tmp_path / "out"],
        ["evaluate", run],
        ["resume", run, "--epochs", 2],
        ["summary", run],
    ):
        message = refused(*arguments)
        assert "somebody's own code" in message
        assert f"--model {file}:Net" in message
        assert not mark.exists(), f"{arguments[0]} ran code that nobody named"
    moved = shutil.move(file, tmp_path / "moved.py")
    named = ["--model", f"{moved}:Net"]
    assert command("resume", run, "--epochs", 2, "--no-report", *named).code == 0
    assert mark.exists()
    assert command("apply", run, images, tmp_path / "out", *named).code == 0


@pytest.mark.parametrize(
    ("code", "name", "message"),
    [
        (None, "Net", "there is no file"),
        ("", "Net", "has no 'Net'. It has: nothing"),
        ("from torch import nn\nclass Nett(nn.Module): ...", "Net", "Did you mean 'Nett'?"),
        ("class Net: ...", "Net", "is not a torch.nn.Module but type"),
        ("1 / 0", "Net", "failed while it was imported: ZeroDivisionError"),
        ("import nothing_of_this_name", "Net", "failed while it was imported: ModuleNotFoundError"),
        ("def f(:", "Net", "failed while it was imported: SyntaxError"),
        (
            "from torch import nn\nNet = lambda: nn.Conv2d(3, 3, 3)",
            "Net",
            "a tensor (or cuello.Output) of the same shape",
        ),
        (
            "from torch import nn\nclass Net(nn.Conv2d):\n  def __init__(self): super().__init__(3, 3, 3)",
            "Net",
            "a tensor (or cuello.Output) of the same shape",
        ),
    ],
)
def test_mistakes_in_somebodys_code(
    images: Path, tmp_path: Path, refused: Refused, code: str | None, name: str, message: str
) -> None:
    file = tmp_path / "net.py"
    if code is not None:
        file.write_text(code)
    said = refused("train", "denoise", images, *OTHERS, "--model", f"{file}:{name}", "-o", tmp_path / "run")
    assert message in said
    assert not (tmp_path / "run").exists()


# Settings from a file


def test_flags_and_file_give_the_same_settings(images: Path, tmp_path: Path, command: Command) -> None:
    flags = [*TINY, "--augment", "--clip", "0.5", "--schedule", "plateau", "--no-report", "--quiet"]
    assert command("train", "denoise", images, *flags, "-o", tmp_path / "a").code == 0
    (tmp_path / "settings.toml").write_text(
        f'job = "denoise"\ndata = "{images}"\nnoise = "gaussian:25"\nmodel = "conv-8-16-8"\ncrop = 16\nepochs = 1\n'
        'device = "cpu"\nthreads = 1\naugment = true\nclip = 0.5\nschedule = "plateau"\n'
    )
    file = ["--config", tmp_path / "settings.toml", "--no-report", "--quiet"]
    assert command("train", *file, "-o", tmp_path / "b").code == 0
    again = ["--config", tmp_path / "a" / "config.toml", "--no-report", "--quiet"]
    assert command("train", *again, "-o", tmp_path / "c").code == 0
    written = [(tmp_path / name / "config.toml").read_text() for name in "abc"]
    assert written[0] == written[1] == written[2]
    weights = [load_artefact(tmp_path / name).weights for name in "abc"]
    assert all(torch.equal(weights[0][key], other[key]) for other in weights[1:] for key in weights[0])


def test_flags_win_over_the_file(images: Path, tmp_path: Path, command: Command) -> None:
    (tmp_path / "settings.toml").write_text(
        f'data = "{images}"\nnoise = "gaussian:25"\nmodel = "unet-s"\ncrop = 8\nepochs = 9\naugment = true\n'
        'learning_rate = 0.5\ndevice = "cpu"\nthreads = 1\n'
    )
    flags = ["--model", "conv-8-16-8", "--crop", 16, "--epochs", 1, "--no-augment", "--learning-rate", 0.001]
    answer = command(
        "train", "--config", tmp_path / "settings.toml", *flags, "-o", tmp_path / "run", "--no-report", "--quiet"
    )
    assert answer.code == 0, answer.error
    config = Run(tmp_path / "run").config
    assert (config.model, config.crop, config.epochs, config.augment) == ("conv-8-16-8", 16, 1, False)
    assert config.learning_rate == 0.001, "a flag counts even where it gives the default"
    assert config.noise == "gaussian:25"


def test_a_recipe_fills_only_what_was_not_given(images: Path, tmp_path: Path, command: Command) -> None:
    common = ["train", "denoise", images, "--model", "unet-s", *OTHERS, "--no-report", "--quiet"]
    assert command(*common, "-o", tmp_path / "a").code == 0
    assert command(*common, "-o", tmp_path / "b", "--warmup-epochs", 0).code == 0
    first, second = Run(tmp_path / "a").config, Run(tmp_path / "b").config
    assert (first.clip, first.warmup_epochs) == (1.0, 0.5)
    assert (second.clip, second.warmup_epochs) == (1.0, 0.0)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("epoch = 3", "no setting called 'epoch'. Did you mean 'epochs'?"),
        ("epochs = 'three'", "epochs: got 'three'"),
        ("epochs =", "is not TOML"),
        ("batch_size = 1.5", "--batch-size: got 1.5"),
    ],
)
def test_a_mistake_in_the_file(tmp_path: Path, refused: Refused, text: str, message: str) -> None:
    (tmp_path / "settings.toml").write_text(text)
    assert message in refused("train", "--config", tmp_path / "settings.toml", "--noise", "gaussian:25")


# What is right


def test_train_says_where_it_lies_and_what_it_reached(images: Path, tmp_path: Path, command: Command) -> None:
    answer = command("train", "denoise", images, *TINY, "-o", tmp_path / "run", "--no-report")
    assert answer.code == 0
    assert "best epoch 1: validation MSE 0." in answer.out
    assert f"model:  {tmp_path / 'run' / 'model.safetensors'}" in answer.out
    assert "epoch 1/1" in answer.error


def test_json_is_all_that_is_printed(images: Path, tmp_path: Path, command: Command) -> None:
    answer = command("train", "denoise", images, *TINY, "-o", tmp_path / "run", "--no-report", "--json")
    assert answer.error == ""
    found = json.loads(answer.out)
    assert (found["run"], found["epochs"], found["best_epoch"]) == (str(tmp_path / "run"), 1, 1)
    assert found["validation_psnr"] == Run(tmp_path / "run").history[0].validation_psnr


def test_evaluate_prints_every_method_and_the_verdict(copied: Run, command: Command) -> None:
    answer = command("evaluate", copied.path, "--baselines", "input,median-3", "--sweep", "0.1,0.3", "--quiet")
    assert answer.code == 0, answer.error
    for part in ("degraded input", "median 3×3", "conv-8-16-8", "PSNR in dB by noise level", "0.3"):
        assert part in answer.out
    assert copied.metrics["verdict"] in " ".join(answer.out.split())
    assert set(copied.metrics["methods"]) == {"input", "median-3", "network"}
    answer = command("evaluate", copied.model_path, copied.config.data, "--baselines", "median-5", "--json")
    assert answer.error == ""
    assert set(json.loads(answer.out)["methods"]) == {"median-5", "network"}


def test_evaluate_works_without_the_input_among_the_methods(copied: Run, command: Command) -> None:
    answer = command("evaluate", copied.path, "--baselines", "gaussian", "--quiet")
    assert answer.code == 0, answer.error
    assert set(copied.metrics["methods"]) == {"gaussian", "network"}


def test_apply_lists_what_failed_and_goes_on(trained: Run, images: Path, tmp_path: Path, command: Command) -> None:
    folder = Path(shutil.copytree(images, tmp_path / "in"))
    (folder / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nno")
    answer = command("apply", trained.path, folder, tmp_path / "out", "--quiet")
    assert answer.code == 1
    assert f"6 written: {tmp_path / 'out'}" in answer.out
    assert f"failed: {folder / 'broken.png'}" in answer.error
    assert sorted(path.name for path in (tmp_path / "out").glob("[!.]*")) == [f"{number}.png" for number in range(6)]
    answer = command("apply", trained.path, folder, tmp_path / "out", "--overwrite", "--json")
    assert answer.code == 1
    found = json.loads(answer.out)
    assert len(found["written"]) == 6
    assert found["failed"][0]["file"] == str(folder / "broken.png")


def test_apply_does_not_overwrite_unasked(trained: Run, images: Path, tmp_path: Path, refused: Refused) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "3.png").write_text("mine")
    message = refused("apply", trained.path, images, tmp_path / "out")
    assert "1 of 6 results exist already" in message
    assert "--overwrite" in message
    assert (tmp_path / "out" / "3.png").read_text() == "mine"
    assert len(list((tmp_path / "out").iterdir())) == 1


def test_apply_refuses_a_pickle(trained: Run, tmp_path: Path, refused: Refused) -> None:
    np.save(tmp_path / "a.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    message = refused("apply", trained.path, tmp_path / "a.npy", tmp_path / "b.npy")
    assert "could not be read as NumPy's format" in message
    assert not (tmp_path / "b.npy").exists()


def test_apply_notes_what_changed_beside_the_pixels(
    trained: Run, tmp_path: Path, command: Command, make_image: Callable[..., np.ndarray]
) -> None:
    Image.fromarray(make_image(0)).convert("P").save(tmp_path / "a.gif")
    answer = command("apply", trained.path, tmp_path / "a.gif", tmp_path / "out")
    assert answer.code == 0
    assert "was written as a.png" in answer.out
    assert f"1 written: {tmp_path / 'out' / 'a.png'}" in answer.out


@pytest.mark.parametrize(
    ("name", "expected"),
    [("models", "unet-s"), ("datasets", "set12"), ("noises", "salt-pepper")],
)
def test_the_lists(command: Command, name: str, expected: str) -> None:
    plain, machine = command(name), command(name, "--json")
    assert plain.code == machine.code == 0
    assert expected in plain.out
    rows = json.loads(machine.out)
    assert expected in [row["name"] for row in rows]
    assert all(row["summary"] for row in rows)


def test_summary_of_a_name_and_of_a_run(command: Command, trained: Run) -> None:
    answer = command("summary", "conv-8-16-8", "--size", "32x16")
    assert "image 32×16" in answer.out
    assert "2,793 trainable" in answer.out
    assert "vae:784-400-2, image 28×28" in command("summary", "vae:784-400-2").out
    assert json.loads(command("summary", trained.path, "--json").out)["trainable"] == 2793


@pytest.mark.parametrize("sigma", ["-3", "300", "nan"])
def test_a_noise_level_is_answered_in_the_unit_that_it_was_given_in(
    refused: Callable[..., str], images: Path, tmp_path: Path, sigma: str
) -> None:
    said = refused("apply", "denoise", images, tmp_path / "out", f"--sigma={sigma}")
    assert f"--sigma: got {sigma}, needed 0 to 255, in grey levels of 255." in said


def test_what_is_stopped_says_so(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def stops() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("cuello.denoising.denoise.denoise", lambda *given, **more: stops())
    answer = command("denoise", "a.png", "b.png")
    assert (answer.code, answer.error) == (130, "cuello: stopped\n")


def test_the_version(command: Command) -> None:
    from cuello import __version__

    assert __version__ in command("--version").out


def test_the_repeat_command_reproduces_the_settings(
    images: Path, tmp_path: Path, command: Command, small: dict[str, Any]
) -> None:
    import cuello
    from cuello.work.train import repeat_command

    awkward = Path(shutil.copytree(images, tmp_path / "with space"))
    changes = {"augment": True, "clip": 0.1, "crops": "grid", "validation": 0.3, "seed": 7, "patience": 5, "ema": 0.5}
    first = cuello.train(data=awkward, output=tmp_path / "a", report=False, **{**small, **changes, "model": "unet-s"})
    words = shlex.split(repeat_command(first))
    assert words[:2] == ["cuello", "train"]
    assert command(*words[1:], "-o", tmp_path / "b", "--no-report", "--quiet").code == 0
    second = Run(tmp_path / "b")
    assert second.config == first.config
    assert tomllib.loads(second.config_path.read_text()) == tomllib.loads(first.config_path.read_text())
    weights = load_artefact(first.path).weights
    assert all(torch.equal(tensor, weights[name]) for name, tensor in load_artefact(second.path).weights.items())


def test_every_network_is_listed_for_either_colour(command: Command) -> None:
    for channels in ("1", "3"):
        answer = command("models", "--channels", channels, "--json")
        assert answer.code == 0, answer.error
        listed = json.loads(answer.out)
        assert [one["name"] for one in listed if not one.get("ready")] == catalog.NETWORKS.names()
        assert [one["name"] for one in listed if one.get("ready")] == BUNDLED.names()
        assert all(one["scores"] for one in listed if one.get("ready"))
