"""Telemetry: traces, metrics and logs by OpenTelemetry, as Spin sends them.

``telemetry_settings`` reads the variables that switch it on; nothing of OpenTelemetry is imported
before that. ``start_telemetry`` makes the ``Telemetry``, whose ``observer`` a host takes.

Source: contract services.md, section 7.
"""
