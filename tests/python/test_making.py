"""Requests, results, comparison, models, workflows."""
from __future__ import annotations

import json

import numpy as np
import pytest

import grymsynth as gs


def test_request_takes_keywords_only():
    request = gs.GenerateAudioRequest(prompt="jazz", seed=3, duration_s=4, key="F major", instruments=["piano"],
                                      parameters={"swing": 0.5, "fills": True})
    assert request.prompt == "jazz" and request.seed == 3 and request.tempo_bpm is None
    assert request.parameters == {"swing": "0.5", "fills": "true"}
    with pytest.raises(TypeError):
        gs.GenerateAudioRequest("jazz")
    with pytest.raises(TypeError, match="colour"):
        gs.GenerateAudioRequest(colour="red")
    with pytest.raises(TypeError, match="duration_s"):
        gs.GenerateAudioRequest(duration_s="long")
    with pytest.raises(TypeError, match="prompt"):
        gs.GenerateAudioRequest(prompt=2**64)


def test_integers_that_do_not_fit_are_told_by_their_size():
    assert gs.GenerateAudioRequest(seed=2**63 - 1).seed == 2**63 - 1
    for field, value, words in [("seed", 2**63, "63 bits and a sign, got one of 64"), ("seed", 2**64, "got one of 65"),
                                ("seed", -(2**70), "got one of 71"), ("top_k", 2**40, "31 bits and a sign")]:
        with pytest.raises(gs.InvalidArgumentError, match=f"{field}: want a whole number.*{words}"):
            gs.GenerateAudioRequest(**{field: value})


def test_request_json_round_trip():
    request = gs.GenerateAudioRequest(prompt="jazz", seed=2**53 + 1, duration_s=4.5, tempo_bpm=120.5, quality="draft")
    again = gs.GenerateAudioRequest.from_json(request.to_json())
    assert again.to_json() == request.to_json() and again.seed == 2**53 + 1 and again.quality == "draft"


def test_validation_lists_every_problem():
    request = gs.GenerateAudioRequest(duration_s=-1, tempo_bpm=1e6, top_p=7.0)
    with pytest.raises(gs.InvalidArgumentError) as caught:
        request.validate()
    assert len(caught.value.problems) >= 3
    assert all(p.pointer and p.code and p.message for p in caught.value.problems)


def test_result_has_audio_stems_midi_provenance(take):
    assert take.audio.samples.shape[0] == 2 and take.audio.rate_hz == 44100
    assert np.isfinite(take.audio.samples).all()
    assert len(take.stems) > 1 and take.mix is not None
    total = sum(stem.samples.astype(np.float64) for stem in take.stems.values())
    assert np.max(np.abs(total - take.mix.samples)) < 1e-4
    assert take.midi is not None and take.midi.notes
    assert take.provenance.seed == 7 and take.provenance.model == "composer"
    assert json.loads(take.to_json())["schema"] == "grymsynth.result/1"
    assert take.attempts and take.attempts[-1].passed


def test_same_seed_same_bytes(engine, take):
    again = engine.generate(gs.GenerateAudioRequest.from_json(take.provenance.request_json))
    assert np.array_equal(again.audio.samples, take.audio.samples)


def test_module_function_uses_one_engine():
    request = gs.GenerateAudioRequest(prompt="ambient", seed=1, duration_s=2)
    assert gs.generate(request).provenance.seed == 1
    assert gs.engine() is gs.engine()


def test_audio_of_a_result_outlives_it(engine):
    audio = engine.generate(gs.GenerateAudioRequest(prompt="techno", seed=2, duration_s=2)).audio
    assert audio.samples.std() > 0


def test_unsupported_field_is_an_error_or_a_warning(engine):
    request = gs.GenerateAudioRequest(prompt="rock", seed=1, duration_s=2, model="composer", guidance=3.0)
    with pytest.raises(gs.InvalidArgumentError) as caught:
        engine.generate(request)
    assert caught.value.code == "unsupported_field"
    request.allow_unsupported = True
    assert any("guidance" in w for w in engine.generate(request).warnings)


def test_unknown_model_lists_the_known(engine):
    with pytest.raises(gs.NotFoundError, match="composer"):
        engine.generate(gs.GenerateAudioRequest(prompt="x", model="nobody"))


def test_enhanced_take_from_a_reference(engine, piece, piece_file):
    request = gs.GenerateAudioRequest(prompt="brighter", seed=1, duration_s=8, reference_audio=piece)
    assert isinstance(request.reference_audio, gs.Audio)
    take = engine.generate(request)
    assert take.audio.duration_s == pytest.approx(8, abs=0.1)
    by_path = gs.GenerateAudioRequest(prompt="brighter", seed=1, duration_s=8, reference_audio=piece_file)
    assert by_path.reference_audio == str(piece_file)


def test_compare_scores_and_names_areas(piece, piece_file):
    same = gs.compare(piece, piece_file)
    noise = 0.2 * np.random.default_rng(1).standard_normal(piece.samples.shape)
    noisy = gs.Audio((piece.samples + noise).astype(np.float32), 44100)
    worse = gs.compare(piece, noisy)
    assert 0 <= worse.quality_score < same.quality_score <= 1
    vocabulary = {"loudness", "clipping", "noise", "spectral balance", "dynamics", "tempo", "key", "structure",
                  "stereo"}
    assert {a.area for a in worse.improvement_areas} <= vocabulary
    assert json.loads(worse.to_json())["qualityScore"] == pytest.approx(worse.quality_score)


