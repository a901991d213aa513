"""Times the gradients of one step of several members: one after another, as the backend ``module`` does, and by vmap.

    python -m benchmarks.members_by_vmap mlp "[2*16]" 64
    python -m benchmarks.members_by_vmap convnet 4,8 64 --device cuda

It says in milliseconds of processor time (on a GPU: of time) what a member's step takes, and whether a member ends with
the same bits by vmap alone and among others.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import torch
from torch import Tensor
from torch.func import grad, vmap
from torch.nn.functional import cross_entropy

from psa_tui.engine.population import initial_population_row, stack
from psa_tui.networks import NETWORKS, Network

Step = Callable[[Tensor, Tensor, Tensor], Tensor]
"""Takes rows [M, parameters], inputs [M, batch, ...] and labels [M, batch]; returns gradients [M, parameters]."""


def one_by_one(network: Network) -> Step:
    """Return a step that trains member by member."""

    def step(rows: Tensor, inputs: Tensor, labels: Tensor) -> Tensor:
        found = []
        for row, own, answers in zip(rows, inputs, labels, strict=True):
            views = {one.name: one.view(row.clone()[None])[0] for one in network.tensors}
            buffers = {one.name: views.pop(one.name).clone() for one in network.buffers}
            leaves = {name: view.detach().requires_grad_() for name, view in views.items()}
            loss = cross_entropy(network.train_forward(leaves | buffers, own, None), answers)
            found.append(torch.cat([one.flatten() for one in torch.autograd.grad(loss, list(leaves.values()))]))
        return torch.stack(found)

    return step


def by_vmap(network: Network) -> Step:
    """Return a step that trains all members at once."""

    def loss(leaves: dict[str, Tensor], buffers: dict[str, Tensor], inputs: Tensor, labels: Tensor) -> Tensor:
        return cross_entropy(network.train_forward(leaves | buffers, inputs, None), labels)

    gradients = vmap(grad(loss))

    def step(rows: Tensor, inputs: Tensor, labels: Tensor) -> Tensor:
        views = {one.name: one.view(rows) for one in network.tensors}
        buffers = {one.name: views.pop(one.name).clone() for one in network.buffers}
        found = gradients(views, buffers, inputs, labels)
        return torch.cat([found[name].flatten(1) for name in views], 1)

    return step


def milliseconds(step: Step, *arguments: Tensor) -> float:
    """Return the least time of a step, of as many as half a second holds."""
    clock = time.process_time if arguments[0].device.type == "cpu" else time.perf_counter
    step(*arguments).sum().item()
    taken: list[float] = []
    while sum(taken) < 0.5 or len(taken) < 3:
        started = clock()
        step(*arguments).sum().item()
        taken.append(clock() - started)
    return 1000 * min(taken)


def main() -> None:
    """Measure populations of 1, 4, 10 and 30."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("family")
    parser.add_argument("architecture")
    parser.add_argument("batch", type=int)
    parser.add_argument("--device", default="cpu")
    given = parser.parse_args()
    torch.set_num_threads(1)
    torch.channels_last = torch.contiguous_format  # vmap knows no other order in memory
    network = NETWORKS.find(given.family).parse(given.architecture, (1, 28, 28), 10)
    alone, together = one_by_one(network), by_vmap(network)
    for members in (1, 4, 10, 30):
        rows = stack([initial_population_row(network, seed) for seed in range(members)], torch.device(given.device))
        draws = torch.Generator().manual_seed(1)
        inputs = torch.randn((members, given.batch, *network.input_shape), generator=draws).to(rows.device)
        labels = torch.randint(10, (members, given.batch), generator=draws).to(rows.device)
        whole = together(rows, inputs, labels)
        parts = [together(*(some[at : at + 1] for some in (rows, inputs, labels)))[0] for at in range(members)]
        slow, fast = (milliseconds(step, rows, inputs, labels) / members for step in (alone, together))
        same = "same bits" if torch.equal(whole, torch.stack(parts)) else "other bits"
        print(f"{members:>3} members: one by one {slow:.2f} ms, by vmap {fast:.2f} ms a member; alone {same}")


if __name__ == "__main__":
    main()
