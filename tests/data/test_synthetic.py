"""The characters against what is known of them, and the drawn pictures: distinct, grey, the same every time."""

import unicodedata

import numpy as np
import pytest

from cuello.data.synthetic import SIDE, Disc, Polygon, Stroke, arc, emoji, emoji_4, glyphs, picture
from cuello.studies.glyphs.limits import distances

every_source = pytest.mark.parametrize("make", [glyphs, emoji, emoji_4], ids=lambda make: make.__name__)


@every_source
def test_the_same_every_time_and_under_the_name_given(make):
    np.testing.assert_array_equal(make().images, make().images)
    assert make("other", []).name == "other"


@every_source
def test_names_are_unique_and_can_be_printed_and_be_files(make):
    names = make().names
    assert len(set(names)) == len(names)
    for name in names:
        assert name == name.strip() != ""
        assert "/" not in name
        assert not any(unicodedata.category(character).startswith("C") for character in name)


class TestGlyphs:
    def test_there_are_32_from_code_point_60_to_7f(self):
        source = glyphs()
        assert source.images.shape == (32, 7, 5, 1)
        assert source.images.dtype == np.uint8
        assert np.unique(source.images).tolist() == [0, 255]
        assert [int(name.split(" ")[0], 16) for name in source.names] == list(range(0x60, 0x80))
        assert source.label_names == [*map(chr, range(0x60, 0x7F)), "DEL"]
        assert [name.split(" ")[1] for name in source.names] == source.label_names
        assert source.names[0] == "60 `"
        assert source.names[-1] == "7f DEL"

    @pytest.mark.parametrize(
        ("character", "rows"),
        [("`", [4, 4, 2, 0, 0, 0, 0]), ("a", [0b00000, 0b01110, 0b00001, 0b01101, 0b10011, 0b10011, 0b01101]),
         ("k", [0b10000, 0b10000, 0b10010, 0b10100, 0b11000, 0b10100, 0b10010]), ("l", [12, 4, 4, 4, 4, 4, 4]),
         ("z", [0, 0, 31, 2, 4, 8, 31]), ("{", [6, 8, 8, 16, 8, 8, 6]), ("~", [8, 21, 2, 0, 0, 0, 0])],
    )  # fmt: skip
    def test_some_typed_by_hand(self, character, rows):
        """Seven rows, each a number of five bits with the leftmost pixel first."""
        source = glyphs()
        image = source.images[ord(character) - 0x60, :, :, 0] // 255
        assert (image @ [16, 8, 4, 2, 1]).tolist() == rows

    def test_del_is_black_and_nothing_else_is(self):
        white = (glyphs().images == 255).sum((1, 2, 3))
        assert white[-1] == 0
        assert white[:-1].min() == 3  # those of `

    def test_the_two_nearest_characters_differ_in_two_pixels(self):
        rows = glyphs().images.reshape(32, 35) // 255
        apart = distances(rows, rows)
        assert apart[~np.eye(32, dtype=bool)].min() == 2


class TestDrawings:
    @pytest.mark.parametrize(("make", "count"), [(emoji, 8), (emoji_4, 4)])
    def test_they_are_grey_on_black(self, make, count):
        images = make().images
        assert images.shape == (count, 20, 20, 1)
        assert images.dtype == np.uint8
        for image in images:
            assert len(np.unique(image)) >= 10  # edges are smooth
            assert image.max() >= 190
            assert image[[0, 0, -1, -1], [0, -1, 0, -1]].max() == 0
            assert 30 < image.mean() < 180

    @pytest.mark.parametrize(("make", "least"), [(emoji, 5), (emoji_4, 50)])
    def test_they_differ_from_each_other(self, make, least):
        """Mean absolute difference, of 255: faces share their shape, the four pictures nothing."""
        images = make().images.astype(float)
        apart = np.abs(images[:, None] - images[None]).mean((2, 3, 4))
        assert apart[~np.eye(len(images), dtype=bool)].min() > least

    @pytest.mark.parametrize("name", ["happy", "sad", "surprised", "angry", "neutral", "laughing"])
    def test_a_face_looks_straight_ahead(self, name):
        source = emoji()
        face = source.images[source.names.index(name), :, :, 0].astype(float)
        assert np.abs(face - face[:, ::-1]).mean() < 1

    def test_names_are_what_is_drawn(self):
        assert list(emoji().names) == ["happy", "sad", "surprised", "winking", "cool", "angry", "neutral", "laughing"]
        assert list(emoji_4().names) == ["heart", "star", "house", "moon"]


class TestMarks:
    def test_a_picture_begins_black(self):
        assert picture(()).shape == (SIDE, SIDE, 1)
        assert not picture(()).any()

    @pytest.mark.parametrize(
        ("mark", "area"),
        [(Disc((9, 11), 5, 255), np.pi * 25), (Stroke([(5, 10), (15, 10)], 2, 255), 10 * 2 + np.pi)],
        ids=["a disc", "a stroke with round ends"],
    )
    def test_areas_are_kept_by_the_averaging(self, mark, area):
        assert picture((mark,)).sum() / 255 == pytest.approx(area, rel=0.03)

    def test_half_a_pixel_is_half_as_bright(self):
        column = picture((Polygon([(4, 4), (8, 4), (8, 6.5), (4, 6.5)], 200),))[:, 5, 0]
        assert column[4:6].tolist() == [200, 200]
        assert column[6] == pytest.approx(100, abs=13)  # the outline is part of it: a sixteenth more
        assert not column[8:].any()

    def test_an_arc_goes_down_for_a_smile(self):
        np.testing.assert_allclose(arc((10, 12), 8, 3, points=3), [(6, 12), (10, 15), (14, 12)], atol=1e-9)
