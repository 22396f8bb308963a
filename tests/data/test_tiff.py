"""TIFF files: every sample, plane and page is read and written back as it was; tifffile says what is in them."""

import struct
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from cuello.core.errors import CuelloError
from cuello.data.catalog import open_source
from cuello.data.images import load_images
from cuello.data.picture import read_picture
from cuello.data.stack import page_offsets, pages_of, read_page
from cuello.data.stored import larger
from cuello.data.tiff import separate
from cuello.data.tiff_write import MOST_IN_CLASSIC, is_big, write_pages

DTYPES = st.sampled_from([np.uint8, np.uint16, np.float16, np.float32, np.float64])


def values(*shape: int, dtype: Any = np.uint8, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    if np.dtype(dtype).kind == "f":
        return random.random(shape, np.float32).astype(dtype)  # floats are restored in 32 bits
    return random.integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)


def copied(source: Path, target: Path, scale: int = 1) -> None:
    """Write what is read; ``scale`` times as large, every pixel repeated."""
    pages = pages_of(source)

    def pictures() -> Any:
        for number, place in enumerate(pages.places):
            picture = read_page(source, number, place)
            about = larger(picture, scale)
            alpha = None if picture.alpha is None else picture.alpha.repeat(scale, 0).repeat(scale, 1)
            yield type(picture)(
                **vars(about) | {"pixels": picture.pixels.repeat(scale, 0).repeat(scale, 1), "alpha": alpha}
            )

    write_pages(target, pictures(), form=pages.form, size=pages.size)


@given(
    dtype=DTYPES,
    rgb=st.booleans(),
    extras=st.lists(st.sampled_from([0, 0, 0, 2]), max_size=4),
    planar=st.booleans(),
    pages=st.integers(1, 3),
    options=st.sampled_from([{}, {"compression": "zlib"}, {"byteorder": ">"}, {"bigtiff": True}, {"tile": (16, 16)}]),
)
def test_samples_and_layout_come_back(
    tmp_path_factory: pytest.TempPathFactory,
    dtype: Any,
    rgb: bool,
    extras: list[int],
    planar: bool,
    pages: int,
    options: dict[str, Any],
) -> None:
    folder = tmp_path_factory.mktemp("tiff")
    samples = (3 if rgb else 1) + len(extras)
    shape = (pages, 6, 5) if samples == 1 else (pages, samples, 6, 5) if planar else (pages, 6, 5, samples)
    stored = values(*shape, dtype=dtype)
    layout: dict[str, Any] = {"photometric": "rgb" if rgb else "minisblack", "metadata": None}
    if samples > 1:
        layout |= {"planarconfig": "separate" if planar else "contig", "extrasamples": extras or None}
    tifffile.imwrite(folder / "in.tif", stored, **layout, **options)
    copied(folder / "in.tif", folder / "out.tif")
    np.testing.assert_array_equal(tifffile.imread(folder / "out.tif"), tifffile.imread(folder / "in.tif"))
    with tifffile.TiffFile(folder / "in.tif") as before, tifffile.TiffFile(folder / "out.tif") as after:
        assert len(after.pages) == len(before.pages)
        assert (after.byteorder, after.is_bigtiff) == (before.byteorder, before.is_bigtiff)
        for name in ("dtype", "photometric", "planarconfig", "samplesperpixel", "extrasamples"):
            assert getattr(after.pages.first, name) == getattr(before.pages.first, name), name
    picture = read_page(folder / "in.tif", 0, page_offsets(folder / "in.tif")[0])
    assert (picture.alpha is not None) == (2 in extras)  # the first declared one; others are channels
    assert len(separate(picture)) == 1 + len(extras) - (2 in extras)


