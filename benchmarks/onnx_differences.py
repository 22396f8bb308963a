"""Every registered network and each kind of job that it serves as ONNX, beside torch: the largest difference.

    python benchmarks/onnx_differences.py [--only NAME,NAME]

Networks have their registered settings, the channels that they usually take, and weights drawn at random, those that
begin at 0 too, so that every part has a say. Each is written as `cuello export` writes it, and run by ONNX Runtime on
photographs of three sizes that it was not made with, odd ones too, or of the only size that it takes, in batches of one
and two. Jobs that give images have one graph, so a network is tried with one of them. Printed: a line a network, and a
table of kinds with the largest difference, of white or of a probability.
"""

import argparse
from collections import defaultdict

import onnxruntime
import torch

from cuello.exporting.beside import largest_difference
from cuello.exporting.onnx import tried
from cuello.inference.model import Model
from cuello.models.catalog import CLEAN, CODE, KINDS, architecture_of, build, usual_channels
from cuello.models.named import NETWORKS, NetworkSpec
from cuello.runs.artefact import Artefact
from cuello.runs.directory import environment

CLASSES = ("cat", "dog", "owl")
NOISE = {"denoise": "gaussian:25", "upscale": "downscale:2"}


def job_of(spec: NetworkSpec) -> str:
    kind = KINDS[spec.kind]
    if kind.gives != "images":
        return "classify" if kind.classifies else "explain"
    own = {CLEAN: "denoise", CODE: "reconstruct"}.get(kind.purpose, "denoise")
    return "upscale" if spec.scales != (1,) else own


def model_of(spec: NetworkSpec, job: str) -> Model:
    """Make a network with weights drawn at random."""
    kind = KINDS[spec.kind]
    classes = None if kind.gives == "images" else len(CLASSES)
    torch.manual_seed(0)
    architecture = architecture_of(spec.name, usual_channels(spec.name), classes=classes)
    network = build(architecture).eval()
    with torch.no_grad():
        for tensor in network.state_dict().values():
            if tensor.is_floating_point() and tensor.ndim == 1:
                tensor.add_(torch.rand_like(tensor), alpha=0.2)
            elif tensor.is_floating_point() and not tensor.any():
                tensor.normal_(0, 0.05)
    about = Artefact(
        architecture, job, NOISE.get(job), network.state_dict(),
        classes=CLASSES if kind.classifies else (), classifier="f" * 16 if kind.explains else "",
    )  # fmt: skip
    return Model(about, network.folded().eval())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="")
    only = {name for name in parser.parse_args().only.split(",") if name}
    here = environment()
    print(f"{here.get('processor')}; torch {torch.__version__}, ONNX Runtime {onnxruntime.__version__}", flush=True)
    found: dict[tuple[str, str], list[tuple[float, str]]] = defaultdict(list)
    for spec in NETWORKS:
        if only and spec.name not in only:
            continue
        job = job_of(spec)
        model = model_of(spec, job)
        stride = model.network.stride
        sizes = ((5, 3 * stride + 4), (2 * stride + 3, stride + 6), (61, 83))
        apart = largest_difference(model, tried(model)[0], sizes, most=2)
        found[spec.kind, job].append((apart, spec.name))
        print(f"{spec.name:28} {job:12} {apart:.1e}", flush=True)
    print("\n| kind | job | networks | largest difference | of |\n|---|---|---|---|---|")
    for (kind, job), those in found.items():
        apart, name = max(those)
        print(f"| `{kind}` | {job} | {len(those)} | {apart:.1e} | `{name}` |")
    print(f"\nlargest of all: {max(max(those) for those in found.values())}")


if __name__ == "__main__":
    main()
