"""The one declaration of settings: limits, messages, TOML there and back."""

import errno
import tomllib
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import pydantic
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cuello.core.config import TrainConfig, make_config, read_toml, to_toml
from cuello.core.errors import CuelloError

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


def values_of(annotation: Any, limits: dict[str, float]) -> st.SearchStrategy[Any]:
    """Any value that a field of this type and these limits allows."""
    if get_origin(annotation) is Literal:
        return st.sampled_from(get_args(annotation))
    if annotation is bool:
        return st.booleans()
    if annotation is int:
        return st.integers(int(limits.get("ge", 0)), int(limits.get("le", 10**6)))
    if annotation is float:
        low, high = limits.get("gt", limits.get("ge", 0.0)), limits.get("lt", limits.get("le", 1e6))
        return st.floats(low, high, exclude_min="gt" in limits, exclude_max="lt" in limits)
    if annotation is str:
        return text
    return st.one_of(*(st.none() if part is type(None) else values_of(part, limits) for part in get_args(annotation)))


def limits_of(field: Any) -> dict[str, float]:
    limits: dict[str, float] = {}
    for part in field.metadata:
        limits |= {name: getattr(part, name) for name in ("gt", "ge", "lt", "le") if hasattr(part, name)}
    return limits


FORMS = {
    "fold": st.sampled_from(["1/2", "2/5"]),
    "license": st.sampled_from(["MIT", "GPL-2.0-only OR LicenseRef-own"]),
    "author": st.sampled_from(["Ada Lovelace", "Ada; José"]),
    "citation": st.sampled_from(["10.1000/x", '@misc{x,\n title={"y"}}']),
}
"""Settings of a form of their own."""
any_settings = st.fixed_dictionaries(
    {},
    optional={
        name: FORMS[name] if name in FORMS else values_of(field.annotation, limits_of(field))
        for name, field in TrainConfig.model_fields.items()
    },
)


@settings(max_examples=100, deadline=None)
@given(any_settings)
def test_toml_gives_the_configuration_back(chosen):
    config = make_config(chosen)
    assert make_config(tomllib.loads(to_toml(config))) == config


@settings(max_examples=50, deadline=None)
@given(any_settings)
def test_only_what_was_given_counts_as_set(chosen):
    assert make_config(chosen).model_fields_set == set(chosen)


@pytest.mark.parametrize("name", list(TrainConfig.model_fields))
def test_every_setting_has_help_a_panel_and_a_lawful_default(name):
    field = TrainConfig.model_fields[name]
    assert field.description
    assert field.description.endswith(".")
    extra = field.json_schema_extra
    assert isinstance(extra, dict)
    assert extra["group"] in ("Data", "Job", "Network", "Training", "Stopping", "Machine", "Licence and author")
    assert getattr(make_config({name: field.default}), name) == field.default


def test_a_configuration_cannot_be_changed():
    with pytest.raises(pydantic.ValidationError, match="frozen"):
        make_config({}).epochs = 3  # type: ignore[misc]


@pytest.mark.parametrize(
    ("key", "nearest"),
    [("epoch", "epochs"), ("batchsize", "batch_size"), ("learning-rate", "learning_rate"), ("modell", "model")],
)
def test_an_unknown_setting_is_refused_with_the_nearest_one(key, nearest):
    with pytest.raises(CuelloError) as caught:
        make_config({"epochs": 3, key: 1})
    assert f"there is no setting called {key!r}. Did you mean {nearest!r}?" in str(caught.value)


@pytest.mark.parametrize(
    ("setting", "value", "needed"),
    [
        ("epochs", 0, "greater than or equal to 1"),
        ("epochs", "many", "a valid integer"),
        ("epochs", 2.5, "a valid integer"),
        ("crop", 3, "greater than or equal to 4"),
        ("channels", 2, "1, 3 or 4"),
        ("crops", "diagonal", "'random', 'fixed' or 'grid'"),
        ("validation", -0.1, "greater than or equal to 0"),
        ("validation", 0.95, "less than or equal to 0.9"),
        ("learning_rate", -1.0, "greater than 0"),
        ("learning_rate", float("nan"), "a finite number"),
        ("learning_rate", float("inf"), "a finite number"),
        ("momentum", 1, "less than 1"),
        ("augment", "perhaps", "a valid boolean"),
        ("data", 7, "a valid string"),
        ("data", None, "a valid string"),
        ("job", "paint", "'denoise'"),
        ("precision", "float16", "'float32' or 'bf16'"),
        ("on_error", "ignore", "'skip' or 'stop'"),
        ("seed", -1, "greater than or equal to 0"),
    ],
)
def test_a_wrong_value_is_named_with_what_is_needed_and_what_it_means(setting, value, needed):
    with pytest.raises(CuelloError) as caught:
        make_config({setting: value})
    message = str(caught.value)
    assert message.startswith(f"{setting}: got {value!r}, needed ")
    assert needed in message
    assert str(TrainConfig.model_fields[setting].description) in message


def test_toml_is_read_as_it_is_written(tmp_path):
    path = tmp_path / "config.toml"
    path.write_text('epochs = 50\nnoise = "gaussian:5..50"\naugment = true\n')
    assert read_toml(path) == {"epochs": 50, "noise": "gaussian:5..50", "augment": True}


def test_toml_leaves_out_what_is_none():
    assert "crop" not in tomllib.loads(to_toml(make_config({})))
    assert tomllib.loads(to_toml(make_config({"crop": 64})))["crop"] == 64


def test_a_missing_configuration_file_is_named(tmp_path):
    with pytest.raises(CuelloError, match=r"there is no configuration file .*missing\.toml"):
        read_toml(tmp_path / "missing.toml")


@pytest.mark.parametrize("content", [b"epochs 50", b"epochs = 1\nepochs = 2", b"\xff\xfe\x00"])
def test_what_is_not_toml_is_named_with_an_example(tmp_path, content):
    path = tmp_path / "config.toml"
    path.write_bytes(content)
    with pytest.raises(CuelloError, match=r"config\.toml is not TOML: .* A line looks like: epochs = 30"):
        read_toml(path)


def test_a_configuration_that_cannot_be_read_says_why(tmp_path, monkeypatch):
    def refuse(*arguments, **options):
        raise PermissionError(errno.EACCES, "Permission denied")

    with pytest.raises(CuelloError, match="could not be read: Is a directory"):
        read_toml(tmp_path)
    monkeypatch.setattr(Path, "read_text", refuse)
    with pytest.raises(CuelloError, match=r"config\.toml could not be read: Permission denied"):
        read_toml(tmp_path / "config.toml")
