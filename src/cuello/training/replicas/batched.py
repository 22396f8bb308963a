"""Many replicas of one dense autoencoder in one pass, forward and back: matrices become stacks of matrices.

R replicas, N images, P numbers an image. Images are ``(R, N, C, H, W)``, or ``(1, N, C, H, W)`` where all replicas see
the same. Inside, features lie along rows, ``(R, F, N)``: narrow layers then still fill the processor's registers. The
gradient of dense layers is written out, which for matrices of this size takes half the time of automatic
differentiation; bottleneck and loss are left to that.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap
from torch.nn import functional

from cuello.models.autoencoder.base import Bottleneck
from cuello.models.autoencoder.deterministic import Plain, PlainConfig
from cuello.models.autoencoder.network import Autoencoder
from cuello.models.blocks import BitDropout

aten = torch.ops.aten
Parameters = Mapping[str, Tensor]
"""By name, with the replicas in front: ``(R, …)``."""
Layers = Sequence[tuple[Tensor, Tensor]]
"""Weights ``(R, G, F)`` and biases ``(R, G)``, or their gradients, of dense layers in order."""
Loss = Callable[[Tensor, Tensor], Tensor]
OfOne = Callable[..., tuple[Tensor, Parameters]]
"""A function of the parameters of one replica, its input and its noise."""


class Rule(NamedTuple):
    """How an activation is applied, maybe in place; and its gradient, from that of its output and what was kept.

    keeps: what that is, the activation's "output" or its "input". scale: what ``apply`` wants its input times.
    """

    apply: Callable[[Tensor], Tensor]
    gradient: Callable[[Tensor, Tensor], Tensor]
    keeps: str = "output"
    scale: float = 1.0


MINUS_ONE = torch.tensor(-1.0)


def tanh_of_half_(x: Tensor) -> Tensor:
    """Return tanh(x / 2) = 2 / (1 + exp(-x)) - 1, in place: a third of the time of torch's tanh, right to 1e-7."""
    return torch.add(MINUS_ONE, x.sigmoid_(), alpha=2, out=x)


RULES = {
    "tanh": Rule(tanh_of_half_, lambda g, y: aten.tanh_backward.grad_input(g, y, grad_input=g), scale=2.0),
    "relu": Rule(torch.relu_, lambda g, y: aten.threshold_backward.grad_input(g, y, 0, grad_input=g)),
    "sigmoid": Rule(torch.sigmoid_, lambda g, y: aten.sigmoid_backward.grad_input(g, y, grad_input=g)),
    "elu": Rule(functional.elu_, lambda g, y: aten.elu_backward.grad_input(g, 1, 1, 1, True, y, grad_input=g)),
    "gelu": Rule(functional.gelu, aten.gelu_backward, "input"),
    "softplus": Rule(functional.softplus, lambda g, x: aten.softplus_backward(g, x, 1, 20), "input"),
    "linear": Rule(lambda x: x, lambda g, y: g),
}
"""By the names of ``cuello.models.autoencoder.layers.ACTIVATIONS``."""


class Taped(NamedTuple):
    """What the gradient of a layer needs: its input, and what was kept of its activation."""

    x: Tensor
    kept: Tensor


def reason_unbatched(network: nn.Module) -> str | None:
    """Return why replicas of an autoencoder of dense layers cannot be batched, or None if they can."""
    if not all(parameter.requires_grad and parameter.dtype == torch.float32 for parameter in network.parameters()):
        return "some parameters are fixed, or not in float32"
    if len(network.state_dict()) != len(list(network.parameters())):
        return "the network keeps more than parameters"
    if any(module.p for module in network.modules() if isinstance(module, BitDropout)):
        return "their network has dropout"
    return None


