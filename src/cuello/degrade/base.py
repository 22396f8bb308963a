"""What a degradation is: typed, seeded, batched; read from a spec string and written back."""

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, NamedTuple, TypeVar, get_args

import pydantic

from cuello.core.errors import CuelloError
from cuello.core.own import is_reference

if TYPE_CHECKING:
    from torch import Generator, Tensor


GENERAL = "dncnn-s"
"""The network for what has none of its own: it may change every pixel, takes any size, and learns the fastest."""


Number = TypeVar("Number", float, "Tensor")

FAINTEST = 0.1
"""What ``place`` gives for the lowest value of a range: 0 stands for a value that is not told."""


class Degraded(NamedTuple):
    """Degraded images, ``(N, C, H, W)``, and what was drawn for each, ``(N, 1, 1, 1)``, None where there is no such.

    level: standard deviation of the Gaussian noise in them, in units of white = 1. strength: see ``Degradation.place``.
    """

    images: "Tensor"
    level: "Tensor | None"
    strength: "Tensor | None"


class Range(NamedTuple):
    """A parameter drawn anew for every image, uniformly between ``low`` and ``high`` (both included)."""

    low: float
    high: float

    def __str__(self) -> str:
        return f"{show(self.low)}..{show(self.high)}"


def parse_number_or_range(value: Any) -> Any:
    """Turn ``"0.1..0.9"`` into a Range and ``"0.2"`` into a number; leave the rest to pydantic.

    >>> parse_number_or_range("0.1..0.9")
    Range(low=0.1, high=0.9)
    """
    if not isinstance(value, str):
        return value
    low, dots, high = value.partition("..")
    try:
        return Range(float(low), float(high)) if dots else float(low)
    except ValueError:
        raise ValueError(f"a number or a range such as 0.1..0.9, not {value!r}") from None


Quantity = Annotated[float | Range, pydantic.BeforeValidator(parse_number_or_range)]


def quantity(
    default: float, meaning: str, unit: str, *, limits: tuple[float, float], whole: bool = False, ranged: bool = True
) -> Any:
    """Declare a numeric parameter: its meaning, unit, limits, whether it is a whole number, and may be a range."""
    about: Any = {"unit": unit, "low": limits[0], "high": limits[1], "whole": whole, "ranged": ranged}
    return pydantic.Field(default, description=meaning, json_schema_extra=about)


def bounds(limits: "dict[str, Any]") -> str:
    """Write the limits of a parameter, as in ``0 to 1,000,000``."""
    return f"{limits['low']:,.10g} to {limits['high']:,.10g}"


