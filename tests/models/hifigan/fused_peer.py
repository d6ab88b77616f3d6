"""Writes a small vocoder of odd sizes whose weights are fused and which normalises its input, and what it makes of a
mel: python fused_peer.py OUT_FOLDER."""
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import SpeechT5HifiGan, SpeechT5HifiGanConfig

folder = Path(sys.argv[1])
torch.manual_seed(11)
torch.set_num_threads(2)
net = SpeechT5HifiGan(SpeechT5HifiGanConfig(
    model_in_dim=20, upsample_initial_channel=24, upsample_rates=[3, 4], upsample_kernel_sizes=[8, 7],
    resblock_kernel_sizes=[3, 5], resblock_dilation_sizes=[[1, 2], [3]], leaky_relu_slope=0.2)).eval()
with torch.no_grad():
    for parameter in net.parameters():
        parameter.copy_(torch.randn(parameter.shape) * (0.3 if parameter.dim() > 1 else 0.1))
    net.mean.copy_(torch.randn(20))
    net.scale.copy_(torch.rand(20) + 0.5)
    mel = torch.randn(2, 37, 20)
    wave = net(mel)
net.save_pretrained(folder)
save_file({"mel": mel, "wave": wave}, folder / "run.safetensors")
