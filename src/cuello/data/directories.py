"""The directories of a TIFF file as they are stored: walked without reading a pixel, and packed again."""

import struct
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO, Literal, NamedTuple

SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
"""Bytes of one value of each type (TIFF 6.0, section 2; BigTIFF)."""
MOST_ENTRIES = 4096
"""Entries that a directory may claim to have; real ones have some tens."""


ByteOrder = Literal["<", ">"]


class TiffForm(NamedTuple):
    """How a file is written: its byte order, and whether it is a BigTIFF."""

    order: ByteOrder = "<"
    big: bool = False

    @property
    def place(self) -> str:
        return "Q" if self.big else "I"

    @property
    def step(self) -> int:
        """Bytes of a directory's entry."""
        return 20 if self.big else 12


class Tag(NamedTuple):
    """An entry of a directory: number, type, how many values, and these as the file has them."""

    code: int
    kind: int
    count: int
    content: bytes


class Directory(NamedTuple):
    """A directory: where it lies, and its entries, which hold a place where their values do not fit."""

    offset: int
    form: TiffForm
    entries: Mapping[int, Tag]
    tags: Sequence[Tag] = ()

    def number(self, code: int, default: int = 0) -> int:
        """Return an entry's first value, a whole number that lies in the entry itself."""
        tag = self.entries.get(code)
        kind = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}.get(tag.kind) if tag else None
        if (
            tag is None
            or kind is None
            or tag.count < 1
            or SIZES[tag.kind] * tag.count > struct.calcsize(self.form.place)
        ):
            return default
        return struct.unpack_from(self.form.order + kind, tag.content)[0]


def form_of_file(file: BinaryIO) -> tuple[TiffForm, int]:
    """Read a TIFF's head: its form, and where its first directory lies; KeyError or struct.error for no TIFF."""
    file.seek(0)
    head = file.read(16)
    orders: dict[bytes, ByteOrder] = {b"II": "<", b"MM": ">"}
    order = orders[head[:2]]
    big = {42: False, 43: True}[struct.unpack(f"{order}H", head[2:4])[0]]
    form = TiffForm(order, big)
    return form, struct.unpack_from(order + form.place, head, 8 if big else 4)[0]


def walk(path: Path) -> Iterator[Directory]:
    """Yield the directories of a file in their order; what is no TIFF has none.

    A chain that is cut short ends with a directory without entries, of which the reading says what is wrong.
    """
    try:
        with path.open("rb") as file:
            form, offset = form_of_file(file)
            seen = set()
            while offset and offset not in seen:
                seen.add(offset)
                try:
                    found, following = read_directory(file, offset, form)
                except (struct.error, OverflowError, ValueError):
                    yield Directory(offset, form, {})
                    return
                yield found
                offset = following
    except (OSError, KeyError, struct.error):
        return


def read_directory(file: BinaryIO, offset: int, form: TiffForm) -> tuple[Directory, int]:
    """Read a directory, and where the next one lies (0 for none); struct.error where it is cut short."""
    count, place = struct.Struct(form.order + ("Q" if form.big else "H")), struct.Struct(form.order + form.place)
    file.seek(offset)
    (length,) = count.unpack(file.read(count.size))
    if length > MOST_ENTRIES:
        raise struct.error
    content = file.read(length * form.step + place.size)
    entry = struct.Struct(f"{form.order}HH{form.place}{place.size}s")
    found = [Tag(*fields) for fields in entry.iter_unpack(content[: length * form.step])]
    (following,) = place.unpack(content[length * form.step :])
    return Directory(offset, form, {tag.code: tag for tag in found}, tags=found), following


def packed(tags: Sequence[Tag], start: int, form: TiffForm) -> bytes:
    """Pack entries, with values where the form has places, as a directory that lies at ``start`` and is the last."""
    room = struct.calcsize(form.place)
    count = struct.pack(form.order + ("Q" if form.big else "H"), len(tags))
    after = start + len(count) + len(tags) * form.step + room
    entries, values = [], b""
    for tag in sorted(tags):
        content = tag.content.ljust(room, b"\0")
        if len(tag.content) > room:
            content = struct.pack(form.order + form.place, after + len(values))
            values += tag.content + b"\0" * (len(tag.content) % 2)
        entries.append(struct.pack(f"{form.order}HH{form.place}", tag.code, tag.kind, tag.count) + content)
    return count + b"".join(entries) + bytes(room) + values


def one_page(tags: Sequence[Tag], segments: Sequence[bytes], order: ByteOrder, tiled: bool) -> bytes:
    """Make a TIFF file of one page: its tags, without those of its strips or tiles, and these."""
    start = 8 + sum(map(len, segments))
    start += start % 2
    offsets, at = [], 8
    for segment in segments:
        offsets.append(at)
        at += len(segment)
    counts = list(map(len, segments))
    form, many = TiffForm(order), f"{order}{len(segments)}I"
    placed = [
        Tag(324 if tiled else 273, 4, len(segments), content=struct.pack(many, *offsets)),
        Tag(325 if tiled else 279, 4, len(segments), content=struct.pack(many, *counts)),
    ]
    head = (b"II" if order == "<" else b"MM") + struct.pack(f"{order}HI", 42, start)
    return (head + b"".join(segments)).ljust(start, b"\0") + packed([*tags, *placed], start, form)
