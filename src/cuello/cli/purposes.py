"""What one can do with Cuello, each with the line to type: the first that anybody sees of it."""

import shutil
import textwrap

PURPOSES = (
    ("clean my images", "cuello denoise noisy/ clean/"),
    ("enlarge them", "cuello apply upscale-x2 small/ large/"),
    ("train for my own noise", "cuello train denoise photos --noise jpeg:30 --crop 64"),
    ("train on pairs", "cuello train denoise noisy/ --target clean/ --crop 64"),
    ("learn a code", "cuello train reconstruct glyphs --latent 2"),
    ("make new images", "cuello train generate glyphs --latent 2"),
    ("see what a code holds", "cuello latent runs/NAME"),
    ("tell classes apart", "cuello train classify digits -o runs/digits"),
    ("see why", "cuello explain runs/digits digits -o runs/why"),
    ("compare what I trained", "cuello compare runs/ONE runs/OTHER"),
)
"""Purposes and lines; a test checks that every line is one that the command line reads."""

ABOUT = "Train small image networks in minutes, see whether they beat the classical methods, use them anywhere."
MORE = """Three questions:      cuello start
Every command:        cuello --help
Settings of one job:  cuello train JOB --help
What is installed:    cuello doctor"""


def purposes_text() -> str:
    """Return the purposes, a line each; two where the terminal is too narrow for that."""
    wide = max(len(purpose) for purpose, _ in PURPOSES)
    fits = wide + 2 + max(len(line) for _, line in PURPOSES) <= shutil.get_terminal_size().columns
    return "\n".join(f"{purpose:<{wide}}  {line}" if fits else f"{purpose}\n  {line}" for purpose, line in PURPOSES)


def print_purposes() -> None:
    """Print what Cuello is, what one can do with it, and where there is more."""
    about = textwrap.fill(ABOUT, shutil.get_terminal_size().columns)
    print(f"{about}\n\n{purposes_text()}\n\n{MORE}")
