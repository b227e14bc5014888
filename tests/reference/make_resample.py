#!/usr/bin/env python3
"""Writes resample.json: twice the rate by scipy's polyphase filter, a sinc under a Kaiser window.

    python3 -m venv venv && venv/bin/pip install numpy scipy
    venv/bin/python tests/reference/make_resample.py [sound.wav ...]

With sounds (mono or stereo, 16 bit or float) it prints instead the SNR in dB of what it makes of every second frame of each.
The samples are rounded to seven digits, which is what f32 holds.
"""

import json
import sys
from pathlib import Path

import numpy as np
import scipy
from scipy.io import wavfile
from scipy.signal import firwin, resample_poly

HALF = 64  # reduced samples on each side
BETA = 9.0


def doubled(x):
    """Frames [n, ...] to [2n, ...]; frame 2i is frame i."""
    taps = firwin(4 * HALF + 1, 0.5, window=("kaiser", BETA))
    return resample_poly(x, 2, 1, axis=0, window=taps)


def main():
    if len(sys.argv) > 1:
        for path in sys.argv[1:]:
            _, x = wavfile.read(path)
            x = x.astype(np.float64)
            x = x[: len(x) // 2 * 2]
            error = np.sum((doubled(x[::2]) - x) ** 2)
            print(f"{path}: {10 * np.log10(np.sum(x ** 2) / error):.2f} dB")
        return
    # Noise, so that every frequency takes part, without the last tenth below half the rate, where every filter has its own slope.
    rng = np.random.default_rng(5)
    spectrum = np.fft.rfft(rng.standard_normal(512))
    spectrum[int(0.9 * 256) :] = 0
    x = np.fft.irfft(spectrum, 512)[:384]
    x = x / np.abs(x).max()
    rounded = [float(f"{v:.7g}") for v in x]
    out = doubled(np.array(rounded))
    data = {
        "made_by": f"make_resample.py, numpy {np.__version__}, scipy {scipy.__version__}",
        "reduced": rounded,
        "doubled": [float(f"{v:.7g}") for v in out],
    }
    path = Path(__file__).with_name("resample.json")
    path.write_text(json.dumps(data) + "\n")


if __name__ == "__main__":
    main()
