"""Runs every benchmark and its peers in one go, keeps their JSON, and prints one table of ratios.

    cmake/dev bench            all of it
    cmake/dev bench --short    each benchmark once, peers on short input: what CI does, so that none rots

A gate fails only where a ratio is far off (see GATES): machines are noisy, and a gate is no measurement.
"""
import argparse
import json
import os
import platform
import subprocess
import sys
import time
from pathlib import Path

import peer_environment

HERE = Path(__file__).resolve().parent
# Row of a peer table and the peer -> the largest ratio ours/peer that still passes. Wide: they catch a lost factor, not
# a percent.
GATES = {("analyse, everything", "librosa (less in it)"): 1.5}
# What the native models are compared with: each row's ratio to the reference and its agreement, as once measured.
KEPT_MODELS = HERE / "kept_models.json"
# A row that is by so much slower, beside the reference, than the kept one has lost more than noise; and so has one whose
# numbers agree with the reference's by so much less. Rounding differs between machines.
MOST_SLOWER, MOST_DB_LESS = 2.0, 15.0


def run_ours(build, out, short):
    rows = []
    for program in sorted((build / "benchmarks").glob("*_benchmark")):
        result = out / f"{program.name}.json"
        command = [str(program), f"--benchmark_out={result}", "--benchmark_out_format=json", "--benchmark_format=console"]
        if short:
            command += ["--benchmark_min_time=0.01"]
        print(f"== {program.name}", flush=True)
        env = dict(os.environ, GRYM_BENCH_SHORT="1" if short else "")
        subprocess.run(command, check=True, env=env)
        data = json.loads(result.read_text())
        for bench in data["benchmarks"]:
            if bench.get("error_occurred"):
                raise SystemExit(f"{bench['name']}: {bench.get('error_message')}")
            rows.append({"name": bench["name"], "time": bench["real_time"], "unit": bench["time_unit"], "audio_s_per_s": bench.get("audio_s_per_s")})
    return rows


def run_long_file(build, out, short):
    """Memory over a recording given as a path: an hour, a minute when short. The limit is the promise, so it fails."""
    print("== long_file", flush=True)
    command = [str(build / "benchmarks" / "long_file"), "1" if short else "60", str(out / "long_file.wav"), "300"]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    print(done.stdout, end="")
    (out / "long_file.json").write_text(done.stdout)
    return json.loads(done.stdout)


def run_peers(build, out, short):
    tables = {}
    for script in sorted((HERE / "peers").glob("*.py")):
        python = peer_environment.make(build, script.stem)
        if python is None:
            print(f"   peers of {script.stem} cannot be installed here", flush=True)
            continue
        result = out / f"peers_{script.stem}.json"
        print(f"== peers: {script.stem}", flush=True)
        env = peer_environment.environment(build)
        command = [str(python), str(script), "--out", str(result), "--build", str(build)] + (["--short"] if short else [])
        # Peers are other people's packages: what breaks in them is told, and does not fail our run.
        try:
            subprocess.run(command, check=True, env=env, timeout=600 if short else 3600)
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
            print(f"   peers of {script.stem} did not finish: {error}", flush=True)
            continue
        tables[script.stem] = json.loads(result.read_text())
    return tables


def compare_models(table, kept):
    """Lines of the native models' rows beside the kept ones, and of what is too far from them."""
    lines, failed = [], []
    for row in table["rows"]:
        job = row["job"] + ("" if row["dtype"] == "float32" else f", {row['dtype']}")
        before = kept.get(job)  # none for the tiny checkpoints of --short: milliseconds measured once
        if before is None:
            continue
        ratio = before.get("ratio")
        lines.append(f"   {job}: {row['ratio']:.2f} times as fast as the reference" +
                     (f", kept {ratio:.2f}" if ratio else ""))
        if ratio and row["ratio"] * MOST_SLOWER < ratio:
            failed.append(f"{job}: want at least {ratio / MOST_SLOWER:.2f} times the reference's speed, "
                          f"got {row['ratio']:.2f}")
        wanted = before.get("agreement_db")
        if wanted is not None and row["agreement_db"] < wanted - MOST_DB_LESS:
            failed.append(f"{job}: want an agreement of {wanted - MOST_DB_LESS:.0f} dB, "
                          f"got {row['agreement_db']:.0f}")
    return lines, failed


def print_tables(rows, tables):
    lines = ["", "| benchmark | time | audio seconds a second |", "|---|---:|---:|"]
    for row in rows:
        rate = f"{row['audio_s_per_s']:.0f}" if row["audio_s_per_s"] else ""
        lines.append(f"| {row['name']} | {row['time']:.3f} {row['unit']} | {rate} |")
    for name, table in tables.items():
        if "markdown" in table:  # it says it better itself
            lines += ["", f"**{name}**", "", table["markdown"].rstrip()]
            continue
        lines += ["", f"**{name}** ({table.get('versions', '')})", "", "| work | ours | peer | ours / peer | by |", "|---|---:|---:|---:|---|"]
        for row in table["rows"]:
            ratio = f"{row['ours'] / row['peer']:.3f}" if row.get("peer") else ""
            lines.append(f"| {row['work']} | {row['ours']:.4g} {row['unit']} | {row['peer']:.4g} {row['unit']} | {ratio} | {row['by']} |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--no-peers", action="store_true")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    rows = run_ours(args.build, args.out, args.short)
    long_file = run_long_file(args.build, args.out, args.short)
    tables = {} if args.no_peers else run_peers(args.build, args.out, args.short)
    text = print_tables(rows, tables)
    print(text)
    machine = {"machine": platform.machine(), "cores": os.cpu_count(), "python": platform.python_version()}
    (args.out / "table.md").write_text(text + "\n")
    (args.out / "all.json").write_text(json.dumps({"machine": machine, "ours": rows, "long_file": long_file, "peers": tables}, indent=1))
    lines, lost = compare_models(tables.get("models", {"rows": []}), json.loads(KEPT_MODELS.read_text()))
    print("\n".join(["native models beside the kept measurements:"] + lines) if lines else "no native models were measured")
    failed = [row for table in tables.values() for row in table["rows"]
              if row.get("peer") and row["ours"] / row["peer"] > GATES.get((row["work"], row["by"]), float("inf"))]
    for row in failed:
        print(f"gate: {row['work']}: {row['ours'] / row['peer']:.2f} times {row['by']}, want at most {GATES[row['work'], row['by']]}")
    for line in lost:
        print(f"gate: {line}")
    print(f"benchmarks took {time.monotonic() - started:.0f} s; JSON in {args.out}")
    return 1 if failed or lost else 0


if __name__ == "__main__":
    sys.exit(main())
