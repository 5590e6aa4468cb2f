"""Documentation page: an OpenAPI document as HTML for people.

In: a document. Out: one page without anything of another origin; it reads without scripts, and with
them sends the requests that it describes. Made while a component is built.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from edgezero_spin.core.openapi.page_assets import SCRIPT, STYLE

__all__ = ["documentation_page", "escape"]

_Schema = Mapping[str, Any]

# Not that of ``html``, which brings all named characters into a component.
_ESCAPES: Final = str.maketrans(
    {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#x27;"}
)

_BOUNDS: Final = {
    "minimum": "≥ {}",
    "exclusiveMinimum": "> {}",
    "maximum": "≤ {}",
    "exclusiveMaximum": "< {}",
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "minItems": "at least {} items",
    "maxItems": "at most {} items",
    "pattern": "matches {}",
    "default": "default {}",
}


def documentation_page(document: Mapping[str, Any], openapi_path: str = "/openapi.json") -> str:
    """Return the page of a document.

    Args:
        document: As ``openapi_document`` returns it.
        openapi_path: Where it is answered.
    """
    info = document["info"]
    title = escape(info["title"])
    groups = _groups(document)
    return "".join(
        [
            '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n',
            f"<title>{title}</title>\n",
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n',
            f"<style>{STYLE}</style>\n</head>\n<body>\n",
            f"<header><h1>{title} <small>{escape(info['version'])}</small></h1>",
            _prose(info.get("description")),
            f'<p><a href="{escape(openapi_path)}">OpenAPI document</a></p></header>\n',
            '<nav aria-label="Operations">',
            *(_navigation(name, operations) for name, operations in groups.items()),
            "</nav>\n<main>\n",
            *(_group(document, name, operations) for name, operations in groups.items()),
            _schemas(document),
            f"</main>\n<script>{SCRIPT}</script>\n</body>\n</html>\n",
        ]
    )


_Operation = tuple[str, str, Mapping[str, Any]]


def _groups(document: Mapping[str, Any]) -> dict[str, list[_Operation]]:
    groups: dict[str, list[_Operation]] = {tag["name"]: [] for tag in document.get("tags", ())}
    for path, item in document["paths"].items():
        for method, operation in item.items():
            for tag in operation.get("tags") or [""]:
                groups.setdefault(tag, []).append((method.upper(), path, operation))
    return {name: operations for name, operations in groups.items() if operations}


def _navigation(name: str, operations: list[_Operation]) -> str:
    links = "".join(
        f'<li><a href="#{escape(o["operationId"])}">{_method(method)} {escape(path)}</a></li>'
        for method, path, o in operations
    )
    return f"<h2>{escape(name or 'Operations')}</h2><ul>{links}</ul>"


def _group(document: Mapping[str, Any], name: str, operations: list[_Operation]) -> str:
    said = {tag["name"]: tag.get("description") for tag in document.get("tags", ())}
    shown = "".join(_operation(document, *operation) for operation in operations)
    head = f"<h2>{escape(name or 'Operations')}</h2>{_prose(said.get(name))}"
    return f"<section>{head}{shown}</section>\n"


def _operation(
    document: Mapping[str, Any], method: str, path: str, operation: Mapping[str, Any]
) -> str:
    security = operation.get("security", document.get("security", ()))
    schemes = " or ".join(name for each in security for name in each)
    marks = '<span class="mark">deprecated</span>' if operation.get("deprecated") else ""
    marks += f'<span class="mark">{escape(schemes)}</span>' if schemes else ""
    return "".join(
        [
            f'<details class="operation" id="{escape(operation["operationId"])}">',
            f"<summary>{_method(method)} <code>{escape(path)}</code> ",
            f"{escape(operation.get('summary', ''))} {marks}</summary>",
            _prose(operation.get("description")),
            _parameters(document, operation.get("parameters", ())),
            _body(document, operation.get("requestBody")),
            "<h4>Responses</h4><dl>",
            *(
                f"<dt>{escape(status)} {escape(said['description'])}</dt>"
                f"<dd>{_content(document, said.get('content', {}))}</dd>"
                for status, said in operation["responses"].items()
            ),
            "</dl>",
            _form(document, method, path, operation),
            "</details>",
        ]
    )


def _parameters(document: Mapping[str, Any], parameters: Any) -> str:
    if not parameters:
        return ""
    rows = "".join(
        f"<tr><td><code>{escape(p['name'])}</code>{'*' if p.get('required') else ''}</td>"
        f"<td>{p['in']}</td><td>{_type(p['schema'])}</td>"
        f"<td>{escape(p.get('description', ''))}</td></tr>"
        for p in parameters
    )
    head = "<tr><th>Name</th><th>In</th><th>Type</th><th>Description</th></tr>"
    return f"<h4>Parameters</h4><table><thead>{head}</thead><tbody>{rows}</tbody></table>"


def _body(document: Mapping[str, Any], body: Any) -> str:
    if not body:
        return ""
    need = "" if body.get("required") else " (may be left out)"
    return f"<h4>Request body{need}</h4>{_content(document, body['content'])}"


def _content(document: Mapping[str, Any], content: Mapping[str, Any]) -> str:
    shown = []
    for content_type, media in content.items():
        schema = media.get("schema", {})
        example = media.get("example")
        if example is None and content_type == "application/json":
            example = _example(document, schema)
        code = "" if example is None else f"<pre>{escape(_json(example))}</pre>"
        shown.append(f"<p><code>{escape(content_type)}</code> {_type(schema)}</p>{code}")
    return "".join(shown)


def _form(document: Mapping[str, Any], method: str, path: str, operation: Mapping[str, Any]) -> str:
    """Return the form that sends the operation's request; it needs scripts."""
    fields = "".join(
        f'<label>{escape(p["name"])} <input name="{escape(p["name"])}" data-in="{p["in"]}"'
        f"{' required' if p.get('required') else ''}></label>"
        for p in operation.get("parameters", ())
        if p["in"] != "cookie"
    )
    body = operation.get("requestBody")
    if body:
        content_type, media = next(iter(body["content"].items()))
        example = media.get("example")
        if example is None:
            example = _example(document, media["schema"])
        text = _json(example) if content_type == "application/json" else ""
        fields += (
            f'<label>body <textarea name="body" data-type="{escape(content_type)}" rows="6">'
            f"{escape(text)}</textarea></label>"
        )
    return (
        f'<form data-method="{method}" data-path="{escape(path)}" hidden>{fields}'
        f'<label>authorization <input name="authorization" data-in="header"></label>'
        f'<button>Send</button><pre class="answer" hidden></pre></form>'
    )


