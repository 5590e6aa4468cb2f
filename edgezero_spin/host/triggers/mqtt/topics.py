"""Topic filters of MQTT: their syntax, and the topics that they match.

Source: https://docs.oasis-open.org/mqtt/mqtt/v3.1.1/mqtt-v3.1.1.html, 4.7.
"""

__all__ = ["filter_fault", "topic_matches"]

MOST_BYTES = 65_535


def filter_fault(text: str) -> str | None:
    """Say why a text is not a topic filter; ``None`` where it is one."""
    if not text or "\0" in text or len(text.encode("utf-8", "replace")) > MOST_BYTES:
        return "a topic has 1 to 65535 bytes and no zero byte"
    *before, last = text.split("/")
    if any("#" in level for level in before) or ("#" in last and last != "#"):
        return "# stands alone, behind the last slash"
    if any("+" in level and level != "+" for level in (*before, last)):
        return "+ stands alone between slashes"
    return None


def topic_matches(filter: str, topic: str) -> bool:
    """Whether a filter matches a topic."""
    if topic.startswith("$") != filter.startswith("$"):
        # Topics of the broker itself are not part of everything.
        return False
    levels, wanted = topic.split("/"), filter.split("/")
    if wanted[-1] == "#":
        wanted.pop()
        if len(levels) < len(wanted):
            return False
        levels = levels[: len(wanted)]
    return len(levels) == len(wanted) and all(
        want in ("+", level) for want, level in zip(wanted, levels, strict=True)
    )
