#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Does the cost of an item depend on how many there are, and does memory grow with them?

Writes papers of one subject mix (random four-option questions in the layout of CMMLU) with few and
with many items, examines a model on both alternately (A B A …), and plans papers up to a million
prompts (`keju run --dry-run`). Prints items/s, unique tokens/s, peak memory, and seconds of
planning. Needs the standard library alone.

  scripts/measure_scaling.py --keju build/release/keju --model MODEL.gguf --out reports/scaling

Most of the time goes to the 10,000 items: about 50 unique tokens each for SmolLM2 (500,000, three
minutes at 2,800 tokens/s); choose --mode, --many and --pairs by that.
"""
import argparse
import csv
import json
import os
import platform
import random
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

SUBJECTS = ("agronomy", "anatomy", "astronomy", "college_law", "philosophy")
LETTERS = ("的一是在不了有和人这中大为上个国我以要他时来用们生到作地于出就分对成会可主发年动同工也能下过子说产种"
           "面而方后多定行学法所民得经十三之进着等部度家电力里如水化高自二理起小物现实加量都两体制机当使点从业本")
SIZES = ((6, 12), (1, 3), (1, 3), (1, 3), (1, 3))  # letters of the question and of each option


def write_paper(folder, items):
    """`items` questions over all subjects, the same ones first in every paper."""
    done = folder / "done"
    if done.exists() and done.read_text() == str(SIZES):
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    for s, subject in enumerate(SUBJECTS):
        for split in ("dev", "test"):
            draw = random.Random(f"{subject} {split}")
            count = 5 if split == "dev" else items // len(SUBJECTS) + (s < items % len(SUBJECTS))
            path = folder / "cmmlu" / split / f"{subject}.csv"
            path.parent.mkdir(parents=True, exist_ok=True)
            with open(path, "w", encoding="utf-8", newline="") as out:
                rows = csv.writer(out)
                rows.writerow(["", "Question", "A", "B", "C", "D", "Answer"])
                for i in range(count):
                    texts = ["".join(draw.choices(LETTERS, k=draw.randint(*size)))
                             for size in SIZES]
                    rows.writerow([i, *texts, draw.choice("ABCD")])
    done.write_text(str(SIZES))
    return folder


def command_of(options, data):
    command = [options.keju, "run", "--model", str(options.model), "--suite", "cmmlu", "--data",
               str(data), "--protocol", "lm-eval", "--shots", str(options.shots), "--mode",
               options.mode, "--threads", str(options.threads), "--subjects", *SUBJECTS]
    return command


def examine(options, items):
    data = write_paper(options.work / f"paper-{items}", items)
    out = options.work / f"run-{items}"
    shutil.rmtree(out, ignore_errors=True)
    subprocess.run([*command_of(options, data), "--out", str(out)], check=True, capture_output=True)
    results = json.loads((out / "results.json").read_text())
    seconds = results["speed"]["wall_s"]
    done = results["items"]["scored"]
    if done != items:
        sys.exit(f"measure_scaling: {out}: found {done} scored items, need {items}")
    return {"items": items, "seconds": seconds, "items_per_s": items / seconds,
            "unique_tokens_per_s": results["tokens"]["computed"] / seconds,
            "unique_tokens_per_item": results["tokens"]["computed"] / items,
            "peak_rss_bytes": results["memory"]["peak_rss_bytes"],
            "weights_bytes": results["memory"]["weights_bytes"],
            "kv_peak_bytes": results["memory"]["kv_peak_bytes"],
            "numeric_mode": results["model"]["numeric_mode"],
            "commit": results["environment"]["commit"], "cpu": results["environment"]["cpu"]}


def plan(options, items):
    data = write_paper(options.work / f"paper-{items}", items)
    begin = time.perf_counter()
    out = subprocess.run([*command_of(options, data), "--dry-run", "--json"], check=True,
                         capture_output=True, text=True).stdout
    process = time.perf_counter() - begin
    result = json.loads(out)
    return {"items": items, "plan_s": result["plan_s"], "process_s": process,
            "tokens_naive": result["tokens_naive"], "tokens_to_compute": result["tokens_to_compute"],
            "peak_memory_bytes": result["plan_peak_memory_bytes"]}


def summary(runs, items):
    of = [r for r in runs if r["items"] == items]
    return {"items": items, "runs": len(of),
            **{key: statistics.median(r[key] for r in of)
               for key in ("items_per_s", "unique_tokens_per_s", "unique_tokens_per_item")},
            **{key: max(r[key] for r in of)
               for key in ("peak_rss_bytes", "weights_bytes", "kv_peak_bytes")}}


def markdown(result):
    few, many = result["examined"]
    lines = [f"{result['model']}, {result['numeric_mode']}, {result['shots']}-shot; {result['cpu']}, "
             f"{result['threads']} threads; keju {result['commit']}", "",
             "| items | runs | items/s | unique tokens/s | unique tokens an item | peak memory MB | "
             "of it weights and KV MB |",
             "| ---: | ---: | ---: | ---: | ---: | ---: | ---: |"]
    for r in (few, many):
        lines.append(f"| {r['items']} | {r['runs']} | {r['items_per_s']:.2f} | "
                     f"{r['unique_tokens_per_s']:.0f} | {r['unique_tokens_per_item']:.1f} | "
                     f"{r['peak_rss_bytes'] / 1e6:.0f} | "
                     f"{(r['weights_bytes'] + r['kv_peak_bytes']) / 1e6:.0f} |")
    lines += ["", f"items/s at {many['items']} over {few['items']}: {result['items_per_s_ratio']:.3f}; "
              f"peak memory {result['peak_memory_growth_bytes'] / 1e6:+.0f} MB", "",
              "| prompts planned | seconds | prompts/s | tokens naive | tokens to compute | peak memory MB |",
              "| ---: | ---: | ---: | ---: | ---: | ---: |"]
    for p in result["planned"]:
        lines.append(f"| {p['items']} | {p['plan_s']:.1f} | {p['items'] / p['plan_s']:.0f} | "
                     f"{p['tokens_naive']} | {p['tokens_to_compute']} | {p['peak_memory_bytes'] / 1e6:.0f} |")
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--keju", required=True)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--mode", default="fast")
    parser.add_argument("--few", type=int, default=100)
    parser.add_argument("--many", type=int, default=10000)
    parser.add_argument("--pairs", type=int, default=1, help="runs of the long paper")
    parser.add_argument("--shots", type=int, default=0)
    parser.add_argument("--plan", type=int, nargs="*", default=[10000, 100000, 1000000])
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--work", type=Path, default=Path("/tmp/keju-scaling"))
    parser.add_argument("--out", type=Path, help="writes OUT.json and OUT.md")
    options = parser.parse_args()
    runs = []
    for i in range(options.pairs + 1):
        runs.append(examine(options, options.few))
        if i < options.pairs:
            runs.append(examine(options, options.many))
    examined = [summary(runs, items) for items in (options.few, options.many)]
    result = {
        "model": options.model.name, "shots": options.shots, "threads": options.threads,
        "system": platform.platform(), "cpu": runs[0]["cpu"], "commit": runs[0]["commit"],
        "numeric_mode": runs[0]["numeric_mode"], "examined": examined,
        "items_per_s_ratio": examined[1]["items_per_s"] / examined[0]["items_per_s"],
        "peak_memory_growth_bytes": examined[1]["peak_rss_bytes"] - examined[0]["peak_rss_bytes"],
        "planned": [plan(options, items) for items in options.plan], "runs": runs,
    }
    text = markdown(result)
    print(text, end="")
    if options.out:
        options.out.with_suffix(".json").write_text(json.dumps(result, indent=1) + "\n")
        options.out.with_suffix(".md").write_text(text)


if __name__ == "__main__":
    main()
