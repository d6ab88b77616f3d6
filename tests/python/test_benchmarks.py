"""What benchmarks/run.py makes of measurements; the measurements themselves are no tests."""
import importlib.util
import json
import sys
from pathlib import Path

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


def the_runner(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    spec = importlib.util.spec_from_file_location("benchmarks_run", BENCHMARKS / "run.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    sys.modules.pop("peer_environment", None)
    return module


def row(job, ratio, agreement_db, dtype="float32"):
    return {"job": job, "dtype": dtype, "ours_s": 1.0, "peer_s": ratio, "ratio": ratio, "agreement_db": agreement_db}


def test_native_models_are_compared_with_what_was_kept(monkeypatch):
    run = the_runner(monkeypatch)
    kept = {"a": {"ratio": 2.0, "agreement_db": 110.0}, "tiny": {"agreement_db": 100.0}, "stage": {"ratio": 1.5}}
    as_before = [row("a", 1.1, 96.0), row("tiny", 0.01, 120.0), row("stage", 0.8, None), row("new", 0.1, -3.0)]
    lines, failed = run.compare_models({"rows": as_before}, kept)
    assert len(lines) == 3 and failed == []
    worse = [row("a", 0.9, 94.0), row("tiny", 5.0, 84.0), row("stage", 0.7, None)]
    _, failed = run.compare_models({"rows": worse}, kept)
    assert [line.split(":")[0] for line in failed] == ["a", "a", "tiny", "stage"]
    assert run.compare_models({"rows": []}, kept) == ([], [])
    # Each precision beside its own.
    assert run.compare_models({"rows": [row("a", 0.5, 40.0, "bfloat16")]}, kept) == ([], [])
    _, failed = run.compare_models({"rows": [row("a", 0.5, 40.0, "bfloat16")]}, {"a, bfloat16": {"ratio": 1.2}})
    assert [line.split(":")[0] for line in failed] == ["a, bfloat16"]


def test_what_is_kept_is_of_the_jobs_that_are_measured(monkeypatch):
    run = the_runner(monkeypatch)
    kept = json.loads(run.KEPT_MODELS.read_text())
    script = (BENCHMARKS / "peers" / "models.py").read_text()
    for job, values in kept.items():
        assert values and set(values) <= {"ratio", "agreement_db"}
        assert job.split(",")[0].removesuffix("-tiny") in {"wav2vec2", "wav2vec2-base", "clap", "audioldm", "audioldm-s"}
        assert f'"{job.split(",")[0]}"' in script
