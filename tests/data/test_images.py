"""Images in memory: one number of channels, one depth; pairs; what is left out is listed by name."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cuello.core.errors import CuelloError
from cuello.data.form import facts_of, form_of
from cuello.data.images import Images, load_images, pair, parse_size, to_depth
from cuello.data.picture import StoredImage, write_picture
from cuello.data.sources import ImageSource, array_source, folder_source


def levels(*shape: int, seed: int = 0, dtype: type = np.uint8) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)


def images_named(folder: str, **arrays: np.ndarray) -> Images:
    return Images(folder, list(arrays.values()), [f"{name}.png" for name in arrays])


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    """A folder with a grey, a colour and a transparent image of different sizes."""
    Image.fromarray(levels(6, 5)).save(tmp_path / "a-grey.png")
    Image.fromarray(levels(7, 8, 3)).save(tmp_path / "b-colour.png")
    Image.fromarray(levels(5, 5, 4)).save(tmp_path / "c-clear.png")
    return tmp_path


class TestLoading:
    def test_every_image_is_read_once_in_order(self, mixed):
        calls: list[tuple[float, float]] = []
        images = load_images(folder_source(mixed), progress=lambda event: calls.append((event.done, event.total)))
        assert list(images.names) == ["a-grey.png", "b-colour.png", "c-clear.png"]
        assert len(images) == 3
        assert images.channels == 3
        assert images.shapes() == {(6, 5), (7, 8), (5, 5)}
        assert calls == [(1, 3), (2, 3), (3, 3)]
        np.testing.assert_array_equal(images.arrays[1], levels(7, 8, 3))
        np.testing.assert_array_equal(images.arrays[0], levels(6, 5)[:, :, None].repeat(3, axis=2))

    def test_notes_say_what_was_changed(self, mixed):
        notes = " ".join(load_images(folder_source(mixed)).notes)
        assert "1 of 3 images are grey; they were repeated to three channels" in notes
        assert "the transparency of 1 images was ignored" in notes
        grey = load_images(folder_source(mixed), channels=1)
        assert grey.channels == 1
        assert "2 of 3 images are in colour; they were converted to grey (luma)" in " ".join(grey.notes)

    def test_grey_images_stay_grey(self):
        images = load_images(array_source(levels(3, 4, 5)))
        assert images.channels == 1
        assert list(images.notes) == []
        assert load_images(array_source(levels(3, 4, 5)), channels=3).channels == 3

    @pytest.mark.parametrize("channels", [1, 3])
    def test_resizing_gives_every_image_the_size(self, mixed, channels):
        images = load_images(folder_source(mixed), channels, size=(9, 4))
        assert images.shapes() == {(4, 9)}
        assert images.channels == channels

    def test_labels_and_what_is_held_out_follow_their_images(self):
        source = array_source(levels(4, 5, 5, 1), labels=np.array([4, 5, 6, 7]))
        images = load_images(replace(source, held_out=np.array([1, 3])))
        assert np.asarray(images.labels).tolist() == [4, 5, 6, 7]
        assert np.asarray(images.held_out).tolist() == [1, 3]

    def test_the_first_image_that_cannot_be_read_stops_with_the_way_round(self, mixed):
        (mixed / "b-broken.png").write_bytes(b"")
        words = r"b-broken\.png is empty \(0 bytes\).*To leave such images out, use on_error='skip'\."
        with pytest.raises(CuelloError, match=words):
            load_images(folder_source(mixed))
        (mixed / "d-text.jpg").write_text("hello")
        images = load_images(folder_source(mixed), on_error="skip")
        assert list(images.names) == ["a-grey.png", "b-colour.png", "c-clear.png"]
        broken, text = images.skipped
        assert "b-broken.png is empty" in broken
        assert "d-text.jpg is not an image" in text

    def test_what_is_skipped_shifts_labels_and_positions(self, tmp_path):
        for name in ("cat/a.png", "cat/b.png", "dog/c.png"):
            (tmp_path / name).parent.mkdir(exist_ok=True)
            Image.new("L", (4, 4)).save(tmp_path / name)
        (tmp_path / "cat/a.png").write_bytes(b"")
        images = load_images(folder_source(tmp_path), on_error="skip")
        assert np.asarray(images.labels).tolist() == [0, 1]

        class Holey(ImageSource):
            """A source whose first image cannot be read."""

            def read(self, index: int) -> StoredImage:
                if index == 0:
                    raise CuelloError("image 0 is missing.")
                return StoredImage(levels(4, 4, 1, seed=index))

        source = Holey("holey", ["0", "1", "2", "3"], held_out=np.array([2, 3]))
        assert np.asarray(load_images(source, on_error="skip").held_out).tolist() == [1, 2]

    def test_where_nothing_can_be_read_the_first_problem_is_told(self, tmp_path):
        (tmp_path / "a.png").write_bytes(b"")
        with pytest.raises(CuelloError, match=r"no image of .* could be read; the first problem: .*a\.png is empty"):
            load_images(folder_source(tmp_path), on_error="skip")


class TestDepths:
    def test_white_stays_white(self):
        assert to_depth(np.array([0, 1, 255], np.uint8), np.dtype(np.uint16)).tolist() == [0, 257, 65535]
        for dtype in (np.uint8, np.uint16):
            levels = np.array([0, np.iinfo(dtype).max], dtype)
            assert to_depth(levels, np.dtype(np.float32)).tolist() == [0, 1]
        same = np.array([3], np.uint16)
        assert to_depth(same, np.dtype(np.uint16)) is same

    @pytest.mark.parametrize(
        ("second", "widest"), [(np.uint8, np.uint8), (np.uint16, np.uint16), (np.float32, np.float32)]
    )
    def test_images_of_different_depths_come_to_the_widest(self, second, widest):
        white = StoredImage(np.full((2, 2, 1), 255, np.uint8))
        other = StoredImage(np.full((2, 2, 1), 1 if second == np.float32 else np.iinfo(second).max, second))
        form, notes = form_of([facts_of(white), facts_of(other)])
        arrays = [form.arranged(white), form.arranged(other)]
        assert {array.dtype for array in arrays} == {np.dtype(widest)}
        np.testing.assert_array_equal(arrays[0], arrays[1])
        assert len(notes) == (0 if second == np.uint8 else 1)
        if notes:
            assert f"were converted to {np.dtype(widest)}" in notes[0]


class TestPairs:
    def test_names_without_ending_decide(self):
        inputs = images_named("noisy", a=levels(4, 4, 1), b=levels(5, 4, 1))
        clean = Images("clean", [levels(5, 4, 1, seed=2), levels(4, 4, 1, seed=1)], ["b.tif", "a.tif"])
        paired = pair(inputs, clean)
        assert paired.targets is not None
        np.testing.assert_array_equal(paired.targets[0], levels(4, 4, 1, seed=1))
        np.testing.assert_array_equal(paired.targets[1], levels(5, 4, 1, seed=2))
        assert list(paired.names) == ["a.png", "b.png"]
        assert list(paired.notes) == []

    def test_the_same_ending_comes_first(self):
        one, other = levels(4, 4, 1, seed=1), levels(4, 4, 1, seed=2)
        inputs = Images("noisy", [levels(4, 4, 1)] * 2, ["a.jpg", "a.png"])
        paired = pair(inputs, Images("clean", [one, other], ["a.jpg", "a.png"]))
        np.testing.assert_array_equal(np.asarray(paired.targets)[0], one)
        np.testing.assert_array_equal(np.asarray(paired.targets)[1], other)
        assert list(paired.notes) == []

    def test_images_without_a_partner_are_named(self):
        inputs = images_named("noisy", a=levels(4, 4, 1), b=levels(4, 4, 1), c=levels(4, 4, 1))
        words = r"2 of 3 images in noisy .* in clean: a\.png, c\.png\. The clean image of a\.png is called a\.png"
        with pytest.raises(CuelloError, match=words):
            pair(inputs, images_named("clean", b=levels(4, 4, 1)))

    def test_targets_that_are_not_needed_are_noted(self):
        paired = pair(
            images_named("noisy", a=levels(4, 4, 1)),
            images_named("clean", a=levels(4, 4, 1, seed=1), z=levels(4, 4, 1)),
        )
        assert list(paired.notes) == ["1 image in clean has no partner in noisy and was ignored: z.png"]

    @pytest.mark.parametrize("shape", [(5, 4, 1), (4, 4, 3)])
    def test_a_pair_of_different_sizes_is_named(self, shape):
        words = (
            f"the pair a.png has different sizes: (4, 4, 1) in noisy, {shape} in clean (height, width, channels). Use "
        )
        with pytest.raises(CuelloError, match=re.escape(words + "resize or channels, or correct the files")):
            pair(images_named("noisy", a=levels(4, 4, 1)), images_named("clean", a=levels(*shape)))

    def test_different_depths_come_to_the_wider(self):
        inputs = images_named("noisy", a=np.full((2, 2, 1), 255, np.uint8))
        paired = pair(inputs, images_named("clean", a=np.full((2, 2, 1), 65534, np.uint16)))
        assert paired.targets is not None
        assert paired.arrays[0].dtype == paired.targets[0].dtype == np.uint16
        np.testing.assert_array_equal(paired.arrays[0], paired.targets[0] + 1)

    def test_what_was_skipped_and_noted_on_either_side_is_kept(self):
        inputs = Images("noisy", [levels(4, 4, 1)], ["a.png"], skipped=["b.png is empty."], notes=["one"])
        clean = Images("clean", [levels(4, 4, 1, seed=1)], ["a.png"], skipped=["c.png is empty."], notes=["two"])
        assert list(pair(inputs, clean).skipped) == ["b.png is empty.", "c.png is empty."]
        assert list(pair(inputs, clean).notes) == ["one", "two"]

    @pytest.mark.parametrize(
        ("noisy", "clean", "two"),
        [
            (["a.png"], ["a.jpg", "a.tif"], ("a.jpg", "a.tif", "clean")),
            (["b/a.png"], ["b/a.jpg", "b/a.tif"], ("b/a.jpg", "b/a.tif", "clean")),
            (["a.jpg", "a.png"], ["a.tif"], ("a.png", "a.jpg", "noisy")),
            (["a.png", "a.tif"], ["a.png"], ("a.tif", "a.png", "noisy")),
        ],
    )
    def test_two_partners_of_one_name_are_both_named(self, noisy, clean, two):
        inputs, targets = (
            Images(name, [levels(4, 4, 1, seed=seed + k) for k in range(len(names))], names)
            for seed, name, names in ((0, "noisy", noisy), (10, "clean", clean))
        )
        with pytest.raises(CuelloError, match=r"{} and {} in {} have the same name without ending".format(*two)):
            pair(inputs, targets)

    def test_names_written_in_one_sign_or_two_are_the_same(self):
        inputs = Images("noisy", [levels(4, 4, 1)], ["\u00e9.png"])
        assert pair(inputs, Images("clean", [levels(4, 4, 1, seed=1)], ["e\u0301.tif"])).targets is not None

    def test_a_leftover_of_the_same_stem_is_no_target(self):
        inputs = images_named("noisy", a=levels(4, 4, 1))
        clean = Images("clean", [levels(4, 4, 1, seed=seed) for seed in (1, 2)], ["a.jpg", "a.png"])
        paired = pair(inputs, clean)
        np.testing.assert_array_equal(np.asarray(paired.targets)[0], levels(4, 4, 1, seed=2))
        assert list(paired.notes) == ["1 image in clean has no partner in noisy and was ignored: a.jpg"]

    def test_pairs_that_are_the_same_twice_are_said(self):
        inputs = images_named("noisy", a=levels(4, 4, 1), b=levels(4, 4, 1, seed=1), c=levels(4, 4, 1))
        clean = images_named("clean", a=levels(4, 4, 1), b=levels(4, 4, 1, seed=2), c=levels(4, 4, 1))
        (note,) = pair(inputs, clean).notes
        assert note.startswith("2 of 3 pairs hold the same pixels twice")
        assert note.endswith(": a.png, c.png")

    @pytest.mark.parametrize("stream", [False, True])
    def test_a_folder_paired_with_a_copy_of_itself(self, tmp_path, stream):
        for folder in ("noisy", "clean"):
            (tmp_path / folder).mkdir()
            write_picture(tmp_path / folder / "a.png", StoredImage(levels(4, 5, 1)))
            write_picture(tmp_path / folder / "b.png", StoredImage(levels(4, 5, 1, seed=len(folder))))
        sides = (load_images(folder_source(tmp_path / one), stream=stream) for one in ("noisy", "clean"))
        with pytest.raises(CuelloError, match=r"same pixels .*, image by image \(2 of 2\).* Give .* as target"):
            pair(*sides)

    def test_large_targets_have_the_exact_ratio(self):
        inputs = images_named("small", a=levels(4, 5, 1), b=levels(3, 3, 1))
        paired = pair(inputs, images_named("large", a=levels(12, 15, 1), b=levels(9, 9, 1)), scale=3)
        assert paired.scale == 3
        assert paired.costs.tolist() == [20 + 180, 9 + 81]

    def test_a_pair_of_another_ratio_is_named_with_both_sizes_and_the_remedy(self):
        inputs = images_named("small", a=levels(4, 5, 1), b=levels(3, 3, 1))
        targets = images_named("large", a=levels(8, 10, 1), b=levels(6, 7, 1))
        words = r"b\.png has 3×3 pixels in small and 7×6 in large, needed 6×6 there, 2 times as large\. "
        words += "Cut the large image to that size, or state another scale.*on_error='skip'"
        with pytest.raises(CuelloError, match=words):
            pair(inputs, targets, scale=2)

    @pytest.mark.parametrize("scale", [1, 2])
    def test_pairs_that_do_not_fit_are_left_out_where_asked(self, scale):
        inputs = Images("small", [levels(3, n, 1) for n in (3, 4, 5)], list("abc"), np.array([7, 8, 9]), np.array([2]))
        large = [levels(scale * 3, n, 1, seed=9) for n in (scale * 3, 11, scale * 5)]
        paired = pair(inputs, Images("large", large, list("abc")), scale=scale, on_error="skip")
        assert paired.targets is not None
        assert list(paired.names) == ["a", "c"]
        assert [array.shape[1] for array in paired.targets] == [scale * 3, scale * 5]
        assert np.asarray(paired.labels).tolist() == [7, 9]
        assert np.asarray(paired.held_out).tolist() == [1]
        assert len(paired.skipped) == 1
        assert "the pair b has" in paired.skipped[0]

    def test_where_no_pair_fits_skipping_does_not_help(self):
        with pytest.raises(CuelloError, match=r"the pair a\.png has .* No pair is left"):
            pair(images_named("x", a=levels(4, 4, 1)), images_named("y", a=levels(4, 4, 1)), scale=2, on_error="skip")

    def test_folders_of_pairs(self, tmp_path):
        for folder, seed in (("noisy", 0), ("clean", 1)):
            (tmp_path / folder / "deep").mkdir(parents=True)
            for k, name in enumerate(("a.png", "deep/a.png")):
                write_picture(tmp_path / folder / name, StoredImage(levels(4, 5, 3, seed=seed + 10 * k)))
        paired = pair(*(load_images(folder_source(tmp_path / folder)) for folder in ("noisy", "clean")))
        assert paired.targets is not None
        np.testing.assert_array_equal(paired.arrays[1], levels(4, 5, 3, seed=10))
        np.testing.assert_array_equal(paired.targets[1], levels(4, 5, 3, seed=11))


@pytest.mark.parametrize(
    ("text", "size"), [(None, None), ("64", (64, 64)), ("96x64", (96, 64)), ("96X64", (96, 64)), (" 5 x 7 ", (5, 7))]
)
def test_sizes_are_width_by_height(text, size):
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "x", "0", "64x0", "-3", "a", "64xb", "1.5", "1x2x3"])
def test_what_is_no_size_is_named_with_an_example(text):
    with pytest.raises(CuelloError, match=f"resize: got {text!r}, needed a size in pixels such as 64 or 96x64"):
        parse_size(text)
