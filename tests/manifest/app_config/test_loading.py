"""From ``<name>.toml`` to a tree or a model: each step, and what each step refuses."""

import datetime
from pathlib import Path
from typing import Any

import attrs
import pytest

from edgezero_spin.manifest.app_config import (
    AppConfigError,
    AppConfigRuleError,
    AppConfigShapeError,
    AppConfigSyntaxError,
    AppConfigUnreadableError,
    AppConfigValueError,
    EnvironmentOverlayError,
    flatten,
    load_app_config,
    read_app_config,
)
from edgezero_spin.manifest.errors import Problem
from edgezero_spin.stores import config_model


@attrs.frozen(kw_only=True)
class Service:
    """A table of the file."""

    timeout_ms: int = attrs.field(
        default=1500, validator=[attrs.validators.ge(100), attrs.validators.le(60000)]
    )


@config_model
@attrs.frozen(kw_only=True)
class Strict:
    """The model of the file; unknown fields are refused at every level."""

    greeting: str
    service: Service = Service()
    mirrors: list[Service] = attrs.field(factory=list)
    named: dict[str, Service] | None = None
    when: datetime.datetime | None = None


@attrs.frozen(kw_only=True)
class Lenient:
    """A model of a part of the file."""

    greeting: str


def write(folder: Path, text: str) -> Path:
    """Write the app's configuration."""
    path = folder / "app-demo.toml"
    path.write_text(text, encoding="utf-8")
    return path


def tree_of_file(path: Path, environ: dict[str, str] | None = None) -> dict[str, Any]:
    """The tree of a file in which nothing may be wrong."""
    loaded = read_app_config(path, "app-demo", environ)
    assert loaded.errors == ()
    return loaded.tree


def error_of(
    folder: Path,
    text: str,
    kind: type[AppConfigError],
    model: type = Strict,
    environ: dict[str, str] | None = None,
) -> str:
    """The message of a load that must fail at one step; it names the file."""
    path = write(folder, text)
    with pytest.raises(kind) as caught:
        load_app_config(path, "app-demo", model, environ)
    assert type(caught.value) is kind
    assert str(path) in str(caught.value)
    return str(caught.value)


def test_the_root_table_is_the_model(tmp_path: Path) -> None:
    """No table wraps the file, and defaults fill what it leaves out."""  # APC-1, APC-3
    path = write(tmp_path, 'greeting = "hi"\nwhen = 2026-01-31T08:00:00Z\n[service]\n')
    assert load_app_config(path, "app-demo", Strict) == Strict(
        greeting="hi", when=datetime.datetime(2026, 1, 31, 8, tzinfo=datetime.UTC)
    )


def test_a_raw_tree_is_the_file_with_overrides(tmp_path: Path) -> None:
    """Raw loading knows no model and stops after the overlay."""  # APC-3
    path = write(tmp_path, 'greeting = "hi"\nextra = 1')
    found = tree_of_file(path, {"APP_DEMO__EXTRA": "2"})
    assert found == {"greeting": "hi", "extra": 2}


def test_without_the_overlay_the_file_counts(tmp_path: Path) -> None:
    """Neither variables nor the rules for their names apply."""  # OVL-1, TV-114
    path = write(tmp_path, "greeting = 'hi'\nfoo__bar = 1\nFOO__BAR = 2")
    assert tree_of_file(path)["greeting"] == "hi"


def test_a_missing_file(tmp_path: Path) -> None:
    """The first step is reading."""  # APC-5, TV-116
    with pytest.raises(AppConfigUnreadableError, match="failed to read") as caught:
        tree_of_file(tmp_path / "none.toml")
    assert str(tmp_path / "none.toml") in str(caught.value)


def test_a_file_that_is_not_toml(tmp_path: Path) -> None:
    """The second step is parsing; the line is named."""  # APC-6, TV-116
    said = error_of(tmp_path, "a = 1\n{not toml", AppConfigSyntaxError)
    assert said.startswith("failed to parse") and "as TOML: line 2" in said


def test_a_number_beyond_64_bits_is_not_toml(tmp_path: Path) -> None:
    """No store of any adapter could give it back."""  # GEN-9
    said = error_of(tmp_path, "a = 9223372036854775808", AppConfigSyntaxError)
    assert "a: this number does not fit in 64 bits" in said


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("x = " + "[" * 128 + "]" * 128, id="lists"),
        pytest.param("x = " + "[" * 5000 + "]" * 5000, id="lists beyond the parser"),
        pytest.param(".".join(["a"] * 129) + " = 1", id="tables"),
        pytest.param(".".join(["a"] * 5000) + " = 1", id="tables beyond the stack"),
    ],
)
def test_a_file_that_nests_too_deeply(tmp_path: Path, text: str) -> None:
    """The stack of this process does not decide what is accepted."""
    said = error_of(tmp_path, text, AppConfigSyntaxError)
    assert "more than 128 tables and lists inside one another" in said


