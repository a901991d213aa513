"""A process of this machine that trains for a study, and the pipe to it."""

from __future__ import annotations

import multiprocessing
import sys
from collections.abc import Callable
from multiprocessing import forkserver, resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

from psa_tui.machine.child_processes import isolated_children

_METHOD = multiprocessing.get_context("forkserver") if sys.platform == "linux" else multiprocessing.get_context("spawn")


def load_libraries() -> None:
    """Let the process that workers are forked from begin to load PyTorch, while this one has other things to do."""
    # Python starts its resource tracker first, and lets signals through when it has.
    with isolated_children():
        resource_tracker.ensure_running()
    if sys.platform == "linux":
        multiprocessing.set_forkserver_preload(["psa_tui.studies.worker_libraries"])
        with isolated_children():
            forkserver.ensure_running()


def start_worker(target: Callable[..., None], *arguments: object, name: str) -> tuple[BaseProcess, Connection]:
    """Start a process that calls ``target(pipe, *arguments)``; return it, and the other end of its pipe.

    On Linux workers are forked from one process that has loaded PyTorch and done nothing else; elsewhere, where forks
    of loaded libraries are not safe, each loads it anew. Signals that ask to stop do not reach a worker, also where
    they go to the whole process group: it ends when its pipe does, or by SIGKILL.
    """
    load_libraries()
    ours, theirs = multiprocessing.Pipe()
    process = _METHOD.Process(target=target, args=(theirs, *arguments), daemon=True, name=name)
    with isolated_children():
        process.start()
    theirs.close()
    return process, ours
