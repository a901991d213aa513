"""Put the page together: one file, that asks the network for nothing and runs no script but its own."""

from __future__ import annotations

import base64
import hashlib
from importlib.resources import files
from pathlib import Path

from psa_tui.analysis.comparison import SELECTION
from psa_tui.analysis.design.methods import methods
from psa_tui.analysis.figures import FIGURES
from psa_tui.analysis.figures.study_results import StudyResults
from psa_tui.analysis.figures.style import figure_style, to_bytes
from psa_tui.analysis.regimes import RULES, Regime
from psa_tui.analysis.report.contrasts import CONTRAST_FIGURES, contrasts
from psa_tui.analysis.report.curves import curves
from psa_tui.analysis.report.findings import findings
from psa_tui.analysis.report.gaps import gaps
from psa_tui.analysis.report.inline_svg import inline_svg
from psa_tui.analysis.report.provenance import facts
from psa_tui.analysis.report.tables import tables
from psa_tui.analysis.summary import NOT_A_REPRODUCTION
from psa_tui.machine.optional_dependencies import require
from psa_tui.method.initialisation import DEFAULT
from psa_tui.method.promotion import STRICT
from psa_tui.method.variants import PUBLISHED, OptimizerState, Variant


def build_page(results: StudyResults, results_dir: Path) -> bytes:
    """Return the page as UTF-8 HTML; the same results give the same bytes."""
    require("jinja2", "matplotlib")
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    script, style = _asset("page.js"), _asset("page.css")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    drawn, skipped = [], []
    with figure_style():
        for figure in FIGURES.values():
            if figure.needs_loops and results.loops is None:
                skipped.append(figure.title)
                continue
            words = figure.describe(results)
            svg = to_bytes(figure.draw(results), "svg").decode()
            drawn.append((figure.name, inline_svg(figure.name, svg, words), words))
    page = environment.from_string(_asset("page.html.j2")).render(
        study=results.trials.attrs.get("study"),
        name=results.name,
        quick=NOT_A_REPRODUCTION if results.trials.attrs.get("quick") else "",
        script=script,
        script_hash=digest,
        style=style,
        findings=findings(results),
        selection=SELECTION,
        gaps=gaps(results),
        figures=[one for one in drawn if one[0] not in CONTRAST_FIGURES],
        contrasts=contrasts(results),
        contrast_figures=[one for one in drawn if one[0] in CONTRAST_FIGURES],
        skipped=skipped,
        curves=curves(results),
        tables=tables(results),
        facts=facts(results, results_dir),
        methods=methods(results.trials, results_dir),
        further=[(one.name, _words(one)) for one in results.variants if one not in PUBLISHED],
        rules=[(one.number, one.regime.full_name, one.words) for one in RULES if one.regime is not Regime.UNCLASSIFIED],
    )
    return page.encode()


_STATES = {
    OptimizerState.FRESH: "",
    OptimizerState.LKG: "begins every loop with AdamW's state as it was saved with the LKG",
    OptimizerState.KEEP: "never resets AdamW's state",
}


def _words(variant: Variant) -> str:
    """Say what a variant does that the page's own text does not describe."""
    said = [
        f"ablates by the rule {variant.ablation}" if variant.ablation is not None else "",
        f"promotes by the rule {variant.promotion}" if variant.promotion != STRICT else "",
        _STATES[variant.optimizer_state],
        "trains a new initialisation every loop" if variant.restarts else "",
        "trains on shuffled labels" if variant.shuffled_labels else "",
        f"begins from {variant.initialisation} weights" if variant.initialisation != DEFAULT else "",
        "; then ".join(f"{one} for {loops} meta-loops" for loops, one in variant.schedule),
        "weight decay while training" if variant.weight_decay else "",
        "dropout after every hidden layer while training" if variant.dropout else "",
    ]
    return "; ".join(filter(None, said)) or "a further mode, none of the published study"


def _asset(name: str) -> str:
    return files("psa_tui.analysis.report").joinpath(name).read_text(encoding="utf-8")
