"""The table of the methods that learn from noisy images alone."""

from cuello.core.registry import Registry
from cuello.training.blind.base import BlindMethod
from cuello.training.blind.copies import other_copy
from cuello.training.blind.masks import blind_spot
from cuello.training.blind.neighbours import neighbours
from cuello.training.blind.recorrupted import recorrupted
from cuello.training.blind.sure import sure

METHODS: Registry[BlindMethod] = Registry(
    "method",
    [
        BlindMethod(
            "blind-spot", "guesses hidden pixels from those around them; of noise with structure, more are hidden",
            label="Noise2Void", needs="image", pair=blind_spot,
        ),
        BlindMethod(
            "neighbours", "learns one of two neighbouring pixels from the other",
            label="Neighbor2Neighbor", needs="image", pair=neighbours, white_only=True,
        ),
        BlindMethod(
            "sure", "estimates the error from the noise's level",
            label="SURE", needs="image", pair=sure, told=True,
        ),
        BlindMethod(
            "recorrupted", "learns the image with noise taken away from the image with as much added",
            label="Recorrupted2Recorrupted", needs="image", pair=recorrupted, told=True,
        ),
        BlindMethod(
            "pairs", "learns one noisy image from another of the same scene",
            label="Noise2Noise", needs="pairs", pair=other_copy,
        ),
        BlindMethod(
            "frames", "learns one frame of a still scene from the next",
            label="Noise2Noise", needs="frames", pair=other_copy,
        ),
    ],
)  # fmt: skip
