"""What a request asks for, in its address."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from cuello.inference.targets import ARRAY
from cuello.serving.kinds import GIVEN, asked_ending

Give = Literal["image", "class", "code", "decoded", "map"]
AS_FILES = ("image", "decoded")
"""What comes back as images' files; all else is numbers."""


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
        "255, for a network that is told it; by default estimated.",
        examples=[25],
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


def asked_for(query: Query, accept: str, give: str) -> Asked:
    """Take settings and header together; Refused where nothing that is accepted can be given."""
    among = GIVEN if give in AS_FILES else (".json", ARRAY)
    ending = asked_ending(query.format, accept, among)
    return Asked(**query.model_dump(), ending=ending)
