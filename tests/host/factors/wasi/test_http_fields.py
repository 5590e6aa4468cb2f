"""Header fields: names, values, mutability and size (HTTP-3 to HTTP-9)."""

from typing import Any

import pytest

from edgezero_spin.host.errors import Trap
from edgezero_spin.host.exchange.fields import FORBIDDEN
from edgezero_spin.host.factors.wasi.http import fields as http_fields
from edgezero_spin.host.factors.wasi.http.fields import Fields
from edgezero_spin.host.runtime.interface import WitError
from tests.host.support import call, error_of, instance_state

STATE = instance_state()
METHOD = "wasi:http/types [method]fields."


def of(*entries: tuple[str, bytes]) -> Fields:
    """Fields as a guest makes them."""
    made: Fields = call(STATE, "wasi:http/types [static]fields.from-list", list(entries))
    return made


def test_names_are_lower_case_and_order_is_kept() -> None:
    """The values of one name stand together, in their order, where its first is (HTTP-8)."""
    fields = of(("X-A", b"1"), ("b", b"2"), ("x-a", b"3"))
    call(STATE, METHOD + "append", fields, "X-a", b"4")
    call(STATE, METHOD + "append", fields, "c", b"5")
    call(STATE, METHOD + "append", fields, "b", b"6")
    together = [("x-a", b"1"), ("x-a", b"3"), ("x-a", b"4"), ("b", b"2"), ("b", b"6"), ("c", b"5")]
    assert call(STATE, METHOD + "entries", fields) == together
    assert call(STATE, METHOD + "get", fields, "X-a") == [b"1", b"3", b"4"]


@pytest.mark.parametrize("name", ["", "a b", "a:", "ä", "a\r\n", "a" * 200_000])
def test_what_is_no_name_is_not_there(name: str) -> None:
    """Looking for a malformed name finds nothing; storing one is a syntax error (HTTP-6)."""
    fields = of(("a", b"1"))
    assert call(STATE, METHOD + "get", fields, name) == []
    assert call(STATE, METHOD + "has", fields, name) is False
    for function, rest in (("append", (b"1",)), ("set", ([b"1"],)), ("delete", ())):
        assert error_of(STATE, METHOD + function, fields, name, *rest) == ("invalid-syntax", None)


@pytest.mark.parametrize("name", sorted(FORBIDDEN))
def test_the_hosts_own_names_are_forbidden(name: str) -> None:
    """Each of the nine names is refused in any case, on every way in (HTTP-3, HTTP-4)."""
    forbidden = ("forbidden", None)
    fields = of()
    assert error_of(STATE, METHOD + "append", fields, name.upper(), b"x") == forbidden
    assert error_of(STATE, METHOD + "set", fields, name, []) == forbidden
    with pytest.raises(WitError) as caught:
        of((name, b"x"))
    assert caught.value.payload == forbidden


def test_te_is_allowed() -> None:
    """Newer engines let a guest set ``te`` (HTTP-3)."""
    assert of(("te", b"trailers")).has("TE")


@pytest.mark.parametrize("value", [b"a\r\nb", b"\0", b"\x7f", b"a\nb"])
def test_values_cannot_smuggle(value: bytes) -> None:
    """Control characters in a value are a syntax error; other bytes are not (HTTP-4)."""
    fields = of(("ok", b"\xff\xe4 \tx"), ("empty", b""))
    for function, argument in (("append", value), ("set", [b"fine", value])):
        payload: Any = error_of(STATE, METHOD + function, fields, "a", argument)
        assert payload == ("invalid-syntax", None)
    assert not fields.has("a")


def test_set_replaces_and_delete_removes() -> None:
    """Set keeps only its own values; without any it removes, like delete (HTTP-5)."""
    fields = of(("a", b"1"), ("b", b"2"), ("a", b"3"))
    call(STATE, METHOD + "set", fields, "A", [b"4", b"5"])
    assert fields.entries == [("b", b"2"), ("a", b"4"), ("a", b"5")]
    call(STATE, METHOD + "set", fields, "a", [])
    call(STATE, METHOD + "delete", fields, "missing")
    call(STATE, METHOD + "delete", fields, "b")
    assert fields.entries == []


def test_immutable_fields_refuse_and_their_clone_does_not() -> None:
    """Every change is refused; a clone is independent and mutable (HTTP-8)."""
    entries = [("a", b"1")]
    fields = Fields(entries, immutable=True)
    for function, rest in (("append", (b"2",)), ("set", ([b"2"],)), ("delete", ())):
        assert error_of(STATE, METHOD + function, fields, "a", *rest) == ("immutable", None)
    clone = call(STATE, METHOD + "clone", fields)
    call(STATE, METHOD + "append", clone, "b", b"2")
    assert (entries, clone.entries) == ([("a", b"1")], [("a", b"1"), ("b", b"2")])


@pytest.mark.parametrize("way", ["append", "set", "from-list"])
def test_fields_have_a_size(way: str) -> None:
    """More than 128 KiB, overhead of each entry included, stops the guest (HTTP-9)."""
    fields = of()
    with pytest.raises(Trap, match="at most 131072"):
        if way == "append":
            for number in range(2000):
                call(STATE, METHOD + "append", fields, f"h{number}", b"")
        elif way == "set":
            call(STATE, METHOD + "set", fields, "a", [b"x" * 70_000, b"x" * 70_000])
        else:
            of(("a", b"x" * 131_000))


def test_long_names_are_not_remembered() -> None:
    """What spares work for names that come often must not keep what a guest makes up."""
    fields = Fields()
    for number in range(20):
        fields.append(f"X-{number}-{'a' * 5000}", b"")
    assert fields.has(f"x-7-{'A' * 5000}")
    assert all(len(name) <= 64 for name in http_fields._known)
