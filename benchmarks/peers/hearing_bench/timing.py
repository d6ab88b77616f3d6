"""Times, one thread, on one file. Ours come from benchmarks/hearing_parts_benchmark, which hears the same file, and from
the public call where the whole analysis is timed."""
import json
import os
import subprocess
import time

import numpy as np

RATE_HZ = 44100


SLOW_S = 5  # what takes longer is not asked again


def best_ms(call, repeats):
    """The first call, which compiles and fills caches in some, does not count unless it is the only one."""
    times = []
    while len(times) <= (repeats if repeats > 1 else 0):
        started = time.perf_counter()
        call()
        times.append(time.perf_counter() - started)
        if len(times) > 1 and times[-1] > SLOW_S:
            break
    return 1000 * min(times[1:] or times)


def of_parts(build, wav, out, short):
    """{benchmark name: best ms} of what the C++ program measures on `wav`."""
    program = build / "benchmarks" / "hearing_parts_benchmark"
    result = out / "hearing_parts.json"
    command = [str(program), "--benchmark_filter=_FromAudio", f"--benchmark_out={result}", "--benchmark_out_format=json",
               f"--benchmark_repetitions={1 if short else 3}", f"--benchmark_min_time={0.01 if short else 0.3}"]
    env = dict(os.environ, GRYM_BENCH_AUDIO=str(wav), GRYM_BENCH_SHORT="1" if short else "")
    subprocess.run(command, check=True, env=env, stdout=subprocess.DEVNULL)
    best = {}
    for bench in json.loads(result.read_text())["benchmarks"]:
        if bench.get("run_type", "iteration") == "iteration":
            name = bench["name"].split("/repeats")[0]
            best[name] = min(best.get(name, np.inf), bench["real_time"])
    return best


def _essentia_frames(essentia, mono, last):
    es = essentia.es
    window, spectrum, bands = es.Windowing(type="hann"), es.Spectrum(), last()
    for frame in es.FrameGenerator(mono, frameSize=2048, hopSize=512):
        bands(spectrum(window(frame)))


def _ours(parts, name):
    return ("grymsynth", parts.get(name))


