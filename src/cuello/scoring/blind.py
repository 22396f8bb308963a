"""How good a restored image is, without a clean one: the error against what the noise did not touch twice.

Two ways. Against a second, independently noisy copy of the same scene: the mean squared difference, less the copy's own
noise. Of a single image and a method that can be run again: the squared difference from the noisy image, corrected for
what the method kept of the noise, which two runs on slightly noisier images tell (Stein's unbiased risk estimate, with
noise of the measured strength and correlation).
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from cuello.core.errors import CuelloError
from cuello.core.seeding import numpy_generator
from cuello.noise_models.model import NoiseModel
from cuello.scoring.remeasure import Probe, Remeasured, remeasured

Method = Callable[[np.ndarray], np.ndarray]
"""A restoration that can be run again: a noisy image, ``(H, W)`` or ``(H, W, C)``, to a restored one of its shape."""

NOISIER = 0.15
"""Standard deviation that is added to a method's input to see what it keeps of noise, as a share of the noise's own."""
BLOCK = 32
"""Side of the squares, in pixels, that are taken for independent when it is said how sure a mean is."""
SMALLER = 4
"""Of an image no larger than such a square: so many squares along its shorter side."""
JUMPS = 2.0
"""A method jumps where the middle of two runs on slightly noisier images is farther from its result, in mean square and
by this factor, than the runs are from their middle."""
DRAWS = 1000
COARSE, ALIKE, CHANGE = 8, 0.9, 1.6
"""Captures of one scene: side of the blocks whose brightness is compared, the least correlation of that, and the most
that may change from one to the next, as a multiple of the noise, or, the least, its inverse."""
MODEL_ERROR, AGAIN_ERROR, SHARED_ERROR = 0.02, 0.015, 0.2
"""Standard error of the noise's variance, as a share of it: of white noise estimated from images, of white noise that
was measured again by a good result, and of noise that neighbours share. Set on crops of photographs with made noise so
that twice the whole standard error holds the truth in 95% of them: ``benchmarks/blind_scores.py --calibrate``."""
TEXTURE = 0.6
"""Of white noise, what texture adds to that share: so much of the square of the error left, as a share of the noise.
Where much error is left the image is full of texture, of which the model took some for noise."""
SHARED = "estimated from the noisy image itself, whose neighbours share noise: its strength is known to 20%"
SINGLE = "estimated from the noisy image itself, as good as the noise model is, which is trusted to 2% at best"
AGAIN = "estimated from the noisy image itself, its noise measured again by a result, which is trusted to 1.5% at best"
COPY = "measured on other captures of the same scene: unbiased where nothing but noise changed between them"


@dataclass(frozen=True)
class BlindScore:
    """What a method's result is worth, estimated without a clean image.

    mse: mean squared error, in the values' unit squared; chance can make it negative, where next to nothing is wrong.
    mse_error: its standard error. psnr: in dB, of a mean squared error that is taken for no smaller than what chance
    adds to it. error: in dB, twice the standard error: the truth is that near in about 95% of images. chance: what of
    mse_error comes from chance alone, not from the noise model. bias: a sentence on what the estimate rests on.
    parts: ``(blocks, 2)``, the sum of the squared errors of each block of pixels and their number, to compare by.
    """

    name: str
    mse: float
    mse_error: float
    psnr: float
    error: float
    bias: str
    chance: float = 0.0
    parts: np.ndarray = field(default_factory=lambda: np.empty((0, 2)), repr=False, compare=False)

    def __str__(self) -> str:
        """Say the score and how sure it is."""
        return f"{self.name}: {self.psnr:.2f} ± {self.error:.2f} dB"


def blind_score(name: str, errors: Sequence[np.ndarray], peak: float, bias: str, unsure: float = 0.0) -> BlindScore:
    """Sum up the errors of each image's pixels, ``(H, W)`` or ``(H, W, C)``, that are unbiased by themselves.

    peak: the value that counts as white, in the values' unit. unsure: standard error, in the unit squared, that all
    errors have in common.

    >>> score = blind_score("none", [np.full((64, 64), 4.0)], peak=20, bias="")
    >>> score.mse, round(score.psnr, 2), score.error
    (4.0, 20.0, 0.0)
    """
    sums, sizes = summed_blocks(errors)
    mse = float(sums.sum() / sizes.sum())
    count = len(sums)
    spread = float(np.sum((sums - mse * sizes) ** 2)) * count / max(count - 1, 1)
    chance = math.sqrt(spread) / float(sizes.sum()) if count > 1 else math.inf
    mse_error = math.hypot(chance, unsure)
    counted = max(mse, min(chance, peak**2), (1e-5 * peak) ** 2)
    psnr = 10 * math.log10(peak**2 / counted)
    error = 20 / math.log(10) * mse_error / counted
    return BlindScore(
        name,
        mse=mse,
        mse_error=mse_error,
        psnr=psnr,
        error=error,
        bias=bias,
        chance=chance,
        parts=np.stack([sums, sizes], 1),
    )


def summed_blocks(errors: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Sum errors over blocks; of a single image that holds one block only, over smaller ones."""
    sums, sizes = (np.concatenate(parts) for parts in zip(*map(blocks, errors), strict=True))
    if len(sums) < 2 and len(errors) == 1:
        return blocks(errors[0], max(1, min(errors[0].shape[:2]) // SMALLER))
    return sums, sizes


def left_of(score: BlindScore, noise: float) -> tuple[float, float, float]:
    """Tell how large an error is beside noise of a variance: where the noise's standard deviation is 1.

    Returns the error, twice its standard error, and by how many dB it is smaller than the noise. An error counts as no
    smaller than what chance adds to it.

    >>> left_of(BlindScore("", mse=25.0, mse_error=2.0, psnr=0, error=0, bias=""), noise=100.0)
    (0.5, 0.04, 6.020599913279624)
    """
    share, error = max(score.mse, score.chance, 1e-6 * noise) / noise, score.mse_error / noise
    left = math.sqrt(share)
    return left, error / left, -10 * math.log10(share)


def gain(score: BlindScore, other: BlindScore, seed: int = 0) -> tuple[float, float, float]:
    """Tell by how many dB a score is better than another on the same images, with a 95% interval.

    The interval is a bootstrap over blocks, the same of both. The noise model's own error is not in it: it moves both
    scores alike.

    >>> one, other = (blind_score("", [np.full((64, 64), value)], peak=100, bias="") for value in (1.0, 10.0))
    >>> gain(one, other)
    (10.0, 10.0, 10.0)
    """
    if score.parts.shape != other.parts.shape:
        raise CuelloError(f"{score.name} and {other.name} were judged on different images: judge them together.")
    drawn = numpy_generator(seed, "gain").integers(len(score.parts), size=(DRAWS, len(score.parts)))
    both = []
    for one in (score, other):
        sums = one.parts[drawn].sum(1)
        both.append(np.maximum(sums[:, 0] / sums[:, 1], max(one.chance, abs(one.mse) / 100, 1e-300)))
    low, high = np.quantile(10 * np.log10(both[1] / both[0]), [0.025, 0.975])
    return score.psnr - other.psnr, float(low), float(high)


def blocks(errors: np.ndarray, block: int = BLOCK) -> tuple[np.ndarray, np.ndarray]:
    """Sum values over squares of ``block`` pixels, and count them; smaller at the right and bottom, NaN left out."""
    if not errors.size:  # of a single row, pixels below others
        return np.empty(0), np.empty(0)
    edges = [np.arange(0, side, block) for side in errors.shape[:2]]
    known = np.isfinite(errors)

    def summed(values: np.ndarray) -> np.ndarray:
        values = values.reshape(*values.shape[:2], -1).sum(2)
        return np.add.reduceat(np.add.reduceat(values, edges[0], axis=0), edges[1], axis=1).ravel()

    sums, sizes = summed(np.where(known, errors, 0.0)), summed(known.astype(float))
    return sums[sizes > 0], sizes[sizes > 0]


def copy_errors(result: np.ndarray, noisy: np.ndarray, copy: np.ndarray) -> np.ndarray:
    """Estimate the squared error of each pixel of a result, by a second capture of the same scene.

    ``(f(y) - y')² - (y - y')² / 2``: the second term's mean is the variance of the noise of y', however it is spread
    over the pixels and correlated between them; no noise model is needed.

    result: what was made of ``noisy`` alone. All of one shape. Its mean is unbiased where scene and brightness are the
    same in both captures; a result that was learned from ``copy`` as well looks better than it is.

    >>> copy_errors(np.array([[3.0]]), np.array([[5.0]]), np.array([[1.0]])).tolist()
    [[-4.0]]
    """
    return (result - copy) ** 2 - (noisy - copy) ** 2 / 2


def single_errors(
    noisy: np.ndarray,
    method: Method,
    noise: "NoiseModel | Sequence[NoiseModel]",
    correlation: np.ndarray | None = None,
    seed: int = 0,
) -> np.ndarray:
    """Estimate the squared error of each pixel of what a method makes of a single noisy image.

    ``(f(y) - y)² - v(y) + z · (f(y + a z) - f(y - a z)) / a``, where z is drawn with the noise's variance and
    correlation: the last term has the mean ``2 cov(f(y), noise)``. The variance of z is midway between what the model
    says of the noisy and of the restored value, which makes it right to second order for Poisson noise too. Where the
    method jumps (see ``Probe``), it is the error of the middle between the two runs, and the jump's square is added.

    noise: the model, or one a channel. correlation: the noise's autocorrelation, ``(2k + 1, 2m + 1)`` with 1 in the
    middle; None where pixels are independent.

    Source: Ramani, Blu and Unser 2008, "Monte-Carlo SURE", for the differences; Le Montagner, Angelini and Olivo-Marin
    2014, "An unbiased risk estimator for image denoising in the presence of mixed Poisson-Gaussian noise".
    """
    return errors_of(probed(noisy, method, noise, correlation=correlation, seed=seed), noise)


def probed(
    noisy: np.ndarray,
    method: Method,
    noise: "NoiseModel | Sequence[NoiseModel]",
    correlation: np.ndarray | None = None,
    seed: int = 0,
) -> Probe:
    """Restore an image, and see by how much the result moves where noise is added and taken away; as above."""
    noisy = np.asarray(noisy, np.float64)
    result = np.asarray(method(noisy), np.float64)
    if result.shape != noisy.shape:
        raise CuelloError(f"the method made {result.shape} of an image {noisy.shape}, needed the same shape.")
    drawn = np.maximum(np.nan_to_num((signed_variance(noisy, noise) + signed_variance(result, noise)) / 2), 0)
    z = coloured(noisy.shape, correlation, seed=seed) * np.sqrt(drawn)
    z *= math.sqrt(drawn.sum() / max(float(np.sum(z**2)), 1e-300))
    more, less = (np.asarray(method(noisy + sign * NOISIER * z), np.float64) for sign in (1, -1))
    moved, jump = (more - less) / (2 * NOISIER), (more + less) / 2 - result
    jumps = np.nanmean(jump**2) > JUMPS * NOISIER**2 * np.nanmean(moved**2)
    return Probe(noisy, result, added=z, moved=moved, jump=jump if jumps else None)


def noise_again(
    noisy: np.ndarray, method: Method, noise: NoiseModel, correlation: np.ndarray | None = None, seed: int = 0
) -> Remeasured:
    """Measure the noise of an image ``(H, W)`` again, by what a good method takes away; see ``remeasure``.

    noise, correlation: what is known of it so far, as in ``judge``; it is kept where what is found is far from it.

    >>> flat = 100 + 10 * numpy_generator(0, "example").standard_normal((256, 256))
    >>> found = noise_again(flat, lambda y: np.full_like(y, y.mean()), NoiseModel(gain=0, base=115))
    >>> found.again, abs(found.model.read / 10 - 1) < 0.02
    (True, True)
    """
    return remeasured(probed(noisy, method, noise, correlation=correlation, seed=seed), noise, correlation)


def signed_variance(values: np.ndarray, noise: "NoiseModel | Sequence[NoiseModel]") -> np.ndarray:
    """Give ``gain · value + base`` of each value, below 0 too, so that its mean over noisy values is unbiased."""
    models = [noise] if isinstance(noise, NoiseModel) else list(noise)
    if len(models) not in (1, values.shape[2] if values.ndim == 3 else 1):
        raise CuelloError(f"got {len(models)} noise models for an image {values.shape}, needed one, or one a channel.")
    gain, base = np.array([one.gain for one in models]), np.array([one.base for one in models])
    return (gain if len(models) > 1 else gain[0]) * values + (base if len(models) > 1 else base[0])


def coloured(shape: tuple[int, ...], correlation: np.ndarray | None, seed: int = 0) -> np.ndarray:
    """Draw Gaussian noise of variance 1 with an autocorrelation between neighbours, of each channel apart.

    >>> drawn = coloured((256, 256), np.array([[0.0, 0, 0], [0.4, 1, 0.4], [0, 0, 0]]))
    >>> round(float(np.mean(drawn[:, 1:] * drawn[:, :-1])), 1)
    0.4
    """
    white = numpy_generator(seed, "blind score").standard_normal(shape)
    if correlation is None:
        return white
    power = spectrum(correlation, shape[:2])
    factor = np.sqrt(power).reshape(*power.shape, *[1] * (len(shape) - 2))
    return np.fft.irfft2(np.fft.rfft2(white, axes=(0, 1)) * factor, s=shape[:2], axes=(0, 1))


def spectrum(correlation: np.ndarray, shape: Sequence[int]) -> np.ndarray:
    """Give the power of each frequency, as ``rfft2`` orders them, of noise with this autocorrelation; its mean is 1.

    What a measured correlation has below 0 is left out.
    """
    sides = correlation.shape
    if correlation.ndim != 2 or any(side % 2 == 0 for side in sides):
        raise CuelloError(f"got a correlation of shape {sides}, needed odd sides with the pixel itself in the middle.")
    kernel = np.zeros(tuple(shape))
    for (row, column), value in np.ndenumerate(correlation):
        kernel[(row - sides[0] // 2) % shape[0], (column - sides[1] // 2) % shape[1]] += value
    whole = np.maximum(np.fft.fft2(kernel).real, 0)
    return (whole / whole.mean())[:, : shape[1] // 2 + 1]


def judge(
    noisy: Sequence[np.ndarray],
    methods: Mapping[str, Method],
    noise: "NoiseModel | Sequence[NoiseModel]",
    *,
    peak: float,
    correlation: np.ndarray | None = None,
    seed: int = 0,
    by: str | None = None,
) -> tuple[BlindScore, ...]:
    """Score methods on single noisy images, the best first.

    noisy: images ``(H, W)`` or ``(H, W, C)``, in the noise model's unit. methods: what to judge, by name. peak: the
    value that counts as white. All methods see the same added noise, and the model's own error is in every score alike,
    so their order is surer than each score. by: a method that restores well, by whose results the noise of each image
    is measured again (see ``noise_again``), of one channel; None: the model is taken as it is.

    >>> flat = 100 + 10 * numpy_generator(0, "example").standard_normal((64, 64))
    >>> scores = judge([flat], {"nothing": lambda y: y, "mean": lambda y: np.full_like(y, y.mean())},
    ...                NoiseModel(gain=0, base=100), peak=255)
    >>> [score.name for score in scores], round(scores[1].psnr)
    (['mean', 'nothing'], 28)
    """
    if by is not None and by not in methods:
        raise CuelloError(f"by: got {by!r}, needed one of the methods that are judged: {', '.join(methods)}.")
    errors: dict[str, list[np.ndarray]] = {name: [] for name in methods}
    unsure: dict[str, list[float]] = {name: [] for name in methods}
    again, expected, shares = list[bool](), list[float](), list[float]()
    for at, image in enumerate(noisy):
        model, shared, done, probes = noise, correlation, False, dict[str, Probe]()
        if by is not None and isinstance(noise, NoiseModel):
            probe = probed(image, methods[by], noise, correlation=correlation, seed=seed + at)
            found = remeasured(probe, noise, correlation)
            model, shared, done = found.model, found.correlation, found.again
            if shared is None:  # noise that is added as the first model says moves the result in proportion
                probes[by] = probe
        variance = max(0.0, float(np.nanmean(signed_variance(np.asarray(image, np.float64), model))))
        for name, method in methods.items():
            probe = probes.get(name) or probed(image, method, model, correlation=shared, seed=seed + at)
            drawn = noise if name in probes and isinstance(noise, NoiseModel) else None
            errors[name].append(errors_of(probe, model, drawn=drawn))
            unsure[name].append(unsure_of(probe, errors[name][-1]))
        expected.append(variance)
        shares.append(SHARED_ERROR if shared is not None else AGAIN_ERROR if done else MODEL_ERROR)
        again.append(done)
    bias = SHARED if correlation is not None else AGAIN if all(again) else SINGLE
    best = [blind_score(name, errors[name], peak, bias=bias) for name in ([by] if by is not None else methods)]
    least = min((max(one.mse, one.chance) for one in best), default=0.0)
    known = model_error(float(np.mean(expected)), float(np.mean(shares)), least if correlation is None else 0.0)
    scores = [
        blind_score(name, of, peak, bias=bias, unsure=math.hypot(known, float(np.mean(unsure[name]))))
        for name, of in errors.items()
    ]
    return tuple(sorted(scores, key=lambda score: score.mse))


def model_error(variance: float, share: float, left: float) -> float:
    """Give the standard error of a score by that of the noise's variance, where the best result leaves an error.

    >>> model_error(100, 0.02, 10), model_error(100, 0.02, 1000)
    (2.6, 62.0)
    """
    return variance * (share + TEXTURE * min(left / variance, 1.0) ** 2) if variance > 0 else 0.0


def errors_of(probe: Probe, noise: "NoiseModel | Sequence[NoiseModel]", drawn: NoiseModel | None = None) -> np.ndarray:
    """Estimate the squared errors of ``single_errors`` by what was probed.

    drawn: the model of the white noise that was added, where it was not ``noise``.
    """
    kept = 2 * probe.added * probe.moved
    if drawn is not None and isinstance(noise, NoiseModel):
        before = drawn.variance(probe.result)
        least = max(1e-3 * float(np.nanmean(before)), np.finfo(float).tiny)
        kept *= np.where(before > least, noise.variance(probe.result) / np.maximum(before, least), 1.0)
    if probe.jump is not None:
        kept -= 2 * probe.jump * (probe.noisy - probe.result - probe.jump)
    return (probe.result - probe.noisy) ** 2 - signed_variance(probe.noisy, noise) + kept


def unsure_of(probe: Probe, errors: np.ndarray) -> float:
    """Give the standard error of ``errors_of`` that a jump adds: half of the most that it can be off.

    The error of the middle of the two runs is known. That of the result differs by the jump, and is at least the
    square of the difference of both lengths, at most that of their sum; ``errors_of`` gives what is between.
    """
    if probe.jump is None:
        return 0.0
    jump = float(np.nanmean(probe.jump**2))
    return math.sqrt(jump * max(float(np.nanmean(errors)) - jump, 0.0))


def judge_copies(
    captures: Sequence[np.ndarray], results: Mapping[str, Sequence[np.ndarray]], *, peak: float
) -> tuple[BlindScore, ...]:
    """Score what was made of each of several captures of one scene against the others, the best first.

    captures: two or more noisy images, all of one shape. results: by name, an image for each capture. The errors are
    those from the mean of all: where light fades or drifts from one to the next, they hold that too.
    """
    if len(captures) < 2:
        raise CuelloError(f"got {len(captures)} captures, needed two or more of the same scene.")
    scores = [
        blind_score(
            name,
            [
                np.mean([copy_errors(result, noisy, copy) for copy in captures if copy is not noisy], axis=0)
                for result, noisy in zip(images, captures, strict=True)
            ],
            peak=peak,
            bias=COPY,
        )
        for name, images in results.items()
    ]
    return tuple(sorted(scores, key=lambda score: score.mse))


def judge_by_captures(
    captures: Sequence[np.ndarray], methods: Mapping[str, Method], *, peak: float
) -> tuple[BlindScore, ...]:
    """Score methods on several captures of one scene, each result against the other captures, the best first."""
    results = {name: [np.asarray(method(noisy)) for noisy in captures] for name, method in methods.items()}
    return judge_copies(captures, results, peak=peak)


def are_captures(images: Sequence[np.ndarray], noise: "NoiseModel | Sequence[NoiseModel]") -> bool:
    """Tell whether images are several captures of one scene that does not move.

    Their blocks of 8x8 pixels must have nearly the same pattern of brightness, and from one image to the next no more
    may change than noise does, and no less.

    >>> random, scene = np.random.default_rng(0), np.linspace(0, 99, 64) + np.zeros((64, 1))
    >>> one, other = (scene + random.normal(0, 5, scene.shape) for _ in range(2))
    >>> are_captures([one, other], NoiseModel(0, 25)), are_captures([one, other.T], NoiseModel(0, 25))
    (True, False)
    """
    if len(images) < 2 or len({image.shape for image in images}) > 1 or min(images[0].shape[:2]) < 2 * COARSE:
        return False
    first = np.asarray(images[0], np.float64)
    for other in images[1:]:
        if not np.isfinite(other - first).any():
            return False
        expected = np.nanmean(np.maximum(signed_variance(first, noise), 0))
        if not expected / CHANGE < np.nanmean((other - first) ** 2) / 2 < expected * CHANGE:
            return False
        if not np.corrcoef(coarse(first), coarse(np.asarray(other, np.float64)))[0, 1] >= ALIKE:
            return False
    return True


def coarse(image: np.ndarray) -> np.ndarray:
    """Give the means of the squares of COARSE pixels a side, in a row."""
    height, width = (side // COARSE * COARSE for side in image.shape[:2])
    parts = np.nan_to_num(image[:height, :width]).reshape(height // COARSE, COARSE, width // COARSE, COARSE, -1)
    return parts.mean((1, 3)).ravel()
