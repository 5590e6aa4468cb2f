"""Settings of telemetry: the variables that switch it on, and those that are refused."""

import re

import pytest

from edgezero_spin.host.telemetry.settings import TelemetryError, telemetry_settings

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
URL = "http://127.0.0.1:4318"
HTTP, GRPC = "http/protobuf", "grpc"
ALL = {"traces": HTTP, "metrics": HTTP, "logs": HTTP}


@pytest.mark.parametrize(
    ("environ", "protocols"),
    [
        pytest.param({ENDPOINT: URL}, ALL, id="all"),
        pytest.param({"OTEL_EXPORTER_OTLP_LOGS_ENDPOINT": URL}, {"logs": HTTP}, id="one"),
        pytest.param({ENDPOINT: ""}, None, id="empty"),
        pytest.param({}, None, id="nothing"),
        pytest.param({ENDPOINT: URL, "OTEL_SDK_DISABLED": "false"}, None, id="disabled"),
        pytest.param({ENDPOINT: URL, "OTEL_SDK_DISABLED": ""}, ALL, id="not disabled"),
        pytest.param(
            {ENDPOINT: URL, "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
            dict.fromkeys(ALL, GRPC),
            id="grpc",
        ),
        pytest.param(
            {
                ENDPOINT: URL,
                "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
                "OTEL_EXPORTER_OTLP_LOGS_PROTOCOL": "http/protobuf",
            },
            {"traces": GRPC, "metrics": GRPC, "logs": HTTP},
            id="own protocol",
        ),
        pytest.param(
            {ENDPOINT: URL, "SPIN_OTEL_TRACING_LEVEL": "warn"},
            {"metrics": HTTP, "logs": HTTP},
            id="level above info",
        ),
        pytest.param({ENDPOINT: URL, "SPIN_OTEL_TRACING_LEVEL": "loud"}, ALL, id="no level"),
    ],
)
def test_signals(environ: dict[str, str], protocols: dict[str, str] | None) -> None:
    """What is on, and how it is sent."""
    # TEL-1, TEL-2, TEL-3, TEL-5, V-77
    settings = telemetry_settings(environ)
    assert (None if settings is None else settings.protocols) == protocols


def test_a_protocol_that_nobody_knows() -> None:
    """Is told of once, and the usual one taken."""
    settings = telemetry_settings({ENDPOINT: URL, "OTEL_EXPORTER_OTLP_PROTOCOL": "soap"})
    assert settings is not None and settings.protocols == ALL
    (warning,) = settings.warnings
    assert "'soap' is not a valid OTLP protocol, defaulting to http/protobuf" in warning


@pytest.mark.parametrize(
    ("variable", "text", "says"),
    [
        ("COMPRESSION", "zstd", "write gzip, deflate or none"),
        ("TRACES_COMPRESSION", "br", "write gzip, deflate or none"),
        ("TIMEOUT", "10s", "write milliseconds"),
        ("METRICS_TIMEOUT", "0", "write milliseconds"),
        ("CERTIFICATE", "/nowhere/ca.pem", "cannot read /nowhere/ca.pem: No such file"),
        ("LOGS_CLIENT_KEY", __file__, "is not in PEM"),
    ],
)
def test_what_cannot_be_used(variable: str, text: str, says: str) -> None:
    """Is an error at the start that names the variable."""
    environ = {ENDPOINT: URL, f"OTEL_EXPORTER_OTLP_{variable}": text}
    with pytest.raises(TelemetryError, match=re.escape(says)) as raised:
        telemetry_settings(environ)
    assert variable in str(raised.value)


def test_times_are_in_milliseconds() -> None:
    """As everywhere but in the SDK for Python; one signal may have its own (TEL-7)."""
    environ = {
        ENDPOINT: URL,
        "OTEL_EXPORTER_OTLP_TIMEOUT": "2500",
        "OTEL_EXPORTER_OTLP_LOGS_TIMEOUT": "500",
    }
    found = telemetry_settings(environ)
    assert found is not None
    assert found.timeouts_s == {"traces": 2.5, "metrics": 2.5, "logs": 0.5}


@pytest.mark.parametrize(
    "name", ["OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL"]
)
def test_json_is_refused(name: str) -> None:
    """At the start, by name."""
    with pytest.raises(TelemetryError, match="http/json OTLP protocol is not supported") as caught:
        telemetry_settings({ENDPOINT: URL, name: "http/json"})
    assert name in str(caught.value)


def test_output_in_spans() -> None:
    """Unless it is switched off (TEL-6)."""
    settings = telemetry_settings({ENDPOINT: URL, "SPIN_DISABLE_LOG_TO_TRACING": "1"})
    assert settings is not None and not settings.output_in_spans


LOGS_ENDPOINT = "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT"


@pytest.mark.parametrize(
    ("environ", "collectors"),
    [
        ({ENDPOINT: "https://me:s3cret@c.example/base?a=s3cret"}, ("c.example",)),
        ({ENDPOINT: URL, LOGS_ENDPOINT: "http://[::1]:9/x"}, ("127.0.0.1:4318", "[::1]:9")),
        ({ENDPOINT: "c:4317", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, ("c:4317",)),
        ({ENDPOINT: "[c", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, ("[c",)),
    ],
)
def test_names_of_collectors(environ: dict[str, str], collectors: tuple[str, ...]) -> None:
    """Host and port alone, each once; for messages, so without what may be secret."""
    settings = telemetry_settings(environ)
    assert settings is not None and settings.collectors == collectors


@pytest.mark.parametrize("name", [ENDPOINT, LOGS_ENDPOINT])
@pytest.mark.parametrize(
    "address",
    [
        "me:s3cret@127.0.0.1",
        "127.0.0.1:4318",
        "ftp://me:s3cret@x",
        "http://",
        "http://x:99999",
        "http://x:0",
        "http://x:s3cret",
        "http://[::1",
    ],
)
def test_an_address_that_cannot_be_used(name: str, address: str) -> None:
    """Is refused at the start by its variable, and not repeated."""
    with pytest.raises(TelemetryError, match="is not the address of a collector") as caught:
        telemetry_settings({name: address})
    assert name in str(caught.value) and "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    "environ",
    [
        {ENDPOINT: "https://me:s3cret@collector.example/base"},
        {ENDPOINT: "http://[::1]:4318"},
        {ENDPOINT: "127.0.0.1:4317", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
        {ENDPOINT: URL, "OTEL_EXPORTER_OTLP_HEADERS": "authorization=Basic%20YQ%3D%3D,x-team = a"},
        {ENDPOINT: URL, "OTEL_EXPORTER_OTLP_HEADERS": " , a=b=c,"},
        {ENDPOINT: "nonsense", "OTEL_SDK_DISABLED": "true"},
        {"OTEL_EXPORTER_OTLP_HEADERS": "nonsense"},
    ],
)
def test_what_is_not_refused(environ: dict[str, str]) -> None:
    """Every way to write an address and header fields, and what is not used."""
    telemetry_settings(environ)


@pytest.mark.parametrize("name", ["OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_LOGS_HEADERS"])
@pytest.mark.parametrize(
    "fields", ["s3cret", "a=1,s3cret", "=s3cret", "a b=s3cret", "a=s3cret%0Ax"]
)
def test_header_fields_that_cannot_be_sent(name: str, fields: str) -> None:
    """Are refused, and not repeated: they are often secret."""
    with pytest.raises(TelemetryError, match="is not a list of header fields") as caught:
        telemetry_settings({ENDPOINT: URL, name: fields})
    assert name in str(caught.value) and "s3cret" not in str(caught.value)
