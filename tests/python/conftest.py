"""Shared by the Python tests: where the module is, recordings, a made piece of sound."""
from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("GRYM_BUILD_DIR", ROOT / "build" / "dev"))

try:
    import grymsynth
except ImportError:
    sys.path.insert(0, str(BUILD / "python"))
    import grymsynth

# What a shell starts in the background ignores Ctrl-C, which some tests are about.
signal.signal(signal.SIGINT, signal.default_int_handler)
SHARED = Path(os.environ.get("GRYM_SHARED", ROOT.parent / "shared"))
RECORDINGS = ["loop_amen.flac", "loop_mika.flac", "hiphop.mp3", "359628__mtg__sax-tenor-d-minor.flac",
              "198-209-0000.ogg", "acoustic-drums.flac"]


@pytest.fixture(scope="session")
def shared_audio() -> Path:
    """Folder of the shared recordings; the test is skipped where they are absent."""
    folder = SHARED / "audio"
    if not (folder / "manifest.json").exists():
        pytest.skip(f"needs the shared recordings: {SHARED} is absent (set GRYM_SHARED)")
    return folder


@pytest.fixture(scope="session")
def build_dir() -> Path:
    """The build folder with the programs that tests compare with; skipped where it is absent."""
    if not (BUILD / "CMakeCache.txt").exists():
        pytest.skip(f"needs a build folder: {BUILD} is none (set GRYM_BUILD_DIR)")
    return BUILD


def pulses(seconds: float = 8.0, rate_hz: int = 44100) -> np.ndarray:
    """A minor triad that pulses at 120 BPM: shape (2, frames) float32."""
    t = np.arange(int(seconds * rate_hz)) / rate_hz
    tone = sum(np.sin(2 * np.pi * f * t) for f in (220.0, 261.63, 329.63)) / 3
    mono = 0.7 * tone * np.exp(-6 * (t % 0.5))
    return np.stack([mono, 0.9 * mono]).astype(np.float32)


@pytest.fixture(scope="session")
def piece() -> grymsynth.Audio:
    return grymsynth.Audio(pulses(), 44100)


@pytest.fixture(scope="session")
def piece_file(piece: grymsynth.Audio, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("piece") / "piece.wav"
    piece.save(path, format="float32")
    return path


@pytest.fixture(scope="session")
def engine() -> grymsynth.Engine:
    return grymsynth.Engine()


@pytest.fixture(scope="session")
def take(engine: grymsynth.Engine) -> grymsynth.GenerateAudioResult:
    request = grymsynth.GenerateAudioRequest(prompt="house, bright", seed=7, duration_s=8, want_stems=True)
    return engine.generate(request)


def child_environment() -> dict[str, str]:
    """For child processes: this module first on their path."""
    return {**os.environ, "PYTHONPATH": str(Path(grymsynth.__file__).parent.parent)}
