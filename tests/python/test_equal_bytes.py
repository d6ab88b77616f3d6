"""The main job through Python gives the bytes that C and C++ give."""
from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

import grymsynth as gs
from conftest import BUILD, RECORDINGS

FILES = ["features.json", "patterns.json", "enhanced.f32", "take.f32", "take.mid", "take.wav", "comparison.json"]


def main_job(source: Path, folder: Path) -> None:
    """What tests/capi/main_job_test.c and main_job_cxx.cc write."""
    processor = gs.AudioProcessor()
    (folder / "features.json").write_text(processor.analyze(source).to_json(), encoding="utf-8")
    (folder / "patterns.json").write_text(processor.detect_patterns(source).to_json(), encoding="utf-8")
    audio = gs.load(source)
    enhanced = processor.enhance(audio).audio
    (folder / "enhanced.f32").write_bytes(enhanced.samples.tobytes())
    take = gs.generate(gs.GenerateAudioRequest(prompt="house, bright", seed=7, duration_s=8, want_stems=True,
                                               model="composer"))
    (folder / "take.f32").write_bytes(take.audio.samples.tobytes())
    take.midi.save(folder / "take.mid")
    take.audio.save(folder / "take.wav")
    (folder / "comparison.json").write_text(gs.compare(audio, enhanced).to_json(), encoding="utf-8")


def check(source: Path, tmp_path: Path) -> None:
    programs = {name: BUILD / "tests" / "capi" / name for name in ("capi_main_job_test", "capi_main_job_cxx")}
    missing = [name for name, path in programs.items() if not path.exists()]
    if missing:
        pytest.skip(f"needs {', '.join(missing)} in {BUILD / 'tests' / 'capi'} (set GRYM_BUILD_DIR)")
    python = tmp_path / "python"
    python.mkdir()
    main_job(source, python)
    for name, program in programs.items():
        folder = tmp_path / name
        folder.mkdir()
        done = subprocess.run([program, source, folder], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        for file in FILES:
            assert (folder / file).read_bytes() == (python / file).read_bytes(), f"{name}: {file}"


def test_made_piece(piece_file, tmp_path):
    check(piece_file, tmp_path)


@pytest.mark.parametrize("name", RECORDINGS)
def test_recording(shared_audio, name, tmp_path):
    if name != RECORDINGS[0] and not os.environ.get("GRYM_LONG_TESTS"):
        pytest.skip("one recording in every run; set GRYM_LONG_TESTS for all six")
    check(shared_audio / "real" / name, tmp_path)
