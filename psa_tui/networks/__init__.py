"""Families of networks: each names its parameters, what can be ablated in it, its text form and its size."""

from psa_tui.networks.base import NETWORKS, Network, NetworkFamily, ParameterSpec
from psa_tui.networks.convnet import ConvNet, ConvNetFamily
from psa_tui.networks.mlp import Mlp, MlpFamily
from psa_tui.networks.resmlp import PublishedResMlp, ResMlp, ResMlpFamily

__all__ = ["NETWORKS", "ConvNet", "Mlp", "Network", "NetworkFamily", "ParameterSpec", "PublishedResMlp", "ResMlp"]

# The default first: that is the order in which they are offered.
NETWORKS.register(Mlp.family, MlpFamily())
NETWORKS.register(ResMlp.family, ResMlpFamily(ResMlp))
NETWORKS.register(PublishedResMlp.family, ResMlpFamily(PublishedResMlp))
NETWORKS.register(ConvNet.family, ConvNetFamily())
