"""symbols.txt, the header and the built library agree. Usage: symbols_test.py CAPI_FOLDER LIBRARY NM"""
from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import declarations


def exported(library: str, nm: str) -> set[str]:
    flags = ["-gU"] if sys.platform == "darwin" else ["-D", "--defined-only"]
    lines = subprocess.run([nm, *flags, library], check=True, capture_output=True, text=True).stdout.splitlines()
    names = set()
    for line in lines:
        kind, name = line.split()[-2:]
        if kind == "A":  # the version node itself
            continue
        name = name.split("@")[0]
        names.add(name[1:] if sys.platform == "darwin" and name.startswith("_") else name)
    return names


def main() -> int:
    capi, library, nm = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
    listed = declarations.symbols(capi / "symbols.txt")
    declared = declarations.functions(capi / "grymsynth.h")
    built = exported(library, nm)
    problems = []
    if listed != sorted(set(listed)):
        problems.append("symbols.txt is not sorted, or names a symbol twice")
    names = {function.name for function in declared}
    problems += [f"in symbols.txt but not in grymsynth.h: {name}" for name in sorted(set(listed) - names)]
    problems += [f"in grymsynth.h but not in symbols.txt: {name}" for name in sorted(names - set(listed))]
    problems += [f"in symbols.txt but not exported: {name}" for name in sorted(set(listed) - built)]
    problems += [f"exported but not in symbols.txt: {name}" for name in sorted(built - set(listed))]
    problems += [f"says no \"Since\": {f.name}" for f in declared if "Since " not in f.comment]
    print("\n".join(problems) or f"{len(listed)} symbols agree")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
