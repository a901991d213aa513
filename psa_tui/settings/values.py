"""The value of every setting, where it came from, and the frozen config a run is made of.

A value is looked for in this order, and the first found wins: the command line, the environment
(``PSA_LR``), ``.env``, ``psa.toml`` (``lr = 1e-3``), the checkpoint that is being continued, the default.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from psa_tui.data import DatasetSpec, dataset_spec
from psa_tui.engine.trial import TrialConfig
from psa_tui.errors import ConfigError, UnknownNameError
from psa_tui.method.hyperparameters import HYPERPARAMETERS, Hyperparameters
from psa_tui.method.variants import Variant, scheduled, split_list, with_axes
from psa_tui.networks import NETWORKS, Network
from psa_tui.networks.modules.code import run_named_code
from psa_tui.networks.modules.names import names_code
from psa_tui.settings.declarations import SETTINGS, Setting
from psa_tui.settings.targets import Targets

AXES_OF = {
    "ablate": "ablate",
    "amount": "amount",
    "effect": "effect",
    "promote": "promote",
    "optimizer_state": "optimizer",
    "regularisers": "with",
    "init": "init",
}
"""The axis of a variant that each setting is the value of."""


@dataclass(frozen=True, slots=True)
class RunConfig:
    """What one run trains, where, and on what; ``None`` means "not said": the run decides and records its choice."""

    trial: TrialConfig
    dataset_dir: Path
    name: str | None
    model_dir: Path
    """The run's own folder where it has a name."""
    results_dir: Path
    device: str
    threads: int | None
    backend: str


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
    bounds: Path | None = None
    """The folder that its paths stay inside; None where it may name any."""
    runs_code: bool = False
    """Whether code that it names is run: the command line's is, and nobody else's."""

    def parse(self, setting: Setting) -> Any:
        """Return the value of ``setting``, which this layer has.

        Raises:
            ConfigError: it cannot be its value, or is a path or an address that leads out of the bounds.
        """
        text = self.values[setting.name]
        if self.runs_code and setting.name == "network" and names_code(text):
            run_named_code(text)
        value = setting.parse(text)
        # What lies in a folder may say what is trained, but not where files are written, replaced or removed.
        if self.bounds is not None and isinstance(value, Path):
            bounds = self.bounds.resolve()
            if not (bounds / value).resolve().is_relative_to(bounds):
                raise ConfigError(
                    f"expected a path inside this folder (only {setting.option}, or {setting.variable} in the "
                    "environment, may name any)"
                )
        if self.bounds is not None and isinstance(value, Targets) and value.have_address:
            raise ConfigError(
                f"expected bell or desktop (only {setting.option}, or {setting.variable} in the environment, may name "
                "an address)"
            )
        return value


