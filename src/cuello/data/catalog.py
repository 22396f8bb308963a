"""Known data sets: what each is, how large, whose, under which licence, with which checksums, and how to get it."""

import builtins
import contextlib
import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib import util
from pathlib import Path
from typing import Any

import numpy as np

from cuello.core.errors import CuelloError, Fault, closest
from cuello.core.own import find, is_own
from cuello.core.registry import Registry
from cuello.core.spoken import spoken
from cuello.data.handed import hand_in, handed_source, is_handed
from cuello.data.hdf5 import split_name, split_text
from cuello.data.levels import AnyRange, Levels, RangeChoice, joined_levels
from cuello.data.listed import RemoteFile, checked, checksum_table, made_smaller, photographers_table, unpacked
from cuello.data.remote.address import address_of, is_url
from cuello.data.remote.fetch import fetched
from cuello.data.sources import ArraySource, FileSource, ImageSource, array_source, open_path, read_idx
from cuello.data.synthetic import emoji, emoji_4, glyphs
from cuello.data.transients import transients


@dataclass(frozen=True)
class DatasetSpec:
    """One entry of the catalogue.

    contents: how many images of what size and colour. megabytes: size of the download, 0 where nothing is downloaded.
    test_only: a published yardstick on which nothing may be trained. closed: the set is all there is: a network learns
    it by heart, so that training and validation use every image. recipe: training settings recommended for it.
    """

    name: str
    summary: str
    contents: str
    build: Callable[[str, list[Path]], ImageSource]
    megabytes: float = 0
    source: str = "made by Cuello"
    licence: str = "Apache-2.0"
    files: Callable[[], list[RemoteFile]] = list
    test_only: bool = False
    closed: bool = False
    recipe: Mapping[str, Any] = field(default_factory=dict)

    @property
    def credits(self) -> list[dict[str, Any]]:
        """Whose the files are, where each says that: author, licence and number of files, in the order of their names.

        >>> [f"{one['author']} ({one['licence']})" for one in CATALOG["open-photos"].credits][:2]
        ['Aitzol Berasategi (CC-BY-4.0)', 'Eastman Kodak Company (released for unrestricted use)']
        """
        whose = Counter((file.author, file.licence) for file in self.files() if file.author)
        return [{"author": author, "licence": licence, "files": n} for (author, licence), n in whose.items()]


def file_images(keep: str = "") -> Callable[[str, list[Path]], ImageSource]:
    """Give a builder of a source with one image a file, those whose name contains ``keep``."""

    def build(name: str, paths: list[Path]) -> ImageSource:
        kept = [path for path in paths if keep in path.name]
        return FileSource(name, [path.name for path in kept], paths=kept)

    return build


DIGITS = [str(digit) for digit in range(10)]


def build_mnist(name: str, paths: list[Path]) -> ImageSource:
    """Join MNIST's four files: training images first, then the test images, which stay held out."""
    train, train_labels, test, test_labels = (read_idx(path) for path in paths)
    images = np.concatenate([train, test])[..., None]
    labels = np.concatenate([train_labels, test_labels]).astype(np.int64)
    names = [f"train/{k:05d}" for k in range(len(train))] + [f"test/{k:05d}" for k in range(len(test))]
    held_out = np.arange(len(train), len(images))
    return ArraySource(name, names, images=images, labels=labels, label_names=DIGITS, held_out=held_out)


def build_digits(name: str, paths: list[Path]) -> ImageSource:
    """Read the 1,797 digits: 64 values 0 to 16 and the label a line, brightened to 0 to 255."""
    table = np.loadtxt(unpacked(paths[0].read_bytes()).decode().splitlines(), delimiter=",")
    images = (table[:, :64] * (255 / 16)).round().astype(np.uint8).reshape(-1, 8, 8)
    return replace(array_source(images, table[:, 64].astype(np.int64), name), label_names=DIGITS)


