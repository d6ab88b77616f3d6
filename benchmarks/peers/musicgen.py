"""MusicGen and EnCodec beside transformers: one process, one LibTorch, the same checkpoint.

    python3 benchmarks/peers/musicgen.py --build build/release --out out/bench/peers_musicgen.json [--threads 2]

A step makes one token of every codebook for both halves of the guidance; its time is the decoder's own, sampling
included, text encoder and codec left out on both sides. The checkpoint has the published model's shapes and seeded random
weights. --short: a tiny checkpoint and few tokens; --preset: another model than musicgen-small.
"""
import argparse
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE)]
from models import keep, prepared, snr_db, timed  # noqa: E402

PROMPT = "slow warm house with electric piano"
RATE = 32000


class Calls:
    """Seconds within some of an object's calls."""

    def __init__(self):
        self.seconds = {}

    def watch(self, name, owner, method):
        original = getattr(owner, method)

        def around(*args, **kwargs):
            seconds, result = timed(lambda: original(*args, **kwargs))
            self.seconds[name] = self.seconds.get(name, 0) + seconds
            return result
        setattr(owner, method, around)


class Reference:
    def __init__(self, folder):
        from transformers import AutoTokenizer, MusicgenForConditionalGeneration
        self.opening, self.model = timed(lambda: MusicgenForConditionalGeneration.from_pretrained(folder).eval())
        self.tokenizer, self.calls = AutoTokenizer.from_pretrained(folder), Calls()
        self.calls.watch("decoder", self.model.decoder, "forward")
        self.calls.watch("text_encoder", self.model.text_encoder, "forward")
        self.calls.watch("codec", self.model.audio_encoder, "decode")

    def make(self, steps):
        import torch
        self.calls.seconds.clear()
        with torch.inference_mode():
            text = self.tokenizer([PROMPT], padding=True, return_tensors="pt")
            sound = self.model.generate(**text, do_sample=False, guidance_scale=3.0, max_new_tokens=steps)
        return sound[0].numpy()


def make(model, frames, temperature=0.0):
    import grymsynth
    return model.generate(grymsynth.GenerateAudioRequest(prompt=PROMPT, duration_s=frames / 50, seed=1, guidance=3,
                                                         temperature=temperature), raw=True)


def speed(bench, folder, frames):
    import grymsynth
    reference = Reference(folder)
    steps = frames + 3
    whole, theirs = timed(lambda: reference.make(steps))
    whole = min(whole, timed(lambda: reference.make(steps))[0])
    # All but text and codec: what the loop around the decoder costs is part of a token on both sides.
    peer_step = (whole - reference.calls.seconds["text_encoder"] - reference.calls.seconds["codec"]) / steps
    peer = {"whole_s": whole, "step_ms": 1e3 * peer_step, "codec_s": reference.calls.seconds["codec"],
            "text_s": reference.calls.seconds["text_encoder"], "opening_s": reference.opening}
    rows = []
    for dtype in ("float32", "float16", "bfloat16", "int8", "int4"):
        model = grymsynth.Model.open(folder, device="cpu", dtype=dtype)
        first, made = timed(lambda: make(model, frames))
        for _ in range(bench.times):
            seconds, again = timed(lambda: make(model, frames))
            if seconds < first or made is None:
                first, made = seconds, again
        plan = model.plan(grymsynth.GenerateAudioRequest(prompt=PROMPT, duration_s=frames / 50, guidance=3))
        rows.append({"dtype": dtype, "step_ms": 1e3 * made.timings_s["decoder"] / steps, "whole_s": first,
                     "codec_s": made.timings_s["codec"], "text_s": made.timings_s["text_encoder"],
                     "weights_bytes": model.info.weights_bytes, "planned_peak_bytes": plan["peakBytes"],
                     "peak_bytes": made.peak_bytes, "ratio": peer["step_ms"] / (1e3 * made.timings_s["decoder"] / steps),
                     "snr_db": snr_db(made.audio.samples, theirs)})
        print(f"   {dtype}: {rows[-1]['step_ms']:.1f} ms a token, reference float32 {peer['step_ms']:.1f}", flush=True)
    return peer, rows


