"""A registry is a table: name -> frozen Spec. A duplicate name is an error."""

from collections.abc import Callable, Iterator
from typing import Generic, Protocol, TypeVar

from cuello.core import own
from cuello.core.errors import unknown


class Named(Protocol):
    """Anything with a name to be found by and one line that describes it."""

    @property
    def name(self) -> str: ...

    @property
    def summary(self) -> str: ...


SpecType = TypeVar("SpecType", bound=Named)


class Registry(Generic[SpecType]):
    """A table of Specs by name, in the order in which they were added; those of one's own come after them.

    kind: what the entries are, for messages ("network", "noise"). adopt: makes a Spec of a part of one's own, which is
    then found as FILE.py:NAME, or by the name that it was registered or installed with; None where there are none.
    """

    def __init__(self, kind: str, specs: list[SpecType], adopt: Callable[[own.Part], SpecType] | None = None):
        self.kind = kind
        self._adopt = adopt
        self._adopted: dict[str, tuple[own.Part, SpecType]] = {}
        self._specs: dict[str, SpecType] = {}
        for spec in specs:
            if spec.name in self._specs:
                raise ValueError(f"two entries of the {kind} registry are called {spec.name!r}")
            self._specs[spec.name] = spec
        if kind in own.GROUPS:
            own.BUILT_IN.setdefault(kind, set()).update(self._specs)

    def __getitem__(self, name: str) -> SpecType:
        """Return the Spec called ``name``; CuelloError names the nearest one when there is none."""
        if name in self._specs:
            return self._specs[name]
        part = own.find(self.kind, name) if self._adopt is not None else None
        if self._adopt is None or part is None:
            raise unknown(self.kind, name, [*self.names(), *(own.installed(self.kind) if self._adopt else ())])
        if name not in self._adopted or self._adopted[name][0] != part:
            self._adopted[name] = part, self._adopt(part)
        return self._adopted[name][1]

    def __contains__(self, name: object) -> bool:
        return name in self._specs

    def __iter__(self) -> Iterator[SpecType]:
        return (self[name] for name in self.names())

    def __len__(self) -> int:
        return len(self.names())

    def names(self) -> list[str]:
        """Return every name, in order; of one's own, those that were registered."""
        return [*self._specs, *(own.registered(self.kind) if self._adopt is not None else ())]
