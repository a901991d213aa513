"""Python programs in processes of their own that need not load PyTorch first.

Most of the time of a small run goes into loading libraries and modules. A process that has loaded them waits here, and
forks for every program: each is still a process with its own folder, environment, streams and exit code. ``Popen`` and
``run`` are those of ``subprocess``, and start as they do what cannot be forked: another program, or one with other
settings of what the interpreter or a library reads when it starts.
"""

import atexit
import contextlib
import fcntl
import gc
import json
import multiprocessing.util
import os
import pkgutil
import runpy
import select
import signal
import socket
import subprocess
import sys
import termios
import threading
import types
import warnings
import weakref
from functools import cache
from pathlib import Path
from subprocess import CompletedProcess, TimeoutExpired

import psa_tui

ROOT = Path(__file__).parents[1]
LIBRARIES = (
    "mlxtend.data",
    "numpy",
    "platformdirs",
    "psutil",
    "rich.console",
    "rich.table",
    "safetensors.numpy",
    "safetensors.torch",
    "sqlite3",
    "torch",
    "typer",
    "typer._adapters",
)
RESULTS_LIBRARIES = (
    "boto3",
    "jinja2",
    "matplotlib.backends.backend_svg",
    "matplotlib.figure",
    "pandas",
    "scipy.stats",
    "statsmodels.stats.multitest",
    "uniplot",
)
"""What most programs do without: loaded beside the others for ``psa results`` only, because a fork copies it all."""
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
_ONE_AT_A_TIME = threading.Lock()
_spawn = multiprocessing.util.spawnv_passfds


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
            options |= {"start_new_session": True, "preexec_fn": _take_terminal}
        super().__init__(words, **options)

    def _execute_child(self, args, executable, preexec_fn, close_fds, pass_fds, cwd, env, *others):
        if not self._forks:
            super()._execute_child(args, executable, preexec_fn, close_fds, pass_fds, cwd, env, *others)
            return
        p2cread, p2cwrite, c2pread, c2pwrite, errread, errwrite = others[3:9]
        ends = [mine if theirs == -1 else theirs for mine, theirs in enumerate((p2cread, c2pwrite, errwrite))]
        self._answers, answers = socket.socketpair()
        order = {
            "arguments": args[1:],
            "folder": os.fspath(cwd or os.getcwd()),
            "environment": dict(env or os.environ),
            "session": self._session,
            "terminal": self._terminal,
        }
        # With settings of its own matplotlib is loaded anew: it reads them then.
        forker = _forker("results" in args and "MPLCONFIGDIR" not in order["environment"])
        with answers, _ONE_AT_A_TIME:
            socket.send_fds(forker, [b"."], [*ends, answers.fileno()])
            forker.sendall(json.dumps(order).encode() + b"\n")
            self.pid = int(self._line())
        self._child_created = True
        self._close_pipe_fds(p2cread, p2cwrite, c2pread, c2pwrite, errread, errwrite)

    def _line(self):
        line = b""
        while not line.endswith(b"\n"):
            line += self._answers.recv(1) or b"-9\n"
        return line

    def _wait(self, timeout):
        if self._forks and self.returncode is None:
            if not select.select([self._answers], [], [], timeout)[0]:
                raise TimeoutExpired(self.args, timeout)
            self.returncode = int(self._line())
            self._answers.close()
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
def _forker(with_results):
    """The connection to the process that forks, started when it is first needed."""
    ours, theirs = socket.socketpair()
    with theirs:
        if with_results:
            # Itself forked from the other one, it has less to load.
            process = Popen([sys.executable, "-m", "tests.program", *RESULTS_LIBRARIES], cwd=ROOT, stdin=theirs)
        else:
            command = [sys.executable, "-m", "tests.program", *LIBRARIES]
            process = subprocess.Popen(command, cwd=ROOT, stdin=theirs)
    atexit.register(lambda: (ours.close(), process.wait()))
    return ours


def _take_terminal():
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def _fork_for_ever(connection):
    """Fork for every program that is asked for; returns in the child, with what it is to run."""
    lines = connection.makefile("r")
    running = {}
    poll = select.poll()
    poll.register(connection, select.POLLIN)
    while True:
        for ready, _ in poll.poll():
            if ready in running:
                child, answers = running.pop(ready)
                poll.unregister(ready)
                os.close(ready)
                _, status = os.waitpid(child, 0)
                with contextlib.suppress(BrokenPipeError):
                    os.write(answers, b"%d\n" % os.waitstatus_to_exitcode(status))
                os.close(answers)
                continue
            _, descriptors, _, _ = socket.recv_fds(connection, 1, 4)
            if not descriptors:
                os._exit(0)
            order = json.loads(lines.readline())
            *streams, answers = descriptors
            child = os.fork()
            if child == 0:
                lines.close()
                connection.close()
                for ended, (_, other) in running.items():
                    os.close(ended)
                    os.close(other)
                os.close(answers)
                for number, descriptor in enumerate(streams):
                    os.dup2(descriptor, number)
                    os.close(descriptor)
                return order
            for descriptor in streams:
                os.close(descriptor)
            end = os.pidfd_open(child)
            running[end] = child, answers
            poll.register(end, select.POLLIN)
            os.write(answers, b"%d\n" % child)


