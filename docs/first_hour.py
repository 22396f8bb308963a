"""Do what four new users do in their first hour, with the commands of README.md alone, and draw what they see.

python docs/first_hour.py                            # in a temporary folder; every step is checked
python docs/first_hour.py --pictures docs/pictures   # also draws the pictures of the documentation

A student has small digits and wants a code and a reason; a biologist has a noisy 12-bit stack; an engineer has a folder
of photographs from a camera line; a researcher has a network of their own. Pages are drawn where Chromium is installed.
"""

import argparse
import io
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import tifffile
from PIL import Image
from rich.console import Console
from rich.text import Text
from skimage import data

from cuello.data.synthetic import glyphs
from cuello.runs.directory import Run

README = (Path(__file__).parents[1] / "README.md").read_text("utf-8")
COLUMNS = 80
CELL = """<!doctype html><meta charset="utf-8"><body style="font: 14px sans-serif; margin: 24px">
<pre style="background: #f4f5f7; border: 1px solid #dddddd; padding: 8px">run</pre>"""
"""A cell of a notebook, under which stands what it shows."""
QUICK = {"--epochs", "--samples", "--validation-samples", "--limit", "--no-report"}
"""Flags that only make a step short enough to be run each time the documentation is checked."""


@dataclass(frozen=True)
class Desk:
    """Where a user works: a folder, and what their terminal showed so far."""

    folder: Path
    shown: dict[str, str] = field(default_factory=dict)

    def type(self, command: str) -> str:
        """Type a command that README.md teaches, check that it succeeds, and return what it printed."""
        documented(command)
        environment = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
        done = subprocess.run(
            ["bash", "-euc", command], cwd=self.folder, capture_output=True, check=False,
            env=environment | {"COLUMNS": str(COLUMNS)},
        )  # fmt: skip
        printed = done.stdout.decode("utf-8", "replace")
        print(f"$ {command}\n{printed}", flush=True)
        if done.returncode:
            sys.exit(f"`{command}` ended with {done.returncode}: {done.stderr.decode('utf-8', 'replace')}")
        self.shown[command] = printed or done.stderr.decode("utf-8", "replace")
        return printed

    def __truediv__(self, name: str) -> Path:
        return self.folder / name


def documented(command: str) -> None:
    """Stop unless README.md has every `cuello` command and flag of a command, but those that only make it short."""
    words = shlex.split(command)
    called = [f"cuello {words[at + 1]}" for at, word in enumerate(words[:-1]) if word == "cuello"]
    flags = {word for word in words if re.fullmatch(r"--?[a-z][a-z-]*", word)} - QUICK
    if missing := [one for one in (*called, *sorted(flags)) if one not in README]:
        sys.exit(f"README.md does not tell of {', '.join(missing)}, which `{command}` needs")


def need(true: object, what: str) -> None:
    """Stop with a word unless something is as a user may expect."""
    if not true:
        sys.exit(f"expected: {what}")


# Four users


def student(desk: Desk) -> None:
    """Small pictures with labels, in a folder a class: a code of few numbers, a classifier, and why it decides so."""
    desk.type("cuello")
    write_letters(desk / "letters")
    desk.type("cuello train reconstruct letters/ --latent 8 --hidden 64 --epochs 100 --batch-size 8 -o runs/code")
    methods = json.loads((desk / "runs/code/metrics.json").read_text("utf-8"))["methods"]
    need(methods["network"]["mse"] < methods["pca"]["mse"], "a code that is better than principal components")
    desk.type("cuello latent runs/code")
    need((desk / "runs/code/latent/latent.html").is_file(), "a page of the code")
    desk.type("cuello train classify letters/ --epochs 60 -o runs/letters")
    accuracy = json.loads((desk / "runs/letters/metrics.json").read_text("utf-8"))["methods"]["network"]["accuracy"]
    need(accuracy > 0.9, f"most letters told apart, got {accuracy:.0%}")
    desk.type("cuello explain runs/letters letters/ -o runs/why --limit 8")
    need(len(list((desk / "runs/why/overlays").glob("*.png"))) == 8, "a map for each of eight letters")


