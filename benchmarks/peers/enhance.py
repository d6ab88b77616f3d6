"""What Enhance mends of known damage, beside noisereduce (spectral gating, no trained weights): one table.

    python3 benchmarks/peers/enhance.py --build build/release --out out/bench/peers_enhance.json

installs the peer into an environment of its own beside the build folder, and writes the JSON and, beside it, the same
as Markdown. benchmarks/run.py does the same within the whole run.

Every music recording of the shared set (GRYM_SHARED, default ../shared) up to twelve seconds, 12 dB down so that the
limiter has nothing to do; without the set, pieces that our composer renders. Repairs alone, level 1: balance, dynamics
and stereo are taste. Loudness is kept, so what is left comes out a little louder: SNR counts that against us, SI-SDR
does not. noisereduce runs at its defaults for steady noise. "best" is the Wiener gain that knows the clean spectrum, which no gain without it reaches.
--short: three recordings, one level of each damage.
"""
import argparse
import json
import os
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]
import peer_environment  # noqa: E402

MOST_S = 12
MAINS_HZ = (50, 60)


def db(ratio):
    import numpy as np
    return 10 * float(np.log10(max(ratio, 1e-30)))


def snr_db(clean, heard):
    return db((clean ** 2).sum() / ((heard - clean) ** 2).sum()) if (heard != clean).any() else float("inf")


def si_sdr_db(clean, heard):
    """Le Roux and others 2019."""
    scale = (clean * heard).sum() / (clean ** 2).sum()
    return snr_db(scale * clean, heard)


def recordings(shared, short):
    """Name -> (samples [channels, frames] in double, rate)."""
    import grymsynth
    import numpy as np
    found = {}
    if (shared / "manifest.json").exists():
        entries = [entry for entry in json.loads((shared / "manifest.json").read_text())["files"]
                   if entry["kind"] == "real" or entry["file"].startswith("rendered/FMP")]
        for entry in entries[::6] if short else entries:
            found[entry["file"]] = grymsynth.load(str(shared / entry["file"]))
    else:
        print(f"   no recordings at {shared}: only composed pieces are heard (set GRYM_SHARED)", flush=True)
        for prompt in ("rock", "jazz", "folk"):
            request = grymsynth.GenerateAudioRequest(prompt=prompt, duration_s=8, seed=1)
            found[prompt] = grymsynth.generate(request).audio
    return {name: (0.25 * np.asarray(audio.samples, dtype=np.float64)[:, :MOST_S * audio.rate_hz], audio.rate_hz)
            for name, audio in found.items()}


def coloured(kind, shape, rate_hz, seed):
    """White, or falling by 3 (pink) or 6 dB (brown) an octave above 20 Hz."""
    import numpy as np
    white = np.random.default_rng(seed).standard_normal(shape)
    if kind == "white":
        return white
    spectrum = np.fft.rfft(white)
    hz = np.maximum(np.fft.rfftfreq(shape[1], 1 / rate_hz), 20)
    return np.fft.irfft(spectrum * hz ** (-0.5 if kind == "pink" else -1.0), shape[1])


def with_noise(clean, noise, level_db):
    import numpy as np
    return clean + noise * np.sqrt((clean ** 2).mean() / (noise ** 2).mean() / 10 ** (level_db / 10))


def mend(samples, rate_hz, **params):
    import grymsynth
    import numpy as np
    taste = dict(balance=False, dynamics=False, stereo=False)
    audio = grymsynth.Audio(np.ascontiguousarray(samples, dtype=np.float32), rate_hz)
    enhanced = grymsynth.AudioProcessor().enhance(audio, grymsynth.EnhanceParams(level=1, **taste, **params))
    return np.asarray(enhanced.audio.samples, dtype=np.float64), enhanced.stages


def noisereduce(samples, rate_hz):
    import noisereduce as peer
    return peer.reduce_noise(y=samples, sr=rate_hz, stationary=True)


def best_gain(clean, noisy, size=2048):
    """Wiener gain in a frame and a bin from the true powers of both, Hann analysis and synthesis at a quarter hop."""
    import numpy as np
    hop, length = size // 4, clean.shape[1]
    window = np.sqrt(np.hanning(size + 1)[:-1])
    pads = ((0, 0), (size, 2 * size))
    frames = np.arange(0, length + size, hop)[:, None] + np.arange(size)
    spectra = [np.fft.rfft(np.pad(x, pads)[:, frames] * window) for x in (clean, noisy)]
    power = (np.abs(spectra[0]) ** 2).mean(0)
    # The noise's own spectrum, so that the bound holds for every colour.
    noise = (np.abs(spectra[1] - spectra[0]) ** 2).mean((0, 1))
    out = np.zeros((clean.shape[0], length + 3 * size))
    for t, frame in enumerate(np.fft.irfft(spectra[1] * (power / (power + noise + 1e-30)))
                              .transpose(1, 0, 2)):
        out[:, t * hop:t * hop + size] += 0.5 * frame * window
    return out[:, size:size + length]


