"""The memory that is left for this process: what is loaded must fit in it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


def available_memory_bytes() -> int:
    """Return the bytes this process can still use: the least of what the system and its control group have left."""
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
    """Return what the tightest limit above this process leaves, in bytes; None without a limit.

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
    """Return limit minus usage of one group, never below 0; nothing where there is no limit to read."""
    try:
        limit = int((folder / files.limit).read_text())
        usage = int((folder / files.usage).read_text())
        statistics = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
        return [max(limit - max(usage - int(statistics[files.cache]), 0), 0)]
    except (OSError, ValueError, KeyError):
        return []
