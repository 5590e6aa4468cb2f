"""Loading of ``<name>.toml``: read, parsed, overridden from the environment, made a model.

In: the path, the app's name and the variables. Out: the tree of the file, or a model of it;
or every problem, step by step. Nothing is written.

Source: contract edgezero.md, APC-1 to APC-10, OVL-1.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import attrs

from edgezero_spin.manifest.app_config.decoding import Decoded, decode_model
from edgezero_spin.manifest.app_config.entries import non_finite_numbers
from edgezero_spin.manifest.app_config.errors import (
    AppConfigError,
    AppConfigRuleError,
    AppConfigShapeError,
    AppConfigSyntaxError,
    AppConfigUnreadableError,
    AppConfigValueError,
    EnvironmentOverlayError,
)
from edgezero_spin.manifest.app_config.overlay import overlay
from edgezero_spin.manifest.app_manifest import AppManifest
from edgezero_spin.manifest.errors import InvalidManifestError, ManifestUnreadableError, Problem
from edgezero_spin.manifest.toml_file import parse_toml, read_text

__all__ = [
    "LoadedAppConfig",
    "decode_app_config",
    "load_app_config",
    "read_app_config",
    "require_app_name",
]

M = TypeVar("M")


@attrs.frozen
class LoadedAppConfig:
    """The tree of a file, and what was wrong on the way to it.

    Attributes:
        path: The file as it was named.
        tree: The root table, overrides included; of use for further checks only when
            there are errors.
        errors: One for each step that found something.
        variables: The variable that a value comes from, by the place of its key.
    """

    path: Path
    tree: dict[str, Any]
    errors: tuple[AppConfigError, ...] = ()
    variables: Mapping[str, str] = attrs.field(factory=dict)


def require_app_name(manifest: AppManifest) -> str:
    """Return the app's name, which its configuration and variables are named after.

    Raises:
        InvalidManifestError: ``[app].name`` is not set (APC-2, VAL-2).
    """
    if manifest.name is None:
        remedy = "Name the app: its configuration file and variables are named after it."
        problem = Problem("app.name", "[app].name is missing", remedy)
        raise InvalidManifestError(manifest.path, [problem])
    return manifest.name


def load_app_config(
    path: str | Path, app_name: str, model: type[M], environ: Mapping[str, str] | None = None
) -> M:
    """Return the model of a configuration.

    Args:
        path: The file.
        app_name: Name of the app, for the names of variables.
        model: The class of the model.
        environ: The variables; ``None`` leaves the file as it is, unchecked for keys that
            variables cannot name.

    Raises:
        AppConfigError: The first step that found something wrong, with all it found.
        TypeError: The model is not one that a file can hold.
    """
    loaded = read_app_config(path, app_name, environ)
    for failed in loaded.errors:
        raise failed
    decoded, errors = decode_app_config(loaded, loaded.tree, model)
    for error in errors:
        raise error
    built: M = decoded.model
    return built


def read_app_config(
    path: str | Path, app_name: str, environ: Mapping[str, str] | None = None
) -> LoadedAppConfig:
    """Return the tree of a configuration, and what is wrong with it, without stopping early.

    Raises:
        AppConfigUnreadableError: The file cannot be read.
        AppConfigSyntaxError: It is not TOML.
    """
    path = Path(path)
    try:
        tree = parse_toml(read_text(path), path)
    except ManifestUnreadableError as error:
        problem = Problem("", error.reason, error.remedy)
        raise AppConfigUnreadableError(path, [problem]) from None
    except InvalidManifestError as error:
        raise AppConfigSyntaxError(path, error.problems) from None
    errors: list[AppConfigError] = []
    variables: dict[str, str] = {}
    if environ is not None:
        problems: list[Problem] = []
        tree = overlay(tree, app_name, environ, problems, variables)
        if problems:
            errors.append(EnvironmentOverlayError(path, problems))
    non_finite = non_finite_numbers(tree)
    if non_finite:
        errors.append(AppConfigValueError(path, non_finite))
    return LoadedAppConfig(path, tree, tuple(errors), variables)


def decode_app_config(
    loaded: LoadedAppConfig, tree: Mapping[str, Any], model: type
) -> tuple[Decoded, list[AppConfigError]]:
    """Build a model from a tree; return it with what is wrong.

    What is wrong with a value that a variable replaced names the variable.

    Raises:
        TypeError: The model is not one that a file can hold.
    """
    decoded = decode_model(tree, model)
    errors: list[AppConfigError] = []
    if decoded.misfits:
        misfits = _with_variables(decoded.misfits, loaded.variables)
        errors.append(AppConfigShapeError(loaded.path, misfits, model.__name__))
    if decoded.broken_rules:
        broken = _with_variables(decoded.broken_rules, loaded.variables)
        errors.append(AppConfigRuleError(loaded.path, broken, model.__name__))
    return decoded, errors


def _with_variables(
    problems: Iterable[Problem], variables: Mapping[str, str]
) -> tuple[Problem, ...]:
    found = []
    for problem in problems:
        for place, name in variables.items():
            table, _, field = place.rpartition(".")
            # A validator of attrs names the field in its text, and the table is the place.
            if problem.key == place or (problem.key == table and f"'{field}'" in problem.reason):
                reason = f"{problem.reason} (the value is that of {name})"
                problem = attrs.evolve(problem, reason=reason)
                break
        found.append(problem)
    return tuple(found)
