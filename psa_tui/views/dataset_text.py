"""A data set as JSON and as text: where it is from, how it is split, and what is counted of it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest
from textwrap import wrap
from typing import Any

from psa_tui.data import Dataset, class_counts, majority_class_accuracy
from psa_tui.formatting import percent, printable

_WIDTH, _LABEL = 80, 13


def describe_dataset(loaded: Dataset) -> dict[str, Any]:
    """Return what ``psa dataset`` says of a data set, JSON-ready; ``mean`` and ``std`` of one channel are numbers."""
    spec = loaded.spec
    splits = {"train": loaded.train, "validation": loaded.validation, "test": loaded.test}
    return {
        "schema": 1,
        "dataset": loaded.name,
        "origin": loaded.origin,
        "own": spec.path is not None,
        "verified": loaded.verified,
        "fingerprint": loaded.fingerprint,
        "split_rule": loaded.split_rule,
        "input_shape": list(spec.input_shape),
        "pixels": "float32" if spec.floats else "uint8",
        "class_names": list(spec.class_names),
        "mean": _single(spec.mean),
        "std": _single(spec.std),
        "splits": {
            name: {
                "images": len(split.labels),
                "class_counts": class_counts(split, spec.classes),
                "majority_class_accuracy": majority_class_accuracy(split),
            }
            for name, split in splits.items()
        },
        "notices": list(loaded.notices),
    }


def print_dataset(content: dict[str, Any]) -> None:
    """Print what ``describe_dataset`` returned."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    checked = "verified" if content["verified"] else "NOT verified"
    seen, names = "x" if content["pixels"] == "float32" else "x / 255", content["class_names"]
    facts = {
        "data set": content["dataset"] if content["own"] else f"{content['dataset']}, {checked}",
        "from": content["origin"],
        "fingerprint": content["fingerprint"][:16],
        "split": content["split_rule"],
        "images": f"{content['pixels']}, {' x '.join(map(str, content['input_shape']))}",
        "pixels": f"({seen} - {_numbers(content['mean'])}) / {_numbers(content['std'])}",
    }
    for name, value in facts.items():
        lines = wrap(printable(value), _WIDTH - _LABEL, break_long_words=False, break_on_hyphens=False)
        print("\n".join(f"{label:<{_LABEL}}{line}" for label, line in zip_longest([name], lines, fillvalue="")))
    print()
    splits = content["splits"]
    table = Table("", *splits, box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for column in table.columns[1:]:
        column.justify = "right"
    table.add_row("images", *(f"{split['images']:,}" for split in splits.values()))
    for index, counts in enumerate(zip(*(split["class_counts"] for split in splits.values()), strict=True)):
        table.add_row(Text(printable(names[index])) if names else f"class {index}", *(f"{count:,}" for count in counts))
    majorities = (percent(split["majority_class_accuracy"]) for split in splits.values())
    table.add_row("majority class", *majorities)
    Console(highlight=False).print(table)


def _single(numbers: Sequence[float]) -> float | list[float]:
    return numbers[0] if len(numbers) == 1 else list(numbers)


def _numbers(found: float | list[float]) -> str:
    return f"({', '.join(map(_numbers, found))})" if isinstance(found, list) else f"{found:.4f}"
