"""A server on this machine that takes what Apprise sends to ``json://``."""

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SECRET = "hunter2token"


class Server(ThreadingHTTPServer):
    """Keeps what was posted to it; a path with ``hang`` in it gets no answer, one with ``no`` a refusal."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.posted = []
        self.let_go = threading.Event()

    def url(self, path=SECRET):
        """The address of ``path`` here, in Apprise's words."""
        return f"json://127.0.0.1:{self.server_port}/{path}"

    @property
    def titles(self):
        """What was told, without the names of runs."""
        return [message["title"].split()[-1] for _, message in self.posted]


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        message = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.posted.append((self.path, message))
        if "hang" in self.path:
            self.server.let_go.wait(20)
        self.send_response(500 if "no" in self.path else 200)
        self.end_headers()

    def log_message(self, *arguments):
        pass


@contextmanager
def notified():
    """A server for some time."""
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.let_go.set()
            server.shutdown()
            thread.join()
