"""Texture where there is no flat place, which hides weak noise."""

import numpy as np

from cuello.noise_models.estimate import BANDS, FEWEST, HIGH, SHARE, Blocks, mean_of_orders

LOWEST = range(1, 5)
"""Orders of a block's frequencies at which texture is strongest."""
EXCESS = 4.0
"""White noise has the same power at low and at high frequencies: so many times as much at low ones is texture, whose
own part at high ones cannot be told from noise.
"""


def hides_noise(blocks: Blocks) -> bool:
    """Tell whether even the flattest blocks, wherever the image is dark or bright, hold texture and hardly noise.

    Noise that neighbours share has more power at low frequencies too: ask only where it does not stand alone.

    >>> from cuello.noise_models.estimate import blocks_of
    >>> hides_noise(blocks_of([np.random.default_rng(0).normal(100, 5, (64, 64))]))
    False
    """
    if len(blocks.low) < BANDS[0] * FEWEST:
        return False
    bands = np.array_split(np.argsort(blocks.brightness), BANDS[0])
    flattest = [band[np.argsort(blocks.low[band])][: max(FEWEST, int(SHARE * len(band)))] for band in bands]
    power = np.array([blocks.orders[chosen].mean(0) for chosen in flattest])
    return bool((mean_of_orders(power, LOWEST) > EXCESS * mean_of_orders(power, HIGH)).all())
