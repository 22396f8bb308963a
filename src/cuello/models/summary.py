"""What a network consists of: layers, shapes, parameters, arithmetic, reach."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from cuello.models.base import ImageNetwork
from cuello.models.large_kernels import plainly


@dataclass(frozen=True)
class LayerRow:
    """One layer: its path, class, output shape without the batch, parameters, multiply-adds for the whole image."""

    path: str
    kind: str
    shape: tuple[int, ...]
    trainable: int
    frozen: int
    multiply_adds: int


@dataclass(frozen=True)
class Summary:
    """All layers in the order in which they run, and the totals.

    trainable: parameters that training changes. frozen: parameters that it does not, and numbers that are kept beside
    them (running averages). multiply_adds: for one image of ``size`` (height, width). receptive_field: pixels a
    side, None for the whole image.
    """

    layers: list[LayerRow]
    trainable: int
    frozen: int
    multiply_adds: int
    size: tuple[int, int]
    stride: int
    receptive_field: int | None

    @property
    def multiply_adds_a_pixel(self) -> float:
        """Multiply-adds for one pixel of the image."""
        return self.multiply_adds / (self.size[0] * self.size[1])


def count(module: nn.Module, recurse: bool = True) -> tuple[int, int]:
    """Return how many trainable and how many other numbers a module saves."""
    trainable = sum(p.numel() for p in module.parameters(recurse) if p.requires_grad)
    saved = sum(tensor.numel() for name, tensor in module.state_dict().items() if recurse or "." not in name)
    return trainable, saved - trainable


def probe(channels: int, height: int, width: int) -> Tensor:
    """Return a grey image ``(1, channels, height, width)`` on which every fifth pixel is black or white."""
    pixel = torch.arange(height * width).view(height, width)
    image = torch.where(pixel % 5 == 0, (pixel % 2).float(), 0.5)
    return image.expand(1, channels, height, width).contiguous()


def summarise(network: nn.Module, channels: int, size: tuple[int, int] = (64, 64)) -> Summary:
    """Run one image of ``size`` (height, width) through the network and write down every layer.

    channels, size: the network's own count, where it states them.

    Multiply-adds count the products of convolutions and matrix multiplications, as torch's FlopCounterMode does.
    Convolutions that are computed by Fourier transforms are counted as if they were not.
    A fifth of the image's pixels are black or white, for networks that work only there.
    """
    from torch.utils.flop_counter import FlopCounterMode

    known = isinstance(network, ImageNetwork)
    stride, channels = (network.stride, network.channels) if known else (1, channels)
    size = (network.size or size) if known else size
    height, width = (-(-side // stride) * stride for side in size)
    modules = {name: module for name, module in network.named_modules() if name}
    shapes: dict[str, tuple[int, ...]] = {}  # in the order in which modules end

    def note(name: str, result: Tensor | tuple[Tensor, ...]) -> None:
        shapes[name] = tuple((result if isinstance(result, Tensor) else result[0]).shape[1:])

    hooks = [
        module.register_forward_hook(lambda _module, _inputs, result, name=name: note(name, result))
        for name, module in modules.items()
    ]
    was_training = network.training
    network.eval()
    device = next(iter(network.state_dict().values()), torch.zeros(())).device
    try:
        with torch.no_grad(), plainly(), FlopCounterMode(display=False) as counter:
            network(probe(channels, height, width).to(device))
    finally:
        network.train(was_training)
        for hook in hooks:
            hook.remove()
    operations = {name: sum(counts.values()) // 2 for name, counts in counter.get_flop_counts().items()}
    top = type(network).__name__
    layers = []
    for name, shape in shapes.items():
        inner = [other for other in shapes if other.startswith(f"{name}.")]
        trainable, frozen = count(modules[name], recurse=not inner)
        if inner and trainable + frozen == 0:
            continue  # only a container of layers that have rows of their own
        leaves = [other for other in inner if not any(third.startswith(f"{other}.") for third in inner)]
        own = operations.get(f"{top}.{name}", 0) - sum(operations.get(f"{top}.{leaf}", 0) for leaf in leaves)
        layers.append(
            LayerRow(
                name, type(modules[name]).__name__, shape=shape, trainable=trainable, frozen=frozen, multiply_adds=own
            )
        )
    trainable, frozen = count(network, recurse=False)
    rest = operations.get("Global", 0) - sum(layer.multiply_adds for layer in layers)
    if trainable + frozen or rest:  # what belongs to none of its layers
        layers.append(
            LayerRow(
                "(itself)", top, shape=(channels, height, width), trainable=trainable, frozen=frozen, multiply_adds=rest
            )
        )
    trainable, frozen = count(network)
    return Summary(
        layers,
        trainable,
        frozen=frozen,
        multiply_adds=operations.get("Global", 0),
        size=(height, width),
        stride=stride,
        receptive_field=network.receptive_field if known else None,
    )
