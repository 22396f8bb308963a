"""Safetensors files with a checksum and JSON beside the tensors: no code in them, and no silent damage."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from cuello.core.errors import CuelloError
from cuello.core.files import check_no_device, write_bytes
from cuello.core.schema import LONGEST_JSON, read_json, shortened
from cuello.core.text import in_every, portable
from cuello.core.version import VERSION

KEY = "cuello"
LONGEST_HEADER = 2 * LONGEST_JSON
UNREADABLE = (SafetensorError, OSError, RuntimeError, KeyError, AttributeError, TypeError, ValueError)
"""What the library raises for files that are damaged, or hold types that torch does not know."""
FLOATS = (torch.float32, torch.float16, torch.bfloat16, torch.float64)
WEIGHTS = (*FLOATS, torch.int64, torch.int32, torch.uint8, torch.bool)


def digest_of(tensors: Mapping[str, Tensor], about: str) -> str:
    """Return the SHA-256 of the JSON and of every tensor's name, type, shape and bytes."""
    state = hashlib.sha256(about.encode())
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        state.update(f"{name}/{tensor.dtype}/{tuple(tensor.shape)}".encode())
        state.update(tensor.view(-1).view(torch.uint8).numpy().data if tensor.numel() else b"")
    return state.hexdigest()


def packed(tensors: Mapping[str, Tensor], about: Mapping[str, Any], kind: str, format: int) -> bytes:
    """Return tensors and what is to be known about them as a file's content.

    kind: what the file is ("model", "checkpoint"). format: the version of its layout.
    """
    known = in_every(dict(about), portable)
    header = json.dumps({"kind": kind, "format": format, "version": VERSION, **known}, sort_keys=True)
    kept = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    metadata = {KEY: header, "sha256": digest_of(kept, header)}
    return in_order(save(kept, metadata))


def save_tensors(path: Path, tensors: Mapping[str, Tensor], about: Mapping[str, Any], kind: str, format: int) -> None:
    """Write what ``packed`` gives, whole or not at all."""
    write_bytes(path, packed(tensors, about, kind, format=format))


def in_order(content: bytes) -> bytes:
    """Return a safetensors file with its metadata sorted by name: the library writes them in a random order.

    So the same network is the same file, which a checksum of the whole file shows.
    """
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)  # tensors begin at a multiple of eight
    return b"".join((len(text).to_bytes(8, "little"), text, memoryview(content)[8 + length :]))


def load_tensors(path: Path, kind: str, format: int) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read a file back and check it: tensors on the CPU, and what is known about them.

    Raises CuelloError where the file is missing, no safetensors file, cut short, not Cuello's, of another kind or
    version, or changed after it was written.
    """
    with opened(path) as file:
        metadata = file.metadata() or {}
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    about = checked_about(path, metadata, kind=kind, format=format)
    if digest_of(tensors, metadata[KEY]) != metadata["sha256"]:
        raise CuelloError(
            f"{path} was changed after it was written: its checksum does not fit its content. Copy the original again."
        )
    return tensors, about


def read_about(path: Path, kind: str, format: int) -> dict[str, Any]:
    """Read only what is known about a file's tensors, not the tensors, so that a large file costs nothing.

    Raises CuelloError as ``load_tensors`` does, except that the checksum is not worked out.
    """
    with opened(path) as file:
        metadata = file.metadata() or {}
    return checked_about(path, metadata, kind=kind, format=format)


@contextmanager
def opened(path: Path) -> Iterator[Any]:
    """Open a safetensors file; CuelloError where it is missing, cut short or something else."""
    check_no_device(path)
    try:
        with open(path, "rb") as plain:
            length = int.from_bytes(plain.read(8), "little")
        if length > LONGEST_HEADER:
            raise CuelloError(
                f"{path} is not a whole safetensors file: a description of {length / 2**20:,.0f} MiB, at most "
                f"{LONGEST_HEADER // 2**20} are possible. Copy it again."
            )
        with safe_open(path, framework="pt") as file:
            yield file
    except FileNotFoundError:
        raise CuelloError(f"there is no file {path}.") from None
    except UNREADABLE as error:
        raise CuelloError(
            f"{path} is not a whole safetensors file ({error}): cut short, or something else. Copy it again."
        ) from None


def checked_about(path: Path, metadata: Mapping[str, str], kind: str, format: int) -> dict[str, Any]:
    """Return the description in a file's metadata; CuelloError where it is not Cuello's, of this kind and format."""
    if KEY not in metadata or "sha256" not in metadata:
        raise CuelloError(
            f"{path} is a safetensors file, but not one of Cuello's: it lacks the description of its network. "
            "Needed: model.safetensors of a run directory."
        )
    try:
        about = read_json(metadata[KEY])
    except ValueError as error:
        raise CuelloError(f"{path} was changed after it was written: its description is not JSON ({error}).") from None
    if not isinstance(about, dict):
        raise CuelloError(f"{path} was changed after it was written: its description is not a JSON object.")
    if about.get("kind") != kind:
        raise CuelloError(f"{path} is a {worded(about.get('kind'))} file, needed a {kind} file.")
    if about.get("format") != format:
        raise CuelloError(
            f"{path} has format {worded(about.get('format'))} (cuello {worded(about.get('version'))}); this version "
            f"reads format {format}. Install the version of cuello that wrote it, or train anew."
        )
    return about


def worded(value: Any) -> str:
    """Write a word of the description as it is, anything else shortened."""
    return value[:60] if isinstance(value, str) else shortened(value)


def check_finite(tensors: Mapping[str, Tensor], path: Path) -> None:
    """Raise CuelloError that names the first tensor that is of no type of weights, or holds NaN or infinity."""
    for name, tensor in tensors.items():
        if tensor.dtype not in WEIGHTS:
            raise CuelloError(f"{path}: tensor {name!r} is of type {tensor.dtype}, which no weights have.")
        if tensor.is_floating_point() and not tensor.float().isfinite().all():
            raise CuelloError(
                f"{path}: tensor {name!r} holds values that are not numbers (NaN or infinity): a training that "
                "diverged, or a damaged file. Train anew, with a lower --learning-rate."
            )


def check_fit(found: Mapping[str, Tensor], needed: Mapping[str, Tensor], path: Path) -> None:
    """Raise CuelloError that names the first tensor that is missing, too many, or of another shape."""
    for name in needed:
        if name not in found:
            raise CuelloError(f"{path} lacks the tensor {name!r} that this network needs: another network's weights?")
        if found[name].shape != needed[name].shape:
            raise CuelloError(
                f"{path}: tensor {name!r} has shape {tuple(found[name].shape)}, needed {tuple(needed[name].shape)}: "
                "another network's weights?"
            )
        if found[name].is_floating_point() != needed[name].is_floating_point():
            raise CuelloError(
                f"{path}: tensor {name!r} is of type {found[name].dtype}, needed {needed[name].dtype}: another "
                "network's weights?"
            )
    extra = [name for name in found if name not in needed]
    if extra:
        raise CuelloError(f"{path} holds the tensor {extra[0]!r}, which this network does not have.")
