"""What transformers and torch make of the steps around MusicGen's network: python around_peer.py OUT.safetensors."""
import sys
from types import SimpleNamespace

import torch
from safetensors.torch import save_file
from transformers.audio_utils import chroma_filter_bank
from transformers.generation.logits_process import (ClassifierFreeGuidanceLogitsProcessor, TemperatureLogitsWarper,
                                                    TopKLogitsWarper, TopPLogitsWarper)
from transformers.models.musicgen.modeling_musicgen import MusicgenForCausalLM

out = {}
torch.manual_seed(3)

PAD = 64
for books, channels in ((4, 1), (8, 2), (2, 1)):
    for frames, prompt in ((12, 0), (12, 5), (7, 7), (9, 1)):
        net = SimpleNamespace(num_codebooks=books, config=SimpleNamespace(audio_channels=channels))
        given = torch.randint(0, PAD, (books, prompt))
        ids = torch.cat([torch.full((books, 1), PAD), given], 1)
        depth = books // channels
        first, mask = MusicgenForCausalLM.build_delay_pattern_mask(net, ids, PAD, frames + depth)
        made = torch.randint(0, PAD, mask.shape)
        applied = MusicgenForCausalLM.apply_delay_pattern_mask(made, mask)
        codes = applied[applied != PAD].reshape(books, -1)
        name = f"delay.{books}.{frames}.{prompt}"
        out[name + ".given"], out[name + ".first"], out[name + ".mask"] = given, first, mask
        out[name + ".applied"], out[name + ".codes"] = applied, codes

VOCAB = 97
logits = torch.randn(6, VOCAB) * 3
logits[1, 10:20] = logits[1, 5]  # equals
logits[4] = (logits[4] / 4).round()
out["sampler.conditional"], out["sampler.unconditional"] = logits[:3].clone(), logits[3:].clone()
for guidance in (1.0, 3.0):
    for temperature in (1.0, 0.7, 2.5):
        for top_k in (0, 1, 20, 200):
            for top_p in (1.0, 0.9, 0.3):
                scores = logits[:3]
                ids = torch.zeros(3, 1, dtype=torch.long)
                if guidance > 1:
                    scores = ClassifierFreeGuidanceLogitsProcessor(guidance)(ids, logits)
                if temperature != 1:
                    scores = TemperatureLogitsWarper(temperature)(ids, scores)
                if top_k > 0:
                    scores = TopKLogitsWarper(top_k)(ids, scores)
                if top_p < 1:
                    scores = TopPLogitsWarper(top_p)(ids, scores)
                out[f"sampler.{guidance:g}.{temperature:g}.{top_k}.{top_p:g}"] = scores.clone()

N_FFT, HOP, RATE = 16384, 4096, 32000
filters = torch.from_numpy(chroma_filter_bank(sampling_rate=RATE, num_frequency_bins=N_FFT, tuning=0,
                                              num_chroma=12)).float()
out["chroma.filters"] = filters.contiguous()
time = torch.arange(3 * RATE) / RATE
tune = torch.cat([torch.sin(6.283185307 * f * time[: RATE // 2]) for f in (261.6, 329.6, 392.0, 440.0, 523.3, 311.1)])
waves = {"tune": tune * 0.5 + 0.01 * torch.randn(tune.shape), "noise": torch.randn(50000) * 0.2,
         "short": torch.sin(6.283185307 * 220 * time[:9001]) * 0.3, "odd": torch.randn(16384 + 77)}
for name, wave in waves.items():
    out[f"chroma.{name}.wave"] = wave.contiguous()
    if wave.shape[-1] < N_FFT:
        pad = N_FFT - wave.shape[-1]
        wave = torch.nn.functional.pad(wave, (pad // 2, pad // 2 + pad % 2))
    window = torch.hann_window(N_FFT)
    spec = torch.stft(wave, N_FFT, HOP, N_FFT, window, center=True, pad_mode="reflect", normalized=False,
                      onesided=True, return_complex=True)
    spec = (spec / window.pow(2).sum().sqrt()).abs().pow(2)
    raw = torch.einsum("cf,ft->ct", filters, spec)
    norm = torch.nn.functional.normalize(raw[None], p=float("inf"), dim=-2, eps=1e-6).transpose(1, 2)
    out[f"chroma.{name}.power"] = spec.T.contiguous()
    out[f"chroma.{name}.raw"] = raw.T.contiguous()
    out[f"chroma.{name}.classes"] = norm.argmax(-1)[0]
save_file({name: tensor.contiguous().clone() for name, tensor in out.items()}, sys.argv[1])
