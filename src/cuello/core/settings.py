"""Settings of what is done with trained networks: each declared once, with its help, for Python and the command line.

Those of a training are in ``core/config.py``. Here is nothing that takes long to load: flags are made of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

OnError = Annotated[
    Literal["skip", "stop"],
    "What an image that cannot be read or does not fit does: skip names it, leaves it out, and the exit code is 1; "
    "stop ends the work.",
]
Range = Annotated[
    str | None,
    "What stands for black and white in IMAGES: LOW..HIGH in their own units, e.g. 0..4095, auto (their lowest and "
    "highest value), or full (their type's). By default the range of the training, or full.",
]


@dataclass(frozen=True)
class EvaluateSettings:
    """Of ``cuello.evaluate`` and ``cuello.evaluate_runs``."""

    target: Annotated[str | None, "A folder with the clean image of every image in IMAGES."] = None
    noise: Annotated[str | None, "A degradation other than the model's own."] = None
    sweep: Annotated[Sequence[float], "Noise levels to try the finished network at, with commas: 0.1,0.2,0.5."] = ()
    baselines: Annotated[
        Sequence[str] | None,
        "Classical methods to compare with, with commas, or all; by default all (several runs: quick).",
    ] = None
    metrics: Annotated[
        Sequence[str],
        "Metrics of your own beside the usual ones, with commas: FILE.py:NAME, or the name of a registered one.",
    ] = ()
    seed: Annotated[int | None, "Seed of the noise; by default the run's own."] = None
    range: Range = None
    on_error: OnError = "skip"
    most: Annotated[int | None, "Several runs: the most images to use, spread evenly over all."] = None


@dataclass(frozen=True)
class BenchmarkSettings:
    """Of ``cuello.benchmark``; all but the seed are for images of one's own."""

    noise: Annotated[
        str | None, "What spoils the images, e.g. gaussian:25; by default what all networks were trained against."
    ] = None
    sweep: Annotated[Sequence[float], "Levels of the noise to measure at, with commas: 15,25,50."] = ()
    ranges: Annotated[
        Literal["middle", "drawn"],
        "What a range of the noise, such as gaussian:0..10, comes to: its middle, or a value drawn for every image.",
    ] = "middle"
    channels: Annotated[
        Literal[1, 3] | None,
        "Measure in grey (1) or in colour (3), which goes through a network of one channel a channel at a time; by "
        "default as the network of the fewest channels takes them.",
    ] = None
    baselines: Annotated[
        Sequence[str] | None, "Classical methods to measure beside, with commas, or all; by default the quick ones."
    ] = None
    seed: Annotated[int, "Seed of the noise."] = 0
    range: Range = None
    on_error: OnError = "skip"
    most: Annotated[int | None, "The most images to use, spread evenly over all."] = None


@dataclass(frozen=True)
class ExplainSettings:
    """Of ``cuello.explain``; None: the default that the help names, or what the estimator learned."""

    model: Annotated[
        str | None,
        "Estimate the maps in one pass: a run directory or model.safetensors of `cuello train explain` that learned "
        "this classifier's maps. What it learned (box, fill, …) is known.",
    ] = None
    check: Annotated[
        float | None, "With --model: explain this share of the images, e.g. 0.01, exactly too, and compare."
    ] = None
    seed: Annotated[int, "Seed of the choice of images for --check."] = 0
    box: Annotated[int | None, "Side of the box that hides a part, pixels; by default 3."] = None
    stride: Annotated[int | None, "How far the box moves, pixels: 1 (the default) to its side."] = None
    fill: Annotated[
        str | None,
        "What the box shows: a number (0, the default, is black, 1 white), mean (of the image), or blur (the image).",
    ] = None
    sigma: Annotated[float | None, "Standard deviation of --fill=blur, in pixels; by default 3."] = None
    padding: Annotated[
        int | None,
        "Pixels of 0 put around the images for an ONNX file; boxes slide over them too. By default none; Cuello's own "
        "classifiers know theirs.",
    ] = None
    class_: Annotated[
        str | None, "The class to explain: predicted (each image's own, the default), a name, or a number from 0."
    ] = None
    definition: Annotated[
        Literal["mean-drop", "captum", "mean", "sum", "standardised-sum"] | None,
        "mean-drop (the default): mean fall of the probability under the boxes that cover a pixel; captum: of the "
        "score before softmax; mean, sum: of the probability itself; standardised-sum: the sum, cut to ±1 standard "
        "deviation.",
    ] = None
    score: Annotated[
        Literal["probability", "logit", "drop", "logit-drop"] | None,
        "The score that is watched; by default the definition's own.",
    ] = None
    outputs: Annotated[
        Literal["auto", "logits", "probabilities", "independent-logits", "independent-probabilities"] | None,
        "What an ONNX file gives: scores before softmax (logits), or probabilities; independent: each output is a yes "
        "or no of its own, before or after its sigmoid. By default (auto) logits, unless the numbers rule them out.",
    ] = None
    resize: Annotated[str | None, "Resize the images to N or WIDTHxHEIGHT pixels; by default as in training."] = None
    range: Range = None
    limit: Annotated[
        int | None,
        "The most images to explain: test images first, spread over the classes; by default 32 of a data set, all of "
        "your own images.",
    ] = None
    pictures: Annotated[int, "The most overlays to draw, spread evenly over the images."] = 100
    on_error: OnError = "skip"
    workers: Annotated[
        int | None,
        "Processes of one thread each that share exact maps, which are the same; by default one, with all threads.",
    ] = None
    cluster: Annotated[
        str | None,
        "Where exact maps are made: processes (of this machine, one a core), ray (a head on this machine), or "
        "ray://HOST:PORT (a cluster of machines, which all have CLASSIFIER); --workers then limits the groups of "
        "images at once. Maps are the same.",
    ] = None
    skip_existing: Annotated[
        bool,
        "Take over the maps that an earlier call left in --output, of the same classifier, settings and images, and "
        "make the others.",
    ] = False


