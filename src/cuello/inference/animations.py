"""A trained network on animations and JPEGs of several pictures: every frame by itself, as the same kind of file."""

from pathlib import Path

from cuello.core.errors import CuelloError
from cuello.data.frames import ANIMATED_ENDINGS, Frames, read_frame, write_frames
from cuello.data.levels import RangeChoice
from cuello.data.picture import JPEG_SUFFIXES, check_sides, lost
from cuello.data.stored import StoredImage
from cuello.data.stream import free_memory
from cuello.inference.arrays import restore_picture
from cuello.inference.restorer import Restorer

COPIES = 3
"""How often a result is in memory at once while it is made and written."""


def restore_frames(
    model: Restorer, path: Path, target: Path, *, frames: Frames, level: float | None = None, choice: RangeChoice
) -> tuple[list[str], list[StoredImage]]:
    """Restore every frame of a file into ``target``; durations and loops stay.

    Returns notes of what changed beside, and the frames of the result.

    The pictures of an MPO stay an MPO; an animation may become another kind of animation.
    Raises CuelloError where the target's format holds one picture, or all frames do not fit into memory.
    """
    suffix = target.suffix.lower()
    endings = JPEG_SUFFIXES if frames.kind == "MPO" else ANIMATED_ENDINGS
    if suffix not in endings:
        raise CuelloError(
            f"{path} is an animation of {frames.count} frames, and {suffix} holds one: name the result .png or .webp, "
            "or take the frame you want out of it first."
        )
    width, height = (model.scale * side for side in frames.size)
    check_sides(target, (height, width))
    if COPIES * 4 * frames.count * width * height > free_memory():
        raise CuelloError(
            f"{path}: {frames.count} frames of {width}×{height} pixels take more memory than is free. Cut the "
            "animation into shorter ones."
        )
    pictures, durations = [], []
    for number in range(frames.count):
        picture, duration = read_frame(path, number, choice)
        pictures.append(restore_picture(model, picture, level, choice=choice))
        durations.append(duration)
    write_frames(target, pictures, durations=durations, frames=frames)
    notes = []
    if frames.kind == "MPO":
        notes.append(f"{path} holds {frames.count} pictures (MPO); each was restored")
    if frames.default and suffix != ".png":
        notes.append(f"{path} has a picture for where animations are not shown, which {target.name} lacks")
    missing = lost(suffix, pictures[0])
    if missing:
        notes.append(f"{target} lacks these parts of {path}: {', '.join(missing)}")
    if suffix != path.suffix.lower():
        notes.append(f"{path}, {frames.count} frames, was written as {target.name}")
    return notes, pictures
