"""Somebody's own network: found, made, measured; every mistake in it explained."""

import hashlib
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

import cuello
from cuello.core.errors import CuelloError
from cuello.core.own import is_reference, naming, source_checksum, split_reference
from cuello.core.settings import LatentSettings
from cuello.core.types import Output
from cuello.data.synthetic import glyphs
from cuello.latent.page import make_latent
from cuello.models.base import ImageNetwork
from cuello.models.catalog import Architecture, architecture_of, build
from cuello.models.custom import CustomNetwork, stated

HEADER = "import torch\nfrom torch import nn\nfrom torch.nn import functional\n"
PLAIN = """
class Net(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.layer = nn.Conv2d(channels, channels, 5, padding=2)
    def forward(self, x):
        return x - self.layer(x)
"""


def build_custom(reference: str, channels: int, scale: int = 1, size: tuple[int, int] | None = None) -> ImageNetwork:
    """Make a network that is named by the caller."""
    with naming(reference):
        return build(architecture_of(reference, channels, size, scale=scale))


def write(folder: Path, code: str) -> str:
    (folder / "net.py").write_text(HEADER + code)
    return f"{folder / 'net.py'}:Net"


def test_a_reference_is_told_from_a_name() -> None:
    assert is_reference("net.py:Net")
    assert is_reference("/a/b/net.py:Net")
    assert not is_reference("unet-s")
    assert not is_reference("net.py")


def test_a_reference_is_split(tmp_path: Path) -> None:
    reference = write(tmp_path, PLAIN)
    assert split_reference(reference) == (tmp_path / "net.py", "Net")
    assert source_checksum(reference) == hashlib.sha256((tmp_path / "net.py").read_bytes()).hexdigest()
    with pytest.raises(CuelloError, match=r"there is no file .*none\.py. Write FILE.py:CLASS, as in my_net.py:MyNet"):
        split_reference(f"{tmp_path / 'none.py'}:Net")


@pytest.mark.parametrize("channels", [1, 3])
def test_a_network_is_made_for_the_images_channels_and_measured(tmp_path: Path, channels: int) -> None:
    network = build_custom(write(tmp_path, PLAIN), channels)
    assert (network.channels, network.stride, network.receptive_field) == (channels, 1, 5)
    x = torch.rand(2, channels, 7, 9)
    output = network(x)
    assert isinstance(output, Output)
    assert torch.equal(output.image, x - network.inner.layer(x))  # type: ignore[operator]


def test_a_network_without_channels_is_made_without(tmp_path: Path) -> None:
    code = PLAIN.replace("(self, channels)", "(self)").replace("channels, channels", "1, 1")
    assert build_custom(write(tmp_path, code), 1).receptive_field == 5


def test_what_it_states_is_taken(tmp_path: Path) -> None:
    code = PLAIN.replace("    def __init__", "    stride = 4\n    receptive_field = 33\n    def __init__")
    network = build_custom(write(tmp_path, code), 1)
    assert (network.stride, network.receptive_field) == (4, 33)
    with pytest.raises(CuelloError, match=r"needs a multiple of 4"):
        network(torch.rand(1, 1, 6, 8))


def test_a_stride_is_measured(tmp_path: Path) -> None:
    code = PLAIN.replace("x - self.layer(x)", "functional.interpolate(functional.max_pool2d(x, 4), scale_factor=4.0)")
    network = build_custom(write(tmp_path, code), 3)
    assert (network.stride, network.receptive_field) == (4, 7)


def test_the_whole_image_means_no_field(tmp_path: Path) -> None:
    code = PLAIN.replace("x - self.layer(x)", "x - x.mean((2, 3), keepdim=True)")
    with pytest.raises(CuelloError, match=r"changes when the image is moved.*or state `stride`"):
        build_custom(write(tmp_path, code), 3)
    code = code.replace("    def __init__", "    stride = 1\n    def __init__")
    assert build_custom(write(tmp_path, code), 3).receptive_field is None


