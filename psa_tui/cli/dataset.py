"""``psa dataset``: what a run would train on, counted and verified."""

from __future__ import annotations

import json as json_format
from typing import TYPE_CHECKING, Annotated, Any

import typer

from psa_tui.cli import options
from psa_tui.cli.output import print_note, print_warning
from psa_tui.formatting import percent, printable
from psa_tui.settings import load_settings

if TYPE_CHECKING:
    from psa_tui.data import Dataset


def dataset(
    dataset: options.DatasetName = None,
    dataset_dir: options.DatasetDir = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Load and verify the data set (downloading it if need be), and show its splits and majority classes.

    A network is better than guessing only where its accuracy is above the majority class's.
    """
    settings = load_settings({"dataset": dataset, "dataset_dir": dataset_dir})

    from psa_tui.data import load_dataset

    loaded = load_dataset(settings.get("dataset"), settings.get("dataset_dir"), print_note)
    for notice in loaded.notices:
        print_warning(notice)
    content = _describe(loaded)
    if json:
        print(json_format.dumps(content, indent=2))
    else:
        _print(content)


def _describe(loaded: Dataset) -> dict[str, Any]:
    from psa_tui.data import class_counts, majority_class_accuracy

    splits = {"train": loaded.train, "validation": loaded.validation, "test": loaded.test}
    return {
        "schema": 1,
        "dataset": loaded.name,
        "origin": loaded.origin,
        "verified": loaded.verified,
        "fingerprint": loaded.fingerprint,
        "split_rule": loaded.split_rule,
        "mean": loaded.mean,
        "std": loaded.std,
        "splits": {
            name: {
                "images": len(split.labels),
                "class_counts": class_counts(split),
                "majority_class_accuracy": majority_class_accuracy(split),
            }
            for name, split in splits.items()
        },
        "notices": list(loaded.notices),
    }


def _print(content: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    facts = {
        "data set": f"{content['dataset']}, {'verified' if content['verified'] else 'NOT verified'}",
        "from": content["origin"],
        "fingerprint": content["fingerprint"][:16],
        "split": content["split_rule"],
        "pixels": f"(x / 255 - {content['mean']:.4f}) / {content['std']:.4f}",
    }
    for name, value in facts.items():
        print(f"{name:<12} {printable(value)}")
    print()
    splits = content["splits"]
    table = Table("", *splits, box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for column in table.columns[1:]:
        column.justify = "right"
    table.add_row("images", *(f"{split['images']:,}" for split in splits.values()))
    for index, counts in enumerate(zip(*(split["class_counts"] for split in splits.values()), strict=True)):
        table.add_row(f"class {index}", *(f"{count:,}" for count in counts))
    majorities = (percent(split["majority_class_accuracy"]) for split in splits.values())
    table.add_row("majority class", *majorities)
    Console(highlight=False).print(table)
