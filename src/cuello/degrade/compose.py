"""Several degradations one after another, and the spec strings they are read from and written to."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pydantic

from cuello.core.errors import CuelloError, closest
from cuello.core.mixtures import MIXTURES
from cuello.core.own import divided, is_reference
from cuello.degrade.base import GENERAL, Degradation, Degraded, Range

if TYPE_CHECKING:
    from torch import Generator, Tensor


LONGEST_SPEC, MOST_TIMES = 1000, 64


@dataclass(frozen=True, repr=False)
class Composition:
    """Degradations applied in order with one generator; acts like a single one."""

    parts: tuple[Degradation, ...]

    def __call__(self, images: "Tensor", generator: "Generator") -> "Tensor":
        return self.with_values(images, generator).images

    def with_values(self, images: "Tensor", generator: "Generator") -> Degraded:
        """Degrade a batch, and return with it the standard deviation of the Gaussian noise that the parts added.

        Variances add up. The noise counts as it was added: what a later part (blur, jpeg) does to it does not. No
        strength is told: no one number says how strong several faults are.
        """
        levels = []
        for part in self.parts:
            images, level, _ = part.with_values(images, generator)
            if level is not None:
                levels.append(level)
        return Degraded(images, sum(level**2 for level in levels) ** 0.5 if levels else None, None)

    def __repr__(self) -> str:
        return f"Composition({self.spec()!r})"

    @property
    def name(self) -> str:
        return "+".join(part.name for part in self.parts)

    @property
    def scale(self) -> int:
        return math.prod(part.scale for part in self.parts)

    @property
    def network(self) -> str:
        """The network made for it: what makes images smaller decides, then what all parts agree on."""
        smaller = {part.network for part in self.parts if part.scale > 1}
        names = smaller or {part.network for part in self.parts}
        return names.pop() if len(names) == 1 else GENERAL

    @property
    def extremes(self) -> bool:
        """Whether the part that comes last leaves its pixels exactly 0 or 1: what it hits can be found and filled."""
        return self.parts[-1].extremes

    @property
    def varies(self) -> bool:
        return self.parts[self.varied].varies

    def spec(self) -> str:
        return "+".join(part.spec() for part in self.parts)

    def with_main(self, value: float) -> "Composition":
        place = self.varied
        return Composition((*self.parts[:place], self.parts[place].with_main(value), *self.parts[place + 1 :]))

    @property
    def varied(self) -> int:
        """Which part a sweep varies: the first that does not change the images' size."""
        return next((place for place, part in enumerate(self.parts) if part.scale == 1), 0)

    def typical(self) -> "Composition":
        return Composition(tuple(part.typical() for part in self.parts))


def parse(spec: str) -> Degradation | Composition:
    """Read a spec string: ``name:value,parameter=value+name:…``.

    The first value may stand without its name and is then the main parameter; ``low..high`` is a range drawn anew
    for every image; ``+`` joins degradations that are applied in order.
    Raises CuelloError for a name or parameter that does not exist (with the nearest one) or a value out of limits.

    >>> parse("salt-pepper:0.1..0.9,per=channel").spec()
    'salt-pepper:0.1..0.9,per=channel'
    >>> parse("blur:1+gaussian:10").name
    'blur+gaussian'

    A name of ``MIXTURES`` stands for what it is made of.

    >>> parse("real-x2").name
    'blur+down+gaussian+jpeg'
    """
    if len(spec) > LONGEST_SPEC:
        raise CuelloError(f"noise {spec[:20]!r}… has {len(spec)} letters, needed {LONGEST_SPEC} at most.")
    named = [MIXTURES.get(part.strip(), part) for part in divided(spec, "+")]
    parts = tuple(parse_one(part.strip(), spec) for text in named for part in divided(text, "+"))
    whole = parts[0] if len(parts) == 1 else Composition(parts)
    if whole.scale > MOST_TIMES:
        raise CuelloError(
            f"noise {spec!r} makes images {whole.scale} times smaller, needed {MOST_TIMES} times at most."
        )
    return whole


def parse_one(part: str, spec: str) -> Degradation:
    """Read one degradation of a spec string; ``spec`` is the whole, for messages."""
    from cuello.degrade import DEGRADATIONS

    name, _, rest = part.partition("," if is_reference(part) else ":")
    if name in MIXTURES:
        raise CuelloError(
            f"noise {spec!r}: {name} stands for {MIXTURES[name]} and takes no values. Write that instead."
        )
    if "," in name:
        raise CuelloError(f"noise {spec!r}: values follow a colon, as in {name.partition(',')[0]}:0.2,parameter=value.")
    cls = DEGRADATIONS[name]
    settings: dict[str, str] = {}
    for position, item in enumerate(filter(None, rest.split(","))):
        key, equals, value = item.partition("=")
        if not equals:
            if position > 0 or not cls.main:
                raise CuelloError(
                    f"noise {spec!r}: {item!r} has no name. Only the first value may lack one"
                    f"{f' (it is {cls.main})' if cls.main else ''}; write parameter=value."
                )
            key, value = cls.main, item
        key = key.strip().replace("-", "_")
        if key not in cls.model_fields:
            known = ", ".join(cls.model_fields) or "none"
            raise CuelloError(
                f"noise {spec!r}: {name} has no parameter {key!r}.{closest(key, cls.model_fields)} "
                f"Its parameters: {known}."
            )
        if key in settings:
            raise CuelloError(f"noise {spec!r}: {key} is given twice.")
        settings[key] = value.strip()
    try:
        return cls.model_validate(settings)
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(step) for step in first["loc"][:1])
        message = first["msg"].removeprefix("Value error, ").replace("Input should be ", "needed ")
        got = f"{where} got {first['input']!r}, " if where else ""
        raise CuelloError(f"noise {spec!r}: {got}{message}.") from None


def has_range(degradation: Degradation | Composition) -> bool:
    """Tell whether any parameter is drawn from a range."""
    parts = degradation.parts if isinstance(degradation, Composition) else (degradation,)
    return any(isinstance(value, Range) for part in parts for value, _ in part.quantities().values())
