"""Reads every #include and refuses one that goes upward, or that shows what must stay hidden.

Usage: includes_test.py SOURCE_DIR
"""
from __future__ import annotations

import re
import sys
from pathlib import Path

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.M)
ROOM = re.compile(r"^ *grym_room\(([\w/]+)([^)]*)\)", re.M)

# Who may see which foreign header: rooms, or single files.
FOREIGN = {
    "nlohmann/": {"src/base/json.cc"},
    "sqlite3": {"src/store"},
    "sndfile": {"src/audio"},
    "samplerate": {"src/audio"},
    "soxr": {"src/audio"},
    "ebur128": set(),
    "Eigen/": set(),
    "torch/": set(),
    "ATen/": {"src/runtime", "src/nn", "src/models"},
    "c10/": {"src/runtime", "src/nn", "src/models"},
    "pybind11/": {"bindings"},
    "pybind11": {"bindings"},
}
# What a public header may include beside the standard library (no slash, no .h but C's own).
PUBLIC = ("absl/status/", "absl/types/", "grymsynth/")
STANDARD = re.compile(r"^[a-z_0-9]+$|^(stdint|stddef)\.h$")


def rooms(cmake: str) -> dict[str, list[str]]:
    """Rooms in order, lowest first, each with the rooms it names."""
    found: dict[str, list[str]] = {}
    for name, rest in ROOM.findall(cmake):
        words = rest.split()
        deps: list[str] = []
        if "DEPS" in words:
            for word in words[words.index("DEPS") + 1 :]:
                if word.isupper():
                    break
                deps.append(word)
        found[name] = deps
    return found


def room_of(path: str, order: dict[str, list[str]]) -> str:
    """Of "models/vae/net.h" models/vae, of "models/register_all.h" models, of "dsp/fft.h" dsp."""
    words = path.split("/")
    return "/".join(words[:2]) if "/".join(words[:2]) in order else words[0]


def check_order(order: dict[str, list[str]]) -> list[str]:
    names = list(order)
    return [
        f"CMakeLists.txt: room {name} names {dep}, which does not lie below it"
        for name, deps in order.items()
        for dep in deps
        if dep not in names or names.index(dep) >= names.index(name)
    ]


def includes(path: Path) -> list[tuple[str, str]]:
    return INCLUDE.findall(path.read_text(encoding="utf-8", errors="replace"))


def check_foreign(where: str, header: str) -> list[str]:
    for prefix, allowed in FOREIGN.items():
        if header.startswith(prefix) and not any(where == a or where.startswith(a + "/") for a in allowed):
            return [f"{where}: <{header}> is for {', '.join(sorted(allowed)) or 'nobody'} alone"]
    return []


def check_room_file(path: Path, where: str, room: str, order: dict[str, list[str]]) -> list[str]:
    problems = []
    for quote, header in includes(path):
        problems += check_foreign(where, header)
        first = room_of(header, order)
        if quote == '"' and first in order and first != room and first not in order[room]:
            names = " ".join(order[room])
            problems.append(f'{where}: "{header}" is not of a room that {room} names (it names {names})')
    return problems


def check_face_file(path: Path, where: str, order: dict[str, list[str]]) -> list[str]:
    problems = []
    for quote, header in includes(path):
        problems += check_foreign(where, header)
        if quote == '"' and "/" in header and header.split("/")[0] in order:
            problems.append(f'{where}: "{header}" is a room\'s; only public headers may be seen here')
    return problems


def check_public_header(path: Path, where: str) -> list[str]:
    return [
        f"{where}: <{header}> does not belong into a public header"
        for _, header in includes(path)
        if not header.startswith(PUBLIC) and not STANDARD.match(header)
    ]


def main() -> int:
    root = Path(sys.argv[1])
    order = rooms((root / "CMakeLists.txt").read_text(encoding="utf-8"))
    problems = check_order(order)
    count = 0
    for path in sorted((root / "src").rglob("*")):
        if path.suffix in {".h", ".cc", ".c", ".inc"}:
            where = path.relative_to(root).as_posix()
            problems += check_room_file(path, where, room_of(where.removeprefix("src/"), order), order)
            count += 1
    for folder in ("capi", "bindings", "examples"):
        for path in sorted((root / folder).rglob("*")):
            if path.suffix in {".h", ".cc", ".c"}:
                problems += check_face_file(path, path.relative_to(root).as_posix(), order)
                count += 1
    for path in [*sorted((root / "include").rglob("*.h")), root / "capi" / "grymsynth.h"]:
        problems += check_public_header(path, path.relative_to(root).as_posix())
        count += 1
    if len(order) < 10 or count < 50:
        problems.append(f"read only {len(order)} rooms and {count} files: the test looks in the wrong place")
    print("\n".join(problems) or f"{count} files, {len(order)} rooms: every include goes downward")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
