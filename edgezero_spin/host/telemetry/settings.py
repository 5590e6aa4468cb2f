"""Settings of telemetry: which signals the environment switches on, and how they are sent.

In: environment variables. Out: ``TelemetrySettings``, or ``None`` where nothing is on. The
addresses, headers, the sampler and the rest are read by the SDK of OpenTelemetry itself.

Source: contract services.md, TEL-1 to TEL-6.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Literal
from urllib.parse import unquote, urlsplit

import attrs

from edgezero_spin.errors import HostError

__all__ = [
    "DEFAULT_TIMEOUT_S",
    "SIGNALS",
    "Protocol",
    "TelemetryError",
    "TelemetrySettings",
    "telemetry_settings",
]

Protocol = Literal["http/protobuf", "grpc"]

SIGNALS = ("traces", "metrics", "logs")

DEFAULT_TIMEOUT_S = 10.0

_GENERAL = "OTEL_EXPORTER_OTLP_"
_ENDPOINT = f"{_GENERAL}ENDPOINT"
_FIELD_NAME = re.compile(r"[-!#$%&'*+.^_`|~0-9A-Za-z]+")
# Spans are of the level `info`.
_LEVELS_WITHOUT_SPANS = frozenset({"off", "error", "warn"})


class TelemetryError(HostError):
    """Telemetry is switched on and cannot be sent as it is asked for.

    Raised at start-up.

    Attributes:
        problem: What is wrong, and what to do.
    """

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem


@attrs.frozen(kw_only=True)
class TelemetrySettings:
    """What is sent.

    Attributes:
        protocols: How each signal that is on is sent; keys are of ``SIGNALS``.
        compressions: ``gzip``, ``deflate`` or ``none``, by signal.
        timeouts_s: Seconds that a collector gets to take what is sent, by signal.
        collectors: Host and port of each server that something is sent to.
        output_in_spans: Whether what components print becomes events of spans.
        warnings: What to tell whoever started the host.
    """

    protocols: Mapping[str, Protocol]
    compressions: Mapping[str, str]
    timeouts_s: Mapping[str, float]
    collectors: tuple[str, ...]
    output_in_spans: bool = True
    warnings: tuple[str, ...] = ()


def telemetry_settings(environ: Mapping[str, str]) -> TelemetrySettings | None:
    """Return what the environment asks for; ``None`` for no telemetry.

    Raises:
        TelemetryError: A signal is to be sent as JSON, or a variable cannot be used.
    """
    if environ.get("OTEL_SDK_DISABLED"):
        return None
    protocols: dict[str, Protocol] = {}
    compressions: dict[str, str] = {}
    timeouts_s: dict[str, float] = {}
    collectors: list[str] = []
    warnings: list[str] = []
    for signal in SIGNALS:
        own = f"OTEL_EXPORTER_OTLP_{signal.upper()}_"
        endpoint = environ.get(f"{own}ENDPOINT") or environ.get(_ENDPOINT)
        if endpoint:
            name = f"{own}PROTOCOL" if environ.get(f"{own}PROTOCOL") else f"{_GENERAL}PROTOCOL"
            protocols[signal] = _protocol(environ.get(name) or "http/protobuf", name, warnings)
            compressions[signal], timeouts_s[signal] = "none", DEFAULT_TIMEOUT_S
            for prefix in (_GENERAL, own):
                _check_endpoint(f"{prefix}ENDPOINT", environ, protocols[signal])
                _check_headers(f"{prefix}HEADERS", environ)
                compressions[signal] = _compression(
                    f"{prefix}COMPRESSION", environ, compressions[signal]
                )
                for file in ("CERTIFICATE", "CLIENT_CERTIFICATE", "CLIENT_KEY"):
                    _check_file(f"{prefix}{file}", environ)
                timeouts_s[signal] = _timeout_s(f"{prefix}TIMEOUT", environ, timeouts_s[signal])
            collectors.append(_authority(endpoint))
    level = environ.get("SPIN_OTEL_TRACING_LEVEL", "").strip().lower()
    if level in _LEVELS_WITHOUT_SPANS:
        protocols.pop("traces", None)
    if not protocols:
        return None
    return TelemetrySettings(
        protocols=protocols,
        compressions=compressions,
        timeouts_s=timeouts_s,
        collectors=tuple(dict.fromkeys(collectors)),
        output_in_spans=not environ.get("SPIN_DISABLE_LOG_TO_TRACING"),
        warnings=tuple(warnings),
    )


def _protocol(text: str, name: str, warnings: list[str]) -> Protocol:
    if text == "grpc":
        return "grpc"
    if text == "http/json":
        raise TelemetryError(
            f"http/json OTLP protocol is not supported; set {name} to http/protobuf or grpc"
        )
    warning = f"'{text}' is not a valid OTLP protocol, defaulting to http/protobuf ({name})"
    if text != "http/protobuf" and warning not in warnings:
        warnings.append(warning)
    return "http/protobuf"


def _check_endpoint(variable: str, environ: Mapping[str, str], protocol: Protocol) -> None:
    """Check an address that the SDK would find wrong at each attempt to send.

    The message repeats no part of it: there may be a password in it.

    Raises:
        TelemetryError: It is not the address of a server.
    """
    text = environ.get(variable)
    if not text or (protocol == "grpc" and "://" not in text):
        return
    try:
        url = urlsplit(text)
        is_usable = url.scheme in ("http", "https") and bool(url.hostname) and url.port != 0
    except ValueError:
        is_usable = False
    if not is_usable:
        raise TelemetryError(
            f"{variable} is not the address of a collector; write http:// or https://, a host and "
            "a port, such as http://127.0.0.1:4318"
        )


def _authority(endpoint: str) -> str:
    """Return host and port of an address, without the user and the password."""
    authority = re.split("[/?#]", endpoint.rpartition("://")[2], maxsplit=1)[0]
    return authority.rpartition("@")[2]


def _check_headers(variable: str, environ: Mapping[str, str]) -> None:
    """Check header fields, which the SDK would repeat in a log if they were wrong.

    Raises:
        TelemetryError: They are not pairs.
    """
    for pair in environ.get(variable, "").split(","):
        name, equals, value = (unquote(part).strip() for part in pair.partition("="))
        if pair.strip() and not (equals and _FIELD_NAME.fullmatch(name) and value.isprintable()):
            raise TelemetryError(
                f"{variable} is not a list of header fields; write NAME=VALUE,NAME=VALUE, with "
                "commas, equals signs and spaces of values as in URLs: %2C, %3D, %20"
            )


def _compression(variable: str, environ: Mapping[str, str], otherwise: str) -> str:
    text = environ.get(variable, "").strip().lower() or otherwise
    if text not in ("none", "gzip", "deflate"):
        raise TelemetryError(f"{variable} is {text!r}; write gzip, deflate or none")
    return text


def _check_file(variable: str, environ: Mapping[str, str]) -> None:
    """Check a file in PEM, which the SDK would miss at each attempt to send."""
    path = environ.get(variable)
    if not path:
        return
    try:
        text = Path(path).read_bytes()
    except OSError as error:
        raise TelemetryError(f"{variable}: cannot read {path}: {error.strerror}") from error
    if b"-----BEGIN " not in text:
        raise TelemetryError(f"{variable}: {path} is not in PEM")


def _timeout_s(variable: str, environ: Mapping[str, str], otherwise_s: float) -> float:
    """Read a time in milliseconds, as the specification of OpenTelemetry has it."""
    text = environ.get(variable, "").strip()
    if not text:
        return otherwise_s
    if not text.isdecimal() or int(text) == 0:
        raise TelemetryError(f"{variable} is {text!r}; write milliseconds, such as 10000")
    return int(text) / 1000