MNIST = "https://ossci-datasets.s3.amazonaws.com/mnist"
BSDS = "https://raw.githubusercontent.com/BIDS/BSDS500/a04b7c6c3a9f0ace74bf205c72a43d32e1c72722"
DNCNN = "https://raw.githubusercontent.com/cszn/DnCNN/e93b27812d3ff523a3a79d19e5e50d233d7a8d0a"
FBCNN = "https://raw.githubusercontent.com/jiaxi-jiang/FBCNN/54d1831927506b3247e2d4d245abb4f4dab1a1cd"
GROUPSC = "https://raw.githubusercontent.com/bruno-31/groupsc/1a63945411ec666776c2ae2ec6fcf523243d854c"
SELFEXSR = "https://raw.githubusercontent.com/jbhuang0604/SelfExSR/8f6dd8c1d20cb7e8792a7177b4f6fd677633f598"
SKLEARN = "https://raw.githubusercontent.com/scikit-learn/scikit-learn/1.7.2/sklearn/datasets/data"

CATALOG: Registry[DatasetSpec] = Registry(
    "data set",
    [
        DatasetSpec(
            "photos", "photographs and micrographs that come with scikit-image",
            "14 images, 8 colour and 6 grey, 300 to 1,411 pixels", build=file_images(), source="scikit-image",
            licence="CC0, public domain or no known restrictions; motorcycle: Middlebury Stereo, research use",
            files=checksum_table("photos"),  # of its stereo pair the right half is left out as a near copy
        ),
        DatasetSpec(
            "digits", "handwritten digits, tiny", "1,797 grey images 8×8, labelled", build=build_digits,
            megabytes=0.06, source="UCI Optical Recognition of Handwritten Digits, by way of scikit-learn",
            licence="CC BY 4.0", files=checksum_table("digits", SKLEARN),
        ),
        DatasetSpec(
            "mnist", "handwritten digits", "60,000 + 10,000 grey images 28×28, labelled; the 10,000 stay for testing",
            build=build_mnist, megabytes=11.6, source="LeCun, Cortes, Burges", licence="CC BY-SA 3.0",
            files=checksum_table("mnist", MNIST),
        ),
        DatasetSpec(
            "open-photos", "photographs that anybody may use, for weights too",
            "33 colour images, 768×512 to 1,280×1,007", build=file_images(), megabytes=25.6,
            source="Kodak's test suite (24) and wallpapers of Ubuntu Touch (9)",
            licence="free: Kodak's for unrestricted use, CC BY 4.0, CC0", files=photographers_table("open-photos"),
        ),
        DatasetSpec(
            "bsds400", "photographs of BSDS500's training and test parts", "400 colour images 481×321",
            build=file_images(), megabytes=29.3, source="Berkeley Segmentation Data Set, BIDS/BSDS500",
            licence="research use", files=checksum_table("bsds400", BSDS),
        ),
        DatasetSpec(
            "set5", "five images, the smallest benchmark for super-resolution", "5 colour images, 256 to 512 pixels",
            build=file_images("SRF_2_HR"), megabytes=3.0, licence="research use",
            source="Bevilacqua et al. 2012, by way of jbhuang0604/SelfExSR", files=checksum_table("set5", SELFEXSR),
            test_only=True,
        ),
        DatasetSpec(
            "set12", "twelve grey images, a benchmark for denoising", "12 grey images, 256 or 512 pixels",
            build=file_images(), megabytes=1.2, source="cszn/DnCNN", licence="research use",
            files=checksum_table("set12", DNCNN), test_only=True,
        ),
        DatasetSpec(
            "bsd68", "68 grey photographs, the benchmark for Gaussian denoising", "68 grey images 481×321",
            build=file_images(), megabytes=6.5, source="Roth and Black 2009, by way of cszn/DnCNN",
            licence="research use", files=checksum_table("bsd68", DNCNN), test_only=True,
        ),
        DatasetSpec(
            "cbsd68", "the colour originals of bsd68, the benchmark for Gaussian denoising in colour",
            "68 colour images 481×321", build=file_images(), megabytes=20.1, licence="research use",
            source="Martin et al. 2001, by way of bruno-31/groupsc", files=checksum_table("cbsd68", GROUPSC),
            test_only=True,
        ),
        DatasetSpec(
            "classic5", "five grey images, a benchmark for JPEG's artefacts", "5 grey images 512×512",
            build=file_images(), megabytes=1.3, source="Foi et al. 2007, by way of jiaxi-jiang/FBCNN",
            licence="research use", files=checksum_table("classic5", FBCNN), test_only=True,
        ),
        DatasetSpec(
            "live1", "29 grey photographs, the benchmark for JPEG's artefacts; 19 of them are Kodak's",
            "29 grey images, 438 to 768 pixels", build=file_images(), megabytes=6.0,
            source="Sheikh et al., LIVE image quality assessment database, by way of jiaxi-jiang/FBCNN",
            licence="research use", files=checksum_table("live1", FBCNN), test_only=True,
        ),
        DatasetSpec(
            "glyphs", "characters ` to DEL of an LED font", "32 binary images 5 wide × 7 high, labelled", build=glyphs,
            source="made by Cuello: a common 5×7 LED font table", licence="Apache-2.0; the font table: public",
            closed=True, recipe={"batch_size": 32, "samples": 3200, "learning_rate": 0.01},
        ),
        DatasetSpec(
            "emoji", "drawn faces", "8 grey images 20×20, labelled", build=emoji, closed=True,
            recipe={"batch_size": 8, "samples": 800, "learning_rate": 0.01},
        ),
        DatasetSpec(
            "emoji-4", "drawn pictures, very different: heart, star, house, moon", "4 grey images 20×20, labelled",
            build=emoji_4, closed=True, recipe={"batch_size": 4, "samples": 400, "learning_rate": 0.01},
        ),
        DatasetSpec(
            "transients", "simulated stamps of a supernova survey: template, science, difference, SNR; real or bogus",
            "25,000 images 21×21 of four views, labelled; the last 5,000 stay for testing", build=transients,
        ),
        DatasetSpec(
            "transients-snr", "… only the difference divided by its noise",
            "25,000 grey images 21×21, labelled; the last 5,000 stay for testing", build=transients,
        ),
    ],
)  # fmt: skip


