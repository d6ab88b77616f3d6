"""The engine behind the module's own functions, made when it is first needed."""
from __future__ import annotations

import atexit
import threading
from typing import Any

from ._grymsynth import Engine, GenerateAudioRequest, GenerateAudioResult, Job

_lock = threading.Lock()
_engine: Engine | None = None


def engine() -> Engine:
    """The module's engine; its data lives in a temporary folder that ends with the process."""
    global _engine
    with _lock:
        if _engine is None:
            _engine = Engine()
        return _engine


def generate(request: GenerateAudioRequest, *, progress: Any = None) -> GenerateAudioResult:
    """Makes audio with the module's own engine; see Engine.generate."""
    return engine().generate(request, progress=progress)


def start_generate(request: GenerateAudioRequest, *, progress: Any = None) -> Job[GenerateAudioResult]:
    """The same as `generate`, as a Job."""
    return engine().start_generate(request, progress=progress)


@atexit.register
def _drop() -> None:
    global _engine
    _engine = None
