"""Where results of files go, and what one file that fails does to the others."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from applied_results import contents
from PIL import Image

from cuello.core.errors import CuelloError, Interrupted
from cuello.data.picture import StoredImage, read_picture, write_picture
from cuello.inference import files, targets
from cuello.inference.files import apply
from cuello.inference.model import Model

MakeImages = Callable[..., Path]


@pytest.mark.parametrize("place", ["in", "in/out", "in/a/b"])
def test_results_never_become_images_of_the_next_call(
    model: Model, tmp_path: Path, make_images: MakeImages, place: str
) -> None:
    source = make_images(tmp_path / "in", 2)
    before = {path: path.read_bytes() for path in source.iterdir()}
    with pytest.raises(CuelloError, match=r"lies in .* Choose a place outside, e\.g\. .*in-results"):
        apply(model, source, tmp_path / place, overwrite=True)
    assert {path: path.read_bytes() for path in source.iterdir()} == before
    assert len(apply(model, source, tmp_path / "in-results").written) == 2


def test_results_never_lie_around_the_images(model: Model, tmp_path: Path, make_images: MakeImages) -> None:
    source = make_images(tmp_path / "all" / "in", 1)
    before = contents(tmp_path)
    for place in (source.parent, tmp_path):
        with pytest.raises(
            CuelloError, match=r"in one folder\. Choose a place outside, e\.g\. .*in-results, or, .*in_place"
        ):
            apply(model, source, place, overwrite=True)
    assert contents(tmp_path) == before


@pytest.mark.parametrize("link", ["out", "out/deep"])
def test_links_into_the_images_are_seen(model: Model, tmp_path: Path, make_images: MakeImages, link: str) -> None:
    source = make_images(tmp_path / "in", 1)
    make_images(source / "deep", 1)
    (tmp_path / link).parent.mkdir(exist_ok=True)
    (tmp_path / link).symlink_to(source if link == "out" else source / "deep")
    before = contents(tmp_path)
    with pytest.raises(CuelloError, match="would be images of the next call") as caught:
        apply(model, source, tmp_path / "out", overwrite=True)
    assert "overwrite" not in str(caught.value)
    assert contents(tmp_path) == before


@pytest.mark.parametrize("name", ["a.png", "deep/../a.png", "symbolic.png", "hard.png"])
def test_an_image_is_known_by_all_its_names(model: Model, tmp_path: Path, make_images: MakeImages, name: str) -> None:
    (tmp_path / "deep").mkdir()
    (make_images(tmp_path, 1) / "0.png").rename(tmp_path / "a.png")
    (tmp_path / "symbolic.png").symlink_to("a.png")
    (tmp_path / "hard.png").hardlink_to(tmp_path / "a.png")
    before = contents(tmp_path)
    for overwrite in (False, True):
        with pytest.raises(CuelloError, match=r"is not replaced\. Choose another place.* in_place=True") as caught:
            apply(model, tmp_path / "a.png", tmp_path / name, overwrite=overwrite)
        assert "overwrite" not in str(caught.value)
    assert contents(tmp_path) == before


def test_one_of_several_results_that_is_another_image(model: Model, tmp_path: Path, make_images: MakeImages) -> None:
    make_images(tmp_path / "a", 1)
    (make_images(tmp_path / "b", 1) / "0.png").rename(tmp_path / "b" / "1.png")
    before = contents(tmp_path)
    with pytest.raises(CuelloError, match=r"b.1\.png is the image itself"):
        apply(model, [tmp_path / "a" / "0.png", tmp_path / "b" / "1.png"], tmp_path / "b", overwrite=True)
    assert contents(tmp_path) == before


def test_several_images_and_patterns_go_into_a_folder(model: Model, tmp_path: Path, make_images: MakeImages) -> None:
    source = make_images(tmp_path / "in", 3)
    make_images(source / "deep", 2)
    (source / "0.png.orig").write_bytes(b"kept")
    named = sorted(source.iterdir())
    applied = apply(model, named, tmp_path / "named")
    assert sorted(contents(tmp_path / "named")) == ["0.png", "1.png", "2.png", "deep/0.png", "deep/1.png"]
    (note,) = applied.notes
    assert "1 file in what was named is not an image by its ending and was ignored (1 .orig): 0.png.orig" in note
    apply(model, str(source / "*.png"), tmp_path / "pattern")
    assert sorted(contents(tmp_path / "pattern")) == ["0.png", "1.png", "2.png"]
    apply(model, str(source / "**" / "1.png"), tmp_path / "tree")
    assert sorted(contents(tmp_path / "tree")) == ["1.png", "deep/1.png"]
    with pytest.raises(CuelloError, match="none that this pattern stands for"):
        apply(model, str(source / "*.tif"), tmp_path / "none")
    with pytest.raises(CuelloError, match="there is no file or folder"):
        apply(model, [source / "0.png", source / "9.png"], tmp_path / "none")
    with pytest.raises(CuelloError, match="a folder of images needs a folder"):
        apply(model, [source / "0.png", source / "1.png"], tmp_path / "none.png")
    with pytest.raises(CuelloError, match=r"0\.png and .*0\.png would both become .*none.0\.png"):
        apply(model, [source / "0.png", source / "deep" / "0.png"], tmp_path / "none")
    assert not (tmp_path / "none").exists()
    assert sorted(contents(source)) == ["0.png", "0.png.orig", "1.png", "2.png", "deep/0.png", "deep/1.png"]


def test_a_name_with_a_sign_of_patterns_is_a_name(model: Model, tmp_path: Path, make_images: MakeImages) -> None:
    (make_images(tmp_path / "in", 1) / "0.png").rename(tmp_path / "in" / "a[1].png")
    apply(model, tmp_path / "in" / "a[1].png", tmp_path / "b.png")
    assert (tmp_path / "b.png").is_file()


def test_a_folder_needs_a_folder_that_looks_like_one(model: Model, images: Path, tmp_path: Path) -> None:
    with pytest.raises(
        CuelloError, match=r"out\.xyz: got the ending \.xyz, needed a folder .* write .*out\.xyz/, or make"
    ):
        apply(model, images, tmp_path / "out.xyz")
    assert not list(tmp_path.iterdir())
    assert len(apply(model, images, f"{tmp_path}/out.xyz/").written) == 6
    assert len(apply(model, images, tmp_path / "sigma-0.5").written) == 6
    assert apply(model, images / "1.png", f"{tmp_path}/new.v2/").written == [tmp_path / "new.v2" / "1.png"]


def test_what_exists_is_skipped_and_the_rest_goes_on(model: Model, images: Path, tmp_path: Path) -> None:
    (tmp_path / "2.png").write_text("mine")
    with pytest.raises(CuelloError, match=r"skip_existing=True to go on with the others"):
        apply(model, images, tmp_path)
    applied = apply(model, images, tmp_path, skip_existing=True)
    assert applied.skipped == [tmp_path / "2.png"]
    assert [Path(path).name for path in applied.written] == ["0.png", "1.png", "3.png", "4.png", "5.png"]
    assert (tmp_path / "2.png").read_text() == "mine"
    applied = apply(model, images, tmp_path, skip_existing=True)
    assert (len(applied.skipped), applied.written) == (6, [])
    with pytest.raises(CuelloError, match="leave one of them out"):
        apply(model, images, tmp_path, overwrite=True, skip_existing=True)


def test_a_format_for_all_results(model: Model, tmp_path: Path, make_images: MakeImages) -> None:
    source = make_images(tmp_path / "in", 2)
    apply(model, source, tmp_path / "out", format="TIF")
    assert sorted(contents(tmp_path / "out")) == ["0.tif", "1.tif"]
    apply(model, source / "0.png", tmp_path / "out", format="webp")
    assert np.array_equal(read_picture(tmp_path / "out" / "0.webp").pixels, read_picture(tmp_path / "out/0.tif").pixels)
    with pytest.raises(CuelloError, match=r"format: got 'xyz', needed one of bmp, .*webp\."):
        apply(model, source, tmp_path / "none", format="xyz")
    with pytest.raises(CuelloError, match="another ending than format='png'"):
        apply(model, source / "0.png", tmp_path / "a.tif", format="png")


def test_a_result_that_was_to_be_a_gif_is_a_png_which_is_said(model: Model, images: Path, tmp_path: Path) -> None:
    applied = apply(model, images / "0.png", tmp_path / "out.gif")
    assert applied.written == [tmp_path / "out.png"]
    assert "256 colours, too few for a result" in applied.notes[0]
    assert applied.notes[0].endswith("out.gif was written as out.png")


@pytest.mark.parametrize("name", ["out.xyz", "out.heic", "out.v2", "out.npy"])
def test_an_unknown_ending_is_an_error_that_lists_the_endings(
    model: Model, images: Path, tmp_path: Path, name: str
) -> None:
    with pytest.raises(
        CuelloError, match=r"got the ending .*, needed one of \.bmp, .*\.webp for a file\. If it is to be"
    ):
        apply(model, images / "1.png", tmp_path / name)
    assert not list(tmp_path.iterdir())
    (tmp_path / name).mkdir()
    assert apply(model, images / "1.png", tmp_path / name).written == [tmp_path / name / "1.png"]


def test_an_array_needs_an_array_and_a_folder_a_folder(model: Model, images: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "in.npy", np.zeros((12, 14), np.uint8))
    with pytest.raises(CuelloError, match=r"got the ending \.png, needed one of \.npy"):
        apply(model, tmp_path / "in.npy", tmp_path / "out.png")
    with pytest.raises(CuelloError, match="a folder of images needs a folder"):
        apply(model, images, tmp_path / "out.png")
    assert [path.name for path in tmp_path.iterdir()] == ["in.npy"]


def test_names_that_differ_by_capitals_alone(
    model: Model, tmp_path: Path, make_images: MakeImages, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = make_images(tmp_path / "in", 1)
    (source / "0.PNG").write_bytes((source / "0.png").read_bytes())
    if len(list(source.iterdir())) < 2:
        pytest.skip("this file system does not tell them apart")
    assert len(apply(model, source, tmp_path / "out").written) == 2
    monkeypatch.setattr(targets, "tells_case", lambda folder: False)
    with pytest.raises(CuelloError, match=r"0\.PNG and .*0\.png would both become"):
        apply(model, source, tmp_path / "out-2")
    assert not (tmp_path / "out-2").exists()


def test_this_file_system_tells_names_apart_or_not(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    assert targets.tells_case(tmp_path / "new" / "folder") == (not (tmp_path / "A").exists())


@pytest.mark.parametrize(
    "error",
    [ValueError("odd"), MemoryError(), RecursionError("deep"), RuntimeError("can't allocate memory"), OSError(5)],
)
def test_whatever_one_file_raises_the_rest_goes_on(
    model: Model, tmp_path: Path, make_images: MakeImages, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    source, write = make_images(tmp_path / "in", 3), files.write_picture

    def failing(path: Path, picture: StoredImage) -> None:
        if path.name == "1.png":
            raise error
        write(path, picture)

    monkeypatch.setattr(files, "write_picture", failing)
    applied = apply(model, source, tmp_path / "out")
    assert [Path(path).name for path in applied.written] == ["0.png", "2.png"]
    ((path, why),) = applied.failed
    assert path == source / "1.png"
    assert str(path) in why


def test_ctrl_c_is_no_file_that_failed(
    model: Model, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(files, "write_picture", stopped)
    with pytest.raises(Interrupted, match="stopped: 0 written, each whole, and 6 left to do"):
        apply(model, images, tmp_path / "out")
    assert not list((tmp_path / "out").glob("*"))


def test_files_left_aside_are_noted(model: Model, tmp_path: Path, make_images: MakeImages) -> None:
    source = make_images(tmp_path / "in", 1)
    for name in ("a.heic", "b.psd", "c.npy", "Thumbs.db"):
        (source / name).write_bytes(b"x")
    (note,) = apply(model, source, tmp_path / "out").notes
    assert "3 files in" in note
    assert "(1 .heic, 1 .psd, 1 .npy)" in note


@pytest.mark.parametrize(
    ("name", "shape", "holds"),
    [
        ("a.jpg", (1, 65_501), "65,500 pixels"),
        ("a.jpe", (65_501, 1), "65,500 pixels"),
        ("a.webp", (16_384, 1), "16,383 pixels"),
        ("a.tga", (1, 65_536), "65,535 pixels"),
    ],
)
def test_what_a_format_cannot_hold_is_told(tmp_path: Path, name: str, shape: tuple[int, int], holds: str) -> None:
    height, width = shape
    picture = StoredImage(np.zeros((*shape, 1), np.uint8))
    with pytest.raises(CuelloError, match=f"holds at most {holds}.* has {width:,}×{height:,}; use .png or .tif"):
        write_picture(tmp_path / name, picture)
    assert not list(tmp_path.iterdir())
    write_picture(tmp_path / "a.png", picture)


def test_exif_data_that_a_jpeg_cannot_hold_are_told(tmp_path: Path) -> None:
    for size, fits in ((65_533, True), (65_534, False)):
        picture = StoredImage(np.zeros((4, 4, 3), np.uint8), exif=b"Exif\0\0".ljust(size, b"x"))
        if fits:
            write_picture(tmp_path / "a.jpg", picture)
        else:
            with pytest.raises(CuelloError, match="holds at most 65,533 bytes of EXIF data, and the image has 65,534"):
                write_picture(tmp_path / "b.jfif", picture)
    assert [path.name for path in tmp_path.iterdir()] == ["a.jpg"]


@pytest.mark.parametrize("name", ["a.ppm", "a.dib", "a.jfif", "a.jpe"])
def test_transparency_in_a_format_without_it_is_told(tmp_path: Path, name: str) -> None:
    with pytest.raises(CuelloError, match=r"cannot hold transparency; use \.png"):
        write_picture(tmp_path / name, StoredImage(np.zeros((4, 4, 3), np.uint8), np.zeros((4, 4, 1), np.uint8)))


@pytest.mark.parametrize("name", ["a.tga", "a.ppm", "a.dib"])
def test_the_plain_formats_come_back_as_they_were(tmp_path: Path, name: str) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)
    write_picture(tmp_path / name, StoredImage(pixels))
    with Image.open(tmp_path / name) as image:
        assert np.array_equal(np.asarray(image), pixels)
    assert np.array_equal(read_picture(tmp_path / name).pixels, pixels)


def test_a_ppm_keeps_16_bits_of_grey_and_refuses_those_of_colours(tmp_path: Path) -> None:
    values = np.array([[0, 257, 65_535]], np.uint16)[..., None]
    write_picture(tmp_path / "a.pgm", StoredImage(values))
    assert (tmp_path / "a.pgm").read_bytes() == b"P5\n3 1\n65535\n" + values.astype(">u2").tobytes()
    assert np.array_equal(read_picture(tmp_path / "a.pgm").pixels, values)
    (tmp_path / "b.ppm").write_bytes(b"P6\n1 1\n65535\n" + bytes(6))
    with pytest.raises(CuelloError, match="more than 8 bits per colour, of which only 8 would be read"):
        read_picture(tmp_path / "b.ppm")
