"""Play requests against a running Notes service and compare every answer.

    python tour.py http://127.0.0.1:3000 let-me-in

Ends with status 0 only if every answer was the expected one. The notes it writes have
ids of their own and are gone at the end, so it can be played against a service in use.
"""

import secrets
import sys
from collections.abc import Callable
from typing import Any

import httpx


class Tour:
    """Sends requests, prints each with its answer, counts what was not as expected."""

    def __init__(self, client: httpx.Client) -> None:
        self.client = client
        self.asked = 0
        self.wrong = 0

    def ask(
        self,
        method: str,
        target: str,
        status: int,
        check: Callable[[httpx.Response], bool] = lambda answer: True,
        **request: Any,
    ) -> httpx.Response:
        """Send one request; print it, its answer, and what is wrong with that."""
        self.asked += 1
        answer = self.client.request(method, target, **request)
        sent = answer.request
        print(f"\n{self.asked:2}. {method} {sent.url.raw_path.decode()}")
        for name, value in request.get("headers", {}).items():
            print(f"    {name}: {value}")
        if sent.content:
            print(f"    {sent.content.decode()}")
        print(f" -> {answer.status_code} {answer.reason_phrase}")
        for line in answer.text.splitlines():
            print(f"    {line}")
        if answer.status_code != status:
            self.wrong += 1
            print(f"    NOT AS EXPECTED: the status should be {status}")
        elif not check(answer):
            self.wrong += 1
            print("    NOT AS EXPECTED: the body or a header is another one")
        return answer


def play(url: str, token: str) -> int:
    """Play the whole tour; return how many answers were not as expected."""
    with httpx.Client(base_url=url, timeout=30) as client:
        tour = Tour(client)
        visit(tour, token)
    print(f"\n{tour.asked} requests, {tour.asked - tour.wrong} answered as expected")
    return tour.wrong


def visit(tour: Tour, token: str) -> None:
    """The tour itself."""
    mine = f"tour-{secrets.token_hex(3)}-"
    bread, milk, tea = (f"/notes/{mine}{name}" for name in ("bread", "milk", "tea"))
    bake = {"title": "Bake bread", "text": "Two loaves.", "tags": ["kitchen"]}

    # Configuration, read by key.
    tour.ask("GET", "/", 200, lambda answer: "greeting" in answer.json())

    # A typed value in the first store, a counter in the second.
    tour.ask("PUT", bread, 201, lambda answer: answer.json() == bake, json=bake)
    tour.ask("GET", bread, 200, lambda answer: answer.json()["views"] == 1)
    tour.ask(
        "GET",
        bread,
        200,
        lambda answer: answer.json() == {"id": f"{mine}bread", "note": bake, "views": 2},
    )
    tour.ask("PUT", bread, 200, json={**bake, "text": "Three loaves."})

    # What does not fit the type is refused before the handler runs.
    tour.ask("PUT", bread, 422, lambda answer: "title" in answer.text, json={"title": ""})
    tour.ask("PUT", bread, 400, lambda answer: "error" in answer.json(), content=b"{")

    # Pages.
    tour.ask("PUT", milk, 201, json={"title": "Buy milk"})
    tour.ask("PUT", tea, 201, json={"title": "Drink tea"})
    first = tour.ask(
        "GET",
        "/notes",
        200,
        lambda answer: answer.json()["ids"] == [f"{mine}bread", f"{mine}milk"],
        params={"prefix": mine, "limit": 2},
    )
    tour.ask(
        "GET",
        "/notes",
        200,
        lambda answer: answer.json() == {"ids": [f"{mine}tea"], "cursor": None},
        params={"prefix": mine, "limit": 2, "cursor": first.json()["cursor"]},
    )

    # A streamed body: it has no length beforehand.
    tour.ask(
        "GET",
        "/export",
        200,
        lambda answer: "content-length" not in answer.headers and "Three loaves." in answer.text,
    )

    # What is not there, and what is not allowed.
    tour.ask("GET", f"/notes/{mine}nothing", 404)
    tour.ask("GET", "/nowhere", 404)
    tour.ask("PATCH", bread, 405, lambda answer: "GET" in answer.headers["allow"])

    # A secret, checked in a header.
    tour.ask("DELETE", bread, 401, headers={"x-admin-token": "guess"})
    for target in (bread, milk, tea):
        tour.ask("DELETE", target, 204, headers={"x-admin-token": token})
    tour.ask("GET", bread, 404)


if __name__ == "__main__":
    sys.exit(1 if play(sys.argv[1], sys.argv[2]) else 0)
