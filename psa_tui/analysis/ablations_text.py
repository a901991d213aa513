"""What ablations did to a run as text and as JSON: the units whose ablation gained most and least."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from psa_tui.analysis.run_results import RunResults
from psa_tui.analysis.text_tables import NO_NUMBER, Text, TextTable
from psa_tui.formatting import count, points
from psa_tui.runs.ablation_statistics import GAIN_EDGES, NetworkAblations, Tally

_Ranked = tuple[tuple[int, int], Tally, float]
"""A unit, its tally, and its mean gain."""


def ranked_units(ablations: NetworkAblations, least_hits: int) -> list[_Ranked]:
    """Return the units hit ``least_hits`` times or more while alive, those of the highest mean gain first."""
    found = [
        (unit, tally, tally.mean_gain)
        for unit, tally in ablations.statistics.units.items()
        if tally.alive >= least_hits and tally.mean_gain is not None
    ]
    return sorted(found, key=lambda one: (-one[2], one[0]))


def units_text(ablations: NetworkAblations, most: int, least_hits: int) -> Iterator[Text]:
    """Show the ``most`` units whose ablation gained most, and those of which it gained least."""
    ranked = ranked_units(ablations, least_hits)
    hits = f"hit {least_hits} times or more" if least_hits > 1 else "hit"
    if not ranked:
        yield f"no unit that was alive was {hits}" + ("; --least 1 takes those hit once" if least_hits > 1 else "")
        return
    highest = ranked[:most]
    lowest = ranked[max(len(ranked) - most, len(highest)) :][::-1]
    for words, units in (("highest", highest), ("lowest", lowest)):
        if units:
            yield ""
            yield f"{words} mean gain, of {count(len(ranked), 'unit')} {hits}"
            yield TextTable(
                ["unit", "hits", "when dead", "promoted", "mean gain", "survived", "95 % interval", "now"],
                [_row(ablations, one) for one in units],
            )


def _row(ablations: NetworkAblations, ranked: _Ranked) -> list[str]:
    unit, tally, gain = ranked
    interval = tally.survival_interval
    return [
        ablations.names.unit(*unit),
        f"{tally.ablated:,}",
        f"{tally.dead:,}",
        f"{tally.promoted:,}",
        points(gain),
        f"{tally.survived:,} of {tally.alive:,}",
        NO_NUMBER if interval is None else f"{100 * interval.low:.0f}-{100 * interval.high:.0f} %",
        "dead" if unit in ablations.dead_units else "alive",
    ]


def ablations_json(results: RunResults) -> dict[str, Any]:
    """Return all that is known, every unit that was hit: rates and gains are fractions, null where not known."""
    ablations, statistics = results.ablations, results.statistics
    dead = set(ablations.dead_units)
    return {
        "run": results.row.run,
        "unit_counts": list(ablations.unit_counts),
        "chance": statistics.chance,
        "every": _tally_json(statistics.every),
        "untouched": _tally_json(statistics.untouched),
        "layers": [{"layer": layer, **_tally_json(tally)} for layer, tally in sorted(statistics.layers.items())],
        "units": [
            {"layer": layer, "unit": unit, "dead_now": (layer, unit) in dead, **_tally_json(tally)}
            for (layer, unit), tally in sorted(statistics.units.items())
        ],
        "dead_units": None if results.dead_units is None else [list(unit) for unit in results.dead_units],
        "gains": {
            "bin_edges_in_points": [*(-edge for edge in reversed(GAIN_EDGES)), *GAIN_EDGES],
            "promoted": statistics.promoted_gains,
            "rolled_back": statistics.rolled_back_gains,
        },
    }


def _tally_json(tally: Tally) -> dict[str, Any]:
    interval = tally.survival_interval
    return {
        "loops": tally.ablated,
        "promoted": tally.promoted,
        "dead": tally.dead,
        "survived": tally.survived,
        "mean_gain": tally.mean_gain,
        "survival": tally.survival,
        "survival_interval": None if interval is None else list(interval),
    }
