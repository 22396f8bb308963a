"""A network's card for other people: what it is, how to use it, what it was judged against, where its limits are."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cuello.core.errors import CuelloError
from cuello.core.rights import NOT_STATED
from cuello.core.version import VERSION
from cuello.data.handed import is_handed
from cuello.exporting.plain import PLACES
from cuello.inference.bundled import ready_spec
from cuello.inference.model import Model
from cuello.models.summary import summarise
from cuello.runs.artefact import Artefact
from cuello.runs.directory import Run
from cuello.runs.look import SHOWN_SCORES, job_words
from cuello.runs.origin import told_origins
from cuello.runs.rights import rights_of, trained_on
from cuello.work.train import repeat_command

MOST_CLASSES = 12
PICTURES = ("examples", "mistakes", "methods", "confusion")
"""Figures of a run's report that a card shows, where they are there."""
CAPTIONS = {
    "examples": "Test images: what went in, what classical methods and the network made of it, what it should be.",
    "mistakes": "Test images that the network takes for another class.",
    "methods": "The network beside the classical methods, on the same images.",
    "confusion": "Classes, and what the network takes them for.",
}


@dataclass(frozen=True)
class Yardstick:
    """One evaluation: of which images, what holds for all of it, each score and how it is measured, the rows beside."""

    images: str
    about: str
    scores: Mapping[str, float]
    protocols: Mapping[str, str]
    others: Sequence[tuple[str, Mapping[str, float]]] = ()


@dataclass(frozen=True)
class Subject:
    """What a card is about. run: None for a file alone. metrics: of the run's evaluation, empty where there is none."""

    name: str
    model: Model
    run: Run | None = None
    metrics: Mapping[str, Any] = field(default_factory=dict)

    @property
    def measured(self) -> list[Yardstick]:
        """Every evaluation that is known: the run's, or what a ready model's file says."""
        return [*measured_by_run(self.metrics, self.model), *measured_by_file(self.model.artefact.metrics)]


def subject_of(model: Model) -> Subject:
    """Return what is known of a model: with its run's evaluation, where it is a run's."""
    run, metrics = model._run, {}
    if run is not None and run.config_path.is_file():
        with suppress(CuelloError):
            metrics = run.metrics
    else:
        run = None
    path = model.path
    name = run.path.resolve().name if run is not None else (path.stem if path is not None else "network")
    return Subject(name if name != "model" else model.artefact.architecture.name, model, run, metrics=metrics)


def measured_by_run(metrics: Mapping[str, Any], model: Model) -> list[Yardstick]:
    """Return what a run's evaluation found, the network's row first."""
    methods = metrics.get("methods")
    if not isinstance(methods, Mapping) or "network" not in methods:
        return []
    rows = {key: known_scores(method) for key, method in methods.items()}
    others = [(str(methods[key].get("label", key)), rows[key]) for key in methods if key != "network"]
    protocol = metrics.get("protocol", {})
    said = [f"{protocol['images']} images"] if "images" in protocol else []
    said += [f"noise {metrics['noise']}"] if metrics.get("noise") else []
    measures = {name: text for name, text in dict(protocol.get("metrics", {})).items() if name in rows["network"]}
    data = Path(str(model.artefact.training.get("data", "images"))).name
    images = f"{data}, images kept apart from training"
    return [Yardstick(images, ", ".join(said), rows["network"], protocols=measures, others=others)]


def known_scores(method: Mapping[str, Any]) -> dict[str, float]:
    return {name: method[name] for name in SHOWN_SCORES if isinstance(method.get(name), int | float)}


def measured_by_file(metrics: Mapping[str, Any]) -> list[Yardstick]:
    """Return the published yardsticks that a ready model's file states."""
    found = []
    for score in metrics.get("scores", ()):
        values = {name: one for name, one in score.items() if isinstance(one, Mapping) and "value" in one}
        setting = ", ".join(
            f"{name} {one}" for name, one in score.items() if name not in (*values, "yardstick", "beside")
        )
        scores = {name: float(one["value"]) for name, one in values.items()}
        protocols = {name: str(one.get("protocol", "")) for name, one in values.items()}
        found.append(Yardstick(f"{score['yardstick']} ({setting})", "", scores, protocols=protocols))
    return found


def card(subject: Subject, use: Sequence[str], pictures: Sequence[str] = ()) -> str:
    """Return a card as Markdown. use: lines of how to use it. pictures: names of PNG files beside it."""
    shown = [f"![{CAPTIONS[name]}]({name}.png)\n\n{CAPTIONS[name]}" for name in pictures]
    parts = [
        f"# {subject.name}", purpose(subject), "## Use", *use,
        "## What it takes and gives", facts_table(facts(subject)),
        "## Validation", *validation(subject), *shown,
        "## Limits", "\n".join(f"- {one}" for one in limits(subject)),
        "## Licence and data", facts_table(list(rights_of(subject.model.artefact).items())),
    ]  # fmt: skip
    if subject.run is not None and not is_handed(str(subject.run.config.data)):
        parts += ["## Made by", f"```bash\n{command_of(subject)}\n```"]
    elif commands := subject.model.artefact.metrics.get("commands"):
        parts += ["## Made by", "```bash\n" + "\n".join(map(str, commands)) + "\n```"]
    return "\n\n".join([*parts, f"Written by cuello {VERSION}.\n"])


def command_of(subject: Subject) -> str:
    """Return what trained it, without the ways to the images on the machine where that was."""
    assert subject.run is not None
    text, training = repeat_command(subject.run), subject.model.artefact.training
    for name in PLACES:
        if "/" in (place := str(training.get(name) or "")):
            text = text.replace(place, Path(place).name)
    return text


