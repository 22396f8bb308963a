"""An exported page: its size, and the time from opening it to the first result on 512×512 grey, in headless Chromium.

    python benchmarks/page.py [--model denoise] [--repeats 5]

The clock starts before the file is opened; the image is handed over as soon as the page takes files. Each opening is in
a fresh profile, so nothing is cached. One core is enough: the page works in one thread.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

import cuello
from cuello.exporting.export import export

CHROMIUM = "/usr/bin/chromium"
SIDE = 512
LARGEST, LONGEST = 6.0, 3.0
"""MB, and seconds."""


def first_result(browser, page: Path, image: Path) -> float:
    """Return the seconds from opening the page to its first result."""
    context = browser.new_context()
    tab = context.new_page()
    began = time.perf_counter()
    tab.goto(page.as_uri(), wait_until="commit")
    tab.wait_for_selector("#file", state="attached")
    tab.wait_for_selector("body.started", state="attached")
    tab.set_input_files("#file", str(image))
    tab.wait_for_selector("body[data-shown]", state="attached")
    seconds = time.perf_counter() - began
    context.close()
    return seconds


def main() -> None:
    from playwright.sync_api import sync_playwright

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="denoise")
    parser.add_argument("--repeats", type=int, default=5)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        page, image = Path(folder) / "page.html", Path(folder) / "image.png"
        size = export(cuello.load(given.model), page).size / 1e6
        random = np.random.default_rng(0)
        waves = 128 + 60 * np.sin(np.arange(SIDE) / 20) * np.cos(np.arange(SIDE) / 30)[:, None]
        pixels = (waves + random.normal(0, 25, (SIDE, SIDE))).clip(0, 255).round().astype(np.uint8)
        Image.fromarray(pixels).save(image)
        with sync_playwright() as client:
            browser = client.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
            seconds = [first_result(browser, page, image) for _ in range(given.repeats)]
            browser.close()
    print(f"page of {given.model}: {size:.2f} MB (reach {LARGEST:g})")
    print(
        f"first result on {SIDE}×{SIDE} grey: median {statistics.median(seconds):.2f} s of {given.repeats} openings, "
        f"{min(seconds):.2f} to {max(seconds):.2f} (reach {LONGEST:g})"
    )


if __name__ == "__main__":
    main()
