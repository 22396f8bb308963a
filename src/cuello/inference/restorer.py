"""What files and arrays need of whatever restores them: a trained network, or another way of taking noise off."""

from typing import Protocol

import numpy as np


class Restorer(Protocol):
    """Restores images ``(H, W, C)``."""

    @property
    def channels(self) -> int:
        """Channels that it works on at once; colours go one by one through a restorer of one channel."""
        ...

    @property
    def scale(self) -> int:
        """How many times larger the sides of the result are."""
        ...

    @property
    def gaps(self) -> bool:
        """Whether it looks at no pixel that is NaN, as whatever transparency hides then is."""
        ...

    @property
    def told_noise(self) -> bool:
        """Whether ``level`` is that of noise, in units of white, and not how strong another fault is."""
        ...

    def restore(self, image: np.ndarray, *, level: float | None = None) -> np.ndarray:
        """Restore pixels of their type, uint8, uint16 or floats in [0, 1]."""
        ...

    def restore_shares(self, shares: np.ndarray, level: float | None = None) -> np.ndarray:
        """Restore float32 shares of a range, some of which may lie outside it."""
        ...

    def enlarge(self, pixels: np.ndarray) -> np.ndarray:
        """Bring pixels to the size of the result, not restored."""
        ...