class Degradation(pydantic.BaseModel, ABC):
    """Turns clean images into degraded ones; frozen, its parameters checked.

    A subclass is final: it declares ``name``, ``summary``, ``main`` (the parameter that a sweep varies and that the
    spec string may give without its name), ``network`` (the one made for it, which is trained where none is named) and
    its fields, and implements ``degrade``; also ``scale`` where its images become smaller, ``level`` where it adds
    Gaussian noise, and ``extremes`` where the pixels that it hits become black or white.
    """

    model_config = pydantic.ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    name: ClassVar[str]
    summary: ClassVar[str]
    main: ClassVar[str]
    network: ClassVar[str] = GENERAL

    @abstractmethod
    def degrade(self, images: "Tensor", values: "dict[str, Tensor]", generator: "Generator") -> "Tensor":
        """Make degraded copies of ``images``.

        images: ``(N, C, H, W)`` float32 in [0, 1]. values: for every quantity a ``(N, 1, 1, 1)`` tensor.
        generator: where every random number comes from.
        """

    @property
    def scale(self) -> int:
        """How many times smaller the sides become: (H, W) gives (⌈H / scale⌉, ⌈W / scale⌉)."""
        return 1

    @property
    def extremes(self) -> bool:
        """Whether every pixel that it changes becomes exactly 0 or 1, so that networks for impulses find it."""
        return False

    def level(self, values: "dict[str, Tensor]") -> "Tensor | None":
        """Give the standard deviation of the Gaussian noise that these values stand for, ``(N, 1, 1, 1)``.

        In units of white = 1; None where the degradation is not Gaussian noise.
        """
        return None

    @property
    def varies(self) -> bool:
        """Whether a sweep can vary the main parameter: not where a network is made for one value of it."""
        return bool(self.main) and self.scale == 1

    @pydantic.model_validator(mode="after")
    def _within_limits(self) -> "Degradation":
        for name, (value, limits) in self.quantities().items():
            if isinstance(value, Range) and not limits["ranged"]:
                raise ValueError(
                    f"{self.name}: {name} is {value}, needed one number: it decides the size of the images"
                )
            low, high = value if isinstance(value, Range) else (value, value)
            if low > high:
                raise ValueError(f"{self.name}: {name} is {value}, but a range goes from low to high")
            if not limits["low"] <= low <= high <= limits["high"]:
                raise ValueError(f"{self.name}: {name} is {value}, needed {bounds(limits)} ({limits['unit']})")
            if limits["whole"] and (low != int(low) or high != int(high)):
                raise ValueError(f"{self.name}: {name} is {value}, needed a whole number ({limits['unit']})")
        return self

    def quantities(self) -> "dict[str, tuple[float | Range, dict[str, Any]]]":
        """Give the value and the limits of every numeric parameter."""
        return {
            name: (getattr(self, name), dict(limits))
            for name, field in type(self).model_fields.items()
            if isinstance(limits := field.json_schema_extra, dict)
        }

    def parameters(self) -> list[dict[str, str]]:
        """Describe each parameter: its name, meaning, allowed values and present value, in words."""
        listed = []
        for name, field in type(self).model_fields.items():
            limits = field.json_schema_extra
            if isinstance(limits, dict):
                values = f"{bounds(limits)}, {limits['unit']}"
            else:
                values = "yes or no" if field.annotation is bool else " or ".join(get_args(field.annotation))
            default = show(getattr(self, name))
            listed.append({"name": name, "meaning": field.description or "", "values": values, "default": default})
        return listed

    def __call__(self, images: "Tensor", generator: "Generator") -> "Tensor":
        """Degrade a batch: ``(N, C, H, W)`` float32 in [0, 1] in and out; ``images`` itself is left as it is.

        Ranges are drawn first, one value per image, then the noise, all from ``generator``.
        """
        return self.with_values(images, generator).images

    def with_values(self, images: "Tensor", generator: "Generator") -> Degraded:
        """Degrade a batch as calling does, and return with it the level and the strength drawn for each image."""
        import torch

        values = {}
        for name, (value, limits) in self.quantities().items():
            if isinstance(value, Range):
                low, high = value.low, value.high + (1 if limits["whole"] else 0)
                drawn = low + (high - low) * torch.rand((len(images), 1, 1, 1), generator=generator)
                drawn = drawn.floor().clamp_(max=value.high) if limits["whole"] else drawn
            else:
                drawn = torch.full((len(images), 1, 1, 1), float(value))
            values[name] = drawn
        degraded = self.degrade(images, values, generator)
        return Degraded(degraded, self.level(values), self.place(values[self.main]) if self.ranges else None)

    @property
    def ranges(self) -> bool:
        """Whether the main parameter is drawn from a range."""
        return bool(self.main) and isinstance(getattr(self, self.main), Range)

    def place(self, value: Number) -> Number:
        """Say where a value of the main parameter lies in its range: ``FAINTEST`` at its low end, 1 at its high one.

        >>> from cuello.degrade import parse
        >>> round(parse("blur:0.5..2.5").place(1.5), 2)
        0.55
        """
        low, high = getattr(self, self.main)
        return FAINTEST + (1 - FAINTEST) * (value - low) / max(high - low, 1e-9)

    def spec(self) -> str:
        """Write the shortest spec string that gives this degradation back.

        >>> from cuello.degrade import parse
        >>> parse("salt-pepper:amount=0.2,per=channel").spec()
        'salt-pepper:0.2,per=channel'
        """
        own = is_reference(self.name)  # which has a colon in its name
        parts = [show(getattr(self, self.main))] if self.main else []
        for name, field in type(self).model_fields.items():
            value = getattr(self, name)
            if name != self.main and value != field.default:
                parts.append(f"{name.replace('_', '-')}={show(value)}")
        return self.name + ("," if own else ":") * bool(parts) + ",".join(parts)

    def with_main(self, value: float) -> "Degradation":
        """Set the main parameter to ``value``, as a sweep needs it."""
        if not self.varies:
            raise CuelloError(f"{self.name!r} has no parameter that a sweep could vary.")
        try:
            return type(self).model_validate({**self.model_dump(), self.main: value})
        except pydantic.ValidationError as error:
            raise CuelloError(error.errors()[0]["msg"].removeprefix("Value error, ") + ".") from None

    def typical(self) -> "Degradation":
        """Replace every range by its middle, to be evaluated at one level."""
        middle = {
            name: round((value.low + value.high) / 2) if limits["whole"] else (value.low + value.high) / 2
            for name, (value, limits) in self.quantities().items()
            if isinstance(value, Range)
        }
        return type(self).model_validate({**self.model_dump(), **middle}) if middle else self


def show(value: Any) -> str:
    """Write a parameter's value the way a spec string has it, to the last digit."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return repr(value).removesuffix(".0") if isinstance(value, float) else str(value)
