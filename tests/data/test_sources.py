"""Folders, arrays and IDX files; what cannot be read is named with the remedy."""

import errno
import gzip
import os
import re
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from cuello.core.errors import CuelloError
from cuello.data.folders import list_images
from cuello.data.sources import (
    FileSource,
    array_source,
    folder_source,
    idx_source,
    is_idx_name,
    numpy_source,
    open_path,
    read_idx,
)


def save_images(folder: Path, *names: str) -> None:
    """Save tiny images, the k-th of grey level k."""
    for level, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (5, 4), level).save(path)


def idx_bytes(array: np.ndarray, code: int = 8) -> bytes:
    header = struct.pack(f">HBB{array.ndim}I", 0, code, array.ndim, *array.shape)
    return header + array.astype(array.dtype.newbyteorder(">")).tobytes()


def random_bytes(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


class TestFolder:
    def test_images_are_found_at_any_depth_sorted_by_path(self, tmp_path):
        save_images(tmp_path, "b.png", "a/z.PNG", "a/deep/c.JPG", "d.tif", "c.webp")
        source = folder_source(tmp_path)
        assert source.names == ["a/deep/c.JPG", "a/z.PNG", "b.png", "c.webp", "d.tif"]
        assert source.name == str(tmp_path)
        assert source.labels is None
        assert source.held_out is None
        assert list(source.notes) == []
        assert [int(source.read(index).pixels[0, 0, 0]) for index in (1, 2, 4)] == [1, 0, 3]

    def test_class_folders_become_labels(self, tmp_path):
        save_images(tmp_path, "dog/1.png", "cat/2.png", "cat/more/3.png")
        source = folder_source(tmp_path)
        assert source.names == ["cat/2.png", "cat/more/3.png", "dog/1.png"]
        assert np.asarray(source.labels).tolist() == [0, 0, 1]
        assert source.label_names == ["cat", "dog"]

    @pytest.mark.parametrize("names", [("cat/1.png", "cat/2.png"), ("cat/1.png", "dog/2.png", "3.png"), ("1.png",)])
    def test_one_folder_or_images_beside_the_folders_are_no_classes(self, tmp_path, names):
        save_images(tmp_path, *names)
        assert folder_source(tmp_path).labels is None
        assert folder_source(tmp_path).label_names is None

    def test_hidden_files_are_not_looked_at_and_others_are_noted(self, tmp_path):
        save_images(tmp_path, "a.png", ".hidden.png", ".thumbnails/b.png", "c/.d/e.png")
        for name in ("notes.txt", "c/list.csv", ".DS_Store", "1.txt", "2.txt"):
            (tmp_path / name).write_text("x")
        source = folder_source(tmp_path)
        assert source.names == ["a.png"]
        (note,) = source.notes
        assert "4 files in" in note
        assert "1.txt, 2.txt, list.csv, …" in note

    def test_the_files_left_aside(self, tmp_path):
        save_images(tmp_path, "a.png")
        (tmp_path / "b.txt").write_text("x")
        listing = list_images(tmp_path)
        assert (listing.images, listing.aside) == ([tmp_path / "a.png"], [tmp_path / "b.txt"])

    def test_an_empty_folder_named_like_an_image_is_reported_when_read(self, tmp_path):
        save_images(tmp_path, "a.png", "album.png/b.png")
        (tmp_path / "x.png").mkdir()
        source = folder_source(tmp_path)
        assert source.names == ["a.png", "album.png/b.png", "x.png"]
        with pytest.raises(CuelloError, match=r"x\.png is a folder, not an image"):
            source.read(2)

    def test_no_image_is_an_error_that_says_what_is_there(self, tmp_path):
        with pytest.raises(CuelloError, match=r"holds no image \(PNG, .* or AVIF\)\.$"):
            folder_source(tmp_path)
        (tmp_path / "a.heic").write_text("x")
        with pytest.raises(
            CuelloError, match=rf"{tmp_path} holds no image .*; 1 file in .* ignored \(1 \.heic\): a\.heic"
        ):
            folder_source(tmp_path)

    def test_a_folder_without_permission(self, tmp_path, monkeypatch):
        def refuse(*arguments):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

        monkeypatch.setattr(os, "scandir", refuse)
        with pytest.raises(CuelloError, match="could not be read: Permission denied"):
            folder_source(tmp_path)


class TestArray:
    @settings(max_examples=40, deadline=None)
    @given(
        st.sampled_from([np.uint8, np.uint16, np.float32]), st.sampled_from([None, 1, 3]),
        st.integers(1, 12), st.integers(1, 5), st.integers(1, 5), st.data(),
    )  # fmt: skip
    def test_images_come_back_by_position(self, dtype, channels, count, height, width, data):
        shape = (count, height, width) if channels is None else (count, height, width, channels)
        elements = {"min_value": 0, "max_value": 1} if dtype == np.float32 else None
        images = data.draw(arrays.arrays(dtype, shape, elements=elements))
        source = array_source(images)
        assert len(source.names) == len(set(source.names)) == count
        assert list(source.names) == sorted(source.names)
        for index in range(count):
            picture = source.read(index)
            np.testing.assert_array_equal(picture.pixels, images[index].reshape(height, width, -1))
            assert picture.pixels.dtype == dtype

    def test_float64_and_truth_values_are_brought_to_a_known_type(self):
        halves = array_source(np.full((1, 2, 2), 0.5))
        assert halves.images.dtype == np.float32
        truth = array_source(np.array([[[True, False]]]))
        assert truth.images.dtype == np.uint8
        assert truth.images.flatten().tolist() == [255, 0]

    def test_a_fourth_channel_is_transparency(self):
        source = array_source(random_bytes(2, 3, 4, 4), name="mine")
        assert source.images.shape == (2, 3, 4, 3)
        assert source.read(1).alpha is not None

    def test_labels_one_each(self):
        source = array_source(random_bytes(3, 4, 4), np.array([5, 6, 7]))
        assert np.asarray(source.labels).tolist() == [5, 6, 7]
        with pytest.raises(CuelloError, match=r"mine: got labels of shape \(2,\) for 3 images, needed one each"):
            array_source(random_bytes(3, 4, 4), np.array([5, 6]), "mine")

    @pytest.mark.parametrize(
        ("images", "words"),
        [
            (np.zeros((4, 4), np.uint8), "shape (4, 4), needed (N, H, W) or (N, H, W, C)"),
            (np.zeros((2, 3, 8, 8), np.uint8), "If the channels come first, use array.transpose(0, 2, 3, 1)"),
            (np.zeros((2, 8, 8, 2), np.uint8), "of another number give each channel as a grey image of its own"),
            (np.zeros((0, 8, 8), np.uint8), "empty array of shape (0, 8, 8, 1), needed at least one image"),
            (np.zeros((2, 0, 8), np.uint8), "needed at least one image and one pixel"),
            (np.zeros((1, 2, 2), np.int64), "type int64, needed uint8, uint16, bool or floats in [0, 1]. Convert them"),
            (np.zeros((1, 2, 2), complex), "type complex128, needed"),
            (np.array([[[None, "a"]]], object), "type object, needed uint8"),
            (np.array([[[0.5, np.nan]]]), "holds 1 values that are not numbers (NaN or infinite); replace them first"),
            (np.array([[[0.5, np.inf]]]), "holds 1 values that are not numbers (NaN or infinite)"),
            (np.array([[[0.5, 255.0]]]), "floats from 0.5 to 255; needed 0 to 1: subtract the minimum and divide"),
            (np.array([[[0.5, -0.1]]]), "floats from -0.1 to 0.5; needed 0 to 1"),
        ],
    )
    def test_what_is_no_array_of_images_says_what_is_needed(self, images, words):
        with pytest.raises(CuelloError, match=f"^mine: .*{re.escape(words)}"):
            array_source(images, name="mine")


class TestNumpyFiles:
    def test_npy(self, tmp_path):
        np.save(tmp_path / "a.npy", random_bytes(3, 4, 5))
        source = numpy_source(tmp_path / "a.npy")
        np.testing.assert_array_equal(source.images[..., 0], random_bytes(3, 4, 5))
        assert source.name == str(tmp_path / "a.npy")

    @pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
    def test_npz_by_name_or_as_the_only_one(self, tmp_path, save):
        save(tmp_path / "a.npz", images=random_bytes(3, 4, 5), labels=np.array([1, 2, 3]), masks=random_bytes(3, 4, 5))
        source = numpy_source(tmp_path / "a.npz")
        np.testing.assert_array_equal(source.images[..., 0], random_bytes(3, 4, 5))
        assert np.asarray(source.labels).tolist() == [1, 2, 3]
        save(tmp_path / "b.npz", x=random_bytes(3, 4, 5))
        assert numpy_source(tmp_path / "b.npz").labels is None

    def test_npz_of_several_arrays_asks_for_a_name(self, tmp_path):
        np.savez(tmp_path / "a.npz", x=random_bytes(3, 4, 5), y=random_bytes(3, 4, 5))
        with pytest.raises(CuelloError, match=r"a\.npz holds the arrays x, y; call the one with the images 'images'"):
            numpy_source(tmp_path / "a.npz")

    @pytest.mark.parametrize("ending", ["npy", "npz"])
    def test_pickles_are_refused_and_never_run(self, tmp_path, ending):
        evidence = tmp_path / "evidence"

        class Trap:
            def __reduce__(self):
                return os.mkdir, (str(evidence),)

        path = tmp_path / f"a.{ending}"
        trap = np.array([Trap()], object)
        np.save(path, trap) if ending == "npy" else np.savez(path, images=trap)
        words = "Python objects, which, for safety, are not read. Save the images as one array of numbers"
        with pytest.raises(CuelloError, match=f"{path}.*{words}"):
            numpy_source(path)
        assert not evidence.exists()

    @pytest.mark.parametrize("ending", ["npy", "npz"])
    def test_a_file_cut_short_anywhere_is_named_with_the_remedy(self, tmp_path, ending):
        whole = tmp_path / f"whole.{ending}"
        (np.save if ending == "npy" else np.savez_compressed)(whole, random_bytes(3, 8, 8))
        content = whole.read_bytes()
        path = tmp_path / f"cut.{ending}"
        for length in [*range(0, 20), *range(20, len(content), 7)]:
            path.write_bytes(content[:length])
            with pytest.raises(CuelloError, match=f"{path} could not be read as NumPy's.*(again|Save the images as)"):
                numpy_source(path)

    def test_a_damaged_npz_is_named(self, tmp_path):
        path = tmp_path / "a.npz"
        np.savez_compressed(path, images=random_bytes(3, 8, 8))
        content = bytearray(path.read_bytes())
        for position in range(40, len(content) - 30, 5):
            damaged = content.copy()
            damaged[position] ^= 0xFF
            path.write_bytes(damaged)
            told = ""
            try:
                source = numpy_source(path)
            except CuelloError as error:
                told, source = str(error), None
            if source is None:
                assert str(path) in told
            else:  # a byte of the date, say
                np.testing.assert_array_equal(source.images[..., 0], random_bytes(3, 8, 8))

    def test_the_message_of_a_wrong_array_names_the_file(self, tmp_path):
        np.save(tmp_path / "a.npy", np.array([[[np.nan]]]))
        with pytest.raises(CuelloError, match=r"a\.npy: the array holds 1 values that are not numbers"):
            numpy_source(tmp_path / "a.npy")


class TestIdx:
    @pytest.mark.parametrize(("code", "dtype"), [(8, "u1"), (9, "i1"), (11, "i2"), (12, "i4"), (13, "f4"), (14, "f8")])
    @pytest.mark.parametrize("packed", [False, True])
    def test_every_type_there_and_back(self, tmp_path, code, dtype, packed):
        array = np.arange(24).reshape(2, 3, 4).astype(dtype)
        content = idx_bytes(array, code)
        (tmp_path / "a.idx").write_bytes(gzip.compress(content, mtime=0) if packed else content)
        found = read_idx(tmp_path / "a.idx")
        np.testing.assert_array_equal(found, array)
        assert found.dtype == np.dtype(dtype)

    def test_labels_are_found_beside_the_images(self, tmp_path):
        images, labels = random_bytes(3, 4, 5), np.array([7, 0, 9], np.uint8)
        (tmp_path / "my-images-idx3-ubyte").write_bytes(idx_bytes(images))
        assert idx_source(tmp_path / "my-images-idx3-ubyte").labels is None
        (tmp_path / "my-labels-idx1-ubyte").write_bytes(idx_bytes(labels))
        source = idx_source(tmp_path / "my-images-idx3-ubyte")
        np.testing.assert_array_equal(source.images[..., 0], images)
        assert np.asarray(source.labels).tolist() == [7, 0, 9]

    @pytest.mark.parametrize(
        ("content", "words"),
        [
            (b"", "could not be read as an IDX file"),
            (b"\0\0\x08", "could not be read as an IDX file"),
            (b"\0\0\x08\x03\0\0\0\x02", "could not be read as an IDX file"),
            (b"PK\x03\x04" + bytes(4 * 4), "the first bytes are not IDX's"),
            (
                idx_bytes(np.zeros((2, 3, 4), np.uint8))[:-1],
                "23 values where the header promises 24; it may be cut short",
            ),
            (idx_bytes(np.zeros((2, 3, 4), np.uint8)) + b"x", "25 values where the header promises 24"),
            (idx_bytes(np.zeros((2, 3), np.float64), 14)[:-3], "could not be read as an IDX file"),
            (struct.pack(">HBB4I", 0, 8, 4, 65536, 65536, 65536, 65536), "0 values where the header promises"),
            (
                gzip.compress(idx_bytes(np.zeros((20, 30, 4), np.uint8)), mtime=0)[:-12],
                "could not be read as an IDX file",
            ),
            (
                gzip.compress(random_bytes(200).tobytes(), mtime=0)[:20] + b"\xff" * 200,
                "could not be read as an IDX file",
            ),
        ],
    )
    def test_a_file_cut_short_or_damaged_is_named_with_the_remedy(self, tmp_path, content, words):
        path = tmp_path / "a.idx"
        path.write_bytes(content)
        with pytest.raises(CuelloError, match=f"{path}.*{words}.*Copy it again"):
            read_idx(path)

    @pytest.mark.parametrize(
        ("name", "is_idx"),
        [("t10k-images-idx3-ubyte", True), ("a.IDX.gz", True), ("x-ubyte.gz", True), ("a.idx", True), ("a.gz", False),
         ("idx.png", False)],
    )  # fmt: skip
    def test_names(self, name, is_idx):
        assert is_idx_name(Path(name)) == is_idx


class TestOpenPath:
    def test_every_kind_is_recognised(self, tmp_path):
        save_images(tmp_path / "folder", "a.png", "b.png")
        np.save(tmp_path / "a.npy", random_bytes(3, 4, 5))
        np.savez(tmp_path / "a.npz", random_bytes(4, 4, 5))
        (tmp_path / "a-idx3-ubyte.gz").write_bytes(gzip.compress(idx_bytes(random_bytes(5, 4, 5))))
        counts = {"folder": 2, "folder/b.png": 1, "a.npy": 3, "a.npz": 4, "a-idx3-ubyte.gz": 5}
        assert {name: len(open_path(tmp_path / name).names) for name in counts} == counts

    def test_one_image(self, tmp_path):
        save_images(tmp_path, "a.png")
        source = open_path(tmp_path / "a.png")
        assert isinstance(source, FileSource)
        assert list(source.names) == ["a.png"]
        assert source.read(0).pixels.shape == (4, 5, 1)

    def test_what_is_missing_or_unknown(self, tmp_path):
        with pytest.raises(CuelloError, match=r"there is no file or folder .*nowhere"):
            open_path(tmp_path / "nowhere")
        for name, ending in (("a.mat", r"\.mat"), ("a", r"\(none\)")):
            (tmp_path / name).write_text("x")
            with pytest.raises(
                CuelloError, match=f"image file has the ending '{ending}'. Needed: a folder, an image, .npy"
            ):
                open_path(tmp_path / name)
