"""The whole look into a code: which files, what is in them, what is left out."""

import html
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cuello
from cuello.core.errors import CuelloError
from cuello.core.lock import kept
from cuello.core.settings import LatentSettings
from cuello.latent.page import CONTENTS, FILES, PARTS, make_latent
from cuello.latent.planes import columns_for
from cuello.latent.relatives import without_self
from cuello.latent.view import label_pairs
from cuello.runs.directory import Run

TINY: dict[str, Any] = {"epochs": 2, "device": "cpu", "threads": 1, "report": False}


def digits(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return grey images of 6×6, a bar whose place is the label, and labels 0 to 2."""
    random = np.random.default_rng(seed)
    labels = np.arange(count) % 3
    images = random.random((count, 6, 6)) * 0.3
    images[np.arange(count), :, 2 * labels] = 0.9
    return images.astype(np.float32), labels


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run on grey images with labels, a code of three numbers, a normal prior."""
    folder = tmp_path_factory.mktemp("latent")
    images, labels = digits(90)
    np.savez(folder / "bars.npz", images=images, labels=labels)
    return cuello.train("generate", folder / "bars.npz", model="vae:36-3", test=0.5, output=folder / "run", **TINY)


@pytest.fixture(scope="module")
def glyphs(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run on the characters, a code of two numbers, no prior."""
    path = tmp_path_factory.mktemp("latent") / "glyphs"
    settings = {**TINY, "epochs": 20, "learning_rate": 0.02, "samples": 640}
    return cuello.train("reconstruct", "glyphs", model="mlp:35-20-2", output=path, **settings)


@pytest.fixture(scope="module")
def seen(glyphs: Run) -> Path:
    """What is made of the characters, in its default place."""
    made = make_latent(glyphs.path, LatentSettings(steps=4, samples=6)).values
    assert made["folder"] == str(glyphs.path / "latent")
    assert set(made["written"]) == set(FILES)
    assert not made["left_out"]
    assert (made["images"], made["of"], made["numbers"]) == (32, 32, 2)
    return glyphs.path / "latent"


def test_all_files_are_there_and_nothing_else(seen: Path) -> None:
    assert {path.name for path in seen.iterdir()} == set(FILES)


def test_the_arrays_belong_together(seen: Path, glyphs: Run) -> None:
    model = cuello.load(glyphs.path)
    with np.load(seen / "latent.npz", allow_pickle=False) as found:
        assert set(found.files) <= set(CONTENTS)
        codes, points = found["codes"], found["points"]
        assert codes.shape == points.shape == (32, 2)
        assert found["names"][1] == "61 a"
        assert found["classes"][found["labels"][1]] == "a"
        assert found["interpolation_images"].shape == (5, 4, 7, 5, 1)
        for way, (a, b) in zip(found["interpolation_codes"], found["interpolation_ends"], strict=True):
            assert np.array_equal(way[0], codes[a])
            assert np.array_equal(way[-1], codes[b])
        for name in ("sample", "grid", "traversal", "interpolation"):
            images, of = found[f"{name}_images"], found[f"{name}_codes"]
            again = model.decode(of.reshape(-1, 2))
            assert np.allclose(images.reshape(again.shape), again, atol=1e-5), name
        assert found["sample_codes"].shape == (6, 2)
        nearest = found["neighbours"]
        assert nearest.shape == (32, 8)
        assert not (nearest == np.arange(32)[:, None]).any()
        assert found["invented_distances"].min() >= 1


def test_the_page_stands_alone(seen: Path) -> None:
    page = (seen / "latent.html").read_text()
    for part in ("http://", "https://", "<script", "<link", "url(", "@import"):
        assert part not in page
    assert page.count("<picture>") == len(PARTS)
    for heading in ("Map", "Grid", "Interpolation", "Samples", "Traversal", "Neighbours", "Inventions"):
        assert f"<h2>{heading}</h2>" in page
    for part in ("mlp:35-20-2 · 2 numbers per image, no prior · 32 training images of glyphs", "fitted to 32 codes"):
        assert part in page
    assert "--steps 4 --samples 6" in page
    assert "Left out" not in page


def test_one_call_at_a_time_writes_into_a_folder(glyphs: Run, tmp_path: Path) -> None:
    with (
        kept(tmp_path / "seen", "another call"),
        pytest.raises(CuelloError, match=r"seen: another call is at work there \(process \d+"),
    ):
        make_latent(glyphs.path, LatentSettings(), output=tmp_path / "seen")
    assert not (tmp_path / "seen").exists()


@pytest.mark.usefixtures("undrawn_latent")
def test_what_is_there_is_replaced_only_when_told(seen: Path, glyphs: Run) -> None:
    before = (seen / "latent.npz").read_bytes()
    (seen / "mine.txt").write_text("mine")
    with pytest.raises(CuelloError, match=r"holds latent.html, .* already: replace with overwrite=True, or choose"):
        make_latent(glyphs.path, LatentSettings())
    assert (seen / "latent.npz").read_bytes() == before
    make_latent(glyphs.path, LatentSettings(steps=4, samples=6), overwrite=True)
    assert (seen / "latent.npz").read_bytes() == before, "the same again, to the byte"
    assert (seen / "mine.txt").read_text() == "mine"
    (seen / "mine.txt").unlink()


@pytest.mark.usefixtures("undrawn_latent")
def test_labels_many_numbers_and_a_prior(labelled: Run, tmp_path: Path) -> None:
    told: list[tuple[str, float, float]] = []
    made = make_latent(
        labelled.path,
        LatentSettings(samples=3),
        output=tmp_path,
        progress=lambda event: told.append((event.stage, event.done, event.total)),
    ).values
    page = (tmp_path / "latent.html").read_text()
    assert (made["images"], made["of"], made["numbers"]) == (45, 45, 3)
    with np.load(tmp_path / "latent.npz") as found:
        rows = found["codes"].astype(float)
    spread = np.linalg.svd(rows - rows.mean(0), compute_uv=False) ** 2
    share = spread[:2].sum() / spread.sum()
    assert made["map"]["method"] == "pca"
    assert made["map"]["share"] == pytest.approx(share)
    assert f"first two principal components of the code&#39;s 3 numbers, {share:.0%} of their variance" in page
    assert "first two principal components, decoded" in page or "plane through their mean" in page
    assert "the prior, a normal distribution" in page
    assert re.search(r"has the same label in \d+\.\d% of 45 cases", page)
    assert {doing for doing, _, _ in told} == {"reading images", "looking into the code", "drawing"}
    with np.load(tmp_path / "latent.npz") as found:
        assert found["attribute_images"].shape == (1, 9, 6, 6, 1)
        assert found["traversal_images"].shape == (3, 9, 6, 6, 1)
        codes, labels = found["codes"].astype(float), found["labels"]
        way = found["attribute_codes"][0]
        means = codes[labels == 1].mean(0) - codes[labels == 0].mean(0)
        assert np.allclose(way[6] - way[2], means, atol=1e-5), "from 0 to once the way"
    assert made["left_out"].keys() <= {"invented"}


@pytest.mark.usefixtures("undrawn_latent")
def test_too_few_images_leave_parts_out(labelled: Run, tmp_path: Path) -> None:
    images, _ = digits(2)
    np.save(tmp_path / "two.npy", images)
    made = make_latent(
        labelled.path, LatentSettings(str(tmp_path / "two.npy"), "pca", samples=1), output=tmp_path / "out"
    ).values
    assert {"map", "grid", "traversal", "neighbours"} <= made["left_out"].keys()
    assert "too few" in made["left_out"]["map"]
    assert {path.name for path in (tmp_path / "out").iterdir()} == set(made["written"])
    assert "map: 2 images are too few" in (tmp_path / "out" / "latent.html").read_text()
    np.save(tmp_path / "one.npy", images[:1])
    made = make_latent(
        labelled.path, LatentSettings(str(tmp_path / "one.npy"), "pca", samples=1), output=tmp_path / "one"
    ).values
    assert made["left_out"]["interpolation"] == "there is only one image"
    assert made["written"] == ["samples.png", "latent.npz", "latent.html"]


@pytest.mark.usefixtures("undrawn_latent")
def test_the_ends_that_were_named(glyphs: Run, tmp_path: Path) -> None:
    make_latent(glyphs.path, LatentSettings(start="a", end="6f o", path="spherical"), output=tmp_path)
    with np.load(tmp_path / "latent.npz") as found:
        assert found["interpolation_ends"].tolist() == [[1, 15]]
    assert "codes on a spherical path" in (tmp_path / "latent.html").read_text()


@pytest.mark.usefixtures("undrawn_latent")
def test_codes_in_space(trained: Run, tmp_path: Path) -> None:
    made = make_latent(trained.path, LatentSettings(method="pca", samples=2), output=tmp_path).values
    assert made["numbers"] == 16 * 8 * 8
    with np.load(tmp_path / "latent.npz") as found:
        assert found["codes"].shape[1:] == (16, 8, 8)
        assert found["sample_images"].shape == (2, 16, 16, 3)


@pytest.mark.usefixtures("undrawn_latent")
def test_a_file_needs_images_and_a_place(labelled: Run, tmp_path: Path) -> None:
    file = labelled.model_path
    for images, output in ((None, tmp_path), ("glyphs", None)):
        with pytest.raises(CuelloError, match=r"is a file without a run: name the images.*output"):
            make_latent(file, LatentSettings(images), output=output)
    made = make_latent(file, LatentSettings(labelled.config.data, "pca", samples=1), output=tmp_path / "out").values
    assert made["of"] == 90


def test_a_message_comes_before_any_work(labelled: Run, tmp_path: Path) -> None:
    for settings, message in [
        (LatentSettings(steps=1), "steps: got 1, needed 2 or more"),
        (LatentSettings(samples=0), "samples: got 0, needed 1 or more"),
        (LatentSettings(start="a"), "needs both its ends: give start and end"),
    ]:
        with pytest.raises(CuelloError, match=message):
            make_latent(labelled.path, settings, output=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_every_array_has_a_description(seen: Path) -> None:
    page = (seen / "latent.html").read_text()
    with np.load(seen / "latent.npz") as found:
        for name in found.files:
            assert f'<td class="left">{name}</td>' in page
            assert html.escape(CONTENTS[name]).replace("&#x27;", "&#39;") in page


def test_oneself_is_no_neighbour() -> None:
    from cuello.latent import nearest

    codes = np.array([[0.0], [0.0], [0.0], [1.0]])  # three alike: any of them may come first
    positions, distances = without_self(nearest(codes, codes, 4), 2)
    assert positions.tolist() == [[1, 2], [0, 2], [0, 1], [0, 1]]
    assert distances.tolist() == [[0, 0], [0, 0], [0, 0], [1, 1]]


def test_pairs_and_columns() -> None:
    assert label_pairs(2) == [(0, 1)]
    assert label_pairs(1) == []
    used = [number for pair in label_pairs(37) for number in pair]
    assert len(used) == len(set(used)) == 10
    assert [columns_for(count) for count in (1, 12, 64, 49, 97)] == [1, 12, 8, 7, 10]
