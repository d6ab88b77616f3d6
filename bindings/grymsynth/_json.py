"""JSON text from Python values."""
from __future__ import annotations

import json
import os
from typing import Any


def _plain(value: Any) -> Any:
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if hasattr(value, "tolist"):  # numpy scalars and arrays
        return value.tolist()
    raise TypeError(f"want a value that JSON can say, got {type(value).__name__}")


def text(value: Any) -> str:
    """Strict JSON: NaN is refused; paths and numpy values are taken."""
    return json.dumps(value, default=_plain, allow_nan=False, ensure_ascii=False)
