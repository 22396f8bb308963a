"""Trained networks on a published yardstick, measured as the literature does, beside what others reached."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from torch import Tensor

from cuello.core.progress import OnProgress, Progress, silent
from cuello.inference.model import Model
from cuello.jobs.images.examples import Example
from cuello.jobs.images.network_cost import NetworkCost, cost_of
from cuello.jobs.images.yardsticks import YARDSTICKS, Method, Triple, YardstickKind, YardstickSpec
from cuello.scoring.protocols import Protocol, ProtocolScore, luma
from cuello.scoring.published import Published, Yardstick, published
from cuello.scoring.repeats import Spread, spread

Setting = int | str
"""A scale, a noise level out of 255, a JPEG quality, or a degradation as a spec string has it."""


@dataclass(frozen=True)
class Entrant:
    """A network in a benchmark: its name in tables, and its trained models by seed, several where it was repeated."""

    name: str
    models: Mapping[int, Model]

    @property
    def first(self) -> Model:
        return next(iter(self.models.values()))


@dataclass(frozen=True)
class BenchmarkRow:
    """A method at one setting. scores: of wrong pixels of binary images, of PSNR, of PSNR-B against JPEG, and, where
    images are large enough, SSIM. seed: of one of several repeats of a network, None otherwise.
    """

    method: str
    setting: Setting
    scores: tuple[ProtocolScore, ...]
    seed: int | None = None

    def score(self, metric: str) -> ProtocolScore:
        """Return the score of ``psnr``, ``psnr-b``, ``ssim`` or ``wrong``."""
        return next(score for score in self.scores if score.protocol.metric == metric)


@dataclass(frozen=True)
class Benchmark:
    """What a benchmark found.

    name: the yardstick, or the images. unit: what a setting is (``scale``, ``sigma``, ``quality`` or ``noise``).
    networks: their parameters by name, in the order in which they were named. images: their names. rows: the
    networks', and what is measured beside them. published: others' numbers at the same settings, as printed. notes:
    what a reader must know. examples: some images, restored by every method. costs: of each network, for one image.
    """

    name: str
    unit: str
    networks: Mapping[str, int]
    images: tuple[str, ...]
    rows: tuple[BenchmarkRow, ...]
    published: tuple[Published, ...] = ()
    notes: tuple[str, ...] = field(default=())
    examples: tuple[Example, ...] = ()
    costs: Mapping[str, NetworkCost] = field(default_factory=dict)

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
    spec = YARDSTICKS[name]
    kind = spec.kind
    for entrant in entrants:
        kind.check(name, entrant.first)
    rows, images = [], []
    for setting in settings_of(kind, entrants):
        triples = kind.pairs(name, setting, seed)
        there = [entrant for entrant in entrants if kind.unit != "scale" or entrant.first.scale == setting]
        protocols = kind.protocols(setting)
        control = {kind.control: kind.controlled(setting)}
        rows += measured(control, {setting: triples}, protocols, progress=progress)

        def restored(model: Model, x: Tensor, setting: int = setting) -> Tensor:
            return kind.restored(model, setting, x)

        rows += measured_networks(there, setting, triples, protocols=protocols, run=restored, progress=progress)
        images = [names for names, _, _ in triples]
    notes = yardstick_notes(spec, entrants, seed)
    if spec.shared:
        notes += shared_notes(spec, entrants, rows, images=images)
    return finish(name, kind.unit, entrants, images=images, rows=rows, notes=notes)


def settings_of(kind: YardstickKind, entrants: Sequence[Entrant]) -> list[int]:
    """Return what networks are measured at: their own scales, or all noise levels or qualities."""
    scales = {entrant.first.scale for entrant in entrants}
    return [setting for setting in kind.settings if kind.unit != "scale" or setting in scales]


def yardstick_notes(spec: YardstickSpec, entrants: Sequence[Entrant], seed: int) -> list[str]:
    """Say how the images were spoiled, and what is unusual of the networks."""
    kind = spec.kind
    if kind.unit == "scale":
        return [
            *named(entrants, lambda model: model.channels == 1, "luma alone goes through {} of one channel"),
            "bicubic is measured here too: where it differs from the published one, so does the protocol",
        ]
    if kind.unit == "sigma":
        notes = [f"noise of seed {seed}, not cut to [0, 1]", *network_notes(entrants, grey=not spec.colour)]
        notes += one_channel_notes(entrants) if spec.colour else []
    else:
        notes = [
            "encoded and decoded as grey by Pillow's libjpeg, its own tables scaled by the quality; JPEG is measured "
            "here too: where it differs from the published one, so does the protocol",
            *network_notes(entrants, grey=True, told=False),
        ]
    for entrant in entrants:
        noise = entrant.first.artefact.noise or "noise of its own pairs"
        if kind.noise not in noise:
            who = entrant.name if len(entrants) > 1 else "the network"
            notes.append(f"{who} was trained against {noise}, not {kind.said}")
    return notes


def shared_notes(
    spec: YardstickSpec, entrants: Sequence[Entrant], rows: Sequence[BenchmarkRow], *, images: Sequence[str]
) -> list[str]:
    """Say which images are no test of networks that were trained on them, and what those reach on the others."""
    own = np.isin(images, spec.own)
    of = f"{len(images) - own.sum()} of the {len(images)} images"
    trained = [entrant.name for entrant in entrants if learned_from(entrant.first, spec.shared)]
    if not trained or not own.any():
        return [f"{of} are in {spec.shared} too: they are no test of a network that was trained there"]
    found = []
    for name in (spec.kind.control, *trained):
        means = [float(np.mean(np.array(row.score("psnr").values)[own])) for row in rows if row.method == name]
        found.append(f"{name} {', '.join(f'{mean:.2f}' for mean in means)} dB")
    alone = f"PSNR on the {own.sum()} others, in the order of the rows: {'; '.join(found)}"
    return [f"{of} are in {spec.shared}, where {' and '.join(trained)} was trained, and are no test of it. {alone}"]


def learned_from(model: Model, data: str) -> bool:
    """Tell whether a network's file says that it learned from a data set, in its settings or in its words."""
    about = model.artefact
    return data in f"{about.training.get('data')} {about.trained_on}"


