"""One session of work on a study, from its workers to the exit code."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from math import inf
from typing import TYPE_CHECKING

from psa_tui.data import dataset_spec
from psa_tui.engine.backend import AUTO
from psa_tui.engine.parallelism import processes_for
from psa_tui.errors import ConfigError
from psa_tui.formatting import printable
from psa_tui.machine.devices import Capabilities, choose
from psa_tui.machine.signals import LeaveAtOnce, StopRequest
from psa_tui.networks import Network
from psa_tui.runs.publishing import Publisher
from psa_tui.settings import Settings
from psa_tui.storage.study_store import StudyStore, open_store
from psa_tui.studies.chosen_backend import OF_EACH_NODE, ChosenBackend, study_backend
from psa_tui.studies.cost_model import CostModel, guess_s
from psa_tui.studies.driver import Driver
from psa_tui.studies.events import StudyEvent, StudyFinished, StudyOutcome
from psa_tui.studies.executors.base import Executor
from psa_tui.studies.parts import parts_of
from psa_tui.studies.request import resume_command
from psa_tui.studies.spec import StudySpec
from psa_tui.studies.work_queue import Limits
from psa_tui.studies.worker_machine import WorkerMachine, find_machine, this_process

if TYPE_CHECKING:
    from psa_tui.views.base import View

LOCALLY, ON_RAY = "local", "ray"
_WORTH_MEASURING_S = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionOptions:
    """How this session is to work on the study, whatever the study is."""

    on: str = LOCALLY
    workers: int | None = None
    max_hours: float | None = None
    max_parameters: int | None = None
    address: str | None = None
    """Of a Ray cluster."""

    @property
    def limits(self) -> Limits:
        """What of the study is to be done."""
        return Limits(
            inf if self.max_hours is None else self.max_hours,
            self.max_parameters or inf,
            cheapest_first=self.max_hours is not None,
        )


def run_session(
    spec: StudySpec,
    settings: Settings,
    options: SessionOptions,
    make_view: Callable[[StopRequest], View[StudyEvent]],
    say: Callable[[str], None],
    more_views: Sequence[View[StudyEvent]] = (),
) -> int:
    """Run the study to its end, or until something stops it; return the exit code that says which.

    ``more_views`` are told too, and left to the caller to close.

    Raises:
        PsaError: the session cannot begin, or cannot record what it does; what was recorded is intact.
    """
    start_workers, backend, machine = _executor(settings, spec, options)
    resume = resume_command(settings, spec)
    try:
        cost_s, costs_measured = _cost_model(settings, spec, options, machine, backend.name, say)
    except LeaveAtOnce as leave:
        say(f"left before anything was begun ({leave})")
        return leave.exit_code
    outcome: StudyOutcome | None = None
    with StopRequest() as stop, open_store(settings.get("results_dir")) as store:
        driver = Driver(
            spec,
            store,
            settings.get("results_dir"),
            start_workers,
            cost_s=cost_s,
            costs_measured=costs_measured,
            limits=options.limits,
            stop=stop,
            versions={**machine.versions, **spec.networks[0].versions, "backend": backend.name},
            notices=(*backend.notices, *_changed_code(spec, store)),
            resume_command=resume,
        )
        view = make_view(stop)
        publish = Publisher([*more_views, view], stop, "study")
        try:
            for event in driver.run():
                stop.in_loops = True
                publish(event)
                if isinstance(event, StudyFinished):
                    stop.reached()
                    outcome = event.outcome
        except LeaveAtOnce as leave:
            view.close()
            say(f"left at once ({leave}); what was committed is intact: {resume} goes on")
            return leave.exit_code
        finally:
            view.close()
    return stop.exit_code or int(outcome is StudyOutcome.INCOMPLETE)


def worker_devices(wanted: str, workers: int | None, spec: StudySpec, capabilities: Capabilities) -> list[str]:
    """Return the device of each worker: one worker a GPU, or one a core, unless ``workers`` says how many.

    Raises:
        ConfigError: this machine has no device of the ``wanted`` kind.
    """
    chosen = choose(wanted, capabilities).device
    if chosen.startswith("cuda"):
        found = [accelerator.device for accelerator in capabilities.accelerators if accelerator.kind == "cuda"]
        return [found[index % len(found)] for index in range(workers or len(found))]
    parts = sum(len(parts_of(spec, network)) for network in spec.networks)
    return [chosen] * (workers or processes_for(parts, chosen))


def _changed_code(spec: StudySpec, store: StudyStore) -> Iterator[str]:
    """Return what a user must know where the code that makes the networks is another than in the sessions before."""
    sessions = store.sessions(spec.name)
    for name, version in spec.networks[0].versions.items():
        before = [one.versions[name] for one in sessions if name in one.versions]
        if before and before[-1] != version:
            yield f"{name}: {printable(before[-1])} before, {version} now; new trials may be of another network"


def _executor(
    settings: Settings, spec: StudySpec, options: SessionOptions
) -> tuple[Callable[[], Executor], ChosenBackend, WorkerMachine]:
    dataset_dir = settings.get("dataset_dir")
    if options.on == ON_RAY:
        from psa_tui.studies.executors.ray import RayWorkers

        if spec.dataset_path is not None and options.address is not None:
            raise ConfigError(
                f"--address: {spec.dataset} is a file or a folder of this machine, and does not travel to a cluster; "
                "leave --address out to train here"
            )
        device = settings.get("device")
        if device not in ("auto", "cpu", "cuda"):
            raise ConfigError(f"--device {device}: on a Ray cluster expected auto, cpu or cuda")
        if device == "auto" and settings.get("backend") == AUTO:
            # Only the cluster knows its devices.
            chosen, asked = ChosenBackend(OF_EACH_NODE, ()), AUTO
        else:
            chosen = study_backend(spec, settings, "cpu" if device == "auto" else device)
            asked = chosen.name
        folder = dataset_dir.absolute()
        return lambda: RayWorkers(spec, folder, device, asked, options.address, options.workers), chosen, this_process()
    if options.on != LOCALLY:
        raise ConfigError(f"--on {options.on[:40]!r}: expected {LOCALLY} or {ON_RAY}")
    if options.address is not None:
        raise ConfigError(f"--address names a Ray cluster; say --on {ON_RAY} with it")
    from psa_tui.studies.executors.local import LocalWorkers

    # A driver that had loaded PyTorch would take as much memory as its workers do.
    machine = find_machine()
    devices = worker_devices(settings.get("device"), options.workers, spec, machine.capabilities)
    chosen = study_backend(spec, settings, devices[0])
    return lambda: LocalWorkers(spec, dataset_dir, devices, chosen.name), chosen, machine


def _cost_model(
    settings: Settings,
    spec: StudySpec,
    options: SessionOptions,
    machine: WorkerMachine,
    backend: str,
    say: Callable[[str], None],
) -> tuple[Callable[[Network], float], bool]:
    """Return what predicts a trial's meta-loop: a measurement where the study is long enough to pay for it, or not."""
    guess = partial(guess_s, data=dataset_spec(spec.data_source))
    loops = len(spec.variants) * spec.trials * spec.meta_loops
    if options.on != LOCALLY or sum(map(guess, spec.networks)) * loops < _WORTH_MEASURING_S:
        return guess, False
    from psa_tui.studies.plan import measure_costs

    devices = worker_devices(settings.get("device"), options.workers, spec, machine.capabilities)
    say("measuring some of the shapes for moments, to predict the time")
    measured = measure_costs(spec, len(devices), devices[0].partition(":")[0], backend)
    return CostModel(measured.costs_s).predict, True
