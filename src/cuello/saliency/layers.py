"""A network read as a list of layers: which of them look at a small window only, and what comes after those."""

import operator
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, fx, nn
from torch.fx.node import map_arg
from torch.nn import functional

from cuello.core.errors import first_line

Operation = Callable[[Tensor], Tensor]


class Axis(NamedTuple):
    """How a layer walks along one side: windows of ``kernel`` pixels ``dilation`` apart, ``stride`` between them.

    before: pixels of padding in front of the image.
    """

    kernel: int
    stride: int
    before: int
    dilation: int

    @property
    def extent(self) -> int:
        """Pixels from a window's first to its last."""
        return self.dilation * (self.kernel - 1) + 1


@dataclass(frozen=True)
class Layer:
    """A layer that looks at windows, and the elementwise ones after it.

    outside: what padding holds. local: the layer on windows that are already padded. whole: on the whole image.
    work: multiply-adds an output pixel. channels: of its output. then: elementwise layers after it. spread: of a linear
    layer with a stride of 1, its output without bias for a piece ``(N, C, h, w)`` of an input that is 0 elsewhere, as
    far as the piece reaches.
    """

    name: str
    rows: Axis
    columns: Axis
    outside: float
    local: Operation
    whole: Operation
    work: float
    channels: int
    then: tuple[Operation, ...] = ()
    spread: Operation | None = None


@dataclass(frozen=True)
class LayerChain:
    """A network as elementwise ``first`` layers, then ``layers``, then ``tail``: the rest, which wants whole images.

    sizes: (H, W) before each layer and after the last.
    """

    first: tuple[Operation, ...]
    layers: tuple[Layer, ...]
    tail: Operation
    sizes: tuple[tuple[int, int], ...]


class Unreadable(Exception):
    """Why a network cannot be read as a chain of layers."""


ELEMENTWISE = {
    nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.ELU, nn.SELU, nn.CELU, nn.GELU, nn.SiLU, nn.Mish, nn.Sigmoid, nn.Tanh,
    nn.Hardtanh, nn.Hardswish, nn.Hardsigmoid, nn.Softplus, nn.Softsign, nn.Softshrink, nn.Hardshrink, nn.Tanhshrink,
    nn.LogSigmoid, nn.Threshold, nn.Identity, nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.AlphaDropout, nn.PReLU,
}  # fmt: skip

FUNCTIONS = {
    functional.relu, functional.relu6, functional.leaky_relu, functional.elu, functional.selu, functional.gelu,
    functional.silu, functional.mish, functional.hardtanh, functional.hardswish, functional.hardsigmoid,
    functional.softplus, functional.softsign, functional.logsigmoid, functional.dropout, functional.sigmoid,
    functional.tanh, torch.relu, torch.sigmoid, torch.tanh, torch.abs, torch.square, torch.sqrt, torch.exp,
}  # fmt: skip

UNCHANGING = (nn.Identity, nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.AlphaDropout)
"""Elementwise layers that do nothing, not training."""

METHODS = {"relu", "relu_", "sigmoid", "tanh", "abs", "square", "sqrt", "exp", "clamp", "contiguous"}

ARITHMETIC = {operator.add, operator.sub, operator.mul, operator.truediv, torch.add, torch.sub, torch.mul, torch.div}


def both(value: Any) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else (value[0], value[-1])


