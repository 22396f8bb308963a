"""A trained network on files: what is kept, where results go, what is refused."""

import io
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image, ImageCms

import cuello
from cuello.core.errors import CuelloError, Interrupted
from cuello.data.picture import StoredImage, read_picture, write_picture
from cuello.inference import files
from cuello.inference.files import Applied, apply
from cuello.inference.model import Model

MakeImage = Callable[..., np.ndarray]
PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def test_one_file_becomes_one_file(model: Model, tmp_path: Path, make_image: MakeImage) -> None:
    image = make_image(0, 21, 33)
    Image.fromarray(image).save(tmp_path / "in.png")
    applied = apply(model, tmp_path / "in.png", tmp_path / "out.png")
    assert applied == Applied([tmp_path / "out.png"], [], [])
    assert np.array_equal(np.asarray(Image.open(tmp_path / "out.png")), model(image))


def test_one_file_into_a_folder_keeps_its_name(model: Model, images: Path, tmp_path: Path) -> None:
    for folder in (tmp_path / "new", tmp_path / "new"):  # at first it does not exist, then it does
        applied = apply(model, images / "1.png", folder, overwrite=True)
        assert applied.written == [folder / "1.png"]
        assert (folder / "1.png").is_file()


def test_a_folder_tree_is_kept(model: Model, tmp_path: Path, make_images: Callable[..., Path]) -> None:
    source = tmp_path / "in"
    make_images(source / "a" / "deep", 2)
    make_images(source / "b", 1)
    (source / "b" / "notes.txt").write_text("not an image")
    told: list[tuple[float, float, Path | None]] = []
    applied = cuello.apply(
        model,
        str(source),
        str(tmp_path / "out"),
        progress=lambda event: told.append((event.done, event.total, event.path)),
    )
    names = sorted(path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*.*"))
    assert names == [".cuello-applied.jsonl", "a/deep/0.png", "a/deep/1.png", "b/0.png"]
    assert sorted(applied.written) == sorted(tmp_path / "out" / name for name in names[1:])
    assert [(done, total) for done, total, _ in told] == [(0, 3), (1, 3), (2, 3), (3, 3)]


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("channels", [1, 3])
def test_sixteen_bits_stay_sixteen(
    model: Model, tmp_path: Path, make_image: MakeImage, suffix: str, channels: int
) -> None:
    levels = make_image(0, 20, 24, channels).astype(np.uint16) * 257 + 3 * (make_image(0, 20, 24, channels) < 255)
    levels = levels.astype(np.uint16)
    write_picture(tmp_path / f"in{suffix}", StoredImage(levels))
    applied = apply(model, tmp_path / f"in{suffix}", tmp_path / f"out{suffix}")
    assert applied.failed == []
    assert applied.notes == []
    result = read_picture(tmp_path / f"out{suffix}").pixels
    assert result.dtype == np.uint16
    assert np.array_equal(result, model.restore(levels))
    assert len(np.unique(result % 257)) > 50, "eight bits stretched to sixteen would be multiples of 257"


def test_float_tiff_stays_float(model: Model, tmp_path: Path, make_image: MakeImage) -> None:
    values = make_image(0, 20, 24, 1)[..., 0].astype(np.float32) / 255
    tifffile.imwrite(tmp_path / "in.tif", values)
    apply(model, tmp_path / "in.tif", tmp_path / "out.tif")
    assert np.allclose(tifffile.imread(tmp_path / "out.tif"), model(values), atol=1e-6)


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_alpha_is_kept(model: Model, tmp_path: Path, make_image: MakeImage, mode: str) -> None:
    image = Image.fromarray(make_image(0, 20, 24, 4), "RGBA").convert(mode)
    image.save(tmp_path / "in.png")
    apply(model, tmp_path / "in.png", tmp_path / "out.png")
    with Image.open(tmp_path / "out.png") as result:
        assert result.mode == mode
        found = np.asarray(result)
    assert np.array_equal(found[..., -1], np.asarray(image)[..., -1])
    assert not np.array_equal(found[..., 0], np.asarray(image)[..., 0])


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".webp"])
def test_the_colour_profile_is_kept(model: Model, tmp_path: Path, make_image: MakeImage, suffix: str) -> None:
    Image.fromarray(make_image(0)).save(tmp_path / f"in{suffix}", icc_profile=PROFILE)
    apply(model, tmp_path / f"in{suffix}", tmp_path / f"out{suffix}")
    with Image.open(tmp_path / f"out{suffix}") as result:
        assert result.info["icc_profile"] == PROFILE


