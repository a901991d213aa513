"""What settings are about: the panels of help texts."""

from __future__ import annotations

from psa_tui.method.hyperparameters import HYPERPARAMETERS

TOPICS = {
    "Network": ("network", "arch", "hidden_layers"),
    "Variant": ("mode", "ablate", "amount", "effect", "promote", "optimizer_state", "regularisers", "init", "schedule"),
    "Hyperparameters": (*(one.option for one in HYPERPARAMETERS), "meta_loops", "seed", "init_seed"),
    "Data and folders": ("name", "dataset", "dataset_dir", "model_dir", "results_dir"),
    "Machine": ("device", "backend", "threads", "num_workers"),
    "Output": ("plain", "json", "quiet", "ascii", "save_svg", "tensorboard", "notify", "debug"),
}
"""The panels of help texts, with the settings in each."""


def topic_of(name: str) -> str | None:
    """Return what the setting ``name`` is about; None for one of which nobody said so."""
    return next((topic for topic, names in TOPICS.items() if name in names), None)
