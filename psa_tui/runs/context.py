"""What a run is connected with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from psa_tui.machine.signals import StopRequest
from psa_tui.method.events import Event
from psa_tui.runs.controls import Control

if TYPE_CHECKING:
    from psa_tui.views.base import View


@dataclass(frozen=True, slots=True)
class RunContext:
    """Who watches a run, who may stop it, and who may ask it for something."""

    views: Sequence[View[Event]]
    stop: StopRequest
    control: Control
    say: Callable[[str], None]
    """Is told in words what takes long before the first event, such as a download."""
