"""`cuello start`: three questions, and the command that they come to."""

import shlex
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.prompt import Confirm, Prompt

from cuello.core.errors import CuelloError
from cuello.data.found import FoundImages, look

Words = list[str]


@dataclass(frozen=True)
class Want:
    """Something that can be wanted, and the command for it: of the answers about places, and what was found there."""

    label: str
    command: Callable[["Answers"], Words]


@dataclass(frozen=True)
class Have:
    """Something that one can have: where it is asked for, and what can be wanted with it."""

    label: str
    places: Sequence[str]
    wants: Sequence[Want]


@dataclass(frozen=True)
class Answers:
    """Places in the order in which they were asked for, and the images found at each that holds images."""

    places: Sequence[str]
    found: Sequence[FoundImages]

    @property
    def images(self) -> str:
        """The place of the images, which is asked for last."""
        return self.places[-1]


def start() -> None:
    """Answer three questions, see what your images are, and run the command for what you want.

    It asks what you have, what you want, and where the images are; it shows what it found there, prints the command,
    and runs it. It needs a terminal.
    """
    check_terminal()
    try:
        words = asked()
    except (EOFError, KeyboardInterrupt):
        print("\nNothing was done.")
        return
    print(f"\n  {shlex.join(['cuello', *words])}\n")
    try:
        wanted = Confirm.ask("Run it?", default=True)
    except (EOFError, KeyboardInterrupt):
        wanted = False
    if wanted:
        from cuello.cli.app import call

        call(words)


def check_terminal() -> None:
    """Raise CuelloError where nobody could answer."""
    if not at_terminal():
        raise CuelloError("`cuello start` asks questions, which needs a terminal. What one can do: cuello")


def at_terminal() -> bool:
    return sys.stdin.isatty() and sys.stdout.isatty()


def asked() -> Words:
    """Ask the three questions and return the command, without its first word."""
    have = HAVES[chosen("What do you have?", [one.label for one in HAVES])]
    want = have.wants[chosen("What do you want?", [one.label for one in have.wants])]
    places, found = [], []
    for question in have.places:
        place, images = placed(question)
        places.append(place)
        found += [images] if images is not None else []
    return want.command(Answers(places, found))


def chosen(question: str, labels: Sequence[str]) -> int:
    """Ask for one of several things by its number, from 1, and return its position, from 0."""
    print(f"\n{question}")
    for number, label in enumerate(labels, 1):
        print(f"  {number}  {label}")
    numbers = [str(number) for number in range(1, len(labels) + 1)]
    return int(Prompt.ask("Number", choices=numbers, show_choices=False, default="1")) - 1


def placed(question: str) -> tuple[str, FoundImages | None]:
    """Ask for a place until there is something there; show the images, if it is not a trained network."""
    from cuello.cli.render import print_text

    while True:
        answer = Prompt.ask(f"\n{question}").strip().strip("'\"")
        if not answer:
            continue
        try:
            if question == NETWORK:
                return network_at(answer), None
            images = look(answer)
        except CuelloError as error:
            print_text(str(error))
            continue
        show(images)
        return answer, images


def network_at(place: str) -> str:
    """Return the place of a trained network; CuelloError where there is none."""
    from cuello.inference.bundled import located

    located(place)
    return place


def show(images: FoundImages) -> None:
    """Print what images there are, and the first of them."""
    from cuello.cli.render import print_text

    print_text(images.sentence())
    for line in images.listed:
        print_text(f"  {line}")
    if images.count > len(images.listed):
        print(f"  … and {images.count - len(images.listed):,} more")


def fresh(name: str) -> str:
    """Return a folder's name that is not taken, here."""
    path, number = Path(name), 2
    while path.exists():
        path = Path(f"{name}-{number}")
        number += 1
    return str(path)


def results(answers: Answers, ending: str) -> str:
    """Name a folder for results after that of the images."""
    return fresh(f"{Path(answers.images).expanduser().resolve().stem}-{ending}")


def applied(network: str, ending: str) -> Callable[[Answers], Words]:
    """Return the command that applies a network that comes along."""
    return lambda answers: ["apply", network, answers.images, results(answers, ending)]


def cropped(answers: Answers) -> Words:
    """Return the side of crops: 64 pixels, or the largest multiple of 8 that fits the smallest image."""
    side = min(answers.found[0].smallest, 64) // 8 * 8
    return ["--crop", str(side)] if side >= 16 else []


def against(noise: str) -> Callable[[Answers], Words]:
    """Return the command that trains a network against a noise."""
    return lambda answers: ["train", "denoise", answers.images, "--noise", noise, *cropped(answers)]


def as_code(job: str) -> Callable[[Answers], Words]:
    """Return the command that learns a code: of whole images where they are small, else of images made small."""

    def command(answers: Answers) -> Words:
        if answers.found[0].small:
            return ["train", job, answers.images, "--latent", "8"]
        return ["train", job, answers.images, "--resize", "64", "--filters", "16,32,64", "--latent", "32"]

    return command


def classes(answers: Answers) -> Words:
    """Return the command that tells classes apart."""
    resize = [] if answers.found[0].small else ["--resize", "64"]
    return ["train", "classify", answers.images, *resize]


def from_pairs(answers: Answers) -> Words:
    """Return the command for pairs: denoise where both sizes are the same, upscale where one is larger."""
    noisy, clean = answers.found
    scale = clean.sizes[0][0] // noisy.sizes[0][0]
    larger = ["upscale", "--scale", str(scale)] if scale > 1 else ["denoise"]
    crop = min(64, *(one.smallest for one in answers.found)) // 8 * 8
    return ["train", larger[0], answers.places[0], "--target", answers.places[1], *larger[1:], "--crop", str(crop)]


CODES = (
    Want("learn a code of few numbers (autoencoder)", as_code("reconstruct")),
    Want("make new images like them (variational autoencoder)", as_code("generate")),
)
WHERE = "Where are the images? (folder, file or data set)"
NETWORK = "Where is the network? (a run's folder)"

HAVES = (
    Have(
        "images",
        [WHERE],
        wants=(
            Want("remove grain, with the network that comes with Cuello", applied("denoise", "clean")),
            Want("enlarge them twice", applied("upscale-x2", "x2")),
            Want("enlarge them four times", applied("upscale-x4", "x4")),
            Want("train a network against grain (Gaussian noise)", against("gaussian:5..50")),
            Want("train a network against dead and hot pixels", against("salt-pepper:0.05..0.3")),
            Want("train a network against JPEG artefacts", against("jpeg:20..60")),
            Want("train a network against blur", against("blur:0.5..2")),
            *CODES,
        ),
    ),
    Have(
        "noisy or small images, and a clean or large one of each",
        ["Where are the noisy or small images?", "Where are the clean or large ones, with the same names?"],
        wants=(Want("train a network that turns the first into the second", from_pairs),),
    ),
    Have(
        "images in classes, a folder for each",
        [WHERE],
        wants=(Want("tell the classes apart", classes), *CODES),
    ),
    Have(
        "a network that I trained",
        [NETWORK, WHERE],
        wants=(
            Want(
                "apply it to images",
                lambda answers: ["apply", answers.places[0], answers.images, results(answers, "done")],
            ),
            Want("judge it on images", lambda answers: ["evaluate", answers.places[0], answers.images]),
            Want(
                "look into its code",
                lambda answers: ["latent", answers.places[0], answers.images],
            ),
            Want(
                "see why it classifies an image as it does",
                lambda answers: ["explain", answers.places[0], answers.images, "-o", results(answers, "why")],
            ),
        ),
    ),
)
"""What one can have, and want."""
