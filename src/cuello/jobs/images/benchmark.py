"""A trained network on a published yardstick, measured as the literature does, beside what others reached."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch
from torch import Tensor

from cuello.core.caller import caller_kept
from cuello.core.errors import CuelloError, closest
from cuello.core.own import names_own
from cuello.core.progress import OnProgress, Progress, listener, silent
from cuello.core.resample import resize
from cuello.core.seeding import generator
from cuello.data.batches import to_tensor
from cuello.data.catalog import CATALOG, locate
from cuello.data.picture import read_picture
from cuello.degrade.noise import Gaussian
from cuello.inference.model import Model, load
from cuello.report.page import Table
from cuello.report.result import Result
from cuello.scoring.protocols import Protocol, ProtocolScore, grey_denoising, luma, super_resolution
from cuello.scoring.published import PAPERS, Published, Yardstick, published
from cuello.training.watched import watched

SIGMAS = (15, 25, 50)
SCALES = (2, 3, 4)

Method = Callable[[Tensor], Tensor]
"""Makes of what it is given, ``(1, C, H, W)`` with white as 1, what is measured."""


@dataclass(frozen=True)
class BenchmarkRow:
    """A method at one setting: a scale, or a noise level out of 255. scores: of PSNR and SSIM."""

    method: str
    setting: int
    scores: tuple[ProtocolScore, ...]

    def score(self, metric: str) -> ProtocolScore:
        """Return the score of ``psnr`` or ``ssim``."""
        return next(score for score in self.scores if score.protocol.metric == metric)


@dataclass(frozen=True)
class Benchmark:
    """What a benchmark found.

    name: the yardstick. unit: what a setting is (``scale`` or ``sigma``). model, parameters: the network's name and
    size. images: their names. rows: ours, and what is measured beside it. published: others' numbers at the same
    settings, as printed. notes: what a reader must know.
    """

    name: Yardstick
    unit: str
    model: str
    parameters: int
    images: tuple[str, ...]
    rows: tuple[BenchmarkRow, ...]
    published: tuple[Published, ...]
    notes: tuple[str, ...] = field(default=())

    @property
    def settings(self) -> list[int]:
        """The scales or noise levels, in order."""
        return sorted({row.setting for row in self.rows})

    def row(self, setting: int) -> BenchmarkRow:
        """Return the network's row at a setting."""
        return next(row for row in self.rows if row.setting == setting and row.method == self.model)


@names_own
@caller_kept()
@watched()
def benchmark(
    name: Yardstick,
    model: Model | str | Path,
    seed: int = 0,
    code: str | None = None,
    progress: OnProgress | bool | None = None,
) -> Benchmark:
    """Measure a network on a published yardstick.

    name: ``set5`` (enlarging by 2, 3 or 4, as the network does), ``set12`` or ``bsd68`` (Gaussian noise of σ = 15, 25
    and 50 out of 255 on grey images, not cut to [0, 1]; a network that is told the level is told the true one).
    model: a model, a run directory, or its file. seed: of the noise; every image and level has its own. code:
    FILE.py:CLASS, where the network is somebody's own. progress: called with events.

    Raises CuelloError for another yardstick, a network of another job or scale, and images that are not there.

    Example: ``cuello.benchmark("set5", "runs/first").row(2).score("psnr").mean``

    Source: the protocols of Dong et al. 2016 (SRCNN) and Zhang et al. 2017 (DnCNN); the noise is of our own generator,
    so that single images differ from the papers' by some hundredths of a dB.
    """
    if name not in (known := get_args(Yardstick)):
        raise CuelloError(f"there is no yardstick {name!r}.{closest(name, known)} Known: {', '.join(known)}.")
    tell = listener(progress)
    model = model if isinstance(model, Model) else load(model, code)
    check_job(name, model)
    title = model.artefact.architecture.name
    if name == "set5":
        pairs = enlarging_pairs(model.scale)
        methods = {"bicubic": lambda x: resize(x, scale=model.scale), title: lambda x: enlarge(model, x)}
        found = measured(methods, {model.scale: pairs}, super_resolution(model.scale), progress=tell)
        note = "bicubic is measured here too: where it differs from the published one, so does the protocol"
        notes = (f"luma alone goes through this network of one channel. {note}" if model.channels == 1 else note,)
        return finish("set5", "scale", model=model, images=[names for names, _, _ in pairs], rows=found, notes=notes)
    rows, images = [], []
    for sigma in SIGMAS:
        pairs = noisy_pairs(name, sigma, seed)
        told = sigma / 255 if model.conditioned else None
        methods = {title: lambda x, told=told: run(model, x, told)}
        rows += measured(methods, {sigma: pairs}, grey_denoising(), progress=tell)
        images = [names for names, _, _ in pairs]
    notes = [f"noise of seed {seed}, not cut to [0, 1]"]
    if model.conditioned:
        notes.append("the network is told the noise's standard deviation")
    if model.channels != 1:
        notes.append("a network for colour: grey goes through it as equal channels")
    if "gaussian" not in (model.artefact.noise or ""):
        notes.append(f"trained against {model.artefact.noise or 'noise of its own pairs'}, not Gaussian noise")
    return finish(name, "sigma", model=model, images=images, rows=rows, notes=tuple(notes))


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
    pairs: Mapping[int, Sequence[Triple]],
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


