"""Every setting of a run, where its value came from, and the frozen config a run is made of.

A value is looked for in this order, and the first found wins: the command line, the environment
(``PSA_LR``), ``.env``, ``psa.toml`` (``lr = 1e-3``), the checkpoint that is being continued, the default.
"""

from __future__ import annotations

import difflib
import math
import os
import tomllib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from psa_tui.errors import ConfigError
from psa_tui.method.variants import AblationMode
from psa_tui.networks.mlp import Architecture, parse_architecture, parse_hidden_layers

DATASETS = ("auto", "mnist", "mnist5k", "fashion-mnist", "kmnist")
DEVICES = ("auto", "cpu", "cuda", "mps")
LARGEST_SEED = 2**63 - 1


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """What one run trains and how; ``None`` means "not said": the run decides and records its choice."""

    architecture: Architecture
    mode: AblationMode
    learning_rate: float
    batch_size: int
    meta_loops: int
    weight_decay: float
    dropout: float
    seed: int | None
    dataset: str
    dataset_dir: Path
    model_dir: Path
    results_dir: Path
    device: str
    threads: int | None


def _integer(least: int, most: int | None = None) -> Callable[[str], int]:
    wanted = f"a whole number of at least {least}" if most is None else f"a whole number from {least} to {most}"

    def parse(text: str) -> int:
        try:
            value = int(text) if text.isascii() and "_" not in text else None
        except ValueError:
            value = None
        if value is None or value < least or (most is not None and value > most):
            raise ConfigError(f"expected {wanted}")
        return value

    return parse


def _number(accepts: Callable[[float], bool], wanted: str) -> Callable[[str], float]:
    def parse(text: str) -> float:
        try:
            value = float(text) if text.isascii() and "_" not in text else math.nan
        except ValueError:
            value = math.nan
        if not (math.isfinite(value) and accepts(value)):
            raise ConfigError(f"expected {wanted}")
        return value

    return parse


def _one_of(*names: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in names:
            raise ConfigError(f"expected one of {', '.join(names)}")
        return text

    return parse


def _mode(text: str) -> AblationMode:
    return AblationMode(_one_of(*AblationMode)(text))


def _flag(text: str) -> bool:
    value = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}.get(text.lower())
    if value is None:
        raise ConfigError("expected true or false")
    return value


def _path(text: str) -> Path:
    if not text or "\0" in text:
        raise ConfigError("expected a path")
    return Path(text).expanduser()


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting: ``name`` in psa.toml, ``PSA_NAME`` in the environment, ``--name`` on the command line."""

    name: str
    parse: Callable[[str], Any]
    default: str | None

    @property
    def variable(self) -> str:
        """The environment variable."""
        return "PSA_" + self.name.upper()


SETTINGS: dict[str, Setting] = {
    setting.name: setting
    for setting in (
        Setting("arch", parse_architecture, "[1*1024]"),
        Setting("hidden_layers", parse_hidden_layers, None),
        Setting("mode", _mode, "none"),
        Setting("lr", _number(lambda x: 0 < x <= 10, "a number above 0, at most 10"), "1e-4"),
        Setting("batch_size", _integer(1, 1_000_000), "256"),
        Setting("meta_loops", _integer(1, 1_000_000_000), "100"),
        Setting("weight_decay", _number(lambda x: 0 <= x < 1, "a number from 0 to below 1"), "1e-4"),
        Setting("dropout", _number(lambda x: 0 <= x < 1, "a number from 0 to below 1"), "0.1"),
        Setting("seed", _integer(0, LARGEST_SEED), None),
        Setting("dataset", _one_of(*DATASETS), "auto"),
        Setting("dataset_dir", _path, "dataset"),
        Setting("model_dir", _path, "models"),
        Setting("results_dir", _path, "results"),
        Setting("device", _one_of(*DEVICES), "auto"),
        Setting("threads", _integer(1, 4 * (os.cpu_count() or 1)), None),
        Setting("num_workers", _integer(0, 4096), "4"),
        Setting("debug", _flag, "false"),
        Setting("plain", _flag, "false"),
        Setting("json", _flag, "false"),
        Setting("quiet", _flag, "false"),
        Setting("ascii", _flag, "false"),
        Setting("save_svg", _path, None),
        Setting("tensorboard", _path, None),
    )
}


@dataclass(frozen=True, slots=True)
class Value:
    """A setting's parsed value and where it came from: ``--lr``, ``PSA_LR``, ``.env``, ``psa.toml``, ..."""

    value: Any
    origin: str
    rank: int
    """Position of the source in the order of precedence; 0 is the command line."""


