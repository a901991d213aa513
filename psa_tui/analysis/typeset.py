"""Findings for a paper: text and tables as Markdown and as LaTeX, whatever names from outside stand in them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import count

from psa_tui.analysis.text_tables import NO_NUMBER, Text, TextTable
from psa_tui.formatting import printable

_ROWS_OF_A_PAGE = 45
_MARKS = re.compile(r"([\\`*_\[\]<>|#~])")
_LATEX = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "`": r"\textasciigrave{}"}
_LATEX |= {"<": "$<$", ">": "$>$", "|": "$|$"} | {character: "\\" + character for character in "&%$#_{}"}
_LATEX |= {"\u2013": "--"}
_SIGNS = (
    (re.compile(r"^-(?=\d)"), "$-$"),
    (re.compile(r" - "), " $-$ "),
    (re.compile(r"(?<=\d)-(?=\d)"), "--"),
    (re.compile(r"(?<=\d)\*(?=\d)"), r"$\\times$"),
)
_LATIN = "\u00ff"
"""pdfLaTeX stops at most letters beyond."""


def markdown_text(text: str) -> str:
    """Return ``text`` as Markdown shows it."""
    return _MARKS.sub(r"\\\1", printable(text))


def latex_text(text: str) -> str:
    """Return ``text`` as LaTeX prints it; letters that pdfLaTeX lacks by their numbers."""
    text = printable(text)
    escaped = "".join(_latex_character(before, one) for before, one in zip(f" {text}", text, strict=False))
    return escaped.replace("$<$=", r"$\le$")


def markdown_table(columns: Sequence[str], is_right: Sequence[bool], rows: Iterable[Sequence[str]]) -> list[str]:
    """Return the lines of a table whose cells are Markdown already."""
    return [_pipes(columns), _pipes(["---:" if right else "---" for right in is_right]), *map(_pipes, rows)]


def latex_table(
    columns: Sequence[str], is_right: Sequence[bool], rows: Sequence[Sequence[str]], caption: str, label: str
) -> list[str]:
    """Return the lines of a table for booktabs, and longtable for more than a page, whose cells are LaTeX already."""
    form = "".join("r" if right else "l" for right in is_right)
    head = " & ".join(columns) + r" \\"
    body = [" & ".join(row) + r" \\" for row in rows]
    caption = rf"\caption{{{caption}}}\label{{{label}}}"
    if len(rows) > _ROWS_OF_A_PAGE:
        top = [r"\toprule", head, r"\midrule"]
        return [
            r"% needs \usepackage{booktabs,longtable}",
            rf"{{\footnotesize\setlength{{\tabcolsep}}{{4pt}}\begin{{longtable}}{{{form}}}",
            caption + r"\\",
            *top,
            r"\endfirsthead",
            *top,
            r"\endhead",
            r"\bottomrule",
            r"\endfoot",
            *body,
            r"\end{longtable}}",
        ]
    return [
        r"% needs \usepackage{booktabs}",
        r"\begin{table}",
        r"\centering\footnotesize\setlength{\tabcolsep}{4pt}",
        caption,
        rf"\begin{{tabular}}{{{form}}}",
        r"\toprule",
        head,
        r"\midrule",
        *body,
        r"\bottomrule",
        r"\end{tabular}",
        r"\end{table}",
    ]


def markdown(parts: Iterable[Text]) -> str:
    """Return text and tables as Markdown."""
    lines: list[str] = []
    for part in parts:
        if isinstance(part, TextTable):
            columns, rows = _cells(part, markdown_text)
            lines += [*markdown_table(columns, _is_right(part), rows), ""]
        elif part:
            lines += [markdown_text(part), ""]
    return "\n".join(lines)


def latex(parts: Iterable[Text], name: str) -> str:
    """Return text and tables as LaTeX; what a table is about and stands right before it is its caption.

    Labels are tab:psa-``name``-1 and so on.
    """
    lines: list[str] = []
    numbers = count(1)
    for said, table in _captioned(parts):
        if table is None:
            lines += [f"{latex_text(sentence)}\n" for sentence in said]
        else:
            columns, rows = _cells(table, latex_cell)
            caption = latex_text(" ".join(map(_sentence, filter(None, [table.about, *said]))))
            label = f"tab:psa-{name}-{next(numbers)}"
            lines += [*latex_table(columns, _is_right(table), rows, caption, label), ""]
    return "\n".join(lines)


def _captioned(parts: Iterable[Text]) -> Iterator[tuple[list[str], TextTable | None]]:
    """Yield each table with the paragraph before it, and paragraphs that stand alone with none."""
    said: list[str] = []
    is_closed = False
    for part in parts:
        if isinstance(part, TextTable):
            yield said, part
            said, is_closed = [], False
        elif not part:
            is_closed = bool(said)
        else:
            if is_closed:
                yield said, None
                said, is_closed = [], False
            said.append(part)
    if said:
        yield said, None


def _cells(table: TextTable, escape: Callable[[str], str]) -> tuple[list[str], list[list[str]]]:
    return [escape(name) for name in table.columns], [[escape(cell) for cell in row] for row in table.rows]


def _is_right(table: TextTable) -> list[bool]:
    return [place >= table.words for place in range(len(table.columns))]


def latex_cell(text: str) -> str:
    """Return a cell with its minus signs, en dashes and times signs."""
    if text == NO_NUMBER:
        return "--"
    text = latex_text(text)
    for pattern, replacement in _SIGNS:
        text = pattern.sub(replacement, text)
    return text


def _latex_character(before: str, one: str) -> str:
    if one == before == "-":
        return "{}-"  # two of them would become a dash
    return _LATEX.get(one) or (one if one <= _LATIN else rf"\texttt{{U+{ord(one):04X}}}")


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:].rstrip(".") + "."


def _pipes(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
