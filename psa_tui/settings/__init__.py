"""Settings: declared once, found in several places, frozen into a config at the door."""

from psa_tui.settings.declarations import DEVICES, LARGEST_SEED, MOST_THREADS, SETTINGS, Setting
from psa_tui.settings.sources import load_settings
from psa_tui.settings.values import AXES_OF, RunConfig, Settings, Value

__all__ = [
    "AXES_OF",
    "DEVICES",
    "LARGEST_SEED",
    "MOST_THREADS",
    "SETTINGS",
    "RunConfig",
    "Setting",
    "Settings",
    "Value",
    "load_settings",
]
