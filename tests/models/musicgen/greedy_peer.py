"""Keeps what transformers' MusicGen writes when it always takes the best code.

    python greedy_peer.py CHECKPOINT OUT.safetensors STEPS

Three runs: "guided" and "unguided" of one prompt, "batched" of two prompts of different lengths, guided. Of each:
RUN.text (the text encoder's states), RUN.mask, RUN.chroma (melody), RUN.codes [rows, books, frames] without the delay,
RUN.scores [steps, rows * books, vocab] after guidance.
"""
import os
import sys
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TRANSFORMERS_VERBOSITY"] = "error"

import torch
from safetensors.torch import save_file
from transformers import AutoConfig, AutoTokenizer, MusicgenForConditionalGeneration
from transformers import MusicgenMelodyForConditionalGeneration

LONG = "eighties pop with bassy drums and a bright synth lead, slow and a little sad"
SHORT = "rock"
folder, out, steps = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
torch.set_num_threads(1)  # more would wait for each other longer than they work, at this size
melody = AutoConfig.from_pretrained(folder).model_type == "musicgen_melody"
model_type = MusicgenMelodyForConditionalGeneration if melody else MusicgenForConditionalGeneration
model = model_type.from_pretrained(folder, dtype=torch.float32).eval()
tokenizer = AutoTokenizer.from_pretrained(folder)
kept = {}


def run(name, prompts, guidance):
    text = tokenizer(prompts, padding=True, return_tensors="pt")
    inputs, states, codes = dict(text), [], []
    if melody:
        classes = torch.randint(12, (len(prompts), 300), generator=torch.Generator().manual_seed(3))
        inputs["input_features"] = torch.nn.functional.one_hot(classes, 12).float()
        kept[f"{name}.chroma"] = inputs["input_features"]
    hook = model.text_encoder.register_forward_hook(lambda _, args, output: states.append(output.last_hidden_state))
    decode = model.audio_encoder.decode

    def taker(audio_codes, *args, **kwargs):
        codes.append(audio_codes[0])
        return decode(audio_codes, *args, **kwargs)

    model.audio_encoder.decode = taker
    with torch.inference_mode():
        found = model.generate(**inputs, do_sample=False, guidance_scale=guidance, max_new_tokens=steps,
                               return_dict_in_generate=True, output_scores=True)
    hook.remove()
    model.audio_encoder.decode = decode
    # A stereo model's books of left and right take turns; each channel was decoded by itself.
    whole = codes[0] if len(codes) == 1 else torch.stack(codes, 2).flatten(1, 2)
    kept[f"{name}.text"], kept[f"{name}.mask"] = states[0], text.attention_mask
    kept[f"{name}.codes"], kept[f"{name}.scores"] = whole, torch.stack(found.scores)


run("guided", [LONG], 3.0)
run("unguided", [LONG], 1.0)
run("batched", [LONG, SHORT], 3.0)
save_file({name: value.clone().contiguous() for name, value in kept.items()}, out)
