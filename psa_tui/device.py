"""What this machine can train on, which device a run uses, and how fast a meta-loop is going to be.

torch is imported inside the functions that need it: asking for the available memory must stay cheap.
"""

from __future__ import annotations

import os
import platform
import subprocess
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from psa_tui import __version__
from psa_tui.architecture import CLASSES, INPUTS, Architecture
from psa_tui.config import DEVICES
from psa_tui.errors import ConfigError

TRAINING_IMAGES = 50_000
VALIDATION_IMAGES = 10_000
_PREFERENCE = ("cuda", "mps")
_MEASURE_S = 0.4
_TRAIN_S = 1.0
_EVALUATED = 2000


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
    """Look at this machine, its libraries and its accelerators."""
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
            "PyTorch": torch.__version__,
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
    """The device that ``wanted``, a ``--device`` value, stands for; auto takes CUDA, then MPS, then the CPU.

    Raises:
        ConfigError: it is not usable here; nothing else is taken in its place.
    """
    if wanted not in DEVICES:
        raise ConfigError(f"device {wanted!r} is unknown, expected one of {', '.join(DEVICES)}")
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


def set_threads(threads: int | None) -> int:
    """Let PyTorch compute with ``threads`` CPU threads, None for its own choice; the number now in force."""
    import torch

    if threads is not None:
        torch.set_num_threads(threads)
    return torch.get_num_threads()


def available_memory_bytes() -> int:
    """The memory this process can still use: the least of what the system and its control group have left."""
    import psutil

    available: int = psutil.virtual_memory().available
    try:
        membership = Path("/proc/self/cgroup").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return available
    left = _control_group_bytes(membership, Path("/sys/fs/cgroup"))
    return available if left is None else min(available, left)


@dataclass(frozen=True, slots=True)
class _MemoryController:
    """Where a version of Linux control groups keeps its memory figures."""

    limit: str
    usage: str
    cache: str
    """The line of memory.stat that counts the page cache the kernel gives back first."""


_V1 = _MemoryController("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
_V2 = _MemoryController("memory.max", "memory.current", "inactive_file")


def _control_group_bytes(membership: str, mount: Path) -> int | None:
    """What the tightest limit above this process leaves, in bytes; None without a limit.

    ``membership`` is the text of /proc/self/cgroup and ``mount`` the folder of the control groups. A limit
    binds every group below it, so each one up to the mount is read. As Kubernetes does, reclaimable page
    cache is not counted as used.
    """
    left = []
    for line in membership.splitlines():
        _, controllers, group = line.split(":", 2)
        if controllers == "":
            root, files = mount, _V2
        elif "memory" in controllers.split(","):
            root, files = mount / "memory", _V1
        else:
            continue
        path = root / group.lstrip("/")
        for folder in (path, *path.parents):
            if folder.is_relative_to(root):
                left += _left_in(folder, files)
    return min(left, default=None)


def _left_in(folder: Path, files: _MemoryController) -> list[int]:
    """Limit minus usage of one group, never below 0; nothing where there is no limit to read."""
    try:
        limit = int((folder / files.limit).read_text())
        usage = int((folder / files.usage).read_text())
        statistics = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
        return [max(limit - max(usage - int(statistics[files.cache]), 0), 0)]
    except (OSError, ValueError, KeyError):
        return []


@dataclass(frozen=True, slots=True, kw_only=True)
class Benchmark:
    """What was measured on one device for one shape, and what a meta-loop is predicted to take there."""

    architecture: str
    parameters: int
    batch_size: int
    matrix_product_flop_per_s: float
    """Best float32 rate of a square matrix product."""
    training_images_per_s: float
    evaluation_images_per_s: float

    @property
    def meta_loop_s(self) -> float:
        """Seconds of one meta-loop: 50,000 images trained on, 10,000 evaluated, at the measured rates."""
        return TRAINING_IMAGES / self.training_images_per_s + VALIDATION_IMAGES / self.evaluation_images_per_s

    @property
    def floor_s(self) -> float:
        """Its arithmetic at the matrix-product rate: 6 operations per parameter to train, 2 to evaluate."""
        operations = self.parameters * (6 * TRAINING_IMAGES + 2 * VALIDATION_IMAGES)
        return operations / self.matrix_product_flop_per_s


def measure(architecture: Architecture, batch_size: int, device: str) -> Benchmark:
    """Time matrix products and real training steps of one trial on random images; a few seconds."""
    training, evaluation = _engine_rates(architecture, batch_size, device)
    return Benchmark(
        architecture=str(architecture),
        parameters=architecture.parameters,
        batch_size=batch_size,
        matrix_product_flop_per_s=_matrix_product_rate(device),
        training_images_per_s=training,
        evaluation_images_per_s=evaluation,
    )


def _matrix_product_rate(device: str) -> float:
    """Best float32 operations per second over a small and a large size, in ``_MEASURE_S`` seconds each."""
    import torch

    best = 0.0
    for size in (512, 1024) if device == "cpu" else (1024, 4096):
        left, right = (torch.randn(size, size, device=device) for _ in range(2))

        def multiply(left: torch.Tensor = left, right: torch.Tensor = right) -> None:
            # Reading one element waits for the device.
            (left @ right)[0, 0].item()

        best = max(best, 2 * size**3 / min(_durations(multiply, _MEASURE_S)))
    return best


def _engine_rates(architecture: Architecture, batch_size: int, device: str) -> tuple[float, float]:
    """Images trained on, and images evaluated, per second."""
    import torch

    from psa_tui.engine.epoch import Epoch, Images, count_correct, train_epoch
    from psa_tui.engine.model import initial_weights, layout, stack
    from psa_tui.engine.randomness import shuffled

    layers = layout(architecture)
    flat = stack([initial_weights(layers, seed=0)], torch.device(device))
    pixels = torch.randint(256, (TRAINING_IMAGES, INPUTS), dtype=torch.uint8, device=device)
    labels = torch.randint(CLASSES, (TRAINING_IMAGES,), device=device)
    epoch = Epoch(
        orders=torch.from_numpy(shuffled(0, 1, TRAINING_IMAGES)).to(device).unsqueeze(0),
        learning_rate=1e-4,
        batch_size=batch_size,
        weight_decay=torch.zeros(1, 1, device=device),
        dropout=(None,),
    )
    images = Images(pixels, labels, mean=0.5, std=0.3)

    def steps() -> Iterator[tuple[int, torch.Tensor]]:
        """Training steps, epoch after epoch: the images of each, and a tensor to wait for."""
        while True:
            before = 0
            for seen, losses in train_epoch(flat, layers, images, epoch):
                yield seen - before, losses
                before = seen

    training = steps()
    # The first step also allocates and chooses kernels; reading the losses waits for the device.
    next(training)[1].tolist()
    trained = 0
    started = time.perf_counter()
    while time.perf_counter() - started < _TRAIN_S:
        count, losses = next(training)
        trained += count
    losses.tolist()
    training_rate = trained / (time.perf_counter() - started)

    few = Images(pixels[:_EVALUATED], labels[:_EVALUATED], images.mean, images.std)
    evaluations = _durations(lambda: count_correct(flat, layers, few).tolist(), _MEASURE_S)
    return training_rate, _EVALUATED * len(evaluations) / sum(evaluations)


def _durations(work: Callable[[], object], budget_s: float) -> list[float]:
    """Seconds of each call of ``work``, called once unmeasured and then until ``budget_s`` is spent."""
    work()
    durations: list[float] = []
    while sum(durations) < budget_s:
        started = time.perf_counter()
        work()
        durations.append(time.perf_counter() - started)
    return durations
