"""Kill one of the processes that train a network together, at any moment, and measure how soon the others notice.

    python tools/kill_group.py --kills 200

The processes meet at barriers as fast as they can; one of them, at random, is stopped or not, and another is killed.
The first process must end with the cause within two seconds, whether the processor's cores are free or starved by as
many busy processes. Exit code 0 means that all of it held.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import time

import torch

from psa_tui.engine.process_group import ProcessGroup
from psa_tui.errors import PsaError

SIZES = (2, 3, 4, 8)
LIMIT_S = 2.0


def kill_once(size: int, draws: random.Random) -> float:
    """Return the seconds from a kill to the error of the first process; it is ended by a signal after ten."""
    told, tell = os.pipe()
    trainer = os.fork()
    if not trainer:
        signal.alarm(10)
        torch.set_num_threads(1)
        with ProcessGroup(size, 10, 8, 10, torch.float32) as group:

            def work() -> None:
                while True:
                    group.barrier()

            group.start(work)
            os.write(tell, " ".join(map(str, group._children)).encode() + b"\n")
            try:
                work()
            except PsaError:
                os._exit(0)
    others = [int(word) for word in os.read(told, 4096).split()]
    os.close(told)
    os.close(tell)
    time.sleep(draws.uniform(0, 0.05))
    victim, *rest = draws.sample(others, len(others))
    held = rest[:1] if draws.random() < 0.5 else []
    for process in held:
        os.kill(process, signal.SIGSTOP)
    time.sleep(draws.uniform(0, 0.05))
    os.kill(victim, signal.SIGKILL)
    killed = time.monotonic()
    for process in held:
        # Long enough for the first process to see that the other one ended.
        time.sleep(0.1)
        os.kill(process, signal.SIGCONT)
    _, status = os.waitpid(trainer, 0)
    return time.monotonic() - killed if status == 0 else float("inf")


def main() -> None:
    """Parse the command line and report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    draws = random.Random(options.seed)
    slow = 0
    for starved in (False, True):
        busy = [_busy() for _ in range((os.cpu_count() or 1) if starved else 0)]
        for size in SIZES:
            times = [kill_once(size, draws) for _ in range(options.kills // (2 * len(SIZES)))]
            slow += sum(seconds > LIMIT_S for seconds in times)
            how = "starved" if starved else "free"
            print(f"{size} processes, {how}: {len(times)} kills, noticed in at most {max(times):.2f} s", flush=True)
        for process in busy:
            os.kill(process, signal.SIGKILL)
            os.waitpid(process, 0)
    if slow:
        raise SystemExit(f"{slow} kills were noticed late or never")


def _busy() -> int:
    """Fork a process that does nothing, as fast as it can."""
    child = os.fork()
    while not child:
        pass
    return child


if __name__ == "__main__":
    main()
