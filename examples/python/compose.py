"""compose.py "PROMPT" [-o DIR] [--seconds S] [--seed N]: text to a WAV, its stems and a MIDI file.

In a notebook, `compose("slow house in A minor")` shows a player and a picture.
"""
import argparse
from pathlib import Path

import grymsynth


def compose(prompt, seconds=20, seed=-1, progress=None):
    request = grymsynth.GenerateAudioRequest(prompt=prompt, duration_s=seconds, seed=seed, want_stems=True)
    return grymsynth.generate(request, progress=progress)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("prompt")
    parser.add_argument("-o", "--out", type=Path, default=Path("out/compose"))
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--seed", type=int, default=-1)
    args = parser.parse_args()
    if not -1 <= args.seed < 2**63:
        parser.error(f"--seed: want a whole number from -1 to {2**63 - 1}, got {args.seed}")
    try:
        made = compose(args.prompt, args.seconds, args.seed, progress=True)
    except grymsynth.Error as error:
        raise SystemExit(f"{error.code}: {error}")
    made.audio.save(args.out / "take.wav")
    for name, stem in made.stems.items():
        stem.save(args.out / "stems" / f"{name}.wav", format="float32")
    made.midi.save(args.out / "take.mid")
    print(args.out / "take.wav", dict(made.facts))


if __name__ == "__main__":
    main()
