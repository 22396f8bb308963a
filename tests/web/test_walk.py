"""The plane of codes: known images decode at their places, and the map's places are the plane's."""

from typing import Any

import numpy as np
import pytest

import cuello
from cuello.data.synthetic import glyphs
from cuello.runs.directory import Run
from cuello.web.latent import SIDE, drawing, from_map, to_map
from cuello.web.walk import open_walk, walk_of


@pytest.fixture(scope="module", params=[1, 2, 4])
def coded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run whose codes have one number, two or four."""
    path = tmp_path_factory.mktemp("coded") / "run"
    settings: dict[str, Any] = {"model": f"mlp:35-16-{request.param}", "epochs": 1, "samples": 64, "report": False}
    return cuello.train("reconstruct", "glyphs", output=path, threads=1, device="cpu", **settings)


def test_a_known_image_is_decoded_at_its_place(coded: Run) -> None:
    model, images = cuello.load(coded), glyphs().images
    walk = walk_of(model, images, [""] * len(images))
    codes = model.encode(images)
    assert walk.points.shape == (len(images), 2)
    if codes.shape[1] > 2:  # of four numbers the plane keeps two: the nearest code on it
        rows = codes.astype(np.float64)
        centred = rows - rows.mean(0)
        axes = np.linalg.svd(centred, full_matrices=False)[2][:2]
        codes = (rows.mean(0) + centred @ axes.T @ axes).astype(np.float32)
    expected = (255 * model.decode(codes)).round()
    for place in (0, 7, 31):
        found = walk.decoded(*walk.points[place])
        assert found.dtype == np.uint8
        assert np.abs(found - expected[place]).max() <= 1


def test_the_map_is_the_plane_upside_down(coded: Run) -> None:
    walk = open_walk(coded.path, 0.0)
    places = to_map(walk, walk.points)
    assert ((places >= 0) & (places <= SIDE)).all()
    for point, (x, y) in zip(walk.points, places, strict=True):
        assert from_map(walk, x, y) == pytest.approx(tuple(point), abs=1e-6)
    low, high = walk.ends
    assert from_map(walk, 0, SIDE) == pytest.approx(tuple(low))
    assert from_map(walk, 2 * SIDE, -5) == pytest.approx(tuple(high)), "beside the map is its edge"
    assert drawing(walk).count("<image") == len(walk.points)
