"""What a run takes of the machine: now, and over the time that it is watched. Values and a drawing; no clock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from rich.text import Text

from psa_tui.formatting import duration, first_fitting, format_bytes
from psa_tui.method.events import DeviceMemoryMeasured
from psa_tui.views.glyphs import Glyphs
from psa_tui.views.sparkline import bars, means_of

_MOST = 512
"""Samples that are kept: where there are more, each pair becomes their mean."""
_CPU, _MEMORY = "cyan", "magenta"


@dataclass(frozen=True, slots=True)
class Resources:
    """What a run takes of the machine."""

    cpu_percent: float
    """100 for each core that is busy all the time."""
    memory_bytes: int


@dataclass(slots=True)
class ResourceHistory:
    """Samples at equal distances, as many as a screen can show, however long the run is."""

    cpu_percent: list[float] = field(default_factory=list)
    memory_bytes: list[float] = field(default_factory=list)
    newest: Resources | None = None
    """None while nothing is known."""
    greatest_cpu_percent: float = 0.0
    greatest_memory_bytes: float = 0.0
    seconds: float = 0.0
    """The time that the samples span."""
    _stride: int = 1
    _pending: list[Resources] = field(default_factory=list)

    def add(self, sample: Resources, seconds: float) -> None:
        """Take in what a run took in the last ``seconds``, which are the same for all samples."""
        self.newest = sample
        self.seconds += seconds
        self.greatest_cpu_percent = max(self.greatest_cpu_percent, sample.cpu_percent)
        self.greatest_memory_bytes = max(self.greatest_memory_bytes, sample.memory_bytes)
        self._pending.append(sample)
        if len(self._pending) < self._stride:
            return
        self.cpu_percent.append(_mean([one.cpu_percent for one in self._pending]))
        self.memory_bytes.append(_mean([one.memory_bytes for one in self._pending]))
        self._pending.clear()
        if len(self.cpu_percent) >= _MOST:
            self.cpu_percent, self.memory_bytes = _halved(self.cpu_percent), _halved(self.memory_bytes)
            self._stride *= 2


def resource_chart(
    history: ResourceHistory,
    width: int,
    height: int,
    glyphs: Glyphs,
    *,
    is_ours: bool = True,
    device_memory: DeviceMemoryMeasured | None = None,
) -> Text:
    """Draw processor time and memory over time, each from zero to its greatest sample, in ``width`` x ``height``.

    Below them stands what the run has of the memory of its GPU, where it is on one.
    """
    if not history.cpu_percent or history.newest is None:
        why = "not measured yet" if is_ours else "not known of another process's run"
        return Text(first_fitting(width, why, "not known"), no_wrap=True)
    cpu, memory = history.newest.cpu_percent, history.newest.memory_bytes
    most_cpu, most_memory = history.greatest_cpu_percent, history.greatest_memory_bytes
    rows = max((height - 2 - (device_memory is not None)) // 2, 0)
    told = f" over {duration(history.seconds)}"
    text = Text(no_wrap=True)
    for name, now, most, values, greatest, style in (
        ("CPU", f"{cpu:.0f} %", f"{most_cpu:.0f} %", history.cpu_percent, most_cpu, _CPU),
        ("memory", format_bytes(memory), format_bytes(round(most_memory)), history.memory_bytes, most_memory, _MEMORY),
    ):
        if text:
            text.append("\n")
        text.append(first_fitting(width, f"{name} {now}, at most {most}{told}", f"{name} {now}, at most {most}", now))
        for line in bars(means_of(values, width), rows, max(greatest, 1.0), glyphs.strip):
            text.append("\n" + line, style)
    if device_memory is not None:
        whole = format_device_memory(device_memory)
        text.append("\n" + first_fitting(width, f"{whole} allocated", whole, whole.removeprefix("GPU ")))
    return text


def format_device_memory(measured: DeviceMemoryMeasured) -> str:
    """Write how much of a GPU's memory is allocated: "GPU 1.2 GB of 80.0 GB"."""
    return f"GPU {format_bytes(measured.allocated_bytes)} of {format_bytes(measured.total_bytes)}"


def _halved(values: Sequence[float]) -> list[float]:
    return [(one + other) / 2 for one, other in zip(values[::2], values[1::2], strict=True)]


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
