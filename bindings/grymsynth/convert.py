"""Convert a published model once: pickled PyTorch weights to safetensors, or a folder to a packed copy.

    python -m grymsynth.convert FOLDER
    python -m grymsynth.convert --dtype int8 FOLDER OUT

grymsynth itself never opens a pickle: loading one may run any code. This program reads it with PyTorch's restricted
loader (weights_only=True), which builds tensors and nothing else, and needs PyTorch 2.6 or later for that; it may run
on another machine than grymsynth, also as a file by itself: python convert.py FOLDER.

Reads pytorch_model.bin or diffusion_pytorch_model.bin, their shards by *.bin.index.json, or the only *.ckpt, *.pt or
*.pth file; of a pipeline (model_index.json) those of each component. Writes model.safetensors (diffusion_pytorch_model.
safetensors) beside it: whole or not at all, and never over a file that is there. Tensors that share memory are stored
once under each of their names, so a tied model may grow.

With --dtype (int8, int4, float16, bfloat16) FOLDER is opened so and written to OUT as grymsynth keeps it: a smaller
folder of its own that opens without converting anything and makes the same samples. FOLDER is not changed; OUT is not
there yet or empty, and there whole or not at all. MusicGen alone, so far; needs grymsynth with LibTorch.
"""
from __future__ import annotations

import argparse
import ctypes
import importlib
import json
import os
import re
import sys
import tempfile
from pathlib import Path
from typing import Any, Optional

DONE, FAILED, NOTHING_TO_DO = 0, 1, 3  # 2 is a wrong command line
DTYPES = ("int8", "int4", "float16", "bfloat16")
COMPONENT_DTYPES = ("float32", *DTYPES)
STEMS = {"pytorch_model": "model", "diffusion_pytorch_model": "diffusion_pytorch_model"}
MOST_INDEX_BYTES = 16 << 20
MOST_SHARDS = 1024
MOST_TENSORS = 100_000
MOST_NAME_BYTES = 1024
MOST_RANK = 8
MOST_HEADER_BYTES = 16 << 20


class Refused(Exception):
    """What cannot be converted, in words for the user."""


def import_torch() -> Any:
    try:
        torch = importlib.import_module("torch")  # by name: type checkers of a program without PyTorch look for it else
    except ImportError:
        raise Refused("PyTorch is needed to read these weights: pip install torch, or run this file "
                      "on a machine that has it") from None
    version = re.match(r"(\d+)\.(\d+)", torch.__version__)
    if version is None or (int(version[1]), int(version[2])) < (2, 6):
        raise Refused(f"want PyTorch 2.6 or later, got {torch.__version__}: the restricted loader of earlier "
                      "ones can be made to run code (CVE-2025-32434)")
    return torch


def shown(text: object) -> str:
    """Text of strangers, safe for a terminal."""
    clean = "".join(c if c.isprintable() else "?" for c in str(text))
    return clean if len(clean) <= 200 else clean[:200] + "..."


def read_index(index: Path) -> list[Path]:
    """The shards that an index names, all of its own folder."""
    if index.stat().st_size > MOST_INDEX_BYTES:
        raise Refused(f"{index}: want at most {MOST_INDEX_BYTES} bytes, got {index.stat().st_size}")
    try:
        names = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise Refused(f"{index}: no index of shards: {shown(error)}") from None
    if not 0 < len(names) <= MOST_SHARDS:
        raise Refused(f"{index}: want 1 to {MOST_SHARDS} shards, got {len(names)}")
    for name in names:
        if not isinstance(name, str) or name in ("", ".", "..") or re.search(r"[/\\\x00-\x1f]", name):
            raise Refused(f"{index}: want plain file names, got {shown(name)!r}")
        if not (index.parent / name).is_file():
            raise Refused(f"{index}: shard {shown(name)} is missing")
    return [index.parent / name for name in names]


def find_source(folder: Path) -> Optional[tuple[list[Path], Path]]:
    """Pickles of one model and where its weights go; None where there are none."""
    for stem, target in STEMS.items():
        output = folder / f"{target}.safetensors"
        if (folder / f"{stem}.bin").is_file():
            return [folder / f"{stem}.bin"], output
        if (folder / f"{stem}.bin.index.json").is_file():
            return read_index(folder / f"{stem}.bin.index.json"), output
    others = sorted(p for p in folder.iterdir() if p.suffix in (".ckpt", ".pt", ".pth") and p.is_file())
    if len(others) > 1:
        raise Refused(f"{folder}: want one of these, leave the one that is meant: "
                      + ", ".join(shown(p.name) for p in others[:5]))
    return (others, folder / "model.safetensors") if others else None


