"""What ``psa train`` and ``psa resume`` look at before anything is loaded or drawn."""

from __future__ import annotations

from psa_tui.settings import Settings


def check_fits(settings: Settings) -> None:
    """Refuse what cannot fit before the libraries that would run it are loaded.

    Raises:
        ConfigError: a network that was asked for needs more memory than there is.
    """
    trial = settings.run_config().trial
    if settings.network().origin == "default":
        return
    from psa_tui.machine.memory import check_memory

    count = settings.dataset_spec().train_count
    check_memory(trial.network, trial.hyperparameters.batch_size, count, trial.variant.kept_copies)
