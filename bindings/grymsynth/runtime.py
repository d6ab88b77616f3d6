"""A look into published model files: tensors, configs, tokenizers. Paths may be single files, told apart by content."""
from __future__ import annotations

import json
import os
from typing import Any, Union

from . import _grymsynth, _native
from ._grymsynth import Tokenizer

__all__ = ["Tensors", "Tokenizer", "plan_config"]

_Path = Union[str, "os.PathLike[str]"]


class Tensors:
    """The tensors of a safetensors file, of the index of a sharded one, or of a folder; read in place.

    Raises: NotFoundError; InvalidArgumentError and DataLossError with the place for a damaged file;
    FailedPreconditionError (code "pickle_refused") with the command that converts pickled weights.
    """

    def __init__(self, path: _Path) -> None:
        self._summaries = _grymsynth.summarize_tensors(path)

    def names(self) -> list[str]:
        """Sorted."""
        return list(self._summaries)

    def sums(self) -> dict[str, float]:
        """The sum of each tensor's elements in double precision, by name; the same bits on every machine."""
        return {name: summary.sum for name, summary in self._summaries.items()}

    def absolute_sums(self) -> dict[str, float]:
        """The sum of each tensor's magnitudes in double precision, by name."""
        return {name: summary.absolute_sum for name, summary in self._summaries.items()}

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Outermost dimension first, by name."""
        return {name: tuple(summary.shape) for name, summary in self._summaries.items()}

    def dtypes(self) -> dict[str, str]:
        """As the file says: "F32", "BF16", "I64", ..., by name."""
        return {name: summary.dtype for name, summary in self._summaries.items()}

    def __len__(self) -> int:
        return len(self._summaries)


def plan_config(path: _Path) -> dict[str, Any]:
    """What a config would make, read as opening the model would read it: needs no weights.

    Args:
      path: a config.json, a model_index.json with its components' configs beside it, or the folder of either.
    Returns: {"family", "fields": {name: value in use, given or default}, "ignoredFields": [...]}; of a pipeline
      {"family", "components": {name: the same}}.
    Raises: InvalidArgumentError (code "bad_config") with every field that is wrong in .problems; UnimplementedError
      (code "unknown_family") with the families that there are; FailedPreconditionError (code "no_torch").
    """
    plan: dict[str, Any] = json.loads(_native.module().plan_config(os.fspath(path)))
    return plan
