"""The autoencoder as a whole and its layers: the `mnist` source's against plain torch, shapes, sizes, replicas."""

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from torch import Tensor, nn

from cuello.core.errors import CuelloError
from cuello.models.autoencoder.encoders import ConvConfig
from cuello.models.autoencoder.network import Autoencoder, AutoencoderConfig
from cuello.models.catalog import architecture_of, build, usual_channels
from cuello.models.summary import count


def made(name: str, size: tuple[int, int] = (28, 28), channels: int = 1, seed: int = 0) -> Autoencoder:
    torch.manual_seed(seed)
    network = build(architecture_of(name, channels, size))
    assert isinstance(network, Autoencoder)
    return network


def plain_source() -> tuple[nn.Sequential, nn.Sequential]:
    """The source's encoder and decoder as plain layers, in double precision."""
    encoder = nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(16, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(8, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2, ceil_mode=True),
    )  # fmt: skip
    decoder = nn.Sequential(
        nn.Conv2d(8, 8, 3, padding=1), nn.ReLU(), nn.Upsample(scale_factor=2),
        nn.Conv2d(8, 8, 3, padding=1), nn.ReLU(), nn.Upsample(scale_factor=2),
        nn.Conv2d(8, 16, 3), nn.ReLU(), nn.Upsample(scale_factor=2),
        nn.Conv2d(16, 1, 3, padding=1), nn.Sigmoid(),
    )  # fmt: skip
    return encoder.double(), decoder.double()


def copy_weights(network: Autoencoder, encoder: nn.Sequential, decoder: nn.Sequential) -> None:
    theirs = [layer for layer in (*encoder, *decoder) if isinstance(layer, nn.Conv2d)]
    ours = [*network.encoder.convolutions, *network.decoder.convolutions]  # type: ignore[misc]
    for own, other in zip(ours, theirs, strict=True):
        with torch.no_grad():
            own.bias.uniform_(-0.1, 0.3)
        other.load_state_dict(own.state_dict())


def test_the_sources_convolutional_network_is_the_same_layer_by_layer() -> None:
    network = made("mnist-conv").double()
    encoder, decoder = plain_source()
    copy_weights(network, encoder, decoder)
    x = torch.rand(3, 1, 28, 28, dtype=torch.float64)
    code = encoder(x)
    image = decoder(code)
    output = network(x)
    assert code.shape == (3, 8, 4, 4)
    assert torch.allclose(network.encode(x), code, atol=1e-12)
    assert output.latent is not None
    assert torch.allclose(output.latent, code, atol=1e-12)
    assert torch.allclose(network.decode(code), image, atol=1e-12)
    assert torch.allclose(output.image, image, atol=1e-12)


def test_the_sources_convolutional_network_has_the_same_gradients() -> None:
    network = made("mnist-conv").double()
    encoder, decoder = plain_source()
    copy_weights(network, encoder, decoder)
    x = torch.rand(3, 1, 28, 28, dtype=torch.float64)
    (network(x).image - x).square().sum().backward()
    (decoder(encoder(x)) - x).square().sum().backward()
    theirs = [layer for layer in (*encoder, *decoder) if isinstance(layer, nn.Conv2d)]
    for own, other in zip([*network.encoder.convolutions, *network.decoder.convolutions], theirs, strict=True):  # type: ignore[misc]
        assert torch.allclose(own.weight.grad, other.weight.grad, atol=1e-10)  # type: ignore[arg-type]
        assert torch.allclose(own.bias.grad, other.bias.grad, atol=1e-10)  # type: ignore[arg-type]