def _schemas(document: Mapping[str, Any]) -> str:
    schemas = document.get("components", {}).get("schemas", {})
    if not schemas:
        return ""
    shown = "".join(_component(name, schema) for name, schema in schemas.items())
    return f"<section><h2>Types</h2>{shown}</section>\n"


def _component(name: str, schema: _Schema) -> str:
    required = schema.get("required", ())
    rows = "".join(
        f"<tr><td><code>{escape(field)}</code>{'*' if field in required else ''}</td>"
        f"<td>{_type(each)}</td><td>{escape(each.get('description', ''))}</td></tr>"
        for field, each in schema.get("properties", {}).items()
    )
    table = f"<table><tbody>{rows}</tbody></table>" if rows else f"<p>{_type(schema)}</p>"
    return (
        f'<details id="type-{escape(name)}"><summary><code>{escape(name)}</code></summary>'
        f"{_prose(schema.get('description'))}{table}</details>"
    )


# Schemas in words


def _type(schema: _Schema) -> str:
    words = " | ".join(_alternatives(schema)) or "anything"
    bounds = [
        text.format(escape(_json(schema[name]) if name == "default" else str(schema[name])))
        for name, text in _BOUNDS.items()
        if name in schema
    ]
    return words + (f" <small>{', '.join(bounds)}</small>" if bounds else "")


def _alternatives(schema: _Schema) -> Iterator[str]:
    if "$ref" in schema:
        name = escape(schema["$ref"].rpartition("/")[2])
        yield f'<a href="#type-{name}">{name}</a>'
        return
    for option in schema.get("anyOf", schema.get("oneOf", ())):
        yield from _alternatives(option)
    if "const" in schema or "enum" in schema:
        for value in [schema["const"]] if "const" in schema else schema["enum"]:
            yield f"<code>{escape(_json(value))}</code>"
        return
    kinds = schema.get("type", ())
    for kind in [kinds] if isinstance(kinds, str) else kinds:
        if kind == "array":
            yield f"array of {_type(schema.get('items', {}))}"
        elif kind == "object" and schema.get("additionalProperties"):
            yield f"table of {_type(schema['additionalProperties'])}"
        else:
            yield escape(schema.get("format", kind) if kind == "string" else kind)


def _example(
    document: Mapping[str, Any], schema: _Schema, inside: frozenset[str] = frozenset()
) -> Any:
    """Return a value that a schema takes, to begin with; ``inside`` are the types around it."""
    if "examples" in schema:
        return schema["examples"][0]
    if "default" in schema:
        return schema["default"]
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        component = document["components"]["schemas"][name]
        return None if name in inside else _example(document, component, inside | {name})
    for option in schema.get("anyOf", schema.get("oneOf", ())):
        return _example(document, option, inside)
    if "const" in schema or "enum" in schema:
        return schema["const"] if "const" in schema else schema["enum"][0]
    kinds = schema.get("type", "")
    kind = kinds if isinstance(kinds, str) else kinds[0]
    if kind == "object":
        return {
            name: _example(document, each, inside)
            for name, each in schema.get("properties", {}).items()
            if not each.get("readOnly")
        }
    if kind == "array":
        items = schema.get("prefixItems", [schema["items"]] if schema.get("items") else [])
        found = [_example(document, item, inside) for item in items]
        return [] if found == [None] else found
    least = schema.get("minimum", schema.get("exclusiveMinimum", -1) + 1)
    text = schema.get("format", "text")
    return {"string": text, "integer": least, "number": least, "boolean": True}.get(kind)


def escape(text: str) -> str:
    """Return a text as HTML, in elements and attributes alike."""
    return text.translate(_ESCAPES)


def _method(method: str) -> str:
    return f'<b class="method {method.lower()}">{method}</b>'


def _prose(text: str | None) -> str:
    if not text:
        return ""
    return "".join(f"<p>{escape(part)}</p>" for part in text.split("\n\n"))


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)
