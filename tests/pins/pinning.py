"""What is pinned of files: an exact checksum, and rough numbers for another kind of processor.

Left out are what depends on the clock (keys and columns named after times), on the machine (environment.json's facts)
and on the version; HTML pages and figures, which hold times; and the checksum that a safetensors file has of itself,
which covers all of these.
"""

import csv
import hashlib
import json
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from safetensors import safe_open

from cuello.inference.record import RECORD

PINS = Path(__file__).with_name("pins.json")
TIMES = {"seconds", "milliseconds", "ms", "minutes", "time", "times", "date", "speed", "latency", "duration"}
OF_TIMES = {"break_even"}
"""Numbers that are worked out from times: after how many maps an estimator has repaid its making."""

TIMED = re.compile(r" A map takes 1/[\d,]+ of the time .*")
"""What an estimator's verdict says of times."""

MACHINE = {"cuello", "version", "versions", "python", "platform", "processor", "cores", "gpu", "packages"}
MANY = 8
"""Lists that are longer are kept, roughly, as moments."""

RELATIVE, ABSOLUTE = 0.02, 0.002
"""How far numbers may lie apart on another kind of processor."""

NUMBER = re.compile(r"[-+]?(?:\d[\d,]*\.?\d*|\.\d+)(?:e[-+]?\d+)?")
HEXADECIMAL = re.compile(r"[0-9a-f]{16,}")
Pin = dict[str, Any]


def platform() -> dict[str, str]:
    """Return what bits depend on: torch's version, the instructions that it uses, and the processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    capability = torch.backends.cpu.get_cpu_capability()
    return {"torch": torch.__version__, "capability": capability, "processor": names[0] if names else "unknown"}


def pins_of(folder: Path) -> dict[str, Pin]:
    """Return the pins of all that lies in a folder but its data, by path; ``files`` are the paths themselves."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != RECORD)  # it has times in it
    names = [path.relative_to(folder).as_posix() for path in paths]
    kept = {name: path for name, path in zip(names, paths, strict=True) if not name.startswith("data/")}
    found = {"files": {"exact": checksum(json.dumps(list(kept)).encode()), "rough": files_of(kept)}}
    for name, path in kept.items():
        pin = pin_of(name, path)
        if pin is not None:
            found[unique(HEXADECIMAL.sub("*", name), found)] = pin
    return found


def unique(name: str, taken: Mapping[str, Pin]) -> str:
    """Return a name with a number behind it where it is taken."""
    number = 1
    while (f"{name} {number}" if number > 1 else name) in taken:
        number += 1
    return f"{name} {number}" if number > 1 else name


def files_of(names: Iterable[str]) -> dict[str, str]:
    """Return the files of each folder; checksums of weights in names depend on the processor."""
    folders: dict[str, list[str]] = {}
    for name in names:
        folder, _, file = HEXADECIMAL.sub("*", name).rpartition("/")
        folders.setdefault(folder, []).append(file)
    return {folder: " ".join(sorted(files)) for folder, files in folders.items()}


def pin_of(name: str, path: Path) -> Pin | None:
    """Return the pin of a file; None where all in it may change from one time to the next."""
    if words(path.stem) & TIMES:
        return None
    match path.suffix:
        case ".safetensors":
            return pin_of_weights(path)
        case ".npz" | ".npy":
            return pin_of_arrays(path)
        case ".png" if "restored" in path.parts:
            with Image.open(path) as image:
                return pin_of_numbers({"pixels": np.asarray(image)})
        case ".json":
            return pin_of_values(json.loads(path.read_text()))
        case ".jsonl":
            return pin_of_values([json.loads(line) for line in path.read_text().splitlines()])
        case ".toml":
            return pin_of_values({"settings": settings_of(tomllib.loads(path.read_text()))})
        case ".csv":
            with path.open(newline="") as file:
                return pin_of_values(columns_of(list(csv.reader(file))))
        case ".txt":
            return pin_of_values(path.read_text().splitlines())
    return None


