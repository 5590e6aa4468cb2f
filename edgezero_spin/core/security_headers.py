"""Security headers: what browsers are told to refuse on behalf of the app.

In: which. Out: a middleware that adds them to every answer that does not set them itself.

Source: WHATWG Fetch (``nosniff``), HTML (``X-Frame-Options``, cross-origin opener policy), W3C
Referrer Policy and Content Security Policy 3, RFC 6797 (``Strict-Transport-Security``).
"""

from edgezero_spin.core.headers import Headers
from edgezero_spin.core.middleware import Middleware, Next
from edgezero_spin.core.request import Request
from edgezero_spin.core.response import Response

__all__ = ["security_headers"]


def security_headers(
    *,
    content_security_policy: str | None = None,
    strict_transport_security: str | None = None,
    x_frame_options: str | None = "DENY",
    referrer_policy: str | None = "strict-origin-when-cross-origin",
    cross_origin_opener_policy: str | None = "same-origin",
    permissions_policy: str | None = None,
) -> Middleware:
    """Return the middleware: ``app.middleware(security_headers())``.

    ``x-content-type-options: nosniff`` is always among them. A field that a handler sets stays.

    Args:
        content_security_policy: ``"default-src 'self'"``; what fits depends on the pages.
        strict_transport_security: ``"max-age=31536000"``, once every page is served by HTTPS.
        x_frame_options: Who may show the pages in a frame.
        referrer_policy: What other sites learn of the page that a link is on.
        cross_origin_opener_policy: Whether other sites keep a hold on a window with the page.
        permissions_policy: ``"camera=(), geolocation=()"``.

    Raises:
        ValueError: A value cannot stand in a header field.
    """
    fields = {
        "x-content-type-options": "nosniff",
        "x-frame-options": x_frame_options,
        "referrer-policy": referrer_policy,
        "cross-origin-opener-policy": cross_origin_opener_policy,
        "content-security-policy": content_security_policy,
        "strict-transport-security": strict_transport_security,
        "permissions-policy": permissions_policy,
    }
    # Checked once, here.
    pairs = Headers({name: text for name, text in fields.items() if text is not None}).pairs

    async def middleware(request: Request, call_next: Next) -> Response:
        response = await call_next(request)
        own = {name for name, _ in response.header_pairs}
        response.header_pairs.extend(pair for pair in pairs if pair[0] not in own)
        return response

    return middleware
