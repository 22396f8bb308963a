"""A trained network on images of any size and kind: padding, tiles, channels, and the same kind back."""

from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from cuello.core.errors import CuelloError
from cuello.core.progress import OnProgress, listener
from cuello.core.resample import resize
from cuello.data.alpha import where_seen
from cuello.data.batches import to_tensor
from cuello.data.levels import Levels, RangeChoice, full_scale, parse_levels
from cuello.data.tiling import run_tiled
from cuello.degrade import Degradation, parse
from cuello.degrade.level import estimated_level
from cuello.degrade.noise import Gaussian
from cuello.inference.arrays import SameKind, stacked
from cuello.inference.bundled import located
from cuello.inference.estimates import note_estimate
from cuello.inference.flat import REACH, keep_flat
from cuello.inference.onnx import SUFFIX, OnnxNetwork, onnx_network
from cuello.inference.tensors import as_codes
from cuello.models.base import ImageNetwork, as_output
from cuello.models.catalog import CODE, KINDS
from cuello.models.faint import Lifted
from cuello.models.stabilised import Domain, Stabilised
from cuello.runs.artefact import Artefact, load_artefact
from cuello.runs.directory import Run
from cuello.runs.look import Facts, example_picture, job_words, lines, page, score_words

TILE = 256
"""Side of the squares that large images are cut into, in pixels: their features stay in a processor's cache."""

ENCODED_AT_ONCE = 1024


