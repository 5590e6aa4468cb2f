"""Which variables switch telemetry on, and what they say about it."""

import pytest

from edgezero_spin.host.telemetry.settings import TelemetryError, telemetry_settings

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
HTTP, GRPC = "http/protobuf", "grpc"
ALL = {"traces": HTTP, "metrics": HTTP, "logs": HTTP}


@pytest.mark.parametrize(
    ("environ", "protocols"),
    [
        pytest.param({ENDPOINT: "x"}, ALL, id="all"),
        pytest.param({"OTEL_EXPORTER_OTLP_LOGS_ENDPOINT": "x"}, {"logs": HTTP}, id="one"),
        pytest.param({ENDPOINT: ""}, None, id="empty"),
        pytest.param({}, None, id="nothing"),
        pytest.param({ENDPOINT: "x", "OTEL_SDK_DISABLED": "false"}, None, id="disabled"),
        pytest.param({ENDPOINT: "x", "OTEL_SDK_DISABLED": ""}, ALL, id="not disabled"),
        pytest.param(
            {ENDPOINT: "x", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
            dict.fromkeys(ALL, GRPC),
            id="grpc",
        ),
        pytest.param(
            {
                ENDPOINT: "x",
                "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
                "OTEL_EXPORTER_OTLP_LOGS_PROTOCOL": "http/protobuf",
            },
            {"traces": GRPC, "metrics": GRPC, "logs": HTTP},
            id="own protocol",
        ),
        pytest.param(
            {ENDPOINT: "x", "SPIN_OTEL_TRACING_LEVEL": "warn"},
            {"metrics": HTTP, "logs": HTTP},
            id="level above info",
        ),
        pytest.param({ENDPOINT: "x", "SPIN_OTEL_TRACING_LEVEL": "loud"}, ALL, id="no level"),
    ],
)
def test_signals(environ: dict[str, str], protocols: dict[str, str] | None) -> None:
    """What is on, and how it is sent."""
    # TEL-1, TEL-2, TEL-3, TEL-5, V-77
    settings = telemetry_settings(environ)
    assert (None if settings is None else settings.protocols) == protocols


def test_a_protocol_that_nobody_knows() -> None:
    """Is told of once, and the usual one taken."""
    settings = telemetry_settings({ENDPOINT: "x", "OTEL_EXPORTER_OTLP_PROTOCOL": "soap"})
    assert settings is not None and settings.protocols == ALL
    (warning,) = settings.warnings
    assert "'soap' is not a valid OTLP protocol, defaulting to http/protobuf" in warning


@pytest.mark.parametrize(
    "name", ["OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL"]
)
def test_json_is_refused(name: str) -> None:
    """At the start, by name."""
    with pytest.raises(TelemetryError, match="http/json OTLP protocol is not supported") as caught:
        telemetry_settings({ENDPOINT: "x", name: "http/json"})
    assert name in str(caught.value)


def test_output_in_spans() -> None:
    """Unless it is switched off (TEL-6)."""
    settings = telemetry_settings({ENDPOINT: "x", "SPIN_DISABLE_LOG_TO_TRACING": "1"})
    assert settings is not None and not settings.output_in_spans
