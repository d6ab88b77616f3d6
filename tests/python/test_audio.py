"""Audio: numpy in and out, files, MIDI."""
from __future__ import annotations

import gc
import pickle
import weakref
from pathlib import Path

import numpy as np
import pytest

import grymsynth as gs
from conftest import pulses


def test_array_is_kept_without_a_copy():
    samples = np.zeros((2, 100), np.float32)
    audio = gs.Audio(samples, 44100)
    assert np.shares_memory(audio.samples, samples)
    assert (audio.channels, audio.frames, audio.rate_hz) == (2, 100, 44100)
    assert audio.duration_s == pytest.approx(100 / 44100)


def test_mono_may_be_one_dimensional():
    samples = np.ones(10, np.float32)
    audio = gs.Audio(samples, 8000)
    assert audio.samples.shape == (1, 10)
    assert np.shares_memory(audio.samples, samples)


def test_two_by_two_is_two_channels():
    assert gs.Audio(np.zeros((2, 2), np.float32), 8000).frames == 2


@pytest.mark.parametrize(
    "samples, words",
    [
        (np.zeros((2, 10)), "astype"),
        (np.zeros((2, 10), np.int16), "astype"),
        (np.zeros((10, 2), np.float32).T, "ascontiguousarray"),
        (np.zeros((2, 20), np.float32)[:, ::2], "ascontiguousarray"),
        (np.zeros((44100, 2), np.float32), "transpose"),
        (np.zeros((1, 2, 3), np.float32), "dimensions"),
        (np.zeros((0, 3), np.float32), "channels"),
    ],
)
def test_other_layouts_are_refused_with_advice(samples, words):
    with pytest.raises(gs.InvalidArgumentError, match=words):
        gs.Audio(samples, 44100)


def test_what_is_no_array_is_a_type_error():
    with pytest.raises(TypeError):
        gs.Audio([0.0, 1.0], 44100)
    with pytest.raises(gs.InvalidArgumentError, match="rate_hz"):
        gs.Audio(np.zeros(4, np.float32), 10)


def test_dlpack_goes_both_ways():
    class Tensor:
        """What a tensor of another library looks like."""

        def __init__(self, array):
            self.array = array

        def __dlpack__(self, **how):
            return self.array.__dlpack__(**how)

        def __dlpack_device__(self):
            return self.array.__dlpack_device__()

    samples = np.arange(6, dtype=np.float32).reshape(2, 3)
    audio = gs.Audio(Tensor(samples), 8000)
    assert np.shares_memory(audio.samples, samples)
    assert np.shares_memory(np.from_dlpack(audio), samples)
    assert np.shares_memory(np.asarray(audio), samples)


def test_samples_outlive_their_audio(piece_file):
    samples = gs.load(piece_file).samples
    assert samples.dtype == np.float32 and samples.flags.c_contiguous and samples.flags.writeable
    assert np.array_equal(samples, pulses())


def test_save_and_load_float_is_exact(tmp_path):
    audio = gs.Audio(pulses(0.5), 44100)
    for name in ("a.wav",):
        audio.save(tmp_path / name, format="float32")
        assert np.array_equal(gs.load(str(tmp_path / name)).samples, audio.samples)


def test_same_dither_seed_same_bytes(tmp_path):
    audio = gs.Audio(pulses(0.5), 44100)
    audio.save(tmp_path / "a.wav", dither_seed=3)
    audio.save(tmp_path / "b.wav", dither_seed=3)
    assert (tmp_path / "a.wav").read_bytes() == (tmp_path / "b.wav").read_bytes()


def test_metadata_is_read_back(tmp_path):
    metadata = {"prompt": "Grüße", "seed": "12", "model": "composer"}
    gs.Audio(pulses(0.2), 44100).save(tmp_path / "a.flac", metadata=metadata)
    info = gs.probe(tmp_path / "a.flac")
    assert info.container == "flac" and info.rate_hz == 44100 and info.channels == 2
    assert info.metadata["prompt"] == "Grüße" and info.metadata["seed"] == "12"


def test_bad_choices_list_the_good_ones(tmp_path):
    audio = gs.Audio(pulses(0.1), 44100)
    with pytest.raises(gs.InvalidArgumentError, match="pcm24"):
        audio.save(tmp_path / "a.wav", format="mp3")
    with pytest.raises(gs.InvalidArgumentError, match="licence"):
        audio.save(tmp_path / "a.wav", metadata={"colour": "red"})
    with pytest.raises(gs.InvalidArgumentError, match="medium"):
        audio.resample(48000, "good")
    assert not list(tmp_path.iterdir())


def test_resample_and_mix():
    audio = gs.Audio(pulses(1.0), 44100)
    assert audio.resample(22050).frames == 22050
    mono = audio.mix_channels(1)
    assert np.allclose(mono.samples[0], audio.samples.mean(axis=0), atol=1e-6)


def test_missing_file_names_itself():
    with pytest.raises(gs.NotFoundError) as caught:
        gs.load("/no/such/file.wav")
    error = caught.value
    assert "/no/such/file.wav" in str(error)
    assert error.status == "not_found" and error.code and error.problems == []
    assert isinstance(error, gs.Error) and len(str(error)) < 4000


def test_pickle_keeps_the_samples():
    audio = gs.Audio(pulses(0.1), 44100)
    again = pickle.loads(pickle.dumps(audio))
    assert np.array_equal(again.samples, audio.samples) and again.rate_hz == 44100


def test_midi_round_trip(tmp_path):
    notes = [gs.MidiNote(start_s=0.5 * i, duration_s=0.25, pitch=60 + i, velocity=80) for i in range(4)]
    gs.Midi(notes=notes, tracks=[gs.MidiTrack(name="lead")]).save(tmp_path / "a.mid")
    read = gs.load_midi(tmp_path / "a.mid").notes
    assert [n.pitch for n in read] == [60, 61, 62, 63]
    assert [n.start_s for n in read] == pytest.approx([0, 0.5, 1, 1.5], abs=2e-3)
    (tmp_path / "bad.mid").write_bytes(b"MThd\0\0\0\6\0\1")
    with pytest.raises(gs.DataLossError):
        gs.load_midi(tmp_path / "bad.mid")


def test_every_readable_recording_has_the_declared_shape(shared_audio: Path):
    for path in sorted((shared_audio / "real").iterdir())[:6]:
        audio = gs.load(path)
        info = gs.probe(path)
        assert audio.samples.shape[0] == info.channels and audio.rate_hz == info.rate_hz
        if info.frames >= 0:
            assert audio.frames == info.frames


def test_a_job_reads_the_callers_array_and_lets_it_go():
    samples = np.zeros((1, 44100), np.float32)
    samples[0, ::100] = 0.5
    alive = weakref.ref(samples)
    job = gs.AudioProcessor().start_analyze(gs.Audio(samples, 44100))
    del samples
    assert job.result().frames == 44100
    del job
    gc.collect()
    assert alive() is None


@pytest.mark.parametrize("path", [5, None, b"x\0y", 1.5])
def test_what_is_no_path_is_a_type_error(path):
    with pytest.raises((TypeError, gs.Error)) as caught:
        gs.load(path)
    assert "cast" not in str(caught.value)
