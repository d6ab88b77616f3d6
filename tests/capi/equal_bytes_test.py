"""The main job through C and through C++ gives equal bytes.

Usage: equal_bytes_test.py MAIN_JOB_C MAIN_JOB_CXX SOURCE_DIR

Over six real recordings where ../shared (or GRYM_SHARED) is there, else over a made one.
"""
from __future__ import annotations

import math
import os
import struct
import subprocess
import sys
import tempfile
import wave
from pathlib import Path

RECORDINGS = ["loop_amen.flac", "loop_mika.flac", "hiphop.mp3", "359628__mtg__sax-tenor-d-minor.flac",
              "198-209-0000.ogg", "acoustic-drums.flac"]
FILES = ["features.json", "patterns.json", "enhanced.f32", "take.f32", "take.mid", "take.wav", "comparison.json"]


def make_input(path: Path) -> None:
    """Eight seconds of a minor triad that pulses at 120 BPM."""
    rate = 44100
    samples = []
    for i in range(8 * rate):
        beat = i % (rate // 2) / rate
        tone = sum(math.sin(2 * math.pi * f * i / rate) for f in (220.0, 261.63, 329.63)) / 3
        samples.append(int(24000 * tone * math.exp(-6 * beat)))
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(struct.pack(f"<{len(samples)}h", *samples))


def inputs(source_dir: Path, scratch: Path) -> list[Path]:
    shared = Path(os.environ.get("GRYM_SHARED", source_dir.parent / "shared")) / "audio" / "real"
    found = [shared / name for name in RECORDINGS if (shared / name).exists()]
    # One in every run; all of them where GRYM_LONG_TESTS asks, since a sanitizer makes each take a minute.
    if found:
        return found if os.environ.get("GRYM_LONG_TESTS") else found[:1]
    print("the shared recordings are absent; a made one stands in (set GRYM_SHARED)")
    make_input(scratch / "made.wav")
    return [scratch / "made.wav"]


def main() -> int:
    c, cxx, source_dir = sys.argv[1], sys.argv[2], Path(sys.argv[3])
    failures = 0
    with tempfile.TemporaryDirectory() as scratch:
        for source in inputs(source_dir, Path(scratch)):
            folders = [Path(scratch) / kind / source.stem for kind in ("c", "cxx")]
            for program, folder in zip((c, cxx), folders):
                folder.mkdir(parents=True)
                done = subprocess.run([program, str(source), str(folder)], capture_output=True, text=True)
                if done.returncode != 0:
                    print(f"{program} {source.name}: ended with {done.returncode}\n{done.stdout}{done.stderr}")
                    return 1
            for name in FILES:
                equal = (folders[0] / name).read_bytes() == (folders[1] / name).read_bytes()
                failures += not equal
                print(f"{source.name}: {name}: {'equal' if equal else 'DIFFERENT'}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
