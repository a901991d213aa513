"""What happens in a run, as frozen records: engines and runners make them, views only read them.

Accuracies are fractions, times are seconds. ``member`` is a trial's index in its population (0 in a
single run); ``meta_loop`` counts from 1 over the whole life of a checkpoint, resumes included.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, is_dataclass
from enum import StrEnum
from math import isfinite, nan
from types import UnionType
from typing import Any, cast, get_args, get_origin, get_type_hints

from psa_tui.method.variants import AblationMode

SCHEMA_VERSION = 1


class Verdict(StrEnum):
    """What became of a candidate."""

    PROMOTED = "promoted"
    ROLLED_BACK = "rolled_back"


class Outcome(StrEnum):
    """How a run ended."""

    FINISHED = "finished"
    STOPPED = "stopped"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """A trial's counters: with its weights and seed, all that a resume needs.

    The bounty (the highest validation accuracy ever reached) is the LKG's accuracy, because only a
    strictly better candidate is ever promoted.
    """

    meta_loop: int = 0
    """Meta-loops completed."""
    validation_count: int
    lkg_correct: int | None = None
    """Validation images the LKG classifies correctly; None until a first candidate was promoted."""
    lkg_meta_loop: int = 0
    promotions: int = 0
    rollbacks: int = 0
    rollbacks_in_a_row: int = 0
    non_finite: int = 0
    """Candidates rolled back because their loss or a weight was not finite."""

    @property
    def bounty(self) -> float | None:
        """The highest validation accuracy reached, a fraction."""
        return None if self.lkg_correct is None else self.lkg_correct / self.validation_count


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStarted:
    """A run begins, or goes on from its checkpoint after ``progress.meta_loop`` meta-loops."""

    run: str
    resumed: bool
    architecture: str
    parameters: int
    mode: AblationMode
    learning_rate: float
    batch_size: int
    weight_decay: float
    dropout: float
    seed: int
    dataset: str
    dataset_fingerprint: str
    train_count: int
    validation_count: int
    test_count: int
    majority_class_accuracy: float | None
    """What always answering the most frequent class would score on the validation images; None when not known."""
    device: str
    threads: int
    checkpoint: str
    last_meta_loop: int
    progress: Progress
    notices: tuple[str, ...] = ()
    """What a user must know before trusting the numbers, such as a substituted data set."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlierLoops:
    """What a resumed run did before, from its history: parallel tuples, one entry a loop, in order."""

    meta_loops: tuple[int, ...]
    validation_accuracies: tuple[float, ...]
    promoted: tuple[bool, ...]
    ablated_layers: tuple[int | None, ...]
    ablated_neurons: tuple[int | None, ...]
    train_losses: tuple[float | None, ...]
    """None where it was not finite."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NeuronAblated:
    """One neuron of a candidate was zeroed, before the candidate's epoch."""

    member: int
    meta_loop: int
    mode: AblationMode
    layer: int
    """0 is the first hidden layer; ``layers - 1`` is the output layer."""
    layers: int
    neuron: int
    width: int
    incoming: int
    """Incoming weights zeroed, the bias not counted."""
    outgoing: int
    """Outgoing weights zeroed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochProgressed:
    """A candidate's epoch is under way."""

    meta_loop: int
    images: int
    image_count: int
    loss: float
    """Mean training loss of the epoch so far, over all members."""
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class MetaLoopFinished:
    """A candidate was measured and promoted or rolled back; ``progress`` is the trial's state after it."""

    member: int
    meta_loop: int
    mode: AblationMode
    verdict: Verdict
    finite: bool
    validation_correct: int
    validation_accuracy: float
    gain: float | None
    """Validation accuracy above the LKG it was compared with; None when there was none."""
    train_loss: float
    seconds: float
    ablation: NeuronAblated | None
    progress: Progress


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlChanged:
    """Somebody at the keyboard asked for something, and the run took note of it."""

    paused: bool
    stop_after_loop: bool
    next_mode: AblationMode | None
    """The mode from the next loop on; None while it stays."""
    log_level: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFinished:
    """A run ended, by itself or not. ``test_accuracy`` is the LKG's; None when there is no LKG to measure."""

    run: str
    outcome: Outcome
    reason: str
    """Why it stopped, in a few words; empty when it finished."""
    last_meta_loop: int
    progress: Progress
    test_accuracy: float | None
    seconds: float
    resume_command: str = field(default="psa resume")


Event = RunStarted | EarlierLoops | NeuronAblated | EpochProgressed | MetaLoopFinished | ControlChanged | RunFinished
_NAMES: dict[type[Event], str] = {
    RunStarted: "run_started",
    EarlierLoops: "earlier_loops",
    NeuronAblated: "neuron_ablated",
    EpochProgressed: "epoch_progressed",
    MetaLoopFinished: "meta_loop_finished",
    ControlChanged: "control_changed",
    RunFinished: "run_finished",
}
_TYPES = {name: kind for kind, name in _NAMES.items()}


def as_json(event: Event) -> dict[str, Any]:
    """The event as JSON-ready values, with ``schema`` and ``event`` (its name) first; what is not finite is null."""
    return {"schema": SCHEMA_VERSION, "event": _NAMES[type(event)], **_finite(asdict(event))}


def from_json(values: dict[str, Any]) -> Event:
    """The inverse of ``as_json``, after a trip through JSON text; null where a number is due becomes NaN.

    Raises:
        KeyError, TypeError, ValueError: ``values`` is no event of this schema.
    """
    values = dict(values)
    if values.pop("schema") != SCHEMA_VERSION:
        raise ValueError("another schema version")
    kind = _TYPES[values.pop("event")]
    return cast(Event, _build(kind, values))


def _build(kind: Any, values: dict[str, Any]) -> object:
    """Make ``kind`` of JSON values, following the types of its fields."""
    hints = get_type_hints(kind)
    return kind(**{name: _value(hints[name], value) for name, value in values.items()})


def _value(hint: Any, value: Any) -> Any:
    choices = get_args(hint) if get_origin(hint) is UnionType else (hint,)
    if value is None:
        return nan if hint is float else None
    for choice in choices:
        if is_dataclass(choice) and isinstance(value, dict):
            return _build(choice, value)
        if isinstance(choice, type) and issubclass(choice, StrEnum):
            return choice(value)
    return tuple(value) if isinstance(value, list) else value


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    return None if isinstance(value, float) and not isfinite(value) else value
