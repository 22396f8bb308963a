"""The map and the sheets: real PNGs in the page's colours, nothing over anything else."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from cuello.latent.grids import Grid
from cuello.latent.map_picture import PALETTES, Map, coloured, draw_map, shades, spread
from cuello.latent.sheets import Sheet, Tile, TileRow, at_size, draw_sheets, image_plane, joined, number
from cuello.report.figures import DARK, LIGHT, THEMES, Theme, shorten
from cuello.report.labels import overlap

both = pytest.mark.parametrize("theme", THEMES, ids=lambda theme: theme.name)


def decoded(png: bytes) -> np.ndarray:
    assert png.startswith(b"\x89PNG")
    with Image.open(io.BytesIO(png)) as image:
        return np.asarray(image.convert("RGB"))


def has(colour: str, pixels: np.ndarray) -> bool:
    wanted = [int(colour[k : k + 2], 16) for k in (1, 3, 5)]
    return bool((np.abs(pixels.astype(int) - wanted).max(axis=-1) <= 12).any())


def shown(count: int, labels: int = 0, thumbnails: bool = True) -> Map:
    """A map of green images at random places."""
    random = np.random.default_rng(0)
    images = np.zeros((count, 6, 4, 3), np.float32)
    images[..., 1] = 1
    return Map(
        random.normal(size=(count, 2)), images, np.arange(count) % labels if labels else None,
        [f"label $ {k}" for k in range(labels)], "title", "across", "up", thumbnails,
    )  # fmt: skip


# The map


@pytest.mark.parametrize(
    ("theme", "count", "labels", "thumbnails"),
    [(LIGHT, 1, 0, True), (DARK, 40, 3, True), (LIGHT, 30, 30, True), (DARK, 30, 30, False), (LIGHT, 210, 0, True),
     (DARK, 300, 4, False), (LIGHT, 300, 0, False), (LIGHT, 210, 70, False)],
)  # fmt: skip
def test_every_kind_of_map_is_drawn(theme: Theme, count: int, labels: int, thumbnails: bool) -> None:
    pixels = decoded(draw_map(shown(count, labels, thumbnails), theme))
    assert pixels.shape[1] == pytest.approx(8.4 * 144, abs=2)
    assert "#" + bytes(pixels[0, 0]).hex() == theme.background
    assert has("#00ff00", pixels) is thumbnails
    if labels in (3, 4):
        assert all(has(colour, pixels) for colour in PALETTES[theme.name][:labels])


def test_equal_points_and_a_line_are_drawn() -> None:
    same = shown(5)
    decoded(draw_map(Map(np.zeros((5, 2)), same.images, None, [], "t", "", "", True), DARK))
    labels, classes = np.arange(5) % 2, ["a", "b"]
    points = np.column_stack([np.arange(5.0), labels])
    rows = Map(points, same.images, labels, classes, "t", "", "", False, classes)
    decoded(draw_map(rows, LIGHT))
    assert not coloured(rows), "the rows have the names already"


def test_colours_stand_for_labels_only_where_they_can_be_told() -> None:
    assert coloured(shown(40, 10))
    assert not coloured(shown(40, 11))
    assert not coloured(shown(8, 8)), "one image a label"
    assert not coloured(shown(8))
    for theme in THEMES:
        assert len(set(PALETTES[theme.name])) == 10
        assert len(set(shades(shown(100, 40), theme))) == 40


@settings(deadline=None)
@given(st.integers(1, 60), st.floats(0, 60), st.floats(0, 4), st.integers(0, 10**6))
def test_boxes_lie_inside_and_never_over_each_other(count: int, far: float, dot: float, seed: int) -> None:
    random = np.random.default_rng(seed)
    points = random.random((count, 2)) * [200, 100]
    sizes = [(float(w), float(h)) for w, h in random.uniform(2, 20, (count, 2))]
    found = spread(points, sizes, (0, 0, 200, 100), dot, far)
    placed = [box for box in found if box is not None]
    assert len(found) == count
    assert placed or dot, "nothing but the dots of others can take the first one's place"
    for order, box in enumerate(placed):
        assert box[0] >= 0
        assert box[1] >= 0
        assert box[2] <= 200
        assert box[3] <= 100
        assert not any(overlap(box, other) for other in placed[:order])
    for point, size, box in zip(points, sizes, found, strict=True):
        if box is not None:
            moved = np.abs((np.array(box[:2]) + box[2:]) / 2 - point)
            assert moved.max() <= far + max(size) / 2 + 1e-9, "half of it where the point is at the frame"


def test_what_has_room_stays_where_it_is() -> None:
    found = spread(np.array([[20.0, 20.0], [80.0, 50.0], [81.0, 50.0]]), [(10, 10)] * 3, (0, 0, 100, 100), 0, 0)
    assert found == [(15, 15, 25, 25), (75, 45, 85, 55), None]
    third = spread(np.array([[20.0, 20.0], [80.0, 50.0], [81.0, 50.0]]), [(10, 10)] * 3, (0, 0, 100, 100), 0, 40)[2]
    assert third is not None


# Sheets of images


@both
def test_a_sheet_shows_its_images_and_frames_ours(theme: Theme) -> None:
    red = np.zeros((5, 4, 3), np.float32)
    red[..., 0] = 1
    grey = np.full((5, 4, 1), 0.5, np.float32)
    rows = [
        TileRow("first", [Tile(red, "a long $ caption"), Tile(grey)]),
        TileRow("second", [Tile(grey, "b", ours=True)]),
    ]
    one = Sheet("A title with $ signs $", ["left", "right"], rows, {1: 0.2})
    pixels = decoded(draw_sheets([one, Sheet("Below", [], [TileRow("", [Tile(red)] * 30)])], theme))
    assert pixels.shape[1] == pytest.approx(8.4 * 144, abs=2)
    assert "#" + bytes(pixels[0, 0]).hex() == theme.background
    for colour in ("#ff0000", "#808080", theme.ours, theme.text):
        assert has(colour, pixels)
    unframed = decoded(draw_sheets([Sheet("t", [], [TileRow("", [Tile(grey)])])], theme))
    assert not has(theme.ours, unframed)


def test_pixels_stay_sharp() -> None:
    image = np.array([[0.0, 1.0], [1.0, 0.5]])[..., None]
    found = at_size(image, 20 / 144)
    assert (found.shape, found.dtype) == ((20, 20, 3), np.uint8)
    assert (found[:10, :10] == 0).all()
    assert (found[:10, 10:] == 255).all()
    assert (found[10:, 10:] == 128).all()
    uneven = at_size(image, 5 / 144)
    assert set(np.unique(uneven[0])) <= {0, 127, 128, 255}, "only the middle one is mixed"
    large = at_size(np.random.default_rng(0).random((300, 200, 3)), 50 / 144)
    assert large.shape == (75, 50, 3)


def test_small_images_of_a_plane_are_kept_apart() -> None:
    whole = joined(np.ones((2, 3, 8, 8, 1), np.float32), 0.5, LIGHT)
    grey = [int(LIGHT.others[0][k : k + 2], 16) for k in (1, 3, 5)]
    lines = (whole == grey).all(-1)
    assert lines.all(0).any()
    assert lines.all(1).any()
    assert (whole[~lines] == 255).all()


@both
@pytest.mark.parametrize("size", [(4, 5), (1, 6)])
def test_a_plane(theme: Theme, size: tuple[int, int]) -> None:
    images = np.random.default_rng(0).random((*size, 20, 20, 1), dtype=np.float32)
    plane = Grid(images, images, np.linspace(-2, 2, size[1]), np.linspace(3, 0, size[0]), "plane")
    pixels = decoded(image_plane(plane, "t", ("z₁", "z₂"), theme))
    assert pixels.shape[1] == pytest.approx(8.4 * 144, abs=2)
    assert "#" + bytes(pixels[0, 0]).hex() == theme.background


@pytest.mark.parametrize(
    ("value", "among", "text"),
    [(0.0, [0.0, 0.0], "0.0"), (-0.001, [-1.0, 1.0], "0.0"), (1.83, [-1.83, 0, 1.83], "1.8"),
     (1e-4, [0, 1e-4], "0.00010"), (-1234.0, [-2000, 2000], "−1234")],
)  # fmt: skip
def test_numbers_have_the_digits_they_need(value: float, among: list[float], text: str) -> None:
    assert number(value, np.array(among)) == text


def test_captions_are_cut() -> None:
    assert [shorten("word", most, end=0) for most in (0, 2, 4)] == ["w…", "w…", "word"]
