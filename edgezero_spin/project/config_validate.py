"""``config validate``: every check of a project's configuration, in one run.

Source: contract edgezero.md, VAL-1 to VAL-15 and CLI-7.
"""

from pathlib import Path

import attrs

from edgezero_spin.project.config_checks import ConfigProblemsError, Finding
from edgezero_spin.project.config_inspect import ConfigRequest, inspect_config

__all__ = ["ConfigReport", "validate_config"]


@attrs.frozen(kw_only=True)
class ConfigReport:
    """The outcome of a validation.

    Attributes:
        manifest: The manifest that was looked at.
        app_config: The configuration; ``None`` when its path is not known.
        mode: ``typed`` with a model, ``raw`` without.
        strict: Whether everything was checked.
        findings: What is wrong; nothing when the configuration is in order.
        warnings: What a person should know.
    """

    manifest: Path
    app_config: Path | None
    mode: str
    strict: bool
    findings: tuple[Finding, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.findings

    @property
    def summary(self) -> str:
        """``config validate (raw): edgezero.toml OK (strict)``."""
        suffix = " (strict)" if self.strict else ""
        typed = f" and {self.app_config}" if self.mode == "typed" else ""
        return f"config validate ({self.mode}): {self.manifest}{typed} OK{suffix}"

    def raise_any(self) -> None:
        """Stop here if something is wrong.

        Raises:
            ConfigProblemsError: It names everything that is.
        """
        if self.findings:
            raise ConfigProblemsError(f"config validate ({self.mode})", self.findings)

    def as_json(self) -> dict[str, object]:
        """Return the report for programs."""
        return {
            "ok": self.ok,
            "manifest": str(self.manifest),
            "app_config": None if self.app_config is None else str(self.app_config),
            "mode": self.mode,
            "strict": self.strict,
            "problems": [_finding_json(finding) for finding in self.findings],
            "warnings": list(self.warnings),
        }


def validate_config(request: ConfigRequest, *, strict: bool = False) -> ConfigReport:
    """Check a project's configuration. With a model in the request, check that too.

    Args:
        request: Which configuration.
        strict: Also check kinds of stores and handlers.
    """
    found = inspect_config(request, strict=strict)
    return ConfigReport(
        manifest=request.manifest,
        app_config=found.app_config,
        mode=found.mode,
        strict=strict,
        findings=found.findings,
        warnings=found.warnings,
    )


def _finding_json(finding: Finding) -> dict[str, object]:
    problem = finding.problem
    return {
        "check": finding.check,
        "file": str(finding.file),
        "key": problem.key,
        "line": problem.line,
        "reason": problem.reason,
        "remedy": problem.remedy,
    }
