"""The oracle: epochs of many members at once by autograd, plainly written, for fully connected networks, residual too.

Backends are compared with it where ``examples/psa_in_60_lines.py``, which trains one network at the published rates,
cannot serve. Members never influence one another: the loss is the sum of their mean losses, so each member's
gradient is that of its own loss.
"""

import torch
from torch.nn.functional import cross_entropy
from torch.optim.adamw import adamw


def train_epoch(weights, network, images, epoch):
    """As ``Backend.train_epoch``, but trains ``weights`` in place, step by step."""
    leaves = [view.detach().requires_grad_() for view in _views(network, weights)]
    gradient, first_moment, second_moment = (torch.zeros_like(weights) for _ in range(3))
    gradients = _views(network, gradient)
    rate, size = epoch.hyperparameters.learning_rate, epoch.hyperparameters.batch_size
    step = torch.zeros(())
    shrink = 1 - rate * torch.tensor(epoch.weight_decay, dtype=weights.dtype).unsqueeze(1)
    total_loss = weights.new_zeros(len(weights))
    correct = torch.zeros(len(weights), dtype=torch.int64)
    orders = epoch.orders[list(epoch.order_of)]
    count = orders.shape[1]
    for start in range(0, count, size):
        chosen = orders[:, start : start + size]
        own = [images.labels if one is None else one for one in epoch.labels]
        labels = torch.stack([some[seen] for some, seen in zip(own, chosen, strict=True)])
        logits = forward(network, leaves, inputs(images, images.pixels[chosen], weights.dtype), epoch.dropout)
        losses = cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="none").view_as(labels).mean(1)
        for destination, computed in zip(gradients, torch.autograd.grad(losses.sum(), leaves), strict=True):
            destination.copy_(computed)
        weights.mul_(shrink)
        with torch.no_grad():
            adamw(
                [weights],
                [gradient],
                [first_moment],
                [second_moment],
                [],
                [step],
                foreach=False,
                amsgrad=False,
                beta1=0.9,
                beta2=0.999,
                lr=rate,
                weight_decay=0.0,
                eps=1e-8,
                maximize=False,
            )
        total_loss += losses.detach() * labels.shape[1]
        best = logits.detach() == logits.detach().max(2, keepdim=True).values
        correct += best.gather(2, labels.unsqueeze(2)).sum((1, 2))
        yield start + labels.shape[1], total_loss
    if epoch.correct is not None:
        epoch.correct[:] = correct
    return total_loss / count


def count_correct(weights, network, images):
    """As ``Backend.count_correct``."""
    return (logits_of(weights, network, images).argmax(2) == images.labels).sum(1)


def logits_of(weights, network, images):
    """What each member of ``weights`` says of each image, without dropout: [M, images, classes]."""
    with torch.no_grad():
        seen = inputs(images, images.pixels, weights.dtype)
        return torch.stack([forward(network, _views(network, row[None]), seen[None], ())[0] for row in weights])


def inputs(images, pixels, dtype):
    """Pixels as the network sees them: scaled to [0, 1], then standardised."""
    return pixels.to(dtype).div_(255).sub_(images.mean[0]).div_(images.std[0])


def forward(network, leaves, activations, dropout):
    """Logits [M, B, classes] of inputs [M, B, 784]; every hidden layer is Linear, ReLU, Dropout, or some are residual.

    That is, they add what the layer before them read, before ReLU, and drop nothing.
    """
    layers = network.layers[:-1]
    masks = [_masks(draws, [layer for layer in layers if layer.dropout], activations) for draws in dropout]
    read = []
    for layer, weight, bias in zip(network.layers, leaves[::2], leaves[1::2], strict=True):
        read.append(activations)
        activations = torch.baddbmm(bias.unsqueeze(1), activations, weight.transpose(1, 2))
        if layer.skip:
            activations = activations + read[-2]
        if layer is not network.layers[-1]:
            activations = activations.relu()
            if dropout and layer.dropout:
                activations = activations * torch.stack([next(mask) for mask in masks])
    return activations


def _views(network, weights):
    return [tensor.view(weights) for tensor in network.tensors]


def _masks(draws, hidden, activations):
    """One member's scaled masks, [B, width] of each layer of ``hidden``; ones where it does not drop."""
    widths = [layer.outputs for layer in hidden]
    drawn = torch.ones(sum(widths), activations.shape[1], dtype=activations.dtype)
    if draws is not None:
        draws.fill_dropout_mask(drawn.numpy())
    return iter([mask.t() for mask in drawn.split(widths)])
