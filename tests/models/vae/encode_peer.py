"""Keeps what diffusers' AutoencoderKL makes of a mel: python encode_peer.py VAE_FOLDER OUT.safetensors FRAMES BANDS SEED."""
import sys

import torch
from diffusers import AutoencoderKL
from safetensors.torch import save_file

folder, out, frames, bands, seed = sys.argv[1], sys.argv[2], *map(int, sys.argv[3:6])
torch.set_num_threads(2)
vae = AutoencoderKL.from_pretrained(folder).eval()
mel = torch.randn(2, vae.config.in_channels, frames, bands, generator=torch.Generator().manual_seed(seed))
with torch.inference_mode():
    moments = vae.encode(mel).latent_dist
    sample = moments.sample(torch.Generator().manual_seed(seed + 1))
save_file({"mel": mel, "mean": moments.mean.contiguous(), "log_variance": moments.logvar.contiguous(),
           "sample": sample.contiguous()}, out)
