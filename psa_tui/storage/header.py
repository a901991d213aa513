"""What a checkpoint's header says of a trial, and what of it is believed: nothing that contradicts itself."""

from __future__ import annotations

import math
import typing
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from itertools import pairwise
from operator import index
from typing import Any

from psa_tui.data.own import is_own
from psa_tui.method.hyperparameters import Hyperparameters
from psa_tui.method.progress import MOST_LOOPS, Progress, check_progress, decode_progress
from psa_tui.outside import decode_json, is_plain_name

MOST_DIMENSIONS, MOST_INPUTS = 8, 2**31
"""Of one image."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What the header says of a trial: its identity, its settings, its counters, and what it ran on."""

    run: str
    parent: str | None = None
    """The run this one branched off, when the file of that one was copied."""
    network: str
    """The network's family."""
    input_shape: tuple[int, ...]
    classes: int
    architecture: str
    parameters: int
    mode_history: tuple[tuple[int, str], ...]
    """(first meta-loop, mode), oldest first; the last entry is the mode in force."""
    seed: int
    initialisation_seed: int | None = None
    """Of the first weights; None where it is ``seed``."""
    dataset: str
    dataset_requested: str
    """What the user asked for; "auto" with ``dataset`` "mnist5k" means that full MNIST was not to be had.

    The absolute path of data of one's own, which ``dataset`` has only the name of."""
    dataset_fingerprint: str
    hyperparameters: Hyperparameters
    last_meta_loop: int
    """The meta-loop at which the run is complete."""
    progress: Progress
    test_correct: int | None
    test_count: int
    """``test_correct`` is the LKG's count on the test images; None until it was measured at a run's end."""
    device: str
    threads: int
    backend: str
    machine: str
    versions: dict[str, str]

    @property
    def mode(self) -> str:
        """The name of the variant in force."""
        return self.mode_history[-1][1]

    @property
    def data_source(self) -> str:
        """What is loaded: the name of the data set, or for data of one's own its path when the run began."""
        return self.dataset_requested if is_own(self.dataset_requested) else self.dataset

    @property
    def finished(self) -> bool:
        """Whether every meta-loop of the run is done."""
        return self.progress.meta_loop >= self.last_meta_loop

    @property
    def complete(self) -> bool:
        """Whether nothing is left to do: finished, and the test images were read if there is an LKG."""
        return self.finished and (self.test_correct is not None or self.progress.lkg_correct is None)

    @property
    def test_accuracy(self) -> float | None:
        """The LKG's accuracy on the test images, a fraction, where it was measured."""
        return None if self.test_correct is None else self.test_correct / self.test_count


_SCALARS: tuple[Any, ...] = (int, float, str, int | None, str | None)
_EARLIER_DEFAULTS: Mapping[str, Any] = {
    "parent": None,
    "initialisation_seed": None,
    "network": "mlp",
    "input_shape": [1, 28, 28],
    "classes": 10,
    "backend": "torch",
}
"""What earlier files do not say, because there was nothing else then."""
_STORED = {field.name for field in fields(Record)} | {field.name for field in fields(Hyperparameters)}


def decode_record(metadata: Mapping[str, str]) -> Record:
    """Return the record of a header's metadata, JSON texts by field; other fields in it are left alone.

    Raises:
        KeyError, TypeError, ValueError: it is none, or it contradicts itself.
    """
    found = {name: decode_json(text) for name, text in metadata.items() if name in _STORED}
    values = {**_EARLIER_DEFAULTS, **found}
    own = {field.name: values[field.name] for field in fields(Record) if field.name != "hyperparameters"}
    own["hyperparameters"] = Hyperparameters.from_json(values)
    own["progress"] = decode_progress(values["progress"])
    own["mode_history"] = tuple((index(loop), mode) for loop, mode in values["mode_history"])
    own["input_shape"] = tuple(map(index, values["input_shape"]))
    for owner, given in ((Record, own), (Progress, asdict(own["progress"]))):
        for name, kind in typing.get_type_hints(owner).items():
            if kind in _SCALARS and (not isinstance(given[name], kind) or isinstance(given[name], bool)):
                raise TypeError(f"{name} is {str(given[name])[:40]!r}")
    record = Record(**own)
    _check_numbers(record)
    _check_texts(record)
    return record


def _check_numbers(record: Record) -> None:
    """Make sure that no number contradicts another."""
    check_progress(record.progress)
    loops = [loop for loop, _ in record.mode_history]
    wrong = (
        min(record.test_count, record.threads, record.classes, *record.input_shape) < 1,
        record.classes > record.parameters,
        len(record.input_shape) > MOST_DIMENSIONS or math.prod(record.input_shape) > MOST_INPUTS,
        not 0 <= record.last_meta_loop <= MOST_LOOPS,
        min(record.seed, record.initialisation_seed or 0) < 0,
        record.test_correct is not None and not 0 <= record.test_correct <= record.test_count,
        not loops or loops[0] < 1 or loops[-1] > record.progress.meta_loop + 1,
        any(before >= after for before, after in pairwise(loops)),
    )
    if any(wrong):
        raise ValueError("its header makes no sense")


def _check_texts(record: Record) -> None:
    """Make sure that texts are texts and can be printed: from here on they go to screens, files and databases."""
    texts = [value for value in asdict(record).values() if isinstance(value, str)]
    texts += [mode for _, mode in record.mode_history]
    texts += [text for pair in record.versions.items() for text in pair]
    if not all(isinstance(text, str) and text.isprintable() for text in texts):
        raise ValueError("a text in its header has characters that cannot be printed")
    if not all(is_plain_name(name) for name in (record.run, record.parent) if name is not None):
        raise ValueError("its run has a name that no run has")
