"""Every part, Cuello's and one's own, passes the checks that are offered for anybody's; wrong ones fail."""

import math
import shlex
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import cuello
from cuello.core import own
from cuello.core.errors import CuelloError
from cuello.degrade import DEGRADATIONS, parse
from cuello.jobs.base import Request
from cuello.models.named import NETWORKS
from cuello.scoring.baselines import BASELINES
from cuello.scoring.losses import LOSSES
from cuello.scoring.metrics import METRICS
from cuello.training.optimizers import OPTIMIZERS
from cuello.training.replicas.eligibility import reason_alone
from cuello.training.schedule import SCHEDULES
from cuello.work.beginnings import begin
from cuello.work.check import check

FILE = f"{Path(__file__).with_name('own_parts.py')}"
BUILT_IN = [
    *(("loss", one.name) for one in LOSSES), *(("metric", one.name) for one in METRICS),
    *(("noise", one.name) for one in DEGRADATIONS), *(("baseline", one.name) for one in BASELINES),
    *(("optimizer", one.name) for one in OPTIMIZERS), *(("schedule", one.name) for one in SCHEDULES),
    ("data", "glyphs"),
    *(("network", name) for name in ("impulse-s", "conv-8-16-8", "unet-s", "denoise-s", "conv-vae-16")),
]  # fmt: skip
OWN = [
    ("network", "Net,width=2"), ("network", "Coded,latent=3"), ("loss", "edges,weight=2"), ("loss", "Edges,weight=2"),
    ("metric", "edges"), ("noise", "stripes,amount=0.1..0.3"), ("noise", "stripes"), ("noise", "Brighter,by=0.25"),
    ("noise", "Stripes,amount=0.5"), ("baseline", "shifted"), ("baseline", "Kept"), ("optimizer", "Signs"),
    ("optimizer", "Heavy,friction=0.5"), ("schedule", "waves,count=3"), ("schedule", "late"),
    ("data", "dots,count=9"),
]  # fmt: skip


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own, "ALLOWED", set())
    monkeypatch.setattr(own, "REGISTERED", {})


@pytest.mark.parametrize(("kind", "name"), BUILT_IN, ids=" ".join)
def test_built_in_parts_pass(kind: str, name: str) -> None:
    classes = 4 if name == "cross-entropy" else 0
    assert check(kind, name, size=(28, 28), classes=classes)


@pytest.mark.parametrize(("kind", "name"), OWN, ids=" ".join)
def test_parts_of_ones_own_pass(kind: str, name: str) -> None:
    assert check(kind, f"{FILE}:{name}")


@pytest.mark.parametrize(("kind", "name"), [("network", "Net"), ("loss", "edges"), ("noise", "stripes")])
def test_registered_ones_and_the_objects_themselves_pass(kind: str, name: str) -> None:
    own.allow(FILE)
    thing = own.thing_of(Path(FILE), name)
    assert check(kind, thing)
    cuello.register(kind, "mine", thing)
    assert check(kind, "mine")


def test_a_classifier_passes() -> None:
    assert check("network", f"{FILE}:Telling", classes=3)


def wrong_shape(image: Tensor, target: Tensor) -> Tensor:
    return (image - target).flatten(1).mean(1)[:-1]


def of_others(image: Tensor, target: Tensor) -> Tensor:
    return (image - target.mean(0)).square().flatten(1).mean(1) * len(image)


def without_generator(images: Tensor, generator: torch.Generator) -> Tensor:
    return images + torch.randn_like(images)


class Idle(nn.Module):
    """Has a weight that nothing depends on."""

    def __init__(self) -> None:
        super().__init__()
        self.weight, self.idle = nn.Parameter(torch.ones(1)), nn.Parameter(torch.ones(1))

    def forward(self, x: Tensor) -> Tensor:
        return self.weight * x


class Bytes(nn.Conv2d):
    """Gives whole numbers."""

    def __init__(self) -> None:
        super().__init__(1, 1, 1)

    def forward(self, input: Tensor) -> Tensor:
        return (255 * super().forward(input)).byte()


