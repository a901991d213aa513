"""Interpreters that the program starts import what it does, whatever lies in the folder it was started in."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from psa_tui.machine.child_processes import STOP_SIGNALS, isolated_children
from psa_tui.studies.worker_process import start_worker

MODULES = ("argparse", "json", "pickle", "random", "rich", "typing", "torch", "numpy", "sitecustomize")


@pytest.fixture
def hostile(tmp_path, monkeypatch):
    """The current folder, full of modules that leave a mark when they are imported; returns the mark's path."""
    mark = tmp_path / "mark"
    for name in MODULES:
        (tmp_path / f"{name}.py").write_text(f"open({str(mark)!r}, 'a').write({name!r})\nraise SystemExit(9)\n")
    monkeypatch.chdir(tmp_path)
    return mark


def test_a_child_imports_nothing_from_the_current_folder_and_is_deaf_to_what_is_for_its_parent(hostile):
    before = dict(os.environ)
    code = "import argparse, json, signal; print(sorted(signal.pthread_sigmask(signal.SIG_BLOCK, [])))"
    with isolated_children():
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == f"{sorted(STOP_SIGNALS)}\n", done.stderr
    assert not hostile.exists()
    assert dict(os.environ) == before
    assert not signal.pthread_sigmask(signal.SIG_BLOCK, []) & set(STOP_SIGNALS)


def report(pipe):
    import psa_tui

    pipe.send((psa_tui.__file__, "" in sys.path, os.getcwd() in sys.path))
    signal.pause()


@pytest.mark.slow
def test_a_worker_is_such_a_child(hostile):
    import psa_tui

    process, pipe = start_worker(report, name="worker")
    try:
        assert pipe.poll(60)
        assert pipe.recv() == (psa_tui.__file__, False, False)
        os.kill(process.pid, signal.SIGTERM)
        process.join(0.2)
        assert process.is_alive()
    finally:
        process.kill()
        process.join()
        pipe.close()
    assert not hostile.exists()


def test_the_dashboards_process_is_such_a_child(terminal, tmp_path, hostile):
    script = Path(sys.executable).with_name("psa")
    words = ("train", "--dataset", "mnist5k", "--arch", "1*4", "--meta-loops", "100000", "--threads", "1")
    tty = terminal([sys.executable, script, *words])
    tty.wait_for_loop(3)
    tty.press("q")
    assert tty.wait_for_end() == 130
    tty.assert_restored()
    assert not hostile.exists()
