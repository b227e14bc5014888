#!/usr/bin/env python3
"""Writes fkan.json: a small network of FKAN's kind by PyTorch in float64, its values, loss and gradients.

    python3 -m venv venv && venv/bin/pip install torch
    venv/bin/python tests/reference/make_fkan.py

2 coordinates; a Fourier series of 3 frequencies on every edge to 4; LayerNorm; (z + tanh(30 z)) sigmoid(z) to 5 and to 6;
3 values. Parameters, inputs and targets are integer formulas that tests/all/fkan.rs evaluates as well, and exact in float32.
"""

import json
from pathlib import Path

import torch
import torch.nn.functional as F

MASK = (1 << 32) - 1
ROWS, D_IN, D_OUT, FREQUENCIES, WIDTHS = 40, 2, 3, 3, (4, 5, 6)


def noise(i):
    """A 32-bit hash of i."""
    i = (i * 2654435761 + 12345) & MASK
    i = ((i ^ (i >> 15)) * 2246822519) & MASK
    return i ^ (i >> 13)


def numbers(seed, *shape, scale=1.0, offset=0.0):
    """offset + scale u, with u in [-1, 1) in steps of 2^-15."""
    count = torch.Size(shape).numel()
    u = [(noise(1000 * seed + i) >> 16) / 32768 - 1 for i in range(count)]
    return (offset + scale * torch.tensor(u, dtype=torch.float64)).reshape(shape)


def main():
    a, b, c = WIDTHS
    parameters = [
        numbers(1, 2 * FREQUENCIES, D_IN, a, scale=0.5),
        numbers(2, a, scale=0.125),
        numbers(3, a, scale=0.25, offset=1.0),
        numbers(4, a, scale=0.125),
        numbers(5, a, b, scale=0.125),
        numbers(6, b, scale=0.125),
        numbers(7, b, c, scale=0.125),
        numbers(8, c, scale=0.125),
        numbers(9, c, D_OUT),
        numbers(10, D_OUT),
    ]
    for p in parameters:
        p.requires_grad_()
    series, series_bias, gain, bias, w1, b1, w2, b2, w3, b3 = parameters
    x = numbers(11, ROWS, D_IN)
    targets = numbers(12, ROWS, D_OUT)

    phases = torch.arange(1, FREQUENCIES + 1, dtype=torch.float64)[:, None, None] * x
    basis = torch.cat([phases.cos(), phases.sin()])
    y = torch.einsum("kni,kio->no", basis, series) + series_bias
    y = F.layer_norm(y, (a,), gain, bias)
    for weight, shift in ((w1, b1), (w2, b2)):
        z = F.linear(y, weight.T, shift)
        y = (z + torch.tanh(30 * z)) * torch.sigmoid(z)
    y = F.linear(y, w3.T, b3)
    loss = F.mse_loss(y, targets)
    loss.backward()
    out = {
        "made_by": f"make_fkan.py, torch {torch.__version__.split('+')[0]}",
        "loss": loss.item(),
        "values": y.flatten().tolist(),
        "gradients": [p.grad.flatten().tolist() for p in parameters],
    }
    Path(__file__).with_name("fkan.json").write_text(json.dumps(out, indent=1) + "\n")


if __name__ == "__main__":
    main()
