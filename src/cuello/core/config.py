"""The one declaration of every setting of a training: Python arguments, command-line flags and TOML keys alike.

A field's description is the command line's help; its group is the panel it is shown under.
"""

import os
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import pydantic

from cuello.core.errors import CuelloError, closest
from cuello.core.files import check_no_device
from cuello.core.rights import RIGHTS, checked_author, checked_citation, checked_license
from cuello.core.text import in_every, native, portable


def setting(default: Any, help: str, group: str, **limits: Any) -> Any:
    """Declare a setting: its default, its help with unit and range, the panel it belongs to, its limits."""
    return pydantic.Field(default, description=help, json_schema_extra={"group": group}, **limits)


DATA, TASK, NETWORK, TRAINING, STOPPING, MACHINE = "Data", "Job", "Network", "Training", "Stopping", "Machine"
OWNER = "Licence and author"


AUTO = "auto"
"""As a network's name: one that fits is chosen."""
MOST, MOST_PIXELS, LARGEST_SEED = 10**9, 65536, 2**63 - 1
"""Largest numbers of anything, of a side's pixels, and of a seed."""
LONGEST_TOML, MOST_DOTS = 2**20, 5000
"""Letters of a file of settings, and dots among them: keys within keys take long to read."""

Job = Literal["denoise", "upscale", "reconstruct", "generate", "classify", "explain"]
GIVES: dict[str, str] = dict.fromkeys(("denoise", "upscale", "reconstruct", "generate"), "images") | {
    "classify": "classes", "explain": "maps",
}  # fmt: skip
"""What comes out of a network of each job."""


def with_commas(value: Any) -> Any:
    """Write whole numbers with commas between, however they came: 256, [256, 64], "256,64"."""
    return ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value).replace(" ", "")


def checked_fold(text: str) -> str:
    """Return K/N as it is; ValueError where it is no part of a whole."""
    part, _, parts = text.partition("/")
    if not (part.isdecimal() and parts.isdecimal() and 1 <= int(part) <= int(parts) <= MOST and int(parts) >= 2):
        raise ValueError("which part of how many, K/N with K from 1 to N and N from 2, e.g. 2/5")
    return f"{int(part)}/{int(parts)}"


def checked_by(check: Callable[[str], str]) -> pydantic.AfterValidator:
    """Check a text, where one is given."""
    return pydantic.AfterValidator(lambda text: None if text is None else check(text))


Commas = Annotated[str | None, pydantic.BeforeValidator(lambda v: None if v is None else with_commas(v))]


