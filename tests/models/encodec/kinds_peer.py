"""Small EnCodecs of every kind with random weights, and what transformers makes of sounds and codes with each."""
import json
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from transformers import EncodecConfig, EncodecModel

SMALL = dict(sampling_rate=8000, hidden_size=16, num_filters=4, upsampling_ratios=[4, 2], codebook_size=32,
             target_bandwidths=[20.0], use_causal_conv=False, use_conv_shortcut=False, num_lstm_layers=2)
KINDS = {
    "mono": {},
    "causal": dict(use_causal_conv=True, use_conv_shortcut=True, trim_right_ratio=1.0),
    "stereo": dict(audio_channels=2, num_filters=16),
    "odd": dict(upsampling_ratios=[5, 3], num_filters=3, hidden_size=10, kernel_size=5, last_kernel_size=3,
                residual_kernel_size=5, num_lstm_layers=1),
    "deeper": dict(num_residual_layers=3, compress=1, use_causal_conv=True, trim_right_ratio=0.5),
    "constant": dict(pad_mode="constant"),
    "replicate": dict(pad_mode="replicate", use_conv_shortcut=True),
    "old-names": {},
}
FRAMES = (1, 2, 3, 5, 40)


def rename(weights):
    """To the names of checkpoints made before torch had parametrizations."""
    renamed = {}
    for name, value in weights.items():
        name = name.replace("parametrizations.weight.original0", "weight_g")
        renamed[name.replace("parametrizations.weight.original1", "weight_v")] = value
    return renamed


def main():
    torch.set_num_threads(1)  # the sizes are small, and the machine may be busy
    out = Path(sys.argv[1])
    for kind, fields in KINDS.items():
        torch.manual_seed(11)
        model = EncodecModel(EncodecConfig(**{**SMALL, **fields})).eval()
        config = model.config
        with torch.no_grad():
            for name, value in list(model.named_parameters()) + list(model.named_buffers()):
                if name.endswith(("embed", "bias")):
                    value.copy_(torch.randn(value.shape) * 0.3)
                elif "lstm" in name:
                    value.copy_(torch.randn(value.shape) * 0.3)
                elif name.endswith("original0"):
                    value.mul_(1 + 0.5 * torch.rand(value.shape))
        model.save_pretrained(out / kind, safe_serialization=True)
        path = out / kind / "model.safetensors"
        weights = load_file(path)
        old = rename(weights)
        assert (kind == "old-names") or any("original0" in name for name in weights), "want today's names"
        if kind == "old-names":
            save_file(old, path, {"format": "pt"})
        found = {}
        with torch.inference_mode():
            for frames in FRAMES:
                codes = torch.randint(0, config.codebook_size, (1, 1, config.num_quantizers, frames))
                found[f"decode.{frames}.codes"] = codes[0, 0]
                found[f"decode.{frames}.wave"] = model.decode(codes, [None]).audio_values[0]
                for less in (0, 1, config.hop_length - 1):
                    sound = torch.randn(1, config.audio_channels, frames * config.hop_length - less) * 0.3
                    name = f"encode.{frames}.{less}."
                    states = model.encoder(sound)
                    found[name + "sound"], found[name + "states"] = sound[0], states[0]
                    found[name + "codes"] = model.quantizer.encode(states)[:, 0]
        (out / kind / "run").mkdir(exist_ok=True)
        save_file({name: value.contiguous().clone() for name, value in found.items()},
                  out / kind / "run" / "run.safetensors")
        print(kind, json.dumps(fields), config.num_quantizers)


main()
