"""From trials to findings: sources, statistics, regimes, comparisons, tables. No Rich, no Typer."""
