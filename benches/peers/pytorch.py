#!/usr/bin/env python3
"""Times the networks of this folder in plain PyTorch, one JSON object a line.

    python pytorch.py [NAME ...] [--compile] [--batch 16384]

Layers are written as a user would from the papers; parameters equal those of NAME.toml. Needs `pip install torch`.
"""
import argparse
import json
import statistics
import time

import torch
from torch import nn


class Act(nn.Module):
    """A linear layer and what follows it."""

    def __init__(self, d_in, d_out, function, dtype=torch.float32):
        super().__init__()
        self.linear, self.function = nn.Linear(d_in, d_out, dtype=dtype), function

    def forward(self, x):
        return self.function(self.linear(x))


def sine(z):
    return torch.sin(30 * z)


def gabor(z):
    return torch.exp(20j * z - (10 * z.abs()) ** 2)


def gated_tanh(z):
    return (z + torch.tanh(30 * z)) * torch.sigmoid(z)


class Fourier(nn.Module):
    def __init__(self, d_in, d_out, frequencies, scale):
        super().__init__()
        self.register_buffer("k", scale * torch.arange(1, frequencies + 1))
        size = 2 * d_in * frequencies
        self.coefficients = nn.Parameter(torch.randn(size, d_out) / size**0.5)
        self.bias = nn.Parameter(torch.zeros(d_out))

    def forward(self, x):
        phase = (x.unsqueeze(-1) * self.k).flatten(1)
        return torch.cat([phase.cos(), phase.sin()], 1) @ self.coefficients + self.bias


class Spline(nn.Module):
    """Cubic B-splines on G intervals of [-1, 1], all G + 3 evaluated, beside w silu(x)."""

    def __init__(self, d_in, d_out, g=5):
        super().__init__()
        self.h = 2 / g
        self.register_buffer("centres", -1 + self.h * (torch.arange(g + 3) - 1))
        self.coefficients = nn.Parameter(0.1 * torch.randn(d_in * (g + 3), d_out))
        self.residual = nn.Linear(d_in, d_out)

    def forward(self, x):
        u = ((x.unsqueeze(-1) - self.centres) / self.h).abs()
        a, b = (2 - u).relu(), (1 - u).relu()
        # Products, for powers are slower.
        basis = (a * a * a - 4 * b * b * b) / 6
        return basis.flatten(1) @ self.coefficients + self.residual(nn.functional.silu(x))


class Real(nn.Module):
    def forward(self, x):
        return x.real


def spline_body(width, count):
    return [Spline(width, width) for _ in range(count)] + [Spline(width, 3)]


def networks():
    c = torch.complex64
    yield "siren", [Act(2, 256, sine)] + [Act(256, 256, sine) for _ in range(3)] + [nn.Linear(256, 3)]
    yield "wire", [Act(2, 181, gabor)] + [Act(181, 181, gabor, c) for _ in range(3)] + [nn.Linear(181, 3, dtype=c), Real()]
    yield "spline-kan", [Spline(2, 64)] + spline_body(64, 2)
    yield "fourier-spline-kan", [Fourier(2, 64, 128, 2.83)] + spline_body(64, 2)
    gated = [Act(i, o, gated_tanh) for i, o in [(128, 256), (256, 256), (256, 256), (256, 512)]]
    yield "fkan", [Fourier(2, 128, 270, 1.0), nn.LayerNorm(128)] + gated + [nn.Linear(512, 3)]


def median_ms(run, seconds=3.0):
    for _ in range(3):
        run()
    times, start = [], time.perf_counter()
    while len(times) < 7 or time.perf_counter() - start < seconds:
        before = time.perf_counter()
        run()
        times.append(time.perf_counter() - before)
    return 1e3 * statistics.median(times)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--batch", type=int, default=16384)
    arguments = parser.parse_args()
    for name, layers in networks():
        if arguments.names and name not in arguments.names:
            continue
        network = nn.Sequential(*layers)
        parameters = sum(p.numel() * (2 if p.is_complex() else 1) for p in network.parameters())
        run = torch.compile(network) if arguments.compile else network
        adam = torch.optim.Adam(network.parameters(), lr=1e-6)
        x, y = 2 * torch.rand(arguments.batch, 2) - 1, torch.rand(arguments.batch, 3)

        def step():
            adam.zero_grad(set_to_none=True)
            nn.functional.mse_loss(run(x), y).backward()
            adam.step()

        def evaluate():
            with torch.no_grad():
                run(x)

        step_ms, evaluation_ms = median_ms(step), median_ms(evaluate)
        print(
            json.dumps(
                {
                    "model": name,
                    "parameters": parameters,
                    "batch_size": arguments.batch,
                    "compiled": arguments.compile,
                    "ms_per_step": step_ms,
                    "eval_samples_per_s": 1e3 * arguments.batch / evaluation_ms,
                }
            ),
            flush=True,
        )


if __name__ == "__main__":
    main()
