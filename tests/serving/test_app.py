"""What the service gives is what `cuello apply` gives, and what it refuses it refuses with the right status."""

import errno
import io
import json
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

import cuello
from cuello.core.errors import CuelloError
from cuello.data.frames import CURSOR
from cuello.runs.directory import Run

Make = Any
Service = Any


def applied(model: Any, content: bytes, name: str, tmp_path: Path, **options: Any) -> bytes:
    """Give what cuello.apply writes for an image."""
    (tmp_path / name).write_bytes(content)
    found = cuello.apply(cuello.load(model), tmp_path / name, tmp_path / "out", **options)
    assert not found.failed, found.failed
    return Path(found.written[0]).read_bytes()


def files_of(kind: str, pixels: np.ndarray, make: Make) -> tuple[bytes, str]:
    """Give an image as a file of a kind, and its name."""
    alpha = np.dstack([pixels, np.full(pixels.shape[:2], 77, np.uint8)])
    deep = pixels.astype(np.uint16) * 257
    stream = io.BytesIO()
    if kind == "tiff stack":
        tifffile.imwrite(stream, np.stack([deep[..., 0], deep[..., 1]]), photometric="minisblack")
        return stream.getvalue(), "image.tif"
    if kind == "tiff float":
        tifffile.imwrite(stream, pixels[..., 0] / np.float32(255), photometric="minisblack")
        return stream.getvalue(), "image.tif"
    if kind == "animation":
        frames = [Image.fromarray(pixels), Image.fromarray(255 - pixels)]
        frames[0].save(stream, "PNG", save_all=True, append_images=frames[1:], duration=100)
        return stream.getvalue(), "image.png"
    return {
        "png": (make.bytes(pixels), "image.png"),
        "png with alpha": (make.bytes(alpha), "image.png"),
        "png 16 bits": (make.bytes(deep[..., 0]), "image.png"),
        "jpeg": (make.bytes(pixels, "JPEG"), "image.jpg"),
        "jpeg with dpi and exif": (make.bytes(pixels, "JPEG", dpi=(300, 300), comment=b"of a cat"), "image.jpg"),
        "webp": (make.bytes(pixels, "WEBP", lossless=True), "image.webp"),
        "gif": (make.bytes(pixels[..., 0], "GIF"), "image.gif"),
        "npy": (make.bytes(deep, "npy"), "image.npy"),
        "npy of several": (make.bytes(np.stack([pixels, pixels[::-1]]), "npy"), "image.npy"),
    }[kind]


KINDS = (
    "png", "png with alpha", "png 16 bits", "jpeg", "jpeg with dpi and exif", "webp", "gif", "npy", "npy of several",
    "tiff stack", "tiff float", "animation",
)  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_every_byte_is_that_of_apply(
    service: Service, trained: Run, pixels: np.ndarray, make: Make, tmp_path: Path, kind: str
) -> None:
    content, name = files_of(kind, pixels, make)
    answer = service.post("/v1/trained", content)
    assert answer.status_code == 200, answer.text
    assert answer.content == applied(trained.path, content, name, tmp_path)
    assert answer.headers["content-type"] == {
        "image.png": "image/png", "image.gif": "image/png", "image.jpg": "image/jpeg", "image.webp": "image/webp",
        "image.tif": "image/tiff", "image.npy": "application/x-npy",
    }[name]  # fmt: skip


def test_an_enlarged_image(service: Service, pixels: np.ndarray, make: Make, tmp_path: Path) -> None:
    content = make.bytes(pixels)
    answer = service.post("/v1/upscale-x2", content)
    assert answer.content == applied("upscale-x2", content, "image.png", tmp_path)
    assert Image.open(io.BytesIO(answer.content)).size == (52, 42)


