"""Matplotlib's SVG made part of a page: its own ids, the page's colours, and words for who cannot see it."""

from __future__ import annotations

import re

from markupsafe import Markup, escape

from psa_tui.analysis.figures.style import INK, MUTED, PAPER, RULE

_COLOURS = {INK: "ink", MUTED: "muted", RULE: "rule", PAPER: "paper"}
_LEFT_OUT = re.compile(r"<\?xml.*?\?>|<!DOCTYPE.*?>|<!--.*?-->|<metadata>.*?</metadata>", re.DOTALL)


def inline_svg(name: str, svg: str, words: str) -> Markup:
    """Return ``svg`` (what ``style.to_bytes`` made) as an element of a page.

    Ids get ``name`` before them, since a page has many figures; ink, paper and grid take the page's colours, so the
    figure follows it into the dark; ``words`` are its text alternative.
    """
    text = _LEFT_OUT.sub("", svg).strip()
    text = re.sub(r'\bid="([^"]+)"', rf'id="{name}-\1"', text)
    text = re.sub(r'(xlink:href="#|url\(#)', rf"\g<1>{name}-", text)
    text = text.replace("xlink:href=", "href=")
    for colour, variable in _COLOURS.items():
        text = text.replace(colour, f"var(--{variable})")
    opening = re.compile(r"<svg [^>]*?(viewBox=\"[^\"]*\")[^>]*>", re.DOTALL)
    head = rf'<svg xmlns="http://www.w3.org/2000/svg" \1 role="img" aria-label="{_replacement(words)}">'
    return Markup(re.sub(r"\n\s*", "\n", opening.sub(head, text, count=1)))


def _replacement(words: str) -> str:
    return str(escape(words)).replace("\\", r"\\")
