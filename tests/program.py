"""Python programs in processes of their own that need not load PyTorch first.

Most of the time of a small run goes into loading libraries and modules. A process that has loaded them waits here, and
forks for every program: each is still a process with its own folder, environment, streams and exit code. ``Popen`` and
``run`` are those of ``subprocess``, and start as they do what cannot be forked: another program, or one with other
settings of what the interpreter or a library reads when it starts. All processes of pytest-xdist share what forks; each
program is a connection to it, over which its process id and its exit code come back.
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
import traceback
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
    "numpy.random",
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
    """The addresses of the processes that fork: the one with ``LIBRARIES``, and the one with ``RESULTS_LIBRARIES`` too.

    They load them when they are first asked for a program.
    """
    owned, owner = socket.socketpair()
    listeners = [socket.socket(socket.AF_UNIX) for _ in range(2)]
    for listener in listeners:
        listener.bind("")
        listener.listen()
    command = [sys.executable, "-m", "tests.program", *(str(listener.fileno()) for listener in listeners)]
    # Memory in large pages is faster to fork.
    environment = os.environ | {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}
    inherited = [listener.fileno() for listener in listeners]
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdin=owned, pass_fds=inherited)
    atexit.register(lambda: (owner.close(), process.wait()))
    addresses = [listener.getsockname() for listener in listeners]
    for end in (owned, *listeners):
        end.close()
    return addresses


def _take_terminal():
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def _load(libraries):
    """Load what programs need, and leave to forks as little as can be."""
    gc.disable()
    for library in libraries:
        __import__(library)
    for module in pkgutil.walk_packages(psa_tui.__path__, "psa_tui."):
        if not module.name.endswith("__main__"):
            __import__(module.name)
    import typer.main

    from psa_tui.cli.app import app

    # The command line is built once; nothing of it depends on the environment before it is called.
    typer.main.get_command = cache(typer.main.get_command)
    typer.main.get_command(app)
    # A fork need not look through what was there before it, nor take apart PyTorch's operators at its end.
    gc.enable()
    gc.freeze()
    for leftover in weakref.finalize._registry:
        leftover.atexit = False


def _fork_for_ever(libraries, listener, with_results=None):
    """Fork for every program that is asked for; returns in the child, with what it is to run."""
    running, others = {}, []
    poll = select.poll()
    for source in filter(None, (sys.__stdin__, listener, with_results)):
        poll.register(source, select.POLLIN)
    while True:
        for ready, _ in poll.poll():
            if ready == sys.__stdin__.fileno():
                # Nobody will ask any more.
                for other in others:
                    os.waitpid(other, 0)
                os._exit(0)
            if ready in running:
                poll.unregister(ready)
                child, answers = running.pop(ready)
                os.close(ready)
                _, status = os.waitpid(child, 0)
                _tell(answers, os.waitstatus_to_exitcode(status))
                answers.close()
                continue
            if libraries:
                _load(libraries)
                libraries = ()
            asked = listener.accept()[0] if ready == listener.fileno() else None
            child = os.fork()
            if child == 0:
                for end, (_, answers) in running.items():
                    os.close(end)
                    answers.close()
                listener.close()
                return _order(asked, with_results) if asked else _fork_for_ever(RESULTS_LIBRARIES, with_results)
            if asked:
                end = os.pidfd_open(child)
                running[end] = child, asked
                poll.register(end, select.POLLIN)
                _tell(asked, child)
            else:
                # The one with the libraries of results has begun.
                others.append(child)
                poll.unregister(with_results)
                with_results.close()
                with_results = None


def _tell(answers, number):
    # Who asked may be gone.
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        answers.send(b"%d\n" % number)


def _order(asked, with_results):
    """Read, in the child, what is to run, and take its streams."""
    _, streams, _, _ = socket.recv_fds(asked, 1, 3)
    with asked, asked.makefile() as lines:
        order = json.loads(lines.readline())
    if with_results:
        with_results.close()
    for number, descriptor in enumerate(streams):
        os.dup2(descriptor, number)
        os.close(descriptor)
    return order


def _open_streams():
    encoding = os.environ.get("PYTHONIOENCODING", "utf-8")
    sys.stdin = sys.__stdin__ = os.fdopen(0, encoding=encoding, closefd=False)
    sys.stdout = sys.__stdout__ = os.fdopen(1, "w", encoding=encoding, closefd=False)
    sys.stdout.reconfigure(line_buffering=os.isatty(1))
    sys.stderr = sys.__stderr__ = os.fdopen(2, "w", encoding=encoding, errors="backslashreplace", closefd=False)
    sys.stderr.reconfigure(line_buffering=True)


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
    _open_streams()
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
        subprocess.Popen = _Drawing
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
        _begin_anew(descriptors)
        exec(words[-1], {})
    finally:
        os._exit(1)


class _Drawing(subprocess.Popen):
    """As ``subprocess.Popen``, but the process that draws for a program is forked from it."""

    def _execute_child(self, args, executable, preexec_fn, close_fds, pass_fds, *others):
        if args[1:3] != ["-m", "psa_tui.views.terminal"]:
            super()._execute_child(args, executable, preexec_fn, close_fds, pass_fds, *others)
            return
        self.pid = os.fork()
        self._child_created = True
        if self.pid:
            return
        try:
            _begin_anew(pass_fds)
            Path("/proc/self/comm").write_text("drawing")
            _open_streams()
            sys.argv = args[2:]
            runpy.run_module(args[2], run_name="__main__", alter_sys=True)
            sys.stdout.flush()
            os._exit(0)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(1)


def _begin_anew(descriptors):
    """Leave all of the process that this one is forked from, but for ``descriptors``."""
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
    program = _become(_fork_for_ever(LIBRARIES, *(socket.socket(fileno=int(number)) for number in sys.argv[1:])))
    try:
        program()
    except SystemExit as leave:
        if isinstance(leave.code, str):
            print(leave.code, file=sys.stderr)
        _end(1 if isinstance(leave.code, str) else leave.code or 0)
    _end(0)