def test_a_module_that_is_made_takes_no_arguments(tmp_path: Path) -> None:
    reference = write(tmp_path, PLAIN + "\nnet = Net(1)\n").rpartition(":")[0] + ":net"
    assert build_custom(reference, 1).channels == 1
    with pytest.raises(CuelloError, match="net is a module, not a class, and takes no arguments"):
        build_custom(f"{reference},width=3", 1)


def test_an_attribute_of_torchs_own_is_no_statement() -> None:
    assert stated(torch.nn.Conv2d(1, 1, 3), "stride") is None
    assert stated(CustomNetwork(torch.nn.Identity(), 1, 2, None), "stride") == 2


def test_an_output_with_latent_and_terms_is_handed_on(tmp_path: Path) -> None:
    code = "from cuello import Output\n" + PLAIN.replace(
        "return x - self.layer(x)", "return Output(x, x.mean(), {'size': x.sum()})"
    )
    output = build_custom(write(tmp_path, code), 1)(torch.ones(1, 1, 2, 2))
    assert output.latent == 1
    assert output.terms["size"] == 4


def test_a_dataclass_with_postponed_annotations_can_be_in_the_file(tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(
        "from __future__ import annotations\nfrom dataclasses import dataclass\n" + HEADER
        + "@dataclass\nclass Settings:\n    width: int = 3\n" + PLAIN
    )  # fmt: skip
    assert build_custom(f"{tmp_path / 'net.py'}:Net", 1).receptive_field == 5


@pytest.mark.parametrize(
    ("result", "message"),
    [
        ("None", "Net returned NoneType; it needs to return a tensor"),
        ("(x, x)", "Net returned tuple; it needs to return a tensor"),
        ("{'image': x}", "Net returned dict"),
        ("x[:, :1]", r"become \(1, 1, "),
        ("x[:, :, 1:]", "Pad its convolutions"),
        ("self.nothing(x)", "has no attribute 'nothing'"),
        ("{}['key']", "key"),
    ],
)
def test_what_it_gives_back_has_to_be_an_image(tmp_path: Path, result: str, message: str) -> None:
    with pytest.raises(CuelloError, match=message):
        build_custom(write(tmp_path, PLAIN.replace("x - self.layer(x)", result)), 3)


def test_a_failing_network_that_states_its_stride_is_explained(tmp_path: Path) -> None:
    code = PLAIN.replace("    def __init__", "    stride = 1\n    def __init__").replace(
        "x - self.layer(x)", "x.nothing"
    )
    with pytest.raises(CuelloError, match=r"failed on an image of 3 channels: AttributeError"):
        build_custom(write(tmp_path, code), 3)


def test_a_class_that_cannot_be_made_is_explained(tmp_path: Path) -> None:
    with pytest.raises(CuelloError, match=r"could not be made: TypeError: .*'width'"):
        build_custom(write(tmp_path, PLAIN.replace("(self, channels)", "(self, channels, width)")), 3)


def test_a_shape_that_changes_later_is_explained() -> None:
    network = CustomNetwork(torch.nn.Conv2d(3, 1, 1), 3, 1, 1)
    with pytest.raises(CuelloError, match=r"Conv2d turned images of shape \(1, 3, 4, 4\) into \(1, 1, 4, 4\)"):
        network(torch.rand(1, 3, 4, 4))


def test_an_architecture_runs_no_code_by_itself(tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    reference = write(tmp_path, f"import pathlib\npathlib.Path({str(mark)!r}).touch()\n{PLAIN}")
    architecture = architecture_of(reference, 3)
    assert architecture.settings["sha256"] == source_checksum(reference)
    with pytest.raises(CuelloError, match=r"code is run only if you name it: add network="):
        build(architecture)
    with pytest.raises(CuelloError, match=r"needed FILE.py:CLASS"):
        build(architecture, "unet-s")
    hostile = Architecture("unet-s", "custom", {"reference": reference, "channels": 3})
    with pytest.raises(CuelloError, match=r"code is run only if you name it"):
        build(hostile)
    assert not mark.exists()
    assert build(architecture, reference).channels == 3
    assert mark.exists()


def test_training_and_loading_with_a_network_of_ones_own(tmp_path: Path, images: Path, small: dict) -> None:
    reference = write(tmp_path, PLAIN)
    run = cuello.train(data=images, output=tmp_path / "run", report=False, **{**small, "model": reference})
    with pytest.raises(CuelloError, match=r"somebody's own code"):
        cuello.load(run.path)
    x = torch.rand(3, 9, 10)
    assert cuello.load(run.path, reference)(x).shape == x.shape
    assert "cuello_user_net" in sys.modules
    with pytest.raises(CuelloError, match=r"code is run only if you name it"):
        cuello.resume(run.path, epochs=3)
    assert len(cuello.resume(run.path, epochs=3, network=reference, report=False).history) == 3


def test_code_that_changed_since_training_is_said(tmp_path: Path) -> None:
    reference = write(tmp_path, PLAIN)
    architecture = architecture_of(reference, 1)
    write(tmp_path, PLAIN + "\n# another comment\n")
    with pytest.warns(UserWarning, match="has changed since this model was trained with it"):
        build(architecture, reference)


LARGER = """
class Net(nn.Module):
    def __init__(self, channels, scale):
        super().__init__()
        self.scale = scale
        self.layer = nn.Conv2d(channels, channels * scale**2, 5, padding=2)
    def forward(self, x):
        return functional.pixel_shuffle(self.layer(x), self.scale)
"""


@pytest.mark.parametrize("scale", [2, 3])
def test_a_network_that_enlarges_is_made_for_the_scale_and_measured(tmp_path: Path, scale: int) -> None:
    reference = write(tmp_path, LARGER)
    network = build(architecture_of(reference, 3, scale=scale), reference)
    assert (network.scale, network.stride, network.receptive_field) == (scale, 1, 5)
    assert network(torch.rand(1, 3, 5, 6)).image.shape == (1, 3, 5 * scale, 6 * scale)


def test_a_stride_is_measured_of_a_network_that_enlarges(tmp_path: Path) -> None:
    inner = "self.layer(functional.interpolate(functional.max_pool2d(x, 4), scale_factor=4.0))"
    network = build_custom(write(tmp_path, LARGER.replace("self.layer(x)", inner)), 1, scale=2)
    assert (network.stride, network.receptive_field) == (4, 1 + 2 * (3 + 2))  # across its 4×4, and 2 on


def test_another_scale_than_it_states_or_does_is_explained(tmp_path: Path) -> None:
    stating = LARGER.replace("(self, channels, scale)", "(self, channels, factor=2)").replace("= scale", "= factor")
    stating = stating.replace("scale**2", "factor**2")
    with pytest.raises(CuelloError, match=r"images 2 times as large, and was to do so 3 times: add scale=2"):
        build_custom(write(tmp_path, stating), 3, scale=3)
    silent = stating.replace("self.scale = factor", "self.factor = factor").replace("self.scale", "self.factor")
    with pytest.raises(CuelloError, match=r"an image 3 times as large as what it gets.*become \(1, 3, "):
        build_custom(write(tmp_path, silent), 3, scale=3)
    with pytest.raises(CuelloError, match=r"into \(2, 3, 8, 8\); .* of shape \(2, 3, 12, 12\)"):
        CustomNetwork(torch.nn.Upsample(scale_factor=2), 3, 1, 1, scale=3)(torch.rand(2, 3, 4, 4))


def test_the_noises_level_is_handed_to_a_network_that_takes_it(tmp_path: Path) -> None:
    code = PLAIN.replace("def forward(self, x)", "conditioned = True\n    def forward(self, x, level=None)").replace(
        "x - self.layer(x)", "x if level is None else x - level"
    )
    network = build_custom(write(tmp_path, code), 1)
    assert network.conditioning == "level"
    x = torch.rand(2, 1, 4, 4)
    assert torch.equal(network(x, torch.full((2, 1, 1, 1), 0.25)).image, x - 0.25)
    assert build_custom(write(tmp_path, PLAIN), 1).conditioning is None


CODED = """
class Net(nn.Module):
    def __init__(self, height, width, latent=2):
        super().__init__()
        self.shape = (1, height, width)
        self.coder = nn.Linear(height * width, latent)
        self.decoder = nn.Linear(latent, height * width)
    def encode(self, x):
        return self.coder(x.flatten(1))
    def decode(self, z):
        return self.decoder(z).sigmoid().view(-1, *self.shape)
    def forward(self, x):
        return self.decode(self.encode(x))
"""
CLASSIFYING = """
class Net(nn.Module):
    def __init__(self, channels, classes, pooled=True):
        super().__init__()
        self.layer = nn.Conv2d(channels, 4, 3, padding=1)
        self.pool = nn.AdaptiveAvgPool2d(1) if pooled else nn.Identity()
        self.head = nn.Linear(4 if pooled else 4 * 35, classes)
    def forward(self, x):
        return self.head(self.pool(self.layer(x).relu()).flatten(1))
"""


def test_a_network_for_one_size_is_tried_on_that_of_the_data(tmp_path: Path) -> None:
    network = build_custom(write(tmp_path, CODED), 1, size=(7, 5))
    assert (network.size, network.receptive_field, network.has_code, network.prior) == ((7, 5), None, True, None)
    x = torch.rand(2, 1, 7, 5)
    assert torch.equal(network(x).image, network.decode(network.encode(x)))
    assert network.encode(x).shape == (2, 2)
    with pytest.raises(CuelloError, match=r"got images of 5×8 pixels; this network takes 5×7.*resize='5x7'"):
        network(torch.rand(2, 1, 8, 5))


def test_a_size_that_does_not_fit_is_said_with_its_numbers(tmp_path: Path) -> None:
    fixed = CODED.replace("(self, height, width, latent=2)", "(self, height=9, width=9, latent=2)")
    stubborn = fixed.replace("height=9, width=9", "rows=9").replace("height", "rows").replace("width", "rows")
    with pytest.raises(CuelloError, match=r"failed on an image of 1 channels: RuntimeError: .*1x35"):
        build_custom(write(tmp_path, stubborn), 1, size=(7, 5))
    pooled = PLAIN.replace("x - self.layer(x)", "functional.interpolate(functional.max_pool2d(x, 4), scale_factor=4.0)")
    with pytest.raises(CuelloError, match=r"height of 10 pixels: this network needs a multiple of 4"):
        build_custom(write(tmp_path, pooled), 1, size=(10, 8))


def test_a_network_of_any_size_stays_one(tmp_path: Path) -> None:
    network = build_custom(write(tmp_path, PLAIN), 1, size=(7, 9))
    assert (network.size, network.stride, network.receptive_field) == (None, 1, 5)


def test_arguments_are_handed_on_and_kept_with_the_model(tmp_path: Path) -> None:
    reference = write(tmp_path, CODED)
    architecture = architecture_of(f"{reference},latent=3", 1, (7, 5))
    assert architecture.name == "Net,latent=3"
    for named in (reference, f"{reference},latent=3"):
        assert build(architecture, named).encode(torch.rand(1, 1, 7, 5)).shape == (1, 3)
    with pytest.raises(CuelloError, match=r"Net takes no 'latend'. Did you mean 'latent'"):
        build_custom(f"{reference},latend=3", 1, size=(7, 5))


def test_two_tensors_of_encode_are_a_distribution(tmp_path: Path) -> None:
    code = CODED.replace("width, latent)", "width, 2 * latent)").replace(
        "flatten(1))\n", "flatten(1)).chunk(2, 1)\n", 1
    )
    network = build_custom(write(tmp_path, code.replace("self.encode(x))", "self.encode(x)[0])")), 1, size=(7, 5))
    assert (network.has_posterior, network.prior) == (True, "normal")
    x = torch.rand(2, 1, 7, 5)
    assert torch.equal(network.encode(x), network.posterior(x)[0])


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("return self.coder(x.flatten(1))", "return [x]", "Net.encode returned list"),
        ("return self.coder(x.flatten(1))", "return x.nothing", "failed: AttributeError"),
        (".view(-1, *self.shape)\n", "\n", r"Net.decode made \(1, 35\) of the code of an image \(1, 1, 7, 5\)"),
    ],
)
def test_a_code_that_is_none_is_explained(tmp_path: Path, old: str, new: str, message: str) -> None:
    code = CODED.replace("return self.decode(self.encode(x))", "return x").replace(old, new)
    with pytest.raises(CuelloError, match=message):
        build_custom(write(tmp_path, code), 1, size=(7, 5))


