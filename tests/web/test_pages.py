"""The page as people use it: in a browser, with trainings that are real, and tiny."""

import io
import re
import shutil
import signal
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from PIL import Image

import cuello
from cuello.core.config import make_config, to_toml
from cuello.inference.bundled import BUNDLED
from cuello.runs.directory import Run
from cuello.web.commands import CommandLine, start
from cuello.web.state import read_state

TINY = ["--noise", "salt-pepper:0.2", "--model", "conv-8-16-8", "--crop", "16", "--threads", "1", "--device", "cpu"]


def until(holds: Callable[[], Any], seconds: float = 120.0) -> None:
    """Wait until something holds."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it does not come true"
        time.sleep(0.1)


def test_a_run_outlives_the_server_stops_and_goes_on(
    serve: Callable[..., Any],
    page: Any,
    images: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    ended: list[int],
) -> None:
    monkeypatch.chdir(tmp_path)
    root = Path("runs")
    words = ["train", "denoise", str(images), *TINY, "--epochs", "100000", "-o", "runs/long"]
    first = serve()
    page.goto(first.address)
    page.get_by_text("No network has been trained here yet.").wait_for()
    ended.append(start(CommandLine(words), root, "long").pid)
    until(lambda: len(read_state(root, "long").records) > 1)
    page.get_by_text(re.compile(r"training, epoch \d+ of 100000")).wait_for()
    page.get_by_text("long", exact=True).click()
    page.get_by_text("Curves").wait_for()
    assert page.get_by_text("cuello train denoise").count() == 1

    first.end(signal.SIGKILL)
    known = len(read_state(root, "long").records)
    until(lambda: len(read_state(root, "long").records) > known)

    second = serve()
    page.goto(second.address)
    page.get_by_text(re.compile(r"training, epoch \d+ of 100000")).wait_for()
    page.goto(f"{second.base}/run/long")
    page.get_by_role("button", name="Stop").click()
    page.get_by_text(re.compile(r"stopped, epoch \d+ of 100000")).wait_for()
    kept = len(Run(root / "long").history)
    assert page.get_by_text("cuello resume runs/long").count() >= 1

    page.get_by_role("button", name="Go on").click()
    until(lambda: len(read_state(root, "long").records) > kept)
    owner = read_state(root, "long").owner
    assert owner is not None
    ended.append(owner.pid)
    page.get_by_role("button", name="Stop").click()
    until(lambda: read_state(root, "long").kind == "stopped")
    epochs = [record.epoch for record in Run(root / "long").history]
    assert epochs == list(range(1, len(epochs) + 1)), "no epoch was lost, none is there twice"


def test_two_servers_say_the_same_and_names_are_text(
    serve: Callable[..., Any], page: Any, trained: Run, tmp_path: Path
) -> None:
    name = "<img src=x onerror=alert(1)>#1?%41"
    shutil.copytree(trained.path, tmp_path / "runs" / name)
    said = []
    page.on("dialog", lambda dialog: said.append(dialog.message))
    for server in (serve(), serve()):
        page.goto(server.address)
        page.get_by_text(name).wait_for()
        page.get_by_text(name).click()
        page.get_by_text("Curves").wait_for()
    assert said == []
    page.goto(f"{server.base}/run/..%2f..")
    page.get_by_text("there is no run called").wait_for()


def test_a_training_is_started_from_the_page(
    serve: Callable[..., Any], page: Any, images: Path, tmp_path: Path, ended: list[int]
) -> None:
    server = serve()
    page.goto(f"{server.address}")
    page.goto(f"{server.base}/new?data={images}")
    page.get_by_text("6 colour images, 40×40 pixels, 8-bit").wait_for()
    assert page.locator(".thumbs figure").count() == 6
    for label, text in {
        "noise": "salt-pepper:0.2", "crop": "16", "model": "conv-8-16-8", "epochs": "-1", "name of the run": "../x",
    }.items():  # fmt: skip
        page.get_by_label(label, exact=True).fill(text)
    page.get_by_text("--epochs=-1").wait_for()
    page.get_by_role("button", name="Train").click()
    page.get_by_text("--epochs: got '-1', needed greater than or equal to 1").wait_for()
    page.get_by_label("epochs", exact=True).fill("2")
    page.get_by_role("button", name="Train").click()
    page.get_by_text("got '../x' as the name of a run").wait_for()
    assert not (tmp_path / "x").exists()
    page.get_by_label("name of the run").fill("tiny")
    words = (
        f"cuello train denoise {images} --noise salt-pepper:0.2 --crop 16 --model conv-8-16-8 --epochs 2 -o runs/tiny"
    )
    page.get_by_text(words).wait_for()
    page.get_by_role("button", name="Train").click()
    page.wait_for_url("**/run/tiny")
    until(lambda: read_state(tmp_path / "runs", "tiny").owner is not None)
    ended.append(getattr(read_state(tmp_path / "runs", "tiny").owner, "pid", 0))
    page.get_by_text("finished").wait_for()
    page.get_by_text("Report", exact=True).wait_for()
    page.frame_locator("iframe").get_by_text("What it does").first.wait_for()
    run = Run(tmp_path / "runs" / "tiny")
    assert run.config.epochs == 2
    with page.expect_download() as caught:
        page.get_by_role("button", name="Model file").click()
    assert caught.value.suggested_filename == "tiny.safetensors"
    assert Path(caught.value.path()).read_bytes() == run.model_path.read_bytes()


@pytest.mark.usefixtures("page_runtime")
def test_a_run_is_exported_in_every_form_and_taken_away(
    serve: Callable[..., Any], page: Any, trained: Run, tmp_path: Path
) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    shutil.copytree(trained.path, tmp_path / "runs" / "first")
    server = serve()
    page.goto(server.address)
    page.goto(f"{server.base}/run/first")
    forms = {"ONNX": "first.onnx", "Web page": "first.html", "Hugging Face": "first.zip", "BioImage.IO": "first.zip"}
    words = {"Hugging Face": "first --hub", "BioImage.IO": "first.zip --bioimage"}
    got: dict[str, bytes] = {}
    for form, name in forms.items():
        page.get_by_role("button", name=form, exact=True).click()
        page.get_by_text(f"cuello export runs/first {words.get(form, name)}", exact=True).wait_for()
        if form in words:
            page.get_by_text("cuello resume runs/first --license Apache-2.0").wait_for()
        with page.expect_download() as caught:
            page.get_by_role("button", name=f"Download {name}").click()
        assert caught.value.suggested_filename == name
        got[form] = Path(caught.value.path()).read_bytes()
    session = onnxruntime.InferenceSession(got["ONNX"])
    image = np.random.default_rng(0).random((1, 3, 21, 26), np.float32)
    (result,) = session.run(["result"], {"image": image})
    expected = cuello.load(trained.path)(image[0].transpose(1, 2, 0))
    np.testing.assert_allclose(result[0].transpose(1, 2, 0), expected, atol=1e-4)
    assert b"Content-Security-Policy" in got["Web page"]
    names = {}
    for form in ("Hugging Face", "BioImage.IO"):
        with zipfile.ZipFile(io.BytesIO(got[form])) as files:
            assert files.testzip() is None
            names[form] = set(files.namelist())
    assert {"README.md", "config.json", "model.onnx", "model.safetensors"} <= names["Hugging Face"]
    assert {"rdf.yaml", "model.onnx", "weights.pt", "cover.png"} <= names["BioImage.IO"]
    assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == ["first"], (
        "nothing is written beside the runs"
    )


def test_what_cannot_be_exported_is_said(serve: Callable[..., Any], page: Any, tmp_path: Path, trained: Run) -> None:
    run = Path(shutil.copytree(trained.path, tmp_path / "runs" / "told"))
    shutil.copyfile(BUNDLED["denoise"].path, run / "model.safetensors")
    server = serve()
    page.goto(server.address)
    page.goto(f"{server.base}/run/told")
    page.get_by_role("button", name="BioImage.IO").click()
    page.get_by_role("alert").get_by_text("is told the noise's level beside the image").wait_for()
    page.get_by_text("cuello export runs/told told.zip --bioimage", exact=True).wait_for()
    assert page.get_by_role("button", name="Download told.zip").count() == 0


def test_a_dropped_image_gives_what_apply_gives(
    serve: Callable[..., Any], page: Any, trained: Run, tmp_path: Path, make_image: Callable[..., np.ndarray]
) -> None:
    shutil.copytree(trained.path, tmp_path / "runs" / "first")
    (tmp_path / "other").mkdir()
    for number, place in enumerate((tmp_path / "my scan.png", tmp_path / "other" / "my scan.png")):
        Image.fromarray(make_image(number, 33, 47)).save(place)
    (tmp_path / "broken.png").write_bytes(b"no image")
    server = serve()
    page.goto(server.address)
    page.goto(f"{server.base}/try?run=first")
    dropped = ["my scan.png", "other/my scan.png", "broken.png"]
    page.locator("input[type=file]").set_input_files([tmp_path / name for name in dropped])
    page.get_by_text("cuello apply runs/first 'my scan.png' 'my scan-2.png' broken.png restored").wait_for()
    buttons = page.get_by_role("button", name="Download")
    buttons.nth(1).wait_for()
    assert page.get_by_text("is not an image").or_(page.get_by_text("broken.png")).count() >= 1
    for place, name in enumerate(dropped[:2]):
        with page.expect_download() as caught:
            buttons.nth(place).click()
        cuello.apply(cuello.load(trained.path), tmp_path / name, tmp_path / f"expected-{place}.png")
        found, expected = (
            np.asarray(Image.open(path)).astype(int)
            for path in (caught.value.path(), tmp_path / f"expected-{place}.png")
        )
        assert np.abs(found - expected).max() <= 1
    shown = page.locator(".slider img[alt=after]").first.evaluate("image => [image.naturalWidth, image.naturalHeight]")
    assert shown == [47, 33]


def test_what_is_dropped_and_no_image_is_named_and_hides_nothing(
    serve: Callable[..., Any], page: Any, trained: Run, tmp_path: Path, make_images: Callable[..., Path]
) -> None:
    """Neither a file that is no image, nor one that is broken, is told of by the folder where it was laid."""
    shutil.copytree(trained.path, tmp_path / "runs" / "first")
    folder = make_images(tmp_path / "images", count=2)
    (folder / "notes.txt").write_text("no image")
    (folder / "cut.png").write_bytes((folder / "0.png").read_bytes()[:300])
    server = serve()
    page.goto(server.address)
    page.goto(f"{server.base}/try?run=first")
    page.locator("input[type=file]").set_input_files([folder / name for name in ("0.png", "notes.txt", "cut.png")])
    page.get_by_text("is not an image by its ending and was ignored (1 .txt): notes.txt").wait_for()
    page.get_by_text(re.compile(r"^cut\.png is damaged or cut short")).wait_for()
    page.get_by_role("button", name="Download").wait_for()
    page.locator("input[type=file]").set_input_files([folder / "notes.txt"])
    page.get_by_text(re.compile("^(cuello: )?what was dropped holds no image")).wait_for()
    assert page.get_by_text("/in").count() == 0

    page.emulate_media(color_scheme="dark")
    page.goto(f"{server.base}/new?data={folder}")
    page.get_by_text("cut.png is damaged or cut short").wait_for()
    assert page.locator(".thumbs img").count() == 2
    assert page.locator(".thumbs .unread").count() == 1
    measure = page.get_by_role("button", name="Measure their noise")
    measure.wait_for()
    colours = measure.evaluate("""button => {
        const seen = [getComputedStyle(button).color];
        for (let at = button; at; at = at.parentElement) seen.push(getComputedStyle(at).backgroundColor);
        return seen;
    }""")
    behind = next(one for one in colours[1:] if one not in ("rgba(0, 0, 0, 0)", "transparent"))
    assert contrast(colours[0], behind) >= 4.5, colours


def contrast(one: str, other: str) -> float:
    """Return how far two colours of a style are apart in brightness, as WCAG counts it: 1 to 21."""

    def brightness(colour: str) -> float:
        shares = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
        red, green, blue = (share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    low, high = sorted(map(brightness, (one, other)))
    return (high + 0.05) / (low + 0.05)


def test_a_client_that_hangs_up_ends_its_work_and_not_the_server(
    serve: Callable[..., Any], page: Any, trained: Run, tmp_path: Path, make_image: Callable[..., np.ndarray]
) -> None:
    shutil.copytree(trained.path, tmp_path / "runs" / "first")
    Image.fromarray(make_image(0, 2000, 3000)).save(tmp_path / "large.png")
    server = serve()
    page.goto(server.address)
    page.goto(f"{server.base}/try?run=first")
    page.locator("input[type=file]").set_input_files(tmp_path / "large.png")
    page.get_by_text("is at work on").wait_for()
    children = psutil.Process(server.process.pid).children
    until(lambda: [one for one in children() if "apply" in one.cmdline()])
    page.close()
    until(lambda: not [one for one in children() if one.status() != "zombie"])
    assert server.process.poll() is None


def test_a_walk_over_the_codes(serve: Callable[..., Any], page: Any, tmp_path: Path) -> None:
    settings: dict[str, Any] = {"model": "mlp:35-16-2", "epochs": 1, "samples": 64, "report": False, "threads": 1}
    cuello.train("reconstruct", "glyphs", output=tmp_path / "runs" / "codes", device="cpu", **settings)
    server = serve()
    page.goto(server.address)
    page.goto(f"{server.base}/latent")
    page.get_by_text("cuello latent runs/codes").wait_for()
    page.get_by_text("decoded at").wait_for()
    box = page.locator(".map img").bounding_box()
    said = []
    for share in (0.2, 0.8):
        page.mouse.move(box["x"] + share * box["width"], box["y"] + share * box["height"])
        until(lambda: page.get_by_text("decoded at").inner_text() not in said)
        said.append(page.get_by_text("decoded at").inner_text())
    sizes = page.locator(".decoded img").evaluate("image => [image.naturalWidth, image.naturalHeight]")
    assert sizes == [5, 7]


def test_runs_are_compared_and_a_classifier_explained_exactly_and_by_its_estimator(
    serve: Callable[..., Any], page: Any, trained: Run, tmp_path: Path, make_classes: Callable[..., Path],
    make_estimator: Callable[..., Path],
) -> None:  # fmt: skip
    root = tmp_path / "runs"
    for name in ("one", "two"):
        shutil.copytree(trained.path, root / name)
    settings: dict[str, Any] = {"epochs": 1, "samples": 8, "report": False, "threads": 1, "device": "cpu"}
    classes = make_classes(tmp_path / "classes")
    pets = cuello.train("classify", classes, output=root / "pets", **settings)
    maps = {"job": "explain", "data": str(classes), "classifier": "runs/pets", "box": 3, "stride": 2, "fill": "0"}
    make_estimator(root / "estimator", pets.path, size=(12, 10), **maps)
    (root / "estimator" / "config.toml").write_text(to_toml(make_config(maps)))
    server = serve()
    page.goto(server.address)
    page.goto(f"{server.base}/compare")
    page.get_by_label("runs", exact=True).click()
    for name in ("pets", "one", "two"):
        page.get_by_role("option", name=name, exact=True).click()
    page.keyboard.press("Escape")
    page.get_by_text("cuello compare runs/one runs/two --html compare.html").wait_for()
    page.get_by_role("button", name="Compare").click()
    page.frame_locator("iframe").get_by_text("2 runs, side by side").wait_for()

    page.goto(f"{server.base}/explain")
    page.get_by_text("Explain some of these").click()
    flags = "--limit 8 --box 3 --stride 2 --fill 0 --definition standardised-sum"
    page.get_by_text(f"cuello explain runs/pets {classes} -o maps-exact {flags}").wait_for()
    page.get_by_text(
        f"cuello explain runs/pets {classes} -o maps-estimated --limit 8 --model runs/estimator"
    ).wait_for()
    page.locator(".shown figure").nth(15).wait_for(state="attached")
    assert page.locator(".shown figure").count() == 16
