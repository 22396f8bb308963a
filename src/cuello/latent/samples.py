"""Codes drawn at random: from a network's prior, or from a distribution fitted to known codes."""

import numpy as np
import torch

from cuello.core.errors import CuelloError
from cuello.core.seeding import generator
from cuello.inference.model import Model
from cuello.latent.codes import Decoded


def sample(model: Model, n: int, seed: int = 0, codes: np.ndarray | None = None) -> Decoded:
    """Draw codes at random and decode them: images that nobody drew.

    From the network's prior; or, with ``codes`` of known images, ``(N, …)``, N of 2 or more, from the normal
    distribution fitted to those, with their whole covariance: what a network without a prior needs, and what shows how
    far another's codes are from its prior. n: how many, 1 or more. The same seed gives the same codes. Raises
    CuelloError where there is neither.

    Source: fitted afterwards: Ghosh et al. 2020, section 4.
    """
    model.check_latent()
    if n < 1:
        raise CuelloError(f"n: got {n}, needed 1 or more.")
    random = generator(seed, "sample")
    if codes is not None:
        drawn = fitted_normal(np.asarray(codes), n, random)
    elif model.prior is None:
        raise CuelloError(
            f"the network {model.artefact.architecture.name!r} has no prior to draw codes from. Give codes of known "
            "images, as in sample(model, n, codes=model.encode(images)), or train one: cuello train generate DATA."
        )
    else:
        drawn = from_prior(model, n, random)
    return Decoded(drawn, model.decode(drawn))


def from_prior(model: Model, n: int, random: torch.Generator) -> np.ndarray:
    """Draw ``n`` codes from the network's prior, float32."""
    shape = model.latent_shape
    if shape is None:
        raise CuelloError("the shape of this network's code depends on the image's size. Give codes=… to sample.")
    return model.network.draw(n, random, shape).float().cpu().numpy()


def fitted_normal(codes: np.ndarray, n: int, random: torch.Generator) -> np.ndarray:
    """Draw ``n`` codes, float32, from the normal distribution with the mean and covariance of these.

    With R of the centred codes' QR decomposition, ``mean + Rᵀ ε / √(N - 1)`` has exactly their covariance, whatever its
    rank. Raises CuelloError for fewer than two codes.
    """
    if codes.ndim < 2 or len(codes) < 2:
        raise CuelloError(f"got codes of shape {codes.shape}, needed (N, …) with two or more to fit a distribution to.")
    rows = codes.reshape(len(codes), -1).astype(np.float64)
    mean = rows.mean(0)
    factor = np.linalg.qr(rows - mean, mode="r")
    noise = torch.randn(n, len(factor), generator=random, dtype=torch.float64).numpy()
    drawn = mean + noise @ factor / np.sqrt(len(codes) - 1)
    return drawn.reshape(n, *codes.shape[1:]).astype(np.float32)
