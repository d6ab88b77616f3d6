"""Our native models beside transformers and diffusers: one process, one LibTorch, the same checkpoints.

    python3 benchmarks/peers/models.py --build build/release --out out/bench/peers_models.json [--threads 2]

Checkpoints have the published models' shapes and seeded random weights; the scripts that make them are looked for in
GRYM_SHARED/fixtures (default ../shared). Each row is the best of several runs, ours and theirs in turn, both in float32
or both in bfloat16; ours in bfloat16x3, where the CPU has units for it, stands beside theirs in float32. `agreement` is
the signal to noise ratio in dB against the reference's float32 result: ours, and in bfloat16 the reference's own.
--short: tiny checkpoints, each once.
"""
import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent)]
import peer_environment  # noqa: E402

PROMPT = "a dog barks twice in the distance while rain falls"


def snr_db(ours, theirs):
    import numpy as np
    a, b = np.asarray(ours, np.float64).ravel(), np.asarray(theirs, np.float64).ravel()
    count = min(a.size, b.size)
    error = ((a[:count] - b[:count]) ** 2).sum()
    return float(10 * np.log10((b[:count] ** 2).sum() / max(error, 1e-300)))


def timed(work):
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result


class Bench:
    def __init__(self, folder, fixtures, short, threads=2):
        self.folder, self.fixtures, self.short, self.threads = folder, fixtures, short, threads
        self.rows, self.times = [], 1 if short else 3
        self.exact = {}  # the reference's float32 results by job

    def checkpoint(self, preset):
        path = self.folder / preset
        if not path.exists():
            print(f"   making {preset}", flush=True)
            part = Path(f"{path}.part")
            subprocess.run([sys.executable, str(self.fixtures / "make_checkpoint.py"), preset, str(part)], check=True,
                           stdout=subprocess.DEVNULL)
            part.rename(path)
        return path

    def both(self, ours, theirs):
        """Best times and last results, in turn so that both meet the same machine."""
        best = [float("inf"), float("inf")]
        results = [None, None]
        for _ in range(self.times + 1):  # the first one warms up
            for i, work in enumerate((ours, theirs)):
                seconds, results[i] = timed(work)
                best[i] = min(best[i], seconds)
        return best, results

    def row(self, job, dtype, seconds, results=None):
        row = {"job": job, "dtype": dtype, "ours_s": seconds[0], "peer_s": seconds[1], "ratio": seconds[1] / seconds[0],
               "agreement_db": None, "peer_agreement_db": None}
        if results:
            exact = self.exact.setdefault(job, results[1])
            row["agreement_db"] = snr_db(results[0], exact)
            row["peer_agreement_db"] = snr_db(results[1], exact) if dtype == "bfloat16" else None
        self.rows.append(row)
        print(f"   {job}, {dtype}: {seconds[0]:.3f} s, theirs {seconds[1]:.3f} s", flush=True)


def peer_number(dtype):
    """The reference's type beside ours."""
    import torch
    return torch.bfloat16 if dtype == "bfloat16" else torch.float32


def offered(bench, dtype):
    import grymsynth
    try:
        grymsynth.Model.open(bench.checkpoint("wav2vec2-tiny"), device="cpu", dtype=dtype)
    except grymsynth.Error as error:
        if error.code != "unsupported_dtype":
            raise
        print(f"   no {dtype} here", flush=True)
        return False
    return True


def sound(seconds, rate):
    import numpy as np
    t = np.arange(int(seconds * rate)) / rate
    noise = np.random.default_rng(7).standard_normal(t.size)
    return (0.3 * np.sin(2 * np.pi * (110 * t + 40 * t * t)) + 0.05 * noise).astype(np.float32)


def wav2vec2(bench, dtype):
    import grymsynth
    import torch
    from transformers import Wav2Vec2FeatureExtractor, Wav2Vec2Model
    seconds = 2 if bench.short else 10
    folder = bench.checkpoint("wav2vec2-tiny" if bench.short else "wav2vec2-base")
    audio = sound(seconds, 16000)
    model = grymsynth.Model.open(folder, device="cpu", dtype=dtype)
    number = peer_number(dtype)
    peer = Wav2Vec2Model.from_pretrained(folder).eval().to(number)
    extractor = Wav2Vec2FeatureExtractor.from_pretrained(folder)
    heard = grymsynth.Audio(audio[None], 16000)

    def theirs():
        with torch.inference_mode():
            values = extractor(audio, sampling_rate=16000, return_tensors="pt").input_values
            return peer(values.to(number), output_hidden_states=True).hidden_states
    best, (ours, reference) = bench.both(lambda: model.hidden_states(heard), theirs)
    bench.row(f"{folder.name}, {seconds} s, every layer", dtype, best, (ours[-1], reference[-1].float().numpy()))


