"""How a bulk function and its parameters are told from others: by their names.

``bulk_form`` gives these names to what it adds to a component's imports; the host, which links
what was rewritten, reads them.
"""

__all__ = ["IN_BULK", "SIZED", "UNALIGNED", "plain_name"]

IN_BULK = "-in-bulk"
"""Behind the name of a bulk function, and of each of its parameters that are bytes."""

SIZED = IN_BULK + "-sized"
"""Instead behind the name of one whose result comes behind a length."""

UNALIGNED = "unaligned" + IN_BULK
"""The parameter that says which texts begin a byte early."""


def plain_name(name: str) -> str:
    """Return the name of the function that a bulk function stands for; others keep theirs."""
    return name.removesuffix(SIZED).removesuffix(IN_BULK)