@pytest.mark.parametrize(
    ("kind", "thing", "message"),
    [
        ("loss", wrong_shape, r"returned \(2,\) for 3 images, needed one value each, \(3,\)"),
        ("loss", of_others, "an image alone counts the same"),
        ("loss", lambda image, target: (image.detach() - target).mean(), "depends on no weight"),
        ("loss", lambda image, target: ((image.detach().numpy() - target.numpy()) ** 2).mean(), "depends on no weight"),
        ("loss", lambda image: image, r"the loss lambda-\d+ failed: TypeError: .* takes 1 positional argument"),
        ("metric", lambda image, target: image / None, r"the metric lambda-\d+ failed: TypeError: unsupported"),
        ("metric", object, "the metric object failed: TypeError: 'object' object is not callable"),
        ("metric", lambda image, target: image.mean() / 0, "needed finite numbers"),
        ("noise", without_generator, "the same from the same random numbers"),
        ("noise", lambda images, generator: images[:, :, 1:], r"made \(3, 1, 31, 32\) of images"),
        ("noise", lambda images, generator, amount: images, "amount has no default; write e.g. amount=0.1"),
        ("baseline", lambda image: image[:, :, None], "needed"),
        ("baseline", lambda image: image[1:], "images of the same shape"),
        ("network", Idle, "a gradient for every weight"),
        ("network", nn.Identity, "the loss depends on no weight of the network"),
        ("network", Bytes, "gives torch.uint8; it needs to return floats, white being 1"),
        ("schedule", lambda progress: -1, "needed 0 or more"),
        ("optimizer", lambda params: None, "made NoneType, needed a torch.optim.Optimizer"),
    ],
)
def test_wrong_parts_fail(kind: str, thing: Any, message: str) -> None:
    with pytest.raises(CuelloError, match=message):
        check(kind, thing)


@pytest.mark.parametrize(
    ("kind", "name", "settings", "message"),
    [
        ("network", "unet-s", {"size": 3}, r"got the size \(3, 3\), needed at least the network's stride, 4"),
        ("loss", "ssim", {"size": (4, 9)}, r"got the size \(4, 9\), needed at least 11 pixels per side"),
        ("metric", "ssim", {"size": (4, 9)}, "needed at least 11 pixels per side"),
        ("network", "unet-s", {"channels": 0}, "of 0 channels, needed 1 or more"),
        ("network", None, {}, "got None, needed a name"),
    ],
)
def test_what_cannot_be_checked_is_explained(kind: str, name: Any, settings: dict, message: str) -> None:
    with pytest.raises(CuelloError, match=message):
        check(kind, name, **settings)


def test_an_evaluation_takes_functions_and_single_names() -> None:
    def flat(image: np.ndarray) -> np.ndarray:
        return image

    asked = Request(Path("run"), metrics=partial(of_others), baselines=["input", flat], sweep=0.5)  # type: ignore[arg-type]
    assert asked.metrics == [f"{Path(__file__).relative_to(Path.cwd())}:of_others"]
    assert asked.baselines == ["input", "flat"]
    assert asked.sweep == (0.5,)
    assert BASELINES["flat"].function(np.ones((2, 2, 1), np.float32), 0).sum() == 4
    assert Request(Path("run"), baselines="input").baselines == ["input"]
    assert Request(Path("run")).baselines is None


def test_a_metric_may_be_a_number_or_an_array() -> None:
    assert "finite numbers" in check("metric", lambda image, target: float((image - target).abs().mean()) * 0 + 1)
    own.register("metric", "of-numpy", lambda image, target: np.abs(image.numpy() - target.numpy()).mean((1, 2, 3)))
    image, target = torch.zeros(2, 1, 2, 2), torch.tensor([0.5, 0.25]).view(2, 1, 1, 1).expand(2, 1, 2, 2)
    assert METRICS["of-numpy"].function(image, target).tolist() == [0.5, 0.25]


