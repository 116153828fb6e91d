#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Scoring a multiple-choice paper: keju, and llama.cpp in the two ways its users write it.

  each item    one forward pass for every item, its options together: the prompt's tokens belong to
               all options' sequences, an option's further tokens to its own
  header kept  the tokens that all prompts begin with are computed once and stay in the KV cache;
               an item computes what is its own

llama.cpp is called through its own library (llama_tokenize, llama_decode), warm, with as many
threads as keju; tokenising is timed on both sides, loading on neither. The prompts are those that
keju exports for lm-evaluation-harness. Runs alternate in the order A B B A; a figure is the median
of the pairs' ratios of items/s, its interval the smallest and largest. "each item" is timed on the
first --each-items items of the paper (its cost does not depend on their number), the others on all.
"""
import argparse
import json
import math
import os
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

import llama_cpp as llama
import numpy
from compare_llama_cpp import convert, machine, silent

WAYS = ("each item", "header kept")


class Scorer:
    """One file, loaded once."""

    def __init__(self, path, options, repack, length, most_options):
        params = llama.llama_model_default_params()
        params.n_gpu_layers = 0
        params.use_extra_bufts = repack
        self.model = llama.llama_model_load_from_file(str(path).encode(), params)
        if not self.model:
            sys.exit(f"compare: {path}: llama.cpp could not load it")
        self.vocab = llama.llama_model_get_vocab(self.model)
        self.vocab_size = llama.llama_vocab_n_tokens(self.vocab)
        context = llama.llama_context_default_params()
        context.n_ctx = (length + 255) // 256 * 256
        context.n_batch = context.n_ctx
        context.n_ubatch = 512
        context.n_seq_max = most_options
        context.kv_unified = True
        context.n_threads = context.n_threads_batch = options.threads
        self.context = llama.llama_init_from_model(self.model, context)
        if not self.context:
            sys.exit("compare: llama.cpp could not make a context")
        self.memory = llama.llama_get_memory(self.context)
        self.batch = llama.llama_batch_init(context.n_ctx, 0, most_options)

    def tokens(self, text):
        """As the file says, with its BOS where it asks for one; special tokens are not read."""
        data = text.encode()
        out = (llama.llama_token * (len(data) + 8))()
        count = llama.llama_tokenize(self.vocab, data, len(data), out, len(out), True, False)
        if count < 0:
            sys.exit("compare: llama_tokenize failed")
        return list(out[:count])

    def encoded(self, item):
        """Prompt ids, and each option's ids behind them."""
        prompt = self.tokens(item["prompt"])
        options = []
        for option in item["options"]:
            whole = self.tokens(item["prompt"] + option)
            options.append(whole[len(prompt):])
            prompt = whole[:len(prompt)]
        return prompt, options

    def add(self, token, position, sequences, wanted):
        batch, i = self.batch, self.batch.n_tokens
        batch.token[i], batch.pos[i], batch.logits[i] = token, position, wanted
        batch.n_seq_id[i] = len(sequences)
        for k, sequence in enumerate(sequences):
            batch.seq_id[i][k] = sequence
        batch.n_tokens = i + 1
        return i

    def run(self):
        if llama.llama_decode(self.context, self.batch) != 0:
            sys.exit("compare: llama_decode failed")

    def logprob(self, row, token):
        logits = numpy.ctypeslib.as_array(
            llama.llama_get_logits_ith(self.context, row), shape=(self.vocab_size,))
        most = float(logits.max())
        return float(logits[token]) - most - math.log(float(numpy.exp(logits - most).sum()))

    def score(self, prompt, options, done):
        """Sums of log-probs of the options; `done` tokens of the prompt are in the cache."""
        self.batch.n_tokens = 0
        everyone = range(len(options))
        for i in range(done, len(prompt)):
            last = self.add(prompt[i], i, everyone, i + 1 == len(prompt))
        rows = []
        for k, ids in enumerate(options):
            own = [last]
            for j, token in enumerate(ids[:-1]):
                own.append(self.add(token, len(prompt) + j, [k], True))
            rows.append(own)
        self.run()
        return [sum(self.logprob(row, token) for row, token in zip(own, ids))
                for own, ids in zip(rows, options)]

    def paper(self, items, way):
        """Seconds and log-probs of a whole paper."""
        llama.llama_memory_clear(self.memory, True)
        begin = time.perf_counter()
        encoded = [self.encoded(item) for item in items]
        shared = 0
        if way == "header kept":
            first = encoded[0][0]
            shared = min(len(prompt) for prompt, _ in encoded) - 1
            for prompt, _ in encoded:
                while prompt[:shared] != first[:shared]:
                    shared -= 1
            self.batch.n_tokens = 0
            for i in range(shared):
                self.add(first[i], i, range(max(len(o) for _, o in encoded)), False)
            if shared:
                self.run()
        lls = []
        for prompt, options in encoded:
            lls.append(self.score(prompt, options, shared))
            llama.llama_memory_seq_rm(self.memory, -1, shared, -1)
        return time.perf_counter() - begin, lls

    def close(self):
        llama.llama_batch_free(self.batch)
        llama.llama_free(self.context)
        llama.llama_model_free(self.model)


