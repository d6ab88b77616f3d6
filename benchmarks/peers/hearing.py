"""Our hearing beside librosa's and Essentia's: the same files, the same process, one thread.

Accuracy by mir_eval over the shared recordings (GRYM_SHARED, default ../shared); time on one file of them. Without the
recordings only the timing runs, on a signal made here.
"""
import argparse
import json
import os
import time
from pathlib import Path

import essentia
import essentia.standard as es
import librosa
import mir_eval
import numpy as np

import grymsynth

essentia.log.warningActive = False
essentia.log.infoActive = False
RATE_HZ = 44100
KEYS = ["C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B"]
FLATS = {"Db": "C#", "Eb": "D#", "Gb": "F#", "Ab": "G#", "Bb": "A#"}
# Krumhansl and Kessler 1982, the profiles most used with librosa's chroma.
MAJOR = np.array([6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88])
MINOR = np.array([6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17])


def librosa_key(y):
    chroma = librosa.feature.chroma_cqt(y=y, sr=22050).mean(axis=1)
    scores = [(np.corrcoef(np.roll(profile, tonic), chroma)[0, 1], f"{KEYS[tonic]} {mode}")
              for profile, mode in ((MAJOR, "major"), (MINOR, "minor")) for tonic in range(12)]
    return max(scores)[1]


def hear_librosa(mono):
    y = librosa.resample(mono, orig_sr=RATE_HZ, target_sr=22050)
    tempo, beats = librosa.beat.beat_track(y=y, sr=22050, units="time")
    return {"tempo": float(np.atleast_1d(tempo)[0]), "beats": beats, "onsets": librosa.onset.onset_detect(y=y, sr=22050, units="time"),
            "key": librosa_key(y)}


def hear_essentia(mono):
    bpm, beats, *_ = es.RhythmExtractor2013(method="multifeature")(mono)
    key, scale, _ = es.KeyExtractor(profileType="bgate")(mono)
    return {"tempo": es.PercivalBpmEstimator()(mono), "beats": np.array(beats), "onsets": None, "key": f"{FLATS.get(key, key)} {scale}"}


def hear_ours(mono):
    features = grymsynth.AudioProcessor().analyze(grymsynth.Audio(mono[np.newaxis, :], RATE_HZ))
    return {"tempo": features.tempo_bpm, "beats": np.array(features.beats_s), "onsets": np.array(features.onsets_s), "key": features.key}


def load_mono(path):
    audio = grymsynth.load(str(path))
    mono = np.asarray(audio.samples).mean(axis=0).astype(np.float32)
    if audio.rate_hz != RATE_HZ:
        mono = librosa.resample(mono, orig_sr=audio.rate_hz, target_sr=RATE_HZ)
    return np.ascontiguousarray(mono)


def tiled(mono, truth):
    """Loops are repeated to at least 20 s before tempo and beats are judged; their beats go on."""
    if not truth.get("tile_for_tempo"):
        return mono, np.array(truth.get("beat_times", []))
    length = len(mono) / RATE_HZ
    times = int(np.ceil(20 / length))
    beats = np.array(truth["beat_times"]) if "beat_times" in truth else np.arange(truth["beats_in_file"]) * length / truth["beats_in_file"]
    return np.tile(mono, times), np.concatenate([beats + k * length for k in range(times)])


def onsets_of(truth):
    """Those given, else the beginnings of the notes (those of a chord are one). A tiled loop's are not judged."""
    if truth.get("tile_for_tempo"):
        return np.array([])
    return np.array(truth["onset_times"]) if "onset_times" in truth else np.unique([round(note["onset"], 6) for note in truth.get("notes", [])])


def tempo_right(found, truth, octaves):
    ratios = [1, 2, 3, 1 / 2, 1 / 3] if octaves else [1]
    return any(abs(found - truth * ratio) <= 0.04 * truth * ratio for ratio in ratios)


