"""Failures as a browser shows them: a title and a traceback.

In: what went wrong. Out: a response, HTML for a browser and text for other clients. The page of an
app that cannot be loaded asks again every second, until the fix is there.
"""

import traceback
from html import escape

from edgezero_spin.core.response import Response

__all__ = ["exception_response", "failure_response", "wants_html"]

_PAGE = """\
<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>{refresh}
<style>body {{ font: 1rem/1.5 system-ui, sans-serif; margin: 2rem; color-scheme: light dark; }}
h1 {{ font-size: 1.2rem; }} pre {{ background: #8882; padding: 1rem; overflow: auto; }}</style>
</head><body><h1>{title}</h1><pre>{text}</pre><p>{after}</p></body></html>
"""
_RELOADED = "Save the fix: this page asks again every second."


def wants_html(accept: str) -> bool:
    """Tell whether whoever asks is a browser."""
    return "text/html" in accept


def failure_response(title: str, text: str, *, html: bool, reload: bool = False) -> Response:
    """Return the response of a failure.

    Args:
        title: One line.
        text: What is behind it.
        html: For a browser.
        reload: Whether the page asks again by itself.
    """
    if not html:
        return Response(f"{title}\n\n{text}\n", 500, content_type="text/plain; charset=utf-8")
    refresh = '<meta http-equiv="refresh" content="1">' if reload else ""
    page = _PAGE.format(
        title=escape(title), refresh=refresh, text=escape(text), after=_RELOADED if reload else ""
    )
    return Response(page, 500, content_type="text/html; charset=utf-8")


def exception_response(error: BaseException) -> Response:
    """Return the page of what a handler raised."""
    return failure_response(
        f"{type(error).__name__}: {error}", "".join(traceback.format_exception(error)), html=True
    )
