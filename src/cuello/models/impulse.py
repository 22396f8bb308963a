"""Networks for salt-and-pepper noise: test the extreme values, fill those not trusted, change nothing else."""

import torch
import torch.nn.functional as F
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from cuello.types import Output

STRIDE = 8  # side of the pyramid's coarsest cells, in pixels: three halvings
TRUST_RADIUS = 7  # a pixel's trust sees its own cell of 4x4 pixels and those around it: 3 + 4
PYRAMID_RADIUS = 21  # cells of 2, 4 and 8 pixels, each averaged over 3x3, for a pixel that lies worst in them


def pick(maps: Tensor, index: Tensor) -> Tensor:
    """Read ``maps`` at flat positions, in the index's shape: on a CPU much faster than indexing by several tensors."""
    return maps.reshape(-1).index_select(0, index.reshape(-1)).view(index.shape)


def pull_push(x: Tensor, known: Tensor, levels: int = 3) -> Tensor:
    """Fill images from known pixels by normalised averages over cells of 2, 4 and 8 pixels, the finest that knows most.

    x, known: (N, C, H, W), known in [0, 1]. Returns (N, C, H/2, W/2); 0.5 where nothing within reach is known.
    """
    total, weight, pyramid = known * x, known, []
    for _ in range(levels):
        total, weight = F.avg_pool2d(total, 2), F.avg_pool2d(weight, 2)  # halves H and W
        pyramid.append((F.avg_pool2d(total, 3, stride=1, padding=1), F.avg_pool2d(weight, 3, stride=1, padding=1)))
    total, weight = pyramid.pop()
    fill = (total + 5e-5) / (weight + 1e-4)  # (N, C, H/8, W/8)
    for total, weight in reversed(pyramid):
        coarse = F.interpolate(fill, scale_factor=2.0, mode="bilinear", align_corners=False)  # doubles H and W
        fill = (total + 0.01 * coarse) / (weight + 0.01)
    return fill