@given(dtype=st.sampled_from([np.uint8, np.uint16, np.float32]), samples=st.integers(1, 5), planar=st.booleans())
def test_lzw_of_every_depth_is_read_without_further_packages(
    tmp_path_factory: pytest.TempPathFactory, dtype: Any, samples: int, planar: bool
) -> None:
    """A file packed by Pillow's library as bytes, its tags then rewritten as those of the samples it holds."""
    from cuello.data.directories import Tag, one_page

    stored = values(7, 5, samples, dtype=dtype)
    parts = [stored[..., k] for k in range(samples)] if planar else [stored]
    path = tmp_path_factory.mktemp("lzw") / "a.tif"
    segments = []
    for part in parts:
        row = Image.frombytes("L", (part.nbytes, 1), part.astype(np.dtype(dtype).newbyteorder("<")).tobytes())
        row.save(path, compression="tiff_lzw")
        with tifffile.TiffFile(path) as file:
            page = file.pages.first
            file.filehandle.seek(page.dataoffsets[0])
            segments.append(file.filehandle.read(page.databytecounts[0]))
    bits, kind = np.dtype(dtype).itemsize * 8, 3 if np.dtype(dtype).kind == "f" else 1
    about = {256: [5], 257: [7], 258: [bits] * samples, 259: [5], 262: [1], 277: [samples], 278: [7]}
    about |= {284: [2 if planar else 1], 338: [0] * (samples - 1), 339: [kind] * samples}
    tags = [Tag(code, 3, len(words), struct.pack(f"<{len(words)}H", *words)) for code, words in about.items() if words]
    path.write_bytes(one_page(tags, segments, "<", tiled=False))
    picture = read_page(path, 0, page_offsets(path)[0])
    np.testing.assert_array_equal(picture.pixels, stored)


HYPERSTACK = values(2, 3, 6, 5, dtype=np.uint16)
IMAGEJ = {"axes": "ZCYX", "unit": "um", "spacing": 1.5, "finterval": 0.25, "Labels": list("abcdef"), "xorigin": 2.0}


@pytest.mark.parametrize("scale", [1, 2])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("truncate", [False, True])
def test_an_imagej_hyperstack_stays_one(tmp_path: Path, order: Any, truncate: bool, scale: int) -> None:
    tifffile.imwrite(
        tmp_path / "in.tif", HYPERSTACK, imagej=True, byteorder=order, truncate=truncate, metadata=IMAGEJ,
        resolution=(1 / 0.325, 1 / 0.5),
    )  # fmt: skip
    copied(tmp_path / "in.tif", tmp_path / "out.tif", scale=scale)
    with tifffile.TiffFile(tmp_path / "in.tif") as before, tifffile.TiffFile(tmp_path / "out.tif") as after:
        np.testing.assert_array_equal(after.asarray(), before.asarray().repeat(scale, -1).repeat(scale, -2))
        assert after.series[0].axes == "ZCYX"
        assert before.imagej_metadata is not None
        assert after.imagej_metadata == before.imagej_metadata | {"xorigin": 2.0 * scale}
        page = after.pages.first
        assert page.resolution == pytest.approx((scale / 0.325, scale / 0.5), rel=1e-6)
        assert page.resolutionunit == 1


@pytest.mark.parametrize("scale", [1, 2])
@pytest.mark.parametrize("truncate", [False, True])
@pytest.mark.parametrize("colour", [False, True])
def test_tifffiles_own_axes_stay(tmp_path: Path, truncate: bool, scale: int, colour: bool) -> None:
    stored = values(2, 3, 6, 5, *([3] if colour else []), dtype=np.uint8)
    axes = "TZYXS" if colour else "TZYX"
    photometric: Any = "rgb" if colour else "minisblack"
    tifffile.imwrite(tmp_path / "in.tif", stored, truncate=truncate, photometric=photometric, metadata={"axes": axes})
    assert len(page_offsets(tmp_path / "in.tif")) == 6
    copied(tmp_path / "in.tif", tmp_path / "out.tif", scale=scale)
    with tifffile.TiffFile(tmp_path / "out.tif") as after:
        assert after.series[0].axes == axes
        np.testing.assert_array_equal(after.asarray(), stored.repeat(scale, 2).repeat(scale, 3))


