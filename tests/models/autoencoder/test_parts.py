"""Autoencoders told by their parts: which description each comes to, and what does not go together."""

from pathlib import Path
from typing import Any

import pytest

import cuello
from cuello.core.config import TrainConfig
from cuello.core.errors import CuelloError
from cuello.models.autoencoder.parts import described_by
from cuello.models.catalog import architecture_of
from cuello.models.named import find_network
from cuello.runs.directory import Run
from cuello.work.train import resolve

Parts = dict[str, Any]


@pytest.mark.parametrize(
    ("parts", "family", "description"),
    [
        ({"latent": 8, "hidden": "256,64"}, "mlp", "mlp:auto-256-64-8"),
        ({"latent": 8}, "mlp", "mlp:auto-256-64-8"),
        ({"latent": 8, "hidden": "none"}, "mlp", "mlp:auto-8"),
        ({"latent": 2, "hidden": "20", "activation": "relu", "dropout": 0.1}, "mlp",
         "mlp:auto-20-2,activation=relu,dropout=0.1"),
        ({"latent": 32, "filters": "16,32"}, "mlp", "ae:c16-c32-32"),
        ({"latent": 32, "filters": "16,32", "hidden": "100"}, "vae", "vae:c16-c32-100-32"),
        ({"latent": 4, "filters": "16"}, "vq", "vq:c16-c4"),
    ],
)  # fmt: skip
def test_a_description(parts: Parts, family: str, description: str) -> None:
    assert described_by(parts, family) == description
    assert find_network(description).kind == "autoencoder"


def test_the_input_follows_the_data() -> None:
    found = architecture_of("mlp:auto-256-64-8", 1, (28, 28))
    assert (found.name, found.settings) == ("mlp:784-256-64-8", architecture_of("mlp:784-256-64-8", 1).settings)
    assert architecture_of("mlp:auto-256-64-8", 3, (5, 7)).name == "mlp:105-256-64-8"


@pytest.mark.parametrize(
    ("settings", "model"),
    [
        ({"job": "reconstruct", "latent": 8}, "mlp:auto-256-64-8"),
        ({"job": "vae", "latent": 8, "hidden": [200]}, "vae:auto-200-8"),
        ({"job": "reconstruct", "latent": 8, "hidden": (200, 20), "model": "sparse"}, "sparse:auto-200-20-8"),
        ({"job": "denoise", "noise": "gaussian:25", "latent": 8, "hidden": 50}, "mlp:auto-50-8"),
        ({"job": "reconstruct", "latent": 8, "filters": "8, 16"}, "ae:c8-c16-8"),
    ],
)
def test_settings_become_a_description(settings: Parts, model: str) -> None:
    config = resolve({"data": "photos", **settings})
    assert config.model == model
    assert resolve(config.model_dump(exclude_none=True)) == config, "a file of settings says the same"
    assert not {"latent", "hidden", "filters"} & set(config.model_dump(exclude_none=True))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"job": "reconstruct", "hidden": "20"}, "got hidden=20 without the numbers of the code. Add them, e.g."),
        ({"job": "reconstruct", "latent": 2, "hidden": "20,x"}, "got '20,x', needed whole numbers with commas between"),
        ({"job": "reconstruct", "latent": 2, "hidden": "0"}, "got '0', needed whole numbers with commas between"),
        ({"job": "reconstruct", "latent": 2, "model": "unet-s"}, "latent=2 and model='unet-s', which says itself"),
        ({"job": "generate", "latent": 2, "model": "vae:784-20-2"}, "or name a family as the model: mlp, ae, vae"),
        ({"job": "classify", "latent": 2}, "there is none in the job 'classify'. Leave it out"),
        ({"job": "reconstruct", "latent": 2, "activation": "rely"}, "activation: got 'rely', needed 'tanh', 'relu'"),
        ({"job": "reconstruct", "latent": 2, "model": "mlp", "dropout": 1}, "dropout: got 1, needed less than 1"),
    ],
)  # fmt: skip
def test_a_mistake(settings: Parts, message: str) -> None:
    with pytest.raises(CuelloError) as caught:
        resolve({"data": "photos", **settings})
    assert message in str(caught.value)


def test_every_part_is_a_setting() -> None:
    assert {"latent", "hidden", "filters", "activation", "dropout"} <= set(TrainConfig.model_fields)


def test_a_training_told_by_parts_is_that_of_its_description(tmp_path: Path) -> None:
    common: Parts = {"epochs": 1, "report": False, "device": "cpu", "threads": 1}
    parts = {"latent": 2, "hidden": "20", "activation": "relu"}
    one = cuello.train("autoencoder", "glyphs", output=tmp_path / "one", **parts, **common)
    other = cuello.train(
        "reconstruct", "glyphs", output=tmp_path / "other", model="mlp:35-20-2,activation=relu", **common
    )
    assert Run(one.path).config.model == "mlp:auto-20-2,activation=relu"
    ours, theirs = (cuello.load(run.path).artefact for run in (one, other))
    assert ours.architecture == theirs.architecture
    assert all(ours.weights[name].equal(theirs.weights[name]) for name in theirs.weights)
    again = cuello.resume(one.path, epochs=2, report=False)
    assert len(again.history) == 2
