"""A registry is a table: name -> frozen Spec. A duplicate name is an error."""

from collections.abc import Iterator
from typing import Generic, Protocol, TypeVar

from cuello.core.errors import unknown


class Named(Protocol):
    """Anything with a name to be found by and one line that describes it."""

    @property
    def name(self) -> str: ...

    @property
    def summary(self) -> str: ...


SpecType = TypeVar("SpecType", bound=Named)


class Registry(Generic[SpecType]):
    """A table of Specs by name, in the order in which they were added.

    kind: what the entries are, for messages ("network", "noise").
    """

    def __init__(self, kind: str, specs: list[SpecType]):
        self.kind = kind
        self._specs: dict[str, SpecType] = {}
        for spec in specs:
            if spec.name in self._specs:
                raise ValueError(f"two entries of the {kind} registry are called {spec.name!r}")
            self._specs[spec.name] = spec

    def __getitem__(self, name: str) -> SpecType:
        """Return the Spec called ``name``; CuelloError names the nearest one when there is none."""
        if name not in self._specs:
            raise unknown(self.kind, name, self._specs)
        return self._specs[name]

    def __contains__(self, name: object) -> bool:
        return name in self._specs

    def __iter__(self) -> Iterator[SpecType]:
        return iter(self._specs.values())

    def __len__(self) -> int:
        return len(self._specs)

    def names(self) -> list[str]:
        """Return every name, in order."""
        return list(self._specs)