def test_ome_keeps_names_sizes_and_times(tmp_path: Path) -> None:
    about = {
        "axes": "TCYX", "PhysicalSizeX": 0.325, "PhysicalSizeXUnit": "µm", "PhysicalSizeY": 0.5, "TimeIncrement": 0.1,
        "Channel": {"Name": ["DAPI", "GFP", "RFP"]},
    }  # fmt: skip
    tifffile.imwrite(tmp_path / "in.ome.tif", HYPERSTACK, ome=True, photometric="minisblack", metadata=about)
    copied(tmp_path / "in.ome.tif", tmp_path / "out.ome.tif", scale=2)
    with tifffile.TiffFile(tmp_path / "out.ome.tif") as after:
        assert after.series[0].axes == "TCYX"
        np.testing.assert_array_equal(after.asarray(), HYPERSTACK.repeat(2, 2).repeat(2, 3))
        pixels = tifffile.xml2dict(after.ome_metadata or "")["OME"]["Image"]["Pixels"]
    assert [channel["Name"] for channel in pixels["Channel"]] == ["DAPI", "GFP", "RFP"]
    kept = (pixels["PhysicalSizeX"], pixels["PhysicalSizeY"], pixels["TimeIncrement"], pixels["SizeX"])
    assert kept == (0.1625, 0.25, 0.1, 10)


def test_several_series_of_several_sizes(tmp_path: Path) -> None:
    parts = [values(3, 6, 5, dtype=np.uint16), values(8, 9, dtype=np.uint8), values(2, 4, 4, 3, dtype=np.uint8)]
    with tifffile.TiffWriter(tmp_path / "in.tif") as file:
        for part in parts:
            file.write(part, photometric="rgb" if part.shape[-1] == 3 else "minisblack")
    copied(tmp_path / "in.tif", tmp_path / "out.tif")
    with tifffile.TiffFile(tmp_path / "out.tif") as after:
        for series, part in zip(after.series, parts, strict=True):
            np.testing.assert_array_equal(series.asarray(), part)


def test_a_pyramid_keeps_its_full_level_and_says_so(tmp_path: Path) -> None:
    full = values(16, 16, 3)
    with tifffile.TiffWriter(tmp_path / "in.tif") as file:
        file.write(full, subifds=1, photometric="rgb")
        file.write(full[::2, ::2], subfiletype=1, photometric="rgb")
    pages = pages_of(tmp_path / "in.tif")
    assert len(pages.places) == 1
    assert pages.notes == [f"1 smaller copy or mask in {tmp_path / 'in.tif'} left out"]
    copied(tmp_path / "in.tif", tmp_path / "out.tif")
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "out.tif"), full)


GEO: Any = [
    (33550, "d", 3, (10.0, 20.0, 0.0), True), (33922, "d", 6, (3.0, 2.0, 0.0, 5e5, 5e6, 0.0), True),
    (34737, "s", 0, "WGS 84|", True), (42113, "s", 0, "0", True), (700, "B", 5, b"<x/>\0", True),
]  # fmt: skip


@pytest.mark.parametrize(
    ("raster", "tie"), [(1, (6.0, 4.0)), (2, (6.5, 4.5))], ids=["pixels are areas", "pixels are points"]
)
def test_georeference_and_texts(tmp_path: Path, raster: int, tie: tuple[float, float]) -> None:
    keys: Any = (34735, "H", 8, (1, 1, 0, 1, 1025, 0, 1, raster), True)
    tifffile.imwrite(
        tmp_path / "in.tif", values(6, 5), extratags=[*GEO, keys], software="scanner 3", datetime="2026:01:02 03:04:05",
        description="a field", metadata=None, photometric="minisblack",
    )  # fmt: skip
    copied(tmp_path / "in.tif", tmp_path / "out.tif", scale=2)
    with tifffile.TiffFile(tmp_path / "out.tif") as file:
        tags = file.pages.first.tags
        assert tags.valueof(33550) == (5, 10, 0)
        assert tags.valueof(33922) == (*tie, 0, 5e5, 5e6, 0)
        assert [tags.valueof(code) for code in (34737, 42113, 305, 306, 270)] == [
            "WGS 84|", "0", "scanner 3", "2026:01:02 03:04:05", "a field",
        ]  # fmt: skip
        assert tags.valueof(700) == b"<x/>\0"
        assert tags.valueof(34735) == (1, 1, 0, 1, 1025, 0, 1, raster)


