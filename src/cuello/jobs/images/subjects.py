"""Which images a network is judged on: a run's own test images, or others that are named."""

from cuello.data.batches import Batches
from cuello.data.catalog import open_source
from cuello.data.images import load_images, pair
from cuello.inference.model import Model
from cuello.jobs.base import Request
from cuello.jobs.data import Prepared, reading
from cuello.jobs.images.evaluation import Subjects, subjects_of_batches, subjects_of_images


def own_subjects(prepared: Prepared) -> tuple[Subjects, list[str]]:
    """Return the images of a run's own data to evaluate on, and a note on which they are."""
    part: Batches = prepared.test or prepared.validation
    which = "test images, never seen in training"
    if prepared.test is None:
        which = "validation images, on which the best epoch was chosen (--test keeps some apart)"
    return subjects_of_batches(part), [f"Scores are those of the {which}."]


def named_subjects(model: Model, request: Request) -> tuple[Subjects, list[str]]:
    """Read whole images to evaluate on (and their clean counterparts), and say in notes which they are."""
    policy = "skip" if request.on_error == "skip" else "stop"
    loaded = load_images(
        open_source(str(request.images), model.levels), model.channels, None, policy, reading(request.progress)
    )
    if request.target is not None:
        clean = load_images(open_source(str(request.target), model.levels), model.channels, None, on_error=policy)
        loaded = pair(loaded, clean, scale=model.scale, on_error=policy)
    notes = [f"Scores are those of {request.images}, {len(loaded)} whole images.", *loaded.notes]
    notes += [f"left out: {reason}" for reason in loaded.skipped]
    return subjects_of_images(loaded), notes
