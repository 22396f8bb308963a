"""One contract for every data set of the catalogue, on tiny stand-ins where the real files are not there."""

import gzip
import io
import re
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pooch
import pytest
from PIL import Image

from cuello.core.errors import CuelloError
from cuello.data import catalog, transients
from cuello.data.catalog import CATALOG, DatasetSpec, locate, open_dataset, open_source
from cuello.data.images import load_images
from cuello.data.listed import digest_of
from cuello.data.sources import ArraySource
from cuello.data.split import split

every_data_set = pytest.mark.parametrize("spec", list(CATALOG), ids=lambda spec: spec.name)
every_remote_one = pytest.mark.parametrize(
    "spec", [spec for spec in CATALOG if spec.name != "photos" and spec.files()], ids=lambda spec: spec.name
)
every_made_one = pytest.mark.parametrize(
    "spec", [spec for spec in CATALOG if not spec.files()], ids=lambda spec: spec.name
)


@pytest.fixture(autouse=True)
def offline(monkeypatch, tmp_path):
    """No test here reaches a network, or finds files that this machine happens to have."""

    def refuse(*arguments, **options):
        raise OSError("no network in this test")

    monkeypatch.setattr(pooch, "retrieve", refuse)
    monkeypatch.setattr("socket.socket.connect", refuse)
    monkeypatch.setenv("CUELLO_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("CUELLO_CACHE", str(tmp_path / "cache"))


def idx_file(array: np.ndarray) -> bytes:
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()


def content_of(name: str, seed: int) -> bytes:
    """A tiny stand-in of the same format as the file called ``name``."""
    random = np.random.default_rng(seed)
    count = 4 if name.startswith("t10k") else 12
    if "idx3" in name:
        return idx_file(random.integers(0, 256, (count, 28, 28), np.uint8))
    if "idx1" in name:
        return idx_file(random.integers(0, 10, count, np.uint8))
    if name.endswith(".csv.gz"):
        rows = np.column_stack([random.integers(0, 17, (12, 64)), random.integers(0, 10, 12)])
        return "\n".join(",".join(map(str, row)) for row in rows.tolist()).encode()
    stream = io.BytesIO()
    image = Image.fromarray(random.integers(0, 256, (9, 11, 3), np.uint8))
    image.save(stream, "JPEG" if name.endswith(".jpg") else "PNG")
    return stream.getvalue()


def stand_in(spec: DatasetSpec, folder: Path, most: int = 8) -> DatasetSpec:
    """Write stand-ins of the first files of a data set, and return its Spec with their checksums."""
    files = []
    (folder / spec.name).mkdir(parents=True)
    for seed, file in enumerate(spec.files()[:most]):
        content = content_of(file.name, seed)
        stored = gzip.compress(content, mtime=0) if file.name.endswith(".gz") else content
        (folder / spec.name / file.name).write_bytes(stored)
        made = replace(file.original, width=11, height=9) if file.original else None
        files.append(replace(file, sha256=digest_of(content, replace(file, original=made)), original=made))
    return replace(spec, files=lambda: files)


def is_files(spec: DatasetSpec) -> bool:
    """Tell a data set of one image a file from one whose images lie together in arrays."""
    return bool(spec.files()) and spec.name not in ("mnist", "digits")


class TestContract:
    @every_data_set
    def test_it_says_what_it_is_whose_and_under_which_licence(self, spec):
        for text in (spec.name, spec.summary, spec.contents, spec.source, spec.licence):
            assert text.strip() == text != ""
        assert re.fullmatch(r"[a-z0-9-]+", spec.name)

    @every_data_set
    def test_every_file_has_a_checksum_and_a_name_of_its_own(self, spec):
        files = spec.files()
        assert len({file.name for file in files}) == len(files)
        for file in files:
            for checksum in (file.sha256, file.packed):
                assert checksum is None or re.fullmatch(r"[0-9a-f]{64}", checksum)
            assert Path(file.name).name == file.name
            assert (file.packed is not None) == file.name.endswith(".gz")

    @every_data_set
    def test_addresses_are_safe_fixed_and_of_their_own(self, spec):
        addresses = [file.url for file in spec.files()]
        if spec.name == "photos" or not addresses:
            assert set(addresses) <= {""}
            assert spec.megabytes == 0
            return
        assert spec.megabytes > 0
        assert len(set(addresses)) == len(addresses)
        for address in addresses:
            assert address.startswith("https://")
            assert " " not in address
            if "githubusercontent" in address:  # a commit or a release, not a branch that moves
                assert re.search(r"/([0-9a-f]{40}|\d+\.\d+\.\d+)/", address)

    @every_data_set
    def test_no_two_images_are_the_same(self, spec):
        names = spec.build(spec.name, [Path(file.name) for file in spec.files()]).names if is_files(spec) else None
        checksums = [file.sha256 for file in spec.files() if names is None or file.name in names]
        assert len(set(checksums)) == len(checksums)

    @every_data_set
    def test_the_number_of_files_is_the_number_promised(self, spec):
        if not is_files(spec):
            assert len(spec.files()) == {"mnist": 4, "digits": 1}.get(spec.name, 0)
            return
        source = spec.build(spec.name, [Path(file.name) for file in spec.files()])
        assert f"{len(source.names):,}" == spec.contents.split(" ")[0]

    @every_remote_one
    def test_it_opens_from_a_folder_without_a_network(self, spec, tmp_path):
        source = open_dataset(stand_in(spec, tmp_path / "data"))
        assert source.name == spec.name
        images = load_images(source)
        assert len(images) == len(source.names) == len(set(source.names)) > 0
        assert {array.dtype for array in images.arrays} == {np.dtype(np.uint8)}
        if source.labels is not None:
            assert len(source.labels) == len(images)
            assert source.label_names is not None
            assert source.labels.max() < len(source.label_names)

    @every_remote_one
    def test_a_file_with_another_content_is_refused(self, spec, tmp_path):
        fake = stand_in(spec, tmp_path / "data")
        name = fake.files()[0].name
        path = tmp_path / "data" / spec.name / name
        path.write_bytes(path.read_bytes()[:-20] + bytes(20))
        words = f"{path} is not the file it should be: its checksum is .*needed {fake.files()[0].sha256[:12]}"
        with pytest.raises(CuelloError, match=words + ".*Remove it, so that it is fetched again"):
            open_dataset(fake)

    @every_remote_one
    def test_without_file_and_network_it_says_where_to_put_them(self, spec, monkeypatch):
        monkeypatch.setattr(catalog.util, "find_spec", lambda package: None)
        first = spec.files()[0]
        words = re.escape(f"{first.name} of data set {spec.name!r} could not be fetched from {first.url}")
        put = f"put the files into a folder {spec.name}/ and set CUELLO_DATA to the folder above it"
        with pytest.raises(CuelloError, match=f"{words}.*{put}"):
            open_source(spec.name)

    @every_made_one
    def test_what_cuello_makes_itself_opens_without_any_file(self, spec, monkeypatch):
        if spec.name.startswith("transients"):  # as many as promised, but not simulated here
            count = transients.COUNT
            noise = np.random.default_rng(0).integers(0, 256, (count, 4, 4, 4), np.uint8)
            monkeypatch.setattr(transients, "catalogued", lambda: (noise, np.arange(count) % 2))
        source = open_source(spec.name)
        assert isinstance(source, ArraySource)
        assert source.name == spec.name
        assert f"{len(source.names):,}" == spec.contents.split(" ")[0]
        assert source.images.dtype == np.uint8
        assert source.images.ndim == 4
        assert len(set(source.names)) == len(source.names) == len(load_images(source))
        assert len({image.tobytes() for image in source.images}) == len(source.images)
        assert source.labels is not None
        assert source.labels.dtype == np.int64
        assert source.label_names is not None
        assert set(source.labels.tolist()) == set(range(len(source.label_names)))
        if spec.closed:
            assert source.labels.tolist() == list(range(len(source.label_names)))
            assert source.held_out is None
        assert spec.source.startswith("made by Cuello")

    def test_only_what_is_complete_is_learnt_by_heart(self):
        assert [spec.name for spec in CATALOG if spec.closed] == ["glyphs", "emoji", "emoji-4"]

    def test_only_published_yardsticks_are_for_testing_only(self):
        yardsticks = ["set5", "set12", "bsd68", "cbsd68", "classic5", "live1"]
        assert [spec.name for spec in CATALOG if spec.test_only] == yardsticks


class TestPhotos:
    def test_they_open_offline_with_their_checksums(self):
        source = open_source("photos")
        images = load_images(source)
        assert list(source.names) == [file.name for file in CATALOG["photos"].files()]
        assert len(images) == 14
        assert images.channels == 3
        assert any("6 of 14 images are grey" in note for note in images.notes)
        sides = [side for shape in images.shapes() for side in shape]
        assert (min(sides), max(sides)) == (300, 1411)

    def test_a_missing_photograph_names_the_package_to_install(self, monkeypatch):
        monkeypatch.setattr(catalog.util, "find_spec", lambda package: None)
        with pytest.raises(CuelloError, match=r"astronaut\.png of data set 'photos' is missing from your scikit-image"):
            open_source("photos")


class TestOpenPhotos:
    def test_credits_name_everybody_and_count_every_photograph(self):
        spec = CATALOG["open-photos"]
        assert {one["author"]: (one["licence"], one["files"]) for one in spec.credits} == {
            "Aitzol Berasategi": ("CC-BY-4.0", 5),
            "Eastman Kodak Company": ("released for unrestricted use", 24),
            'Trevor "Freespace"': ("CC-BY-4.0", 2),
            "Clemens Engelhardt": ("CC0-1.0", 1),
            "Jakub Mede": ("CC-BY-4.0", 1),
        }
        assert sum(one["files"] for one in spec.credits) == len(spec.files()) == 33

    def test_sets_of_one_owner_have_none_of_each_file(self):
        assert [spec.name for spec in CATALOG if spec.credits] == ["open-photos"]


class TestMnist:
    def test_what_is_held_out_is_never_trained_on(self, tmp_path):
        source = open_dataset(stand_in(CATALOG["mnist"], tmp_path / "data"))
        assert np.asarray(source.held_out).tolist() == [12, 13, 14, 15]
        assert [name.split("/")[0] for name in source.names] == ["train"] * 12 + ["test"] * 4
        assert source.label_names == [str(digit) for digit in range(10)]
        parts = split(len(source.names), 0.2, 0.1, seed=3, held_out=source.held_out)
        assert parts.test.tolist() == [12, 13, 14, 15]
        assert max(*parts.train, *parts.validation) < 12

    def test_images_and_labels_come_in_the_order_of_the_files(self, tmp_path):
        source = open_dataset(stand_in(CATALOG["mnist"], tmp_path / "data"))
        for seed, count, first, place in ((0, 12, 0, 3), (2, 4, 12, 0)):  # stand-ins of training and of test images
            expected = np.random.default_rng(seed).integers(0, 256, (count, 28, 28), np.uint8)[place]
            np.testing.assert_array_equal(source.read(first + place).pixels[:, :, 0], expected)
        labels = [np.random.default_rng(seed).integers(0, 10, count, np.uint8) for seed, count in ((1, 12), (3, 4))]
        assert np.asarray(source.labels).tolist() == np.concatenate(labels).tolist()


def test_digits_are_brightened_to_the_whole_range(tmp_path):
    source = open_dataset(stand_in(CATALOG["digits"], tmp_path / "data"))
    random = np.random.default_rng(0)
    values = random.integers(0, 17, (12, 64))
    picture = source.read(5)
    assert picture.pixels.shape == (8, 8, 1)
    np.testing.assert_array_equal(picture.pixels.ravel(), np.round(values[5] * 255 / 16).astype(np.uint8))
    assert np.asarray(source.labels).tolist() == random.integers(0, 10, 12).tolist()


def test_set5_gives_its_high_resolution_images_only(tmp_path):
    source = open_dataset(stand_in(CATALOG["set5"], tmp_path / "data", most=12))
    assert source.names
    assert all("SRF_2_HR" in name for name in source.names)


class TestOpenSource:
    def test_a_path_or_a_name(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        (tmp_path / "mine").mkdir()
        Image.new("L", (4, 4)).save("mine/a.png")
        assert list(open_source("mine").names) == ["a.png"]
        assert list(open_source(str(tmp_path / "mine" / "a.png")).names) == ["a.png"]
        assert open_source("photos").name == "photos"

    def test_the_home_folder_is_understood(self, tmp_path, monkeypatch):
        monkeypatch.setenv("HOME", str(tmp_path))
        (tmp_path / "mine").mkdir()
        Image.new("L", (4, 4)).save(tmp_path / "mine" / "a.png")
        assert list(open_source("~/mine").names) == ["a.png"]

    def test_a_name_that_is_both_is_asked_about(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        (tmp_path / "photos").mkdir()
        Image.new("L", (4, 4)).save("photos/a.png")
        with pytest.raises(CuelloError, match=r"data set of the catalogue and also a folder here.*\./photos for the"):
            open_source("photos")
        assert list(open_source("./photos").names) == ["a.png"]

    def test_a_typo_is_answered_with_the_nearest_name(self):
        words = r"no file, folder or data set 'photoss'\. Did you mean 'photos'\? Data sets: photos, digits, mnist"
        with pytest.raises(CuelloError, match=words):
            open_source("photoss")


class TestDownload:
    def test_a_download_is_asked_for_with_its_packed_checksum_and_lands_in_the_cache(self, tmp_path, monkeypatch):
        asked = {}

        def retrieve(url: str, known_hash: str, fname: str, path: Path) -> str:
            asked.update(url=url, known_hash=known_hash, fname=fname, path=path)
            return str(path / fname)

        monkeypatch.setattr(pooch, "retrieve", retrieve)
        file = CATALOG["mnist"].files()[0]
        assert locate(CATALOG["mnist"], file) == tmp_path / "cache" / "mnist" / file.name
        assert asked["url"] == file.url
        assert asked["known_hash"] == f"sha256:{file.packed}"
        assert asked["path"] == tmp_path / "cache" / "mnist"
