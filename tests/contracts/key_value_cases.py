"""Key-value stores: values, keys, times to live. Source: edgezero.md, KV-1 to KV-30."""

from typing import Any, Final

import attrs

from edgezero_spin.stores import (
    KeyValueSerializationError,
    KeyValueStore,
    KeyValueUnsupportedError,
    KeyValueValidationError,
    Stores,
)
from tests.contracts.case import CaseTable, equal, expect, raises

__all__ = ["CASES"]

CASES: Final = CaseTable()
case = CASES


@attrs.frozen
class Profile:
    """A model as a handler would define it."""

    name: str
    age: int
    tags: list[str] = attrs.Factory(list)
    ratio: float = 1.0
    nick: str | None = None


def main_store(stores: Stores) -> KeyValueStore:
    """Return the default key-value store."""
    if stores.kv is None:
        raise AssertionError("the app has no key-value stores")
    return stores.kv.default


@case("TV-51", "KV-9", "KV-12")
async def numbers_texts_and_containers_round_trip(stores: Stores) -> None:
    """JSON values come back as they were put."""
    kv = main_store(stores)
    values: list[Any] = [42, -1, 2**63, 1.5, "text", "", True, False, None, [], {}, [1, [2]]]
    values += [{"b": 1, "a": [None, {"c": "d"}]}, "ä\u20ac\U0001f600\x00\x7f"]
    for value in values:
        await kv.put("value", value)
        equal(await kv.get("value"), value)


@case("TV-51", "KV-9", "KV-12")
async def models_round_trip(stores: Stores) -> None:
    """An attrs object comes back equal when its class is named."""
    kv = main_store(stores)
    profile = Profile("Zoë", 30, ["a", "b"], 0.1, None)
    await kv.put("profile", profile)
    equal(await kv.get("profile", Profile), profile)
    equal(
        await kv.get_bytes("profile"),
        '{"name":"Zoë","age":30,"tags":["a","b"],"ratio":0.1,"nick":null}'.encode(),
    )


@case("TV-51", "KV-6")
async def unicode_keys_round_trip(stores: Stores) -> None:
    """Keys beyond ASCII are keys like others."""
    kv = main_store(stores)
    for key in ("ключ", "キー/1", "key with blanks", "\U0001f600", "\u00a0"):
        await kv.put(key, key)
        equal(await kv.get(key), key)
        expect(await kv.exists(key), f"{key!r} does not exist")


@case("TV-51", "KV-11", "KV-13")
async def a_mebibyte_round_trips(stores: Stores) -> None:
    """A larger value of all byte values comes back whole."""
    kv = main_store(stores)
    data = bytes(range(256)) * 4096
    await kv.put_bytes("large", data)
    expect(await kv.get_bytes("large") == data, "the bytes differ")


@case("KV-11", "KV-13", "KV-39")
async def bytes_round_trip(stores: Stores) -> None:
    """Raw bytes come back unchanged, empty ones are not missing, buffers are taken."""
    kv = main_store(stores)
    for data in (b"v", b"", b"\x00\xff\xfe", b"not json"):
        await kv.put_bytes("raw", data)
        equal(await kv.get_bytes("raw"), data)
    expect(await kv.exists("raw"), "the key does not exist")
    await kv.put_bytes("raw", b"")
    expect(await kv.exists("raw"), "an empty value does not exist")
    await kv.put_bytes("raw", bytearray(b"array"))
    equal(await kv.get_bytes("raw"), b"array")
    await kv.put_bytes("raw", memoryview(b"a view")[2:])
    equal(await kv.get_bytes("raw"), b"view")


@case("KV-9", "KV-11", "KV-39")
async def missing_keys_are_none(stores: Stores) -> None:
    """A key that nobody wrote reads as None in every form."""
    kv = main_store(stores)
    equal(await kv.get("missing"), None)
    equal(await kv.get("missing", Profile), None)
    equal(await kv.get_bytes("missing"), None)


@case("KV-12", "KV-13", "KV-39")
async def a_write_replaces(stores: Stores) -> None:
    """The second write wins."""
    kv = main_store(stores)
    await kv.put_bytes("key", b"first")
    await kv.put_bytes("key", b"second")
    equal(await kv.get_bytes("key"), b"second")


