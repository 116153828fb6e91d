#!/usr/bin/env python3
"""Writes a C++ file that holds suites, data cards and our own sample data.

A data set's files beside its card are taken only where the card says `embedded: true`: nobody else's
data may slip into the program because somebody unpacked it there.
"""
import pathlib
import re
import sys


def escaped(data: bytes) -> str:
    """`data` as C string literals, one a line; octal, because a hex escape would swallow what follows."""
    lines = []
    for at in range(0, len(data), 64):
        text = "".join(
            chr(b) if 32 <= b < 127 and chr(b) not in '"\\?' else f"\\{b:03o}" for b in data[at : at + 64]
        )
        lines.append(f'    "{text}"')
    return "\n".join(lines) or '    ""'


def wanted(root: pathlib.Path) -> list[pathlib.Path]:
    files = sorted((root / "suites").glob("*.yaml"))
    for card in sorted((root / "datasets").rglob("dataset.yaml")):
        files.append(card)
        if re.search(r"^embedded: *true\s*$", card.read_text(encoding="utf-8"), re.M):
            files += sorted(p for p in card.parent.rglob("*") if p.is_file() and p != card)
    return files


def main() -> int:
    root, out = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    parts = [
        "// Written by cmake/embed.py at build time.",
        '#include "suite/embedded.h"',
        "",
        "namespace keju {",
        "namespace {",
        "",
        "constexpr EmbeddedFile kFiles[] = {",
    ]
    seen = set()
    for path in wanted(root):
        name = path.relative_to(root).as_posix()
        if name in seen:
            raise SystemExit(f"{name}: two data cards claim it")
        seen.add(name)
        data = path.read_bytes()
        parts.append(f'  {{"{name}", std::string_view(\n{escaped(data)},\n    {len(data)})}},')
    parts += [
        "};",
        "",
        "}  // namespace",
        "",
        "std::span<const EmbeddedFile> embedded_files() { return kFiles; }",
        "",
        "}  // namespace keju",
        "",
    ]
    out.write_text("\n".join(parts), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
