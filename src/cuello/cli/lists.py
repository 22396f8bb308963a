"""`cuello models`, `datasets`, `noises`, `studies` and `summary`: what there is."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from cuello.cli.options import JSON


def models(
    name: Annotated[
        str | None, Parameter(help="A ready model, to show all that is known of it; by default all are listed.")
    ] = None,
    /,
    *,
    channels: Annotated[Literal[1, 3], Parameter(help="Channels of the images.")] = 3,
    long: Annotated[
        bool, Parameter(negative="", help="Also show multiply-adds, receptive field and the whole description.")
    ] = False,
    json: JSON = False,
) -> None:
    """List the trained models that come with the package, and the networks to train, by purpose.

    For example:

    cuello models

    cuello models denoise
    """
    from cuello.cli.ready import chosen, print_one, print_ready, ready_model, ready_models
    from cuello.cli.render import print_json, print_rows, print_text
    from cuello.models.listing import listed

    if name is not None:
        spec = chosen(name)
        print_json(ready_model(spec)) if json else print_one(spec)
        return
    rows = listed(channels)
    if json:
        print_json(rows + ready_models())
        return
    print_ready()
    print()
    columns = ["network to train", "parameters>", "what it is"]
    cells = [[row["name"], f"{row['parameters']:,}", row["summary"]] for row in rows]
    if long:
        columns[2:2] = ["multiply-adds per pixel>", "receptive field, pixels>"]
        for row, cell in zip(rows, cells, strict=True):
            cell[2:2] = [f"{row['multiply_adds_a_pixel']:,.0f}", str(row["receptive_field"] or "all")]
    print_rows("", columns, with_purposes(rows, cells), one_line=not long)
    if long:
        wider = [row for row in rows if row["parameters_while_training"] != row["parameters"]]
        names = ", ".join(f"{row['name']} {row['parameters_while_training']:,}" for row in wider)
        print_text(f"\nFolded for use; wider while training: {names}.")
    print_text(
        "\nAll of a ready model: cuello models NAME. More of each network: --long. Layers of one: cuello summary NAME."
    )
    print_text("A network of your own: --model FILE.py:CLASS. One to begin with: cuello new network FILE.py.")


def with_purposes(rows: Sequence[Mapping[str, Any]], cells: Sequence[list[str]]) -> list[list[str]]:
    """Put a heading before the networks of each purpose, in the order in which the purposes first come."""
    found: list[list[str]] = []
    for purpose in dict.fromkeys(row["purpose"] for row in rows):
        found += [[""] * len(cells[0])] if found else []
        found.append([purpose.upper(), *[""] * (len(cells[0]) - 1)])
        found += [cell for row, cell in zip(rows, cells, strict=True) if row["purpose"] == purpose]
    return found


def datasets(*, json: JSON = False) -> None:
    """List the data sets of the catalogue: contents, size, source, licence."""
    from cuello.cli.render import print_json, print_rows, print_text
    from cuello.data.catalog import CATALOG

    if json:
        fields = ("name", "summary", "contents", "megabytes", "source", "licence", "test_only", "closed")
        print_json([{**{name: getattr(spec, name) for name in fields}, "credits": spec.credits} for spec in CATALOG])
        return
    print_rows(
        "",
        ["name", "what it is", "contents", "download", "source", "licence"],
        [
            [
                spec.name,
                spec.summary + (" (for testing only)" if spec.test_only else ""),
                spec.contents,
                f"{spec.megabytes:g} MB" if spec.megabytes else "none",
                spec.source,
                spec.licence,
            ]
            for spec in CATALOG
        ],
    )
    whole = ", ".join(spec.name for spec in CATALOG if spec.closed)
    print_text(f"\nTrained and validated on all their images, and generated on this machine: {whole}.")
    print_text("Others: found under CUELLO_DATA/NAME if that is set, else downloaded once and checked.")


def noises(*, json: JSON = False) -> None:
    """List the degradations, their parameters, units and limits, and how to write them."""
    from cuello.cli.render import print_json, print_rows, print_text
    from cuello.core.mixtures import MIXTURES
    from cuello.degrade import DEGRADATIONS

    listed, rows = [], []
    for spec in DEGRADATIONS:
        described = spec().parameters()
        listed.append({"name": spec.name, "summary": spec.summary, "main": spec.main, "network": spec.network,
                       "parameters": described})  # fmt: skip
        rows.append([spec.name, spec.summary, "", ""])
        rows += [[f"  {item['name']}", item["meaning"], item["values"], item["default"]] for item in described]
    if json:
        print_json(listed)
        return
    print_rows("", ["noise", "what it is", "values", "default"], rows)
    print_text(
        "\nWrite NAME:VALUE,parameter=value; the first value needs no name. A range such as "
        "salt-pepper:0.1..0.9 is drawn anew for every training image. Join with +: blur:1+gaussian:10."
    )
    print_text("\nNames of what belongs together, small images as cameras and the web give them:\n")
    print_rows("", ["noise", "stands for"], [[name, stands] for name, stands in MIXTURES.items()])
    print_text("\nThe network trained against each when --model names none:\n")
    rows = []
    for network in dict.fromkeys(spec.network for spec in DEGRADATIONS):
        rows.append([network, ", ".join(spec.name for spec in DEGRADATIONS if spec.network == network)])
    print_rows("", ["network", "noises"], rows)


def studies(*, json: JSON = False) -> None:
    """List the studies: source systems redone."""
    from cuello.cli.render import print_json, print_rows, print_text
    from cuello.studies.catalog import STUDIES

    if json:
        print_json([{"name": one.name, "summary": one.summary, "data": list(one.data)} for one in STUDIES])
        return
    print_rows("", ["study", "what it is", "data"], [[one.name, one.summary, ", ".join(one.data)] for one in STUDIES])
    print_text("\nOn the first data set, a miniature that needs no download: cuello study NAME. On the second: --data.")


def summary(
    model: Annotated[
        str, Parameter(help="A network's name, FILE.py:CLASS, a run directory or a model.safetensors file.")
    ],
    /,
    *,
    channels: Annotated[
        Literal[1, 3, 4] | None,
        Parameter(help="Channels of the images (for a name); by default 3, or as many as fit it."),
    ] = None,
    scale: Annotated[
        int | None, Parameter(help="How many times larger the images become (for the name of a network that enlarges).")
    ] = None,
    size: Annotated[
        str | None,
        Parameter(
            help="Image size that the arithmetic is counted for, WIDTHxHEIGHT or one number; by default the one that "
            "the network is made for, or 64."
        ),
    ] = None,
    json: JSON = False,
) -> None:
    """Show a network's layers, output shapes, parameters, multiply-adds and receptive field.

    For example:

    cuello summary impulse-s

    cuello summary runs/first --size 640x480

    cuello summary up-s --scale 4

    cuello summary my.py:MyNet,width=16 --channels 1 --size 28
    """
    from dataclasses import asdict

    from cuello.cli.render import print_json, print_summary, print_text
    from cuello.core.own import is_own, naming
    from cuello.data.images import parse_size
    from cuello.inference.model import load
    from cuello.models.catalog import architecture_of, build, usual_channels
    from cuello.models.summary import summarise
    from cuello.runs.rights import rights_of

    sides = parse_size(size)
    asked, usual = sides and (sides[1], sides[0]), (64, 64)
    if Path(model).exists():
        loaded = load(model)
        network, planes, rights = loaded.network, loaded.channels, rights_of(loaded.artefact)
    else:
        rights = {}
        planes = channels or usual_channels(model)
        with naming(model):
            network = build(
                architecture_of(model, planes, asked or (usual if is_own("network", model) else None), scale=scale)
            )
    found = summarise(network, planes, asked or usual)
    if json:
        print_json({"model": model, **asdict(found), **({"rights": rights} if rights else {})})
    else:
        print_summary(model, found)
        for name, text in rights.items():
            print_text(f"{name}: {text}")
