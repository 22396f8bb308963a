"""Batch normalisation where a batch leaves it one value a channel, of which there is no variance."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from cuello.core.errors import CuelloError
from cuello.data.batches import Batches


@contextmanager
def lone_images(network: nn.Module, batches: Batches) -> Iterator[None]:
    """Let a network train on a last batch of one image, for the time of the block.

    Where one image leaves a batch normalisation one value a channel (maps of 1×1 pixel, dense layers), torch has no
    variance to divide by and stops. That image is then normalised as after training, by the running averages, which
    it does not change. Raises CuelloError where every batch is one image, or a layer keeps no averages.
    """
    alike = min(batches.count, batches.batch_size) == 1

    def choose(layer: nn.Module, given: tuple[Any, ...]) -> None:
        alone = given[0].numel() == given[0].shape[1]
        if alone and (alike or layer.running_mean is None):
            raise CuelloError(
                "batch normalisation needs two images per step or more, where maps are one pixel or layers are dense; "
                f"got steps of one image ({batches.count} for training, --batch-size={batches.batch_size}). Take a "
                "larger --batch-size or more images, such that the last step has two, or another --model."
            )
        if alone == layer.training:
            layer.training = not alone

    layers = [layer for layer in network.modules() if isinstance(layer, _BatchNorm) and layer.training]
    handles = [layer.register_forward_pre_hook(choose) for layer in layers] if leaves_one(batches) else []
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
        for layer in layers:
            layer.training = True


def leaves_one(batches: Batches) -> bool:
    """Tell whether a batch of an epoch holds one image, or could, where files may be lost meanwhile.

    Where several processes share the batches, ``ranks/norms`` sees to it.
    """
    few = batches.batch_size == 1 or batches.count % batches.batch_size == 1
    return batches.share is None and (batches.images.streamed or few)
