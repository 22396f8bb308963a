"""What the source says."""

from dataclasses import dataclass


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
SOURCE_ROWS = tuple(
    ComparedNetwork(
        label=label, network=network, plan=f"{network}-batch-{batch}", batch=batch, epoch=epoch, loss=loss, gap=gap,
        seconds=seconds, parameters=parameters,
    )
    for label, network, batch, epoch, loss, gap, seconds, parameters in (
        ("original: 8 filters, dense layers", "dense-8-16-32", 512, 10, 0.0201, 0.0070, 76, 138_601),
        ("more filters", "dense-32-64-128", 512, 10, 0.0172, 0.0070, 716, 1_698_057),
        ("… batch 32", "dense-32-64-128", 32, 10, 0.0087, 0.0013, 555, 1_698_057),
        ("… batch 64", "dense-32-64-128", 64, 10, 0.0072, 0.0006, 546, 1_698_057),
        ("… batch 128", "dense-32-64-128", 128, 10, 0.0066, 0.0006, 546, 1_698_057),
        ("… batch 256", "dense-32-64-128", 256, 10, 0.0064, 0.0006, 554, 1_698_057),
        ("without the dense layer", "doubled-32-64-128", 256, 10, 0.0054, 0.0008, 1937, 426_447),
        ("… nor doubled convolutions", "conv-32-64-128-64-32", 256, 10, 0.0048, 0.0007, 1170, 186_441),
        ("4 convolutions, 32 64 32 3", "conv-32-64-32", 256, 10, 0.0067, 0.0002, 271, 38_793),
        ("4 convolutions, 16 32 16 3", "conv-16-32-16", 256, 10, 0.0094, 0.0013, 397, 10_185),
        ("4 convolutions, 8 16 8 3: chosen", CHOSEN, 256, 10, 0.0121, 0.0000, 72, 2_793),
        ("the same, 91 epochs", CHOSEN, 256, 91, 0.0031, 0.0004, 62, 2_793),
        ("2 convolutions, 16 3", "conv-16", 256, 10, 0.0163, 0.0087, 69, 921),
        ("1 convolution, 3", "conv-single", 256, 10, 0.0593, 0.0109, 31, 96),
    )
)  # fmt: skip
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
GUESSES = (
    "The source gives filters, parameter counts, losses and times. For the chosen network it gives the order of layers "
    "too; its smaller and larger kin follow the same rule here and have exactly the source's counts.",
    "The network without the dense layer: convolutions doubled around the same poolings, and four batch normalisations "
    "where they give the source's 426,447 parameters exactly; that these stand where we put them is a guess.",
    "The networks with dense layers are guessed: the doubled network's convolutions, pooled four times, with a code of "
    "108 or 310 numbers, which comes within 0.2% and 0.03% of the source's counts (138,347 for 138,601; 1,698,565 for "
    "1,698,057) and has about the source's ratio of times.",
    "The source states the batch size only of the dense networks. The others are trained with 256, the best of "
    "those it tried. Adam with a learning rate of .001, Keras' default, is a guess too.",
    "Salt and pepper hits a pixel's three channels together; the source does not say.",
    "The chosen network at stronger noise is trained anew at each level, with our recipe (a learning rate that rises "
    "to .01 and falls along a cosine, batch 64), which serves it better than the source's in the same time. Ours has "
    "one set of weights for all levels.",
)