def test_gate_fails_silence(take):
    assert gs.check_take(take.audio)
    report = gs.check_take(gs.Audio(np.zeros((2, 44100), np.float32), 44100))
    assert not report.passed and "silence" in report.failures


def test_models_and_routes(engine):
    models = {m.id: m for m in engine.models()}
    assert "generate" in models["composer"].capabilities
    chain = engine.route("generate", gs.GenerateAudioRequest(prompt="jazz"))
    assert chain.links[0].model == "composer" and chain.reason
    with pytest.raises(gs.NotFoundError):
        engine.route("generate", model="nobody")
    with pytest.raises(gs.InvalidArgumentError):
        engine.route("fly")
    with pytest.raises(gs.NotFoundError) as error:  # known, but nobody here can
        engine.route("embed_text", gs.GenerateAudioRequest(prompt="rain"))
    assert error.value.code == "no_model"
    with pytest.raises(gs.InvalidArgumentError, match="want one of generate .* embed_text, got \"stream\""):
        engine.route("stream")
    for shift in range(3):
        with pytest.raises(gs.InvalidArgumentError) as error:
            engine.route("a" * shift + "é漢" * 60)
        assert "\N{REPLACEMENT CHARACTER}" not in str(error.value)


def test_plan_of_the_template():
    plan = gs.Workflow.template("audio-enhancement").plan()
    assert [s.id for s in plan.steps] and plan.warnings == []
    assert any(s.in_cycle for s in plan.steps)
    with pytest.raises(gs.NotFoundError, match="audio-enhancement"):
        gs.Workflow.template("none")


def test_bad_workflow_lists_all_problems(tmp_path):
    document = json.loads(gs.Workflow.template("audio-enhancement").to_json())
    steps = document["steps"]
    for step, name in zip(list(steps.values() if isinstance(steps, dict) else steps)[:2], ("no_such", "nor_this")):
        step["operation"] = name
    with pytest.raises(gs.Error) as caught:
        gs.Workflow.from_json(document).plan()
    assert isinstance(caught.value, gs.InvalidArgumentError)
    assert len(caught.value.problems) >= 2
    assert all(isinstance(p, gs.Problem) and p.pointer.startswith("/") for p in caught.value.problems)
    path = tmp_path / "w.json"
    path.write_text("{")
    with pytest.raises(gs.InvalidArgumentError):
        gs.Workflow.from_file(path)


def test_run_workflow(engine, piece_file, tmp_path):
    events, fractions = [], []
    workflow = gs.Workflow.template("audio-enhancement")
    run = engine.run_workflow(
        workflow, {"audioFile": piece_file}, output_dir=tmp_path, output_name="piece", seed=3,
        on_event=lambda e: events.append(e.kind), progress=lambda p: fractions.append(p.fraction))
    run.raise_if_failed()
    assert run.state == "completed" and run.error is None and run.visits
    assert "started" in events and fractions == sorted(fractions)
    assert isinstance(run.result, dict)
    assert list(tmp_path.glob("piece*.wav"))
    engine.write_report(run, tmp_path / "report.html")
    assert b"<html" in (tmp_path / "report.html").read_bytes().lower()
    assert run.execution_id in [r.execution_id for r in engine.executions()]
    page = engine.summarize(run)._repr_html_()
    assert "<audio" in page and "exported" in page and "<script" not in page
    again = engine.run_workflow(workflow, {"audioFile": piece_file}, execution_id=run.execution_id, seed=3)
    assert again.result_json == run.result_json


def test_a_runs_seed_fits_63_bits_and_a_sign(engine, tmp_path):
    workflow = gs.Workflow.template("audio-enhancement")
    for call in (engine.run_workflow, engine.start_workflow):
        for seed in (2**64, 2**63, -2**63 - 1):
            with pytest.raises(gs.InvalidArgumentError, match=r"seed: want a whole number from -2\^63 to 2\^63 - 1"):
                call(workflow, {"audioFile": "/no/such.wav"}, output_dir=tmp_path, seed=seed)
        with pytest.raises(TypeError):
            call(workflow, {"audioFile": "/no/such.wav"}, output_dir=tmp_path, seed=1.5)
    for seed in (2**63 - 1, -2**63, np.int64(3)):
        run = engine.run_workflow(workflow, {"audioFile": "/no/such.wav"}, output_dir=tmp_path, seed=seed)
        assert run.state == "failed"


def test_failed_run_carries_its_error(engine, tmp_path):
    run = engine.run_workflow(gs.Workflow.template("audio-enhancement"), {"audioFile": "/no/such.wav"},
                              output_dir=tmp_path)
    assert run.state == "failed" and isinstance(run.error, gs.Error)
    with pytest.raises(gs.Error):
        run.raise_if_failed()


def test_notebook_pages(take, piece):
    page = take._repr_html_()
    assert "<audio" in page and "<svg" in page and "composer" in page and "<script" not in page
    assert "data:audio/wav;base64," in piece._repr_html_()
    assert "<table" in gs.AudioProcessor().analyze(piece)._repr_html_()
    assert "quality" in gs.compare(piece, piece)._repr_html_()
    assert gs.Audio(np.zeros((1, 0), np.float32), 44100)._repr_html_()
    cleaned = gs.AudioProcessor().enhance(piece)
    assert "<audio" in cleaned._repr_html_() and "loudness" in cleaned._repr_html_()
