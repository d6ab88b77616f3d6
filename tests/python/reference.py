"""The reference library's run on a checkpoint with random weights, to compare ours with."""
from __future__ import annotations

import fcntl
import json
import os
import struct
import subprocess
from pathlib import Path

import numpy as np
import pytest

from conftest import BUILD, SHARED

FIXTURES = SHARED / "fixtures"
TYPES = {"F32": np.float32, "F64": np.float64, "F16": np.float16, "I64": np.int64, "I32": np.int32, "U8": np.uint8,
         "BOOL": np.bool_}


def python() -> str:
    """The Python with the reference libraries; the test is skipped without one."""
    found = os.environ.get("GRYM_PEER_PYTHON", "")
    if not found or not (FIXTURES / "peer_run.py").exists():
        pytest.skip(f"needs the reference libraries: set GRYM_PEER_PYTHON, beside {FIXTURES}")
    return found


def _made(path: Path, script: str, *arguments: str) -> Path:
    """Made once in the build folder, where the C++ tests find the same; by one process at a time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(f"{path}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            part = Path(f"{path}.part")
            done = subprocess.run([python(), str(FIXTURES / script), arguments[0], str(part), *arguments[1:]],
                                  capture_output=True, text=True)
            assert done.returncode == 0, done.stderr
            part.rename(path)
    return path


def checkpoint(preset: str, variant: str = "", *options: str) -> Path:
    """A folder laid out as published, of this preset."""
    python()
    return _made(BUILD / "peer" / (preset + (f"-{variant}" if variant else "")), "make_checkpoint.py", preset, *options)


def run(folder: Path, name: str, *options: str) -> dict[str, np.ndarray]:
    """Every tensor that the reference kept, by name."""
    return tensors(_made(Path(f"{folder}.{name}.safetensors"), "peer_run.py", str(folder), *options))


def tensors(path: Path) -> dict[str, np.ndarray]:
    """A safetensors file, read by eyes of our own; bfloat16 as float32."""
    raw = path.read_bytes()
    length = struct.unpack("<Q", raw[:8])[0]
    header = json.loads(raw[8:8 + length])
    header.pop("__metadata__", None)
    found = {}
    for name, entry in header.items():
        begin, end = (8 + length + at for at in entry["data_offsets"])
        if entry["dtype"] == "BF16":
            values = (np.frombuffer(raw[begin:end], np.uint16).astype(np.uint32) << 16).view(np.float32)
        else:
            values = np.frombuffer(raw[begin:end], TYPES[entry["dtype"]])
        found[name] = values.reshape(entry["shape"])
    return found


def assert_same(ours: np.ndarray, reference: np.ndarray) -> None:
    """A stage in float32: sums in another order and nothing else."""
    a, b = np.asarray(ours, np.float64).ravel(), np.asarray(reference, np.float64).ravel()
    assert a.size == b.size
    assert a @ b / np.sqrt((a @ a) * (b @ b)) >= 0.99999
    assert np.abs(a - b).max() <= 1e-3 * np.abs(b).max()
