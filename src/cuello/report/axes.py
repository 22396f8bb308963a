"""Axes that are easy to read: ticks at round numbers, limits that leave room, short labels."""

from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from matplotlib.axis import Axis


LEAST_SPAN = 1.25
"""From end to end of a log axis, as a factor."""


def plain_ticks(axis: "Axis", least: float = 1.0) -> None:
    """Put round numbers on a log axis, three at least, written out.

    least: the span, as a factor, that the axis gets in any case, so that almost equal values do not fill it.
    """
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullFormatter, NullLocator

    low, high = axis.get_view_interval()
    if high / low < least:
        middle = (low * high) ** 0.5
        axis.axes.set(**{f"{cast('Any', axis).axis_name}lim": (middle / least**0.5, middle * least**0.5)})
        low, high = axis.get_view_interval()
    axis.set_major_locator(FixedLocator(round_numbers(low, high)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: written(value)))
    axis.set_minor_locator(NullLocator())
    axis.set_minor_formatter(NullFormatter())


def written(value: float) -> str:
    """Write a number of an axis out, unless it is tiny.

    >>> written(1_000_000), written(0.003), written(0.00003)
    ('1,000,000', '0.003', '3e-05')
    """
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.6g}" if value >= 1e-4 else f"{value:.3g}"


def round_numbers(low: float, high: float) -> list[float]:
    """Find at least three, if possible at most seven, round numbers between two positive ones.

    >>> round_numbers(900, 60_000)
    [1000.0, 3000.0, 10000.0, 30000.0]
    """
    from math import ceil, floor, log10

    decades = range(floor(log10(low)), ceil(log10(high)) + 1)
    for steps in ((1,), (1, 3), (1, 2, 5), (1, 1.5, 2, 3, 4, 5, 6, 8)):
        found = [float(f"{step}e{decade}") for decade in decades for step in steps]
        inside = [value for value in found if low <= value <= high]
        if len(inside) >= 4:
            return inside
    step = 10.0 ** floor(log10((high - low) / 2))
    step = next(step * factor for factor in (2, 1, 0.5, 0.2) if (high - low) / (step * factor) >= 3)
    return [float(f"{number * step:.6g}") for number in range(ceil(low / step), floor(high / step) + 1)]
