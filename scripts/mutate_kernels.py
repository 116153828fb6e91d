#!/usr/bin/env python3
"""Breaks the CUDA kernels one place at a time and expects the interpreter's tests to turn red.

  mutate_kernels.py BUILD_DIR [--only N,…] [--ninja NINJA]

Each mutant is one replacement in one file: the file is changed, keju_test_simt is built and run with the mutant's
filter, and the file is put back. Exits 1 if a mutant survives, 4 if a place to break is not there any more."""
import argparse
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
ATTENTION, ROWS = "*AttentionOps*:Native*", "*RowOps*"

# file, what stands there, what replaces it, tests
MUTANTS = [
    ("attention_tile.cuh", "if (j > row.position ||", "if (j >= row.position ||", ATTENTION),
    ("attention_tile.cuh", "slot <= last ? 16 : 0", "slot < last ? 16 : 0", ATTENTION),
    ("attention_tile.cuh", "slot <= last ? 16 : 0", "16", ATTENTION),
    ("attention_tile.cuh", "score *= args.scale;", "", ATTENTION),
    ("attention_tile.cuh", "max = fmaxf(max, __shfl_xor_sync(kFullWarp, max, 2));", "", ATTENTION),
    ("attention_tile.cuh", "state.out[n][2 * h + 1] *= keep;", "", ATTENTION),
    ("attention_tile.cuh", "state.sum[h] += __shfl_xor_sync(kFullWarp, state.sum[h], 1);", "", ATTENTION),
    ("attention_prefill.cu", "      wait_copies<1>();", "", ATTENTION),
    ("attention_prefill.cu", "    __syncthreads();\n    const T* const keys", "    const T* const keys", ATTENTION),
    ("attention_prefill.cu", "    __syncthreads();  // before the page is overwritten", "", ATTENTION),
    ("attention_prefill.cu", "rows[h] = {tile.pos0 + r / group, kv_head * group + r % group}", "rows[h] = {tile.pos0 + r / group, kv_head * group}", ATTENTION),
    ("attention_decode.cu", "% chunks * kHeads", "% chunks", ATTENTION),
    ("attention_decode.cu", "    weigh(state, scores, args, rows, p * kPage);\n    wait_copies<0>();",
     "    weigh(state, scores, args, rows, p * kPage);", ATTENTION),
    ("attention_decode.cu", "const int last = place.position - p * kPage;", "const int last = kPage - 1;", ATTENTION),
    ("attention_general.cu", "__syncwarp();  // the last page's readers are done", "", ATTENTION),
    ("attention_general.cu", "j >= first && j <= last", "j > first && j <= last", ATTENTION),
    ("index.h", "return at.values + (head * kPage + slot) * at.v_size;", "return at.values + (head * kPage + slot) * at.k_size;", "Index*"),
    ("index.h", "position - window + 1", "position - window", "Index*:" + ATTENTION),
    ("qkv.cu", "first = fmaf(a, c, -(b * s));", "first = fmaf(a, c, b * s);", ATTENTION),
    ("qkv.cu", "const int64_t slot = position % kPage;\n  for", "const int64_t slot = (position + 1) % kPage;\n  for", ATTENTION),
    ("qkv.cu", "if (slot >= copy.positions) continue;", "if (slot > copy.positions) continue;", ATTENTION),
    ("norm.cu", "/ static_cast<float>(width);\n  const float inverse", "/ static_cast<float>(width + 1);\n  const float inverse", ROWS),
    ("math.cuh", "  __syncthreads();  // the last call's readers are done\n", "", ROWS),
    ("math.cuh", "  __syncthreads();\n  float sum = 0;", "  float sum = 0;", ROWS),
    ("head.cu", "values[i] == best.value && id > best.id", "values[i] == best.value && id >= best.id", ROWS),
    ("moe.cu", "if (lane == 0) scores[g] = score;\n  }\n  __syncwarp();", "if (lane == 0) scores[g] = score;\n  }", ROWS),
    ("moe.cu", "choice[id] = -infinity();", "", ROWS),
    ("matmul.cu", "    __syncthreads();  // the last columns have been read\n", "", ROWS),
    ("matmul.cu", "multiply<Bf16>(sums[n], left[1], right[2], right[3]);", "multiply<Bf16>(sums[n], left[1], right[3], right[2]);", ROWS),
    ("codec.cuh", "(low4 | high2 << 4) - 32);\n    const uint8_t* const q", "(low4 | high2 << 4) - 31);\n    const uint8_t* const q", ROWS),
]


def run(command: list, log) -> int:
    return subprocess.run(command, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT, check=False).returncode


def outcome(mutant, build: pathlib.Path, ninja: list) -> str:
    name, old, new, tests = mutant
    path = ROOT / "kernels" / "cuda" / name
    sound = path.read_text(encoding="utf-8")
    if sound.count(old) != 1:
        return f"lost: {sound.count(old)} places"
    with open(build / "mutants.log", "a", encoding="utf-8") as log:
        try:
            path.write_text(sound.replace(old, new), encoding="utf-8")
            if run([*ninja, "-C", str(build), "keju_test_simt"], log) != 0:
                return "does not build"
            status = run(["timeout", "300", str(build / "keju_test_simt"), "--gtest_brief=1", "--gtest_fail_fast",
                          "--gtest_filter=" + tests], log)
            return "survived" if status == 0 else "caught"
        finally:
            path.write_text(sound, encoding="utf-8")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--only", default="")
    parser.add_argument("--ninja", default="ninja")
    parser.add_argument("--check", action="store_true", help="only look whether every place is there")
    options = parser.parse_args()
    wanted = {int(n) for n in options.only.split(",") if n}
    bad = 0
    for number, mutant in enumerate(MUTANTS):
        if wanted and number not in wanted:
            continue
        if options.check:
            count = (ROOT / "kernels" / "cuda" / mutant[0]).read_text(encoding="utf-8").count(mutant[1])
            result = "there" if count == 1 else f"lost: {count} places"
        else:
            result = outcome(mutant, options.build.resolve(), options.ninja.split())
        if result.startswith("lost"):
            bad = 4
        elif result in ("survived", "does not build"):
            bad = bad or 1
        print(f"{number:3} {result:16} {mutant[0]}: {' '.join(mutant[1].split())[:80]}", flush=True)
    return bad


if __name__ == "__main__":
    sys.exit(main())
