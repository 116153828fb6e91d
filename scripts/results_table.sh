#!/usr/bin/env bash
# Writes the README's results table from run folders: speed, memory and quality of a model in one
# row, with machine and commit. The last column is reports/compare_lm_eval.json's, as
# scripts/compare_lm_eval.sh wrote it.   scripts/results_table.sh RUN…
set -euo pipefail
cd "$(dirname "$0")/.."
python3 - "$@" <<'PY'
import json, sys

rows = ["| model | completion % | questions % | problems % | bits/byte | prefill tok/s | decode tok/s | peak memory MB | computed / naive tokens | times lm-eval |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"]
machine = set()
try:
    compared = {r["model"]: r for r in json.load(open("reports/compare_lm_eval.json", encoding="utf-8"))}
except FileNotFoundError:
    compared = {}
for folder in sys.argv[1:]:
    results = json.load(open(f"{folder}/results.json", encoding="utf-8"))
    run = json.load(open(f"{folder}/run.json", encoding="utf-8"))
    score = {}
    for exam in results["exams"]:
        score[exam["suite"]] = exam["score"]["value"]
    percent = lambda name: f"{100 * score[name]:.1f}" if name in score else "-"
    speed, tokens = results["speed"], results["tokens"]
    peer = compared.get(results["model"]["file"])
    rows.append("| {} | {} | {} | {} | {} | {:.0f} | {} | {:.0f} | {:.2f} | {} |".format(
        run["model"]["name"], percent("keju-completion"), percent("keju-questions"), percent("keju-generate"),
        f"{score['keju-text']:.3f}" if "keju-text" in score else "-", speed["prefill_tokens_per_s"],
        f"{speed['decode_tokens_per_s']:.0f}" if speed["decode_tokens_per_s"] else "-",
        results["memory"]["peak_rss_bytes"] / 1e6, tokens["computed"] / tokens["naive"],
        f"{min(peer['ratio']):.1f}" if peer else "-"))
    env = run["environment"]
    machine.add(f"{env['cpu']}, {env['cores']} cores; commit {env['commit']}; {run['fingerprint']['numeric_mode']}")
text = "\n".join(rows) + "\n\n" + "; ".join(sorted(machine)) + "\n"
for r in list(compared.values())[:1]:
    text += (f"\nTimes lm-eval: wall time of 5-shot CMMLU {r['subject']} ({r['items']} items) under lm-evaluation-harness 0.4.13, "
             f"Hugging Face backend, float32, batch 8, over keju's, alternately in one run: {r['cpu']}, {r['cores']} cores; "
             f"commit {r['commit']}; {r['numeric_mode']}.\n")
readme = open("README.md", encoding="utf-8").read()
begin, end = "<!-- results:begin -->\n", "<!-- results:end -->"
head, rest = readme.split(begin)
open("README.md", "w", encoding="utf-8").write(head + begin + text + end + rest.split(end)[1])
print(text)
PY
