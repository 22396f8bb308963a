"""What is made of one image: a restored one, a class, a code, or a map; as `cuello apply` and others do."""

import math
import os
import struct
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from cuello.core.errors import CuelloError
from cuello.core.files import temporary_folder
from cuello.data.batches import to_tensor
from cuello.data.catalog import open_within
from cuello.data.directories import walk
from cuello.data.frames import frames_of, let_go
from cuello.data.images import load_images, parse_size
from cuello.data.levels import RangeChoice
from cuello.data.picture import TIFF_SUFFIXES, opened, read_picture, reading_errors, write_picture, written_path
from cuello.data.sources import check_array, load_numpy, numpy_errors
from cuello.data.stack import pages_of
from cuello.data.stored import StoredImage
from cuello.inference.arrays import is_single, restore_picture
from cuello.inference.estimates import estimates
from cuello.inference.files import Noted, mean, range_notes, reason, restore_file
from cuello.inference.model import Model
from cuello.inference.targets import ARRAY
from cuello.inference.told import told_level
from cuello.jobs.explain.classifier import class_number
from cuello.jobs.explain.estimator import estimate, predicted
from cuello.jobs.explain.settings import MapSettings
from cuello.serving.asked import Asked
from cuello.serving.models import Served
from cuello.serving.refused import Refused
from cuello.serving.together import Ticket
from cuello.serving.uploads import Upload

MEMORY = Path("/dev/shm")
"""A folder in memory, where the system has one: images pass through it, and no disk."""
RESULT = "result"
"""The folder beside an image that its result passes through."""


@dataclass(frozen=True)
class Made:
    """What was made of an image: an image's file, or numbers.

    name: of the result, with its ending. content: its bytes, None where there are only values. values: plain ones, for
    JSON. notes: what changed beside the pixels. range, sigma: estimated, as `cuello apply --json` says them.
    """

    name: str
    content: bytes | None = None
    values: dict[str, Any] = field(default_factory=dict)
    notes: Sequence[str] = ()
    range: str | None = None
    sigma: float | None = None


class Budget:
    """The pixels that the images of a request may have, together."""

    def __init__(self, most: int):
        self.most, self.spent, self.lock = most, 0, threading.Lock()

    def spend(self, pixels: int) -> None:
        """Take pixels; Refused where no so many are left."""
        with self.lock:
            self.spent += pixels
            spent = self.spent
        if spent > self.most:
            raise Refused(
                413, "pixels", f"got {spent:,} pixels, enlarging and the request's other images counted, needed at "
                f"most {self.most:,}. Cut the image into parts, or send fewer; whoever runs the service can raise "
                "--max-megapixels.",
            )  # fmt: skip


@contextmanager
def room() -> Iterator[Path]:
    """Give a folder in memory for the time of the block, or a temporary one; nothing of it stays."""
    shared = "TMPDIR" not in os.environ and MEMORY.is_dir() and os.access(MEMORY, os.W_OK | os.X_OK)
    with temporary_folder(MEMORY if shared else Path(tempfile.gettempdir()), "cuello") as folder:
        try:
            yield folder
        finally:
            let_go()


def made_of(served: Served, upload: Upload, asked: Asked, *, budget: Budget, ticket: Ticket) -> Made:
    """Make of an image what is asked for; CuelloError or Refused where that cannot be, Abandoned where nobody waits."""
    with room() as folder, in_words(path := folder / upload.name):
        path.write_bytes(upload.content)
        give = asked.give or served.gives[0]
        budget.spend(
            pixels_of_codes(served.model, path) if give == "decoded" else pixels_of(path) * served.model.scale**2
        )
        ticket.check()
        made = MAKERS[give](served, path, asked, ticket)
        return replace(made, notes=[note.replace(f"{folder}{os.sep}", "") for note in made.notes])


@contextmanager
def in_words(path: Path) -> Iterator[None]:
    """Turn what an image's values bring about into words, and leave the folder's name out of all that is said."""
    folder = path.parent
    try:
        try:
            yield
        except (ArithmeticError, ValueError, struct.error) as error:  # as `cuello apply` says it
            raise CuelloError(reason(path, error)) from error
    except CuelloError as error:
        said = str(error.args[0])
        for front in (folder / RESULT, folder):
            said = said.replace(f"{front}{os.sep}", "")
        error.args = (said, *error.args[1:])
        raise


