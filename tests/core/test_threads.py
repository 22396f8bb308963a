"""Torch's threads are divided for the time of a block, and whole again afterwards."""

import sys

import pytest
import torch

from cuello.core.threads import SWITCH_SECONDS, torch_divided


@pytest.mark.parametrize(("threads", "parts", "each"), [(4, 2, 2), (3, 2, 1), (1, 4, 1)])
def test_threads_are_divided_and_whole_again_whatever_happens(threads: int, parts: int, each: int) -> None:
    before, switching = torch.get_num_threads(), sys.getswitchinterval()
    seen = []

    def fail() -> None:
        with torch_divided(parts):
            seen.extend([torch.get_num_threads(), sys.getswitchinterval()])
            raise KeyboardInterrupt

    torch.set_num_threads(threads)
    try:
        with pytest.raises(KeyboardInterrupt):
            fail()
        assert seen == [each, pytest.approx(SWITCH_SECONDS)]
        assert torch.get_num_threads() == threads
        assert sys.getswitchinterval() == pytest.approx(switching)
    finally:
        torch.set_num_threads(before)
