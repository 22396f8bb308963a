"""What images there are at a place, looked at through a few of them: for people who are asked for a folder."""

from dataclasses import dataclass
from typing import Any

from cuello.core.errors import CuelloError

LOOKED_AT, LISTED = 20, 5


@dataclass(frozen=True)
class FoundImages:
    """Images at a place: how many, and of those looked at sizes (width, height), channels and bits.

    listed: the first names, with what is known of each. classes: their names, where folders or the data say them.
    unread: of those looked at, why some cannot be read.
    """

    data: str
    count: int
    sizes: tuple[tuple[int, int], ...]
    channels: tuple[int, ...]
    bits: tuple[str, ...]
    listed: tuple[str, ...]
    classes: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()

    @property
    def alike(self) -> bool:
        """Whether all that were looked at have one size."""
        return len(set(self.sizes)) == 1

    @property
    def smallest(self) -> int:
        """The shortest side, in pixels."""
        return min(min(size) for size in self.sizes)

    @property
    def small(self) -> bool:
        """Whether they are small enough, and all alike, to be learned whole."""
        return self.alike and max(self.sizes[0]) <= 64

    def sentence(self) -> str:
        """Say what was found, in one line."""
        sizes = sorted(set(self.sizes))
        size = size_text(sizes[0]) if len(sizes) == 1 else f"{size_text(sizes[0])} to {size_text(sizes[-1])}"
        kinds = " and ".join({1: "grey", 3: "colour"}.get(number, f"{number}-channel") for number in self.channels)
        told = f"{self.count:,} {kinds} image{'s' * (self.count != 1)}, {size} pixels, {' and '.join(self.bits)}"
        told += f", {len(self.classes)} classes" if self.classes else ""
        return f"{told}; {len(self.unread)} of those looked at cannot be read" if self.unread else told


def size_text(size: tuple[int, int]) -> str:
    return f"{size[0]}×{size[1]}"


def look(data: str) -> FoundImages:
    """Look at the images of a folder, a file or a data set; CuelloError where there are none, or none can be read."""
    from pathlib import Path

    from cuello.data.catalog import open_source

    source = open_source(str(Path(data).expanduser()) if data.startswith("~") else data)
    count = len(source.names)
    if not count:
        raise CuelloError(f"{data} holds no image.")
    step = max(1, count // LOOKED_AT)
    pictures: dict[int, Any] = {}
    unread: dict[int, CuelloError] = {}
    for index in sorted({*range(0, count, step), *range(min(LISTED, count))}):
        try:
            pictures[index] = source.read(index)
        except CuelloError as error:
            unread[index] = error
    if not pictures:
        raise next(iter(unread.values()))
    listed = []
    for index in range(min(LISTED, count)):
        if index in unread:
            listed.append(f"{source.names[index]}  cannot be read")
            continue
        picture = pictures[index]
        height, width, channels = picture.pixels.shape
        listed.append(f"{source.names[index]}  {width}×{height}  {channels_text(channels)}  {bits_of(picture)}")
    return FoundImages(
        data,
        count,
        sizes=tuple((one.pixels.shape[1], one.pixels.shape[0]) for one in pictures.values()),
        channels=tuple(sorted({one.pixels.shape[2] for one in pictures.values()})),
        bits=tuple(sorted({bits_of(one) for one in pictures.values()})),
        listed=tuple(listed),
        classes=tuple(source.label_names or ()),
        unread=tuple(map(str, unread.values())),
    )


def channels_text(channels: int) -> str:
    return {1: "grey", 3: "colour"}.get(channels, f"{channels} channels")


def bits_of(picture: Any) -> str:
    """Say how many bits the values of a file have."""
    kind = picture.stored or picture.pixels.dtype
    return f"{8 * kind.itemsize}-bit{' floats' if kind.kind == 'f' else ''}"
