"""What the source says."""

from dataclasses import dataclass


@dataclass(frozen=True)
class SourceRow:
    """A row of the source's comparison: validation loss at ``epoch``, over-fitting gap, seconds of epoch 5, parameters.

    network, batch: what we train for it.
    """

    label: str
    network: str
    batch: int
    epoch: int
    loss: float
    gap: float
    seconds: int
    parameters: int

    @property
    def plan(self) -> str:
        """The training it is read from."""
        return f"{self.network}-batch-{self.batch}"


BATCH, CHOSEN = 256, "conv-8-16-8"
SOURCE_ROWS = (
    SourceRow("original: 8 filters, dense layers", "dense-8-16-32", 512, 10, 0.0201, 0.0070, 76, 138_601),
    SourceRow("more filters", "dense-32-64-128", 512, 10, 0.0172, 0.0070, 716, 1_698_057),
    SourceRow("… batch 32", "dense-32-64-128", 32, 10, 0.0087, 0.0013, 555, 1_698_057),
    SourceRow("… batch 64", "dense-32-64-128", 64, 10, 0.0072, 0.0006, 546, 1_698_057),
    SourceRow("… batch 128", "dense-32-64-128", 128, 10, 0.0066, 0.0006, 546, 1_698_057),
    SourceRow("… batch 256", "dense-32-64-128", 256, 10, 0.0064, 0.0006, 554, 1_698_057),
    SourceRow("without the dense layer", "doubled-32-64-128", BATCH, 10, 0.0054, 0.0008, 1937, 426_447),
    SourceRow("… nor doubled convolutions", "conv-32-64-128-64-32", BATCH, 10, 0.0048, 0.0007, 1170, 186_441),
    SourceRow("4 convolutions, 32 64 32 3", "conv-32-64-32", BATCH, 10, 0.0067, 0.0002, 271, 38_793),
    SourceRow("4 convolutions, 16 32 16 3", "conv-16-32-16", BATCH, 10, 0.0094, 0.0013, 397, 10_185),
    SourceRow("4 convolutions, 8 16 8 3: chosen", CHOSEN, BATCH, 10, 0.0121, 0.0000, 72, 2_793),
    SourceRow("the same, 91 epochs", CHOSEN, BATCH, 91, 0.0031, 0.0004, 62, 2_793),
    SourceRow("2 convolutions, 16 3", "conv-16", BATCH, 10, 0.0163, 0.0087, 69, 921),
    SourceRow("1 convolution, 3", "conv-single", BATCH, 10, 0.0593, 0.0109, 31, 96),
)
SOURCE_EPOCHS = {
    1: (0.0617, 0.0296), 2: (0.0294, 0.0294), 5: (0.0144, 0.0142), 10: (0.0101, 0.0103), 20: (0.0075, 0.0064),
    50: (0.0046, 0.0042), 91: (0.0035, 0.0031),
}  # fmt: skip
"""Training and validation loss of the chosen network by epoch."""
SOURCE_LEVELS = {
    0.2: 0.0031, 0.3: 0.0040, 0.4: 0.0052, 0.5: 0.0073, 0.6: 0.0107, 0.8: 0.0275, 0.9: 0.0447, 1.0: 0.0594,
}  # fmt: skip
"""MSE of the chosen network by the share of pixels that are hit."""
OTHER = "Numbers in columns called “source” are of other data (the source's own photographs, not to be had)."
