"""From settings to batches: what is read, divided, cut, refused, and noticed when it changes."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cuello.core.config import TrainConfig
from cuello.core.errors import CuelloError
from cuello.data.catalog import open_source
from cuello.data.images import load_images
from cuello.data.levels import parse_levels
from cuello.jobs import data as preparation
from cuello.jobs.data import fingerprint, prepare, read_images
from cuello.work.train import resolve


def config(data: Path | str, **settings: Any) -> TrainConfig:
    return TrainConfig(data=str(data), **settings)


def test_every_image_is_in_one_part(images: Path) -> None:
    prepared = prepare(config(images, crop=16))
    parts = prepared.split
    assert sorted([*parts.train, *parts.validation, *parts.test]) == list(range(6))
    assert (len(parts.validation), len(parts.test)) == (1, 2), "of few photographs more than a third is tested"
    assert prepared.test is not None
    for part, batches in (("train", prepared.training), ("validation", prepared.validation), ("test", prepared.test)):
        names = {batches.describe(row)[0] for row in range(batches.count)}
        assert names <= {prepared.images.names[index] for index in getattr(parts, part)}


def test_images_that_are_also_trained_on_are_said(images: Path, tmp_path: Path) -> None:
    for part, name in (("train", "0"), ("train", "1"), ("val", "2"), ("test", "0"), ("test", "3")):
        (tmp_path / part).mkdir(exist_ok=True)
        (tmp_path / part / f"{name}.png").write_bytes((images / f"{name}.png").read_bytes())
    prepared = prepare(config(tmp_path, crop=16))
    assert [len(part) for part in prepared.split] == [2, 1, 2]
    assert list(prepared.images.notes)[1:] == [
        "1 of 2 images for testing are also among those for training, pixel for pixel, so that scores flatter: "
        "test/0.png is train/0.png"
    ]
    assert "also among" not in " ".join(prepare(config(images, crop=16, validation=0)).images.notes)


def test_no_test_part(images: Path) -> None:
    prepared = prepare(config(images, crop=16, test=0))
    assert prepared.test is None
    assert len(prepared.split.test) == 0


def test_the_split_has_its_own_seed(images: Path) -> None:
    first, second, other = (
        prepare(config(images, crop=16, **seeds)).split for seeds in ({}, {"seed": 5}, {"split_seed": 5})
    )
    assert np.array_equal(first.train, second.train)
    assert not np.array_equal(first.train, other.train)


def test_an_epoch_tiles_the_images_unless_told(images: Path) -> None:
    prepared = prepare(config(images, crop=16))
    assert prepared.training.count == 3 * 4, "40 pixels hold two crops of 16 a side"
    assert prepared.validation.count == 4
    prepared = prepare(config(images, crop=16, samples=7, validation_samples=3))
    assert (prepared.training.count, prepared.validation.count) == (7, 3)


def test_validation_is_limited_unless_told(images: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preparation, "MOST_VALIDATION_CROPS", 2)
    assert prepare(config(images, crop=16)).validation.count == 2
    assert prepare(config(images, crop=16, validation_samples=3)).validation.count == 3
    assert prepare(config(images, crop=16)).training.count == 12


def test_few_images_are_divided_otherwise_than_many(tmp_path: Path) -> None:
    def shares(count: int, **settings: Any) -> list[int]:
        np.save(tmp_path / "images.npy", np.random.default_rng(0).integers(0, 255, (count, 8, 8), np.uint8))
        return [len(part) for part in prepare(config(tmp_path / "images.npy", **settings)).split]

    assert shares(20) == [10, 3, 7], "15% and 35%"
    assert shares(40) == [26, 8, 6], "20% and 15%"
    assert shares(20, validation=0.2, test=0.15) == [13, 4, 3]
    assert shares(20, test=0) == [17, 3, 0]


def test_only_test_crops_are_chosen_by_detail_and_not_where_places_are_asked_for(images: Path) -> None:
    def detailed(**settings: Any) -> list[bool]:
        prepared = prepare(config(images, crop=16, **settings))
        assert prepared.test is not None
        return [part.detailed for part in (prepared.training, prepared.validation, prepared.test)]

    assert detailed() == [False, False, True]
    assert detailed(crops="fixed") == detailed(crops="grid") == [False] * 3


@pytest.mark.parametrize("crops", ["random", "fixed", "grid"])
def test_validation_crops_never_move(images: Path, crops: str) -> None:
    prepared = prepare(config(images, crop=16, crops=crops))
    for batches, moves in ((prepared.training, crops == "random"), (prepared.validation, False)):
        epochs = []
        for epoch in (1, 2):
            found = {}
            for batch in batches.epoch(epoch):
                found |= {int(i): image.numpy().tobytes() for i, image in zip(batch.ids, batch.images, strict=True)}
            epochs.append(found)
        assert (epochs[0] != epochs[1]) is moves


def test_validation_is_the_same_for_every_seed_and_batch_size(images: Path) -> None:
    first, second = (
        next(prepare(config(images, crop=16, **settings)).validation.epoch(0)).images
        for settings in ({"seed": 0}, {"seed": 8, "batch_size": 2, "augment": True})
    )
    assert np.array_equal(first.numpy(), second.numpy())


def test_whole_images_and_other_sizes(images: Path) -> None:
    assert prepare(config(images)).training.size == (40, 40)
    assert prepare(config(images, resize="24x20")).training.size == (20, 24)
    assert prepare(config(images, channels=1)).images.channels == 1


def test_images_of_different_sizes_need_a_crop(tmp_path: Path, make_images: Callable[..., Path]) -> None:
    folder = make_images(tmp_path / "a", 5)
    for number in range(3):
        Image.new("RGB", (50, 60)).save(folder / f"large-{number}.png")
    with pytest.raises(CuelloError, match=r"different sizes .*Train on crops \(crop=64\) or resize"):
        prepare(config(folder, validation=0.2, test=0))
    assert prepare(config(folder, crop=16)).training.size == (16, 16)


def test_pairs_are_joined_and_cut_at_the_same_places(images: Path, opposites: Path) -> None:
    prepared = prepare(config(images, target=str(opposites), crop=8, augment=True))
    for batches in (prepared.training, prepared.validation):
        batch = next(batches.epoch(3))
        assert batch.targets is not None
        assert np.allclose(batch.images + batch.targets, 1, atol=1e-6)
    (opposites / "2.png").unlink()
    with pytest.raises(CuelloError, match=r"1 of 6 images .* have no partner .*: 2\.png"):
        read_images(config(images, target=str(opposites), on_error="stop"))
    with pytest.warns(UserWarning, match=r"1 image is left out: 2\.png of .*images has no partner of the same name in"):
        found = read_images(config(images, target=str(opposites)))
    assert [found.names, len(found.targets or ()), len(found.skipped)] == [[f"{k}.png" for k in (0, 1, 3, 4, 5)], 5, 1]


@pytest.mark.parametrize("side", ["images", "target"])
def test_a_bad_file_of_either_side_leaves_out_its_pair(
    images: Path, opposites: Path, tmp_path: Path, side: str
) -> None:
    images = Path(shutil.copytree(images, tmp_path / "images"))
    spoilt = (images if side == "images" else opposites) / "3.png"
    spoilt.write_bytes(b"bad")
    told: list[str] = []
    found = read_images(config(images, target=str(opposites)), lambda event: event.note and told.append(event.note))
    assert found.names == [f"{k}.png" for k in (0, 1, 2, 4, 5)]
    assert len(found.targets or ()) == 5
    assert found.skipped[0] == told[0].removeprefix("left out: ")
    assert f"{spoilt} is not an image" in told[0]
    spoilt.unlink()
    for path in opposites.iterdir():
        path.rename(path.with_stem(f"other-{path.stem}"))
    with pytest.raises(CuelloError, match=r"images in .*images have no partner of the same name"):
        read_images(config(images, target=str(opposites)))


def test_a_published_test_set_is_not_for_training() -> None:
    with pytest.raises(CuelloError, match=r"'bsd68' is a published test set.*cuello evaluate"):
        prepare(config("bsd68"))


def test_a_loss_that_needs_larger_crops_says_so(images: Path) -> None:
    with pytest.raises(CuelloError, match=r"'ssim' needs images of at least 11×11 pixels, got 8×8"):
        prepare(config(images, crop=8, loss="ssim"))
    assert prepare(config(images, crop=11, loss="ssim")).training.size == (11, 11)


def test_too_few_images(tmp_path: Path, make_images: Callable[..., Path]) -> None:
    with pytest.raises(CuelloError, match=r"got 2 images, needed more than 2, .*test=0 keeps none"):
        prepare(config(make_images(tmp_path, 2), crop=16))


def test_an_unreadable_image_stops_or_is_skipped(tmp_path: Path, make_images: Callable[..., Path]) -> None:
    folder = make_images(tmp_path, 5)
    (folder / "bad.png").write_bytes(b"bad")
    with pytest.raises(CuelloError, match=r"bad\.png is not an image .*on_error='skip'"):
        prepare(config(folder, crop=16, on_error="stop"))
    told: list[tuple[float, float]] = []
    prepared = prepare(config(folder, crop=16), lambda event: told.append((event.done, event.total)))
    assert len(prepared.images) == 5
    assert len(prepared.images.skipped) == 1
    assert told[-2:] == [(6, 6), (1, 1)]  # and the note


def test_the_fingerprint_sees_pixels_names_shapes_types_and_order() -> None:
    a, b = np.zeros((2, 3, 1), np.uint8), np.ones((2, 3, 1), np.uint8)
    same = fingerprint(["a", "b"], [a, b])
    assert fingerprint(["a", "b"], [a.copy(), b[::1]]) == same
    others = [
        fingerprint(["a", "c"], [a, b]),
        fingerprint(["b", "a"], [a, b]),
        fingerprint(["a", "b"], [b, a]),
        fingerprint(["a", "b"], [a.reshape(3, 2, 1), b]),
        fingerprint(["a", "b"], [a.view(np.int8), b]),
        fingerprint(["a"], [a]),
    ]
    assert len({same, *others}) == 7
    strided = np.arange(12, dtype=np.uint8).reshape(2, 6, 1)[:, ::2]
    assert fingerprint(["a"], [strided]) == fingerprint(["a"], [strided.copy()])


def test_the_fingerprint_of_pairs_sees_the_targets(images: Path, opposites: Path) -> None:
    target = opposites
    first = prepare(config(images, target=str(target), crop=16)).fingerprint
    assert first != prepare(config(images, crop=16)).fingerprint
    pixels = np.asarray(Image.open(target / "0.png")).copy()
    pixels[0, 0, 0] ^= 1
    Image.fromarray(pixels).save(target / "0.png")
    assert prepare(config(images, target=str(target), crop=16)).fingerprint != first


def test_a_range_is_found_from_all_images(tmp_path: Path) -> None:
    for name, top in (("noisy", 900), ("clean", 950)):
        (tmp_path / name).mkdir()
        for number, values in enumerate(([100, 500], [40, 700], [120, top])):
            pixels = np.array([values], np.uint16).repeat(20, 0).repeat(10, 1)
            Image.fromarray(pixels).save(tmp_path / name / f"{number}.png")
    settings = {"data": str(tmp_path / "noisy"), "noise": "gaussian:25", "model": "conv-8-16-8", "range": "auto"}
    assert resolve(settings).range == "40..900"
    paired = {**settings, "noise": None, "target": str(tmp_path / "clean")}
    assert resolve(paired).range == "40..950"
    assert resolve({**settings, "range": "full"}).range is None
    np.save(tmp_path / "floats.npy", np.array([[[0.1, 0.7]], [[-2, 3.3]]], np.float32))
    found = resolve({**settings, "data": str(tmp_path / "floats.npy")}).range
    assert found == f"-2..{float(np.float32(3.3))}"
    images = load_images(open_source(str(tmp_path / "floats.npy"), parse_levels(found)))
    assert images.arrays[1].ravel().tolist() == [0, 1]
