"""What notebooks show: a player, a waveform, tables. Self-contained, no scripts."""
from __future__ import annotations

import base64
import html
import io
import wave
from typing import Any, Iterable

import numpy as np

_LONGEST_S = 30.0  # a player holds at most so much; longer audio is cut and says so
_WIDTH, _HEIGHT = 640, 80
_CAPTION = "font:12px sans-serif;color:#666"


def _wav(audio: Any) -> bytes:
    frames = min(audio.frames, int(_LONGEST_S * audio.rate_hz))
    samples = np.asarray(audio.samples)[:2, :frames]
    clipped = np.clip(np.nan_to_num(samples), -1.0, 1.0)
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(samples.shape[0])
        file.setsampwidth(2)
        file.setframerate(audio.rate_hz)
        file.writeframes(np.round(clipped.T * 32767).astype("<i2").tobytes())
    return out.getvalue()


def _waveform(audio: Any) -> str:
    samples = np.nan_to_num(np.asarray(audio.samples))
    if samples.shape[1] == 0:
        return ""
    edges = np.linspace(0, samples.shape[1], min(_WIDTH, samples.shape[1]) + 1).astype(int)[:-1]
    top = np.maximum.reduceat(samples.max(axis=0), edges)
    low = np.minimum.reduceat(samples.min(axis=0), edges)
    middle = _HEIGHT / 2
    x = np.linspace(0, _WIDTH, len(edges))
    up = [f"{a:.1f},{middle - middle * min(1.0, b):.1f}" for a, b in zip(x, top)]
    down = [f"{a:.1f},{middle - middle * max(-1.0, b):.1f}" for a, b in zip(x[::-1], low[::-1])]
    points = " ".join(up + down)
    return (
        f'<svg width="100%" height="{_HEIGHT}" viewBox="0 0 {_WIDTH} {_HEIGHT}" preserveAspectRatio="none" role="img" '
        f'aria-label="waveform" style="max-width:{_WIDTH}px;display:block"><polygon points="{points}" fill="#4a7bd0" '
        f'stroke="#4a7bd0" stroke-width="0.5"/></svg>'
    )


def _table(rows: Iterable[tuple[str, str]]) -> str:
    body = "".join(
        f'<tr><th style="text-align:left;padding-right:1em">{html.escape(k)}</th>'
        f'<td style="text-align:left">{html.escape(v)}</td></tr>'
        for k, v in rows
    )
    return f'<table style="font:13px sans-serif">{body}</table>'


def audio(self: Any) -> str:
    """A player and a waveform."""
    data = base64.b64encode(_wav(self)).decode("ascii")
    cut = f", first {_LONGEST_S:.0f} s in the player" if self.duration_s > _LONGEST_S else ""
    caption = f"{self.duration_s:.2f} s, {self.channels} ch, {self.rate_hz} Hz{cut}"
    return (
        f'<div>{_waveform(self)}<audio controls preload="none" src="data:audio/wav;base64,{data}"></audio>'
        f'<div style="{_CAPTION}">{caption}</div></div>'
    )


def result(self: Any) -> str:
    """The take, its facts and its stems."""
    rows = [("model", self.provenance.model), ("seed", str(self.provenance.seed))]
    rows += [(str(k), str(v)) for k, v in sorted(self.facts.items())]
    rows += [("warning", w) for w in self.warnings]
    if self.stems:
        rows.append(("stems", ", ".join(self.stems)))
    return f"<div>{audio(self.audio)}{_table(rows)}</div>"


