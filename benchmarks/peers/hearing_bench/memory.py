"""Peak memory of a whole analysis, each library in a process of its own."""
import json
import subprocess
import sys
import time
from pathlib import Path

from . import listeners as ears


def peak_mb():
    """VmHWM where there is one: ru_maxrss begins with what the parent had."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    import resource
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1 << 20) if sys.platform == "darwin" else peak / 1024


def child(name, wav):
    """What the process of one library prints: its peak, that of its import, and its first and second call."""
    import wave

    import numpy as np
    with wave.open(wav) as source:
        mono = np.frombuffer(source.readframes(source.getnframes()), "<i2").astype(np.float32) / 32768
    listener = next(kind for kind in ears.LISTENERS if kind.name == name)()
    before, calls = peak_mb(), []
    for _ in range(2):
        fresh = mono.copy()  # a listener may remember what it has heard
        started = time.perf_counter()
        listener.everything(fresh)
        calls.append(1000 * (time.perf_counter() - started))
    print(json.dumps({"who": name, "peak_mb": peak_mb(), "imported_mb": before, "first_ms": calls[0], "second_ms": calls[1]}))


def measure(names, wav, script, say):
    rows, failures = [], []
    for name in names:
        say(f"memory: {name}")
        done = subprocess.run([sys.executable, str(script), "--child", name, "--wav", str(wav)], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True)
        if done.returncode:
            failures.append(f"memory of {name}: exit {done.returncode}: {done.stderr.strip().splitlines()[-1:]}")
        else:
            rows.append(json.loads(done.stdout.strip().splitlines()[-1]))
    return rows, failures