def clap(bench, dtype):
    import grymsynth
    import numpy as np
    import torch
    from transformers import AutoTokenizer, ClapFeatureExtractor, ClapModel
    folder, audio = bench.checkpoint("clap-tiny" if bench.short else "clap"), sound(10, 48000)
    model = grymsynth.Model.open(folder, device="cpu", dtype=dtype)
    number = peer_number(dtype)
    peer, extractor = ClapModel.from_pretrained(folder).eval().to(number), ClapFeatureExtractor.from_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    heard = grymsynth.Audio(audio[None], 48000)

    def unit(found):
        row = getattr(found, "pooler_output", found).float().numpy()[0]
        return row / np.linalg.norm(row)

    def their_audio():
        with torch.inference_mode():
            values = extractor(audio, sampling_rate=48000, return_tensors="pt")
            values["input_features"] = values["input_features"].to(number)
            return unit(peer.get_audio_features(**values))

    def their_text():
        with torch.inference_mode():
            return unit(peer.get_text_features(**tokenizer(PROMPT, return_tensors="pt")))
    best, results = bench.both(lambda: model.embed_audio(heard), their_audio)
    bench.row(f"{folder.name}, audio of 10 s with its features", dtype, best, results)
    best, results = bench.both(lambda: model.embed_text(PROMPT), their_text)
    bench.row(f"{folder.name}, text of {len(tokenizer(PROMPT).input_ids)} tokens", dtype, best, results)


class Stages:
    """How long each part of diffusers' pipeline takes, by hooks around its calls."""

    def __init__(self, pipeline):
        self.seconds = {}
        for name, owner, method in (("text_encoder", pipeline, "_encode_prompt"), ("unet", pipeline.unet, "forward"),
                                    ("vae", pipeline.vae, "decode"), ("vocoder", pipeline.vocoder, "forward")):
            self.wrap(name, owner, method)

    def wrap(self, name, owner, method):
        original = getattr(owner, method)

        def around(*args, **kwargs):
            seconds, result = timed(lambda: original(*args, **kwargs))
            self.seconds[name] = self.seconds.get(name, 0) + seconds
            return result
        setattr(owner, method, around)


def audioldm(bench, dtype):
    import grymsynth
    import torch
    from diffusers import AudioLDMPipeline
    folder = bench.checkpoint("audioldm-tiny" if bench.short else "audioldm-s")
    seconds = 5.12
    opening, pipeline = timed(lambda: AudioLDMPipeline.from_pretrained(folder, torch_dtype=peer_number(dtype)))
    pipeline.set_progress_bar_config(disable=True)
    pipeline.unet.to(memory_format=torch.channels_last)   # the reference's best setting here
    pipeline.vae.to(memory_format=torch.channels_last)
    stages = Stages(pipeline)
    model = grymsynth.Model.open(folder, device="cpu", dtype=dtype)
    request = grymsynth.GenerateAudioRequest(prompt=PROMPT, duration_s=seconds, seed=0, steps=10, guidance=2.5)
    first, _ = timed(lambda: model.generate(request, raw=True))
    their_stages, our_stages = {}, {}

    def keep(best, found):
        for name, value in found.items():
            best[name] = min(best.get(name, float("inf")), value)

    def ours():
        made = model.generate(request, raw=True)
        keep(our_stages, made.timings_s)
        return made

    def theirs():
        stages.seconds.clear()
        with torch.inference_mode():
            audio = pipeline(PROMPT, audio_length_in_s=seconds, num_inference_steps=10, guidance_scale=2.5,
                             generator=torch.Generator().manual_seed(0), output_type="pt").audios
        keep(their_stages, stages.seconds)
        return audio.float()
    best, (made, reference) = bench.both(ours, theirs)
    # A text is encoded once for a model, so the time of encoding is that of texts that it does not know yet.
    our_stages.pop("text_encoder")
    for i in range(bench.times + 1):
        new = grymsynth.GenerateAudioRequest(prompt=f"{PROMPT} {i}", negative_prompt=f"noise {i}", duration_s=0.32, seed=0,
                                             steps=1, guidance=2.5)
        keep(our_stages, {"text_encoder": model.generate(new, raw=True).timings_s["text_encoder"]})
    for name in ("text_encoder", "unet", "vae", "vocoder"):
        bench.row(f"{folder.name}, 5.12 s, 10 steps: {name}", dtype, (our_stages[name], their_stages[name]))
    bench.row(f"{folder.name}, 5.12 s, 10 steps: whole", dtype, best, (made.audio.samples, reference))
    plan = model.plan(request)
    return {"planned_peak_bytes": plan["peakBytes"], "measured_peak_bytes": made.peak_bytes,
            "first_take_s": first, "peer_loading_s": opening}