def keju(options, path, mode, folder):
    """One examination in a process of its own: rate, log-likelihoods and prompts by item."""
    shutil.rmtree(folder, ignore_errors=True)
    command = [options.keju, "run", "--model", str(path), "--suite", options.suite]
    command += ["--data", options.data, "--protocol", "lm-eval", "--shots", str(options.shots)]
    command += ["--subjects", options.subject, "--mode", mode, "--threads", str(options.threads)]
    command += ["--limit", str(options.items)] if options.items else []
    subprocess.run([*command, "--out", str(folder)], check=True, capture_output=True)
    subprocess.run([options.keju, "export", str(folder), "--format", "lm-eval", "--out",
                    str(folder / "lm-eval")], check=True, stdout=subprocess.DEVNULL)
    results = json.loads((folder / "results.json").read_text())
    samples = []
    for file in (folder / "lm-eval").rglob("samples_*.jsonl"):
        samples += [json.loads(line) for line in file.read_text().splitlines()]
    samples.sort(key=lambda sample: sample["doc_id"])
    items = []
    for sample in samples:
        arguments = list(sample["arguments"].values())
        items.append({"prompt": arguments[0]["arg_0"], "options": [a["arg_1"] for a in arguments]})
    lls = [[float(r[0]) for r in sample["filtered_resps"]] for sample in samples]
    return {"seconds": results["speed"]["wall_s"], "items": items, "lls": lls,
            "tokens": results["tokens"], "numeric_mode": results["model"]["numeric_mode"]}


def best(lls):
    return max(range(len(lls)), key=lambda i: lls[i])


def agreement(mine, other):
    """Choices, and those that differ where our margin exceeds 0.1."""
    both = list(zip(mine, other))
    apart = [a for a, b in both if best(a) != best(b)]
    clear = [a for a in apart if sorted(a)[-1] - sorted(a)[-2] > 0.1]
    return {"items": len(both), "other_choices": len(apart), "other_choices_past_0.1": len(clear),
            "worst_difference": max(abs(x - y) for a, b in both for x, y in zip(a, b))}


def probe(options):
    """In a process of its own: items/s with the header kept, of one file."""
    items = json.loads(options.probe_items.read_text())
    scorer = open_scorer(options.probe, options, not options.no_repack, items)
    seconds = min(scorer.paper(items, "header kept")[0] for _ in range(2))
    print(len(items) / seconds)


def open_scorer(path, options, repack, items):
    longest = max(len((i["prompt"] + max(i["options"], key=len)).encode()) for i in items) + 64
    return Scorer(path, options, repack, longest, max(len(i["options"]) for i in items))


def scout(files, options, items):
    """llama.cpp's rate on every file, with and without repacking; what crashes is left out."""
    some = options.work / "probe_items.json"
    some.write_text(json.dumps(items[:6]))
    table = {}
    for name, path in files.items():
        for repack in (True, False):
            command = [sys.executable, __file__, "--keju", options.keju, "--data", options.data]
            command += ["--threads", str(options.threads), "--probe", str(path)]
            command += ["--probe-items", str(some)] + ([] if repack else ["--no-repack"])
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            label = name if repack else f"{name}, not repacked"
            if done.returncode != 0:
                print(f"compare: llama.cpp ended with {done.returncode} on {label}", file=sys.stderr)
                continue
            table[label] = float(done.stdout.splitlines()[-1])
    return table


