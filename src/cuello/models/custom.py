"""A network that somebody wrote in a file of their own, brought to the contract of the built-in ones."""

import hashlib
import importlib.util
import inspect
import sys
from pathlib import Path

from torch import Tensor, nn

from cuello.errors import CuelloError, closest
from cuello.models.geometry import check_multiple, measure_receptive_field, measure_stride
from cuello.types import Output


class CustomNetwork(nn.Module):
    """Somebody's network with what Cuello needs to know about it.

    inner: any module that takes ``(N, C, H, W)`` and returns the same shape, as a tensor or as an Output.
    stride, receptive_field: as it states them in attributes, or else as measured; a receptive field of None means
    that every pixel depends on the whole image, and images cannot be run in tiles.
    """

    def __init__(self, inner: nn.Module, channels: int, stride: int, receptive_field: int | None):
        super().__init__()
        self.inner = inner
        self.channels, self.stride, self.receptive_field = channels, stride, receptive_field

    def forward(self, x: Tensor, condition: Tensor | None = None) -> Output:
        """Return what the network gives for images ``(N, C, H, W)``; CuelloError where the shape changed."""
        check_multiple(x, self.stride)
        result = self.inner(x)
        output = result if isinstance(result, Output) else Output(result)
        if not isinstance(output.image, Tensor) or output.image.shape != x.shape:
            got = tuple(output.image.shape) if isinstance(output.image, Tensor) else type(output.image).__name__
            raise CuelloError(
                f"{type(self.inner).__name__} turned images of shape {tuple(x.shape)} into {got}; "
                "it needs to return a tensor (or cuello.Output) of the same shape."
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


def build_custom(reference: str, channels: int) -> CustomNetwork:
    """Run the user's file and make its network.

    reference: FILE.py:CLASS. The class is called with ``channels=`` if it takes that, else with nothing.
    Raises CuelloError where there is no such class, it is no torch module, or it cannot be made.
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
        takes_channels = "channels" in inspect.signature(cls).parameters
        inner = cls(channels=channels) if takes_channels else cls()
    except Exception as error:
        raise CuelloError(f"{reference} could not be made: {type(error).__name__}: {error}.") from error
    try:
        stride = stated(inner, "stride") or measure_stride(inner, channels)
        field = stated(inner, "receptive_field") or measure_receptive_field(inner, channels, stride)
    except CuelloError:
        raise
    except Exception as error:
        raise CuelloError(
            f"{reference} failed on an image of {channels} channels: {type(error).__name__}: {error}."
        ) from error
    return CustomNetwork(inner, channels, stride, field)


def stated(network: nn.Module, name: str) -> int | None:
    """Return a whole number above 0 that a network states in an attribute; torch's own layers keep other things there.

    >>> stated(nn.Conv2d(1, 1, 3), "stride") is None
    True
    """
    value = getattr(network, name, None)
    return value if isinstance(value, int) and value > 0 else None