class Trust(nn.Module):
    """Estimate the probability that an exact 0 or 1 belongs to the image.

    Impulses are white or black with equal odds, so the balance of both among the neighbours tells a blown-out sky from
    noise at every level; and noise that hits whole pixels gives all channels the same value.
    """

    def __init__(self, features: int):
        super().__init__()
        self.hidden = nn.Linear(9, features)
        self.output = nn.Linear(features, 1)
        nn.init.zeros_(self.output.weight)
        nn.init.constant_(self.output.bias, -1.0)  # begin with "nearly every candidate is an impulse"

    def forward(self, x: Tensor, candidate: Tensor, marked: Tensor) -> Tensor:
        """Map x and candidate, (N, C, H, W), and the flat positions of M pixels in (N, H, W) to their trust, (C, M)."""
        channels, height, width = x.shape[1:]
        batch, row, column = marked // (height * width), marked // width % height, marked % width
        plane = batch * 3 * channels + torch.arange(3 * channels, device=x.device)[:, None]  # (3C, M)
        polarity = candidate * (2 * x - 1)  # white 1, black -1, others 0
        maps = torch.cat([polarity, candidate, x * (1 - candidate)], dim=1)  # (N, 3C, H, W)
        sign = pick(maps, (plane * height + row) * width + column)[:channels]  # (C, M)
        agreement = sign * sign.mean(dim=0)  # 1 where all channels are white, or all black
        evidence = [agreement]
        for cell in (1, 2, 4):
            maps = maps if cell == 1 else F.avg_pool2d(maps, 2)  # (N, 3C, H/cell, W/cell)
            around = F.avg_pool2d(maps, 3, stride=1, padding=1, count_include_pad=False)
            index = (plane * (height // cell) + row // cell) * (width // cell) + column // cell
            balance, count, known = pick(around, index).view(3, channels, -1)
            evidence += [sign * balance, count]
            if cell == 1:
                evidence.append(agreement * sign * balance)
            if cell == 2:  # how far the value lies from those known around it
                evidence.append((0.5 + 0.5 * sign - known / (1.001 - count)).abs() * (1 - count))
        stacked = 3 * torch.stack(evidence, dim=-1)  # (C, M, 9); both factors 3 make these few weights learn faster
        return torch.sigmoid(3 * self.output(F.elu(self.hidden(stacked))).squeeze(-1).float())


class KernelPredictor(nn.Module):
    """Predict a K x K kernel for each row from the differences to its centre and from which neighbours are known."""

    def __init__(self, window: int, features: int, layers: int):
        super().__init__()
        sizes = [2 * window**2] + [features] * layers
        self.hidden = nn.ModuleList(nn.Linear(a, b) for a, b in zip(sizes, sizes[1:]))
        self.output = nn.Linear(features, window**2)
        nn.init.zeros_(self.output.weight)  # begin with the normalised convolution alone
        nn.init.zeros_(self.output.bias)

    def forward(self, difference: Tensor, known: Tensor) -> Tensor:
        """Map differences and known, both (C, M, K*K), to kernels (M, K*K) that all channels share."""
        rows = torch.cat([10 * difference.mean(dim=0), known.mean(dim=0)], dim=1)  # (M, 2*K*K); 10: near unit variance
        for layer in self.hidden:
            rows = F.elu(layer(rows))  # (M, features)
        return self.output(rows).float()


class ImpulseConfig(BaseModel):
    """Settings of an ImpulseNetwork."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    channels: int = Field(default=3, ge=1, description="image channels")
    window: int = Field(default=5, ge=3, description="side in pixels, odd, of the window that fills a pixel")
    features: int = Field(default=24, ge=1, description="hidden features that predict a pixel's kernel")
    layers: int = Field(default=2, ge=1, description="hidden layers that predict a pixel's kernel")


class ImpulseNetwork(nn.Module):
    r"""Restore images with salt-and-pepper noise by convolutions whose kernels fit each missing pixel.

    Only pixels that are exactly 0 or 1 are candidates. With the trust :math:`t`, weights :math:`w = 1` (others) or
    :math:`t` (candidates), and a kernel :math:`k` that is the same everywhere, each candidate becomes

    .. math:: y = t x + (1 - t) \left( f + \sum_j a_j w_j (x_j - f) \right), \qquad
        f = \frac{\sum_j k_j w_j x_j + \epsilon p}{\sum_j k_j w_j + \epsilon}

    over the window's pixels j, where a small network predicts the kernel :math:`a` from :math:`w_j (x_j - f)` and
    :math:`w_j`, and :math:`p` is a fill from a pyramid, for windows that know nothing. As only differences to f enter,
    a brighter image gives the same, brighter. All arithmetic is done at the candidates alone.

    Args:
        config: the sizes.

    Shapes:
        x: (N, C, H, W) float32 in [0, 1], H and W multiples of ``stride``. Output image: the same.

    Example:
        >>> network = ImpulseNetwork(ImpulseConfig(channels=1))
        >>> image = torch.full((1, 1, 16, 16), 0.25)
        >>> image[0, 0, 5, 8] = 1.0
        >>> restored = network(image).image
        >>> round(restored[0, 0, 5, 8].item(), 2), restored[0, 0, 0, 0].item()
        (0.29, 0.25)

    Source: normalised convolution, Knutsson and Westin, CVPR 1993, equation 4; one predicted kernel a pixel, Bako et
    al., "Kernel-predicting convolutional networks for denoising Monte Carlo renderings", 2017, section 4.2; pull-push,
    Gortler et al., "The lumigraph", 1996, section 3.4.
    """

    def __init__(self, config: ImpulseConfig):
        super().__init__()
        self.config = config
        self.channels = config.channels
        self.stride = STRIDE
        self.receptive_field = 1 + 2 * (max(PYRAMID_RADIUS, config.window // 2) + TRUST_RADIUS)
        self.trust = Trust(features=8)
        self.predictor = KernelPredictor(config.window, config.features, config.layers)
        offset = torch.arange(config.window) - config.window // 2
        self.log_kernel = nn.Parameter(-0.78 * (offset[:, None] ** 2 + offset**2).flatten())  # Gaussian, deviation 0.8
        self.log_fallback = nn.Parameter(torch.tensor(-6.0))

    def forward(self, x: Tensor, condition: Tensor | None = None) -> Output:
        """Restore x, (N, C, H, W) in [0, 1]; ``condition`` is not used."""
        number, channels, height, width = x.shape
        candidate = ((x == 0) | (x == 1)).to(x.dtype)
        marked = candidate.amax(dim=1).flatten().nonzero().squeeze(1)  # (M,) positions in (N, H, W)

        def spread(rows: Tensor) -> Tensor:
            """(C, M) -> (N, C, H, W), zero where nothing is marked."""
            maps = rows.new_zeros(number * height * width, channels).index_copy(0, marked, rows.t())
            return maps.view(number, height, width, channels).permute(0, 3, 1, 2)

        trust = spread(self.trust(x, candidate, marked))
        # Trust learns from the pixel that it decides about; through its neighbours' fills it would cost twice the time.
        known = 1 - candidate * (1 - trust.detach())
        # Sums of weights stay in float32: in bfloat16 a fill would be off by a grey level.
        with torch.autocast(x.device.type, enabled=False):
            fill, difference, weight = self.fill(x, known, marked)
        kernel = self.predictor(difference, weight)  # (M, K*K)
        centre = kernel.shape[1] // 2
        # A missing channel has no centre to learn from; where other channels know theirs, it takes their difference.
        others = difference[..., centre].sum(dim=0) / weight[..., centre].sum(dim=0).clamp(min=1)  # (M,)
        correction = (difference * kernel).sum(dim=-1) + kernel[:, centre] * (others - difference[..., centre])
        return Output(image=x + candidate * (1 - trust) * (spread(fill + correction) - x))

    def fill(self, x: Tensor, known: Tensor, marked: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Fill M pixels: (C, M), with their windows' weighted differences to it and weights, (C, M, K*K) each."""
        channels, height, width = x.shape[1:]
        radius = self.config.window // 2
        batch, row, column = marked // (height * width), marked // width % height, marked % width
        plane = batch * channels + torch.arange(channels, device=x.device)[:, None]  # (C, M)
        coarse = pick(pull_push(x, known), (plane * (height // 2) + row // 2) * (width // 2) + column // 2)
        step = torch.arange(self.config.window, device=x.device)
        columns = width + 2 * radius  # of the padded image
        offset = (step[:, None] * columns + step).flatten()  # (K*K,)
        corner = (plane * (height + 2 * radius) + row) * columns + column
        index = corner[..., None] + offset  # (C, M, K*K)
        padding = (radius, radius, radius, radius)
        values = pick(F.pad(known * x, padding), index)
        weight = pick(F.pad(known, padding), index)
        not_centre = offset != offset[len(offset) // 2]
        kernel, fallback = self.log_kernel.exp() * not_centre, self.log_fallback.exp()
        fill = (values @ kernel + fallback * coarse) / (weight @ kernel + fallback)  # (C, M)
        return fill, values - weight * fill.detach()[..., None], weight
