"""Our hearing beside other libraries': the same files, one run, one thread, one table of accuracy, time and memory.

    python3 benchmarks/peers/hearing.py --build build/release --out out/bench/peers_hearing.json

installs the peers into an environment of their own beside the build folder, and writes the JSON and, beside it, the
same as Markdown. benchmarks/run.py does the same within the whole run. What cannot be installed is listed as missing.

Accuracy by mir_eval over the shared recordings (GRYM_SHARED, default ../shared), and over pieces that our composer
renders at a known tempo, key and metre; without the recordings the composed pieces alone. --short: a few short pieces
and each timing once.
"""
import argparse
import json
import os
import sys
import wave
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]
import peer_environment  # noqa: E402


def inside(build):
    return Path(sys.prefix).resolve() == peer_environment.folder_of(build, "hearing")


def say(text):
    print(f"   {text}", flush=True)


def gather(shared, short):
    from hearing_bench import truth
    pieces, second = truth.composed(2, 1, 8, say) if short else truth.composed(16, 3, 20, say)
    composed = len(pieces)
    if (shared / "manifest.json").exists():
        pieces = truth.recordings(shared, every=8 if short else 1) + pieces
    else:
        say(f"no recordings at {shared}: only composed pieces are heard (set GRYM_SHARED)")
    return pieces, composed, second


def minute_of_music(out, short):
    """What every timing hears: composed, so that it is music and anyone's to have. Written as 16 bit, read by all."""
    import grymsynth
    import numpy as np
    made = grymsynth.generate(grymsynth.GenerateAudioRequest(prompt="rock", duration_s=10 if short else 60, seed=1,
                                                             tempo_bpm=120, key="C major"))
    mono = np.asarray(made.audio.samples).mean(axis=0)
    pcm = np.clip(np.round(mono * 32767), -32768, 32767).astype("<i2")
    path = out / "hearing_minute.wav"
    with wave.open(str(path), "wb") as sink:
        sink.setnchannels(1)
        sink.setsampwidth(2)
        sink.setframerate(made.audio.rate_hz)
        sink.writeframes(pcm.tobytes())
    return path, np.ascontiguousarray(pcm.astype(np.float32) / 32768)


def summary_rows(result):
    """Ours beside each other one, as benchmarks/run.py's gates read them."""
    rows = []
    for row in result["time"]:
        ours = next((r for r in result["time"] if r["work"] == row["work"] and r["who"].startswith("grymsynth")), None)
        if ours and not row["who"].startswith("grymsynth"):
            rows.append({"work": row["work"], "ours": ours["ms"], "peer": row["ms"], "unit": "ms", "by": row["who"]})
    return rows


def compare(build, out, short):
    from hearing_bench import listeners, memory, scores, table, timing
    shared = Path(os.environ.get("GRYM_SHARED", HERE.parents[2] / "shared")) / "audio"
    made, missing = listeners.make_all()
    by_name = {listener.name: listener for listener in made}
    missing = {**peer_environment.missing_in(peer_environment.folder_of(build, "hearing")), **missing}
    pieces, composed, second = gather(shared, short)
    values, failures = scores.judge_all(made, pieces, say)
    calibration, invented = scores.calibration(by_name["grymsynth"], pieces)
    result = {"versions": ", ".join(f"{listener.name} {listener.version}" for listener in made), "missing": missing,
              "accuracy": table.accuracy_rows(values), "calibration": calibration, "invented": invented,
              "composed": composed, "second_takes": second, "seconds": 0, "time": [], "memory": [], "failures": failures}
    save(result, out, table)  # a machine that is taken away while times are measured has told its accuracy
    wav, mono = minute_of_music(out.parent, short)
    parts = timing.of_parts(build, wav, out.parent, short)
    result["seconds"] = len(mono) / timing.RATE_HZ
    result["time"], failed = timing.measure(by_name, mono, parts, short, say)
    whole = [listener.name for listener in made if hasattr(listener, "everything")]
    result["memory"], failed_peaks = memory.measure(whole[:1] if short else whole, wav, Path(__file__).resolve(), say)
    result["failures"] = failures + failed + failed_peaks
    save(result, out, table)


def save(result, out, table):
    result["rows"] = summary_rows(result)
    result["markdown"] = table.markdown(result)
    out.write_text(json.dumps(result, indent=1))
    out.with_suffix(".md").write_text(result["markdown"])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=Path, default=HERE.parents[1] / "build" / "release")
    parser.add_argument("--out", type=Path, default=Path("peers_hearing.json"))
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("--wav", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        from hearing_bench import memory
        return memory.child(args.child, args.wav)
    if not inside(args.build):
        python = peer_environment.make(args.build, "hearing")
        if python is None:
            return "the peers of hearing cannot be installed here"
        command = [str(python), str(Path(__file__).resolve()), *sys.argv[1:]]
        os.execve(command[0], command, peer_environment.environment(args.build))
    args.out.parent.mkdir(parents=True, exist_ok=True)
    return compare(args.build, args.out, args.short)


if __name__ == "__main__":
    sys.exit(main())
