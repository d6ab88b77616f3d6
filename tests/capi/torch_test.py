"""The C test of checkpoints, with tiny ones where the reference libraries can make them.

Usage: torch_test.py PROGRAM SOURCE_DIR FOLDER
"""
from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

PRESETS = ["clap-tiny", "audioldm-tiny", "musicgen-tiny"]


def checkpoint(python: str, script: Path, preset: str, folder: Path) -> Path:
    made = folder / preset
    if not made.exists():
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as part:
            subprocess.run([python, str(script), preset, f"{part}/{preset}"], check=True, stdout=subprocess.DEVNULL)
            Path(part, preset).rename(made)
    return made


def main() -> int:
    program, source, folder = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    shared = Path(os.environ.get("GRYM_SHARED") or source.parent / "shared")
    script = shared / "fixtures" / "make_checkpoint.py"
    python = os.environ.get("GRYM_PEER_PYTHON", "")
    folders = []
    if python and script.exists():
        folders = [str(checkpoint(python, script, preset, folder)) for preset in PRESETS]
    else:
        print(f"skipped: what needs a checkpoint; set GRYM_PEER_PYTHON to a Python with torch and transformers, beside "
              f"{script}")
    return subprocess.run([program, *folders]).returncode


if __name__ == "__main__":
    sys.exit(main())
