"""What the documentation of the service says: examples, and the shapes of what is told as JSON."""

from typing import Any

from pydantic import BaseModel, Field

from cuello.serving.kinds import GIVEN, MEDIA

TELLS = [
    {"name": "images", "description": "What is made of images."},
    {"name": "about", "description": "What is served, and how it is."},
]


class Size(BaseModel):
    """Sides of an image, in pixels."""

    width: int
    height: int


class AboutModel(BaseModel):
    """A model, and what it takes and gives."""

    name: str = Field(examples=["denoise"])
    job: str = Field(examples=["denoise"])
    network: str = Field(examples=["denoise-s"])
    channels: int = Field(description="Channels that the network takes at once; others go through one by one.")
    size: Size | None = Field(description="The only size that it takes; null: any.")
    scale: int = Field(description="How many times larger the sides of the result are.")
    takes_sigma: bool = Field(description="Whether the network may be told the noise, or the blur (?sigma=).")
    takes_quality: bool = Field(description="Whether the network may be told the quality of a JPEG (?quality=).")
    range: str | None = Field(description="What stood for black and white in training; null: the type's full scale.")
    gives: list[str] = Field(description="What can be asked of it (?give=), the first unasked.", examples=[["image"]])
    classes: list[str] = Field(description="Of a classifier, what it tells apart.")
    rights: dict[str, str] = Field(description="Licence, author, citation, and on what it was trained.")


class Listed(BaseModel):
    """Every model that is served."""

    models: list[AboutModel]


class Health(BaseModel):
    """Whether the service works."""

    status: str = Field(examples=["ok"])
    version: str


class Refusal(BaseModel):
    """Why a request is refused."""

    status: int = Field(examples=[413])
    error: str = Field(description="What is wrong, in a word.", examples=["pixels"])
    message: str = Field(description="What was got, what was needed, and what to do.")


BINARY = {"type": "string", "format": "binary"}
EXAMPLES = {
    400: ("An empty body, or a form that is broken or holds no file", "empty",
          "got an empty body (0 bytes), needed an image, e.g. curl --data-binary @a.png."),
    401: ("No token, or another one", "token",
          "the request brought no token, or another one. Add the header Authorization: Bearer TOKEN, with the token "
          "of the service."),
    404: ("No model of that name", "model", "there is no model called 'denoize' here. Did you mean 'denoise'? Served: "
          "denoise."),
    406: ("A format that cannot be given", "format", "got ?format=heic, needed one of png, jpg, tif, webp, npy, bmp, "
          "ppm, tga."),
    408: ("A body that arrives too slowly", "slow", "the body did not arrive within 60 s: 65,536 bytes came. Send it "
          "faster, or smaller images."),
    413: ("Too many bytes, pixels or images", "pixels", "got 400,000,000 pixels, enlarging and the request's other "
          "images counted, needed at most 32,000,000. Cut the image into parts, or send fewer; whoever runs the "
          "service can raise --max-megapixels."),
    415: ("No image of a known kind", "kind", "what was sent (notes) is not an image of a kind that its first bytes "
          "tell (PNG, JPEG, TIFF, WebP, BMP, GIF, PPM, JPEG 2000, AVIF, .npy)."),
    422: ("An image that is damaged or does not fit, or a setting that makes no sense", "image",
          "image.png is damaged or cut short (image file is truncated). Copy it again from where it came."),
    429: ("Too many requests at once; Retry-After says when to come back", "busy", "got 21 requests at once, needed "
          "at most 20. Send it again in a second; whoever runs the service can raise --waiting."),
    503: ("The time is over, or no memory is left", "time", "the work was not done within 60 s. Send a smaller image, "
          "or later; whoever runs the service can raise --timeout."),
}  # fmt: skip
"""By status: when, and an example of a refusal's word and message."""
IMAGE_CURL = "curl --data-binary @a.png http://127.0.0.1:8000/v1/denoise -o clean.png"
SEVERAL_CURL = "curl -F image=@a.png -F image=@b.tif 'http://127.0.0.1:8000/v1/denoise?format=png' -o results.zip"
NUMBERS = {"class": "cat", "probability": 0.93, "probabilities": {"cat": 0.93, "dog": 0.07}, "name": "image"}


def refusals() -> dict[int | str, dict[str, Any]]:
    """Document every refusal with an example."""
    return {
        status: {
            "model": Refusal,
            "description": when,
            "content": {"application/json": {"example": {"status": status, "error": error, "message": message}}},
        }
        for status, (when, error, message) in EXAMPLES.items()
    }


POST: dict[str, Any] = {
    "summary": "Make of an image, or several, what a model gives",
    "description": (
        "An image is the body itself; several are the files of a form (multipart/form-data), and their results a "
        f"zip.\n\n    {IMAGE_CURL}\n\n    {SEVERAL_CURL}\n\nThe kind of an image is told by its content. The result is "
        "in the image's own format, or in that of ?format= or the header Accept. What changed beside the pixels is "
        "said in the header Cuello-Notes (a JSON list; of several images also notes.json in the zip), what was "
        "estimated in Cuello-Range and Cuello-Sigma. Numbers (classes, codes, maps) come as JSON, or as .npy with "
        "?format=npy."
    ),
    "openapi_extra": {
        "requestBody": {
            "required": True,
            "content": {
                **{MEDIA[ending]: {"schema": BINARY} for ending in GIVEN},
                "multipart/form-data": {
                    "schema": {"type": "object", "properties": {"image": {"type": "array", "items": BINARY}}}
                },
            },
        }
    },
    "responses": {
        200: {
            "description": "The result",
            "content": {
                **{MEDIA[ending]: {"schema": BINARY} for ending in (*GIVEN, ".zip")},
                "application/json": {"example": NUMBERS},
            },
        },
        **refusals(),
    },
}
MODELS: dict[str, Any] = {
    "summary": "What is served",
    "responses": {200: {"description": "The models"}, 401: refusals()[401]},
}
HEALTH: dict[str, Any] = {"summary": "Whether the service works; needs no token"}