def finish(
    name: Yardstick, unit: str, model: Model, images: list[str], rows: list[BenchmarkRow], notes: tuple[str, ...]
) -> Benchmark:
    """Put a result together, with the published numbers of its settings."""
    settings = sorted({row.setting for row in rows})
    size = sum(parameter.numel() for parameter in model.network.parameters())
    others = tuple(row for setting in settings for row in published(name, setting))
    title = model.artefact.architecture.name
    return Benchmark(
        name, unit, model=title, parameters=size, images=tuple(images), rows=tuple(rows), published=others, notes=notes
    )


def result_of(found: Benchmark) -> Result:
    """Return the result in every form; CSV: one line a method and setting, ours and published, with its source."""
    protocol, notes = found.rows[0].score("psnr").protocol, list(found.notes)
    values = {
        "benchmark": found.name,
        "model": found.model,
        "parameters": found.parameters,
        "protocol": {score.protocol.metric: str(score.protocol) for row in found.rows for score in row.scores},
        "notes": notes,
        "images": list(found.images),
        "measured": [
            {
                "method": row.method,
                found.unit: row.setting,
                **{score.protocol.metric: score.mean for score in row.scores},
                "each": {score.protocol.metric: list(score.values) for score in row.scores},
            }
            for row in found.rows
        ],
        "published": [
            {
                "method": row.method, found.unit: row.setting, "psnr": row.psnr, "ssim": row.ssim,
                "parameters": PAPERS[row.method].parameters, "source": PAPERS[row.method].source,
            }
            for row in found.published
        ],
    }  # fmt: skip
    rows: list[list[Any]] = [
        ["benchmark", "method", "parameters", found.unit, "psnr", "ssim", "origin", "protocol or source"]
    ]
    for row in found.rows:
        size = found.parameters if row.method == found.model else None
        scores = [f"{row.score('psnr').mean:.4f}", f"{row.score('ssim').mean:.5f}"]
        about = str(row.score("psnr").protocol)
        rows.append([found.name, row.method, size, row.setting, *scores, "measured here", about])
    for other in found.published:
        paper = PAPERS[other.method]
        numbers = [paper.parameters, other.setting, other.psnr, other.ssim]
        rows.append([found.name, other.method, *numbers, "published", paper.source])
    table = Table([f"{found.unit}>", "method", "parameters>", "PSNR>", "SSIM>", "from"], table_rows(found))
    verdict = f"{found.name}, {len(found.images)} images: {protocol}, mean over images"
    return Result(verdict, values, rows, shown=[verdict, table, *(f"note: {note}" for note in notes)])


def table_rows(found: Benchmark) -> list[list[str]]:
    """Return a table for people, by setting and PSNR: setting, method, parameters, PSNR, SSIM, origin."""
    rows: list[tuple[int, float, list[str]]] = []
    for row in found.rows:
        psnr, ssim = row.score("psnr").mean, row.score("ssim").mean
        size = f"{found.parameters:,}" if row.method == found.model else ""
        cells = [row.method, size, f"{psnr:.2f}", f"{ssim:.4f}", "measured here"]
        rows.append((row.setting, psnr if math.isfinite(psnr) else -math.inf, cells))
    for other in found.published:
        paper = PAPERS[other.method]
        size = f"about {paper.parameters:,}" if paper.parameters else ""
        ssim = "" if other.ssim is None else f"{other.ssim:.4f}"
        rows.append((other.setting, other.psnr, [other.method, size, f"{other.psnr:.2f}", ssim, "published"]))
    return [[str(setting), *cells] for setting, _, cells in sorted(rows, key=lambda row: row[:2])]