def features(self: Any) -> str:
    """The main facts and a time line of sections, chords and beats."""
    tempo = f"{self.tempo_bpm:.2f} BPM" if self.tempo_bpm else "unsure"
    rows = [("duration", f"{self.duration_s:.2f} s, {self.channels} ch, {self.rate_hz} Hz")]
    if "rhythm" in self.parts:
        rows.append(("tempo", tempo))
    if "key" in self.parts:
        rows += [("key", self.key or "unsure"), ("tuning", f"{self.tuning_hz:.1f} Hz")]
    if "loudness" in self.parts:
        rows.append(("loudness", f"{self.loudness.integrated_lufs:.1f} LUFS, range {self.loudness.range_lu:.1f} LU"))
        rows.append(("true peak", f"{self.loudness.true_peak_dbtp:.1f} dBTP"))
    return f"<div>{_table(rows)}{_timeline(self)}</div>"


def _stages(stages: Any) -> list[tuple[str, str]]:
    return [(stage.name, stage.text) for stage in stages if stage.applied]


def enhanced(self: Any) -> str:
    """The cleaned recording and what each stage did."""
    rows = _stages(self.stages) or [("stages", "nothing to mend")]
    return f"<div>{audio(self.audio)}{_table(rows)}</div>"


def summary(self: Any) -> str:
    """The exported take, the score of every take, and what changed."""
    from . import load

    parts = []
    if self.files:
        try:
            parts.append(audio(load(self.files[0])))
        except Exception as error:  # moved or deleted since: the rest is still worth a look
            parts.append(f'<div style="{_CAPTION}">{html.escape(str(error))}</div>')
    rows = [
        (
            f"{take.step} {take.visit}" + (", exported" if take.exported else ""),
            f"quality {take.quality_score:.3f}, level {take.enhancement_level:.2f}, seed {take.seed}",
        )
        for take in self.takes
    ]
    for name, before, after in (
        ("loudness", self.before.loudness.integrated_lufs, self.after.loudness.integrated_lufs),
        ("true peak", self.before.loudness.true_peak_dbtp, self.after.loudness.true_peak_dbtp),
    ):
        rows.append((name, f"{before:.1f} to {after:.1f} {'LUFS' if name == 'loudness' else 'dBTP'}"))
    rows += _stages(self.stages)
    rows += [("warning", warning) for warning in self.warnings]
    return "<div>" + "".join(parts) + _table(rows) + "</div>"


def _timeline(self: Any) -> str:
    if not self.duration_s:
        return ""
    scale = _WIDTH / self.duration_s
    parts = [
        f'<svg width="100%" viewBox="0 0 {_WIDTH} 60" role="img" aria-label="time line" '
        f'style="max-width:{_WIDTH}px">'
    ]
    for row, spans in ((0, self.sections), (20, self.chords)):
        for i, span in enumerate(spans):
            x, width = span.start_s * scale, max(0.5, (span.end_s - span.start_s) * scale)
            hue = sum(map(ord, span.label)) * 47 % 360
            label = html.escape(span.label)
            parts.append(
                f'<rect x="{x:.1f}" y="{row}" width="{width:.1f}" height="18" fill="hsl({hue},55%,80%)">'
                f"<title>{label} {span.start_s:.2f} s</title></rect>"
            )
            if width > 14:
                parts.append(f'<text x="{x + 2:.1f}" y="{row + 13}" font-size="10">{label}</text>')
    for beat in self.beats_s:
        parts.append(f'<rect x="{beat * scale:.1f}" y="42" width="0.7" height="16" fill="#888"/>')
    return "".join(parts) + "</svg>"


def comparison(self: Any) -> str:
    """The score, a bar per part, and what could be better."""
    parts = [f'<div style="font:13px sans-serif"><b>quality {self.quality_score:.3f}</b>']
    for part in self.parts:
        parts.append(
            f'<div title="{html.escape(part.text)}">'
            f'<span style="display:inline-block;width:10em">{html.escape(part.name)}</span>'
            f'<span style="display:inline-block;background:#4a7bd0;height:0.7em;'
            f'width:{200 * part.score:.0f}px"></span> '
            f"{part.score:.2f}</div>"
        )
    rows = [(area.area, f"{area.severity:.2f}: {area.text}") for area in self.improvement_areas]
    return "".join(parts) + _table(rows) + "</div>"
