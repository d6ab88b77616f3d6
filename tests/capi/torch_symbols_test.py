"""The second library shows what its header declares, and nothing else.

Usage: torch_symbols_test.py HEADER LIBRARY NM
"""
from __future__ import annotations

import sys
from pathlib import Path

import declarations
from symbols_test import exported


def main() -> int:
    header, library, nm = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
    functions = declarations.functions(header)
    declared, built = {function.name for function in functions}, exported(library, nm)
    problems = [f"declared but not exported: {name}" for name in sorted(declared - built)]
    problems += [f"exported but not declared: {name}" for name in sorted(built - declared)]
    problems += [f"says no \"Since\": {f.name}" for f in functions if "Since " not in f.comment]
    print("\n".join(problems) or f"{len(declared)} symbols agree")
    return 1 if problems or not declared else 0


if __name__ == "__main__":
    sys.exit(main())