@dataclass(frozen=True, repr=False)
class Model:
    """A trained network, ready to use.

    artefact: what the file says of it. network: the torch module, in evaluation mode. path: where it was loaded from,
    or None.
    """

    artefact: Artefact
    network: ImageNetwork
    path: Path | None = None

    def __repr__(self) -> str:
        """Say in five lines what it is, what it takes and gives, and what it reached."""
        return lines(f"Model {self.artefact.architecture.name}", self._facts)

    def _repr_html_(self) -> str:
        """Show a notebook what it is, and, where it is a run's, scores and examples."""
        run = self._run
        metrics, picture = (run._metrics, example_picture(run.figures)) if run is not None else ({}, None)
        return page(f"Model {self.artefact.architecture.name}", self._facts, metrics, picture=picture)

    @property
    def _facts(self) -> Facts:
        about, size = self.artefact, self.size
        kind = {1: "grey", 3: "colour"}.get(self.channels, f"{self.channels}-channel")
        takes = f"{kind} images of {f'{size[1]}×{size[0]} pixels' if size else 'any size'}"
        gives = f", gives {self.scale} times as many pixels per side" if self.scale > 1 else ""
        gives = f", tells {len(self.classes)} classes" if self.classes else gives
        reached = score_words(about.metrics)
        return [
            ("job", job_words(about.job, about.noise)),
            ("images", f"{takes}{gives}"),
            ("parameters", f"{sum(one.numel() for one in about.weights.values()):,}"),
            ("trained", f"on {about.training.get('data', '?')}{f'; validation {reached}' if reached else ''}"),
        ]

    @property
    def _run(self) -> Run | None:
        """The run whose model this still is, or None."""
        if self.path is None:
            return None
        run = Run(self.path if self.path.is_dir() else self.path.parent)
        with suppress(CuelloError):
            if load_artefact(run.model_path).checksum == self.artefact.checksum:
                return run
        return None

    @property
    def channels(self) -> int:
        """Channels of the images that the network was trained on."""
        return self.artefact.channels

    @property
    def levels(self) -> Levels | None:
        """The range that the network was trained with: what stands for black and white in arrays and files.

        Of one that learned from noisy images, other images may have values outside.
        """
        levels = parse_levels(self.artefact.training.get("range"))
        return replace(levels, estimated=True) if levels is not None and self.artefact.method else levels

    @property
    def scale(self) -> int:
        """How many times larger the sides of the result are than those of what goes in."""
        return self.network.scale

    @property
    def gaps(self) -> bool:
        """Every pixel that it is given counts."""
        return False

    @property
    def classes(self) -> tuple[str, ...]:
        """What a classifier's probabilities stand for, in their order; empty for networks that give images."""
        return tuple(self.artefact.classes)

    @property
    def told_noise(self) -> bool:
        """Whether a level is noise's."""
        return self.fault is None

    def classify(self, images: Any) -> Any:
        """Return the probability of every class, ``(N, K)`` float32; ``classes`` has the names of the columns.

        images: as for calling the model, all of one size, with the network's channels. An array comes back, or a tensor
        where a tensor was given; one image is N = 1.
        Raises CuelloError where the network is no classifier, or images do not fit it.

        >>> import cuello, tempfile
        >>> run = cuello.train("classify", "glyphs", epochs=1, samples=32, output=tempfile.mkdtemp() + "/run",
        ...                    report=False)
        >>> model = cuello.load(run.path)
        >>> model.classify(np.zeros((2, 7, 5), np.uint8)).shape, model.classes[1:4]
        ((2, 32), ('a', 'b', 'c'))
        """
        probabilities = torch.softmax(self.class_scores(images), dim=1)
        return probabilities.to(images.device) if isinstance(images, Tensor) else probabilities.numpy()

    def class_scores(self, images: Any) -> Tensor:
        """Return every class' score before softmax, ``(N, K)``; images and errors as for ``classify``."""
        if not self.classes:
            raise CuelloError(
                f"the network {self.artefact.architecture.name!r} gives images, not classes. Train a classifier: "
                "cuello train classify DATA."
            )
        x = self.fitting(images)
        with torch.inference_mode():
            scores = [numbers(self.network(part.to(self._device()))).cpu() for part in x.split(ENCODED_AT_ONCE)]
        return torch.cat(scores).clone()

    @property
    def undoes(self) -> bool:
        """Whether the network undoes something, noise or a small size, so that a flat image should stay as it is."""
        about = self.artefact
        return about.noise is not None or about.training.get("target") is not None or bool(about.method)

    @property
    def conditioned(self) -> bool:
        """Whether the network takes the noise level of its input."""
        return self.network.conditioning == "level"

    @property
    def fault(self) -> Degradation | None:
        """What the network takes off, where it may be told how strong that is: its main parameter is then a range."""
        if self.network.conditioning != "strength" or self.artefact.noise is None:
            return None
        with suppress(CuelloError):  # somebody's own, whose code is not at hand
            found = parse(self.artefact.noise)
            return found if isinstance(found, Degradation) and found.ranges else None
        return None

    def __call__(self, images: Any, level: float | None = None, range: str | tuple[float, float] | None = None) -> Any:
        """Restore images; the same kind, shape and type comes back, larger where the network makes images larger.

        images: a NumPy array ``(H, W)``, ``(H, W, C)``, ``(N, H, W)`` or ``(N, H, W, C)`` with C of 1 to 4 (alpha
        is kept), uint8, uint16 or floats in [0, 1], or, for a network trained with a range, any whole numbers or floats
        within it, which come back in the same units; a tensor ``(C, H, W)`` or ``(N, C, H, W)`` of floats in [0, 1],
        of any precision and on any device, unless a range is given;
        a Pillow image, which comes upright, with what it says of itself (palettes, CMYK, YCbCr and HSV become RGB or
        RGBA, the other modes stay); or a list of any of these. Three axes whose last is 1, 2, 3 or 4 are one image.
        level: see ``restore``; in units of the type's white. range: what stands for black and white: "LOW..HIGH" or a
        pair (values outside are refused), "auto" (from the images' values: nearly all of them; what lies outside
        stays), or "full" (the type's full scale). By default the range that the network was trained with, or the
        type's full scale; where the values fill less than a tenth of that, "auto", with a warning.
        Raises CuelloError for other kinds, shapes or types.

        >>> import cuello, tempfile
        >>> run = cuello.train(data="photos", noise="gaussian:25", model="conv-8-16-8", crop=64, samples=16,
        ...                    validation_samples=4, epochs=1, output=tempfile.mkdtemp() + "/run", report=False)
        >>> model = cuello.load(run.path)
        >>> model(np.zeros((50, 70, 3), np.uint8)).shape
        (50, 70, 3)
        """
        choice = RangeChoice.parse(range, self.levels)
        return SameKind(self, choice, level=level, asked=range is not None)(images)

    @property
    def size(self) -> tuple[int, int] | None:
        """Height and width of the only images that the network takes, in pixels; None where it takes any."""
        return self.network.size

    @property
    def prior(self) -> str | None:
        """The distribution that the network's codes follow, "normal" or "uniform"; None where there is none."""
        return self.network.prior

    def encode(self, images: Any) -> Any:
        """Return the codes of images, without chance: the bottleneck's numbers.

        images: as for calling the model, all of one size, with the network's channels. Returns ``(N, numbers)`` float32
        (``(N, c, h, w)`` for a code in space): an array, or a tensor where a tensor was given; one image is N = 1.
        Raises CuelloError where the network has no code, or images do not fit it.
        """
        self.check_latent()
        x = self.fitting(images)
        with torch.inference_mode():
            codes = [numbers(self.network.encode(part.to(self._device()))).cpu() for part in x.split(ENCODED_AT_ONCE)]
        found = torch.cat(codes).clone()
        return found.to(images.device) if isinstance(images, Tensor) else found.numpy()

    def fitting(self, images: Any) -> Tensor:
        """Return images as ``stacked`` does, with the network's channels; CuelloError for others."""
        x = self.stacked(images)
        if x.shape[1] != self.channels:
            raise CuelloError(
                f"got images of {x.shape[1]} channels, {tuple(x.shape)} with channels second; needed floats "
                f"(N, {self.channels}, H, W), or arrays (N, H, W, {self.channels})."
            )
        return x

    def check_images(self) -> None:
        """Raise CuelloError where the network gives classes or occlusion maps, and no images."""
        if self.classes:
            raise CuelloError(
                f"the network {self.artefact.architecture.name!r} is a classifier, which gives no image. From Python: "
                "model.classify(images)."
            )
        if self.artefact.classifier:
            raise CuelloError(
                f"the network {self.artefact.architecture.name!r} gives occlusion maps of a classifier, not images. "
                "Use: cuello explain CLASSIFIER IMAGES --model RUN"
            )

    def decode(self, codes: Any) -> Any:
        """Return the images that codes stand for, cut to [0, 1].

        codes: ``(N, numbers)`` (or ``(N, c, h, w)`` for codes in space) as ``encode`` gives them; or one without N.
        An array gives ``(N, H, W, C)`` float32, a tensor ``(N, C, H, W)``. Raises CuelloError where the network has no
        code, or codes are of another shape, no numbers, or no finite ones.
        """
        self.check_latent()
        stack = as_codes(codes, self.latent_shape or self.code_in_space)
        with torch.inference_mode():
            parts = [
                numbers(self.network.decode(part.to(self._device()))).clamp(0, 1).cpu()
                for part in stack.split(ENCODED_AT_ONCE)
            ]
        images = torch.cat(parts).clone()
        return images.to(codes.device) if isinstance(codes, Tensor) else images.permute(0, 2, 3, 1).numpy()

    @property
    def latent_shape(self) -> tuple[int, ...] | None:
        """Shape of an image's code; None where it depends on the image's size, or there is no code."""
        if self.size is None or not self.network.has_code:
            return None
        with torch.inference_mode():
            blank = torch.zeros(1, self.channels, *self.size, device=self._device())
            return tuple(self.network.encode(blank).shape[1:])

    @property
    def code_in_space(self) -> tuple[int | None, ...]:
        """Shape of a code whose height and width follow the image's: channels, and None twice."""
        stride = self.network.stride
        with torch.inference_mode():
            blank = torch.zeros(1, self.channels, stride, stride, device=self._device())
            return self.network.encode(blank).shape[1], None, None

    def check_latent(self) -> None:
        """Raise CuelloError where the network has no code in its middle."""
        kind = self.artefact.architecture.kind
        if isinstance(self.network, OnnxNetwork) and kind in KINDS and KINDS[kind].purpose == CODE:
            raise CuelloError(
                f"{self.path} is an exported file, which gives images and no codes. Name the run that it was written "
                "from; for other programs its encoder and decoder lie beside it as files of their own."
            )
        if not self.network.has_code:
            raise CuelloError(
                f"the network {self.artefact.architecture.name!r} has no code in its middle: it works on pixels. "
                "Train an autoencoder, e.g. cuello train reconstruct DATA --model mlp-32-8-2 (see `cuello models`)."
            )

    def stacked(self, images: Any) -> Tensor:
        """Bring images of one size, of any kind that ``encode`` takes, to a tensor ``(N, C, H, W)`` in [0, 1]."""
        return stacked(images, self.channels, self.levels)

    def restore(self, image: np.ndarray, progress: OnProgress | None = None, level: float | None = None) -> np.ndarray:
        """Restore one image ``(H, W, C)``, uint8, uint16 or float32 in [0, 1], in tiles if it is large.

        C may differ from the network's channels: grey goes through a colour network as three equal channels and is
        averaged; colour goes through a grey network channel by channel. C of 2 or 4 that the network has not: the last
        is alpha and is kept, or enlarged as ``enlarge`` does.
        level: for a network that takes one (``conditioned``), the standard deviation of the Gaussian noise in the
        image, in units of white = 1; by default estimated, once for the whole image. For one that may be told how
        strong another fault is (``fault``), that fault's main parameter (blur: σ in pixels; jpeg: the quality); by
        default the network judges by itself. Others must not be given one.
        The result, ``(scale H, scale W, C)`` of the same type, equals that of the whole image at once to float32
        rounding. Raises CuelloError for channels or a level that the network does not take.
        """
        tell = listener(progress, ("done", "total"))
        self.check_images()
        self.check_level(level)
        height, width, channels = image.shape
        if channels in (2, 4) and channels != self.channels:
            restore, alpha = partial(self.restore, progress=tell, level=level), self.enlarge(image[:, :, -1:])
            colours = where_seen(restore, image[:, :, :-1], image[:, :, -1:], larger=alpha)
            return np.concatenate([colours, alpha], axis=2)
        if channels != self.channels and (channels not in (1, 3) or self.channels == 4):
            either = " of the image, its fourth included" if self.channels == 4 else " (or 1, 3)"
            raise CuelloError(f"got an image of {channels} channels, this network takes {self.channels}{either}.")
        stride, field = self.network.stride, self.network.receptive_field
        pad_rows, pad_columns = -height % stride, -width % stride
        padded = (
            np.pad(image, ((0, pad_rows), (0, pad_columns), (0, 0)), mode="edge") if pad_rows or pad_columns else image
        )
        tile = max(height, width) + stride if field is None else TILE
        if level is not None and self.fault is not None:
            level = self.fault.place(float(level))
        if self.conditioned and level is None:
            level = float(estimated_level(to_tensor(image[None])))
            note_estimate(level)
        scale = self.scale
        out = run_tiled(
            lambda part: self._restore_tile(part, level),
            padded,
            np.empty((scale * padded.shape[0], scale * padded.shape[1], channels), padded.dtype),
            tile=-(-tile // stride) * stride,
            reach=0 if field is None else field // 2,
            stride=stride,
            progress=tell,
        )
        return out[: scale * height, : scale * width]

    def restore_shares(self, shares: np.ndarray, level: float | None = None) -> np.ndarray:
        """Restore one image ``(H, W, C)`` of float32 shares of an estimated range, some of which may lie outside it.

        The network sees the range alone. What lies outside is added again, but for points that the network took away.
        """
        inside = shares.clip(0, 1)
        restored = self.restore(inside, level=level)
        beyond = shares - inside
        if not beyond.any():
            return restored
        beyond = self.enlarge(beyond)
        taken = np.where(beyond > 0, restored < 0.5, restored > 0.5)
        return restored + np.where(taken, np.float32(0), beyond)

    def restore_batch(self, images: Tensor, level: Tensor | None = None) -> Tensor:
        """Restore small images at once: ``(N, C, H, W)`` float32 with the network's C; result cut to [0, 1].

        level: ``(N, 1, 1, 1)``, the noise in each, for a network that takes it (others pass it over); by default
        estimated, image by image.
        """
        self.check_images()
        height, width = images.shape[2:]
        stride, scale = self.network.stride, self.scale
        with torch.inference_mode():
            if not self.conditioned:
                level = None
            elif level is None:
                level = estimated_level(images)
            padded = functional.pad(images, (0, -width % stride, 0, -height % stride), mode="replicate")
            image = self._image(padded, level).clamp(0, 1)
        return image[:, :, : scale * height, : scale * width].to(images.device)

    def enlarge(self, pixels: np.ndarray) -> np.ndarray:
        """Bring ``(H, W, C)`` pixels to the size of the result without the network: bicubic, as transparency is.

        Of any type, which is kept; the result is cut to the range of the values that came. Where the network keeps the
        size, so does this.
        """
        if self.scale == 1:
            return pixels
        values = torch.from_numpy(pixels.astype(np.float64)).permute(2, 0, 1)[None]
        larger = resize(values, scale=self.scale).clamp_(values.min(), values.max())[0].permute(1, 2, 0).numpy()
        return (larger if pixels.dtype.kind == "f" else larger.round()).astype(pixels.dtype)

    def check_level(self, level: float | None) -> None:
        """Raise CuelloError where a level is given to a network that takes none, or that has not learned such a one."""
        if level is None:
            return
        fault = self.fault
        needed = "a number from 0 to 1, in units of white" if fault is None else f"a number of {fault.spec()}"
        if isinstance(level, bool) or not isinstance(level, int | float | np.integer | np.floating):
            raise CuelloError(f"got a level of {level!r}, needed {needed}.")
        if fault is not None:
            low, high = getattr(fault, fault.main)
            if not low <= level <= high:
                raise CuelloError(
                    f"got {level:g} as the {fault.main} of {fault.name}, needed {low:g} to {high:g}, which the network "
                    "has learned. Leave it out, and it judges by itself."
                )
            return
        if not self.conditioned:
            raise CuelloError(
                f"the network {self.artefact.architecture.name!r} takes no noise level, got {level:g}. Leave it out."
            )
        if not 0 <= level <= 1:
            raise CuelloError(f"got a noise level of {level:g}, needed 0 to 1, in units of white (25 of 255 is 0.098).")

    def _restore_tile(self, tile: np.ndarray, level: float | None = None) -> np.ndarray:
        """Restore ``(h, w, C)`` pixels whose sides are multiples of the stride; level as in ``restore``."""
        x = to_tensor(np.ascontiguousarray(tile)[None])  # (1, C, h, w)
        channels = x.shape[1]
        if channels == 1 and self.channels != 1:
            x = x.expand(-1, self.channels, -1, -1)
        elif channels != self.channels:
            x = x.transpose(0, 1)  # (C, 1, h, w)
        with torch.inference_mode():
            told = None if level is None else x.new_full((len(x), 1, 1, 1), level)
            image = self._image(x, told).clamp_(0, 1).cpu()
            if self.undoes and self.network.receptive_field and not self.network.keeps_flat:
                image = keep_flat(x, image, min(REACH, self.network.receptive_field // 2))
        if channels == 1 and self.channels != 1:
            image = image.mean(1, keepdim=True)
        elif channels != self.channels:
            image = image.transpose(0, 1)
        pixels = image[0].permute(1, 2, 0).numpy()
        if tile.dtype.kind == "f":
            return pixels
        return (pixels * full_scale(tile.dtype)).round().astype(tile.dtype)

    def _image(self, x: Tensor, level: Tensor | None) -> Tensor:
        x = x.to(self._device())
        return numbers(as_output(self.network(x, self.network.condition(x, level, strength=level))).image)

    def _device(self) -> torch.device:
        return next(iter(self.network.state_dict().values())).device


def numbers(found: Tensor) -> Tensor:
    """Return what a network gave as float32; CuelloError where something of it is no number."""
    found = found.float()
    if not found.isfinite().all():
        raise CuelloError(
            "the network gives values that are not numbers (NaN or infinity): its weights are damaged, or its training "
            "diverged. Train anew."
        )
    return found


def is_gaussian(noise: str | None) -> bool:
    """Tell whether a degradation's spec string is that of Gaussian noise alone."""
    with suppress(CuelloError):
        return noise is not None and isinstance(parse(noise), Gaussian)
    return False


def artefact_at(path: str | PathLike[str]) -> Artefact:
    """Read what a model's file, run directory or exported ONNX file says of itself; its network is not built."""
    place = located(path)
    if place.suffix.lower() == SUFFIX and place.is_file():
        return onnx_network(place)[0]
    return load_artefact(place)


def load(path: str | PathLike[str], network: Any = None, device: str = "cpu") -> Model:
    """Load a run directory, a model.safetensors file, or a model that comes with the package, by name (BUNDLED).

    Or one on the Hugging Face hub, ``hf://OWNER/NAME@COMMIT#sha256=CHECKSUM`` (``pip install 'cuello[hub]'``): that
    file and no other, checked before it is opened.

    Or a file that `cuello export` wrote, NAME.onnx, which ONNX Runtime then runs (``pip install 'cuello[onnx]'``).

    A network that can be folded into fewer layers is.

    network: FILE.py:CLASS, a registered name or the class itself, only for a model whose network is somebody's own
    code; no other code is ever run.
    device: where to run it: cpu, cuda, cuda:N, mps.
    Raises CuelloError for a file that is missing, damaged, changed, or of another version.
    """
    place = located(path)
    if place.suffix.lower() == SUFFIX and place.is_file():
        return Model(*onnx_network(place, device), path=place)
    artefact = load_artefact(place)
    with torch.random.fork_rng(()):  # layers are made with weights from the caller's numbers before they get their own
        built = artefact.network(network).folded()
        if artefact.noise_models:
            built = Stabilised(built, Domain(artefact.noise_models))
        elif built.conditioning == "level" and built.scale == 1 and is_gaussian(artefact.noise):
            built = Lifted(built)
        built = built.eval()
    return Model(artefact, built.to(device), path=place)
