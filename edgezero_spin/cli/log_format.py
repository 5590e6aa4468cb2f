"""The form of the host's log: text, as Python writes it, or one JSON object a line.

Source: our own; the members are those of the access log, as far as they mean something here.
"""

import json
import logging
from datetime import UTC, datetime

__all__ = ["JsonFormatter", "json_line", "marked_formatter", "write_log_as_json"]


class JsonFormatter(logging.Formatter):
    """Writes a record as JSON: time, level, message, and the traceback of an exception."""

    def format(self, record: logging.LogRecord) -> str:
        """Return one line."""
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        members: dict[str, object] = {
            "time": at.replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "message": record.getMessage(),
        }
        if record.exc_info:
            members["exception"] = self.formatException(record.exc_info)
        trace_id = getattr(record, "trace_id", None)
        if trace_id is not None:
            members["trace_id"] = trace_id
        text = json.dumps(members, ensure_ascii=False)
        # What a guest or a client chose may be a part of it, and a terminal obeys some of that.
        return "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in text)


def json_line(text: str, level: str = "INFO") -> str:
    """Return what a command tells a person as a line of a log in JSON."""
    return JsonFormatter().format(logging.makeLogRecord({"msg": text, "levelname": level}))


def marked_formatter() -> logging.Formatter:
    """Return the form of messages that a person is to know the command by: the log's, if JSON."""
    found = [handler.formatter for handler in logging.getLogger().handlers]
    written = next((each for each in found if isinstance(each, JsonFormatter)), None)
    return written or logging.Formatter("[edgezero] %(message)s")


def write_log_as_json() -> None:
    """Have everything that the host and its libraries log written as JSON to standard error."""
    handlers = []
    for log in (logging.getLogger(), logging.getLogger("edgezero_spin")):
        handlers += [each for each in log.handlers if isinstance(each, logging.StreamHandler)]
    if not logging.getLogger().handlers:
        handlers.append(logging.StreamHandler())
        logging.getLogger().addHandler(handlers[-1])
    for handler in handlers:
        handler.setFormatter(JsonFormatter())
    logging.captureWarnings(True)
    # What has been written is not written once more by the root.
    host_log = logging.getLogger("edgezero_spin")
    host_log.propagate = not host_log.handlers
