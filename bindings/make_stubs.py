"""Writes grymsynth/_grymsynth.pyi from the built module. Usage: make_stubs.py MODULE_FOLDER (needs pybind11-stubgen)

pybind11-stubgen reads the signatures; what C++ takes or gives as any object is typed here, by name.
"""
from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

TARGET = Path(__file__).resolve().parent / "grymsynth" / "_grymsynth.pyi"
HEAD = '''"""grymsynth's C++ core. Made by bindings/make_stubs.py; docstrings are the module's own."""
from __future__ import annotations
import collections.abc
import os
import pathlib
import typing

import numpy
import numpy.typing

from ._errors import Error, Problem

_Path = typing.Union[str, os.PathLike[str]]
_Source = typing.Union["Audio", str, os.PathLike[str]]
_Progress = typing.Union[collections.abc.Callable[["Progress"], object], bool, None]
_Floats = numpy.typing.NDArray[numpy.float32]
_Doubles = numpy.typing.NDArray[numpy.float64]
_T = typing.TypeVar("_T")
'''
PROPERTIES = {
    "_Doubles": ["onsets_s", "beats_s", "downbeats_s", "times_s"],
    "_Floats": ["samples", "f0_hz", "values", "embedding"],
    "pathlib.Path": ["input"],
    "list[pathlib.Path]": ["files"],
    "Error | None": ["error"],
    "list[Problem]": ["warnings"],
    "dict[str, Audio]": ["stems"],
    "dict[str, str]": ["metadata"],
    "str": ["_repr_html_"],
}
ARGUMENTS = {
    "path": "_Path", "data_dir": "_Path | None", "output_dir": "_Path | None", "taxonomy": "_Path | None",
    "audio": "_Source", "original": "_Source", "result": "_Source", "progress": "_Progress",
    "on_event": "collections.abc.Callable[[WorkflowEvent], object] | None",
    "parameters": "collections.abc.Mapping[str, typing.Any] | None", "timeout": "float | None",
    "params": "EnhanceParams | None", "options": "ProcessOptions | None", "kind": "str | None",
    "container": "str | None", "metadata": "collections.abc.Mapping[str, object] | None",
    "request": "GenerateAudioRequest | None",
}
REQUEST = """self, *, prompt: str = ..., negative_prompt: str = ..., duration_s: float = ..., seed: int = ...,
                 model: str = ..., temperature: float | None = ..., top_k: int | None = ..., top_p: float | None = ...,
                 guidance: float | None = ..., steps: int | None = ..., tempo_bpm: float | None = ...,
                 key: str | None = ..., meter: int | None = ..., structure: str = ...,
                 instruments: collections.abc.Sequence[str] = ..., mood: str = ...,
                 reference_audio: _Source | None = ..., reference_midi: _Path | None = ...,
                 reference_strength: float = ..., want_stems: bool = ..., quality: str = ...,
                 allow_unsupported: bool = ..., enhancement_level: float = ...,
                 preserve_original_characteristics: bool = ..., focus_areas: collections.abc.Sequence[str] = ...,
                 target_lufs: float | None = ...,
                 patterns: AudioPatterns | collections.abc.Sequence[AudioPattern] | None = ...,
                 parameters: collections.abc.Mapping[str, object] = ..."""
JOBS = {
    "analyze": "AudioFeatures", "detect_patterns": "AudioPatterns", "classify_style": "StyleClassification",
    "enhance": "EnhancedAudio", "process": "ProcessedAudio", "generate": "GenerateAudioResult",
    "workflow": "WorkflowRun",
}


def without_docstrings(text: str) -> str:
    text = re.sub(r'\n( +)"""\n.*?\n +"""\n', r"\n", text, flags=re.S)
    text = re.sub(r"(->[^\n]*:)\n +\.\.\.\n", r"\1 ...\n", text)
    return re.sub(r"^( *def [^\n]*[^.]:)\n(?! {8})", r"\1 ...\n", text, flags=re.M)


def typed(text: str) -> str:
    text = text.split("__all__", 1)[1].split("\n", 1)[1]
    for kind, names in PROPERTIES.items():
        for name in names:
            text = re.sub(rf"def {name}\(self\) -> (typing\.Any|list|dict):", f"def {name}(self) -> {kind}:", text)
    for name, kind in ARGUMENTS.items():
        text = re.sub(rf"\b{name}: typing\.Any\b", f"{name}: {kind}", text)
    for name, kind in JOBS.items():
        text = re.sub(rf"(def start_{name}\(.*?\)) -> Job:", rf"\1 -> Job[{kind}]:", text)
    text = text.replace("typing.SupportsInt | typing.SupportsIndex", "int")
    text = text.replace("typing.SupportsFloat | typing.SupportsIndex", "float")
    text = text.replace("**kwargs", "**kwargs: typing.Any").replace("*args)", "*args: typing.Any)")
    before, request = text.split("class GenerateAudioRequest:", 1)
    request = re.sub(r"def __init__\(self, \*\*kwargs: typing\.Any\)", f"def __init__({REQUEST})", request, count=1)
    text = before + "class GenerateAudioRequest:" + request
    text = text.replace("class Job:", "class Job(typing.Generic[_T]):")
    text = text.replace("def __await__(self) -> typing.Any:",
                        "def __await__(self) -> collections.abc.Generator[typing.Any, None, _T]:")
    text = text.replace("def result(self) -> typing.Any:\n", "def result(self) -> _T:\n", 1)
    return text


def main() -> None:
    folder = sys.argv[1]
    with tempfile.TemporaryDirectory() as scratch:
        subprocess.run(["pybind11-stubgen", "grymsynth._grymsynth", "-o", scratch, "--ignore-all-errors"], check=True,
                       env={**os.environ, "PYTHONPATH": folder})
        made = (Path(scratch) / "grymsynth" / "_grymsynth.pyi").read_text(encoding="utf-8")
    TARGET.write_text(HEAD + without_docstrings(typed(made)), encoding="utf-8")


if __name__ == "__main__":
    main()
