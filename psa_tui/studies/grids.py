"""Shapes ``L*W`` (L hidden layers of W neurons) and grids of them. No torch."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from psa_tui.errors import ConfigError
from psa_tui.networks.mlp import Architecture, Group, caret

GRIDS = ("first", "published")
"""The grids that ship with psa-tui: the 59 shapes of the first study, the 98 of the published one."""
_SHAPE = re.compile(r"([1-9][0-9]{0,5})\*([1-9][0-9]{0,5})", re.ASCII)


@dataclass(frozen=True, slots=True, order=True)
class Shape:
    """``depth`` hidden layers of ``width`` neurons each, then the output layer."""

    depth: int
    width: int

    def __str__(self) -> str:
        """The notation of grids and tables, ``18*18``; ``parse_shape`` reads it back."""
        return f"{self.depth}*{self.width}"

    @property
    def architecture(self) -> Architecture:
        """The shape as an architecture, ``[18*18]``."""
        return Architecture((Group(self.depth, self.width),))

    @property
    def parameters(self) -> int:
        """Weights and biases of the whole network."""
        return self.architecture.parameters

    @property
    def file_stem(self) -> str:
        """The shape in a file's name, ``18x18``."""
        return f"{self.depth}x{self.width}"


def parse_shape(text: str) -> Shape:
    """Read ``18*18``.

    Raises:
        ConfigError: the text is anything else.
    """
    found = _SHAPE.fullmatch(text.strip(" "))
    if found is None:
        raise ConfigError("shape: expected LAYERS*NEURONS such as 18*18, six digits at most each", caret(text, 0))
    return Shape(int(found[1]), int(found[2]))


def parse_grid(text: str) -> tuple[Shape, ...]:
    """The shapes of a grid: ``first``, ``published``, an inline list ``8*8,18*18``, or a file.

    A file has shapes separated by commas or line ends; what follows ``#`` is a comment. Text with a ``*``
    in it is an inline list.

    Raises:
        ConfigError: it names no grid and no file, has no shape, an unreadable one, or one twice.
    """
    if text in GRIDS:
        content = resources.files("psa_tui.studies").joinpath("recipes", f"{text}.txt").read_text(encoding="utf-8")
        return _shapes(content, text)
    if "*" in text:
        return _shapes(text, "--grid")
    try:
        content = Path(text).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "no text"
        raise ConfigError(
            f"--grid {text[:80]!r}: cannot be read ({reason}); say {' or '.join(GRIDS)}, "
            "a file, or a list like 8*8,18*18"
        ) from None
    return _shapes(content, text)


def _shapes(content: str, where: str) -> tuple[Shape, ...]:
    shapes: dict[Shape, None] = {}
    for number, line in enumerate(content.splitlines(), start=1):
        for entry in line.partition("#")[0].split(","):
            if not entry.strip():
                continue
            try:
                shape = parse_shape(entry.strip())
            except ConfigError as error:
                raise ConfigError(f"{where[:80]}, line {number}: {error}", error.detail) from None
            if shape in shapes:
                raise ConfigError(f"{where[:80]}, line {number}: {shape} is there twice; leave one out")
            shapes[shape] = None
    if not shapes:
        raise ConfigError(f"{where[:80]}: no shapes in it; write LAYERS*NEURONS such as 8*8,18*18")
    return tuple(shapes)
