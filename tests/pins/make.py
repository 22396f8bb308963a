"""Write pins.json anew: `python tests/pins/make.py`; of some scenarios alone: `… make.py ready denoise`.

Only for a change of behaviour that is wanted.
"""

import sys
import tempfile
import time
from pathlib import Path

from pinning import pins_of, platform, read_pins, write_pins
from scenarios import SCENARIOS, working_in

if __name__ == "__main__":
    names = sys.argv[1:] or list(SCENARIOS)
    made_on, pins = read_pins()
    if unknown := set(names) - set(SCENARIOS):
        sys.exit(f"no scenario {', '.join(sorted(unknown))}; known: {', '.join(SCENARIOS)}")
    if set(names) != set(SCENARIOS) and made_on != platform():
        sys.exit("the other pins were made on another processor or with another torch: make all anew")
    for name in names:
        start = time.perf_counter()
        with tempfile.TemporaryDirectory() as folder:
            with working_in(Path(folder)):
                SCENARIOS[name]()
            pins[name] = pins_of(Path(folder))
        print(f"{name}: {len(pins[name])} pins, {time.perf_counter() - start:.1f} s", flush=True)
    write_pins({name: pins[name] for name in SCENARIOS})
