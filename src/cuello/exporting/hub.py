"""A folder that can be put on the Hugging Face hub as it is: the network, its ONNX file, its card and its numbers."""

import json
import re
from collections.abc import Callable
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path
from typing import Any

from cuello.core.config import GIVES
from cuello.core.files import as_cuello_error, make_folder, temporary_folder
from cuello.core.rights import OWN_LICENCE
from cuello.core.version import VERSION
from cuello.data.catalog import CATALOG
from cuello.exporting.card import Subject, Yardstick, card, figures_of, handed_down, score_label, subject_of
from cuello.exporting.export import check_empty
from cuello.exporting.plain import plain_onnx, without_places
from cuello.exporting.yaml import yaml_of
from cuello.inference.model import Model
from cuello.runs.artefact import FILE_NAME, Artefact, load_artefact, save_artefact

PIPELINE = {"images": "image-to-image", "maps": "image-to-image", "classes": "image-classification"}
"""What the hub calls a network by what comes out of it."""
LICENCES = (
    "afl-3.0", "agpl-3.0", "apache-2.0", "artistic-2.0", "bsd-2-clause", "bsd-3-clause", "bsd-3-clause-clear",
    "bsl-1.0", "cc-by-2.0", "cc-by-2.5", "cc-by-3.0", "cc-by-4.0", "cc-by-nc-2.0", "cc-by-nc-3.0", "cc-by-nc-4.0",
    "cc-by-nc-nd-3.0", "cc-by-nc-nd-4.0", "cc-by-nc-sa-2.0", "cc-by-nc-sa-3.0", "cc-by-nc-sa-4.0", "cc-by-nd-4.0",
    "cc-by-sa-3.0", "cc-by-sa-4.0", "cc0-1.0", "cdla-permissive-1.0", "cdla-permissive-2.0", "cdla-sharing-1.0",
    "ecl-2.0", "epl-1.0", "epl-2.0", "etalab-2.0", "eupl-1.1", "eupl-1.2", "gpl-2.0", "gpl-3.0", "isc", "lgpl-2.1",
    "lgpl-3.0", "lppl-1.3c", "mit", "mpl-2.0", "ms-pl", "ncsa", "odbl-1.0", "ofl-1.1", "osl-3.0", "pddl-1.0",
    "postgresql", "unlicense", "wtfpl", "zlib",
)  # fmt: skip
"""Licences that the hub knows by name; others are given to it as "other", with their name."""


def write_hub(
    model: Model,
    folder: Path,
    *,
    onnx: Callable[[Model], bytes] = plain_onnx,
) -> list[str]:
    """Write a folder for the Hugging Face hub, whole or not at all, and return what its author should know.

    Nothing is sent anywhere. folder: a new one, or an empty one. onnx: what makes the ONNX file. Raises
    CuelloError where the folder holds something, or the network cannot be exported.
    """
    check_empty(folder)
    subject, notes = subject_of(model), []
    graph = onnx(model)
    parent = make_folder(folder.absolute().parent)
    with temporary_folder(parent, folder.name) as made:
        artefact = without_places(model.artefact)
        if artefact is not model.artefact or model.path is None:
            save_artefact(made / FILE_NAME, artefact)
            notes.append("model.safetensors names the training images without the way to them on this machine.")
        else:
            source = model.path / FILE_NAME if model.path.is_dir() else model.path
            (made / FILE_NAME).write_bytes(source.read_bytes())
        checksum = sha256((made / FILE_NAME).read_bytes()).hexdigest()
        load_artefact(made / FILE_NAME)
        (made / "model.onnx").write_bytes(graph)
        pictures = figures_of(subject)
        for name, content in pictures.items():
            (made / f"{name}.png").write_bytes(content)
        if subject.metrics:
            (made / "metrics.json").write_text(json.dumps(subject.metrics, indent=2) + "\n", "utf-8")
        config = json.dumps(config_of(subject, artefact, checksum), indent=2, ensure_ascii=False)
        (made / "config.json").write_text(config + "\n", "utf-8")
        front = yaml_of(front_matter(subject))
        body = card(subject, usage(subject, checksum), list(pictures))
        (made / "README.md").write_text(f"---\n{front}---\n\n{body}", "utf-8")
        try:
            if folder.is_dir():
                folder.rmdir()
            made.rename(folder)
            made.mkdir()  # what the block removes at its end
        except OSError as error:
            raise as_cuello_error(error, folder) from None
    return [*notes, *lacking(subject), *handed_down(model.artefact)]


def lacking(subject: Subject) -> list[str]:
    """Say what the author should add before others can use the network."""
    training, found = subject.model.artefact.training, []
    if subject.run is None:
        stated = training.get("license") is not None
        return [] if stated else ["the card states no licence: nobody may use it. A run states one while it trains."]
    place = subject.run.path
    if missing := [name for name in ("license", "author", "citation") if not training.get(name)]:
        flags = {"license": "--license Apache-2.0", "author": '--author "YOUR NAME"', "citation": "--citation DOI"}
        said = ", ".join({"license": "licence"}.get(name, name) for name in missing)
        found.append(
            f"the card states no {said}{': nobody may use it' if 'license' in missing else ''}. State it, and export "
            f"again: cuello resume {place} {' '.join(flags[name] for name in missing)} --no-report"
        )
    if not subject.measured:
        found.append(f"nothing in the card says how good it is: cuello evaluate {place}, and export again.")
    return found


