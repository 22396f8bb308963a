"""Small convolutional classifiers: stages of convolutions with a pooling after each, then dense layers."""

from typing import Annotated, Any, Literal, cast

import pydantic
from torch import Tensor, nn
from torch.nn import functional

from cuello.core.errors import CuelloError
from cuello.models.base import ImageNetwork
from cuello.models.limits import Channels, Depth, Kernel, Settings, Side, Width, Widths

Stages = Annotated[tuple[Widths, ...], pydantic.Field(min_length=1, max_length=16)]
"""Filters of each convolution, stage by stage."""


class ClassifierConfig(Settings):
    """The settings of a classifier.

    classes: how many there are. height, width: of the images it is made for, pixels; with ``pooling = "global"`` it
    takes others too. pad: zeros put around the image, pixels. stages: the filters of each convolution; a pooling comes
    after each stage. first: side of the first kernel, pixels; the others are 3×3. unpadded: how many convolutions, from
    the first, take their kernel's side less one off the image; the others keep its size. activation: after every
    convolution and dense layer but the last. norm: batch norm after every convolution. pooling: "dense": the maximum of
    2×2 pixels after every stage, then dense layers; "global": instead of the last maximum, the mean over all pixels.
    dense: widths of the dense layers before the scores. dropout: share of numbers set to 0 before the scores.
    """

    channels: Channels = 3
    height: Side = 28
    width: Side = 28
    classes: Width = pydantic.Field(default=2, ge=2)
    pad: Depth = 0
    stages: Stages = ((16,), (32,))
    first: Kernel = 3
    unpadded: Depth = 0
    activation: Literal["none", "relu"] = "relu"
    norm: bool = False
    pooling: Literal["dense", "global"] = "dense"
    dense: Widths = ()
    dropout: float = pydantic.Field(default=0.0, ge=0, lt=1)

    @pydantic.model_validator(mode="after")
    def _checked(self) -> "ClassifierConfig":
        kernels = [self.first, *[3] * (sum(map(len, self.stages)) - 1)]
        even = [side for side in kernels[self.unpadded :] if side % 2 == 0]
        if even:
            raise ValueError(f"a kernel of an even side ({even[0]}) cannot keep the size: count it among the unpadded")
        self.map_size()
        return self

    def sizes(self) -> list[tuple[int, int]]:
        """Return height and width of the feature maps before each pooling, for images of the config's own size."""
        height, width = self.height + 2 * self.pad, self.width + 2 * self.pad
        found, number = [], 0
        for stage in self.stages:
            for _ in stage:
                lost = (self.first if number == 0 else 3) - 1 if number < self.unpadded else 0
                height, width, number = height - lost, width - lost, number + 1
            found.append((height, width))
            height, width = height // 2, width // 2
        return found

    def map_size(self) -> tuple[int, int]:
        """Return height and width of the last feature map; ValueError where nothing would be left of the image."""
        height, width = self.sizes()[-1]
        least = 2 if self.pooling == "dense" else 1
        if min(height, width) < least:
            raise ValueError(
                f"images of {self.width}×{self.height} pixels are too small for its {len(self.stages)} poolings: "
                "enlarge them (--resize=28)"
            )
        return (height // 2, width // 2) if self.pooling == "dense" else (1, 1)


class Classifier(ImageNetwork):
    """A convolutional classifier: images in, one score a class out.

    channels: of the images. size: height and width of the only images it takes; None where it takes any. classes: how
    many.
    """

    def __init__(self, config: ClassifierConfig):
        super().__init__()
        self.config = config
        self.channels, self.classes = config.channels, config.classes
        self.size = None if config.pooling == "global" else (config.height, config.width)
        stages, channels, number = [], config.channels, 0
        for stage in config.stages:
            layers: list[nn.Module] = []
            for filters in stage:
                side = config.first if number == 0 else 3
                padding = 0 if number < config.unpadded else side // 2
                layers.append(nn.Conv2d(channels, filters, side, padding=padding, bias=not config.norm))
                if config.norm:
                    layers.append(nn.BatchNorm2d(filters))
                layers += activation_of(config)
                channels, number = filters, number + 1
            stages.append(nn.Sequential(*layers))
        self.stages = nn.ModuleList(stages)
        self.ends = ("stages.0.0", "")
        rows, columns = config.map_size()
        width, layers = channels * rows * columns, []
        for wider in config.dense:
            layers += [nn.Linear(width, wider), *activation_of(config)]
            width = wider
        if config.dropout:
            layers.append(nn.Dropout(config.dropout))
        self.head = nn.Sequential(*layers, nn.Linear(width, config.classes))

    def features(self, x: Tensor) -> list[Tensor]:
        """Return the feature maps before each pooling, ``(N, filters, h, w)`` each, the first one first.

        x: images ``(N, C, H, W)`` in [0, 1]. Raises CuelloError for a size or channels that the network does not take.

        >>> import torch
        >>> network = Classifier(ClassifierConfig(channels=1, stages=((4,), (8, 8))))
        >>> [tuple(maps.shape[1:]) for maps in network.features(torch.zeros(1, 1, 28, 28))]
        [(4, 28, 28), (8, 14, 14)]
        """
        self.check(x)
        x = functional.pad(x, [self.config.pad] * 4)
        found: list[Tensor] = []
        for stage in self.stages:
            x = stage(functional.max_pool2d(x, 2) if found else x)
            found.append(x)
        return found

    def forward(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        """Return the scores of each class before softmax (logits): ``(N, C, H, W)`` in [0, 1] to ``(N, classes)``.

        Raises CuelloError for a size or channels that the network does not take.
        """
        return self.scores(self.features(x)[-1])

    def scores(self, last: Tensor) -> Tensor:
        """Return the scores ``(N, classes)`` that the last of the feature maps leads to."""
        pooled = last.mean((2, 3)) if self.size is None else functional.max_pool2d(last, 2)
        return self.head(pooled.flatten(1))

    def sequence(self) -> nn.Sequential:
        """Return the same network as PyTorch's modules one after the other, with the same weights, which can be read.

        Padding becomes that of the first convolution. Images are not checked.

        >>> import torch
        >>> network = Classifier(ClassifierConfig(channels=1, stages=((4,), (8,)), pad=2)).eval()
        >>> x = torch.rand(1, 1, 28, 28)
        >>> torch.allclose(network.sequence()(x), network(x), atol=1e-6)
        True
        """
        layers: list[nn.Module] = []
        for stage in self.stages:
            layers += [nn.MaxPool2d(2), *cast("nn.Sequential", stage)] if layers else [*cast("nn.Sequential", stage)]
        layers[0] = padded_by(cast("nn.Conv2d", layers[0]), self.config.pad)
        layers.append(nn.AdaptiveAvgPool2d(1) if self.size is None else nn.MaxPool2d(2))
        return nn.Sequential(*layers, nn.Flatten(), *self.head)

    def unpadded(self) -> "tuple[Classifier, int]":
        """Give a classifier for images that are padded already, with the same weights, and the pixels it padded by.

        So boxes of occlusion maps can slide over the padding too.

        >>> plain, pad = Classifier(ClassifierConfig(channels=1, height=21, width=21, pad=3)).unpadded()
        >>> plain.size, pad
        ((27, 27), 3)
        """
        config, pad = self.config, self.config.pad
        if not pad:
            return self, 0
        wider = config.model_copy(update={"pad": 0, "height": config.height + 2 * pad, "width": config.width + 2 * pad})
        found = Classifier(wider)
        found.load_state_dict(self.state_dict())
        return found.to(next(self.parameters()).device).train(self.training), pad

    def check(self, x: Tensor) -> None:
        """Raise CuelloError that says what images are needed, where these are others."""
        height, width = x.shape[2:]
        if x.shape[1] != self.channels:
            raise CuelloError(f"got images of {x.shape[1]} channels, this classifier takes {self.channels}.")
        if self.size is not None and (height, width) != self.size:
            rows, columns = self.size
            raise CuelloError(
                f"this classifier takes images of {columns}×{rows} pixels, got {width}×{height}. Resize them "
                f"(--resize={columns}x{rows}), or train one that takes any size (--model=classify-s)."
            )
        least = 2 ** (len(self.stages) - 1)
        if self.size is None and min(height, width) < least:
            raise CuelloError(f"this classifier needs images of {least}×{least} pixels or more, got {width}×{height}.")


def padded_by(convolution: nn.Conv2d, pixels: int) -> nn.Conv2d:
    """Return a convolution with the same weights that puts so many more zeros around its images."""
    if not pixels:
        return convolution
    own = cast("tuple[int, int]", convolution.padding)
    found = nn.Conv2d(
        convolution.in_channels, convolution.out_channels, cast("Any", convolution.kernel_size),
        padding=(own[0] + pixels, own[1] + pixels), bias=convolution.bias is not None,
    )  # fmt: skip
    found.weight, found.bias = convolution.weight, convolution.bias
    return found


def activation_of(config: ClassifierConfig) -> list[nn.Module]:
    """Return the layer that comes after a convolution or dense layer, or nothing."""
    return [nn.ReLU()] if config.activation == "relu" else []
