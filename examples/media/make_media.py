"""Makes the demonstration's recording: a piece by the composer, worn like an old tape (hiss, hum, a hot input).

    python examples/media/make_media.py

The same seed gives the same piece; the wear is seeded too. Writes worn-tape.ogg beside itself.
"""
from pathlib import Path

import numpy as np

import grymsynth

SECONDS, RATE_HZ = 32, 44100


def worn(samples):
    """Hiss at -46 dBFS, a 50 Hz hum with four multiples at -42 dBFS, peaks clipped 3 dB below full scale."""
    random = np.random.default_rng(1)
    t = np.arange(samples.shape[1]) / RATE_HZ
    hum = sum(10 ** (-42 / 20) / k * np.sin(2 * np.pi * 50 * k * t + k) for k in range(1, 6))
    hiss = 10 ** (-46 / 20) * random.standard_normal(samples.shape)
    return np.clip(1.1 * samples + hum + hiss, -0.7, 0.7).astype(np.float32)


def main():
    folder = Path(__file__).resolve().parent
    request = grymsynth.GenerateAudioRequest(prompt="warm soul funk with electric piano in A minor, 98 bpm", duration_s=SECONDS, seed=12)
    made = grymsynth.generate(request)
    audio = grymsynth.Audio(worn(made.audio.samples), RATE_HZ)
    audio.save(folder / "worn-tape.ogg", metadata={"title": "Worn tape", "model": "composer", "seed": str(made.provenance.seed)})


if __name__ == "__main__":
    main()
