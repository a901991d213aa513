"""Kill a study's workers, its driver or both at random moments, go on each time, and compare the end.

``python tools/kill_study.py --kills 200 --seed 1`` prints what was done, and exits 1 when a trial is missing,
there twice or not like that of an undisturbed study, or when a file could not be read again.
"""

from __future__ import annotations

import argparse
import random
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import psutil

from psa_tui.storage.study_rows import TRIAL_LOOP_COLUMNS, TrialRow
from psa_tui.storage.study_store import read_store

_TRIALS, _META_LOOPS = 2, 25
_STUDY = ["--study", "killed", "--dataset", "mnist5k", "--grid", "4*4,1*8,2*8,3*5", "--trials", str(_TRIALS)]
_STUDY += ["--meta-loops", str(_META_LOOPS)]
_GRACE_S = 120


def main() -> int:
    """Run the trial by fire."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", default="1", help="of the moments and victims; random for another each time")
    arguments = parser.parse_args()
    seed = random.randrange(2**32) if arguments.seed == "random" else int(arguments.seed)
    print(f"seed {seed}")
    with tempfile.TemporaryDirectory() as folder:
        return _compare(Path(folder), arguments.kills, random.Random(seed))


def _compare(folder: Path, kills: int, dice: random.Random) -> int:
    _finish(folder / "twin")
    expected = _table(folder / "twin")
    done = studies = 0
    while done < kills:
        studies += 1
        results = folder / f"study-{studies}"
        while done < kills and (victims := _kill_once(results, dice)):
            done += 1
            print(f"kill {done}: {victims}", flush=True)
        _finish(results)
        if _table(results) != expected:
            print(f"study {studies} differs from the undisturbed one")
            return 1
        if left := [path.name for path in (results / "studies" / "killed").glob("[0-9]*")]:
            print(f"study {studies} left {left}")
            return 1
    print(f"{done} kills, {studies} studies, all tables equal to the undisturbed one")
    return 0


def _start(results: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "psa_tui", "reproduce", "run", *_STUDY, "--quiet", "--workers", "2"]
    with (results.parent / "log").open("ab") as log:
        return subprocess.Popen([*command, "--results-dir", str(results)], stdout=log, stderr=log)


def _kill_once(results: Path, dice: random.Random) -> str:
    """Kill something of a study under way; nothing when it came to its end before."""
    driver = _start(results)
    until = time.monotonic() + dice.uniform(0.5, 9)
    while time.monotonic() < until:
        if driver.poll() is not None:
            _check_exit(driver, results)
            return ""
        time.sleep(0.02)
    # Between the driver and its workers is the process that forks them.
    workers = [worker for child in psutil.Process(driver.pid).children() for worker in child.children()]
    choice = dice.choice(["driver", "worker", "both"])
    victims = [] if choice == "driver" or not workers else [dice.choice(workers)]
    if choice != "worker" or not victims:
        victims.append(psutil.Process(driver.pid))
    for victim in victims:
        victim.send_signal(signal.SIGKILL)
    if driver.pid not in [victim.pid for victim in victims]:
        # It goes on without the worker; somebody pulls the plug a little later.
        time.sleep(dice.uniform(0, 3))
        driver.kill()
    driver.wait()
    return choice


def _finish(results: Path) -> None:
    driver = _start(results)
    driver.wait(_GRACE_S)
    _check_exit(driver, results)


def _check_exit(driver: subprocess.Popen[bytes], results: Path) -> None:
    if driver.returncode:
        print((results.parent / "log").read_text(errors="replace")[-2000:])
        raise SystemExit(f"a study ended with exit code {driver.returncode}")


def _table(results: Path) -> tuple[list[TrialRow], list[tuple[object, ...]]]:
    """Return trials and loops, without the times."""
    with read_store(results) as store:
        assert store is not None
        trials = [replace(row, seconds=0.0) for row in store.trials("killed")]
        assert len(trials) == 4 * 6 * _TRIALS
        seconds = TRIAL_LOOP_COLUMNS.index("seconds")
        loops = [(*row[:seconds], *row[seconds + 1 :]) for row in store.loops("killed")]
        assert len(loops) == len(trials) * _META_LOOPS
        return trials, loops


if __name__ == "__main__":
    sys.exit(main())
