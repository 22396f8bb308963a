"""Known data sets: what each is, how large, whose, under which licence, with which checksums, and how to get it."""

import contextlib
import gzip
import hashlib
import os
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import resources, util
from pathlib import Path
from typing import Any

import numpy as np

from cuello.core.errors import CuelloError, closest
from cuello.core.registry import Registry
from cuello.data.hdf5 import split_name
from cuello.data.levels import Levels
from cuello.data.sources import ArraySource, FileSource, ImageSource, array_source, open_path, read_idx
from cuello.data.synthetic import emoji, emoji_4, glyphs
from cuello.data.transients import transients


@dataclass(frozen=True)
class RemoteFile:
    """A file of a data set: its name, the SHA-256 of its content (unpacked, if it is a .gz), its address.

    packed: the SHA-256 of the .gz as its source serves it; None where ``sha256`` is already the file's own.
    """

    name: str
    sha256: str
    url: str
    packed: str | None = None


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
    megabytes: float
    source: str
    licence: str
    files: Callable[[], list[RemoteFile]]
    build: Callable[[str, list[Path]], ImageSource]
    test_only: bool = False
    closed: bool = False
    recipe: Mapping[str, Any] = field(default_factory=dict)


PHOTOS = {
    "astronaut.png": "88431cd9653ccd539741b555fb0a46b61558b301d4110412b5bc28b5e3ea6cb5",
    "brick.png": "7966caf324f6ba843118d98f7a07746d22f6a343430add0233eca5f6eaaa8fcf",
    "camera.png": "b0793d2adda0fa6ae899c03989482bff9a42d3d5690fc7e3648f2795d730c23a",
    "chelsea.png": "596aa1e7cb875eb79f437e310381d26b338a81c2da23439704a73c4651e8c4bb",
    "coffee.png": "cc02f8ca188b167c775a7101b5d767d1e71792cf762c33d6fa15a4599b5a8de7",
    "coins.png": "f8d773fc9cfa6f4d8e5942dc34d0a0788fcaed2a4fefbbed0aef5398d7ef4cba",
    "grass.png": "b6b6022426b38936c43a4ac09635cd78af074e90f42ffa8227ac8b7452d39f89",
    "gravel.png": "c48615b451bf1e606fbd72c0aa9f8cc0f068ab7111ef7d93bb9b0f2586440c12",
    "hubble_deep_field.jpg": "3a19c5dd8a927a9334bb1229a6d63711b1c0c767fb27e2286e7c84a3e2c2f5f4",
    "ihc.png": "f8dd1aa387ddd1f49d8ad13b50921b237df8e9b262606d258770687b0ef93cef",
    "moon.png": "78739619d11f7eb9c165bb5d2efd4772cee557812ec847532dbb1d92ef71f577",
    "motorcycle_left.png": "db18e9c4157617403c3537a6ba355dfeafe9a7eabb6b9b94cb33f6525dd49179",
    "retina.jpg": "38a07f36f27f095e818aea7b96d34202c05176d30253c66733f2e00379e9e0e6",
    "rocket.jpg": "c2dd0de7c538df8d111e479619b129464d0269d0ae5fd18ca91d33a7fdfea95c",
}
"""Scikit-image's bundled photographs and micrographs; the right half of its stereo pair is left out as a near copy."""


def checksum_table(name: str, base: str) -> Callable[[], list[RemoteFile]]:
    """Return a reader of ``checksums/NAME.txt``: a line a file, its name, SHA-256 and path below ``base``."""

    def read() -> list[RemoteFile]:
        text = resources.files("cuello.data").joinpath(f"checksums/{name}.txt").read_text()
        rows = (line.split(" ", 2) for line in text.splitlines())
        return [RemoteFile(file, sha256, f"{base}/{path}") for file, sha256, path in rows]

    return read


def file_images(keep: str = "") -> Callable[[str, list[Path]], ImageSource]:
    """Return a builder of a source with one image a file, those whose name contains ``keep``."""

    def build(name: str, paths: list[Path]) -> ImageSource:
        kept = [path for path in paths if keep in path.name]
        return FileSource(name, [path.name for path in kept], kept)

    return build


def build_mnist(name: str, paths: list[Path]) -> ImageSource:
    """Join MNIST's four files: training images first, then the test images, which stay held out."""
    train, train_labels, test, test_labels = (read_idx(path) for path in paths)
    images = np.concatenate([train, test])[..., None]
    labels = np.concatenate([train_labels, test_labels]).astype(np.int64)
    names = [f"train/{k:05d}" for k in range(len(train))] + [f"test/{k:05d}" for k in range(len(test))]
    held_out = np.arange(len(train), len(images))
    return ArraySource(name, names, images, labels, [str(digit) for digit in range(10)], held_out)