def test_a_code_of_ones_own_is_looked_into(tmp_path: Path) -> None:
    reference = write(tmp_path, CODED)
    run = cuello.train("reconstruct", "glyphs", model=f"{reference},latent=2", epochs=1, output=tmp_path / "run")
    assert "Net,latent=2" in run.report_path.read_text()
    model = cuello.load(run.path, reference)
    codes = model.encode(torch.rand(3, 1, 7, 5))
    assert codes.shape == (3, 2)
    assert model.decode(codes).shape == (3, 1, 7, 5)
    assert make_latent(run.path, LatentSettings(None), network=reference).values
    assert (run.path / "latent" / "latent.html").is_file()


@pytest.mark.parametrize(("pooled", "size"), [(True, None), (False, (7, 5))])
def test_a_classifier_of_ones_own_is_trained_and_explained(tmp_path: Path, pooled: bool, size: object) -> None:
    reference = f"{write(tmp_path, CLASSIFYING)},pooled={pooled}"
    run = cuello.train("classify", "glyphs", model=reference, epochs=1, output=tmp_path / "run")
    model = cuello.load(run.path, reference)
    assert (model.size, len(model.classes)) == (size, 32)
    x = torch.rand(3, 1, 7, 5)
    assert torch.allclose(model.classify(x), model.network(x).softmax(1))
    with pytest.raises(CuelloError, match="code is run only if you name it"):
        cuello.explain(run.path, "glyphs", tmp_path / "maps", pictures=1)
    cuello.allow(reference)
    maps = cuello.explain(run.path, "glyphs", tmp_path / "maps", pictures=1).maps
    known = cuello.occlusion_map(
        model.network.inner, torch.from_numpy(glyphs().images / np.float32(255)).permute(0, 3, 1, 2), outputs="logits"
    )
    assert np.allclose(maps[0], known.maps[0].squeeze(), atol=1e-6)
    with pytest.raises(CuelloError, match="an estimator is built from"):
        cuello.train("explain", "glyphs", classifier=str(run.path), epochs=1, output=tmp_path / "estimator")


