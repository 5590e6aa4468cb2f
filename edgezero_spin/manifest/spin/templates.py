"""Templates: literal text with ``{{ name }}`` where the value of a variable goes.

Blanks around the name do not count. ``}}`` alone is text. There are no escapes, filters or
nested templates.

Source: contract spin-host.md, VAR-2 and MAN-91.
"""

from collections.abc import Callable

import attrs

__all__ = ["Placeholder", "TemplateError", "VariableTemplate", "parse_template"]


class TemplateError(ValueError):
    """A text is not a template."""


@attrs.frozen
class Placeholder:
    """The place of one variable.

    Attributes:
        name: The variable, without the blanks around it.
    """

    name: str


@attrs.frozen
class VariableTemplate:
    """One parsed template.

    Attributes:
        text: As it was written.
        parts: Literal texts and placeholders, in order.
    """

    text: str
    parts: tuple[str | Placeholder, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The variables it uses, in order, repeats kept."""
        return tuple(part.name for part in self.parts if isinstance(part, Placeholder))

    def render(self, value_of: Callable[[str], str]) -> str:
        """Return the text with each placeholder replaced."""
        return "".join(
            part if isinstance(part, str) else value_of(part.name) for part in self.parts
        )


def parse_template(text: str) -> VariableTemplate:
    """Split a template into its parts.

    Raises:
        TemplateError: ``{{`` is not followed by ``}}``.
    """
    parts: list[str | Placeholder] = []
    literal, braces, rest = text.partition("{{")
    while braces:
        if literal:
            parts.append(literal)
        name, closed, rest = rest.partition("}}")
        if not closed:
            raise TemplateError("unmatched '{{' in template")
        parts.append(Placeholder(name.strip()))
        literal, braces, rest = rest.partition("{{")
    if literal:
        parts.append(literal)
    return VariableTemplate(text, tuple(parts))
