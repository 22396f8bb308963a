"""What belongs to the caller's process, and is as it was when a call of ours ends."""

import os
import random
import warnings
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def caller_kept() -> Iterator[None]:
    """Put random numbers, torch's threads, filters of warnings and the environment back when the block ends.

    A training seeds torch's own generator, because dropout in anybody's network draws from it, and sets the number of
    threads; libraries that are loaded on the way add filters of warnings and variables of the environment; somebody's
    data set draws NumPy's and Python's random numbers.
    """
    import numpy as np
    import torch

    environment, drawn, numpy_drawn = dict(os.environ), random.getstate(), np.random.get_state()
    threads, seed, used = torch.get_num_threads(), torch.initial_seed(), torch.cuda.is_initialized()
    with warnings.catch_warnings(), torch.random.fork_rng(range(torch.cuda.device_count()) if used else ()):
        try:
            yield
        finally:
            torch.set_num_threads(threads)
            random.setstate(drawn)
            np.random.set_state(numpy_drawn)
            for name in os.environ.keys() - environment.keys():
                del os.environ[name]
            os.environ.update(environment)
            if not used:  # it has no state before its first use, only the seed that was last asked for
                torch.cuda.manual_seed_all(seed)
