"""Degradations of one's own: a class of Degradation, or a function whose numbers become parameters."""

import inspect
import math
from typing import TYPE_CHECKING, Any, ClassVar

import pydantic

from cuello.core.errors import CuelloError
from cuello.core.own import Part, failing, head_of, parameters_of
from cuello.degrade.base import Degradation, Quantity, Range, quantity

if TYPE_CHECKING:
    from torch import Generator, Tensor


def own_noise(part: Part) -> type[Degradation]:
    """Make a degradation of a part of one's own, called by how it is written.

    It is a Degradation, or something called with ``images`` and ``generator``, whose further parameters have defaults:
    numbers become quantities, which may be ranges; yes or no, and texts, stay what they are.
    """
    name, thing = head_of(part.text), part.thing
    if inspect.isclass(thing) and issubclass(thing, Degradation):
        return type(thing.__name__, (thing,), {"name": name, "__module__": thing.__module__})
    fields: dict[str, Any] = {}
    for one in list(parameters_of(thing).values())[0 if inspect.isclass(thing) else 2 :]:
        if one.kind in (one.VAR_POSITIONAL, one.VAR_KEYWORD):
            continue
        if one.default is one.empty:
            raise CuelloError(f"{part.text}: {one.name} has no default; write e.g. {one.name}=0.1, so that it has one.")
        fields[one.name] = field_of(one.name, one.default)
    main = next((field for field, (annotation, _) in fields.items() if annotation is Quantity), "")
    base = type("OwnDegradation", (OwnDegradation,), {"name": name, "summary": part.summary, "main": main})
    made: Any = pydantic.create_model(part.name, __base__=base, **fields)
    made.thing = staticmethod(thing)
    return made


def field_of(name: str, default: Any) -> tuple[Any, Any]:
    """Return the type and the declaration of a parameter, from its default."""
    if isinstance(default, bool):
        return bool, pydantic.Field(default, description=name)
    if isinstance(default, int | float):
        limits = (-math.inf, math.inf)
        whole = isinstance(default, int)
        return Quantity, quantity(float(default), name.replace("_", " "), "one's own", limits=limits, whole=whole)
    return str, pydantic.Field(str(default), description=name)


class OwnDegradation(Degradation):
    """What a function of one's own makes of images; see ``own_noise``. thing: the function, or a class of such."""

    thing: ClassVar[Any]

    def degrade(self, images: "Tensor", values: "dict[str, Tensor]", generator: "Generator") -> "Tensor":
        """Call it with the parameters: numbers as they are, ranges as one value per image, ``(N, 1, 1, 1)``."""
        import torch

        thing, by_call = type(self).thing, not inspect.isclass(type(self).thing)
        given: dict[str, Any] = {name: getattr(self, name) for name in type(self).model_fields}
        for name, (value, limits) in self.quantities().items():
            given[name] = values[name] if isinstance(value, Range) else int(value) if limits["whole"] else value
        with failing(f"the noise {self.name}"):
            copies = images.clone()
            found: Any = thing(copies, generator, **given) if by_call else thing(**given)(copies, generator)
        if not isinstance(found, torch.Tensor) or found.shape != images.shape:
            got = tuple(found.shape) if isinstance(found, torch.Tensor) else type(found).__name__
            raise CuelloError(
                f"the noise {self.name} made {got} of images {tuple(images.shape)}, needed a tensor of their shape."
            )
        return found.to(images.dtype)
