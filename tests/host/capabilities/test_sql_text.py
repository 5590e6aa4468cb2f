"""Where the first statement of a text ends, and how its parameters are numbered."""

import sqlite3

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgezero_spin.host.capabilities.sql_text import first_statement


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("SELECT 1", "SELECT 1"),
        ("SELECT 1; SELECT 2", "SELECT 1;"),
        ("SELECT ';', \";\", `;`, [;] ; SELECT 2", "SELECT ';', \";\", `;`, [;] ;"),
        ("SELECT 'it''s;'; SELECT 2", "SELECT 'it''s;';"),
        ("SELECT 1 -- ; no\n; SELECT 2", "SELECT 1 -- ; no\n;"),
        ("SELECT /* ; */ 1; SELECT 2", "SELECT /* ; */ 1;"),
        ("SELECT /* ; 1", "SELECT /* ; 1"),
        ("SELECT 'no end; SELECT 2", "SELECT 'no end; SELECT 2"),
        ("; SELECT 2", ";"),
        ("", ""),
    ],
)
def test_the_end_of_a_statement(text: str, first: str) -> None:
    """A semicolon ends it, unless it is quoted or in a comment (DB-3)."""
    assert first_statement(text).text == first


@pytest.mark.parametrize(
    "head", ["CREATE TRIGGER", "create temp trigger", "EXPLAIN CREATE TRIGGER"]
)
def test_a_trigger_ends_after_its_end(head: str) -> None:
    """The statements inside, and CASE ... END, belong to the trigger."""
    trigger = f"{head} t AFTER INSERT ON a BEGIN SELECT CASE 1 WHEN 1 THEN 2 END; SELECT 3; END;"
    assert first_statement(f"{trigger} SELECT 4").text == trigger


def test_a_table_named_trigger_is_no_trigger() -> None:
    """Only the head of the statement counts."""
    assert first_statement("CREATE TABLE x(trigger); END;").text == "CREATE TABLE x(trigger);"


@pytest.mark.parametrize(
    ("text", "numbered", "count"),
    [
        ("?, ?", "?, ?", 2),
        ("?2, ?; SELECT :a", "?2, ?;", 3),
        (":a, @a, $a, :a", "?1, ?2, ?3, ?1", 3),
        (":a, ?, ?1", "?1, ?2, ?1", 2),
        ("?5, :a", "?5, ?6", 6),
        ("':a', \"?\" -- ?\n, a$b", "':a', \"?\" -- ?\n, a$b", 0),
        ("?0, ?999999", "?0, ?999999", 0),
    ],
)
def test_parameters(text: str, numbered: str, count: int) -> None:
    """Names become numbers as SQLite gives them; a text without names stays as it is (DB-3)."""
    found = first_statement(text)
    assert (found.text, found.parameters) == (numbered, count)


@pytest.mark.parametrize(
    ("text", "empty"),
    [("", True), (" -- a\n/* b */", True), (" ; SELECT 1", True), ("-- a\n.", False), ("?", False)],
)
def test_nothing_to_run_is_noticed(text: str, empty: bool) -> None:
    """Blanks, comments and a semicolon are no statement (DB-3)."""
    assert first_statement(text).empty is empty


def test_a_long_text_is_read_in_one_go() -> None:
    """Reading takes time in proportion to the length, quotes and semicolons included."""
    text = "SELECT '" + ";" * 1_000_000 + "''" * 100_000 + "'"
    assert first_statement(text).text == text


def first_by_sqlite(text: str) -> str:
    """The shortest beginning of a text that SQLite calls complete, or all of it."""
    for end in range(1, len(text) + 1):
        if text[end - 1] == ";" and sqlite3.complete_statement(text[:end]):
            return text[:end]
    return text


FRAGMENTS = [
    *["'", "''", '"', "`", "[", "]", "--", "\n", "/*", "*/", ";", ";", " ", " ", "_", "1", "x"],
    *[
        "CREATE",
        "TRIGGER",
        "TEMP",
        "temporary",
        "BEGIN",
        "END",
        "SELECT",
        "EXPLAIN",
        "QUERY",
        "PLAN",
    ],
]


@settings(max_examples=400, deadline=None)
@given(st.lists(st.sampled_from(FRAGMENTS), max_size=30).map("".join))
def test_statements_end_where_sqlite_ends_them(text: str) -> None:
    """SQLite itself is asked, for texts that mix quotes, comments and triggers."""
    assert first_statement(text).text == first_by_sqlite(text)
