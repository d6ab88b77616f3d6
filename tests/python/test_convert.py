"""python -m grymsynth.convert: pickled weights to safetensors. Needs torch, not grymsynth's compiled module."""
from __future__ import annotations

import contextlib
import importlib.util
import io
import json
import os
import pickle
import struct
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

torch = pytest.importorskip("torch", reason="needs torch in this Python")
CONVERT = Path(__file__).resolve().parents[2] / "bindings" / "grymsynth" / "convert.py"


def load_convert():
    """The module by itself: in a child process each run would import torch anew, and grymsynth is not needed."""
    spec = importlib.util.spec_from_file_location("convert_alone", CONVERT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run(folder: Path) -> SimpleNamespace:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = load_convert().main([str(folder)])
    return SimpleNamespace(returncode=code, stdout=out.getvalue(), stderr=err.getvalue())


def read(path: Path) -> tuple[dict, bytes]:
    raw = path.read_bytes()
    length = struct.unpack("<Q", raw[:8])[0]
    return json.loads(raw[8:8 + length]), raw[8 + length:]


def tensors_of(path: Path) -> dict:
    """Read back by our own eyes: the layout must be without gaps, and every number where the header says."""
    header, data = read(path)
    assert header.pop("__metadata__") == {"format": "pt"}
    assert (len(path.read_bytes()) - len(data)) % 8 == 0
    ends = sorted(entry["data_offsets"] for entry in header.values())
    assert [begin for begin, _ in ends] == [0, *[end for _, end in ends[:-1]]] and ends[-1][1] == len(data)
    types = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16, "I64": torch.int64, "BOOL": torch.bool,
             "F64": torch.float64, "U8": torch.uint8}
    found = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        dtype = types[entry["dtype"]]
        flat = torch.frombuffer(bytearray(data[begin:end]), dtype=dtype) if end > begin else torch.empty(0, dtype=dtype)
        found[name] = flat.reshape(entry["shape"])
    return found


def some_weights() -> dict:
    torch.manual_seed(3)
    return {"w": torch.randn(3, 4), "t": torch.randn(4, 3).t(), "h": torch.randn(5).half(),
            "b": torch.randn(2).bfloat16(), "d": torch.randn(2, dtype=torch.float64), "n": torch.tensor(7),
            "m": torch.tensor([True, False, True]), "empty": torch.empty(0, 3), "slice": torch.arange(10.0)[3:6]}


def same(a: dict, b: dict) -> bool:
    return a.keys() == b.keys() and all(a[k].dtype == b[k].dtype and torch.equal(a[k], b[k]) for k in a)


@pytest.mark.parametrize("old_format", [False, True])
def test_single_file_is_converted(tmp_path, old_format):
    torch.save(some_weights(), tmp_path / "pytorch_model.bin", _use_new_zipfile_serialization=not old_format)
    result = run(tmp_path)
    assert result.returncode == 0, result.stderr
    assert same(tensors_of(tmp_path / "model.safetensors"), some_weights())
    assert sorted(p.name for p in tmp_path.iterdir()) == ["model.safetensors", "pytorch_model.bin"]


def test_the_formats_own_library_reads_it(tmp_path):
    safetensors = pytest.importorskip("safetensors.torch", reason="needs safetensors in this Python")
    torch.save(some_weights(), tmp_path / "pytorch_model.bin")
    assert run(tmp_path).returncode == 0
    assert same(safetensors.load_file(tmp_path / "model.safetensors"), some_weights())


def test_shards_become_one_file(tmp_path):
    weights = some_weights()
    torch.save({k: weights[k] for k in ("w", "t")}, tmp_path / "pytorch_model-00001-of-00002.bin")
    torch.save({k: v for k, v in weights.items() if k not in ("w", "t")}, tmp_path / "pytorch_model-00002-of-00002.bin")
    index = {"weight_map": {k: f"pytorch_model-0000{1 if k in ('w', 't') else 2}-of-00002.bin" for k in weights}}
    (tmp_path / "pytorch_model.bin.index.json").write_text(json.dumps(index))
    assert run(tmp_path).returncode == 0
    assert same(tensors_of(tmp_path / "model.safetensors"), weights)


def test_tied_tensors_are_stored_under_each_name(tmp_path):
    weights = {"a": torch.randn(4), "x": torch.randn(2)}
    weights["b"] = weights["a"]
    torch.save(weights, tmp_path / "pytorch_model.bin")
    result = run(tmp_path)
    assert "1 of 3 names share" in result.stdout
    assert same(tensors_of(tmp_path / "model.safetensors"), weights)