def first_results(bench, build):
    """Seconds from the start of a process to its first result, loading included; the best of several, disk caches warm."""
    program, rows = build / "benchmarks" / "first_result", []
    for preset in ("wav2vec2-tiny", "clap-tiny") if bench.short else ("wav2vec2-base", "clap", "audioldm-s"):
        folder, best = bench.checkpoint(preset), None
        for _ in range(bench.times + 1):
            done = subprocess.run([str(program), str(folder), repr(time.monotonic())], check=True, text=True,
                                  stdout=subprocess.PIPE, env=dict(os.environ, OMP_NUM_THREADS=str(bench.threads)))
            found = json.loads(done.stdout)
            best = min(best or found, found, key=lambda row: row["first_result_s"])
        rows.append({"checkpoint": preset, **best})
        print(f"   {preset}: first result after {best['first_result_s']:.2f} s", flush=True)
    return rows


def steps(bench):
    """How near fewer steps come to a result of 200, by the folder's own DDIM and by DPM-Solver++."""
    import grymsynth
    folder = bench.checkpoint("audioldm-tiny" if bench.short else "audioldm-s")
    model = grymsynth.Model.open(folder, device="cpu")
    rows = []
    for solver in ("checkpoint", "dpmsolver++"):
        def make(count):
            return timed(lambda: model.generate(grymsynth.GenerateAudioRequest(
                prompt=PROMPT, duration_s=1.28, seed=0, steps=count, guidance=2.5, parameters={"solver": solver}), raw=True))
        _, reference = make(40 if bench.short else 200)
        for count in (10, 15, 20, 25, 30):
            seconds, made = make(count)
            rows.append({"solver": solver, "steps": count, "seconds": seconds,
                         "to_200_steps_db": snr_db(made.audio.samples, reference.audio.samples)})
    return rows


TIERS = ("float32", "bfloat16x3", "bfloat16", "float16", "int8", "int4")


def tiers(bench):
    """What fewer bits cost and save: each tier against our own float32 on the same checkpoint."""
    import grymsynth
    import numpy as np
    short = bench.short

    def audio(preset, rate, seconds=2 if short else 10):
        heard = grymsynth.Audio(sound(seconds, rate)[None], rate)
        return preset, lambda model: np.asarray(model.embed_audio(heard))
    request = grymsynth.GenerateAudioRequest(prompt=PROMPT, duration_s=1.28 if short else 5.12, seed=0,
                                             steps=2 if short else 10, guidance=2.5)
    jobs = {
        "wav2vec2, pooled": audio("wav2vec2-tiny" if short else "wav2vec2-base", 16000),
        "CLAP, audio": audio("clap-tiny" if short else "clap", 48000),
        "CLAP, text": ("clap-tiny" if short else "clap", lambda model: np.asarray(model.embed_text(PROMPT))),
        "AudioLDM, waveform": ("audioldm-tiny" if short else "audioldm-s",
                               lambda model: np.asarray(model.generate(request, raw=True).audio.samples)),
    }
    rows = []
    for job, (preset, work) in jobs.items():
        folder, exact = bench.checkpoint(preset), None
        for dtype in filter(lambda tier: offered(bench, tier), TIERS):
            model = grymsynth.Model.open(folder, device="cpu", dtype=dtype)
            first, made = timed(lambda: work(model))
            seconds = min(timed(lambda: work(model))[0] for _ in range(1 if short or "waveform" in job else 3))
            exact = made if exact is None else exact
            a, b = made.astype(np.float64).ravel(), exact.astype(np.float64).ravel()
            rows.append({"job": f"{job} ({folder.name})", "dtype": dtype, "weights_bytes": model.info.weights_bytes,
                         "first_s": first, "seconds": seconds,
                         "cosine": float(a @ b / max(np.sqrt((a @ a) * (b @ b)), 1e-300)),
                         "snr_db": None if dtype == "float32" else snr_db(made, exact)})
            print(f"   {job}, {dtype}: {seconds:.3f} s, cosine {rows[-1]['cosine']:.6f}", flush=True)
    return rows