def tasks(by_name, mono, parts, short):
    """[(work, [(who, call or known ms, the same on two threads if it can)])]: each library's calls for the same work."""
    get = by_name.get
    librosa, essentia, aubio, sonara, ebur, ours = (get(n) for n in ("librosa", "Essentia", "aubio", "sonara", "pyebur128",
                                                                     "grymsynth"))
    try:
        import soxr
    except ImportError:  # told as missing by peer_environment
        soxr = None
    low = librosa.low(mono) if librosa else None
    stereo_less = mono[np.newaxis, :]

    def peer(listener, who, call):
        return [(who, call)] if listener else []

    lib = librosa.module if librosa else None
    son = sonara.module if sonara else None
    es = essentia.es if essentia else None
    work = [
        ("mel, 128 bands", [_ours(parts, "BM_Dsp_Mel128_FromAudio"),
            *peer(sonara, "sonara", lambda: son.melspectrogram(y=mono, sr=RATE_HZ, n_mels=128)),
            *peer(librosa, "librosa", lambda: lib.feature.melspectrogram(y=mono, sr=RATE_HZ, n_mels=128)),
            *peer(essentia, "Essentia", lambda: _essentia_frames(
                essentia, mono, lambda: es.MelBands(numberBands=128, highFrequencyBound=22050)))]),
        ("MFCC, 20", [_ours(parts, "BM_Dsp_Mfcc_FromAudio"),
            *peer(sonara, "sonara", lambda: son.mfcc(y=mono, sr=RATE_HZ)),
            *peer(librosa, "librosa", lambda: lib.feature.mfcc(y=mono, sr=RATE_HZ)),
            *peer(essentia, "Essentia", lambda: _essentia_frames(
                essentia, mono, lambda: es.MFCC(numberBands=128, numberCoefficients=20, highFrequencyBound=22050)))]),
        ("onsets", [_ours(parts, "BM_Analysis_Onsets_FromAudio"),
            *peer(sonara, "sonara", lambda: son.onset_detect(y=mono, sr=RATE_HZ)),
            *peer(aubio, "aubio", lambda: aubio.onsets(mono)),
            *peer(librosa, "librosa (22.05 kHz)", lambda: lib.onset.onset_detect(y=low, sr=22050)),
            *peer(essentia, "Essentia", lambda: essentia.onsets(mono))]),
        ("tempo and beats", [_ours(parts, "BM_Analysis_TempoBeats_FromAudio"),
            *peer(essentia, "Essentia multifeature", lambda: es.RhythmExtractor2013(method="multifeature")(mono)),
            *peer(essentia, "Essentia Percival, tempo alone", lambda: es.PercivalBpmEstimator()(mono)),
            *peer(sonara, "sonara", lambda: son.beat_track(y=mono, sr=RATE_HZ)),
            *peer(aubio, "aubio", lambda: aubio.find_rhythm(mono)),
            *peer(librosa, "librosa (22.05 kHz)", lambda: lib.beat.beat_track(y=low, sr=22050))]),
        ("key and chroma", [_ours(parts, "BM_Analysis_KeyChroma_FromAudio"),
            *peer(essentia, "Essentia", lambda: es.KeyExtractor(profileType="temperley")(mono)),
            *peer(sonara, "sonara, chroma alone", lambda: son.chroma_stft(y=mono, sr=RATE_HZ)),
            *peer(librosa, "librosa, chroma alone (22.05 kHz)", lambda: lib.feature.chroma_cqt(y=low, sr=22050))]),
        # Without sonara's yin, which was still at work on 60 s after minutes.
        ("pitch, YIN", [("grymsynth (pYIN)", parts.get("BM_Analysis_Pitch_FromAudio")),
            *peer(essentia, "Essentia yinfft", lambda: essentia.yinfft(mono)),
            *peer(aubio, "aubio yinfft", lambda: aubio.yinfft(mono)),
            *peer(librosa, "librosa yin (22.05 kHz)", lambda: lib.yin(low, fmin=65, fmax=2000, sr=22050))]),
        ("pitch, pYIN", [_ours(parts, "BM_Analysis_Pitch_FromAudio"),
            *peer(essentia, "Essentia", lambda: es.PitchYinProbabilistic(sampleRate=RATE_HZ)(mono))]),
        ("loudness, range, true peak", [_ours(parts, "BM_Analysis_Loudness_FromAudio"),
            *peer(ebur, "libebur128", lambda: ebur.measured(stereo_less, RATE_HZ, len(mono))),
            *peer(essentia, "Essentia, stereo, no true peak", lambda: essentia.loudness(stereo_less, RATE_HZ))]),
        ("sections", [_ours(parts, "BM_Analysis_Sections_FromAudio/s:60"),
            *peer(librosa, "librosa, told the number (22.05 kHz)", lambda: librosa.sections(mono, 8))]),
        ("resample to 16 kHz", [("grymsynth, best", parts.get("BM_Audio_Resample_FromAudio/quality:0")),
            ("grymsynth, libsamplerate best", parts.get("BM_Audio_Resample_FromAudio/quality:3")),
            *peer(soxr, "soxr VHQ", lambda: soxr.resample(mono, RATE_HZ, 16000, quality="VHQ"))]),
        ("analyse, everything", [("grymsynth", lambda: ours.everything(mono), lambda: ours.everything_on_two(mono)),
            *[(f"{p.name} (less in it)", (lambda p=p: p.everything(mono))) for p in (sonara, librosa, essentia, aubio) if p]]),
    ]
    if not short and librosa:
        dict(work)["pitch, pYIN"].append(("librosa (22.05 kHz)", lambda: lib.pyin(low, fmin=65, fmax=2000, sr=22050)))
    if "BM_Analysis_Sections_FromAudio/s:600" in parts:
        work.append(("sections of 600 s", [_ours(parts, "BM_Analysis_Sections_FromAudio/s:600")]))
    return work


def measure(by_name, mono, parts, short, say):
    """Rows, and a note of every call that failed."""
    rows, failures = [], []
    for work, entries in tasks(by_name, mono, parts, short):
        for who, call, *on_two in entries:
            say(f"{work}: {who}")
            try:
                ms = best_ms(call, 1 if short else 3) if callable(call) else call
                two = best_ms(on_two[0], 1 if short else 3) if on_two else None
            except Exception as error:
                failures.append(f"{who}, {work}: {type(error).__name__}: {error}")
                continue
            if ms is None:
                failures.append(f"{who}, {work}: not measured")
                continue
            rows.append({"work": work, "who": who, "ms": ms, "ms_two_threads": two})
    return rows, failures
