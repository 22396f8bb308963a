"""Upscaling from end to end: trained, judged, reported, resumed, applied; pairs of folders; what is refused."""

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import cuello
from cuello.core.errors import CuelloError
from cuello.core.resample import resize
from cuello.data.images import Images
from cuello.degrade import parse
from cuello.inference.model import Model
from cuello.jobs.images.evaluated import evaluated_images
from cuello.jobs.images.evaluation import OURS, evaluate_model
from cuello.jobs.images.matrix import kind_of
from cuello.jobs.images.pairs import Task
from cuello.runs.artefact import load_artefact
from cuello.runs.directory import Run
from cuello.work.train import repeat_command, resolve

UP: dict[str, Any] = {
    "scale": 2, "model": "espcn", "crop": 16, "epochs": 2, "batch_size": 8, "device": "cpu", "threads": 1,
}  # fmt: skip
ENLARGERS = {"nearest", "bilinear", "bicubic", "lanczos"}


@pytest.fixture(scope="module")
def run(images: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A finished upscaling with its report; not to be changed."""
    return cuello.train("upscale", images, output=tmp_path_factory.mktemp("up") / "run", **UP)


def shrunk(image: np.ndarray, scale: int) -> np.ndarray:
    """Every so many-th pixel: another small image than ``down`` makes."""
    return image[::scale, ::scale]


def write_pairs(
    folder: Path, make_image: Callable[..., np.ndarray], scale: int = 2, count: int = 6
) -> tuple[Path, Path]:
    """Folders of small and large images, matched by name."""
    for part in ("small", "large"):
        (folder / part).mkdir(parents=True)
    for number in range(count):
        large = make_image(number, 36, 36)
        Image.fromarray(large).save(folder / "large" / f"{number}.png")
        Image.fromarray(shrunk(large, scale)).save(folder / "small" / f"{number}.png")
    return folder / "small", folder / "large"


def test_it_is_trained_judged_and_reported(run: Run) -> None:
    assert set(run.metrics["methods"]) == {*ENLARGERS, OURS}
    assert run.metrics["noise"] == "down:2"
    assert run.metrics["protocol"]["scale"] == 2
    assert "strengths" not in run.metrics["protocol"]
    page = run.report_path.read_text()
    for words in ("upscale · down:2", "makes images 2 times larger", "nearest neighbour", "pixels of the input"):
        assert words in page, words
    assert "strength</th>" not in page
    assert {path.stem for path in run.figures.iterdir()} >= {"examples", "loss", "methods"}


def test_settings_say_both_scale_and_noise(run: Run) -> None:
    assert (run.config.scale, run.config.noise) == (2, "down:2")
    artefact = load_artefact(run.path)
    assert (artefact.job, artefact.noise) == ("upscale", "down:2")
    words = shlex.split(repeat_command(run))
    assert words[:4] == ["cuello", "train", "upscale", run.config.data]
    flags = dict(zip(words[4::2], words[5::2], strict=True))
    given = {flag.removeprefix("--").replace("-", "_"): value for flag, value in flags.items()}
    assert resolve({"job": "upscale", "data": words[3], **given}).model_dump() == run.config.model_dump()


@pytest.mark.parametrize(
    ("given", "noise", "scale"),
    [
        ({"scale": 3}, "down:3", 3),
        ({"noise": "blur:1+down:2"}, "blur:1+down:2", 2),
        ({"noise": "gaussian:5", "scale": 4}, "down:4+gaussian:5", 4),
        ({"target": "large/", "scale": 2}, None, 2),
        ({"noise": "resize:2"}, "resize:2", None),
    ],
)
def test_resolved_settings_can_be_resolved_again(given: dict[str, Any], noise: str | None, scale: int | None) -> None:
    config = resolve({"job": "upscale", "model": "dncnn-s" if scale is None else "espcn", **given})
    assert (config.noise, config.scale) == (noise, scale)
    assert resolve(config.model_dump(exclude_unset=True)) == config


def test_a_killed_run_goes_on_with_the_same_weights(run: Run, images: Path, tmp_path: Path) -> None:
    path = tmp_path / "run"
    cuello.train("upscale", images, output=path, report=False, **{**UP, "epochs": 1, "schedule": "constant"})
    whole = cuello.train("upscale", images, output=tmp_path / "w", report=False, **{**UP, "schedule": "constant"})
    resumed = cuello.resume(path, epochs=2, report=False)
    one, other = (load_artefact(found.path).weights for found in (whole, resumed))
    assert all(np.array_equal(one[name], other[name]) for name in one)


def test_a_loaded_model_makes_images_larger(run: Run, make_image: Callable[..., np.ndarray]) -> None:
    model = cuello.load(run.path)
    assert model.scale == 2
    assert model(make_image(7, 21, 33)).shape == (42, 66, 3)


def test_compare_and_evaluate_read_the_run(run: Run, images: Path, tmp_path: Path) -> None:
    found = cuello.evaluate(run.path, images, report=False, baselines=["bicubic"])
    assert [method.name for method in found.methods] == ["bicubic", OURS]
    noisy = cuello.evaluate(run.path, images, report=False, noise="gaussian:30", baselines=["bicubic"])
    assert noisy.noise == "down:2+gaussian:30"
    assert noisy.method("bicubic").mean("psnr") < found.method("bicubic").mean("psnr")
    compared = cuello.compare([run.path])
    assert "upscale down:2" in compared.groups[0].title


def test_a_sweep_varies_the_noise_and_not_the_scale(images: Path, tmp_path: Path) -> None:
    settings = {**UP, "noise": "gaussian:5", "epochs": 1}
    runs = [
        cuello.train(
            "upscale", images, output=tmp_path / level, report=False, **{**settings, "noise": f"gaussian:{level}"}
        )
        for level in ("5", "20")
    ]
    found = cuello.evaluate(runs[0].path, sweep=(0, 50), report=False)
    assert [level.level for level in found.sweep] == [0, 50]
    assert found.sweep[0].psnr["bicubic"] > found.sweep[1].psnr["bicubic"]
    matrix = cuello.evaluate_runs([made.path for made in runs], sweep=(5, 20), output=tmp_path / "matrix")
    assert matrix.noise == "down:2+gaussian"
    assert {row.name for row in matrix.rows} == {"5", "20", *ENLARGERS}


def test_the_kind_of_noise_leaves_out_the_level_that_varies() -> None:
    assert kind_of(parse("down:2+gaussian:5,clip=no+jpeg:60")) == "down:2+gaussian,clip=no+jpeg:60"


def test_what_has_no_level_is_not_swept(run: Run, images: Path) -> None:
    with pytest.raises(CuelloError, match="no noise level to sweep for 'down'"):
        cuello.train("upscale", images, output="/nowhere", sweep=(2, 3), **UP)
    with pytest.raises(CuelloError, match="no noise level to sweep for 'down'"):
        cuello.evaluate(run.path, sweep=(2,))
    with pytest.raises(CuelloError, match="there is no noise level to vary"):
        cuello.evaluate_runs([run.path, run.model_path], images)


def test_images_that_were_enlarged_before_keep_their_size(images: Path, tmp_path: Path) -> None:
    settings: dict[str, Any] = {name: value for name, value in UP.items() if name != "scale"} | {
        "model": "dncnn-s",
        "noise": "resize:2",
    }
    run = cuello.train("upscale", images, output=tmp_path / "run", **settings)
    assert run.metrics["noise"] == "resize:2"
    assert "median-3" in run.metrics["methods"]
    assert cuello.load(run.path).scale == 1


def test_whole_images_are_cut_to_a_multiple(tmp_path: Path, make_images: Callable[..., Path]) -> None:
    folder = make_images(tmp_path / "odd", 5, height=21, width=27)
    settings = {**UP, "scale": 4, "crop": None, "epochs": 1}
    run = cuello.train("upscale", folder, output=tmp_path / "run", **settings)
    assert set(run.metrics["methods"]) == {*ENLARGERS, OURS}
    found = cuello.evaluate(run.path, folder, report=False)
    assert found.images.count == 5


# Pairs


def test_pairs_of_folders(tmp_path: Path, make_image: Callable[..., np.ndarray]) -> None:
    small, large = write_pairs(tmp_path, make_image)
    run = cuello.train("upscale", small, target=str(large), output=tmp_path / "run", **UP)
    assert run.metrics["noise"] is None
    assert run.metrics["protocol"]["scale"] == 2
    found = cuello.evaluate(run.path, small, target=large, report=False, baselines=["bicubic"])
    first = next(iter(found.images.batches()))
    assert first.targets is not None
    enlarged = resize(first.images, scale=2).clamp(0, 1)
    expected = -10 * np.log10(float(((enlarged - first.targets) ** 2).mean()))
    assert found.method("bicubic").scores["psnr"][0] == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize("storage", ["memory", "stream"])
def test_a_pair_of_another_ratio_stops_or_is_left_out(
    tmp_path: Path, make_image: Callable[..., np.ndarray], storage: str
) -> None:
    small, large = write_pairs(tmp_path, make_image)
    Image.fromarray(make_image(0, 36, 35)).save(large / "3.png")
    settings = {**UP, "target": str(large), "epochs": 1, "storage": storage}
    with pytest.raises(
        CuelloError, match=r"the pair 3\.png has 18×18 pixels in .* and 35×36 in .*, needed 36×36 there"
    ):
        cuello.train("upscale", small, output=tmp_path / "run", on_error="stop", **settings)
    with pytest.warns(UserWarning, match=r"1 image is left out: the pair 3\.png"):
        run = cuello.train("upscale", small, output=tmp_path / "run", **settings)
    assert "the pair 3.png has 18×18" in run.report_path.read_text()


def test_pairs_without_a_partner_are_named(tmp_path: Path, make_image: Callable[..., np.ndarray]) -> None:
    small, large = write_pairs(tmp_path, make_image)
    (large / "2.png").unlink()
    with pytest.raises(CuelloError, match=r"1 of 6 images in .* have no partner .*: 2\.png"):
        cuello.train("upscale", small, target=str(large), output=tmp_path / "run", on_error="stop", **UP)


# What is refused, before any work


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"crop": 15}, ["crop=15", "multiple of the scale 2", "16 or 14"]),
        ({"model": "unet-s"}, ["unet-s", "2"]),
        ({"scale": None}, ["how much larger is not stated"]),
        ({"noise": "down:3"}, ["scale=2", "3 times smaller"]),
        ({"crop": 64}, ["smaller than the crop of 64×64"]),
        ({"target": "TARGET", "resize": "32"}, ["resize=32", "two sizes"]),
    ],
)
def test_settings_that_do_not_fit_say_what_to_do(
    images: Path, tmp_path: Path, settings: dict[str, Any], words: list[str]
) -> None:
    settings = {name: str(images) if value == "TARGET" else value for name, value in settings.items()}
    with pytest.raises(CuelloError) as caught:
        cuello.train("upscale", images, output=tmp_path / "run", **{**UP, **settings})
    for word in words:
        assert word in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_a_network_that_enlarges_is_refused_for_denoising(images: Path, small: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(CuelloError, match="espcn"):
        cuello.train("denoise", images, output=tmp_path / "run", **{**small, "model": "espcn"})
    with pytest.raises(CuelloError, match="scale=2 for denoise"):
        cuello.train("denoise", images, output=tmp_path / "run", **{**small, "scale": 2})


def test_another_scale_than_the_networks_is_refused(run: Run, images: Path) -> None:
    with pytest.raises(CuelloError, match=r"down:3', which makes images 3 times smaller; .* makes them 2 times larger"):
        cuello.evaluate(run.path, images, noise="down:3", report=False)
    with pytest.raises(CuelloError, match="no baseline called 'median-3'"):
        cuello.evaluate(run.path, images, baselines=["median-3"], report=False)


def test_a_single_pixel_cannot_be_judged_and_says_so(run: Run, tmp_path: Path) -> None:
    np.save(tmp_path / "one.npy", np.zeros((2, 1, 1, 3), np.uint8))
    with pytest.raises(CuelloError, match="an image of 1×1 pixels cannot be made 2 times smaller: needed at least 2×2"):
        cuello.evaluate(run.path, tmp_path / "one.npy", report=False)


def test_the_smallest_images_are_judged(run: Run) -> None:
    model = cuello.load(run.path)
    arrays = [np.full((height, width, 3), 9, np.uint8) for height, width in ((2, 2), (3, 5), (2, 40))]
    images = Images("tiny", arrays, list("abc"))
    found = evaluate_model(model, Task("upscale", parse("down:2")), evaluated_images(images))
    assert {method.name for method in found.methods} == {*ENLARGERS, OURS}
    assert all(np.isfinite(method.scores["mse"]).all() for method in found.methods)
    assert "ssim" not in found.ours.scores


def test_grey_and_colour_images_go_through_either_network(
    run: Run, tmp_path: Path, make_images: Callable[..., Path], make_image: Callable[..., np.ndarray]
) -> None:
    grey = make_images(tmp_path / "grey", 6, channels=1)
    other = cuello.train("upscale", grey, output=tmp_path / "run", report=False, **{**UP, "epochs": 1})
    models: list[Model] = [cuello.load(found.path) for found in (run, other)]
    assert [model.channels for model in models] == [3, 1]
    for model in models:
        for channels in (1, 2, 3, 4):
            assert model(make_image(0, 5, 6, channels=channels)[None]).shape == (1, 10, 12, channels)
    colour = make_image(3, 9, 9)
    planes = [models[1](colour[:, :, k]) for k in range(3)]
    assert np.array_equal(models[1](colour), np.stack(planes, axis=-1))


OWN = """
from torch import nn
from torch.nn import functional


class Net(nn.Module):
    def __init__(self, channels, scale):
        super().__init__()
        self.scale = scale
        self.layer = nn.Conv2d(channels, channels * scale**2, 3, padding=1)

    def forward(self, x):
        return functional.pixel_shuffle(self.layer(x), self.scale)
"""


def test_somebodys_own_network_enlarges(images: Path, tmp_path: Path, make_image: Callable[..., np.ndarray]) -> None:
    (tmp_path / "net.py").write_text(OWN)
    own = f"{tmp_path / 'net.py'}:Net"
    run = cuello.train("upscale", images, output=tmp_path / "run", report=False, **{**UP, "model": own, "epochs": 1})
    model = cuello.load(run.path, network=own)
    assert model.scale == UP["scale"]
    assert model(make_image(0, 7, 9)).shape == (7 * UP["scale"], 9 * UP["scale"], 3)
