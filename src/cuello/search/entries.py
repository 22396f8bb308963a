"""The entries of a search space, checked: names that exist, values that a setting can have, ranges that are some."""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, get_args

from cuello.core.config import TrainConfig, make_config
from cuello.core.errors import CuelloError, closest
from cuello.models.autoencoder.parts import PARTS
from cuello.search.space import Axis, Choices, SearchedRange, Space, held_by, is_setting, placeholders

UNSEARCHED = {
    "job": "it is the command's first word",
    "data": "it is the command's second word",
    "seed": "the best of several seeds is luck; train each trial with several by --repeats",
}
"""Settings that no search is over, and why."""
LARGEST = 1e15  # of a range's numbers
RANGE_KEYS = ("low", "high", "log", "step")


def search_space(space: Mapping[str, Any], fixed: Mapping[str, Any] | None = None) -> Space:
    """Check a search space, as ``tomllib`` reads it or Python writes it, and return it.

    space: by setting, or by placeholder: a list of choices, a table {low, high, log, step}, or a single string that
    holds placeholders. fixed: settings that are the same for all trials; strings may hold placeholders too.
    Raises CuelloError for a key that is neither a setting nor a placeholder, a placeholder without a key, and values
    that a setting cannot have.
    """
    fixed = dict(fixed or {})
    make_config({name: value for name, value in fixed.items() if not is_setting(name)})  # an unknown name is an error
    for name in space:
        if name in UNSEARCHED:
            raise CuelloError(f"{name} cannot be searched: {UNSEARCHED[name]}.")
        if name in fixed:
            raise CuelloError(f"{name} is both given and searched: leave out one of them.")
    axes: dict[str, Axis] = {}
    lists = [(name, value) for name, values in space.items() if isinstance(values, list | tuple) for value in values]
    free = placeholders([*fixed.items(), *space.items(), *lists]) & set(PARTS)
    for name, value in space.items():
        sets = is_setting(name) and name not in free
        if isinstance(value, list | tuple):
            axes[name] = checked_choices(name, value, sets=sets)
        elif isinstance(value, Mapping):
            axes[name] = checked_range(name, value, sets=sets)
        else:
            fixed[name] = value
    texts = [(name, text) for name, axis in axes.items() if isinstance(axis, Choices) for text in axis.values]
    check_names([*fixed.items(), *texts], [*axes, *(name for name in fixed if name in space)])
    for name, value in fixed.items():
        if not held_by(name, value):
            fixed[name] = checked_value(name, value)
    if not axes:
        raise CuelloError(
            "nothing is searched: give settings several values with --over, such as learning-rate=1e-4,1e-3,1e-2."
        )
    return Space(axes, fixed)


def check_names(texts: Iterable[tuple[str, Any]], keys: Sequence[str]) -> None:
    """Raise CuelloError for a key that nothing uses, and for a placeholder that no key fills.

    texts: settings and their values. keys: of the space.
    """
    held = {key: name for name, value in texts if is_setting(name) for key in held_by(name, value)}
    for key in keys:
        if not is_setting(key) and key not in held:
            raise CuelloError(
                f"the search space has the key {key!r}, which is neither a setting nor filled into one as {{{key}}}."
                f"{closest(key, [*TrainConfig.model_fields, *held])}"
            )
    for key, name in held.items():
        if not key.isidentifier() or (is_setting(key) and key not in PARTS):
            why = "a setting's own name" if is_setting(key) else "no name"
            raise CuelloError(
                f"{name} holds the placeholder {{{key}}}, which is {why}; needed a name of letters, digits and _ that "
                "no setting has, as in {widths}."
            )
        if key not in keys:
            others = [other for other in keys if not is_setting(other)]
            raise CuelloError(
                f"{name} holds the placeholder {{{key}}}, but the search space has no values for {key!r}."
                f"{closest(key, others)} Add a line such as: {key} = [...]."
            )


