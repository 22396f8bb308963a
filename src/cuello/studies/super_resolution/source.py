"""What the source says. Losses are mean squared errors of values in [-1, 1]: four times those of values in [0, 1]."""

from dataclasses import dataclass

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


SOURCE_ROWS = (
    SourceNetwork("strided-3", "three layers, ReLU", "relu", losses=(0.2611, 0.2599)),
    SourceNetwork("strided-4", "four layers, ReLU", "relu", losses=(0.2667, 0.2735)),
    SourceNetwork("strided-4-tanh", "four layers, tanh", "tanh", losses=(0.1501, 0.1611)),
    SourceNetwork("strided-4-sigmoid", "four layers, sigmoid", "sigmoid", losses=(0.2816, 0.2768)),
    SourceNetwork("strided-4-norm", "four layers, ReLU, batch normalisation and dropout", "relu"),
    SourceNetwork("strided-unet", "U-Net, five layers", "relu"),
)
NETWORKS = tuple(row.network for row in SOURCE_ROWS)
BEST, WORST = "strided-unet", "strided-4-norm"
"""Its conclusion. It gives the best "over 97% accuracy" and does not say what that is."""
COSTS = "Source: under an hour and 4 GB of GPU memory for the U-Net, about three hours and 6 GB for the others."
KERNEL = 32
GUESSES = (
    f"The source's {IMAGES} pairs of images are not to be had, nor is it known how its low resolution was made. Here "
    "images are made 2 and 4 times smaller and as large again as before, both by MATLAB's bicubic imresize, rounded to "
    "8 bits.",
    "The source's images have a fourth channel, alpha, as screenshots have; photographs have three.",
    f"The source has {TRAINED_ON} images for training, {VALIDATED_ON} for validation, {TESTED_ON} for the test; here "
    "they are crops, from different photographs in each part.",
    "The source states filters, kernels and strides. Paddings, the share of dropout (.2) and, for the U-Net, its "
    "strides, its joins and its activation (ReLU before tanh, as in the others) are guesses. The sigmoid and tanh "
    "variants have their activation in place of every ReLU, before the last tanh too.",
    "Losses in the first table are of the last epoch, as in the source; all else is of each training's best epoch.",
)
