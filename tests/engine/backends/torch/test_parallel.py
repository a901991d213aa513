import torch

from psa_tui.engine.backends.torch.parallel import DataParallel, TensorParallel, parallel_strategy
from psa_tui.engine.process_group import ProcessGroup
from tests.engine.trials import mlp


def test_one_wide_hidden_layer_is_divided_by_neurons_and_any_other_network_by_images():
    found = {}
    for text in ("[1*32]", "[1*31]", "[2*32]", "[1*2048]"):
        network = mlp(text)
        group = ProcessGroup(2, network.parameters, 8, network.classes, torch.float32)
        row = torch.zeros(1, network.parameters)
        found[text] = type(parallel_strategy(group, row, network.layers, torch.arange(784)))
    assert found == {
        "[1*32]": TensorParallel,
        "[1*31]": DataParallel,
        "[2*32]": DataParallel,
        "[1*2048]": TensorParallel,
    }
