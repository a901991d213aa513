"""A study's methods as Markdown or LaTeX."""

from __future__ import annotations

import re

from psa_tui.analysis.design.methods import Methods
from psa_tui.analysis.tables import latex_text

_MARKS = re.compile(r"([\\`*_\[\]<>|#])")


def methods_markdown(methods: Methods) -> str:
    """Return a paragraph and a list."""
    lines = ["## Methods", "", _markdown(" ".join(methods.paragraph)), "", "## Checklist", ""]
    lines += [f"- **{item}**: {_markdown(answer)}" for item, answer in methods.checklist]
    return "\n".join([*lines, ""])


def methods_latex(methods: Methods) -> str:
    """Return a paragraph and a description list, for a document of any class."""
    lines = [r"\paragraph{Methods.}", latex_text(" ".join(methods.paragraph)), "", r"\paragraph{Checklist.}"]
    lines += [r"\begin{description}"]
    lines += [rf"\item[{latex_text(item)}] {latex_text(answer)}" for item, answer in methods.checklist]
    return "\n".join([*lines, r"\end{description}", ""])


def _markdown(text: str) -> str:
    return _MARKS.sub(r"\\\1", text)