@pytest.mark.parametrize(
    ("address", "accept", "expected"),
    [
        ("?format=tif", "image/png", "image/tiff"),
        ("?format=TIFF", "*/*", "image/tiff"),
        ("", "image/webp", "image/webp"),
        ("", "text/html, image/jpeg;q=0.2, image/png;q=0.1", "image/jpeg"),
        ("", "text/html, */*;q=0.1", "image/png"),
    ],
)
def test_the_format_that_is_asked_for(
    service: Service, trained: Run, pixels: np.ndarray, make: Make, tmp_path: Path, address: str, accept: str,
    expected: str,
) -> None:  # fmt: skip
    content = make.bytes(pixels)
    answer = service.post(f"/v1/trained{address}", content, headers={"Accept": accept})
    assert answer.headers["content-type"] == expected
    format = {"image/tiff": "tif", "image/webp": "webp", "image/jpeg": "jpg", "image/png": "png"}[expected]
    assert answer.content == applied(trained.path, content, "image.png", tmp_path, format=format)


def test_an_image_as_an_array_and_back(
    service: Service, trained: Run, pixels: np.ndarray, make: Make, tmp_path: Path
) -> None:
    want = np.asarray(Image.open(io.BytesIO(applied(trained.path, make.bytes(pixels), "a.png", tmp_path))))
    as_array = service.post("/v1/trained?format=npy", make.bytes(pixels))
    assert np.array_equal(np.load(io.BytesIO(as_array.content)), want)
    as_image = service.post("/v1/trained?format=png", make.bytes(pixels, "npy"))
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(as_image.content))), want)
    several = service.post("/v1/trained?format=png", make.bytes(np.stack([pixels, pixels]), "npy"))
    assert (several.status_code, several.json()["error"]) == (406, "format")


def test_settings_are_those_of_apply(service: Service, make: Make, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    dark = random.integers(0, 1000, (24, 30)).astype(np.uint16)
    content = make.bytes(dark)
    answer = service.post("/v1/denoise?sigma=2&range=0..1000", content)
    want = applied("denoise", content, "image.png", tmp_path, level=2 / 255, range="0..1000")
    assert answer.content == want
    assert "cuello-sigma" not in answer.headers
    answer = service.post("/v1/denoise", content)
    (note,) = json.loads(answer.headers["cuello-notes"])
    assert "image.png" in note
    assert "cuello-tmp" not in note
    low, high = map(float, answer.headers["cuello-range"].split(".."))
    assert low < 50
    assert 900 < high < 1100
    assert 0 < float(answer.headers["cuello-sigma"]) < 255


def test_several_images_come_back_as_a_zip(
    service: Service, trained: Run, pixels: np.ndarray, make: Make, tmp_path: Path
) -> None:
    first, second = make.bytes(pixels), make.bytes(pixels[::-1], "JPEG")
    files = [("image", ("scans/a.png", first)), ("image", ("b.jpeg", second)), ("other", ("a.tif", first))]
    answer = service.post("/v1/trained", files=files)
    assert answer.headers["content-type"] == "application/zip"
    archive = zipfile.ZipFile(io.BytesIO(answer.content))
    assert archive.namelist() == ["a.png", "b.jpg", "a-2.png"]
    assert archive.read("a.png") == archive.read("a-2.png") == applied(trained.path, first, "a.png", tmp_path)
    assert archive.read("b.jpg") == applied(trained.path, second, "b.jpg", tmp_path)
    one = service.post("/v1/trained", files=[("image", ("a.png", first))])
    assert one.content == archive.read("a.png")


def test_a_classifier_tells_classes(service: Service, classifier: Path, make: Make) -> None:
    model = cuello.load(classifier)
    bright = np.random.default_rng(1).integers(160, 250, (12, 10)).astype(np.uint8)
    found = service.post("/v1/kinds", make.bytes(bright)).json()
    expected = model.classify(bright)[0]
    assert list(found["probabilities"]) == list(model.classes) == ["bright", "dark"]
    assert np.array_equal(np.array(list(found["probabilities"].values()), np.float32), expected)
    assert found["class"] == model.classes[int(expected.argmax())]
    assert found["probability"] == max(found["probabilities"].values())
    several = service.post("/v1/kinds", files=[("a", ("x.png", make.bytes(bright)))] * 2).json()
    assert [one["name"] for one in several["images"]] == ["x", "x"]
    array = service.post("/v1/kinds?format=npy", make.bytes(bright))
    assert np.array_equal(np.load(io.BytesIO(array.content))[0], expected)


def test_maps_exact_and_estimated(service: Service, classifier: Path, tmp_path: Path, make: Make) -> None:
    image = np.random.default_rng(1).integers(160, 250, (12, 10)).astype(np.uint8)
    (tmp_path / "a.png").write_bytes(make.bytes(image))
    want = cuello.explain(classifier, tmp_path / "a.png", tmp_path / "maps", pictures=0)
    found = service.post("/v1/kinds?give=map", make.bytes(image)).json()
    assert np.allclose(found["map"], want.maps[0], atol=1e-6)
    assert found["class"] == want.classes[0]
    array = service.post("/v1/kinds?give=map&format=npy&class=dark&box=5&stride=2", make.bytes(image))
    want = cuello.explain(
        classifier, tmp_path / "a.png", tmp_path / "other", class_="dark", box=5, stride=2, pictures=0
    )
    assert np.allclose(np.load(io.BytesIO(array.content))[0], want.maps[0], atol=1e-6)
    estimated = service.post("/v1/maps", make.bytes(image)).json()
    assert (estimated["method"], np.shape(estimated["map"])) == ("estimated", (12, 10))


def test_codes(service: Service, coder: Path, make: Make) -> None:
    glyph = np.zeros((7, 5), np.uint8)
    glyph[2:5] = 255
    found = service.post("/v1/coder?give=code", make.bytes(glyph)).json()
    assert np.array_equal(np.array(found["code"], np.float32), cuello.load(coder).encode(glyph)[0])
    image = service.post("/v1/coder", make.bytes(glyph))
    assert Image.open(io.BytesIO(image.content)).size == (5, 7)


def test_images_of_codes(service: Service, coder: Path, make: Make) -> None:
    model, codes = cuello.load(coder), np.array([[0.5, -1], [0, 2]], np.float32)
    answer = service.post("/v1/coder?give=decoded", make.bytes(codes, "npy"))
    assert np.array_equal(np.load(io.BytesIO(answer.content)), model.decode(codes))
    picture = service.post("/v1/coder?give=decoded&format=png", make.bytes(codes[0], "npy"))
    expected = (model.decode(codes[:1])[0, ..., 0] * 255).round()
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(picture.content))), expected)
    several = service.post("/v1/coder?give=decoded", make.bytes(codes, "npy"), headers={"Accept": "image/png"})
    assert (several.status_code, several.json()["error"]) == (406, "format")
    image = service.post("/v1/coder?give=decoded", make.bytes(np.zeros((7, 5), np.uint8)))
    assert (image.status_code, image.json()["error"]) == (422, "image")
    assert "?give=code" in image.json()["message"]
    wrong = service.post("/v1/coder?give=decoded", make.bytes(codes[:, :1], "npy"))
    assert wrong.status_code == 422


