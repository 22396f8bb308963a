"""What is trained. An epoch of ours is EPOCH of the source's, which are steps on all characters."""

from typing import Any

from cuello.studies.base import StudyPlan
from cuello.studies.glyphs import source
from cuello.studies.glyphs.source import CLASSIC, CLASSIC_RATE, DENOISER, EMOJI_RATES, EMOJI_WIDTHS, SYMMETRIC

EPOCH, EMOJI_EPOCH = 100, 20
FLIPS = (3, 7)
CLASSIC_PLAN, OURS = "classic", "ours"
LAYERS = {"35-2": 1, "35-20-2": 2, "35-20-10-2": 3, "35-28-20-10-2": 4}
"""Layers of the encoder by widths; the source compares numbers of layers without saying which."""
OPTIMISERS: dict[str, dict[str, Any]] = {
    "gradient descent": {"optimizer": "sgd", "momentum": 0.0, "learning_rate": 1.0},
    "momentum": {"optimizer": "sgd", "momentum": 0.9, "learning_rate": 1.0},
    "Adam": {"optimizer": "adam", "learning_rate": CLASSIC_RATE},
}
RATES = (5e-2, 5e-3, 5e-4, 5e-5)
COMPARED_EPOCHS = 5_000
RECOMMENDED = "mlp:35-64-2,activation=elu"
RECOMMENDED_DENOISER = "mlp:35-256-128-32-2,activation=relu"
FEW = 3
"""Seeds of what is compared only, or takes long."""


def denoising(flips: int, *, ours: bool) -> str:
    """Name a denoiser by how many pixels are inverted in training."""
    return f"{'ours' if ours else 'source'}-at-{flips}"


def optimiser(name: str) -> str:
    return f"optimiser-{name.replace(' ', '-').lower()}"


def emoji(widths: str, rate: float) -> str:
    """Name a variational autoencoder of emoji by widths and learning rate."""
    return f"emoji-{widths}-rate-{rate:g}"


EMOJI_FOUR, EMOJI_OURS = "emoji-4", "emoji-ours"


def plans(data: str) -> list[StudyPlan]:
    full = {
        "job": "reconstruct", "batch_size": 32, "samples": 32 * EPOCH, "schedule": "constant", "optimizer": "adam",
        "learning_rate": CLASSIC_RATE,
    }  # fmt: skip
    ours = {"model": RECOMMENDED, "loss": "bce", "learning_rate": 1e-2, "schedule": "cosine", "epochs": 20}
    short = {**full, "model": CLASSIC, "epochs": COMPARED_EPOCHS // EPOCH}
    compared = {f"layers-{number}": {"model": f"mlp:{widths},{SYMMETRIC}"} for widths, number in LAYERS.items()}
    compared |= {optimiser(name): own for name, own in OPTIMISERS.items()}
    compared |= {f"rate-{rate:g}": {"learning_rate": rate} for rate in RATES}
    as_source = {
        **full, "job": "denoise", "model": DENOISER, "learning_rate": source.DENOISER_RATE, "validation_samples": 320,
    }  # fmt: skip
    denoised = {
        "job": "denoise", "model": RECOMMENDED_DENOISER, "loss": "bce", "learning_rate": 3e-3, "schedule": "cosine",
        "warmup_epochs": 1.0, "batch_size": 512, "samples": 512 * EPOCH, "epochs": 30, "validation_samples": 3200,
    }  # fmt: skip
    faces = {
        "job": "generate", "data": "emoji", "batch_size": 8, "samples": 8 * EMOJI_EPOCH, "schedule": "constant",
        "loss": "bernoulli", "epochs": source.EMOJI_EPOCHS // EMOJI_EPOCH,
    }  # fmt: skip
    sharp = {"loss": "gaussian:0.2", "learning_rate": 3e-3, "schedule": "cosine", "epochs": 300}
    four = {"data": "emoji-4", "batch_size": 4, "samples": 4 * EMOJI_EPOCH}
    generated = {emoji(widths, rate): {"model": f"vae:400-{widths}", "learning_rate": rate}
                 for widths in EMOJI_WIDTHS for rate in EMOJI_RATES}  # fmt: skip
    generated[EMOJI_OURS] = {**sharp, "model": "vae:400-200-100-2"}
    generated[EMOJI_FOUR] = {**four, "model": "vae:400-200-2", "learning_rate": 0.01}
    return [
        StudyPlan(CLASSIC_PLAN, {**full, "model": CLASSIC, "epochs": source.CLASSIC_EPOCHS // EPOCH}),
        StudyPlan(OURS, {**full, **ours}),
        *(StudyPlan(name, {**short, **own}, FEW) for name, own in compared.items()),
        *(
            StudyPlan(
                denoising(flips, ours=False),
                {**as_source, "noise": f"invert:{flips}", "epochs": source.NOISE_EPOCHS[flips] // EPOCH},
            )
            for flips in FLIPS
        ),
        *(StudyPlan(denoising(flips, ours=True), {**denoised, "noise": f"invert:{flips}"}, FEW) for flips in FLIPS),
        *(StudyPlan(name, {**faces, **own}, FEW) for name, own in generated.items()),
    ]