def test_the_values_are_those_of_the_functions() -> None:
    own.allow(FILE)
    image, target = torch.zeros(2, 1, 2, 2), torch.full((2, 1, 2, 2), 0.5)
    target[1, 0, 0, 0] = 0.25
    assert LOSSES[f"{FILE}:edges,weight=2"].function(image, target).tolist() == pytest.approx([0.5, 0.4375 + 2 * 0.125])
    assert METRICS[f"{FILE}:edges"].higher_is_better is False
    assert METRICS[f"{FILE}:edges"].unit == "steps"
    one = LOSSES.__class__("loss", [], adopt=lambda part: part)  # type: ignore[arg-type,return-value]
    with pytest.raises(CuelloError, match="there is no loss called 'x'"):
        one["x"]
    noise = DEGRADATIONS[f"{FILE}:Brighter"](by=0.25)  # type: ignore[call-arg]
    assert torch.equal(noise(image, torch.Generator()), torch.full_like(image, 0.25))
    schedule = SCHEDULES[f"{FILE}:waves,count=1"].factor
    assert schedule(cuello.TrainConfig(), 0.5, []) == pytest.approx(0.5)
    spec = BASELINES[f"{FILE}:shifted"]
    assert (spec.strengths, spec.label) == ((1.0, 2.0), "shift")
    assert np.array_equal(spec.function(np.eye(3, dtype=np.float32)[:, :, None], 1)[:, :, 0], np.eye(3)[[2, 0, 1]])


def test_a_noise_with_a_range_draws_one_value_an_image() -> None:
    own.allow(FILE)
    noise = DEGRADATIONS[f"{FILE}:Stripes"](amount=own_range(0.25, 0.75))  # type: ignore[call-arg]
    made = noise(torch.zeros(64, 1, 4, 4), torch.Generator().manual_seed(0))
    assert made.flatten(1).std(1).max() == 0
    assert 0.25 <= made.min() < 0.35
    assert 0.65 < made.max() <= 0.75


def own_range(low: float, high: float) -> Any:
    from cuello.degrade import Range

    return Range(low, high)


def test_an_optimiser_gets_what_it_takes_and_keeps_tensors() -> None:
    own.allow(FILE)
    weight = nn.Parameter(torch.ones(1))
    config = cuello.TrainConfig(learning_rate=0.5, weight_decay=0.25)
    made = OPTIMIZERS[f"{FILE}:Heavy,friction=0.5"].make([weight], config)
    assert made.param_groups[0]["lr"] == 0.5
    assert made.param_groups[0]["friction"] == 0.5
    with pytest.raises(CuelloError, match=r"keeps 'count' as int, and only tensors .*: write torch.tensor\(1\)"):
        OPTIMIZERS[f"{FILE}:Counting"].make([weight], config)


def test_registered_metrics_and_methods_stand_in_their_tables() -> None:
    cuello.register("metric", "highest", lambda image, target: image.flatten(1).amax(1))
    assert "highest" in METRICS.names()
    assert math.isclose(METRICS["highest"].function(torch.ones(1, 1, 2, 2), torch.ones(1, 1, 2, 2)).item(), 1)
    with pytest.raises(CuelloError, match="there is a metric 'psnr' already"):
        cuello.register("metric", "psnr", lambda image, target: image)


def test_networks_of_ones_own_are_listed_with_the_others() -> None:
    with pytest.raises(CuelloError, match="there is no network called 'Nett'"):
        NETWORKS["Nett"]


@pytest.mark.parametrize(
    ("settings", "own_files"),
    [
        ({"job": "denoise", "data": "photos", "noise": f"{FILE}:stripes,amount=0.1..0.3+gaussian:5", "crop": 16,
          "samples": 8, "validation_samples": 4, "loss": f"{FILE}:edges,weight=0.5", "model": "conv-8-16-8"}, True),
        ({"job": "classify", "data": f"{FILE}:dots,count=24", "optimizer": f"{FILE}:Heavy,friction=0.25",
          "schedule": f"{FILE}:waves", "model": f"{FILE}:Telling"}, True),
    ],
)  # fmt: skip
def test_a_training_with_parts_of_ones_own_goes_on_to_the_same_bits(
    settings: dict[str, Any], own_files: bool, tmp_path: Path
) -> None:
    common = {"threads": 1, "report": False}
    whole = cuello.train(**settings, **common, epochs=3, output=tmp_path / "whole")
    short = cuello.train(**settings, **common, epochs=3, max_minutes=1e-9, output=tmp_path / "short")
    assert len(short.history) == 1
    with pytest.raises(CuelloError, match="code is run only if you name it"):
        cuello.resume(short.path, max_minutes=None, report=False)
    cuello.allow(FILE)
    assert len(cuello.resume(short.path, max_minutes=None, report=False).history) == 3
    for name, tensor in cuello.load(whole.path).network.state_dict().items():
        assert torch.equal(tensor, cuello.load(short.path).network.state_dict()[name])


