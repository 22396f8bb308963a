"""A network that somebody wrote in a file of their own, brought to the contract of the built-in ones."""

import hashlib
import importlib.util
import inspect
import sys
from pathlib import Path

from torch import Tensor, nn

from cuello.core.errors import CuelloError, closest
from cuello.core.types import Output
from cuello.models.base import ImageNetwork, as_output
from cuello.models.geometry import check_multiple, measure_receptive_field, measure_stride


class CustomNetwork(ImageNetwork):
    """Somebody's network with what Cuello needs to know about it.

    inner: any module that takes ``(N, C, H, W)`` and returns ``(N, C, scale · H, scale · W)``, as a tensor or as an
    Output; where it states ``conditioned = True``, it is given ``level``, the noise's standard deviation, too.
    stride, receptive_field: as it states them in attributes, or else as measured; a receptive field of None means
    that every pixel depends on the whole image, and images cannot be run in tiles.
    """

    def __init__(self, inner: nn.Module, channels: int, stride: int, receptive_field: int | None, scale: int = 1):
        super().__init__()
        self.inner = inner
        self.channels, self.stride, self.receptive_field, self.scale = channels, stride, receptive_field, scale
        self.conditioning = "level" if getattr(inner, "conditioned", False) is True else None

    def forward(self, x: Tensor, condition: Tensor | None = None) -> Output:
        """Return what the network gives for images ``(N, C, H, W)``; CuelloError where the shape is another."""
        check_multiple(x, self.stride)
        result = self.inner(x, level=condition) if self.conditioning else self.inner(x)
        output = as_output(result)
        count, channels, height, width = x.shape
        wanted = (count, channels, self.scale * height, self.scale * width)
        if not isinstance(output.image, Tensor) or output.image.shape != wanted:
            got = tuple(output.image.shape) if isinstance(output.image, Tensor) else type(output.image).__name__
            shape = "the same shape" if self.scale == 1 else f"shape {wanted}"
            raise CuelloError(
                f"{type(self.inner).__name__} turned images of shape {tuple(x.shape)} into {got}; "
                f"it needs to return a tensor (or cuello.Output) of {shape}."
            )
        return output


def is_reference(name: str) -> bool:
    """Tell whether ``name`` is somebody's own network, FILE.py:CLASS."""
    return ".py:" in name


def split_reference(reference: str) -> tuple[Path, str]:
    """Split FILE.py:CLASS; CuelloError where the file does not exist."""
    file, _, class_name = reference.rpartition(":")
    path = Path(file).expanduser()
    if not path.is_file():
        raise CuelloError(f"{reference}: there is no file {path}. Write FILE.py:CLASS, as in my_net.py:MyNet.")
    return path, class_name


def source_checksum(reference: str) -> str:
    """Return the SHA-256 of the file that a reference names."""
    return hashlib.sha256(split_reference(reference)[0].read_bytes()).hexdigest()


def build_custom(reference: str, channels: int, scale: int = 1) -> CustomNetwork:
    """Run the user's file and make its network.

    reference: FILE.py:CLASS. The class is called with those of ``channels=`` and ``scale=`` that it takes.
    Raises CuelloError where there is no such class, it is no torch module, it cannot be made, or it states another
    ``scale``.
    """
    path, class_name = split_reference(reference)
    spec = importlib.util.spec_from_file_location(f"cuello_user_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise CuelloError(f"{path} cannot be imported; needed a Python file.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where dataclasses and pickles look for it
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise CuelloError(f"{path} failed while it was imported: {type(error).__name__}: {error}.") from error
    cls = getattr(module, class_name, None)
    if not (inspect.isclass(cls) and issubclass(cls, nn.Module)):
        modules = [
            name for name, value in vars(module).items() if inspect.isclass(value) and issubclass(value, nn.Module)
        ]
        raise CuelloError(
            f"{path} has no torch.nn.Module called {class_name!r}.{closest(class_name, modules)} "
            f"It has: {', '.join(modules) or 'none'}."
        )
    try:
        taken = inspect.signature(cls).parameters
        settings = {"channels": channels, "scale": scale}
        inner = cls(**{name: value for name, value in settings.items() if name in taken})
    except Exception as error:
        raise CuelloError(f"{reference} could not be made: {type(error).__name__}: {error}.") from error
    own = stated(inner, "scale")
    if own not in (None, scale):
        raise CuelloError(
            f"{class_name} states that it makes images {own} times as large, and was to do so {scale} times: "
            + (f"add --scale={own}." if own != 1 else "leave --scale out, or take a network that enlarges.")
        )
    try:
        stride = stated(inner, "stride") or measure_stride(inner, channels, scale=scale)
        field = stated(inner, "receptive_field") or measure_receptive_field(inner, channels, stride, scale=scale)
    except CuelloError:
        raise
    except Exception as error:
        raise CuelloError(
            f"{reference} failed on an image of {channels} channels: {type(error).__name__}: {error}."
        ) from error
    return CustomNetwork(inner, channels, stride=stride, receptive_field=field, scale=scale)


def stated(network: nn.Module, name: str) -> int | None:
    """Return a whole number above 0 that a network states in an attribute; torch's own layers keep other things there.

    >>> stated(nn.Conv2d(1, 1, 3), "stride") is None
    True
    """
    value = getattr(network, name, None)
    return value if isinstance(value, int) and value > 0 else None
