"""Exported pages in a real browser, opened from a file: their results are those of ``cuello apply``."""

import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

import cuello
from cuello.data.picture import read_picture
from cuello.exporting.page.facts import PageFacts
from cuello.exporting.page.page import write_page
from cuello.exporting.page.runtime import runtime
from cuello.inference.files import apply

MODEL = "denoise"


class Restoring(torch.nn.Module):
    """The network, cut to [0, 1]."""

    def __init__(self) -> None:
        super().__init__()
        self.network = cuello.load(MODEL).network

    def forward(self, image: Tensor, level: Tensor) -> Tensor:
        return self.network(image, level).image.clamp(0, 1)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    try:
        runtime()
    except cuello.CuelloError as error:
        pytest.skip(str(error))
    path = tmp_path_factory.mktemp("page") / "page.html"
    file = path.with_name("model.onnx")
    given = (torch.rand(1, 1, 32, 32), torch.full((1, 1, 1, 1), 0.1))
    axes = {"image": {0: "n", 2: "h", 3: "w"}, "level": {0: "n"}}
    torch.onnx.export(
        Restoring(), given, file, input_names=list(axes), dynamic_axes=axes, dynamo=False, opset_version=17
    )  # fmt: skip
    facts = PageFacts("denoise-s", kind="image", words="restore", suffix="restored", channels=1,
                      inputs={name: name for name in axes}, stride=2, reach=17, conditioned=True)  # fmt: skip
    write_page(path, facts, {"image": file.read_bytes()}, [("Network", "denoise-s")])
    return path


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


def test_files_that_cannot_be_used_are_refused_and_the_others_go_on(
    page: Path, opened: Callable[..., Any], tmp_path: Path
) -> None:
    Image.fromarray(noisy(0, (9, 9, 4))).convert("RGB").convert("CMYK").save(tmp_path / "ink.jpg")
    Image.fromarray(noisy(0, (9, 9))).save(tmp_path / "page.tif")
    Image.fromarray(noisy(0, (40, 40))).save(tmp_path / "whole.png")
    (tmp_path / "cut.png").write_bytes((tmp_path / "whole.png").read_bytes()[:400])
    (tmp_path / "text.png").write_text("no image")
    (tmp_path / "empty.png").touch()
    header = bytearray((tmp_path / "whole.png").read_bytes())
    header[16:24] = b"\0\1\0\0" * 2  # 4295 megapixels, says the header
    (tmp_path / "huge.png").write_bytes(header)
    words = {"ink.jpg": "CMYK", "page.tif": "TIFF", "cut.png": "damaged", "text.png": "cannot read",
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
