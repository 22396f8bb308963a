"""The source's autoencoders against the same layers written plainly."""

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor, nn

from cuello.core.errors import CuelloError
from cuello.models.convolutional import ConvolutionalAutoencoder, ConvolutionalConfig

SIBLINGS = {
    (32, 64, 128, 64, 32): 186_441,
    (32, 64, 32): 38_793,
    (16, 32, 16): 10_185,
    (8, 16, 8): 2_793,
    (16,): 921,
    (): 96,
}


def plain(network: ConvolutionalAutoencoder) -> nn.Sequential:
    """The plain layers, in order, with copies of the network's tensors; there is no dropout."""
    config = network.config
    middle = len(config.filters) // 2
    sizes = [config.channels, *config.filters, config.channels]
    layers: list[nn.Module] = [nn.BatchNorm2d(config.channels, eps=1e-3)]
    for index in range(len(config.filters)):
        if index > middle:
            layers.append(nn.Upsample(scale_factor=2))
        layers += [nn.Conv2d(sizes[index], sizes[index + 1], 3, padding=1), nn.ELU()]
        if index < middle:
            layers.append(nn.MaxPool2d(2))
    layers += [
        nn.BatchNorm2d(sizes[-2], eps=1e-3),
        nn.Conv2d(sizes[-2], sizes[-1], 3, padding=1),
        nn.Sigmoid(),
    ]
    reference = nn.Sequential(*layers).to(next(network.parameters()).dtype).train(network.training)
    own = network.state_dict()
    for ours, theirs in zip(in_order(network), parametric(reference), strict=True):
        theirs.load_state_dict({k: own[f"{ours}{k}"].clone() for k in own_names(theirs)}, strict=False)
    return reference


def own_names(layer: nn.Module) -> list[str]:
    return [name for name in layer.state_dict() if name != "num_batches_tracked"]


def parametric(reference: nn.Sequential) -> list[nn.Module]:
    return [layer for layer in reference if isinstance(layer, nn.BatchNorm2d | nn.Conv2d)]


def in_order(network: ConvolutionalAutoencoder) -> list[str]:
    """Prefixes of the state dictionary in the order of the plain layers."""
    middle = len(network.config.filters) // 2
    first = ["encoder.first.norm.", "encoder.first."] if network.config.filters else ["encoder."]
    others = [f"encoder.others.{i}." for i in range(middle)] + [f"decoder.enlarging.{i}." for i in range(middle)]
    return [*first, *others, "decoder.last.norm.", "decoder.last."]


def without_dropout(filters: tuple[int, ...], channels: int = 3) -> ConvolutionalAutoencoder:
    torch.manual_seed(3)
    config = ConvolutionalConfig(filters=filters, channels=channels, dropout=0)
    network = ConvolutionalAutoencoder(config).double()
    with torch.no_grad():
        for tensor in network.state_dict().values():
            if tensor.dim() == 1:  # biases and norms away from 0 and 1; kernels are random already
                tensor.add_(torch.rand_like(tensor) * 0.2)
    return network


@pytest.mark.parametrize("filters", SIBLINGS)
def test_parameter_counts_are_the_sources(filters: tuple[int, ...]) -> None:
    network = ConvolutionalAutoencoder(ConvolutionalConfig(filters=filters))
    assert sum(parameter.numel() for parameter in network.parameters()) == SIBLINGS[filters]


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(("filters", "channels"), [*((f, 3) for f in SIBLINGS), ((2, 3, 4, 3, 5), 1)])
def test_equals_the_plain_layers(filters: tuple[int, ...], channels: int, training: bool) -> None:
    network = without_dropout(filters, channels).train(training)
    reference = plain(network)
    side = 2 * network.stride
    x = torch.rand(3, channels, side, side + network.stride, dtype=torch.float64, requires_grad=True)
    target = torch.rand_like(x)
    found, expected = network(x).image, reference(x)
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-10)

    gradients = []
    for image, model in ((found, network), (expected, reference)):
        model.zero_grad()
        (gradient,) = torch.autograd.grad((image - target).square().sum(), x, retain_graph=True)
        (image - target).square().sum().backward(inputs=list(model.parameters()))
        gradients.append(gradient)
    torch.testing.assert_close(*gradients, rtol=1e-8, atol=1e-10)
    ours = dict(network.named_parameters()) | dict(network.named_buffers())
    for prefix, layer in zip(in_order(network), parametric(reference), strict=True):
        for name, parameter in layer.named_parameters():
            torch.testing.assert_close(ours[prefix + name].grad, parameter.grad, rtol=1e-8, atol=1e-10)
        for name, buffer in layer.named_buffers():
            if name != "num_batches_tracked":
                torch.testing.assert_close(ours[prefix + name], buffer)


