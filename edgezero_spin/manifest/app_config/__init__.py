"""An app's own configuration, ``<name>.toml``: loading, overrides, checks, entries.

The file is the model itself, with no table around it. Its values reach the app through a
config store, as one entry for each value and as one for all: ``edgezero config push`` writes
them there.
"""

from edgezero_spin.manifest.app_config.decoding import Decoded, decode_model
from edgezero_spin.manifest.app_config.entries import ConfigEntry, flatten, json_ready, tree_of
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
    decode_app_config,
    load_app_config,
    read_app_config,
    require_app_name,
)
from edgezero_spin.manifest.app_config.overlay import overlay, variable_prefix
from edgezero_spin.manifest.app_config.secret_rules import check_secrets
from edgezero_spin.manifest.app_config.secret_words import looks_like_a_secret
from edgezero_spin.stores import (
    ConfigStoreError,
    SecretField,
    StoreDeclaration,
    envelope_text,
    hash_of,
    read_envelope,
    secret_fields,
)
from edgezero_spin.stores.config_envelope import is_envelope
from edgezero_spin.stores.secret_places import secret_places, without_secrets

__all__ = [
    "AppConfigError",
    "AppConfigRuleError",
    "AppConfigShapeError",
    "AppConfigSyntaxError",
    "AppConfigUnreadableError",
    "AppConfigValueError",
    "ConfigEntry",
    "ConfigStoreError",
    "Decoded",
    "EnvironmentOverlayError",
    "LoadedAppConfig",
    "SecretField",
    "StoreDeclaration",
    "check_secrets",
    "decode_app_config",
    "decode_model",
    "envelope_text",
    "flatten",
    "hash_of",
    "is_envelope",
    "json_ready",
    "load_app_config",
    "looks_like_a_secret",
    "overlay",
    "read_app_config",
    "read_envelope",
    "require_app_name",
    "secret_fields",
    "secret_places",
    "tree_of",
    "variable_prefix",
    "without_secrets",
]