def test_repeats_and_searches_take_parts_of_ones_own(tmp_path: Path) -> None:
    cuello.register("network", "tiny", own.thing_of(Path(FILE), "Net"))
    settings: dict[str, Any] = {"data": "glyphs", "epochs": 1, "threads": 1, "report": False, "model": "tiny,width=2"}
    runs = cuello.train_repeats("reconstruct", repeats=2, output=tmp_path / "two", **settings)
    assert [run.config.model for run in runs] == ["tiny,width=2"] * 2


def test_own_metrics_and_methods_stand_in_an_evaluation(tmp_path: Path, command: Any) -> None:
    run = cuello.train(
        "denoise", "photos", noise="gaussian:25", model="conv-8-16-8", crop=16, samples=8, validation_samples=4,
        epochs=1, report=False, output=tmp_path / "run",
    )  # fmt: skip
    told = command(
        "evaluate", str(run.path), "--metrics", f"{FILE}:edges,weight=2", "--baselines", f"input,{FILE}:shifted"
    )
    assert told.code == 0, told.error
    assert "edges,weight=2" in told.out
    assert "shift" in told.out
    methods = run.metrics["methods"]
    assert methods["input"][f"{FILE}:edges,weight=2"] > 0
    assert "edges,weight=2, steps" in run.report_path.read_text()


