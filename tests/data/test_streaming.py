"""Images left in their files: the same batches as in memory, bounded memory, and files that change meanwhile."""

import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from cuello.core import memory
from cuello.core.errors import CuelloError
from cuello.core.memory import free_memory
from cuello.core.progress import Progress
from cuello.core.seeding import numpy_generator
from cuello.data import batches as batches_module
from cuello.data import stream, windows
from cuello.data.ahead import ReadAhead
from cuello.data.batches import Batches
from cuello.data.images import Images, load_images, pair
from cuello.data.picture import StoredImage
from cuello.data.sources import ArraySource, ImageSource, folder_source
from cuello.data.stream import LostError, StreamedArrays, decoded_bytes, is_to_stream


@dataclass(frozen=True, kw_only=True)
class Pictures(ImageSource):
    """A source of arrays of any sizes, in no file; it counts how often each was read."""

    arrays: list[np.ndarray]
    reads: list[int] = field(default_factory=list)

    def read(self, index: int) -> StoredImage:
        self.reads.append(index)
        return StoredImage(self.arrays[index])


def pictures(*sizes: tuple[int, int], seed: int = 0, name: str = "pictures") -> Pictures:
    random = np.random.default_rng(seed)
    arrays = [random.integers(0, 256, (*size, 1), np.uint8) for size in sizes]
    return Pictures(name, [f"{index}.png" for index in range(len(arrays))], arrays=arrays)


def both(*sizes: tuple[int, int], targets: bool = False) -> tuple[Images, Images]:
    """The same images in memory and streamed."""
    loaded = []
    for streamed in (False, True):
        images = load_images(pictures(*sizes), stream=streamed)
        if targets:
            images = pair(images, load_images(pictures(*sizes, seed=1, name="clean"), stream=streamed))
        loaded.append(images)
    return loaded[0], loaded[1]


def both_to_upscale(scale: int, *sizes: tuple[int, int]) -> tuple[Images, Images]:
    """The same pairs of small and large images in memory and streamed."""
    large = [(scale * height, scale * width) for height, width in sizes]
    loaded = [
        pair(load_images(pictures(*sizes), stream=one), load_images(pictures(*large, seed=1), stream=one), scale=scale)
        for one in (False, True)
    ]
    return loaded[0], loaded[1]


def write(folder: Path, *sizes: tuple[int, int]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for index, array in enumerate(pictures(*sizes).arrays):
        Image.fromarray(array[:, :, 0]).save(folder / f"{index}.png")
    return folder


def same(one: Iterator[Any], other: Iterator[Any]) -> None:
    """Two epochs are the same, to the bit."""
    for first, second in zip(one, other, strict=True):
        assert torch.equal(first.images, second.images)
        assert torch.equal(first.ids, second.ids)
        assert (first.targets is None) == (second.targets is None)
        if first.targets is not None:
            assert torch.equal(first.targets, second.targets)


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    yield
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("cuello-read")]


class TestWindows:
    @pytest.mark.parametrize("epoch", [0, 1, 7])
    def test_what_fits_into_one_window_is_in_the_order_it_always_was(self, epoch: int) -> None:
        chosen = np.random.default_rng(0).integers(0, 9, 50)
        order = np.concatenate(windows.shuffled(chosen, np.full(9, 1000), seed=3, epoch=epoch))
        assert order.tolist() == numpy_generator(3, "order", epoch).permutation(50).tolist()

    def test_that_order_is_frozen(self) -> None:
        (order,) = windows.shuffled(np.zeros(10, int), np.ones(1, int), seed=0, epoch=1)
        assert order.tolist() == FROZEN

    @settings(max_examples=60, deadline=None)
    @given(st.lists(st.integers(0, 6), min_size=1, max_size=40), st.integers(1, 60), st.integers(0, 9), st.booleans())
    def test_every_row_comes_once_and_windows_hold_no_more_than_they_may(self, chosen, limit, seed, shuffle) -> None:
        costs = np.array([3, 5, 8, 13, 21, 34, 55])
        before = windows.WINDOW_BYTES
        windows.WINDOW_BYTES = limit
        try:
            rows_of = np.array(chosen)
            parts = windows.shuffled(rows_of, costs, seed, 0) if shuffle else windows.plain(rows_of, costs)
        finally:
            windows.WINDOW_BYTES = before
        order = np.concatenate(parts)
        assert sorted(order) == list(range(len(chosen)))
        if not shuffle:
            assert order.tolist() == list(range(len(chosen)))
        for rows in parts:
            images = np.unique(rows_of[rows])
            assert costs[images].sum() <= limit or len(images) == 1
        if shuffle:
            held = [set(rows_of[rows]) for rows in parts]
            assert sum(map(len, held)) == len(set(chosen)), "an image is in one window only"

    def test_a_visit_lasts_from_the_first_row_to_the_last(self) -> None:
        visits = windows.visits(np.array([4, 2, 4, 2, 7]), [np.array([1, 0, 3]), np.array([2, 4])])
        assert visits.image.tolist() == [2, 4, 4, 7]
        assert visits.of.tolist() == [0, 1, 0, 2, 3]
        assert visits.last.tolist() == [2, 1, 3, 4]