def compare(path, options):
    folder = options.work / "scoring"
    files = convert(path, options.work, options.forms)
    first = keju(options, path, options.modes[0], folder)
    table = scout(files, options, first["items"])
    label = max(table, key=table.get)
    name = label.removesuffix(", not repacked")
    peer = open_scorer(files[name], options, name == label, first["items"])
    slices = {"each item": first["items"][:options.each_items], "header kept": first["items"]}
    rows = []
    for i in range(options.pairs):
        def ours():
            return {mode: keju(options, path, mode, folder) for mode in options.modes}

        def theirs():
            return {way: peer.paper(slices[way], way) for way in WAYS}

        if i % 2 == 0:
            mine, other = ours(), theirs()
        else:
            other, mine = theirs(), ours()
        rows.append((mine, other))
    peer.close()
    cells = []
    for mode in options.modes:
        for way in WAYS:
            ratios = sorted(
                len(m[mode]["lls"]) / m[mode]["seconds"] / (len(slices[way]) / o[way][0])
                for m, o in rows)
            mine, other = rows[0]
            cells.append({
                "mode": mode, "numeric_mode": mine[mode]["numeric_mode"], "llama_way": way,
                "keju_items_per_s": statistics.median(
                    len(m[mode]["lls"]) / m[mode]["seconds"] for m, _ in rows),
                "llama_items_per_s": statistics.median(
                    len(slices[way]) / o[way][0] for _, o in rows),
                "llama_items": len(slices[way]),
                "ratio": statistics.median(ratios), "low": ratios[0], "high": ratios[-1],
                "choices": agreement(mine[mode]["lls"], other[way][1]),
            })
    return {"file": path.name, "llama_file": label, "llama_alone_items_per_s": table,
            "items": len(first["lls"]), "tokens": first["tokens"], "cells": cells}


def markdown(result):
    about = result["machine"]
    lines = [f"{result['suite']} {result['subject']}, {result['shots']}-shot; {about['cpu']}, "
             f"{about['threads']} threads, keju {about['keju_commit']}, llama-cpp-python "
             f"{about['llama_cpp_python']}; medians of {result['pairs']} pairs [smallest, largest]",
             "", "| model | items | keju's mode | llama.cpp | its file | keju items/s | llama.cpp items/s | "
             "ratio | other choices | of these past a margin of 0.1 | worst Δ log-likelihood |",
             "| --- | ---: | --- | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |"]
    for model in result["models"]:
        for c in model["cells"]:
            choices = c["choices"]
            lines.append(
                f"| {model['file']} | {model['items']} | {c['numeric_mode']} | {c['llama_way']} "
                f"({c['llama_items']} items) | {model['llama_file']} | {c['keju_items_per_s']:.2f} | "
                f"{c['llama_items_per_s']:.2f} | {c['ratio']:.2f} [{c['low']:.2f}, {c['high']:.2f}] | "
                f"{choices['other_choices']} of {choices['items']} | "
                f"{choices['other_choices_past_0.1']} | {choices['worst_difference']:.3f} |")
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="*", type=Path)
    parser.add_argument("--probe", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--probe-items", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--no-repack", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--keju", required=True)
    parser.add_argument("--data", required=True, help="holds one folder per data set")
    parser.add_argument("--suite", default="cmmlu")
    parser.add_argument("--subject", default="college_mathematics")
    parser.add_argument("--shots", type=int, default=5)
    parser.add_argument("--items", type=int, default=0, help="first N of the subject; 0: all")
    parser.add_argument("--each-items", type=int, default=10)
    parser.add_argument("--modes", nargs="+", default=["exact", "fast"])
    parser.add_argument("--forms", nargs="*", default=["F32", "Q8_0", "Q4_K_M"],
                        help="other files of the same weights that llama.cpp may choose from")
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--work", type=Path, default=Path("/tmp/keju-compare"),
                        help="where converted files are kept")
    parser.add_argument("--out", type=Path, help="writes OUT.json and OUT.md")
    options = parser.parse_args()
    llama.llama_log_set(silent, None)
    llama.llama_backend_init()
    if options.probe:
        return probe(options)
    if not options.models:
        parser.error("need at least one model")
    options.work.mkdir(parents=True, exist_ok=True)
    result = {"machine": machine(options), "pairs": options.pairs, "suite": options.suite,
              "subject": options.subject, "shots": options.shots, "models": []}
    for path in options.models:
        result["models"].append(compare(path, options))
    text = markdown(result)
    print(text, end="")
    if options.out:
        options.out.with_suffix(".json").write_text(json.dumps(result, indent=1) + "\n")
        options.out.with_suffix(".md").write_text(text)


if __name__ == "__main__":
    main()
