"""Key-value stores: listing by prefix, pages, cursors, the cap. Source: KV-18 to KV-27."""

from typing import Final

from edgezero_spin.stores import KeyValueLimitError, KeyValueStore, KeyValueValidationError, Stores
from tests.contracts.case import CaseTable, equal, expect, raises
from tests.contracts.key_value_cases import main_store

__all__ = ["CASES"]

CASES: Final = CaseTable()
case = CASES

CAP: Final = "EDGEZERO__STORES__KV__MAIN__MAX_LIST_KEYS"


def keys(*names: str) -> dict[str, dict[str, bytes]]:
    """Return the precondition that the main store holds these keys."""
    return {"main": dict.fromkeys(names, b"1")}


async def all_pages(kv: KeyValueStore, prefix: str, limit: int) -> list[list[str]]:
    """Return the keys of every page, following the cursors."""
    pages = []
    cursor = None
    for _ in range(100):
        page = await kv.list_keys_page(prefix, cursor, limit)
        pages.append(page.keys)
        cursor = page.cursor
        if cursor is None:
            return pages
    raise AssertionError("the listing does not end")


async def all_keys(kv: KeyValueStore, prefix: str = "") -> list[str]:
    """Return what the iterator over keys yields."""
    return [key async for key in kv.iter_keys(prefix)]


@case("TV-71", "KV-23", kv=keys("b", "a", "c"))
async def a_listing_is_sorted(stores: Stores) -> None:
    """All keys come in order and without a cursor when they fit."""
    kv = main_store(stores)
    page = await kv.list_keys_page()
    equal(page.keys, ["a", "b", "c"])
    equal(page.cursor, None)
    equal(await all_keys(kv), ["a", "b", "c"])


@case("TV-71", "KV-23", kv=keys("user:42", "post:1", "user:1"))
async def a_listing_is_filtered_by_prefix(stores: Stores) -> None:
    """Only keys that start with the prefix, in order."""
    kv = main_store(stores)
    page = await kv.list_keys_page("user:")
    equal(page.keys, ["user:1", "user:42"])
    equal(page.cursor, None)
    equal(await all_keys(kv, "user:"), ["user:1", "user:42"])
    equal((await kv.list_keys_page("User:")).keys, [])
    equal((await kv.list_keys_page("ser:")).keys, [])


@case("KV-23", "KV-26")
async def an_empty_store_has_one_empty_page(stores: Stores) -> None:
    """No keys, no cursor."""
    kv = main_store(stores)
    page = await kv.list_keys_page()
    equal(page.keys, [])
    equal(page.cursor, None)
    equal(await all_keys(kv), [])


@case("TV-72", "KV-25", "KV-21", kv=keys("d", "b", "c", "a"))
async def pages_continue_at_their_cursor(stores: Stores) -> None:
    """A full page has a cursor exactly when keys remain."""
    kv = main_store(stores)
    first = await kv.list_keys_page("", None, 2)
    equal(first.keys, ["a", "b"])
    equal(first.cursor, '{"cursor":"b","prefix":""}')
    second = await kv.list_keys_page("", first.cursor, 2)
    equal(second.keys, ["c", "d"])
    equal(second.cursor, None)
    equal(await all_pages(kv, "", 3), [["a", "b", "c"], ["d"]])
    equal(await all_pages(kv, "", 1), [["a"], ["b"], ["c"], ["d"]])
    equal(await all_pages(kv, "", 4), [["a", "b", "c", "d"]])


@case("TV-69", "KV-21", kv=keys("a/1", "a/2", "a/3", "b"))
async def the_cursor_is_an_exact_text(stores: Stores) -> None:
    """Key first, then prefix, without blanks."""
    page = await main_store(stores).list_keys_page("a/", limit=2)
    equal(page.cursor, '{"cursor":"a/2","prefix":"a/"}')


@case("KV-21", "KV-22", kv=keys('q"é\\1', 'q"é\\2'))
async def cursors_hold_any_key(stores: Stores) -> None:
    """Quotes and letters beyond ASCII survive the envelope."""
    kv = main_store(stores)
    page = await kv.list_keys_page('q"', limit=1)
    equal(page.cursor, '{"cursor":"q\\"é\\\\1","prefix":"q\\""}')
    equal((await kv.list_keys_page('q"', page.cursor)).keys, ['q"é\\2'])


