"""Trained networks on a published yardstick, measured as the literature does, beside what others reached."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from cuello.core.errors import CuelloError
from cuello.core.progress import OnProgress, Progress, silent
from cuello.core.resample import resize
from cuello.core.seeding import generator
from cuello.data.batches import to_tensor
from cuello.data.catalog import CATALOG, locate
from cuello.data.picture import read_picture
from cuello.degrade.noise import Gaussian
from cuello.inference.model import Model
from cuello.inference.onnx import OnnxNetwork
from cuello.jobs.images.examples import Example
from cuello.models.catalog import build
from cuello.scoring.protocols import Protocol, ProtocolScore, grey_denoising, luma, super_resolution
from cuello.scoring.published import Published, Yardstick, published
from cuello.scoring.repeats import Spread, spread

SIGMAS = (15, 25, 50)
SCALES = (2, 3, 4)

Method = Callable[[Tensor], Tensor]
"""Makes of what it is given, ``(1, C, H, W)`` with white as 1, what is measured."""
Setting = int | str
"""A scale, a noise level out of 255, or a degradation as a spec string has it."""


@dataclass(frozen=True)
class Entrant:
    """A network in a benchmark: its name in tables, and its trained models by seed, several where it was repeated."""

    name: str
    models: Mapping[int, Model]

    @property
    def first(self) -> Model:
        return next(iter(self.models.values()))

    @property
    def parameters(self) -> int:
        network, architecture = self.first.network, self.first.artefact.architecture
        if isinstance(network, OnnxNetwork) and architecture.kind != "custom":
            network = build(architecture)  # the file holds its parameters among constants of its own
        own = sum(parameter.numel() for parameter in network.parameters())
        return own or sum(one.numel() for one in self.first.artefact.weights.values())


@dataclass(frozen=True)
class BenchmarkRow:
    """A method at one setting. scores: of wrong pixels of binary images, of PSNR, and, where images are large enough,
    SSIM. seed: of one of several repeats of a network, None otherwise.
    """

    method: str
    setting: Setting
    scores: tuple[ProtocolScore, ...]
    seed: int | None = None

    def score(self, metric: str) -> ProtocolScore:
        """Return the score of ``psnr``, ``ssim`` or ``wrong``."""
        return next(score for score in self.scores if score.protocol.metric == metric)


@dataclass(frozen=True)
class Benchmark:
    """What a benchmark found.

    name: the yardstick, or the images. unit: what a setting is (``scale``, ``sigma`` or ``noise``). networks: their
    parameters by name, in the order in which they were named. images: their names. rows: the networks', and what is
    measured beside them. published: others' numbers at the same settings, as printed. notes: what a reader must know.
    examples: some images, restored by every method.
    """

    name: str
    unit: str
    networks: Mapping[str, int]
    images: tuple[str, ...]
    rows: tuple[BenchmarkRow, ...]
    published: tuple[Published, ...] = ()
    notes: tuple[str, ...] = field(default=())
    examples: tuple[Example, ...] = ()

    @property
    def model(self) -> str:
        """The name of the first network."""
        return next(iter(self.networks))

    @property
    def parameters(self) -> int:
        """How many numbers the first network has."""
        return self.networks[self.model]

    @property
    def metrics(self) -> list[str]:
        """What was measured, what decides first: wrong pixels of binary images, of others PSNR."""
        return list(dict.fromkeys(score.protocol.metric for row in self.rows for score in row.scores))

    @property
    def settings(self) -> list[Setting]:
        """The scales or noise levels, in order."""
        found = dict.fromkeys(row.setting for row in self.rows)
        return sorted(found, key=lambda setting: setting if isinstance(setting, int) else 0)

    @property
    def methods(self) -> list[str]:
        """The names of what was measured."""
        return list(dict.fromkeys(row.method for row in self.rows))

    def rows_of(self, setting: Setting, method: str) -> list[BenchmarkRow]:
        """Return a method's rows at a setting: several where it was repeated, none where it has no such setting."""
        return [row for row in self.rows if (row.setting, row.method) == (setting, method)]

    def row(self, setting: Setting, method: str | None = None) -> BenchmarkRow:
        """Return a method's row at a setting, by default the first network's; of repeats, that of the first."""
        return self.rows_of(setting, method or self.model)[0]

    def spread(self, setting: Setting, method: str, metric: str = "psnr") -> Spread | None:
        """Return mean and deviation over repeats of a method's mean over images; None where it was not measured."""
        values = [score.mean for row in self.rows_of(setting, method) for score in row.scores
                  if score.protocol.metric == metric]  # fmt: skip
        return spread(values) if values else None


