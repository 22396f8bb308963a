"""What trainings in processes of their own tell the caller."""

from collections.abc import Callable
from pathlib import Path

import cuello
from cuello.core.progress import Progress


def test_an_image_that_is_left_out_is_told_once_by_all_of_them(
    make_images: Callable[..., Path], tmp_path: Path
) -> None:
    images = make_images(tmp_path / "images")
    (images / "broken.png").write_bytes(b"no image")
    told: list[Progress] = []
    runs = cuello.train_repeats(
        "denoise", images, repeats=2, workers=2, noise="gaussian:25", model="conv-8-16-8", crop=16, samples=8,
        batch_size=4, epochs=1, on_error="skip", report=False, output=tmp_path / "two", progress=told.append,
    )  # fmt: skip
    assert [len(run.history) for run in runs] == [1, 1]
    (left_out,) = [event.note for event in told if event.note and event.note.startswith("left out: ")]
    assert "broken.png" in left_out
