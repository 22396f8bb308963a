"""Exported pages in a real browser, opened from a file: their results are those of ``cuello apply``."""

import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image

import cuello
from cuello.data.picture import read_picture
from cuello.exporting.page.export import write_model_page
from cuello.inference.files import apply

MODEL = "denoise"


@pytest.fixture(scope="module")
def page_of(page_runtime: None, tmp_path_factory: pytest.TempPathFactory) -> Callable[[cuello.Model], Path]:
    """Write a model's page."""

    def written(model: cuello.Model) -> Path:
        path = tmp_path_factory.mktemp("page") / "page.html"
        write_model_page(model, path)
        return path

    return written


@pytest.fixture(scope="module")
def page(page_of: Callable[[cuello.Model], Path]) -> Path:
    return page_of(cuello.load(MODEL))


def noisy(seed: int, shape: tuple[int, ...], white: int = 255) -> np.ndarray:
    """Return waves with noise, ``shape`` of 8 or 16 bits; nowhere flat."""
    random, (y, x) = np.random.default_rng(seed), np.mgrid[: shape[0], : shape[1]]
    waves = 0.5 + 0.3 * np.sin(x / 9) * np.cos(y / 7)
    waves = waves if len(shape) == 2 else np.stack([waves ** (k + 1) for k in range(shape[2])], axis=-1)
    values = (waves + random.normal(0, 0.06, shape)).clip(0, 1) * white
    return values.round().astype(np.uint8 if white == 255 else np.uint16)


def largest_difference(page_path: Path, source: Path, tmp_path: Path) -> int:
    """Compare a result of the page with ``cuello apply``'s, in levels of their type."""
    reference = tmp_path / f"reference-{source.stem}.png"
    apply(cuello.load(MODEL), source, reference)
    ours, theirs = (read_picture(path).with_alpha for path in (page_path, reference))
    assert (ours.shape, ours.dtype) == (theirs.shape, theirs.dtype)
    return int(np.abs(ours.astype(int) - theirs).max())


