"""Serve the pages on loopback only, with headers that forbid anything from elsewhere."""

from __future__ import annotations

import functools
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'self' 'unsafe-inline'; img-src 'self' data:; base-uri 'none'"


class PageHandler(SimpleHTTPRequestHandler):
    """Files of one folder, read-only, not kept by browsers."""

    def end_headers(self) -> None:
        self.send_header("Content-Security-Policy", POLICY)
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header("Cache-Control", "no-store")
        super().end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: addresses of pages can name practices."""


def server(folder: Path, port: int) -> ThreadingHTTPServer:
    """A server on 127.0.0.1 (port 0 picks a free one), not yet running."""
    return ThreadingHTTPServer(("127.0.0.1", port), functools.partial(PageHandler, directory=str(folder)))


def serve(folder: Path, port: int) -> None:
    """Serve until interrupted."""
    with server(folder, port) as running:
        print(f"http://127.0.0.1:{running.server_address[1]}/index.html  (Ctrl-C ends)", flush=True)
        try:
            running.serve_forever()
        except KeyboardInterrupt:
            print()
