"""Start-up and memory: seconds from process start to the first frame and training step, and peak memory of a short run.

PSA_DATASET_DIR=... python benchmarks/startup.py [--repeat 3] [--arch "[1*1024]"]
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time

import pexpect


def first_frame_s(command: list[str]) -> float:
    """Return the seconds until a terminal shows that something loads; the run is stopped then."""
    started = time.perf_counter()
    terminal = pexpect.spawn(command[0], command[1:], env={**os.environ, "TERM": "xterm-256color"}, dimensions=(24, 80))
    terminal.expect("loading PyTorch")
    seconds = time.perf_counter() - started
    terminal.sendcontrol("c")
    terminal.expect(pexpect.EOF)
    terminal.close()
    return seconds


def main() -> None:
    """Measure and print medians and ranges."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--arch", default="[1*1024]")
    options = parser.parse_args()
    seconds: dict[str, list[float]] = {"psa --help": [], "first frame": [], "first training step": []}
    for _ in range(options.repeat):
        started = time.perf_counter()
        subprocess.run([sys.executable, "-m", "psa_tui", "--help"], check=True, stdout=subprocess.DEVNULL)
        seconds["psa --help"].append(time.perf_counter() - started)
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, "-m", "psa_tui", "train", "--dataset", "mnist"]
            command += ["--arch", options.arch, "--meta-loops", "2", "--model-dir", folder, "--results-dir", folder]
            seconds["first frame"].append(first_frame_s(command))
            started = time.perf_counter()
            process = subprocess.Popen([*command, "--json"], stdout=subprocess.PIPE)
            assert process.stdout is not None
            for line in process.stdout:
                if json.loads(line)["event"] == "epoch_progressed":
                    seconds["first training step"].append(time.perf_counter() - started)
                    break
            process.communicate()
    for name, values in seconds.items():
        print(f"{name:<22} median {statistics.median(values):.2f} s  ({min(values):.2f} to {max(values):.2f})")
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    print(f"{'peak memory':<22} {peak / 1e6:.0f} MB, two meta-loops of {options.arch}")


if __name__ == "__main__":
    main()
