"""enhance.py INPUT [-o DIR] [--seed N] [--level X] [--target-lufs L]: the main job from Python.

In a notebook, `enhance("in.wav", "out")` returns the summary; `grymsynth.load(...)` shows a player and a picture.
"""
import argparse
from pathlib import Path

import grymsynth


def enhance(path, out, seed=0, level=0.5, target_lufs=-14.0, progress=None):
    engine = grymsynth.Engine()
    run = engine.run_workflow(
        grymsynth.Workflow.template("audio-enhancement"),
        {"audioFile": str(Path(path).resolve()), "enhancementLevel": level, "regenerationLevel": min(1.0, level + 0.2),
         "targetLufs": target_lufs},
        output_dir=out, output_name=Path(path).stem, seed=seed, progress=progress)
    engine.write_report(run, Path(out) / "report.html")
    return engine.summarize(run)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("input", type=Path)
    parser.add_argument("-o", "--out", type=Path, default=Path("out/enhance"))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--level", type=float, default=0.5)
    parser.add_argument("--target-lufs", type=float, default=-14.0)
    args = parser.parse_args()
    summary = enhance(args.input, args.out, args.seed, args.level, args.target_lufs, progress=True)
    for take in summary.takes:
        print(f"{take.step} {take.visit}: quality {take.quality_score:.3f}{'  <- exported' if take.exported else ''}")
    for file in summary.files:
        print(file)
    print(args.out / "report.html")


if __name__ == "__main__":
    main()
