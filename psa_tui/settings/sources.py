"""Where settings are read from: the command line, the environment, ``.env`` and ``psa.toml``."""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path

from psa_tui.errors import ConfigError
from psa_tui.settings.declarations import SETTINGS
from psa_tui.settings.values import Layer, Settings


def load_settings(flags: Mapping[str, object], folder: Path | None = None) -> Settings:
    """Collect every source: ``flags`` (None means absent), the environment, ``.env`` and ``psa.toml`` in ``folder``.

    Raises:
        ConfigError: ``psa.toml`` cannot be read, or holds a key that is no setting.
    """
    folder = Path() if folder is None else folder
    given = {name: _text(value) for name, value in flags.items() if value not in (None, [])}
    defaults = {name: s.default for name, s in SETTINGS.items() if s.default is not None}
    return Settings(
        (
            Layer(given, lambda s: s.option),
            Layer(_variables(os.environ), lambda s: s.variable),
            Layer(_variables(_read_env(folder / ".env")), lambda s: f"{s.variable} in .env", folder),
            Layer(_read_toml(folder / "psa.toml"), lambda s: f"{s.name} in psa.toml", folder),
            Layer(defaults, lambda _: "default"),
        )
    )


def _variables(environment: Mapping[str, str | None]) -> dict[str, str]:
    found = {name: environment.get(setting.variable) for name, setting in SETTINGS.items()}
    return {name: value for name, value in found.items() if value}


def _read_env(path: Path) -> dict[str, str | None]:
    if not path.is_file():
        return {}
    from dotenv import dotenv_values

    try:
        # Nothing is interpolated: a name in ${} would show a secret of the environment in the next message.
        return dotenv_values(path, interpolate=False)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read ({error}); mend or remove it") from None


def _read_toml(path: Path) -> dict[str, str]:
    if not path.is_file():
        return {}
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read ({error}); mend or remove it") from None
    except RecursionError:
        raise ConfigError(f"{path}: cannot be read (it is nested too deeply); mend or remove it") from None
    values = {}
    for key, value in content.items():
        name = key.replace("-", "_")
        if name not in SETTINGS:
            close = difflib.get_close_matches(name, SETTINGS, n=1)
            hint = f"; did you mean {close[0]!r}?" if close else ""
            raise ConfigError(f"{path}: {key!r} is no setting{hint} (psa config lists them)")
        if not isinstance(value, str | int | float):
            raise ConfigError(f"{path}: {key} must be a string, a number or a boolean")
        values[name] = _text(value)
    return values


def _text(value: object) -> str:
    if isinstance(value, list):
        return ",".join(value)
    return str(value).lower() if isinstance(value, bool) else str(value)
