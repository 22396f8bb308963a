"""What a page of a TIFF says beside its pixels: kept as it is, fitted to a larger picture, or named as not kept."""

import json
import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np

from cuello.data.directories import SIZES, Directory, Tag, TiffForm, read_directory
from cuello.data.exif import upright_xmp
from cuello.data.levels import full_scale

DESCRIPTION, ORIENTATION, RESOLUTIONS, UNIT, EXIF = 270, 274, (282, 283), 296, 34665
XMP, INTEROPERABILITY = 700, 40965
PIXEL_SCALE, TIE_POINTS, TRANSFORMATION, GEO_KEYS = 33550, 33922, 34264, 34735
GEOREFERENCE = {PIXEL_SCALE, TIE_POINTS, TRANSFORMATION, GEO_KEYS, 34736, 34737}
KEPT = {
    *(269, 271, 272, 285, 286, 287, 297, 305, 306, 315, 316, 318, 319, 33432),  # texts, places, page numbers, colours
    *(XMP, 33723, 42112, 42113, 50838, 50839, 51123),  # XMP, IPTC, GDAL's, ImageJ's, Micro-Manager's
    *GEOREFERENCE,
}
SAME_SIZE = {34377, 50844}
"""Photoshop's resources and rational polynomials: of a picture of this size only."""
STRUCTURE = {
    *(254, 255, 256, 257, 258, 259, 262, 263, 266, 273, 277, 278, 279, 284, 288, 289, 290, 291, 317, 320, 321),
    *(322, 323, 324, 325, 330, 332, 334, 338, 339, 347, 512, 513, 514, 519, 520, 521, 529, 530, 531, 532),
    *(292, 293, 326, 327, 328, 32997, 32998, 34675, DESCRIPTION, ORIENTATION, *RESOLUTIONS, UNIT, EXIF),
}
"""How pixels are stored, which is written anew, and what is handled by itself."""
WHITE_IS_ZERO = 0
PREMULTIPLIED = 1
ALPHA_KINDS = (PREMULTIPLIED, 2)


