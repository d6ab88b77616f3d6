"""Small T5 encoders of every kind with random weights, and transformers' run on each."""
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from transformers import T5Config, T5EncoderModel

KINDS = {
    "gated-gelu": {"feed_forward_proj": "gated-gelu", "d_kv": 12, "num_heads": 3},
    "gated-silu": {"feed_forward_proj": "gated-silu", "d_kv": 16, "num_heads": 5},
    "relu-few-buckets": {"relative_attention_num_buckets": 8, "relative_attention_max_distance": 20},
    "embed-tokens": {"num_layers": 1},
}


def main():
    torch.set_num_threads(1)  # the sizes are small, and the machine may be busy
    out = Path(sys.argv[1])
    for kind, fields in KINDS.items():
        torch.manual_seed(5)
        values = dict(vocab_size=100, d_model=40, d_kv=8, d_ff=72, num_layers=2, num_heads=4)
        values.update(fields)
        model = T5EncoderModel(T5Config(**values)).eval()
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.copy_(torch.randn(parameter.shape) * (0.3 if parameter.dim() > 1 else 1.0))
        model.save_pretrained(out / kind, safe_serialization=True)
        weights = load_file(out / kind / "model.safetensors")
        table = weights.pop("shared.weight", None)
        if table is None:
            table = weights.pop("encoder.embed_tokens.weight")
        weights["encoder.embed_tokens.weight" if kind == "embed-tokens" else "shared.weight"] = table
        save_file(weights, out / kind / "model.safetensors", {"format": "pt"})
        ids = torch.randint(0, 100, (1, 61))
        with torch.inference_mode():
            states = model(ids).last_hidden_state
        save_file({"input_ids": ids, "last_hidden_state": states.contiguous()}, out / f"{kind}.run.safetensors")


main()