def pixels_of(path: Path) -> int:
    """Count the pixels that an image file says to have, all pages and frames together, without decoding any."""
    if path.suffix == ARRAY:
        with numpy_errors(path), open(path, "rb") as file:
            check_array(file, path.stat().st_size, path.name)
            file.seek(0)
            array = np.lib.format.open_memmap(path, mode="r")
            return array.size // (array.shape[-1] if (is_single(array) and array.ndim == 3) or array.ndim == 4 else 1)
    if path.suffix in TIFF_SUFFIXES:
        return pixels_of_pages(path)
    with reading_errors(path), opened(path) as image:
        pixels = image.width * image.height
    frames = frames_of(path)
    return pixels * (frames.count if frames else 1)


def pixels_of_pages(path: Path) -> int:
    """Count the pixels that the pages and planes of a TIFF say to have; more than four channels count as more."""
    pages = [
        page.number(256) * page.number(257) * max(1, page.number(32997, 1)) * -(-page.number(277, 1) // 4)
        for page in walk(path)
    ]
    if 0 in pages:  # written in a way that tifffile understands, perhaps
        import tifffile

        with reading_errors(path), tifffile.TiffFile(path) as file:
            return sum(math.prod(one.shape) for one in file.pages if one is not None)
    planes = len(pages_of(path).places) if len(pages) == 1 else 1
    return sum(pages) * max(1, planes)


def restored(served: Served, path: Path, asked: Asked, ticket: Ticket) -> Made:
    """Restore an image as `cuello apply` does."""
    model, level = served.model, told_level(served.model, asked.sigma, asked.quality)
    model.check_level(level)
    choice = RangeChoice.parse(asked.range, model.levels)
    target = path.parent / RESULT / path.name
    ending = asked.ending
    target = written_path(target) if ending in (None, ARRAY) or path.suffix == ARRAY else target.with_suffix(ending)
    noted = Noted()
    with estimates() as noted.levels:
        if ending == ARRAY != path.suffix:
            target = target.with_suffix(ARRAY)
            content = array_of(model, path, noted, level=level, choice=choice)
        else:
            restore_file(model, path, target, noted=noted, level=level, choice=choice)
            ticket.check()
            content = target.read_bytes()
            if path.suffix == ARRAY and ending not in (None, ARRAY):
                target = target.with_suffix(ending)
                content = image_of(content, target)
    notes = [*noted.notes, *range_notes({path: noted.range} if noted.range else {}, choice)]
    notes = [note.replace(f"{target.parent}{os.sep}", "") for note in notes]
    level = mean(noted.levels)
    return Made(
        target.name, content, notes=notes, range=None if noted.range is None else str(noted.range),
        sigma=None if level is None else round(255 * level, 3),
    )  # fmt: skip


def array_of(model: Model, path: Path, noted: Noted, *, level: float | None, choice: RangeChoice) -> bytes:
    """Restore an image file of one picture into an array's file."""
    pages = len(pages_of(path).places)
    frames = frames_of(path)
    if pages > 1 or frames is not None:
        raise Refused(406, "format", f"{path.name} holds {max(pages, frames.count if frames else 0)} pictures, and "
                      "?format=npy gives one: ask for tif or png.")  # fmt: skip
    picture = read_picture(path, choice)
    result = restore_picture(model, picture, level, choice=choice)
    noted.see(result)
    return npy(result.with_alpha if result.with_alpha.shape[-1] > 1 else result.with_alpha[..., 0])


def image_of(content: bytes, target: Path) -> bytes:
    """Write an array's file as an image; Refused where it is not one image of 8 or 16 bits, or floats in a TIFF."""
    array = np.load(BytesIO(content), allow_pickle=False)
    if not is_single(array) or (array.dtype not in (np.uint8, np.uint16) and target.suffix not in TIFF_SUFFIXES):
        raise Refused(406, "format", f"an array {array.shape} of {array.dtype} is no image that {target.suffix[1:]} "
                      "holds: one of 8 or 16 bits is needed. Ask for npy.")  # fmt: skip
    pixels = array[..., None] if array.ndim == 2 else array
    colours = pixels.shape[-1] - 1 if pixels.shape[-1] in (2, 4) else pixels.shape[-1]
    alpha = pixels[..., colours:] if colours < pixels.shape[-1] else None
    write_picture(target, StoredImage(pixels[..., :colours], alpha, mode="L" if colours == 1 else "RGB"))
    return target.read_bytes()


def npy(array: np.ndarray) -> bytes:
    stream = BytesIO()
    np.save(stream, np.ascontiguousarray(array))
    return stream.getvalue()


def images_of(served: Served, path: Path, asked: Asked) -> Tensor:
    """Read the images of a file as `cuello explain` does: ``(N, C, H, W)`` in [0, 1], in the size of the training."""
    model = served.model
    source = open_within(str(path), asked.range, model.levels)
    images = load_images(source, model.channels, parse_size(model.artefact.training.get("resize")))
    if model.size is not None and any(size != model.size for size in map(tuple, images.sizes.tolist())):
        height, width = images.sizes[0].tolist()
        raise CuelloError(
            f"{path.name} has {width}×{height} pixels, but {served.name} takes {model.size[1]}×{model.size[0]}. Resize "
            "the image."
        )
    return torch.cat([to_tensor(np.ascontiguousarray(array)[None]) for array in images.arrays])


def classified(served: Served, path: Path, asked: Asked, ticket: Ticket) -> Made:
    """Tell classes, with the probability of each."""
    probabilities = np.asarray(served.model.classify(images_of(served, path, asked)))
    classes = served.model.classes
    each = []
    for row in probabilities:
        best = int(row.argmax())
        shares = [plain(share) for share in row]
        each.append({"class": classes[best], "probability": shares[best],
                     "probabilities": dict(zip(classes, shares, strict=True))})  # fmt: skip
    return Made(f"{path.stem}{ARRAY}", npy(probabilities), one_or_several(each))


def encoded(served: Served, path: Path, asked: Asked, ticket: Ticket) -> Made:
    """Give the codes of images."""
    codes = np.asarray(served.model.encode(images_of(served, path, asked)))
    each = [{"code": [plain(value) for value in code.ravel()], "shape": list(code.shape)} for code in codes]
    return Made(f"{path.stem}{ARRAY}", npy(codes), one_or_several(each))


def codes_in(path: Path) -> np.ndarray:
    """Read codes; CuelloError where an image came."""
    if path.suffix != ARRAY:
        raise CuelloError(
            f"{path.name} is an image, needed codes as an array: .npy, as ?give=code&format=npy gives them."
        )
    with numpy_errors(path):
        return load_numpy(path)


def pixels_of_codes(model: Model, path: Path) -> int:
    """Count the pixels of the images that codes stand for."""
    codes, shape = codes_in(path), model.latent_shape
    if shape is not None and model.size is not None:
        return max(1, codes.size // math.prod(shape)) * math.prod(model.size)
    return codes.size // (model.code_in_space[0] or 1) * model.network.stride**2


def decoded(served: Served, path: Path, asked: Asked, ticket: Ticket) -> Made:
    """Give the images that codes stand for: an array ``(N, H, W, C)`` of floats, or one as a picture of 8 bits."""
    images = np.asarray(served.model.decode(codes_in(path)))
    if asked.ending in (None, ARRAY):
        return Made(path.name, npy(images))
    target = path.with_suffix(asked.ending)
    if len(images) > 1:
        raise Refused(
            406, "format", f"{len(images)} codes give as many images, and {asked.ending} holds one: ask for npy."
        )
    pixels = (images[0] * 255).round().astype(np.uint8)
    return Made(target.name, image_of(npy(pixels[..., 0] if pixels.shape[-1] == 1 else pixels), target))


def explained(served: Served, path: Path, asked: Asked, ticket: Ticket) -> Made:
    """Give occlusion maps: exact ones of a classifier, or an estimator's."""
    pixels, classifier = images_of(served, path, asked), served.classifier
    if classifier is None or classifier.own is None:
        raise Refused(422, "give", f"{served.name} gives no maps.")
    if served.estimator is not None:
        numbers, scores = predicted(classifier.own, pixels)
        maps, method = estimate(served.estimator.model, pixels, numbers), "estimated"
    else:
        number = class_number(asked.class_ or "predicted", classifier.classes)
        settings = MapSettings(box=asked.box, stride=asked.stride)
        exact = settings.maps(
            classifier.network, pixels, padding=classifier.padding,
            classes=number if isinstance(number, str) else [number], progress=lambda _: ticket.check(),
        )  # fmt: skip
        maps, numbers, scores = exact.maps[:, 0].float(), exact.classes[:, 0], exact.scores[:, 0]
        method = exact.method
    maps = maps.cpu().numpy()
    each = [
        {"class": classifier.called(int(number)), "score": plain(score), "method": method,
         "map": [[plain(value) for value in row] for row in one]}
        for one, number, score in zip(maps, numbers, scores, strict=True)
    ]  # fmt: skip
    return Made(f"{path.stem}{ARRAY}", npy(maps), one_or_several(each))


def one_or_several(each: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Give what was found of a file's only image, or of each of several."""
    return each[0] if len(each) == 1 else {"images": list(each)}


def plain(value: Any) -> float:
    """Give a float32 as the shortest number that stands for it."""
    return float(str(np.float32(value)))


MAKERS = {"image": restored, "class": classified, "code": encoded, "decoded": decoded, "map": explained}
"""By what is asked for, how it is made."""
