"""One JSON object an event, for programs; the objects' keys are the events' fields."""

from __future__ import annotations

import json
from typing import TextIO

from psa_tui.method.events import Event, as_json


class JsonView:
    """Writes JSON lines to ``stream``, each flushed at once. A number that is not finite becomes null."""

    def __init__(self, stream: TextIO) -> None:
        """``stream`` receives one line an event."""
        self._stream = stream

    def handle(self, event: Event) -> None:
        """Write the event."""
        self._stream.write(json.dumps(as_json(event), allow_nan=False) + "\n")
        self._stream.flush()

    def close(self) -> None:
        """Nothing to give back."""