@pytest.mark.parametrize("raster", [1, 2])
def test_a_transformation_leads_to_the_same_place_on_earth(tmp_path: Path, raster: int) -> None:
    matrix = np.array([[2, 0.5, 0, 100], [-0.5, 3, 0, 200], [0, 0, 0, 0], [0, 0, 0, 1.0]])
    tags: Any = [(34264, "d", 16, tuple(matrix.ravel()), True), (34735, "H", 8, (1, 1, 0, 1, 1025, 0, 1, raster), True)]
    tifffile.imwrite(tmp_path / "in.tif", values(6, 5), extratags=tags, photometric="minisblack")
    copied(tmp_path / "in.tif", tmp_path / "out.tif", scale=2)
    with tifffile.TiffFile(tmp_path / "out.tif") as file:
        found = np.reshape(file.pages.first.tags.valueof(34264), (4, 4))
    corner = 0.0 if raster == 1 else -0.5  # where the picture's corner lies, in pixels
    for here, there in (((corner, corner), (corner, corner)), ((corner + 3, corner + 2), (corner + 6, corner + 4))):
        np.testing.assert_allclose(found @ (*there, 0, 1), matrix @ (*here, 0, 1))


@pytest.mark.parametrize("unit", [1, 2, 3])
def test_units_of_the_resolution(tmp_path: Path, unit: int) -> None:
    tifffile.imwrite(tmp_path / "in.tif", values(6, 5), resolution=(300, 150), resolutionunit=unit)
    picture = read_page(tmp_path / "in.tif", 0, page_offsets(tmp_path / "in.tif")[0])
    assert picture.dpi == {1: None, 2: (300, 150), 3: (762, 381)}[unit]
    copied(tmp_path / "in.tif", tmp_path / "out.tif", scale=2)
    with tifffile.TiffFile(tmp_path / "out.tif") as file:
        assert file.pages.first.resolution == (600, 300)
        assert file.pages.first.resolutionunit == unit


@pytest.mark.parametrize("bad", [(0, 0), (1, 0), (0, 1)])
def test_a_resolution_that_is_none_is_left_out(tmp_path: Path, bad: tuple[int, int]) -> None:
    tifffile.imwrite(tmp_path / "in.tif", values(6, 5), resolution=((7, 3), (7, 3)))
    content = (tmp_path / "in.tif").read_bytes()
    assert struct.pack("<II", 7, 3) in content
    (tmp_path / "in.tif").write_bytes(content.replace(struct.pack("<II", 7, 3), struct.pack("<II", *bad)))
    copied(tmp_path / "in.tif", tmp_path / "out.tif", scale=2)
    with tifffile.TiffFile(tmp_path / "out.tif") as file:
        assert file.pages.first.resolutionunit == 1  # what tifffile writes for none: one pixel a unit of none
        assert file.pages.first.resolution == (1, 1)


