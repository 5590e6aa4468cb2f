"""Routes of the document and its page, made before the first request.

In: an app and what is said of it. Out: two routes whose answers are bytes that the snapshot has;
they are made when the app is compiled, after every route is known.
"""

import json
from typing import TYPE_CHECKING

from edgezero_spin.core.openapi.declarations import ApiDescription, operation
from edgezero_spin.core.openapi.document import openapi_document
from edgezero_spin.core.openapi.page import documentation_page
from edgezero_spin.core.response import Response

if TYPE_CHECKING:
    from edgezero_spin.core.app import App

__all__ = ["serve_description"]


def serve_description(app: "App", said: ApiDescription) -> None:
    """Declare the routes.

    Raises:
        ValueError: A path is not a pattern.
    """
    texts = {"document": b"", "page": b""}

    @operation(hidden=True)
    def openapi_json() -> Response:
        return Response(texts["document"], content_type="application/json")

    @operation(hidden=True)
    def documentation() -> Response:
        return Response(texts["page"], content_type="text/html; charset=utf-8")

    def prepare() -> None:
        document = openapi_document(app, said)
        texts["document"] = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
        if said.docs_path is not None:
            texts["page"] = documentation_page(document, said.openapi_path).encode()

    app.api_description = said
    app.get(said.openapi_path)(openapi_json)
    if said.docs_path is not None:
        app.get(said.docs_path)(documentation)
    app._prepares.append(prepare)
