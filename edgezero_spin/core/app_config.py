"""Typed configuration: one validated object per request, secrets filled in.

In: the model of ``AppConfig[T]``, when the app is compiled. Out: a reader that takes the entry of
all of the configuration that ``config push`` wrote, verifies it, puts secrets in place of their
names and builds the model. An entry that does not fit the app, because the app was deployed before
or after the push, is a 503 with ``Retry-After``; one that was damaged is a 500.

No value of the configuration reaches a client or the log: a message names places only.

Source: contract edgezero.md, BLB-1 to BLB-6, ERR-8, SEC-12.
"""

import re
from typing import TYPE_CHECKING, Any

from edgezero_spin.core.errors import ConfigOutOfDate
from edgezero_spin.stores.config import ConfigStore
from edgezero_spin.stores.config_model import SecretField, field_names, secret_fields
from edgezero_spin.stores.errors import (
    SecretNotFoundError,
    SecretValidationError,
    UndeclaredStoreError,
)
from edgezero_spin.stores.json_values import JsonValueError
from edgezero_spin.stores.secret_places import SecretPlace, secret_places, with_secrets
from edgezero_spin.stores.structuring import structurer

if TYPE_CHECKING:
    from edgezero_spin.core.request import Request

__all__ = ["AppConfigReader", "app_config_reader"]

# attrs quotes the field in the sentence of a validator.
_QUOTED = re.compile(r"'(\w+)'")
_EXTENSION = "edgezero_spin.app_config"

_readers: dict[Any, "AppConfigReader"] = {}


class AppConfigReader:
    """Reads configurations of one model.

    Attributes:
        model: The attrs class.
        secrets: Its secret fields.
    """

    __slots__ = ("_build", "_names", "model", "secrets")

    def __init__(self, model: Any) -> None:
        """Compile the model.

        Raises:
            TypeError: It is not an attrs class, or a configuration cannot have its fields.
        """
        self.model = model
        self.secrets: tuple[SecretField, ...] = secret_fields(model)
        self._build = structurer(model)
        self._names = frozenset(field_names(model))

    async def read(
        self, request: "Request", store: str | None = None, key: str | None = None
    ) -> Any:
        """Return the configuration for a request, read at most once for it.

        Args:
            store: The id of a config store; the default one unless given.
            key: The entry; that of the store unless given.

        Returns:
            The model, ``None`` where the store has no such entry.

        Raises:
            ConfigOutOfDate: The entry does not fit the model, or a secret is missing.
            ConfigStoreError: The store failed, or the entry was damaged.
            SecretError: The secret store failed.
        """
        configs = request.extensions.setdefault(_EXTENSION, {})
        asked = (self.model, store, key)
        if asked not in configs:
            registry = request.config
            config = registry.default if store is None else registry[store]
            configs[asked] = await self._read(request, config, key)
        return configs[asked]

    async def require(
        self, request: "Request", store: str | None = None, key: str | None = None
    ) -> Any:
        """Return the configuration for a request. As ``read``, and:

        Raises:
            ConfigOutOfDate: There is none.
        """
        found = await self.read(request, store, key)
        if found is None:
            where = key or (request.config.default if store is None else request.config[store]).key
            raise ConfigOutOfDate(
                f"no configuration at key `{where}`: run `edgezero config push` with the model "
                "of the app"
            )
        return found

    async def _read(self, request: "Request", config: ConfigStore, key: str | None) -> Any:
        tree = await config.whole(key)
        if tree is None:
            return None
        values: dict[str, str] = {}
        for field in self.secrets:
            if field.kind == "secret":
                for place in secret_places(tree, field):
                    values[place.place] = await _secret(request, place)
        try:
            return self._build(with_secrets(tree, values))
        except JsonValueError as error:
            raise _misfit(error, self._names) from None


def app_config_reader(model: Any) -> AppConfigReader:
    """Return the reader of a model, made once.

    Raises:
        TypeError: The model is not an attrs class, or a configuration cannot have its fields.
    """
    reader = _readers.get(model)
    if reader is None:
        reader = _readers[model] = AppConfigReader(model)
    return reader


async def _secret(request: "Request", place: SecretPlace) -> str:
    if not isinstance(place.value, str):
        raise ConfigOutOfDate(f"expected the name of a secret at `{place.place}`", place.place)
    registry = request.secrets
    try:
        if place.field.store is None:
            store = registry.default
        elif isinstance(place.store, str):
            store = registry[place.store]
        else:
            raise ConfigOutOfDate(f"no secret store is named beside `{place.place}`", place.place)
        return await store.require_str(place.value)
    except UndeclaredStoreError:
        reason = f"the secret store that is named beside `{place.place}` is not declared"
    except SecretNotFoundError:
        reason = f"the secret of `{place.place}` is not set"
    except SecretValidationError:
        reason = f"what is at `{place.place}` cannot be the name of a secret"
    raise ConfigOutOfDate(reason, place.place)


def _misfit(error: JsonValueError, names: frozenset[str]) -> ConfigOutOfDate:
    """Return the error of a configuration that does not fit, without the values that it quotes."""
    places = []
    for problem in error.problems:
        text, _, place = problem.rpartition(" @ $")
        place = place.removeprefix(".")
        quoted = _QUOTED.search(text) if error.rules_only else None
        if quoted and quoted[1] in names and place.rpartition(".")[2] != quoted[1]:
            place = f"{place}.{quoted[1]}" if place else quoted[1]
        places.append(place)
    listed = ", ".join(f"`{place}`" for place in dict.fromkeys(places) if place)
    what = "breaks a rule of its model" if error.rules_only else "does not fit its model"
    where = f" at {listed}" if listed else ""
    return ConfigOutOfDate(f"the configuration {what}{where}", places[0] if places else "")