@case("TV-66", "KV-22")
async def a_cursor_that_is_none_is_refused(stores: Stores) -> None:
    """Text, other JSON, missing or wrong members are all corrupted."""
    kv = main_store(stores)
    for cursor in (
        "not-a-cursor",
        "",
        "null",
        "[]",
        '"a"',
        "{}",
        '{"cursor":"a"}',
        '{"prefix":""}',
        '{"cursor":1,"prefix":""}',
        '{"cursor":"a","prefix":null}',
        '{"cursor":"a","prefix":""} x',
        '{"cursor":"\\ud800","prefix":""}',
    ):
        await raises(
            kv.list_keys_page("", cursor),
            KeyValueValidationError,
            400,
            "list cursor is invalid or corrupted",
        )


@case("TV-67", "TV-68", "KV-22")
async def a_cursor_belongs_to_its_prefix(stores: Stores) -> None:
    """Another prefix is refused before an empty key is."""
    kv = main_store(stores)
    other = '{"cursor":"","prefix":"a/"}'
    text = "list cursor does not match the requested prefix"
    await raises(kv.list_keys_page("b/", other), KeyValueValidationError, 400, text)
    text = "list cursor payload cannot be empty"
    await raises(kv.list_keys_page("a/", other), KeyValueValidationError, 400, text)


@case("KV-22", kv=keys("a", "b", "c"))
async def a_cursor_need_not_name_a_key(stores: Stores) -> None:
    """The key may be gone, and members that we do not know are ignored."""
    kv = main_store(stores)
    cursor = '{ "x": 1, "prefix": "", "cursor": "aa" }'
    equal((await kv.list_keys_page("", cursor)).keys, ["b", "c"])


@case("TV-77", "KV-26", kv=keys("a", "b"))
async def a_cursor_past_the_end_gives_an_empty_page(stores: Stores) -> None:
    """And no further cursor."""
    page = await main_store(stores).list_keys_page("", '{"cursor":"zzz","prefix":""}')
    equal(page.keys, [])
    equal(page.cursor, None)


@case("TV-61", "KV-4", kv=keys("a", "b"))
async def limits_have_bounds(stores: Stores) -> None:
    """From 1 to 1000."""
    kv = main_store(stores)
    low = "list limit must be greater than zero"
    await raises(kv.list_keys_page(limit=0), KeyValueValidationError, 400, low)
    await raises(kv.list_keys_page(limit=-1), KeyValueValidationError, 400, low)
    high = "list limit 1001 exceeds maximum of 1000"
    await raises(kv.list_keys_page(limit=1001), KeyValueValidationError, 400, high)
    equal((await kv.list_keys_page(limit=1)).keys, ["a"])
    equal((await kv.list_keys_page(limit=1000)).keys, ["a", "b"])


@case("TV-60", "KV-5", "KV-7", kv=keys(".a", "..b", "c"))
async def prefixes_have_rules(stores: Stores) -> None:
    """Length and control characters; dots and nothing at all are fine."""
    kv = main_store(stores)
    control = "prefix contains invalid control characters"
    await raises(kv.list_keys_page("bad\n"), KeyValueValidationError, 400, control)
    length = "prefix length 513 exceeds limit of 512 bytes"
    await raises(kv.list_keys_page("p" * 513), KeyValueValidationError, 400, length)
    await raises(kv.list_keys_page("\n" * 513), KeyValueValidationError, 400, length)
    await raises(kv.list_keys_page("あ" * 171), KeyValueValidationError, 400, length)
    equal((await kv.list_keys_page("p" * 512)).keys, [])
    equal((await kv.list_keys_page(".")).keys, ["..b", ".a"])
    equal((await kv.list_keys_page("..")).keys, ["..b"])
    equal((await kv.list_keys_page("")).keys, ["..b", ".a", "c"])


@case("TV-70", "KV-18")
async def listing_rules_apply_in_order(stores: Stores) -> None:
    """First the prefix, then the limit, then the cursor."""
    kv = main_store(stores)
    await raises(kv.list_keys_page("\n", "bad", 0), KeyValueValidationError, 400, "prefix")
    await raises(kv.list_keys_page("", "bad", 0), KeyValueValidationError, 400, "list limit")
    await raises(kv.list_keys_page("", "bad", 1), KeyValueValidationError, 400, "list cursor")


