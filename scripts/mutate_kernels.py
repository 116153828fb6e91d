#!/usr/bin/env python3
"""Breaks the CUDA kernels one place at a time and expects the interpreter's tests to turn red.

  mutate_kernels.py VALUES_BUILD [--bounds ASAN_BUILD] [--races TSAN_BUILD] [--share K/N] [--report FILE]

The builds are folders in which keju_test_simt_kernels has been built, plain and with a sanitizer. A mutant is one
replacement in one file (kernel_mutants.py). The tree stays as it is: the changed file goes into a folder of its own
under the build, the sources that include it are compiled against it and linked before the others, and the mutant's
tests are run until one fails. --share K/N takes every Nth mutant from the Kth on. Exits 1 if a mutant survives or an
"equivalent" one does not, 4 if a place to break is not there any more."""
import argparse
import concurrent.futures
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys

from kernel_mutants import MUTANTS, Mutant

ROOT = pathlib.Path(__file__).resolve().parent.parent
KERNELS = ROOT / "kernels" / "cuda"
PROGRAM = "keju_test_simt_kernels"
INCLUDE = re.compile(r'#include "(kernels/cuda/[^"]+)"')


def reaches(path: pathlib.Path, target: str, seen: set) -> bool:
    """Whether the source includes kernels/cuda/`target`, however indirectly."""
    for name in INCLUDE.findall(path.read_text(encoding="utf-8")):
        if name == "kernels/cuda/" + target:
            return True
        if name not in seen:
            seen.add(name)
            if reaches(ROOT / name, target, seen):
                return True
    return False


class Build:
    """A configured and built folder: its compile and link commands."""

    def __init__(self, folder: pathlib.Path):
        self.folder = folder.resolve()
        commands = json.loads((self.folder / "compile_commands.json").read_text(encoding="utf-8"))
        self.compile = [c for c in commands if "keju_simt_cuda.dir" in c["command"]]
        cache = (self.folder / "CMakeCache.txt").read_text(encoding="utf-8")
        ninja = re.search(r"^CMAKE_MAKE_PROGRAM:\w+=(.*)$", cache, re.MULTILINE).group(1)
        ccache = re.search(r"^KEJU_CCACHE:\w+=(.*)$", cache, re.MULTILINE)
        self.launcher = [ccache.group(1)] if ccache and "NOTFOUND" not in ccache.group(1) else []
        self.link = subprocess.run([ninja, "-C", str(self.folder), "-t", "commands", PROGRAM], check=True,
                                   capture_output=True, text=True).stdout.strip().splitlines()[-1]

    def program_with(self, mutant: Mutant, changed: str, room: pathlib.Path, log) -> pathlib.Path:
        """The test program with the mutant in it, or None if it does not build."""
        target = room / "kernels" / "cuda" / mutant.file
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(changed, encoding="utf-8")
        objects = []
        for command in self.compile:
            source = pathlib.Path(command["file"])
            own = source == KERNELS / mutant.file
            if not own and not reaches(source, mutant.file, set()):
                continue
            words = shlex.split(command["command"])
            objects.append(str(room / (source.name + ".o")))
            words[words.index("-o") + 1] = objects[-1]
            if own:
                words[words.index("-c") + 1] = str(target)
            words[1:1] = ["-iquote", str(room)]
            if run([*self.launcher, *words, "-Wno-error"], self.folder, log) != 0:
                return None
        program = room / PROGRAM
        link = self.link.replace(f"-o {PROGRAM} ", f"-o {program} ", 1)
        first = re.search(r"\S+\.cpp\.o", link).start()
        link = link[:first] + " ".join(objects) + " " + link[first:]
        return program if run(["sh", "-c", link], self.folder, log) == 0 else None


def run(command: list, folder: pathlib.Path, log) -> int:
    return subprocess.run(command, cwd=folder, stdout=log, stderr=subprocess.STDOUT, check=False).returncode


