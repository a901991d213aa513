"""What happens in a run, as frozen records: engines and runners make them, views only read them.

Accuracies are fractions, times are seconds. ``member`` is a trial's index in its population (0 in a
single run); ``meta_loop`` counts from 1 over the whole life of a checkpoint, resumes included. ``mode`` is the name
of the variant in force.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from psa_tui.method.ablation import AblatedUnit
from psa_tui.method.event_codec import event
from psa_tui.method.hyperparameters import Hyperparameters
from psa_tui.method.layer_names import LayerNames
from psa_tui.method.progress import Progress


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
class Block:
    """Like layers of a network, as a table shows them."""

    name: str
    """Such as "4 hidden" or "output"."""
    units: int
    """Units of each layer."""
    parameters: int
    """Of all its layers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingChange:
    """A run went on with another value of a setting, from ``meta_loop`` on."""

    meta_loop: int
    name: str
    """As psa.toml has it: mode, lr, batch_size, threads, ..."""
    before: str
    after: str


@event("run_started")
@dataclass(frozen=True, slots=True, kw_only=True)
class RunStarted:
    """A run begins, or goes on from its checkpoint after ``progress.meta_loop`` meta-loops."""

    run: str
    resumed: bool
    network: str
    """The network's family: "mlp"."""
    architecture: str
    parameters: int
    unit_counts: tuple[int, ...]
    """How many units each layer has; the last is the output layer."""
    blocks: tuple[Block, ...]
    mode: str
    hyperparameters: Hyperparameters
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
    backend: str
    checkpoint: str
    last_meta_loop: int
    progress: Progress
    dead_units: tuple[tuple[int, int], ...] | None = None
    """Layer and index of the LKG's dead hidden units (see ``psa_tui.method.dead_units``); None where not known."""
    notices: tuple[str, ...] = ()
    """What a user must know before trusting the numbers, such as a substituted data set."""
    name: str | None = None
    """What people call it; None where they do not."""
    initialisation_seed: int | None = None
    """Of the first weights; None where it is ``seed``, and where it is not known."""
    setting_changes: tuple[SettingChange, ...] = ()
    """In the order of their loops: those before this session, and those with which it begins."""
    layer_names: tuple[str, ...] = ()
    """What people call each layer; empty where that is "layer 0", "layer 1", ..., "output"."""
    unit_kinds: tuple[str, ...] = ()
    """What a unit of each layer is, such as "channel"; empty where all are neurons."""
    own_loop: bool = False
    """Whether training and data are code of the user's: hyperparameters, data and checkpoint are then not known."""

    @property
    def names(self) -> LayerNames:
        """Both, for whatever shows them."""
        return LayerNames(len(self.unit_counts), self.layer_names, self.unit_kinds)


@event("earlier_loops")
@dataclass(frozen=True, slots=True, kw_only=True)
class EarlierLoops:
    """What a resumed run did before, from its history: parallel tuples, one entry a loop, in order.

    Of a run of many loops it comes in several events, one after another: each has the loops after those of the last.
    """

    meta_loops: tuple[int, ...]
    validation_accuracies: tuple[float, ...]
    promoted: tuple[bool, ...]
    ablations: tuple[tuple[AblatedUnit, ...], ...]
    """What was ablated in each loop; empty where nothing was."""
    train_losses: tuple[float | None, ...]
    """None where it was not finite."""
    train_accuracies: tuple[float | None, ...] = ()
    """As ``MetaLoopFinished.train_accuracy``; empty in an event of an earlier version."""
    dead_units: tuple[tuple[int, int], ...] | None = None
    """Those of the last LKG that these loops made; None where they made none, and where not known."""
    gains: tuple[float | None, ...] = ()
    """Validation accuracy above the LKG of the time; None where there was none, where it is not known, and where loss
    or weights were not finite. Empty where no gain is known."""


@event("units_ablated")
@dataclass(frozen=True, slots=True, kw_only=True)
class UnitsAblated:
    """Units of a candidate were damaged, before the candidate's epoch."""

    member: int
    meta_loop: int
    mode: str
    layers: int
    """How many layers of units the network has; the last is the output layer."""
    units: tuple[AblatedUnit, ...]


@event("epoch_progressed")
@dataclass(frozen=True, slots=True, kw_only=True)
class EpochProgressed:
    """A candidate's epoch is under way."""

    meta_loop: int
    images: int
    image_count: int
    loss: float
    """Mean training loss of the epoch so far, over all members."""
    seconds: float


@event("meta_loop_finished")
@dataclass(frozen=True, slots=True, kw_only=True)
class MetaLoopFinished:
    """A candidate was measured and promoted or rolled back; ``progress`` is the trial's state after it."""

    member: int
    meta_loop: int
    mode: str
    verdict: Verdict
    finite: bool
    validation_correct: int
    """Of the reported images: all validation images, or half of them where the other half decides."""
    validation_accuracy: float
    gain: float | None
    """Validation accuracy above the LKG it was compared with; None when there was none."""
    train_loss: float
    seconds: float
    ablation: UnitsAblated | None
    progress: Progress
    reason: str = ""
    """Why the promotion rule decided so, in a few words."""
    dead_units: tuple[tuple[int, int], ...] | None = None
    """Layer and index of the LKG's dead hidden units, where this loop made the LKG; None where it did not."""
    promoting_correct: int | None = None
    """Of the half of the validation images that decided; None where all of them did."""
    train_accuracy: float | None = None
    """Of the training images, as each step of the epoch saw them: by the weights from before it, with its dropout, and
    by the labels that are trained with. None where the backend does not count them."""


@event("device_memory_measured")
@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceMemoryMeasured:
    """A run holds another amount of its accelerator's memory than before."""

    allocated_bytes: int
    """By tensors of this process."""
    total_bytes: int
    """Of the device."""


@event("control_changed")
@dataclass(frozen=True, slots=True, kw_only=True)
class ControlChanged:
    """Somebody at the keyboard asked for something, and the run took note of it."""

    paused: bool
    stop_after_loop: bool
    next_mode: str | None
    """The mode from the next loop on; None while it stays."""
    log_level: str


@event("run_finished")
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
    """What the run's meta-loops took, those of earlier sessions too; neither loading nor pauses between loops."""
    resume_command: str = field(default="psa resume")
    setting_changes: tuple[SettingChange, ...] = ()
    """All of the run, in the order of their loops."""


Event = (
    RunStarted
    | EarlierLoops
    | UnitsAblated
    | EpochProgressed
    | MetaLoopFinished
    | DeviceMemoryMeasured
    | ControlChanged
    | RunFinished
)
