"""What the reports of all jobs share: how a network was trained, what it is, and how to do it again."""

from collections.abc import Callable, Sequence

from cuello.inference.model import Model
from cuello.models.summary import summarise
from cuello.report.figures import learning_curves, save_both
from cuello.report.page import Command, Facts, Picture, Section
from cuello.report.result import Result
from cuello.runs.directory import Run
from cuello.runs.history import EpochRecord
from cuello.runs.rights import rights_of


def write_run_page(run: Run, result: Result, subtitle: str, sections: Sequence[Section]) -> None:
    """Write a run's report.html, with what is known of the machine it was trained on."""
    title, known = run.path.resolve().name, run.environment or {}
    result.write_page(run.report_path, title, subtitle=subtitle, sections=sections, environment=known)


def curves_picture(run: Run, name: str, left: str, right: str, value: Callable[[EpochRecord], float]) -> Picture:
    """Draw figures/NAME.png: loss by epoch, titled ``left``, and a value of the validation, titled ``right``."""
    history = run.history
    themes = save_both(
        run.figures, name, lambda theme: learning_curves(history, theme, left, right_title=right, value=value)
    )
    return Picture(themes, f"{left}; {right}", "The dot: the epoch that is kept.")


def run_sections(run: Run, model: Model, curves: Picture, command: str) -> list[Section]:
    """Make the last sections of a report. curves: drawn by epoch. command: what to type to repeat the training."""
    settings = [(name, str(value)) for name, value in run.config.model_dump(exclude_none=True).items()]
    note = (
        "Same seed, same machine, same number of threads: the same weights, bit for bit. They are in "
        f"{run.model_path.name} beside this page."
    )
    return [
        Section("Training", parts=[curves, Facts(facts(model, run.history))]),
        Section("Licence and data", parts=[Facts(list(rights_of(model.artefact).items()))]),
        Section("Do it again", parts=[Command(command, note)]),
        Section("Every setting", parts=[Facts(settings)], folded=True),
    ]


def facts(model: Model, history: Sequence[EpochRecord]) -> list[tuple[str, str]]:
    summary = summarise(model.network, model.channels)
    of_input = " of the input" if model.scale > 1 else ""
    seconds = sum(record.seconds for record in history)
    training_seconds = sum(record.training_seconds for record in history)
    speed = sum(record.images for record in history) / training_seconds if training_seconds else None
    tensors = model.artefact.weights.values()
    trained = sum(tensor.numel() for tensor in tensors) - summary.frozen
    folded = [("parameters, folded for use", f"{summary.trainable:,}")] if trained > summary.trainable else []
    field = f"{summary.receptive_field} pixels{of_input}" if summary.receptive_field else "the whole image"
    return [
        ("trainable parameters", f"{max(trained, summary.trainable):,}"),
        *folded,
        (f"multiply-adds per pixel{of_input}", f"{summary.multiply_adds_a_pixel:,.0f}"),
        ("receptive field", field),
        ("epochs", f"{len(history)}"),
        ("training time", f"{seconds / 60:.1f} minutes" if seconds >= 90 else f"{seconds:.0f} seconds"),
        ("training speed", f"{speed:,.0f} images per second" if speed is not None else "–"),
        ("file", f"{sum(t.numel() * t.element_size() for t in tensors) / 1000:,.1f} kB of weights"),
    ]