@case("TV-52", "KV-12")
async def a_key_may_change_its_type(stores: Stores) -> None:
    """What was a number may become a text."""
    kv = main_store(stores)
    await kv.put("key", 1)
    equal(await kv.get("key", int), 1)
    await kv.put("key", "text")
    equal(await kv.get("key", str), "text")
    await raises(kv.get("key", int), KeyValueSerializationError, 500, "expected an integer")


@case("TV-53", "KV-9", "KV-34", kv={"main": {"bad": b"not json", "latin": b'"\xe9"'}})
async def stored_bytes_that_are_not_json(stores: Stores) -> None:
    """They are a serialization error, and still readable as bytes."""
    kv = main_store(stores)
    await raises(kv.get("bad"), KeyValueSerializationError, 500, "serialization error: ")
    await raises(kv.get("latin"), KeyValueSerializationError, 500, "UTF-8")
    await raises(kv.get_or("bad", 1), KeyValueSerializationError, 500)
    equal(await kv.get_bytes("bad"), b"not json")


@case(
    "KV-9",
    kv={
        "main": {
            "nan": b"NaN",
            "bom": b"\xef\xbb\xbf1",
            "trailing": b"1 2",
            "empty": b"",
            "wide": b"1e400",
            "utf16": b"1\x00",
            "deep": b"[" * 129 + b"]" * 129,
            "half": b'"\\ud800"',
            "infinity": b"[-Infinity]",
            "control": b'"\n"',
        }
    },
)
async def json_is_read_strictly(stores: Stores) -> None:
    """What Python's json lets pass and JSON does not is refused."""
    kv = main_store(stores)
    names = "nan bom trailing empty wide utf16 deep half infinity control"
    for name in names.split():
        await raises(kv.get(name), KeyValueSerializationError, 500)


@case(
    "KV-9",
    kv={"main": {"v": b' {"name": "n", "age": 1, "x": 2} \n', "deep": b"[" * 128 + b"]" * 128}},
)
async def json_may_have_blanks_and_more_members(stores: Stores) -> None:
    """Blanks around the value and members that the class lacks are fine."""
    kv = main_store(stores)
    equal(await kv.get("v", Profile), Profile("n", 1))
    expect(await kv.get("deep") is not None, "128 levels were refused")


@case("KV-9", kv={"main": {"v": b'{"name": 1, "tags": ["a", 2]}'}})
async def a_wrong_shape_names_every_place(stores: Stores) -> None:
    """The error lists each misfit with its path."""
    await raises(
        main_store(stores).get("v", Profile),
        KeyValueSerializationError,
        500,
        "@ $.name",
        "required field missing @ $.age",
        "@ $.tags[1]",
    )


@case("TV-54", "KV-10", kv={"main": {"stored": b"7", "null": b"null"}})
async def get_or_takes_the_default_only_when_missing(stores: Stores) -> None:
    """A stored null is a value."""
    kv = main_store(stores)
    equal(await kv.get_or("missing", 5), 5)
    equal(await kv.get_or("stored", 5), 7)
    equal(await kv.get_or("stored", 5, int), 7)
    equal(await kv.get_or("null", 5), None)
    await raises(kv.get_or("null", 5, int), KeyValueSerializationError, 500)


@case("TV-55", "KV-16", "KV-17", "KV-39")
async def delete_and_exists(stores: Stores) -> None:
    """A key exists from its write to its delete, and deleting twice is fine."""
    kv = main_store(stores)
    equal(await kv.exists("key"), False)
    await kv.put("key", 1)
    equal(await kv.exists("key"), True)
    await kv.delete("key")
    equal(await kv.exists("key"), False)
    equal(await kv.get("key"), None)
    await kv.delete("key")
    await kv.delete("never there")


@case("TV-56", "KV-19")
async def read_modify_write_returns_the_new_value(stores: Stores) -> None:
    """It starts from the default when nothing is stored, and writes what it returns."""
    kv = main_store(stores)
    await kv.put("count", 0)
    once: int = await kv.read_modify_write("count", 100, lambda n: n + 1)
    twice = await kv.read_modify_write("count", 100, lambda n: n + 1, int)
    doubled: int = await kv.read_modify_write("new", 10, lambda n: n * 2)
    equal((once, twice, doubled), (1, 2, 20))
    equal(await kv.get("new"), 20)


