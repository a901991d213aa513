"""A network that is a PyTorch module of the user's own, as the program sees networks. Torch is imported late."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from psa_tui.errors import ConfigError
from psa_tui.networks.base import NETWORKS, DropoutMasks, Network, ParameterSpec
from psa_tui.networks.modules.code import Code, run_again

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from psa_tui.method.ablation import UnitParameters
    from psa_tui.method.events import Block
    from psa_tui.networks.modules.built import Built

_LONGEST = 200


@dataclass(frozen=True)
class ModuleNetwork(Network):
    """What ``factory(architecture, input_shape, classes)`` makes; the module itself is made when it is asked for."""

    code: Code
    architecture: str
    input_shape: tuple[int, ...]
    classes: int

    @property
    def family(self) -> str:  # type: ignore[override]
        """What ``--network`` calls it: the factory's name."""
        return self.code.name

    def __str__(self) -> str:
        """Return what ``--arch`` said."""
        return self.architecture

    def __reduce__(self) -> tuple[Callable[..., Network], tuple[Any, ...]]:
        """Let another process, such as a study's worker on any machine, run the same code for the same network."""
        code = self.code
        return rebuilt, (code.source, code.content, code.sha256, self.architecture, self.input_shape, self.classes)

    @property
    def built(self) -> Built:
        """The module, and what was found in it; made once for equal networks."""
        return _built(self)

    @property
    def short_name(self) -> str:
        """The same as in ``--arch``."""
        return self.architecture

    @property
    def parameters(self) -> int:
        """Numbers of a row, those of buffers among them."""
        return sum(tensor.size for tensor in self.tensors)

    @property
    def tensors(self) -> Sequence[ParameterSpec]:
        """The module's parameters under its own names, then the buffers of its state that are floats."""
        return self.built.tensors

    @property
    def buffers(self) -> Sequence[ParameterSpec]:
        """Its buffers, and parameters that are frozen."""
        return self.built.buffers

    @property
    def versions(self) -> Mapping[str, str]:
        """The digest of the file that makes it."""
        return {self.code.name: f"sha256:{self.code.sha256}"}

    @property
    def source(self) -> str:
        """The factory with the whole path of its file."""
        return self.code.source

    @property
    def unit_counts(self) -> Sequence[int]:
        """How many units ``psa_tui.units`` found in each layer."""
        return self.built.table.unit_counts

    @property
    def layer_names(self) -> Sequence[str]:
        """The names of the modules that make the units."""
        return self.built.table.layer_names

    @property
    def unit_kinds(self) -> Sequence[str]:
        """Neurons, channels, heads or blocks."""
        return self.built.table.unit_kinds

    @property
    def hidden_layers(self) -> Sequence[int]:
        """The layers but the output."""
        return self.built.table.hidden_layers

    def unit_parameters(self, layer: int, unit: int) -> UnitParameters:
        """Return which numbers of a row belong to a unit."""
        return self.built.table.unit_parameters(layer, unit)

    @property
    def dropout_refusal(self) -> str | None:
        """Why the engine's dropout cannot act in it."""
        return self.built.dropout_refusal

    @property
    def activity_refusal(self) -> str | None:
        """Why it is not known what its hidden units do."""
        return self.built.activity_refusal

    def initial_weights(self, draws: np.random.Generator) -> np.ndarray:
        """Let the factory initialise a module, with PyTorch's generator seeded by ``draws``."""
        from psa_tui.networks.modules.built import initial_row

        return initial_row(self, int(draws.integers(2**63 - 1)))

    def forward(self, tensors: Mapping[str, Tensor], inputs: Tensor, dropout: DropoutMasks | None) -> Tensor:
        """Compute logits in evaluation mode; ``dropout`` is shown what the hidden units give to their first reader."""
        return self.built.evaluate(tensors, inputs, dropout)

    def train_forward(self, tensors: Mapping[str, Tensor], inputs: Tensor, dropout: DropoutMasks | None) -> Tensor:
        """Compute logits in training mode; ``dropout`` acts where the module has dropout layers."""
        return self.built.train(tensors, inputs, dropout)

    def blocks(self) -> Sequence[Block]:
        """Return a row for each layer with units, and one for the numbers of all others."""
        return self.built.blocks()

    def meta_loop_operations(self, train_count: int, validation_count: int, pixels: int | None = None) -> int:
        """Return the operations of a meta-loop, as counted in one forward pass; backward takes twice as many."""
        operations: int = self.built.operations
        return operations * (3 * train_count + validation_count)

    def training_bytes(self, batch_size: int, members: int = 1, kept_copies: int = 0) -> int:
        """Return the memory that training takes: six copies of the numbers, and the activations of a batch twice."""
        return members * (6 + kept_copies) * 4 * self.parameters + 8 * batch_size * self.built.activations

    @property
    def depth(self) -> int:
        """Hidden layers that have units."""
        return len(self.hidden_layers)

    @property
    def hidden_units(self) -> int:
        """Units of all hidden layers."""
        return sum(self.unit_counts[layer] for layer in self.hidden_layers)

    @property
    def input_parameters(self) -> int:
        """Numbers of the first tensor, which reads the images as a rule."""
        return self.tensors[0].size


class ModuleFamily:
    """Makes networks of one factory."""

    def __init__(self, code: Code) -> None:
        """Read ``default_architecture`` of the factory, where it has one."""
        self.code = code
        self.default_architecture: str = getattr(code.factory, "default_architecture", "")

    def parse(self, text: str, input_shape: tuple[int, ...], classes: int) -> ModuleNetwork:
        """Return the network that the factory makes of ``text``, whatever it means.

        Raises:
            ConfigError: the factory makes none of it, or one that cannot be trained so.
        """
        if not text:
            raise ConfigError(
                f"say --arch TEXT, which {self.code.name} gets: the factory has no attribute default_architecture"
            )
        if not text.isprintable() or text != text.strip() or len(text) > _LONGEST:
            raise ConfigError(f"expected at most {_LONGEST} characters that can be printed, no blank first or last")
        network = ModuleNetwork(self.code, text, tuple(input_shape), classes)
        network.built  # noqa: B018 - what cannot be made is said here
        return network


def rebuilt(
    source: str, content: bytes | None, sha256: str, architecture: str, input_shape: tuple[int, ...], classes: int
) -> Network:
    """Return the network that another process of the same command has.

    Raises:
        ConfigError: a module that both import is another one here.
    """
    family = NETWORKS.find(run_again(source, content))
    if not isinstance(family, ModuleFamily) or family.code.sha256 != sha256:
        raise ConfigError(f"{source}: not the file that the command began with; install the same one everywhere")
    return family.parse(architecture, input_shape, classes)


@lru_cache(maxsize=32)
def _built(network: ModuleNetwork) -> Built:
    from psa_tui.networks.modules.built import Built

    return Built(network)