def pin_of_weights(path: Path) -> Pin:
    """Pin tensors by name, and what the file says of them."""
    with safe_open(path, framework="pt") as file:
        about = json.loads(file.metadata()["cuello"])
        tensors = {name: file.get_tensor(name).numpy() for name in sorted(file.keys())}
    if "training" in about:
        about["training"] = settings_of(about["training"])
    told = pin_of_values(about)
    layout = {name: f"{array.dtype} {array.shape}" for name, array in tensors.items()}
    groups: dict[str, list[np.ndarray]] = {}
    for name, array in tensors.items():
        groups.setdefault(name.partition("/")[0], []).append(array.astype(np.float64).ravel())
    return {
        "exact": checksum(told["exact"].encode(), *chunks(tensors)),
        "rough": {
            "layout": short_checksum(json.dumps(layout)),
            **{f"tensors {name}": moments(np.concatenate(own)) for name, own in groups.items()},
            **told["rough"],
        },
    }


def pin_of_arrays(path: Path) -> Pin:
    """Pin the arrays of an .npz or .npy file but those of times."""
    found = np.load(path, allow_pickle=False)
    arrays = {name: found[name] for name in sorted(found.files)} if path.suffix == ".npz" else {"array": found}
    texts = {name: array.tolist() for name, array in arrays.items() if array.dtype.kind == "U"}
    numbers = {name: array for name, array in arrays.items() if name not in texts and not is_passing(name)}
    told = pin_of_values({name: as_json(text) for name, text in texts.items()})
    pin = pin_of_numbers(numbers)
    return {
        "exact": checksum(told["exact"].encode(), pin["exact"].encode()),
        "rough": {**told["rough"], **pin["rough"]},
    }


def pin_of_numbers(arrays: Mapping[str, np.ndarray]) -> Pin:
    """Pin arrays by name."""
    rough: dict[str, Any] = {}
    for name, array in arrays.items():
        rough[f"{name} is"] = f"{array.dtype} {array.shape}"
        rough[name] = moments(array.astype(np.float64).ravel())
    return {"exact": checksum(*chunks(arrays)), "rough": rough}


def pin_of_values(value: Any) -> Pin:
    """Pin what JSON can hold, without times and the machine's facts."""
    plain = lasting(value)
    leaves: dict[str, list[Any]] = {}
    for path, leaf in flattened(plain):
        leaves.setdefault(path, []).append(leaf)
    rough: dict[str, Any] = {}
    for path, found in leaves.items():
        numbers = [one for one in found if isinstance(one, int | float) and not isinstance(one, bool)]
        texts = [str(one) for one in found if not isinstance(one, int | float) or isinstance(one, bool)]
        if path.endswith("/classifier"):
            texts = [HEXADECIMAL.sub("*", text) for text in texts]  # a checksum of weights
        if numbers:
            rough[path] = short(numbers[0]) if len(found) == 1 else moments(np.array(numbers, np.float64))
        if texts:
            said = texts[0] if len(found) == 1 and len(texts[0]) < 200 else short_checksum(without_numbers(texts))
            rough[f"{path} says"] = said
    return {"exact": checksum(json.dumps(plain, sort_keys=True).encode()), "rough": rough}


def settings_of(found: Mapping[str, Any]) -> str:
    """Return settings, which are the same on every processor, in a form that takes little room."""
    return short_checksum(json.dumps(lasting(dict(found)), sort_keys=True))


def lasting(value: Any) -> Any:
    """Return a value without what depends on the clock, the machine and the version."""
    if isinstance(value, dict):
        return {key: lasting(one) for key, one in value.items() if not is_passing(key)}
    if isinstance(value, list):
        return [lasting(one) for one in value]
    return TIMED.sub("", value) if isinstance(value, str) else value


def is_passing(key: str) -> bool:
    """Tell whether what a key names depends on the clock, the machine or the version."""
    return key in OF_TIMES or bool(words(key) & (TIMES | MACHINE))