@dataclass(frozen=True, slots=True)
class Layer:
    """One source of settings: raw text by setting name, and how to name the origin of a value."""

    values: Mapping[str, str]
    origin: Callable[[Setting], str]


@dataclass(frozen=True, slots=True)
class Settings:
    """All layers, highest precedence first; ask for one value, or for the whole frozen config."""

    layers: tuple[Layer, ...]

    def with_checkpoint(self, values: Mapping[str, str], pinned: Collection[str] = ()) -> Settings:
        """The same settings with a checkpoint's values: before the defaults, or before all else where ``pinned``."""
        *layers, default = self.layers
        fixed = {name: value for name, value in values.items() if name in pinned}
        hidden = {"hidden_layers"} if "arch" in pinned else set()
        layers = [Layer({n: v for n, v in layer.values.items() if n not in hidden}, layer.origin) for layer in layers]
        return Settings((Layer(fixed, _checkpoint), *layers, Layer(values, _checkpoint), default))

    def find(self, name: str) -> Value | None:
        """The value of ``name`` and its origin, or None when no source has it.

        Raises:
            ConfigError: the first source that has it holds something that cannot be its value.
        """
        setting = SETTINGS[name]
        for rank, layer in enumerate(self.layers):
            if name in layer.values:
                text = layer.values[name]
                try:
                    return Value(setting.parse(text), layer.origin(setting), rank)
                except ConfigError as error:
                    shown = "" if error.detail else f", found {text[:80]!r}"
                    raise ConfigError(f"{layer.origin(setting)}: {error}{shown}", error.detail) from None
        return None

    def get(self, name: str) -> Any:
        """The value of ``name``, or None when no source has it."""
        found = self.find(name)
        return None if found is None else found.value

    def is_explicit(self, name: str) -> bool:
        """Whether a user said it (on the command line, in the environment or in a file)."""
        found = self.find(name)
        return found is not None and found.origin not in ("checkpoint", "default")

    def architecture(self) -> Value:
        """The architecture, from whichever of ``arch`` and ``hidden_layers`` has precedence.

        Raises:
            ConfigError: one source says both.
        """
        arch, widths = self.find("arch"), self.find("hidden_layers")
        assert arch is not None
        if widths is None or arch.rank < widths.rank:
            return arch
        if widths.rank == arch.rank and widths.value != arch.value:
            raise ConfigError(f"{arch.origin} and {widths.origin} name two architectures; say one of them")
        return widths

    def train_config(self) -> TrainConfig:
        """The frozen config of a run."""
        return TrainConfig(
            architecture=self.architecture().value,
            mode=self.get("mode"),
            learning_rate=self.get("lr"),
            batch_size=self.get("batch_size"),
            meta_loops=self.get("meta_loops"),
            weight_decay=self.get("weight_decay"),
            dropout=self.get("dropout"),
            seed=self.get("seed"),
            dataset=self.get("dataset"),
            dataset_dir=self.get("dataset_dir"),
            model_dir=self.get("model_dir"),
            results_dir=self.get("results_dir"),
            device=self.get("device"),
            threads=self.get("threads"),
        )


def _checkpoint(setting: Setting) -> str:
    return "checkpoint"


def load_settings(flags: Mapping[str, object], folder: Path | None = None) -> Settings:
    """Collect every source: ``flags`` (None means absent), the environment, ``.env`` and ``psa.toml`` in ``folder``.

    Raises:
        ConfigError: ``psa.toml`` cannot be read, or holds a key that is no setting.
    """
    folder = Path() if folder is None else folder
    given = {name: _text(value) for name, value in flags.items() if value is not None}
    defaults = {name: s.default for name, s in SETTINGS.items() if s.default is not None}
    return Settings(
        (
            Layer(given, lambda s: "--" + s.name.replace("_", "-")),
            Layer(_variables(os.environ), lambda s: s.variable),
            Layer(_variables(_read_env(folder / ".env")), lambda s: f"{s.variable} in .env"),
            Layer(_read_toml(folder / "psa.toml"), lambda s: f"{s.name} in psa.toml"),
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
        return dotenv_values(path)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read ({error}); mend or remove it") from None


def _read_toml(path: Path) -> dict[str, str]:
    if not path.is_file():
        return {}
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read ({error}); mend or remove it") from None
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
    return str(value).lower() if isinstance(value, bool) else str(value)