def load_pickle(torch: Any, path: Path) -> dict[str, Any]:
    """The tensors of one file, by name, as views of the file where its format allows that."""
    try:
        try:
            loaded = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        except RuntimeError:  # the format before PyTorch 1.6 cannot be mapped
            loaded = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # noqa: BLE001: whatever a stranger's file makes it raise, the words are the user's
        raise Refused(f"{path}: PyTorch's restricted loader refuses it: {shown(error)}") from None
    if isinstance(loaded, dict) and isinstance(loaded.get("state_dict"), dict):
        loaded = loaded["state_dict"]
    if not isinstance(loaded, dict):
        raise Refused(f"{path}: want named tensors, got {type(loaded).__name__}")
    tensors = {name: value for name, value in loaded.items() if isinstance(value, torch.Tensor)}
    left_out = [shown(name) for name in loaded if name not in tensors]
    if left_out:
        print(f"{path}: left out what is no tensor: {', '.join(left_out[:5])}"
              + (f" and {len(left_out) - 5} more" if len(left_out) > 5 else ""))
    return tensors


def check(torch: Any, names: dict[str, Any]) -> None:
    """Refuses what a safetensors file of grymsynth cannot hold."""
    if not 0 < len(names) <= MOST_TENSORS:
        raise Refused(f"want 1 to {MOST_TENSORS} tensors, got {len(names)}")
    for name, tensor in names.items():
        if not isinstance(name, str) or name == "__metadata__" or len(name.encode(errors="replace")) > MOST_NAME_BYTES:
            raise Refused(f"tensor {shown(name)!r}: want a name of at most {MOST_NAME_BYTES} bytes")
        if tensor.layout != torch.strided or tensor.is_quantized or tensor.is_meta:
            raise Refused(f"tensor {shown(name)!r}: want plain numbers, got {tensor.layout}, {tensor.dtype}")
        if tensor.dtype not in type_names(torch):
            raise Refused(f"tensor {shown(name)!r}: {tensor.dtype} is not a type that grymsynth reads")
        if tensor.dim() > MOST_RANK:
            raise Refused(f"tensor {shown(name)!r}: want at most {MOST_RANK} sides, got {tensor.dim()}")


def type_names(torch: Any) -> dict[Any, str]:
    return {torch.float64: "F64", torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16",
            torch.int64: "I64", torch.int32: "I32", torch.int16: "I16", torch.int8: "I8", torch.uint8: "U8",
            torch.bool: "BOOL"}


def count_shared(tensors: dict[str, Any]) -> int:
    """How many names stand for memory that an earlier name stands for already."""
    filled = [t for t in tensors.values() if t.numel()]
    return len(filled) - len({(t.untyped_storage().data_ptr(), t.storage_offset(), tuple(t.shape)) for t in filled})


def write_safetensors(torch: Any, tensors: dict[str, Any], output: Path) -> None:
    """Whole or not at all, and never over a file that is there."""
    # Wide elements first, as the format's own library does: then every tensor is aligned.
    order = sorted(tensors, key=lambda name: (-tensors[name].element_size(), name))
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    end = 0
    for name in order:
        begin, end = end, end + tensors[name].numel() * tensors[name].element_size()
        header[name] = {"dtype": type_names(torch)[tensors[name].dtype], "shape": list(tensors[name].shape),
                        "data_offsets": [begin, end]}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    if len(text) > MOST_HEADER_BYTES:
        raise Refused(f"want a header of at most {MOST_HEADER_BYTES} bytes, got {len(text)}")
    handle, temporary = tempfile.mkstemp(prefix=".grym-tmp-", dir=output.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(len(text).to_bytes(8, "little") + text)
            for name in order:
                plain = tensors[name].detach().contiguous().resolve_neg()
                length = plain.numel() * plain.element_size()
                if length:  # straight from the tensor's memory: no copy, and no numpy
                    file.write(memoryview((ctypes.c_char * length).from_address(plain.data_ptr())))
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~current_umask())
        place(temporary, output)
    finally:
        if os.path.exists(temporary):
            os.unlink(temporary)


