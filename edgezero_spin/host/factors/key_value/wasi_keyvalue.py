"""``wasi:keyvalue@0.2.0-draft2``: the same stores as ``fermyon:spin/key-value``.

A bucket is a store under another name, with batches and atomic operations on top. Which
backend serves a label, what a component may open and how large a result may be is the same.

Source: contract spin-host.md, KV-20 to KV-27.
"""

from contextlib import closing
from typing import Any

import attrs

from edgezero_spin.host.factors.bounds import claim, release, size_of
from edgezero_spin.host.factors.instance import InstanceState
from edgezero_spin.host.factors.key_value import interface as key_value
from edgezero_spin.host.factors.key_value.batches import with_batches
from edgezero_spin.host.factors.key_value.interface import KEY_VALUE, StoreResource, calling, other
from edgezero_spin.host.runtime.interface import Interface, WitError
from edgezero_spin.stores.backend import BackendError

__all__ = ["INTERFACES", "Bucket", "Cas"]

_VERSION = "@0.2.0-draft2"
_CAS = "wasi:keyvalue cas"


class Bucket(StoreResource):
    """One open handle."""


@attrs.define(eq=False)
class Cas:
    """An attempt to replace the value of one key.

    Attributes:
        seen: The value that ``current`` returned last; ``None`` when there was none, or
            when nobody asked.
    """

    bucket: Bucket
    key: str
    seen: bytes | None = None

    def drop(self, state: InstanceState) -> None:
        """Make room for another handle."""
        release(state, _CAS)


def _open(state: InstanceState, identifier: str) -> Bucket:
    try:
        store: StoreResource = KEY_VALUE.functions["[static]store.open"](state, identifier)
    except WitError as error:
        if error.payload == ("store-table-full", None):
            raise other("store table full") from None
        raise
    return Bucket(store.backend)


def _list_keys(state: InstanceState, bucket: Bucket, cursor: str | None) -> dict[str, Any]:
    if cursor is not None:
        raise other("list_keys: cursor not supported")
    keys = KEY_VALUE.functions["[method]store.get-keys"](state, bucket)
    return {"keys": keys, "cursor": None}


def _get_many(
    state: InstanceState, bucket: Bucket, keys: list[str]
) -> list[tuple[str, bytes | None]]:
    found: list[tuple[str, bytes | None]] = []
    if not keys:
        return found
    size = 0
    try:
        with closing(with_batches(bucket.backend).get_many(keys)) as entries:
            for key, value in entries:
                size += size_of(key) + size_of(value)
                if size > key_value.MAX_RESULT_BYTES:
                    raise key_value.too_large()
                found.append((key, value))
    except BackendError as error:
        raise other(error.message) from error
    return found


_set_all, _delete_all = calling("set_many", with_batches), calling("delete_many", with_batches)


def _set_many(state: InstanceState, bucket: Bucket, entries: list[tuple[str, bytes]]) -> None:
    if entries:
        _set_all(state, bucket, entries)


def _delete_many(state: InstanceState, bucket: Bucket, keys: list[str]) -> None:
    if keys:
        _delete_all(state, bucket, keys)


def _new_cas(state: InstanceState, bucket: Bucket, key: str) -> Cas:
    if not claim(state, _CAS):
        raise other("too many compare_and_swaps opened")
    return Cas(bucket, key)


def _current(state: InstanceState, cas: Cas) -> bytes | None:
    value: bytes | None = KEY_VALUE.functions["[method]store.get"](state, cas.bucket, cas.key)
    cas.seen = value
    return value


def _swap(state: InstanceState, cas: Cas, value: bytes) -> None:
    """Replace the value; the handle is used up either way."""
    cas.drop(state)
    bucket, key, seen = cas.bucket, cas.key, cas.seen
    try:
        if seen is None:
            bucket.backend.set(key, value)
            return
        if with_batches(bucket.backend).compare_and_set(key, seen, value):
            return
    except BackendError as error:
        raise WitError(("store-error", ("other", error.message))) from error
    try:
        again = _new_cas(state, bucket, key)
        try:
            _current(state, again)
        except BaseException:
            again.drop(state)
            raise
    except WitError as error:
        raise WitError(("store-error", error.payload)) from error
    raise WitError(("cas-failed", again))


INTERFACES = (
    Interface(
        f"wasi:keyvalue/store{_VERSION}",
        {
            "open": _open,
            "[method]bucket.get": KEY_VALUE.functions["[method]store.get"],
            "[method]bucket.set": KEY_VALUE.functions["[method]store.set"],
            "[method]bucket.delete": KEY_VALUE.functions["[method]store.delete"],
            "[method]bucket.exists": KEY_VALUE.functions["[method]store.exists"],
            "[method]bucket.list-keys": _list_keys,
        },
        {"bucket": Bucket},
    ),
    Interface(
        f"wasi:keyvalue/batch{_VERSION}",
        {"get-many": _get_many, "set-many": _set_many, "delete-many": _delete_many},
        {"bucket": Bucket},
    ),
    Interface(
        f"wasi:keyvalue/atomics{_VERSION}",
        {
            "[static]cas.new": _new_cas,
            "[method]cas.current": _current,
            "increment": calling("increment", with_batches),
            "swap": _swap,
        },
        {"bucket": Bucket, "cas": Cas},
    ),
)
"""``store``, ``batch`` and ``atomics``; ``watcher`` has no host side."""