class TrainConfig(pydantic.BaseModel):
    """Every setting of a training; frozen, and an unknown key is an error.

    >>> TrainConfig(data="photos", noise="salt-pepper:0.2").batch_size
    32
    """

    model_config = pydantic.ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    job: Job = setting(
        "denoise",
        "What the network learns to do: denoise; upscale; reconstruct, through a code of few numbers; generate, from a "
        "code drawn at random (see `cuello latent`); classify, into the classes of a folder's subfolders; explain, to "
        "estimate a classifier's occlusion maps in one pass.",
        TASK,
    )
    data: str = setting(
        "photos",
        "Images: a folder, a TIFF of several pages, an .npy, .npz, IDX or HDF5 file (FILE.h5 or FILE.h5:NAME), the URL "
        "of one of these (s3://, gs://, https://), or a data set (see `cuello datasets`).",
        DATA,
    )
    target: str | None = setting(
        None,
        "A folder with the clean (upscale: large) image of every image in DATA, matched by name; then no noise is "
        "added.",
        DATA,
    )
    noisy_target: bool | None = setting(
        None,
        "denoise: the images of --target are noisy too: the same scenes with other noise; each is learned from the "
        "other.",
        TASK,
    )
    channels: Literal[1, 3, 4] | None = setting(
        None,
        "1 for grey, 3 for colour, 4 where the fourth channel is part of the image, not transparency; by default grey "
        "if every image is grey, else colour.",
        DATA,
    )
    crop: int | None = setting(
        None,
        "Side of the square crops to train on, in pixels; upscale: of the large image.",
        DATA,
        ge=4,
        le=MOST_PIXELS,
    )
    crops: Literal["random", "fixed", "grid"] = setting(
        "random",
        "random: new positions each epoch; fixed: random positions drawn once; grid: side by side. "
        "Validation crops are always fixed or grid; with random, test crops are fixed where there is detail.",
        DATA,
    )
    samples: int | None = setting(
        None,
        "Training crops per epoch, by default as many as would tile the images; of whole images, by default each once; "
        "more repeats them (for sets of a few dozen).",
        DATA,
        ge=1,
        le=MOST,
    )
    validation_samples: int | None = setting(
        None,
        "Validation (and test) crops, by default as many as would tile the images, at most 500; of whole images, by "
        "default each once.",
        DATA,
        ge=1,
        le=MOST,
    )
    resize: Annotated[str | None, pydantic.BeforeValidator(lambda v: str(v) if isinstance(v, int) else v)] = setting(
        None,
        "Resize every image to this size in pixels, WIDTHxHEIGHT or one number for both (bicubic).",
        DATA,
    )
    augment: bool = setting(False, "Flip and turn training images by right angles at random.", DATA)
    validation: float | None = setting(
        None,
        "Share of the images for validation, 0 to 0.9, by default 0.2, or 0.15 of fewer than 30 images; 0 validates on "
        "the training images, for a set to be memorised.",
        DATA,
        ge=0,
        le=0.9,
    )
    test: float | None = setting(
        None,
        "Share of the images kept for the final evaluation, 0 to 0.9, by default 0.15, or 0.35 of fewer than 30 "
        "images; 0 keeps none.",
        DATA,
        ge=0,
        le=0.9,
    )
    split_seed: int = setting(
        0,
        "Seed of the division into training, validation and test images; not --seed, so that repeats share it.",
        DATA,
        ge=0,
        le=LARGEST_SEED,
    )
    fold: Annotated[str | None, checked_by(checked_fold)] = setting(
        None,
        "K/N, e.g. 2/5: divide the images into N parts and test the K-th, for cross-validation; --folds trains all N.",
        DATA,
    )
    range: str | None = setting(
        None,
        "LOW..HIGH: what stands for black and white in the files, e.g. 0..4095 for a 12-bit camera, -1000..3000; auto: "
        "the lowest and the highest value of all images; by default the type's full scale, or 0..1 for floats.",
        DATA,
    )
    storage: Literal["auto", "memory", "stream"] = setting(
        "auto",
        "memory: read all images at once; stream: leave them in their files and decode them while training; auto "
        "streams where the images, decoded, would take more than half of the free memory.",
        DATA,
    )
    on_error: Literal["skip", "stop"] = setting(
        "skip",
        "What an image that cannot be read does: skip names it, leaves it out, and the exit code is 1; stop ends the "
        "work.",
        DATA,
    )

    noise: str | None = setting(
        None,
        "denoise, upscale: the degradation to undo, e.g. salt-pepper:0.2, gaussian:5..50 or blur:1+down:2+jpeg:60 "
        "(see `cuello noises`).",
        TASK,
    )
    method: str | None = setting(
        None,
        "denoise: without --noise and --target, how to learn from the noisy images alone: blind-spot, neighbours, "
        "sure, recorrupted, or frames, of stacks and films; auto, the default: one that fits their noise, named in the "
        "output.",
        TASK,
    )
    scale: int | None = setting(
        None,
        "upscale: how many times larger each side becomes. Without --noise, --scale=2 means --noise=down:2; other "
        "noise comes after that, on the small image.",
        TASK,
        ge=2,
        le=8,
    )
    classifier: str | None = setting(
        None,
        "explain: the classifier whose occlusion maps are learned: a run directory or model.safetensors of `cuello "
        "train classify`. The exact maps of the images are made first, and kept for the next time.",
        TASK,
    )
    box: int = setting(
        3, "explain: side of the box that hides a part of the image, pixels.", TASK, ge=1, le=MOST_PIXELS
    )
    stride: int = setting(1, "explain: pixels from one place of the box to the next.", TASK, ge=1, le=MOST_PIXELS)
    fill: str = setting("0", "explain: what the box shows: a number, mean (of the image) or blur.", TASK)
    told: Literal["prediction", "label"] = setting(
        "prediction",
        "explain: the class given to networks that take one, while they train: the classifier's prediction, which is "
        "also known when explaining, or the label.",
        TASK,
    )
    only: str | None = setting(None, "explain: train on the images of this class only.", TASK)
    loss: str = setting(
        "mse",
        "mse, rmse, psnr, l1, charbonnier, bce, ssim; or a likelihood in nats: bernoulli, gaussian:SIGMA (SIGMA out "
        "of 1); classify: cross-entropy, its default, or cross-entropy:ε, which smooths the labels; or your own, "
        "FILE.py:NAME.",
        TASK,
    )

    model: str = setting(
        AUTO,
        "A network (see `cuello models`) or your own: FILE.py:CLASS; auto: one that is made for the noise, or fits the "
        "job and the images, and is named in the output.",
        NETWORK,
    )
    start_from: str | None = setting(
        None,
        "Begin with the weights of a trained network, as far as they fit, not with random ones: a run directory, a "
        "model's file, or a ready model (see `cuello models`). Without --model, it is that network.",
        NETWORK,
    )
    force: bool | None = setting(None, "Train even a network that cannot help against the noise.", NETWORK)

    # The next five come to a description of a network, as `model`: kept settings have that alone.
    latent: int | None = setting(
        None,
        "Autoencoders: numbers of the code. With --hidden=256,64 the network is mlp:…-256-64-8.",
        NETWORK,
        ge=1,
    )
    hidden: Commas = setting(
        None,
        "With --latent: numbers of each dense layer before the code, mirrored after it: 256,64 (the default), or none.",
        NETWORK,
    )
    filters: Commas = setting(
        None,
        "With --latent: filters of convolutions that come first, each halving the sides: 16,32.",
        NETWORK,
    )
    activation: str | None = setting(
        None,
        "With --latent: the activation after every hidden layer: tanh, relu, elu, gelu, sigmoid, softplus or linear.",
        NETWORK,
    )
    dropout: float | None = setting(
        None,
        "With --latent: share of the activations between layers set to 0 at random during training.",
        NETWORK,
        ge=0,
        lt=1,
    )

    epochs: int = setting(30, "Passes over the training crops.", TRAINING, ge=1, le=MOST)
    batch_size: int = setting(32, "Images per step.", TRAINING, ge=1, le=MOST)
    optimizer: str = setting("adam", "adam, adamw, sgd, adadelta, rmsprop, muon, or your own, FILE.py:NAME.", TRAINING)
    learning_rate: float = setting(1e-3, "Step size at its highest.", TRAINING, gt=0)
    momentum: float = setting(0.9, "Momentum of sgd and rmsprop, 0 to 1.", TRAINING, ge=0, lt=1)
    nesterov: bool = setting(False, "Nesterov's momentum (sgd).", TRAINING)
    weight_decay: float = setting(0.0, "L2 penalty, decoupled with adamw.", TRAINING, ge=0)
    schedule: str = setting(
        "cosine", "Learning rate over time: constant, cosine, plateau, or your own, FILE.py:NAME.", TRAINING
    )
    warmup_epochs: float = setting(
        0.0, "Epochs in which the learning rate rises from 0 (fractions allowed).", TRAINING, ge=0
    )
    plateau_patience: int = setting(
        5, "plateau: epochs without improvement before the rate falls.", TRAINING, ge=1, le=MOST
    )
    plateau_factor: float = setting(0.5, "plateau: what the rate is multiplied by, 0 to 1.", TRAINING, gt=0, lt=1)
    clip: float | None = setting(None, "Largest norm of the gradient; larger ones are scaled down.", TRAINING, gt=0)
    ema: float | None = setting(
        None,
        "Decay of an exponential moving average of the weights, e.g. 0.99 per step; it is what is kept.",
        TRAINING,
        gt=0,
        lt=1,
    )
    seed: int = setting(
        0, "Seed of every random number: weights, order, crops, noise.", TRAINING, ge=0, le=LARGEST_SEED
    )

    patience: int | None = setting(None, "Stop after this many epochs without improvement.", STOPPING, ge=1, le=MOST)
    min_delta: float = setting(0.0, "What counts as improvement of the validation loss.", STOPPING, ge=0)
    max_minutes: float | None = setting(
        None, "Minutes of training; stop after the epoch in which they run out.", STOPPING, gt=0
    )

    device: str = setting("auto", "auto, cpu, cuda, cuda:N or mps; auto takes a GPU if there is one.", MACHINE)
    threads: int | None = setting(
        None, "Processor threads; by default OMP_NUM_THREADS or all cores.", MACHINE, ge=1, le=1024
    )
    precision: Literal["float32", "bf16"] = setting(
        "float32", "bf16: mixed precision, faster where the processor supports it.", MACHINE
    )
    compile: bool = setting(False, "Compile the network with torch.compile (needs a C++ compiler).", MACHINE)

    license: Annotated[str | None, checked_by(checked_license)] = setting(
        None,
        "Under which licence the network may be used, by its SPDX identifier, e.g. Apache-2.0, MIT or CC-BY-4.0; it is "
        "kept in the model's file.",
        OWNER,
    )
    author: Annotated[str | None, checked_by(checked_author)] = setting(
        None, "Who made the network; several with semicolons between.", OWNER
    )
    citation: Annotated[str | None, checked_by(checked_citation)] = setting(
        None, "How to cite it: a sentence, a DOI or BibTeX.", OWNER
    )