def test_exif_data_are_kept(tmp_path: Path) -> None:
    from PIL.TiffImagePlugin import IFDRational, ImageFileDirectory_v2

    about = ImageFileDirectory_v2()
    about[34665] = {33434: IFDRational(1, 250), 36867: "2026:01:02 03:04:05", 40962: 5, 42036: "a lens of long name"}
    Image.fromarray(values(6, 5, 3)).save(tmp_path / "in.tif", tiffinfo=about)
    copied(tmp_path / "in.tif", tmp_path / "out.tif", scale=2)
    with Image.open(tmp_path / "out.tif") as image:
        found = image.getexif().get_ifd(34665)
    assert Fraction(found[33434]).limit_denominator(1000) == Fraction(1, 250)
    assert [found[code] for code in (36867, 40962, 42036)] == ["2026:01:02 03:04:05", 10, "a lens of long name"]


def test_what_exif_data_point_to_and_places_on_earth_are_named(tmp_path: Path) -> None:
    from PIL.TiffImagePlugin import ImageFileDirectory_v2

    about = ImageFileDirectory_v2()
    about[34665] = {36867: "2026:01:02 03:04:05", 40965: {1: "R98"}}
    about[34853] = {1: "N", 2: (48.0, 30.0, 0.0)}
    Image.fromarray(values(6, 5, 3)).save(tmp_path / "in.tif", tiffinfo=about)
    picture = read_picture(tmp_path / "in.tif")
    assert picture.tiff is not None
    assert picture.tiff.lost == ("GPSTag", "InteroperabilityTag")
    assert [tag.code for tag in picture.tiff.exif] == [36867]


def test_exif_data_that_are_damaged_are_named(tmp_path: Path) -> None:
    place = 2**31  # far behind the end
    tifffile.imwrite(
        tmp_path / "in.tif", values(6, 5, 3), photometric="rgb", extratags=[("ExifTag", 4, 1, place, True)]
    )
    picture = read_picture(tmp_path / "in.tif")
    assert picture.tiff is not None
    assert picture.tiff.exif == ()
    assert picture.tiff.lost == ("EXIF data, which are damaged",)


def test_tables_of_colours_of_measured_pixels_stay(tmp_path: Path) -> None:
    table = values(3, 256, dtype=np.uint16)
    stored = values(3, 6, 5)
    tifffile.imwrite(tmp_path / "in.tif", stored, imagej=True, colormap=table, metadata={"axes": "ZYX"})
    copied(tmp_path / "in.tif", tmp_path / "out.tif")
    with tifffile.TiffFile(tmp_path / "out.tif") as file:
        np.testing.assert_array_equal(file.asarray(), stored)
        np.testing.assert_array_equal(file.pages.first.colormap, table)


def test_white_is_zero_stays(tmp_path: Path) -> None:
    stored = values(6, 5, dtype=np.uint16)
    tifffile.imwrite(tmp_path / "in.tif", stored, photometric="miniswhite")
    copied(tmp_path / "in.tif", tmp_path / "out.tif")
    with tifffile.TiffFile(tmp_path / "out.tif") as file:
        assert file.pages.first.photometric == 0
        np.testing.assert_array_equal(file.asarray(), stored)


def test_big_results_are_big_tiffs() -> None:
    from cuello.data.directories import TiffForm

    assert not is_big(TiffForm(), MOST_IN_CLASSIC)
    assert is_big(TiffForm(), MOST_IN_CLASSIC + 1)
    assert is_big(TiffForm(big=True), 1)
    assert MOST_IN_CLASSIC < 2**32


def test_the_size_of_the_pixels_is_known_before_they_are_read(tmp_path: Path) -> None:
    cases: list[tuple[np.ndarray, dict[str, Any]]] = [
        (values(3, 6, 5, dtype=np.uint16), {"photometric": "minisblack"}),
        (values(3, 6, 5), {"photometric": "minisblack", "truncate": True}),
        (values(2, 6, 5, 4), {"photometric": "rgb", "bigtiff": True}),
    ]
    for number, (stored, options) in enumerate(cases):
        tifffile.imwrite(tmp_path / f"{number}.tif", stored, **options)
        assert pages_of(tmp_path / f"{number}.tif").size == stored.nbytes


