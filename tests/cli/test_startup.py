"""The lines a server starts with."""

from edgezero_spin.cli.startup import startup_lines
from edgezero_spin.host.load.application import PublicRoute


def test_address_and_routes_are_shown_as_spin_shows_them() -> None:
    """Exact, wildcard and root routes, with and without a description."""  # OUT-4, OUT-5, OUT-6
    routes = [
        PublicRoute("cart", "/cart", False, "What is bought"),
        PublicRoute("shop", "/shop", True),
        PublicRoute("rest", "/", True, "Everything else"),
        PublicRoute("home", "/", False),
    ]
    assert list(startup_lines("http://127.0.0.1:3000", routes)) == [
        "",
        "Serving http://127.0.0.1:3000",
        "Available Routes:",
        "  cart: http://127.0.0.1:3000/cart",
        "    What is bought",
        "  shop: http://127.0.0.1:3000/shop (wildcard)",
        "  rest: http://127.0.0.1:3000 (wildcard)",
        "    Everything else",
        "  home: http://127.0.0.1:3000",
    ]
