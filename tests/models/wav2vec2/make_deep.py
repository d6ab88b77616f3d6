"""make_deep.py CHECKPOINT OUT LAYERS: a transformer's checkpoint in float32 again, with more layers, made of its own:
wav2vec2's ("encoder.layers.0.") or a CLAP text encoder's ("encoder.layer.0.").

Layer i holds the numbers of layer i % n, scaled a little so that no two are the same. Without any library: importing
one takes longer than this. The numbers lie at odd places, as in old files.
"""
import array
import json
import pathlib
import re
import shutil
import sys


def main():
    source, out, layers = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), int(sys.argv[3])
    shutil.copytree(source, out)
    config = json.loads((source / "config.json").read_text())
    had, config["num_hidden_layers"] = config["num_hidden_layers"], layers
    (out / "config.json").write_text(json.dumps(config))
    data = (source / "model.safetensors").read_bytes()
    size = int.from_bytes(data[:8], "little")
    header, body = json.loads(data[8:8 + size]), data[8 + size:]
    header.pop("__metadata__", None)
    place = re.compile(r"(.*encoder\.layers?\.)(\d+)(\..*)")
    numbers = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        numbers[name] = (entry["dtype"], entry["shape"], body[begin:end])
        found = place.fullmatch(name)
        for layer in range(int(found[2]) + had, layers, had) if found else ():
            values = array.array("f", body[begin:end])
            for i, value in enumerate(values):
                values[i] = value * (1 - layer / 100)
            numbers[f"{found[1]}{layer}{found[3]}"] = (entry["dtype"], entry["shape"], values.tobytes())
    entries, place_of_next = {}, 0
    for name, (dtype, shape, raw) in numbers.items():
        entries[name] = {"dtype": dtype, "shape": shape, "data_offsets": [place_of_next, place_of_next + len(raw)]}
        place_of_next += len(raw)
    text = json.dumps(entries).encode()
    text += b" " * ((1 - len(text)) % 4)  # the first number at 8 + 4 n + 1
    with open(out / "model.safetensors", "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text + b"".join(raw for _, _, raw in numbers.values()))


main()