@case("KV-19", kv={"main": {"count": b"1"}})
async def read_modify_write_writes_nothing_when_the_change_fails(stores: Stores) -> None:
    """The exception passes through and the old value stays."""
    kv = main_store(stores)

    def fail(_: int) -> int:
        raise ZeroDivisionError

    for key in ("count", "new"):
        try:
            await kv.read_modify_write(key, 0, fail)
        except ZeroDivisionError:
            continue
        raise AssertionError("the exception was swallowed")
    equal(await kv.get("count"), 1)
    equal(await kv.exists("new"), False)


@case("TV-57", "KV-6")
async def empty_and_dot_keys_are_refused(stores: Stores) -> None:
    """Exactly one or two dots are refused, longer keys with dots are not."""
    kv = main_store(stores)
    await raises(kv.get(""), KeyValueValidationError, 400, "key cannot be empty")
    await raises(kv.get("."), KeyValueValidationError, 400, "key cannot be exactly")
    await raises(kv.get(".."), KeyValueValidationError, 400, "key cannot be exactly")
    for key in ("...", "a/..", "a", "ab", ".a"):
        await kv.put(key, 1)
        equal(await kv.get(key), 1)


@case("TV-58", "KV-1", "GEN-2")
async def keys_have_at_most_512_bytes(stores: Stores) -> None:
    """Bytes count, not characters."""
    kv = main_store(stores)
    text = "key length 513 exceeds limit of 512 bytes"
    await raises(kv.get("k" * 513), KeyValueValidationError, 400, text)
    await raises(kv.get("あ" * 171), KeyValueValidationError, 400, text)
    for key in ("k" * 512, "あ" * 170 + "kk"):
        await kv.put(key, 1)
        equal(await kv.get(key), 1)


@case("TV-59", "KV-6", "GEN-3")
async def control_characters_in_keys_are_refused(stores: Stores) -> None:
    """Those of C0 and C1; other characters that do not print are allowed."""
    kv = main_store(stores)
    for character in "\n\x00\x1f\x7f\x80\x85\x9f":
        await raises(
            kv.get(f"bad{character}key"),
            KeyValueValidationError,
            400,
            "key contains invalid control characters",
        )
    for character in " \u00a0\u00ad\u200b\u2028\ue000":
        await kv.put(f"good{character}key", 1)
        equal(await kv.get(f"good{character}key"), 1)


@case("KV-6")
async def key_rules_apply_in_order(stores: Stores) -> None:
    """Length comes before control characters."""
    kv = main_store(stores)
    await raises(kv.get("\n" * 513), KeyValueValidationError, 400, "key length 513")


@case("KV-6")
async def half_a_surrogate_pair_is_no_key(stores: Stores) -> None:
    """It has no UTF-8 form, so it is refused like other bad text instead of failing below."""
    kv = main_store(stores)
    await raises(kv.get("\ud800"), KeyValueValidationError, 400, "not valid Unicode")
    await raises(kv.put("key", "\udfff"), KeyValueSerializationError, 500)
    await raises(kv.list_keys_page("\ud800"), KeyValueValidationError, 400, "not valid Unicode")


@case("KV-6", "KV-9", "KV-19")
async def every_method_checks_its_key(stores: Stores) -> None:
    """No method reaches the host with a bad key."""
    kv = main_store(stores)
    for outcome in (
        kv.get(""),
        kv.get_or("", 1),
        kv.get_bytes(""),
        kv.put("", 1),
        kv.put_bytes("", b""),
        kv.put_with_ttl("", 1, 60),
        kv.put_bytes_with_ttl("", b"", 60),
        kv.delete(""),
        kv.exists(""),
        kv.read_modify_write("", 1, lambda n: n),
    ):
        await raises(outcome, KeyValueValidationError, 400, "key cannot be empty")


@case("TV-62", "KV-2")
async def values_over_25_mib_are_refused(stores: Stores) -> None:
    """The size of the JSON text counts for typed values. Nothing is written."""
    kv = main_store(stores)
    text = "value size 26214401 exceeds limit of 26214400 bytes"
    await raises(kv.put_bytes("k", bytes(26214401)), KeyValueValidationError, 400, text)
    await raises(kv.put("k", "x" * 26214399), KeyValueValidationError, 400, text)
    equal(await kv.exists("k"), False)


@case("TV-62", "KV-2", heavy=True)
async def values_of_25_mib_are_kept(stores: Stores) -> None:
    """The limit itself is allowed."""
    kv = main_store(stores)
    await kv.put_bytes("k", bytes(26214400))
    data = await kv.get_bytes("k")
    equal(None if data is None else len(data), 26214400, "the length")


