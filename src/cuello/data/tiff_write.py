"""TIFF files written: a page for every picture, with what the page that it comes from holds beside its pixels."""

import struct
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cuello.core.files import replacing
from cuello.data.directories import Tag, TiffForm, packed, walk
from cuello.data.levels import full_scale
from cuello.data.stored import StoredImage
from cuello.data.tiff_facts import EXIF, WHITE_IS_ZERO, TiffFacts, multiplied, negated

MOST_IN_CLASSIC = 2**32 - 2**25
"""Bytes of pixels up to which a file is no BigTIFF, whose places have 8 bytes instead of 4."""


def tiff_options(picture: StoredImage, big: bool = False) -> dict[str, Any]:
    """Give what tifffile needs beside the pixels to write a page: its samples, profile, resolution, tags."""
    facts = picture.tiff
    options: dict[str, Any] = {"compression": "zlib", "iccprofile": picture.icc_profile, "metadata": None}
    colours = picture.pixels.shape[-1] - picture.extras
    extras = [0] * picture.extras + ([2] if picture.alpha is not None else [])
    options["photometric"] = "rgb" if colours >= 3 else "minisblack"
    options["planarconfig"] = "contig" if colours + len(extras) > 1 else None
    options["resolution"] = picture.dpi
    if facts is not None:
        extras = list(facts.extras)
        options |= {"photometric": facts.photometric, "resolution": None, "software": False}
        if facts.planar:
            options["planarconfig"] = "separate"
        if facts.colormap is not None:
            options["colormap"] = facts.colormap
        if facts.resolution is not None:
            options |= {"resolution": tuple(map(float, facts.resolution)), "resolutionunit": facts.unit}
        options["extratags"] = extra_tags(facts, big)
    options["extrasamples"] = extras or None
    return options


def extra_tags(facts: TiffFacts, big: bool) -> Sequence[tuple[int | str, int, int, Any, bool]]:
    """Give what a page says beside its pixels as tifffile takes it.

    By name where it would pass over the number. EXIF data only get their place here; see ``write_exif``.
    """
    tags: list[tuple[int | str, int, int, Any, bool]] = [
        (tag.code, tag.kind, tag.count, tag.content, True) for tag in facts.tags
    ]
    tags += [("ImageDescription", 2, len(text), text, True) for text in facts.descriptions]
    if facts.exif:
        tags.append(("ExifTag", 16 if big else 4, 1, 0, True))
    return tags


def samples_to_write(picture: StoredImage) -> np.ndarray:
    """Arrange a picture's pixels as its file had them: order of the samples, floats' type, beside each other or not."""
    facts, pixels, alpha = picture.tiff, picture.pixels, picture.alpha
    if facts is None:
        samples = picture.with_alpha
    else:
        if facts.photometric == WHITE_IS_ZERO:
            levels = picture.levels
            pixels = negated(pixels, full_scale(pixels.dtype) if levels is None else levels.black + levels.white)
        colours = pixels.shape[-1] - picture.extras
        at = facts.alpha_at
        if alpha is not None and facts.premultiplied and pixels.dtype.kind in "uf":
            pixels = np.concatenate([multiplied(pixels[..., :colours], alpha), pixels[..., colours:]], axis=2)
        samples = pixels
        if alpha is not None and at is not None:
            samples = np.concatenate([pixels[..., : colours + at], alpha, pixels[..., colours + at :]], axis=2)
        samples = samples.astype(facts.dtype) if facts.dtype.kind == "f" else samples
        if facts.planar:
            return np.ascontiguousarray(np.moveaxis(samples, -1, 0))
    return samples.squeeze(-1) if samples.shape[-1] == 1 else samples


def is_big(form: TiffForm, size: int) -> bool:
    """Tell whether a result with so many bytes of pixels becomes a BigTIFF: as what it is made of, or where it must."""
    return form.big or size > MOST_IN_CLASSIC


def write_pages(path: Path, pictures: Iterable[StoredImage], form: TiffForm | None = None, size: int = 0) -> None:
    """Write a TIFF with a page for every picture, one after another, whole or not at all.

    form: of the file that the pictures come from. size: bytes of all their pixels.
    """
    import tifffile

    form = form or TiffForm()
    big = is_big(form, size)
    exif: list[tuple[Tag, ...]] = []
    with replacing(path) as temporary:
        with tifffile.TiffWriter(temporary, bigtiff=big, byteorder=form.order) as file:
            for picture in pictures:
                file.write(samples_to_write(picture), **tiff_options(picture, big))
                exif.append(picture.tiff.exif if picture.tiff else ())
        if any(exif):
            write_exif(temporary, exif, form._replace(big=big))


def write_exif(path: Path, exif: Sequence[Sequence[Tag]], form: TiffForm) -> None:
    """Write the EXIF data of every page at the end of a file whose pages have a place for them."""
    pages = zip(walk(path), exif, strict=True)
    places = [(page.offset, [tag.code for tag in page.tags]) for page, tags in pages if tags]
    with path.open("r+b") as file:
        for (offset, codes), tags in zip(places, filter(None, exif), strict=True):
            end = file.seek(0, 2)
            end += file.write(b"\0" * (end % 2))
            file.write(packed(tags, end, form))
            at = offset + (8 if form.big else 2) + form.step * codes.index(EXIF)
            file.seek(at + (12 if form.big else 8))
            file.write(struct.pack(form.order + form.place, end))
