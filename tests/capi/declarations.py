"""Reads the functions of capi/grymsynth.h."""
from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple


class Function(NamedTuple):
    name: str
    returns: str
    params: list[str]  # types, without names
    comment: str  # the comments before and behind it


_DECLARATION = re.compile(r"GRYM_C_API\s+([\w ]+?[\s*]+)(grym_\w+)\(([^;]*?)\);([^\n]*)", re.S)


def _type_of(param: str) -> str:
    param = " ".join(param.split())
    return re.sub(r"\s*\b\w+$", "", param) if not param.endswith("*") else param


def functions(header: Path) -> list[Function]:
    text = header.read_text(encoding="utf-8")
    found = []
    end = 0
    for match in _DECLARATION.finditer(text):
        returns, name, params, behind = match.groups()
        params = re.sub(r"/\*.*?\*/", "", params, flags=re.S).strip()
        types = [] if params == "void" else [_type_of(p) for p in params.split(",")]
        found.append(Function(name, " ".join(returns.split()), types, text[end : match.start()] + behind))
        end = match.end()
    return found


def symbols(path: Path) -> list[str]:
    lines = path.read_text(encoding="utf-8").splitlines()
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]
