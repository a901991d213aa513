"""``psa device``: what this machine can train on, which device is used and why, how fast, and whether rightly."""

from __future__ import annotations

from typing import Annotated

import typer

from psa_tui.cli.options import Json, takes_settings
from psa_tui.errors import ConfigError
from psa_tui.settings import Settings
from psa_tui.views.messages import print_note, print_warning


@takes_settings("device", "arch", "batch_size", "threads", "network", "dataset", "backend")
def device(
    settings: Settings,
    bench: Annotated[
        bool,
        typer.Option("--bench", help="Measure this machine and predict a meta-loop of --arch (seconds)."),
    ] = False,
    verify: Annotated[
        bool,
        typer.Option("--verify", help="Check and time each backend on the device; a minute, and a line to send."),
    ] = False,
    json: Json = False,
) -> None:
    """Show what this machine can train on, which device and backend would be used and why."""
    if verify and bench:
        raise ConfigError("--bench and --verify exclude each other; choose one")
    if verify:
        from psa_tui.cli.verification import verify_machine

        verify_machine(settings, json)
        return
    wanted, batch_size = settings.get("device"), settings.get("batch_size")
    network, spec = settings.network().value, settings.dataset_spec()

    from psa_tui.engine.backend import choose_backend, second_choice
    from psa_tui.engine.parallelism import threads_for
    from psa_tui.machine.devices import choose, detect, set_threads
    from psa_tui.machine.memory import check_memory
    from psa_tui.views.device_text import DeviceReport, print_report

    if bench:
        check_memory(network, batch_size, spec.train_count)

    found = detect()
    choice = choose(wanted, found)
    backend = choose_backend(settings.get("backend"), network, choice.device, floats=spec.floats)
    for notice in second_choice(settings.get("backend"), network, choice.device, floats=spec.floats):
        print_warning(notice)
    threads = threads_for(network, backend, batch_size, choice.device, settings.get("threads"))
    set_threads(threads, backend)
    measured = None
    if bench:
        print_note(f"measuring {choice.device}; this takes a few seconds")

        from psa_tui.machine.throughput import measure

        measured = measure(network, spec, backend, batch_size, choice.device)
    report = DeviceReport(wanted, found, choice, backend.name, threads, measured)
    if json:
        print(report.as_json())
    else:
        print_report(report)
