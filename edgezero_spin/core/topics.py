"""Topics of MQTT with names in them: ``doors/{door}/open`` is the filter ``doors/+/open``.

In: what a handler is declared with. Out: the filter that ``spin.toml`` has, and the values of a
topic that matches it.

Source: https://docs.oasis-open.org/mqtt/mqtt/v3.1.1/mqtt-v3.1.1.html, 4.7; the names are ours.
"""

import attrs

__all__ = ["TopicPattern", "parse_topic"]


@attrs.frozen
class TopicPattern:
    """A topic filter whose wildcards may have names.

    Attributes:
        filter: As MQTT has it.
        names: Of its levels that are parameters, in order.
    """

    filter: str
    names: tuple[str, ...] = ()
    _levels: tuple[str, ...] = ()

    def match(self, topic: str) -> tuple[bytes, ...] | None:
        """Return the values of the names, percent-encoded; ``None`` where it does not match."""
        levels = topic.split("/")
        wanted = self._levels
        values = []
        if topic.startswith("$") != self.filter.startswith("$"):
            # Topics of the broker itself are not part of everything.
            return None
        for index, want in enumerate(wanted):
            if want in ("#", "{*}"):
                if want == "{*}":
                    values.append("/".join(levels[index:]))
                break
            if index >= len(levels) or (want not in ("+", "{}") and want != levels[index]):
                return None
            if want == "{}":
                values.append(levels[index])
        else:
            if len(levels) != len(wanted):
                return None
        return tuple(value.encode().replace(b"%", b"%25") for value in values)


def parse_topic(text: str) -> TopicPattern:
    """Read a topic filter: levels of text, ``+`` or ``{name}``; at its end ``#`` or ``{*name}``.

    Raises:
        ValueError: It is none; the message says why.
    """
    if not text or "\0" in text:
        raise ValueError(f"{text!r} is not a topic: it needs at least 1 character, and no NUL")
    names: list[str] = []
    levels: list[str] = []
    filters: list[str] = []
    parts = text.split("/")
    for index, part in enumerate(parts):
        is_last = index == len(parts) - 1
        name, rest = None, False
        if part.startswith("{") and part.endswith("}"):
            rest = part.startswith("{*")
            name = part[2 if rest else 1 : -1]
            if not name.isidentifier():
                raise ValueError(f"{text!r}: {name!r} is not a valid parameter name")
            if name in names:
                raise ValueError(f"{text!r}: the name {name!r} is used twice")
            names.append(name)
        elif any(letter in part for letter in "{}") or (
            part not in ("+", "#") and any(letter in part for letter in "+#")
        ):
            raise ValueError(f"{text!r}: a wildcard or a name is a whole level, as in a/{{b}}/c")
        if (rest or part == "#") and not is_last:
            raise ValueError(f"{text!r}: what takes the rest of a topic is its last level")
        levels.append(part if name is None else "{*}" if rest else "{}")
        filters.append(part if name is None else "#" if rest else "+")
    return TopicPattern("/".join(filters), tuple(names), tuple(levels))
