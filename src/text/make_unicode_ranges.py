#!/usr/bin/env python3
"""Writes unicode_ranges.cc: what the tokenizers' patterns ask of every code point, as ranges.

    pip install unicodedata2==16.0.0 regex==2025.11.3
    python make_unicode_ranges.py unicode_ranges.cc

Two versions of Unicode on purpose, because `tokenizers` 0.23.3 has two: letters and numbers come from Oniguruma 6.9.10
(16.0), grapheme clusters and word characters from the Rust crates unicode-segmentation 1.13 and regex-syntax 0.8 (17.0).
"""
import sys

import regex
import unicodedata2

assert unicodedata2.unidata_version == "16.0.0" and regex.__version__ == "2025.11.3"

BREAKS = ["Other", "Control", "Extend", "ZWJ", "Regional_Indicator", "Prepend", "SpacingMark", "L", "V", "T", "LVT"]
CONJUNCTS = ["None", "Consonant", "Linker", "Extend"]
SPACES = {*range(9, 14), 0x20, 0x85, 0xA0, 0x1680, *range(0x2000, 0x200B), 0x2028, 0x2029, 0x202F, 0x205F, 0x3000}


def members(pattern):
    compiled = regex.compile(pattern)
    return {c for c in range(0x110000) if not 0xD800 <= c < 0xE000 and compiled.match(chr(c))}


def classes():
    """One number for each code point: bits as in unicode_class.h."""
    value = [0] * 0x110000
    for c in range(0x110000):
        category = unicodedata2.category(chr(c))[0] if not 0xD800 <= c < 0xE000 else "C"
        value[c] |= (category == "L") | (category == "N") << 1 | (c in SPACES) << 2
    for c in members(r"[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]"):
        value[c] |= 8
    for c in members(r"\p{Extended_Pictographic}"):
        value[c] |= 16
    for i, name in enumerate(BREAKS):
        # LV stands with LVT: which it is follows from the code point. CR and LF are told by value.
        pattern = {"LVT": r"[\p{GCB=LV}\p{GCB=LVT}]", "Other": "(?!)",
                   "Control": r"[\p{GCB=Control}\p{GCB=CR}\p{GCB=LF}]"}.get(name, rf"\p{{GCB={name}}}")
        for c in members(pattern):
            value[c] |= i << 5
    for i, name in enumerate(CONJUNCTS[1:], 1):
        for c in members(rf"\p{{InCB={name}}}"):
            value[c] |= i << 9
    return value


def main():
    value, ranges = classes(), []
    for c in range(0x110000):
        if c == 0 or value[c] != value[c - 1]:
            ranges.append(c << 11 | value[c])
    lines, line = [], ""
    for item in ranges:
        text = f"{item:#x},"
        if len(line) + len(text) > 118:
            lines.append(line)
            line = ""
        line += text
    lines.append(line)
    with open(sys.argv[1], "w", encoding="utf-8") as out:
        out.write("// Made by make_unicode_ranges.py from the Unicode Character Database; do not edit.\n"
                  '#include "text/unicode_class.h"\n\nnamespace grym {\n\n'
                  f"const size_t kUnicodeRangeCount = {len(ranges)};\n"
                  "// clang-format off\n"
                  f"const uint32_t kUnicodeRanges[{len(ranges)}] = {{\n")
        out.write("\n".join(lines) + "\n};\n// clang-format on\n\n}  // namespace grym\n")
    print(len(ranges), "ranges,", len(lines), "lines")


if __name__ == "__main__":
    main()
