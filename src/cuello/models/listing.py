"""What the networks come to, by name: counted once and kept beside this file, so that a list needs no network.

`python -m cuello.models.listing` counts anew; a test says so where the file is not what building every network gives.
"""

import json
from importlib import resources
from pathlib import Path
from typing import Any

FILE_NAME = "counts.json"
PLANES = (1, 3)


def listed(channels: int) -> list[dict[str, Any]]:
    """Return what is to be known of every network for images of 1 or 3 channels: names, sizes, reach, recipes."""
    text = resources.files("cuello.models").joinpath(FILE_NAME).read_text(encoding="utf-8")
    return json.loads(text)[str(channels)]


def counted(channels: int) -> list[dict[str, Any]]:
    """Build every network and count it."""
    from cuello.models.catalog import KINDS, architecture_of, build
    from cuello.models.named import NETWORKS
    from cuello.models.summary import count, summarise

    found = []
    for spec in NETWORKS:
        planes = spec.channels or channels  # some are made for grey images alone
        trained = build(architecture_of(spec.name, planes))
        used = trained.folded()
        summary = summarise(used, planes)
        found.append(
            {
                "name": spec.name,
                "summary": spec.summary,
                "purpose": KINDS[spec.kind].purpose,
                "parameters": summary.trainable,
                "parameters_while_training": count(trained)[0],
                "scales": list(spec.scales),
                "multiply_adds_a_pixel": summary.multiply_adds_a_pixel,
                "receptive_field": summary.receptive_field,
                "recipe": dict(spec.recipe),
            }
        )
    return found


def write() -> None:
    """Count every network and write the file."""
    content = {str(channels): counted(channels) for channels in PLANES}
    Path(__file__).with_name(FILE_NAME).write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", "utf-8")


if __name__ == "__main__":
    write()