def summary(values):
    return f"{sum(values) / len(values):.1f}", f"{min(values):.1f}"


def noise_rows(pieces, short):
    rows = []
    cases = [("white", 1, 10)] if short else [(kind, seed, level) for kind, seed in
                                              (("white", 1), ("white", 2), ("pink", 1), ("brown", 1)) for level in (5, 10, 20)]
    for kind, seed, level in cases:
        who = {"grymsynth": [], "noisereduce": [], "best": []}
        snr = {name: [] for name in who}
        for clean, rate_hz in pieces.values():
            noisy = with_noise(clean, coloured(kind, clean.shape, rate_hz, seed), level)
            for name, heard in (("grymsynth", mend(noisy, rate_hz)[0]), ("noisereduce", noisereduce(noisy, rate_hz)),
                                ("best", best_gain(clean, noisy))):
                who[name].append(si_sdr_db(clean, heard) - si_sdr_db(clean, noisy))
                snr[name].append(snr_db(clean, heard) - snr_db(clean, noisy))
        rows.append({"kind": kind, "seed": seed, "level_db": level, "pieces": list(pieces), "si_sdr": who, "snr": snr})
        print(f"   noise: {kind} {seed} at {level} dB", flush=True)
    return rows


def line_db(samples, rate_hz, hz):
    import numpy as np
    n = np.arange(samples.shape[1])
    wave = np.exp(-2j * np.pi * hz * n / rate_hz) * np.hanning(len(n))
    return db(np.abs(samples @ wave).mean() ** 2)


def hum_rows(pieces, short):
    """Eight multiples falling as 1/k, 10 dB below the music. Removed: what is left of it, at the lines, against what
    was added. Neighbours: tones 3 Hz beside each of the first four multiples, in the music before the hum came."""
    import numpy as np
    rows = []
    for mains in MAINS_HZ[:1] if short else MAINS_HZ:
        removed, neighbours, si = [], [], []
        for clean, rate_hz in pieces.values():
            if clean.shape[1] < 3 * rate_hz:
                continue  # too short to tell hum from a bass note; nothing is touched there
            t = np.arange(clean.shape[1]) / rate_hz
            near = [k * mains + away for k in range(1, 5) for away in (-3, 3)]
            clean = clean + 0.1 * np.sqrt((clean ** 2).mean()) * sum(np.sin(2 * np.pi * hz * t + hz) for hz in near)
            hum = sum(np.sin(2 * np.pi * (mains + 0.02) * k * t + k) / k for k in range(1, 9))[None] * np.ones_like(clean)
            humming = with_noise(clean, hum, 10)
            mended, _ = mend(humming, rate_hz)
            mended = mended * (mended * humming).sum() / (mended * mended).sum()  # loudness is kept: less hum, more gain
            before = [line_db(humming - clean, rate_hz, (mains + 0.02) * k) for k in range(1, 9)]
            after = [line_db(mended - clean, rate_hz, (mains + 0.02) * k) for k in range(1, 9)]
            removed.append(db(sum(10 ** (x / 10) for x in before)) - db(sum(10 ** (x / 10) for x in after)))
            neighbours.append(max(abs(line_db(mended, rate_hz, hz) - line_db(humming, rate_hz, hz)) for hz in near))
            si.append(si_sdr_db(clean, mended) - si_sdr_db(clean, humming))
        rows.append({"mains_hz": mains, "removed_db": removed, "neighbours_db": neighbours, "si_sdr": si})
    return rows


def clipping_rows(pieces, short):
    import numpy as np
    rows = []
    for below in (6,) if short else (3, 6, 9, 12):
        gains = []
        for clean, rate_hz in pieces.values():
            level = np.abs(clean).max() * 10 ** (-below / 20)
            clipped = np.clip(clean, -level, level)
            gains.append(si_sdr_db(clean, mend(clipped, rate_hz)[0]) - si_sdr_db(clean, clipped))
        rows.append({"below_peak_db": below, "si_sdr": gains})
    return rows


def true_peak_db(samples):
    """Four times more samples by a windowed sinc of 48 taps a phase. The meter of ITU-R BS.1770-4, which the limiter
    obeys, has 12 taps a phase and reads less of what lies near half the rate."""
    import numpy as np
    n = np.arange(-24, 24)
    peak = np.abs(samples).max()
    for phase in (0.25, 0.5, 0.75):
        taps = np.sinc(n + phase) * np.cos(np.pi * (n + phase) / 49) ** 2
        taps /= taps.sum()
        peak = max(peak, max(np.abs(np.convolve(channel, taps)).max() for channel in samples))
    return 2 * db(peak)