@pytest.mark.parametrize("kind", ["network", "loss", "noise"])
def test_what_new_writes_passes_and_trains_and_is_never_replaced(
    kind: str, tmp_path: Path, command: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    told = command("new", kind, "my_part.py")
    assert told.code == 0, told.error
    line = told.out.partition("train:")[2].split()
    assert line[0] == "cuello"
    small = ["--samples", "8", "--validation-samples", "4", "--epochs", "1", "--no-report", "--quiet", "-o", "run"]
    assert command(*line[1:], *small).code == 0
    named = next(word for word in line if "my_part.py:" in word)
    assert check(kind, named)
    before = (tmp_path / "my_part.py").read_text()
    again = command("new", kind, "my_part.py")
    assert again.code == 2
    assert "exists already and stays as it is" in again.error
    assert (tmp_path / "my_part.py").read_text() == before
    assert "needed a file for Python, such as my_" in command("new", kind, "part").error


def test_new_hides_no_module_and_writes_a_command_that_a_shell_reads(tmp_path: Path) -> None:
    with pytest.raises(
        CuelloError, match=r"would hide the Python module torch. Choose another name, e\.g\. my_torch\.py"
    ):
        begin("network", tmp_path / "torch.py")
    assert not (tmp_path / "torch.py").exists()
    file = tmp_path / "my part.py"
    assert shlex.split(begin("loss", file))[-1] == f"{file}:my_loss"


def test_searches_take_parts_of_ones_own(tmp_path: Path) -> None:
    class Here(nn.Module):
        def __init__(self, channels: int, width: int = 2):
            super().__init__()
            self.layer = nn.Conv2d(channels, channels, 2 * width + 1, padding=width)

        def forward(self, x: Tensor) -> Tensor:
            return self.layer(x)

    common: dict[str, Any] = {"job": "reconstruct", "data": "glyphs", "epochs": 1, "threads": 1}
    found = cuello.search.search(
        **common, space={"model": [Here, f"{FILE}:Net,width={{width}}"], "width": [1, 3]}, output=tmp_path / "one"
    )
    assert {trial.state for trial in found.trials} == {"finished"}
    assert sum("Net" in str(trial.values["model"]) for trial in found.trials) == 2
    (tmp_path / "space.toml").write_text(f'loss = ["mse", "{FILE}:edges,weight=2"]\n')
    found = cuello.search.search(
        **common, space=tmp_path / "space.toml", model="conv-128", objective="mse", output=tmp_path / "two"
    )
    assert {trial.state for trial in found.trials} == {"finished"}


def test_a_noise_given_as_a_function_keeps_its_values() -> None:
    def fog(images: Tensor, generator: torch.Generator, amount: float = 0.1) -> Tensor:
        return images + amount

    text = own.text_of("noise", partial(fog, amount=0.5))
    assert text == "fog:amount=0.5"
    assert parse(text)(torch.zeros(1, 1, 2, 2), torch.Generator()).max() == 0.5
    assert parse(f"{text}+gaussian:5").spec() == "fog:0.5+gaussian:5"
    with pytest.raises(CuelloError, match=r"values follow a colon, as in fog:0.2"):
        parse("fog,amount=0.5")


def test_what_only_this_process_knows_is_trained_here() -> None:
    cuello.register("loss", "mine", lambda image, target: (image - target).abs())
    assert own.is_known_here({"loss": "mine", "model": "unet-s"})
    assert not own.is_known_here({"loss": f"{FILE}:edges", "model": "unet-s"})
    reason = reason_alone(cuello.TrainConfig(job="reconstruct", model="mlp-20-2", loss="mine"), torch.device("cpu"))
    assert reason == "their loss is somebody's own code"


def test_runs_with_parts_of_ones_own_are_compared_without_running_them(tmp_path: Path, command: Any) -> None:
    settings: dict[str, Any] = {"job": "denoise", "data": "photos", "crop": 16, "samples": 8, "validation_samples": 4}
    for seed in (0, 1):
        cuello.train(
            **settings, noise=f"{FILE}:stripes", loss=f"{FILE}:edges", model=f"{FILE}:Net", epochs=1, seed=seed,
            report=False, output=tmp_path / f"{seed}",
        )  # fmt: skip
    told = command("compare", str(tmp_path / "0"), str(tmp_path / "1"))
    assert told.code == 0, told.error
    assert "Net" in told.out
    told = command("evaluate", str(tmp_path / "0"))
    assert told.code == 2
    assert "code is run only if you name it: add --model" in told.error
    assert command("evaluate", str(tmp_path / "0"), "--own", FILE, "--quiet").code == 0


def a_package(folder: Path, code: str, points: str) -> None:
    """Put an installed package into a folder, as an installer leaves it."""
    (folder / "mypack.py").write_text(code)
    about = folder / "mypack-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: mypack\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(points)


def test_a_package_brings_parts_which_run_only_where_they_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark = tmp_path / "ran"
    code = f"import pathlib\npathlib.Path({str(mark)!r}).touch()\n" + Path(FILE).read_text()
    a_package(tmp_path, code, "[cuello.networks]\npack-net = mypack:Net\n[cuello.losses]\npack-edges = mypack:edges\n")
    monkeypatch.syspath_prepend(tmp_path)
    own.installed.cache_clear()
    try:
        assert own.is_own("network", "pack-net,width=3")
        assert not mark.exists()
        run = cuello.train(
            "reconstruct", "glyphs", model="pack-net,width=3", loss="pack-edges,weight=0.5", epochs=1, report=False,
            output=tmp_path / "run",
        )  # fmt: skip
        assert mark.exists()
        with pytest.raises(CuelloError, match=r"code is run only if you name it: add network='pack-net,width=3'"):
            cuello.load(run.path)
        assert cuello.load(run.path, "pack-net").network.inner.layers[0].out_channels == 3  # type: ignore[union-attr,index]
        assert check("loss", "pack-edges,weight=2")
        with pytest.raises(CuelloError, match=r"no loss called 'pack-edgs'. Did you mean 'pack-edges'"):
            LOSSES["pack-edgs"]
    finally:
        own.installed.cache_clear()


def test_images_come_from_a_function_itself(tmp_path: Path) -> None:
    def squares(count: int = 12) -> np.ndarray:
        return np.random.default_rng(0).integers(0, 256, (count, 8, 8), np.uint8)

    run = cuello.train(
        "reconstruct", partial(squares, count=16), model="mlp:64-2", epochs=1, report=False, output=tmp_path / "run"
    )
    assert run.config.data == "squares,count=16"
    with pytest.raises(CuelloError, match="squares takes no 'cuont'"):
        check("data", "squares,cuont=3")