def convolution(
    x: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Any = 1, padding: Any = 0, dilation: Any = 1,
    groups: int = 1,
) -> Layer:  # fmt: skip
    """Read a convolution with zero padding; padding may be "same" (the extra pixel last) or "valid"."""
    stride, dilation, kernel = both(stride), both(dilation), (weight.shape[2], weight.shape[3])
    if padding == "same":
        before = tuple(d * (k - 1) // 2 for d, k in zip(dilation, kernel, strict=True))
    else:
        before = (0, 0) if padding == "valid" else both(padding)
    rows, columns = (Axis(*axis) for axis in zip(kernel, stride, before, dilation, strict=True))
    settings = {"stride": stride, "dilation": dilation, "groups": groups}
    last = weight.detach().contiguous(memory_format=torch.channels_last)
    local = partial(functional.conv2d, weight=last, bias=bias, padding=0, **settings)
    full = {"padding": (rows.extent - 1, columns.extent - 1), "dilation": dilation, "groups": groups}
    spread = partial(functional.conv2d, weight=last, **full) if stride == (1, 1) else None
    after = [axis.extent - 1 - axis.before for axis in (rows, columns)]
    around = [columns.before, after[1], rows.before, after[0]]
    whole: Operation = (
        (lambda y: local(functional.pad(y, around)))
        if padding == "same"
        else partial(functional.conv2d, weight=last, bias=bias, padding=before, **settings)
    )
    return Layer(
        name="conv2d", rows=rows, columns=columns, outside=0.0, local=local, whole=whole, work=float(weight.numel()),
        channels=len(weight), spread=spread,
    )  # fmt: skip


def pooling(
    x: Tensor, pool: Any, *, kernel: Any, stride: Any, padding: Any, outside: float, dilation: Any = 1, **whole: Any
) -> Layer:
    kernel, padding, dilation = both(kernel), both(padding), both(dilation)
    stride = both(stride) if stride is not None and stride != [] else kernel
    rows, columns = (Axis(*axis) for axis in zip(kernel, stride, padding, dilation, strict=True))
    spread = {"dilation": dilation} if dilation != (1, 1) else {}
    local = partial(pool, kernel_size=kernel, stride=stride, **spread)
    full = partial(pool, kernel_size=kernel, stride=stride, padding=padding, **spread, **whole)
    return Layer(
        name=pool.__name__, rows=rows, columns=columns, outside=outside, local=local, whole=full,
        work=4.0 * kernel[0] * kernel[1] * x.shape[1], channels=x.shape[1],
    )  # fmt: skip


def max_pooling(
    x: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1, ceil_mode: bool = False,
    return_indices: bool = False,
) -> Layer | None:  # fmt: skip
    """Read max pooling, whose padding is minus infinity; None where it gives indices too."""
    if return_indices:
        return None
    return pooling(
        x, functional.max_pool2d, kernel=kernel_size, stride=stride, padding=padding, dilation=dilation,
        outside=-torch.inf, ceil_mode=ceil_mode,
    )  # fmt: skip


def average_pooling(
    x: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, ceil_mode: bool = False,
    count_include_pad: bool = True, divisor_override: int | None = None,
) -> Layer | None:  # fmt: skip
    """Read average pooling; None where the divisor depends on the place."""
    if ceil_mode or divisor_override is not None or (both(padding) != (0, 0) and not count_include_pad):
        return None
    return pooling(x, functional.avg_pool2d, kernel=kernel_size, stride=stride, padding=padding, outside=0.0)


def adaptive_pooling(x: Tensor, output_size: Any, average: bool) -> Layer | None:
    """Read adaptive pooling where its windows are all equal: where the size divides the image's."""
    sides = (output_size, output_size) if isinstance(output_size, int) or output_size is None else output_size
    wanted = [side or given for side, given in zip(sides, x.shape[2:], strict=True)]
    if any(given % side for side, given in zip(wanted, x.shape[2:], strict=True)):
        return None
    kernel = tuple(given // side for side, given in zip(wanted, x.shape[2:], strict=True))
    return average_pooling(x, kernel) if average else max_pooling(x, kernel)


def windowed(module: nn.Module, x: Tensor) -> Layer | None:
    """Read a module that looks at windows of images like x, or None."""
    if type(module) is nn.Conv2d and module.padding_mode == "zeros":
        names = ("weight", "bias", "stride", "padding", "dilation", "groups")
        return convolution(x, **{name: getattr(module, name) for name in names})
    if type(module) is nn.MaxPool2d:
        names = ("kernel_size", "stride", "padding", "dilation", "ceil_mode", "return_indices")
        return max_pooling(x, **{name: getattr(module, name) for name in names})
    if type(module) is nn.AvgPool2d:
        names = ("kernel_size", "stride", "padding", "ceil_mode", "count_include_pad", "divisor_override")
        return average_pooling(x, **{name: getattr(module, name) for name in names})
    if type(module) is nn.AdaptiveAvgPool2d:
        return adaptive_pooling(x, module.output_size, True)
    if type(module) is nn.AdaptiveMaxPool2d and not module.return_indices:
        return adaptive_pooling(x, module.output_size, False)
    return None


def is_elementwise(module: nn.Module) -> bool:
    """Tell whether a module, not training, changes every number by itself, perhaps by channel."""
    if type(module) in (nn.BatchNorm2d, nn.SyncBatchNorm):
        return module.running_mean is not None
    return type(module) in ELEMENTWISE


def known(module: nn.Module, x: Tensor) -> Layer | Operation | None:
    """Read a module as a layer on images like x, or as an elementwise operation, or None where it is neither."""
    if type(module) is nn.ReLU:
        return torch.relu_  # on what a layer just gave
    return windowed(module, x) or (module if is_elementwise(module) else None)


def value_of(graph: fx.GraphModule, node: fx.Node) -> Any:
    return operator.attrgetter(str(node.target))(graph)


def recognised(graph: fx.GraphModule, node: fx.Node, before: fx.Node, x: Tensor) -> Layer | Operation | None:
    """Read a node as a layer, or as an elementwise operation on ``before``, or None where it is neither."""
    if node.op == "call_module":
        module = graph.get_submodule(str(node.target))
        if len(node.args) != 1 or node.kwargs:
            return None
        return known(module, x)
    inputs = [other for other in node.all_input_nodes if other is not before]
    if any(other.op != "get_attr" for other in inputs) or not node.args or node.args[0] is not before:
        return None
    arguments: Any = map_arg(node.args[1:], lambda other: value_of(graph, other))
    options: Any = map_arg(node.kwargs, lambda other: value_of(graph, other))
    if node.op == "call_method":
        if node.target not in METHODS or inputs:
            return None
        return lambda y: getattr(y, str(node.target))(*arguments, **options)
    if node.op != "call_function":
        return None
    if node.target in (functional.conv2d, torch.conv2d):
        return convolution(x, *arguments, **options)
    if node.target in (functional.max_pool2d, torch.max_pool2d):
        return max_pooling(x, *arguments, **options)
    if node.target is functional.avg_pool2d:
        return average_pooling(x, *arguments, **options)
    if node.target is functional.adaptive_avg_pool2d:
        return adaptive_pooling(x, *arguments, **options, average=True)
    numbers = all(isinstance(one, int | float) for one in arguments)
    if node.target in FUNCTIONS or (node.target in ARITHMETIC and numbers and not inputs):
        function = cast("Callable[..., Tensor]", node.target)
        return lambda y: function(y, *arguments, **options)
    return None


def rest_of(graph: fx.GraphModule, cut: fx.Node, done: set[fx.Node]) -> fx.GraphModule:
    """Make everything after ``cut`` a module of its own; ``done``: the nodes up to and with it."""
    rest = fx.Graph()
    copies = {cut: rest.placeholder("x")}
    for node in graph.graph.nodes:
        if node not in done:
            copies[node] = rest.node_copy(node, lambda other: copies[other])
    return fx.GraphModule(graph, rest)


@dataclass
class Reading:
    """How far a network has been read. x: what its layers so far give for the image."""

    x: Tensor
    first: list[Operation] = field(default_factory=list)
    layers: list[Layer] = field(default_factory=list)
    sizes: list[tuple[int, int]] = field(default_factory=list)

    def add(self, name: str, found: Layer | Operation) -> None:
        """Take in the next layer or elementwise operation."""
        if isinstance(found, Layer):
            self.layers.append(replace(found, name=name))
            self.sizes.append((self.x.shape[2], self.x.shape[3]))
            self.x = found.whole(self.x)
        elif not isinstance(found, UNCHANGING):
            self.x = found(self.x.clone())
            if self.layers:
                self.layers[-1] = replace(self.layers[-1], then=(*self.layers[-1].then, found))
            else:
                self.first.append(found)

    def chain(self, tail: Operation, stopped: str) -> LayerChain:
        """Return what was read; Unreadable where it is no layer at all. stopped: what could not be read."""
        if not self.layers:
            raise Unreadable(
                f"its beginning ({stopped}) is neither a convolution nor a pooling of a plain chain of layers"
            )
        sizes = (*self.sizes, (self.x.shape[2], self.x.shape[3]))
        return LayerChain(tuple(self.first), tuple(self.layers), tail, sizes=sizes)


def read(network: nn.Module, image: Tensor) -> LayerChain:
    """Return a network, not training, as a chain of layers for images like ``image``, ``(1, C, H, W)``.

    The chain ends where the network forks, or at the first layer that is not known: from there on everything is the
    tail. Raises Unreadable, with the reason, where no layer at all can be had.
    """
    for name, module in network.named_modules():
        if module._forward_hooks or module._forward_pre_hooks:
            raise Unreadable(f"{name or 'the network'} has hooks")
    plain = type(network) is nn.Sequential and all(is_torchs(module) for module in network.modules())
    return read_in_order(cast("nn.Sequential", network), image) if plain else read_traced(network, image)


def is_torchs(module: nn.Module) -> bool:
    return type(module).__module__.startswith("torch.nn.modules.")


def read_in_order(network: nn.Sequential, image: Tensor) -> LayerChain:
    """``read`` modules one after the other, for which no tracing is needed."""
    parts, found = list(in_order(network)), Reading(image.clone())
    for place, (name, module) in enumerate(parts):
        layer = known(module, found.x) if found.x.ndim == 4 else None
        if layer is None:
            return found.chain(nn.Sequential(*(rest for _, rest in parts[place:])), name)
        found.add(name, layer)
    return found.chain(nn.Identity(), "its output")


def in_order(network: nn.Sequential, within: str = "") -> Iterator[tuple[str, nn.Module]]:
    for name, module in network._modules.items():  # named_children leaves out a module that stands there again
        assert module is not None  # a sequence has none
        if type(module) is nn.Sequential:
            yield from in_order(module, f"{within}{name}.")
        else:
            yield f"{within}{name}", module


def read_traced(network: nn.Module, image: Tensor) -> LayerChain:
    """``read`` any module, traced with torch.fx."""
    try:
        graph = fx.symbolic_trace(network)
    except Exception as error:  # whatever somebody's forward does with a stand-in for a tensor
        raise Unreadable(f"torch.fx cannot trace it ({first_line(error)})") from None
    here = next(node for node in graph.graph.nodes if node.op == "placeholder")
    done = {node for node in graph.graph.nodes if node.op == "placeholder"}
    found, stopped = Reading(image.clone()), "its output"
    while len(here.users) == 1 and found.x.ndim == 4:
        node = next(iter(here.users))
        layer = recognised(graph, node, here, x=found.x)
        if layer is None:
            stopped = f"{node.target}"
            break
        found.add(f"{node.target}", layer)
        done.add(node)
        here = node
    return found.chain(rest_of(graph, here, done), stopped)
