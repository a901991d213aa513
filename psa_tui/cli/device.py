"""``psa device``: what this machine can train on, which device is used and why, and how fast."""

from __future__ import annotations

import json as json_format
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from psa_tui.cli import options
from psa_tui.cli.output import print_note
from psa_tui.errors import ConfigError
from psa_tui.formatting import format_bytes, printable
from psa_tui.settings import DEVICES, load_settings

if TYPE_CHECKING:
    from psa_tui.machine.devices import Capabilities
    from psa_tui.machine.throughput import Benchmark


def device(
    device: options.Device = None,
    arch: options.Arch = None,
    batch_size: options.BatchSize = None,
    threads: options.Threads = None,
    bench: Annotated[
        bool,
        typer.Option("--bench", help="Measure this machine and predict a meta-loop of --arch (seconds)."),
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Show what this machine can train on, which device would be used and why."""
    settings = load_settings({"device": device, "arch": arch, "batch_size": batch_size, "threads": threads})
    wanted, size = settings.get("device"), settings.get("batch_size")
    architecture = settings.architecture().value

    from psa_tui.engine.backends.torch.chunking import parallelism_of
    from psa_tui.machine.devices import choose, detect, set_threads
    from psa_tui.machine.memory import check_memory

    if bench:
        check_memory(architecture, size)

    found = detect()
    choice = choose(wanted, found)
    threads_said = settings.get("threads")
    parallelism = parallelism_of(architecture, size, choice.device, threads_said, found.available_memory_bytes)
    set_threads(parallelism.threads)
    measured = None
    if bench:
        print_note(f"measuring {choice.device}; this takes a few seconds")

        from psa_tui.machine.throughput import measure

        measured = measure(architecture, size, choice.device, parallelism.processes)
    choices = {value: _outcome(value, found) for value in DEVICES}
    if json:
        report = {
            "schema": 1,
            "machine": asdict(found),
            "threads": parallelism.total_threads,
            "wanted": wanted,
            **asdict(choice),
        }
        speed = measured and {
            **asdict(measured),
            "meta_loop_s": measured.meta_loop_s,
            "floor_s": measured.floor_s,
        }
        json_format.dump(report | {"choices": choices, "benchmark": speed}, sys.stdout, indent=2)
        print()
        return
    _print_table("this machine", _machine(found, parallelism.total_threads))
    _print_table("--device", choices)
    if measured is not None:
        _print_table(f"speed on {choice.device}", _speed(measured))
    _print_table("would be used", {choice.device: f"with --device {wanted}: {choice.reason}"})


def _outcome(wanted: str, found: Capabilities) -> str:
    from psa_tui.machine.devices import choose

    try:
        choice = choose(wanted, found)
    except ConfigError:
        return f"refused: {found.missing[wanted]}"
    return f"uses {choice.device}: {choice.reason}"


def _machine(found: Capabilities, threads: int) -> dict[str, str]:
    physical = "" if found.physical_cores is None else f"{found.physical_cores} physical, "
    total, available = format_bytes(found.memory_bytes), format_bytes(found.available_memory_bytes)
    rows = {name: version or "none" for name, version in found.versions.items()}
    rows |= {
        "system": found.system,
        "CPU": found.cpu,
        "cores": f"{physical}{found.logical_cores} logical; {threads} used by a run",
        "memory": f"{total}, {available} available",
    }
    for one in found.accelerators:
        memory = "shares the memory above" if one.memory_bytes is None else format_bytes(one.memory_bytes)
        rows[one.device] = f"{one.name}, {memory}"
    return rows if found.accelerators else rows | {"accelerators": "none"}


def _speed(measured: Benchmark) -> dict[str, str]:
    return {
        "shape": f"{measured.architecture}, {measured.parameters:,} parameters, batch {measured.batch_size}",
        "matrix product": f"{measured.matrix_product_flop_per_s / 1e9:,.1f} GFLOP/s (float32, best)",
        "training": f"{measured.training_images_per_s:,.0f} images/s",
        "evaluation": f"{measured.evaluation_images_per_s:,.0f} images/s",
        "meta-loop": f"{measured.meta_loop_s:,.2f} s predicted (50,000 trained on, 10,000 evaluated)",
        "floor": f"{measured.floor_s:,.2f} s if all its arithmetic ran at the matrix-product rate",
    }


def _print_table(title: str, rows: dict[str, str]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(min_width=16, no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in rows.items():
        table.add_row(Text(f"  {name}"), Text(printable(value)))
    console = Console()
    console.print(Text(title, style="bold"))
    console.print(table)
