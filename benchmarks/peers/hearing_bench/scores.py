"""Accuracy: every listener over every piece, as {(group, task): {who: [value per piece]}}."""
from collections import defaultdict

import mir_eval
import numpy as np

PITCH_TASK = "pitch, raw accuracy (50 cents)"


def tempo_right(found, truth, octaves=False):
    ratios = [1, 2, 3, 1 / 2, 1 / 3] if octaves else [1]
    return any(abs(found - truth * ratio) <= 0.04 * truth * ratio for ratio in ratios)


def _continuity_amlt(beats, found):
    return mir_eval.beat.continuity(beats, found)[3] if len(found) > 1 else 0.0


def _chord_name(label):
    """'C#m7' -> 'C#:min': major and minor are what is compared; a chord that is neither is told as what it is."""
    if label in ("N", "", "N.C.", None):
        return "N"
    root = label[:2] if label[1:2] in ("#", "b") else label[:1]
    rest = label[len(root):]
    if rest in ("m7b5", "hdim7"):
        return f"{root}:hdim7"
    for other in ("dim", "aug", "sus2", "sus4"):
        if rest.startswith(other):
            return f"{root}:{other}"
    return f"{root}:{'min' if rest.startswith('m') and not rest.startswith('maj') else 'maj'}"


def chord_overlap(truth, found):
    spans = np.array([[c["start"], c["end"]] for c in truth])
    names = [_chord_name(c["chord"]) for c in truth]
    heard = [(start, end, _chord_name(label)) for start, end, label in found if end > start]
    if not heard:
        return 0.0
    intervals, labels = mir_eval.util.adjust_intervals(
        np.array([[start, end] for start, end, _ in heard]), [name for *_, name in heard], spans.min(), spans.max(), "N", "N")
    merged, want, got = mir_eval.util.merge_labeled_intervals(spans, names, intervals, labels)
    return mir_eval.chord.weighted_accuracy(mir_eval.chord.majmin(want, got), mir_eval.util.intervals_to_durations(merged))


def boundaries_f(segments, starts, length_s):
    def intervals(times):
        edges = np.unique(np.clip([0.0, *times, length_s], 0, length_s))
        return np.column_stack([edges[:-1], edges[1:]])
    return mir_eval.segment.detection(intervals([s["start"] for s in segments]), intervals(starts), window=3.0, trim=True)[2]


def raw_pitch(f0, times, hz):
    """Share of the voiced reference frames within 50 cents, whatever was said of voicing."""
    f0 = np.array(f0)
    voiced = f0[:, 1] > 0
    at = np.clip(np.searchsorted(times, f0[voiced, 0]), 1, len(times) - 1)
    nearest = np.where(np.abs(times[at - 1] - f0[voiced, 0]) < np.abs(times[at] - f0[voiced, 0]), at - 1, at)
    heard = np.abs(np.asarray(hz, dtype=float)[nearest])
    cents = 1200 * np.abs(np.log2(np.maximum(heard, 1e-3) / f0[voiced, 1]))
    return float(np.mean(cents <= 50))


