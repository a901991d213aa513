"""A machine's report as JSON and as text: its hardware, what each ``--device`` would do, and how fast it is."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from psa_tui.errors import ConfigError
from psa_tui.formatting import format_bytes, printable
from psa_tui.machine.devices import Capabilities, Choice, choose
from psa_tui.settings import DEVICES

if TYPE_CHECKING:
    from psa_tui.machine.throughput import Benchmark


@dataclass(frozen=True, slots=True)
class DeviceReport:
    """What ``psa device`` says."""

    wanted: str
    """The ``--device`` value."""
    machine: Capabilities
    choice: Choice
    backend: str
    threads: int
    """How many cores a run would use."""
    benchmark: Benchmark | None

    @property
    def outcomes(self) -> dict[str, str]:
        """What each ``--device`` value would do here."""
        return {wanted: _outcome(wanted, self.machine) for wanted in DEVICES}

    def as_json(self) -> str:
        """Return the report as one JSON object."""
        content = {
            "schema": 1,
            "machine": asdict(self.machine),
            "threads": self.threads,
            "wanted": self.wanted,
            **asdict(self.choice),
            "backend": self.backend,
            "choices": self.outcomes,
            "benchmark": self.benchmark and self.benchmark.as_json(),
        }
        return json.dumps(content, indent=2)


def print_report(report: DeviceReport) -> None:
    """Print the report as tables."""
    _print_table("this machine", _machine_rows(report.machine, report.threads))
    _print_table("--device", report.outcomes)
    if report.benchmark is not None:
        _print_table(f"speed on {report.choice.device}", _speed_rows(report.benchmark))
    used = {
        report.choice.device: f"with --device {report.wanted}: {report.choice.reason}",
        "backend": report.backend,
    }
    _print_table("would be used", used)


def _outcome(wanted: str, found: Capabilities) -> str:
    try:
        choice = choose(wanted, found)
    except ConfigError:
        return f"refused: {found.missing[wanted]}"
    return f"uses {choice.device}: {choice.reason}"


def _machine_rows(found: Capabilities, threads: int) -> dict[str, str]:
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


def _speed_rows(measured: Benchmark) -> dict[str, str]:
    return {
        "shape": f"{measured.architecture}, {measured.parameters:,} parameters, batch {measured.batch_size}",
        "matrix product": f"{measured.matrix_product_flop_per_s / 1e9:,.1f} GFLOP/s (float32, best)",
        "training": f"{measured.training_images_per_s:,.0f} images/s",
        "evaluation": f"{measured.evaluation_images_per_s:,.0f} images/s",
        "meta-loop": f"{measured.meta_loop_s:,.2f} s predicted ({measured.train_count:,} trained on, "
        f"{measured.validation_count:,} evaluated)",
        "arithmetic": f"{measured.floor_s:,.2f} s at the matrix-product rate, black pixels included (numba has none)",
    }


def _print_table(title: str, rows: Mapping[str, str]) -> None:
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
