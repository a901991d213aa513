"""What the shell offers behind an option or for an argument: names, without loading what trains or draws."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib import import_module
from inspect import isfunction

import typer

from psa_tui.errors import PsaError
from psa_tui.settings import Settings, load_settings

NAMES = {
    "network": "psa_tui.networks:NETWORKS",
    "mode": "psa_tui.method.variants:variant_names",
    "ablate": "psa_tui.method.ablation:ABLATIONS",
    "effect": "psa_tui.method.effects:EFFECTS",
    "promote": "psa_tui.method.promotion:PROMOTIONS",
    "optimizer_state": "psa_tui.method.variants:OptimizerState",
    "regularisers": "psa_tui.method.variants:REGULARISERS",
    "init": "psa_tui.method.initialisation:INITIALISATIONS",
    "dataset": "psa_tui.data:DATASETS",
    "device": "psa_tui.settings:DEVICES",
    "backend": "psa_tui.engine.backend:BACKENDS",
    "name": "psa_tui.runs.status:run_names",
    "run": "psa_tui.runs.status:run_names",
    "study": "psa_tui.storage.study_store:study_names",
    "shape": "psa_tui.storage.study_store:shape_names",
    "file": "psa_tui.runs.checkpoint_files:file_names",
    "checkpoint": "psa_tui.runs.checkpoint_files:checkpoint_paths",
    "recipe": "psa_tui.studies.study_file:recipe_names",
    "grid": "psa_tui.studies.grids:GRIDS",
    "figure": "psa_tui.analysis.figures:FIGURES",
    "run_figure": "psa_tui.analysis.figures:RUN_FIGURES",
    "source": "psa_tui.analysis.sources:SOURCES",
}
"""Where names are, by setting or by what is named: a collection, or a function that returns one."""
_FOLDERS = {
    **dict.fromkeys(("name", "run", "study", "shape"), "results_dir"),
    **dict.fromkeys(("file", "checkpoint"), "model_dir"),
}
"""Settings that say in which folder the names are, by what is named."""
_READ = ("results_dir", "model_dir", "network", "arch", "hidden_layers", "dataset")
_MORE = {"dataset": ("auto",), "ablate": ("none",), "backend": ("auto",), "run": ("latest",)}


def names_of(*kinds: str) -> Callable[[typer.Context, str], list[str]] | None:
    """Return what completes names of these ``kinds``, in a list after its last comma too; None where there are none."""
    if not set(kinds) <= NAMES.keys():
        return None

    def complete(ctx: typer.Context, incomplete: str) -> list[str]:
        before = incomplete[: incomplete.rfind(",") + 1]
        try:
            settings = load_settings({name: ctx.params.get(name) for name in _READ})
            return [before + str(name) for kind in kinds for name in (*_MORE.get(kind, ()), *_names(kind, settings))]
        except PsaError:
            # A shell has no place for the reason; the command itself will tell it.
            return []

    # Typer knows the parameters by their names, too, and evaluating annotations of all callbacks would take its time.
    complete.__annotations__ = {}
    return complete


def _layers(settings: Settings) -> list[str]:
    """Return ``layer:K`` for every layer of the network; none of one that only its code knows."""
    try:
        return [f"layer:{layer}" for layer in range(len(settings.network().value.unit_counts))]
    except PsaError:
        return []


def _names(what: str, settings: Settings) -> Iterable[object]:
    module, _, name = NAMES[what].partition(":")
    found = getattr(import_module(module), name)
    folder = [settings.get(_FOLDERS[what])] if what in _FOLDERS else []
    names: Iterable[object] = found(*folder) if isfunction(found) else found
    return [*names, *_layers(settings)] if what == "ablate" else names
