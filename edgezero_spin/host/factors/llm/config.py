"""The server of language models: its part of the runtime configuration.

In: the table ``[llm_compute]``. Out: an ``LlmServer``, or none: the engine in Spin's own process,
which this host does not have.

Source: contract services.md, LLM-4 to LLM-6.
"""

from urllib.parse import urlsplit

import attrs

from edgezero_spin.manifest.errors import Problems
from edgezero_spin.manifest.runtime_config import RuntimeConfig
from edgezero_spin.manifest.table_reader import TableReader

__all__ = ["LlmServer", "LlmSettings", "read_llm_settings"]

_API_TYPES = ("default", "open_ai")


@attrs.frozen
class LlmServer:
    """A server that computes language models.

    Attributes:
        url: Scheme and authority; paths are those of the interface.
        token: Sent with each request.
        open_ai: Whether it speaks as OpenAI's does, and not as Spin's.
    """

    url: str
    token: str = attrs.field(repr=False)
    open_ai: bool = False


@attrs.frozen
class LlmSettings:
    """What the table says.

    Attributes:
        server: The server; ``None`` for none.
        warnings: Remarks for people.
    """

    server: LlmServer | None = None
    warnings: tuple[str, ...] = ()


def read_llm_settings(config: RuntimeConfig | None) -> LlmSettings:
    """Read the table; keys that Spin does not know are ignored, as there.

    Raises:
        InvalidManifestError: It cannot be used; every fault is named.
    """
    if config is None or "llm_compute" not in config.others:
        return LlmSettings()
    problems = Problems(config.path, "failed to parse runtime-config at")
    table = TableReader(config.others, "", problems).table("llm_compute")
    kind = table.required_text("type")
    server = None
    warnings: tuple[str, ...] = ()
    if kind == "remote_http":
        server = _server(table)
    elif kind == "spin":
        warnings = (
            f'{config.path}: [llm_compute] type = "spin" does nothing: the embedded host has no '
            'engine for language models; with type = "remote_http" it asks a server',
        )
    elif kind:
        table.problem("type", f"unknown type {kind!r}", 'Write type = "remote_http".')
    problems.raise_any()
    return LlmSettings(server, warnings)


def _server(table: TableReader) -> LlmServer:
    url, token = table.required_text("url"), table.required_text("auth_token")
    api_type = table.optional_text("api_type") or "default"
    try:
        parts = urlsplit(url)
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        valid = False
    if url and not valid:
        table.problem("url", "it is not an http or https URL", 'Write url = "https://host".')
    if not (token.isascii() and token.isprintable()):
        table.problem("auth_token", "it is not printable ASCII", "Correct it.")
    if api_type not in _API_TYPES:
        table.problem("api_type", f"unknown API {api_type!r}", 'Write "default" or "open_ai".')
    place = f"{parts.scheme}://{parts.netloc}" if valid else ""
    return LlmServer(place, token, api_type == "open_ai")