def test_the_deepest_file_becomes_entries(tmp_path: Path) -> None:
    """What is accepted can be flattened and overridden."""
    path = write(tmp_path, "x = " + "[" * 127 + "]" * 127 + "\n" + ".".join(["a"] * 128) + " = 1")
    tree = tree_of_file(path, {})
    problems: list[Problem] = []
    assert len(flatten(tree, problems)) == 2
    assert problems == []


def test_a_number_of_thousands_of_digits(tmp_path: Path) -> None:
    """Python itself refuses it, and in words of its own."""  # GEN-9
    said = error_of(tmp_path, f"x = {'1' * 5000}", AppConfigSyntaxError)
    assert "does not fit in 64 bits" in said


def test_a_variable_that_does_not_fit(tmp_path: Path) -> None:
    """The third step is the overlay."""  # APC-7
    text = 'greeting = "hi"\n[service]\ntimeout_ms = 1500'
    environ = {"APP_DEMO__SERVICE__TIMEOUT_MS": "soon"}
    said = error_of(tmp_path, text, EnvironmentOverlayError, environ=environ)
    assert said.startswith("env overlay failed for")
    assert "APP_DEMO__SERVICE__TIMEOUT_MS=soon cannot be coerced to integer" in said


@pytest.mark.parametrize("environ", [None, {"APP_DEMO__TABLE__RATIO": "nan"}])
def test_a_number_that_is_none(tmp_path: Path, environ: dict[str, str] | None) -> None:
    """Infinities and NaN are refused, whether the file or a variable holds them."""
    ratio = "inf" if environ is None else "1.0"  # APC-10, OVL-13
    said = error_of(tmp_path, f"[table]\nratio = {ratio}", AppConfigValueError, environ=environ)
    assert "table.ratio: a non-finite float" in said


def test_an_override_mends_a_bad_value(tmp_path: Path) -> None:
    """What counts is the value after the overlay."""  # OVL-9
    path = write(tmp_path, "ratio = nan")
    assert tree_of_file(path, {"APP_DEMO__RATIO": "1.5"}) == {"ratio": 1.5}


def test_a_file_of_another_shape(tmp_path: Path) -> None:
    """Every misfit and every unknown field is named with its place, and the model."""
    text = """\
surplus = 1
[service]
timeout_ms = "soon"
typo = 1
[[mirrors]]
typo = 2
[named.a]
typo = 3
"""
    said = error_of(tmp_path, text, AppConfigShapeError)  # APC-8, APC-4, TV-116
    assert said.startswith("failed to deserialise") and "into Strict: 6 problems" in said
    for line in (
        "  - greeting: required field missing",
        "  - service.timeout_ms: expected an integer, got a string",
        "  - surplus: unknown field `surplus`. "
        "Strict has: greeting, service, mirrors, named, when.",
        "  - service.typo: unknown field `typo`. Service has: timeout_ms.",
        "  - mirrors[0].typo: unknown field `typo`. Service has: timeout_ms.",
        "  - named.a.typo: unknown field `typo`. Service has: timeout_ms.",
    ):
        assert line in said.splitlines()


def test_unknown_fields_pass_where_the_model_does_not_refuse_them(tmp_path: Path) -> None:
    """A model may describe a part of the file."""  # APC-4
    path = write(tmp_path, 'greeting = "hi"\nsurplus = 1')
    assert load_app_config(path, "app-demo", Lenient) == Lenient(greeting="hi")


def test_a_value_that_breaks_a_rule(tmp_path: Path) -> None:
    """The last step is the model's own validators."""  # APC-9, TV-116
    text = 'greeting = "hi"\n[service]\ntimeout_ms = 99'
    said = error_of(tmp_path, text, AppConfigRuleError)
    assert said.startswith("validation failed for")
    assert "service: 'timeout_ms' must be >= 100: 99" in said


def test_rules_judge_the_overridden_value(tmp_path: Path) -> None:
    """A variable can break a rule that the file keeps, and keep one that the file breaks."""
    text = 'greeting = "hi"\n[service]\ntimeout_ms = '  # OVL-9
    name = "APP_DEMO__SERVICE__TIMEOUT_MS"
    error_of(tmp_path, f"{text}100", AppConfigRuleError, environ={name: "99"})
    path = write(tmp_path, f"{text}99")
    assert load_app_config(path, "app-demo", Strict, {name: "100"}).service.timeout_ms == 100


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        ({"APP_DEMO__SERVICE__TIMEOUT_MS": "7"}, " (the value is that of APP_DEMO__SERVICE__"),
        ({"APP_DEMO__GREETING": "x"}, ""),
        ({}, ""),
    ],
)
def test_a_broken_rule_names_the_variable(
    tmp_path: Path, variables: dict[str, str], told: str
) -> None:
    """Whoever looks into the file would find a value there that keeps it."""
    timeout_ms = 1500 if told else 7
    text = f'greeting = "Hi"\n[service]\ntimeout_ms = {timeout_ms}\n'
    message = error_of(tmp_path, text, AppConfigRuleError, environ=variables)
    assert "timeout_ms" in message
    assert told in message
    assert ("the value is that of" in message) is bool(told)