def config_of(subject: Subject, artefact: Artefact, checksum: str) -> dict[str, Any]:
    """Return what programs need to know of the network."""
    model = subject.model
    return {
        "library_name": "cuello", "cuello_version": VERSION, "job": artefact.job, "noise": artefact.noise,
        "architecture": asdict(artefact.architecture), "channels": model.channels, "scale": model.scale,
        "stride": model.network.stride, "receptive_field": model.network.receptive_field, "size": model.size,
        "conditioned": model.conditioned, "range": str(model.levels) if model.levels else None,
        "classes": list(artefact.classes), "training": dict(artefact.training),
        "files": {FILE_NAME: {"sha256": checksum}},
    }  # fmt: skip


def front_matter(subject: Subject) -> dict[str, Any]:
    """Return what the hub reads of a card: licence, library, purpose, data, scores."""
    about = subject.model.artefact
    purpose, data = PIPELINE[GIVES[about.job]], str(about.training.get("data") or "")
    found: dict[str, Any] = {
        **licence_fields(about.training.get("license")), "library_name": "cuello", "pipeline_tag": purpose,
        "tags": ["cuello", about.job, about.architecture.name.partition(":")[0], "onnx"],
    }  # fmt: skip
    if data in CATALOG:
        found["datasets"] = [data]
    measured = subject.measured
    if names := list(dict.fromkeys(name for one in measured for name in one.scores)):
        found["metrics"] = names
        results = [result_of(one, purpose, about.job) for one in measured]
        found["model-index"] = [{"name": subject.name, "results": results}]
    return found


def licence_fields(licence: Any) -> dict[str, str]:
    """Say a licence as the hub wants it said.

    >>> licence_fields("GPL-3.0-or-later"), licence_fields("0BSD")
    ({'license': 'gpl-3.0'}, {'license': 'other', 'license_name': '0bsd', 'license_link': 'https://spdx.org/licenses/0BSD'})
    """
    if not licence:
        return {"license": "unknown"}
    name = str(licence).lower()
    for known in (name, re.sub("-(only|or-later)$", "", name)):
        if known in LICENCES:
            return {"license": known}
    single = " " not in name and not str(licence).startswith(OWN_LICENCE)
    link = f"https://spdx.org/licenses/{licence}" if single else "README.md"
    return {"license": "other", "license_name": re.sub("[^a-z0-9.+-]+", "-", name), "license_link": link}


def result_of(measured: Yardstick, purpose: str, job: str) -> dict[str, Any]:
    """Return one evaluation as an entry of the hub's model-index."""
    about = f"{measured.about}; " if measured.about else ""
    return {
        "task": {"type": purpose, "name": job},
        "dataset": {"type": re.split("[ ,]", measured.images)[0], "name": measured.images},
        "metrics": [
            {
                "type": name,
                "value": round(value, 6),
                "name": score_name(name, about, measured.protocols.get(name, "")),
                "verified": False,
            }
            for name, value in measured.scores.items()
        ],
        "source": {
            "name": "Yardstick by its author with cuello; how, is said in the card",
            "url": "README.md#validation",
        },
    }


def score_name(name: str, about: str, protocol: str) -> str:
    """Say what a score is and how it was measured. about: what holds for the whole evaluation.

    >>> score_name("accuracy", "12 images; ", ""), score_name("psnr", "", "PSNR in dB on Y")
    ('accuracy: 12 images', 'PSNR in dB on Y')
    """
    label = score_label(name)
    said = f"{about}{protocol}" if protocol.startswith(label) else f"{label}: {about}{protocol}"
    return said.rstrip(":; ")


def usage(subject: Subject, checksum: str) -> list[str]:
    """Return how to use it, from the hub and without Cuello."""
    name, model = hub_name(subject.name), subject.model
    address = f"hf://OWNER/{name}@COMMIT#sha256={checksum}"
    level = ", `level` (the noise's standard deviation, white being 1)" if model.conditioned else ""
    gives = "one probability a class" if model.classes else "values from 0 to 1"
    sides = f"{model.size[0]}×{model.size[1]}" if model.size else "H×W"
    stride = model.network.stride
    steps = f" H and W are multiples of {stride}." if model.size is None and stride > 1 else ""
    return [
        f"```bash\npip install 'cuello[hub]'\n{command_for(model, address)}\n```",
        "OWNER is the account, COMMIT the revision that this card lies in (40 digits, under *Files and versions*); "
        f"`cuello summary hf://OWNER/{name}` prints the whole address. The checksum is that of `{FILE_NAME}`, which "
        "holds weights and settings and no code.",
        f"`model.onnx` is the network alone for ONNX Runtime. In: `image`, float32, N×{model.channels}×{sides}, 0 to "
        f"1{level}; out: `result`, {gives}.{steps}",
    ]


def command_for(model: Model, address: str) -> str:
    """Return what to type, or to write in Python, to use a network of this kind."""
    if model.classes:
        return f"python -c \"import cuello; print(cuello.load('{address}').classify(IMAGES))\""
    if model.artefact.classifier:
        return f"cuello explain CLASSIFIER IMAGES --model '{address}'"
    return f"cuello apply '{address}' IN OUT"


def hub_name(name: str) -> str:
    """Return the nearest name that the hub allows for a repository.

    >>> hub_name("mlp:35-20-2,activation=relu"), hub_name("ünï -- x..y.git"), hub_name("--")
    ('mlp-35-20-2-activation-relu', 'n-x.y', 'network')
    """
    found = re.sub(r"[^A-Za-z0-9_.-]+", "-", name)
    found = re.sub(r"-{2,}", "-", re.sub(r"\.{2,}", ".", found))
    found = re.sub(r"(\.git|\.ipynb)$", "", found)[:90].strip("-.")
    return re.sub(r"-{2,}", "-", found) or "network"
