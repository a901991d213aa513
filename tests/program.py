"""Python programs in processes of their own that need not load PyTorch first.

Most of the time of a small run goes into loading libraries and modules. A process that has loaded them waits here, and
forks for every program: each is still a process with its own folder, environment, streams and exit code. ``Popen`` and
``run`` are those of ``subprocess``, and start as they do what cannot be forked: another program, or one with other
settings of what the interpreter or a library reads when it starts. All processes of pytest-xdist share what forks; each
program is a connection to it, over which its process id and its exit code come back.
"""

import atexit
import fcntl
import json
import os
import select
import socket
import subprocess
import sys
import termios
from functools import cache
from pathlib import Path
from subprocess import CompletedProcess, TimeoutExpired

ROOT = Path(__file__).parents[1]
FIXED = ("CUDA", "LD_", "MKL", "OMP", "PYTHON", "TORCH")
"""Beginnings of the names of variables that are read when the interpreter or a library starts ..."""
FREE = (
    "PYTHONDONTWRITEBYTECODE",
    "PYTHONIOENCODING",
    "PYTHONPATH",
    "PYTHONUNBUFFERED",
    "PYTHONWARNINGS",
    "TORCHINDUCTOR_CACHE_DIR",
)
"""... but for these, which a fork can still obey; the last one PyTorch sets itself when it is imported."""


class Popen(subprocess.Popen):
    """A ``subprocess.Popen`` that forks from a process that has loaded the libraries, where it can.

    With ``terminal`` its standard input, a pseudo-terminal, controls it.
    """

    def __init__(self, command, *, terminal=False, **options):
        environment = options.get("env") or os.environ
        others = options.keys() - {"cwd", "env", "stdin", "stdout", "stderr", "text", "errors", "start_new_session"}
        words = [*map(os.fspath, map(str, command))]
        self._forks = words[0] == sys.executable and words[1] != "-X" and not others and _fixed(environment) == _ours()
        self._terminal, self._session = terminal, terminal or options.get("start_new_session", False)
        if terminal and not self._forks:
            options |= {"start_new_session": True, "preexec_fn": take_terminal}
        super().__init__(words, **options)

    def _execute_child(self, args, executable, preexec_fn, close_fds, pass_fds, cwd, env, *others):
        if not self._forks:
            super()._execute_child(args, executable, preexec_fn, close_fds, pass_fds, cwd, env, *others)
            return
        p2cread, p2cwrite, c2pread, c2pwrite, errread, errwrite = others[3:9]
        ends = [mine if theirs == -1 else theirs for mine, theirs in enumerate((p2cread, c2pwrite, errwrite))]
        order = {
            "arguments": args[1:],
            "folder": os.fspath(cwd or os.getcwd()),
            "environment": dict(env or os.environ),
            "session": self._session,
            "terminal": self._terminal,
        }
        self._forker = socket.socket(socket.AF_UNIX)
        # With settings of its own matplotlib is loaded anew: it reads them then.
        with_results = not {"aws", "results"}.isdisjoint(args) and "MPLCONFIGDIR" not in order["environment"]
        self._forker.connect(forkers()[with_results])
        socket.send_fds(self._forker, [b"."], ends)
        self._forker.sendall(json.dumps(order).encode() + b"\n")
        self.pid = int(self._line())
        self._child_created = True
        self._close_pipe_fds(p2cread, p2cwrite, c2pread, c2pwrite, errread, errwrite)

    def _line(self):
        line = b""
        while not line.endswith(b"\n"):
            line += self._forker.recv(1) or b"-9\n"
        return line

    def _wait(self, timeout):
        if self._forks and self.returncode is None:
            if not select.select([self._forker], [], [], timeout)[0]:
                raise TimeoutExpired(self.args, timeout)
            self.returncode = int(self._line())
            self._forker.close()
        return self.returncode if self._forks else super()._wait(timeout)

    def _internal_poll(self, *arguments, **options):
        if not self._forks:
            return super()._internal_poll(*arguments, **options)
        try:
            return self._wait(0)
        except TimeoutExpired:
            return None


def run(command, *, timeout=None, capture_output=False, check=False, **options):
    """As ``subprocess.run``."""
    if capture_output:
        options |= {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with Popen(command, **options) as process:
        try:
            out, err = process.communicate(timeout=timeout)
        except BaseException:
            process.kill()
            raise
    done = CompletedProcess(process.args, process.returncode, out, err)
    if check:
        done.check_returncode()
    return done


def _fixed(environment):
    found = {name: value for name, value in environment.items() if name.startswith(FIXED) and name not in FREE}
    # Only whether the encoding is UTF-8 is decided at the start.
    named = next((environment[name] for name in ("LC_ALL", "LC_CTYPE", "LANG") if environment.get(name)), "C.UTF-8")
    return found | {"LANG": named in ("C", "POSIX") or "utf" in named.lower()}


@cache
def _ours():
    """What was fixed when this process started."""
    return _fixed(os.environ)


@cache
def forkers():
    """The addresses of the processes that fork: one with the libraries of most programs, one with those of results too.

    They load them when they are first asked for a program.
    """
    owned, owner = socket.socketpair()
    listeners = [socket.socket(socket.AF_UNIX) for _ in range(2)]
    for listener in listeners:
        listener.bind("")
        listener.listen()
    command = [sys.executable, "-m", "tests.forker", *(str(listener.fileno()) for listener in listeners)]
    # Memory in large pages is faster to fork.
    environment = os.environ | {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}
    inherited = [listener.fileno() for listener in listeners]
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdin=owned, pass_fds=inherited)
    atexit.register(lambda: (owner.close(), process.wait()))
    addresses = [listener.getsockname() for listener in listeners]
    for end in (owned, *listeners):
        end.close()
    return addresses


def take_terminal():
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