@dataclass(frozen=True)
class LatentSettings:
    """What to look at in a code, and how."""

    images: Annotated[
        str | None, "A folder, file or data set whose codes to look at; by default the run's own test images."
    ] = None
    method: Annotated[
        Literal["pca", "tsne", "umap"] | None,
        "How codes are reduced to two numbers for the map: pca (principal components; the default where a code has "
        "more than two), tsne (needs scikit-learn) or umap (needs umap-learn).",
    ] = None
    start: Annotated[
        str | None,
        "Where the interpolation begins: an image's name, or a label, for its most typical image. By default some "
        "pairs of different labels.",
    ] = None
    end: Annotated[str | None, "Where it ends."] = None
    steps: Annotated[int, "Codes on the way, both ends among them; 2 or more."] = 9
    samples: Annotated[int, "How many codes to draw at random."] = 64
    path: Annotated[
        Literal["straight", "spherical"],
        "straight, or spherical, for codes of many numbers: the code turns while its length changes evenly.",
    ] = "straight"
    seed: Annotated[int, "Seed of the samples, the inventions, tsne and umap."] = 0
    thumbnails: Annotated[
        bool | None,
        "Draw the map with the images at their codes, or with points in the colours of their labels. By default with "
        "images where there are at most 200, or no labels.",
    ] = None


@dataclass(frozen=True)
class SearchSettings:
    """Of ``cuello.search.search``: how trials are chosen, and what the best is the best by."""

    sampler: Annotated[
        Literal["grid", "random", "tpe"],
        "grid: every combination; random, tpe: drawn by Optuna (pip install 'cuello[search]').",
    ] = "grid"
    trials: Annotated[int | None, "Number of trials to draw, by default 30; may be raised when a search goes on."] = (
        None
    )
    points: Annotated[int | None, "grid: number of values of each range that has no step."] = None
    prune: Annotated[bool, "Stop a trial that, at some epoch, is worse than the median of the others."] = False
    objective: Annotated[
        Literal["loss", "mse", "psnr", "wrong", "accuracy"] | None,
        "What decides which trial is best, measured on the validation images at the best epoch: by default wrong "
        "pixels where all images are binary, else the loss, or what the job measures where trials differ in their "
        "loss.",
    ] = None
    repeats: Annotated[
        int, "Number of seeds, SEED, SEED + 1, …, that each trial is trained with; the mean decides."
    ] = 1
    database: Annotated[
        str | None,
        "postgresql://USER@HOST/DATABASE: a database that several machines share the search in (pip install "
        "'cuello[postgres]'), each with the same command. A password stands in the file of PGPASSFILE or in "
        "PGPASSWORD. By default a search is kept in its own folder, for one machine.",
    ] = None
    study_name: Annotated[str | None, "With --database: the search's name there; by default search-JOB-DATA."] = None


@dataclass(frozen=True)
class ServeSettings:
    """Where a service listens, and how much it takes on."""

    host: Annotated[
        str,
        "The address to listen at; 127.0.0.1 is this machine alone, 0.0.0.0 everybody who can reach it: give a token "
        "then.",
    ] = "127.0.0.1"
    port: Annotated[int, "The port; 0 is any that is free."] = 8000
    token_file: Annotated[
        str | None,
        "A file that holds the token that requests must bring (Authorization: Bearer TOKEN); by default that of the "
        "environment variable CUELLO_TOKEN, or none.",
    ] = None
    max_megabytes: Annotated[float, "Largest body of a request, in megabytes of 10^6 bytes."] = 64
    max_megapixels: Annotated[
        float, "Most pixels of a request, in millions, all its images together, before or after enlarging."
    ] = 32
    max_images: Annotated[int, "Most images of a request."] = 64
    timeout: Annotated[float, "Seconds after which a request is given up; its body has as long to arrive."] = 60
    at_once: Annotated[int, "Images worked on at once."] = 4
    waiting: Annotated[int, "Requests that may wait beside those; one more is told to come back."] = 16