def open_source(data: str, levels: AnyRange | None = None) -> ImageSource:
    """Open the images that ``data`` names: a path, a URL, an entry of the catalogue, or what was handed in from Python.

    levels: the values that stand for black and white, where they are not the type's full scale; for a path only.
    Raises CuelloError where there is neither, or both (then ``./NAME`` means the folder).
    """
    if is_handed(data):
        return handed_source(data, levels)
    if is_own("data set", data):
        return own_source(data, levels)
    if is_url(data):
        return remote_source(data, levels)
    path = Path(data).expanduser()
    if data in CATALOG:
        if path.exists():
            raise CuelloError(
                f"{data!r} is a data set of the catalogue and also a folder here. Write ./{data} for the folder, "
                "or work in another folder to use the data set."
            )
        if levels is not None:
            asked = levels if isinstance(levels, Levels) else "auto"
            raise CuelloError(
                f"got --range={asked} for {data!r}, a data set of the catalogue, whose black and white are known. "
                "A range is for files of your own; leave it out."
            )
        return open_dataset(CATALOG[data])
    if not split_name(path)[0].exists():
        raise Fault(
            f"there is no file, folder or data set {data!r}.{closest(data, CATALOG.names())} "
            f"Data sets: {', '.join(CATALOG.names())}."
        )
    return open_path(path, levels)