CHANGEABLE = ("epochs", "max_minutes", "patience", "min_delta", "device", "threads", "storage", "on_error", *RIGHTS)
"""Settings that may differ when a run goes on: how long, on what, how the images are read, and whose the network is."""


def make_config(settings: Mapping[str, Any]) -> TrainConfig:
    """Return the checked configuration for ``settings``; only what is given counts as set by the user.

    Raises CuelloError that names the first wrong key or value, what was got and what is needed.

    >>> make_config({"epochs": 3}).epochs
    3
    """
    for key in settings:
        if key not in TrainConfig.model_fields:
            known = TrainConfig.model_fields
            raise CuelloError(f"there is no setting called {key!r}.{closest(key, known)} Known: {', '.join(known)}.")
    try:
        return TrainConfig.model_validate(paths_as_text(settings))
    except pydantic.ValidationError as error:
        raise CuelloError(explain(error, TrainConfig)) from None


def paths_as_text(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings with paths, and runs, as the text that they are kept as.

    >>> paths_as_text({"start_from": Path("runs/first"), "epochs": 3})
    {'start_from': 'runs/first', 'epochs': 3}
    """
    return {name: os.fspath(value) if isinstance(value, os.PathLike) else value for name, value in settings.items()}


def explain(error: pydantic.ValidationError, model: type[pydantic.BaseModel]) -> str:
    """Put the first problem of a pydantic error in one sentence: setting, what was got, what is needed."""
    first = error.errors()[0]
    name = str(first["loc"][0]) if first["loc"] else model.__name__
    field = model.model_fields.get(name)
    meaning = f" It means: {field.description}" if field is not None and field.description else ""
    needed = first["msg"].removeprefix("Input should be ").removeprefix("Value error, ")
    return f"--{name.replace('_', '-')}: got {first['input']!r}, needed {needed}.{meaning}"


AS_SIGNS = {0xDC00 + byte: 0xEF00 + byte for byte in range(0x80, 0x100)}
AS_BYTES = {sign: byte for byte, sign in AS_SIGNS.items()}
"""Bytes of a path that are no text, as Python keeps them, and signs without a meaning that TOML can hold instead."""


def read_toml(path: Path) -> dict[str, Any]:
    """Return the settings in a TOML file, unchecked; CuelloError where it cannot be read."""
    check_no_device(path)
    try:
        text = path.read_text(encoding="utf-8")
        if len(text) > LONGEST_TOML or text.count(".") > MOST_DOTS:
            raise ValueError(f"more than {LONGEST_TOML:,} letters or {MOST_DOTS:,} dots")
        return in_every(tomllib.loads(text.translate(AS_BYTES)), native)
    except FileNotFoundError:
        raise CuelloError(f"there is no configuration file {path}.") from None
    except (ValueError, RecursionError) as error:
        raise CuelloError(f"{path} is not TOML: {error}. A line looks like: epochs = 30") from None
    except OSError as error:
        raise CuelloError(f"{path} could not be read: {error.strerror}.") from None


def to_toml(config: TrainConfig) -> str:
    """Return the whole configuration as TOML; settings that are None are left out, for TOML has no null."""
    import tomli_w

    return tomli_w.dumps(in_every(config.model_dump(exclude_none=True), portable)).translate(AS_SIGNS)
