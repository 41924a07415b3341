"""Serve the pages on loopback only, with headers that forbid anything from elsewhere."""

from __future__ import annotations

import functools
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

# Each page's own policy names its scripts by their hashes; both hold.
POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
# The page of models is dbt's own: its program compiles expressions, and brings its letters with it.
MODELS = ("/models.html", POLICY.replace("script-src", "font-src data:; script-src 'unsafe-eval'"))
LOCAL = ("127.0.0.1", "localhost", "[::1]")


class PageHandler(SimpleHTTPRequestHandler):
    """Files of one folder, read-only, not kept by browsers."""

    def send_head(self):  # type: ignore[no-untyped-def]
        """Answer only who asks for this machine by its own name: a page elsewhere cannot rebind its name to it."""
        host = self.headers.get("Host", "").rsplit(":", 1)[0]
        if host not in LOCAL:
            self.send_error(421)
            return None
        return super().send_head()

    def end_headers(self) -> None:
        of_models, policy = MODELS
        is_models = self.path.partition("?")[0] == of_models
        self.send_header("Content-Security-Policy", policy if is_models else POLICY)
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
