"""Occlusion maps of files: a classifier and images in, arrays, pictures and a page out."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from cuello.core.caller import caller_kept
from cuello.core.errors import CuelloError
from cuello.core.progress import OnProgress, listener
from cuello.core.settings import OnError
from cuello.data.catalog import open_within
from cuello.data.folders import check_outside
from cuello.data.handed import from_python
from cuello.data.images import load_images, parse_size, subset
from cuello.inference.model import Model
from cuello.jobs.explain.check import check_share
from cuello.jobs.explain.chosen import chosen
from cuello.jobs.explain.classifier import class_number, fitting, open_classifier
from cuello.jobs.explain.estimator import chosen_settings, open_estimator
from cuello.jobs.explain.folder import claimed
from cuello.jobs.explain.kept import KeptMaps, made_with, read_kept
from cuello.jobs.explain.making import MapMaking
from cuello.jobs.explain.output import Explained
from cuello.jobs.explain.sharing import sharing_of
from cuello.saliency import SCORES
from cuello.saliency.answers import Outputs
from cuello.training.watched import watched


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
    workers: int | None = None,
    cluster: str | None = None,
    skip_existing: bool = False,
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
    explained, "stop" raises the first one's error. workers: processes of one thread each that share exact maps; by
    default this one alone, with its threads. The maps and their order are the same. cluster: where exact maps are made:
    "processes", one a core; "ray" or "ray://HOST:PORT", on the machines of a Ray cluster (extra ``cluster``), which all
    have the classifier's file; images and maps are sent, and ``workers`` is then how many groups of images at once.
    skip_existing: take over the maps in ``output`` that an earlier call made of the same images, with the same
    classifier and settings, and make the others. progress: called with events.

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
    check_one_of(overwrite, skip_existing)
    sharing = sharing_of(cluster, workers)
    tell = listener(progress)
    check_check(model, check, cluster)
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
    given = {"model": estimator and estimator.path, "range": range and str(range), "limit": limit, "check": check}
    record |= {name: value for name, value in given.items() if value is not None}
    record |= {"seed": seed} if check is not None else {}
    found = Explained(
        Path(output).expanduser(),
        scored_in_percent=not SCORES[settings.watched].logits,
        estimator=estimator.name if estimator else None,
    )
    check_outside(images, found.folder)
    file = explained.path if explained.own else Path(classifier).expanduser()
    found.made = made_with(file, explained, estimator, settings=settings, number=number, range=range)
    with claimed(found.folder, overwrite, skip_existing) as begun:
        earlier = read_kept(found.folder, found.made) if skip_existing else KeptMaps({})
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
        making = MapMaking(
            explained, estimator, settings, number=number, images=fit, on_error=on_error, progress=tell, found=found,
            sharing=sharing,
        )  # fmt: skip
        if estimator is None:
            making.share(str(classifier), device)
        making.take_over(earlier, loaded.names)
        making.run(record, begun, pictures=pictures, check=check, seed=seed)
    return found


def padded_by(model: Model) -> int:
    """Return by how many pixels a classifier pads its images itself."""
    return int(model.artefact.architecture.settings.get("pad") or 0)


def check_one_of(overwrite: bool, skip_existing: bool) -> None:
    if overwrite and skip_existing:
        raise CuelloError("got --overwrite=True and --skip-existing=True: leave one of them out.")


def check_check(model: str | Path | None, check: float | None, cluster: str | None) -> None:
    if check is None:
        if cluster is not None and model is not None:
            raise CuelloError(
                f"--cluster={cluster} shares exact maps, and --model estimates them in one pass: leave one of them out."
            )
        return
    if model is None:
        raise CuelloError(
            "check: exact maps need no check; it compares estimated ones with them. Give the estimator with "
            "--model, or leave check out."
        )
    check_share(check)
