#!/usr/bin/env python3
"""Fails if a file includes what its layer may not: the table below is the one in the architecture notes."""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent

# layer: what its files may include directly, besides itself and base.
ALLOWED = {
    "base": [],
    "tensor": [],
    "text": [],
    "weights": ["tensor"],
    "ops": ["tensor", "kernels/backend.h"],
    "model": ["ops", "weights", "tensor", "kernels/backend.h"],
    "lm": ["text"],
    "engine": ["lm", "model", "ops", "weights", "text", "kernels/backend.h"],
    "suite": ["text"],
    "score": ["suite", "lm"],
    "run": ["lm", "suite", "score"],
    "bench": ["lm", "run", "kernels/backend.h"],
    "report": ["run", "score"],
    "gate": ["run", "score", "report"],
    "cli": ["*"],
}
INCLUDE = re.compile(r'^\s*#\s*include\s*"([^"]+)"', re.M)


def violations(path: pathlib.Path, layer: str, allowed: list[str]) -> list[str]:
    found = []
    for target in INCLUDE.findall(path.read_text(encoding="utf-8")):
        head = target.split("/")[0]
        if "/" not in target and (path.parent / target).exists():
            continue
        if head in (layer, "base") or "*" in allowed or head in allowed or target in allowed:
            continue
        found.append(f"{path.relative_to(ROOT)}: includes {target!r}: layer {layer!r} may include {allowed + ['base']}")
    return found


def main() -> int:
    found = []
    for layer, allowed in ALLOWED.items():
        for path in sorted((ROOT / "src" / layer).rglob("*")):
            if path.suffix in (".h", ".cpp"):
                found += violations(path, layer, allowed)
    for path in sorted((ROOT / "kernels").rglob("*")):
        if path.suffix in (".h", ".cpp", ".cu", ".cuh"):
            found += violations(path, "kernels", [])
    for folder in (ROOT / "src").iterdir():
        if folder.is_dir() and folder.name not in ALLOWED:
            found.append(f"src/{folder.name}: a layer that scripts/check_layers.py does not know")
    print("\n".join(found) if found else "layers: all includes allowed")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
