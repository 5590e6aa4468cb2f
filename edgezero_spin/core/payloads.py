"""Request bodies: JSON to a model and forms to fields, or the error that the client is told.

In: a type, once; then bytes. Out: a value of the type. What is not JSON or does not fit is
a 400 that opens with the words of the contract and names the place; what fits and breaks a
rule of its model is a 422 with the rule's own text.

Source: contract edgezero.md, EXT-1 and EXT-8. The JSON itself is read in ``stores``, so that
a body and a stored value follow one set of rules.
"""

from collections.abc import Callable
from typing import Any, TypeAlias

from edgezero_spin.core.errors import BadRequest, ValidationFailed
from edgezero_spin.core.models import BAD_FORM
from edgezero_spin.core.percent import parse_pairs
from edgezero_spin.stores.json_values import JsonValueError, ModelRuleError, decode
from edgezero_spin.stores.structuring import structurer

__all__ = ["BAD_JSON", "JsonReader", "form_pairs", "json_reader"]

BAD_JSON = "invalid JSON payload"

JsonReader: TypeAlias = Callable[[bytes], Any]

_readers: dict[Any, JsonReader] = {}


def json_reader(model: Any) -> JsonReader:
    """Return the function from a JSON text to the model; made once per model.

    Raises:
        TypeError: JSON cannot become that type.
    """
    known = _readers.get(model)
    if known is None:
        known = _readers[model] = _compile(model)
    return known


def _compile(model: Any) -> JsonReader:
    build = structurer(model)

    def read(data: bytes) -> Any:
        try:
            return build(decode(data))
        except ModelRuleError as error:
            # The place of the outermost value is no news.
            rules = [problem.removesuffix(" @ $") for problem in error.problems]
            raise ValidationFailed("; ".join(rules)) from error
        except JsonValueError as error:
            raise BadRequest(f"{BAD_JSON}: {error}") from error

    return read


def form_pairs(body: bytes) -> list[tuple[str, str]]:
    """Return name and value of each field of an urlencoded body, in order, repeats kept.

    Raises:
        BadRequest: It is a form in parts, and its content type does not say so.
    """
    if body.startswith(b"--") and _DISPOSITION in body[:_PART_HEAD].lower():
        raise BadRequest(
            f"{BAD_FORM}: sent in parts; its content-type has to be multipart/form-data "
            "with the boundary"
        )
    return parse_pairs(body)


_DISPOSITION = b"content-disposition: form-data"
_PART_HEAD = 1024
"""Bytes in which the head of the first part stands: a boundary has 70 at most."""
