"""AudioProcessor, features, patterns, memory."""
from __future__ import annotations

import json

import numpy as np
import pytest

import grymsynth as gs


@pytest.fixture(scope="module")
def features(piece):
    return gs.AudioProcessor().analyze(piece)


@pytest.fixture(scope="module")
def patterns(piece):
    return gs.AudioProcessor().detect_patterns(piece)


def test_features_have_the_promised_names(features):
    assert features.duration_s == pytest.approx(8.0)
    assert isinstance(features.tempo_bpm, float)
    for name in ("beats_s", "downbeats_s", "onsets_s"):
        times = getattr(features, name)
        assert times.dtype == np.float64 and times.ndim == 1
        assert np.all(np.diff(times) > 0)
    assert features.key is None or features.key.split()[1] in ("major", "minor")
    assert 400 < features.tuning_hz < 480
    assert features.pitch.times_s.shape == features.pitch.f0_hz.shape
    assert features.loudness.integrated_lufs < 0 and features.loudness.range_lu >= 0
    assert features.loudness.true_peak_dbtp < 6
    assert features.spectral.chroma.values.shape == (features.spectral.chroma.frames, 12)
    assert all(c.start_s < c.end_s and c.label for c in features.chords)
    assert all(s.start_s < s.end_s and s.label for s in features.sections)


def test_tempo_of_a_pulse(features):
    assert features.tempo_bpm == pytest.approx(120, rel=0.01)


def test_silence_is_unsure():
    features = gs.AudioProcessor().analyze(gs.Audio(np.zeros(88200, np.float32), 44100))
    assert features.tempo_bpm == 0.0 and features.key is None and len(features.beats_s) == 0
    assert features.loudness.integrated_lufs == -np.inf


def test_views_are_read_only_and_outlive_their_owner(piece):
    beats = gs.AudioProcessor().analyze(piece).onset_strength.values
    with pytest.raises(ValueError):
        beats[0] = 1
    assert np.isfinite(beats).all()


def test_a_path_and_its_audio_give_the_same(piece_file):
    processor = gs.AudioProcessor()
    by_path = processor.analyze(piece_file).to_json(with_series=True)
    by_text = processor.analyze(str(piece_file)).to_json(with_series=True)
    by_audio = processor.analyze(gs.load(piece_file)).to_json(with_series=True)
    assert by_path == by_text == by_audio


def test_features_json_round_trip(features):
    text = features.to_json(with_series=True)
    assert json.loads(text)["schema"] == "grymsynth.features/1"
    assert gs.AudioFeatures.from_json(text).to_json(with_series=True) == text
    with pytest.raises(gs.InvalidArgumentError):
        gs.AudioFeatures.from_json("{}")


def test_wrong_input_is_a_type_error():
    with pytest.raises(TypeError):
        gs.AudioProcessor().analyze(3)
    with pytest.raises(TypeError):
        gs.AudioProcessor().analyze(np.zeros(10, np.float32))


def test_empty_audio_is_refused():
    with pytest.raises(gs.InvalidArgumentError):
        gs.AudioProcessor().analyze(gs.Audio(np.zeros((1, 0), np.float32), 44100))


def test_style_ranks_at_least_twelve_genres(piece):
    style = gs.AudioProcessor().classify_style(piece)
    scores = [g.score for g in style.genres]
    assert len(scores) >= 12 and scores == sorted(scores, reverse=True)
    assert style.method == "rules" and style.moods and style.textures


def test_enhance_level_zero_is_the_identity(piece):
    done = gs.AudioProcessor().enhance(piece, gs.EnhanceParams(level=0))
    assert np.array_equal(done.audio.samples, piece.samples)
    done = gs.AudioProcessor().enhance(piece, gs.EnhanceParams(level=0.8, target_lufs=-14))
    assert done.audio.samples.shape == piece.samples.shape
    assert {s.name for s in done.stages} >= {"denoise", "limiter"}


def test_a_loudness_that_the_peak_limit_forbids_is_told_of(piece):
    done = gs.AudioProcessor().enhance(piece, gs.EnhanceParams(target_lufs=-5, true_peak_dbtp=-12))
    assert len(done.warnings) == 1 and "wanted -5.0 LUFS" in done.warnings[0]
    assert gs.AudioProcessor().enhance(piece).warnings == []


def test_process_is_the_whole(piece):
    done = gs.AudioProcessor().process(piece, gs.ProcessOptions(rate_hz=22050, enhance=gs.EnhanceParams(level=0.2)))
    assert done.audio.rate_hz == 22050
    assert done.features.duration_s == pytest.approx(8.0, abs=0.01)
    assert done.style.genres and done.stages
    assert len(done.patterns) == len(done.patterns.patterns)


