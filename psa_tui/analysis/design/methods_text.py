"""A study's methods as Markdown or LaTeX."""

from __future__ import annotations

from psa_tui.analysis.design.methods import Methods
from psa_tui.analysis.typeset import latex_text, markdown_text


def methods_markdown(methods: Methods) -> str:
    """Return a paragraph and a list."""
    lines = ["## Methods", "", markdown_text(" ".join(methods.paragraph)), "", "## Checklist", ""]
    lines += [f"- **{item}**: {markdown_text(answer)}" for item, answer in methods.checklist]
    return "\n".join([*lines, ""])


def methods_latex(methods: Methods) -> str:
    """Return a paragraph and a description list, for a document of any class."""
    lines = [r"\paragraph{Methods.}", latex_text(" ".join(methods.paragraph)), "", r"\paragraph{Checklist.}"]
    lines += [r"\begin{description}"]
    lines += [rf"\item[{latex_text(item)}] {latex_text(answer)}" for item, answer in methods.checklist]
    return "\n".join([*lines, r"\end{description}", ""])