def flattened(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every number and text with the way to it; positions in long lists are all written ``*``."""
    if isinstance(value, dict):
        for key, one in value.items():
            yield from flattened(one, f"{path}/{key}")
    elif isinstance(value, list):
        for place, one in enumerate(value):
            yield from flattened(one, f"{path}/{place if len(value) <= MANY else '*'}")
    else:
        yield path, value


def columns_of(rows: list[list[str]]) -> dict[str, list[Any]]:
    """Return a table by column, numbers as such."""
    names = [f"{place} {name}" for place, name in enumerate(rows[0])]
    return {name: [as_number(row[place]) for row in rows[1:]] for place, name in enumerate(names)}


def as_number(text: str) -> Any:
    """Return a cell as a number where it is one."""
    try:
        return float(text)
    except ValueError:
        return text


def as_json(text: Any) -> Any:
    """Return JSON that was kept as a text, else the text."""
    try:
        return json.loads(text)
    except (TypeError, ValueError):
        return text


def words(name: str) -> set[str]:
    """Return the words of a key.

    >>> sorted(words("training_seconds"))
    ['seconds', 'training']
    """
    return set(re.split(r"[^a-z]+", name.lower()))


def chunks(arrays: Mapping[str, np.ndarray]) -> Iterator[bytes]:
    """Yield each array's name, type, shape and bytes."""
    for name, array in arrays.items():
        yield f"{name}/{array.dtype}/{array.shape}".encode()
        yield np.ascontiguousarray(array).tobytes()


def checksum(*parts: bytes) -> str:
    """Return the SHA-256 of all parts."""
    state = hashlib.sha256()
    for part in parts:
        state.update(part)
    return state.hexdigest()


def short_checksum(text: str) -> str:
    """Return a checksum of a text that does not depend on the processor."""
    return checksum(text.encode())[:12]


def without_numbers(texts: Iterable[str]) -> str:
    """Return texts with every number written alike."""
    return "\n".join(NUMBER.sub("N", text) for text in texts)


def moments(numbers: np.ndarray) -> list[float]:
    """Return how many numbers there are, their mean, mean size, deviation, lowest and highest."""
    kept = numbers[np.isfinite(numbers)]
    if not len(kept):
        return [len(numbers)]
    return [len(numbers), *map(short, (kept.mean(), np.abs(kept).mean(), kept.std(), kept.min(), kept.max()))]


def short(number: float) -> float:
    """Return a number to four digits."""
    return number if isinstance(number, int) else float(f"{number:.4g}")


def differences(found: Mapping[str, Pin], pinned: Mapping[str, Pin], exact: bool) -> list[str]:
    """Return what differs, a line each: any bit if ``exact``, else what is not near."""
    said = [f"{name} is new" for name in found if name not in pinned]
    said += [f"{name} is missing" for name in pinned if name not in found]
    for name in found.keys() & pinned.keys():
        if exact and found[name]["exact"] == pinned[name]["exact"]:
            continue
        apart = far_apart(found[name]["rough"], pinned[name]["rough"])
        said += [f"{name}: {line}" for line in apart]
        if exact and not apart:
            said.append(f"{name}: differs in its bits, but is near")
    return sorted(said)


def far_apart(found: Mapping[str, Any], pinned: Mapping[str, Any]) -> list[str]:
    """Return the rough values that are not near, or are not there, a line each."""
    return [
        f"{key}: was {pinned.get(key)!r}, is {found.get(key)!r}"
        for key in dict.fromkeys([*pinned, *found])
        if key not in found or key not in pinned or not near(found[key], pinned[key])
    ]


def near(one: Any, other: Any) -> bool:
    """Tell whether two values are the same but for rounding: numbers, moments, or texts with numbers in them."""
    if isinstance(one, str) and isinstance(other, str):
        if one == other:
            return True
        numbers = [[float(text.replace(",", "")) for text in NUMBER.findall(said)] for said in (one, other)]
        return without_numbers([one]) == without_numbers([other]) and all(map(near, *numbers))
    if isinstance(one, list) and isinstance(other, list):
        if len(one) != len(other) or one[0] != other[0]:
            return False
        scale = max(map(abs, other[1:]), default=0.0)
        return all(abs(a - b) <= RELATIVE * scale + ABSOLUTE for a, b in zip(one[1:], other[1:], strict=True))
    if isinstance(one, int | float) and isinstance(other, int | float):
        return abs(one - other) <= RELATIVE * max(abs(one), abs(other)) + ABSOLUTE
    return one == other


def read_pins() -> tuple[dict[str, str], dict[str, dict[str, Pin]]]:
    """Return the platform of pins.json and its pins, by scenario."""
    content = json.loads(PINS.read_text())
    return content["platform"], content["pins"]


def write_pins(pins: Mapping[str, Mapping[str, Pin]]) -> None:
    """Write pins.json, a line a file."""
    lines = [
        f"{json.dumps(scenario)}: {{\n"
        + ",\n".join(f"{json.dumps(name)}: {json.dumps(pin, ensure_ascii=False)}" for name, pin in own.items())
        + "\n}"
        for scenario, own in pins.items()
    ]
    text = ",\n".join(lines)
    PINS.write_text(f'{{"platform": {json.dumps(platform())},\n"pins": {{\n{text}\n}}}}\n')
