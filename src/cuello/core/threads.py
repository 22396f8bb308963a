"""Work divided among threads, each with a part of torch's: they wait for one another a few times, not all the time."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import torch

MOST_THREADS = 4
"""Threads that divide a work, at most: of each one's operations a part can only be begun by one at a time."""
SWITCH_SECONDS = 2e-4
"""How long a thread may keep Python to itself while another waits for it; 5 ms by default, a tenth of a step."""


@contextmanager
def torch_divided(parts: int) -> Iterator[None]:
    """Divide torch's threads among so many, which take turns at Python quickly, for the time of the block.

    >>> before = torch.get_num_threads()
    >>> with torch_divided(before):
    ...     torch.get_num_threads()
    1
    >>> torch.get_num_threads() == before
    True
    """
    threads, switching = torch.get_num_threads(), sys.getswitchinterval()
    torch.set_num_threads(max(1, threads // parts))
    sys.setswitchinterval(SWITCH_SECONDS)
    try:
        yield
    finally:
        sys.setswitchinterval(switching)
        torch.set_num_threads(threads)