def _judge(listener, piece, add):
    truth, mono = piece.truth, piece.mono
    hears = lambda task: hasattr(listener, task)
    if "tempo_bpm" in truth and hears("tempo"):
        for who, bpm in listener.tempo(mono).items():
            add("tempo, exact (4 %)", who, tempo_right(bpm, truth["tempo_bpm"]))
            add("tempo, up to octave", who, tempo_right(bpm, truth["tempo_bpm"], octaves=True))
    if len(piece.beats) and hears("beats"):
        for who, beats in listener.beats(mono).items():
            add("beats, F (70 ms)", who, mir_eval.beat.f_measure(piece.beats, beats))
            add("beats, AMLt", who, _continuity_amlt(piece.beats, beats))
    if len(piece.onsets) and hears("onsets"):
        for who, onsets in listener.onsets(mono).items():
            add("onsets, F (50 ms)", who, mir_eval.onset.f_measure(piece.onsets, np.sort(onsets), window=0.05)[0])
    if "key" in truth and hears("key"):
        for who, key in listener.key(mono).items():
            add("key, exact", who, key == truth["key"])
    if "meter" in truth and hears("meter"):
        for who, meter in listener.meter(mono).items():
            add("meter, exact", who, meter == truth["meter"])
    if "tuning_hz" in truth and hears("tuning"):
        for who, hz in listener.tuning(mono).items():
            add("tuning, within 1.5 Hz", who, abs(hz - truth["tuning_hz"]) <= 1.5)
    if "chords" in truth and hears("chords"):
        for who, chords in listener.chords(mono).items():
            add("chords, major and minor, overlap", who, chord_overlap(truth["chords"], chords))
    if "segments" in truth and hears("sections"):
        for who, starts in listener.sections(mono, len(truth["segments"])).items():
            add("section boundaries, F (3 s)", who, boundaries_f(truth["segments"], starts, len(mono) / 44100))
    if "f0" in truth and hears("pitch"):
        for who, (times, hz) in listener.pitch(mono).items():
            add(PITCH_TASK, who, raw_pitch(truth["f0"], times, hz))
    if "trim" in truth and hears("trim"):
        for who, (start, end) in listener.trim(mono).items():
            add("trim, start, error in ms", who, 1000 * (start - truth["trim"]["start"]))
            add("trim, end, error in ms", who, 1000 * (end - truth["trim"]["end"]))
    if "style" in truth and hears("styles"):
        for who, labels in listener.styles(mono).items():
            add("style in the first three", who, truth["style"] in labels)
    if isinstance(truth.get("loudness"), dict) and hears("loudness"):
        for who, found in listener.loudness(piece.samples, piece.rate_hz).items():
            for what, want in truth["loudness"].items():
                if isinstance(want, (int, float)) and what in found:
                    add(f"loudness, {what}, error in LU", who, abs(found[what] - want))


def judge_all(listeners, pieces, say):
    """Also a note of every call that failed: a peer that breaks on a file is told, not left out in silence."""
    values, failures = defaultdict(lambda: defaultdict(list)), []
    for number, piece in enumerate(pieces):
        say(f"{number + 1}/{len(pieces)} {piece.name}")
        for listener in listeners:
            def add(task, who, value):
                values[(piece.group, task)][who].append(float(value))
            try:
                _judge(listener, piece, add)
            except Exception as error:  # other people's packages: told, and the rest goes on
                if listener.name == "grymsynth":
                    raise
                failures.append(f"{listener.name} on {piece.name}: {type(error).__name__}: {error}")
    return values, failures


def interval(values, draws=2000):
    """95 % of the means of resampled sets. None for fewer than three values, where it would say nothing."""
    if len(values) < 3:
        return None
    rng = np.random.default_rng(1)
    means = np.mean(rng.choice(values, (draws, len(values))), axis=1)
    return [float(np.percentile(means, 2.5)), float(np.percentile(means, 97.5))]


def calibration(ours, pieces):
    """How often tempo and key are right, by how sure we said we were; and what is heard where no beat is."""
    edges = [0.0, 0.25, 0.5, 0.75, 0.9, 1.0001]
    rows, asked = [], {"tempo": [], "key": []}
    invented = []
    for piece in pieces:
        features, truth = ours.features(piece.mono), piece.truth
        if "tempo_bpm" in truth:
            asked["tempo"].append((features.tempo_confidence, tempo_right(features.tempo_bpm, truth["tempo_bpm"])))
        if "key" in truth:
            asked["key"].append((features.key_confidence, features.key == truth["key"]))
        if truth.get("style") == "speech" or "loudness" in truth:
            invented.append({"file": piece.name, "beats": len(features.beats_s), "tempo_confidence": features.tempo_confidence})
    for what, pairs in asked.items():
        for low, high in zip(edges, edges[1:]):
            inside = [right for confidence, right in pairs if low <= confidence < high]
            rows.append({"what": what, "from": low, "to": min(high, 1.0), "count": len(inside),
                         "right": float(np.mean(inside)) if inside else None})
    return rows, invented
