"""Hearing while the audio runs."""
from __future__ import annotations

import threading

import numpy as np
import pytest

import grymsynth as gs
from conftest import pulses


def cut(samples: np.ndarray, block: int):
    for at in range(0, samples.shape[-1], block):
        yield np.ascontiguousarray(samples[..., at : at + block])


def test_the_report_is_what_analyze_says(piece):
    stream = gs.AnalysisStream(piece.rate_hz, piece.channels)
    assert (stream.rate_hz, stream.channels) == (44100, 2)
    events = []
    for block in cut(piece.samples, 700):
        stream.push(block)
        events += stream.events()
    report = stream.finish()
    assert report.gaps == []
    assert report.features.to_json(with_series=True) == gs.AudioProcessor().analyze(piece).to_json(with_series=True)
    onsets = [event for event in events if event.kind == "onset"]
    assert [round(event.time_s * 2) for event in onsets] == list(range(len(onsets)))
    assert all(0 <= event.late_s <= stream.onset_latency_s < 0.09 for event in onsets)
    assert all(event.late_s <= stream.beat_latency_s for event in events)
    assert "onset" in repr(onsets[0])


def test_values_while_it_runs():
    stream = gs.AnalysisStream(longest_s=0)
    assert stream.live.momentary_lufs == -np.inf
    t = np.arange(2 * 44100) / 44100
    stream.push((0.5 * np.sin(2 * np.pi * 440 * t)).astype(np.float32))
    live = stream.live
    assert live.time_s == 2
    assert live.f0_hz == pytest.approx(440, rel=2e-3)
    assert live.voicing > 0.9
    assert live.chroma[9] == 1 and len(live.chroma) == 12
    assert live.momentary_lufs == pytest.approx(live.integrated_lufs, abs=0.05)
    assert live.true_peak_dbtp == pytest.approx(-6.02, abs=0.1)
    assert live.time_s - live.pitch_time_s <= stream.pitch_latency_s
    assert live.time_s - live.chroma_time_s <= stream.chroma_latency_s
    assert "f0_hz=440" in repr(live)
    with pytest.raises(gs.FailedPreconditionError, match="longest_s"):
        stream.finish()


def test_a_callback_of_finish_that_pushes_is_refused_and_does_not_hang():
    stream = gs.AnalysisStream(44100, 1)
    block = np.zeros(44100, np.float32)
    stream.push(block)
    told = []

    def push(progress):
        with pytest.raises(gs.FailedPreconditionError, match="busy"):
            stream.push(block)
        told.append(stream.live.time_s)

    report = stream.finish(progress=push)
    assert told and report.features.duration_s == 1


def test_what_is_wrong_is_refused():
    with pytest.raises(gs.InvalidArgumentError, match="rate_hz"):
        gs.AnalysisStream(10)
    stream = gs.AnalysisStream(44100, 2)
    with pytest.raises(gs.InvalidArgumentError, match="2 channels"):
        stream.push(np.zeros((1, 10), np.float32))
    with pytest.raises(gs.InvalidArgumentError, match="astype"):
        stream.push(np.zeros((2, 10)))
    with pytest.raises(gs.InvalidArgumentError, match="frame"):
        stream.finish()
    stream.push(np.full((2, 10), np.nan, np.float32))
    assert stream.live.replaced_samples == 20
    stream.finish()
    with pytest.raises(gs.FailedPreconditionError, match="finished"):
        stream.push(np.zeros((2, 10), np.float32))


def test_a_longer_stream_says_what_its_report_covers():
    stream = gs.AnalysisStream(44100, 2, longest_s=3)
    stream.push(pulses(5))
    report = stream.finish()
    assert report.features.duration_s == 3
    assert report.gaps[0].field == "duration_s" and "first 3 s of 5 s" in report.gaps[0].reason


def test_one_thread_pushes_another_reads(piece):
    stream = gs.AnalysisStream(piece.rate_hz, piece.channels)
    thread = threading.Thread(target=lambda: [stream.push(block) for block in cut(piece.samples, 256)])
    thread.start()
    times = [0.0]
    events = []
    while thread.is_alive():
        times.append(stream.live.time_s)
        events += stream.events()
    thread.join()
    events += stream.events()
    assert times == sorted(times)
    assert len([event for event in events if event.kind == "onset"]) >= 14
