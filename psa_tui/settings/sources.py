"""Where settings are read from: the command line, the environment, ``.env`` and ``psa.toml``."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from psa_tui.errors import ConfigError
from psa_tui.formatting import did_you_mean, nearest
from psa_tui.settings.declarations import SETTINGS
from psa_tui.settings.values import Layer, Settings

_PREFIX = "PSA_"
_OTHERS = {"PSA_ML_ROOT", "PSA_TOOLS_FAULTS"}
"""Variables of the entry script on SageMaker and of the tools for developers."""


def load_settings(flags: Mapping[str, object], folder: Path | None = None) -> Settings:
    """Collect every source: ``flags`` (None means absent), the environment, ``.env`` and ``psa.toml`` in ``folder``.

    Raises:
        ConfigError: ``psa.toml`` cannot be read, or holds a key that is no setting; so does the environment or
            ``.env`` a variable ``PSA_*``.
    """
    folder = Path() if folder is None else folder
    given = {name: _text(value) for name, value in flags.items() if value not in (None, [])}
    defaults = {name: s.default for name, s in SETTINGS.items() if s.default is not None}
    return Settings(
        (
            Layer(given, lambda s: s.option, runs_code=True),
            Layer(_variables(os.environ, "the environment"), lambda s: s.variable),
            Layer(
                _variables(_read_env(folder / ".env"), str(folder / ".env")), lambda s: f"{s.variable} in .env", folder
            ),
            Layer(_read_toml(folder / "psa.toml"), lambda s: f"{s.name} in psa.toml", folder),
            Layer(defaults, lambda _: "default"),
        )
    )


def _variables(environment: Mapping[str, str | None], where: str) -> dict[str, str]:
    """Return the settings that ``environment`` has; one that nobody reads would be a run with other settings."""
    known = {setting.variable: name for name, setting in SETTINGS.items()}
    ours = [name for name in environment if name.startswith(_PREFIX) and name not in _OTHERS]
    for variable in ours:
        if variable not in known:
            # Without the prefix, which makes all of them alike.
            near = nearest(variable.removeprefix(_PREFIX), (name.removeprefix(_PREFIX) for name in known))
            hint = f"; did you mean {_PREFIX}{near[0]}?" if near else "; remove it"
            raise ConfigError(f"{where}: {variable} is no setting (psa train --help lists them){hint}")
    return {known[variable]: value for variable in ours if (value := environment[variable])}


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
        if path.exists():
            raise ConfigError(f"{path}: is no file; move it away")
        return {}
    import tomllib

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
            raise ConfigError(
                f"{path}: {key!r} is no setting (psa train --help lists them){did_you_mean(name, SETTINGS)}"
            )
        if not isinstance(value, str | int | float):
            raise ConfigError(f"{path}: {key} must be a string, a number or a boolean")
        values[name] = _text(value)
    return values


def _text(value: object) -> str:
    if isinstance(value, list):
        return ",".join(value)
    return str(value).lower() if isinstance(value, bool) else str(value)
