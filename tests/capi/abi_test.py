"""What a program compiled against a kept header reaches is laid out today as it was then, says abidiff (libabigail).

Usage: abi_test.py CAPI_FOLDER KEPT_HEADER C_COMPILER. Skips (77) where there is no abidiff.

The kept description is the kept header itself: each header becomes a library of empty functions with debug lines, made
by the same compiler, and the two are compared; so the description is small, and no version of libabigail is baked into
it. That the real library exports the header's functions is symbols_test.py's to show; its compiler checks their types.
"""
from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import declarations

# Conventions 6 of the header: option structs begin with struct_size and grow at their end.
SUPPRESSIONS = """[suppress_type]
  type_kind = struct
  name_regexp = ^grym_.*_(options|live)$
  has_data_member_inserted_at = end
"""


class Failure(Exception):
    pass


def library(header: str, folder: Path, name: str, compiler: str) -> Path:
    folder = folder / name
    folder.mkdir()
    (folder / "grymsynth.h").write_text(header, encoding="utf-8")
    lines = ['#include "grymsynth.h"']
    for function in declarations.functions(folder / "grymsynth.h"):
        params = ", ".join(f"{kind} p{i}" for i, kind in enumerate(function.params)) or "void"
        body = "{}" if function.returns == "void" else "{ return 0; }"
        lines.append(f"{function.returns} {function.name}({params}) {body}")
    (folder / "stub.c").write_text("\n".join(lines) + "\n", encoding="utf-8")
    made = folder / "libgrymsynth_c.so"
    subprocess.run([compiler, "-g", "-O0", "-w", "-shared", "-fPIC", f"-I{folder}", "-o", made, folder / "stub.c"],
                   check=True)
    return made


def differences(old: Path, new: Path, suppressions: Path) -> str:
    """abidiff's words, "" when what was there is as it was; new functions are no difference."""
    ran = subprocess.run(["abidiff", "--no-added-syms", "--suppressions", suppressions, old, new],
                         capture_output=True, text=True, check=False)
    if ran.returncode & 3:  # its own errors, or how it was called
        raise Failure(ran.stderr or ran.stdout)
    return ran.stdout if ran.returncode else ""


def changed(header: str, pattern: str, replacement: str) -> str:
    text, count = re.subn(pattern, replacement, header, count=1, flags=re.S)
    if count != 1:
        raise Failure(f"nothing in the header fits {pattern}")
    return text


def main() -> int:
    capi, kept, compiler = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
    if not shutil.which("abidiff"):
        print("skipped: abidiff is not there (apt package abigail-tools)")
        return 77
    today = (capi / "grymsynth.h").read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        suppressions = folder / "suppressions"
        suppressions.write_text(SUPPRESSIONS, encoding="utf-8")
        then = library(kept.read_text(encoding="utf-8"), folder, "then", compiler)
        now = library(today, folder, "now", compiler)
        if said := differences(then, now, suppressions):
            print(f"{kept.name} and today's header differ:\n{said}")
            return 1
        # The comparison would have seen it: what must not change, and what may.
        struct_end = r"(\n\} grym_generate_options;)"
        harmful = {
            "a parameter of another type": changed(today, r"(grym_audio_create\([^;]*?int64_t) frames", r"\1* frames"),
            "a member moved": changed(today, r"(typedef struct grym_generate_options \{\n)", r"\1  int64_t first;\n"),
            "a function gone": changed(today, r"GRYM_C_API grym_status grym_text_destroy\([^;]*;", ""),
        }
        harmless = {
            "a member at the end": changed(today, struct_end, r"\n  int64_t last;\1"),
            "a new function": changed(today, r"(GRYM_C_API grym_status grym_text_destroy)",
                                      r"GRYM_C_API grym_status grym_new_thing(int32_t what);\n\1"),
        }
        for number, (what, header) in enumerate({**harmful, **harmless}.items()):
            said = differences(now, library(header, folder, f"changed{number}", compiler), suppressions)
            if bool(said) != (what in harmful):
                print(f"{what}: abidiff {'did not see it' if not said else 'takes it for a break: ' + said}")
                return 1
    print(f"{len(declarations.functions(capi / 'grymsynth.h'))} functions are laid out as in {kept.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
