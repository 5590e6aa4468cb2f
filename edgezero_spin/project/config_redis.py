"""Write configuration to the Redis that Spin reads, all entries in one transaction.

Spin keeps an entry under its own key, with nothing of the label in it. So labels that share
a database share their entries, and what else is in it cannot be told from configuration.

redis-py comes with the extra ``redis`` and is imported when a connection is made.

Source: contract edgezero.md, PSH-14, which has every push refused; Spin's own
``key-value-redis`` for the keys.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import attrs

from edgezero_spin.manifest.app_config import ConfigEntry
from edgezero_spin.project.config_changes import ConfigPushError, all_of, would_set
from edgezero_spin.project.redaction import without_password, without_values

if TYPE_CHECKING:
    import redis

__all__ = ["RedisTarget"]

_TIMEOUT_S: Final = 5.0


@attrs.frozen
class RedisTarget:
    """A Redis database; a ``ConfigTarget``.

    Attributes:
        url: Where it is, as ``runtime-config.toml`` says.
        label: The label that it stands for.
    """

    url: str = attrs.field(repr=False)
    label: str

    def check(self, entries: tuple[ConfigEntry, ...]) -> None:
        """Accept every entry: any text can be a key or a value."""

    def preview(
        self, store_id: str, entries: tuple[ConfigEntry, ...], whole: ConfigEntry | None = None
    ) -> list[str]:
        """Return what a push would write. The database is read."""
        head = (
            f"would write {len(entries)} entries to Redis at {self.shown_url} "
            f"(label `{self.label}`, logical id `{store_id}`)"
        )
        keys = tuple(entry.key for entry in (*entries, *all_of(whole)))
        return [head, *would_set(entries, self.stored(keys), whole)]

    def write(self, entries: tuple[ConfigEntry, ...], whole: ConfigEntry | None = None) -> str:
        """Write all entries or none.

        Raises:
            ConfigPushError: None was written.
        """
        with self._connected() as client:
            transaction = client.pipeline(transaction=True)
            for entry in (*entries, *all_of(whole)):
                transaction.set(entry.key, entry.value.encode())
            transaction.execute()
        return f"pushed {len(entries)} entries to Spin Redis KV at {self.shown_url}"

    def stored(self, keys: tuple[str, ...]) -> Mapping[str, bytes]:
        """Return what the database holds under these keys.

        Raises:
            ConfigPushError: It cannot be read.
        """
        if not keys:
            return {}
        with self._connected() as client:
            values = client.mget(keys)
        # Bytes, since nothing asked redis-py to decode.
        return {
            key: value for key, value in zip(keys, values, strict=True) if isinstance(value, bytes)
        }

    @property
    def shown_url(self) -> str:
        """The URL without its password; ``<url>`` when there is none."""
        return without_password(self.url) if self.url else "<url>"

    @contextmanager
    def _connected(self) -> "Iterator[redis.Redis]":
        try:
            import redis
        except ModuleNotFoundError:
            raise self._refused(
                'redis-py is not installed (pip install "edgezero-spin[redis]")'
            ) from None
        try:
            with redis.Redis.from_url(
                self.url, socket_timeout=_TIMEOUT_S, socket_connect_timeout=_TIMEOUT_S
            ) as client:
                yield client
        except redis.RedisError as error:
            raise self._refused(without_values(str(error), [self.url])) from error
        except ValueError:
            # Its message may quote a part of the URL, and that part may be the password.
            raise self._refused("redis-py cannot read its url") from None

    def _refused(self, reason: str) -> ConfigPushError:
        return ConfigPushError(
            f"cannot use the Redis of label `{self.label}`: {reason}. Set the entries yourself "
            f"with `redis-cli -u {self.shown_url} SET <key> <value>`, or mend it and push again"
        )
