"""What the source says. Losses are mean squared errors of values in [-1, 1]: four times those of values in [0, 1]."""

from dataclasses import dataclass

from cuello.studies.sources import said

IMAGES, TRAINED_ON, VALIDATED_ON, TESTED_ON = 855, 685, 119, 51
"""Pairs: 685 for training, the other 170 divided 70 to 30."""
SIDE, EPOCHS, BATCH, RATE, DECAY = 256, 20, 64, 0.01, 1e-5
IN_ITS_UNITS = 4
"""A mean squared error of values in [-1, 1] over that of the same values in [0, 1]."""


@dataclass(frozen=True)
class SourceNetwork:
    """A network of the source: its name here, its activation, and its last training and validation loss, if stated."""

    network: str
    label: str
    activation: str
    losses: tuple[float, float] | None = None


SAID = said("super_resolution")
COSTS, GUESSES = SAID["costs"], SAID["guesses"]
SOURCE_ROWS = tuple(SourceNetwork(**row) for row in SAID["networks"])
NETWORKS = tuple(row.network for row in SOURCE_ROWS)
BEST, WORST = "strided-unet", "strided-4-norm"
"""Its conclusion. It gives the best "over 97% accuracy" and does not say what that is."""
KERNEL = 32
