"""``psa probe``: what trained networks still can when they are damaged and not trained again."""

from __future__ import annotations

from pathlib import Path

import typer

from psa_tui.cli import probe_options as options
from psa_tui.cli.options import Json, takes_settings
from psa_tui.errors import ConfigError
from psa_tui.settings import Settings
from psa_tui.views.messages import print_error, print_warning
from psa_tui.views.output import draws_in_ascii

_OWN = dict.fromkeys(("network", "device", "backend"), "that of the training")


@takes_settings(*("network", "name", "model_dir", "dataset_dir", "device", "backend", "threads", "ascii"), **_OWN)
def probe(
    settings: Settings,
    checkpoints: options.Checkpoints = None,
    kill: options.Kill = None,
    noise: options.Noise = None,
    draws: options.Draws = 100,
    seed: options.Seed = 0,
    out: options.Out = None,
    terminal: options.OnTerminal = False,
    json: Json = False,
) -> None:
    """Measure robustness: test accuracy after zeroing random hidden units, or with noise, without any training.

    A unit's incoming weights, bias and outgoing weights become zero; networks of one shape lose the same units.
    """
    from psa_tui.analysis.robustness import check_request, difference
    from psa_tui.cli.probe_output import measured, print_found, print_json, write_figure
    from psa_tui.method.probes import Probe, UnitKill, WeightNoise, parse_kills, parse_noise

    for pair in {"--kill": kill, "--noise": noise}, {"--json": json or None, "--terminal": terminal or None}:
        if None not in pair.values():
            raise ConfigError(f"{' and '.join(pair)} exclude each other; choose one")
    paths = [Path(text) for text in checkpoints or [str(settings.run_folder())]]
    check_request(paths, out)
    levels = parse_kills(kill or "1..10") if noise is None else parse_noise(noise)
    asked: Probe = (UnitKill if noise is None else WeightNoise)(levels, draws, seed)
    found, problems, made = measured(settings, paths, asked, fit=kill is None)
    if json:
        print_json(found, problems, made)
    elif found:
        print_found(found, made, curves=terminal, ascii_only=draws_in_ascii(settings))
    for remark in filter(None, map(difference, found)):
        print_warning(remark)
    for label, problem in problems.items():
        print_error(str(problem) if label in str(problem) else f"{label}: {problem}")
    if out is not None and found:
        write_figure(found, made, Path(out))
    if problems:
        raise typer.Exit(next(iter(problems.values())).exit_code)
