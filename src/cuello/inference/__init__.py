"""A trained network in use: on arrays, tensors and files."""

from typing import Any


def __getattr__(name: str) -> Any:
    """Give ``Model`` and ``load``, which this was a module of, with a warning that says where they are."""
    if name not in ("Model", "load"):  # first of all: an import of a module of this folder asks here
        raise AttributeError(f"module 'cuello.inference' has no attribute {name!r}")
    import warnings

    from cuello.inference import model

    warnings.warn(
        f"cuello.inference.{name} is now cuello.{name}; the old name goes with the next version.", DeprecationWarning,
        stacklevel=2,
    )  # fmt: skip
    return getattr(model, name)
