"""Networks for salt-and-pepper noise: test the extreme values, fill those that fail, change nothing else."""

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from cuello.core.types import Output
from cuello.models.base import ImageNetwork
from cuello.models.limits import ImageSettings, Width

WINDOW = 5  # side in pixels of the window that fills a pixel; 7 was slower and, after the same time, worse
STRIDE = 8  # side of the pyramid's coarsest cells, in pixels: three halvings
TRUST_RADIUS = 7  # a pixel's trust sees its own cell of 4x4 pixels and those around it: 3 + 4
PYRAMID_RADIUS = 21  # cells of 2, 4 and 8 pixels, each averaged over 3x3, for a pixel that lies worst in them


def pick(maps: Tensor, index: Tensor) -> Tensor:
    """Read ``maps`` at flat positions; on a CPU this is much faster than indexing by several tensors."""
    if torch.onnx.is_in_onnx_export():  # where nothing is marked, ONNX takes a length of 0 for another one
        return maps.reshape(-1)[index]
    return maps.reshape(-1).index_select(0, index.reshape(-1)).view(index.shape)


def pull_push(x: Tensor, known: Tensor, levels: int = 3) -> Tensor:
    """Fill images by averages of what is known in cells of 2, 4 and 8 pixels, coarse where fine ones are empty.

    x, known: (N, C, H, W), both in [0, 1]. Returns (N, C, H/2, W/2); 0.5 where nothing in reach is known.
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

    Impulses are white or black with equal odds, so the balance of both among the neighbours tells a blown-out
    sky from noise at every level; and noise that hits whole pixels gives all channels the same value.
    """

    def __init__(self, features: int):
        super().__init__()
        self.hidden = nn.Linear(9, features)
        self.output = nn.Linear(features, 1)
        nn.init.zeros_(self.output.weight)
        nn.init.zeros_(self.output.bias)  # begin with the balance alone, see forward

    def forward(self, x: Tensor, candidate: Tensor, marked: Tensor) -> Tensor:
        """Map x, candidate, both (N, C, H, W), and M flat positions in (N, H, W) to their trust, (C, M)."""
        channels, height, width = x.shape[1:]
        batch, row, column = marked // (height * width), marked // width % height, marked % width
        plane = batch * 3 * channels + torch.arange(3 * channels, device=x.device)[:, None]  # (3C, M)
        polarity = candidate * (2 * x - 1)  # white 1, black -1, others 0
        maps = torch.cat([polarity, candidate, x * (1 - candidate)], dim=1)  # (N, 3C, H, W)
        sign = pick(maps, (plane * height + row) * width + column)[:channels]  # (C, M)
        agreement = sign * sign.mean(dim=0)  # 1 where all channels are white, or all black
        evidence, prior = [agreement], torch.zeros_like(sign)
        for cell in (1, 2, 4):
            maps = maps if cell == 1 else F.avg_pool2d(maps, 2)  # (N, 3C, H/cell, W/cell)
            around = F.avg_pool2d(maps, 3, stride=1, padding=1, count_include_pad=False)
            index = (plane * (height // cell) + row // cell) * (width // cell) + column // cell
            balance, count, known = pick(around, index).view(3, channels, -1)
            evidence += [sign * balance, count]
            if cell == 1:
                evidence.append(agreement * sign * balance)
            if cell == 2:
                # Half of the surroundings in excess is an even bet. Saturated areas are rare in training
                # images, and noise never looks like one: this holds from the start, without an example.
                prior = 12 * (sign * balance - 0.5)
                # How far the value lies from those known around it
                evidence.append((0.5 + 0.5 * sign - known / (1.001 - count)).abs() * (1 - count))
        stacked = 3 * torch.stack(evidence, dim=-1)  # (C, M, 9); both factors 3 speed up these few weights
        logit = prior + 3 * self.output(F.elu(self.hidden(stacked))).squeeze(-1)  # (C, M)
        return torch.sigmoid(logit.float())


def orientations() -> Tensor:
    """List a window's flat positions, (8, K*K): 1 is flipped left to right, 2 top to bottom, 4 transposed."""
    plain = torch.arange(WINDOW**2).view(WINDOW, WINDOW)
    flipped = [plain, plain.flip(1), plain.flip(0), plain.flip(0, 1)]
    return torch.stack([turned.flatten() for turned in flipped + [turned.t() for turned in flipped]])


class KernelPredictor(nn.Module):
    """Predict a K x K kernel for each row from differences to its centre and which neighbours are known.

    Each window is flipped and transposed until its gradient points right and down, more right than down, and
    its kernel is turned back: what is learned for one orientation serves all eight.
    """

    orientations: Tensor
    horizontal: Tensor
    vertical: Tensor

    def __init__(self, features: int):
        super().__init__()
        self.hidden = nn.ModuleList([nn.Linear(2 * WINDOW**2, features), nn.Linear(features, features)])
        self.output = nn.Linear(features, WINDOW**2)
        nn.init.zeros_(self.output.weight)  # begin with the normalised convolution alone
        nn.init.zeros_(self.output.bias)
        offset = torch.arange(WINDOW) - WINDOW // 2.0
        self.register_buffer("orientations", orientations(), persistent=False)
        self.register_buffer("horizontal", offset.repeat(WINDOW), persistent=False)
        self.register_buffer("vertical", offset.repeat_interleave(WINDOW), persistent=False)

    def forward(self, difference: Tensor, known: Tensor) -> Tensor:
        """Map differences and known, both (C, M, K*K), to kernels (M, K*K) that all channels share."""
        difference, known = difference.mean(dim=0), known.mean(dim=0)  # (M, K*K)
        right = (difference * self.horizontal).sum(dim=1)  # (M,)
        down = (difference * self.vertical).sum(dim=1)  # (M,)
        orientation = (right < 0).long() + 2 * (down < 0).long() + 4 * (right.abs() < down.abs()).long()
        turn = self.orientations[orientation]  # (M, K*K)
        # 10 brings differences of pixels to the size of the mask's 0 and 1.
        rows = torch.cat([10 * difference.gather(1, turn), known.gather(1, turn)], dim=1)  # (M, 2*K*K)
        for layer in self.hidden:
            rows = F.elu(layer(rows))  # (M, features)
        kernel = self.output(rows).float()  # (M, K*K)
        return torch.zeros_like(kernel).scatter(1, turn, kernel)


class ImpulseConfig(ImageSettings):
    """Settings of an ImpulseNetwork."""

    features: Width = Field(default=24, description="hidden features that predict a pixel's kernel")
    passes: int = Field(default=1, ge=1, le=256, description="corrections in a row, each seeing the one before it")


class ImpulseNetwork(ImageNetwork):
    r"""Restore images with salt-and-pepper noise by convolutions whose kernels fit each missing pixel.

    Only pixels that are exactly 0 or 1 are candidates. With the trust :math:`t`, weights :math:`w = t` for
    candidates and 1 for others, and a kernel :math:`k` that is the same everywhere, each candidate becomes

    .. math:: y = t x + (1 - t) \left( f + \sum_j a_j w_j (x_j - f) \right), \qquad
        f = \frac{\sum_j k_j w_j x_j + \epsilon p}{\sum_j k_j w_j + \epsilon}

    over the window's pixels j, where a small network predicts the kernel :math:`a` from :math:`w_j (x_j - f)`
    and :math:`w_j`, and :math:`p` is a fill from a pyramid, for windows that know nothing. More passes repeat the
    correction, with the last result for f and in the place of missing neighbours. As only differences to f
    enter, a brighter image gives the same, brighter. The network runs at the candidates alone.

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
        (0.25, 0.25)

    Source: normalised convolution, Knutsson and Westin, CVPR 1993, equation 4; a predicted kernel a pixel, Bako
    et al., "Kernel-predicting convolutional networks for denoising Monte Carlo renderings", 2017, section 4.2;
    pull-push, Gortler et al., "The lumigraph", 1996, section 3.4.
    """

    def __init__(self, config: ImpulseConfig):
        super().__init__()
        self.config = config
        self.channels = config.channels
        self.stride = STRIDE
        # A later pass looks at its neighbours' fills, which have looked at their own neighbours.
        reach = PYRAMID_RADIUS + (config.passes - 1) * (WINDOW // 2) + TRUST_RADIUS
        self.receptive_field = 1 + 2 * reach
        self.trust = Trust(features=8)
        self.predictors = nn.ModuleList(KernelPredictor(config.features) for _ in range(config.passes))
        offset = torch.arange(WINDOW) - WINDOW // 2
        squared_distance = (offset[:, None] ** 2 + offset**2).flatten()
        self.log_kernel = nn.Parameter(-0.78 * squared_distance)  # a Gaussian of standard deviation 0.8 pixels
        self.log_fallback = nn.Parameter(torch.tensor(-6.0))

    def forward(self, x: Tensor, condition: Tensor | None = None) -> Output:
        """Restore x, (N, C, H, W) in [0, 1]; ``condition`` is not used."""
        number, channels, height, width = x.shape
        radius = WINDOW // 2
        candidate = ((x == 0) | (x == 1)).to(x.dtype)
        marked = candidate.amax(dim=1).flatten().nonzero().squeeze(1)  # (M,) flat positions in (N, H, W)

        def spread(rows: Tensor) -> Tensor:
            """(C, M) -> (N, C, H, W), zero where nothing is marked."""
            maps = rows.new_zeros(number * height * width, channels).index_copy(0, marked, rows.t())
            return maps.view(number, height, width, channels).permute(0, 3, 1, 2)

        def windows(maps: Tensor) -> Tensor:
            """(N, C, H, W) -> the windows around marked pixels, zero outside the image, (C, M, K*K)."""
            return pick(F.pad(maps, (radius, radius, radius, radius)), window_index)

        batch, row, column = marked // (height * width), marked // width % height, marked % width
        plane = batch * channels + torch.arange(channels, device=x.device)[:, None]  # (C, M)
        step, padded = torch.arange(WINDOW, device=x.device), width + 2 * radius
        corner = (plane * (height + 2 * radius) + row) * padded + column
        window_index = corner[..., None] + (step[:, None] * padded + step).flatten()  # (C, M, K*K)

        trust = spread(self.trust(x, candidate, marked))
        # Trust learns from the pixel it decides about alone: gradients through windows are slow.
        known = 1 - candidate * (1 - trust.detach())
        weight, values = windows(known), windows(known * x)
        centre = weight.shape[2] // 2
        # A missing channel has no centre of its own; where other channels know theirs, it can follow them.
        share = 1 / weight[..., centre].sum(dim=0).clamp(min=1)  # (M,)
        cell = (plane * (height // 2) + row // 2) * (width // 2) + column // 2  # (C, M)
        with torch.autocast(x.device.type, enabled=False):  # sums of weights in bfloat16 would shift the fill
            coarse = pick(pull_push(x, known), cell)  # (C, M)
            kernel = self.log_kernel.exp() * (torch.arange(len(self.log_kernel), device=x.device) != centre)
            fallback = self.log_fallback.exp()
            fill = (values @ kernel + fallback * coarse) / (weight @ kernel + fallback)  # (C, M)
        for index, predictor in enumerate(self.predictors):
            if index == 0:
                difference = values - weight * fill.detach()[..., None]  # (C, M, K*K)
            else:  # as above, no gradient through the neighbours
                difference = windows(known * x + (1 - known) * spread(fill.detach())) - fill[..., None]
            kernel = predictor(difference, weight)  # (M, K*K)
            own = difference[..., centre]
            others = share * own.sum(dim=0)
            fill = fill + (difference * kernel).sum(dim=-1) + kernel[:, centre] * (others - own)
            # Clipped, but with the gradient of the identity: overshoot learns its way back, and a kernel gone
            # astray cannot make trust in impulses look good, from which a network would not recover.
            fill = fill + (fill.clamp(0, 1) - fill).detach()
        return Output(image=x + candidate * (1 - trust) * (spread(fill) - x))