def test_exported_files_are_served_as_the_runs_that_they_were_made_from(
    open_service: Callable[..., Any], classifier: Path, estimator: Path, make: Make, tmp_path: Path
) -> None:
    pytest.importorskip("onnxruntime")
    places = {"larger": "upscale-x2", "told": "denoise", "kinds": classifier, "maps": estimator}
    for name, place in places.items():
        cuello.export(place, tmp_path / f"{name}.onnx")
    pixels = np.random.default_rng(0).integers(0, 256, (12, 10)).astype(np.uint8)
    image = make.bytes(pixels)
    with open_service(*(tmp_path / f"{name}.onnx" for name in ("larger", "told", "kinds"))) as service:
        for name in ("larger", "told"):
            expected = applied(tmp_path / f"{name}.onnx", image, "a.png", tmp_path, overwrite=True)
            assert service.post(f"/v1/{name}", image).content == expected
        found = service.post("/v1/kinds", image).json()["probabilities"]
        np.testing.assert_allclose(list(found.values()), cuello.load(classifier).classify(pixels)[0], atol=1e-5)
        assert service("GET", "/models").json()["models"][2]["gives"] == ["class"]
        refused = service.post("/v1/kinds?give=map", image)
        assert refused.status_code == 422
        assert "An ONNX file gives no maps: serve the run" in refused.json()["message"]
    with open_service(classifier, tmp_path / "maps.onnx") as service:
        answer = service.post("/v1/maps", image).json()
        assert (answer["method"], np.shape(answer["map"])) == ("estimated", (12, 10))
    with (
        pytest.raises(CuelloError, match=r"its run or model\.safetensors: cuello serve CLASSIFIER"),
        open_service(tmp_path / "kinds.onnx", tmp_path / "maps.onnx"),
    ):
        pass