def test_exif_and_resolution_are_kept(model: Model, tmp_path: Path, make_image: MakeImage) -> None:
    exif = Image.Exif()
    exif[0x010E] = "a description"
    Image.fromarray(make_image(0)).save(tmp_path / "in.jpg", exif=exif, dpi=(150, 150))
    apply(model, tmp_path / "in.jpg", tmp_path / "out.jpg")
    with Image.open(tmp_path / "out.jpg") as result:
        assert result.getexif()[0x010E] == "a description"
        assert result.info["dpi"] == (150, 150)


def test_gif_becomes_png_and_a_note_says_so(model: Model, tmp_path: Path, make_image: MakeImage) -> None:
    Image.fromarray(make_image(0)).convert("P").save(tmp_path / "in.gif")
    applied = apply(model, tmp_path / "in.gif", tmp_path / "out")
    assert applied.written == [tmp_path / "out" / "in.png"]
    assert any("was written as in.png" in note for note in applied.notes)
    assert any("was written as RGB" in note for note in applied.notes)
    with Image.open(tmp_path / "out" / "in.png") as result:
        assert (result.format, result.mode) == ("PNG", "RGB")


def test_cmyk_becomes_rgb_and_a_note_says_so(model: Model, tmp_path: Path, make_image: MakeImage) -> None:
    Image.fromarray(make_image(0)).convert("CMYK").save(tmp_path / "in.jpg")
    applied = apply(model, tmp_path / "in.jpg", tmp_path / "out.jpg")
    assert applied.notes == [
        f"{tmp_path / 'in.jpg'} is CMYK and was written as RGB by (255 - ink) (255 - black) / 255, since it has no "
        "colour profile that can be used"
    ]


