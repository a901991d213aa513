"""What this machine can train on, and which device a run uses."""

from __future__ import annotations

import os
import platform
import subprocess
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from psa_tui import __version__
from psa_tui.errors import ConfigError, UnknownNameError
from psa_tui.machine.memory import available_memory_bytes
from psa_tui.settings import DEVICES

if TYPE_CHECKING:
    from psa_tui.engine.backend import Backend

_PREFERENCE = ("cuda", "mps")


@dataclass(frozen=True, slots=True)
class Accelerator:
    """A device beside the CPU that PyTorch can compute on."""

    device: str
    """As PyTorch names it: "cuda:0", "mps"."""
    name: str
    memory_bytes: int | None
    """Its own memory; None where it shares the system's."""

    @property
    def kind(self) -> str:
        """The ``--device`` value it answers to."""
        return self.device.partition(":")[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """A report of this machine; every choice of a device is made from it alone."""

    versions: Mapping[str, str | None]
    """psa-tui, Python, PyTorch, NumPy, and CUDA: what PyTorch was built for, None for no CUDA."""
    system: str
    cpu: str
    physical_cores: int | None
    logical_cores: int
    memory_bytes: int
    available_memory_bytes: int
    accelerators: tuple[Accelerator, ...]
    missing: Mapping[str, str]
    """Why a kind of accelerator is not usable, by its ``--device`` value."""

    @property
    def usable(self) -> tuple[str, ...]:
        """The ``--device`` values, other than auto, that can be used."""
        kinds = {accelerator.kind for accelerator in self.accelerators}
        return ("cpu", *(kind for kind in _PREFERENCE if kind in kinds))


@dataclass(frozen=True, slots=True)
class Choice:
    """The device a run uses, as PyTorch names it, and why."""

    device: str
    reason: str


def detect() -> Capabilities:
    """Return what this machine, its libraries and its accelerators are."""
    import numpy
    import psutil
    import torch

    accelerators: list[Accelerator] = []
    missing: dict[str, str] = {}
    with warnings.catch_warnings():
        # PyTorch warns when a driver is too old; the report says that CUDA is not usable.
        warnings.simplefilter("ignore")
        has_cuda = torch.cuda.is_available()
    if has_cuda:
        for index in range(torch.cuda.device_count()):
            properties = torch.cuda.get_device_properties(index)
            accelerators.append(Accelerator(f"cuda:{index}", properties.name, properties.total_memory))
    elif torch.version.cuda is None:
        missing["cuda"] = "this PyTorch is built without CUDA"
    else:
        missing["cuda"] = "PyTorch finds no NVIDIA GPU with a driver it can use"
    if torch.backends.mps.is_available():
        accelerators.append(Accelerator("mps", "Apple GPU (Metal)", None))
    elif torch.backends.mps.is_built():
        missing["mps"] = "this macOS or Mac has no Metal that PyTorch can use"
    else:
        missing["mps"] = "this PyTorch is built without MPS, which is for Apple GPUs"
    return Capabilities(
        versions={
            "psa-tui": __version__,
            "Python": platform.python_version(),
            "PyTorch": str(torch.__version__),
            "NumPy": numpy.__version__,
            "CUDA": torch.version.cuda,
        },
        system=f"{platform.system()} {platform.release()} {platform.machine()}",
        cpu=_cpu_model(),
        physical_cores=psutil.cpu_count(logical=False),
        logical_cores=psutil.cpu_count() or os.cpu_count() or 1,
        memory_bytes=psutil.virtual_memory().total,
        available_memory_bytes=available_memory_bytes(),
        accelerators=tuple(accelerators),
        missing=missing,
    )


def _cpu_model() -> str:
    try:
        if platform.system() == "Darwin":
            command = ["/usr/sbin/sysctl", "-n", "machdep.cpu.brand_string"]
            return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
    except (OSError, subprocess.CalledProcessError):
        pass
    return platform.processor() or platform.machine()


def choose(wanted: str, capabilities: Capabilities) -> Choice:
    """Return the device that ``wanted``, a ``--device`` value, stands for; auto takes CUDA, then MPS, then the CPU.

    Raises:
        ConfigError: it is not usable here; nothing else is taken in its place.
    """
    if wanted not in DEVICES:
        raise UnknownNameError(wanted, DEVICES)
    if wanted == "cpu":
        return Choice("cpu", "it was asked for")
    for accelerator in sorted(capabilities.accelerators, key=lambda found: _PREFERENCE.index(found.kind)):
        if wanted == "auto":
            return Choice(accelerator.device, f"{accelerator.name} is usable, and faster than the CPU on large shapes")
        if wanted == accelerator.kind:
            return Choice(accelerator.device, "it was asked for")
    if wanted == "auto":
        return Choice("cpu", "neither CUDA nor MPS is usable")
    usable = " or ".join(("auto", *capabilities.usable))
    raise ConfigError(f"device {wanted} is not usable: {capabilities.missing[wanted]}; choose --device {usable}")


def set_threads(threads: int, backend: Backend | None = None) -> None:
    """Let ``backend``, or PyTorch, compute with ``threads`` CPU threads in this process, with denormals as zero."""
    import torch

    flush_denormals()
    # A plug-in of an earlier version does not say how.
    getattr(backend, "use_threads", torch.set_num_threads)(threads)


def flush_denormals() -> bool:
    """Let numbers too small for all their digits count as zero in PyTorch, in this thread and those it starts.

    They take a processor a hundred times as long; PyTorch's own threads start with its first large operation.

    Returns:
        Whether this processor does.
    """
    import torch

    return torch.set_flush_denormal(True)
