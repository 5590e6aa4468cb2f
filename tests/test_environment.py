"""The environment layer against the clauses ENV-1 to ENV-18, and against a naive model."""

import unicodedata
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgezero_spin.environment import EnvironmentLayer, ascii_lower, has_control

NAME = "EDGEZERO__STORES__KV__SESSIONS__NAME"
CAP = "EDGEZERO__STORES__KV__SESSIONS__MAX_LIST_KEYS"


def layer(*pairs: tuple[str, str], **variables: str) -> EnvironmentLayer:
    """Make a layer of some variables."""
    return EnvironmentLayer.from_mapping(dict(pairs) | variables)


def test_paths_are_looked_up_without_regard_to_case() -> None:
    """A name is found by its segments, and a store without one is its id."""  # TV-1
    env = layer((NAME, "prod-sessions"))
    assert env.store_name("kv", "sessions") == "prod-sessions"
    assert env.store_name("KV", "Sessions") == "prod-sessions"
    assert env.get("STORES", "KV", "Sessions", "NAME") == "prod-sessions"
    assert env.store_name("kv", "cache") == "cache"
    assert env.store_name("config", "sessions") == "sessions"


@pytest.mark.parametrize(
    "value", ["", "   \t  ", "\u2003\u00a0", "prod\nname", "prod\0name", "a\x85"]
)
def test_unusable_names_fall_back_to_the_id(value: str) -> None:
    """Blank names and names with control characters count as unset."""  # TV-2, ENV-15
    env = layer((NAME, value))
    assert env.store_name("kv", "sessions") == "sessions"
    assert env.store_setting("kv", "sessions", "name") == value  # ENV-14: no filter


@pytest.mark.parametrize("value", ["prod-app_v2.sessions", " x ", "\u00adsoft", "ключ"])
def test_usable_names_are_taken_verbatim(value: str) -> None:
    """Nothing is trimmed or unquoted."""  # TV-3, ENV-5
    assert layer((NAME, value)).store_name("kv", "sessions") == value


def test_a_store_key_has_the_same_filter_as_its_name() -> None:
    """The key of a one-entry store falls back to the id."""  # ENV-16
    name = "EDGEZERO__STORES__CONFIG__APP__KEY"
    assert layer((name, "v2")).store_key("config", "app") == "v2"
    assert layer((name, "\t")).store_key("config", "app") == "app"
    assert layer().store_key("config", "app") == "app"


def test_accessors_return_raw_text() -> None:
    """Numbers are not parsed and an unknown setting is None."""  # TV-4, ENV-10 to ENV-14
    env = layer(
        (CAP, "500"),
        EDGEZERO__ADAPTER__HOST="0.0.0.0",
        EDGEZERO__ADAPTER__PORT="9000",
        EDGEZERO__LOGGING__LEVEL="debug",
        EDGEZERO__LOGGING__ENDPOINT=" x ",
    )
    assert env.store_setting("kv", "sessions", "MAX_list_keys") == "500"
    assert env.store_setting("kv", "sessions", "ttl") is None
    assert env.adapter_host() == "0.0.0.0"
    assert env.adapter_port() == "9000"
    assert env.logging_level() == "debug"
    assert env.logging_endpoint() == " x "
    empty = layer()
    assert empty.adapter_host() is None
    assert empty.adapter_port() is None
    assert empty.logging_level() is None
    assert empty.logging_endpoint() is None


def test_other_names_are_not_read() -> None:
    """The prefix is exact, case included."""  # TV-5, ENV-1
    env = layer(
        PATH="/bin",
        EDGEZERO_HOST="no",
        edgezero__adapter__port="1",
        EDGEZERO__ADAPTER__HOST="kept",
    )
    assert env.adapter_host() == "kept"
    assert env.adapter_port() is None
    assert env.get("host") is None


def test_names_with_an_empty_segment_are_ignored() -> None:
    """A trailing separator or four underscores make a name none of ours."""  # TV-6, ENV-3
    env = layer(
        EDGEZERO__="bare",
        EDGEZERO__ADAPTER__="trailing",
        EDGEZERO__ADAPTER____PORT="doubled",
        EDGEZERO__ADAPTER__HOST="good",
    )
    assert env.adapter_host() == "good"
    assert env.adapter_port() is None
    assert env.get("adapter") is None  # ENV-6: no prefix lookup
    assert env.get() is None


def test_three_underscores_belong_to_the_segment_after_them() -> None:
    """Splitting goes from left to right, so the halves are not interchangeable."""  # ENV-2
    env = layer(EDGEZERO__A___B="v")
    assert env.get("a", "_b") == "v"
    assert env.get("a_", "b") is None
    assert env.get("a___b") is None