def remote_source(data: str, levels: AnyRange | None) -> ImageSource:
    """Open images at a URL, fetched into the cache; they are called by the URL.

    Raises CuelloError for a URL with a query, which may be a key and would be kept in the files of a run.
    """
    address = address_of(split_text(data)[0])
    if address.query:
        raise CuelloError(
            f"{address} has a query, which may be a key, and what a run is made of is kept in its files. Fetch the "
            "file first, and name that; `cuello apply` and `cuello denoise` keep nothing, and take it."
        )
    source = open_path(fetched(data), levels)
    return replace(source, name=spoken(source.name), notes=[spoken(note) for note in source.notes])


def own_source(data: str, levels: AnyRange | None) -> ImageSource:
    """Open what a class or function of one's own gives: an ImageSource, or images as Python code hands them in, alone
    or with labels beside them.
    """
    part = find("data set", data)
    found = part.made() if part is not None and callable(part.thing) else part and part.thing
    if isinstance(found, ImageSource):
        if levels is not None:
            raise CuelloError(f"got --range={levels} for {data}, whose images say themselves what is black and white.")
        return found
    images, labels = found if isinstance(found, tuple) and len(found) == 2 else (found, None)
    return replace(hand_in(images, labels).open(levels), name=data)


def open_within(data: str, range: str | tuple[float, float] | None, own: Levels | None = None) -> ImageSource:
    """Open images with the range that is asked for, one for all; own: that of a training, used where none is.

    "auto" is from the lowest to the highest value of all images, which are read once for it.
    """
    choice = RangeChoice.parse(range, own)
    if choice.name != "auto":
        return open_source(data, choice.levels)
    levels = measured_levels([data])
    source = open_source(data, levels)
    return replace(source, notes=[*source.notes, f"range of the values, the lowest and the highest: {levels}"])


def measured_levels(several: Sequence[str]) -> Levels:
    """Return the range from the lowest to the highest value of all images, which are read once for it."""
    found = []
    for data in several:
        source = open_source(data, RangeChoice("ends"))
        for index in builtins.range(len(source.names)):
            with contextlib.suppress(CuelloError):  # it is named when the images are read
                found.append(source.read(index).levels)
    return joined_levels([one for one in found if one is not None] or [Levels(0, 1)])


def open_dataset(spec: DatasetSpec) -> ImageSource:
    """Find or download a data set's files, check each against its checksum, and open it."""
    return spec.build(spec.name, [locate(spec, file) for file in spec.files()])


def locate(spec: DatasetSpec, file: RemoteFile) -> Path:
    """Find a file of a data set: under CUELLO_DATA, in an installed package, or in the download cache."""
    root = os.environ.get("CUELLO_DATA")
    if root and (path := Path(root) / spec.name / file.name).is_file():
        return checked(path, file)
    packages = {"photos": ("skimage", "data"), "digits": ("sklearn", "datasets/data")}
    if spec.name in packages:
        package, folder = packages[spec.name]
        found = util.find_spec(package)
        if found and found.submodule_search_locations:
            path = Path(found.submodule_search_locations[0]) / folder / file.name
            if path.is_file():
                return checked(path, file)
    return download(spec, file)


def download(spec: DatasetSpec, file: RemoteFile) -> Path:
    """Fetch a file into the cache (CUELLO_CACHE, or the system's place for caches) with its checksum."""
    import pooch

    if not file.url:
        raise CuelloError(
            f"{file.name} of data set {spec.name!r} is missing from your {spec.source}; install {spec.source} again."
        )
    cache = Path(os.environ.get("CUELLO_CACHE") or pooch.os_cache("cuello")) / spec.name
    served = file.original.sha256 if file.original else file.packed or file.sha256
    name = Path(file.url).name if file.original else file.name
    try:
        found = Path(pooch.retrieve(file.url, f"sha256:{served}", fname=name, path=cache))
    except (OSError, ValueError) as error:
        raise Fault(
            f"{file.name} of data set {spec.name!r} could not be fetched from {file.url} ({error}). "
            f"Without a network, put the files into a folder {spec.name}/ and set CUELLO_DATA to the folder above it."
        ) from None
    return made_smaller(found, file, cache / file.name) if file.original else found