@dataclass(frozen=True, slots=True)
class Settings:
    """All layers, highest precedence first; ask for one value, or for the whole frozen config."""

    layers: tuple[Layer, ...]

    def with_checkpoint(self, values: Mapping[str, str], pinned: Collection[str] = ()) -> Settings:
        """The same settings with a checkpoint's values: before the defaults, or before all else where ``pinned``."""
        *layers, default = self.layers
        fixed = {name: value for name, value in values.items() if name in pinned}
        hidden = {"hidden_layers"} if "arch" in pinned else set()
        hidden |= {*AXES_OF, "schedule"} if "mode" in pinned else set()
        layers = [replace(layer, values={n: v for n, v in layer.values.items() if n not in hidden}) for layer in layers]
        return Settings((Layer(fixed, _checkpoint), *layers, Layer(values, _checkpoint), default))

    def with_option(self, name: str, text: str) -> Settings:
        """Return the same settings with one more option of the command line."""
        given, *others = self.layers
        return Settings((Layer({**given.values, name: text}, given.origin), *others))

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
                    return Value(layer.parse(setting), layer.origin(setting), rank)
                except ConfigError as error:
                    is_told = error.detail or setting.secret_list or isinstance(error, UnknownNameError)
                    shown = "" if is_told else f", found {text[:80]!r}"
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

    def named_network(self) -> str | None:
        """Return the network that the command line itself names, None where it names none; code of the user's is run.

        What reads checkpoints and studies asks for it first: they are of that network, and cannot run it.

        Raises:
            ConfigError: there is none such.
        """
        found = self.find("network") if "network" in self.layers[0].values else None
        return None if found is None else str(found.value)

    def hyperparameters(self) -> Hyperparameters:
        """Return what a trial trains with.

        Raises:
            ConfigError: somebody said a batch of more images than there are to train on.
        """
        batch, spec = self.find("batch_size"), self.dataset_spec()
        if batch is not None and self.is_explicit("batch_size") and batch.value > spec.train_count:
            raise ConfigError(
                f"{batch.origin}: expected at most the {spec.train_count:,} training images of {spec.name}, "
                f"found {batch.value:,}"
            )
        return Hyperparameters(**{one.name: self.get(one.option) for one in HYPERPARAMETERS})

    def explicit_hyperparameters(self) -> dict[str, Any]:
        """Return those a user said, by field."""
        return {one.name: self.get(one.option) for one in HYPERPARAMETERS if self.is_explicit(one.option)}

    def dataset_spec(self) -> DatasetSpec:
        """Return what is known of the data set before it is loaded; ``auto`` is MNIST, or digits of its form."""
        return dataset_spec(self.get("dataset"))

    def run_folder(self) -> Path:
        """Return the folder of the run's checkpoint: the one of its name in the models folder, or that folder itself.

        Raises:
            ConfigError: a link has that name, and leads anywhere.
        """
        models, name = self.get("model_dir"), self.get("name")
        folder: Path = models if name is None else models / name
        if name is not None and folder.is_symlink():
            raise ConfigError(f"{folder} is a symbolic link, expected a folder; --model-dir may name any")
        return folder

    def network(self) -> Value:
        """Return the network, from whichever of ``arch`` and ``hidden_layers`` has precedence.

        Raises:
            ConfigError: one source says both, or the text is none of the family.
        """
        family, spec = NETWORKS.find(self.get("network")), self.dataset_spec()
        arch, widths = self.find("arch"), self.find("hidden_layers")
        default = Value(family.default_architecture, "default", len(self.layers))
        values = [value for value in (arch, widths) if value is not None]
        first = min([*values, default], key=lambda value: value.rank)

        def parsed(value: Value) -> Network:
            try:
                return family.parse(value.value, spec.input_shape, spec.classes)
            except ConfigError as error:
                shown = "" if error.detail else f", found {str(value.value)[:80]!r}"
                raise ConfigError(f"{value.origin}: {error}{shown}", error.detail) from None

        networks = {value.origin: parsed(value) for value in [*values, default] if value.rank == first.rank}
        if len(set(networks.values())) > 1:
            raise ConfigError(f"{' and '.join(networks)} name two architectures; say one of them")
        return Value(networks[first.origin], first.origin, first.rank)

    def variant(self) -> Variant:
        """Return the variant: the mode, with other values of the axes that are said.

        Raises:
            ConfigError: what is said makes no variant, or not one of the network.
        """
        variant: Variant = self.get("mode")
        said = {axis: found for name, axis in AXES_OF.items() if (found := self.find(name)) is not None}
        schedule = self.find("schedule")
        try:
            if schedule is not None:
                if said or self.is_explicit("mode"):
                    raise ConfigError("a schedule names all its modes: leave --mode and the options of a mode out")
                variant = scheduled(part.rpartition(":")[::2] for part in split_list(schedule.value))
            elif said:
                variant = with_axes(variant, {axis: str(found.value) for axis, found in said.items()})
            network = self.network().value
            for one in variant.all_variants:
                one.check_network(network)
        except ConfigError as error:
            origins = [found.origin for found in (*said.values(), schedule) if found is not None]
            raise ConfigError(f"{', '.join(origins or ['mode'])}: {error}", error.detail) from None
        return variant

    def run_config(self) -> RunConfig:
        """Return the frozen config of a run; a seed that nobody said is drawn now."""
        import secrets

        seed = self.get("seed")
        trial = TrialConfig(
            network=self.network().value,
            variant=self.variant(),
            hyperparameters=self.hyperparameters(),
            dataset=self.get("dataset"),
            seed=secrets.randbits(32) if seed is None else seed,
            meta_loops=self.get("meta_loops"),
            initialisation_seed=self.get("init_seed"),
        )
        return RunConfig(
            trial=trial,
            dataset_dir=self.get("dataset_dir"),
            name=self.get("name"),
            model_dir=self.run_folder(),
            results_dir=self.get("results_dir"),
            device=self.get("device"),
            threads=self.get("threads"),
            backend=self.get("backend"),
        )


def _checkpoint(setting: Setting) -> str:
    return "checkpoint"
