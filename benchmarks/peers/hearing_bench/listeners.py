"""One class per library, each with the same methods; what a library cannot hear it does not have.

Input is mono float32 at 44.1 kHz. Every library is used as its documentation shows it, at its own default sizes.
"""
import numpy as np

RATE_HZ = 44100
KEYS = ["C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B"]
SHARPS = {"Db": "C#", "Eb": "D#", "Gb": "F#", "Ab": "G#", "Bb": "A#", "Cb": "B", "Fb": "E"}
# Krumhansl and Kessler 1982, the profiles most used with librosa's chroma.
MAJOR = np.array([6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88])
MINOR = np.array([6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17])


def sharp(name):
    return SHARPS.get(name, name)


def changes(labels, hop_s, length_s):
    """Labels of frames as spans [(start, end, label)]."""
    spans = []
    for i, label in enumerate(labels):
        if spans and spans[-1][2] == label:
            spans[-1][1] = (i + 1) * hop_s
        else:
            spans.append([i * hop_s, (i + 1) * hop_s, label])
    if spans:
        spans[-1][1] = max(spans[-1][1], length_s)
    return [tuple(span) for span in spans]


class Once:
    """Remembers what the last piece gave, since several tasks ask for the same."""

    def __init__(self, hear):
        self.hear, self.mono, self.heard = hear, None, None

    def __call__(self, mono):
        if self.mono is not mono:
            self.mono, self.heard = mono, self.hear(mono)
        return self.heard


class Ours:
    name = "grymsynth"

    def __init__(self):
        import grymsynth
        self.module = grymsynth
        self.version = grymsynth.__version__
        self.processor = grymsynth.AudioProcessor()
        self.on_two = grymsynth.AudioProcessor(threads=2)
        self.features = Once(lambda mono: self.processor.analyze(grymsynth.Audio(mono[np.newaxis, :], RATE_HZ)))

    def tempo(self, mono):
        return {"grymsynth": self.features(mono).tempo_bpm}

    def beats(self, mono):
        return {"grymsynth": np.array(self.features(mono).beats_s)}

    def onsets(self, mono):
        return {"grymsynth": np.array(self.features(mono).onsets_s)}

    def key(self, mono):
        return {"grymsynth": self.features(mono).key}

    def meter(self, mono):
        return {"grymsynth": self.features(mono).meter}

    def tuning(self, mono):
        return {"grymsynth": self.features(mono).tuning_hz}

    def pitch(self, mono):
        pitch = self.features(mono).pitch
        return {"grymsynth": (np.array(pitch.times_s), np.array(pitch.f0_hz))}

    def chords(self, mono):
        return {"grymsynth": [(c.start_s, c.end_s, c.label) for c in self.features(mono).chords]}

    def sections(self, mono, count):
        return {"grymsynth": [section.start_s for section in self.features(mono).sections]}

    def trim(self, mono):
        features = self.features(mono)
        condition = features.condition
        return {"grymsynth": (condition.leading_silence_s, features.duration_s - condition.trailing_silence_s)}

    def loudness(self, samples, rate_hz):
        found = self.processor.analyze(self.module.Audio(np.ascontiguousarray(samples), rate_hz)).loudness
        return {"grymsynth": {"I": found.integrated_lufs, "LRA": found.range_lu, "M": found.max_momentary_lufs,
                              "S": found.max_short_term_lufs}}

    def styles(self, mono):
        found = self.processor.classify_style(self.module.Audio(mono[np.newaxis, :], RATE_HZ))
        return {"grymsynth": [genre.label for genre in found.genres[:3]]}

    def everything(self, mono):
        self.processor.analyze(self.module.Audio(mono[np.newaxis, :], RATE_HZ))

    def everything_on_two(self, mono):
        self.on_two.analyze(self.module.Audio(mono[np.newaxis, :], RATE_HZ))


