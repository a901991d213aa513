"""A session of a run as the results database has it: when a process worked on it, on what, with which settings."""

from __future__ import annotations

from collections.abc import Mapping
from operator import index
from typing import Any

from psa_tui.method.hyperparameters import Hyperparameters
from psa_tui.outside import outside_json


def decode_session(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the columns by name, those that are used checked, and the versions as a mapping by package.

    Raises:
        KeyError, TypeError, ValueError: it is no row that this program writes.
    """
    versions = outside_json(row["versions"])
    if not isinstance(versions, dict):
        raise TypeError("versions are no mapping")
    rates = Hyperparameters.from_json(row).as_json()
    return {**row, **rates, "after_meta_loop": index(row["after_meta_loop"]), "versions": versions}
