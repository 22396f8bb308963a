"""Networks with a code, fresh ones, as models; and one that learned the characters by heart."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import cuello
from cuello.data.synthetic import glyphs
from cuello.inference.model import Model
from cuello.models.base import ImageNetwork
from cuello.models.catalog import architecture_of, build
from cuello.runs.artefact import Artefact


def untrained(name: str, channels: int = 1, size: tuple[int, int] | None = None) -> Model:
    """Return a model with fresh weights, always the same; size: height and width."""
    torch.manual_seed(3)
    architecture = architecture_of(name, channels, size)
    return Model(Artefact(architecture, "reconstruct", None, {}), build(architecture).eval())


class Scripted(ImageNetwork):
    """A network whose code is the image's first two pixels, and whose image is the code as a picture of 1×2.

    It takes images of 2×1 pixels. Codes outside of [0, 1] are cut by the model.
    """

    channels, size, has_code = 1, (1, 2), True

    def __init__(self) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(()))

    def encode(self, x: torch.Tensor) -> torch.Tensor:
        return x.flatten(1) + 0 * self.bias

    def decode(self, latent: torch.Tensor) -> torch.Tensor:
        return latent.view(-1, 1, 1, 2)


@pytest.fixture(scope="session")
def make_model() -> Callable[..., Model]:
    """untrained, for tests that want a network of their own."""
    return untrained


@pytest.fixture(scope="session")
def plain() -> Model:
    """A code of two numbers without a prior, for images of 5×7."""
    return untrained("mlp:35-20-2", size=(7, 5))


@pytest.fixture(scope="session")
def variational() -> Model:
    """A code of two numbers with a normal prior, for images of 5×7."""
    return untrained("vae:35-20-2", size=(7, 5))


@pytest.fixture(scope="session")
def spatial() -> Model:
    """A code in space, for images of any size in grey: 16 planes, half the size."""
    return untrained("conv-8-16-8")


@pytest.fixture
def scripted() -> Model:
    """A model of which every code and image can be told by hand."""
    return Model(Artefact(architecture_of("mlp:2-2", 1, (1, 2)), "reconstruct", None, {}), Scripted())


@pytest.fixture(scope="session")
def characters() -> np.ndarray:
    """The 32 characters, ``(32, 7, 5, 1)`` of 0 and 1."""
    return (glyphs().images // 255).astype(np.float32)


@pytest.fixture(scope="session")
def learned(tmp_path_factory: pytest.TempPathFactory) -> Model:
    """A network that knows most of the characters."""
    settings: dict[str, Any] = {"samples": 640, "epochs": 20, "learning_rate": 0.02, "device": "cpu", "threads": 1}
    path = tmp_path_factory.mktemp("latent") / "run"
    cuello.train("reconstruct", "glyphs", model="mlp:35-32-4", output=path, report=False, batch_size=32, **settings)
    return cuello.load(path)
