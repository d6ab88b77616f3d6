"""The README's Python program runs as printed (the C++ and C ones are run by install.outside_project)."""
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_python_program_of_the_readme(tmp_path):
    program = re.search(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.S).group(1)
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(r"\d+\.\d bpm, .+, -\d+\.\d LUFS\n", done.stdout), done.stdout
    assert (tmp_path / "take.wav").stat().st_size > 1_000_000
