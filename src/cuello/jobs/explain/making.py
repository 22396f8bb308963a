"""The maps of one call of explain: made group by group, here or by others, or taken over; drawn, checked and saved."""

import math
import time
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, final

import numpy as np

from cuello.core.errors import CuelloError, Interrupted, worded
from cuello.core.pool import TaskDone
from cuello.core.progress import OnProgress, Progress
from cuello.data.images import Images, subset
from cuello.jobs.explain.check import Check, checked
from cuello.jobs.explain.classifier import ExplainedClassifier, groups
from cuello.jobs.explain.estimator import MapEstimator, estimate, predicted
from cuello.jobs.explain.exact import ALONE, identity
from cuello.jobs.explain.figures import Compared, Scale, Shown
from cuello.jobs.explain.folder import BegunFiles, remove_overlays
from cuello.jobs.explain.groups import ExactElsewhere, GroupArrays, GroupMaps, exact_of, together
from cuello.jobs.explain.kept import KeptMaps, check_taken_over
from cuello.jobs.explain.output import SHEET, WORST, Explained, as_pixels, draw_overlay, save, shown_of
from cuello.jobs.explain.settings import MapSettings
from cuello.jobs.explain.sharing import Sharing, fitted, pool_for
from cuello.saliency import DEFINITIONS

EXACT, ESTIMATED = {"most": 64, "pixels": 2**18}, {"most": 100, "pixels": 2**19}
"""Images, and pixels of images, whose maps are made at once, at most."""


@final
@dataclass
class MapMaking:
    """A call of explain: what is explained, and how. number: the class, or "predicted".

    sharing, begin: who makes exact maps, and what others need for it. groups: positions of images whose maps are made
    at once. identities: of the images, by their pixels. kept: places of groups whose maps were there already; ready:
    what became of groups whose turn is yet to come. fresh: how many maps were made. unfit: how many images were left
    out before.
    """

    classifier: ExplainedClassifier
    estimator: MapEstimator | None
    settings: MapSettings
    number: str | int
    images: Images
    on_error: str
    progress: OnProgress
    found: Explained
    sharing: Sharing = ALONE
    begin: ExactElsewhere | None = None
    groups: list[list[int]] = field(default_factory=list)
    identities: list[str] = field(default_factory=list)
    kept: set[int] = field(default_factory=set)
    ready: dict[int, TaskDone[GroupMaps | None]] = field(default_factory=dict)
    fresh: int = 0
    unfit: int = 0

    def __post_init__(self) -> None:
        self.unfit = len(self.found.failed)
        at_once = ESTIMATED if self.estimator else EXACT
        self.groups = groups(self.images, range(len(self.images)), **at_once)
        self.identities = [identity(one) for one in self.images.arrays]

    def share(self, classifier: str, device: str) -> None:
        """Share exact maps among others, where there are several groups of images and others can make them."""
        known = (self.classifier.checksum, None) if self.classifier.own else (None, self.classifier.padding)
        self.begin = ExactElsewhere(
            classifier, known[0], device, padding=known[1], settings=self.settings, number=self.number
        )
        self.sharing, note = fitted(self.sharing, self.classifier, len(self.groups))
        if note is not None:
            self.found.note(note)

    def take_over(self, earlier: KeptMaps, names: Sequence[str]) -> None:
        """Take over the maps that are there. names: of all images, also those that do not fit."""
        if not earlier.images:
            return
        note = check_taken_over(earlier, self.identities, names, folder=self.found.folder)
        if note is not None:
            self.found.note(note)
        for place, positions in enumerate(self.groups):
            maps = earlier.of_group([self.identities[position] for position in positions])
            if maps is not None:
                self.kept.add(place)
                self.ready[place] = TaskDone(place, maps)
                self.found.skipped += len(positions)

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
                    sharing=self.sharing, progress=self.telling("checking exactly"),
                )  # fmt: skip
                compared += worst_of(found.check, explained)
        except KeyboardInterrupt:
            for place in sorted(place for place, done in self.ready.items() if done.result is not None):
                self.settled(place)
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
        with closing(self.added()) as added:
            for ready in added:
                spent += time.perf_counter() - started
                made += ready
                found.seconds = spent / self.fresh if self.fresh else math.nan
                for place, position in enumerate(ready, len(found.maps) - len(ready)):
                    shown = shown_of(self.images.arrays[position], found, place=place, scale=scale)
                    if position in at_a_glance:
                        sheet.append(shown)
                    if position in drawn:
                        found.overlays.append(draw_overlay(begun, shown, scale))
                started = time.perf_counter()
        return made

    def added(self) -> Generator[list[int]]:
        """Add the maps of all groups in their order, those that are there, made here or by others; yield of each which
        images are explained.
        """
        todo = [place for place in range(len(self.groups)) if place not in self.ready]
        if self.begin is None or self.sharing == ALONE or not todo:
            yield from map(self.settled, range(len(self.groups)))
            return
        tasks, place = GroupArrays(self.images, [self.groups[place] for place in todo]), 0
        pool = pool_for(self.sharing, self.begin, tasks, say=self.say)
        try:
            for done in chain([None], pool.results()):
                if done is not None:
                    self.ready[todo[done.place]] = done
                while place in self.ready:
                    yield self.settled(place)
                    place += 1
                    self.telling("explaining", 1)(Progress("", 0))
        finally:
            pool.stop()

    def settled(self, place: int) -> list[int]:
        """Add the maps of a group, which may be ready; return which images are explained."""
        done, positions = self.ready.pop(place, TaskDone(place, None)), self.groups[place]
        if done.ended:
            return self.left_out(positions, "the process at it was ended from outside, twice or more often, perhaps "
                                 "because memory ran out. Give smaller images")  # fmt: skip
        added = self.add(positions, done.result)
        self.fresh += len(added) if place not in self.kept else 0
        return added

    def say(self, sentence: str) -> None:
        """Tell of a machine that is gone."""
        self.progress(Progress("explaining", len(self.found.maps), len(self.images), note=sentence))

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
            maps, numbers, scores, method, notes, _ = made or self.maps_of(positions)
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
            found.map_notes += [note] if note not in found.map_notes else []
        found.identities += [self.identities[position] for position in positions]
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
        progress, every = self.progress, len(self.images)
        before = len(self.found.maps) + len(self.found.failed) - self.unfit
        if not images or every == 1:
            return lambda event: progress(Progress(doing, event.done, event.total))
        return lambda event: progress(Progress(doing, before + images * event.done // event.total, every))

    def scale(self) -> Scale:
        watched, definition = self.settings.watched, self.settings.definition
        if definition == "standardised-sum":
            return Scale(False, f"standardised sum{', estimated' if self.estimator else ''}", (0.0, 1.0))
        units = {"drop": "fall of the probability", "logit-drop": "fall of the logit"}
        return Scale(watched in units, f"{DEFINITIONS[definition].combine} of the {units.get(watched, watched)}")


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
