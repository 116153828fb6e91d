#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes src/text/unicode_data.cpp: general categories and normalization classes as range starts.

Needs the PyPI package unicodedata2 at the version named in UNICODE (its tables are Python's
unicodedata of that Unicode version). The reference tokenizers' regex engines are on 16.0.

Usage: python3 scripts/make_unicode_tables.py [output]
"""

import pathlib
import sys

import unicodedata2 as ucd

UNICODE = "16.0.0"
CATEGORIES = (
    "Cn Lu Ll Lt Lm Lo Mn Mc Me Nd Nl No Pc Pd Ps Pe Pi Pf Po Sm Sc Sk So Zs Zl Zp Cc Cf Cs Co".split()
)
CONTROL_SPACE = len(CATEGORIES)  # Cc with White_Space: tab to carriage return, next line
LIMIT = 0x110000


def category(code):
    if code in (0x09, 0x0A, 0x0B, 0x0C, 0x0D, 0x85):
        return CONTROL_SPACE
    return CATEGORIES.index(ucd.category(chr(code)))


def composing_seconds():
    """Code points that can combine with the one before them (NFC_Quick_Check=Maybe)."""
    seconds = set(range(0x1161, 0x1176)) | set(range(0x11A8, 0x11C3))
    for code in range(LIMIT):
        parts = ucd.decomposition(chr(code)).split()
        if len(parts) == 2 and not parts[0].startswith("<"):
            whole = chr(int(parts[0], 16)) + chr(int(parts[1], 16))
            if ucd.normalize("NFC", whole) == chr(code):
                seconds.add(int(parts[1], 16))
    return seconds


def ranges(value_of):
    out, last = [], None
    for code in range(LIMIT):
        value = value_of(code)
        if value != last:
            out.append((code, value))
            last = value
    return out


def table(name, rows, note):
    lines = [f"// {note}", f"const uint32_t {name}[] = {{"]
    line = "   "
    for code, value in rows:
        item = f" {code << 5 | value:#x},"
        if len(line) + len(item) > 100:
            lines.append(line)
            line = "   "
        line += item
    lines += [line, "};", f"const size_t {name}Size = {len(rows)};"]
    return lines


def main():
    if ucd.unidata_version != UNICODE:
        sys.exit(f"unicodedata2: found Unicode {ucd.unidata_version}, need {UNICODE}")
    seconds = composing_seconds()

    def surrogate(code):
        return 0xD800 <= code <= 0xDFFF

    def not_nfc(code):
        if surrogate(code):
            return 0
        text = chr(code)
        return int(ucd.combining(text) != 0 or ucd.normalize("NFC", text) != text or code in seconds)

    lines = [
        "// SPDX-License-Identifier: MIT",
        "// Written by scripts/make_unicode_tables.py; do not edit.",
        '#include "text/unicode_data.h"',
        "",
        "namespace keju {",
        "",
        "// clang-format off",
    ]
    lines += table("kCategoryRanges", ranges(category), "start << 5 | category (see Category)")
    lines.append("")
    lines += table("kNotNfcRanges", ranges(not_nfc), "start << 5 | 1 where NFC has to look closer")
    lines += ["// clang-format on", "", "}  // namespace keju", ""]
    root = pathlib.Path(__file__).resolve().parent.parent
    path = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else root / "src/text/unicode_data.cpp"
    path.write_text("\n".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
