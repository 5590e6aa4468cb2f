"""An app's own configuration, ``<name>.toml``: loading, overrides, checks, entries.

The file is the model itself, with no table around it. Its values reach the app through a
config store, one entry for each value: ``edgezero config push`` writes them there.
"""

from edgezero_spin.manifest.app_config.decoding import Decoded, decode_model
from edgezero_spin.manifest.app_config.entries import ConfigEntry, flatten, tree_of
from edgezero_spin.manifest.app_config.errors import (
    AppConfigError,
    AppConfigRuleError,
    AppConfigShapeError,
    AppConfigSyntaxError,
    AppConfigUnreadableError,
    AppConfigValueError,
    EnvironmentOverlayError,
)
from edgezero_spin.manifest.app_config.loading import (
    LoadedAppConfig,
    app_config_path,
    decode_app_config,
    load_app_config,
    load_raw_app_config,
    read_app_config,
    require_app_name,
)
from edgezero_spin.manifest.app_config.overlay import overlay, variable_prefix
from edgezero_spin.manifest.app_config.secret_rules import check_secrets
from edgezero_spin.manifest.app_config.secret_words import looks_like_a_secret
from edgezero_spin.stores import secret_fields

__all__ = [
    "AppConfigError",
    "AppConfigRuleError",
    "AppConfigShapeError",
    "AppConfigSyntaxError",
    "AppConfigUnreadableError",
    "AppConfigValueError",
    "ConfigEntry",
    "Decoded",
    "EnvironmentOverlayError",
    "LoadedAppConfig",
    "app_config_path",
    "check_secrets",
    "decode_app_config",
    "decode_model",
    "flatten",
    "load_app_config",
    "load_raw_app_config",
    "looks_like_a_secret",
    "overlay",
    "read_app_config",
    "require_app_name",
    "secret_fields",
    "tree_of",
    "variable_prefix",
]