def markdown(result):
    versions = ", ".join(f"{name} {version}" for name, version in result["versions"].items())
    lines = [f"Native models beside the reference, {result['threads']} threads ({versions})", "",
             "| job | numbers | grymsynth | reference | times as fast | agreement with its float32 | its own |",
             "|---|---|---:|---:|---:|---:|---:|"]
    for row in result["rows"]:
        agreement, own = ("" if row[name] is None else f"{row[name]:.0f} dB"
                          for name in ("agreement_db", "peer_agreement_db"))
        lines.append(f"| {row['job']} | {row['dtype']} | {row['ours_s']:.3f} s | {row['peer_s']:.3f} s | "
                     f"{row['ratio']:.2f} | {agreement} | {own} |")
    lines += ["", "| solver | steps | time | signal to noise against 200 steps |", "|---|---:|---:|---:|"]
    for row in result["steps"]:
        lines.append(f"| {row['solver']} | {row['steps']} | {row['seconds']:.2f} s | {row['to_200_steps_db']:.1f} dB |")
    lines += ["", "| model, distance to its own float32 | weights in | bytes | first | again | cosine | signal to noise |",
              "|---|---|---:|---:|---:|---:|---:|"]
    for row in result["tiers"]:
        noise = "" if row["snr_db"] is None else f"{row['snr_db']:.1f} dB"
        lines.append(f"| {row['job']} | {row['dtype']} | {row['weights_bytes'] / 1e6:.1f} MB | {row['first_s']:.2f} s | "
                     f"{row['seconds']:.3f} s | {row['cosine']:.6f} | {noise} |")
    lines += ["", "| from process start, disk caches warm | libraries loaded | folder open | first result | second |",
              "|---|---:|---:|---:|---:|"]
    for row in result["first_results"]:
        lines.append(f"| {row['checkpoint']} | " + " | ".join(
            f"{row[name]:.2f} s" for name in ("main_s", "open_s", "first_result_s", "second_result_s")) + " |")
    for dtype, memory in result["audioldm"].items():
        lines += ["", f"AudioLDM in {dtype}: planned {memory['planned_peak_bytes'] / 2**20:.1f} MiB at most, measured "
                  f"{memory['measured_peak_bytes'] / 2**20:.1f}; first take, loading included, "
                  f"{memory['first_take_s']:.2f} s (the reference loads in {memory['peer_loading_s']:.2f} s)."]
    return "\n".join(lines) + "\n"


def prepared(parser, script):
    """The options and a Bench, in the environment of the reference libraries: who runs elsewhere is run again there.
    None for the Bench where there are no checkpoints to measure."""
    parser.add_argument("--build", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--short", action="store_true")
    options = parser.parse_args()
    if Path(sys.prefix).resolve() != peer_environment.folder_of(options.build, "models"):
        python = peer_environment.make(options.build, "models")
        if python is None:
            raise SystemExit("the reference libraries cannot be installed here")
        raise SystemExit(subprocess.run([str(python), script, *sys.argv[1:]],
                                        env=peer_environment.environment(options.build)).returncode)
    shared = Path(os.environ.get("GRYM_SHARED", HERE.parents[2] / "shared"))
    if not (shared / "fixtures" / "make_checkpoint.py").exists():
        print(f"   no {shared / 'fixtures'}: there are no checkpoints to measure (set GRYM_SHARED)")
        options.out.write_text(json.dumps({"rows": [], "markdown": ""}))
        return options, None
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    import torch
    import transformers
    transformers.logging.set_verbosity_error()
    torch.set_num_threads(options.threads)
    folder = options.build.resolve().parent / "peers" / "checkpoints"
    folder.mkdir(parents=True, exist_ok=True)
    return options, Bench(folder, shared / "fixtures", options.short, options.threads)


def keep(result, text, out):
    """Writes the JSON and its table, and prints that."""
    result["markdown"] = text
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(result, indent=1))
    out.with_suffix(".md").write_text(text)
    print(text)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rows", action="store_true", help="what stands beside the reference alone")
    options, bench = prepared(parser, __file__)
    if bench is None:
        return
    import diffusers
    import grymsynth
    import torch
    import transformers
    diffusers.logging.set_verbosity_error()
    memory = {}
    for dtype in filter(lambda tier: offered(bench, tier), ("float32", "bfloat16x3", "bfloat16")):
        wav2vec2(bench, dtype)
        clap(bench, dtype)
        memory[dtype] = audioldm(bench, dtype)
    rest = not options.rows
    result = {"threads": options.threads, "rows": bench.rows, "audioldm": memory,
              "steps": steps(bench) if rest else [], "tiers": tiers(bench) if rest else [],
              "first_results": first_results(bench, options.build.resolve()) if rest else [],
              "versions": {"grymsynth": grymsynth.version(), "torch": torch.__version__,
                           "transformers": transformers.__version__, "diffusers": diffusers.__version__}}
    keep(result, markdown(result), options.out)


if __name__ == "__main__":
    main()
