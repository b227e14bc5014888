#!/usr/bin/env python3
"""Writes metrics.json: squared error, PSNR and SSIM of small pictures by numpy and scikit-image.

    python3 -m venv venv && venv/bin/pip install numpy scikit-image
    venv/bin/python tests/reference/make_metrics.py

The pictures are integer formulas that tests/metrics.rs evaluates as well, so that only numbers are stored.
"""

import json
from pathlib import Path

import numpy as np
import skimage
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

MASK = (1 << 32) - 1

# name, width, height, channels, bits, largest error as a part of the peak: 1/error
CASES = [
    ("grey 8 bit", 64, 48, 1, 8, 12),
    ("grey 8 bit, smallest for one window", 11, 11, 1, 8, 4),
    ("grey 8 bit, one row of windows", 37, 11, 1, 8, 40),
    ("RGB 8 bit", 53, 41, 3, 8, 10),
    ("RGB 8 bit, faint error", 40, 70, 3, 8, 120),
    ("grey 16 bit", 45, 52, 1, 16, 30),
    ("RGB 16 bit", 31, 33, 3, 16, 3),
    ("RGBA 8 bit", 24, 29, 4, 8, 7),
]


def noise(i):
    """A 32-bit hash of i."""
    i = (i * 2654435761 + 12345) & MASK
    i = ((i ^ (i >> 15)) * 2246822519) & MASK
    return i ^ (i >> 13)


def original(x, y, c, i, peak):
    """A ramp, squares of 8 pixels, and noise of an eighth of the peak."""
    ramp = (x * 5 + y * 3 + c * 40) % 160
    square = 60 if (x // 8 + y // 8 + c) % 2 else 0
    return (ramp + square) * peak // 255 + noise(i) % (peak // 8)


def reconstruction(value, i, peak, error):
    span = 2 * (peak // error) + 1
    return min(max(value + noise(i + 1000003) % span - peak // error, 0), peak)


def main():
    cases = []
    for name, width, height, channels, bits, error in CASES:
        peak = (1 << bits) - 1
        a = np.zeros((height, width, channels), dtype=np.uint8 if bits == 8 else np.uint16)
        b = a.copy()
        for y in range(height):
            for x in range(width):
                for c in range(channels):
                    i = (y * width + x) * channels + c
                    value = min(original(x, y, c, i, peak), peak)
                    a[y, x, c] = value
                    b[y, x, c] = reconstruction(value, i, peak, error)
        squares = (a.astype(np.int64) - b.astype(np.int64)) ** 2
        cases.append({
            "name": name,
            "width": width,
            "height": height,
            "channels": channels,
            "bits": bits,
            "error": error,
            "squared_error_sum": int(squares.sum()),
            "psnr_db": peak_signal_noise_ratio(a, b, data_range=peak),
            "ssim": structural_similarity(
                a, b, gaussian_weights=True, sigma=1.5, use_sample_covariance=False,
                data_range=peak, channel_axis=-1),
        })
    out = {
        "made_by": f"make_metrics.py, numpy {np.__version__}, scikit-image {skimage.__version__}",
        "cases": cases,
    }
    Path(__file__).with_name("metrics.json").write_text(json.dumps(out, indent=1) + "\n")


if __name__ == "__main__":
    main()
