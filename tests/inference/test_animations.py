"""Animations and JPEGs of several pictures: every frame restored by itself, shown as long and as often as before."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageSequence

from cuello import CuelloError
from cuello.data import frames
from cuello.data.picture import read_picture
from cuello.data.sources import open_path
from cuello.inference.files import apply
from cuello.inference.model import Model

MakeImage = Callable[..., np.ndarray]
DURATIONS = [100, 250, 40]


@pytest.fixture
def pictures(make_image: MakeImage) -> list[np.ndarray]:
    return [make_image(seed, 14, 18) for seed in range(3)]


def write(path: Path, pictures: list[np.ndarray], **options: Any) -> Path:
    """Write an animation, or a JPEG of several pictures, with Pillow."""
    images = [Image.fromarray(pixels) for pixels in pictures]
    plain: dict[str, Any] = {"duration": DURATIONS, "loop": 3, "lossless": True}
    if path.suffix == ".jpg":
        plain = {"format": "MPO", "quality": 95}
    images[0].save(path, save_all=True, append_images=images[1:], **plain | options)
    return path


def shown(path: Path) -> tuple[list[np.ndarray], list[float], int]:
    """What a viewer shows, by Pillow: the frames as RGBA, their durations, how often."""
    with Image.open(path) as image:
        images, durations = [], []
        for frame in ImageSequence.Iterator(image):
            images.append(np.asarray(frame.convert("RGBA")))
            durations.append(frame.info.get("duration", 0))
        return images, durations, image.info.get("loop", -1)


@pytest.mark.parametrize(("source", "target"), [
    ("a.gif", "a.png"), ("a.gif", "a.webp"), ("a.png", "b.png"), ("a.png", "a.webp"), ("a.webp", "b.webp"),
    ("a.webp", "a.png"),
])  # fmt: skip
def test_every_frame_is_restored_and_shown_as_long(
    model: Model, tmp_path: Path, pictures: list[np.ndarray], source: str, target: str
) -> None:
    before, durations, loop = shown(write(tmp_path / source, pictures))
    applied = apply(model, tmp_path / source, tmp_path / target)
    assert applied.written == [tmp_path / target]
    after, *rest = shown(tmp_path / target)
    assert rest == [DURATIONS, 3] == [durations, loop]
    for one, other in zip(before, after, strict=True):
        assert np.array_equal(other, model(one))


def test_an_animation_over_itself_stays_one(model: Model, tmp_path: Path, pictures: list[np.ndarray]) -> None:
    write(tmp_path / "a.webp", pictures)
    before = (tmp_path / "a.webp").read_bytes()
    apply(model, tmp_path / "a.webp", in_place=True)
    assert shown(tmp_path / "a.webp")[1:] == (DURATIONS, 3)
    assert (tmp_path / "a.webp.orig").read_bytes() == before != (tmp_path / "a.webp").read_bytes()


def test_a_gif_that_is_shown_once_stays_so(model: Model, tmp_path: Path, pictures: list[np.ndarray]) -> None:
    write(tmp_path / "a.gif", pictures, loop=None)
    apply(model, tmp_path / "a.gif", tmp_path / "out.png")
    assert shown(tmp_path / "out.png")[2] == 1


def test_transparency_and_orientation_of_frames_are_kept(
    model: Model, tmp_path: Path, pictures: list[np.ndarray]
) -> None:
    alpha = np.full((14, 18, 1), 255, np.uint8)
    alpha[3:6, 3:9] = 100
    exif = Image.Exif()
    exif[0x0112] = 6
    write(tmp_path / "a.webp", [np.dstack([one, alpha]) for one in pictures], exif=exif)
    apply(model, tmp_path / "a.webp", tmp_path / "b.webp")
    before, after = shown(tmp_path / "a.webp")[0], shown(tmp_path / "b.webp")[0]
    for one, other in zip(before, after, strict=True):
        assert np.array_equal(other, model(np.rot90(one, -1)))
    with Image.open(tmp_path / "b.webp") as image:
        assert image.getexif()[0x0112] == 1


def test_a_picture_for_viewers_without_animations_stays_apart(
    model: Model, tmp_path: Path, pictures: list[np.ndarray]
) -> None:
    write(tmp_path / "a.png", pictures, default_image=True, duration=DURATIONS[:2])
    apply(model, tmp_path / "a.png", tmp_path / "b.png")
    with Image.open(tmp_path / "b.png") as image:
        assert image.info["default_image"]
        assert image.n_frames == 3  # type: ignore[attr-defined]
    after, durations, _ = shown(tmp_path / "b.png")
    assert durations[1:] == DURATIONS[:2]
    assert np.array_equal(after[0][..., :3], model(pictures[0]))


def test_every_picture_of_a_jpeg_is_restored_with_what_it_says(
    model: Model, tmp_path: Path, pictures: list[np.ndarray]
) -> None:
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "Maker"
    write(tmp_path / "a.jpg", pictures, exif=exif)
    applied = apply(model, tmp_path / "a.jpg", tmp_path / "b.jpg")
    assert applied.notes == [f"{tmp_path / 'a.jpg'} holds 3 pictures (MPO); each was restored"]
    before, after = shown(tmp_path / "a.jpg")[0], shown(tmp_path / "b.jpg")[0]
    with Image.open(tmp_path / "a.jpg") as one, Image.open(tmp_path / "b.jpg") as other:
        for number in range(3):
            one.seek(number)
            other.seek(number)
            turns = -1 if one.getexif().get(0x0112) == 6 else 0
            assert other.getexif().get(0x010F) == one.getexif().get(0x010F)
            assert other.getexif().get(0x0112, 1) == 1
            expected = model(np.rot90(before[number], turns))
            assert np.abs(after[number].astype(int) - expected).mean() < 3  # as JPEG rounds


def test_a_jpeg_of_several_pictures_becomes_one_with_a_note(
    model: Model, tmp_path: Path, pictures: list[np.ndarray]
) -> None:
    applied = apply(model, write(tmp_path / "a.jpg", pictures), tmp_path / "b.png")
    assert "holds 3 pictures (MPO), of which b.png holds the first" in applied.notes[0]


def test_what_holds_one_picture_is_refused_for_an_animation(
    model: Model, tmp_path: Path, pictures: list[np.ndarray]
) -> None:
    applied = apply(model, write(tmp_path / "a.gif", pictures), tmp_path / "b.jpg")
    assert applied.written == []
    assert "animation of 3 frames, and .jpg holds one: name the result .png or .webp" in applied.failed[0][1]
    with pytest.raises(CuelloError, match="it is an animation, and one picture is needed"):
        read_picture(tmp_path / "a.gif")


def test_what_takes_more_memory_than_is_free_is_refused(
    model: Model, tmp_path: Path, pictures: list[np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cuello.inference.animations.free_memory", lambda: 3 * 3 * 4 * 14 * 18 - 1)
    applied = apply(model, write(tmp_path / "a.gif", pictures), tmp_path / "b.png")
    assert "3 frames of 18×14 pixels take more memory than is free" in applied.failed[0][1]


@pytest.mark.parametrize("name", ["a.gif", "a.png", "a.webp"])
def test_training_sees_every_frame(tmp_path: Path, pictures: list[np.ndarray], name: str) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    before = shown(write(folder / name, pictures))[0]
    source = open_path(folder)
    assert list(source.names) == [f"{name}#{number:03d}" for number in range(3)]
    for number in (2, 0, 1, 2):  # in any order
        assert np.array_equal(source.read(number).pixels, before[number][..., :3])


def test_training_says_that_the_first_picture_of_a_jpeg_is_used(tmp_path: Path, pictures: list[np.ndarray]) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    write(folder / "a.jpg", pictures)
    source = open_path(folder)
    assert list(source.names) == ["a.jpg"]
    assert source.notes == ["1 files hold several pictures (MPO), of which the first is used: a.jpg"]
    assert np.abs(source.read(0).pixels.astype(int) - shown(folder / "a.jpg")[0][0][..., :3]).max() == 0


def test_frames_that_a_file_only_claims_are_never_counted(tmp_path: Path, pictures: list[np.ndarray]) -> None:
    content = write(tmp_path / "a.png", pictures).read_bytes()
    place = content.index(b"acTL") + 4
    import zlib

    claim = (2**31 - 1).to_bytes(4, "big") + content[place + 4 : place + 8]
    crc = zlib.crc32(b"acTL" + claim).to_bytes(4, "big")
    (tmp_path / "b.png").write_bytes(content[:place] + claim + crc + content[place + 12 :])
    assert frames.frames_of(tmp_path / "b.png") is None
    with pytest.raises(CuelloError):
        open_path(tmp_path / "b.png").read(0)


def test_a_still_picture_is_no_animation(images: Path) -> None:
    assert frames.frames_of(images / "0.png") is None


def test_a_picture_that_is_no_frame_is_said_where_it_cannot_be_kept(model: Model, tmp_path: Path) -> None:
    stills = [Image.fromarray(np.full((8, 8), grey, np.uint8)) for grey in (10, 90, 200)]
    stills[0].save(tmp_path / "in.png", save_all=True, append_images=stills[1:], default_image=True, duration=40)
    applied = apply(model, tmp_path / "in.png", tmp_path / "out.webp")
    assert applied.failed == []
    assert (
        f"{tmp_path / 'in.png'} has a picture for where animations are not shown, which out.webp lacks" in applied.notes
    )
    with Image.open(tmp_path / "out.webp") as found:
        assert getattr(found, "n_frames", 1) == 2
