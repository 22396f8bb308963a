"""`cuello denoise`."""

import sys
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from cuello.cli.apply import InPlace, KeepOriginals, ResultFormat, ResultOverwrite, SkipExisting, Source, Target
from cuello.cli.options import JSON, Device, Quiet, Threads

if TYPE_CHECKING:
    from cuello.denoising.denoise import Denoised


# More than seven parameters: each is a flag.
def denoise(
    source: Source,
    /,
    *more: Target,
    effort: Annotated[
        str,
        Parameter(
            help="quick: seconds, by a network that comes with Cuello; normal: about a minute a set, its transform is "
            "learned from the images; thorough: some minutes, the network goes on learning from them too, which gains "
            "most from several captures of one scene."
        ),
    ] = "quick",
    each: Annotated[
        bool,
        Parameter(
            negative="",
            help="Measure the noise of every image by itself; by default those of one camera and setting are measured "
            "together.",
        ),
    ] = False,
    repair: Annotated[bool, Parameter(help="Repair hot and dead pixels first.")] = True,
    target: Annotated[
        str | None,
        Parameter(
            help="The clean image of IN, or a folder with the clean image of every image in IN: says how near the "
            "results are to them, and how far the score was from the truth; used for nothing else."
        ),
    ] = None,
    report: Annotated[Path | None, Parameter(help="A folder for report.html and its pictures.")] = None,
    in_place: InPlace = False,
    keep_originals: KeepOriginals = True,
    skip_existing: SkipExisting = False,
    overwrite: ResultOverwrite = False,
    format: ResultFormat = None,
    device: Device = "cpu",
    threads: Threads = None,
    json: JSON = False,
    quiet: Quiet = False,
) -> None:
    """Take noise off images without a clean one: their own noise is measured, and taken off; no settings are needed.

    Values stay in their unit: dark 16-bit images, negative values and floats need no range. NaN stays NaN.

    Originals are never touched: OUT must lie outside IN. To replace them on purpose, leave OUT out and add --in-place.
    A file that cannot be read is listed at the end and the rest goes on; the exit code is then 1.

    For example:

    cuello denoise noisy.png clean.png

    cuello denoise stack.tif denoised.tif

    cuello denoise scans/ denoised/ --skip-existing

    cuello denoise scans/ --in-place

    cuello denoise noisy/ denoised/ --target clean/ --report report/
    """
    from cuello.cli.apply import divided
    from cuello.cli.streams import check_streams, restored
    from cuello.denoising.denoise import denoise as denoise_images
    from cuello.training.device import choose_device, use_threads
    from cuello.training.display import display

    sources, place = divided((source, *more), in_place, "cuello denoise")
    check_streams(sources, place, json)
    use_threads(threads)
    settings: dict[str, Any] = {
        "effort": effort, "each": each, "repair": repair, "target": target, "report": report,
        "keep_originals": keep_originals, "skip_existing": skip_existing, "overwrite": overwrite,
        "device": str(choose_device(device)),
    }  # fmt: skip
    with display(quiet or json) as shown:
        restore = partial(denoise_images, progress=shown.work, **settings)
        found = restored(sources, place, in_place=in_place, format=format, restore=restore)
    say(found, place, json=json)
    if found.failed:
        sys.exit(1)


def say(found: "Denoised", target: str | None, *, json: bool) -> None:
    """Say what was done to each file, and what became of all."""
    from cuello.cli.apply import as_json
    from cuello.cli.apply import say as say_applied
    from cuello.cli.render import print_json
    from cuello.cli.streams import DASH
    from cuello.core.files import printable
    from cuello.denoising.said import summary, values_of

    if json:
        content = as_json(found)
        for one in content["files"]:
            del one["range"], one["sigma"]  # of networks that see a range, and are told a level
        for one, done in zip(content["files"], found.channels, strict=True):
            one["channels"] = [values_of(channel) for channel in done]
        del content["ranges"]
        content["captures"] = None if found.captures is None else asdict(found.captures)
        for one, truth in zip(content["files"], found.truths, strict=False):
            one["truth"] = None if truth is None else {**asdict(truth), "off": truth.off}
        content["report"] = None if found.report is None else str(found.report)
        print_json(content)
        return
    out = sys.stderr if target == DASH else sys.stdout
    for one, done in zip(found.files, found.channels, strict=True):
        if one.output is not None:
            print(printable(f"{one.input}: {summary(done)}"), file=out)
    for one, truth in zip(found.files, found.truths, strict=False):
        if truth is not None:
            print(printable(f"{one.input}: {truth}"), file=out)
    if found.captures is not None:
        print(f"{found.captures}.", file=out)
    say_applied(found, target, json=False)
    if found.report is not None:
        print(f"report: {found.report}", file=out)
