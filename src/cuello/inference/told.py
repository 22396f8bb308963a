"""How strong a fault is, as a caller states it, in the units in which a network is told."""

from cuello.core.errors import CuelloError
from cuello.inference.model import Model

WHITE = 255
"""Grey levels of which the noise's standard deviation is stated."""


def told_by(model: Model) -> str | None:
    """Say by which number a network may be told how strong its fault is: "sigma", "quality", another; None by none.

    >>> from cuello.inference.model import load
    >>> told_by(load("denoise")), told_by(load("dejpeg")), told_by(load("upscale-x2"))
    ('sigma', 'quality', None)
    """
    return "sigma" if model.conditioned else model.fault.main if model.fault is not None else None


def told_level(model: Model, sigma: float | None = None, quality: float | None = None) -> float | None:
    """Return what ``Model.restore`` takes as level; None where nothing is stated.

    sigma: standard deviation of the noise, in grey levels of 255; of the blur, in pixels, for a network that takes blur
    off. quality: JPEG's.
    Raises CuelloError for one that the network cannot be told.

    >>> from cuello.inference.model import load
    >>> told_level(load("denoise"), sigma=51)
    0.2
    """
    fault, network, takes = model.fault, model.artefact.architecture.name, told_by(model)
    if quality is not None:
        if takes != "quality" or sigma is not None:
            raise CuelloError(
                f"--quality: got {quality:g}, but the network {network!r} takes no quality of JPEG"
                f"{' and a sigma' if takes == 'quality' else ''}. Leave it out."
            )
        return quality
    if sigma is None or (fault is not None and takes == "sigma"):
        return sigma
    if not 0 <= sigma <= WHITE:
        raise CuelloError(f"--sigma: got {sigma:g}, needed 0 to {WHITE}, in grey levels of {WHITE}.")
    if fault is not None:
        raise CuelloError(
            f"--sigma: got {sigma:g}, but the network {network!r} takes off {fault.name}, not noise. Leave it out."
        )
    return sigma / WHITE
