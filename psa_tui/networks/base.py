"""What the program needs to know of a network, whatever its family. No torch.

A ``Network`` is a frozen description: it names its parameters, its units (what can be ablated, and which numbers
belong to each), its text form and its size. Weights live elsewhere: a row is one flat array of shape [parameters] in
the order of ``tensors``. To add a family from outside, register a ``NetworkFamily`` in the entry point group
``psa_tui.networks``; ``--network NAME`` then trains with it.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from psa_tui.method.ablation import UnitParameters
from psa_tui.method.initialisation import DEFAULT as DEFAULT_INITIALISATION
from psa_tui.method.layer_names import LayerNames
from psa_tui.networks.modules.names import UnnamedCodeError, names_code
from psa_tui.registry import Registry

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from psa_tui.method.events import Block

_EVALUATION_BATCH = 2000
_BYTES_PER_LAYER = 16 * 1024
"""Python and tensor bookkeeping of one layer (two tensors, their gradients and views)."""


@dataclass(frozen=True, slots=True)
class ParameterSpec:
    """One tensor of a network: its name in checkpoints, its shape, and where it lies in a row."""

    name: str
    shape: tuple[int, ...]
    offset: int

    @property
    def size(self) -> int:
        """How many numbers it has."""
        return math.prod(self.shape)

    def view(self, rows: Any) -> Any:
        """Return this tensor of every row, a view of ``rows`` [M, parameters]: [M, *shape]."""
        return rows[:, self.offset : self.offset + self.size].reshape(len(rows), *self.shape)

    def computing(self, unit: int) -> slice:
        """Return the numbers of a row by which weights [outputs, ...] compute the output ``unit``."""
        size = self.size // self.shape[0]
        return slice(self.offset + unit * size, self.offset + (unit + 1) * size)

    def reading(self, unit: int, units: int) -> tuple[slice, ...]:
        """Return the numbers of a row by which weights [outputs, ...] read one of ``units``, which come one by one."""
        stride = self.size // self.shape[0]
        size = stride // units
        begin, end = self.offset + unit * size, self.offset + self.size
        if size == 1:
            return (slice(begin, end, stride),)
        return tuple(slice(at, at + size) for at in range(begin, end, stride))


class DropoutMasks(Protocol):
    """Multiplies activations with dropout masks, layer by layer."""

    def __call__(self, activations: Tensor, first_unit: int) -> Tensor:
        """Return ``activations`` [batch, units, ...] of the hidden units from ``first_unit`` on, masked and scaled."""


class Network(ABC):
    """One network of a family. Equal networks compare equal and hash equal (subclasses are frozen dataclasses)."""

    family: ClassVar[str]
    """What ``--network`` calls its family."""
    initialisations: ClassVar[tuple[str, ...]] = (DEFAULT_INITIALISATION,)
    """The laws that ``initial_weights_of`` draws from."""
    input_shape: tuple[int, ...]
    """The shape of one image: (1, 28, 28) are channels, rows, columns."""
    classes: int

    @abstractmethod
    def __str__(self) -> str:
        """Return the canonical text form, which the family's ``parse`` reads back."""

    @property
    @abstractmethod
    def short_name(self) -> str:
        """The text form of grids and tables, without spaces: ``18*18``; the family's ``parse`` reads it too."""

    @property
    @abstractmethod
    def parameters(self) -> int:
        """How many numbers a row has, in closed form: asking costs nothing however large the network."""

    @property
    @abstractmethod
    def tensors(self) -> Sequence[ParameterSpec]:
        """Its tensors in the order of a row, without gaps."""

    @property
    def buffers(self) -> Sequence[ParameterSpec]:
        """Those of ``tensors`` that no gradient trains, such as running means: they belong to the LKG like weights.

        They are the last in a row, so that its beginning is what is trained, decayed and scattered with noise.
        """
        return ()

    @property
    def trained(self) -> int:
        """How many numbers of a row a gradient trains: the first ones, before ``buffers``."""
        return self.parameters - sum(buffer.size for buffer in self.buffers)

    @property
    def versions(self) -> Mapping[str, str]:
        """What makes it besides this package, with the version of each, for a checkpoint to record."""
        return {}

    @property
    def source(self) -> str:
        """What ``--network`` says to have it on this machine: the family's name."""
        return self.family

    @property
    def dropout_refusal(self) -> str | None:
        """Why hidden units cannot be dropped in it; None where they can."""
        return None

    @property
    def activity_refusal(self) -> str | None:
        """Why ``forward`` does not show what every hidden unit gives on; None where it does."""
        return None

    @property
    @abstractmethod
    def unit_counts(self) -> Sequence[int]:
        """How many units each layer has; the last layer is the output."""

    @property
    def hidden_layers(self) -> Sequence[int]:
        """The layers whose units are hidden ones: all but the last."""
        return range(len(self.unit_counts) - 1)

    @property
    def layer_names(self) -> Sequence[str]:
        """What people call each layer; empty where that is ``layer 0``, ``layer 1``, ..., ``output``."""
        return ()

    @property
    def unit_kinds(self) -> Sequence[str]:
        """What a unit of each layer is, ``channel`` or ``head``; empty where all are neurons."""
        return ()

    @property
    def names(self) -> LayerNames:
        """Both, for whatever shows them."""
        return LayerNames(len(self.unit_counts), self.layer_names, self.unit_kinds)

    @abstractmethod
    def unit_parameters(self, layer: int, unit: int) -> UnitParameters:
        """Return which numbers of a row belong to a unit."""

    @abstractmethod
    def blocks(self) -> Sequence[Block]:
        """Return the rows of its table on the dashboard, in closed form."""

    @abstractmethod
    def initial_weights(self, draws: np.random.Generator) -> np.ndarray:
        """Draw a random initialisation: float32 [parameters]."""

    def initial_weights_of(self, law: str, draws: np.random.Generator) -> np.ndarray:
        """Draw a random initialisation from ``law``, one of ``initialisations``: float32 [parameters]."""
        if law != DEFAULT_INITIALISATION:
            raise ValueError(f"family {self.family} has no initialisation {law}")
        return self.initial_weights(draws)

    @abstractmethod
    def forward(self, tensors: Mapping[str, Tensor], inputs: Tensor, dropout: DropoutMasks | None) -> Tensor:
        """Compute logits [batch, classes] of standardised ``inputs`` [batch, *input_shape] with plain torch operations.

        ``tensors`` are one member's by name; ``dropout`` is called after every hidden layer's activation, or whichever
        ``dropped_units`` counts.
        """

    def watched_forward(self, tensors: Mapping[str, Tensor], inputs: Tensor, watch: DropoutMasks) -> Tensor:
        """Compute logits as ``forward`` does without dropout, and call ``watch`` with the hidden units' activations.

        It returns them as they are. What calls it for a unit more than once, does so last with what is read of it last.
        """
        return self.forward(tensors, inputs, watch)

    def train_forward(self, tensors: Mapping[str, Tensor], inputs: Tensor, dropout: DropoutMasks | None) -> Tensor:
        """Compute logits as ``forward`` does, in a training step; what has buffers brings them up to date in place."""
        return self.forward(tensors, inputs, dropout)

    @property
    @abstractmethod
    def depth(self) -> int:
        """Hidden layers."""

    @property
    @abstractmethod
    def hidden_units(self) -> int:
        """Units of all hidden layers, in closed form."""

    @property
    def dropped_units(self) -> int:
        """The units that dropout acts on, the rows of its masks, in closed form: the hidden ones where nothing else."""
        return self.hidden_units

    @property
    @abstractmethod
    def input_parameters(self) -> int:
        """Weights of the layer that reads the images."""

    @property
    def products(self) -> int:
        """Multiplications of one image's forward pass: one a parameter, unless it is used in many places."""
        return self.parameters

    @property
    def input_products(self) -> int:
        """Those of the layer that reads the images."""
        return self.input_parameters

    @property
    def activations(self) -> int:
        """Numbers that the hidden layers compute of one image: one a unit, unless a unit looks at many places."""
        return self.hidden_units

    @property
    def inputs(self) -> int:
        """Numbers of one image."""
        return math.prod(self.input_shape)

    @property
    def width(self) -> float:
        """Hidden units a layer, the mean."""
        return self.hidden_units / max(self.depth, 1)

    def meta_loop_operations(self, train_count: int, validation_count: int, pixels: int | None = None) -> int:
        """Return the multiplications and additions of one trial's meta-loop.

        Two per product and image in each of: the forward pass, the gradients of the parameters, and the gradients
        of the activations, which the first layer does not need. Evaluation is a forward pass. ``pixels`` says how
        many of an image's numbers take part in training, for a backend that passes over black ones.
        """
        unseen = 0 if pixels is None else self.inputs - pixels
        first = self.input_products
        training = 3 * self.products - first - 2 * unseen * first // self.inputs
        return 2 * (training * train_count + self.products * validation_count)

    def training_bytes(self, batch_size: int, members: int = 1, kept_copies: int = 0) -> int:
        """Return the memory that ``members`` trials need while they train, in bytes: an estimate beforehand.

        Six float32 copies of the parameters (LKG, candidate, gradient, two AdamW moments, the copy being written),
        three of the activations of one batch (all members train together at most, and few of them are evaluated
        together), and the bookkeeping of each layer. A variant may keep further ``kept_copies`` of the parameters.
        """
        units = self.inputs + self.activations + self.classes
        rows = max(members * batch_size, _EVALUATION_BATCH)
        layers = _BYTES_PER_LAYER * (self.depth + 1)
        return members * (6 + kept_copies) * 4 * self.parameters + 3 * 4 * rows * units + layers


class NetworkFamily(Protocol):
    """Makes networks of text."""

    default_architecture: str
    """What ``--arch`` is where nobody says."""

    def parse(self, text: str, input_shape: tuple[int, ...], classes: int) -> Network:
        """Return the network that ``text`` describes, for images of ``input_shape``.

        Raises:
            ConfigError: the text is none of this family; the message shows it with a caret under the fault.
        """


class Families(Registry[NetworkFamily]):
    """Families by name. Code of the user's own is one once the command line named it, see ``networks.modules``."""

    def find(self, name: str) -> NetworkFamily:
        """Return the family that ``name`` stands for.

        Raises:
            ConfigError: there is none, or it is code that this command does not name.
        """
        if names_code(name) and name not in self:
            raise UnnamedCodeError(name)
        return super().find(name)


NETWORKS = Families("network", "psa_tui.networks")
