"""The oracle: the same epoch by autograd, plainly written. The production arithmetic is compared with it.

Members never influence one another: the loss is the sum of their mean losses, so each member's gradient is
that of its own loss.
"""

import torch
from torch.nn.functional import cross_entropy
from torch.optim.adamw import adamw

from psa_tui.engine.backends.torch.training import BETAS, EPSILON


def end_of(steps):
    """Exhaust a generator; what it returns."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


def train_epoch(flat, layers, images, epoch):
    """As the torch backend's ``train_epoch``, in the dtype of ``flat``; trains ``flat`` in place, step by step."""
    leaves = [view.detach().requires_grad_() for layer in layers for view in (layer.weight(flat), layer.bias(flat))]
    gradient, first_moment, second_moment = (torch.zeros_like(flat) for _ in range(3))
    gradients = [view for layer in layers for view in (layer.weight(gradient), layer.bias(gradient))]
    step = torch.zeros(())
    shrink = 1 - epoch.learning_rate * torch.tensor(epoch.weight_decay, dtype=flat.dtype).unsqueeze(1)
    total_loss = flat.new_zeros(len(flat))
    orders = epoch.orders[list(epoch.order_of)]
    count = orders.shape[1]
    for start in range(0, count, epoch.batch_size):
        chosen = orders[:, start : start + epoch.batch_size]
        labels = images.labels[chosen]
        logits = forward(leaves, inputs(images, images.pixels[chosen], flat.dtype), epoch.dropout)
        losses = cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="none").view_as(labels).mean(1)
        for destination, computed in zip(gradients, torch.autograd.grad(losses.sum(), leaves), strict=True):
            destination.copy_(computed)
        flat.mul_(shrink)
        with torch.no_grad():
            adamw(
                [flat],
                [gradient],
                [first_moment],
                [second_moment],
                [],
                [step],
                foreach=False,
                amsgrad=False,
                beta1=BETAS[0],
                beta2=BETAS[1],
                lr=epoch.learning_rate,
                weight_decay=0.0,
                eps=EPSILON,
                maximize=False,
            )
        total_loss += losses.detach() * labels.shape[1]
        yield start + labels.shape[1], total_loss
    return total_loss / count


def count_correct(flat, layers, images):
    """As ``psa_tui.engine.backends.torch.training.count_correct``."""
    return (logits_of(flat, layers, images).argmax(2) == images.labels).sum(1)


def logits_of(flat, layers, images):
    """What each member of ``flat`` says of each image, without dropout: [M, images, classes]."""
    leaves = [view for layer in layers for view in (layer.weight(flat), layer.bias(flat))]
    with torch.no_grad():
        seen = inputs(images, images.pixels, flat.dtype)
        return torch.stack(
            [forward([leaf[[member]] for leaf in leaves], seen[None], ())[0] for member in range(len(flat))]
        )


def inputs(images, pixels, dtype):
    """Pixels as the network sees them: scaled to [0, 1], then standardised."""
    return pixels.to(dtype).div_(255).sub_(images.mean).div_(images.std)


def forward(leaves, activations, dropout):
    """Logits [M, B, classes] of inputs [M, B, 784]; every hidden layer is Linear, ReLU, Dropout."""
    hidden = leaves[1:-2:2]
    masks = [_masks(bits, hidden, activations) for bits in dropout]
    for index in range(0, len(leaves), 2):
        weight, bias = leaves[index], leaves[index + 1]
        activations = torch.baddbmm(bias.unsqueeze(1), activations, weight.transpose(1, 2))
        if index < len(leaves) - 2:
            activations = activations.relu()
            if dropout:
                activations = activations * torch.stack([mask[index // 2] for mask in masks])
    return activations


def _masks(bits, hidden, activations):
    """One member's scaled masks, [B, width] of each hidden layer; ones where it does not drop."""
    widths = [bias.shape[1] for bias in hidden]
    drawn = torch.ones(sum(widths), activations.shape[1], dtype=activations.dtype)
    if bits is not None:
        bits.fill(drawn.numpy())
    return [mask.t() for mask in drawn.split(widths)]
