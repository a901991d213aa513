"""Puts the page together: one file, that asks the network for nothing and runs no script but its own."""

from __future__ import annotations

import base64
import hashlib
from importlib.resources import files
from pathlib import Path

from psa_tui.analysis.comparison import SELECTION
from psa_tui.analysis.figures import FIGURES
from psa_tui.analysis.figures.study_results import Material
from psa_tui.analysis.figures.style import look, to_bytes
from psa_tui.analysis.regimes import RULES, Regime
from psa_tui.analysis.report.curves import curves
from psa_tui.analysis.report.findings import findings
from psa_tui.analysis.report.gaps import gaps
from psa_tui.analysis.report.inline_svg import inline_svg
from psa_tui.analysis.report.provenance import facts
from psa_tui.analysis.report.tables import tables
from psa_tui.analysis.summary import NOT_A_REPRODUCTION
from psa_tui.machine.optional_dependencies import require


def build_page(material: Material, results_dir: Path) -> bytes:
    """The page as UTF-8 HTML; the same material gives the same bytes."""
    require("jinja2", "matplotlib")
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    script, style = _asset("page.js"), _asset("page.css")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    drawn, skipped = [], []
    with look():
        for figure in FIGURES.values():
            if figure.needs_loops and material.loops is None:
                skipped.append(figure.title)
                continue
            words = figure.describe(material)
            svg = to_bytes(figure.draw(material), "svg").decode()
            drawn.append((figure.name, inline_svg(figure.name, svg, words), words))
    page = environment.from_string(_asset("page.html.j2")).render(
        study=material.trials.attrs.get("study"),
        name=material.name,
        quick=NOT_A_REPRODUCTION if material.trials.attrs.get("quick") else "",
        script=script,
        script_hash=digest,
        style=style,
        findings=findings(material),
        selection=SELECTION,
        gaps=gaps(material),
        figures=drawn,
        skipped=skipped,
        curves=curves(material),
        tables=tables(material),
        facts=facts(material, results_dir),
        rules=[(one.number, one.regime.full_name, one.words) for one in RULES if one.regime is not Regime.UNCLASSIFIED],
    )
    return page.encode()


def _asset(name: str) -> str:
    return files("psa_tui.analysis.report").joinpath(name).read_text(encoding="utf-8")
