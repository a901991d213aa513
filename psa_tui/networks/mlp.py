"""Architectures as people write them, ``[4*4, 2*8]``: parsing, formatting, sizes. No torch.

An architecture is a list of groups ``count*width``: ``[4*4, 2*8, 1*16]`` is four hidden layers of four
neurons, then two of eight, then one of sixteen. Every quantity is computed from the groups in closed form,
so asking how big ``[999999999*9]`` would be costs nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from psa_tui.errors import ConfigError

INPUTS = 28 * 28
CLASSES = 10
_DIGITS = "0123456789"
_MOST_DIGITS = 12
_EVALUATION_BATCH = 2000
_MOST_IMAGES = 50_000
_BYTES_PER_LAYER = 16 * 1024
"""Python and tensor bookkeeping of one linear layer (two tensors, their gradients and views)."""


@dataclass(frozen=True, slots=True)
class Group:
    """``count`` successive hidden layers of ``width`` neurons."""

    count: int
    width: int


@dataclass(frozen=True, slots=True)
class Architecture:
    """The hidden layers of a fully connected classifier of 28x28 images into ten classes.

    Neighbouring groups of one width are one group, so two architectures are equal exactly when they
    describe the same network.
    """

    groups: tuple[Group, ...]

    @classmethod
    def of_widths(cls, widths: list[int]) -> Architecture:
        """The architecture whose hidden layers have ``widths``, first to last."""
        return cls.of_groups([Group(1, width) for width in widths])

    @classmethod
    def of_groups(cls, groups: list[Group]) -> Architecture:
        """The architecture of ``groups``, with neighbours of the same width merged."""
        merged: list[Group] = []
        for group in groups:
            if merged and merged[-1].width == group.width:
                merged[-1] = Group(merged[-1].count + group.count, group.width)
            else:
                merged.append(group)
        return cls(tuple(merged))

    def __str__(self) -> str:
        """The canonical notation, ``[4*4, 2*8]``; ``parse`` reads it back."""
        return "[" + ", ".join(f"{group.count}*{group.width}" for group in self.groups) + "]"

    @property
    def depth(self) -> int:
        """The number of hidden layers."""
        return sum(group.count for group in self.groups)

    def hidden_widths(self) -> Iterator[int]:
        """The width of every hidden layer, first to last."""
        for group in self.groups:
            for _ in range(group.count):
                yield group.width

    def group_parameters(self) -> list[int]:
        """Weights and biases of each group's layers; the head (``last width * 10 + 10``) is in none of them."""
        sizes = []
        inputs = INPUTS
        for group in self.groups:
            first = inputs * group.width + group.width
            sizes.append(first + (group.count - 1) * (group.width**2 + group.width))
            inputs = group.width
        return sizes

    @property
    def head_parameters(self) -> int:
        """Weights and biases of the output layer."""
        return self.groups[-1].width * CLASSES + CLASSES

    @property
    def parameters(self) -> int:
        """Weights and biases of the whole network; ``784W + W + (L-1)(W² + W) + 10W + 10`` for ``[L*W]``."""
        return sum(self.group_parameters()) + self.head_parameters

    def meta_loop_operations(self, training_images: int, validation_images: int, pixels: int = INPUTS) -> int:
        """Multiplications and additions of one trial's meta-loop.

        Two per parameter and image in each of: the forward pass, the gradients of the parameters, and the
        gradients of the activations, which the first layer does not need. Evaluation is a forward pass.
        ``pixels`` says how many of the 784 take part in training, for an engine that passes over black ones.
        """
        width = self.groups[0].width
        training = 3 * self.parameters - INPUTS * width - 2 * (INPUTS - pixels) * width
        return 2 * (training * training_images + self.parameters * validation_images)

    def training_bytes(self, batch_size: int, processes: int = 1) -> int:
        """Memory one trial needs while it trains, in bytes: an estimate made before anything is allocated.

        Six float32 copies of the parameters (LKG, candidate, gradient, two AdamW moments, the copy being
        written), three of the activations of one batch (of training or of evaluation, no larger than the
        largest data set), and the bookkeeping of each layer. Of several processes each has its own LKG, candidate,
        gradient and activations; they divide the moments, and a second copy of the weights.
        """
        widths = INPUTS + sum(group.count * group.width for group in self.groups) + CLASSES
        rows = processes * min(max(batch_size // processes, _EVALUATION_BATCH), _MOST_IMAGES)
        copies = 6 if processes == 1 else 4 + 3 * processes
        return copies * 4 * self.parameters + 3 * 4 * rows * widths + processes * _BYTES_PER_LAYER * (self.depth + 1)


def parse_architecture(text: str) -> Architecture:
    """Read ``[4*4, 2*8]``; spaces are allowed between symbols, and the brackets may be left out together.

    Raises:
        ConfigError: the text is anything else; the message shows it with a caret under the fault.
    """
    return _Parser(text, "architecture", "groups like [4*4, 2*8] (layers*neurons)").architecture()


def parse_hidden_layers(text: str) -> Architecture:
    """Read ``512,256``: one width per hidden layer.

    Raises:
        ConfigError: the text is anything else; the message shows it with a caret under the fault.
    """
    return _Parser(text, "hidden layers", "widths like 512,256").widths()


class _Parser:
    def __init__(self, text: str, what: str, expected: str) -> None:
        self.text = text
        self.position = 0
        self.what = what
        self.expected = expected

    def architecture(self) -> Architecture:
        bracketed = self._accept("[")
        groups = [self._group()]
        while self._accept(","):
            groups.append(self._group())
        if bracketed and not self._accept("]"):
            self._fail("expected ',' or ']'")
        self._end()
        return Architecture.of_groups(groups)

    def widths(self) -> Architecture:
        widths = [self._number("a width")]
        while self._accept(","):
            widths.append(self._number("a width"))
        self._end()
        return Architecture.of_widths(widths)

    def _group(self) -> Group:
        count = self._number("a number of layers")
        if not self._accept("*"):
            self._fail("expected '*'")
        return Group(count, self._number("a number of neurons"))

    def _number(self, what: str) -> int:
        self._skip_spaces()
        start = self.position
        while self.position < len(self.text) and self.text[self.position] in _DIGITS:
            self.position += 1
        digits = self.text[start : self.position]
        if not digits:
            self._fail(f"expected {what}")
        if digits.startswith("0"):
            self._fail(f"{what} starts at 1, with no leading zero", start)
        if len(digits) > _MOST_DIGITS:
            self._fail(f"{what} has at most {_MOST_DIGITS} digits", start)
        return int(digits)

    def _accept(self, symbol: str) -> bool:
        self._skip_spaces()
        if self.text[self.position : self.position + 1] != symbol:
            return False
        self.position += 1
        return True

    def _end(self) -> None:
        self._skip_spaces()
        if self.position < len(self.text):
            self._fail("nothing more was expected")

    def _skip_spaces(self) -> None:
        while self.text[self.position : self.position + 1] == " ":
            self.position += 1

    def _fail(self, reason: str, position: int | None = None) -> None:
        raise ConfigError(
            f"{self.what}: {reason}; write {self.expected}",
            caret(self.text, self.position if position is None else position),
        )


def caret(text: str, position: int, width: int = 60) -> str:
    """Two lines: ``text`` (a window of it, without control characters) and a caret under ``position``."""
    from rich.cells import cell_len

    start = max(0, min(position - width // 2, len(text) - width))
    shown = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text[start : start + width])
    return f"  {shown}\n  {' ' * cell_len(shown[: position - start])}^"
