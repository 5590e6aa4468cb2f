"""Labels of SQLite databases, and statements that run before anything is served."""

from pathlib import Path

import apsw
import pytest

from edgezero_spin.host.factors.sqlite.factor import (
    Database,
    Databases,
    StatementError,
    UnknownDatabaseError,
)


def test_labels_must_be_defined() -> None:
    """Every label that nobody defined is named at the start (DB-3)."""
    with pytest.raises(UnknownDatabaseError) as caught:
        Databases({"a": ["default", "x"], "b": ["y"]}, {"z": Database(label="z")})
    assert caught.value.missing == (("a", "x"), ("b", "y"))
    assert "- Component b uses database 'y'" in str(caught.value)
    assert "(defined: default, z)" in str(caught.value)


@pytest.mark.parametrize(("labels", "named"), [(["default"], True), (["other"], False)])
def test_the_default_file_is_named_when_used(
    tmp_path: Path, labels: list[str], named: bool
) -> None:
    """Only then is it worth a line (OUT-2)."""
    path = tmp_path / "db"
    configured = {label: Database(label=label, path=path) for label in ("default", "other")}
    assert Databases({"a": labels}, configured).default_file == (path if named else None)


def test_statements_before_serving(tmp_path: Path) -> None:
    """A text goes to the default label, a file where it says (DB-2)."""
    script = tmp_path / "made.sql"
    script.write_text("CREATE TABLE t(v); INSERT INTO t VALUES ('ä');")
    paths = {label: tmp_path / f"{label}.db" for label in ("default", "other")}
    databases = Databases(
        {}, {label: Database(label=label, path=path) for label, path in paths.items()}
    )
    databases.run([f"@{script}", "INSERT INTO t VALUES (2)", f"@ {script} : other "])
    for label, rows in (("default", [("ä",), (2,)]), ("other", [("ä",)])):
        reader = apsw.Connection(str(paths[label]))
        assert reader.execute("SELECT v FROM t").fetchall() == rows
        reader.close()


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("nonsense", "failed on the database 'default': near \"nonsense\""),
        ("@", "it names no file"),
        ("@:label", "it names no file"),
        ("@file:", "the label after the colon is empty"),
        ("@nowhere.sql", "nowhere.sql: No such file"),
        ("@bad.sql", "failed on the database 'default'"),
        ("@bad.sql:x", "no database with the label 'x' (defined: default)"),
        ("@binary.sql", "is not UTF-8 text"),
    ],
)
def test_statements_that_fail(
    option: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The host does not start, and says which option it was."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad.sql").write_text("SELECT 1; nonsense")
    (tmp_path / "binary.sql").write_bytes(b"\xff")
    with pytest.raises(StatementError) as caught:
        Databases({}, {}).run([option])
    assert message in str(caught.value)
    assert f"--sqlite {option!r}" in str(caught.value)