def accuracy(shared, short):
    hearers = {"ours": hear_ours, "librosa": hear_librosa, "essentia": hear_essentia}
    scores = {name: {"tempo exact": [], "tempo up to octave": [], "beats F": [], "onsets F": [], "key exact": []} for name in hearers}
    files = json.loads((shared / "manifest.json").read_text())["files"]
    if short:
        files = files[::4]
    for entry in files:
        truth = entry.get("truth", {})
        if not set(truth) & {"tempo_bpm", "beat_times", "onset_times", "notes", "key"}:
            continue
        mono, beats = tiled(load_mono(shared / entry["file"]), truth)
        for name, hear in hearers.items():
            heard, mine = hear(mono), scores[name]
            if "tempo_bpm" in truth:
                mine["tempo exact"].append(tempo_right(heard["tempo"], truth["tempo_bpm"], False))
                mine["tempo up to octave"].append(tempo_right(heard["tempo"], truth["tempo_bpm"], True))
            if len(beats):
                mine["beats F"].append(mir_eval.beat.f_measure(beats, heard["beats"]))
            onsets = onsets_of(truth)
            if len(onsets) and heard["onsets"] is not None:
                mine["onsets F"].append(mir_eval.onset.f_measure(onsets, heard["onsets"], window=0.05)[0])
            if "key" in truth:
                mine["key exact"].append(heard["key"] == truth["key"])
    return {name: {task: (float(np.mean(values)), len(values)) for task, values in tasks.items() if values} for name, tasks in scores.items()}


def best_ms(call, repeats):
    call()
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        call()
        times.append(time.perf_counter() - started)
    return 1000 * min(times)


def timing(mono, repeats):
    y = librosa.resample(mono, orig_sr=RATE_HZ, target_sr=22050)
    audio = grymsynth.Audio(mono[np.newaxis, :], RATE_HZ)
    processor = grymsynth.AudioProcessor()
    ours = best_ms(lambda: processor.analyze(audio), repeats)

    def librosa_everything():
        librosa.beat.beat_track(y=y, sr=22050)
        librosa.onset.onset_detect(y=y, sr=22050)
        librosa.feature.chroma_cqt(y=y, sr=22050)
        librosa.feature.mfcc(y=y, sr=22050)
        librosa.feature.spectral_contrast(y=y, sr=22050)
        librosa.feature.spectral_centroid(y=y, sr=22050)
        librosa.yin(y, fmin=65, fmax=1000, sr=22050)

    def essentia_everything():
        es.RhythmExtractor2013(method="multifeature")(mono)
        es.KeyExtractor()(mono)
        es.PitchYinProbabilistic()(mono)

    return [{"work": "analyse, everything", "ours": ours, "peer": best_ms(librosa_everything, repeats), "unit": "ms", "by": "librosa (less in it)"},
            {"work": "analyse, beside rhythm+key+pYIN", "ours": ours, "peer": best_ms(essentia_everything, repeats), "unit": "ms", "by": "Essentia (less in it)"}]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--build", type=Path)
    parser.add_argument("--short", action="store_true")
    args = parser.parse_args()
    shared = Path(os.environ.get("GRYM_SHARED", Path(__file__).resolve().parents[3] / "shared")) / "audio"
    rng = np.random.default_rng(1)
    t = np.arange(RATE_HZ * (10 if args.short else 60)) / RATE_HZ
    mono = (0.3 * np.sin(2 * np.pi * 110 * t) + 0.5 * np.exp(-(t % 0.5) * 20) * rng.standard_normal(len(t))).astype(np.float32) * 0.5
    rows = timing(mono, 1 if args.short else 3)
    if (shared / "manifest.json").exists():
        found = accuracy(shared, args.short)
        for task in ("tempo exact", "tempo up to octave", "beats F", "onsets F", "key exact"):
            for peer in ("librosa", "essentia"):
                if task in found[peer]:
                    value, count = found["ours"][task]
                    rows.append({"work": f"{task} ({count} files)", "ours": value, "peer": found[peer][task][0], "unit": "", "by": peer})
    else:
        print(f"no recordings at {shared}: accuracy is left out (set GRYM_SHARED)")
    versions = f"grymsynth {grymsynth.__version__}, librosa {librosa.__version__}, essentia {essentia.__version__}, mir_eval {mir_eval.__version__}"
    args.out.write_text(json.dumps({"versions": versions, "seconds": len(mono) / RATE_HZ, "rows": rows}, indent=1))


if __name__ == "__main__":
    main()