def current_umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def place(temporary: str, output: Path) -> None:
    try:
        os.link(temporary, output)  # unlike a rename, refuses where somebody made the file meanwhile
    except FileExistsError:
        raise Refused(f"{output} is there already, and is left as it is") from None
    except OSError:  # a file system without links
        if output.exists():
            raise Refused(f"{output} is there already, and is left as it is") from None
        os.rename(temporary, output)


def convert_model(folder: Path) -> bool:
    """Converts the weights of one model. False where there is nothing to do."""
    ready = [p.name for target in STEMS.values()
             for p in (folder / f"{target}.safetensors", folder / f"{target}.safetensors.index.json") if p.exists()]
    if ready:
        print(f"{folder}: {ready[0]} is there already, nothing to do")
        return False
    source = find_source(folder)
    if source is None:
        return False
    torch = import_torch()
    paths, output = source
    tensors: dict[str, Any] = {}
    for path in paths:
        for name, tensor in load_pickle(torch, path).items():
            if name in tensors:
                raise Refused(f"{path}: tensor {shown(name)!r} is in two files")
            tensors[name] = tensor
    try:
        check(torch, tensors)
    except Refused as error:
        raise Refused(f"{paths[0]}: {error}") from None
    shared = count_shared(tensors)
    if shared:
        print(f"{folder}: {shared} of {len(tensors)} names share their numbers with another; each is stored by itself")
    write_safetensors(torch, tensors, output)
    print(f"{output}: {len(tensors)} tensors, {output.stat().st_size} bytes")
    return True


def convert(folder: Path) -> int:
    """Converts a model's folder, or every component of a pipeline's. Returns an exit code; raises Refused."""
    if not folder.is_dir():
        raise Refused(f"{folder}: want a folder")
    folders = [folder]
    if (folder / "model_index.json").is_file():
        folders = sorted(p for p in folder.iterdir() if p.is_dir() and not p.is_symlink())
    done = [convert_model(each) for each in folders]
    if any(done):
        return DONE
    print(f"{folder}: nothing was converted")
    return NOTHING_TO_DO


def pack(folder: Path, out: Path, dtype: str, components: dict[str, str]) -> int:
    """Writes the packed copy. Returns an exit code; raises Refused."""
    try:
        grymsynth: Any = importlib.import_module("grymsynth")
    except ImportError:
        raise Refused("grymsynth itself is needed for --dtype: pip install grymsynth, or put its folder on "
                      "PYTHONPATH") from None
    try:
        # Of this process's memory there is nobody else to leave some to.
        model = grymsynth.Model.open(folder, device="cpu", dtype=dtype, component_dtypes=components,
                                     budget_bytes=1 << 40)
        model.save_copy(out)
    except grymsynth.Error as error:
        raise Refused(str(error)) from None
    before, after = (sum(p.stat().st_size for p in each.glob("*.safetensors")) for each in (folder, out))
    print(f"{out}: {dtype}, {after} bytes of weights in place of {before}")
    return DONE


def component_dtype(text: str) -> tuple[str, str]:
    name, _, dtype = text.partition("=")
    if not name or dtype not in COMPONENT_DTYPES:
        raise argparse.ArgumentTypeError(f"want COMPONENT=DTYPE with a dtype of {', '.join(COMPONENT_DTYPES)}, "
                                         f"got {shown(text)!r}")
    return name, dtype


def main(arguments: Optional[list[str]] = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m grymsynth.convert", formatter_class=argparse.RawDescriptionHelpFormatter, description=__doc__,
        epilog="exit codes: 0 converted, 1 refused or failed, 2 wrong command line, 3 nothing to do")
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="the model's folder")
    parser.add_argument("out", type=Path, metavar="OUT", nargs="?", help="where the packed copy goes; with --dtype")
    parser.add_argument("--dtype", choices=DTYPES, help="of the packed copy's weights")
    parser.add_argument("--component", type=component_dtype, action="append", default=[], metavar="COMPONENT=DTYPE",
                        help="another dtype for one component, for instance text_encoder=float32")
    options = parser.parse_args(arguments)
    if bool(options.dtype) != bool(options.out):
        parser.error("want --dtype and OUT together")
    if options.component and not options.dtype:
        parser.error("want --dtype beside --component")
    try:
        if options.dtype:
            return pack(options.folder, options.out, options.dtype, dict(options.component))
        return convert(options.folder)
    except Refused as error:
        print(f"not converted: {error}", file=sys.stderr)
    except OSError as error:
        print(f"not converted: {shown(error)}", file=sys.stderr)
    return FAILED


if __name__ == "__main__":
    sys.exit(main())