def test_float32_gradients_are_right_to_rounding() -> None:
    network = without_dropout((8, 16, 8)).float()
    reference = plain(network).double()
    x = torch.rand(4, 3, 16, 16)
    (network(x).image - x).square().mean().backward()
    (reference(x.double()) - x.double()).square().mean().backward()
    ours = dict(network.named_parameters())
    for prefix, layer in zip(in_order(network), parametric(reference), strict=True):
        for name, parameter in layer.named_parameters():
            assert parameter.grad is not None
            gradient = ours[prefix + name].grad
            assert gradient is not None
            torch.testing.assert_close(gradient.double(), parameter.grad, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("filters", SIBLINGS)
def test_receptive_field_bounds_what_a_pixel_sees(filters: tuple[int, ...]) -> None:
    network = without_dropout(filters).eval()
    reach, stride = network.receptive_field // 2, network.stride
    side = -(-(2 * reach + 2 * stride) // stride) * stride
    x = torch.rand(1, 3, side, side, dtype=torch.float64)
    seen = 0
    middle = side // 2 // stride * stride
    for row in range(middle, middle + stride):
        for column in range(middle, middle + stride):
            x = x.detach().requires_grad_()
            (gradient,) = torch.autograd.grad(network(x).image[0, :, row, column].sum(), x)
            rows, columns = gradient[0].abs().sum(0).nonzero(as_tuple=True)
            seen = max(seen, int((rows - row).abs().max()), int((columns - column).abs().max()))
    # A max-pooling hands the gradient to one of its pixels, so the gradients may see less than the bound.
    assert seen <= reach
    far = x.detach().clone()
    far[..., : middle - reach] += 1
    torch.testing.assert_close(network(far).image[..., middle:], network(x).image[..., middle:])


@pytest.mark.parametrize(("filters", "expected"), [((), 3), ((16,), 5), ((8, 16, 8), 13)])
def test_receptive_field_by_hand(filters: tuple[int, ...], expected: int) -> None:
    assert ConvolutionalAutoencoder(ConvolutionalConfig(filters=filters)).receptive_field == expected


def test_receptive_field_is_reached() -> None:
    """Some pixel at the very edge of the square matters for some position: the bound is not loose."""
    network = without_dropout((8, 16, 8)).eval()
    x = torch.rand(1, 3, 32, 32, dtype=torch.float64)
    before, reached = network(x).image, 0
    for column in range(32):
        changed = x.clone()
        changed[..., column] = 5  # large: it wins its max-pooling
        difference = (network(changed).image - before).abs().amax((0, 1, 2)) > 0
        reached = max(reached, *((difference.nonzero() - column).abs().flatten().tolist() or [0]))
    assert reached == network.receptive_field // 2


def test_same_seed_same_bits() -> None:
    def train() -> list[Tensor]:
        torch.manual_seed(11)
        network = ConvolutionalAutoencoder()
        optimiser = torch.optim.Adam(network.parameters(), fused=True)
        x = torch.rand(8, 3, 32, 32)
        for _ in range(3):
            optimiser.zero_grad()
            (network(x).image - x).square().mean().backward()
            optimiser.step()
        return [tensor.clone() for tensor in network.state_dict().values()]

    assert all(a.equal(b) for a, b in zip(train(), train(), strict=True))


def test_latent_is_before_dropout_and_decodes_to_the_image() -> None:
    network = ConvolutionalAutoencoder(ConvolutionalConfig(dropout=0.5))
    x = torch.rand(2, 3, 8, 8)
    latent = network(x).latent
    assert latent is not None
    assert latent.shape == (2, 16, 4, 4)
    torch.testing.assert_close(network.encode(x), latent)  # no dropout in it, or the two would differ
    network.eval()
    torch.testing.assert_close(network.decode(network.encode(x)), network(x).image)


@pytest.mark.parametrize("batch", [1, 5])
def test_bf16_autocast_stays_close(batch: int) -> None:
    network, x = without_dropout((8, 16, 8)).float(), torch.rand(batch, 3, 16, 16)
    with torch.autocast("cpu", torch.bfloat16):
        image = network(x).image
    torch.testing.assert_close(image.float(), network(x).image, rtol=0, atol=0.05)
    image.float().sum().backward()
    assert all(parameter.grad is not None and parameter.grad.isfinite().all() for parameter in network.parameters())


def test_the_input_is_left_alone() -> None:
    x = torch.rand(2, 3, 8, 8).contiguous(memory_format=torch.channels_last)
    before = x.clone()
    for filters in SIBLINGS:
        ConvolutionalAutoencoder(ConvolutionalConfig(filters=filters))(x).image.sum().backward()
    assert x.equal(before)


def test_state_is_ordinary_tensors() -> None:
    names = ConvolutionalAutoencoder().state_dict()
    assert {name.rsplit(".", 1)[-1] for name in names} == {"weight", "bias", "running_mean", "running_var"}


def test_a_size_off_the_stride_is_refused_with_the_remedy() -> None:
    with pytest.raises(CuelloError, match=r"width of 7 pixels.*multiple of 2.*Pad or crop to 8"):
        ConvolutionalAutoencoder()(torch.rand(1, 3, 8, 7))


@pytest.mark.parametrize("settings", [{"filters": (8, 8)}, {"filters": (0,)}, {"dropout": 1.0}, {"kernels": 3}])
def test_bad_settings_are_refused(settings: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        ConvolutionalConfig.model_validate(settings)
