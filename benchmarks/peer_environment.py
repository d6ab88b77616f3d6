"""Python environments of the peers' own, so that they never touch .venv.

    python benchmarks/peer_environment.py NAME --build DIR    makes one and prints its python last
"""
import argparse
import json
import os
import subprocess
import sys
import sysconfig
from pathlib import Path

# aubio's own package has no wheels for today's Python; aubio-ledfx is its code with them, and is imported as aubio.
PACKAGES = {
    "hearing": ["numpy", "mir_eval", "librosa", "essentia", "aubio-ledfx", "sonara", "pyebur128", "soxr"],
    "enhance": ["numpy", "noisereduce"],
    "memory_peers": ["numpy", "hnswlib", "faiss-cpu", "sqlite-vec"],
    "models": ["numpy", "transformers==5.23.0", "diffusers==0.42.1", "accelerate==1.15.0", "safetensors==0.8.0",
               "tokenizers==0.23.3", "sentencepiece==0.2.3", "protobuf==7.36.2", "soundfile==0.14.0"],
}
NEEDED = {"numpy", "mir_eval", "transformers==5.23.0", "diffusers==0.42.1"}  # without these there is nothing to compare
SAME = {"musicgen": "models"}  # scripts whose environment is another's
# Look into the site-packages of the Python that makes them: one LibTorch for both sides, and it is not installed twice.
SHARE_TORCH = {"models"}
ONE_THREAD = {name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS",
                                     "RAYON_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")}


def folder_of(build, name):
    # Resolved to its end: who runs there compares it with its own place, and would else run itself again for ever.
    return (build.resolve().parent / "peers" / SAME.get(name, name)).resolve()


def missing_in(folder):
    """Packages that could not be installed: name -> what pip said."""
    found = folder / "missing.json"
    return json.loads(found.read_text()) if found.exists() else {}


def _install(python, packages, log):
    """Wheels alone: what must be compiled here first is no peer that a user would meet."""
    with log.open("w") as sink:
        process = subprocess.Popen([str(python), "-m", "pip", "install", "--disable-pip-version-check",
                                    "--only-binary", ":all:", *packages], stdout=sink, stderr=subprocess.STDOUT)
        while process.poll() is None:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                print("   ... " + (log.read_text().strip().splitlines() or [""])[-1][:100], flush=True)
    return process.returncode == 0


def make(build, name):
    """The environment's python, or None where even NEEDED cannot be installed. Made once; what is missing is told."""
    name = SAME.get(name, name)
    folder, packages = folder_of(build, name), PACKAGES.get(name, ["numpy"])
    python, stamp, log = folder / "bin" / "python", folder / "installed", folder / "pip.log"
    if not (stamp.exists() and stamp.read_text() == " ".join(packages)):
        print(f"== installing the peers of {name}: {' '.join(packages)}", flush=True)
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        if name in SHARE_TORCH:
            site = next((folder / "lib").glob("python*/site-packages"))
            (site / "torch_of_ours.pth").write_text(sysconfig.get_path("purelib") + "\n")
        missing = {}
        if not _install(python, packages, log):
            for package in packages:
                if not _install(python, [package], log):
                    lines = [line for line in log.read_text().splitlines() if line.startswith("ERROR")]
                    missing[package] = (lines or ["pip failed"])[-1][:200]
        (folder / "missing.json").write_text(json.dumps(missing))
        stamp.write_text(" ".join(packages))
    missing = missing_in(folder)
    for package, why in missing.items():
        print(f"   missing peer: {package}: {why}", flush=True)
    return None if NEEDED & set(missing) & set(packages) else python


def environment(build):
    """Variables for a peer's process: one thread, our module on the path."""
    return dict(os.environ, PYTHONPATH=str(build.resolve() / "python"), **ONE_THREAD)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", choices=PACKAGES)
    parser.add_argument("--build", type=Path, required=True)
    wanted = parser.parse_args()
    print(make(wanted.build, wanted.name) or "")