def test_what_cannot_be_read_or_written_is_listed_and_the_rest_goes_on(
    model: Model, tmp_path: Path, make_images: Callable[..., Path], make_image: MakeImage
) -> None:
    source = make_images(tmp_path / "in", 3)
    content = (source / "1.png").read_bytes()
    (source / "1.png").write_bytes(content[: len(content) // 2])
    (source / "empty.jpg").write_bytes(b"")
    (source / "text.png").write_text("hello")
    applied = apply(model, source, tmp_path / "out")
    assert sorted(Path(path).name for path in applied.written) == ["0.png", "2.png"]
    assert sorted(Path(path).name for path, _ in applied.failed) == ["1.png", "empty.jpg", "text.png"]
    reasons = {Path(path).name: why for path, why in applied.failed}
    assert "cut short" in reasons["1.png"]
    assert "is empty (0 bytes)" in reasons["empty.jpg"]
    assert "is not an image" in reasons["text.png"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        ".cuello-applied.jsonl",
        "0.png",
        "2.png",
    ]
    Image.fromarray(make_image(0, channels=4), "RGBA").save(tmp_path / "alpha.png")
    applied = apply(model, tmp_path / "alpha.png", tmp_path / "alpha.jpg")
    assert applied.written == applied.notes == []
    assert "cannot hold transparency; use .png" in applied.failed[0][1]
    assert not (tmp_path / "alpha.jpg").exists()


@pytest.mark.parametrize("before", [0, 2])
@pytest.mark.parametrize("in_place", [False, True])
def test_what_is_stopped_says_what_is_written_and_goes_on(
    model: Model, tmp_path: Path, make_image: MakeImage, monkeypatch: pytest.MonkeyPatch, before: int, in_place: bool
) -> None:
    (tmp_path / "in").mkdir()
    for number in range(4):
        Image.fromarray(make_image(number)).save(tmp_path / "in" / f"{number}.png")
    original = (tmp_path / "in" / "3.png").read_bytes()
    restore_file, seen = files.restore_file, [0]

    def until_stopped(*given: Any, **more: Any) -> None:
        seen[0] += 1
        if seen[0] > before:
            raise KeyboardInterrupt
        restore_file(*given, **more)

    monkeypatch.setattr(files, "restore_file", until_stopped)
    where: dict[str, Any] = {"in_place": True} if in_place else {"destination": tmp_path / "out"}
    said = rf"stopped: {before} written, each whole, and {4 - before} left to do\. "
    with pytest.raises(Interrupted, match=said + ("The same call with skip_existing" if before else "Start again")):
        apply(model, tmp_path / "in", **where)
    assert (tmp_path / "in" / "3.png").read_bytes() == original
    monkeypatch.setattr(files, "restore_file", restore_file)
    assert len(apply(model, tmp_path / "in", **where, skip_existing=True).written) == 4 - before


def test_nothing_is_overwritten_unasked(model: Model, images: Path, tmp_path: Path) -> None:
    (tmp_path / "2.png").write_text("mine")
    with pytest.raises(CuelloError, match=r"1 of 6 results exist already, e.g. .*2\.png. Add overwrite=True"):
        apply(model, images, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["2.png"]
    assert (tmp_path / "2.png").read_text() == "mine"
    assert len(apply(model, images, tmp_path, overwrite=True).written) == 6
    assert Image.open(tmp_path / "2.png").size == (40, 40)


def test_two_files_that_would_become_one_are_refused(model: Model, tmp_path: Path, make_image: MakeImage) -> None:
    source = tmp_path / "in"
    source.mkdir()
    for name in ("a.png", "a.gif"):
        Image.fromarray(make_image(0)).save(source / name)
    with pytest.raises(CuelloError, match=r"would both become .*a\.png; rename one of them"):
        apply(model, source, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_there_has_to_be_something_to_do(model: Model, images: Path, tmp_path: Path) -> None:
    with pytest.raises(CuelloError, match=r"holds no image"):
        apply(model, tmp_path, tmp_path / "out")
    with pytest.raises(CuelloError, match=r"there is no file or folder"):
        apply(model, tmp_path / "nothing.png", tmp_path / "out")
    (tmp_path / "file").write_text("")
    with pytest.raises(CuelloError, match=r"a folder of images needs a folder for its results"):
        apply(model, images, tmp_path / "file")


@pytest.mark.parametrize("shape", [(3, 12, 14, 3), (12, 14), (2, 12, 14)])
def test_an_array_file_keeps_shape_and_type(model: Model, tmp_path: Path, shape: tuple[int, ...]) -> None:
    array = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    np.save(tmp_path / "in.npy", array)
    applied = apply(model, tmp_path / "in.npy", tmp_path / "out")
    assert applied.written == [tmp_path / "out" / "in.npy"]
    result = np.load(tmp_path / "out" / "in.npy", allow_pickle=False)
    assert (result.shape, result.dtype) == (shape, np.uint8)
    assert np.array_equal(result, model(array))
    with pytest.raises(CuelloError, match=r"in\.npy exists already. Add overwrite=True"):
        apply(model, tmp_path / "in.npy", tmp_path / "out")


def test_no_pickle_is_ever_loaded(model: Model, tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple:
            return (Path.touch, (tmp_path / "sprung",))

    np.save(tmp_path / "in.npy", np.array([Trap()], dtype=object), allow_pickle=True)
    with pytest.raises(CuelloError, match=r"could not be read as NumPy's format"):
        apply(model, tmp_path / "in.npy", tmp_path / "out.npy")
    assert not (tmp_path / "sprung").exists()
    stream = io.BytesIO()
    np.save(stream, np.zeros((4, 4), np.uint8))
    (tmp_path / "short.npy").write_bytes(stream.getvalue()[:-3])
    with pytest.raises(CuelloError, match=r"could not be read as NumPy's format"):
        apply(model, tmp_path / "short.npy", tmp_path / "out.npy")
    assert not (tmp_path / "out.npy").exists()


def test_a_folder_without_permission_is_listed(
    model: Model, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuses(self: Path, *arguments: object, **options: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "mkdir", refuses)
    applied = apply(model, images, tmp_path / "out")
    assert applied.written == []
    assert len(applied.failed) == 6
    assert all("no permission to write" in why for _, why in applied.failed)


# Networks that make images larger, and that take the noise level


@pytest.fixture(scope="module")
def larger(tmp_path_factory: pytest.TempPathFactory, images: Path) -> Model:
    """A network that makes images twice as large."""
    run = cuello.train(
        "upscale", images, scale=2, model="espcn", crop=16, samples=8, epochs=1, report=False, device="cpu", threads=1,
        output=tmp_path_factory.mktemp("runs") / "up",
    )  # fmt: skip
    return cuello.load(run.path)


def test_files_become_larger_with_their_transparency_and_depth(
    larger: Model, tmp_path: Path, make_image: MakeImage
) -> None:
    source = tmp_path / "in"
    source.mkdir()
    Image.fromarray(make_image(0, 9, 7, 4), "RGBA").save(source / "a.png")
    write_picture(source / "b.tif", StoredImage(make_image(1, 9, 7, 1).astype(np.uint16) * 257))
    pages = np.stack([make_image(n, 8, 6, 1)[:, :, 0] for n in range(3)])
    tifffile.imwrite(source / "c.tif", pages, photometric="minisblack")
    Image.new("L", (1, 1), 90).save(source / "d.png")
    applied = apply(larger, source, tmp_path / "out")
    assert applied.failed == []
    with Image.open(tmp_path / "out" / "a.png") as result:
        assert (result.mode, result.size) == ("RGBA", (14, 18))
        assert np.array_equal(np.asarray(result), larger(make_image(0, 9, 7, 4)))
    deep = read_picture(tmp_path / "out" / "b.tif").pixels
    assert (deep.shape, deep.dtype) == ((18, 14, 1), np.uint16)
    assert tifffile.imread(tmp_path / "out" / "c.tif").shape == (3, 16, 12)
    assert read_picture(tmp_path / "out" / "d.png").pixels.shape == (2, 2, 1)


def test_an_array_file_becomes_larger(larger: Model, tmp_path: Path) -> None:
    np.save(tmp_path / "in.npy", np.zeros((2, 5, 6, 3), np.uint8))
    apply(larger, tmp_path / "in.npy", tmp_path / "out.npy")
    assert np.load(tmp_path / "out.npy").shape == (2, 10, 12, 3)


def test_a_noise_level_reaches_the_network_or_is_refused(
    model: Model, tmp_path: Path, images: Path, make_image: MakeImage
) -> None:
    with pytest.raises(CuelloError, match="takes no noise level"):
        apply(model, images, tmp_path / "out", level=0.1)
    assert not (tmp_path / "out").exists()
    run = cuello.train(
        "denoise", images, noise="gaussian:0..50", model="denoise-s", crop=16, samples=8, epochs=1, report=False,
        device="cpu", threads=1, output=tmp_path / "run",
    )  # fmt: skip
    told = cuello.load(run.path)
    with torch.no_grad():
        for parameter in told.network.parameters():  # hardly trained, it would do nothing yet
            parameter.add_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(0)), alpha=0.02)
    Image.fromarray(make_image(0)).save(tmp_path / "in.png")
    results = []
    for level in (0.02, 0.4):
        apply(told, tmp_path / "in.png", tmp_path / "out.png", overwrite=True, level=level)
        results.append(read_picture(tmp_path / "out.png").pixels)
        assert np.array_equal(results[-1], told(make_image(0), level))
    assert not np.array_equal(*results)


@pytest.mark.parametrize("suffix", [".png", ".webp"])
@pytest.mark.parametrize("which", ["model", "larger"])
def test_hidden_colours_never_reach_visible_ones_and_stay(
    request: pytest.FixtureRequest, tmp_path: Path, make_image: MakeImage, suffix: str, which: str
) -> None:
    model: Model = request.getfixturevalue(which)
    pixels = np.concatenate([make_image(0, 12, 14), np.full((12, 14, 1), 255, np.uint8)], axis=2)
    pixels[3:9, 4:10, 3] = 0
    spoiled = pixels.copy()
    spoiled[3:9, 4:10, :3] = np.random.default_rng(1).integers(0, 256, (6, 6, 3))
    results = []
    for name, image in (("smooth", pixels), ("spoiled", spoiled)):
        Image.fromarray(image).save(tmp_path / f"{name}{suffix}", lossless=True, exact=True)
        apply(model, tmp_path / f"{name}{suffix}", tmp_path / "out" / f"{name}{suffix}")
        results.append(np.asarray(Image.open(tmp_path / "out" / f"{name}{suffix}")))
    seen = results[0][..., 3] > 0
    assert np.array_equal(results[0][..., 3], results[1][..., 3])
    assert np.array_equal(results[0][seen], results[1][seen])
    middle = (slice(4 * model.scale, 8 * model.scale), slice(5 * model.scale, 9 * model.scale))
    kept = spoiled[4:8, 5:9, :3].repeat(model.scale, axis=0).repeat(model.scale, axis=1)
    assert np.array_equal(results[1][middle][..., :3], kept)


def test_folders_of_results_are_made(model: Model, images: Path, tmp_path: Path) -> None:
    source = tmp_path / "in"
    (source / "deep").mkdir(parents=True)
    for name in ("0.png", "deep/1.png"):
        shutil.copy(next(images.glob("*.png")), source / name)
    applied = apply(model, source, tmp_path / "new" / "out")
    assert applied.failed == []
    assert sorted(applied.written) == [tmp_path / "new" / "out" / "0.png", tmp_path / "new" / "out" / "deep" / "1.png"]


def test_an_array_whose_header_promises_more_than_the_file_holds(model: Model, tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros((3, 4), np.uint8))
    content = (tmp_path / "a.npy").read_bytes()
    promised = content.replace(b"(3, 4), }" + b" " * 12, b"(3000000000, 4000), }", 1)
    assert len(promised) == len(content) != promised.count(b"(3, 4)")
    (tmp_path / "a.npy").write_bytes(promised)
    with pytest.raises(CuelloError, match=r"a\.npy.* promises"):
        apply(model, tmp_path / "a.npy", tmp_path / "b.npy")
    assert not (tmp_path / "b.npy").exists()