@dataclass(frozen=True)
class TiffFacts:
    """What a page holds beside its pixels, and how these lay in it.

    photometric, planar, dtype: as in the file. extras: the kind of every sample that is no colour, in the file's order
    (0: not said, 1: alpha that colours were multiplied with, 2: alpha). colormap: of indexed pixels that were measured.
    resolution: pixels a unit, across and down; unit: 1 none, 2 inch, 3 centimetre. tags, exif: as stored.
    descriptions: the texts under that name. lost: names of what is not kept.
    """

    form: TiffForm
    photometric: int
    planar: bool
    dtype: np.dtype
    extras: tuple[int, ...] = ()
    colormap: np.ndarray | None = None
    resolution: tuple[Fraction, Fraction] | None = None
    unit: int = 2
    tags: tuple[Tag, ...] = ()
    exif: tuple[Tag, ...] = ()
    descriptions: tuple[bytes, ...] = ()
    lost: tuple[str, ...] = ()

    @property
    def held(self) -> list[str]:
        """Name all that the page holds, for a format that holds nothing of it."""
        named = {"ImageDescription": self.descriptions, "EXIF data": self.exif}
        return [name for name, value in named.items() if value] + [name_of(tag.code) for tag in self.tags]

    @property
    def alpha_at(self) -> int | None:
        """Which of the samples that are no colours is transparency."""
        return next((place for place, kind in enumerate(self.extras) if kind in ALPHA_KINDS), None)

    @property
    def premultiplied(self) -> bool:
        """Whether colours are stored multiplied with their transparency."""
        return self.alpha_at is not None and self.extras[self.alpha_at] == PREMULTIPLIED

    @property
    def contiguous(self) -> bool:
        """Whether the samples of a pixel lie beside each other."""
        return not self.planar and (self.photometric == 2 or bool(self.extras))

    @property
    def dpi(self) -> tuple[float, float] | None:
        """Pixels an inch, across and down; None where the file names no unit of length."""
        factor = {2: 1.0, 3: 2.54}.get(self.unit)
        if self.resolution is None or factor is None:
            return None
        return float(self.resolution[0]) * factor, float(self.resolution[1]) * factor

    def plain(self, alpha: bool, grey: bool, dtype: np.dtype) -> "TiffFacts":
        """Return the same for pixels that were converted to grey or RGB, contiguous, perhaps with transparency."""
        about = replace(self, photometric=1 if grey else 2, planar=False, dtype=dtype, colormap=None)
        shapes = self.photometric != about.photometric  # tifffile's own descriptions no longer fit
        kept = tuple(text for text in self.descriptions if not (shapes and text.startswith(b'{"shape"')))
        return replace(about, extras=(2,) if alpha else (), descriptions=kept)

    def without_texts(self) -> "TiffFacts":
        """Return the same for a further plane behind one directory, which says nothing of its own."""
        return replace(self, tags=(), exif=(), descriptions=())

    def turned(self, orientation: int) -> "TiffFacts":
        """Return the same for a picture that was turned upright."""
        gone = [tag for tag in self.tags if tag.code in GEOREFERENCE]
        resolution = self.resolution[::-1] if self.resolution and orientation >= 5 else self.resolution
        return replace(
            self,
            resolution=resolution,
            tags=tuple(upright_tag(tag) for tag in self.tags if tag not in gone),
            lost=(*self.lost, "georeference") if gone else self.lost,
        )

    def renumbered(self, moved: Mapping[int, int]) -> "TiffFacts":
        """Return the same for a file some of whose pages are gone."""
        return replace(self, descriptions=tuple(renumbered(text, moved) for text in self.descriptions))

    def larger(self, scale: int) -> "TiffFacts":
        """Return the same for a picture with ``scale`` times as many pixels along each side."""
        if scale == 1:
            return self
        tags = tuple(larger_tag(tag, self.form.order, scale, points=self.is_point) for tag in self.tags)
        names = [name_of(tag.code) for tag in tags if tag.code in SAME_SIZE]
        return replace(
            self,
            resolution=None if self.resolution is None else tuple(side * scale for side in self.resolution),
            tags=tuple(tag for tag in tags if tag.code not in SAME_SIZE),
            exif=tuple(larger_side(tag, self.form.order, scale) for tag in self.exif),
            descriptions=tuple(larger_description(text, scale, self.contiguous) for text in self.descriptions),
            lost=(*self.lost, *names),
        )

    @property
    def is_point(self) -> bool:
        """Whether the georeference counts from a pixel's middle, not its corner (GTRasterTypeGeoKey 1025 is 2)."""
        keys = next((tag for tag in self.tags if tag.code == GEO_KEYS and tag.kind == 3), None)
        numbers = np.frombuffer(keys.content, f"{self.form.order}u2") if keys else np.zeros(0, int)
        rows = numbers[: len(numbers) // 4 * 4].reshape(-1, 4)[1:]
        return any(row[0] == 1025 and row[1] == 0 and row[3] == 2 for row in rows.tolist())


def facts_of_page(page: Any, colours: int, palette: bool = False) -> TiffFacts:
    """Take what a page (tifffile's TiffPage) holds; ``palette``: its pixels are numbers that are shown in colours."""
    form, file = TiffForm(page.parent.byteorder, page.parent.is_bigtiff), page.parent.filehandle
    directory, _ = read_directory(file, page.offset, form)  # tifffile passes over tags that it cannot make sense of
    known = tuple(int(kind) if kind in ALPHA_KINDS else 0 for kind in page.extrasamples)
    extras = known[: page.samplesperpixel - colours]
    kept = KEPT | SAME_SIZE
    unit = page.tags.valueof(UNIT)
    contiguous = page.samplesperpixel > 1 and page.planarconfig != 2
    wanted = [tag for tag in directory.tags if tag.code in {*kept, DESCRIPTION} and tag.kind in SIZES]
    found = [resolved(tag, file, form) for tag in wanted]
    exif, without = exif_of(directory, file)
    return TiffFacts(
        form=form,
        photometric=int(page.photometric) if 262 in page.tags and (page.photometric != 2 or colours >= 3) else 1,
        planar=page.planarconfig == 2 and page.samplesperpixel > 1,
        dtype=page.dtype,
        extras=extras + (0,) * (page.samplesperpixel - colours - len(extras)),
        colormap=page.colormap if palette else None,
        resolution=resolution_of_page(page),
        unit=int(unit) if unit in (1, 2, 3) else 2,
        tags=tuple(tag for tag in found if tag.code in kept),
        exif=exif,
        descriptions=tuple(shaped(tag.content, 1, contiguous) for tag in found if tag.code == DESCRIPTION),
        lost=(*(name_of(tag.code) for tag in directory.tags if tag.code not in kept | STRUCTURE), *without),
    )


def name_of(code: int) -> str:
    """Name a tag."""
    import tifffile

    return tifffile.TIFF.TAGS.get(code, f"tag {code}")


def raw(page: Any, tag: Any) -> Tag:
    """Read a tag's values as they lie in the file."""
    file = page.parent.filehandle
    file.seek(tag.valueoffset)
    content = file.read(SIZES[int(tag.dtype)] * tag.count)
    return Tag(tag.code, int(tag.dtype), tag.count, content=content)


def resolution_of_page(page: Any) -> tuple[Fraction, Fraction] | None:
    """Read the resolution, where it is one: 0/0 and the like are none."""
    sides = []
    for code in RESOLUTIONS:
        value = page.tags.valueof(code)
        try:
            side = Fraction(*map(int, value)) if isinstance(value, tuple) else Fraction(value)
        except (TypeError, ValueError, ZeroDivisionError, OverflowError):
            return None
        if side <= 0:
            return None
        sides.append(side)
    return sides[0], sides[1]


def exif_of(directory: Directory, file: Any) -> tuple[tuple[Tag, ...], list[str]]:
    """Read the EXIF data's directory, and name what is left out: what it points to in turn, or what is damaged."""
    if EXIF not in directory.entries:
        return (), []
    try:
        found, _ = read_directory(file, directory.number(EXIF), directory.form)
    except (struct.error, OSError, ValueError, OverflowError):
        return (), ["EXIF data, which are damaged"]
    kept = [tag for tag in found.tags if tag.code != INTEROPERABILITY and tag.kind in SIZES]
    gone = [name_of(tag.code) for tag in found.tags if tag not in kept]
    return tuple(resolved(tag, file, directory.form) for tag in kept), gone


def resolved(tag: Tag, file: Any, form: TiffForm) -> Tag:
    """Read the values of an entry that holds their place."""
    size = SIZES[tag.kind] * tag.count
    if size <= len(tag.content):
        return tag._replace(content=tag.content[:size])
    file.seek(struct.unpack(form.order + form.place, tag.content)[0])
    return tag._replace(content=file.read(size))


def upright_tag(tag: Tag) -> Tag:
    """Let XMP say that the picture is upright."""
    content = upright_xmp(tag.content) if tag.code == XMP else tag.content
    return tag._replace(content=content, count=len(content)) if content != tag.content else tag


def larger_side(tag: Tag, order: str, scale: int) -> Tag:
    """Fit EXIF's width and height in pixels."""
    kind = {3: "H", 4: "I"}.get(tag.kind)
    if tag.code not in (40962, 40963) or kind is None or tag.count != 1:
        return tag
    side = scale * struct.unpack(order + kind, tag.content)[0]
    return Tag(tag.code, 4, 1, content=struct.pack(f"{order}I", side))


def larger_tag(tag: Tag, order: str, scale: int, points: bool) -> Tag:
    """Fit a tag of the georeference: where on earth the pixels lie (GeoTIFF 1.1, annex B).

    points: positions count from the middle of the first pixel, which moves, and not from its corner.
    """
    if tag.code not in (PIXEL_SCALE, TIE_POINTS, TRANSFORMATION) or tag.kind != 12:
        return tag
    values = np.frombuffer(tag.content, f"{order}f8").copy()
    moved = (scale - 1) / 2 if points else 0.0
    if tag.code == PIXEL_SCALE and len(values) >= 2:
        values[:2] /= scale
    if tag.code == TIE_POINTS and len(values) % 6 == 0:
        rows = values.reshape(-1, 6)
        rows[:, :2] = rows[:, :2] * scale + moved
    if tag.code == TRANSFORMATION and len(values) == 16:
        matrix = values.reshape(4, 4)
        matrix[:3, :2] /= scale
        matrix[:3, 3] -= matrix[:3, :2].sum(1) * moved
    return tag._replace(content=values.tobytes())


OME_SIDE = re.compile(rb'(\bSize[XY]\s*=\s*["\'])(\d+)')
OME_LENGTH = re.compile(rb'(\bPhysicalSize[XY]\s*=\s*["\'])([-+.\deE]+)')
OME_PAGE = re.compile(rb'(\bIFD\s*=\s*["\'])(\d+)')
ORIGIN = re.compile(rb"(?m)^([xy]origin=)([-+.\deE]+)")


def larger_description(text: bytes, scale: int, contiguous: bool) -> bytes:
    """Fit what ImageJ, OME and tifffile write into the description of a picture's first page."""

    def times(factor: float) -> Any:
        return lambda found: found[1] + b"%.12g" % (float(found[2]) * factor)

    if text.startswith(b"ImageJ="):
        return ORIGIN.sub(times(scale), text)
    if b"<OME" in text:
        return OME_LENGTH.sub(times(1 / scale), OME_SIDE.sub(times(scale), text))
    return shaped(text, scale, contiguous)


def renumbered(text: bytes, moved: Mapping[int, int]) -> bytes:
    """Let OME's description name pages by their new numbers, where others before them are gone."""
    if b"<OME" not in text:
        return text
    return OME_PAGE.sub(lambda found: found[1] + b"%d" % moved.get(int(found[2]), int(found[2])), text)


def shaped(text: bytes, scale: int, contiguous: bool) -> bytes:
    """Fit tifffile's own description, ``{"shape": [7, 64, 64], "axes": "ZYX"}``; others stay.

    What was "truncated", several planes behind one directory, no longer is.
    """
    try:
        about = json.loads(text.rstrip(b"\0")) if text.startswith(b'{"shape"') else None
    except ValueError:
        about = None
    if not isinstance(about, dict) or not isinstance(about.get("shape"), list) or len(about["shape"]) < 2 + contiguous:
        return text
    about.pop("truncated", None)
    across = len(about["shape"]) - 1 - contiguous
    for place in (across - 1, across):
        about["shape"][place] *= scale
    return json.dumps(about).encode() + b"\0"


def negated(pixels: np.ndarray, total: float) -> np.ndarray:
    """Turn the first sample round, of which 0 is white: what else a pixel has stays."""
    changed = pixels.copy()
    changed[:, :, 0] = (total - pixels[:, :, 0]).astype(pixels.dtype)
    return changed


def divided(pixels: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Undo the multiplication of colours with their transparency; where nothing is seen they stay."""
    white = full_scale(pixels.dtype)
    colours = pixels * (white / np.where(alpha == 0, white, alpha).astype(np.float64))
    return rounded(colours.clip(None, white), pixels.dtype)


def multiplied(pixels: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Multiply colours with their transparency, as ``divided`` undoes it."""
    white = full_scale(pixels.dtype)
    return rounded(pixels * (np.where(alpha == 0, white, alpha) / float(white)), pixels.dtype)


def rounded(values: np.ndarray, dtype: np.dtype) -> np.ndarray:
    return (values if dtype.kind == "f" else values.round()).astype(dtype)
