"""The tables: the source's losses and ours, errors beside bicubic, costs, and why so little is learned."""

from collections.abc import Mapping
from functools import cache

from cuello.comparison.page import NONE, decibels, duration, loss_text, spread_text
from cuello.models.catalog import architecture_of, build
from cuello.models.strided import StridedAutoencoder
from cuello.models.summary import Summary, summarise
from cuello.report.page import Table
from cuello.runs.history import EpochRecord
from cuello.studies.base import Outcome
from cuello.studies.super_resolution.measures import GREY, INPUT, Tested, reachable, taps_on_padding
from cuello.studies.super_resolution.memory import peak_memory
from cuello.studies.super_resolution.plans import (
    EVERY,
    FACTORS,
    OUR_BATCH,
    OUR_NETWORKS,
    SCALES,
    UPSCALER,
    plan_name,
)
from cuello.studies.super_resolution.source import COSTS, IN_ITS_UNITS, KERNEL, SIDE, SOURCE_ROWS

REFERENCES = {INPUT: "bicubic: the input itself", GREY: "mid grey everywhere"}
OURS_ROWS = frozenset(range(len(SOURCE_ROWS), len(EVERY)))


def losses_table(outcome: Outcome, tested: Mapping[int, Tested]) -> Table:
    """Set the source's last losses beside ours, in its units."""

    def last(network: str, factor: int, value: str) -> str:
        def of_last(history: list[EpochRecord]) -> float:
            return IN_ITS_UNITS * getattr(history[-1], value)

        return spread_text(outcome.over_seeds(plan_name(network, factor), of_last), four)  # type: ignore[arg-type]

    known = {row.network: row for row in SOURCE_ROWS}
    rows = []
    for network in EVERY:
        row = known.get(network)
        said = [row.loss, row.validation_loss] if row else [None, None]
        own = []
        for factor in FACTORS:
            squared = outcome.runs[plan_name(network, factor)][0].config.loss == "mse"
            own += [last(network, factor, "loss") if squared else NONE, last(network, factor, "validation_mse")]
        rows.append([network, *(NONE if value is None else four(value) for value in said), *own])
    for name, label in REFERENCES.items():
        own = [four(IN_ITS_UNITS * loss) for factor in FACTORS for loss in tested[factor].losses[name]]
        rows.append([label, NONE, NONE, *own])
    columns = ["network", "source: training>", "validation>"]
    columns += [text for factor in FACTORS for text in (f"×{factor}: training>", "validation>")]
    note = (
        "Mean squared errors of the last epoch, of values in [-1, 1] as in the source: four times those of values in "
        "[0, 1], in which the other tables are. The source's are of other images (its own, not to be had) and of "
        "a blur that it does not state. No training error where another loss is trained on."
    )
    return Table(columns, rows, note, OURS_ROWS)


def four(value: float) -> str:
    """Return a loss in the source's digits."""
    return f"{value:.4f}"


def errors_table(tested: Mapping[int, Tested]) -> Table:
    """Set errors on test images beside the input's."""
    rows = []
    for name in (*EVERY, *REFERENCES):
        row = [REFERENCES.get(name, name)]
        for factor in FACTORS:
            found = tested[factor]
            row += [
                spread_text(found.error(name), loss_text), spread_text(found.decibels(name), decibels),
                NONE if name == INPUT else f"{found.gain(name):+.2f}",
            ]  # fmt: skip
        rows.append(row)
    columns = ["network"]
    columns += [text for factor in FACTORS for text in (f"×{factor}: MSE>", "PSNR, dB>", "on bicubic>")]
    first = tested[FACTORS[0]]
    note = (
        f"{first.images} crops of {first.photographs} test images, never seen in training, with the weights of the "
        f"best epoch. {UPSCALER} enlarges the small image itself; the others are given the same small image after "
        "bicubic enlargement, so that all know the same and have the same target."
    )
    return Table(columns, rows, note, OURS_ROWS)


@cache
def network_of(name: str, scale: int = 1) -> StridedAutoencoder:
    """Build a network for colour images, untrained."""
    enlarging = name == UPSCALER
    return build(architecture_of(name, 3, scale=scale if enlarging else None))  # type: ignore[return-value]


@cache
def about(name: str, side: int = SIDE) -> Summary:
    """Return layers and numbers of a network for target images of ``side`` pixels; of one that enlarges, by 2."""
    inner = side // 2 if name == UPSCALER else side
    return summarise(network_of(name, 2), 3, (inner, inner))


