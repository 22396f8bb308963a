"""Settings, degradations and searches with numbers that nothing could hold: a plain error with what is possible."""

from pathlib import Path

import numpy as np
import pytest

from cuello.core.config import make_config, read_toml
from cuello.core.errors import CuelloError
from cuello.core.schema import MOST_PARTS, read_json
from cuello.data.batches import Batches
from cuello.data.images import Images, parse_size
from cuello.degrade import parse
from cuello.search.entries import search_space
from cuello.search.overs import parse_overs


@pytest.mark.parametrize(
    "text",
    [
        "a=" + "[" * 100_000, "a=" + "9" * 5000, "epochs=" + "9" * 400, "seed=" + "9" * 400, "threads=999999999",
        "crop=" + "9" * 100, "batch_size=1e400", "a." * 20_000 + "b=1", "#" * 2_000_000, 'resize={}', "epochs=[1]",
    ],
    ids=range(11),
)  # fmt: skip
def test_settings_without_end_are_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "config.toml").write_text(text)
    with pytest.raises(CuelloError):
        make_config(read_toml(tmp_path / "config.toml"))


@pytest.mark.parametrize("text", ["99999x99999", "20000", "1x999999999999", "9" * 5000, "-5x5"])
def test_sizes_that_no_image_has_are_refused(text: str) -> None:
    with pytest.raises(CuelloError, match="resize"):
        parse_size(text)


def test_the_memory_of_a_batch_and_of_crops_is_said() -> None:
    images = Images("a", [np.zeros((100, 100, 3), np.uint8)] * 4, list("abcd"))
    ids = np.arange(4)
    with pytest.raises(CuelloError, match=r"crops per epoch need 95,367,432 MiB, and .* MiB of memory are free"):
        Batches(images, ids, batch_size=4, crop=8, count=10**12)
    with pytest.raises(CuelloError, match=r"a batch of 10,000,000 images of 80×80 pixels needs 1,464,844 MiB"):
        Batches(images, ids, batch_size=10**9, crop=80, layout="random", count=10_000_000)
    assert len(Batches(images, ids, batch_size=10**9, crop=80, layout="random", count=10)) == 1


@pytest.mark.parametrize(
    "spec",
    [
        "gaussian:1e400", "gaussian:nan", "down:1e30", "+".join(["down:8"] * 20), "+".join(["blur:1"] * 5000),
        "gaussian:" + "9" * 5000, "blur:1e300", "poisson:1e-300",
    ],
    ids=range(8),
)  # fmt: skip
def test_degradations_without_measure_are_refused(spec: str) -> None:
    with pytest.raises(CuelloError):
        parse(spec)


@pytest.mark.parametrize(
    "over",
    [
        "learning-rate=1e-300..1e300,step=1e-300", "epochs=1..1" + "0" * 300 + ",step=1", "epochs=1..1" + "0" * 5000,
        "learning-rate=1e-3..1,step=1e-300", "weight-decay=0..1,step=1e-12", "epochs=1..1000000000,step=1",
        "momentum=0..1e999,step=1",
    ],
    ids=range(7),
)  # fmt: skip
def test_searches_without_end_are_refused(over: str) -> None:
    with pytest.raises(CuelloError):
        search_space(parse_overs([over])).grid(4)


def test_a_range_still_ends_at_its_last_step() -> None:
    space = search_space(parse_overs(["weight-decay=0..1,step=0.4"]))
    assert [values["weight_decay"] for values in space.grid()] == [0.0, 0.4, 0.8]


def test_json_has_bounds() -> None:
    assert read_json('{"a": [1, 2]}') == {"a": [1, 2]}
    for text in ("[" * 100_000, "[" + "0," * MOST_PARTS + "0]", "1" * 5000, "{"):
        with pytest.raises(ValueError, match=r"."):
            read_json(text)
