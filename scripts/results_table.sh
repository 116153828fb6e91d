#!/usr/bin/env bash
# Writes the README's results table from run folders: speed, memory and quality of a model in one
# row, with machine and commit. The last columns are reports/compare_lm_eval.json's and
# reports/compare_llama_cpp_*.json's, as scripts/compare_lm_eval.sh and scripts/compare_llama_cpp.sh
# wrote them.   scripts/results_table.sh RUN…
set -euo pipefail
cd "$(dirname "$0")/.."
python3 - "$@" <<'PY'
import glob, json, sys

rows = ["| model | completion % | questions % | problems % | bits/byte | prefill tok/s | decode tok/s | peak memory MB | computed / naive tokens | times lm-eval | times llama.cpp: prefill, one stream, 16 streams |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | --- |"]
machine = set()
try:
    compared = {r["model"]: r for r in json.load(open("reports/compare_lm_eval.json", encoding="utf-8"))}
except FileNotFoundError:
    compared = {}
peers, about = {}, []
for path in sorted(glob.glob("reports/compare_llama_cpp_*.json")):
    report = json.load(open(path, encoding="utf-8"))
    m = report["machine"]
    about.append((m["cpu"], m["threads"], m["keju_commit"][:12], m["llama_cpp_python"], report["pairs"]))
    for model in report["models"]:
        ratios = []
        for mode in model["modes"]:
            worst = {}
            for cell in mode["cells"]:
                worst[cell["cell"]] = min(cell["ratio"], worst.get(cell["cell"], cell["ratio"]))
            name = mode["numeric_mode"].split("-")[1]
            ratios.append(f"{name} " + ", ".join(
                f"{worst[c]:.2f}" for c in ("prefill", "one stream", "many streams")))
        peers[model["file"]] = "; ".join(ratios)
for folder in sys.argv[1:]:
    results = json.load(open(f"{folder}/results.json", encoding="utf-8"))
    run = json.load(open(f"{folder}/run.json", encoding="utf-8"))
    score = {}
    for exam in results["exams"]:
        score[exam["suite"]] = exam["score"]["value"]
    percent = lambda name: f"{100 * score[name]:.1f}" if name in score else "-"
    speed, tokens = results["speed"], results["tokens"]
    peer = compared.get(results["model"]["file"])
    rows.append("| {} | {} | {} | {} | {} | {:.0f} | {} | {:.0f} | {:.2f} | {} | {} |".format(
        run["model"]["name"], percent("keju-completion"), percent("keju-questions"), percent("keju-generate"),
        f"{score['keju-text']:.3f}" if "keju-text" in score else "-", speed["prefill_tokens_per_s"],
        f"{speed['decode_tokens_per_s']:.0f}" if speed["decode_tokens_per_s"] else "-",
        results["memory"]["peak_rss_bytes"] / 1e6, tokens["computed"] / tokens["naive"],
        f"{min(peer['ratio']):.1f}" if peer else "-", peers.get(results["model"]["file"], "-")))
    env = run["environment"]
    machine.add(f"{env['cpu']}, {env['cores']} cores; commit {env['commit']}; {run['fingerprint']['numeric_mode']}")
text = "\n".join(rows) + "\n\n" + "; ".join(sorted(machine)) + "\n"
for r in list(compared.values())[:1]:
    text += (f"\nTimes lm-eval: wall time of 5-shot CMMLU {r['subject']} ({r['items']} items) under lm-evaluation-harness 0.4.13, "
             f"Hugging Face backend, float32, batch 8, over keju's, alternately in one run: {r['cpu']}, {r['cores']} cores; "
             f"commit {r['commit']}; {r['numeric_mode']}.\n")
for cpu, threads, commit, version, pairs in sorted(set(about)):
    text += (f"\nTimes llama.cpp: tokens/s of exact and of fast mode over those of llama-cpp-python {version} on its fastest file of the same "
             f"weights (as given, F32, Q8_0, Q4_K_M, those that do not crash it), 512 tokens of prompt, 64 new ones, medians of {pairs} "
             f"alternating pairs: {cpu}, {threads} threads; commit {commit}.\n")
readme = open("README.md", encoding="utf-8").read()
begin, end = "<!-- results:begin -->\n", "<!-- results:end -->"
head, rest = readme.split(begin)
open("README.md", "w", encoding="utf-8").write(head + begin + text + end + rest.split(end)[1])
print(text)
PY
