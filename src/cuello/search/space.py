"""What is searched: settings with several values each, and strings filled in from such values."""

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

from cuello.core.config import TrainConfig
from cuello.core.errors import CuelloError
from cuello.models.autoencoder.parts import PARTS

PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
UNFILLED = ("job", "data", "target", "device")
"""Settings whose braces are left alone: they may be part of a file's name."""


MOST_TRIALS = 100_000


@dataclass(frozen=True)
class Choices:
    """Several values, in the order in which they were given."""

    values: tuple[Any, ...]


@dataclass(frozen=True)
class SearchedRange:
    """Numbers from low to high, both among them; log: drawn evenly by their logarithm; step: only low + n step."""

    low: float
    high: float
    log: bool = False
    step: float | None = None

    @property
    def whole(self) -> bool:
        """Whether only whole numbers are meant."""
        return all(isinstance(number, int) for number in (self.low, self.high, self.step or 1))

    @property
    def steps(self) -> int:
        """How many steps lead from low to the last number; 0 where there is no step."""
        return math.floor((self.high - self.low) / self.step + 1e-9) if self.step else 0

    def points(self, count: int | None) -> tuple[float, ...]:
        """Return ``count`` numbers from low to high at even distances (of logarithms, if log), or every step.

        Whole numbers are rounded, and each is there once.

        >>> SearchedRange(1e-4, 0.1, log=True).points(4)
        (0.0001, 0.001, 0.01, 0.1)
        >>> SearchedRange(0.0, 1.0, step=0.4).points(None)
        (0.0, 0.4, 0.8)
        """
        if self.step is not None:
            return tuple(self.tidy(self.low + place * self.step) for place in range(self.steps + 1))
        shares = [place / (count - 1) for place in range(count)] if count and count > 1 else [0.0]
        if self.log:
            found = [self.low * (self.high / self.low) ** share for share in shares]
        else:
            found = [self.low + (self.high - self.low) * share for share in shares]
        return tuple(dict.fromkeys(self.tidy(number) for number in found))

    def tidy(self, number: float) -> float:
        """Return a number without the rounding errors of its arithmetic."""
        return round(number) if self.whole else float(f"{number:.12g}")


Axis = Choices | SearchedRange


@dataclass(frozen=True)
class Space:
    """What is searched and what stays.

    axes: searched settings, and keys that fill placeholders. fixed: settings with one value; a string in either may
    hold placeholders, {key}.
    """

    axes: Mapping[str, Axis]
    fixed: Mapping[str, Any]

    def settings(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return a trial's settings: what is fixed, and ``values`` by key, with placeholders filled in."""
        found = {**self.fixed, **{name: value for name, value in values.items() if self.sets(name)}}
        return {name: fill(value, values) if is_filled(name, value) else value for name, value in found.items()}

    def needed(self, values: Mapping[str, Any]) -> list[str]:
        """Return the keys that count once the settings among ``values`` are chosen: these, and their placeholders'."""
        chosen = {**self.fixed, **{name: values[name] for name in self.axes if self.sets(name)}}
        held = {key for name, value in chosen.items() for key in held_by(name, value)}
        return [name for name in self.axes if self.sets(name) or name in held]

    def sets(self, name: str) -> bool:
        """Tell whether a key is a setting here: parts of a network are none where a text holds them in braces."""
        texts = [*self.fixed.items()]
        texts += [(key, value) for key, axis in self.axes.items() if isinstance(axis, Choices) for value in axis.values]
        return is_setting(name) and name not in placeholders(texts) & set(PARTS)

    def grid(self, points: int | None = None) -> list[dict[str, Any]]:
        """Return every combination of values once; points: how many of each range that has no step.

        >>> Space({"optimizer": Choices(("sgd", "adam")), "epochs": Choices((1, 2))}, {}).grid()[:3]
        [{'optimizer': 'sgd', 'epochs': 1}, {'optimizer': 'sgd', 'epochs': 2}, {'optimizer': 'adam', 'epochs': 1}]
        """
        sizes = [axis_size(axis, points) for axis in self.axes.values()]
        if math.prod(sizes) > MOST_TRIALS:
            shown = f"{math.prod(sizes):,}" if max(sizes) < 10**9 else "countless"
            raise CuelloError(
                f"a grid of these values has {shown} combinations, at most {MOST_TRIALS:,} are possible. Take larger "
                "steps or fewer --points, or draw from it with --sampler=random."
            )
        listed = [listed_values(name, axis, points) for name, axis in self.axes.items()]
        found = {}
        for combined in product(*listed):
            values = dict(zip(self.axes, combined, strict=True))
            needed = {name: values[name] for name in self.needed(values)}
            found[tuple((name, type(value), value) for name, value in needed.items())] = needed
        return list(found.values())

    def variants(self) -> list[dict[str, Any]]:
        """Return combinations in which every choice, and both ends of every range, occur: the first, and one changed.

        It is what can be checked beforehand where there are too many combinations to check each.
        """
        ends = {name: axis.values if isinstance(axis, Choices) else (axis.low, axis.high) for name, axis in
                self.axes.items()}  # fmt: skip
        first = {name: values[0] for name, values in ends.items()}
        return [first, *({**first, name: value} for name, values in ends.items() for value in values[1:])]

    def as_json(self) -> dict[str, Any]:
        """Return the searched keys as they are written in space.toml."""
        found = {}
        for name, axis in self.axes.items():
            if isinstance(axis, Choices):
                found[name] = list(axis.values)
            else:
                described = {"low": axis.low, "high": axis.high, "log": axis.log, "step": axis.step}
                found[name] = {key: value for key, value in described.items() if value not in (None, False)}
        return found


def axis_size(axis: Axis, points: int | None) -> int:
    """Count an axis's values for a grid, without making them."""
    if isinstance(axis, Choices):
        return len(axis.values)
    return max(1, points or 1) if axis.step is None else axis.steps + 1


def is_setting(name: str) -> bool:
    """Tell whether a key is a setting of a training."""
    return name in TrainConfig.model_fields


def is_filled(name: str, value: Any) -> bool:
    """Tell whether a setting's value may hold placeholders."""
    return isinstance(value, str) and name not in UNFILLED


def held_by(name: str, value: Any) -> list[str]:
    """Return the placeholders that a setting's value holds."""
    return PLACEHOLDER.findall(value) if is_filled(name, value) else []


def placeholders(texts: Iterable[tuple[str, Any]]) -> set[str]:
    """Return what stands in braces. texts: settings and their values."""
    return {key for name, value in texts if is_setting(name) for key in held_by(name, value)}


def fill(text: str, values: Mapping[str, Any]) -> str:
    """Fill in placeholders.

    >>> fill("mlp:35-{widths},activation={activation}", {"widths": "20-2", "activation": "relu"})
    'mlp:35-20-2,activation=relu'
    """
    return PLACEHOLDER.sub(lambda found: as_text(values[found[1]]), text)


def as_text(value: Any) -> str:
    """Return a value as it stands in a setting's text: numbers with at most six digits."""
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def listed_values(name: str, axis: Axis, points: int | None) -> tuple[Any, ...]:
    """Return an axis's values for a grid; CuelloError where a range has no step and ``points`` is not given."""
    if isinstance(axis, Choices):
        return axis.values
    if axis.step is None and points is None:
        raise CuelloError(
            f"{name} is the range {axis.low}..{axis.high}, and a grid needs to know which numbers in it: add --points="
            "4 or a step, or draw from it with --sampler=tpe or random."
        )
    return axis.points(points)