class Batched:
    """Replicas of a network with these parameters; their gradients are written into ``gradients``.

    Each row is what ``network(x, noise=noise)`` would give with the parameters of one replica; the network's own are
    not used. Whether it is in training, and how many epochs have passed, is as it says itself.
    """

    def __init__(self, network: Autoencoder, parameters: Parameters, gradients: Parameters):
        self.network, self.parameters, self.gradients = network, parameters, gradients
        self.count = len(next(iter(parameters.values())))
        self.plain = type(network.bottleneck) is Plain
        self.mapped = type(network.bottleneck).penalty is not Bottleneck.penalty  # it needs the encoder itself
        code = cast("PlainConfig", network.config.bottleneck).activation if self.plain else "linear"
        hidden = [network.config.layers.activation] * len(network.config.layers.hidden)
        self.encoder = Chain(parameters, gradients, part="encoder", activations=[*hidden, code])
        self.decoder = Chain(parameters, gradients, part="decoder", activations=[*hidden, "linear"])
        self.own = {name: value for name, value in parameters.items() if name.startswith("bottleneck.")}

    @torch.no_grad()
    def evaluate(self, x: Tensor, target: Tensor, loss: Loss) -> tuple[Tensor, Tensor]:
        """Return images ``(R, N, C, H, W)`` and the loss of each ``(R, N)``; x, target: ``(R or 1, N, C, H, W)``."""
        if self.mapped:
            image, terms = self._run(self.parameters, x, None)
        else:
            latent, terms = self.encoder.forward(self._seen(x)), {}
            if not self.plain:
                latent, terms = self._squeeze(self.own, latent, None)
            image = self._shown(self.decoder.forward(latent).mT.contiguous())
        return image, joined(by_image(image, target, loss), terms)

    def descend(self, x: Tensor, target: Tensor, noise: Tensor | None, loss: Loss) -> Tensor:
        """Write the gradients of each replica's mean loss, and return the loss of each image, ``(R, N)``.

        x, target: ``(R or 1, N, C, H, W)``. noise: what each replica's bottleneck drew, ``(R or 1, …)``, or None.
        """
        if self.mapped:
            leaves = {name: value.detach().requires_grad_() for name, value in self.parameters.items()}
            image, terms = self._run(leaves, x, noise)
            found = joined(by_image(image, target, loss), terms)
            self._write(leaves, torch.autograd.grad(found.mean(1).sum(), list(leaves.values())))
            return found.detach()
        features, terms = self.encoder.forward(self._seen(x)), {}
        latent, leaves = features, {}
        if not self.plain:
            features = features.requires_grad_()
            leaves = {name: value.detach().requires_grad_() for name, value in self.own.items()}
            latent, terms = self._squeeze(leaves, features, noise)
        pixels = self.decoder.forward(latent.detach()).mT.contiguous().requires_grad_()
        found = by_image(self._shown(pixels), target, loss)
        (g,) = torch.autograd.grad(found.mean(1).sum(), pixels)
        g = self.decoder.back(g.mT)
        if not self.plain:
            pull = sum(term.flatten(1).mean(1).sum() if term.ndim > 1 else term.sum() for term in terms.values())
            g, *parts = torch.autograd.grad((latent * g).sum() + pull, [features, *leaves.values()])
            self._write(leaves, parts)
        self.encoder.back(g, whole=False)
        return joined(found, terms).detach()

    def _seen(self, x: Tensor) -> Tensor:
        """Return images as the first layer takes them: ``(R or 1, N, C, H, W)`` to ``(R, P, N)``."""
        x = x * 2 - 1 if self.network.config.centred else x
        return x.flatten(2).mT.expand(self.count, -1, -1)

    def _shown(self, pixels: Tensor) -> Tensor:
        """Return the images that the last layer's numbers stand for: ``(R, N, P)`` to ``(R, N, C, H, W)`` in [0, 1]."""
        output = self.network.config.output
        if output != "linear":  # (tanh x + 1) / 2 is the sigmoid of 2 x
            pixels = torch.sigmoid(pixels * 2 if output == "tanh" else pixels)
        return pixels.unflatten(2, self.network.config.shape)

    def _squeeze(self, own: Parameters, features: Tensor, noise: Tensor | None) -> tuple[Tensor, Parameters]:
        """Return codes ``(R, d, N)`` of features ``(R, F, N)``, and loss terms, ``(R,)`` or ``(R, N)``."""
        bottleneck = self.network.bottleneck
        epochs = self.network.epochs_passed if self.network.training else None
        parameters = {name.removeprefix("bottleneck."): value for name, value in own.items()}

        def one(parameters: Parameters, features: Tensor, noise: Tensor | None) -> tuple[Tensor, Parameters]:
            code = functional_call(bottleneck, dict(parameters), (features, noise, epochs))
            return code.latent, dict(code.terms)

        latent, terms = self._map(one, parameters, features.mT, noise=noise)
        return latent.mT, terms

    def _run(self, parameters: Parameters, x: Tensor, noise: Tensor | None) -> tuple[Tensor, Parameters]:
        """Return images ``(R, N, C, H, W)`` and loss terms by mapping the network itself over the replicas."""

        def one(parameters: Parameters, x: Tensor, noise: Tensor | None) -> tuple[Tensor, Parameters]:
            output = functional_call(self.network, dict(parameters), (x, None, noise))
            return output.image, dict(output.terms)

        return self._map(one, parameters, x, noise=noise)

    def _map(self, one: OfOne, parameters: Parameters, x: Tensor, noise: Tensor | None) -> tuple[Tensor, Parameters]:
        """Map a function over the replicas; what they share is worked out for each, or it would round otherwise."""
        x = x.expand(self.count, *x.shape[1:])
        if noise is None:
            return vmap(partial(one, noise=None))(dict(parameters), x)
        return vmap(one)(dict(parameters), x, noise.expand(self.count, *noise.shape[1:]))

    def _write(self, leaves: Parameters, gradients: Sequence[Tensor]) -> None:
        for name, value in zip(leaves, gradients, strict=True):
            self.gradients[name].copy_(value)


