"""Labels in the text of a ``spin.toml``: in ``key_value_stores`` or ``sqlite_databases``.

In: the text, a component id and a label. Out: the text with the label in the array, or the
same text when it was there. Every other byte stays as it is; see ``toml_edit``.

Source: contract edgezero.md, PRV-3 to PRV-5 and PRV-14.
"""

from edgezero_spin.project.toml_edit import TomlEditError, append_item, parse_document

__all__ = ["KEY", "SQLITE_KEY", "add_label", "has_label"]

KEY = "key_value_stores"
SQLITE_KEY = "sqlite_databases"


def has_label(text: str, component_id: str, label: str, key: str = KEY) -> bool:
    """Whether a component lists a label already.

    Raises:
        TomlEditError: The text, the component or its list is not what it should be.
    """
    return label in _labels(text, component_id, key)


def add_label(text: str, component_id: str, label: str, key: str = KEY) -> str:
    """Return the text with a label listed last; the text itself when it is listed.

    Args:
        text: A ``spin.toml``, with its own line ends.
        component_id: Which component gets the label.
        label: The platform's name of the store.
        key: The list.

    Raises:
        TomlEditError: The component is not declared or not a table, its list is not a
            list of strings, or the text is written in a way that cannot be edited safely.
    """
    if has_label(text, component_id, label, key):
        return text
    try:
        return append_item(text, ("component", component_id), key, label)
    except TomlEditError as error:
        raise TomlEditError(f"[component.{component_id}]: {error}") from error


def _labels(text: str, component_id: str, key: str) -> list[str]:
    place = f"[component.{component_id}]"
    components = parse_document(text).get("component")
    if not isinstance(components, dict) or component_id not in components:
        raise TomlEditError(f"{place} is not declared")
    component = components[component_id]
    if not isinstance(component, dict):
        raise TomlEditError(f"{place} is not a table")
    labels = component.get(key, [])
    if not isinstance(labels, list) or any(isinstance(item, dict) for item in labels):
        raise TomlEditError(f"{place}: {key} is not an array")
    if not all(isinstance(item, str) for item in labels):
        raise TomlEditError(f"{place}: {key} holds something that is not a string")
    return labels
