"""Why the source's networks hardly learn: the last activation, and the large kernel."""

from collections.abc import Callable
from functools import cache, partial
from typing import cast

import numpy as np

from cuello.comparison.page import loss_text
from cuello.models.catalog import architecture_of, build
from cuello.models.strided import StridedAutoencoder
from cuello.models.summary import Summary, summarise
from cuello.report.figures import Theme, as_png, drawing
from cuello.report.page import Section, Table
from cuello.studies.base import StudyOutcome
from cuello.studies.super_resolution.measures import BINS, INPUT, BlurResult, histogram, reachable, taps_on_padding
from cuello.studies.super_resolution.plans import UPSCALER
from cuello.studies.super_resolution.source import IN_ITS_UNITS, KERNEL, SIDE, SOURCE_ROWS, SourceNetwork
from cuello.studies.tables import Column, table


def share(value: float) -> str:
    return f"{value:.1%}" if 0 < value < 0.9995 else f"{value:.0%}"


def last_activation(outcome: StudyOutcome, factor: int, result: BlurResult) -> Section:
    relus = [row.network for row in SOURCE_ROWS if row.activation == "relu"]
    dead = max(relus, key=lambda name: result.gates[name].dead)
    left = {name: f"{IN_ITS_UNITS * value:.4f}" for name, value in result.floors.items()}
    sigmoid, tanh = ("{:.2f} to {:.2f}".format(*reachable(name)) for name in ("sigmoid", "tanh"))
    text = [
        "The last layer is tanh of an activation. ReLU gives nothing below 0, so tanh of it lies in [0, 1), and as the "
        "networks count from -1 (black) to 1 (white), nothing darker than mid grey can be made: "
        f"{share(float((result.targets < 0.5).float().mean()))} of the test images' values are darker. With every "
        f"other value perfect, a mean squared error of {left['relu']} in the source's units would be left; the input "
        f"itself has {IN_ITS_UNITS * result.mse[INPUT].mean:.4f}. Sigmoid reaches {sigmoid} of white (left: "
        f"{left['sigmoid']}); tanh, twice, {tanh} (left: {left['tanh']}). {order_of_losses(result)}",
        "Where a ReLU is given a negative value it passes no gradient: an output that is at mid grey by mistake is not "
        f"corrected. Most of it in {dead}: {share(result.gates[dead].dead)} of its "
        "outputs are shut in every test image.",
        f"Measured at ×{factor} on the test images, first seed.",
    ]
    note = (
        "Grey: the share of the targets' values in each of 64 steps from black to white; coloured: of the network's. "
        "Shaded: what tanh after the activation can never give."
    )
    alt = "Distribution of target values and of the networks' outputs, and what they cannot reach"
    picture = outcome.picture(f"reach-x{factor}", partial(reach_grid, result), alt=alt, note=note)
    return Section("Why they hardly learn: the last activation", text, [picture, gates_table(result)])


def order_of_losses(result: BlurResult) -> str:
    """Say whether the source's losses, by activation, stand in the order of what is left at least."""
    stated = {row.activation: row.losses[1] for row in reversed(SOURCE_ROWS) if row.losses is not None}
    by_loss = sorted(stated, key=lambda name: stated[name])
    order = "the same" if by_loss == sorted(stated, key=lambda name: result.floors[name]) else "another"
    listed = ", ".join(f"{name} {stated[name]:.4f}" for name in by_loss)
    return f"The source's validation losses stand in {order} order: {listed}."


def gates_table(result: BlurResult) -> Table:
    def of_relu(value: Callable[[SourceNetwork], float]) -> Callable[[SourceNetwork], str | None]:
        return lambda row: share(value(row)) if row.activation == "relu" else None

    gates = result.gates
    columns = [
        Column("network", lambda row: row.network),
        Column("reachable>", lambda row: "{:.2f} to {:.2f}".format(*reachable(row.activation))),
        Column("least MSE>", lambda row: result.floors[row.activation], loss_text),
        Column("MSE>", lambda row: result.mse[row.network].mean, loss_text),
        Column("closed>", of_relu(lambda row: gates[row.network].closed)),
        Column("dead>", of_relu(lambda row: gates[row.network].dead)),
        Column("gradient>", lambda row: gates[row.network].gradient, share),
        Column("still code>", lambda row: gates[row.network].code_still, share),
        Column("varies by>", lambda row: gates[row.network].between, ".3f"),
    ]
    note = (
        "Reachable: values, out of 1, that tanh after the activation can give. Least MSE: what is left if every value "
        "is as near to its target as that allows. Closed: share of the values to which the last ReLU gives 0, and no "
        "gradient. Dead: share of the outputs for which it does so in every test image. Gradient: mean slope of "
        "activation and tanh; 100% lets all through. Still code: share of the code's numbers that are the same for "
        "every test image. Varies by: standard deviation from image to image; the targets' is "
        f"{next(iter(gates.values())).between_targets:.3f}. First seed, test images."
    )
    return table(SOURCE_ROWS, columns, note)


