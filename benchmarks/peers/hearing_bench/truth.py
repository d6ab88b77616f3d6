"""Pieces of known truth: the shared recordings, and pieces that the library's own composer renders."""
import json

import numpy as np

import grymsynth

RATE_HZ = 44100
# Prompt, bpm, key, meter: tempi and keys over the range, not those that a genre would choose itself.
COMPOSED = [
    ("rock", 132, "E minor", 4), ("jazz", 110, "F major", 4), ("waltz", 150, "D major", 3), ("techno", 128, "A minor", 4),
    ("pop", 96, "Bb major", 4), ("blues", 84, "A major", 4), ("classical", 104, "G minor", 4), ("funk", 101, "E minor", 4),
    ("hip hop", 87, "C minor", 4), ("house", 122, "F# minor", 4), ("reggae", 76, "G major", 4), ("metal", 164, "D minor", 4),
    ("lo-fi", 79, "Eb major", 4), ("synthwave", 113, "B minor", 4), ("drum and bass", 172, "C# minor", 4),
    ("folk", 118, "C major", 4),
]
MERGE_S = 0.03  # notes of a chord or a stroke are one onset


class Piece:
    """What is known of a file lies in `truth`, named as in the manifest; `mono` is at 44.1 kHz."""

    def __init__(self, name, group, mono, truth, samples, rate_hz):
        self.name, self.group, self.mono, self.truth = name, group, mono, truth
        self.samples, self.rate_hz = samples, rate_hz
        self.beats = np.array(truth.get("beat_times", []))
        self.onsets = self._onsets()

    def _onsets(self):
        """Those given, else the beginnings of the notes. A tiled loop's are not judged."""
        if self.truth.get("tile_for_tempo"):
            return np.array([])
        given = self.truth.get("onset_times") or [note["onset"] for note in self.truth.get("notes", [])]
        kept = []
        for time in sorted(given):
            if not kept or time - kept[-1] > MERGE_S:
                kept.append(time)
        return np.array(kept) if "onset_times" not in self.truth else np.array(sorted(given))


def _mono_at_44100(audio):
    if audio.rate_hz != RATE_HZ:
        audio = audio.resample(RATE_HZ)
    return np.ascontiguousarray(np.asarray(audio.samples).mean(axis=0), dtype=np.float32)


def _tiled(mono, truth):
    """Loops are repeated to at least 20 s before anything is judged; their beats go on."""
    length = len(mono) / RATE_HZ
    times = int(np.ceil(20 / length))
    beats = np.array(truth["beat_times"]) if "beat_times" in truth else np.arange(truth["beats_in_file"]) * length / truth["beats_in_file"]
    every = np.concatenate([beats + k * length for k in range(times)])
    return np.tile(mono, times), dict(truth, beat_times=list(every))


def recordings(shared, every=1):
    """The shared files that can be read and whose truth speaks of music or levels. Groups: recordings, synthetic, levels."""
    pieces = []
    for entry in json.loads((shared / "manifest.json").read_text())["files"][::every]:
        truth = dict(entry.get("truth", {}))
        if not set(truth) - {"decode", "same_music_as"}:
            continue
        audio = grymsynth.load(str(shared / entry["file"]))
        mono = _mono_at_44100(audio)
        if truth.get("tile_for_tempo"):
            mono, truth = _tiled(mono, truth)
        group = {"real": "recordings", "rendered": "recordings", "synthetic": "synthetic"}.get(entry["kind"], "levels")
        pieces.append(Piece(entry["file"], group, mono, truth, np.asarray(audio.samples), audio.rate_hz))
    return pieces


def composed(genres, seeds, duration_s, say):
    """Rendered by our own composer, at a tempo, key and meter that it is given. Its gate hears a take with this library
    and may ask for a second one: how often it did is told, since such pieces favour our own ear."""
    pieces, second = [], 0
    for prompt, bpm, key, meter in COMPOSED[:genres]:
        for seed in range(1, seeds + 1):
            # Another seed is another tempo and key, so that no single one decides.
            tempo = bpm + 3 * (seed - 1)
            tonic, mode = key.split()
            names = ["C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B"]
            sharps = ["C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B"]
            step = (names.index(tonic) if tonic in names else sharps.index(tonic)) + 5 * (seed - 1)
            asked = f"{names[step % 12]} {mode}"
            say(f"composing {prompt} {seed}")
            result = grymsynth.generate(grymsynth.GenerateAudioRequest(
                prompt=prompt, duration_s=duration_s, seed=seed, tempo_bpm=tempo, key=asked, meter=meter))
            second += len(result.attempts) > 1
            mono = _mono_at_44100(result.audio)
            length = len(mono) / RATE_HZ
            truth = {"tempo_bpm": float(result.facts["tempo_bpm"]), "key": f"{sharps[step % 12]} {mode}",
                     "meter": int(result.facts["meter"]),
                     "beat_times": list(np.arange(0, length, 60 / float(result.facts["tempo_bpm"]))),
                     "notes": [{"onset": note.start_s} for note in result.midi.notes if note.start_s < length]}
            pieces.append(Piece(f"{prompt} {seed}", "composed", mono, truth, mono[np.newaxis, :], RATE_HZ))
    return pieces, second
