#!/usr/bin/env python3
"""Make a tiny fused CLAP (the layout of laion/clap-htsat-fused) with seeded random weights, and run transformers on it.

    python make_fused.py FOLDER [--seed N]

FOLDER holds the checkpoint and reference.safetensors: for a sound shorter than a window, one of exactly a window, one
a little longer, and a long one, the sound, its features, the tokens and the embedding. What the reference's feature
extractor draws by chance is replaced by the middle of what it draws from.
"""
import argparse
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from transformers import ClapAudioConfig, ClapConfig, ClapFeatureExtractor, ClapModel, ClapTextConfig


def sound(seconds, seed):
    t = np.arange(int(seconds * 48000)) / 48000
    glide = 0.4 * np.sin(2 * np.pi * (200 * t + 150 * t ** 2)) + 0.2 * (np.sin(2 * np.pi * 3 * t) > 0)
    return (glide + 0.05 * np.random.default_rng(seed).standard_normal(t.size)).astype(np.float32)


def fill(model, seed):
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            if not tensor.is_floating_point() or name.startswith("logit_scale"):
                continue
            noise = torch.randn(tensor.shape, generator=generator)
            if name.endswith("audio_encoder.batch_norm.running_mean"):
                noise = -30 + 5 * noise
            elif name.endswith("audio_encoder.batch_norm.running_var"):
                noise = 300 + 50 * noise.abs()
            elif name.endswith("running_var"):
                noise = 0.5 + noise.abs()
            elif tensor.dim() > 1:
                noise = noise / tensor[0].numel() ** 0.5
            elif name.endswith("weight"):
                noise = 1 + 0.2 * noise
            else:
                noise = 0.1 * noise
            tensor.copy_(noise)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    np.random.choice = lambda values: values[len(values) // 2]
    np.random.randint = lambda low, high: (low + high - 1) // 2

    text = ClapTextConfig(vocab_size=64, hidden_size=16, num_hidden_layers=1, num_attention_heads=2,
                          intermediate_size=32)
    audio = ClapAudioConfig(patch_embeds_hidden_size=12, depths=(2, 1), num_attention_heads=(2, 4), hidden_size=24,
                            num_hidden_layers=2, enable_fusion=True, aff_block_r=3, qkv_bias=False)
    model = ClapModel(ClapConfig(text_config=text, audio_config=audio, projection_dim=20)).eval()
    fill(model, options.seed)
    extractor = ClapFeatureExtractor(frequency_min=50, frequency_max=14000, truncation="fusion", padding="repeatpad")
    options.folder.mkdir(parents=True)
    model.save_pretrained(options.folder)
    extractor.save_pretrained(options.folder)

    kept = {}
    for name, seconds in (("short", 3.1), ("whole", 10), ("corner", 10.005), ("long", 25.3)):
        wave = sound(seconds, options.seed)
        made = extractor(wave, sampling_rate=48000, return_tensors="pt")
        with torch.inference_mode():
            output = model.audio_model(input_features=made.input_features, is_longer=torch.as_tensor(made.is_longer))
            embedding = model.get_audio_features(input_features=made.input_features,
                                                 is_longer=torch.as_tensor(made.is_longer)).pooler_output
            plain = model.audio_model(input_features=made.input_features, is_longer=torch.tensor([[False]]))
        kept.update({f"{name}.sound": torch.from_numpy(wave), f"{name}.features": made.input_features,
                     f"{name}.is_longer": torch.as_tensor(made.is_longer),
                     f"{name}.last_hidden_state": output.last_hidden_state, f"{name}.embedding": embedding,
                     f"{name}.not_longer.pooled": plain.pooler_output})
    # The other padding modes and the crop of the unfused extractor.
    wave = sound(3.1, options.seed)
    for padding in ("repeat", "pad", "repeatpad"):
        plain = ClapFeatureExtractor(frequency_min=50, truncation="rand_trunc", padding=padding)
        kept[f"unfused.{padding}"] = plain(wave, sampling_rate=48000, return_tensors="pt").input_features
    kept["unfused.long"] = plain(sound(25.3, options.seed), sampling_rate=48000, return_tensors="pt").input_features
    # A pure tone: nothing but the transform's rounding between its lines.
    tone = np.sin(2 * np.pi * 1000 * np.arange(480000) / 48000).astype(np.float32)
    kept["tone.sound"] = torch.from_numpy(tone)
    kept["tone.features"] = extractor(tone, sampling_rate=48000, return_tensors="pt").input_features
    kept["tone.unfused"] = plain(tone, sampling_rate=48000, return_tensors="pt").input_features
    save_file({name: value.detach().clone().contiguous() for name, value in kept.items()},
              options.folder / "reference.safetensors")


if __name__ == "__main__":
    main()
