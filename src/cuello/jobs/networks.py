"""Which network a training takes where none is named, and which cannot help against a noise."""

from dataclasses import dataclass

import torch

from cuello.core.config import TrainConfig
from cuello.core.errors import CuelloError, worded
from cuello.core.own import is_own
from cuello.data.catalog import open_source
from cuello.data.form import form_of
from cuello.data.images import parse_size
from cuello.data.levels import parse_levels
from cuello.data.stream import glance
from cuello.degrade import Composition, Degradation, parse
from cuello.degrade.base import GENERAL
from cuello.models.catalog import KINDS, architecture_of, build
from cuello.models.named import find_network

FEW_NUMBERS, FEW_DENSE, SMALL_SIDE, SMALL_CLASSES = 400, 1024, 64, 48
"""Most numbers of images whose code is 2 numbers, and which dense layers invent; the longest side, in pixels, of those
whose code is one vector, and of those that dense layers classify.
"""
IN_PLACES, LARGE_VAE = "ae:c32-c64-c16,halving=stride", "vae:c16-c32-c64-c64-32,halving=stride"
"""For photographs: a code of 16 numbers for every 8×8 pixels; and one of 32 numbers after four halvings."""


@dataclass(frozen=True)
class Chosen:
    """A network for a training that names none, and what it is for, in a few words."""

    name: str
    why: str

    @property
    def sentence(self) -> str:
        return worded(f"the network is {self.name}, {self.why}; for another, set --model (see `cuello models`)")


@dataclass(frozen=True)
class InputForm:
    """Channels, height and width of what goes into a network, in pixels."""

    channels: int
    height: int
    width: int

    @property
    def numbers(self) -> int:
        return self.channels * self.height * self.width

    @property
    def size(self) -> tuple[int, int]:
        return self.height, self.width

    @property
    def side(self) -> int:
        return max(self.size)

    @property
    def words(self) -> str:
        colour = {1: "grey", 3: "colour"}.get(self.channels, f"{self.channels}-channel")
        return f"{colour} images of {self.width}×{self.height} pixels"


def size_asked(config: TrainConfig) -> tuple[int, int] | None:
    """Return height and width that a configuration gives to every image, or None."""
    if config.crop is not None:
        return config.crop, config.crop
    wanted = parse_size(config.resize)
    return None if wanted is None else (wanted[1], wanted[0])


def seen_form(config: TrainConfig) -> InputForm:
    """Look at a few images of a configuration and say which form they will have; CuelloError where none can be read."""
    source, size = open_source(config.data, parse_levels(config.range)), size_asked(config)
    facts = glance(source)
    if not facts:
        source.read(0)  # says why not
    height, width = size or (facts[0].height, facts[0].width)
    return InputForm(form_of(facts, config.channels)[0].channels, height, width)


# By the noise


def network_for_noise(config: TrainConfig, noise: Degradation | Composition | None, scale: int = 1) -> Chosen:
    """Choose by the noise (None: of pairs), and, where whole images go in, by their size.

    scale: how many times larger the result is.
    """
    if noise is None:
        name, why = ("up-s", "which enlarges") if scale > 1 else (GENERAL, "for pairs, whatever they differ in")
    else:
        name = made_for(noise)
        why = f"for noise of any kind, here {noise.name}" if name == GENERAL else f"made for {noise.name}"
    stride = stride_of(name)
    if stride == 1:
        return Chosen(name, why)
    height, width = size_asked(config) or seen_form(config).size
    if height % stride == width % stride == 0:
        return Chosen(name, why)
    return Chosen(GENERAL, f"for noise of any kind, since {name}, {why}, does not take {width}×{height} pixels")


def made_for(noise: Degradation | Composition) -> str:
    """Return the network that a noise names, or the one for any where parts of it are not black and white."""
    parts = noise.parts if isinstance(noise, Composition) else (noise,)
    fits = all(part.extremes for part in parts) or not KINDS[find_network(noise.network).kind].extremes
    return noise.network if fits else GENERAL


def stride_of(name: str) -> int:
    """Return what the sides of images must be a multiple of."""
    with torch.random.fork_rng(devices=[]):
        return build(architecture_of(name, 1)).stride


def check_helps(config: TrainConfig) -> None:
    """Raise CuelloError, naming one that can, where a network cannot help against the noise; ``force`` allows it."""
    if config.force or config.noise is None or is_own("network", config.model):
        return
    noise = parse(config.noise)
    if KINDS[find_network(config.model).kind].extremes and not noise.extremes:
        raise CuelloError(
            f"the network {config.model!r} changes pixels that are exactly black or white, and no others, so that it "
            f"cannot help against {config.noise}. Use --model={made_for(noise)}, or leave --model out; --force=True "
            "trains it all the same."
        )


# By size and channels


def network_for_code(config: TrainConfig) -> Chosen:
    """Choose an autoencoder that leaves the images recognisable."""
    form = seen_form(config)
    if form.numbers <= FEW_NUMBERS:
        return Chosen("mlp-32-8-2", f"with a code of 2 numbers, for {form.words}")
    if form.side <= SMALL_SIDE:
        return Chosen("conv-128", f"with a code of 128 numbers, for {form.words}")
    return Chosen(IN_PLACES, f"with a code of 16 numbers for every 8×8 pixels, for {form.words}")


def network_for_new_images(config: TrainConfig) -> Chosen:
    """Choose an autoencoder whose codes have a prior to draw from."""
    form = seen_form(config)
    if form.numbers <= FEW_DENSE:
        return Chosen("vae-200-2", f"with a code of 2 numbers, for {form.words}")
    if form.side <= SMALL_SIDE:
        return Chosen("conv-vae-16", f"with a code of 16 numbers, for {form.words}")
    return Chosen(LARGE_VAE, f"with a code of 32 numbers, for {form.words}")


def network_for_classes(config: TrainConfig) -> Chosen:
    """Choose a classifier: for small images one that knows what lies where."""
    form = seen_form(config)
    if form.side <= SMALL_CLASSES:
        return Chosen("classify-mnist", f"for {form.words}, and no others")
    return Chosen("classify-s", f"for images of any size, here {form.words}")
