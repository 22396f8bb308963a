"""What torch's OpenMP reads when it is loaded, looked at in processes of their own; and what it leaves."""

import os
import subprocess
import sys

import pytest

SETTINGS = ("GOMP_SPINCOUNT", "KMP_BLOCKTIME", "OMP_WAIT_POLICY", "OMP_DYNAMIC")
CODE = """
import os, sys, numpy
from importlib.machinery import ModuleSpec
read = {}

class Loader:
    def create_module(self, spec):
        return None

    def exec_module(self, module):
        read.update((name, os.environ.get(name)) for name in %r)
        module.ones = lambda *size: numpy.ones(size)

class Stand_in:  # for torch, whose OpenMP cannot be asked what it has read
    def find_spec(self, name, path=None, target=None):
        return ModuleSpec(name, Loader()) if name == "torch" else None

sys.meta_path.insert(0, Stand_in())
before = dict(os.environ)
%s
assert dict(os.environ) == before, "nothing is left to processes that are started later"
print(read)
"""


def run(code: str, **environment: str) -> str:
    """Return what a new process prints, in which these settings and no others of OpenMP are made."""
    clean = {name: value for name, value in os.environ.items() if name not in SETTINGS}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, encoding="utf-8", timeout=100, check=False,
        env=clean | environment,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def read_by_torch(code: str = "import cuello, torch", **environment: str) -> dict[str, str | None]:
    return eval(run(CODE % (SETTINGS, code), **environment))


def test_threads_spin_shortly_and_are_as_many_as_asked_for() -> None:
    read = read_by_torch()
    assert int(read["GOMP_SPINCOUNT"] or "") <= 10_000, "GNU's default is 300,000"
    assert (read["KMP_BLOCKTIME"], read["OMP_DYNAMIC"], read["OMP_WAIT_POLICY"]) == ("0", "false", None)
    assert read_by_torch("import cuello.core.version\nimport importlib\nimportlib.import_module('torch')") == read


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="GNU's OpenMP shows what it has read")
def test_torchs_own_openmp_has_read_it() -> None:
    shown = subprocess.run(
        [sys.executable, "-c", "import cuello, torch"], capture_output=True, text=True, encoding="utf-8", check=True,
        env=os.environ | {"OMP_DISPLAY_ENV": "VERBOSE", "OMP_DYNAMIC": "true"},
    ).stderr  # fmt: skip
    assert "GOMP_SPINCOUNT = '1000'" in shown
    assert "OMP_DYNAMIC = 'FALSE'" in shown


@pytest.mark.parametrize(("name", "value"), [("GOMP_SPINCOUNT", "7"), ("OMP_WAIT_POLICY", "active")])
def test_what_the_user_chose_stays(name: str, value: str) -> None:
    read = read_by_torch(**{name: value})
    others = {other: None for other in SETTINGS if other not in (name, "OMP_DYNAMIC")}
    assert read == {**others, name: value, "OMP_DYNAMIC": "false"}


def test_the_users_own_dynamic_threads_are_for_other_programs() -> None:
    assert read_by_torch(OMP_DYNAMIC="true")["OMP_DYNAMIC"] == "false"


BACKWARD = """
import torch
torch.set_num_threads(2)
torch.nn.Conv2d(3, 8, 3)(torch.ones(8, 3, 32, 32)).sum().backward()
print("done")
"""


def test_with_dynamic_threads_a_training_goes_on() -> None:
    assert run("import cuello" + BACKWARD, OMP_DYNAMIC="true") == "done\n"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems' OpenMP cannot be asked")
def test_with_dynamic_threads_of_a_torch_that_was_loaded_before_it_is_a_word() -> None:
    said = run(
        "import torch, cuello.training.device as device\n"
        "device.use_threads(1)\n"
        "try:\n    device.use_threads(2)\nexcept Exception as error:\n    print(type(error).__name__, error)",
        OMP_DYNAMIC="true",
    )
    assert said.startswith("CuelloError torch was loaded with OMP_DYNAMIC=true, with which 2 threads can wait")
    assert "threads=1" in said


PRODUCTS = """
import os
assert "MKL_CBWR" not in os.environ, "nothing is left to processes that are started later"
torch.manual_seed(0)
for size in (7, 8, 9, 16, 31, 32):
    x, y = torch.randn(3, size, 2), torch.randn(3, size, 35)
    together = torch.bmm(x.mT, y)  # each begins somewhere else in memory
    print(torch.equal(together, torch.cat([torch.bmm(x[[place]].mT, y[[place]]) for place in range(3)])))
"""


@pytest.mark.parametrize("order", ["import cuello, torch", "import torch, cuello"])
def test_products_have_the_same_bits_wherever_their_numbers_lie(order: str) -> None:
    clean = {name: value for name, value in os.environ.items() if name != "MKL_CBWR"}
    done = subprocess.run(
        [sys.executable, "-c", order + PRODUCTS], capture_output=True, text=True, encoding="utf-8", check=True,
        env=clean,
    )  # fmt: skip
    assert done.stdout.split() == ["True"] * 6