@case("TV-73", "KV-24", "KV-37", kv=keys("a", "b", "c", "d"), environment={CAP: "2"})
async def a_listing_beyond_the_cap_is_refused(stores: Stores) -> None:
    """However small the page."""
    kv = main_store(stores)
    # How many there are is told as far as they were looked at: a stream of keys ends early.
    texts = (' keys match prefix ""', "max_list_keys=2", "kv backend limit exceeded: ")
    await raises(kv.list_keys_page(), KeyValueLimitError, 503, *texts)
    await raises(kv.list_keys_page(limit=1), KeyValueLimitError, 503, *texts)
    error = await raises(all_keys(kv), KeyValueLimitError, 503, *texts)
    counts = (3, 4) if kv._awaits else (4,)
    expect(any(f": {count} keys" in str(error) for count in counts), f"{error} counts otherwise")


@case("TV-74", "KV-24", "ENV-18", kv=keys("a", "b", "c"), environment={CAP: "0"})
async def a_cap_of_zero_is_none(stores: Stores) -> None:
    """Every key may be listed."""
    equal((await main_store(stores).list_keys_page()).keys, ["a", "b", "c"])


@case(
    "TV-75",
    "KV-24",
    kv=keys("user:1", "user:2", "user:3", "post:1", "post:2"),
    environment={CAP: "2"},
)
async def the_cap_counts_matching_keys_only(stores: Stores) -> None:
    """As many as the cap pass, one more does not."""
    kv = main_store(stores)
    equal((await kv.list_keys_page("post:")).keys, ["post:1", "post:2"])
    equal(await all_keys(kv, "post:"), ["post:1", "post:2"])
    text = '3 keys match prefix "user:"'
    await raises(kv.list_keys_page("user:"), KeyValueLimitError, 503, text)


@case("TV-76", "KV-24", kv=keys("a", "b", "c", "d", "e"), environment={CAP: "4"})
async def a_cursor_does_not_help_against_the_cap(stores: Stores) -> None:
    """The cap counts all matching keys, also those before the cursor."""
    cursor = '{"cursor":"d","prefix":""}'
    await raises(main_store(stores).list_keys_page("", cursor), KeyValueLimitError, 503, "5 keys")


@case("KV-24", "ENV-17", kv={"main": {f"key {i:04}": b"" for i in range(1001)}})
async def the_cap_is_1000_unless_set(stores: Stores) -> None:
    """A thousand and one keys are too many, a thousand are not."""
    kv = main_store(stores)
    text = "1001 keys match"
    await raises(kv.list_keys_page(limit=1), KeyValueLimitError, 503, text, "max_list_keys=1000")
    await kv.delete("key 0500")
    page = await kv.list_keys_page()
    equal(len(page.keys), 1000)
    equal(page.cursor, None)


@case("ENV-17", kv=keys("a", "b", "c"), environment={CAP: "+1_000"})
async def a_cap_that_is_no_number_counts_as_unset(stores: Stores) -> None:
    """The default applies without a word."""
    equal((await main_store(stores).list_keys_page()).keys, ["a", "b", "c"])


@case("TV-78", "KV-23", "GEN-6", kv=keys("\U00010000", "\ufffd", "é", "a", "Z"))
async def keys_are_ordered_by_their_bytes(stores: Stores) -> None:
    """Upper case before lower, and a character beyond the basic plane last."""
    kv = main_store(stores)
    equal(await all_keys(kv), ["Z", "a", "é", "\ufffd", "\U00010000"])
    equal(await all_pages(kv, "", 2), [["Z", "a"], ["é", "\ufffd"], ["\U00010000"]])


@case("KV-27", kv=keys("a", "b", "c", "d"))
async def a_listing_is_no_snapshot(stores: Stores) -> None:
    """Keys may come and go between pages, and no page repeats one."""
    kv = main_store(stores)
    first = await kv.list_keys_page(limit=2)
    await kv.delete("b")
    await kv.delete("c")
    await kv.put("aa", 1)
    await kv.put("e", 1)
    second = await kv.list_keys_page("", first.cursor, 2)
    equal(second.keys, ["d", "e"])
    equal(second.cursor, None)


@case("KV-39", kv=keys("app/one", "app/two", "other/three"))
async def pages_of_one_cover_everything_once(stores: Stores) -> None:
    """The smallest page that there is."""
    kv = main_store(stores)
    equal(await all_pages(kv, "", 1), [["app/one"], ["app/two"], ["other/three"]])
    equal(await all_pages(kv, "app/", 1), [["app/one"], ["app/two"]])