class Librosa:
    """At 22.05 kHz, its default, for all but the trim."""
    name = "librosa"

    def __init__(self):
        import librosa
        self.module = librosa
        self.version = librosa.__version__
        self.low = Once(lambda mono: librosa.resample(mono, orig_sr=RATE_HZ, target_sr=22050))
        self.rhythm = Once(lambda mono: librosa.beat.beat_track(y=self.low(mono), sr=22050, units="time"))

    def tempo(self, mono):
        return {"librosa": float(np.atleast_1d(self.rhythm(mono)[0])[0])}

    def beats(self, mono):
        return {"librosa": self.rhythm(mono)[1]}

    def onsets(self, mono):
        return {"librosa": self.module.onset.onset_detect(y=self.low(mono), sr=22050, units="time")}

    def key(self, mono):
        chroma = self.module.feature.chroma_cqt(y=self.low(mono), sr=22050).mean(axis=1)
        scores = [(np.corrcoef(np.roll(profile, tonic), chroma)[0, 1], f"{KEYS[tonic]} {mode}")
                  for profile, mode in ((MAJOR, "major"), (MINOR, "minor")) for tonic in range(12)]
        return {"librosa + Krumhansl": max(scores)[1]}

    def tuning(self, mono):
        return {"librosa": 440 * 2 ** (self.module.estimate_tuning(y=self.low(mono), sr=22050) / 12)}

    def pitch(self, mono):
        y, found = self.low(mono), {}
        f0, voiced, _ = self.module.pyin(y, fmin=65, fmax=2000, sr=22050)
        times = self.module.times_like(f0, sr=22050)
        found["librosa pyin"] = (times, np.where(voiced, np.nan_to_num(f0), 0))
        f0 = self.module.yin(y, fmin=65, fmax=2000, sr=22050)
        found["librosa yin"] = (self.module.times_like(f0, sr=22050), f0)
        return found

    def sections(self, mono, count):
        y = self.low(mono)
        chroma = self.module.feature.chroma_cqt(y=y, sr=22050)
        mfcc = self.module.feature.mfcc(y=y, sr=22050)
        stacked = np.vstack([self.module.util.normalize(chroma, axis=1), self.module.util.normalize(mfcc, axis=1)])
        bounds = self.module.segment.agglomerative(stacked, count)
        return {"librosa, told the number": list(self.module.frames_to_time(bounds, sr=22050))}

    def trim(self, mono):
        _, (start, end) = self.module.effects.trim(mono, top_db=60)
        return {"librosa": (start / RATE_HZ, end / RATE_HZ)}

    def everything(self, mono):
        y = self.low(mono)
        self.module.beat.beat_track(y=y, sr=22050)
        self.module.onset.onset_detect(y=y, sr=22050)
        for feature in ("chroma_cqt", "mfcc", "spectral_contrast", "spectral_centroid"):
            getattr(self.module.feature, feature)(y=y, sr=22050)
        self.module.yin(y, fmin=65, fmax=1000, sr=22050)


class Essentia:
    name = "Essentia"

    def __init__(self):
        import essentia
        import essentia.standard as es
        essentia.log.warningActive = essentia.log.infoActive = False
        self.es = es
        self.version = essentia.__version__
        self.rhythm = Once(lambda mono: es.RhythmExtractor2013(method="multifeature")(mono))

    def tempo(self, mono):
        return {"Essentia Percival": self.es.PercivalBpmEstimator()(mono), "Essentia multifeature": self.rhythm(mono)[0]}

    def beats(self, mono):
        return {"Essentia multifeature": np.array(self.rhythm(mono)[1])}

    def onsets(self, mono):
        return {"Essentia": np.array(self.es.OnsetRate()(mono)[0])}

    def key(self, mono):
        found = {}
        for profile in ("temperley", "bgate"):
            key, scale, _ = self.es.KeyExtractor(profileType=profile)(mono)
            found[f"Essentia {profile}"] = f"{sharp(key)} {scale}"
        return found

    def tuning(self, mono):
        return {"Essentia": float(np.median(self.es.TuningFrequencyExtractor()(mono)))}

    def yinfft(self, mono):
        es = self.es
        window, spectrum = es.Windowing(type="hann", zeroPadding=0), es.Spectrum()
        pitch = es.PitchYinFFT(frameSize=2048, sampleRate=RATE_HZ)
        return [pitch(spectrum(window(frame)))[0] for frame in es.FrameGenerator(mono, frameSize=2048, hopSize=512)]

    def pitch(self, mono):
        f0, voiced, *_ = self.es.PitchYinProbabilistic(sampleRate=RATE_HZ)(mono)
        hz = np.array(self.yinfft(mono))
        return {"Essentia yinfft": (np.arange(len(hz)) * 512 / RATE_HZ, hz),
                "Essentia pYIN": (np.arange(len(f0)) * 256 / RATE_HZ, np.maximum(np.array(f0), 0))}

    def chords(self, mono):
        labels = self.es.TonalExtractor()(mono)[4]
        return {"Essentia": changes(labels, 2048 / RATE_HZ, len(mono) / RATE_HZ)}

    def loudness(self, samples, rate_hz):
        stereo = np.ascontiguousarray(np.vstack([samples, samples])[:2].T if len(samples) == 1 else samples[:2].T)
        momentary, short, integrated, span = self.es.LoudnessEBUR128(sampleRate=rate_hz)(stereo)
        found = {"LRA": span, "M": max(momentary), "S": max(short)}
        # It hears stereo alone: a mono file doubled is 3 LU louder by definition.
        less = 10 * np.log10(2) if len(samples) == 1 else 0
        return {"Essentia": {"I": integrated - less, "LRA": found["LRA"], "M": found["M"] - less, "S": found["S"] - less}}

    def everything(self, mono):
        self.es.RhythmExtractor2013(method="multifeature")(mono)
        self.es.KeyExtractor()(mono)
        self.es.PitchYinProbabilistic()(mono)
        self.es.OnsetRate()(mono)


