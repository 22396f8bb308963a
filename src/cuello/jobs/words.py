"""What the jobs are called, what people call them, and how each is begun: no torch, so that help answers at once."""

from dataclasses import dataclass
from difflib import get_close_matches

from cuello.core.errors import CuelloError
from cuello.core.registry import Registry

NETWORK = ("latent", "hidden", "filters", "activation", "dropout", "model")


@dataclass(frozen=True)
class JobWords:
    """A job's name, what it is for, other words for it, and three lines to type.

    options: settings that it has and not every other job. useful: those that most people want next. family: of the
    autoencoders that are told by their parts, None where it has none.
    """

    name: str
    summary: str
    words: tuple[str, ...]
    examples: tuple[str, str, str]
    options: tuple[str, ...] = ()
    useful: tuple[str, ...] = ()
    family: str | None = None


WORDS: Registry[JobWords] = Registry(
    "job",
    [
        JobWords(
            "denoise",
            "remove noise, blur, JPEG artefacts or holes",
            words=(
                "denoising", "denoiser", "clean", "restore", "restoration", "deblur", "deblurring", "inpaint",
                "inpainting", "dejpeg", "deblock", "despeckle", "denoising-autoencoder", "dae",
            ),
            examples=(
                "cuello train denoise photos --noise gaussian:25 --crop 64",
                "cuello train denoise my-images/ --noise salt-pepper:0.2 --crop 64",
                "cuello train denoise noisy/ --crop 64",
            ),
            options=("noise", "target", "noisy_target", "method"),
            useful=("crop", "model"),
            family="mlp",
        ),
        JobWords(
            "upscale",
            "enlarge images",
            words=(
                "upscaling", "upscaler", "sr", "sisr", "super-resolution", "superresolution", "enlarge", "enlarging",
                "upsample", "upsampling", "zoom",
            ),
            examples=(
                "cuello train upscale photos --scale 2 --crop 64",
                "cuello train upscale photos --scale 2 --noise jpeg:60 --crop 64",
                "cuello train upscale small/ --target large/ --scale 2 --crop 64",
            ),
            options=("noise", "target", "scale"),
            useful=("crop", "model"),
        ),
        JobWords(
            "reconstruct",
            "learn a code of few numbers (autoencoder)",
            words=(
                "reconstruction", "autoencoder", "auto-encoder", "autoencode", "ae", "encode", "encoder", "code",
                "latent", "compress", "compression", "embed", "embedding", "dimensionality-reduction",
                "representation", "bottleneck", "anomaly", "anomalies", "anomaly-detection", "outlier", "outliers",
            ),
            examples=(
                "cuello train reconstruct glyphs --latent 2 --hidden 64",
                "cuello train reconstruct mnist --latent 8 --hidden 256,64 --activation relu",
                "cuello train reconstruct my-images/ --resize 64 --filters 16,32 --latent 32",
            ),
            useful=NETWORK,
            family="mlp",
        ),
        JobWords(
            "generate",
            "make new images (variational autoencoder)",
            words=(
                "generation", "generative", "generator", "vae", "variational", "variational-autoencoder", "sample",
                "sampling", "synthesise", "synthesize", "synthesis", "invent",
            ),
            examples=(
                "cuello train generate glyphs --latent 2 --hidden 64",
                "cuello train generate mnist --latent 2 --hidden 200 --activation relu",
                "cuello train generate my-images/ --resize 64 --filters 16,32 --latent 32",
            ),
            useful=NETWORK,
            family="vae",
        ),
        JobWords(
            "classify",
            "tell classes apart, one subfolder each",
            words=(
                "classification", "classifier", "class", "classes", "label", "labels", "recognise", "recognize",
                "recognition", "categorise", "categorize", "sort", "cnn",
            ),
            examples=(
                "cuello train classify digits",
                "cuello train classify pets/ --resize 64 --augment",
                "cuello train classify pets/ --resize 64 --loss cross-entropy:0.1",
            ),
            useful=("resize", "augment", "model"),
        ),
        JobWords(
            "explain",
            "estimate a classifier's occlusion maps in one pass",
            words=(
                "explanation", "explainability", "saliency", "saliency-map", "occlusion", "occlusion-map", "heatmap",
                "attribution", "interpret", "interpretability", "xai", "why",
            ),
            examples=(
                "cuello train explain digits --classifier runs/classify-classify-s",
                "cuello train explain pets/ --resize 64 --classifier runs/pets --box 7",
                "cuello train explain pets/ --resize 64 --classifier runs/pets --only cats",
            ),
            options=("classifier", "box", "stride", "fill", "told", "only"),
            useful=("resize", "model"),
        ),
    ],
)  # fmt: skip
"""The jobs; their classes are in ``catalog.JOBS``, and a test compares the two."""

BY_WORD = {word: one.name for one in WORDS for word in (one.name, *one.words)}


def job_named(word: str) -> str:
    """Return the name of the job that a word stands for; CuelloError with the nearest job for others.

    >>> job_named("super-resolution"), job_named("VAE")
    ('upscale', 'generate')
    """
    plain = str(word).strip().lower().replace("_", "-").replace(" ", "-")
    if plain in BY_WORD:
        return BY_WORD[plain]
    near = get_close_matches(plain, BY_WORD, n=1, cutoff=0.65)
    meant = f" Did you mean {BY_WORD[near[0]]!r}?" if near else ""
    raise CuelloError(f"there is no job called {word!r}.{meant} Known: {', '.join(WORDS.names())}.")
