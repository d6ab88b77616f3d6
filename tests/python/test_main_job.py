"""The main job over real recordings, through C++, C and Python: the same bytes from each."""
import hashlib
import subprocess

import pytest

import grymsynth

RECORDINGS = {
    "loop": "real/loop_breakbeat.flac",
    "second loop": "real/loop_mika.flac",
    "band": "real/147793__setuniman__sweet-waltz-0i-22mi.ogg",
    "solo instrument": "real/359628__mtg__sax-tenor-d-minor.flac",
    "speech": "real/198-209-0000.ogg",
    "silence": "decode/silence.flac",
}


def digests(folder):
    """SHA-256 of everything exported but the report and the sidecar, which name the folder."""
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(folder.rglob("*")) if path.is_file() and path.suffix in (".wav", ".mid")}


@pytest.mark.parametrize("kind", RECORDINGS)
def test_main_job_gives_the_same_bytes_in_every_language(kind, shared_audio, build_dir, tmp_path):
    recording = shared_audio / RECORDINGS[kind]
    template = grymsynth.Workflow.template("audio-enhancement")
    engine = grymsynth.Engine()
    run = engine.run_workflow(template, {"audioFile": str(recording)}, output_dir=tmp_path / "python")
    assert run.state == "completed", run.error
    summary = engine.summarize(run)
    engine.write_report(run, tmp_path / "python" / "report.html")
    assert 1 <= len(summary.takes) <= 4
    assert sum(take.exported for take in summary.takes) == 1
    best = max(take.quality_score for take in summary.takes)
    assert next(take for take in summary.takes if take.exported).quality_score == best
    assert all(take.quality_score <= 0.8 for take in summary.takes[:-1]), "a take above 0.8 ends the loop"

    document = tmp_path / "template.json"
    document.write_text(template.to_json())
    subprocess.run([build_dir / "tests/main_job/main_job_c", recording, tmp_path / "c"], check=True, timeout=300)
    subprocess.run([build_dir / "examples/enhance", recording, "-o", tmp_path / "cpp", "--workflow", document],
                   check=True, timeout=300, capture_output=True)
    mine = digests(tmp_path / "python")
    assert mine, "nothing was exported"
    assert digests(tmp_path / "c") == mine
    assert digests(tmp_path / "cpp") == mine
