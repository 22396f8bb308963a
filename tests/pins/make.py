"""Write pins.json anew: `python tests/pins/make.py`. Only for a change of behaviour that is wanted."""

import tempfile
import time
from pathlib import Path

from pinning import pins_of, write_pins
from scenarios import SCENARIOS, working_in

if __name__ == "__main__":
    pins = {}
    for name, make in SCENARIOS.items():
        start = time.perf_counter()
        with tempfile.TemporaryDirectory() as folder:
            with working_in(Path(folder)):
                make()
            pins[name] = pins_of(Path(folder))
        print(f"{name}: {len(pins[name])} pins, {time.perf_counter() - start:.1f} s", flush=True)
    write_pins(pins)
