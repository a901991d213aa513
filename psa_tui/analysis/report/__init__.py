"""One self-contained HTML page of a study: findings, tables, figures, curves, method, and what is missing."""
