#!/usr/bin/env python3
"""Fails if a CUDA kernel spills registers or keeps a stack frame on any architecture that was built.

  check_spills.py BUILD_DIR SOURCE...

Reads what ptxas said of every kernel, kept beside each object by kernels/cuda/keep_usage.sh."""
import pathlib
import re
import sys

KERNEL = re.compile(r"Compiling entry function '(\S+)' for '(\S+)'")
FRAME = re.compile(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads")
USED = re.compile(r"Used (\d+) registers")


def kernels(text: str):
    """(name, architecture, stack, stores, loads) of every kernel in ptxas' words."""
    current = None
    for line in text.splitlines():
        if match := KERNEL.search(line):
            current = match.groups()
        elif (match := FRAME.search(line)) and current:
            yield (*current, *map(int, match.groups()))
            current = None


def main() -> int:
    build = pathlib.Path(sys.argv[1])
    sources = [pathlib.Path(source).name for source in sys.argv[2:]]
    usage = {path.name.removesuffix(".o.usage"): path for path in build.rglob("*.cu.o.usage")}
    found = [f"{source}: found no record of its kernels under {build}" for source in sources if source not in usage]
    count = 0
    for source in sources:
        if source not in usage:
            continue
        own = list(kernels(usage[source].read_text(encoding="utf-8")))
        if not own:
            found.append(f"{source}: found no kernel in what ptxas said")
        for name, arch, stack, stores, loads in own:
            count += 1
            if stack or stores or loads:
                found.append(f"{source}: {name} for {arch}: {stack} bytes of stack, {stores} and {loads} bytes spilled")
    print("\n".join(found) if found else f"spills: none in {count} kernels of {len(sources)} files")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