@pytest.mark.parametrize(
    ("address", "part"),
    [
        ("kinds?sigma=20", "?sigma means nothing with ?give=class"),
        ("trained?box=5", "?box means nothing with ?give=image"),
        ("coder?give=code&class=3", "?class means nothing with ?give=code"),
        ("maps?stride=2", "of an estimator, which learned maps of its own settings"),
    ],
)
def test_a_setting_that_means_nothing_is_not_passed_over(
    service: Service, pixels: np.ndarray, make: Make, address: str, part: str
) -> None:
    answer = service.post(f"/v1/{address}", make.bytes(pixels))
    assert (answer.status_code, answer.json()["error"]) == (422, "query")
    assert part in answer.json()["message"]


def test_nothing_of_an_animation_is_kept(
    open_service: Callable[..., Any], trained: Run, pixels: np.ndarray, make: Make
) -> None:
    content, _ = files_of("animation", pixels, make)
    with open_service(trained.path, at_once=1) as service:
        assert service.post("/v1/trained", content).status_code == 200
        held = service.app.state.desk.threads.submit(lambda: getattr(CURSOR, "held", None)).result()
    assert held is None


def test_what_only_the_writing_finds_is_a_fault_of_the_image(service: Service, pixels: np.ndarray, make: Make) -> None:
    content = bytearray(make.bytes(pixels, "BMP"))
    content[38:42] = struct.pack("<I", 2**32 - 1)  # pixels a metre, of which an enlarged image would have twice as many
    answer = service.post("/v1/upscale-x2", bytes(content))
    assert (answer.status_code, answer.json()["error"]) == (422, "image"), answer.text
    assert answer.json()["message"].startswith("image.bmp could not be restored")