def growth(folder, frames):
    """How much longer a late token takes than an early one."""
    import grymsynth
    model = grymsynth.Model.open(folder, device="cpu", dtype="int8")
    late = min(make(model, frames).timings_s["decoder"] for _ in range(2))
    early = min(make(model, frames // 2).timings_s["decoder"] for _ in range(2))
    return ((late - early) / (frames - frames // 2)) / (early / (frames // 2))


def packed_copy(folder, frames):
    """Of an int8 copy, in seconds: opening to the first sound, to the first block of a stream, and a piece."""
    import grymsynth
    with tempfile.TemporaryDirectory() as parent:
        out = Path(parent) / "copy"
        grymsynth.Model.open(folder, device="cpu", dtype="int8").save_copy(out)
        started = time.perf_counter()
        model = grymsynth.Model.open(out, device="cpu")
        make(model, 5, None)
        first_s = time.perf_counter() - started
        # Text, what the decoder makes of it once, and a step; all of these are in the first steps' mean.
        token_s = min(short.timings_s["text_encoder"] + short.timings_s["decoder"] / 8
                      for short in (make(model, 5, None) for _ in range(5)))
        request = grymsynth.GenerateAudioRequest(prompt=PROMPT, duration_s=frames / 50, seed=1, guidance=3)
        block_s, _ = timed(lambda: next(model.stream(request)))
        piece_s, made = timed(lambda: make(model, frames, None))
        return {"first_s": first_s, "token_s": token_s, "block_s": block_s, "piece_s": piece_s, "timings_s": dict(made.timings_s),
                "peak_bytes": made.peak_bytes, "weights_bytes": model.info.weights_bytes,
                "file_bytes": sum(file.stat().st_size for file in out.iterdir())}


def codec(bench, folder):
    import grymsynth
    import numpy as np
    import torch
    from transformers import EncodecModel
    peer = EncodecModel.from_pretrained(folder).eval()
    books, size = peer.quantizer.get_num_quantizers_for_bandwidth(None), peer.config.codebook_size
    codes = np.random.default_rng(2).integers(0, size, (books, 100 if bench.short else 500)).astype(np.int32)
    ours = grymsynth.AudioCodes(codes)

    def theirs():
        with torch.inference_mode():
            made = peer.decode(torch.from_numpy(codes.astype(np.int64))[None, None], [None])
            return made.audio_values[0].float().numpy()
    for dtype in ("float32", "bfloat16"):
        model, peer = grymsynth.Model.open(folder, device="cpu", dtype=dtype), peer.to(getattr(torch, dtype))
        best, (made, wanted) = bench.both(lambda: model.decode(ours), theirs)
        bench.row(f"{folder.name}, decode {codes.shape[1] / 50:.0f} s", dtype, best, (made.samples, wanted))


def markdown(result):
    versions = ", ".join(f"{name} {version}" for name, version in result["versions"].items())
    peer = result["peer"]
    lines = [f"{result['preset']}, {result['frames'] / 50:.0f} s with guidance, {result['threads']} threads ({versions})", "",
             f"The reference, float32: {peer['step_ms']:.1f} ms a token, {peer['whole_s']:.1f} s whole.", "",
             "| weights in | ms a token | times as fast as the reference | times real time | whole | peak, planned and measured | "
             "signal to noise |", "|---|---:|---:|---:|---:|---:|---:|"]
    for row in result["rows"]:
        lines.append(f"| {row['dtype']} | {row['step_ms']:.1f} | {row['ratio']:.2f} | {20 / row['step_ms']:.2f} | "
                     f"{row['whole_s']:.2f} s | {row['planned_peak_bytes'] / 2**20:.0f}, {row['peak_bytes'] / 2**20:.0f} MiB | "
                     f"{row['snr_db']:.0f} dB |")
    copy, mb = result["copy"], 1e-6
    parts = ", ".join(f"{name} {seconds:.1f}" for name, seconds in sorted(copy["timings_s"].items()))
    lines += ["", f"An int8 copy, {copy['file_bytes'] * mb:.0f} MB: {copy['first_s']:.2f} s from opening to the first "
              f"sound, the first token after {1e3 * copy['token_s']:.0f} ms, the first block of a stream after "
              f"{copy['block_s']:.2f} s, {result['copy_frames'] / 50:.0f} s of "
              f"music in {copy['piece_s']:.1f} s ({parts}), peak {copy['peak_bytes'] * mb:.0f} MB over weights of "
              f"{copy['weights_bytes'] * mb:.0f}."]
    lines += ["", f"A token of the second half takes {result['growth']:.2f} times as long as one of the first.", "",
              "| codec | in | grymsynth | reference | times as fast | agreement | the reference's own |",
              "|---|---|---:|---:|---:|---:|---:|"]
    for row in result["codec"]:
        own = "" if row["peer_agreement_db"] is None else f"{row['peer_agreement_db']:.0f} dB"
        lines.append(f"| {row['job']} | {row['dtype']} | {row['ours_s']:.3f} s | {row['peer_s']:.3f} s | "
                     f"{row['ratio']:.2f} | {row['agreement_db']:.0f} dB | {own} |")
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--preset", default="")
    parser.add_argument("--frames", type=int, default=0)
    options, bench = prepared(parser, __file__)
    if bench is None:
        return
    import grymsynth
    import torch
    import transformers
    preset = options.preset or ("musicgen-tiny" if options.short else "musicgen-small")
    frames = options.frames or (40 if options.short else 500)
    copy_frames = 40 if options.short else 500
    started = time.perf_counter()
    peer, rows = speed(bench, bench.checkpoint(preset), frames)
    codec(bench, bench.checkpoint("encodec-tiny" if options.short else "encodec-32khz"))
    result = {"preset": preset, "frames": frames, "threads": options.threads, "peer": peer, "rows": rows,
              "growth": growth(bench.checkpoint(preset), 80 if options.short else 1450), "codec": bench.rows,
              "copy": packed_copy(bench.checkpoint(preset), copy_frames), "copy_frames": copy_frames,
              "seconds": time.perf_counter() - started,
              "versions": {"grymsynth": grymsynth.version(), "torch": torch.__version__,
                           "transformers": transformers.__version__}}
    keep(result, markdown(result), options.out)


if __name__ == "__main__":
    main()