@pytest.mark.parametrize("stream", [False, True])
def test_every_channel_is_trained_on(tmp_path: Path, stream: bool) -> None:
    stored = values(3, 6, 5, 2, dtype=np.uint16)
    for k in range(3):
        tifffile.imwrite(tmp_path / f"{k}.tif", stored[k], photometric="minisblack", planarconfig="contig")
    images = load_images(open_source(str(tmp_path)), stream=stream)
    assert list(images.names) == [f"{k}.tif#00{c}" for k in range(3) for c in range(2)]
    np.testing.assert_array_equal(np.stack(list(images.arrays))[..., 0], np.moveaxis(stored, -1, 1).reshape(6, 6, 5))
    assert any("3 files hold channels that are neither colours nor transparency" in note for note in images.notes)


def test_four_channels_stay_together_where_they_are_asked_for(tmp_path: Path) -> None:
    stored = values(4, 2, 6, 5, 4)
    for k in range(4):
        name = tmp_path / "ab"[k % 2] / f"{k}.tif"
        name.parent.mkdir(exist_ok=True)
        tifffile.imwrite(name, stored[k], photometric="minisblack", planarconfig="contig")
    source = open_source(str(tmp_path))
    assert len(source.names) == 4 * 2 * 4
    images = load_images(source, channels=4)
    assert images.channels == 4
    assert np.asarray(images.labels).tolist() == [0, 0, 0, 0, 1, 1, 1, 1]
    np.testing.assert_array_equal(np.stack(list(images.arrays)), stored[[0, 2, 1, 3]].reshape(8, 6, 5, 4))


@given(dtype=st.sampled_from([np.uint8, np.uint16, np.float32]), seed=st.integers(0, 99))
def test_colours_multiplied_with_transparency_are_divided_and_come_back(
    tmp_path_factory: pytest.TempPathFactory, dtype: Any, seed: int
) -> None:
    path = tmp_path_factory.mktemp("alpha") / "in.tif"
    white = 1 if np.dtype(dtype).kind == "f" else np.iinfo(dtype).max
    alpha = values(6, 5, 1, dtype=dtype, seed=seed)
    alpha[:2] = 0
    true = values(6, 5, 3, dtype=dtype, seed=seed + 1)
    stored = (true * (alpha / white)).astype(dtype)
    tifffile.imwrite(path, np.concatenate([stored, alpha], 2), photometric="rgb", extrasamples=["assocalpha"])
    picture = read_page(path, 0, page_offsets(path)[0])
    seen = alpha[..., 0] > white / 2
    np.testing.assert_allclose(picture.pixels[seen] / white, true[seen] / white, atol=0.01)
    copied(path, path.with_name("out.tif"))
    np.testing.assert_allclose(tifffile.imread(path.with_name("out.tif")), tifffile.imread(path), rtol=1e-6)


def test_ome_pages_are_renumbered_where_thumbnails_are_left_out(tmp_path: Path) -> None:
    text = (
        b'<?xml version="1.0" encoding="UTF-8"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image '
        b'ID="Image:0"><Pixels ID="Pixels:0" DimensionOrder="XYZCT" Type="uint8" SizeX="5" SizeY="6" SizeZ="2" '
        b'SizeC="1" SizeT="1"><Channel ID="Channel:0:0" SamplesPerPixel="1"/><TiffData IFD="0" FirstZ="0" '
        b'PlaneCount="1"/><TiffData IFD="2" FirstZ="1" PlaneCount="1"/></Pixels></Image></OME>'
    )
    stored = values(2, 6, 5)
    with tifffile.TiffWriter(tmp_path / "in.tif") as file:
        file.write(stored[0], description=text, metadata=None, photometric="minisblack")
        file.write(stored[0, ::2], subfiletype=1, metadata=None, photometric="minisblack")
        file.write(stored[1], metadata=None, photometric="minisblack")
    pages = pages_of(tmp_path / "in.tif")
    pictures = [read_page(tmp_path / "in.tif", number, place) for number, place in enumerate(pages.places)]
    about = pictures[0].tiff
    assert about is not None
    assert about.renumbered(pages.moved).descriptions == (text.replace(b'IFD="2"', b'IFD="1"') + b"\0",)


