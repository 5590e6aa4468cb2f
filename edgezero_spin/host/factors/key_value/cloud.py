"""Key-value stores in a cloud: their part of the runtime configuration.

Values only: the clients are extras and are loaded where a store is opened. Secrets stay out
of what is printed.

Source: contract spin-host.md, KV-52 and KV-53.
"""

import base64
import binascii
from collections.abc import Mapping
from typing import Any

import attrs

from edgezero_spin.host.factors.extras import missing_extra

__all__ = ["CloudStore", "CosmosContainer", "DynamoTable", "cloud_fault", "cloud_store"]


@attrs.frozen(kw_only=True)
class CosmosContainer:
    """A container of Azure Cosmos DB whose partition key is ``/id``.

    Attributes:
        account: The account's name.
        key: A key of the account; ``None`` for the credentials of the environment.
    """

    account: str
    database: str
    container: str
    key: str | None = attrs.field(default=None, repr=False)

    @property
    def url(self) -> str:
        """Where the account answers."""
        return f"https://{self.account}.documents.azure.com:443/"


@attrs.frozen(kw_only=True)
class DynamoTable:
    """A table of Amazon DynamoDB whose partition key is the text ``PK``.

    Attributes:
        region: Where it is.
        access_key: With ``secret_key``; ``None`` for the credentials of the environment.
        secret_key: With ``access_key``.
        token: Of a session, where there is one.
        consistent_read: Whether a read sees every write that ended before it.
    """

    region: str
    table: str
    access_key: str | None = attrs.field(default=None, repr=False)
    secret_key: str | None = attrs.field(default=None, repr=False)
    token: str | None = attrs.field(default=None, repr=False)
    consistent_read: bool = False


CloudStore = CosmosContainer | DynamoTable

_TYPES: dict[str, type[CloudStore]] = {"azure_cosmos": CosmosContainer, "aws_dynamo": DynamoTable}
_EXTRAS = {"azure_cosmos": ("azure", "azure.cosmos"), "aws_dynamo": ("aws", "boto3")}


def cloud_fault(type_: str, settings: Mapping[str, Any]) -> str | None:
    """Return what is wrong with a store's table, or ``None``; no value is repeated.

    Args:
        type_: ``azure_cosmos`` or ``aws_dynamo``.
        settings: The other keys.
    """
    known = attrs.fields_dict(_TYPES[type_])
    missing = [
        name
        for name, field in known.items()
        if field.default is attrs.NOTHING and name not in settings
    ]
    if missing:
        return f"missing field(s): {', '.join(missing)}"
    unknown = sorted(set(settings) - set(known))
    if unknown:
        return f"unknown field(s): {', '.join(unknown)}. Known here: type, {', '.join(known)}."
    wrong = [
        name for name, value in settings.items() if not isinstance(value, known[name].type or str)
    ]
    if wrong:
        return f"of the wrong type: {', '.join(wrong)}"
    if type_ == "azure_cosmos" and not _is_base64(settings.get("key", "")):
        return "`key` is not a key of an account, which is base64"
    return missing_extra(f"stores of type '{type_}'", *_EXTRAS[type_])


def cloud_store(type_: str, settings: Mapping[str, Any]) -> CloudStore:
    """Return where a store is, given settings without a fault."""
    return _TYPES[type_](**settings)


def _is_base64(text: str) -> bool:
    try:
        base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return False
    return True
