"""Networks by description: what each means, and what each mistake is told."""

import pytest

from cuello.core.errors import CuelloError
from cuello.models.autoencoder.bottlenecks import BOTTLENECKS
from cuello.models.autoencoder.names import FAMILIES, is_description, parse_description
from cuello.models.catalog import architecture_of, build
from cuello.models.named import NETWORKS, find_network

CONV = {"kind": "conv", "filters": [], "hidden": [], "space": False}


@pytest.mark.parametrize(
    ("widths", "pixels", "layers", "code"),
    [
        ("35-2", 35, {"kind": "dense", "hidden": []}, 2),
        ("35-20-2", 35, {"kind": "dense", "hidden": [20]}, 2),
        ("35-32-8-2", 35, {"kind": "dense", "hidden": [32, 8]}, 2),
        ("auto-20-2", None, {"kind": "dense", "hidden": [20]}, 2),
        ("auto-2", None, {"kind": "dense", "hidden": []}, 2),
        ("auto-c16-8", None, {**CONV, "filters": [16]}, 8),
        ("784-c16-c8-32", 784, {**CONV, "filters": [16, 8]}, 32),
        ("784-c16-200-32", 784, {**CONV, "filters": [16], "hidden": [200]}, 32),
        ("c16-32", None, {**CONV, "filters": [16]}, 32),
        ("784-c16-c8-c8", 784, {**CONV, "filters": [16, 8], "space": True}, 8),
        ("784-c8", 784, {**CONV, "space": True}, 8),
        ("c16-c8", None, {**CONV, "filters": [16], "space": True}, 8),
    ],
)
def test_widths(widths: str, pixels: int | None, layers: dict[str, object], code: int) -> None:
    found = parse_description(f"ae:{widths}")
    assert (found.family, found.pixels) == ("ae", pixels)
    assert found.settings["layers"] == layers
    assert found.settings["code"] == code


def test_options() -> None:
    found = parse_description("ae:784-c16-8,activation=elu,kernel=5,halving=stride,code=tanh,output=linear,centred=yes")
    layers = {**CONV, "filters": [16], "activation": "elu", "kernel": "5", "halving": "stride"}
    assert found.settings["layers"] == layers
    assert found.settings["bottleneck"] == {"kind": "plain", "activation": "tanh"}
    config = architecture_of("ae:784-c16-8,kernel=5,centred=yes", 1).settings
    assert (config["layers"]["kernel"], config["centred"]) == (5, True)
    assert architecture_of("mlp:784-512,code=relu,dropout=0.1", 1).settings["layers"]["dropout"] == 0.1
    own = architecture_of("vae:784-20-2,beta=4,warmup=2.5,capacity=10,growth=5", 1).settings["bottleneck"]
    assert own == {"kind": "variational", "beta": 4, "warmup": 2.5, "capacity": 10, "growth": 5}
    assert architecture_of("fsq:784-20-6,levels=8-5-5", 1).settings["bottleneck"]["levels"] == [8, 5, 5]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("widths", ["784-20-8", "784-c4-8", "784-c4-c8", "c4-12-8"])
def test_every_family_has_every_kind_of_layers(family: str, widths: str) -> None:
    if family == "mlp" and "c" in widths:
        with pytest.raises(CuelloError, match=f"mlp has dense layers only. With convolutions it is called ae:{widths}"):
            find_network(f"{family}:{widths}")
        return
    network = build(architecture_of(f"{family}:{widths}", 1))
    assert isinstance(network.bottleneck, BOTTLENECKS[FAMILIES[family].bottleneck.kind])  # type: ignore[attr-defined]


def test_every_bottleneck_has_a_family() -> None:
    assert {family.bottleneck.kind for family in FAMILIES.values()} == set(BOTTLENECKS)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("vea:400-200-2", r"no family of networks called 'vea'. Did you mean 'vae'\? Known: mlp, ae"),
        ("mlp", "got the widths '', needed whole numbers with hyphens"),
        ("mlp:", "as in mlp:35-20-2"),
        ("vae:20", "with convolutions first, vae:784-c16-c32-8"),
        ("vae:784-20-", "got the widths '784-20-'"),
        ("vae:784-20-c16-8", "got the widths"),
        ("vae:c8", "got the widths"),
        ("vae:784-x-2", "got the widths '784-x-2'"),
        ("vae:784-0-2", "hidden: got 0, needed greater than 0"),
        ("vae:784-20-0", "code: got 0, needed greater than 0"),
        ("ae:784-20-c8", "no dense layers before it"),
        ("vae:784-20-2,bta=3", r"no option 'bta=3'. Did you mean 'beta'\?"),
        ("vae:784-20-2,beta", "NAME=VALUE; for vae with dense layers: activation, dropout, output, centred, beta"),
        ("vae:784-20-2,kernel=5", "no option 'kernel=5'"),
        ("vae:784-20-2,code=tanh", "no option 'code=tanh'"),
        ("vae:784-20-2,kind=plain", "no option 'kind=plain'"),
        ("vae:784-20-2,beta=x", "beta: got 'x', needed a valid number"),
        ("vae:784-20-2,beta=-1", "beta: got '-1', needed greater than or equal to 0"),
        ("mlp:784-20-2,dropout=1", "dropout: got '1', needed less than 1"),
        ("vae:784-20-2,activation=tahn", "activation: got 'tahn', needed 'tanh', 'relu'"),
        ("mlp:784-20-2,centred=perhaps", "centred: got 'perhaps', needed a valid boolean"),
        ("ae:784-c4-2,kernel=4", "take 5"),
        ("ae:784-c4-2,unpadded=4", "no number 4"),
        ("vq:784-20-6", "6 numbers cannot be cut into groups of 4, as its bottleneck .vector. needs: take 8"),
        ("fsq:784-20-4,levels=8-5-5", "groups of 3"),
        ("fsq:784-20-4,levels=8-1", "levels: got '1', needed greater than or equal to 2"),
        ("sparse:784-20,code=relu", "penalty=l1"),
        ("infovae:784-20-2,weight=0", "rewards codes unlike"),
        ("mlp-50-2", r"no network called 'mlp-50-2'. Did you mean 'mlp-20-2'\? Other widths .* mlp:784-20-2"),
        ("nothing-like-it", "Known: impulse-s"),
    ],
)
def test_mistakes(text: str, message: str) -> None:
    with pytest.raises(CuelloError, match=message):
        find_network(text)


def test_names_and_descriptions_do_not_meet() -> None:
    assert not any(is_description(name) for name in NETWORKS.names())
    assert is_description("mlp:35-20-2")


def test_a_named_network_is_what_its_description_says() -> None:
    for spec in NETWORKS:
        if spec.description is None:
            continue
        size = spec.size or (28, 28)
        named, written = architecture_of(spec.name, 1, size), architecture_of(spec.description, 1, size)
        assert named.settings == written.settings, spec.name