def test_the_last_of_two_equal_paths_wins() -> None:
    """Names that differ in case only are one path."""  # ENV-4
    assert layer(EDGEZERO__A="1", EDGEZERO__a="2").get("a") == "2"
    assert layer(EDGEZERO__a="2", EDGEZERO__A="1").get("a") == "1"


def test_only_ascii_letters_are_folded() -> None:
    """Other letters keep their case."""  # GEN-4
    assert layer(EDGEZERO__É="v").get("é") is None
    assert layer(EDGEZERO__ÉA="v").get("Éa") == "v"
    assert layer(EDGEZERO__I="v").get("\u0131") is None
    assert ascii_lower("ÀBC-\u212a") == "Àbc-\u212a"  # the Kelvin sign lowers to k elsewhere


def test_an_id_with_a_dash_needs_a_variable_with_a_dash() -> None:
    """Nothing is translated."""  # ENV-21
    assert layer(("EDGEZERO__STORES__KV__A-B__NAME", "v")).store_name("kv", "a-b") == "v"
    assert layer(EDGEZERO__STORES__KV__A_B__NAME="v").store_name("kv", "a-b") == "a-b"


@pytest.mark.parametrize(
    "value",
    [
        "",
        "abc",
        "-5",
        " 500",
        "500 ",
        "1_000",
        "4294967296",
        "+",
        "++1",
        "٣",
        "1e3",
        "0x10",
        "9" * 5000,
    ],
)
def test_a_cap_that_is_no_unsigned_number_is_the_default(value: str) -> None:
    """Also what Python's int() would take, and what overflows."""  # TV-7, ENV-17
    assert layer((CAP, value)).max_list_keys("sessions") == 1000


@pytest.mark.parametrize(
    ("value", "cap"),
    [("500", 500), ("+7", 7), ("007", 7), ("0", 0), ("+0", 0), ("4294967295", 4294967295)],
)
def test_a_cap_is_read(value: str, cap: int) -> None:
    """Plus signs and leading zeros are fine, 0 turns the cap off."""  # TV-8, ENV-18
    assert layer((CAP, value)).max_list_keys("sessions") == cap


def test_a_cap_of_5000_zeros_is_zero() -> None:
    """The length of a text is no reason to refuse it."""  # ENV-17
    assert layer((CAP, "0" * 5000)).max_list_keys("Sessions") == 0


def test_an_unset_cap_is_the_default() -> None:
    """With other variables around, and with none."""  # TV-7
    assert layer().max_list_keys("sessions") == 1000
    assert layer((NAME, "x")).max_list_keys("sessions") == 1000


def test_control_characters_are_those_of_category_cc() -> None:
    """Others that do not print (soft hyphen, surrogates, private use) are none."""  # GEN-3
    for character in map(chr, [*range(0x3000), 0xD800, 0xE000, 0xFEFF, 0xFFFF, 0xE0001, 0x10FFFF]):
        assert has_control(f"a{character}") == (unicodedata.category(character) == "Cc")


def naive(environ: Mapping[str, str], path: list[str]) -> str | None:
    """Look a path up by the words of ENV-1 to ENV-6, one character at a time."""

    def fold(text: str) -> str:
        return "".join(chr(ord(c) + 32) if "A" <= c <= "Z" else c for c in text)

    found = None
    for name, value in environ.items():
        if name[:10] != "EDGEZERO__":
            continue
        segments, rest = [""], name[10:]
        while rest:
            if rest[:2] == "__":
                segments.append("")
                rest = rest[2:]
            else:
                segments[-1] += rest[0]
                rest = rest[1:]
        if all(segments) and [fold(s) for s in segments] == [fold(s) for s in path]:
            found = value
    return found


TEXT = st.text("aAbB_é-", max_size=6)
PREFIXES = st.sampled_from(["EDGEZERO__", "EDGEZERO__A__", "EDGEZERO_", "edgezero__", ""])
NAMES = st.builds(str.__add__, PREFIXES, TEXT)


@given(st.dictionaries(NAMES, st.text(max_size=3), max_size=8), st.lists(TEXT, max_size=3))
def test_lookup_agrees_with_the_naive_model(environ: dict[str, str], path: list[str]) -> None:
    """Any mapping and any path, present or not."""  # ENV-1 to ENV-6
    env = EnvironmentLayer.from_mapping(environ)
    assert env.get(*path) == naive(environ, path)
    for name in environ:
        segments = name[10:].split("__")
        assert env.get(*segments) == naive(environ, segments)
