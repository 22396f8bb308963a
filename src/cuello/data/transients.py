"""Transient stamps made by simulation: what a supernova survey shows its real/bogus classifier.

A stamp is four views of the same small piece of sky: the template (deep, of an earlier night), the science image (of
tonight), their difference after the template was brought to the point-spread function (PSF) of the science image, and
that difference over its noise (SNR). In half of them something new and point-like shines at the centre ("real"); in the
others a detection was made by something else ("bogus").

Lengths are in pixels, fluxes in units of the science image's sky noise, a pixel's standard deviation.
"""

import contextlib
import hashlib
import math
import zipfile
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
import pydantic

from cuello.core.errors import CuelloError
from cuello.core.files import cache_folder, make_folder, replacing
from cuello.core.seeding import numpy_generator
from cuello.data.sources import ArraySource

SIDE = 21
CANVAS = 32
"""Stamps are drawn on a canvas of this side, so that what lies outside them shines in, and cut out of its middle."""

VIEWS = ("template", "science", "difference", "snr")
CLASSES = ("bogus", "real")
BOGUS = ("cosmic ray", "hot pixel", "hot column", "misaligned", "wrong PSF", "edge", "noise peak", "smooth peak")
DRAWS = 64
AT_ONCE = 128
"""Stamps simulated at once: their canvases stay in a processor's cache."""
SNR_LIMITS = (-5.0, 15.0)
STRETCH = 100.0
PER_WIDTH = 1 / 2.355
"""Standard deviation of a Gaussian over its full width at half maximum."""

Array = np.ndarray
Limits = tuple[float, float]
Share = Annotated[float, pydantic.Field(ge=0, le=1)]


def measure(default: Any, meaning: str) -> Any:
    """Declare a parameter of the simulation: its default and what it means, with its unit."""
    return pydantic.Field(default, description=meaning)


class TransientConfig(pydantic.BaseModel):
    """What is simulated; ranges are LOW, HIGH, drawn uniformly, fluxes and signal-to-noise ratios in their logarithm.

    >>> TransientConfig(signal=(20, 60)).seeing
    (3.0, 5.5)
    """

    model_config = pydantic.ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    seeing: Limits = measure((3.0, 5.5), "full width at half maximum of the science image's PSF, pixels")
    sharper: Limits = measure((0.7, 0.95), "the template's, as a share of the science image's")
    wings: Limits = measure((2.5, 5.0), "exponent β of the Moffat profile; small: wide wings")
    signal: Limits = measure((7.5, 60.0), "a transient's flux over the noise of its matched filter")
    detected: float = measure(5.0, "that signal from which noise is taken for a source: smooth peaks lie above")
    excess: float = measure(2.0, "by how much they do, the mean of an exponential distribution")
    jitter: float = measure(0.6, "standard deviation of a transient's distance from the centre along an axis, pixels")
    template_noise: Limits = measure((0.4, 0.7), "the template's sky noise over the science image's")
    gain: float = measure(20.0, "photons a unit of flux: shot noise has the variance flux / gain")
    host: Share = measure(0.7, "share of stamps with a galaxy")
    host_flux: Limits = measure((30.0, 3000.0), "a galaxy's total flux")
    host_radius: Limits = measure((1.0, 4.0), "a galaxy's half-light radius, pixels")
    neighbour: Share = measure(0.25, "share of stamps with a star that does not change")
    star_flux: Limits = measure((30.0, 2000.0), "that star's flux")
    bad_flux: Limits = measure((600.0, 12000.0), "flux of a star or galaxy core that was badly subtracted")
    shift: float = measure(0.03, "standard deviation of the alignment's usual error along an axis, pixels")
    misfit: float = measure(0.012, "standard deviation of the usual error in the matched PSF's width, as a share of it")
    kinds: dict[str, float] = measure(
        dict(zip(BOGUS, (0.2, 0.08, 0.07, 0.24, 0.12, 0.07, 0.12, 0.1), strict=True)),
        "share of each kind among the bogus",
    )


class Stamps(NamedTuple):
    """images: ``(N, 21, 21, 4)`` float32 in [0, 1], as VIEWS. labels: ``(N,)``, 0 bogus, 1 real. kinds: in words."""

    images: Array
    labels: Array
    kinds: list[str]


