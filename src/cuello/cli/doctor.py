"""`cuello doctor`: what is installed, what it runs on, and what is missing for what."""

import os
import platform
import shutil
import sys
from importlib import metadata
from typing import Any, NamedTuple

from cuello.cli.options import JSON
from cuello.core.errors import CuelloError

PACKAGES = (
    "torch", "numpy", "pillow", "safetensors", "pydantic", "cyclopts", "rich", "scikit-image", "PyWavelets", "tifffile",
    "pypng", "tomli-w", "matplotlib", "pooch", "jinja2", "packaging",
)  # fmt: skip
"""What Cuello needs, as in pyproject.toml."""


class Optional(NamedTuple):
    """A package that only some work needs: what that is, and the extra that installs it."""

    package: str
    work: str
    extra: str


OPTIONALS = (
    Optional("h5py", "HDF5 files", "data"),
    Optional("onnx", "export to ONNX", "onnx"),
    Optional("onnxruntime", "models in ONNX files; their check", "onnx"),
    Optional("optuna", "search --sampler random or tpe", "search"),
    Optional("psycopg", "search --database", "postgres"),
    Optional("ray", "--cluster ray", "cluster"),
    Optional("fsspec", "images at URLs", "remote"),
    Optional("s3fs", "images at s3://", "remote"),
    Optional("gcsfs", "images at gs://", "remote"),
    Optional("aiohttp", "images at https://", "remote"),
    Optional("scikit-learn", "latent --method tsne", "latent"),
    Optional("umap-learn", "latent --method umap", "latent"),
    Optional("nicegui", "cuello web", "web"),
    Optional("fastapi", "cuello serve", "serve"),
    Optional("uvicorn", "cuello serve", "serve"),
    Optional("python-multipart", "cuello serve", "serve"),
    Optional("prometheus-client", "cuello serve: /metrics", "serve"),
    Optional("huggingface_hub", "models of the Hugging Face hub", "hub"),
    Optional("tensorboard", "train --track tensorboard", "track"),
    Optional("mlflow-skinny", "train --track mlflow", "track"),
    Optional("sqlalchemy", "train --track mlflow", "track"),
    Optional("alembic", "train --track mlflow", "track"),
)
COMPILERS = ("c++", "g++", "clang++", "cl")


def doctor(*, json: JSON = False) -> None:
    """Show what is installed, what it runs on, and what each missing part is for.

    For example:

    cuello doctor

    cuello doctor --json
    """
    from cuello.cli.render import print_json, print_rows, print_text

    found = examined()
    if json:
        print_json(found)
        return
    rows = [
        [name if name.isupper() else name.replace("_", " "), said(value)] for name, value in found["machine"].items()
    ]
    print_rows("", ["machine", ""], rows)
    print()
    rows = [[name, version or "missing"] for name, version in found["packages"].items()]
    print_rows("", ["package", "version"], rows)
    print()
    rows = [[one["package"], one["version"] or "not installed", one["for"]] for one in found["optional"]]
    print_rows("", ["optional package", "version", "for"], rows)
    print("\nMissing:" if found["missing"] else "\nNothing is missing.")
    for remedy in dict.fromkeys(one["remedy"] for one in found["missing"]):
        print(f"  {remedy}")
        for one in found["missing"]:
            if one["remedy"] == remedy:
                print_text(f"    {one['what']}, for {one['for']}")


def said(value: Any) -> str:
    """Write a value for people."""
    return "none" if value is None else "yes" if value is True else "no" if value is False else str(value)


def examined() -> dict[str, Any]:
    """Look at everything that Cuello may need, and return it as plain values."""
    packages = {name: version_of(name) for name in PACKAGES}
    optional = [
        {"package": one.package, "version": version_of(one.package), "for": one.work, "extra": one.extra}
        for one in OPTIONALS
    ]
    machine = about_machine()
    missing = [
        {"what": name, "for": "everything", "remedy": "pip install cuello"}
        for name, version in packages.items()
        if version is None
    ]
    missing += [
        {"what": one["package"], "for": one["for"], "remedy": f"pip install 'cuello[{one['extra']}]'"}
        for one in optional
        if one["version"] is None
    ]
    if machine["compiler"] is None:
        missing.append({"what": "a C++ compiler", "for": "train --compile", "remedy": "install g++ or clang"})
    return {"machine": machine, "packages": packages, "optional": optional, "missing": missing}


def version_of(package: str) -> str | None:
    """Return the version of a package that is installed, else None."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def about_machine() -> dict[str, Any]:
    """Return versions, processor, threads, device and folders; what torch says only where it can be loaded."""
    from cuello.core.files import cache_folder
    from cuello.core.memory import free_memory
    from cuello.core.version import VERSION
    from cuello.data.remote.cache import remote_cache, size_of_cache

    found: dict[str, Any] = {
        "cuello": VERSION,
        "python": f"{platform.python_version()} ({sys.executable})",
        "system": platform.platform(),
        "free_memory": f"{free_memory() / 2**30:.1f} GiB",
        "compiler": next(filter(None, map(shutil.which, COMPILERS)), None),
        "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS"),
        "CUELLO_DATA": os.environ.get("CUELLO_DATA"),
        "cache": str(cache_folder()),
        "fetched": f"{size_of_cache() / 1e6:,.0f} MB of images from URLs; to free them, remove {remote_cache()}",
    }
    try:
        import torch

        from cuello.runs.directory import available_cores, processor_name
        from cuello.training.device import choose_device, use_threads
    except (ImportError, OSError) as error:  # a library that it needs may be of another system
        return {**found, "torch": f"cannot be loaded: {error}"}
    device, before = choose_device("auto"), torch.get_num_threads()
    try:
        threads: int | str = use_threads(None)
    except CuelloError as error:
        threads = str(error)
    torch.set_num_threads(before)
    return {
        **found,
        "processor": processor_name(),
        "cores": available_cores(),
        "threads": threads,
        "device": str(device),
        "gpu": torch.cuda.get_device_name() if device.type == "cuda" else None,
        "torch": f"{torch.__version__}, built for {f'CUDA {torch.version.cuda}' if torch.version.cuda else 'CPU'}",
    }