def reach_grid(result: BlurResult, theme: Theme) -> bytes:
    edges, targets = np.linspace(0, 1, BINS + 1), histogram(result.targets)
    top = 3.2 * float(targets.max())
    with drawing(theme, 8.4, 4.2, nrows=2, ncols=3, sharex=True) as (figure, axes):
        for panel, row in zip(axes.flat, SOURCE_ROWS, strict=True):
            low, high = reachable(row.activation)
            for start, end in ((0.0, low), (high, 1.0)):
                if end > start:
                    panel.axvspan(start, end, color=theme.others[6], alpha=0.16, linewidth=0)
            shares = result.gates[row.network].shares
            panel.stairs(targets, edges, fill=True, color=theme.others[0], alpha=0.7)
            panel.stairs(shares, edges, color=theme.ours, linewidth=1.4)
            panel.set(title=row.network, xlim=(0, 1), ylim=(0, top), yticks=())
            panel.set_xticks((0, 0.5, 1), ("0", "0.5", "1"))
            highest = int(shares.argmax())
            if shares[highest] > top:
                across, side = (0.03, "left") if edges[highest] > 0.4 else (0.97, "right")
                style = {"ha": side, "va": "top", "fontsize": 7, "color": theme.text, "transform": panel.transAxes}
                panel.text(across, 0.95, f"{shares[highest]:.0%} in one step", **style)
        for panel in axes[-1]:
            panel.set_xlabel("value: 0 black, 1 white")
        return as_png(figure)


@cache
def network_of(name: str) -> StridedAutoencoder:
    """Build a network for colour images, untrained; one that enlarges, by 2."""
    return cast("StridedAutoencoder", build(architecture_of(name, 3, scale=2 if name == UPSCALER else None)))


@cache
def about(name: str, side: int = SIDE) -> Summary:
    """Count layers and numbers of a network for target images of ``side`` pixels."""
    inner = side // 2 if name == UPSCALER else side
    return summarise(network_of(name), 3, (inner, inner))


def large_kernel() -> Section:
    """Show where the 32×32 kernels look, in images of the source's size."""
    text = [
        f"In the four-layer networks the {KERNEL}×{KERNEL} kernel meets a map of {KERNEL}×{KERNEL}: it is a dense "
        "layer, used once per image, and an image passes through 128 numbers. What a small image lacks, its edges' "
        "sharpness, has no room there; the code can hold little more than where it is bright and dark. In the "
        "three-layer network the map's sides are twice as long; the code is larger, but each of its numbers is a sum "
        "over a quarter of the map, and the mirrored kernel smears each over as much.",
        "No connection brings the input itself to the output, so the networks have to learn to draw what they are "
        "given, which bicubic enlargement has for nothing. Ours add what is missing to their input.",
    ]
    rows = []
    for name in ("strided-3", "strided-4"):
        network, summary = network_of(name), about(name)
        kernel = network.config.bottom
        assert kernel is not None
        inner = SIDE // network.stride
        outer = inner - kernel + 1
        kernels = f"encoder.{len(network.encoder) - 1}.0", "decoder.0.0"  # the large one, and its mirror
        weights = sum(layer.trainable for layer in summary.layers if layer.path.startswith(kernels))
        rows.append(
            [name, f"{inner}×{inner}", f"{outer}×{outer}", f"{outer**2 * network.config.filters[-1]:,}",
             f"{outer**2:,}", share(taps_on_padding(outer, kernel, 2 * (kernel - 1))),
             share(taps_on_padding(inner, kernel, kernel - 1)), share(weights / summary.trainable)]
        )  # fmt: skip
    columns = ["network", "map>", "after the kernel>", "code>", "places>", "off the map: mirror>", "if padded>",
               "of the weights>"]  # fmt: skip
    note = (
        f"The map that the {KERNEL}×{KERNEL} kernel meets, and what it leaves. Code: its numbers, for an image of "
        f"{3 * SIDE * SIDE:,}. Places: how often an image uses each weight. Off the map: share of the taps of the "
        "mirrored kernel (transposed convolution) that fall beside the map and multiply nothing; and of the kernel's "
        "own, had it been padded to keep the size. Of the weights: share of both kernels in all parameters."
    )
    return Section("Why they hardly learn: the large kernel", text, [Table(columns, rows, note)])