def test_patterns_say_what_and_where(patterns):
    assert len(patterns) > 0
    for pattern in patterns:
        assert pattern.kind in ("rhythmic", "harmonic", "melodic", "timbral", "structural")
        assert pattern.description and pattern.spans and 0 <= pattern.strength <= 1
        assert pattern.embedding.shape == (128,)
        assert np.linalg.norm(pattern.embedding) == pytest.approx(1, abs=1e-4)
    assert gs.AudioPatterns.from_json(patterns.to_json()).to_json() == patterns.to_json()
    with pytest.raises(IndexError):
        patterns[len(patterns)]


def test_memory_stores_and_finds(patterns, tmp_path):
    with gs.PatternMemory(tmp_path / "memory.db") as memory:
        ids = memory.store(patterns)
        assert len(ids) == len(patterns) and len(set(ids)) == len(ids)
        assert not memory.stats().index_loaded
        memory.load_index()
        assert memory.stats().index_loaded
        best = memory.query(patterns[0], limit=3)[0]
        assert best.similarity == pytest.approx(1, abs=1e-4)
        by_numbers = memory.query(patterns[0].embedding, limit=1, kind=patterns[0].kind)
        assert by_numbers[0].pattern.kind == patterns[0].kind
        memory.record_outcome(ids[0], 0.5, "a take")
        assert memory.stats().outcomes == 1
        assert memory.get(ids[0]).description == patterns[0].description
        with pytest.raises(gs.NotFoundError):
            memory.get(10**9)
        with pytest.raises(gs.InvalidArgumentError, match="128"):
            memory.query([1.0, 2.0])
        with pytest.raises(gs.InvalidArgumentError):
            memory.query(patterns[0], kind="sweet")
        memory.check_integrity()
    with pytest.raises(gs.FailedPreconditionError):
        memory.query(patterns[0])
    memory.close()  # twice is harmless
    with gs.PatternMemory(tmp_path / "memory.db") as again:
        assert again.stats().patterns == len(patterns)


def test_recognizer_learns_and_relates(features, tmp_path):
    with gs.PatternMemory(tmp_path / "memory.db") as memory:
        recognizer = gs.PatternRecognizer(memory)
        found = recognizer.detect_patterns(features)
        recognizer.learn_patterns(found)
        assert all(p.id > 0 for p in found)
        assert recognizer.classify_pattern(found[0]).classes
        twin = gs.AudioPatterns.from_json(found.to_json())
        recognizer.learn_patterns(twin)
        similar = recognizer.find_similar_patterns(found[0], 0.99)
        assert twin[0].id in [m.pattern.id for m in similar]
        assert all(m.pattern.kind == found[0].kind and m.similarity >= 0.99 for m in similar)
        assert isinstance(recognizer.get_related_patterns(found[0]), list)


def test_foreign_file_is_refused_untouched(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_bytes(b"this is no store" * 100)
    with pytest.raises(gs.Error) as caught:
        gs.PatternMemory(path)
    assert "notes.txt" in str(caught.value)
    assert path.read_bytes() == b"this is no store" * 100


def test_a_second_thread_changes_nothing(piece):
    assert gs.AudioProcessor(threads=2).analyze(piece).to_json() == gs.AudioProcessor().analyze(piece).to_json()


def test_parts_are_heard_alone(piece):
    processor, whole = gs.AudioProcessor(), gs.AudioProcessor().analyze(piece)
    assert len(whole.parts) == 9
    onsets = processor.analyze(piece, parts="onsets")
    assert onsets.parts == ("onsets",)
    assert list(onsets.onsets_s) == list(whole.onsets_s)
    assert onsets.tempo_bpm == 0 and onsets.key is None and len(onsets.pitch.times_s) == 0
    rhythm = processor.start_analyze(piece, ["rhythm"]).result()
    assert rhythm.parts == ("onsets", "rhythm", "key")
    assert rhythm.tempo_bpm == whole.tempo_bpm and list(rhythm.beats_s) == list(whole.beats_s)
    assert gs.AudioFeatures.from_json(rhythm.to_json()).parts == rhythm.parts
    assert "tempo" not in repr(onsets) and "unsure" not in onsets._repr_html_()
    assert processor.analyze(piece, "pitch level").parts == ("level", "pitch")
    for wrong, told in ((("level", "tempo"), 'got "tempo"'), ((), "got none"), ("", "got none")):
        with pytest.raises(gs.InvalidArgumentError, match=f"parts: want some of .*, {told}"):
            processor.analyze(piece, parts=wrong)
    for wrong in (b"level", {"level": True}, 3, [3]):
        with pytest.raises(TypeError, match="parts: want a str or a sequence of str, got"):
            processor.analyze(piece, parts=wrong)
    with pytest.raises(gs.FailedPreconditionError, match="want features of everything but loudness"):
        gs.Engine().recognizer.detect_patterns(rhythm)