def test_the_sources_shapes_and_parameters() -> None:
    network = made("mnist-conv")
    seen: list[tuple[int, ...]] = []
    for layer in [*network.encoder.convolutions, *network.decoder.convolutions]:  # type: ignore[misc]
        layer.register_forward_hook(lambda _layer, inputs, _result: seen.append(tuple(inputs[0].shape[1:])))
    assert network(torch.rand(1, 1, 28, 28)).image.shape == (1, 1, 28, 28)
    encoder = [(1, 28, 28), (16, 14, 14), (8, 7, 7)]
    decoder = [(8, 4, 4), (8, 4, 4), (8, 8, 8), (16, 14, 14)]  # each but the first is enlarged before it is convolved
    assert seen == encoder + decoder
    by_hand = (9 * 1 * 16 + 16) + (9 * 16 * 8 + 8) + (9 * 8 * 8 + 8)  # 160 + 1,160 + 584
    by_hand += 2 * (9 * 8 * 8 + 8) + (9 * 8 * 16 + 16) + (9 * 16 * 1 + 1)  # 1,168 + 1,168 + 145
    assert count(network) == (by_hand, 0) == (4385, 0)


def test_the_sources_dense_network() -> None:
    network = made("mnist-dense")
    assert count(network) == (2 * 784 * 512 + 512 + 784, 0) == (804_112, 0)
    x = torch.rand(2, 1, 28, 28)
    code = torch.relu(x.flatten(1) @ network.encoder.layers[0].weight.T)  # type: ignore[index,union-attr]
    assert torch.allclose(network.encode(x), code, atol=1e-5)
    assert (network.encode(x) >= 0).all()


def test_a_dense_network_by_hand() -> None:
    network = made("mlp:35-20-2,code=tanh", (7, 5)).double()
    x = torch.rand(3, 1, 7, 5, dtype=torch.float64)
    layers: list[Any] = [*network.encoder.layers, *network.decoder.layers]  # type: ignore[misc]
    a, b, c, d = layers
    code = torch.tanh(b(torch.tanh(a(x.flatten(1)))))
    assert torch.allclose(network.encode(x), code)
    assert torch.allclose(network(x).image, torch.sigmoid(d(torch.tanh(c(code)))).view(3, 1, 7, 5))


def test_images_may_be_centred_and_a_tanh_moved() -> None:
    plain, centred = made("mlp:35-20-2", (7, 5)), made("mlp:35-20-2,centred=yes,output=tanh", (7, 5))
    centred.load_state_dict(plain.state_dict())
    x = torch.rand(3, 1, 7, 5)
    assert torch.allclose(centred.encode(x), plain.encoder(x * 2 - 1))
    code = torch.randn(3, 2)
    assert torch.allclose(centred.decode(code), torch.sigmoid(2 * plain.decoder(code)), atol=1e-6)  # (tanh a + 1) / 2


@settings(max_examples=30, deadline=None)
@given(
    height=st.integers(1, 20),
    width=st.integers(1, 20),
    filters=st.lists(st.integers(1, 3), min_size=0, max_size=3),
    space=st.booleans(),
    halving=st.sampled_from(["pooling", "stride"]),
    kernel=st.sampled_from([1, 3, 5]),
)
def test_convolutions_fit_images_of_any_size(
    height: int, width: int, filters: list[int], space: bool, halving: str, kernel: int
) -> None:
    filters = filters if filters or space else [2]
    layers = {"kind": "conv", "filters": filters, "space": space, "halving": halving, "kernel": kernel}
    settings = {"channels": 2, "height": height, "width": width, "code": 3, "layers": layers}
    network = Autoencoder(AutoencoderConfig.model_validate(settings))
    x = torch.rand(2, 2, height, width)
    output = network(x)
    assert output.image.shape == x.shape
    assert output.latent is not None
    assert output.latent.shape == (2, *network.config.code_shape)
    rows, columns = height, width
    for _ in range(len(filters) + space):
        rows, columns = (rows + 1) // 2, (columns + 1) // 2
    assert network.config.code_shape == ((3, rows, columns) if space else (3,))