def test_what_is_not_kept_is_named(tmp_path: Path) -> None:
    private: Any = [(65000, "s", 0, "private", True), (37724, 7, 4, b"abcd", True)]
    tifffile.imwrite(tmp_path / "in.tif", values(6, 5), extratags=private, photometric="minisblack")
    about = read_page(tmp_path / "in.tif", 0, page_offsets(tmp_path / "in.tif")[0]).tiff
    assert about is not None
    assert about.lost == ("ImageSourceData", "tag 65000")


@pytest.mark.parametrize("orientation", range(1, 9))
def test_pages_are_upright_and_say_so(tmp_path: Path, orientation: int) -> None:
    stored = values(2, 6, 5, dtype=np.uint16)
    tag: Any = [(274, 3, 1, orientation, False)]
    tifffile.imwrite(tmp_path / "in.tif", stored, photometric="minisblack", extratags=tag, resolution=(3, 2))
    copied(tmp_path / "in.tif", tmp_path / "out.tif")
    seen = {
        1: stored[1], 2: stored[1, :, ::-1], 3: stored[1, ::-1, ::-1], 4: stored[1, ::-1], 5: stored[1].T,
        6: np.rot90(stored[1], -1), 7: stored[1, ::-1, ::-1].T, 8: np.rot90(stored[1]),
    }[orientation]  # fmt: skip
    with tifffile.TiffFile(tmp_path / "out.tif") as file:
        np.testing.assert_array_equal(file.pages[1].asarray(), seen)
        assert 274 not in file.pages.first.tags
        assert file.pages.first.resolution == ((3, 2) if orientation < 5 else (2, 3))


def test_missing_strips_are_no_black_pixels(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "in.tif", values(6, 5), rowsperstrip=6, photometric="minisblack")
    content = bytearray((tmp_path / "in.tif").read_bytes())
    place = content.index(struct.pack("<H", 257))  # the picture's height
    content[place + 8 : place + 10] = struct.pack("<H", 600)
    (tmp_path / "in.tif").write_bytes(content)
    with pytest.raises(CuelloError, match=r"in\.tif is damaged or cut short"):
        read_page(tmp_path / "in.tif", 0, page_offsets(tmp_path / "in.tif")[0], only=True)


@pytest.mark.parametrize("seed", range(40))
def test_changed_bytes_give_pixels_or_a_plain_error(tmp_path: Path, seed: int) -> None:
    random = np.random.default_rng(seed)
    layouts: list[dict[str, Any]] = [
        {"photometric": "minisblack", "planarconfig": "contig"}, {"photometric": "rgb", "extrasamples": ["assocalpha"]},
        {"imagej": True, "truncate": True}, {"ome": True, "photometric": "minisblack", "bigtiff": True},
    ]  # fmt: skip
    layout = layouts[seed % 4]
    stored = values(3, 6, 5, 4 if "rgb" in layout.values() else 2) if seed % 4 < 2 else values(3, 6, 5)
    tifffile.imwrite(tmp_path / "in.tif", stored, **layout)
    content = bytearray((tmp_path / "in.tif").read_bytes())
    for place in random.integers(0, len(content), 3):
        content[place] = random.integers(256)
    (tmp_path / "in.tif").write_bytes(content)
    pages = pages_of(tmp_path / "in.tif")
    try:
        pictures = [read_page(tmp_path / "in.tif", number, place) for number, place in enumerate(pages.places)]
    except CuelloError:
        return
    write_pages(tmp_path / "out.tif", pictures, form=pages.form, size=pages.size)
    assert len(page_offsets(tmp_path / "out.tif")) == len(pictures)
