"""Lock files: ``spin.lock``, ours or Spin's.

Source: contract spin-host.md, LOCK-1 to LOCK-9 and LOCK-33.
"""

import base64
import binascii
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgezero_spin.manifest.decoding import decode_json
from edgezero_spin.manifest.errors import InvalidManifestError, Problem, Problems
from edgezero_spin.manifest.spin.locked_app import (
    COMPONENT_HOST_REQUIREMENTS,
    HOST_REQUIREMENTS,
    MIDDLEWARE,
    SERVICE_CHAINING,
    ContentRef,
    LockedApp,
    LockedComponent,
    LockedDependency,
    LockedFiles,
    LockedInheritance,
    LockedTrigger,
    LockedVariable,
)
from edgezero_spin.manifest.table_reader import TableReader
from edgezero_spin.manifest.toml_file import read_text

__all__ = ["load_lock", "parse_lock"]

_NEWEST_VERSION = 1
_UNDERSTOOD = (HOST_REQUIREMENTS, COMPONENT_HOST_REQUIREMENTS)
_FEATURES = (SERVICE_CHAINING, MIDDLEWARE)
# Lists of texts in the metadata of a component.
_LABELS = ("allowed_outbound_hosts", "key_value_stores", "databases", "ai_models")


def load_lock(path: str | Path) -> LockedApp:
    """Read a lock file.

    Raises:
        ManifestUnreadableError: The file is missing, or is not readable UTF-8 text.
        InvalidManifestError: It is not a lock, or needs what this host does not have.
    """
    path = Path(path)
    return parse_lock(read_text(path), path)


def parse_lock(text: str, path: Path) -> LockedApp:
    """Read the text of a lock; ``path`` only names it in errors.

    Raises:
        InvalidManifestError: It is not a lock, or needs what this host does not have.
    """
    try:
        value = decode_json(text)
    except ValueError as err:
        raise InvalidManifestError(path, [Problem("", f"this is not JSON: {err}")]) from None
    if not isinstance(value, dict):
        raise InvalidManifestError(path, [Problem("", "this is not a JSON object")])
    problems = Problems(path)
    root = TableReader(value, "", problems)
    if "spin_lock_version" not in root:
        root.missing("spin_lock_version")
    root.optional_integer("spin_lock_version", 0, _NEWEST_VERSION)
    must_understand = root.texts("must_understand")
    for member in must_understand:
        if member not in _UNDERSTOOD:
            root.problem("must_understand", f'unknown member "{member}"', "Use a newer host.")
    app = LockedApp(
        metadata=_object(root, "metadata"),
        variables={
            name: LockedVariable(
                description=table.optional_text("description"),
                default=table.optional_text("default"),
                secret=table.flag("secret"),
            )
            for name, table in root.named_tables("variables").items()
        },
        triggers=tuple(map(_read_trigger, root.tables("triggers"))),
        components=tuple(map(_read_component, root.tables("components"))),
        host_requirements=_read_requirements(root),
        must_understand=must_understand,
    )
    problems.raise_any()
    return app


def _object(table: TableReader, name: str) -> Mapping[str, Any]:
    return table.table(name).rest()


def _read_requirements(table: TableReader) -> dict[str, Any]:
    required = {
        name: value
        for name, value in _object(table, HOST_REQUIREMENTS).items()
        if value != "optional"
    }
    missing = [name for name in required if name not in _FEATURES]
    if missing:
        table.problem(
            HOST_REQUIREMENTS,
            "This version of Spin does not support the following features required by this "
            f"application: {', '.join(missing)}",
        )
    return required


def _read_trigger(table: TableReader) -> LockedTrigger:
    return LockedTrigger(
        id=table.required_text("id"),
        trigger_type=table.required_text("trigger_type"),
        trigger_config=_object(table, "trigger_config"),
        trigger_dependencies=_read_roles(table),
    )


def _read_component(table: TableReader) -> LockedComponent:
    for name in _LABELS:
        table.table("metadata").texts(name)
    return LockedComponent(
        id=table.required_text("id"),
        metadata=_object(table, "metadata"),
        source=_read_content(table.table("source")),
        env=table.text_map("env"),
        files=tuple(
            LockedFiles(content=_read_content(item), path=item.required_text("path"))
            for item in table.tables("files")
        ),
        config=table.text_map("config"),
        dependencies={
            name: _read_dependency(item)
            for name, item in table.named_tables("dependencies").items()
        },
        trigger_dependencies=_read_roles(table),
        host_requirements=_read_requirements(table),
    )


def _read_roles(table: TableReader) -> dict[str, tuple[LockedDependency, ...]]:
    roles = table.table("trigger_dependencies")
    return {role: tuple(map(_read_dependency, roles.tables(role))) for role in roles}


def _read_dependency(table: TableReader) -> LockedDependency:
    return LockedDependency(
        source=_read_content(table.table("source")),
        export=table.optional_text("export"),
        inherit=_read_inheritance(table),
    )


def _read_inheritance(table: TableReader) -> LockedInheritance:
    if table.value("inherit") == "All":
        return True
    return table.table("inherit").texts("Some") if "inherit" in table else False


def _read_content(table: TableReader) -> ContentRef:
    content = ContentRef(
        source=table.optional_text("source"),
        inline=_read_inline(table),
        digest=table.optional_text("digest"),
    )
    if content == ContentRef():
        table.problems.add(table.key, "the content has no source")
    return content


def _read_inline(table: TableReader) -> bytes | None:
    text = table.optional_text("inline")
    if text is None:
        return None
    try:
        if text.endswith("="):
            raise ValueError("padding is not allowed")
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError) as err:
        table.problem("inline", f"this is not base64: {err}")
        return None