class Aubio:
    name = "aubio"

    def __init__(self):
        import aubio
        self.module = aubio
        self.version = aubio.version
        self.rhythm = Once(self.find_rhythm)

    def blocks(self, mono, hop=512):
        for at in range(0, len(mono) - hop + 1, hop):
            yield np.ascontiguousarray(mono[at:at + hop])

    def find_rhythm(self, mono):
        tempo = self.module.tempo("default", 1024, 512, RATE_HZ)
        beats = [tempo.get_last_s() for block in self.blocks(mono) if tempo(block)]
        return float(tempo.get_bpm()), np.array(beats)

    def tempo(self, mono):
        return {"aubio": self.rhythm(mono)[0]}

    def beats(self, mono):
        return {"aubio": self.rhythm(mono)[1]}

    def onsets(self, mono):
        onset = self.module.onset("default", 1024, 512, RATE_HZ)
        return {"aubio": np.array([onset.get_last_s() for block in self.blocks(mono) if onset(block)])}

    def yinfft(self, mono):
        pitch = self.module.pitch("yinfft", 2048, 512, RATE_HZ)
        return np.array([pitch(block)[0] for block in self.blocks(mono)])

    def pitch(self, mono):
        hz = self.yinfft(mono)
        # Its window of 2048 ends with the block that it answers for.
        return {"aubio yinfft": ((np.arange(len(hz)) + 1) * 512 / RATE_HZ - 1024 / RATE_HZ, hz)}

    def everything(self, mono):
        self.find_rhythm(mono)
        self.onsets(mono)
        self.yinfft(mono)


class Sonara:
    name = "sonara"

    def __init__(self):
        from importlib.metadata import version

        import sonara
        self.module = sonara
        self.version = version("sonara")
        self.heard = Once(lambda mono: sonara.analyze_signal(mono, sr=RATE_HZ, mode="full"))

    def tempo(self, mono):
        return {"sonara": self.heard(mono)["bpm"]}

    def _times(self, frames, mono):
        hop = self.heard(mono)["provenance"]["hop_length"]
        rate = self.heard(mono)["provenance"]["sample_rate"]
        return np.array(frames, dtype=float) * hop / rate

    def beats(self, mono):
        return {"sonara": self._times(self.heard(mono)["beats"], mono)}

    def onsets(self, mono):
        return {"sonara": self._times(self.heard(mono)["onset_frames"], mono)}

    def key(self, mono):
        key, _, scale = str(self.heard(mono)["key"]).partition(" ")
        return {"sonara": f"{sharp(key)} {scale}"}

    def tuning(self, mono):
        return {"sonara": 440 * 2 ** (self.module.estimate_tuning(y=mono, sr=RATE_HZ) / 12)}

    def pitch(self, mono):
        f0, voiced, _ = self.module.pyin(mono, fmin=65, fmax=2000, sr=RATE_HZ)
        hz = np.where(voiced, np.nan_to_num(f0), 0)
        yin = np.asarray(self.module.yin(mono, fmin=65, fmax=2000, sr=RATE_HZ))
        return {"sonara pyin": (np.arange(len(hz)) * 512 / RATE_HZ, hz),
                "sonara yin": (np.arange(len(yin)) * 512 / RATE_HZ, yin)}

    def chords(self, mono):
        events = self.heard(mono)["chord_events"]
        return {"sonara": [(e["start_sec"], e["end_sec"], e["label"]) for e in events]}

    def trim(self, mono):
        start, end = self.module.trim(mono)[1]
        return {"sonara": (start / RATE_HZ, end / RATE_HZ)}

    def everything(self, mono):
        self.module.analyze_signal(mono, sr=RATE_HZ, mode="full")


class Ebur128:
    name = "pyebur128"

    def __init__(self):
        import pyebur128
        self.module = pyebur128
        self.version = pyebur128.__version__

    def measured(self, samples, rate_hz, step_frames):
        m = self.module
        mode = m.MeasurementMode
        state = m.R128State(len(samples), rate_hz, mode.MODE_I | mode.MODE_LRA | mode.MODE_TRUE_PEAK | mode.MODE_S)
        frames = np.ascontiguousarray(samples.T.astype(np.float32))
        loudest = {"M": -np.inf, "S": -np.inf}
        for at in range(0, len(frames), step_frames):
            block = frames[at:at + step_frames]
            state.add_frames(block.reshape(-1), len(block))
            if step_frames < len(frames):
                loudest["M"] = max(loudest["M"], m.get_loudness_momentary(state))
                if at + step_frames >= 3 * rate_hz:
                    loudest["S"] = max(loudest["S"], m.get_loudness_shortterm(state))
        return dict(loudest, I=m.get_loudness_global(state), LRA=m.get_loudness_range(state),
                    TP=max(m.get_true_peak(state, channel) for channel in range(len(samples))))

    def loudness(self, samples, rate_hz):
        return {"pyebur128": self.measured(samples, rate_hz, rate_hz // 10)}


LISTENERS = [Ours, Librosa, Essentia, Aubio, Sonara, Ebur128]


def make_all():
    """Those that are installed, and for the others why not: (listeners, {name: reason})."""
    made, missing = [], {}
    for kind in LISTENERS:
        try:
            made.append(kind())
        except Exception as error:  # whatever keeps a peer from being imported is told, and keeps no other one out
            missing[kind.name] = f"{type(error).__name__}: {error}"
            if kind is Ours:
                raise
    return made, missing
