"""The commands. Each parses, calls one function of the package, and renders what comes back.

Heavy imports are inside the commands, and those that train are loaded when they are called, so that `cuello --help`
answers at once.
"""

import sys
from pathlib import Path
from typing import Annotated, Literal, NoReturn

from cyclopts import App, Parameter
from cyclopts.validators import Number

from cuello.cli.options import JSON, Device, OwnCode, Quiet, Sweep, Threads, levels
from cuello.core.errors import CuelloError, Interrupted
from cuello.core.version import VERSION

app = App(
    name="cuello",
    version=VERSION,
    help="""Train small image networks in minutes, see honestly whether they beat the classical methods,
use them anywhere.

Start with:  cuello train denoise photos --noise salt-pepper:0.2 --crop 64 -o runs/first
then open runs/first/report.html and:  cuello apply runs/first noisy/ clean/""",
    help_format="plaintext",
)


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run the command line: exit code 0; 1 where some files failed; 2 for a user's mistake; 130 after Ctrl-C."""
    try:
        app(arguments, result_action="return_value")
    except CuelloError as error:
        print(f"cuello: {error}", file=sys.stderr)
        sys.exit(2)
    except Interrupted as stopped:
        print(f"cuello: {stopped}", file=sys.stderr)
        sys.exit(130)
    except KeyboardInterrupt:
        print("cuello: stopped", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(1)
    sys.exit(0)


app.command(
    "cuello.cli.training:train",
    name="train",
    help="""Train a network, judge it beside the classical methods and write a report.

For example:

cuello train denoise photos --noise salt-pepper:0.2 --crop 64 -o runs/first

cuello train denoise my-images/ --noise gaussian:5..50 --model unet-s --crop 64 --epochs 50

cuello train denoise noisy/ --target clean/ --crop 64

cuello train --config runs/first/config.toml --epochs 50        (flags win over the file)

cuello train denoise photos --noise gaussian:25 --crop 64 --repeats 3 -o runs/three

cuello train classify pets/ --resize 64 --augment        (pets/cats/…, pets/dogs/…)

cuello train explain pets/ --resize 64 --classifier runs/classify-classify-s        (its occlusion maps in one pass)

The run directory holds model.safetensors (the best weights, all that `cuello apply` needs), report.html,
metrics.json, images.csv, history.jsonl, config.toml (every setting), and last.safetensors to go on from.
""",
)
app.command(
    "cuello.cli.training:resume",
    name="resume",
    help="""Go on with a training that was interrupted, or that should be longer.

Without changes the run ends with the same weights, to the bit, as if it had never been interrupted (on the same
kind of CPU, with the same number of threads). Flags are new values: --epochs 100 trains up to 100 epochs in all.

For example:

cuello resume runs/first

cuello resume runs/first --epochs 100
""",
)

app.command(
    "cuello.cli.studies:study",
    name="study",
    help="""Redo a source system's work: every training, table and picture, its numbers beside ours.

Without --data it is a miniature on bundled data, done in some minutes. A study that was stopped goes on when the same
command is given again. Every training in it is a run directory that `cuello compare`, `evaluate` and `apply` read.

For example:

cuello study salt-pepper

cuello study salt-pepper --data bsds400 --repeats 3 -o runs/salt-pepper
""",
)
app.command("cuello.cli.studies:studies", name="studies", help="List the studies: source systems redone.")
app.command(
    "cuello.cli.comparing:compare",
    name="compare",
    help="""Put trained runs side by side: losses, over-fitting, parameters, times, and their evaluations.

Only like stands beside like: runs of another job, other images, noise, crops, channels or loss get a table of their
own. Runs that differ only in the seed are one line, mean ± standard deviation, and differences between networks are
paired by seed, with a 95% interval. What is no complete run is left out and named; the exit code is then 1.

For example:

cuello compare runs/*

cuello compare runs/first runs/second --epoch 5 --html compare.html

cuello train denoise photos --noise gaussian:25 --crop 64 --model unet-s --repeats 3 -o runs/unet

cuello compare runs/unet runs/three -o runs/comparison        (folders of repeats)
""",
)
app.command(
    "cuello.cli.search:search",
    name="search",
    help="""Train with many settings and find out which are the best.

What is searched stands in a file (--space) or on the command line (--over); every other setting is a flag, the same
for all trials. Trials are run directories that `cuello compare` reads. The same command again goes on with a search
that was stopped. In the output folder: search.html, search.csv, figures, trials/.

For example:

cuello search reconstruct glyphs --model "mlp:35-{widths},activation={activation}" --over widths=2,20-2,32-8-2
--over activation=tanh,relu --over learning-rate=1e-3,1e-2

cuello search denoise photos --noise gaussian:25 --crop 64 --model unet-s --over learning-rate=1e-4..1e-1,log
--over optimizer=adam,sgd --sampler tpe --trials 20 --prune -o runs/search
""",
)


@app.command
def apply(
    model: Annotated[
        Path,
        Parameter(help="A run directory, a model.safetensors file, or a ready model's name (see `cuello models`)."),
    ],
    source: Annotated[Path, Parameter(name="IN", help="An image, a folder (with its subfolders) or an .npy array.")],
    destination: Annotated[Path, Parameter(name="OUT", help="A file for a file, a folder for a folder.")],
    /,
    *,
    overwrite: Annotated[bool, Parameter(negative="", help="Replace results that exist already.")] = False,
    sigma: Annotated[
        float | None,
        Parameter(
            help="Standard deviation of the noise in the images, in grey levels out of 255, for a network that is told "
            "it; by default estimated, image by image."
        ),
    ] = None,
    code: OwnCode = None,
    device: Device = "cpu",
    threads: Threads = None,
    json: JSON = False,
    quiet: Quiet = False,
) -> None:
    """Restore or enlarge images with a trained network: any size, in tiles, names, bit depth and transparency kept.

    A file that cannot be read is listed at the end and the rest goes on; the exit code is then 1.

    For example:

    cuello apply denoise noisy.png clean.png

    cuello apply upscale-x2 small/ large/

    cuello apply runs/first noisy.png clean.png

    cuello apply runs/first/model.safetensors scans/ restored/

    cuello apply runs/upscale-up-s small/ large/

    cuello apply runs/denoise-denoise-s noisy/ clean/ --sigma 25
    """
    from cuello.cli.progress import display
    from cuello.cli.render import print_json
    from cuello.inference.files import apply as apply_to_files
    from cuello.inference.model import load
    from cuello.training.device import choose_device, use_threads

    use_threads(threads)
    loaded = load(model, code, str(choose_device(device)))
    with display(quiet or json) as shown:
        level = None if sigma is None else sigma / 255
        applied = apply_to_files(loaded, source, destination, overwrite, shown.file, level)
    if json:
        failed = [{"file": str(path), "problem": problem} for path, problem in applied.failed]
        print_json({"written": [str(path) for path in applied.written], "failed": failed, "notes": applied.notes})
    else:
        for note in applied.notes:
            print(f"note: {note}")
        where = applied.written[0] if len(applied.written) == 1 else destination
        print(f"{len(applied.written)} written: {where}")
        for _, problem in applied.failed:
            print(f"failed: {problem}", file=sys.stderr)
    if applied.failed:
        sys.exit(1)


@app.command(usage="Usage: cuello evaluate RUN [RUN ...] [IMAGES] [OPTIONS]")
def evaluate(
    run: Annotated[Path, Parameter(help="A run directory, or a model.safetensors file with IMAGES.")],
    /,
    *more: Annotated[
        str,
        Parameter(
            name="IMAGES",
            help="More runs, for the matrix; and last, at most once: a folder, file or data set, evaluated whole. By "
            "default the run's own test images.",
        ),
    ],
    target: Annotated[str | None, Parameter(help="A folder with the clean image of every image in IMAGES.")] = None,
    noise: Annotated[str | None, Parameter(help="Another degradation than the model's own.")] = None,
    sweep: Sweep = None,
    baselines: Annotated[
        str | None,
        Parameter(help="Classical methods to compare with, with commas, or all; by default all (several runs: quick)."),
    ] = None,
    seed: Annotated[int | None, Parameter(help="Of the noise; by default the run's own.")] = None,
    on_error: Annotated[
        Literal["stop", "skip"], Parameter(help="What to do with an image that cannot be read.")
    ] = "stop",
    output: Annotated[
        Path | None, Parameter(alias="-o", help="Several runs: a folder for matrix.csv, matrix.html and figures.")
    ] = None,
    overwrite: Annotated[bool, Parameter(negative="", help="Replace files that exist in --output.")] = False,
    most: Annotated[
        int | None,
        Parameter(validator=Number(gte=1), help="Several runs: images at most, spread evenly over all."),
    ] = None,
    model: OwnCode = None,
    device: Device = "cpu",
    threads: Threads = None,
    json: JSON = False,
    quiet: Quiet = False,
) -> None:
    """Judge trained networks beside the classical methods, on the same degraded pixels.

    A classifier: accuracy, confusion matrix and calibration, beside a logistic regression; IMAGES need labels.

    One run: its metrics.json, images.csv, figures and report.html are written anew.

    Several runs, trained against the same kind of noise: the matrix of trained level against tested level. Each is
    tested at --sweep, or at every level that one of them was trained at; the best of each level has a star.

    For example:

    cuello evaluate runs/first

    cuello evaluate runs/first more-photos/ --sweep 0.1,0.2,0.5,0.9

    cuello evaluate model.safetensors set12 --noise gaussian:25,clip=no

    cuello evaluate runs/at-0.1 runs/at-0.5 runs/at-0.1..0.9 --sweep 0.1,0.3,0.5,0.9 -o matrix/

    cuello evaluate runs/* set12 --most 5 --baselines input,median-3,tv
    """
    from cuello.cli.matrix import check_flags, evaluate_several, split_words
    from cuello.cli.progress import display
    from cuello.cli.render import print_result
    from cuello.inference.bundled import located
    from cuello.jobs.catalog import JOBS
    from cuello.runs.artefact import load_artefact
    from cuello.training.device import choose_device, use_threads
    from cuello.work import evaluate as judging

    runs, images = split_words([str(run), *more])
    check_flags(
        len(runs) > 1,
        {"--target": target, "--noise": noise},
        {"--output": output, "--overwrite": overwrite, "--most": most},
    )
    use_threads(threads)
    names = baselines.split(",") if baselines else None
    options = {
        "sweep": levels(sweep), "baselines": names, "seed": seed, "network": model,
        "device": str(choose_device(device)), "on_error": on_error,
    }  # fmt: skip
    if len(runs) > 1:
        evaluate_several(runs, images, json, quiet, output, overwrite=overwrite, most=most, **options)
        return
    with display(quiet or json) as shown:
        found = judging.evaluate(run, images, target=target, noise=noise, progress=shown.work, **options)
    result = JOBS[load_artefact(located(run)).job].result(found)
    print_result(result, json)
    if run.is_dir() and not json:
        print(f"report: {run / 'report.html'}")


app.command(
    "cuello.cli.benchmarking:benchmark",
    name="benchmark",
    help="""Measure a network on a published yardstick, as the literature does, beside what others reached.

set5: enlarging by 2, 3 or 4. PSNR and SSIM on luma, as many pixels cut at the edges as the scale; bicubic
interpolation is measured too and must give the published number.

set12, bsd68: Gaussian noise of σ = 15, 25 and 50 (out of 255, not cut off) on grey images. A network that is told
the noise level is told the true one.

For example:

cuello benchmark set5 runs/upscale-up-s

cuello benchmark bsd68 runs/denoise-denoise-s --csv bsd68.csv
""",
)

app.command(
    "cuello.cli.explaining:explain",
    name="explain",
    help="""Show which parts of images a classifier decides by: occlusion maps, exact or estimated.

A box hides one part of an image after the other; the map says what the class loses without it. Every box is evaluated,
so the maps are exact. With --model a network that learned this classifier's maps estimates them, in one pass an image:
quicker, not exact. --check makes exact maps of a random share of the images and says how near the estimates come.
Written to --output:

maps.npz: the maps, (N, H, W) float32, with names, classes, scores and the settings

overlays/NAME.png: image, map over it, and map with its scale

explain.html, explain.png: all at a glance

explain.json: settings, versions, what was found for every image, the check

For example:

cuello explain runs/pets photos/ -o runs/pets/maps

cuello explain runs/digits mnist-test/ -o maps --box 5 --stride 2 --fill mean --class 7

cuello explain runs/stars stamps.npy -o maps --model runs/estimator --check 0.01

cuello explain classifier.onnx images/ -o maps --padding 3
""",
)
app.command(
    "cuello.cli.latent:latent",
    name="latent",
    help="""Look into the code of an autoencoder: where it puts images, what lies between them, what is new.

Writes to RUN/latent, or --output:

map.png: the images, or their labels, at their codes
grid.png: a plane of codes, decoded; with a normal prior, its quantiles
interpolation.png: from image to image
samples.png: drawn from the prior, or from a distribution fitted to the codes
traversal.png: one number changed at a time, and from label to label
neighbours.png: images whose codes are nearest
invented.png: what lies between two images and is like none, with the proof
latent.npz: all of it as arrays
latent.html: one page with everything

For example:

cuello train reconstruct glyphs --model mlp-20-2 --samples 3200 --epochs 60 --learning-rate 0.01 -o runs/glyphs

cuello latent runs/glyphs

cuello latent runs/glyphs --from a --to o --steps 11 -o between/

cuello latent runs/glyphs my-images/ -o mine/

cuello latent runs/mnist --method tsne --labels --samples 100 --overwrite

From Python: model.encode(images), model.decode(codes), and in cuello.latent
interpolate, traverse, sample, grid, project, neighbours and invent.
""",
)


@app.command
def models(
    *,
    channels: Annotated[Literal[1, 3], Parameter(help="Of the images.")] = 3,
    long: Annotated[
        bool, Parameter(negative="", help="Multiply-adds and reach too, and the whole description.")
    ] = False,
    json: JSON = False,
) -> None:
    """List the networks by name, with their size, and the trained models that come with the package."""
    from cuello.cli.ready import print_ready, ready_models
    from cuello.cli.render import print_json, print_rows
    from cuello.models.listing import listed

    rows = listed(channels)
    if json:
        print_json(rows + ready_models())
        return
    columns = ["name", "parameters>", "what it is"]
    cells = [[row["name"], f"{row['parameters']:,}", row["summary"]] for row in rows]
    if long:
        columns[2:2] = ["multiply-adds a pixel>", "sees pixels>"]
        for row, cell in zip(rows, cells, strict=True):
            cell[2:2] = [f"{row['multiply_adds_a_pixel']:,.0f}", str(row["receptive_field"] or "all")]
    print_rows("", columns, cells, one_line=not long)
    if long:
        wider = [row for row in rows if row["parameters_while_training"] != row["parameters"]]
        names = ", ".join(f"{row['name']} {row['parameters_while_training']:,}" for row in wider)
        print(f"\nFolded for use; wider while training: {names}.")
    print("\nMore of each: --long. Layers of one: cuello summary NAME. Your own: --model FILE.py:CLASS.\n")
    print_ready()


@app.command
def datasets(*, json: JSON = False) -> None:
    """List the data sets of the catalogue: contents, size, source, licence."""
    from cuello.cli.render import print_json, print_rows
    from cuello.data.catalog import CATALOG

    if json:
        fields = ("name", "summary", "contents", "megabytes", "source", "licence", "test_only", "closed")
        print_json([{name: getattr(spec, name) for name in fields} for spec in CATALOG])
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
    print(f"\nLearned whole, training and validation alike, and made here: {whole}.")
    print("Others: found under CUELLO_DATA/NAME if that is set, else downloaded once and checked.")


@app.command
def noises(*, json: JSON = False) -> None:
    """List the degradations, their parameters, units and limits, and how to write them."""
    from cuello.cli.render import print_json, print_rows
    from cuello.degrade import DEGRADATIONS

    listed, rows = [], []
    for spec in DEGRADATIONS:
        described = spec().parameters()
        listed.append({"name": spec.name, "summary": spec.summary, "main": spec.main, "parameters": described})
        rows.append([spec.name, spec.summary, "", ""])
        rows += [[f"  {item['name']}", item["meaning"], item["values"], item["default"]] for item in described]
    if json:
        print_json(listed)
        return
    print_rows("", ["noise", "what it is", "values", "default"], rows)
    print(
        "\nWrite NAME:VALUE,parameter=value; the first value may do without its name. A range such as\n"
        "salt-pepper:0.1..0.9 is drawn anew for every training image. Join with +: blur:1+gaussian:10."
    )


@app.command
def summary(
    model: Annotated[
        str, Parameter(help="A network's name, FILE.py:CLASS, a run directory or a model.safetensors file.")
    ],
    /,
    *,
    channels: Annotated[Literal[1, 3], Parameter(help="Of the images (for a name).")] = 3,
    scale: Annotated[
        int | None, Parameter(help="How many times larger the images become (for a name of a network that enlarges).")
    ] = None,
    size: Annotated[
        str, Parameter(help="Image size that the arithmetic is counted for, WIDTHxHEIGHT or one number.")
    ] = "64",
    json: JSON = False,
) -> None:
    """Show a network's layers, output shapes, parameters, multiply-adds and receptive field.

    For example:

    cuello summary impulse-s

    cuello summary runs/first --size 640x480

    cuello summary up-s --scale 4
    """
    from dataclasses import asdict

    from cuello.cli.render import print_json, print_summary
    from cuello.data.images import parse_size
    from cuello.inference.model import load
    from cuello.models.catalog import architecture_of, build
    from cuello.models.custom import is_reference
    from cuello.models.summary import summarise

    if Path(model).exists():
        loaded = load(model)
        network, planes = loaded.network, loaded.channels
    else:
        planes = channels
        network = build(architecture_of(model, channels, scale=scale), model if is_reference(model) else None)
    width, height = parse_size(size) or (64, 64)
    found = summarise(network, planes, (height, width))
    if json:
        print_json({"model": model, **asdict(found)})
    else:
        print_summary(model, found)