FROZEN = [4, 9, 7, 1, 0, 2, 6, 5, 8, 3]


class TestReadAhead:
    def test_no_more_is_held_than_the_limit_but_what_is_asked_for_always_comes(self) -> None:
        begun: list[int] = []
        with ReadAhead(lambda k: begun.append(k) or k, [10, 10, 10, 99, 10], limit=20, threads=1) as reader:
            assert reader.take() == 0
            assert reader.held == 20
            assert reader.take() == 1
            assert reader.take() == 2, "although 20 are held"
            for index in (0, 1, 2):
                reader.release(index)
            assert reader.take() == 3
            reader.release(3)
            assert reader.take() == 4
        assert begun == [0, 1, 2, 3, 4]

    def test_errors_come_to_whoever_takes_and_the_threads_end(self) -> None:
        def fail(index: int) -> int:
            if index == 2:
                raise CuelloError("number 2 is bad")
            return index

        with ReadAhead(fail, [1] * 100, limit=5) as reader:
            assert [reader.take(), reader.take()] == [0, 1]
            with pytest.raises(CuelloError, match="number 2"):
                reader.take()


class TestSameBatches:
    @settings(max_examples=25, deadline=None)
    @given(
        st.lists(st.tuples(st.integers(4, 9), st.integers(4, 9)), min_size=1, max_size=7),
        st.sampled_from(["random", "fixed", "grid"]), st.booleans(), st.booleans(), st.booleans(),
        st.integers(1, 7), st.integers(1, 250), st.sampled_from([0, 10**9]), st.integers(0, 3),
    )  # fmt: skip
    def test_to_the_bit_whatever_the_sizes_and_windows(
        self, sizes, layout, shuffle, augment, targets, batch_size, window, kept, epoch
    ) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(windows, "WINDOW_BYTES", window)
            patch.setattr(batches_module, "RESIDENT_BYTES", kept)
            options: dict[str, Any] = {
                "batch_size": batch_size, "crop": 4, "layout": layout, "shuffle": shuffle, "augment": augment,
                "seed": 5,
            }  # fmt: skip
            one, other = (Batches(images, np.arange(len(sizes)), **options) for images in both(*sizes, targets=targets))
            assert (other.resident is None) == (layout == "random" or kept == 0)
            same(one.epoch(epoch), other.epoch(epoch))

    @pytest.mark.parametrize("kept", [0, 10**9])
    def test_whole_images(self, monkeypatch: pytest.MonkeyPatch, kept: int) -> None:
        monkeypatch.setattr(batches_module, "RESIDENT_BYTES", kept)
        monkeypatch.setattr(windows, "WINDOW_BYTES", 60)
        for shuffle in (False, True):
            one, other = (
                Batches(images, np.array([3, 0, 1]), batch_size=2, shuffle=shuffle) for images in both(*[(5, 6)] * 4)
            )
            same(one.epoch(2), other.epoch(2))

    def test_an_image_is_decoded_once_an_epoch_and_few_are_held(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(windows, "WINDOW_BYTES", 3 * 64)
        source = pictures(*[(8, 8)] * 30)
        batches = Batches(
            load_images(source, stream=True), np.arange(30),
            batch_size=7, crop=4, layout="random", count=300, shuffle=True,
        )  # fmt: skip
        most = 0
        take = ReadAhead.take

        def watched(reader: ReadAhead) -> Any:
            nonlocal most
            most = max(most, reader.held)
            return take(reader)

        monkeypatch.setattr(ReadAhead, "take", watched)
        source.reads.clear()
        assert sum(len(batch.ids) for batch in batches.epoch(1)) == 300
        assert sorted(source.reads) == list(range(30))
        assert 0 < most <= 2 * 3 * 64

    def test_leaving_an_epoch_early_ends_its_threads(self) -> None:
        _, images = both(*[(8, 8)] * 30)
        epoch = Batches(images, np.arange(30), batch_size=2, crop=4, layout="random", shuffle=True).epoch(0)
        next(epoch)
        assert [thread for thread in threading.enumerate() if thread.name.startswith("cuello-read")]
        epoch.close()


class TestSurvey:
    def test_what_is_known_is_what_is_loaded(self, tmp_path: Path) -> None:
        folder = write(tmp_path, (6, 5), (7, 8), (5, 5))
        Image.fromarray(np.random.default_rng(0).integers(0, 256, (6, 7, 4), np.uint8)).save(folder / "c.png")
        (folder / "bad.png").write_bytes(b"bad")
        every: list[dict[str, Any]] = [{}, {"channels": 1}, {"size": (9, 4)}]
        for options in every:
            told: list[Progress] = []
            with pytest.warns(UserWarning, match=r"^1 image is left out: .*bad\.png is not an image"):
                memory = load_images(folder_source(folder), on_error="skip", **options)
            streamed = load_images(folder_source(folder), on_error="skip", **options, stream=True, progress=told.append)
            assert (memory.streamed, streamed.streamed) == (False, True)
            left_out = Progress("reading images", 1, 1, note=f"left out: {memory.skipped[0]}")
            assert told == [*(Progress("reading images", k, 5) for k in range(1, 6)), left_out]
            assert list(streamed.skipped) == list(memory.skipped)
            assert list(streamed.notes[:-1]) == list(memory.notes)
            assert "stay in their files" in streamed.notes[-1]
            assert (streamed.channels, streamed.dtype) == (memory.channels, memory.dtype)
            assert streamed.sizes.tolist() == memory.sizes.tolist()
            assert streamed.shapes() == memory.shapes()
            assert streamed.costs.tolist() == [array.nbytes for array in memory.arrays]
            for one, other in zip(memory.arrays, streamed.arrays, strict=True):
                np.testing.assert_array_equal(one, other)

    def test_a_bad_image_stops_in_the_same_words(self, tmp_path: Path) -> None:
        folder = write(tmp_path, (6, 5))
        (folder / "bad.png").write_bytes(b"")
        with pytest.raises(CuelloError, match=r"bad\.png is empty .*To leave such images out, use on_error='skip'"):
            load_images(folder_source(folder), stream=True)
        (folder / "0.png").unlink()
        with pytest.raises(CuelloError, match=r"no image of .* could be read; the first problem: .*bad\.png is empty"):
            load_images(folder_source(folder), stream=True, on_error="skip")

    def test_pairs_of_different_depths(self, tmp_path: Path) -> None:
        write(tmp_path / "noisy", (6, 5), (7, 5))
        (tmp_path / "clean").mkdir()
        for index, size in enumerate([(6, 5), (7, 5)]):
            deep = np.random.default_rng(index).integers(0, 65536, size, np.uint16)
            Image.fromarray(deep).save(tmp_path / "clean" / f"{index}.png")
        memory, streamed = (
            pair(*(load_images(folder_source(tmp_path / part), stream=how) for part in ("noisy", "clean")))
            for how in (False, True)
        )
        assert memory.targets is not None
        assert streamed.targets is not None
        assert streamed.dtype == np.uint16
        for one, other in zip([*memory.arrays, *memory.targets], [*streamed.arrays, *streamed.targets], strict=True):
            np.testing.assert_array_equal(one, other)
        assert streamed.costs.tolist() == [2 * 60, 2 * 70]


class TestChoice:
    def test_auto_compares_an_estimate_with_half_of_the_free_memory(self, monkeypatch: pytest.MonkeyPatch) -> None:
        source = pictures(*[(10, 10)] * 100)
        assert decoded_bytes(source) == 100 * 100
        assert decoded_bytes(source, channels=3) == 3 * 100 * 100
        assert len(source.reads) == 2 * stream.SAMPLE
        monkeypatch.setattr(stream, "free_memory", lambda: 20_000)
        assert not is_to_stream("auto", [source])
        assert is_to_stream("auto", [source, source])
        assert is_to_stream("auto", [source], channels=3)
        assert is_to_stream("stream", [source])
        assert not is_to_stream("memory", [source, source])
        array = ArraySource("array", ["0"], images=np.zeros((1, 300, 300, 1), np.uint8))
        assert not is_to_stream("auto", [array]), "it is in memory already"

    def test_images_that_cannot_be_read_do_not_count(self, tmp_path: Path) -> None:
        (tmp_path / "a.png").write_bytes(b"")
        assert decoded_bytes(folder_source(tmp_path)) == 0

    def test_there_is_free_memory(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert 2**20 < free_memory() < 2**50
        monkeypatch.setattr(memory, "available_by_system", lambda: None)
        monkeypatch.setattr(memory, "available_by_group", lambda: None)
        assert free_memory() == 4 * 2**30


class TestChanges:
    """Files that are others, or gone, after the first pass."""

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        return write(tmp_path / "data", *[(8, 8)] * 6)

    @staticmethod
    def spoil(path: Path, how: str) -> None:
        if how == "vanished":
            path.unlink()
        elif how == "changed":
            Image.new("L", (8, 8)).save(path)
        else:
            about = path.stat()
            path.write_bytes(bytes(about.st_size))
            os.utime(path, ns=(about.st_atime_ns, about.st_mtime_ns))

    @pytest.mark.parametrize(
        ("how", "words"),
        [
            ("vanished", "it is no longer there"),
            ("changed", "not the file it was before"),
            ("damaged", "not an image that can be"),
        ],
    )
    def test_a_lost_image_stops_or_is_left_out(self, folder: Path, how: str, words: str) -> None:
        source = folder_source(folder)
        sources = {policy: load_images(source, stream=True, on_error=policy) for policy in ("stop", "skip")}
        batches = {
            policy: Batches(images, np.arange(6), batch_size=4, crop=4, layout="random", count=60, shuffle=True)
            for policy, images in sources.items()
        }
        assert sum(len(batch.ids) for batch in batches["stop"].epoch(0)) == 60
        self.spoil(folder / "2.png", how)
        told = rf"{folder / '2.png'} changed during the training.*{words}.*The run is kept.*`cuello resume RUN`"
        with pytest.raises(LostError, match=told):
            list(batches["stop"].epoch(1))
        with pytest.warns(UserWarning, match=r"2\.png changed during the training") as warned:
            first = list(batches["skip"].epoch(1))
        assert len(warned) == 1
        assert sum(len(batch.ids) for batch in first) == 50
        assert all(len(batch.ids) for batch in first)
        list(batches["skip"].epoch(2))  # no second warning: it would be an error here
        assert len(sources["skip"].lost) == 1
        assert "2.png" in sources["skip"].lost[0]

    def test_fixed_crops_of_a_lost_image_go(self, folder: Path) -> None:
        images = load_images(folder_source(folder), stream=True, on_error="skip")
        (folder / "1.png").unlink()
        with pytest.warns(UserWarning, match=r"1\.png"):
            batches = Batches(images, np.arange(3), batch_size=4, crop=4)
        assert batches.count == 8
        assert {batches.describe(row)[0] for row in range(8)} == {"0.png", "2.png"}
        assert isinstance(images.arrays, StreamedArrays)
        anew = replace(images, arrays=replace(images.arrays, lost={}))  # nothing reported as lost yet
        with pytest.warns(UserWarning, match=r"1\.png"):
            assert len(list(anew.clean())) == 5

    def test_where_many_are_away_it_ends(self, folder: Path) -> None:
        images = load_images(folder_source(folder), stream=True, on_error="skip")
        batches = Batches(images, np.arange(6), batch_size=4, crop=4, layout="random", shuffle=True)
        for path in folder.iterdir():
            path.unlink()
        with (
            pytest.warns(UserWarning, match="png"),
            pytest.raises(LostError, match=r"`cuello resume RUN`.*2 of 6 images"),
        ):
            list(batches.epoch(1))
        with pytest.raises(LostError, match="too many to go on without"):
            Batches(images, np.arange(6), batch_size=4, crop=4)

    def test_up_to_a_tenth_is_gone_on_without(self, tmp_path: Path) -> None:
        images = load_images(folder_source(write(tmp_path, *[(4, 4)] * 20)), stream=True, on_error="skip")
        for lost in range(2):
            (tmp_path / f"{lost}.png").unlink()
        with pytest.warns(UserWarning, match="png"):
            assert len(list(images.clean())) == 18
        (tmp_path / "2.png").unlink()
        with pytest.raises(LostError, match=r"2\.png changed .*3 of 20 images are lost"):
            list(images.clean())

    def test_a_lost_target_is_told_too(self, folder: Path, tmp_path: Path) -> None:
        clean = write(tmp_path / "clean", *[(8, 8)] * 6)
        Image.fromarray(255 - np.asarray(Image.open(clean / "0.png"))).save(
            clean / "0.png"
        )  # or there is nothing to learn
        images = pair(*(load_images(folder_source(part), stream=True, on_error="skip") for part in (folder, clean)))
        batches = Batches(images, np.arange(6), batch_size=4, crop=4, layout="random", count=60, shuffle=True)
        (clean / "3.png").unlink()
        with pytest.warns(UserWarning, match=r"clean/3\.png"):
            assert sum(len(batch.ids) for batch in batches.epoch(0)) == 50


@pytest.mark.parametrize("layout", ["random", "fixed", "grid", "whole"])
@pytest.mark.parametrize("resident", [True, False])
def test_pairs_to_upscale_are_the_same_streamed(layout: str, resident: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not resident:
        monkeypatch.setattr("cuello.data.batches.RESIDENT_BYTES", 0)
    memory, streamed = both_to_upscale(2, *([(9, 9)] * 4 if layout == "whole" else [(9, 8), (12, 5), (6, 7), (5, 5)]))
    options: dict[str, Any] = {"batch_size": 3, "seed": 2, "shuffle": True, "augment": True}
    options |= {} if layout == "whole" else {"crop": 8, "layout": layout}
    one, other = (Batches(images, np.arange(4), **options) for images in (memory, streamed))
    for epoch in (0, 1):
        same(one.epoch(epoch), other.epoch(epoch))
