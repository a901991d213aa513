"""One JSON object an event, of runs and of studies, for programs; the objects' keys are the events' fields."""

from __future__ import annotations

import json
from typing import TextIO

from psa_tui.method.event_codec import encode_event


class JsonView:
    """Writes JSON lines to ``stream``, each flushed at once. A number that is not finite becomes null."""

    def __init__(self, stream: TextIO) -> None:
        """``stream`` receives one line an event."""
        self._stream = stream

    def handle(self, event: object) -> None:
        """Write the event."""
        self._stream.write(json.dumps(encode_event(event), allow_nan=False) + "\n")
        self._stream.flush()

    def close(self) -> None:
        """Nothing to give back."""