def checked_choices(name: str, values: Sequence[Any], *, sets: bool) -> Choices:
    """Return choices whose values the setting can have, each once. sets: whether the name is a setting's."""
    if not values:
        raise CuelloError(f"{name}: got no choices, needed one at least.")
    for value in values:
        if not isinstance(value, str | int | float):
            raise CuelloError(f"{name}: got the choice {value!r}, needed text, a number, or true or false.")
    found = [value if held_by(name, value) or not sets else checked_value(name, value) for value in values]
    for place, value in enumerate(found):
        if value in found[:place]:
            raise CuelloError(f"{name}: the choice {value!r} is given twice.")
    return Choices(tuple(found))


def checked_value(name: str, value: Any) -> Any:
    """Return a setting's value in its own type; text may stand for a number, yes and no, or none."""
    if not is_setting(name):
        raise CuelloError(f"{name}: got {value!r}, needed a list of choices, or a range such as {{low = 1, high = 8}}.")
    if value == "none" and type(None) in get_args(TrainConfig.model_fields[name].annotation):
        return None
    readings = [value]
    if isinstance(value, str) and re.fullmatch(r"\d+", value):
        readings.append(int(value))
    mistakes = []
    for reading in readings:
        try:
            return getattr(make_config({name: reading}), name)
        except CuelloError as error:
            mistakes.append(error)
    raise mistakes[0]


def is_numeric(name: str) -> bool:
    """Tell whether a setting is a number, which a range can be over."""
    annotation = TrainConfig.model_fields[name].annotation
    return bool({int, float} & {annotation, *get_args(annotation)})


def checked_range(name: str, table: Mapping[str, Any], *, sets: bool) -> SearchedRange:
    """Return a range whose ends the setting can have. sets: whether the name is a setting's."""
    example = f"{name} = {{low = 1e-4, high = 0.1, log = true}}"
    for key in table:
        if key not in RANGE_KEYS:
            raise CuelloError(
                f"{name}: a range has no {key!r}.{closest(key, RANGE_KEYS)} It is written like: {example}"
            )
    for key in ("low", "high"):
        if key not in table:
            raise CuelloError(f"{name}: the range has no {key!r}. It is written like: {example}")
    for key in ("low", "high", "step"):
        if not is_number(table.get(key, 1)):
            raise CuelloError(f"{name}: got {key} = {table[key]!r}, needed a number.")
    if not isinstance(table.get("log", False), bool):
        raise CuelloError(f"{name}: got log = {table['log']!r}, needed true or false.")
    found = SearchedRange(**table)
    return in_order(name, own_numbers(name, found) if sets else found)


def own_numbers(name: str, found: SearchedRange) -> SearchedRange:
    """Return a range in numbers of the setting's own type; CuelloError where it cannot have them."""
    if not is_numeric(name):
        raise CuelloError(f"{name} is not a number, so it cannot have a range: give a list of choices.")
    low, high = (checked_value(name, end) for end in (found.low, found.high))
    step = found.step if found.step is None else type(low)(found.step)
    if step != found.step:
        raise CuelloError(f"{name}: got step = {found.step}, needed a whole number.")
    return replace(found, low=low, high=high, step=step)


def in_order(name: str, found: SearchedRange) -> SearchedRange:
    """Return a range that ends at its last step; CuelloError where its numbers do not go together."""
    for number in (found.low, found.high, found.step or 0):
        if not -LARGEST <= number <= LARGEST:  # not a number either
            raise CuelloError(f"{name}: got a range with {str(number)[:20]}, needed numbers up to {LARGEST:g}.")
    if found.low >= found.high:
        raise CuelloError(f"{name}: got the range {found.low}..{found.high}, needed the lower end first.")
    if found.log and found.low <= 0:
        raise CuelloError(f"{name}: got log with the lower end {found.low}, needed one above 0.")
    if found.step is not None and (found.log or found.step <= 0):
        given = f"step = {found.step}{' with log' if found.log else ''}"
        raise CuelloError(f"{name}: got {given}, needed a step above 0, or log without one.")
    return found if found.step is None else replace(found, high=found.tidy(found.low + found.steps * found.step))


def is_number(value: Any) -> bool:
    """Tell whether a value is a finite number."""
    return not isinstance(value, bool) and (
        isinstance(value, int) or (isinstance(value, float) and math.isfinite(value))
    )
