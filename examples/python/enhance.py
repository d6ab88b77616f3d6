"""enhance.py INPUT [-o DIR] [--workflow FILE] [--seed N] [--level X] [--target-lufs L] [--data DIR] [--resume ID]

The main job from Python, with the options of the C++ program. In a notebook, `enhance("in.wav", "out")` returns the
summary; `grymsynth.load(...)` shows a player and a picture.
"""
import argparse
import math
import sys
from pathlib import Path

import grymsynth


def execution_id(engine, data, resume):
    """The run to go on with, or a name for a new one that can be told before it starts."""
    runs = {run.execution_id: run.state for run in engine.executions()}
    if resume:
        if resume not in runs:
            known = ", ".join(f"{name} ({state})" for name, state in runs.items()) or "none"
            raise SystemExit(f'--resume: no run "{resume}" in {data}, which has {known}')
        return resume
    number = len(runs) + 1
    while f"enhance-{number}" in runs:
        number += 1
    print(f"run enhance-{number}; if it is interrupted, give the same command with --resume enhance-{number}",
          file=sys.stderr)
    return f"enhance-{number}"


def unknown_parameters(error):
    return [problem.pointer[1:] for problem in error.problems if problem.code == "unknown_parameter"]


def number(text):
    if not math.isfinite(float(text)):
        raise argparse.ArgumentTypeError(f"want a number, got {text}")
    return float(text)


def seed_number(text):
    if not text.isdecimal() or int(text) >= 2**63:
        raise argparse.ArgumentTypeError(f"want a whole number from 0 to {2**63 - 1}, got {text}")
    return int(text)


def enhance(path, out, seed=0, level=None, target_lufs=None, workflow=None, data=None, resume=None, progress=None):
    """Level and loudness left out are the template's (0.5 and -14), or those of a workflow of your own."""
    engine = grymsynth.Engine(data)
    own = workflow is not None
    document = grymsynth.Workflow.from_file(workflow) if own else grymsynth.Workflow.template("audio-enhancement")
    parameters = {"audioFile": str(Path(path).resolve())}
    if level is not None or not own:
        first = 0.5 if level is None else level
        parameters |= {"enhancementLevel": first, "regenerationLevel": min(1.0, first + 0.2)}
    if target_lufs is not None or not own:
        parameters["targetLufs"] = -14.0 if target_lufs is None else target_lufs
    options = dict(execution_id=execution_id(engine, data, resume) if data else "", output_dir=out,
                   output_name=Path(path).stem, seed=seed, progress=progress)
    try:
        run = engine.run_workflow(document, parameters, **options)
    except grymsynth.Error as error:
        # Not every workflow has a level for further takes.
        if "regenerationLevel" not in unknown_parameters(error):
            raise
        del parameters["regenerationLevel"]
        run = engine.run_workflow(document, parameters, **options)
    run.raise_if_failed()
    engine.write_report(run, Path(out) / "report.html")
    return engine.summarize(run)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("input", type=Path)
    parser.add_argument("-o", "--out", type=Path, help="default: beside the input")
    parser.add_argument("--workflow", type=Path, help="instead of the built-in audio-enhancement")
    parser.add_argument("--seed", type=seed_number, default=0)
    parser.add_argument("--level", type=number, help="how much is done, 0 to 1")
    parser.add_argument("--target-lufs", type=number)
    parser.add_argument("--data", type=Path, help="keep pattern memory and journal there")
    parser.add_argument("--resume", metavar="ID", help="go on with an interrupted run of that folder")
    args = parser.parse_args()
    if args.resume and not args.data:
        parser.error("--resume: want --data too, the folder of that run")
    out = args.out or args.input.parent
    try:
        summary = enhance(args.input, out, args.seed, args.level, args.target_lufs, args.workflow, args.data,
                          args.resume, progress=True)
    except grymsynth.Error as error:
        for option, parameter in (("--level", "enhancementLevel"), ("--target-lufs", "targetLufs")):
            if parameter in unknown_parameters(error):
                raise SystemExit(f"{option}: {args.workflow} declares no parameter {parameter}")
        raise SystemExit(f"{error.code}: {error}")
    for take in summary.takes:
        print(f"{take.step} {take.visit}: quality {take.quality_score:.3f}{'  <- exported' if take.exported else ''}")
    for file in summary.files:
        print(file)
    print(out / "report.html")


if __name__ == "__main__":
    main()