def pictures(folder: Path) -> Iterator[tuple[Path, int]]:
    """Write one image of every kind; yields its path and how many levels the page may be off."""
    from cuello.data.picture import write_picture
    from cuello.data.stored import StoredImage

    def written(name: str, pixels: np.ndarray, alpha: np.ndarray | None = None) -> Path:
        write_picture(folder / name, StoredImage(pixels if pixels.ndim == 3 else pixels[:, :, None], alpha))
        return folder / name

    yield written("grey.png", noisy(0, (301, 275))), 1  # four tiles, odd sides
    yield written("colour.jpg", noisy(1, (64, 90, 3))), 1
    yield written("deep.png", noisy(2, (70, 61), 65535)), 16
    yield written("deep-colour.png", noisy(3, (33, 40, 3), 65535)), 16
    yield written("narrow.png", noisy(4, (50, 60)) // 16 + 100), 1
    alpha = np.full((48, 40, 1), 255, np.uint8)
    alpha[10:20, 5:9], alpha[30:] = 0, 99
    yield written("seen-through.png", noisy(5, (48, 40, 3)), alpha), 1
    Image.fromarray(noisy(6, (40, 44, 3))).quantize(50).save(folder / "palette.png")
    yield folder / "palette.png", 1


def test_results_are_those_of_apply(page: Path, opened: Callable[..., Any], tmp_path: Path) -> None:
    with opened(page) as one:
        kinds = list(pictures(tmp_path))
        for number, found in enumerate(one.add(*(path for path, _ in kinds))):
            assert found["failed"] is None
            path, allowed = kinds[number]
            ours = one.result(number, tmp_path / f"page-{path.stem}.png")
            assert largest_difference(ours, path, tmp_path) <= allowed, path.name
        assert one.errors == []
        assert [address.split(":")[0] for address in one.requests] == ["file", "blob"]  # the page, and its own worker


def tiffs(folder: Path) -> Iterator[tuple[Path, float]]:
    """Write TIFFs of every kind that the page reads; yields each and how far the page may be off, white being 1."""
    one, packed = {"photometric": "minisblack"}, {"compression": "zlib"}
    some: dict[str, tuple[np.ndarray, dict[str, Any], float]] = {
        "grey": (noisy(0, (33, 40)), {"rowsperstrip": 7, **one}, 1 / 255),
        "deep": (noisy(1, (61, 40), 65535), {"byteorder": ">", **one}, 2 / 65535),
        "tiles": (
            noisy(2, (33, 40), 65535),
            {"tile": (16, 32), **packed, "predictor": 2, **one},
            2 / 65535,
        ),
        "dim": (noisy(3, (40, 33), 65535) // 40 + 500, {**packed, **one}, 1 / 65535),
        "colour": (noisy(4, (33, 40, 3)), {"photometric": "rgb", **packed}, 1 / 255),
        "planes": (noisy(5, (3, 33, 40)), {"photometric": "rgb", "planarconfig": "separate"}, 1 / 255),
        "deep-colour": (noisy(6, (33, 40, 3), 65535), {"photometric": "rgb", "byteorder": ">"}, 2 / 65535),
        "seen-through": (noisy(7, (33, 40, 4)), {"photometric": "rgb", "extrasamples": ["unassalpha"]}, 1 / 255),
        "floats": (
            (noisy(8, (33, 40)) / 255).astype(np.float32),
            {"byteorder": ">", **packed, **one},
            1e-5,
        ),
    }
    for name, (pixels, how, allowed) in some.items():
        tifffile.imwrite(folder / f"{name}.tif", pixels, **how)
        yield folder / f"{name}.tif", allowed
    Image.fromarray(noisy(9, (70, 90))).save(folder / "lzw.tif", compression="tiff_lzw", tiffinfo={317: 2})
    yield folder / "lzw.tif", 1 / 255


def test_a_tiff_gives_a_tiff_as_apply_does(page: Path, opened: Callable[..., Any], tmp_path: Path) -> None:
    kinds = list(tiffs(tmp_path))
    with opened(page) as one:
        for number, found in enumerate(one.add(*(path for path, _ in kinds))):
            path, allowed = kinds[number]
            assert found["failed"] is None, path.name
            apply(cuello.load(MODEL), path, tmp_path / "reference.tif", overwrite=True)
            theirs = tifffile.imread(tmp_path / "reference.tif")
            theirs = np.moveaxis(theirs, 0, -1) if path.stem == "planes" else theirs
            ours = tifffile.imread(one.result(number, tmp_path / "page.tif"))
            assert (ours.shape, ours.dtype) == (theirs.shape, theirs.dtype), path.name
            white = 1 if ours.dtype.kind == "f" else np.iinfo(ours.dtype).max
            assert np.abs(ours.astype(float) - theirs).max() <= allowed * white + 1e-9, path.name
            assert [note for note, *_ in found["notes"]] == (["little", "stretched"] if path.stem == "dim" else [])
        assert one.tab.inner_text("#download") == "Download (TIFF)"
        assert one.errors == []


def test_other_tiffs_are_refused_by_name(page: Path, opened: Callable[..., Any], tmp_path: Path) -> None:
    grey, one = noisy(0, (9, 9)), {"photometric": "minisblack"}
    some: dict[str, tuple[np.ndarray, dict[str, Any]]] = {
        "int16": (grey.astype(np.int16), one), "float64": (grey / 255, one),
        "BigTIFF": (grey, {"bigtiff": True, **one}),
        "WhiteIsZero": (grey, {"photometric": "miniswhite"}),
        "2 channels": (noisy(0, (9, 9, 2)), {"planarconfig": "contig", **one}),
        "floats from 0 to 255": (np.arange(256, dtype=np.float32).reshape(16, 16), one),
        "not numbers": (np.full((9, 9), np.nan, np.float32), one),
    }  # fmt: skip
    for name, (pixels, how) in some.items():
        tifffile.imwrite(tmp_path / f"{name}.tif", pixels, **how)
    tifffile.imwrite(tmp_path / "stack.tif", noisy(0, (20, 20, 3), 65535).transpose(2, 0, 1), imagej=True)
    (tmp_path / "damaged.tif").write_bytes((tmp_path / "stack.tif").read_bytes()[:900])
    names = [*some, "damaged", "stack"]
    with opened(page) as opening:
        found = opening.add(*(tmp_path / f"{name}.tif" for name in names))
        for name, result in zip(names[:-1], found, strict=False):
            assert name in result["failed"], (name, result["failed"])
        assert found[-1]["notes"] == [["tiffPages", {"count": 3}]]
        assert opening.errors == []


def test_progress_names_every_stage_and_a_stopped_image_can_be_begun_again(
    page: Path, opened: Callable[..., Any], tmp_path: Path
) -> None:
    Image.fromarray(noisy(0, (520, 530))).save(tmp_path / "one.png")
    with opened(page) as one:
        one.tab.evaluate(
            """() => {
                globalThis.stages = [];
                const before = CAME.progress;
                CAME.progress = (data) => { stages.push([data.stage, data.share]); before(data); };
            }"""
        )
        one.add(tmp_path / "one.png")
        seen = one.tab.evaluate("stages")
        assert list(dict.fromkeys(stage for stage, _ in seen)) == ["reading", "measuring", "working", "packing"]
        assert [share for _, share in seen] == sorted(share for _, share in seen)
        one.tab.evaluate("redo(entries[0], {}), worker.postMessage({ type: 'cancel', id: 0 })")
        assert one.results(0, 1)[0]["failed"] == "stopped."
        one.tab.evaluate("redo(entries[0], {})")
        assert one.results(0, 1)[0]["failed"] is None


def test_of_an_animation_the_first_frame_is_taken_and_said(
    page: Path, opened: Callable[..., Any], tmp_path: Path
) -> None:
    frames = [Image.fromarray(noisy(k, (40, 44, 3))) for k in range(3)]
    names = ["moving.gif", "moving.webp", "moving.png", "still.gif", "still.webp", "still.png"]
    for name in names:
        more = {"save_all": True, "append_images": frames[1:]} if "moving" in name else {}
        frames[0].save(tmp_path / name, **more)
    with opened(page) as one:
        for name, found in zip(names, one.add(*(tmp_path / name for name in names)), strict=True):
            assert found["notes"] == ([["frames"]] if "moving" in name else []), name


def test_a_dropped_folder_gives_its_files(page: Path, opened: Callable[..., Any], tmp_path: Path) -> None:
    Image.fromarray(noisy(0, (40, 44))).save(tmp_path / "one.png")
    content = list((tmp_path / "one.png").read_bytes())
    with opened(page) as one:
        one.tab.evaluate(
            """async content => {
                const file = (name) => ({ name, isFile: true, file: (give) =>
                    give(new File([new Uint8Array(content)], name)) });
                const folder = (name, ...parts) => ({ name, isDirectory: true, createReader: () => ({
                    readEntries: (give) => give(parts.splice(0, 1)) }) });
                const item = (found) => ({ webkitGetAsEntry: () => found });
                await take({ items: [item(folder("none"))], files: [] });
                globalThis.said = text("status");
                const some = [file("b.png"), folder("inner", file("c.png")), file(".hidden")];
                await take({ items: [item(folder("images", ...some)), item(file("a.png"))], files: [] });
            }""",
            content,
        )
        assert one.tab.evaluate("said") == "There is no file in this folder."
        assert [result["failed"] for result in one.results(0, 3)] == [None] * 3
        assert one.tab.evaluate("entries.map(e => e.name)") == ["b.png", "c.png", "a.png"]


def test_pictures_of_many_images_are_let_go_and_made_again(
    page: Path, opened: Callable[..., Any], tmp_path: Path
) -> None:
    for number in range(3):
        Image.fromarray(noisy(number, (40, 44 + number))).save(tmp_path / f"{number}.png")
    with opened(page) as one:
        one.add(*(tmp_path / f"{number}.png" for number in range(3)))
        held = "entries.map(e => Boolean(e.before && e.after))"
        assert one.tab.evaluate(held) == [True] * 3
        one.tab.evaluate("limit.pictures = 3e4; forget(entries[2])")
        assert one.tab.evaluate(held) == [True, False, True]
        one.tab.evaluate("look(entries[1])")
        one.wait("entries[1].before && entries[1].after && !document.getElementById('result').hidden")
        assert one.tab.evaluate("[entries[1].before.width, entries[1].after.width]") == [45, 45]
        assert one.errors == []


def test_files_that_cannot_be_used_are_refused_and_the_others_go_on(
    page: Path, opened: Callable[..., Any], tmp_path: Path
) -> None:
    Image.fromarray(noisy(0, (9, 9, 4))).convert("RGB").convert("CMYK").save(tmp_path / "ink.jpg")
    Image.fromarray(noisy(0, (9, 9))).save(tmp_path / "packed.tif", compression="packbits")
    Image.fromarray(noisy(0, (40, 40))).save(tmp_path / "whole.png")
    (tmp_path / "cut.png").write_bytes((tmp_path / "whole.png").read_bytes()[:400])
    (tmp_path / "text.png").write_text("no image")
    (tmp_path / "empty.png").touch()
    header = bytearray((tmp_path / "whole.png").read_bytes())
    header[16:24] = b"\0\1\0\0" * 2  # 4295 megapixels, says the header
    (tmp_path / "huge.png").write_bytes(header)
    words = {"ink.jpg": "CMYK", "packed.tif": "PackBits", "cut.png": "damaged", "text.png": "cannot read",
             "empty.png": "empty", "huge.png": "4295 megapixels", "whole.png": None}  # fmt: skip
    with opened(page) as one:
        found = one.add(*(tmp_path / name for name in words))
        for (name, word), result in zip(words.items(), found, strict=True):
            assert (result["failed"] is None) if word is None else (word in result["failed"]), name
        assert one.errors == []


def test_a_dropped_file_a_stated_level_and_a_zip(page: Path, opened: Callable[..., Any], tmp_path: Path) -> None:
    Image.fromarray(noisy(0, (40, 44))).save(tmp_path / "one.png")
    content = list((tmp_path / "one.png").read_bytes())
    with opened(page) as one:
        one.tab.evaluate(
            """content => {
                const data = new DataTransfer();
                for (const name of ["one.png", "one.jpg"]) data.items.add(new File([new Uint8Array(content)], name));
                document.body.dispatchEvent(new DragEvent("drop", { dataTransfer: data, bubbles: true }));
            }""",
            content,
        )
        assert all(result["level"] > 0.01 for result in one.results(0, 2))
        one.tab.fill("#level", "51")
        one.tab.press("#level", "Enter")
        assert one.results(0, 1)[0]["level"] == pytest.approx(0.2)
        with one.tab.expect_download() as waiting:
            one.tab.click("#all")
        with zipfile.ZipFile(waiting.value.path()) as archive:
            assert archive.testzip() is None
            assert archive.namelist() == ["one-restored.png", "one-restored-2.png"]
            with Image.open(archive.open("one-restored.png")) as image:
                stated = np.asarray(image)
        expected = cuello.load(MODEL)(noisy(0, (40, 44)), level=0.2)
        assert np.abs(stated.astype(int) - expected).max() <= 1


def test_it_speaks_two_languages_and_hears_the_keyboard(page: Path, opened: Callable[..., Any], tmp_path: Path) -> None:
    Image.fromarray(noisy(0, (40, 44))).save(tmp_path / "one.png")
    with opened(page, locale="es-MX") as one:
        assert one.tab.inner_text("h1") == "Restaurar imágenes"
        one.add(tmp_path / "one.png")
        one.tab.focus("#language")
        one.tab.keyboard.press("Enter")
        assert one.tab.inner_text("h1") == "Restore images"
        assert one.tab.get_attribute("html", "lang") == "en"
        one.tab.focus("#divider")
        one.tab.keyboard.press("Home")
        assert one.tab.input_value("#divider") == "0"
        one.tab.focus("#download")
        with one.tab.expect_download() as waiting:
            one.tab.keyboard.press("Enter")
        assert waiting.value.suggested_filename == "one-restored.png"
        assert one.tab.evaluate("JSON.stringify(Object.keys(WORDS.en)) === JSON.stringify(Object.keys(WORDS.es))")


def test_nothing_can_be_sent(page: Path, opened: Callable[..., Any]) -> None:
    with opened(page) as one:
        sent = one.tab.evaluate("fetch('http://127.0.0.1:9/').then(() => 'sent', error => 'refused')")
        assert sent == "refused"
        assert not any("127.0.0.1" in address for address in one.requests)


def test_a_browser_without_simd_is_told(page: Path, opened: Callable[..., Any], tmp_path: Path) -> None:
    content = page.read_text("utf-8")
    assert "SIMD = [0, 97" in content
    without = tmp_path / "page.html"
    without.write_text(content.replace("SIMD = [0, 97", "SIMD = [1, 97"), "utf-8")
    with opened(without) as one:
        one.wait("document.body.dataset.state == 'broken'")
        assert "WebAssembly SIMD" in one.tab.inner_text("#status")


@pytest.fixture(scope="module")
def glyph_runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A classifier of glyphs and an autoencoder of them, hardly trained."""
    folder = tmp_path_factory.mktemp("runs")
    common: dict[str, Any] = {"epochs": 1, "samples": 32, "report": False}
    cuello.train("classify", "glyphs", output=folder / "classify", **common)
    cuello.train("generate", "glyphs", output=folder / "codes", **common)
    return {name: folder / name for name in ("classify", "codes")}


def test_a_classifier_tells_classes(
    glyph_runs: dict[str, Path], page_of: Callable[..., Path], opened: Callable[..., Any], tmp_path: Path
) -> None:
    model = cuello.load(glyph_runs["classify"])
    Image.fromarray(noisy(0, (7, 5))).save(tmp_path / "one.png")
    Image.fromarray(noisy(0, (7, 5)).repeat(3, axis=0).repeat(3, axis=1)).save(tmp_path / "large.png")
    with opened(page_of(model)) as one:
        own, brought = one.add(tmp_path / "one.png", tmp_path / "large.png")
        expected = model.classify(noisy(0, (7, 5)))[0]
        np.testing.assert_allclose(own["scores"], expected, atol=1e-5)
        np.testing.assert_allclose(brought["scores"], expected, atol=1e-5)
        assert [note for note, _ in brought["notes"]] == ["brought"]
        assert one.tab.locator("#scores tbody th").first.inner_text() == model.classes[int(expected.argmax())]


def test_an_estimator_shows_the_map_of_the_class_that_is_chosen(
    glyph_runs: dict[str, Path],
    make_estimator: Callable[..., Path],
    page_of: Callable[..., Path],
    opened: Callable[..., Any],
    tmp_path: Path,
) -> None:
    classifier = glyph_runs["classify"]
    path = make_estimator(
        tmp_path / "estimator", classifier, "explain-hits", condition="number", **{"classifier": str(classifier)}
    )
    model = cuello.load(path)
    Image.fromarray(noisy(0, (7, 5))).save(tmp_path / "one.png")
    with opened(page_of(model)) as one:
        (result,) = one.add(tmp_path / "one.png")
        np.testing.assert_allclose(result["scores"], cuello.load(classifier).classify(noisy(0, (7, 5)))[0], atol=1e-5)
        one.tab.select_option("#told", "3")
        one.results(0, 1)
        pixels = read_picture(one.result(0, tmp_path / "map.png")).pixels
        image = torch.from_numpy(noisy(0, (7, 5)) / np.float32(255))[None, None]
        with torch.inference_mode():
            expected = model.network(image, torch.tensor([3])).image[0, 0].numpy()
        assert np.abs(pixels[:, :, 0] / 255 - expected).max() <= 0.51 / 255 + 1e-5


@pytest.mark.parametrize("known", [True, False])
def test_an_estimator_that_is_told_no_class_offers_none(
    glyph_runs: dict[str, Path],
    make_estimator: Callable[..., Path],
    page_of: Callable[..., Path],
    opened: Callable[..., Any],
    tmp_path: Path,
    known: bool,
) -> None:
    classifier = glyph_runs["classify"]
    said = {"classifier": str(classifier if known else tmp_path / "gone")}
    model = cuello.load(make_estimator(tmp_path / "estimator", classifier, "explain-hits", **said))
    Image.fromarray(noisy(0, (7, 5))).save(tmp_path / "one.png")
    with opened(page_of(model)) as one:
        (result,) = one.add(tmp_path / "one.png")
        assert not result["failed"]
        assert not one.tab.locator("#told").count()
        assert bool(result["scores"]) == known == one.tab.locator("#scores").is_visible()
        pixels = read_picture(one.result(0, tmp_path / "map.png")).pixels
        image = torch.from_numpy(noisy(0, (7, 5)) / np.float32(255))[None, None]
        with torch.inference_mode():
            expected = model.network(image).image[0, 0].numpy()
        assert np.abs(pixels[:, :, 0] / 255 - expected).max() <= 0.51 / 255 + 1e-5


def test_a_map_of_codes_is_walked_by_keyboard(
    glyph_runs: dict[str, Path], page_of: Callable[..., Path], opened: Callable[..., Any], tmp_path: Path
) -> None:
    model = cuello.load(glyph_runs["codes"])
    Image.fromarray(noisy(0, (7, 5))).save(tmp_path / "one.png")
    with opened(page_of(model)) as one:
        one.add(tmp_path / "one.png")
        code = model.encode(noisy(0, (7, 5)))[0]
        assert one.tab.inner_text("#place") == ", ".join(f"{value:.2f}" for value in code)
        one.tab.focus("#map")
        one.tab.keyboard.press("Shift+ArrowRight")
        walked = code + np.array([0.6, 0], np.float32)
        one.wait(f"document.getElementById('place').textContent.startsWith('{walked[0]:.2f}')")
        expected = model.decode(walked)[0, ..., 0] * 255
        one.wait("document.getElementById('decoded').width == 5")
        difference = """expected => {
            const data = document.getElementById("decoded").getContext("2d").getImageData(0, 0, 5, 7).data;
            return Math.max(...expected.map((value, k) => Math.abs(value - data[4 * k])));
        }"""
        deadline = 200
        while one.tab.evaluate(difference, expected.ravel().tolist()) > 1 and (deadline := deadline - 1):
            one.tab.wait_for_timeout(20)
        assert deadline
