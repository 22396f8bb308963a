"""What lies in a folder: what is an image, which part each is for, which class, and what is followed only once."""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cuello.core.errors import CuelloError
from cuello.data.classes import classified
from cuello.data.folders import check_outside, list_images
from cuello.data.images import load_images
from cuello.data.sources import folder_source, open_path
from cuello.data.split import split


def save(folder: Path, *names: str) -> Path:
    for level, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (5, 4), level).save(path)
    return folder


def names_of(folder: Path) -> list[str]:
    return [path.relative_to(folder).as_posix() for path in list_images(folder).images]


class TestListing:
    def test_files_passed_over_are_counted_by_ending_and_systems_files_are_not(self, tmp_path):
        save(tmp_path, "a.png")
        for name in ("b.heic", "c.HEIC", "d.psd", "README", "Thumbs.db", "desktop.ini", ".DS_Store", "__MACOSX/a.png"):
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_text("x")
        (note,) = list_images(tmp_path).notes()
        assert note.startswith(f"4 files in {tmp_path} are not images by their ending and were ignored (2 .heic, ")
        assert "1 .psd" in note
        assert "1 without ending" in note
        assert names_of(tmp_path) == ["a.png"]

    def test_one_file_passed_over(self, tmp_path):
        save(tmp_path, "a.png")
        (tmp_path / "b.psd").write_text("x")
        (note,) = list_images(tmp_path).notes()
        assert note == f"1 file in {tmp_path} is not an image by its ending and was ignored (1 .psd): b.psd"

    @pytest.mark.parametrize("name", ["a.jfif", "b.jpe", "c.tga", "d.dib", "e.ppm"])
    def test_less_usual_endings_are_read(self, tmp_path, name):
        kind = "JPEG" if name in ("a.jfif", "b.jpe") else None
        Image.new("RGB", (5, 4), (10, 200, 30)).save(tmp_path / name, format=kind)
        images = load_images(folder_source(tmp_path))
        assert images.names == [name]
        assert np.abs(images.arrays[0].astype(int) - (10, 200, 30)).max() <= 2

    def test_a_linked_folder_is_followed_once_by_its_own_name(self, tmp_path):
        save(tmp_path, "in/a.png", "in/sub/b.png", "elsewhere/c.png")
        os.symlink(tmp_path / "elsewhere", tmp_path / "in/out")
        os.symlink(tmp_path / "in/sub", tmp_path / "in/again")
        assert names_of(tmp_path / "in") == ["a.png", "out/c.png", "sub/b.png"]
        (note,) = list_images(tmp_path / "in").notes()
        assert note.endswith("are not followed: again")

    def test_loops_of_links_end(self, tmp_path):
        save(tmp_path, "top/in/a.png", "other/b.png", "top/beside.png")
        for link, to in (("self", "top/in"), ("up", "top"), ("far", "other")):
            os.symlink(tmp_path / to, tmp_path / "top/in" / link)
        os.symlink(tmp_path / "top/in", tmp_path / "other/back")
        os.symlink("nowhere", tmp_path / "top/in/nowhere")
        os.symlink("loop.png", tmp_path / "top/in/loop.png")
        assert names_of(tmp_path / "top/in") == ["a.png", "far/b.png", "loop.png"]
        assert [path.name for path in list_images(tmp_path / "top/in").again] == ["back", "self", "up"]

    def test_a_folder_that_cannot_be_looked_into_is_said_when_read(self, tmp_path, monkeypatch):
        save(tmp_path, "a.png", "locked/b.png")
        scandir = os.scandir

        def refusing(path):
            if Path(path).name == "locked":
                raise PermissionError(13, "Permission denied")
            return scandir(path)

        monkeypatch.setattr(os, "scandir", refusing)
        source = folder_source(tmp_path)
        assert source.names == ["a.png", "locked"]
        with pytest.raises(CuelloError, match="locked"):
            source.read(1)

    def test_names_that_are_no_text_become_text(self, tmp_path):
        names = ["fotos-\udce9.png", "two\nlines.png", "plain ü.png"]
        try:
            save(tmp_path, *names)
        except OSError:
            pytest.skip("this file system takes no such names")
        images = load_images(folder_source(tmp_path))
        assert sorted(images.names) == ["fotos-\\udce9.png", "plain ü.png", "two\\nlines.png"]
        assert all(name.encode() for name in images.names)


