"""Let every system call on a file fail, or kill, once; what is then said must be so, and what follows must be equal.

    python tools/fault_campaign.py --list                      # the calls of each command
    python tools/fault_campaign.py                             # every fault at every call
    python tools/fault_campaign.py --faults 100 --seed 1       # a sample
    python tools/fault_campaign.py --commands train,resume

A run, its resume, a clean, a study and a fetch are traced once; then each call that touches the models, the results or
the data set gets ENOSPC, EIO, EROFS, EINTR and SIGKILL in turn, and the errors of a full, broken or read-only disk
once more from that call on. After each, exit code, sentences, history and files must agree, and ``psa resume`` or the
same command must end as an undisturbed twin, to the bit. Linux with a C compiler; ``faults.c`` is preloaded.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import multiprocessing
import os
import pkgutil
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tools import faults

LASTING = ("ENOSPC", "EIO", "EROFS")
_SERVER = """
import sys
from tests.aws.serving import bucket_server, job, job_archive
with bucket_server() as bucket:
    for mode in ("none", "full"):
        bucket.put(job("8*8", mode), job_archive([f"{20 + i}.0{i}" for i in range(10)]))
    print(bucket.url, flush=True)
    sys.stdin.read()
"""


def load_everything() -> None:
    """Load the program and its libraries, so that a fork has them, and let workers be forked too."""
    import typer.main

    import psa_tui
    import psa_tui.cli.app as app
    from psa_tui.studies.executors import local

    for module in pkgutil.walk_packages(psa_tui.__path__, "psa_tui."):
        if not module.name.endswith(("__main__", ".ray")):
            importlib.import_module(module.name)
    app.app = typer.main.get_command(app.app)  # type: ignore[assignment]
    # Workers start at once, and every loop leaves a state.
    forking = multiprocessing.get_context("fork")
    multiprocessing.get_context = lambda method=None: forking  # type: ignore[assignment]
    local._STATE_EVERY_S = 0.0
    for library in ("boto3", "mlxtend.data", "pandas", "pydantic.fields", "torch", "typer._adapters"):
        importlib.import_module(library)
    # A fork that is soon over need not look through what was there before it.
    gc.freeze()
    gc.disable()


@contextmanager
def bucket() -> Iterator[None]:
    """Serve a bucket on loopback, and let the environment lead to it."""
    from tests.aws.serving import BUCKET, PREFIX, REGION, environment

    with subprocess.Popen(
        [sys.executable, "-c", _SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        os.environ |= environment(server.stdout.readline().strip())
        os.environ |= {"S3_BUCKET_NAME": BUCKET, "S3_PREFIX": PREFIX, "AWS_REGION": REGION}
        yield
        server.communicate()


def possible(calls: list[faults.Call]) -> list[faults.Fault]:
    """Return every fault of the calls of one command."""
    found = [faults.Fault(kind, call.number) for call in calls for kind in faults.KINDS]
    return found + [faults.Fault(kind, call.number, lasts=True) for call in calls for kind in LASTING]


def campaign(names: list[str], count: int | None, draws: random.Random, root: Path, *, lists: bool) -> int:
    """Strike, and print what is wrong; returns how many faults left something that is."""
    from tools.fault_scenes import SCENES, psa, wrong

    place, found, struck = root / "work", Counter[str](), Counter[str]()
    planned, templates, twins = [], {}, {}
    for name in names:
        scene, templates[name] = SCENES[name], root / name
        place.mkdir()
        scene.prepare(place)
        shutil.copytree(place, templates[name])
        trace = faults.run(place, psa(scene.words))
        if trace.code != 0:
            raise SystemExit(f"psa {scene.words} fails undisturbed: {trace.err}")
        twins[name] = scene.outcome(place)
        shutil.rmtree(place)
        planned += [(name, fault, trace.calls[fault.at - 1]) for fault in possible(trace.calls)]
        for call in trace.calls if lists else ():
            print(f"{name:7} {call.number:4} {call.name:9} {call.path.removeprefix(f'{place}/')}")
    if lists:
        return 0
    for name, fault, call in planned if count is None else draws.sample(planned, min(count, len(planned))):
        shutil.copytree(templates[name], place)
        done = faults.run(place, psa(SCENES[name].words), fault)
        struck[name] += 1
        for problem in dict.fromkeys(wrong(SCENES[name], place, done, fault, twins[name])):
            found[name] += 1
            where = f"{call.name} {call.path.removeprefix(f'{place}/')}"
            print(
                f"WRONG: psa {name}, {fault} ({where}): {problem}\n  exit {done.code}: {done.err[-400:].strip()}",
                flush=True,
            )
        shutil.rmtree(place)
    each = ", ".join(f"{struck[name]} of {name}" for name in names)
    print(f"{struck.total()} faults ({each}): {found.total()} wrong states")
    return found.total()


def main() -> None:
    """Parse the command line and report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faults", type=int, default=None, metavar="N", help="a sample of N (default: all)")
    parser.add_argument("--seed", type=int, default=None, help="of the sample; random when absent, and printed")
    parser.add_argument("--commands", default="train,resume,clean,study,fetch", help="which to disturb")
    parser.add_argument("--list", action="store_true", help="print the calls, and disturb nothing")
    options = parser.parse_args()
    faults.preloaded()
    seed = random.randrange(2**32) if options.seed is None else options.seed
    began = time.monotonic()
    load_everything()
    if options.faults is not None:
        print(f"drawn with seed {seed}", flush=True)
    # In memory a flush costs nothing, and means the same to a process.
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=memory) as folder, bucket():
        names = options.commands.split(",")
        bad = campaign(names, options.faults, random.Random(seed), Path(folder).resolve(), lists=options.list)
    print(f"{time.monotonic() - began:.0f} s", file=sys.stderr)
    sys.exit(bool(bad))


if __name__ == "__main__":
    main()