@case("KV-12")
async def the_key_is_checked_before_the_value(stores: Stores) -> None:
    """A bad key wins over a value that has no JSON form; the value comes before the size."""
    kv = main_store(stores)
    await raises(kv.put("", object()), KeyValueValidationError, 400, "key cannot be empty")
    await raises(kv.put("k", object()), KeyValueSerializationError, 500, "no JSON form")
    equal(await kv.exists("k"), False)


@case("TV-63", "KV-3")
async def times_to_live_have_bounds(stores: Stores) -> None:
    """From one minute to one year; inside them Spin still cannot do it."""
    kv = main_store(stores)
    short = "less than minimum of at least 60 seconds"
    long = "exceeds maximum of 1 year"
    for ttl_s, text in ((10, short), (59.9, short), (0, short), (float("nan"), short)):
        await raises(kv.put_with_ttl("k", 1, ttl_s), KeyValueValidationError, 400, text)
    for ttl_s, text in ((31536001, long), (float("inf"), long)):
        await raises(kv.put_with_ttl("k", 1, ttl_s), KeyValueValidationError, 400, text)
    for ttl_s in (60, 31536000):
        await raises(kv.put_with_ttl("k", 1, ttl_s), KeyValueUnsupportedError, 501)


@case("TV-64", "KV-29", "KV-36")
async def writes_that_expire_are_not_supported(stores: Stores) -> None:
    """Both say the same operation and write nothing."""
    kv = main_store(stores)
    text = "kv operation not supported by backend: put_bytes_with_ttl"
    await raises(kv.put_with_ttl("k", 1, 60), KeyValueUnsupportedError, 501, text)
    await raises(kv.put_bytes_with_ttl("k", b"v", 60), KeyValueUnsupportedError, 501, text)
    await raises(kv.put_bytes_with_ttl("k", b"v", 10), KeyValueValidationError, 400)
    equal(await kv.exists("k"), False)


@case("TV-65", "KV-14", "KV-15")
async def rules_for_expiring_writes_apply_in_order(stores: Stores) -> None:
    """First the key, then the time, then the value and its size."""
    kv = main_store(stores)
    large = bytes(26214401)
    await raises(kv.put_bytes_with_ttl("", b"", 10), KeyValueValidationError, 400, "key cannot")
    await raises(kv.put_bytes_with_ttl("k", large, 10), KeyValueValidationError, 400, "minimum")
    await raises(kv.put_bytes_with_ttl("k", large, 60), KeyValueValidationError, 400, "value size")
    await raises(kv.put_with_ttl("", object(), 10), KeyValueValidationError, 400, "key cannot")
    await raises(kv.put_with_ttl("k", object(), 10), KeyValueValidationError, 400, "minimum")
    await raises(kv.put_with_ttl("k", object(), 60), KeyValueSerializationError, 500)


@case("GEN-5", "GEN-7", "KV-12")
async def json_is_written_compactly_and_sorted(stores: Stores) -> None:
    """The stored text is the same wherever it is written."""
    kv = main_store(stores)
    for value, text in (
        ({"b": 1, "a": {"z": 1, "é": 2, "Z": 3}}, '{"a":{"Z":3,"z":1,"é":2},"b":1}'),
        ('/"\\\x08\x0c\n\r\t\x01\x1f\x7fé', '"/\\"\\\\\\b\\f\\n\\r\\t\\u0001\\u001f\x7fé"'),
        ([float("nan"), float("inf"), -float("inf")], "[null,null,null]"),
        (
            [1.0, -0.0, 100.0, 1e15, 1e16, 1.5e16],
            "[1.0,-0.0,100.0,1000000000000000.0,1e+16,1.5e+16]",
        ),
        ([1e-5, 1.5e-5, 1e-6, -1.5e-7, 5e-324], "[0.00001,0.000015,1e-6,-1.5e-7,5e-324]"),
    ):
        await kv.put("k", value)
        equal(await kv.get_bytes("k"), text.encode())


@case("KV-20", "KV-28")
async def stores_share_their_contents_by_label_only(stores: Stores) -> None:
    """Two names for one store see the same; two labels do not."""
    if stores.kv is None:
        raise AssertionError("the app has no key-value stores")
    await stores.kv["main"].put("key", "main")
    equal(await stores.kv.default.get("key"), "main")
    equal(await stores.kv["other"].get("key"), None)
    await stores.kv["other"].put("key", "other")
    equal(await stores.kv["main"].get("key"), "main")