def transient_stamps(start: int, stop: int, seed: int = 0, config: TransientConfig | None = None) -> Stamps:
    """Simulate the stamps from ``start`` to ``stop`` (not included) of an endless row; odd ones are real.

    A stamp depends on seed, its index and the configuration alone, so that any range can be made again.

    Template, science and difference ``v`` become ``1/2 + asinh((v - median) / (1.4826 MAD)) / (2 asinh 100)``, cut to
    [0, 1]: 100 robust standard deviations are white. SNR becomes ``(v + 5) / 20``, cut to [0, 1]. Where a stamp has no
    data, science is black, and difference and SNR are 0 before their map.

    >>> stamps = transient_stamps(0, 6)
    >>> stamps.images.shape, stamps.labels.tolist()
    ((6, 21, 21, 4), [0, 1, 0, 1, 0, 1])
    >>> bool(np.allclose(stamps.images[4], transient_stamps(4, 5).images[0], atol=1e-4))
    True

    Source for what stamps look like and what goes wrong in them: Cabrera-Vives et al. 2017, "Deep-HiTS", section 2.
    """
    config = config or TransientConfig()
    parts = [simulate(range(first, min(first + AT_ONCE, stop)), seed, config) for first in range(start, stop, AT_ONCE)]
    images = np.concatenate([part.images for part in parts])
    return Stamps(images, np.concatenate([part.labels for part in parts]), [kind for p in parts for kind in p.kinds])


class Chance:
    """What was drawn for stamps, handed out column by column: each a number in [0, 1) a stamp."""

    def __init__(self, numbers: Array, used: int = 0) -> None:
        self.numbers, self.used = numbers, used

    def uniform(self, low: float = 0.0, high: float = 1.0) -> Array:
        self.used += 1
        return low + (high - low) * self.numbers[:, self.used - 1]

    def logarithmic(self, low: float, high: float) -> Array:
        """Draw ``(N,)`` numbers whose logarithm is uniform."""
        return np.exp(self.uniform(math.log(low), math.log(high)))

    def normal(self, deviation: float) -> Array:
        """Draw ``(N,)`` numbers around 0 (Box and Muller 1958)."""
        radius = np.sqrt(-2 * np.log1p(-self.uniform()))
        return deviation * radius * np.cos(2 * math.pi * self.uniform())


def wide(values: Array) -> Array:
    """Shape one number a stamp, ``(N,)``, to ``(N, 1, 1)``, to go with canvases."""
    return values[:, None, None]


def moffat(x: Array, y: Array, width: Array, beta: Array) -> Array:
    """Draw PSFs of total flux 1, ``(N, CANVAS, CANVAS)``, at x, y from the middle; width: at half maximum.

    ``(β - 1) / (π α²) · (1 + r² / α²)^-β`` with ``α = width / (2 sqrt(2^(1/β) - 1))``. Source: Moffat 1969.
    """
    alpha2 = (width / 2) ** 2 / (2 ** (1 / beta) - 1)
    rows, columns = offsets(y), offsets(x)
    near = (rows**2 / alpha2[:, None])[:, :, None] + (columns**2 / alpha2[:, None])[:, None, :]
    return wide((beta - 1) / (math.pi * alpha2)) * np.exp(-wide(beta) * np.log1p(near))


