"""Rules for the SQL of a guest: allowed functions, pragmas and virtual tables.

In: a connection that was just opened. Out: the same, able to do what is listed here and
nothing else: it reaches no file but its own, no memory of the process, no extension, and no
setting that decides how much a connection may hold.

The lists are what SQLite's own documentation offers to applications, and what Spin's build of
SQLite has. A name that a later SQLite adds is refused until it is listed.

Source: https://sqlite.org/security.html, https://sqlite.org/pragma.html; contract
spin-host.md, DB-1 to DB-3.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import apsw

from edgezero_spin.host.factors.sqlite.functions import replace_functions

__all__ = ["FUNCTIONS", "MAX_VALUE_BYTES", "MODULES", "PRAGMAS", "Rules"]

MAX_VALUE_BYTES = 64 * 1024 * 1024
"""Longest text or blob that a statement may read or make: SQLite looks whether it is to stop
between two operations on values, never during one."""

# Matching takes time in proportion to pattern times text, and cannot be stopped either.
MAX_PATTERN_BYTES = 500
MAX_ARGUMENTS = 127
MAX_ATTACHED = 10
MAX_PARAMETERS = 32766


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


FUNCTIONS = _names(
    """
    -> ->> abs avg changes char coalesce concat concat_ws count format glob group_concat hex if
    ifnull iif instr last_insert_rowid length like likelihood likely lower ltrim max min nullif
    octet_length printf quote random randomblob replace round rtrim sign soundex
    sqlite_compileoption_get sqlite_compileoption_used sqlite_source_id sqlite_version
    string_agg substr substring subtype sum total total_changes trim typeof unhex unicode
    unistr unistr_quote unlikely upper zeroblob

    current_date current_time current_timestamp date datetime julianday strftime time timediff
    unixepoch

    acos acosh asin asinh atan atan2 atanh ceil ceiling cos cosh degrees exp floor ln log log10
    log2 mod pi pow power radians sin sinh sqrt tan tanh trunc
    median percentile percentile_cont percentile_disc

    cume_dist dense_rank first_value lag last_value lead nth_value ntile percent_rank rank
    row_number

    json json_array json_array_insert json_array_length json_each json_error_position
    json_extract json_group_array json_group_object json_insert json_object json_patch
    json_pretty json_quote json_remove json_replace json_set json_tree json_type json_valid
    jsonb jsonb_array jsonb_array_insert jsonb_each jsonb_extract jsonb_group_array
    jsonb_group_object jsonb_insert jsonb_object jsonb_patch jsonb_remove jsonb_replace
    jsonb_set jsonb_tree

    bm25 fts5_get_locale fts5_insttoken fts5_locale highlight match matchinfo offsets optimize
    snippet
    geopoly_area geopoly_bbox geopoly_blob geopoly_ccw geopoly_contains_point geopoly_debug
    geopoly_group_bbox geopoly_json geopoly_overlap geopoly_regular geopoly_svg geopoly_within
    geopoly_xform rtreecheck rtreedepth rtreenode
    """
)
"""Functions and operators, in lower case."""

_VALUE_BYTES = {
    # In proportion to the product of two values, which cannot be told before they are there:
    # a value in a statement that calls one of these is shorter.
    "like": 16 * 1024 * 1024,
    "glob": 16 * 1024 * 1024,
    "json_patch": 128 * 1024,
    "jsonb_patch": 128 * 1024,
    "geopoly_overlap": 1024 * 1024,
    "geopoly_within": 1024 * 1024,
    # Or of the square of a document's matches.
    "highlight": 512 * 1024,
    "snippet": 128 * 1024,
}
_STATEMENTS_KNOWN = 64
"""More than a connection keeps compiled: what is compiled is not looked at again."""

# What ALTER TABLE calls; SQLite itself refuses them to a statement that names them.
_INTERNAL = "sqlite_rename_", "sqlite_drop_", "sqlite_fail", "sqlite_add_", "sqlite_find_"

MODULES = _names("dbstat fts3 fts4 fts4aux fts5 fts5vocab geopoly rtree rtree_i32")
"""Kinds of virtual tables; ``json_each`` and its like are functions."""

_READ_ONLY = _names(
    """
    cache_size cache_spill collation_list compile_options data_version
    encoding foreign_key_check foreign_key_list freelist_count function_list index_info
    index_list index_xinfo integrity_check journal_mode locking_mode module_list
    page_count page_size pragma_list quick_check schema_version table_info
    table_list table_xinfo temp_store threads trusted_schema wal_checkpoint writable_schema
    """
)

_TAKES_ARGUMENT = _names(
    """
    foreign_key_check foreign_key_list index_info index_list index_xinfo integrity_check
    quick_check table_info table_list table_xinfo wal_checkpoint
    """
)

_MAY_BE_SET = _names(
    """
    analysis_limit application_id auto_vacuum automatic_index case_sensitive_like
    cell_size_check checkpoint_fullfsync count_changes defer_foreign_keys
    empty_result_callbacks encoding foreign_keys full_column_names fullfsync
    ignore_check_constraints incremental_vacuum journal_size_limit legacy_alter_table optimize
    query_only read_uncommitted recursive_triggers reverse_unordered_selects secure_delete
    short_column_names shrink_memory synchronous user_version wal_autocheckpoint
    """
)

PRAGMAS = _READ_ONLY | _MAY_BE_SET | {"busy_timeout", "max_page_count", "page_size"}
"""Pragmas that a statement may name, in lower case; some may only be read."""

# Built in, without a module that could be dropped: it reads arrays of the process.
_REFUSED_TABLES = ("carray",)

# Not ``memory`` and not ``off``: the first holds a transaction in memory, the second damages.
_JOURNAL_MODES = ("delete", "persist", "truncate", "wal")


class Rules:
    """The authorizer of one connection.

    Attributes:
        attached: A statement attached a database since this was set to ``False``.
        temporary: A statement makes something in the database ``temp``.
        busy_timeout_s: What ``PRAGMA busy_timeout`` asked for, in seconds.
    """

    def __init__(
        self, *, attach_files: bool, in_memory: bool, max_pages: int, busy_timeout_s: float
    ) -> None:
        """Make the rules for a connection.

        Args:
            attach_files: It may attach files of the host.
            in_memory: Its own database is in memory.
            max_pages: Most pages of a database in memory.
            busy_timeout_s: How long it waits for a lock, at most.
        """
        self.attached = False
        self.temporary = False
        self.busy_timeout_s = self._longest_wait_s = busy_timeout_s
        self._attach_files = attach_files
        self._in_memory = in_memory
        self._max_pages = max_pages
        self._connection: apsw.Connection | None = None
        self._max_value_bytes = self._value_bytes = MAX_VALUE_BYTES
        self._known: dict[str, int] = {}

    def apply(self, connection: apsw.Connection, max_value_bytes: int) -> None:
        """Make a connection follow the rules."""
        self._connection = connection
        self._max_value_bytes = self._value_bytes = max_value_bytes
        for option, on in (
            (apsw.SQLITE_DBCONFIG_DEFENSIVE, 1),
            (apsw.SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0),
            (apsw.SQLITE_DBCONFIG_WRITABLE_SCHEMA, 0),
            (apsw.SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0),
            (apsw.SQLITE_DBCONFIG_ENABLE_FTS3_TOKENIZER, 0),
        ):
            connection.config(option, on)
        for limit, most in (
            (apsw.SQLITE_LIMIT_LENGTH, max_value_bytes),
            (apsw.SQLITE_LIMIT_SQL_LENGTH, max_value_bytes),
            (apsw.SQLITE_LIMIT_VARIABLE_NUMBER, MAX_PARAMETERS),
            (apsw.SQLITE_LIMIT_LIKE_PATTERN_LENGTH, MAX_PATTERN_BYTES),
            (apsw.SQLITE_LIMIT_FUNCTION_ARG, MAX_ARGUMENTS),
            (apsw.SQLITE_LIMIT_ATTACHED, MAX_ATTACHED),
            (apsw.SQLITE_LIMIT_WORKER_THREADS, 0),
        ):
            connection.limit(limit, most)
        connection.drop_modules(MODULES)
        replace_functions(connection)
        connection.authorizer = self._authorize

    @contextmanager
    def values_bounded(self, text: str) -> Iterator[None]:
        """Bound the values of a statement by the functions that it calls, while it runs."""
        self._bound_values(self._known.pop(text, self._max_value_bytes))
        try:
            yield
        finally:
            if self._value_bytes < self._max_value_bytes:
                self._known[text] = self._value_bytes
                if len(self._known) > _STATEMENTS_KNOWN:
                    del self._known[next(iter(self._known))]
                self._bound_values(self._max_value_bytes)

    def _bound_values(self, most: int) -> None:
        if most != self._value_bytes and self._connection is not None:
            self._value_bytes = most
            self._connection.limit(apsw.SQLITE_LIMIT_LENGTH, most)

    def _authorize(
        self,
        action: int,
        first: str | None,
        second: str | None,
        database: str | None,
        inside: str | None,
    ) -> int:
        if action == apsw.SQLITE_READ:
            return apsw.SQLITE_DENY if first in _REFUSED_TABLES else apsw.SQLITE_OK
        if action == apsw.SQLITE_FUNCTION:
            name = (second or "").lower()
            if name in _VALUE_BYTES:
                self._bound_values(min(self._value_bytes, _VALUE_BYTES[name]))
            allowed = name in FUNCTIONS or name.startswith(_INTERNAL)
        elif action == apsw.SQLITE_PRAGMA:
            return self._pragma((first or "").lower(), second, database)
        elif action == apsw.SQLITE_ATTACH:
            # A name that is computed or bound is not known here, so it is not harmless.
            allowed = self._attach_files or first in ("", ":memory:")
            self.attached = True
        elif action in (apsw.SQLITE_CREATE_VTABLE, apsw.SQLITE_DROP_VTABLE):
            allowed = (second or "").lower() in MODULES
            self.temporary |= database == "temp"
        else:
            self.temporary |= action in _MAKE_TEMPORARY
            allowed = action in _OTHER_ACTIONS
        return apsw.SQLITE_OK if allowed else apsw.SQLITE_DENY

    def _pragma(self, name: str, value: str | None, database: str | None) -> int:
        if name == "busy_timeout":
            if value is not None and value.lstrip("+-").isdecimal():
                self.busy_timeout_s = min(max(int(value), 0) / 1000, self._longest_wait_s)
            # A handler of ours waits, since SQLite's own is deaf to interrupts meanwhile.
            return apsw.SQLITE_IGNORE
        if name not in PRAGMAS:
            return apsw.SQLITE_DENY
        if value is None or name in _MAY_BE_SET or name in _TAKES_ARGUMENT:
            return apsw.SQLITE_OK
        own = (database or "main") == "main" and not self._in_memory
        if name == "journal_mode":
            allowed = value.lower() in _JOURNAL_MODES
        elif name == "max_page_count":
            pages = int(value) if value.isdecimal() else -1
            allowed = own or 0 < pages <= self._max_pages
        else:
            allowed = name == "page_size" and own
        return apsw.SQLITE_OK if allowed else apsw.SQLITE_DENY


def _actions(names: str) -> frozenset[int]:
    return frozenset(getattr(apsw, f"SQLITE_{name}") for name in names.split())


_MAKE_TEMPORARY = _actions(
    "CREATE_TEMP_INDEX CREATE_TEMP_TABLE CREATE_TEMP_TRIGGER CREATE_TEMP_VIEW"
)
_OTHER_ACTIONS = _MAKE_TEMPORARY | _actions(
    """
    ALTER_TABLE ANALYZE CREATE_INDEX CREATE_TABLE CREATE_TRIGGER CREATE_VIEW DELETE DETACH
    DROP_INDEX DROP_TABLE DROP_TEMP_INDEX DROP_TEMP_TABLE DROP_TEMP_TRIGGER DROP_TEMP_VIEW
    DROP_TRIGGER DROP_VIEW INSERT RECURSIVE REINDEX SAVEPOINT SELECT TRANSACTION UPDATE
    """
)