def build_digits(name: str, paths: list[Path]) -> ImageSource:
    """Read the 1,797 digits: 64 values 0 to 16 and the label a line, brightened to 0 to 255."""
    table = np.loadtxt(gzip.decompress(paths[0].read_bytes()).decode().splitlines(), delimiter=",")
    images = (table[:, :64] * (255 / 16)).round().astype(np.uint8).reshape(-1, 8, 8)
    source = array_source(images, table[:, 64].astype(np.int64), name)
    return ArraySource(name, source.names, source.images, source.labels, [str(digit) for digit in range(10)])


MNIST = "https://ossci-datasets.s3.amazonaws.com/mnist"
BSDS = "https://raw.githubusercontent.com/BIDS/BSDS500/a04b7c6c3a9f0ace74bf205c72a43d32e1c72722"
DNCNN = "https://raw.githubusercontent.com/cszn/DnCNN/e93b27812d3ff523a3a79d19e5e50d233d7a8d0a"
SELFEXSR = "https://raw.githubusercontent.com/jbhuang0604/SelfExSR/8f6dd8c1d20cb7e8792a7177b4f6fd677633f598"
SKLEARN = "https://raw.githubusercontent.com/scikit-learn/scikit-learn/1.7.2/sklearn/datasets/data"

CATALOG: Registry[DatasetSpec] = Registry(
    "data set",
    [
        DatasetSpec(
            "photos", "photographs and micrographs that come with scikit-image",
            "14 images, 8 colour and 6 grey, 300 to 1411 pixels",
            0, "scikit-image",
            "CC0, public domain or no known restrictions; motorcycle: Middlebury Stereo, research use",
            lambda: [RemoteFile(name, sha256, "") for name, sha256 in PHOTOS.items()],
            file_images(),
        ),
        DatasetSpec(
            "digits", "handwritten digits, tiny", "1,797 grey images 8×8, labelled",
            0.06, "UCI Optical Recognition of Handwritten Digits, by way of scikit-learn", "CC BY 4.0",
            lambda: [
                RemoteFile(
                    "digits.csv.gz",
                    "6ebb3d2fee246a4e99363262ddf8a00a3c41bee6014c373ed9d9216ba7f651b8", f"{SKLEARN}/digits.csv.gz",
                    "09f66e6debdee2cd2b5ae59e0d6abbb73fc2b0e0185d2e1957e9ebb51e23aa22",
                )
            ],
            build_digits,
        ),
        DatasetSpec(
            "mnist", "handwritten digits", "60,000 + 10,000 grey images 28×28, labelled; the 10,000 stay for testing",
            11.6, "LeCun, Cortes, Burges", "CC BY-SA 3.0",
            lambda: [
                RemoteFile(f"{name}.gz", sha256, f"{MNIST}/{name}.gz", packed)
                for name, sha256, packed in [
                    ("train-images-idx3-ubyte", "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
                     "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"),
                    ("train-labels-idx1-ubyte", "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
                     "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"),
                    ("t10k-images-idx3-ubyte", "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
                     "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"),
                    ("t10k-labels-idx1-ubyte", "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
                     "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"),
                ]
            ],
            build_mnist,
        ),
        DatasetSpec(
            "bsds400", "photographs of BSDS500's training and test parts", "400 colour images 481×321",
            29.3, "Berkeley Segmentation Data Set, BIDS/BSDS500", "research use",
            checksum_table("bsds400", BSDS), file_images(),
        ),
        DatasetSpec(
            "set5", "five images, the smallest yardstick of super-resolution", "5 colour images, 256 to 512 pixels",
            3.0, "Bevilacqua et al. 2012, by way of jbhuang0604/SelfExSR", "research use",
            checksum_table("set5", SELFEXSR), file_images("SRF_2_HR"), test_only=True,
        ),
        DatasetSpec(
            "set12", "twelve grey images, a yardstick of denoising", "12 grey images, 256 or 512 pixels",
            1.2, "cszn/DnCNN", "research use",
            checksum_table("set12", DNCNN), file_images(), test_only=True,
        ),
        DatasetSpec(
            "bsd68", "68 grey photographs, the yardstick of Gaussian denoising", "68 grey images 481×321",
            6.5, "Roth and Black 2009, by way of cszn/DnCNN", "research use",
            checksum_table("bsd68", DNCNN), file_images(), test_only=True,
        ),
        DatasetSpec(
            "glyphs", "characters ` to DEL of an LED font", "32 binary images 5 wide × 7 high, labelled",
            0, "made by Cuello: a common 5×7 LED font table", "Apache-2.0; the font table: public",
            lambda: [], glyphs, closed=True, recipe={"batch_size": 32, "samples": 3200, "learning_rate": 0.01},
        ),
        DatasetSpec(
            "emoji", "drawn faces", "8 grey images 20×20, labelled",
            0, "made by Cuello", "Apache-2.0", lambda: [], emoji, closed=True,
            recipe={"batch_size": 8, "samples": 800, "learning_rate": 0.01},
        ),
        DatasetSpec(
            "emoji-4", "drawn pictures, very different: heart, star, house, moon", "4 grey images 20×20, labelled",
            0, "made by Cuello", "Apache-2.0", lambda: [], emoji_4, closed=True,
            recipe={"batch_size": 4, "samples": 400, "learning_rate": 0.01},
        ),
        DatasetSpec(
            "transients", "simulated stamps of a supernova survey: template, science, difference, SNR; real or bogus",
            "25,000 images 21×21 of four views, labelled; the last 5,000 stay for testing",
            0, "made by Cuello", "Apache-2.0", lambda: [], transients,
        ),
        DatasetSpec(
            "transients-snr", "… the difference over its noise alone",
            "25,000 grey images 21×21, labelled; the last 5,000 stay for testing",
            0, "made by Cuello", "Apache-2.0", lambda: [], transients,
        ),
    ],
)  # fmt: skip


