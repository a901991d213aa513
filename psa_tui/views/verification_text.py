"""The check of a machine as a table, as JSON, and as one line to send."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from math import isfinite
from typing import TYPE_CHECKING

from psa_tui.formatting import printable
from psa_tui.machine.devices import Capabilities

if TYPE_CHECKING:
    from psa_tui.machine.verification import Check

MOST_PRODUCT_ERROR = 3e-6
"""Products in float32 err by about 1e-7 of their largest sum of magnitudes, those in TF32 by 8e-5."""


@dataclass(frozen=True, slots=True)
class Verification:
    """What ``psa device --verify`` found."""

    machine: Capabilities
    device: str
    product_error: float
    """Of float32, relative to the largest sum of magnitudes."""
    checks: Sequence[Check]

    @property
    def is_float32(self) -> bool:
        """Whether products have the digits of float32; none where it is no number."""
        return self.product_error <= MOST_PRODUCT_ERROR

    @property
    def line(self) -> str:
        """Everything in one line: program, hardware, versions, and each backend's deviation and speed."""
        parts = [f"psa-tui {self.machine.versions['psa-tui']}", self._hardware, self._versions]
        parts.append(f"products {self.product_error:.0e}" + ("" if self.is_float32 else " NOT FLOAT32"))
        parts += [f"{one.backend} {one.architecture} {_result(one)}" for one in self.checks]
        return printable("; ".join(parts))

    @property
    def fault(self) -> str:
        """What is wrong and what to do, in one sentence; empty where nothing is."""
        if not self.is_float32:
            return (
                f"{self.device} multiplies float32 with fewer digits, as TF32 does ({self.product_error:.0e} off): "
                "unset NVIDIA_TF32_OVERRIDE and TORCH_ALLOW_TF32_CUBLAS_OVERRIDE, and check again"
            )
        failed = list(dict.fromkeys(one.backend for one in self.checks if not one.passed))
        if not failed:
            return ""
        others = [name for name in dict.fromkeys(one.backend for one in self.checks) if name not in failed]
        remedy = f"--backend {others[0]}" if others else "another --backend or --device"
        names = " and ".join(failed)
        return f"{names} cannot be trusted on {self.device}: train with {remedy}, and send the line that begins psa-tui"

    @property
    def _hardware(self) -> str:
        names = {one.device: one.name for one in self.machine.accelerators}
        cpu = f"{self.machine.cpu}, {self.machine.logical_cores} cores, {self.machine.system}"
        return f"{self.device}: {names[self.device]}; {cpu}" if self.device in names else f"{self.device}: {cpu}"

    @property
    def _versions(self) -> str:
        found = {name: one for name, one in self.machine.versions.items() if name != "psa-tui"}
        return ", ".join(f"{name} {one}" for name, one in (found | {"Numba": _numba()}).items() if one)

    def as_json(self) -> str:
        """Return it as one JSON object."""
        checks = [{**asdict(one), "strays": _finite(one.strays), "passed": one.passed} for one in self.checks]
        content = {
            "schema": 1,
            "device": self.device,
            "versions": {**self.machine.versions, "Numba": _numba()},
            "product_error": _finite([self.product_error])[0],
            "checks": checks,
            "line": self.line,
        }
        return json.dumps(content, indent=2)


def print_header(device: str) -> None:
    """Print what the table shows, and the names of its columns."""
    print(f"weights beside float64, meta-loops a second, on {device}")
    print(f"{'backend':<8}{'shape':<11}{'mean':>8}{'limit':>8}{'most':>8}{'limit':>8}{'speed':>8}", flush=True)


def print_check(check: Check) -> None:
    """Print one line of the table; what a backend raised stands there in words."""
    line = f"{check.backend:<8}{check.architecture:<11}"
    if check.strays is not None:
        pairs = zip(check.strays, check.bound, strict=True)
        line += "".join(f"{found:>8.1e}{limit:>8.1e}" for found, limit in pairs)
    if check.meta_loops_per_s is not None:
        line += f"{check.meta_loops_per_s:>8.2f}"
    print(printable(line + _verdict(check)), flush=True)


def _result(check: Check) -> str:
    words = []
    if check.strays is not None:
        pairs = zip(check.strays, check.bound, strict=True)
        words.append(", ".join(f"{found:.1e} of {limit:.1e}" for found, limit in pairs))
    if check.meta_loops_per_s is not None:
        words.append(f"{check.meta_loops_per_s:.2f} loops/s")
    return (", ".join(words) + _verdict(check)).lstrip()


def _verdict(check: Check) -> str:
    counts = f", {check.miscounted} images" if check.miscounted else ""
    return "" if check.passed else f" WRONG{counts}{check.error and ': ' + check.error}"


def _finite(numbers: Sequence[float] | None) -> list[float | None]:
    """Return what JSON can say of ``numbers``: null of what is none."""
    return [one if isfinite(one) else None for one in numbers or ()]


def _numba() -> str | None:
    try:
        return version("numba")
    except PackageNotFoundError:
        return None
