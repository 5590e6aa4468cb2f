"""Identifiers and templates: the small rules that everything else relies on."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgezero_spin.manifest.spin.identifiers import kebab_fault, label_fault, snake_fault
from edgezero_spin.manifest.spin.templates import Placeholder, TemplateError, parse_template


@pytest.mark.parametrize("text", ["default", "mixed_CASE_words", "letters1_then2_numbers345"])
def test_identifiers(text: str) -> None:
    """What the contract accepts is accepted, with either separator."""
    assert snake_fault(text) is None  # MAN-57
    assert kebab_fault(text.replace("_", "-")) is None
    assert label_fault(text) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "empty"),  # MAN-50
        ("a-b", "words must be separated with '_', not '-'"),
        ("_x", "'_'-separated words must not be empty"),  # MAN-52
        ("x_", "'_'-separated words must not be empty"),
        ("a__b", "'_'-separated words must not be empty"),
        ("1initial", "must start with an ASCII letter; got '1'"),  # MAN-53
        ("a+b", "may only contain alphanumeric ASCII; got '+'"),
        ("é", "must start with an ASCII letter; got 'é'"),
        ("mIxEd_case", 'must be all lowercase or all UPPERCASE; got "mIxEd"'),  # MAN-55
    ],
)
def test_texts_that_are_no_identifier(text: str, expected: str) -> None:
    """A refusal says which rule is broken, the same for both separators."""
    fault = snake_fault(text)
    assert fault is not None and expected in fault
    swapped = text.translate({ord("_"): "-", ord("-"): "_"})
    assert kebab_fault(swapped) is not None


def test_names_of_variables_are_lower_case() -> None:
    """Upper-case words are for labels and ids, not for variables."""
    fault = snake_fault("some_NAME", lower=True)  # MAN-55
    assert fault == 'Lower-case identifiers must be all lowercase; got "some_NAME"'
    assert label_fault("b@d") == "expected kebab-case or snake_case"  # MAN-40


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", ()),
        ("plain", ("plain",)),
        ("{{ a }}", (Placeholder("a"),)),
        ("x{{a}}{{  b\t}}y", ("x", Placeholder("a"), Placeholder("b"), "y")),
        ("}} {", ("}} {",)),
        ("{{ a }} }}", (Placeholder("a"), " }}")),
        ("{{{ a }}", (Placeholder("{ a"),)),
    ],
)
def test_templates(text: str, parts: tuple[str | Placeholder, ...]) -> None:
    """Text and placeholders come in order, blanks around names gone."""
    assert parse_template(text).parts == parts  # VAR-2


def test_an_unclosed_placeholder_is_refused() -> None:
    """Opening braces need closing ones."""
    with pytest.raises(TemplateError, match=r"unmatched '\{\{' in template"):
        parse_template("a {{ b } }")


@given(st.text(alphabet="a} \n"), st.text(alphabet="b} \n"), st.text(max_size=3))
def test_rendering_keeps_literal_text(before: str, after: str, value: str) -> None:
    """Whatever is not a placeholder comes out as it went in, values are not read again."""
    template = parse_template(f"{before}{{{{ v }}}}{after}")
    assert template.render({"v": value}.__getitem__) == before + value + after
