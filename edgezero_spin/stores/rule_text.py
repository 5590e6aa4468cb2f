"""The sentence of a model's rule, where a client may read it.

In: what the ``__init__``, a converter or a validator of a model raised. Out: its text, or
``None`` when the interpreter or the standard library worded it: ``invalid literal for int()
with base 10`` speaks to programmers, and may quote what a client should not see.

A text is the program's own when a ``raise`` statement outside the standard library made it.
The validators of attrs count as the program's own (their sentence is the rule).

Source: contract edgezero.md, EXT-8: a broken rule is answered with the rule's own text.
"""

import sys

__all__ = ["RULE_ERRORS", "rule_text"]

RULE_ERRORS = (ValueError, TypeError, ArithmeticError, LookupError, AssertionError)
"""What a rule raises. Anything else is a mistake in the program."""


def _raise_opcode() -> int:
    try:
        raise ValueError
    except ValueError as error:
        traceback = error.__traceback__
        if traceback is None:
            return -1
        return traceback.tb_frame.f_code.co_code[traceback.tb_lasti]


_RAISE = _raise_opcode()


def rule_text(error: BaseException) -> str | None:
    """Return the sentence in one line, or ``None`` when the program did not write it."""
    traceback = error.__traceback__
    if traceback is None:
        return None
    while traceback.tb_next is not None:
        traceback = traceback.tb_next
    frame = traceback.tb_frame
    module = frame.f_globals.get("__name__")
    if frame.f_code.co_code[traceback.tb_lasti] != _RAISE:
        return None
    if not isinstance(module, str) or module.partition(".")[0] in sys.stdlib_module_names:
        return None
    # attrs puts its sentence first and the evidence after it.
    first = error.args[0] if error.args else None
    text = first if isinstance(first, str) else str(error)
    return " ".join(text.split()) or None
