"""Telling views what happened, without letting a broken one harm the run or study."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Generic, TypeVar

from psa_tui.machine.signals import StopRequest

if TYPE_CHECKING:
    from psa_tui.views.base import View

log = logging.getLogger(__name__)

AnyEvent = TypeVar("AnyEvent", contravariant=True)


class Publisher(Generic[AnyEvent]):
    """Passes events on to views. What has lost its output stops; what has lost a view that broke goes on without it."""

    def __init__(self, views: Sequence[View[AnyEvent]], stop: StopRequest, what: str = "run") -> None:
        """``stop`` is asked when an output is closed; ``what`` is shown, a run or a study."""
        self._views = list(views)
        self._stop = stop
        self._what = what

    def __call__(self, event: AnyEvent) -> None:
        """Tell all views of ``event``, which is durable."""
        for view in list(self._views):
            try:
                view.handle(event)
            except BrokenPipeError:
                self._views.remove(view)
                self._stop.request("its output was closed", 1)
            except OSError as error:
                self._views.remove(view)
                reason = f"{error.filename or 'its output'} failed ({error.strerror})"
                self._stop.request(reason, 1)
                log.error("%s; what was recorded is intact", reason)
            except Exception as error:
                self._views.remove(view)
                log.warning(
                    "a view failed and is gone, the %s goes on: %s: %s", self._what, type(error).__name__, error
                )
                log.debug("the view's failure", exc_info=True)
