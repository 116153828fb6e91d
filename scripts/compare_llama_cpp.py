#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""keju and llama.cpp side by side: prefill, one stream, many streams.

Both run warm, in processes that have already loaded the model; loading is not timed. llama.cpp is
called through its own library (llama_decode), with as many threads as keju. Runs alternate in the
order A B B A, so that a drift of the machine meets both. A cell's figure is the median of the
pairs' ratios; its interval is the pairs' smallest and largest ratio, which covers the true median
with probability 1 - 2^(1-n) for n pairs.

Against llama.cpp's fastest file: the same weights as F32, Q8_0 and Q4_K_M, written here by
llama.cpp's own quantizer, are tried once each, and the pairs run against the fastest in each cell.

Bounds are measured by keju in the same processes as its rates: prefill against the peak of float32
fused multiply-adds, of int8 dot products and of bfloat16 tiles (products with weights and attention
counted, 2 operations each; no load can keep up with that peak's multipliers), one stream against
the read bandwidth over the bytes of weights that a token reads. Beside them stands what a library
makes of float32 products here: numpy's, of two matrices of 2,048 squared, best of five in each pair.
"""
import argparse
import ctypes
import json
import os
import platform
import random
import statistics
import subprocess
import sys
import time
from pathlib import Path

import llama_cpp as llama

# Cell: keju's phase and the figure that it prints.
CELLS = {
    "prefill": ("prefill", "prefill_tokens_per_s"),
    "one stream": ("decode", "decode_tokens_per_s"),
    "many streams": ("batch", "batch_decode_tokens_per_s"),
}
PEAKS = ("f32", "gemm", "int8", "bf16")
FORMS = {"F32": 0, "Q8_0": 7, "Q4_K_M": 15}  # llama_ftype


@llama.llama_log_callback
def silent(level, text, data):
    del level, text, data


class Llama:
    """One file, loaded once; each call of measure() times one cell."""

    def __init__(self, path, options, repack=True):
        self.options = options
        self.random = random.Random(1)
        model_params = llama.llama_model_default_params()
        model_params.n_gpu_layers = 0
        model_params.use_extra_bufts = repack
        self.model = llama.llama_model_load_from_file(str(path).encode(), model_params)
        if not self.model:
            sys.exit(f"compare: {path}: llama.cpp could not load it")
        self.vocab = llama.llama_vocab_n_tokens(llama.llama_model_get_vocab(self.model))
        self.contexts = {
            1: self.context(1, max(options.prompt, options.new + 2)),
            options.streams: self.context(options.streams, options.new + 2),
        }
        self.measure("prefill")

    def context(self, streams, length):
        params = llama.llama_context_default_params()
        params.n_ctx = streams * ((length + 255) // 256 * 256)
        params.n_batch = params.n_ubatch = max(self.options.prompt, streams)
        params.n_seq_max = streams
        params.n_threads = params.n_threads_batch = self.options.threads
        context = llama.llama_init_from_model(self.model, params)
        if not context:
            sys.exit("compare: llama.cpp could not make a context")
        return context

    def decode(self, context, streams, tokens, position):
        """`tokens` new tokens for each stream; logits of the last one."""
        batch = llama.llama_batch_init(streams * tokens, 0, 1)
        for s in range(streams):
            for t in range(tokens):
                i = s * tokens + t
                batch.token[i] = self.random.randrange(self.vocab)
                batch.pos[i] = position + t
                batch.n_seq_id[i] = 1
                batch.seq_id[i][0] = s
                batch.logits[i] = t + 1 == tokens
        batch.n_tokens = streams * tokens
        begin = time.perf_counter()
        if llama.llama_decode(context, batch) != 0:
            sys.exit("compare: llama_decode failed")
        llama.llama_synchronize(context)
        taken = time.perf_counter() - begin
        llama.llama_batch_free(batch)
        return taken

    def measure(self, cell):
        streams = self.options.streams if cell == "many streams" else 1
        context = self.contexts[streams]
        llama.llama_memory_clear(llama.llama_get_memory(context), True)
        if cell == "prefill":
            return self.options.prompt / self.decode(context, 1, self.options.prompt, 0)
        self.decode(context, streams, 1, 0)
        taken = sum(self.decode(context, streams, 1, 1 + i) for i in range(self.options.new))
        return streams * self.options.new / taken

    def close(self):
        for context in self.contexts.values():
            llama.llama_free(context)
        llama.llama_model_free(self.model)


def library_gflops(threads):
    """Float32 products of numpy's BLAS, GFLOP/s."""
    for name in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"):
        os.environ[name] = str(threads)  # read when it is first loaded
    import numpy  # pylint: disable=import-outside-toplevel
    size = 2048
    a = numpy.ones((size, size), dtype=numpy.float32)
    b = numpy.ones((size, size), dtype=numpy.float32)
    best = float("inf")
    for _ in range(5):
        begin = time.perf_counter()
        a @ b  # pylint: disable=pointless-statement
        best = min(best, time.perf_counter() - begin)
    return 2 * size**3 / best / 1e9


def keju(options, path, mode):
    """All cells of one warm process: rates, shares of the bounds, numeric mode."""
    command = [options.keju, "bench", "--model", str(path), "--mode", mode, "--scenario", "phases"]
    command += ["--prompt-tokens", str(options.prompt), "--new-tokens", str(options.new)]
    command += ["--requests", str(options.streams), "--threads", str(options.threads), "--json"]
    command += ["--phases", *(CELLS[cell][0] for cell in options.cells)]
    out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    result = json.loads(out)
    rates = {cell: result[CELLS[cell][1]] for cell in options.cells}
    bounds = result["bounds"]
    shares = {cell: {} for cell in options.cells}
    if "prefill" in rates:
        peaks = bounds["prefill_tokens_per_s"]
        bounds["library_f32_gflops"] = library_gflops(options.threads)
        peaks["gemm"] = (bounds["library_f32_gflops"] * 1e9 * options.prompt
                         / bounds["prompt_flops"])
        shares["prefill"] = {p: rates["prefill"] / peaks[p] for p in PEAKS if peaks[p]}
    if "one stream" in rates:
        shares["one stream"] = {"read": rates["one stream"] / bounds["decode_tokens_per_s"]}
    return {"rates": rates, "shares": shares, "bounds": bounds,
            "numeric_mode": result["numeric_mode"]}


def make_shape(shape, folder):
    """Random weights of a real model's shapes as Q4_K_M."""
    path = folder / f"{shape}-shape.Q4_K_M.gguf"
    if not path.exists():
        maker = Path(__file__).resolve().parent / "make_checkpoint.py"
        part = path.with_suffix(".part.gguf")
        subprocess.run([sys.executable, str(maker), shape, str(part), "--mix", "q4_k_m"], check=True)
        part.rename(path)
    return path


def convert(path, folder, forms):
    files = {"as given": path}
    for name in forms:
        ftype = FORMS[name]
        out = folder / f"{path.stem}.{name}.gguf"
        if not out.exists():
            params = llama.llama_model_quantize_default_params()
            params.ftype = ftype
            params.allow_requantize = True
            part = out.with_suffix(".part")
            if llama.llama_model_quantize(str(path).encode(), str(part).encode(), ctypes.byref(params)):
                sys.exit(f"compare: {path}: llama.cpp could not convert it to {name}")
            part.rename(out)
        files[name] = out
    return files


def probe(options):
    """In a process of its own: prints the best of two runs of every cell of one file."""
    peer = Llama(options.probe, options, not options.no_repack)
    print(json.dumps({c: max(peer.measure(c) for _ in range(2)) for c in options.cells}))


def scout(files, options):
    """llama.cpp alone: tokens/s of every file in every cell, with and without its repacking for
    this processor. What crashes is left out, and said: some types crash its AMX path."""
    table = {}
    for name, path in files.items():
        for repack in (True, False):
            command = [sys.executable, __file__, "--keju", options.keju, "--probe", str(path)]
            command += ["--prompt", str(options.prompt), "--new", str(options.new)]
            command += ["--streams", str(options.streams), "--threads", str(options.threads)]
            command += ["--cells", *options.cells]
            command += [] if repack else ["--no-repack"]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            label = name if repack else f"{name}, not repacked"
            if done.returncode != 0:
                print(f"compare: llama.cpp ended with {done.returncode} on {label}", file=sys.stderr)
                continue
            table[label] = json.loads(done.stdout.splitlines()[-1])
    return table


def file_of(files, label):
    name = label.removesuffix(", not repacked")
    return files[name], name == label


def pairs(path, mode, files, wanted, options):
    """`wanted`: (cell, file name). Ratios keju / llama.cpp, alternating which goes first."""
    peers = {}
    for label in {label for _, label in wanted}:
        file, repack = file_of(files, label)
        peers[label] = Llama(file, options, repack)
    rows = []
    for i in range(options.pairs):
        def ours():
            return keju(options, path, mode)

        def peer_rates():
            return {key: peers[key[1]].measure(key[0]) for key in wanted}

        if i % 2 == 0:
            mine, other = ours(), peer_rates()
        else:
            other, mine = peer_rates(), ours()
        rows.append((mine, other))
    for peer in peers.values():
        peer.close()
    cells = []
    # What sixteen streams give over what one gives to llama.cpp's user.
    across = [("many streams", "one stream", name) for cell, name in wanted
              if cell == "one stream" and "many streams" in options.cells]
    for cell, theirs, name in [(cell, cell, name) for cell, name in wanted] + across:
        ratios = sorted(mine["rates"][cell] / other[(theirs, name)] for mine, other in rows)
        cells.append({
            "cell": cell if cell == theirs else f"{cell} to its {theirs}",
            "llama_file": name,
            "keju_tokens_per_s": statistics.median(mine["rates"][cell] for mine, _ in rows),
            "llama_tokens_per_s": statistics.median(other[(theirs, name)] for _, other in rows),
            "ratio": statistics.median(ratios),
            "low": ratios[0],
            "high": ratios[-1],
            "of_bound": {bound: statistics.median(mine["shares"][cell][bound] for mine, _ in rows)
                         for bound in rows[0][0]["shares"][cell]},
        })
    return {"mode": mode, "numeric_mode": rows[0][0]["numeric_mode"],
            "bounds": [mine["bounds"] for mine, _ in rows], "cells": cells}


def machine(options):
    name = platform.processor() or "unknown"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            name = line.split(":", 1)[1].strip()
            break
    here = Path(__file__).resolve().parent
    commit = subprocess.run(["git", "-C", str(here), "rev-parse", "HEAD"],
                            capture_output=True, text=True, check=False).stdout.strip()
    return {"cpu": name, "threads": options.threads, "system": platform.platform(),
            "keju_commit": commit or None, "llama_cpp_python": llama.__version__,
            "llama_system": llama.llama_print_system_info().decode(),
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}


def percent(cell, bound):
    share = cell["of_bound"].get(bound)
    return "-" if share is None else f"{100 * share:.0f} %"


def markdown(result):
    about = result["machine"]
    lines = [f"{about['cpu']}, {about['threads']} threads, keju {about['keju_commit']}, "
             f"llama-cpp-python {about['llama_cpp_python']}; medians of {result['pairs']} pairs "
             "[smallest, largest ratio]; bounds measured in the same processes", "",
             "| model | mode | cell | llama.cpp's file | keju tokens/s | llama.cpp tokens/s | ratio | "
             "of f32 bound | of library's f32 | of int8 bound | of bf16 bound | of read bandwidth |",
             "| --- | --- | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"]
    for model in result["models"]:
        for mode in model["modes"]:
            for c in mode["cells"]:
                lines.append(
                    f"| {model['file']} | {mode['numeric_mode']} | {c['cell']} | {c['llama_file']} | "
                    f"{c['keju_tokens_per_s']:.1f} | {c['llama_tokens_per_s']:.1f} | "
                    f"{c['ratio']:.2f} [{c['low']:.2f}, {c['high']:.2f}] | "
                    + " | ".join(percent(c, bound) for bound in (*PEAKS, "read")) + " |")
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="*", type=Path)
    parser.add_argument("--probe", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--no-repack", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--keju", required=True)
    parser.add_argument("--modes", nargs="+", default=["exact", "fast"])
    parser.add_argument("--cells", nargs="+", choices=list(CELLS), default=list(CELLS))
    parser.add_argument("--forms", nargs="*", choices=list(FORMS), default=list(FORMS),
                        help="other files of the same weights that llama.cpp may choose from")
    parser.add_argument("--shape", help="a file of random weights of this shape of "
                        "make_checkpoint.py, written as Q4_K_M where it is not there yet")
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--prompt", type=int, default=512)
    parser.add_argument("--new", type=int, default=64)
    parser.add_argument("--streams", type=int, default=16)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--work", type=Path, default=Path("/tmp/keju-compare"),
                        help="where converted files are kept")
    parser.add_argument("--out", type=Path, help="writes OUT.json and OUT.md")
    options = parser.parse_args()
    if options.pairs < 5:
        parser.error("--pairs: need at least 5")
    if options.probe:
        llama.llama_log_set(silent, None)
        llama.llama_backend_init()
        return probe(options)
    options.work.mkdir(parents=True, exist_ok=True)
    if options.shape:
        options.models.append(make_shape(options.shape, options.work))
    if not options.models:
        parser.error("need at least one model or --shape")
    llama.llama_log_set(silent, None)
    llama.llama_backend_init()
    result = {"machine": machine(options), "pairs": options.pairs, "models": []}
    for path in options.models:
        files = convert(path, options.work, options.forms)
        table = scout(files, options)
        wanted = []
        for cell in options.cells:
            fastest = max(table, key=lambda name: table[name][cell])
            given = [name for name in table if file_of(files, name)[0] == path]
            same = max(given, key=lambda name: table[name][cell], default=fastest)
            wanted += [(cell, name) for name in dict.fromkeys((same, fastest))]
        entry = {"file": path.name, "llama_alone_tokens_per_s": table, "modes": []}
        for mode in options.modes:
            entry["modes"].append(pairs(path, mode, files, wanted, options))
        result["models"].append(entry)
    text = markdown(result)
    print(text, end="")
    if options.out:
        options.out.with_suffix(".json").write_text(json.dumps(result, indent=1) + "\n")
        options.out.with_suffix(".md").write_text(text)


if __name__ == "__main__":
    main()
