"""What the best possible decoder leaves of inverted pixels in the 32 characters: exact, by enumeration.

    python benchmarks/glyph_limits.py [--flips 7]

For each number of inverted pixels a character: the expected number of wrong pixels of the 1,120 and their share, the
expected mean squared error, how many patterns were looked at, and the time it took. One thread is enough.
"""

import argparse
import math
import time

from cuello.data.synthetic import glyphs
from cuello.runs.directory import available_cores, processor_name
from cuello.studies.glyphs.limits import bayes_limit


def main() -> None:
    """Enumerate and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--flips", type=int, default=7, metavar="MOST", help="from 1 to this many inverted pixels")
    most = parser.parse_args().flips
    source = glyphs()
    prototypes = source.images.reshape(len(source.images), -1) // 255
    print(f"{available_cores()} cores, {processor_name()}")
    print("flips  wrong pixels    share       MSE   patterns  seconds")
    for flips in range(1, most + 1):
        start = time.perf_counter()
        limit = bayes_limit(prototypes, flips)
        seconds = time.perf_counter() - start
        patterns = len(prototypes) * math.comb(prototypes.shape[1], flips)
        print(
            f"{flips:>5}  {limit.wrong:>12.4f}  {limit.share:>7.4%}  {limit.mse:.6f}  {patterns:>9,}  {seconds:>7.2f}"
        )


if __name__ == "__main__":
    main()
