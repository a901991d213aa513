"""The dashboard's last line and its help: what keys do, and what was asked for with them."""

from __future__ import annotations

from rich.text import Text

from psa_tui.method.events import ControlChanged
from psa_tui.method.promotion import STRICT
from psa_tui.views.display import DisplayOptions
from psa_tui.views.state import RunState
from psa_tui.views.text import variant_of

READ_ONLY_KEYS = (
    ("q", "leave; the run goes on"),
    ("up, down", "scroll the ablation log"),
    ("?", "this help"),
)
KEYS = (
    ("space", "pause, go on"),
    ("m", "next mode, from the next loop on"),
    ("s", "stop after this loop"),
    ("q", "stop now"),
    ("l", "log level"),
    ("up, down", "scroll the ablation log"),
    ("?", "this help"),
)
_STORY = (
    "Every meta-loop clones the Last Known Good (LKG) weights, zeroes one random neuron (in the modes full, "
    "hidden and output), trains one epoch and measures the validation accuracy. A strictly better candidate "
    "is promoted and becomes the LKG; any other is rolled back, ablation and all."
)


def keys_help(mode: str, options: DisplayOptions) -> Text:
    """Explain the keys and the method, and the promotion rule of ``mode`` where it is another."""
    lines = [f"{key:<10}{meaning}" for key, meaning in (READ_ONLY_KEYS if options.read_only else KEYS)]
    promotion = variant_of(mode).promotion
    other = [] if promotion == STRICT else ["", f"The mode {mode} promotes by the rule {promotion} instead."]
    return Text("\n".join([*lines, "", _STORY, *other]))


def footer(state: RunState, width: int, options: DisplayOptions) -> Text:
    """Write how the run ended, what was asked for, the newest log line, or the keys, the first there is."""
    control = state.control
    asked = _asked(control)
    if options.read_only:
        text = _read_only_footer(state)
    elif state.finished is not None:
        text = Text(f" {state.finished.outcome} ", style="reverse")
    elif asked:
        # Where several things are asked for, there is no room for how to take them back.
        short = [one if len(asked) == 1 else one.partition(":")[0] for one in asked]
        text = Text(f" {'; '.join(short)} ", style="reverse")
    elif control is not None and state.messages and control.log_level != "warning":
        text = Text(f"log {control.log_level}: {state.messages[0]}")
    else:
        level = "" if control is None else f" ({control.log_level})"
        text = Text(f"space pause  m mode  s stop after loop  q stop now  l log{level}  ? help", style="dim")
    text.no_wrap = True
    text.truncate(width)
    return text


def _read_only_footer(state: RunState) -> Text:
    if state.finished is None:
        return Text("read-only: the run goes on in another process   q leave  up, down scroll  ? help", style="dim")
    reason = f" by {state.finished.reason}" if state.finished.reason else ""
    text = Text(f" {state.finished.outcome}{reason} ", style="reverse")
    return text.append("  read-only, shows a resume   q leave  ? help", "not reverse dim")


def _asked(control: ControlChanged | None) -> list[str]:
    """Return what somebody at the keyboard asked for and the run has not done yet."""
    asked = []
    if control is not None and control.paused:
        asked.append("PAUSED: space goes on")
    if control is not None and control.stop_after_loop:
        asked.append("stopping after this loop: s takes it back")
    if control is not None and control.next_mode is not None:
        asked.append(f"mode {control.next_mode} from the next loop on: m chooses another")
    return asked