def purpose(subject: Subject) -> str:
    about = subject.model.artefact
    count = sum(one.numel() for one in about.weights.values())
    return (
        f"The network `{about.architecture.name}`, {count:,} numbers, trained with Cuello for the job "
        f"**{job_words(about.job, about.noise)}** on {trained_on(about.training, about.trained_on)}"
        f"{f', starting from {about.started_from[0].name}' if about.started_from else ''}."
    )


def facts(subject: Subject) -> list[tuple[str, str]]:
    model = subject.model
    summary = summarise(model.network, model.channels, model.size or (64, 64))
    colours = {1: "grey", 3: "colour"}.get(model.channels, f"{model.channels} channels")
    sizes = f"{model.size[1]}×{model.size[0]} pixels" if model.size else "any size"
    field = f"{summary.receptive_field} pixels" if summary.receptive_field else "the whole image"
    names = list(model.classes[:MOST_CLASSES]) + (["…"] if len(model.classes) > MOST_CLASSES else [])
    gives = f"{len(model.classes)} classes: {', '.join(names)}" if model.classes else "an image of the same size"
    if model.artefact.classifier:
        gives = "an occlusion map of the same size"
    if model.scale > 1:
        gives = f"an image with {model.scale} times as many pixels a side"
    found = [
        ("images", f"{colours}, {sizes}"),
        ("gives", gives),
        ("values", f"{model.levels} stand for black and white" if model.levels else "the type's full scale, or 0 to 1"),
        ("multiply-adds per pixel", f"{summary.multiply_adds_a_pixel:,.0f}"),
        ("sees around a pixel", field),
    ]
    if model.conditioned:
        found.append(("told", "the noise's level; where nobody states it, it is estimated from the image"))
    return found


def facts_table(items: Sequence[tuple[str, str]]) -> str:
    return "\n".join(["| | |", "|---|---|", *(f"| {cell(name)} | {cell(text)} |" for name, text in items)])


def cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def validation(subject: Subject) -> list[str]:
    """Say what it was judged against, and how that ended."""
    found = [str(verdict)] if (verdict := subject.metrics.get("verdict")) else []
    judged = [one for one in subject.measured if one.others]
    for one in judged:
        found += [scores_table(one.images, [("**this network**", one.scores), *one.others]), *measures(one)]
    if published := [one for one in subject.measured if not one.others]:
        found += [scores_table("images", [(one.images, one.scores) for one in published]), *measures(published[0])]
    return [one for one in found if one] or [
        "It has not been judged yet: nothing says that it is better than no network."
    ]


def scores_table(heading: str, rows: Sequence[tuple[str, Mapping[str, float]]]) -> str:
    names = list(rows[0][1])
    lines = [
        f"| {cell(heading)} | {' | '.join(SHOWN_SCORES[name][0] for name in names)} |",
        f"|---|{'---:|' * len(names)}",
    ]
    for label, scores in rows:
        lines.append(f"| {cell(label)} | {' | '.join(score_text(scores, name) for name in names)} |")
    return "\n".join(lines)


def measures(measured: Yardstick) -> list[str]:
    """Say how the scores of an evaluation were measured."""
    said = []
    for name, text in measured.protocols.items():
        label = score_label(name)
        said.append(f"- {text}" if text.startswith(label) else f"- {label}: {text}")
    return [f"Yardstick on {measured.about}." if measured.about else "", "\n".join(said)]


def score_label(name: str) -> str:
    """Return what people call a score, without its unit."""
    return SHOWN_SCORES[name][0].partition(",")[0]


def score_text(scores: Mapping[str, float], name: str) -> str:
    return SHOWN_SCORES[name][1].format(scores[name]) if name in scores else ""


def limits(subject: Subject) -> list[str]:
    """Say what a user should not expect; of what is known of every network, and of this one."""
    model, about = subject.model, subject.model.artefact
    data, _, _ = trained_on(about.training, about.trained_on).partition(" (")
    found = [f"It has learned from {data}. Of images that look otherwise nothing is known."]
    if about.noise and model.scale > 1:
        found.append(
            f"It has learned to undo {about.noise}, simulated. Images that were made smaller in another way, or that "
            "are noisy, may come out worse, or with structure that was not there."
        )
    elif about.noise:
        found.append(
            f"It has learned to undo {about.noise}, simulated. Other noise may stay, or be taken for structure."
        )
    if about.noise_models:
        found.append("It belongs to images with the noise that it was trained for: the same camera and settings.")
    if model.classes:
        found.append("Whatever is shown to it, it names one of its classes; it has no word for what it does not know.")
    else:
        found.append("What it adds is what is likely, not what was measured: no evidence for a single detail.")
    if not subject.measured:
        found.append("It was not evaluated beside classical methods.")
    if (ready := ready_spec(model.path)) is not None:
        found.append(f"It is not for {ready.not_for}.")
    if about.training.get("license") is None:
        found.append(f"Its licence is {NOT_STATED}: ask its author before you use it.")
    return [*found, *(f"{one[0].upper()}{one[1:]}" for one in handed_down(about))]


def handed_down(artefact: Artefact) -> list[str]:
    """Say whose the weights were that a network began with; nothing where it began with none."""
    origins = artefact.started_from
    return [f"it started from {told_origins(origins)}: see that its licence fits theirs."] if origins else []


def figures_of(subject: Subject) -> dict[str, bytes]:
    """Return the pictures of the run's report that a card shows."""
    if subject.run is None:
        return {}
    folder = subject.run.figures
    return {name: path.read_bytes() for name in PICTURES if (path := folder / f"{name}.png").is_file()}
