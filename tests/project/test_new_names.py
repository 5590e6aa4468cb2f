"""Names of a new project: any text becomes one that every tool accepts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgezero_spin.manifest.spin.identifiers import kebab_fault, snake_fault
from edgezero_spin.project.new_names import kebab_case, pascal_case, project_name, snake_case


@pytest.mark.parametrize(
    ("text", "name"),
    [  # NEW-2, TV-129
        ("MyApp", "myapp"),
        ("My App", "my-app"),
        ("a@@@b", "a-b"),
        ("-leading-", "leading"),
        ("  spaced  ", "spaced"),
        ("my_app", "my_app"),
        ("123app", "_123app"),
        ("!!!", "edgezero-app"),
        ("", "edgezero-app"),
        ("../../etc/passwd", "etc-passwd"),
        ("a_-b", "a_b"),
        ("É", "edgezero-app"),
    ],
)
def test_project_names(text: str, name: str) -> None:
    """Lower case, one separator at a time, none at the ends, no digit first."""
    assert project_name(text) == name


@pytest.mark.parametrize(
    ("name", "expected"),
    [  # NEW-3, TV-130
        ("my-app", "MyApp"),
        ("foo", "Foo"),
        ("a_b-c", "ABC"),
        ("_foo", "Foo"),
        ("123-app", "App123App"),
    ],
)
def test_names_of_types(name: str, expected: str) -> None:
    """Each part is capitalised, and a digit does not come first."""
    assert pascal_case(name) == expected


@pytest.mark.parametrize(
    ("name", "kebab", "snake"),
    [
        ("my-app", "my-app", "my_app"),
        ("my_app", "my-app", "my_app"),
        ("MyHTTPApp", "my-http-app", "my_http_app"),
        ("_123app", "app123app", "app123app"),
        ("my-2-app", "my2-app", "my2_app"),
        ("v2", "v2", "v2"),
    ],
)
def test_cases_of_templates(name: str, kebab: str, snake: str) -> None:
    """Words are found as a reader would, and none starts with a digit."""  # TPL-10
    assert (kebab_case(name), snake_case(name)) == (kebab, snake)


@given(st.text())
def test_any_text_gives_names_that_spin_and_python_accept(text: str) -> None:
    """The name, the id of its component and the name of its model are all valid."""  # MAN-40
    name = project_name(text)
    assert project_name(name) == name
    assert kebab_fault(f"{kebab_case(name)}-adapter-spin") is None
    assert snake_fault(snake_case(name)) is None
    assert f"{pascal_case(name)}Config".isidentifier()
