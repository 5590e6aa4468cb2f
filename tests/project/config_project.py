"""A small project on disk whose configuration is checked, pushed and compared."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs

from edgezero_spin.project.config_inspect import ConfigRequest
from edgezero_spin.stores import config_model, secret

__all__ = ["APP_CONFIG", "SPIN", "AppConfig", "ConfigProject", "Feature", "Service"]

SPIN = """\
spin_manifest_version = 2
[application]
name = "x"
[component.demo]
source = "a.wasm"
key_value_stores = ["app_config"]
"""
APP_CONFIG = """\
greeting = "hello from config"
api_token = "demo_api_token"
vault = "default"

[feature]
new_checkout = false

[service]
timeout_ms = 1500
"""


@attrs.frozen(kw_only=True)
class Feature:
    """A table of the configuration."""

    new_checkout: bool = False


@attrs.frozen(kw_only=True)
class Service:
    """A table with a rule."""

    timeout_ms: int = attrs.field(
        default=1500, validator=[attrs.validators.ge(100), attrs.validators.le(60000)]
    )


@config_model
@attrs.frozen(kw_only=True)
class AppConfig:
    """The model of ``APP_CONFIG``."""

    greeting: str
    api_token: str = secret()
    vault: str = secret(store_ref=True)
    feature: Feature = Feature()
    service: Service = Service()


class ConfigProject:
    """The files of one project.

    Attributes:
        folder: Where ``edgezero.toml`` and the configuration are; ``spin.toml`` is in ``app``.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "app").mkdir()
        self.write_manifest()
        self.write("app/spin.toml", SPIN)
        self.write("app-demo.toml", APP_CONFIG)

    def write(self, name: str, text: str) -> Path:
        """Write one file."""
        path = self.folder / name
        path.write_text(text, encoding="utf-8")
        return path

    def write_manifest(
        self,
        *,
        app: str = 'name = "app-demo"',
        kv: str | None = None,
        config: str | None = '["app_config"]',
        secrets: str | None = '["default"]',
        default: str | None = None,
        component: str | None = None,
        deploy: str | None = None,
        more: str = "",
    ) -> None:
        """Write ``edgezero.toml``; lists of ids as TOML writes them, ``None`` leaves out."""
        lines = ["[app]", app]
        for kind, ids in (("kv", kv), ("config", config), ("secrets", secrets)):
            if ids is not None:
                first = ids.split('"')[1]
                lines += [f"[stores.{kind}]", f"ids = {ids}"]
                lines.append(f'default = "{(kind == "config" and default) or first}"')
        lines += ["[adapters.spin.adapter]", 'manifest = "app/spin.toml"']
        if component is not None:
            lines.append(f'component = "{component}"')
        if deploy is not None:
            lines += ["[adapters.spin.commands]", f'deploy = "{deploy}"']
        self.write("edgezero.toml", "\n".join([*lines, more]))

    def request(self, environ: Mapping[str, str] | None = None, **changes: Any) -> ConfigRequest:
        """What a command asks about this project."""
        return ConfigRequest(
            manifest=self.folder / "edgezero.toml", environ=environ or {}, **changes
        )

    def files(self) -> dict[str, bytes]:
        """Every file and its bytes, to see that nothing was written."""
        return {
            str(path.relative_to(self.folder)): path.read_bytes()
            for path in sorted(self.folder.rglob("*"))
            if path.is_file()
        }