def clean_and_peaks(pieces):
    changes, over = {}, {}
    for name, (clean, rate_hz) in pieces.items():
        heard, stages = mend(clean, rate_hz)
        changes[name] = {"change_db": -snr_db(clean, heard), "stages": [stage.name for stage in stages if stage.applied]}
        loud = clean / abs(clean).max() * 1.5
        for target in (-1.0, -6.0):
            over[f"{name} {target:g}"] = true_peak_db(mend(loud, rate_hz, true_peak_dbtp=target)[0]) - target
    return changes, over


def markdown(result):
    count = result["count"]
    lines = [f"{count} recordings; gain in dB, mean (least). {result['versions']}", "",
             "| damage | ours, SI-SDR | ours, SNR | noisereduce, SI-SDR | best, SI-SDR | ours at least 6 dB |",
             "|---|---:|---:|---:|---:|---:|"]
    for row in result["noise"]:
        ours, snr, peer, best = (summary(v) for v in (row["si_sdr"]["grymsynth"], row["snr"]["grymsynth"],
                                                      row["si_sdr"]["noisereduce"], row["si_sdr"]["best"]))
        six = sum(value >= 6 for value in row["si_sdr"]["grymsynth"])
        lines.append(f"| {row['kind']} noise {row['seed']}, {row['level_db']} dB | {ours[0]} ({ours[1]}) | {snr[0]} ({snr[1]}) "
                     f"| {peer[0]} ({peer[1]}) | {best[0]} ({best[1]}) | {six} of {count} |")
    for row in result["clipping"]:
        mean, least = summary(row["si_sdr"])
        lines.append(f"| clipped {row['below_peak_db']} dB below the peak | {mean} ({least}) | | | | |")
    lines += ["", "| else | figure |", "|---|---:|"]
    for row in result["hum"]:
        if not row["removed_db"]:
            continue
        mean, least = summary(row["removed_db"])
        lines.append(f"| hum of {row['mains_hz']} Hz and multiples removed, dB, {len(row['removed_db'])} recordings | {mean} ({least}) |")
        lines.append(f"| largest change of its neighbours at 3 Hz, dB | {max(row['neighbours_db']):.2f} |")
    changed = {name: row for name, row in result["clean"].items() if row["change_db"] > -60}
    lines.append(f"| clean recordings changed by more than -60 dB | {len(changed)} of {count} |")
    lines += [f"| … {name}: {', '.join(row['stages'])} | {row['change_db']:.0f} dB |" for name, row in changed.items()]
    lines.append(f"| true peak over its target, largest, dB, by four times as many taps as BS.1770's | {max(result['over_target_db'].values()):.3f} |")
    lines.append(f"| a minute of noisy stereo, seconds: ours, noisereduce | {result['seconds'][0]:.2f}, {result['seconds'][1]:.2f} |")
    return "\n".join(lines) + "\n"


def minute_seconds(short):
    import numpy as np
    noise = 0.05 * np.random.default_rng(3).standard_normal((2, 44100 * (5 if short else 60)))
    times = []
    for work in (mend, noisereduce):
        started = time.perf_counter()
        work(noise, 44100)
        times.append((time.perf_counter() - started) * (12 if short else 1))
    return times


def compare(out, short):
    import importlib.metadata
    import grymsynth
    shared = Path(os.environ.get("GRYM_SHARED", HERE.parents[2] / "shared")) / "audio"
    pieces = recordings(shared, short)
    clean, over = clean_and_peaks(pieces)
    result = {"versions": f"grymsynth {grymsynth.__version__}, noisereduce {importlib.metadata.version('noisereduce')}",
              "count": len(pieces), "clean": clean, "over_target_db": over, "noise": noise_rows(pieces, short),
              "hum": hum_rows(pieces, short), "clipping": clipping_rows(pieces, short), "seconds": minute_seconds(short)}
    result["rows"] = [{"work": "a minute of noisy stereo", "ours": result["seconds"][0], "peer": result["seconds"][1],
                       "unit": "s", "by": "noisereduce"}]
    result["markdown"] = markdown(result)
    out.write_text(json.dumps(result, indent=1))
    out.with_suffix(".md").write_text(result["markdown"])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=Path, default=HERE.parents[1] / "build" / "release")
    parser.add_argument("--out", type=Path, default=Path("peers_enhance.json"))
    parser.add_argument("--short", action="store_true")
    args = parser.parse_args()
    if Path(sys.prefix).resolve() != peer_environment.folder_of(args.build, "enhance"):
        python = peer_environment.make(args.build, "enhance")
        if python is None:
            return "the peers of enhance cannot be installed here"
        command = [str(python), str(Path(__file__).resolve()), *sys.argv[1:]]
        os.execve(command[0], command, peer_environment.environment(args.build))
    args.out.parent.mkdir(parents=True, exist_ok=True)
    return compare(args.out, args.short)


if __name__ == "__main__":
    sys.exit(main())