def benchmark_yardstick(
    name: Yardstick, entrants: Sequence[Entrant], *, seed: int = 0, progress: OnProgress = silent
) -> Benchmark:
    """Measure networks on a published yardstick; see ``cuello.benchmark``.

    Source: the protocols of Dong et al. 2016 (SRCNN) and Zhang et al. 2017 (DnCNN); the noise is of our own generator,
    so that single images differ from the papers' by some hundredths of a dB.
    """
    for entrant in entrants:
        check_job(name, entrant.first)
    rows, images, notes = [], [], []
    if name == "set5":
        for scale in sorted({entrant.first.scale for entrant in entrants}):
            pairs = enlarging_pairs(scale)
            there = [entrant for entrant in entrants if entrant.first.scale == scale]
            methods = {"bicubic": lambda x, scale=scale: resize(x, scale=scale)}
            rows += measured(methods, {scale: pairs}, super_resolution(scale), progress=progress)
            rows += measured_networks(
                there, scale, pairs, protocol=super_resolution(scale), run=enlarge, progress=progress
            )
            images = [names for names, _, _ in pairs]
        notes += named(entrants, lambda model: model.channels == 1, "luma alone goes through {} of one channel")
        notes.append("bicubic is measured here too: where it differs from the published one, so does the protocol")
        return finish("set5", "scale", entrants, images=images, rows=rows, notes=notes)
    for sigma in SIGMAS:
        pairs = noisy_pairs(name, sigma, seed)

        def told(model: Model, x: Tensor, sigma: int = sigma) -> Tensor:
            return run(model, x, sigma / 255 if model.conditioned else None)

        rows += measured_networks(entrants, sigma, pairs, protocol=grey_denoising(), run=told, progress=progress)
        images = [names for names, _, _ in pairs]
    notes.append(f"noise of seed {seed}, not cut to [0, 1]")
    notes += network_notes(entrants, grey=True)
    for entrant in entrants:
        noise = entrant.first.artefact.noise or "noise of its own pairs"
        if "gaussian" not in noise:
            who = entrant.name if len(entrants) > 1 else "the network"
            notes.append(f"{who} was trained against {noise}, not Gaussian noise")
    return finish(name, "sigma", entrants, images=images, rows=rows, notes=notes)


def named(entrants: Sequence[Entrant], has: Callable[[Model], bool], note: str) -> list[str]:
    """Return a note on every network that has something, with its name for {}; on "the network" where it is alone."""
    return [
        note.format(entrant.name if len(entrants) > 1 else "the network") for entrant in entrants if has(entrant.first)
    ]


def network_notes(entrants: Sequence[Entrant], grey: bool) -> list[str]:
    """Say which networks are told the noise, and which see grey images as colour."""
    notes = named(entrants, lambda model: model.conditioned, "{} is told the noise's standard deviation")
    if grey:
        notes += named(
            entrants, lambda model: model.channels == 3, "{} is for colour: grey goes through it as equal channels"
        )
    return notes


def check_job(name: str, model: Model) -> None:
    """Raise CuelloError where a network does another thing than a yardstick measures."""
    job, scale = model.artefact.job, model.scale
    if name == "set5":
        if scale == 1:
            raise CuelloError(
                f"set5 measures networks that enlarge images; this one ({job}, {model.artefact.architecture.name}) "
                "gives images of the size it gets. Train one with: cuello train upscale DATA --scale 2. For denoising "
                "there are set12 and bsd68."
            )
        if scale not in SCALES:
            raise CuelloError(
                f"set5 has low-resolution images for the scales 2, 3 and 4; this network enlarges by {scale}. Train "
                "one with --scale=2, 3 or 4."
            )
    elif job != "denoise" or scale != 1:
        raise CuelloError(
            f"{name} measures the denoising of Gaussian noise; this network's job is {job}"
            f"{f' by {scale}' if scale != 1 else ''}. Train one with: cuello train denoise DATA --noise gaussian:25"
            f"{'. For enlarging there is set5' if scale != 1 else ''}."
        )


