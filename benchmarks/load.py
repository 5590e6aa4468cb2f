"""A small HTTP/1.1 client that keeps a number of connections busy.

In: a port on loopback, a number of connections, a time. Out: requests per second and the
latencies. The same client measures every server, so what it costs itself is in both.
"""

import asyncio
import statistics
import time

import attrs

__all__ = ["Load", "measure"]


@attrs.frozen(kw_only=True)
class Load:
    """What one run saw.

    Attributes:
        requests: Answers with status 200.
        seconds: From the first request to the last answer.
        p50_ms: Median latency in milliseconds.
        p99_ms: 99th percentile in milliseconds.
    """

    requests: int
    seconds: float
    p50_ms: float
    p99_ms: float

    @property
    def per_second(self) -> float:
        """Requests per second."""
        return self.requests / self.seconds


async def _client(port: int, until: float, request: bytes, latencies: list[float]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        while time.perf_counter() < until:
            started = time.perf_counter()
            writer.write(request)
            try:
                head = await reader.readuntil(b"\r\n\r\n")
            except asyncio.IncompleteReadError as error:
                if error.partial:
                    raise
                # Some servers end a connection after so many requests.
                writer.close()
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                continue
            status, _, fields = head.partition(b"\r\n")
            if b" 200 " not in status:
                raise RuntimeError(f"answered {status.decode()}")
            fields = fields.lower()
            if b"transfer-encoding: chunked" in fields:
                while (size := int(await reader.readline(), 16)) > 0:
                    await reader.readexactly(size + 2)
                await reader.readline()
            else:
                length = int(fields.partition(b"content-length:")[2].split(b"\r\n", 1)[0])
                await reader.readexactly(length)
            latencies.append(time.perf_counter() - started)
    finally:
        writer.close()


async def _run(port: int, connections: int, seconds: float, request: bytes) -> Load:
    latencies: list[float] = []
    started = time.perf_counter()
    until = started + seconds
    await asyncio.gather(*(_client(port, until, request, latencies) for _ in range(connections)))
    elapsed = time.perf_counter() - started
    cuts = statistics.quantiles(latencies, n=100)
    return Load(
        requests=len(latencies),
        seconds=elapsed,
        p50_ms=statistics.median(latencies) * 1000,
        p99_ms=cuts[98] * 1000,
    )


def measure(
    port: int,
    *,
    connections: int,
    seconds: float,
    path: str = "/",
    method: str = "GET",
    body: bytes = b"",
) -> Load:
    """Ask for ``path`` over ``connections`` kept-alive connections for some seconds."""
    lines = [f"{method} {path} HTTP/1.1", f"host: 127.0.0.1:{port}"]
    if body:
        lines.append(f"content-length: {len(body)}")
    request = "\r\n".join([*lines, "", ""]).encode() + body
    return asyncio.run(_run(port, connections, seconds, request))
