"""Route patterns: text to segments.

``/notes/{id}/img-{size}.png`` and ``/files/{*rest}``: ``{name}`` is one non-empty run
without ``/``, with static text before or after it if wanted; ``{*rest}`` is the non-empty
remainder and stands alone at the end; ``{{`` and ``}}`` are braces.

Static text is compared as it stands in a request line, so what cannot stand there is
percent-encoded here: ``/café`` takes what a client sends for it.

Source: contract edgezero.md, RTE-1 to RTE-3.
"""

from collections.abc import Mapping
from typing import NamedTuple

from edgezero_spin.core.percent import encode_literal, encode_value

__all__ = ["Pattern", "Segment", "parse_pattern"]


class Segment(NamedTuple):
    """What stands between two slashes.

    Attributes:
        prefix: Static bytes before the parameter; all of a static segment.
        name: The parameter, ``None`` in a static segment.
        suffix: Static bytes after the parameter.
        rest: Whether the parameter takes the remainder of the path.
    """

    prefix: bytes
    name: str | None = None
    suffix: bytes = b""
    rest: bool = False


class Pattern(NamedTuple):
    """A parsed pattern.

    Attributes:
        text: As it was written.
        segments: What follows the first slash.
        names: The parameters in order.
    """

    text: str
    segments: tuple[Segment, ...]
    names: tuple[str, ...]

    @property
    def static_path(self) -> bytes | None:
        """The one path that the pattern takes, ``None`` when it has parameters."""
        if self.names:
            return None
        return b"".join(b"/" + segment.prefix for segment in self.segments)

    def path_with(self, values: Mapping[str, object]) -> str:
        """Return the path that gives each parameter its value, percent-encoded.

        Raises:
            ValueError: A value is empty, or would be read as another path: ``.`` and ``..``.
        """
        path = b""
        for prefix, name, suffix, rest in self.segments:
            value = b""
            if name is not None:
                text = str(values[name])
                if rest:
                    text = text.removeprefix("/")
                value = encode_value(text, slashes=rest)
                alone = not (prefix or suffix)
                if not value or (alone and not {".", ".."}.isdisjoint(text.split("/"))):
                    raise ValueError(f"{text!r} cannot be the {name} of {self.text}")
            path += b"/" + prefix + value + suffix
        return path.decode("ascii")


def parse_pattern(text: str) -> Pattern:
    """Read a route pattern.

    Raises:
        ValueError: It breaks a rule of the syntax. The message quotes it.
    """
    if not text.startswith("/"):
        raise _invalid(text, "it must start with '/'")
    for part in text[1:].split("/"):
        _refuse_other_spellings(text, part)
    segments = tuple(_parse_segment(text, part) for part in text[1:].split("/"))
    names = tuple(segment.name for segment in segments if segment.name is not None)
    for name in names:
        if not name.isidentifier():
            raise _invalid(text, f"{name!r} is not a parameter name")
        if names.count(name) > 1:
            raise _invalid(text, f"the parameter {name!r} is there twice")
    if any(segment.rest for segment in segments[:-1]):
        raise _invalid(text, "'{*name}' must be at the end")
    return Pattern(text, segments, names)


def _refuse_other_spellings(pattern: str, part: str) -> None:
    """Refuse what is a parameter to another framework and would be static text here."""
    for opening, closing in ("<>", "{}"):
        inside = part[part.find(opening) + 1 : part.rfind(closing)]
        if opening not in part or closing not in part or "{{" in part:
            continue
        # ``<int:id>`` and ``{id:int}``; ``<path:rest>`` and ``{rest:path}``.
        kind, _, name = inside.partition(":") if opening == "<" else inside.partition(":")[::-1]
        if ":" not in inside:
            kind, name = "", inside
        if opening == "{" and ":" not in inside:
            continue
        if not name.isidentifier():
            continue
        if kind == "path":
            raise _invalid(pattern, f"write '{{*{name}}}' for the rest of the path")
        typed = f" and annotate the parameter `{name}: {kind}`" if kind.isidentifier() else ""
        raise _invalid(pattern, f"write '{{{name}}}'{typed}")
    if part[:1] == ":" and part[1:].isidentifier():
        raise _invalid(pattern, f"write '{{{part[1:]}}}' (a static colon is '%3A')")
    if part == "..." or (part[:1] == "*" and (part[1:] or "rest").isidentifier()):
        name = part.lstrip("*.") or "rest"
        raise _invalid(pattern, f"write '{{*{name}}}' for the rest of the path")


def _parse_segment(pattern: str, part: str) -> Segment:
    statics = [""]
    name: str | None = None
    at = 0
    while at < len(part):
        char = part[at]
        if char in "{}" and part[at : at + 2] == char * 2:
            statics[-1] += char
            at += 2
        elif char == "{":
            end = part.find("}", at)
            if end < 0:
                raise _invalid(pattern, "a brace is not closed")
            if name is not None:
                raise _invalid(pattern, "a segment holds one parameter")
            name = part[at + 1 : end]
            statics.append("")
            at = end + 1
        elif char == "}":
            raise _invalid(pattern, "a brace was never opened; a literal one is written '}}'")
        else:
            statics[-1] += char
            at += 1
    if name is None:
        return Segment(encode_literal(statics[0]))
    prefix, suffix = map(encode_literal, statics)
    if not name.startswith("*"):
        return Segment(prefix, name, suffix)
    if prefix or suffix:
        raise _invalid(pattern, "'{*name}' must be a segment by itself")
    return Segment(b"", name[1:], b"", rest=True)


def _invalid(pattern: str, why: str) -> ValueError:
    return ValueError(f"invalid route pattern {pattern!r}: {why}")