Triple = tuple[str, Tensor, Tensor]
"""An image's name, what goes in and what should come out, ``(1, C, H, W)`` with white as 1."""


def pixels_of(path: Path) -> Tensor:
    """Read an image as ``(1, C, H, W)`` float32 in [0, 1]."""
    return to_tensor(read_picture(path).pixels[None])


def enlarging_pairs(scale: int) -> list[Triple]:
    """Return Set5's published pairs of low and high resolution at a scale."""
    spec = CATALOG["set5"]
    paths = {file.name: locate(spec, file) for file in spec.files() if f"_SRF_{scale}_" in file.name}
    wholes = sorted(name for name in paths if name.endswith("_HR.png"))
    return [
        (name.removesuffix("_HR.png"), pixels_of(paths[name.replace("_HR", "_LR")]), pixels_of(paths[name]))
        for name in wholes
    ]


def noisy_pairs(name: str, sigma: int, seed: int) -> list[Triple]:
    """Return grey images with Gaussian noise, ``y = x + σ n / 255``, not cut, each with a generator of its own."""
    spec, noise, found = CATALOG[name], Gaussian(sigma=sigma, clip=False), []
    for index, file in enumerate(spec.files()):
        clean = pixels_of(locate(spec, file))
        found.append((file.name, noise(clean, generator(seed, f"benchmark noise {sigma}", 0, index=index)), clean))
    return found


def enlarge(model: Model, x: Tensor) -> Tensor:
    """Enlarge colour ``(1, 3, H, W)``; a network of one channel gets luma, and luma comes back."""
    return run(model, luma(x) if model.channels == 1 and x.shape[1] == 3 else x)


def run(model: Model, x: Tensor, level: float | None = None) -> Tensor:
    """Run ``(1, C, H, W)`` through a model, in tiles where it is large; what goes in may lie outside of [0, 1].

    level: the noise's standard deviation, white being 1, where it is told.
    """
    restored = model.restore(np.ascontiguousarray(x[0].permute(1, 2, 0).numpy()), level=level)
    return torch.from_numpy(restored).permute(2, 0, 1)[None]


def measured(
    methods: dict[str, Method],
    pairs: Mapping[Setting, Sequence[Triple]],
    protocol: Protocol,
    progress: OnProgress = silent,
) -> list[BenchmarkRow]:
    """Run methods on pairs by setting, and measure PSNR under ``protocol``, SSIM likewise."""
    both = [protocol, Protocol("ssim", protocol.channel, protocol.border, rounded=protocol.rounded)]
    rows = []
    for setting, triples in pairs.items():
        for method, function in methods.items():
            images, goals = [], []
            for done, (_, given, target) in enumerate(triples):
                image = function(given)
                goal = luma(target) if protocol.channel == "luma" and image.shape[1] < target.shape[1] else target
                images.append(image[0])
                goals.append(goal[0])
                progress(Progress(f"{method}, {setting}", done + 1, len(triples)))
            rows.append(BenchmarkRow(method, setting, tuple(one.score(images, goals) for one in both)))
    return rows


def measured_networks(
    entrants: Iterable[Entrant],
    setting: Setting,
    pairs: Sequence[Triple],
    *,
    protocol: Protocol,
    run: Callable[[Model, Tensor], Tensor],
    progress: OnProgress = silent,
) -> list[BenchmarkRow]:
    """Run networks, each repeat of each, on pairs, and measure them as ``measured`` does."""
    rows = []
    for entrant in entrants:
        for seed, model in entrant.models.items():
            method = {entrant.name: lambda x, model=model: run(model, x)}
            found = measured(method, {setting: pairs}, protocol, progress=progress)
            rows += [replace(row, seed=seed if len(entrant.models) > 1 else None) for row in found]
    return rows


def finish(
    name: Yardstick,
    unit: str,
    entrants: Sequence[Entrant],
    *,
    images: Sequence[str],
    rows: Sequence[BenchmarkRow],
    notes: Sequence[str],
) -> Benchmark:
    """Put a result together, with the published numbers of its settings."""
    found = Benchmark(
        name, unit, {entrant.name: entrant.parameters for entrant in entrants}, images=tuple(images), rows=tuple(rows),
        notes=tuple(notes),
    )  # fmt: skip
    return replace(found, published=tuple(row for setting in found.settings for row in published(name, int(setting))))