def open_source(data: str, levels: Levels | None = None) -> ImageSource:
    """Return the images that ``data`` names: a path, or an entry of the catalogue.

    levels: the values that stand for black and white, where they are not the type's full scale; for a path only.
    Raises CuelloError where there is neither, or both (then ``./NAME`` means the folder).
    """
    path = Path(data).expanduser()
    if data in CATALOG:
        if path.exists():
            raise CuelloError(
                f"{data!r} is a data set of the catalogue and also a folder here. Write ./{data} for the folder, "
                "or work in another folder to use the data set."
            )
        if levels is not None:
            raise CuelloError(
                f"got --range {levels} for {data!r}, a data set of the catalogue, whose black and white are known. "
                "A range is for files of your own; leave it out."
            )
        return open_dataset(CATALOG[data])
    if not split_name(path)[0].exists():
        raise CuelloError(
            f"there is no file, folder or data set {data!r}.{closest(data, CATALOG.names())} "
            f"Data sets: {', '.join(CATALOG.names())}."
        )
    return open_path(path, levels)


def open_dataset(spec: DatasetSpec) -> ImageSource:
    """Find or download a data set's files, check each against its checksum, and open it."""
    return spec.build(spec.name, [locate(spec, file) for file in spec.files()])


def locate(spec: DatasetSpec, file: RemoteFile) -> Path:
    """Return where a file of a data set lies: under CUELLO_DATA, in an installed package, or in the download cache."""
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


def checked(path: Path, file: RemoteFile) -> Path:
    """Return ``path`` if its content has the right checksum, else raise CuelloError."""
    content = path.read_bytes()
    if content[:2] == b"\x1f\x8b":
        with contextlib.suppress(OSError, EOFError, zlib.error):  # damaged: its checksum will say so
            content = gzip.decompress(content)
    digest = hashlib.sha256(content).hexdigest()
    if digest != file.sha256:
        raise CuelloError(
            f"{path} is not the file it should be: its checksum is {digest[:12]}…, needed {file.sha256[:12]}…. "
            "Remove it, so that it is fetched anew."
        )
    return path


def download(spec: DatasetSpec, file: RemoteFile) -> Path:
    """Fetch a file into the cache (CUELLO_CACHE, or the system's place for caches) with its checksum."""
    import pooch

    if not file.url:
        raise CuelloError(
            f"{file.name} of data set {spec.name!r} is missing from your {spec.source}; install {spec.source} anew."
        )
    cache = Path(os.environ.get("CUELLO_CACHE") or pooch.os_cache("cuello")) / spec.name
    try:
        return Path(pooch.retrieve(file.url, f"sha256:{file.packed or file.sha256}", fname=file.name, path=cache))
    except (OSError, ValueError) as error:
        raise CuelloError(
            f"{file.name} of data set {spec.name!r} could not be fetched from {file.url} ({error}). "
            f"Without a network, put the files into a folder {spec.name}/ and set CUELLO_DATA to the folder above it."
        ) from None