def offsets(middle: Array) -> Array:
    """Measure how far each row (or column) of the canvas is from ``middle``, ``(N, CANVAS)``, 0 being the centre."""
    return np.arange(-(CANVAS // 2), CANVAS - CANVAS // 2, dtype=np.float32) - middle[:, None]


def galaxy(x: Array, y: Array, radius: Array, index: Array, ratio: Array, angle: Array) -> Array:
    """Draw galaxies of total flux 1 without PSF, ``(N, CANVAS, CANVAS)``: elliptical Sersic profiles.

    ``exp(-b (r / radius)^(1 / index))`` with ``b = 2 index - 1/3`` (Ciotti and Bertin 1999, first terms).
    """
    rows, columns = offsets(y)[:, :, None], offsets(x)[:, None, :]
    cos, sin = wide(np.cos(angle)), wide(np.sin(angle))
    along, across = columns * cos + rows * sin, (rows * cos - columns * sin) / wide(ratio)
    r2 = (along**2 + across**2 + 0.3**2) / wide(radius**2)
    light = np.exp(-wide(2 * index - 1 / 3) * np.exp(np.log(r2) / wide(2 * index)))
    return light / light.sum((1, 2), keepdims=True)


def convolved(spectrum: Array, kernels: Array) -> Array:
    """Convolve images, given as their ``rfft2``, with kernels ``(N, CANVAS, CANVAS)`` round the canvas' centre."""
    return np.fft.fftshift(np.fft.irfft2(spectrum * np.fft.rfft2(kernels), kernels.shape[1:]), axes=(1, 2))


def smoothed(noise: Array, sigma: Array) -> tuple[Array, Array]:
    """Blur noise by a Gaussian of ``sigma`` pixels; return it and the share of its variance that is left, ``(N,)``."""
    down, across = (f(CANVAS).astype(np.float32) for f in (np.fft.fftfreq, np.fft.rfftfreq))
    response = np.exp(-2 * wide((math.pi * sigma) ** 2) * (down[:, None] ** 2 + across**2))
    twice = np.full(CANVAS // 2 + 1, 2, np.float32)  # a real transform leaves out what is there twice
    twice[[0, -1]] = 1
    share = (response**2 * twice).sum((1, 2)) / CANVAS**2
    return np.fft.irfft2(np.fft.rfft2(noise) * response, noise.shape[1:]), share


def ray(x: Array, y: Array, length: Array, angle: Array) -> Array:
    """Draw straight tracks one pixel wide round (x, y), 0 to 1, ``(N, CANVAS, CANVAS)``: nothing blurs them."""
    rows, columns = offsets(y)[:, :, None], offsets(x)[:, None, :]
    cos, sin = wide(np.cos(angle)), wide(np.sin(angle))
    along, across = np.abs(columns * cos + rows * sin), np.abs(rows * cos - columns * sin)
    return np.clip(1 - across, 0, 1) * np.clip(wide(length) / 2 + 0.5 - along, 0, 1)


def kinds_of(indices: Sequence[int], config: TransientConfig, chance: Chance) -> Array:
    """Choose what each stamp shows, ``(N,)`` words: odd indices are "real", of the others some kind of bogus."""
    names, shares = list(config.kinds), np.array(list(config.kinds.values()), float)
    bounds = np.cumsum(shares) / shares.sum()
    chosen = np.minimum(np.searchsorted(bounds, chance.uniform(), side="right"), len(names) - 1)
    return np.where(np.asarray(indices) % 2 == 1, "real", np.array(names)[chosen])


def simulate(indices: Sequence[int], seed: int, config: TransientConfig) -> Stamps:
    """Compute the stamps of these indices, all at once; see ``transient_stamps``."""
    numbers = np.empty((len(indices), DRAWS), np.float32)
    noise = np.empty((2, len(indices), CANVAS, CANVAS), np.float32)
    for row, index in enumerate(indices):
        random = numpy_generator(seed, "transients", index=index)
        random.random(dtype=np.float32, out=numbers[row])
        for image in noise[:, row]:
            random.standard_normal(dtype=np.float32, out=image)
    chance = Chance(numbers)
    kinds = kinds_of(indices, config, chance)
    seeing, beta = chance.uniform(*config.seeing), chance.uniform(*config.wings)
    sharp = seeing * chance.uniform(*config.sharper)
    across, down, fit = subtraction_errors(kinds, config, chance)
    sky, x, y, light, stars = scene(kinds, seeing, np.arctan2(down, across), config=config, chance=chance)

    spectrum = np.fft.rfft2(light)
    starry = np.flatnonzero(stars)

    def seen(width: Array, right: Array | float, below: Array | float) -> Array:
        """What does not change, through a PSF of this width, moved a little."""
        still = np.zeros_like(x)
        made = convolved(spectrum, moffat(still + right, still + below, width, beta=beta))
        places = (x + right)[starry], (y + below)[starry]
        made[starry] += wide(stars[starry]) * moffat(*places, width[starry], beta[starry])
        return made

    science, template = seen(seeing, 0.0, 0.0), seen(sharp, 0.0, 0.0)
    matched = seen(seeing * (1 + fit), -across, -down)
    science += transient(kinds, seeing, beta, config=config, chance=chance)
    science_variance = 1 + np.clip(science, 0, None) / config.gain
    template_variance = wide(sky**2) * (1 + np.clip(template, 0, None) / config.gain)
    science += noise[0] * np.sqrt(science_variance) + artefacts(kinds, chance)
    grain = noise[1] * np.sqrt(template_variance)
    smooth, share = smoothed(grain, np.sqrt(seeing**2 - sharp**2) * PER_WIDTH)
    template += grain
    difference = science - matched - smooth
    snr = difference / np.sqrt(science_variance + wide(share) * template_variance)
    views = [cut(view) for view in (template, science, difference, snr)]
    images = in_unit_range(views, no_data(kinds, chance))
    return Stamps(images, (kinds == "real").astype(np.int64), kinds.tolist())


def scene(
    kinds: Array, seeing: Array, heading: Array, config: TransientConfig, chance: Chance
) -> tuple[Array, Array, Array, Array, Array]:
    """Draw what does not change: the template's noise, a star's place x, y, the galaxies' light, the star's flux.

    heading: where a badly aligned template is not; what it holds lies the other way, its bright side at the centre.
    """
    sky = chance.uniform(*config.template_noise)
    radius = chance.logarithmic(*config.host_radius)
    near, far = radius * chance.uniform(0, 2), chance.uniform(0, 10)
    direction = chance.uniform(0, 2 * math.pi)
    real, bad = kinds == "real", np.isin(kinds, ("misaligned", "wrong PSF"))
    core = bad & (chance.uniform() < 0.4)  # else a star
    away = np.where(real, near, np.where(core, 0.0, far))
    flux = np.where(chance.uniform() < config.host, chance.logarithmic(*config.host_flux), 0.0)
    star, bright = chance.logarithmic(*config.star_flux), chance.logarithmic(*config.bad_flux)
    flux = np.where(core, 1.5 * bright, flux)
    lean = np.where(kinds == "misaligned", -0.4 * seeing, 0.0)
    galaxy_x = away * np.cos(direction) + np.where(core, lean * np.cos(heading), 0.0)
    galaxy_y = away * np.sin(direction) + np.where(core, lean * np.sin(heading), 0.0)
    index, ratio, angle = chance.uniform(0.7, 2.5), chance.uniform(0.4, 1.0), chance.uniform(0, math.pi)
    size = np.where(core, np.minimum(radius, 1.5), radius)
    light = wide(flux) * galaxy(galaxy_x, galaxy_y, size, index=index, ratio=ratio, angle=angle)
    star_x, star_y = chance.uniform(-13, 13), chance.uniform(-13, 13)
    beside = np.hypot(star_x, star_y) > 1.2 * seeing  # one at the centre would be what was detected
    there = (chance.uniform() < config.neighbour) & beside & ~bad
    star = np.where(bad & ~core, bright, np.where(there, star, 0.0))
    x, y = (np.where(bad, lean * f(heading), place) for f, place in ((np.cos, star_x), (np.sin, star_y)))
    return sky, x, y, light, star


def subtraction_errors(kinds: Array, config: TransientConfig, chance: Chance) -> tuple[Array, Array, Array]:
    """Draw how far the template lies from where it should, along x and y, and how much too wide its PSF was made."""
    across, down, fit = chance.normal(config.shift), chance.normal(config.shift), chance.normal(config.misfit)
    far, angle, change = chance.logarithmic(0.2, 1.2), chance.uniform(0, 2 * math.pi), chance.logarithmic(0.05, 0.25)
    narrow = chance.uniform() < 0.15
    misaligned, wrong = kinds == "misaligned", kinds == "wrong PSF"
    across = np.where(misaligned, far * np.cos(angle), across)
    down = np.where(misaligned, far * np.sin(angle), down)
    return across, down, np.where(wrong, np.where(narrow, -change, change), fit)


def transient(kinds: Array, seeing: Array, beta: Array, config: TransientConfig, chance: Chance) -> Array:
    """Draw the light of what is new, where a stamp is real; a matched filter's noise is sqrt(4π) σ of the PSF.

    A smooth peak looks like it: noise that resampling correlated, of just the shape that a search for sources finds.
    """
    chosen = np.flatnonzero(np.isin(kinds, ("real", "smooth peak")))
    piled_up = config.detected - config.excess * np.log1p(-chance.uniform())
    signal = np.where(kinds == "real", chance.logarithmic(*config.signal), piled_up)
    flux = signal * math.sqrt(4 * math.pi) * seeing * PER_WIDTH
    x, y = chance.normal(config.jitter), chance.normal(config.jitter)
    made = np.zeros((len(kinds), CANVAS, CANVAS), np.float32)
    made[chosen] = wide(flux[chosen]) * moffat(x[chosen], y[chosen], seeing[chosen], beta=beta[chosen])
    return made


def artefacts(kinds: Array, chance: Chance) -> Array:
    """Draw what adds to the science image without having come through the telescope, ``(N, CANVAS, CANVAS)``."""
    made = np.zeros((len(kinds), CANVAS, CANVAS), np.float32)
    places = {kind: np.flatnonzero(kinds == kind) for kind in BOGUS}
    for kind, draw in ARTEFACTS.items():
        if len(places[kind]):
            made[places[kind]] = draw(Chance(chance.numbers[places[kind]], chance.used))
    return made


def cosmic_rays(chance: Chance) -> Array:
    """Draw tracks of charged particles: sharp, straight, short or long."""
    x, y, length = chance.normal(0.7), chance.normal(0.7), chance.logarithmic(0.5, 14)
    return wide(chance.logarithmic(6, 150)) * ray(x, y, length, angle=chance.uniform(0, math.pi))


def hot_pixels(chance: Chance) -> Array:
    """Draw one to four pixels that are bright whatever shines on them."""
    columns, rows = (np.round(offsets(chance.normal(0.7))) for _ in range(2))
    broad, tall = chance.uniform() < 0.3, chance.uniform() < 0.3
    across = (columns == 0) | ((columns == 1) & broad[:, None])
    upright = (rows == 0) | ((rows == 1) & tall[:, None])
    return wide(chance.logarithmic(6, 150)) * (upright[:, :, None] & across[:, None, :])


def hot_columns(chance: Chance) -> Array:
    """Draw whole columns (or rows) that are too bright, some with dark neighbours."""
    places, dark = np.abs(np.round(offsets(chance.normal(0.7)))), chance.uniform() < 0.15
    profile = (places == 0) - 0.3 * ((places == 1) & dark[:, None])
    lying = wide(chance.uniform() < 0.3)
    lines = np.where(lying, profile[:, :, None], profile[:, None, :])
    return wide(chance.logarithmic(4, 40)) * lines


def noise_peaks(chance: Chance) -> Array:
    """Draw what chance alone piles up in a few pixels, as a search for peaks finds it."""
    made = np.zeros((len(chance.numbers), CANVAS, CANVAS), np.float32)
    middle = CANVAS // 2
    for right, below in ((0, 0), (1, 0), (-1, 0), (0, 1), (0, -1), (1, 1)):
        least, most = (2.0, 4.5) if right == below == 0 else (-0.5, 3.5)
        made[:, middle + below, middle + right] = chance.uniform(least, most)
    return made


def edge_glow(chance: Chance) -> Array:
    """Draw what is left along the edge of a detector."""
    return wide(chance.logarithmic(4, 40)) * np.exp(-np.clip(inside(chance), 0, None) / 1.2)


ARTEFACTS: dict[str, Callable[[Chance], Array]] = {
    "cosmic ray": cosmic_rays, "hot pixel": hot_pixels, "hot column": hot_columns, "noise peak": noise_peaks,
    "edge": edge_glow,
}  # fmt: skip


EDGE_DRAWS = 60
"""Which of a stamp's draws say where its edge is: two places need them."""


def inside(chance: Chance) -> Array:
    """Measure how far each pixel of the canvas lies inside a detector whose edge crosses it, below 0: outside."""
    place, turn = 0.5 + 3.5 * chance.numbers[:, EDGE_DRAWS], (4 * chance.numbers[:, EDGE_DRAWS + 1]).astype(int)
    signed = np.where(turn % 2 == 1, -1, 1)[:, None] * offsets(np.zeros_like(place)) + place[:, None]
    lying = np.where(wide(turn < 2), signed[:, :, None], signed[:, None, :])
    return np.broadcast_to(lying, (len(place), CANVAS, CANVAS))


def no_data(kinds: Array, chance: Chance) -> Array:
    """Find which pixels of the stamps have no data, ``(N, SIDE, SIDE)``."""
    return cut((inside(chance) < 0) & wide(kinds == "edge"))


def cut(canvas: Array) -> Array:
    """Cut the stamp out of the middle of the canvas, ``(N, SIDE, SIDE)``."""
    first = CANVAS // 2 - SIDE // 2
    return canvas[:, first : first + SIDE, first : first + SIDE]


def in_unit_range(views: Sequence[Array], empty: Array) -> Array:
    """Join template, science, difference and SNR ``(N, SIDE, SIDE)`` to ``(N, SIDE, SIDE, 4)`` in [0, 1]."""
    template, science, difference, snr = views
    low, high = SNR_LIMITS
    stretched = [stretch(template, np.zeros_like(empty)), stretch(science, empty), stretch(difference, empty)]
    stretched[1] = np.where(empty, 0.0, stretched[1])
    ratio = (np.where(empty, 0.0, snr) - low) / (high - low)
    return np.clip(np.stack([*stretched, ratio], axis=-1), 0, 1).astype(np.float32)


def stretch(values: Array, empty: Array) -> Array:
    """Compute ``1/2 + asinh((v - median) / (1.4826 MAD)) / (2 asinh 100)`` of each stamp, but for empty pixels."""
    flat = values.reshape(len(values), -1)
    spread = np.empty((2, len(values)), np.float32)
    holes = empty.reshape(len(values), -1)
    holed = holes.any(1)
    for rows, median in ((~holed, np.median), (holed, np.nanmedian)):
        if rows.any():
            known = np.where(holes[rows], np.nan, flat[rows]) if median is np.nanmedian else flat[rows]
            spread[0, rows] = median(known, axis=1)
            spread[1, rows] = median(np.abs(known - spread[0, rows, None]), axis=1)
    middle, deviation = wide(spread[0]), wide(np.maximum(1.4826 * spread[1], 1e-6))
    scaled = np.where(empty, 0.0, (values - middle) / deviation)
    return 0.5 + np.arcsinh(scaled) / (2 * math.asinh(STRETCH))


COUNT, HELD_OUT = 25_000, 5_000


VERSION = 1
"""To be raised when stamps come out otherwise: those that are kept are then made again."""


@lru_cache(maxsize=1)
def catalogued() -> tuple[Array, Array]:
    """Give the catalogue's stamps as uint8 ``(N, 21, 21, 4)`` and their labels; not to be changed."""
    images, labels = kept_stamps(COUNT)
    images.flags.writeable = labels.flags.writeable = False
    return images, labels


def kept_stamps(count: int) -> tuple[Array, Array]:
    """Give the first stamps and their labels: those that are kept in the cache, or made now and kept.

    A file that is damaged is made again. Where none can be written, stamps are made every time.
    """
    path = cache_folder() / "stamps" / f"transients-{VERSION}-{count}.npz"
    try:
        with np.load(path, allow_pickle=False) as file:
            images, labels = file["images"], file["labels"]
            if len(images) == count and str(file["checksum"]) == checksum_of(images, labels):
                return images, labels
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        pass  # not there, or damaged
    stamps = transient_stamps(0, count)
    images, labels = (stamps.images * 255).round().astype(np.uint8), stamps.labels
    with contextlib.suppress(CuelloError, OSError):
        make_folder(path.parent)
        with replacing(path) as temporary, open(temporary, "wb") as stream:
            np.savez(stream, images=images, labels=labels, checksum=np.array(checksum_of(images, labels)))
    return images, labels


def checksum_of(images: Array, labels: Array) -> str:
    state = hashlib.blake2b(np.ascontiguousarray(images).data, digest_size=16)
    state.update(np.ascontiguousarray(labels).data)
    return state.hexdigest()


def transients(name: str = "transients", paths: Sequence[Path] = ()) -> ArraySource:
    """Give 25,000 simulated transient stamps, 21×21 of four views, labelled; the last 5,000 are held out for testing.

    name, paths: as a data set of the catalogue is built; there are no files. ``NAME-snr`` gives the SNR view alone, in
    one channel, and likewise for the other VIEWS.
    """
    images, labels = catalogued()
    view = name.removeprefix("transients").removeprefix("-")
    if view:
        images = images[..., [VIEWS.index(view)]]
    names = [f"{CLASSES[label]}/{index:05d}" for index, label in enumerate(labels.tolist())]
    held_out = np.arange(COUNT - HELD_OUT, COUNT)
    return ArraySource(name, names, images=images, labels=labels, label_names=list(CLASSES), held_out=held_out)
