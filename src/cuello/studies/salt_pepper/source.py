"""What the source says."""

from dataclasses import dataclass

from cuello.studies.sources import said


@dataclass(frozen=True, kw_only=True)
class ComparedNetwork:
    """A row of the comparison: a training, and the source's validation loss at ``epoch``, over-fitting gap, seconds of
    epoch 5 and parameters; None for the rows that it does not have.
    """

    label: str
    network: str
    plan: str
    epoch: int
    loss: float | None = None
    gap: float | None = None
    seconds: int | None = None
    parameters: int | None = None
    batch: int | None = None


CHOSEN, AS_CHOSEN = "conv-8-16-8", "conv-8-16-8-batch-256"
"""The network that it chose, and its training as in the source."""
SAID = said("salt_pepper")
OTHER, GUESSES = SAID["other"], SAID["guesses"]
SOURCE_ROWS = tuple(
    ComparedNetwork(**row, plan=f"{row['network']}-batch-{row['batch']}")
    for row in (dict(zip(SAID["columns"], values, strict=True)) for values in SAID["networks"])
)
SOURCE_EPOCHS = {int(epoch): (training, validation) for epoch, (training, validation) in SAID["epochs"].items()}
"""Training and validation loss of the chosen network by epoch."""
SOURCE_LEVELS: dict[float, float] = {float(level): error for level, error in SAID["levels"].items()}
"""MSE of the chosen network by the share of pixels that are hit."""
