"""What a trial of each variant costs beside one of ``output``: processor seconds per trial and meta-loop, as ratios.

    PSA_DATASET_DIR=... python -m benchmarks.variants [--grid "8*8,18*18"] [--trials 20] [--pairs 3] [VARIANT ...]

Trials of one variant train as one population in this process, with one thread, as a worker of a study trains them. Each
variant and ``output`` take turns, two meta-loops each after a first one; what counts is the median of the ratios.
Processor seconds, so that what else the machine does counts as little as it can.
"""

from __future__ import annotations

import argparse
import itertools
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from benchmarks import machine
from psa_tui.data import load_dataset
from psa_tui.machine.devices import set_threads
from psa_tui.method.variants import CONTROLS, OUTPUT, PUBLISHED, Variant, find_variant
from psa_tui.networks import Network
from psa_tui.settings import load_settings
from psa_tui.studies.grids import parse_grid
from psa_tui.studies.parts import Part
from psa_tui.studies.spec import StudySpec
from psa_tui.studies.training import PartRun, StudyData, load_study_data

_LOOPS = 2
_ENOUGH = 10**6


def main() -> int:
    """Print a line for each network and variant."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--grid", default="8*8,18*18")
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("variants", nargs="*", default=[one.name for one in (*PUBLISHED, *CONTROLS)])
    arguments = parser.parse_args()
    set_threads(1)
    folder = Path(load_settings({}, Path(tempfile.gettempdir())).get("dataset_dir"))
    name = "mnist" if "PSA_DATASET_DIR" in os.environ else "mnist5k"
    fingerprint = load_dataset(name, folder).fingerprint
    networks = parse_grid(arguments.grid + ",", name)
    spec = StudySpec(
        name="benchmark",
        networks=networks,
        variants=(OUTPUT,),
        trials=arguments.trials,
        meta_loops=_ENOUGH,
        seed=0,
        dataset=name,
        dataset_fingerprint=fingerprint,
    )
    data = load_study_data(spec, folder, "cpu")
    print(f"{machine.describe()}, {name}, {arguments.trials} trials, {arguments.pairs} pairs")
    print(f"{'shape':<10}{'variant':<18}{'output s':>10}{'s':>10}{'ratio':>8}")
    for network, variant in itertools.product(networks, map(find_variant, arguments.variants)):
        base, other = (_loops(spec, network, one, data) for one in (OUTPUT, variant))
        pairs = [(next(base), next(other)) for _ in range(arguments.pairs)]
        output_s, variant_s = (statistics.median(times) for times in zip(*pairs, strict=True))
        ratio = statistics.median(b / a for a, b in pairs)
        print(f"{network.short_name:<10}{variant.name:<18}{output_s:>10.4f}{variant_s:>10.4f}{ratio:>8.2f}", flush=True)
    return 0


def _loops(spec: StudySpec, network: Network, variant: Variant, data: StudyData) -> Iterator[float]:
    """Train on and on; yield the seconds of a trial's meta-loop, of some loops at a time."""
    spec = replace(spec, networks=(network,), variants=(variant,))
    part = Part(network, tuple(range(1, spec.trials + 1)))
    steps = PartRun(spec, part, data).run("benchmark", save_every_s=float("inf"))
    done = 0
    while True:
        started = time.process_time()
        until, first = done + _LOOPS, done == 0
        while done < until + first:
            done = next(steps).meta_loop
            if first and done == 1:
                started = time.process_time()
        yield (time.process_time() - started) / _LOOPS / spec.trials


if __name__ == "__main__":
    sys.exit(main())
