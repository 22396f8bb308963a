"""Attributions of Captum's Occlusion for a small network, as the tests of occlusion maps hold them.

    PEERS/torch/bin/python benchmarks/captum_fixtures.py

Captum is no dependency: its numbers stand in tests/saliency/test_occlusion.py, whose network this is.
"""

import torch
from captum.attr import Occlusion  # pyright: ignore[reportMissingImports] (not installed with the package)
from torch import Tensor
from torch.nn import functional


def ramp(shape: tuple[int, ...], step: float) -> Tensor:
    """Return numbers from -0.5 to 0.5 that need no generator: multiples of ``step``, modulo 1."""
    return (torch.arange(torch.Size(shape).numel(), dtype=torch.float32) * step % 1.0 - 0.5).reshape(shape)


def network(x: Tensor) -> Tensor:
    """Return probabilities of three classes."""
    x = functional.conv2d(x, ramp((3, x.shape[1], 3, 3), 0.37), ramp((3,), 0.29), padding=1).relu()
    x = functional.max_pool2d(x, 2).flatten(1)
    return (x @ ramp((3, x.shape[1]), 0.61).T).softmax(1)


GREY, COLOUR = ramp((1, 1, 6, 7), 0.173) + 0.5, ramp((1, 2, 5, 5), 0.271) + 0.5
CASES = [  # image, window (C, H, W), strides, baseline
    (GREY, (1, 3, 3), (1, 1, 1), 0.0),
    (GREY, (1, 3, 2), (1, 2, 2), 0.5),
    (GREY, (1, 4, 4), (1, 3, 3), 0.0),
    (COLOUR, (2, 2, 2), (2, 2, 2), 0.0),
    (COLOUR, (1, 2, 2), (1, 2, 2), 0.0),
]

if __name__ == "__main__":
    for image, window, strides, baseline in CASES:
        found = Occlusion(network).attribute(
            image, target=1, sliding_window_shapes=window, strides=strides, baselines=baseline
        )
        print(window, strides, baseline, [[round(one, 6) for one in row] for row in found.flatten(0, 2).tolist()])