def write_letters(folder: Path) -> None:
    """Write 60 pictures of each of six letters, moved about and with noise, in a folder a letter."""
    random, known = np.random.default_rng(0), glyphs()
    for letter in "aeknsx":
        (folder / letter).mkdir(parents=True)
        drawn = known.images[known.label_names.index(letter), ..., 0]
        for at in range(60):
            picture = random.integers(0, 60, (12, 12))
            top, left = random.integers(1, 4), random.integers(2, 5)
            picture[top : top + 7, left : left + 5] += (drawn // 2).astype(picture.dtype)
            Image.fromarray(picture.astype(np.uint8)).save(folder / letter / f"{at:02}.png")


def biologist(desk: Desk) -> None:
    """A stack of 12-bit planes from a microscope: restored in its own units, with what the file says of itself."""
    random = np.random.default_rng(0)
    clean = 100 + 3.0 * np.stack([data.camera()[::2, ::2]] * 3)  # in 12 bits: an offset of 100, and up to 865
    noisy = np.clip(np.round(4 * random.poisson(clean / 4) + random.normal(0, 8, clean.shape)), 0, 4095)
    tifffile.imwrite(desk / "cells.tif", noisy.astype(np.uint16), imagej=True, resolution=(4, 4),
                     metadata={"axes": "ZYX", "spacing": 0.5, "unit": "um"})  # fmt: skip
    desk.type("cuello denoise cells.tif clean.tif")
    with tifffile.TiffFile(desk / "clean.tif") as file:
        restored, about = file.asarray(), file.imagej_metadata or {}
    need(restored.dtype == np.uint16 and restored.shape == noisy.shape, "three planes of 16 bits")
    need((about.get("spacing"), about.get("unit")) == (0.5, "um"), "the distance of the planes kept")
    need(np.std(restored - clean) < 0.6 * np.std(noisy - clean), "less than 60% of the noise left")
    need(abs(restored.mean() / noisy.mean() - 1) < 0.01, "brightness kept within 1%")
    for name, stack in (("noisy", noisy), ("clean", clean)):
        (desk / name).mkdir()
        for at, plane in enumerate(stack):
            tifffile.imwrite(desk / name / f"plane-{at}.tif", plane.astype(np.uint16))
    desk.type("cuello train denoise noisy/ --target clean/ --range 0..4095 --crop 32 --epochs 2 -o runs/cells")
    need((desk / "runs/cells/report.html").is_file(), "a report")


def engineer(desk: Desk) -> None:
    """Photographs from a camera line: a network for their noise, folders, originals, and a pipe."""
    random = np.random.default_rng(0)
    (desk / "incoming").mkdir()
    for name in ("camera", "coins", "page"):
        image = getattr(data, name)()
        hit = random.random(image.shape) < 0.2
        spoiled = np.where(hit, random.choice([0, 255], image.shape), image).astype(np.uint8)
        Image.fromarray(spoiled).save(desk / "incoming" / f"{name}.png")
    desk.type("cuello train denoise photos --noise salt-pepper:0.2 --crop 64 --epochs 2 --samples 500 -o runs/first")
    desk.type("cuello evaluate runs/first --sweep 0.1,0.2,0.5")
    desk.type("cuello apply runs/first incoming/ restored/")
    before = (desk / "incoming/coins.png").read_bytes()
    told = json.loads(desk.type("cuello apply runs/first incoming/ restored/ --skip-existing --json"))
    need(told, "what became of the files, as JSON")
    desk.type("cuello apply runs/first incoming/ --in-place")
    need((desk / "incoming/coins.png.orig").read_bytes() == before, "the original kept, byte for byte")
    shutil.copy(desk / "runs/first/model.safetensors", desk / "elsewhere.safetensors")
    desk.type("cuello apply elsewhere.safetensors - - < incoming/coins.png.orig > piped.png")
    piped, restored = (np.asarray(Image.open(desk / name)) for name in ("piped.png", "restored/coins.png"))
    need(np.array_equal(piped, restored), "the same image from the file alone, through a pipe")
    clean = data.coins().astype(float)
    spoiled = np.asarray(Image.open(desk / "incoming/coins.png.orig"), float)
    need(np.mean((restored - clean) ** 2) < np.mean((spoiled - clean) ** 2) / 10, "a tenth of the error, or less")
    shown = f"{CELL}{Run(desk / 'runs/first')._repr_html_().replace(f'{desk.folder}/', '')}"
    (desk / "notebook.html").write_text(shown, "utf-8")


def researcher(desk: Desk) -> None:
    """A network of one's own: written from a starting point, repeated, and compared with one of the package."""
    desk.type("cuello new network my_net.py")
    small = "--noise gaussian:25 --crop 40 --epochs 1 --samples 64 --validation-samples 8 --repeats 2"
    desk.type(f"cuello train denoise photos --model my_net.py:MyNet --loss l1 {small} -o runs/mine")
    desk.type(f"cuello train denoise photos --model denoise-s {small} -o runs/theirs")
    desk.type("cuello compare runs/mine runs/theirs -o runs/comparison")
    need((desk / "runs/comparison/compare.html").is_file(), "a page that compares them")
    (desk / "my-photos").mkdir()
    for name in ("camera", "coins", "page"):
        Image.fromarray(getattr(data, name)()[:128, :128]).convert("RGB").save(desk / "my-photos" / f"{name}.png")
    desk.type(
        "cuello benchmark my-photos/ runs/mine runs/theirs --model my_net.py:MyNet --noise gaussian:25 -o runs/bench"
    )
    need((desk / "runs/bench/benchmark.html").is_file(), "a page beside the classical methods")


USERS: tuple[Callable[[Desk], None], ...] = (student, biologist, engineer, researcher)


# Pictures

TERMINALS = {"cuello": "terminal-start"}
PAGES = {
    "runs/first/report.html": "page-report",
    "runs/code/latent/latent.html": "page-code",
    "runs/why/explain.html": "page-maps",
    "runs/comparison/compare.html": "page-comparison",
    "runs/bench/benchmark.html": "page-benchmark",
    "notebook.html": "page-notebook",
}
"""What is drawn, by the command or the page, and the names of the pictures."""


def draw_terminal(command: str, printed: str, path: Path) -> None:
    """Draw what a command printed, as a terminal would show it."""
    console = Console(record=True, width=COLUMNS, file=io.StringIO())
    console.print(Text(f"$ {command}\n") + Text.from_ansi(printed.rstrip()))
    drawn = console.export_svg(title="terminal")
    path.write_text(re.sub(r"\s*@font-face \{.*?\}", "", drawn, flags=re.DOTALL), "utf-8")  # no fonts from elsewhere


def draw_page(page: Path, path: Path, browser: str) -> None:
    """Take a screenshot of the upper part of a page."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(
            [browser, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--window-size=1100,900",
             "--virtual-time-budget=3000", f"--user-data-dir={folder}/profile", f"--screenshot={folder}/page.png",
             page.as_uri()],
            check=True, capture_output=True,
        )  # fmt: skip
        Image.open(f"{folder}/page.png").convert("RGB").quantize(128).save(path)  # a quarter of the bytes


def draw(desk: Desk, pictures: Path) -> None:
    """Draw the pictures of one user's hour."""
    pictures.mkdir(parents=True, exist_ok=True)
    for command, name in TERMINALS.items():
        if command in desk.shown:
            draw_terminal(command, desk.shown[command], pictures / f"{name}.svg")
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    for page, name in PAGES.items():
        if (desk / page).is_file():
            if browser:
                draw_page(desk / page, pictures / f"{name}.png", browser)
            else:
                print(f"no Chromium: {page} is not drawn")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=Path, help="a folder for the pictures; by default none are drawn")
    parser.add_argument("--only", choices=[user.__name__ for user in USERS], help="one user alone")
    pictures, only = (arguments := parser.parse_args()).pictures, arguments.only
    for user in USERS if not only else [one for one in USERS if one.__name__ == only]:
        with tempfile.TemporaryDirectory() as folder:
            desk = Desk(Path(folder))
            user(desk)
            if pictures:
                draw(desk, pictures)
            print(f"{user.__name__}: {len(desk.shown)} commands, all as expected\n")


if __name__ == "__main__":
    main()