def test_scores_of_other_classes_are_explained(tmp_path: Path) -> None:
    reference = write(tmp_path, CLASSIFYING.replace("4 * 35, classes", "4 * 35, 7").replace("35, classes)", "35, 7)"))
    code = CLASSIFYING.replace("nn.Linear(4 if pooled else 4 * 35, classes)", "nn.Linear(4, 7)")
    reference = write(tmp_path, code)
    with pytest.raises(
        CuelloError, match=r"into \(1, 7\); it needs to return scores before softmax of shape \(1, 32\)"
    ):
        cuello.train("classify", "glyphs", model=reference, epochs=1, output=tmp_path / "run")


def test_the_class_itself_is_a_network(tmp_path: Path) -> None:
    class Here(torch.nn.Module):
        def __init__(self, channels: int, width: int = 2):
            super().__init__()
            self.layers = torch.nn.Sequential(
                torch.nn.Conv2d(channels, width, 3, padding=1), torch.nn.Conv2d(width, channels, 3, padding=1)
            )

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.layers.forward(x)

    common = {"epochs": 1, "report": False}
    run = cuello.train("reconstruct", "glyphs", model=partial(Here, width=3), output=tmp_path / "run", **common)
    assert run.config.model == "Here,width=3"
    assert cuello.load(run.path, Here).network.inner.layers[0].out_channels == 3  # type: ignore[union-attr]
    started = Here(1)
    with torch.no_grad():
        torch.nn.init.constant_(started.layers[0].weight, 0.25)  # type: ignore[arg-type]
    run = cuello.train("reconstruct", "glyphs", model=started, learning_rate=1e-9, output=tmp_path / "two", **common)
    weights = cuello.load(run.path, started).network.inner.layers[0].weight  # type: ignore[union-attr]
    assert torch.allclose(weights, torch.tensor(0.25), atol=1e-6)
