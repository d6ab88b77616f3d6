"""Loads LibTorch and the module of native models, when they are first wanted."""
from __future__ import annotations

import ctypes
import importlib
import importlib.util
import os
import sys
import threading
from pathlib import Path
from types import ModuleType
from typing import Any

from ._errors import FailedPreconditionError

_lock = threading.Lock()
_module: ModuleType | None = None


def _torch_folder() -> Path:
    """The torch package of this Python, or GRYM_TORCH; found without running torch's own imports."""
    chosen = os.environ.get("GRYM_TORCH")
    if chosen:
        return Path(chosen)
    loaded = sys.modules.get("torch")
    if loaded is not None and loaded.__file__:
        return Path(loaded.__file__).parent
    spec = importlib.util.find_spec("torch")
    if spec is None or not spec.submodule_search_locations:
        raise FailedPreconditionError(
            "native models need LibTorch: install torch (pip install torch==2.13.0), or set GRYM_TORCH to a LibTorch "
            "folder", code="no_torch")
    return Path(next(iter(spec.submodule_search_locations)))


def _load_libraries(folder: Path) -> None:
    """By full path, so that a later `import torch` finds the same files loaded: one LibTorch in the process."""
    if sys.platform == "win32":
        os.add_dll_directory(str(folder / "lib"))  # type: ignore[attr-defined]
        return
    suffix = "dylib" if sys.platform == "darwin" else "so"
    for name in ("torch_global_deps", "c10", "c10_cuda", "torch_cpu", "torch_cuda"):
        path = folder / "lib" / f"lib{name}.{suffix}"
        if not path.exists():
            if name in ("c10", "torch_cpu"):
                raise FailedPreconditionError(f"native models need LibTorch: want {path}, it is not there",
                                              code="no_torch")
            continue
        # torch's own libraries expect what global_deps holds (OpenMP) among the global symbols.
        mode = ctypes.RTLD_GLOBAL if name == "torch_global_deps" else ctypes.RTLD_LOCAL
        try:
            ctypes.CDLL(str(path), mode=mode)
        except OSError as error:
            raise FailedPreconditionError(f"native models need LibTorch: {path}: {error}", code="no_torch") from None


def module() -> ModuleType:
    """The extension module; any thread."""
    global _module
    with _lock:
        if _module is None:
            if importlib.util.find_spec("grymsynth._grymsynth_torch") is None:
                raise FailedPreconditionError(
                    "native models: this build of grymsynth was made without LibTorch (build it where torch is "
                    "installed)", code="no_torch")
            _load_libraries(_torch_folder())
            try:
                _module = importlib.import_module("grymsynth._grymsynth_torch")
            except ImportError as error:
                raise FailedPreconditionError(f"native models: {error}; LibTorch must be of the version that "
                                              "grymsynth was built with", code="no_torch") from None
        return _module


def opener() -> Any:
    """A capsule with the opener of native models, for the core's module."""
    return module().opener()


_shared: Any = None


def shared_opener() -> Any:
    """The same one each time: the models of Model.open share one budget for each device."""
    global _shared
    made = opener() if _shared is None else None
    with _lock:
        if _shared is None:
            _shared = made
        return _shared