class TestOddFiles:
    @pytest.mark.parametrize("name", ["pipe.png", "pipe.tif"])
    def test_a_pipe_is_an_error_and_not_waited_for(self, tmp_path, name):
        os.mkfifo(tmp_path / name)
        with pytest.raises(CuelloError, match=rf"{name} is not a plain file \(but a pipe or a device\)"):
            load_images(folder_source(tmp_path))
        with pytest.raises(CuelloError, match="is not a plain file"):
            load_images(open_path(tmp_path / name))

    @pytest.mark.parametrize("name", ["pipe.npy", "pipe.idx", "pipe.h5"])
    def test_neither_is_one_in_an_arrays_place(self, tmp_path, name):
        os.mkfifo(tmp_path / name)
        with pytest.raises(CuelloError, match="is not a plain file"):
            open_path(tmp_path / name)

    def test_what_would_start_another_program_is_no_image(self, tmp_path):
        text = "%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n"
        (tmp_path / "a.png").write_text(text)
        with pytest.raises(CuelloError, match="is not an image that can be read"):
            load_images(folder_source(tmp_path))


class TestOutside:
    def test_results_may_not_lie_where_images_are_looked_for(self, tmp_path):
        save(tmp_path, "in/a.png", "elsewhere/b.png")
        os.symlink(tmp_path / "elsewhere", tmp_path / "in/linked")
        for place in ("in", "in/out", "in/new/deep", "elsewhere/out", "in/../in/x"):
            with pytest.raises(CuelloError, match=r"lies in .* Choose a place outside, e\.g\. .*in-results\."):
                check_outside(tmp_path / "in", tmp_path / place)
        for place in ("out", "in-results", "in/.hidden/x", "elsewhere-2"):
            check_outside(tmp_path / "in", tmp_path / place)
        check_outside(tmp_path / "in/a.png", tmp_path / "in")
        check_outside("glyphs", tmp_path / "in")