def costs_table(outcome: Outcome) -> Table:
    """Show parameters, arithmetic, time and memory."""
    scale = SCALES[outcome.data]
    rows = []
    for name in EVERY:
        summary = about(name, scale.side)
        plans = [plan_name(name, factor) for factor in FACTORS]
        epochs = [record.seconds for plan in plans for run in outcome.runs[plan] for record in run.history]
        runs = sum(len(outcome.runs[plan]) for plan in plans)
        batch = OUR_BATCH if name in OUR_NETWORKS else scale.batch
        outcome.watch(f"measuring the memory of {name}", 1.0)
        taken = peak_memory(name, batch, scale.side, 2 if name == UPSCALER else 1)
        rows.append(
            [name, f"{summary.trainable:,}", f"{summary.multiply_adds / 1e9:.2f}",
             duration(sum(epochs) / len(epochs)), duration(sum(epochs) / runs), str(batch),
             NONE if taken is None else f"{taken / 2**30:.2f}"]
        )  # fmt: skip
    columns = ["network", "parameters>", "10⁹ multiply-adds>", "an epoch>", "a training>", "batch>", "memory, GiB>"]
    note = (
        f"Multiply-adds: of one crop ({UPSCALER}: ×2). Times: means over both degrees of blur. Memory: what a training "
        "step takes at its peak in a fresh process, above what the process had with its libraries loaded; measured on "
        f"the processor, so no GPU's. {COSTS}"
    )
    return Table(columns, rows, note, OURS_ROWS)


def gates_table(tested: Tested) -> Table:
    """Show what the last activation allows and lets through."""
    rows = []
    for row in SOURCE_ROWS:
        gate = tested.gates[row.network]
        low, high = reachable(row.activation)
        is_relu = row.activation == "relu"
        rows.append(
            [row.network, f"{low:.2f} to {high:.2f}", loss_text(tested.floors[row.activation]),
             loss_text(tested.error(row.network).mean), share(gate.closed) if is_relu else NONE,
             share(gate.dead) if is_relu else NONE, share(gate.gradient), share(gate.code_still),
             f"{gate.between:.3f}"]
        )  # fmt: skip
    columns = ["network", "reachable>", "least MSE>", "MSE>", "closed>", "dead>", "gradient>", "still code>",
               "varies by>"]  # fmt: skip
    note = (
        "Reachable: values, out of 1, that tanh after the activation can give. Least MSE: what is left if every value "
        "is as near to its target as that allows. Closed: share of the values to which the last ReLU gives 0, and no "
        "gradient. Dead: share of the outputs for which it does so in every test image. Gradient: mean slope of "
        "activation and tanh; 100% lets all through. Still code: share of the code's numbers that are the same for "
        "every test image. Varies by: standard deviation from image to image; the targets' is "
        f"{next(iter(tested.gates.values())).between_targets:.3f}. First seed, test images."
    )
    return Table(columns, rows, note)


def share(value: float) -> str:
    """Return a share in percent."""
    return f"{value:.1%}" if 0 < value < 0.9995 else f"{value:.0%}"


def kernels_table() -> Table:
    """Show where the 32×32 kernels look, in images of the source's size."""
    rows = []
    for row in SOURCE_ROWS:
        network = network_of(row.network)
        if network.config.bottom is None or row.network not in ("strided-3", "strided-4"):
            continue
        kernel, inner = network.config.bottom, SIDE // network.stride
        outer = inner - kernel + 1
        layers = [layer for layer in about(row.network).layers if layer.path.startswith(kernel_layers(network))]
        weights = sum(layer.trainable for layer in layers) / about(row.network).trainable
        rows.append(
            [row.network, f"{inner}×{inner}", f"{outer}×{outer}", f"{outer**2 * network.config.filters[-1]:,}",
             f"{outer**2:,}", share(taps_on_padding(outer, kernel, 2 * (kernel - 1))),
             share(taps_on_padding(inner, kernel, kernel - 1)), share(weights)]
        )  # fmt: skip
    columns = ["network", "map>", "after the kernel>", "code>", "places>", "off the map: mirror>", "if padded>",
               "of the weights>"]  # fmt: skip
    note = (
        f"The map that the {KERNEL}×{KERNEL} kernel meets, and what it leaves. Code: its numbers, for an image of "
        f"{3 * SIDE * SIDE:,}. Places: how often an image uses each weight. Off the map: share of the taps of the "
        "mirrored kernel (transposed convolution) that fall beside the map and multiply nothing; and of the kernel's "
        "own, had it been padded to keep the size. Of the weights: share of both kernels in all parameters."
    )
    return Table(columns, rows, note)


def kernel_layers(network: StridedAutoencoder) -> tuple[str, str]:
    """Return the paths of the convolution with the large kernel and of its mirror."""
    return f"encoder.{len(network.encoder) - 1}.0", "decoder.0.0"
