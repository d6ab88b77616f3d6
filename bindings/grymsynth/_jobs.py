"""Awaiting a job."""
from __future__ import annotations

import asyncio
from typing import Any

# The job's own thread never touches the loop, so a loop that is closed early, or an interpreter that ends, leaves
# nothing dangling. The price is this pause: at most 20 ms on top of a call that takes longer than 50.
_FIRST_PAUSE_S = 0.001
_LONGEST_PAUSE_S = 0.02


async def ended(job: Any) -> Any:
    """Waits without blocking the loop; a cancelled await cancels the job."""
    pause_s = _FIRST_PAUSE_S
    try:
        while not job.done:
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
    except asyncio.CancelledError:
        job.cancel()
        raise
    return job.result()