def verdict(program: pathlib.Path, mutant: Mutant) -> str:
    command = ["timeout", "600", str(program), "--gtest_fail_fast", "--gtest_filter=" + mutant.tests]
    if mutant.build == "races":
        command = ["setarch", "-R", *command]
    if mutant.build != "values":
        command[-1] += ":-*/Descending:*/Shuffled"
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, errors="replace", check=False,
                            env={**os.environ, "TSAN_OPTIONS": "halt_on_error=1"})
    said = result.stdout + result.stderr
    ran = re.findall(r"^\[ RUN +\] (\S+)", said, re.MULTILINE)
    if not ran:
        return "no test ran"
    if result.returncode == 0:
        return "survived"
    if result.returncode == 124:
        return "found no end of " + ran[-1]
    failed = re.search(r"^\[  FAILED  \] (\S+?),? ", said, re.MULTILINE)
    how = next((name for name in ("data race", "heap-buffer-overflow") if name in said), "")
    return "caught by " + (failed.group(1).rstrip(",") if failed else ran[-1]) + (f" ({how})" if how else "")


def outcome(number: int, mutant: Mutant, builds: dict, check: bool) -> str:
    sound = (KERNELS / mutant.file).read_text(encoding="utf-8")
    if sound.count(mutant.old) != 1:
        return f"lost: {sound.count(mutant.old)} places"
    if check:
        return "there"
    build = builds.get(mutant.build)
    if build is None:
        return "not run: no build for " + mutant.build
    room = build.folder / "mutants" / str(number)
    room.mkdir(parents=True, exist_ok=True)
    with open(room / "log", "w", encoding="utf-8") as log:
        program = build.program_with(mutant, sound.replace(mutant.old, mutant.new), room, log)
    if program is None:
        return "does not build"
    result = verdict(program, mutant)
    program.unlink()
    if mutant.equivalent:
        return "equivalent" if result == "survived" else "not equivalent: " + result
    return result


def shown(text: str) -> str:
    text = " ".join(text.split()).replace("|", "\\|")
    return f"`{text}`" if text else "nothing"


def report(rows: list) -> str:
    caught = sum(result.startswith("caught") for _, _, result in rows)
    equal = sum(result == "equivalent" for _, _, result in rows)
    lines = ["# Mutants of the CUDA kernels", "",
             f"Written by `scripts/mutate_kernels.py`: {len(rows)} mutants, {caught} caught, {equal} proved equivalent, "
             f"{len(rows) - caught - equal} others.", "",
             "| | kind | file | replaced | by | outcome |", "|--:|---|---|---|---|---|"]
    for number, mutant, result in rows:
        why = f": {mutant.equivalent}" if mutant.equivalent else ""
        lines.append(f"| {number} | {mutant.kind} | {mutant.file} | {shown(mutant.old)} | {shown(mutant.new)} | "
                     f"{result}{why} |")
    return "\n".join(lines) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("values", type=pathlib.Path)
    parser.add_argument("--bounds", type=pathlib.Path)
    parser.add_argument("--races", type=pathlib.Path)
    parser.add_argument("--share", default="1/1")
    parser.add_argument("--only", default="", help="numbers, separated by commas")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--report", type=pathlib.Path)
    parser.add_argument("--check", action="store_true", help="only look whether every place is there")
    options = parser.parse_args()
    builds = {} if options.check else {
        name: Build(folder) for name, folder in (("values", options.values), ("bounds", options.bounds),
                                                 ("races", options.races)) if folder}
    first, step = map(int, options.share.split("/"))
    chosen = [(n, m) for n, m in enumerate(MUTANTS, 1) if (n - first) % step == 0]
    if options.only:
        chosen = [(n, m) for n, m in chosen if str(n) in options.only.split(",")]
    bad = 0
    rows = []
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        results = pool.map(lambda item: outcome(*item, builds, options.check), chosen)
        for (number, mutant), result in zip(chosen, results):
            rows.append((number, mutant, result))
            if result.startswith("lost"):
                bad = 4
            elif not result.startswith(("caught", "not run")) and result not in ("equivalent", "there"):
                bad = bad or 1
            print(f"{number:3} {mutant.kind:12} {mutant.file:21} {shown(mutant.old)[:60]:60} {result}", flush=True)
    if options.report:
        options.report.write_text(report(rows), encoding="utf-8")
    return bad


if __name__ == "__main__":
    sys.exit(main())