def test_pipeline_is_converted_part_by_part(tmp_path):
    (tmp_path / "model_index.json").write_text("{}")
    for part, stem in (("unet", "diffusion_pytorch_model"), ("text_encoder", "pytorch_model")):
        (tmp_path / part).mkdir()
        torch.save({"a": torch.ones(2)}, tmp_path / part / f"{stem}.bin")
    (tmp_path / "scheduler").mkdir()
    assert run(tmp_path).returncode == 0
    assert (tmp_path / "unet" / "diffusion_pytorch_model.safetensors").exists()
    assert (tmp_path / "text_encoder" / "model.safetensors").exists()
    assert run(tmp_path).returncode == 3


def test_checkpoint_of_a_trainer_and_what_is_no_tensor(tmp_path):
    torch.save({"epoch": 3, "state_dict": {"a": torch.ones(2), "note": "x"}}, tmp_path / "last.ckpt")
    result = run(tmp_path)
    assert result.returncode == 0 and "note" in result.stdout
    assert list(tensors_of(tmp_path / "model.safetensors")) == ["a"]


def test_nothing_is_overwritten(tmp_path):
    torch.save(some_weights(), tmp_path / "pytorch_model.bin")
    (tmp_path / "model.safetensors").write_bytes(b"mine")
    result = run(tmp_path)
    assert result.returncode == 3 and "already" in result.stdout
    assert (tmp_path / "model.safetensors").read_bytes() == b"mine"


class Evil:
    def __init__(self, marker: str) -> None:
        self.marker = marker

    def __reduce__(self):
        return (os.mkdir, (self.marker,))


@pytest.mark.parametrize("bare", [False, True])
def test_code_in_a_pickle_does_not_run(tmp_path, bare):
    marker = tmp_path / "was-run"
    hostile = {"a": torch.ones(1), "evil": Evil(str(marker))}
    if bare:
        (tmp_path / "pytorch_model.bin").write_bytes(pickle.dumps({"evil": Evil(str(marker))}))
    else:
        torch.save(hostile, tmp_path / "pytorch_model.bin")
    result = run(tmp_path)
    assert result.returncode == 1 and "restricted loader" in result.stderr
    assert not marker.exists()
    assert [p.name for p in tmp_path.iterdir()] == ["pytorch_model.bin"]


@pytest.mark.parametrize("name", ["../x.bin", "/etc/passwd", "", "..", "gone.bin", 3])
def test_index_cannot_lead_outside(tmp_path, name):
    torch.save({"a": torch.ones(1)}, tmp_path / "x.bin")
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps({"weight_map": {"a": name}}))
    result = run(folder)
    assert result.returncode == 1
    assert not (folder / "model.safetensors").exists()


@pytest.mark.parametrize("weights", [
    {"a": torch.ones(1, dtype=torch.complex64)}, {"n" * 1025: torch.ones(1)}, {}, {1: torch.ones(1)},
    {"a": torch.ones([1] * 9)}, torch.ones(1), {"a": torch.ones(2).to_sparse()}])
def test_what_cannot_be_held_is_refused(tmp_path, weights):
    torch.save(weights, tmp_path / "pytorch_model.bin")
    result = run(tmp_path)
    assert result.returncode == 1 and result.stderr.startswith("not converted: ")
    assert [p.name for p in tmp_path.iterdir()] == ["pytorch_model.bin"]


def test_cut_files_and_wrong_paths(tmp_path):
    torch.save(some_weights(), tmp_path / "whole")
    whole = (tmp_path / "whole").read_bytes()
    folder = tmp_path / "model"
    folder.mkdir()
    for length in (0, 1, len(whole) // 2, len(whole) - 1):
        (folder / "pytorch_model.bin").write_bytes(whole[:length])
        result = run(folder)
        assert result.returncode == 1, length
    assert [p.name for p in folder.iterdir()] == ["pytorch_model.bin"]
    assert run(tmp_path / "nothing").returncode == 1
    (tmp_path / "empty").mkdir()
    assert run(tmp_path / "empty").returncode == 3


def test_help_and_usage():
    result = subprocess.run([sys.executable, str(CONVERT), "--help"], capture_output=True, text=True, check=False)
    assert result.returncode == 0 and "FOLDER" in result.stdout and "exit codes" in result.stdout
    assert subprocess.run([sys.executable, str(CONVERT)], capture_output=True, check=False).returncode == 2


@pytest.mark.parametrize("wrong", [["--dtype", "int8", "x"], ["x", "y"], ["--dtype", "int2", "x", "y"],
                                   ["--component", "decoder=int8", "x"],
                                   ["--dtype", "int8", "--component", "decoder=int9", "x", "y"]])
def test_a_wrong_command_line_for_a_copy(wrong, capsys):
    with pytest.raises(SystemExit) as caught:
        load_convert().main(wrong)
    assert caught.value.code == 2 and "usage:" in capsys.readouterr().err