def test_what_is_cut_off_lies_to_the_right_and_below() -> None:
    """Pooling windows start at the top left, so pixel i of the image belongs to place i // 2 of the code."""
    config = AutoencoderConfig.model_validate(
        {
            "height": 5, "width": 5, "code": 1, "output": "linear",
            "layers": {"kind": "conv", "filters": [], "space": True, "kernel": 1},
        }
    )  # fmt: skip
    network = Autoencoder(config)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.fill_(1.0 if parameter.ndim > 1 else 0.0)  # every layer leaves its input as it is
    x = torch.rand(1, 1, 5, 5)
    image = network(x).image
    assert torch.equal(image[0, 0, 4, 4], x[0, 0, 4, 4])
    assert torch.equal(image[0, 0, 0, 4], x[0, 0, :2, 4].max())
    assert torch.equal(image[0, 0, 2, 2], x[0, 0, 2:4, 2:4].max())


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"kernel": 4}, "take 5"),
        ({"space": True, "hidden": [20]}, "no dense layers before it"),
        ({"filters": []}, "no convolution"),
        ({"unpadded": [3]}, "2 convolutions, no number 3"),
        ({"filters": [0]}, "greater than 0"),
        ({"pooling": True}, "not permitted"),
    ],
)
def test_settings_of_convolutions_that_do_not_fit(wrong: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        ConvConfig.model_validate(wrong)


@pytest.mark.parametrize(
    ("name", "channels", "size", "message"),
    [
        ("mnist-conv", 1, (32, 32), r"784 numbers; these have 32×32 .* 1024 numbers. Resize them \(resize='28x28'\)"),
        ("mnist-conv", 3, (28, 28), r"Make them grey \(channels=1\)"),
        ("vae-400-200-2", 1, (10, 10), r"resize='20x20'\), or write widths for them \(model='vae:100-200-2'\)"),
        ("vae-400-200-2", 3, None, "Use channels=1"),
        ("mlp:35-20-2", 1, (8, 8), r"35 numbers; these have 8×8 .*Write widths for them \(model='mlp:64-20-2'\)"),
        ("vae:784-20-2", 3, (28, 28), r"grey \(channels=1\), or write widths for them \(model='vae:2352-20-2'\)"),
        ("ae:c8-c8,unpadded=2", 1, (32, 32), "the decoder gives 28×28 pixels, fewer than the images' 32×32"),
    ],
)
def test_widths_that_do_not_fit_the_images(
    name: str, channels: int, size: tuple[int, int] | None, message: str
) -> None:
    with pytest.raises(CuelloError, match=message):
        architecture_of(name, channels, size)


def test_the_usual_size_of_a_description() -> None:
    assert made("vae:784-20-2", None).size == (28, 28)  # type: ignore[arg-type]
    assert made("vae:35-20-2", None).size == (7, 5)  # type: ignore[arg-type]
    assert made("ae:c4-8", None, channels=3).config.shape == (3, 28, 28)  # type: ignore[arg-type]
    assert made("mlp:2352-8", None, channels=3).config.shape == (3, 28, 28)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("numbers", "channels", "size"), [(784, 1, (28, 28)), (35, 1, (7, 5)), (300, 3, (10, 10)), (13, 1, (13, 1))]
)
def test_what_is_made_for_a_count_is_shown_at_a_size_that_has_it(
    numbers: int, channels: int, size: tuple[int, int]
) -> None:
    assert usual_channels(f"mlp:{numbers}-2") == channels
    assert made(f"mlp:{numbers}-2", None, channels=channels).size == size  # type: ignore[arg-type]


def test_channels_that_a_count_cannot_have_are_refused_without_a_size_of_our_own() -> None:
    with pytest.raises(CuelloError, match=r"784 numbers, .*; 28×28 pixels of 1 channel have them\. Use channels=1\."):
        architecture_of("vae:784-400-2", 3)


def test_images_of_another_size_or_colour_are_an_error() -> None:
    network = made("mlp:35-20-2", (7, 5))
    for shape in ((1, 1, 5, 7), (1, 3, 7, 5)):
        with pytest.raises(CuelloError, match="takes 5×7 and 1"):
            network(torch.zeros(shape))


BATCHED = [
    "mlp:35-20-2,code=tanh",
    "vae:35-20-2,warmup=2,capacity=3,growth=4",
    "infovae:35-20-2",
    "wae:35-20-2",
    "sparse:35-8-4",
    "sparse:35-8-4,penalty=l1",
    "contractive:35-8-2",
    "contractive:35-12-9",
]