def named(entrants: Sequence[Entrant], has: Callable[[Model], bool], note: str) -> list[str]:
    """Return a note on every network that has something, with its name for {}; on "the network" where it is alone."""
    return [
        note.format(entrant.name if len(entrants) > 1 else "the network") for entrant in entrants if has(entrant.first)
    ]


def one_channel_notes(entrants: Sequence[Entrant]) -> list[str]:
    """Say which networks see colour a channel at a time."""
    note = "{} is of one channel: red, green and blue go through it one at a time"
    return named(entrants, lambda model: model.channels == 1, note)


def network_notes(entrants: Sequence[Entrant], grey: bool, told: bool = True) -> list[str]:
    """Say which networks are told the noise, or estimate it, and which see grey images as colour."""
    level = "is told the noise's standard deviation" if told else "takes a noise level, which it estimates"
    notes = named(entrants, lambda model: model.conditioned, f"{{}} {level}")
    if grey:
        notes += named(
            entrants, lambda model: model.channels == 3, "{} is for colour: grey goes through it as equal channels"
        )
    return notes


def measured(
    methods: dict[str, Method],
    pairs: Mapping[Setting, Sequence[Triple]],
    protocols: Sequence[Protocol],
    progress: OnProgress = silent,
) -> list[BenchmarkRow]:
    """Run methods on pairs by setting, and measure them under ``protocols``, all of one channel."""
    rows = []
    for setting, triples in pairs.items():
        for method, function in methods.items():
            images, goals = [], []
            for done, (_, given, target) in enumerate(triples):
                image = function(given)
                goal = luma(target) if protocols[0].channel == "luma" and image.shape[1] < target.shape[1] else target
                images.append(image[0])
                goals.append(goal[0])
                progress(Progress(f"{method}, {setting}", done + 1, len(triples)))
            rows.append(BenchmarkRow(method, setting, tuple(one.score(images, goals) for one in protocols)))
    return rows


def measured_networks(
    entrants: Iterable[Entrant],
    setting: Setting,
    pairs: Sequence[Triple],
    *,
    protocols: Sequence[Protocol],
    run: Callable[[Model, Tensor], Tensor],
    progress: OnProgress = silent,
) -> list[BenchmarkRow]:
    """Run networks, each repeat of each, on pairs, and measure them as ``measured`` does."""
    rows = []
    for entrant in entrants:
        for seed, model in entrant.models.items():
            method = {entrant.name: lambda x, model=model: run(model, x)}
            found = measured(method, {setting: pairs}, protocols, progress=progress)
            rows += [replace(row, seed=seed if len(entrant.models) > 1 else None) for row in found]
    return rows


def parameters_of(costs: Mapping[str, NetworkCost]) -> dict[str, int]:
    """Return how many parameters each network has."""
    return {name: cost.parameters for name, cost in costs.items()}


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
    costs = {entrant.name: cost_of(entrant.first) for entrant in entrants}
    found = Benchmark(
        name, unit, parameters_of(costs), images=tuple(images), rows=tuple(rows), notes=tuple(notes), costs=costs
    )
    return replace(found, published=tuple(row for setting in found.settings for row in published(name, int(setting))))