def test_a_full_folder_is_said(
    service: Service, pixels: np.ndarray, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    answer = service.post("/v1/trained", make.bytes(pixels))
    assert (answer.status_code, answer.json()["error"]) == (503, "storage")
    assert answer.headers["retry-after"] == "1"


def broken(make: Make, pixels: np.ndarray) -> dict[str, tuple[str, Any, int, str, str]]:
    """By what is wrong: address, body, status, word, and a part of the message."""
    whole = make.bytes(pixels)
    bomb = make.bytes(np.zeros((3000, 3000), np.uint8))
    return {
        "nothing": ("/v1/trained", b"", 400, "empty", "0 bytes"),
        "no image": ("/v1/trained", b"hello", 415, "kind", "PNG, JPEG"),
        "cut short": ("/v1/trained", whole[: len(whole) // 2], 422, "image", "image.png is damaged"),
        "only a head": ("/v1/trained", whole[:8], 422, "image", "image.png"),
        "another model": ("/v1/traind", whole, 404, "model", "Did you mean 'trained'?"),
        "another address": ("/v2/trained", whole, 404, "address", "/v1/MODEL"),
        "another setting": ("/v1/trained?formt=png", whole, 422, "query", "Did you mean 'format'?"),
        "no number": ("/v1/denoise?sigma=abc", whole, 422, "query", "'abc'"),
        "too much noise": ("/v1/denoise?sigma=256", whole, 422, "query", "255"),
        "noise of no use": ("/v1/trained?sigma=20", whole, 422, "image", "takes no noise level"),
        "quality of no use": ("/v1/trained?quality=20", whole, 422, "image", "quality: got 20"),
        "no range": ("/v1/trained?range=x", whole, 422, "image", "LOW..HIGH"),
        "no format": ("/v1/trained?format=heic", whole, 406, "format", "png"),
        "no class": ("/v1/trained?give=class", whole, 422, "give", "gives image"),
        "another size": ("/v1/coder?give=code", whole, 422, "image", "5×7"),
        "too many pixels": ("/v1/trained", bomb, 413, "pixels", "9,000,000 pixels"),
        "pickle": ("/v1/trained", make.bytes(np.array([{}], object), "npy"), 422, "image", "Python objects"),
        "floats": ("/v1/trained", make.bytes(np.full((9, 9), 7.5), "npy"), 422, "image", "?range=auto"),
    }


WRONG = (
    "nothing", "no image", "cut short", "only a head", "another model", "another address", "another setting",
    "no number", "too much noise", "noise of no use", "no range", "no format", "no class", "another size",
    "too many pixels", "pickle", "floats",
)  # fmt: skip


@pytest.fixture(scope="module")
def strict(open_service: Callable[..., Any], trained: Run, coder: Path) -> Any:
    """A service with narrow limits."""
    with open_service(
        trained.path, "denoise", coder, max_megabytes=0.1, max_megapixels=0.01, max_images=3, token=None
    ) as one:
        yield one


@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_refused_and_how(strict: Service, make: Make, pixels: np.ndarray, wrong: str) -> None:
    address, body, status, word, part = broken(make, pixels)[wrong]
    answer = strict.post(address, body)
    told = answer.json()
    assert (answer.status_code, told["status"], told["error"]) == (status, status, word), told
    assert part in told["message"]
    assert "--" not in told["message"].replace("--max-", "").replace("curl --data-binary", "")
    assert "cuello-tmp" not in told["message"]
    assert strict.app.state.desk.pending == 0


def test_the_other_methods_and_a_wrong_accept(strict: Service, make: Make, pixels: np.ndarray) -> None:
    assert strict("GET", "/v1/trained").status_code == 405
    answer = strict.post("/v1/trained", make.bytes(pixels), headers={"Accept": "text/html"})
    assert (answer.status_code, answer.json()["error"]) == (406, "format")
    answer = strict.post("/v1/trained", make.bytes(pixels), headers={"Content-Encoding": "gzip"})
    assert (answer.status_code, answer.json()["error"]) == (415, "encoding")


def test_a_body_that_is_too_large(strict: Service) -> None:
    answer = strict.post("/v1/trained", bytes(100_001))
    assert (answer.status_code, answer.json()["error"]) == (413, "bytes")
    assert "100,001 bytes, needed at most 100,000" in answer.json()["message"]

    async def unnamed() -> Any:  # without a length
        for _ in range(30):
            yield bytes(10_000)

    assert strict.post("/v1/trained", unnamed()).status_code == 413


def test_forms(strict: Service, make: Make, pixels: np.ndarray) -> None:
    image = ("image", ("a.png", make.bytes(pixels)))
    assert strict.post("/v1/trained", files=[image] * 3).status_code == 200
    for given, status, word in (
        ({"files": [image] * 4}, 413, "images"),
        ({"files": [image], "data": {"format": "png"}}, 400, "form"),
        ({"content": b"--x\r\nhm", "headers": {"Content-Type": "multipart/form-data"}}, 400, "form"),
        ({"content": b"hm", "headers": {"Content-Type": "multipart/form-data; boundary=x"}}, 400, None),
        ({"files": [image, ("image", ("b.png", b"hm"))]}, 415, "kind"),
        ({"files": [image, ("image", ("b.png", b""))]}, 400, "empty"),
    ):
        answer = strict.post("/v1/trained", **given)
        assert answer.status_code == status, answer.text
        assert word is None or answer.json()["error"] == word


def test_pixels_of_all_images_count_together(open_service: Callable[..., Any], make: Make) -> None:
    content = make.bytes(np.zeros((60, 60), np.uint8))
    with open_service("denoise", "upscale-x2", max_megapixels=0.01) as service:
        files = [("image", (f"{k}.png", content)) for k in range(3)]
        assert service.post("/v1/denoise", files=files[:2]).status_code == 200
        assert service.post("/v1/denoise", files=files).status_code == 413
        assert service.post("/v1/upscale-x2", content).status_code == 413, "14,400 pixels after enlarging"
        stream = io.BytesIO()
        tifffile.imwrite(stream, np.zeros((4, 60, 60), np.uint8), photometric="minisblack")
        assert service.post("/v1/denoise", stream.getvalue()).status_code == 413
        assert service.post("/v1/denoise", make.bytes(np.zeros((4, 60, 60), np.uint8), "npy")).status_code == 413


def test_a_width_that_is_written_oddly_counts_as_well(open_service: Callable[..., Any]) -> None:
    stream = io.BytesIO()
    tifffile.imwrite(stream, np.zeros((120, 130), np.uint8), photometric="minisblack", byteorder="<")
    content = stream.getvalue()
    for kind in (3, 4):  # a width of 16 or 32 bits becomes one with a sign
        content = content.replace(struct.pack("<HHI", 256, kind, 1), struct.pack("<HHI", 256, kind + 5, 1))
    assert content != stream.getvalue()
    with open_service("denoise", max_megapixels=0.01) as service:
        answer = service.post("/v1/denoise", content)
        assert (answer.status_code, answer.json()["error"]) == (413, "pixels"), answer.text


def test_a_network_that_gives_no_numbers_is_no_fault_of_the_request(
    open_service: Callable[..., Any], make: Make, pixels: np.ndarray
) -> None:
    with open_service("denoise") as service:
        for one in service.app.state.served["denoise"].model.network.parameters():
            one.data.fill_(float("nan"))
        answer = service.post("/v1/denoise", make.bytes(pixels))
    assert (answer.status_code, answer.json()["error"]) == (500, "network")


def test_a_token(open_service: Callable[..., Any], make: Make, pixels: np.ndarray) -> None:
    with open_service("denoise", token="a-long-secret") as service:
        for headers in ({}, {"Authorization": "Bearer another"}, {"Authorization": "Basic a-long-secret"}):
            for method, address in (("POST", "/v1/denoise"), ("GET", "/models"), ("GET", "/metrics")):
                answer = service(method, address, headers=headers)
                assert (answer.status_code, answer.json()["error"]) == (401, "token")
                assert answer.headers["www-authenticate"] == "Bearer"
        right = {"Authorization": "Bearer a-long-secret"}
        assert service.post("/v1/denoise", make.bytes(pixels), headers=right).status_code == 200
        assert service("GET", "/health").json()["status"] == "ok"


def test_what_is_told_of_models_and_counts(service: Service, pixels: np.ndarray, make: Make) -> None:
    models = {one["name"]: one for one in service("GET", "/models").json()["models"]}
    assert models["trained"]["gives"] == ["image", "code", "decoded"]
    assert models["kinds"]["gives"] == ["class", "map"]
    assert models["kinds"]["classes"] == ["bright", "dark"]
    assert models["maps"]["gives"] == ["map"]
    assert models["coder"]["gives"] == ["image", "code", "decoded"]
    assert models["coder"]["size"] == {"width": 5, "height": 7}
    assert models["upscale-x2"]["scale"] == 2
    assert models["denoise"]["takes_sigma"]
    assert not models["denoise"]["takes_quality"]
    assert set(models["denoise"]["rights"]) == {"licence", "author", "citation", "training data"}
    before = service.count("cuello_pixels_total", model="trained")
    requests = service.count("cuello_requests_total", model="trained", status="200")
    service.post("/v1/trained", make.bytes(pixels))
    assert service.count("cuello_pixels_total", model="trained") == before + 21 * 26
    assert service.count("cuello_requests_total", model="trained", status="200") == requests + 1
    text = service("GET", "/metrics").text
    assert 'cuello_request_seconds_bucket{le="0.1",model="trained"}' in text
    assert "cuello_queue 0.0" in text


def test_the_documentation_is_whole_and_needs_nothing_from_elsewhere(service: Service) -> None:
    described = service("GET", "/openapi.json").json()
    way = described["paths"]["/v1/{model}"]["post"]
    assert {"400", "401", "404", "406", "408", "413", "415", "422", "429", "503"} <= set(way["responses"])
    assert {one["name"] for one in way["parameters"]} >= {
        "model", "format", "sigma", "quality", "range", "give", "class",
    }  # fmt: skip
    page = service("GET", "/docs")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "curl --data-binary @a.png" in page.text
    assert "?sigma=" in page.text
    assert "src=" not in page.text
    assert service("GET", "/").headers["location"] == "/docs"