def _become(order):
    """Make of this process what the interpreter would be at its start."""
    if order["session"]:
        os.setsid()
    if order["terminal"]:
        _take_terminal()
    os.chdir(order["folder"])
    added = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    os.environ.clear()
    os.environ.update(order["environment"])
    encoding = os.environ.get("PYTHONIOENCODING", "utf-8")
    sys.stdin = sys.__stdin__ = os.fdopen(0, encoding=encoding, closefd=False)
    sys.stdout = sys.__stdout__ = os.fdopen(1, "w", encoding=encoding, closefd=False)
    sys.stdout.reconfigure(line_buffering=os.isatty(1))
    sys.stderr = sys.__stderr__ = os.fdopen(2, "w", encoding=encoding, errors="backslashreplace", closefd=False)
    sys.stderr.reconfigure(line_buffering=True)
    if os.environ.get("PYTHONWARNINGS"):
        sys.warnoptions = [os.environ["PYTHONWARNINGS"]]
        warnings.simplefilter(os.environ["PYTHONWARNINGS"])
    multiprocessing.util.spawnv_passfds = _fork_interpreter
    sys.dont_write_bytecode = bool(os.environ.get("PYTHONDONTWRITEBYTECODE"))
    path = [entry for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if entry]
    kind, sys.argv = order["arguments"][0], order["arguments"]
    sys.path[:] = [*path, *(entry for entry in sys.path[1:] if entry not in added)]
    first = next((entry for entry in path if os.path.isdir(os.path.join(entry, "psa_tui"))), ROOT)
    if not os.path.samefile(first, ROOT):
        # A copy of the package stands before the one that is loaded.
        for name in [name for name in sys.modules if name.partition(".")[0] == "psa_tui"]:
            del sys.modules[name]
    if kind == "-m":
        sys.path.insert(0, order["folder"])
        sys.argv = order["arguments"][1:]
        return lambda: runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
    if kind == "-c":
        sys.path.insert(0, "")
        sys.argv = ["-c", *order["arguments"][2:]]
        main = sys.modules["__main__"] = types.ModuleType("__main__")
        return lambda: exec(compile(order["arguments"][1], "<string>", "exec"), main.__dict__)
    return lambda: runpy.run_path(kind, run_name="__main__")


def _fork_interpreter(path, words, descriptors):
    """As ``multiprocessing.util.spawnv_passfds``, where it starts the process that a study's workers are forked from.

    That one loads what is loaded here already. Nothing of this process is taken apart in the fork, which never returns.
    """
    if "forkserver" not in words[-1]:
        return _spawn(path, words, descriptors)
    if child := os.fork():
        return child
    try:
        gc.freeze()
        for open_one in map(int, os.listdir("/proc/self/fd")):
            if open_one > 2 and open_one not in descriptors:
                with contextlib.suppress(OSError):
                    os.close(open_one)
        for number in signal.valid_signals():
            if callable(signal.getsignal(number)):
                signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
        sys.path[:] = os.environ["PYTHONPATH"].split(os.pathsep)
        sys.modules["__main__"] = types.ModuleType("__main__")
        exec(words[-1], {})
    finally:
        os._exit(1)


def _end(code):
    """End as the interpreter would, but for taking apart the libraries, which costs a second."""
    threading._shutdown()
    atexit._run_exitfuncs()
    try:
        sys.stdout.flush()
    except OSError as error:
        print(f"Exception ignored at the end: {error}", file=sys.stderr)
        code = 120
    os._exit(code)


if __name__ == "__main__":
    for library in sys.argv[1:]:
        __import__(library)
    for module in pkgutil.walk_packages(psa_tui.__path__, "psa_tui."):
        if not module.name.endswith("__main__"):
            __import__(module.name)
    # A fork need not look through what was there before it, nor take apart PyTorch's operators at its end.
    gc.freeze()
    for leftover in weakref.finalize._registry:
        leftover.atexit = False
    program = _become(_fork_for_ever(socket.socket(fileno=0)))
    try:
        program()
    except SystemExit as leave:
        if isinstance(leave.code, str):
            print(leave.code, file=sys.stderr)
        _end(1 if isinstance(leave.code, str) else leave.code or 0)
    _end(0)
