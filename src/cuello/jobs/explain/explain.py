"""Occlusion maps of files: a classifier and images in, arrays, pictures and a page out."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, final

import numpy as np

from cuello.core.caller import caller_kept
from cuello.core.errors import CuelloError, Interrupted, worded
from cuello.core.pool import Pool
from cuello.core.progress import OnProgress, Progress, listener
from cuello.core.settings import OnError
from cuello.data.catalog import open_within
from cuello.data.folders import check_outside
from cuello.data.handed import from_python
from cuello.data.images import Images, load_images, parse_size, subset
from cuello.inference.model import Model
from cuello.jobs.explain.check import Check, check_share, checked
from cuello.jobs.explain.chosen import chosen
from cuello.jobs.explain.classifier import ExplainedClassifier, class_number, fitting, groups, open_classifier
from cuello.jobs.explain.estimator import MapEstimator, chosen_settings, estimate, open_estimator, predicted
from cuello.jobs.explain.figures import Compared, Scale, Shown
from cuello.jobs.explain.folder import BegunFiles, claimed, remove_overlays
from cuello.jobs.explain.groups import (
    ExactElsewhere,
    GroupArrays,
    GroupMaps,
    exact_of,
    in_order,
    together,
    worker_count,
)
from cuello.jobs.explain.output import SHEET, WORST, Explained, as_pixels, draw_overlay, save, shown_of
from cuello.jobs.explain.settings import MapSettings
from cuello.saliency import DEFINITIONS, SCORES
from cuello.saliency.answers import Outputs
from cuello.training.watched import watched

EXACT, ESTIMATED = {"most": 64, "pixels": 2**18}, {"most": 100, "pixels": 2**19}
"""Images, and pixels of images, whose maps are made at once, at most."""


# More than seven parameters: those by name are the settings of one call, each a flag of `cuello explain`.
@caller_kept()
@watched()
@from_python("images")
def explain(
    classifier: str | Path,
    images: Any,
    output: str | Path,
    *,
    model: str | Path | None = None,
    check: float | None = None,
    seed: int = 0,
    box: int | None = None,
    stride: int | None = None,
    fill: float | str | None = None,
    sigma: float | None = None,
    padding: int | None = None,
    class_: str | int | None = None,
    definition: str | None = None,
    score: str | None = None,
    outputs: Outputs | None = None,
    resize: str | None = None,
    range: str | tuple[float, float] | None = None,
    limit: int | None = None,
    pictures: int = 100,
    on_error: OnError = "skip",
    workers: int = 1,
    overwrite: bool = False,
    device: str = "cpu",
    progress: OnProgress | bool | None = None,
) -> Explained:
    """Make occlusion maps of images, exact or estimated, and write them as arrays, pictures and a page.

    classifier: a run directory or model.safetensors of `cuello train classify`, or an ONNX file (extra `onnx`) that
    gives class scores before softmax, or what ``outputs`` says, as in `cuello.occlusion_map`. images: a file, folder,
    array file or data set. box (3), stride (1, both pixels), fill (0), sigma (3), definition ("mean-drop"), score (the
    definition's): as in `cuello.occlusion_map`. padding: pixels of 0 put around the images for an ONNX file (0), boxes
    slide over them too; Cuello's classifiers know theirs. class_: which one, "predicted" (the default), its name, or
    its number from 0. resize: "WIDTHxHEIGHT" for the images; by default as in training. range: what stands for black
    and white in them, "LOW..HIGH", "auto" or "full"; by default as in training. limit: images at most, those for
    testing first; by default 32 of a data set of the catalogue, all of other images. pictures: how many overlays are
    drawn, at most, spread evenly over the images. on_error: "skip" leaves out images that cannot be read or
    explained, "stop" raises the first one's error. workers: processes of one thread each that share exact maps; their
    order is the same, and the maps to float32's rounding. progress: called with events.

    model: a run directory or model.safetensors of `cuello train explain` that learned this classifier's maps; they are
    then estimated in one pass, of each image's predicted class and with the settings that it learned, which need not be
    given. check: a share of the images, 0 to 1, drawn at random with ``seed``, is explained exactly too, and compared.

    Written to the folder ``output``: maps.npz (``maps`` ``(N, H, W)`` float32, or ``map_0``, ``map_1``, … for images of
    several sizes; ``names``; ``classes``, numbers; ``class_names``; ``scores`` without a box; ``settings``, JSON),
    overlays/NAME.png, explain.png and explain.html (all at a glance), explain.json (settings, versions, every image,
    the check). Stopped by Ctrl-C, the same for the images that are finished.

    Raises CuelloError where files would be replaced without ``overwrite``, the model is no classifier, the class is
    none of its classes, images do not fit, or an estimator is none, or learned something else; Interrupted after
    Ctrl-C.

    >>> import cuello, tempfile
    >>> folder = tempfile.mkdtemp()
    >>> run = cuello.train("classify", "glyphs", epochs=1, samples=32, output=folder + "/run", report=False)
    >>> found = explain(run.path, "glyphs", folder + "/maps", box=2, pictures=1)
    >>> len(found.maps), found.maps[0].shape
    (32, (7, 5))
    """
    if pictures < 0:
        raise CuelloError(f"--pictures: got {pictures}, needed 0 or more.")
    if workers < 1:
        raise CuelloError(f"--workers: got {workers}, needed 1 or more.")
    tell = listener(progress)
    check_check(model, check)
    explained = open_classifier(classifier, device, padding)
    estimator = open_estimator(model, explained, device) if model is not None else None
    if check is not None and explained.exported:
        raise CuelloError(
            f"--check: {classifier} is an exported file, which hides the scores that exact maps are compared by. Name "
            "the run that it was written from."
        )
    outputs = outputs or (None if estimator else explained.outputs)
    settings = chosen_settings(
        {"box": box, "stride": stride, "fill": None if fill is None else str(fill), "sigma": sigma,
         "definition": definition, "score": score, "outputs": outputs},
        estimator,
    )  # fmt: skip
    wanted = "predicted" if class_ is None else class_
    if estimator and wanted != "predicted":
        raise CuelloError(
            f"--class_: got {wanted!r}, but {estimator.name} learned the maps of the class that the classifier "
            "predicts, and no other's. Leave out --class_, or leave out --model to make exact maps."
        )
    number = class_number(wanted, explained.classes)
    trained = [one.artefact.training.get("resize") for one in (estimator and estimator.model, explained.own) if one]
    size = parse_size(resize or next(filter(None, trained), None))
    record = {"classifier": str(classifier), "images": str(images), **asdict(settings), "fill": settings.shown}
    record |= {"score": settings.watched, "class": wanted, "padding": explained.padding}
    record |= {"model": estimator.path} if estimator else {}
    record |= {"range": str(range)} if range is not None else {}
    record |= {"limit": limit} if limit is not None else {}
    record |= {"check": check, "seed": seed} if check is not None else {}
    found = Explained(
        Path(output).expanduser(),
        scored_in_percent=not SCORES[settings.watched].logits,
        estimator=estimator.name if estimator else None,
    )
    check_outside(images, found.folder)
    with claimed(found.folder, overwrite) as begun:
        source = open_within(str(images), range, explained.own.levels if explained.own else None)
        source = chosen(source, str(images), limit=limit, own=explained.own)
        loaded = load_images(source, explained.channels, size, on_error=on_error, progress=tell)
        found.notes += loaded.notes
        if explained.exported and estimator is None and explained.own and padded_by(explained.own):
            found.note("boxes do not slide over the padding that is in the exported file; over all of it with the run")
        found.failed += [(str(images), reason) for reason in loaded.skipped]
        if size and not resize:
            found.note(f"images were resized to {size[0]}×{size[1]} pixels, as in training")
        who = "the classifier" if explained.size or estimator is None else estimator.name
        takes = explained.size or (estimator.model.size if estimator else None)
        kept, failed = fitting(loaded, takes, who=who, on_error=on_error)
        found.failed += failed
        fit = subset(loaded, kept)
        explaining = Explaining(
            explained, estimator, settings, number=number, images=fit, on_error=on_error, progress=tell, found=found
        )
        explaining.share(str(classifier), device, workers)
        explaining.run(record, begun, pictures=pictures, check=check, seed=seed)
    return found


@final
@dataclass
class Explaining:
    """A call of explain: what is explained, and how. number: the class, or "predicted"."""

    classifier: ExplainedClassifier
    estimator: MapEstimator | None
    settings: MapSettings
    number: str | int
    images: Images
    on_error: str
    progress: OnProgress
    found: Explained
    workers: int = 1
    begin: ExactElsewhere | None = None

    def share(self, classifier: str, device: str, workers: int) -> None:
        """Share exact maps among processes, where there are several groups of images and others can make them."""
        if self.estimator is not None:
            return
        count = len(groups(self.images, range(len(self.images)), **EXACT))
        self.workers, note = worker_count(self.classifier, count, workers)
        if note is not None:
            self.found.note(note)
        known = (self.classifier.checksum, None) if self.classifier.own else (None, self.classifier.padding)
        self.begin = ExactElsewhere(
            classifier, known[0], device, padding=known[1], settings=self.settings, number=self.number
        )

    def run(self, record: dict[str, Any], begun: BegunFiles, *, pictures: int, check: float | None, seed: int) -> None:
        """Make the maps, check them, and write everything; stopped by Ctrl-C, what is finished. record: settings."""
        found, images, scale = self.found, self.images, self.scale()
        sheet: list[Shown] = []
        compared: list[Compared] = []

        def write() -> None:
            save(
                found, begun, classifier=self.classifier.name, sheet=sheet, compared=compared, scale=scale,
                settings=record,
            )  # fmt: skip

        remove_overlays(found.folder)
        drawn = spread(len(images), pictures)
        try:
            made = self.make_all(begun, sheet, drawn)
            if not made:
                raise CuelloError(
                    f"no image of {record['images']} could be explained; the first problem: {found.failed[0][1]}"
                )
            if self.estimator and check is not None:
                explained = subset(images, made)
                found.check = checked(
                    self.estimator, self.classifier, explained, maps=found.maps, share=check, seed=seed,
                    progress=self.telling("checking exactly"),
                )  # fmt: skip
                compared += worst_of(found.check, explained)
        except KeyboardInterrupt:
            if not found.maps:
                raise
            write()
            unchecked = ", unchecked" if check is not None else ""
            raise Interrupted(
                f"stopped; the maps of {len(found.maps)} of {len(images)} images are in {found.folder}{unchecked}."
            ) from None
        if len(drawn) < len(images):
            many = len(images)
            found.note(worded(f"overlays are drawn of {len(drawn)} of {many} images; of all with --pictures={many}"))
        write()

    def make_all(self, begun: BegunFiles, sheet: list[Shown], drawn: set[int]) -> list[int]:
        """Make the maps group by group, with overlays and what the page shows; return which images are explained."""
        at_a_glance, scale, found = spread(len(self.images), SHEET), self.scale(), self.found
        made: list[int] = []
        spent = 0.0
        started = time.perf_counter()
        for ready in self.added(groups(self.images, range(len(self.images)), **ESTIMATED if self.estimator else EXACT)):
            spent += time.perf_counter() - started
            made += ready
            found.seconds = spent / max(1, len(made))
            for place, position in enumerate(ready, len(found.maps) - len(ready)):
                shown = shown_of(self.images.arrays[position], found, place=place, scale=scale)
                if position in at_a_glance:
                    sheet.append(shown)
                if position in drawn:
                    found.overlays.append(draw_overlay(begun, shown, scale))
            started = time.perf_counter()
        return made

    def added(self, every: Sequence[Sequence[int]]) -> Iterator[list[int]]:
        """Add the maps of groups of images, here or made by others, and yield which images of each are explained."""
        if self.workers == 1 or self.begin is None:
            yield from map(self.add, every)
            return
        pool = Pool(self.begin, GroupArrays(self.images, every), self.workers)
        try:
            for done in in_order(pool):
                positions = every[done.place]
                if done.ended:
                    yield self.left_out(positions, "the process at it was ended from outside, twice, perhaps because "
                                        "memory ran out. Give smaller images")  # fmt: skip
                else:
                    yield self.add(positions, done.result)
                self.telling("explaining", 1)(Progress("", 0))
        finally:
            pool.stop()

    def left_out(self, positions: Sequence[int], why: str) -> list[int]:
        """Leave images out, and say why; where the first error is to stop all, it is raised."""
        if self.on_error == "stop":
            raise CuelloError(f"{self.images.names[positions[0]]}: {why}")
        self.found.failed += [(self.images.names[position], why) for position in positions]
        return []

    def add(self, positions: Sequence[int], made: GroupMaps | None = None) -> list[int]:
        """Add the maps of these images to what is found; return which they are: one that is refused is left out.

        Where a group is refused its images are explained one by one, to know which it is. made: its maps, where another
        process made them.
        """
        names, found = self.images.names, self.found
        try:
            maps, numbers, scores, method, notes = made or self.maps_of(positions)
        except Exception as error:  # whatever one image raises, the others go on
            if len(positions) > 1:
                return [one for position in positions for one in self.add([position])]
            why = str(error) if isinstance(error, CuelloError) else f"{type(error).__name__}: {error}"
            if self.on_error == "stop":
                raise CuelloError(f"{names[positions[0]]}: {why}") from error
            found.failed.append((names[positions[0]], why))
            return []
        for note in notes:
            found.note(note)
        found.names += [names[position] for position in positions]
        found.maps += list(maps)
        found.classes += [self.classifier.called(number) for number in numbers.tolist()]
        found.numbers += numbers.tolist()
        found.scores += scores.tolist()
        found.methods += [method] * len(positions)
        return list(positions)

    def maps_of(self, positions: Sequence[int]) -> GroupMaps:
        """Make maps of images of one size, exact or estimated."""
        pixels = together([self.images.arrays[position] for position in positions])
        tell = self.telling("explaining", len(pixels))
        if self.estimator and self.classifier.own:
            numbers, scores = predicted(self.classifier.own, pixels)
            maps = estimate(self.estimator.model, pixels, numbers)
            tell(Progress("", 1))
            arrays = [part.cpu().numpy() for part in (maps, numbers, scores)]
            return GroupMaps(*arrays, method="estimated", notes=[])
        return exact_of(self.classifier, pixels, settings=self.settings, number=self.number, progress=tell)

    def telling(self, doing: str, images: int = 0) -> OnProgress:
        """Return a progress callback, of the boxes of so many ``images`` where there are others too."""
        progress, before, every = self.progress, len(self.found.maps) + len(self.found.failed), len(self.images)
        if not images or every == 1:
            return lambda event: progress(Progress(doing, event.done, event.total))
        return lambda event: progress(Progress(doing, before + images * event.done // event.total, every))

    def scale(self) -> Scale:
        watched, definition = self.settings.watched, self.settings.definition
        if definition == "standardised-sum":
            return Scale(False, f"standardised sum{', estimated' if self.estimator else ''}", (0.0, 1.0))
        units = {"drop": "fall of the probability", "logit-drop": "fall of the logit"}
        return Scale(watched in units, f"{DEFINITIONS[definition].combine} of the {units.get(watched, watched)}")


def padded_by(model: Model) -> int:
    """Return by how many pixels a classifier pads its images itself."""
    return int(model.artefact.architecture.settings.get("pad") or 0)


def check_check(model: str | Path | None, check: float | None) -> None:
    if check is None:
        return
    if model is None:
        raise CuelloError(
            "check: exact maps need no check; it compares estimated ones with them. Give the estimator with "
            "--model, or leave check out."
        )
    check_share(check)


def spread(count: int, most: int) -> set[int]:
    """Choose at most so many places of ``count``, evenly over all.

    >>> sorted(spread(10, 3)), spread(2, 5), spread(3, 0)
    ([0, 4, 9], {0, 1}, set())
    """
    return set(np.linspace(0, count - 1, min(most, count)).astype(int).tolist())


def worst_of(check: Check, images: Images) -> list[Compared]:
    """Gather the checked images whose estimates are the least like the exact maps; images: all explained ones."""
    shown = []
    for place in check.order()[:WORST]:
        correlation = check.pearson.values[place]
        told = "no correlation" if np.isnan(correlation) else f"correlation {correlation:.2f}"
        shown.append(
            Compared(
                check.names[place], as_pixels(images.arrays[check.places[place]]), check.exact[place],
                estimated=check.estimated[place], below=f"{told}, MSE {check.mse.values[place]:.3g}",
            )
        )  # fmt: skip
    return shown
