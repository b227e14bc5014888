"""Makes tone.flac, tone.ogg and tone.mp3, which the tests decode: `python make_sounds.py` with soundfile 0.14, lameenc 1.9 and numpy.

Half a second at 16 kHz: 0.5 sin(2 pi 440 t) on the left, 0.25 sin(2 pi 1000 t) on the right, t = i / 16000, rounded to 16 bits.
"""

from pathlib import Path

import lameenc
import numpy as np
import soundfile

RATE = 16000
t = np.arange(RATE // 2) / RATE
left, right = 0.5 * np.sin(2 * np.pi * 440 * t), 0.25 * np.sin(2 * np.pi * 1000 * t)
values = np.round(32768 * np.stack([left, right], 1)).astype(np.int16)

here = Path(__file__).parent
soundfile.write(here / "tone.flac", values, RATE, subtype="PCM_16")
soundfile.write(here / "tone.ogg", values, RATE, format="OGG", subtype="VORBIS")

# libsndfile's own MP3 of such a short sound is not that sound.
encoder = lameenc.Encoder()
encoder.set_in_sample_rate(RATE)
encoder.set_channels(2)
encoder.set_bit_rate(128)
encoder.set_quality(2)
(here / "tone.mp3").write_bytes(bytes(encoder.encode(values.tobytes()) + encoder.flush()))
