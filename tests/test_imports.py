"""What is imported when, looked at in processes of their own; and what must never be installed."""

import json
import re
import subprocess
import sys
from importlib import metadata

import pytest
from packaging.requirements import Requirement

HEAVY = {"torch", "matplotlib", "numpy", "skimage", "scipy", "PIL"}


def modules_after(code: str) -> set[str]:
    """Return the top-level modules that are loaded after running ``code`` in a new process."""
    tail = "\nimport sys, json\nprint('\\n' + json.dumps(sorted({name.split('.')[0] for name in sys.modules})))"
    done = subprocess.run([sys.executable, "-c", code + tail], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_import_cuello_is_light() -> None:
    assert not HEAVY & modules_after("import cuello; cuello.__version__")


@pytest.mark.parametrize(
    "arguments", [["--help"], ["train", "--help"], ["--version"], ["models"], ["models", "--json"]]
)
def test_help_is_light(arguments: list[str]) -> None:
    code = (
        f"from cuello.cli import main\ntry:\n    main({arguments!r})\nexcept SystemExit as stop:\n"
        "    assert stop.code == 0, stop.code"
    )
    loaded = modules_after(code)
    assert "cyclopts" in loaded, "the command line did run"
    assert not HEAVY & loaded


def test_stores_of_files_are_loaded_for_a_url_alone() -> None:
    code = (
        "import tempfile, numpy, cuello\nfrom pathlib import Path\nfrom cuello.data.catalog import open_source\n"
        "from cuello.inference.files import files_to_do\nfolder = Path(tempfile.mkdtemp())\n"
        "numpy.save(folder / 'a.npy', numpy.zeros((2, 8, 8), 'uint8'))\nopen_source(str(folder / 'a.npy'))\n"
        "files_to_do(folder / 'a.npy', folder / 'b.npy')"
    )
    loaded = modules_after(code)
    assert "numpy" in loaded
    assert not {"fsspec", "s3fs", "gcsfs", "aiohttp", "botocore", "aiobotocore"} & loaded


def test_python_m_cuello_is_the_command() -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "cuello", "--help"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0
    assert "cuello COMMAND" in done.stdout
    loaded = {line.rpartition("|")[2].strip().split(".")[0] for line in done.stderr.splitlines()}
    assert "cyclopts" in loaded
    assert not HEAVY & loaded


def test_no_module_loads_torchvision_and_using_a_model_loads_no_trainer() -> None:
    every = modules_after(
        "import cuello, importlib, pkgutil\n"
        "import cuello.inference.model, cuello.inference.files, sys\n"
        "assert not [name for name in sys.modules if name.startswith('cuello.training')]\n"
        "names = [m.name for m in pkgutil.walk_packages(cuello.__path__, 'cuello.') if m.name != 'cuello.__main__']\n"
        "assert len(names) > 40\n"
        "[importlib.import_module(name) for name in names]\n"
        "assert callable(cuello.apply) and callable(cuello.evaluate), 'hidden by the modules of the same name'"
    )
    assert "torch" in every
    assert not {"torchvision", "torchmetrics", "lightning"} & every


def test_inference_is_asked_for_its_modules_before_any_is_loaded() -> None:
    code = "import cuello.inference\nassert not hasattr(cuello.inference, 'nothing')\n"
    code += "from cuello.inference import files\nfiles.apply"
    assert "torch" in modules_after(code)


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def requirements_of(name: str, extras: frozenset[str]) -> list[Requirement]:
    try:
        listed = metadata.requires(name) or []
    except metadata.PackageNotFoundError:
        return []  # a requirement of another platform
    found = [Requirement(text) for text in listed]
    return [
        one
        for one in found
        if one.marker is None or any(one.marker.evaluate({"extra": extra}) for extra in (*extras, ""))
    ]


def test_torchvision_is_nowhere_among_the_requirements() -> None:
    """It has no build beside the CPU build of torch, and where it is, importing others fails."""
    extras = frozenset(metadata.metadata("cuello").get_all("Provides-Extra") or ())
    waiting, seen = [("cuello", extras)], set()
    while waiting:
        name, wanted = waiting.pop()
        if (name, wanted) in seen:
            continue
        seen.add((name, wanted))
        waiting += [(canonical(one.name), frozenset(one.extras)) for one in requirements_of(name, wanted)]
    names = {name for name, _ in seen}
    assert {"torch", "numpy", "pydantic", "networkx"} <= names, "the tree was walked, below the first level too"
    assert "torchvision" not in names


def test_torchvision_is_not_installed() -> None:
    with pytest.raises(metadata.PackageNotFoundError):
        metadata.version("torchvision")
