"""Look for the packages of the extra ``results`` before they are needed, so that one line says what is missing."""

from __future__ import annotations

from importlib.util import find_spec

from psa_tui.errors import PsaError


def require(*packages: str) -> None:
    """Check that all of ``packages`` can be imported.

    Raises:
        PsaError: one of them is not installed.
    """
    missing = [package for package in packages if find_spec(package) is None]
    if missing:
        raise PsaError(f'{", ".join(missing)} not installed, this command needs it: pip install "psa-tui[results]"')
