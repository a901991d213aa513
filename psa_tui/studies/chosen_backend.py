"""Which backend trains a study: the one that has trained it so far, as far as nobody asks for another."""

from __future__ import annotations

from typing import NamedTuple

from psa_tui.data import dataset_spec
from psa_tui.engine.backend import AUTO, choose_backend, second_choice
from psa_tui.settings import Settings
from psa_tui.storage.study_store import read_store
from psa_tui.studies.spec import StudySpec

OF_EACH_NODE = "auto on each node"
"""What is recorded where a cluster's nodes choose."""
_EARLIER = "torch"
"""What ``auto`` meant for nearly every network, when sessions recorded that word."""


class ChosenBackend(NamedTuple):
    """The backend of a session of a study."""

    name: str
    notices: tuple[str, ...]
    """What a user must know of the choice."""


def study_backend(spec: StudySpec, settings: Settings, device: str) -> ChosenBackend:
    """Return what trains ``spec`` on ``device`` ("cpu", "cuda:0").

    Raises:
        ConfigError: the one asked for cannot train one of its networks, or none can.
    """
    wanted, before = settings.get("backend"), _before(spec, settings)
    floats = dataset_spec(spec.data_source).floats
    # Refused here rather than by every worker.
    names = {choose_backend(wanted, network, device, before, floats=floats).name for network in spec.networks}
    name = names.pop() if len(names) == 1 else AUTO
    notices = second_choice(wanted, spec.networks[0], device, before, floats=floats)
    if before not in (None, name):
        notices.append(f"study {spec.name} was trained by {before} so far, goes on with {name}: the last bits differ")
    return ChosenBackend(name, tuple(notices))


def _before(spec: StudySpec, settings: Settings) -> str | None:
    """Return what the last session of the study recorded; None where there was none."""
    with read_store(settings.get("results_dir")) as store:
        sessions = [] if store is None else store.sessions(spec.name)
    if not sessions:
        return None
    recorded = sessions[-1].versions.get("backend", AUTO)
    return {AUTO: _EARLIER, OF_EACH_NODE: None}.get(recorded, recorded)
