"""A tqdm bar for `progress=True`."""
from __future__ import annotations

from typing import Any


class Bar:
    """Called with a Progress. Shows nothing where tqdm is not installed."""

    def __init__(self) -> None:
        try:
            from tqdm.auto import tqdm  # type: ignore[import-untyped, unused-ignore]
        except ImportError:
            self._bar: Any = None
            return
        self._bar = tqdm(total=100, unit="%", bar_format="{desc:<12}|{bar}| {n:3.0f}% {postfix}")

    def __call__(self, now: Any) -> None:
        if self._bar is None:
            return
        self._bar.set_description_str(now.stage, refresh=False)
        if now.eta_s >= 0:
            self._bar.set_postfix_str(f"{now.eta_s:.0f} s left", refresh=False)
        self._bar.update(100 * now.fraction - self._bar.n)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None
