"""Families of networks: each names its parameters, what can be ablated in it, its text form and its size."""

from psa_tui.networks.base import NETWORKS, Network, NetworkFamily, ParameterSpec
from psa_tui.networks.convnet import ConvNet
from psa_tui.networks.mlp import Mlp
from psa_tui.networks.resmlp import PublishedResMlp, ResMlp

__all__ = ["NETWORKS", "ConvNet", "Mlp", "Network", "NetworkFamily", "ParameterSpec", "PublishedResMlp", "ResMlp"]
