"""Tables of triggers: their required and optional texts, and templates in them.

In: a table and its keys. Out: the texts, with a sentence for each fault.

Source: contract services.md, TRG-2, TRG-3.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from edgezero_spin.host.factors.variables.errors import VariableError
from edgezero_spin.manifest.table_reader import kind_of

__all__ = ["read_texts", "rendered"]


def read_texts(
    place: str,
    table: Mapping[str, Any],
    required: Mapping[str, str],
    optional: Sequence[str] = (),
    *,
    problems: list[str],
) -> dict[str, str]:
    """Return the texts of a table.

    Args:
        place: What messages call it: ``trigger 'orders'``.
        table: The table.
        required: Keys that have to be there, each with an example of its value.
        optional: Keys that may be there.
        problems: Gets a sentence for each fault.
    """
    known = [*required, *optional]
    problems += [
        f"{place}: unknown key {key!r} (known: {', '.join(known)})"
        for key in table
        if key not in known
    ]
    problems += [
        f'{place}: {key} is missing; write {key} = "{example}"'
        for key, example in required.items()
        if key not in table
    ]
    found = {}
    for key in known:
        value = table.get(key)
        if isinstance(value, str):
            found[key] = value
        elif key in table:
            example = required.get(key, "...")
            problems.append(
                f"{place}: {key}: expected a string, got {kind_of(value)}; write {key} = "
                f'"{value if isinstance(value, int) else example}"'
            )
    return found


def rendered(
    render: Callable[[str], str], text: str, what: str, *, problems: list[str]
) -> str | None:
    """Return a text with its templates filled in; ``None`` where that cannot be done.

    Args:
        render: Fills in, or raises ``VariableError``.
        text: The text.
        what: What messages call it: ``redis trigger channel``.
        problems: Gets a sentence for a fault.
    """
    try:
        return render(text)
    except VariableError as error:
        # The text may have a password beside the template.
        problems.append(f"failed to resolve {what}: {error}")
        return None