class TestParts:
    @pytest.mark.parametrize(
        ("train", "val", "test"),
        [
            ("train", "val", "test"),
            ("Training", "valid", "TEST"),
            ("train", "eval", "testing"),
            ("train2017", "val2017", "test2017"),
            ("training_set", "validation_set", "test_set"),
            ("01 Train", "02 Dev", "03 Testset"),
            ("seg_train/seg_train", "seg_val/seg_val", "seg_test/seg_test"),
            ("all/train", "all/val", "all/test"),
        ],
    )
    def test_folders_of_parts_are_a_division_and_no_classes(self, tmp_path, train, val, test):
        for part, count in ((train, 3), (val, 2), (test, 1)):
            save(tmp_path, *(f"{part}/{label}/{k}.png" for label in ("cat", "dog") for k in range(count)))
        images = classified(load_images(folder_source(tmp_path)))
        assert list(images.label_names or ()) == ["cat", "dog"]
        parts = split(len(images), 0.5, 0.2, held_out=images.held_out, validated=images.validated)
        assert [len(part) for part in parts] == [6, 4, 2]
        folders = ["/".join(str(name).split("/")[:-2]) for name in images.names]
        assert [{folders[place] for place in part} for part in parts] == [{train}, {val}, {test}]
        assert f"{train.split('/')[-1]} for training (6)" in images.notes[0]

    @pytest.mark.parametrize(("parts", "sizes"), [(("train", "val"), [5, 6, 1]), (("train", "test"), [5, 1, 6])])
    def test_a_part_without_a_folder_is_drawn_from_those_for_training(self, tmp_path, parts, sizes):
        save(tmp_path, *(f"{part}/{k}.png" for part in parts for k in range(6)))
        images = load_images(folder_source(tmp_path))
        lacking = "testing are drawn from these for training, as test says"
        if "test" in parts:
            lacking = "validation are drawn from these for training, as validation says"
        assert images.notes[0].endswith(f"; those for {lacking}")
        assert images.labels is None
        found = split(len(images), 0.2, 0.2, held_out=images.held_out, validated=images.validated)
        assert [len(part) for part in found] == sizes

    def test_parts_within_every_class_are_a_division_too(self, tmp_path):
        save(
            tmp_path,
            *(f"{label}/{part}/{k}.png" for label in ("cat", "dog") for part in ("train", "test") for k in "ab"),
        )
        source = folder_source(tmp_path)
        assert source.label_names == ["cat", "dog"]
        held_out = np.asarray(source.held_out).tolist()
        assert [place for place, name in enumerate(source.names) if "/test/" in str(name)] == held_out
        assert source.validated is None

    def test_what_lies_beside_folders_of_parts_is_an_error(self, tmp_path):
        save(tmp_path, "train/cat/1.png", "val/cat/1.png", "masks/1.png")
        with pytest.raises(CuelloError, match=r"holds train, val, which divide .* beside them masks.* e\.g\. .*train"):
            folder_source(tmp_path)

    @pytest.mark.parametrize("names", [("train/1.png", "bus/1.png"), ("test/1.png", "train-2/1.png"), ("dev/a/1.png",)])
    def test_one_such_name_alone_is_a_plain_folder(self, tmp_path, names):
        source = folder_source(save(tmp_path, *names))
        assert (source.held_out, source.validated) == (None, None)
        assert source.label_names == (sorted(name.split("/")[0] for name in names) if len(names) > 1 else None)

    def test_no_image_for_training_is_an_error(self, tmp_path):
        images = load_images(folder_source(save(tmp_path, "val/1.png", "test/2.png")))
        with pytest.raises(CuelloError, match=r"none of the 2 images is for training"):
            split(2, 0.2, 0.2, held_out=images.held_out, validated=images.validated)

    def test_classes_that_a_part_lacks_and_empty_ones_are_said(self, tmp_path):
        save(tmp_path, "train/cat/1.png", "train/dog/1.png", "val/cat/1.png")
        (tmp_path / "train" / "bird").mkdir()
        _, lacks, empty = folder_source(tmp_path).notes
        assert lacks == f"val in {tmp_path} has no image of the class dog"
        assert empty == f"folders in {tmp_path} that hold no image are not classes: bird"

    def test_class_folders_that_all_hold_folders_of_the_same_names_are_said(self, tmp_path):
        save(tmp_path, *(f"{day}/{label}/1.png" for day in ("monday", "tuesday") for label in ("cat", "dog")))
        (note,) = folder_source(tmp_path).notes
        assert "are monday, tuesday; each of these folders holds folders called cat, dog" in note
        assert note.endswith(f"e.g. {tmp_path / 'monday'}")
        save(tmp_path, "tuesday/2.png")
        assert folder_source(tmp_path).notes == []

    def test_classes_called_like_parts_are_said(self, tmp_path):
        names = ("trainA", "trainB", "testA", "testB")
        (note,) = folder_source(save(tmp_path, *(f"{name}/1.png" for name in names))).notes
        assert note.startswith("testA, testB, trainA, … are taken for classes; as a division they need names such as ")
        assert folder_source(save(tmp_path / "land", "train/1.png", "valley/1.png")).notes == []

    def test_empty_class_folders_are_said(self, tmp_path):
        save(tmp_path, "cat/1.png", "dog/more/1.png")
        (tmp_path / "bird").mkdir()
        (note,) = folder_source(tmp_path).notes
        assert note == f"folders in {tmp_path} that hold no image are not classes: bird"