@pytest.mark.parametrize("name", BATCHED)
@pytest.mark.parametrize("training", [True, False])
def test_replicas_run_together_as_they_do_alone(name: str, training: bool) -> None:
    replicas = [made(name, (7, 5), seed=k).train(training) for k in range(3)]
    for replica in replicas:
        replica.epochs_passed = 1.0
    parameters, buffers = torch.func.stack_module_state(replicas)  # type: ignore[arg-type]
    torch.manual_seed(1)
    x = torch.rand(3, 6, 1, 7, 5)
    drawn = replicas[0].bottleneck.noise(replicas[0].features(x[0])) if training else None
    noise = None if drawn is None else torch.stack([drawn, drawn.flip(0), -drawn])

    def losses(own: dict[str, Tensor], others: dict[str, Tensor], images: Tensor, given: Tensor | None) -> Tensor:
        output = torch.func.functional_call(replicas[0], (own, others), (images,), {"noise": given})
        distance = (output.image - images).square().flatten(1).mean(1)
        return torch.stack([distance, *(term.expand_as(distance) for term in output.terms.values())]).sum(0).mean()

    batched = torch.vmap(
        torch.func.grad_and_value(losses), in_dims=(0, 0, 0, None if noise is None else 0), randomness="different"
    )
    gradients, values = batched(parameters, buffers, x, noise)
    for k, replica in enumerate(replicas):
        alone = losses(dict(replica.named_parameters()), {}, x[k], None if noise is None else noise[k])
        assert torch.allclose(alone, values[k], rtol=1e-4)
        own = torch.autograd.grad(alone, list(replica.parameters()))
        for value, (key, stacked) in zip(own, gradients.items(), strict=True):
            assert torch.allclose(value, stacked[k], atol=1e-4 * max(1.0, float(value.abs().max()))), key


@pytest.mark.parametrize("name", [*BATCHED, "vq:35-8-4", "fsq:35-8-4", "vae:c4-c2"])
def test_training_draws_and_evaluation_does_not(name: str) -> None:
    network = made(name, (7, 5))
    x = torch.rand(6, 1, 7, 5)

    def total() -> Tensor:
        output = network(x)
        return torch.stack([output.image.sum(), *(term.sum() for term in output.terms.values())]).sum()

    torch.manual_seed(1)
    state = torch.get_rng_state()
    first, moved = total(), not torch.equal(state, torch.get_rng_state())
    assert moved == network.bottleneck.draws
    torch.manual_seed(1)
    assert torch.equal(first, total())
    network.eval()
    state = torch.get_rng_state()
    with torch.inference_mode():
        assert torch.equal(total(), total())
    assert torch.equal(state, torch.get_rng_state())


@pytest.mark.parametrize(
    "name", ["mlp:784-30-6,dropout=0.25", "ae:784-c4-c2-c2,dropout=0.25", "vae:c4-12-3,dropout=0.25"]
)
def test_dropout_is_in_training_alone(name: str) -> None:
    network, x = made(name), torch.rand(3, 1, 28, 28)
    without = made(name.removesuffix(",dropout=0.25"))
    without.load_state_dict(network.state_dict())
    assert torch.equal(network.eval()(x).image, without.eval()(x).image)
    network.train()
    torch.manual_seed(1)
    first = network(x).image
    assert not torch.equal(network(x).image, first)
    torch.manual_seed(1)
    assert torch.equal(network(x).image, first)


def test_dropout_is_before_every_layer_but_the_first() -> None:
    """With weights and biases that copy, what comes out says what was set to 0: the share of what was kept, scaled."""
    network = made("mlp:400-400-400,activation=linear,output=linear,dropout=0.5", (20, 20)).train()
    for layer in [*network.encoder.layers, *network.decoder.layers]:  # type: ignore[misc]
        nn.init.eye_(layer.weight)
        nn.init.zeros_(layer.bias)
    image = network(torch.ones(50, 1, 20, 20)).image
    assert set(image.unique().tolist()) == {0.0, 8.0}, (
        "three layers have dropout before them: each doubles what it keeps"
    )
    assert (image > 0).float().mean().item() == pytest.approx(1 / 8, abs=0.02)