class Chain:
    """Dense layers, each with an activation: ``y = a(W x + b)``, ``(R, F, N)`` to ``(R, G, N)``; and their gradient.

    part: "encoder" or "decoder", whose layers they are. activations: by name, one a layer.
    """

    def __init__(self, parameters: Parameters, gradients: Parameters, part: str, activations: Sequence[str]):
        self.layers, self.gradients = (
            [tuple(named[f"{part}.layers.{place}.{kind}"] for kind in ("weight", "bias"))
             for place in range(len(activations))]
            for named in (parameters, gradients)
        )  # fmt: skip
        self.rules = [RULES[name] for name in activations]
        self.tape: list[Taped] = []

    @torch.no_grad()
    def forward(self, x: Tensor) -> Tensor:
        """Return what the layers make of x."""
        self.tape = []
        for (weight, bias), rule in zip(self.layers, self.rules, strict=True):
            before = torch.baddbmm(bias[:, :, None], weight, x, beta=rule.scale, alpha=rule.scale)
            y = rule.apply(before)
            self.tape.append(Taped(x, before if rule.keeps == "input" else y))
            x = y
        return x

    @torch.no_grad()
    def back(self, g: Tensor, whole: bool = True) -> Tensor:
        """Write the gradients of weights and biases, from that of what ``forward`` gave last.

        Returns the gradient of its input if ``whole``. g: may be written to.
        """
        for place in reversed(range(len(self.layers))):
            g = self.rules[place].gradient(g, self.tape[place].kept)
            torch.bmm(g, self.tape[place].x.mT, out=self.gradients[place][0])
            torch.sum(g, 2, out=self.gradients[place][1])
            if place or whole:
                g = torch.bmm(self.layers[place][0].mT, g)
        return g


def joined(losses: Tensor, terms: Parameters) -> Tensor:
    """Return losses ``(R, N)`` plus the network's own terms, ``(R,)`` or ``(R, N)``."""
    for term in terms.values():
        losses = losses + (term if term.ndim > 1 else term[:, None])
    return losses


def by_image(image: Tensor, target: Tensor, function: Loss) -> Tensor:
    """Apply a function of ``(N, C, H, W)`` and target, one value per image, to all replicas at once: to ``(R, N)``."""
    target = target.expand(image.shape)
    return function(image.flatten(0, 1), target.flatten(0, 1)).unflatten(0, image.shape[:2])
