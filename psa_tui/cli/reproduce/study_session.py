"""What ``psa reproduce run`` does once it knows what is wanted: workers, a view, and the exit code."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import dataclass
from math import inf

import typer

from psa_tui.cli.output import print_note, print_warning
from psa_tui.cli.reproduce.view import StudyView, choose_view
from psa_tui.engine.backends.torch.chunking import processes_for
from psa_tui.errors import ConfigError
from psa_tui.machine.devices import choose, detect
from psa_tui.machine.signals import LeaveAtOnce, StopRequest
from psa_tui.settings import Settings
from psa_tui.storage.study_store import open_store
from psa_tui.studies.driver import Driver, Limits
from psa_tui.studies.events import StudyEvent, StudyFinished, StudyOutcome
from psa_tui.studies.executors.base import Executor
from psa_tui.studies.grids import Shape, parse_grid
from psa_tui.studies.request import DEFAULT_NAME, Wish, resolve
from psa_tui.studies.spec import StudySpec

_WORTH_MEASURING_S = 300.0


@dataclass(frozen=True, slots=True)
class Session:
    """How this session is to work on the study, whatever the study is."""

    workers: int | None
    max_hours: float | None
    max_parameters: int | None
    on: str
    address: str | None


def carry_out(settings: Settings, wish: Wish, session: Session) -> None:
    """Run the study to its end, or until something stops it; leave with the exit code that says which."""
    spec = resolve(wish, settings, lambda: parse_grid("published"), print_note)
    executor = _executor(settings, spec, session)
    finished: StudyFinished | None = None
    try:
        costs = _costs(settings, spec, session)
    except KeyboardInterrupt:
        print_note("left before anything was begun")
        raise typer.Exit(130) from None
    with StopRequest() as stop, open_store(settings.get("results_dir")) as store:
        driver = Driver(
            spec,
            store,
            settings.get("results_dir"),
            executor,
            costs,
            Limits(
                inf if session.max_hours is None else session.max_hours,
                session.max_parameters or inf,
                session.max_hours is not None,
            ),
            stop,
            {name: version for name, version in detect().versions.items() if version},
            go_on=_go_on(settings, spec),
        )
        view = _Shown(choose_view(settings, stop), stop)
        try:
            for event in driver.run():
                stop.in_loops = True
                view.handle(event)
                finished = event if isinstance(event, StudyFinished) else None
        except LeaveAtOnce as leave:
            view.close()
            print_note(f"left at once ({leave}); what was committed is intact: {_go_on(settings, spec)} goes on")
            raise typer.Exit(leave.exit_code) from None
        finally:
            view.close()
    if stop.exit_code:
        raise typer.Exit(stop.exit_code)
    if finished is not None and finished.outcome is StudyOutcome.INCOMPLETE:
        raise typer.Exit(1)


class _Shown:
    """A view that cannot harm the study: when its output is gone the study stops, when it breaks it goes on."""

    def __init__(self, view: StudyView, stop: StopRequest) -> None:
        self._view: StudyView | None = view
        self._stop = stop

    def handle(self, event: StudyEvent) -> None:
        try:
            if self._view is not None:
                self._view.handle(event)
        except OSError as error:
            self._view = None
            self._stop.request(f"its output failed ({error.strerror})", 1)
        except Exception as error:
            self.close()
            self._view = None
            print_warning(f"the view failed and is gone, the study goes on: {type(error).__name__}: {error}")

    def close(self) -> None:
        if self._view is not None:
            self._view.close()


def _executor(settings: Settings, spec: StudySpec, session: Session) -> Callable[[], Executor]:
    if session.on == "ray":
        from psa_tui.studies.executors.ray import RayWorkers

        device = settings.get("device")
        if device not in ("auto", "cpu", "cuda"):
            raise ConfigError(f"--device {device}: on a Ray cluster expected auto, cpu or cuda")
        return lambda: RayWorkers(
            spec, settings.get("dataset_dir").absolute(), device, session.address, session.workers
        )
    if session.on != "local":
        raise ConfigError(f"--on {session.on[:40]!r}: expected local or ray")
    if session.address is not None:
        raise ConfigError("--address names a Ray cluster; say --on ray with it")
    from psa_tui.studies.executors.local import LocalWorkers

    members = len(spec.shapes) * len(spec.modes) * spec.trials
    devices = _devices(settings.get("device"), session.workers, members)
    return lambda: LocalWorkers(spec, settings.get("dataset_dir"), devices)


def _devices(wanted: str, workers: int | None, members: int) -> list[str]:
    """The device of each worker: one worker a GPU, or one a core."""
    capabilities = detect()
    chosen = choose(wanted, capabilities).device
    if chosen.startswith("cuda"):
        found = [accelerator.device for accelerator in capabilities.accelerators if accelerator.kind == "cuda"]
        return [found[index % len(found)] for index in range(workers or len(found))]
    return [chosen] * (workers or processes_for(members, chosen))


def _costs(settings: Settings, spec: StudySpec, session: Session) -> Callable[[Shape], float]:
    """What predicts a trial's meta-loop: a measurement where the study is long enough to pay for it."""
    members = len(spec.modes) * spec.trials * spec.meta_loops
    if session.on != "local" or sum(map(_guess_s, spec.shapes)) * members < _WORTH_MEASURING_S:
        return _guess_s
    from psa_tui.studies.plan import measure_costs

    devices = _devices(settings.get("device"), session.workers, members)
    print_note("measuring some of the shapes for moments, to predict the time")
    return measure_costs(spec, len(devices), devices[0].partition(":")[0]).predict


def _guess_s(shape: Shape) -> float:
    """Seconds of a trial's meta-loop on some core, from its operations and its calls."""
    return shape.architecture.meta_loop_operations(50_000, 10_000) / 5e10 + 5e-4 * shape.depth + 5e-3


def _go_on(settings: Settings, spec: StudySpec) -> str:
    """The command that goes on with the study."""
    parts = ["psa", "reproduce", "run"]
    if spec.name != DEFAULT_NAME:
        parts += ["--study", spec.name]
    for name in ("dataset_dir", "results_dir"):
        found = settings.find(name)
        if found is not None and found.origin.startswith("--"):
            parts += [found.origin, str(found.value)]
    return shlex.join(parts)
