"""A network that begins with the weights of a trained one, layer by layer, as far as they fit."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from cuello.core.errors import first_few
from cuello.models.base import ImageNetwork
from cuello.models.reparameterised import BranchedConv2d

Kernel = tuple[Tensor, Tensor | None]
"""A convolution's weights, ``(out, in, rows, columns)``, and its bias."""


@dataclass(frozen=True)
class Taken:
    """Where the layers of a network have their weights from.

    whole: from a trained one. spread: from one with another number of channels. fresh: they keep their first weights.
    """

    whole: Sequence[str]
    spread: Sequence[str]
    fresh: Sequence[str]

    def sentence(self, name: str) -> str:
        """Say it in one line; name: of the trained network.

        >>> Taken(["layers.0", "layers.1"], [], ["layers.2"]).sentence("upscale-x2")
        '2 of 3 layers from upscale-x2; layers.2 begins fresh'
        """
        taken = len(self.whole) + len(self.spread)
        said = [f"{taken} of {taken + len(self.fresh)} layers from {name}"]
        if self.spread:
            said.append(f"{' and '.join(self.spread)} for other channels")
        if self.fresh:
            said.append(f"{first_few(self.fresh)} begin{'s' if len(self.fresh) == 1 else ''} fresh")
        return "; ".join(said)


@torch.no_grad()
def take_over(network: ImageNetwork, weights: Mapping[str, Tensor], source: ImageNetwork | None = None) -> Taken | None:
    """Give a network the weights of a trained one, layer by layer, where they fit; None, and no change, where none do.

    A layer fits with all its weights, or not at all. A sum of branches takes the kernel of a plain convolution, and
    then gives the very same. The layers that see and give an image's channels (``ImageNetwork.ends``) are brought from
    one channel to several, or back, so that grey images give what they gave before.

    weights: by name, of any precision. source: the trained network; None for somebody's own, whose layers are taken
    as they are or not at all.
    """
    own: dict[str, dict[str, Tensor]] = {}
    for key, tensor in network.state_dict().items():
        path, _, name = key.rpartition(".")
        own.setdefault(path, {})[name] = tensor
    whole, spread, fresh, fits = [], [], [], False
    puts: list[tuple[str, Kernel]] = []
    for path, tensors in own.items():
        module = network.get_submodule(path)
        theirs = {
            name: found for name in tensors if (found := weights.get(f"{path}.{name}" if path else name)) is not None
        }
        kernel = kernel_for(path, network, source)
        same = all(name in theirs and theirs[name].shape == tensor.shape for name, tensor in tensors.items())
        if same and is_alike(module, path, source):
            whole.append(path)
        elif kernel is not None:
            puts.append((path, kernel))
            (spread if channels_differ(path, network, source) else whole).append(path)
        else:
            fresh += [path] if path else list(tensors)
            continue
        fits = fits or any(tensor.ndim > 1 for tensor in tensors.values())
    if not fits:
        return None
    kernels = dict(puts)
    for path, tensors in own.items():
        if path in kernels:
            put_kernel(network.get_submodule(path), kernels[path])
        elif path in whole:
            for name, tensor in tensors.items():
                tensor.copy_(weights[f"{path}.{name}" if path else name])
    return Taken(whole, spread, fresh)


def is_alike(module: nn.Module, path: str, source: ImageNetwork | None) -> bool:
    """Tell whether a layer of the same shapes computes the same with the same weights."""
    if source is None or not isinstance(module, BranchedConv2d):
        return True
    theirs = source.get_submodule(path)
    return isinstance(theirs, BranchedConv2d) and theirs.has_identity == module.has_identity


def kernel_for(path: str, network: ImageNetwork, source: ImageNetwork | None) -> Kernel | None:
    """Return the kernel that a convolution takes from the trained network's at the same place; None where none fits."""
    theirs = dict(source.named_modules()).get(path) if source is not None else None
    if source is None or theirs is None:
        return None
    needed, found = kernel_of(network.get_submodule(path)), kernel_of(theirs)
    if needed is None or found is None or (needed[1] is None) != (found[1] is None):
        return None
    kernel, bias = found
    if kernel.shape != needed[0].shape and channels_differ(path, network, source):
        outputs, channels = path == network.ends[1], (source.channels, network.channels)
        kernel = with_channels(kernel, needed[0].shape, channels, outputs=outputs)
        if outputs and kernel is not None and bias is not None:
            bias = with_channels(bias, needed[0].shape[:1], channels, outputs=True)
    return (kernel, bias) if kernel is not None and kernel.shape == needed[0].shape else None


def channels_differ(path: str, network: ImageNetwork, source: ImageNetwork | None) -> bool:
    """Tell whether a layer sees or gives the channels of images, and the trained network's had another number."""
    if source is None or network.channels == source.channels or not path:
        return False
    first, last = (own == theirs == path for own, theirs in zip(network.ends, source.ends, strict=True))
    return first or (last and network.scale == source.scale)


def with_channels(values: Tensor, needed: Sequence[int], channels: tuple[int, int], *, outputs: bool) -> Tensor | None:
    """Bring weights from one channel to several, or from several to one; None where that is neither.

    A grey image, put into all channels, then gives what it gave before in each: of what comes out of a first layer,
    each number looks at one channel, in turn, so that noise stays as strong as it was (in the mean of all it would
    not). A network that is brought to one channel gives the mean of what it gave.

    values: ``(out, in, …)``, each channel's numbers one after another, then what belongs to none. needed: the shape
    that is asked for. channels: before and after. outputs: of what comes out, else of what goes in.
    """
    (was, now), axis = channels, 0 if outputs else 1
    each, left = divmod(needed[axis] - values.shape[axis], now - was)
    others = values.shape[axis] - was * each
    if 1 not in channels or left or each < 1 or others < 0:
        return None
    own, rest = values.split([was * each, others], axis)
    parts = own.unflatten(axis, (was, each))
    if was == 1:
        parts = torch.cat([parts] * now, axis)
        if not outputs:
            seen = functional.one_hot(torch.arange(len(parts)) % now, now).to(parts)  # (out, now)
            parts = parts * seen[:, :, None, None, None]
    else:
        parts = parts.mean(axis, keepdim=True) if outputs else parts.sum(axis, keepdim=True)
    return torch.cat([parts.flatten(axis, axis + 1), rest], axis)


def kernel_of(module: nn.Module) -> Kernel | None:
    """Return the kernel of a convolution, what comes out first; None for other layers."""
    if isinstance(module, BranchedConv2d):
        return module.kernel(), module.bias
    if isinstance(module, nn.ConvTranspose2d) and module.groups == 1:
        return module.weight.transpose(0, 1), module.bias
    if isinstance(module, nn.Conv2d) and module.groups == 1:
        return module.weight, module.bias
    return None


def put_kernel(module: nn.Module, kernel: Kernel) -> None:
    """Give a convolution a kernel of its shape."""
    if isinstance(module, BranchedConv2d):
        module.become(kernel[0], cast("Tensor", kernel[1]))
        return
    weight, bias = cast("Tensor", module.weight), cast("Tensor | None", module.bias)
    (weight.transpose(0, 1) if isinstance(module, nn.ConvTranspose2d) else weight).copy_(kernel[0])
    if bias is not None and kernel[1] is not None:
        bias.copy_(kernel[1])
