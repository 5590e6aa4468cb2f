"""Errors of an app's configuration, by the step that found them.

```
AppConfigError
├── AppConfigUnreadableError    no such file, or not UTF-8 text
├── AppConfigSyntaxError        not TOML
├── EnvironmentOverlayError     a variable, or a key that variables cannot name
├── AppConfigValueError         a number that cannot be stored, two values for one entry
├── AppConfigShapeError         the file does not fit the model
└── AppConfigRuleError          it fits, but the model or a secret rule refuses a value
```
"""

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from edgezero_spin.errors import ManifestError
from edgezero_spin.manifest.errors import Problem, tell_problems

__all__ = [
    "AppConfigError",
    "AppConfigRuleError",
    "AppConfigShapeError",
    "AppConfigSyntaxError",
    "AppConfigUnreadableError",
    "AppConfigValueError",
    "EnvironmentOverlayError",
]


class AppConfigError(ManifestError):
    """An app's configuration cannot be used as it stands.

    Attributes:
        path: The file as it was named.
        problems: Everything that this step found, each with its dotted place.
        model: Name of the model; empty when there is none.
    """

    heading: ClassVar = '"{path}"'

    def __init__(self, path: Path, problems: Sequence[Problem], model: str = "") -> None:
        super().__init__(path, tuple(problems), model)
        self.path = path
        self.problems = tuple(problems)
        self.model = model

    def __str__(self) -> str:
        head = self.heading.format(path=self.path, model=self.model or "the model")
        return tell_problems(head, self.problems)


class AppConfigUnreadableError(AppConfigError):
    """The file is missing, or is not readable UTF-8 text (APC-5)."""

    heading = 'failed to read "{path}"'


class AppConfigSyntaxError(AppConfigError):
    """The file is not TOML (APC-6)."""

    heading = 'failed to parse "{path}" as TOML'


class EnvironmentOverlayError(AppConfigError):
    """A variable does not fit the value it overrides, or a key cannot be overridden (APC-7)."""

    heading = 'env overlay failed for "{path}"'


class AppConfigValueError(AppConfigError):
    """A value cannot become a configuration entry (APC-10)."""

    heading = 'invalid value in "{path}"'


class AppConfigShapeError(AppConfigError):
    """The file does not have the shape of the model (APC-8)."""

    heading = 'failed to deserialise "{path}" into {model}'


class AppConfigRuleError(AppConfigError):
    """A value breaks a rule of the model, or of secrets (APC-9)."""

    heading = 'validation failed for "{path}"'
