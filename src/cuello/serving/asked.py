"""What a request asks for, in its address."""

from collections.abc import Collection
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from cuello.inference.targets import ARRAY
from cuello.serving.kinds import GIVEN, asked_ending
from cuello.serving.refused import Refused

Give = Literal["image", "class", "code", "decoded", "map"]
AS_FILES = ("image", "decoded")
"""What comes back as images' files; all else is numbers."""

USED: dict[str, Collection[str]] = {
    "image": ("sigma", "quality", "range"),
    "class": ("range",),
    "code": ("range",),
    "decoded": (),
    "map": ("range", "class_", "box", "stride"),
}
"""The settings that mean something, by what is asked for."""


class Query(BaseModel):
    """The settings that stand in the address of a request; others are refused."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    format: str | None = Field(
        default=None,
        description="Format of the result: png, jpg, tif, webp, npy …; json for numbers. Goes before the header "
        "Accept; by default that of the image.",
        examples=["png"],
    )
    sigma: float | None = Field(
        default=None,
        ge=0,
        le=255,
        allow_inf_nan=False,
        description="Standard deviation of the noise, in grey levels out of "
        "255, for a network that is told it; of the blur, in pixels, for one that takes blur off. By default "
        "estimated.",
        examples=[25],
    )
    quality: float | None = Field(
        default=None,
        ge=1,
        le=100,
        allow_inf_nan=False,
        description="Quality with which the image was saved as JPEG, for a network that takes its artefacts off; by "
        "default judged from the pixels.",
        examples=[30],
    )
    range: str | None = Field(
        default=None,
        description="What stands for black and white: LOW..HIGH in the image's own units, auto, or full.",
        examples=["0..4095"],
    )
    give: Give | None = Field(
        default=None,
        description="What to give back: image; class (of a classifier); code (of an autoencoder); decoded (the "
        "image that a code stands for, sent as .npy); map (which "
        "parts of the image a classifier decides by). By default the first that the model gives.",
    )
    class_: str | None = Field(
        default=None,
        alias="class",
        description="For a classifier's map: the class, by name or number; by default the predicted one.",
    )
    box: int = Field(
        default=3, ge=1, description="For a classifier's map: side of the box that hides a part, in pixels."
    )
    stride: int = Field(default=1, ge=1, description="For a classifier's map: step of the box, in pixels.")


class Asked(Query):
    """What a request asks for, with its header Accept taken in.

    ending: of the result; None for that of the image.
    """

    ending: str | None = None


def check_used(query: Query, give: str, *, estimated: bool) -> None:
    """Refuse with 422 a setting that means nothing for what is asked for. estimated: maps are an estimator's."""
    used = {"give", "format", *USED[give]} - ({"class_", "box", "stride"} if estimated else set())
    if unused := sorted(query.model_fields_set - used):
        name = unused[0].strip("_")
        what = f"?give={give}" + (" of an estimator, which learned maps of its own settings" if estimated else "")
        raise Refused(422, "query", f"?{name} means nothing with {what}: leave it out.")


def asked_for(query: Query, accept: str, give: str) -> Asked:
    """Take settings and header together; Refused where nothing that is accepted can be given."""
    among = GIVEN if give in AS_FILES else (".json", ARRAY)
    ending = asked_ending(query.format, accept, among)
    return Asked(**query.model_dump(), ending=ending)
