"""Noise so faint that a network's own errors would be larger than it: images brought to where they are small."""

import torch
from torch import Tensor

from cuello.core.types import Output
from cuello.models.base import ImageNetwork, as_output

FAINT = 1 / 255
"""Noise of a smaller standard deviation, white being 1, is faint: a network errs by some tenths of that at black."""
LIFTED = 8 / 255
"""What faint noise is brought to."""
JOIN = 0.25
"""Share of white, below white, over which the restored dark parts of a lifted image go over into what came."""


class Lifted(ImageNetwork):
    """A trained network for Gaussian noise of a level that it is told, and for noise of any lower level.

    ``image = network(min(k x, 1), k level) / k`` where k x is below white, else x; ``k = LIFTED / level``

    Of levels from ``FAINT`` on it is the network itself. Below, what is dark beside white is seen brighter, with noise
    of the strength ``LIFTED``, beside which the network's own error is small; what is brighter than that comes back as
    it was: such noise is not seen there. An image without noise (level 0) comes back as it was.

    Input and output as of the network; ``condition`` is its level; None means 0.

    >>> from cuello.models.denoiser import Denoiser, DenoiserConfig
    >>> network = Lifted(Denoiser(DenoiserConfig(channels=1, width=8, depth=1)))
    >>> x = torch.rand(1, 1, 10, 12)
    >>> bool((network(x, torch.zeros(1, 1, 1, 1)).image == x).all())
    True
    """

    conditioning = "level"

    def __init__(self, network: ImageNetwork):
        super().__init__()
        self.network = network
        self.channels, self.stride, self.size = network.channels, network.stride, network.size
        self.receptive_field, self.scale = network.receptive_field, network.scale
        self.keeps_flat = network.keeps_flat

    def forward(self, x: Tensor, condition: Tensor | None = None) -> Output:
        level = x.new_zeros(1, 1, 1, 1) if condition is None else condition.to(x)
        faint = level < FAINT
        k = torch.where(faint, LIFTED / level.clamp(min=torch.finfo(torch.float32).tiny), 1.0)
        seen = torch.where(faint, (k * x).clamp(max=1), x)
        told = torch.where(faint, LIFTED, level)
        image = as_output(self.network(seen, told)).image  # (N, C, H, W)
        dark = ((1 - torch.maximum(seen, image)) / JOIN).clamp(0, 1) * (level > 0)
        return Output(torch.where(faint, x + dark * (image / k - x), image))
