"""The clients of bench_redeem, in a process of their own: bare sockets that cost the server's cores as little as can be.

    python -m benchmarks.redeem_client SOCKET CLIENTS SECONDS < job.json > result.json

The job gives the headers and one body a request; each client keeps one connection and waits for each answer.
"""

import json
import socket
import sys
import threading
import time
from typing import Any

CHUNK_BYTES = 65_536


class Client(threading.Thread):
    """One keep-alive connection that sends its bodies one after the other until the time is over."""

    def __init__(self, path: str, requests: list[bytes], seconds: float) -> None:
        super().__init__(daemon=True)
        self._path = path
        self._requests = requests
        self._seconds = seconds
        self.latencies: list[float] = []
        self.refused = 0

    def run(self) -> None:
        """Send, wait, measure."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.connect(self._path)
            end = time.perf_counter() + self._seconds
            for request in self._requests:
                started = time.perf_counter()
                if started > end:
                    return
                connection.sendall(request)
                answer = _answer(connection)
                self.latencies.append(time.perf_counter() - started)
                self.refused += b'"redeemed"' not in answer


def _answer(connection: socket.socket) -> bytes:
    received = b""
    while (head := received.find(b"\r\n\r\n")) < 0:
        received += connection.recv(CHUNK_BYTES)
    lower = received[:head].lower()
    at = lower.index(b"content-length:") + len(b"content-length:")
    length = int(lower[at:].split(b"\r\n", 1)[0])
    while len(received) < head + 4 + length:
        received += connection.recv(CHUNK_BYTES)
    return received


def main(path: str, client_count: int, seconds: float, job: dict[str, Any]) -> dict[str, Any]:
    """Run the clients together; return what they measured."""
    head = "".join(f"{name}: {value}\r\n" for name, value in job["headers"].items())
    requests = [
        f"POST {job['path']} HTTP/1.1\r\n{head}Content-Length: {len(body)}\r\n\r\n{body}".encode()
        for body in job["bodies"]
    ]
    clients = [Client(path, requests[rank::client_count], seconds) for rank in range(client_count)]
    started = time.perf_counter()
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    elapsed = time.perf_counter() - started
    latencies = sorted(latency for client in clients for latency in client.latencies)
    return {
        "count": len(latencies),
        "per_second": len(latencies) / elapsed,
        "p50_ms": latencies[len(latencies) // 2] * 1e3,
        "p99_ms": latencies[len(latencies) * 99 // 100] * 1e3,
        "refused": sum(client.refused for client in clients),
    }


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), json.load(sys.stdin))))
