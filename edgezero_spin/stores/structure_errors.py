"""All problems of a value that does not fit its type, each with its place.

In: what a cattrs hook raised: a group of errors per class and container, each with the note
of its attribute or index. Out: one ``JsonValueError`` with a line per problem, such as
``expected a string, got a number @ $.items[2].title``.

Errors of a constructor that ran are broken rules, and if there is nothing else the whole is
a ``ModelRuleError``. An exception that no rule raises is a mistake in the program and passes.

Source: the wording of places follows ``cattrs.transform_error``.
"""

from typing import Any

from cattrs import (
    AttributeValidationNote,
    BaseValidationError,
    ClassValidationError,
    IterableValidationNote,
)

from edgezero_spin.stores.aliases import outside_names
from edgezero_spin.stores.json_values import JsonValueError, ModelRuleError
from edgezero_spin.stores.rule_text import RULE_ERRORS, rule_text

__all__ = ["combined"]


def combined(error: Exception) -> JsonValueError:
    """Return the one error for what a hook raised.

    Raises:
        Exception: Something in it is not a refusal of a value.
    """
    problems: list[str] = []
    rules_only = _gather(error, "$", problems)
    if isinstance(error, JsonValueError) and len(problems) == len(error.problems):
        return error
    return (ModelRuleError if rules_only else JsonValueError)(*dict.fromkeys(problems))


def _gather(error: Exception, place: str, problems: list[str]) -> bool:
    """Add the problems below a place; return whether all of them are broken rules."""
    if isinstance(error, BaseValidationError):
        names = outside_names(error.cl) if isinstance(error, ClassValidationError) else {}
        inside = [_gather_noted(sub, place, names, problems) for sub in error.exceptions]
        return all(inside)
    if isinstance(error, JsonValueError):
        for problem in error.problems:
            text, _, rest = problem.rpartition(" @ $")
            problems.append(f"{text} @ {place}{rest}")
        return isinstance(error, ModelRuleError)
    if isinstance(error, RULE_ERRORS):
        # A hook of the program's own.
        problems.append(f"{rule_text(error) or 'not a valid value'} @ {place}")
        return False
    raise error


def _gather_noted(error: Exception, place: str, names: dict[str, str], problems: list[str]) -> bool:
    note = _note(error)
    if note is None:
        # No member of the class but its constructor refused.
        if not isinstance(error, RULE_ERRORS):
            raise error
        problems.append(f"{rule_text(error) or 'a value breaks a rule'} @ {place}")
        return True
    if isinstance(note, IterableValidationNote):
        index = note.index
        inside = f"{place}[{index}]" if isinstance(index, int) else f"{place}.{index}"
        return _gather(error, inside, problems)
    name = names.get(note.name, note.name)
    if _is_missing(error, name):
        problems.append(f"required field missing @ {place}.{name}")
        return False
    return _gather(error, f"{place}.{name}", problems)


def _note(error: Exception) -> Any:
    """Return the note that the innermost group put on an error last."""
    kinds = (AttributeValidationNote, IterableValidationNote)
    notes = [note for note in getattr(error, "__notes__", ()) if isinstance(note, kinds)]
    return notes[-1] if notes else None


def _is_missing(error: Exception, name: str) -> bool:
    """Whether the generated code itself looked a member up in vain."""
    traceback = error.__traceback__
    return (
        isinstance(error, KeyError)
        and error.args == (name,)
        and traceback is not None
        and traceback.tb_next is None
    )
