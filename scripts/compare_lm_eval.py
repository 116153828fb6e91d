# SPDX-License-Identifier: MIT
"""keju and lm-evaluation-harness side by side; run by compare_lm_eval.sh, which says what it does.

Times are those of the examination alone (model loaded, prompts made) on both sides; the whole
process of each is printed beside. The task is the harness's own cmmlu or ceval-valid task, read
from the users' CSV files instead of the hub. Every run of the harness stands between two of keju's
in each mode; a ratio is taken to both neighbours.
"""
import argparse
import csv
import json
import pathlib
import shutil
import statistics
import subprocess
import sys
import time

FILES = {
    "smollm2": ("SmolLM2-135M-Instruct.Q4_1.gguf", False),
    "gemma3": ("gemma-3-270m-q4_k_m.gguf", True),
}
# Suite: split, file, description, columns of question and answer (lm_eval/tasks/{cmmlu,ceval}).
SUITES = {
    "cmmlu": ("test", "{split}/{subject}.csv",
              "以下是关于{zh}的单项选择题，请直接给出正确答案的选项。\n\n", "Question", "Answer"),
    "ceval": ("val", "{split}/{subject}_{split}.csv",
              "以下是中国关于{zh}的单项选择题，请选出其中的正确答案。\n\n", "question", "answer"),
}
MARGIN = 0.1  # of exact log-likelihoods, past which no mode may choose otherwise


def subject_name(suite, subject):
    """The Chinese name that the prompt's header carries, from the data card."""
    import yaml  # comes with lm_eval

    with open(f"datasets/{suite}/dataset.yaml", encoding="utf-8") as card:
        subjects = yaml.safe_load(card)["subjects"]
    if subject not in subjects:
        sys.exit(f"compare_lm_eval: {suite} has no subject {subject}")
    return subjects[subject]["zh"]


def run_keju(args, model, mode, folder):
    shutil.rmtree(folder, ignore_errors=True)
    command = [args.keju, "run", "--model", str(pathlib.Path(args.models) / FILES[model][0]),
               "--suite", args.suite, "--split", SUITES[args.suite][0], "--data", args.data,
               "--protocol", "lm-eval", "--shots", "5", "--subjects", args.subject,
               "--mode", mode, "--out", str(folder)]
    if args.items:
        command += ["--limit", str(args.items)]
    start = time.perf_counter()
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    process = time.perf_counter() - start
    subprocess.run([args.keju, "export", str(folder), "--format", "lm-eval", "--out",
                    str(folder / "lm-eval")], check=True, stdout=subprocess.DEVNULL)
    results = json.loads((folder / "results.json").read_text())
    lls = {}
    for path in (folder / "lm-eval").rglob("samples_*.jsonl"):
        for line in path.read_text().splitlines():
            sample = json.loads(line)
            lls[sample["doc_id"]] = [float(r[0]) for r in sample["filtered_resps"]]
    return {"seconds": results["speed"]["wall_s"], "process_seconds": process,
            "items": len(lls), "tokens": results["tokens"], "lls": lls,
            "peak_rss_bytes": results["memory"]["peak_rss_bytes"],
            "cpu": results["environment"]["cpu"], "cores": results["environment"]["cores"],
            "commit": results["environment"]["commit"],
            "numeric_mode": results["model"]["numeric_mode"]}


class Harness:
    """The harness with one model loaded; each call of run() is one examination."""

    def __init__(self, args, model, work):
        from lm_eval.models.huggingface import HFLM

        start = time.perf_counter()
        file, bos = FILES[model]
        self.args = args
        self.lm = HFLM(pretrained=args.models, gguf_file=file, tokenizer=None, dtype="float32",
                       device="cpu", batch_size=8, add_bos_token=bos)
        self.task = self.make_task(work)
        self.load_seconds = time.perf_counter() - start
        # The examination alone: the harness's calls into the model.
        self.spent = 0.0
        inner = self.lm.loglikelihood

        def timed(*positional, **named):
            begin = time.perf_counter()
            result = inner(*positional, **named)
            self.spent += time.perf_counter() - begin
            return result

        self.lm.loglikelihood = timed

    def make_task(self, work):
        args = self.args
        split, files, description, question, answer = SUITES[args.suite]
        paths = {}
        for part in ("dev", split):
            source = f"{args.data}/{args.suite}/" + files.format(split=part, subject=args.subject)
            paths[part] = str((work / f"{part}.jsonl").resolve())
            with open(source, encoding="utf-8-sig") as rows, \
                 open(paths[part], "w", encoding="utf-8") as out:
                for row in csv.DictReader(rows):
                    keep = {key: row[key] for key in (question, "A", "B", "C", "D", answer)}
                    out.write(json.dumps(keep, ensure_ascii=False) + "\n")
        return {
            "task": f"{args.suite}_{args.subject}",
            "dataset_path": "json",
            "dataset_kwargs": {"data_files": paths},
            "test_split": split,
            "fewshot_split": "dev",
            "fewshot_config": {"sampler": "first_n"},
            "output_type": "multiple_choice",
            "description": description.format(zh=subject_name(args.suite, args.subject)),
            "doc_to_text": "{{" + question + ".strip()}}\nA. {{A}}\nB. {{B}}\nC. {{C}}\nD. {{D}}\n答案：",
            "doc_to_choice": ["A", "B", "C", "D"],
            "doc_to_target": "{{['A', 'B', 'C', 'D'].index(" + answer + ")}}",
            "metric_list": [{"metric": "acc", "aggregation": "mean", "higher_is_better": True}],
        }

    def run(self):
        from lm_eval import simple_evaluate

        self.spent = 0.0
        start = time.perf_counter()
        out = simple_evaluate(model=self.lm, tasks=[self.task], num_fewshot=5,
                              limit=self.args.items or None, bootstrap_iters=0, log_samples=True,
                              verbosity="ERROR")
        samples = out["samples"][self.task["task"]]
        return {"seconds": self.spent,
                "process_seconds": self.load_seconds + time.perf_counter() - start,
                "lls": {s["doc_id"]: [float(r[0]) for r in s["filtered_resps"]] for s in samples}}


def best(lls):
    return max(range(len(lls)), key=lambda i: lls[i])


def margin(lls):
    ordered = sorted(lls)
    return ordered[-1] - ordered[-2]


def flips(exact, other):
    """Items whose choice differs from exact mode's, with exact mode's margin."""
    return [{"doc_id": d, "exact_margin": margin(exact[d])}
            for d in sorted(exact) if best(exact[d]) != best(other[d])]


def ratios(key, keju_runs, peer_runs):
    """Each peer run stands between keju's runs i and i + 1."""
    return [peer[key] / keju_runs[i + side][key]
            for i, peer in enumerate(peer_runs) for side in (0, 1)]


def mode_report(runs, peers, exact):
    first = runs[0]
    changed = flips(exact, first["lls"])
    return {
        "numeric_mode": first["numeric_mode"],
        "keju_seconds": [r["seconds"] for r in runs],
        "keju_process_seconds": [r["process_seconds"] for r in runs],
        "ratio": ratios("seconds", runs, peers),
        "process_ratio": ratios("process_seconds", runs, peers),
        "peak_rss_bytes": max(r["peak_rss_bytes"] for r in runs),
        "digest_repeats": all(r["lls"] == first["lls"] for r in runs),
        "flips_of_exact": changed,
        "flips_past_margin": sum(f["exact_margin"] > MARGIN for f in changed),
        "agreement_with_exact": 1 - len(changed) / len(exact),
    }


def compare(args, model):
    work = pathlib.Path(args.out) / model
    work.mkdir(parents=True, exist_ok=True)
    harness = Harness(args, model, work)
    runs, peers = {mode: [] for mode in args.modes}, []
    for i in range(args.pairs + 1):
        for mode in args.modes if i % 2 == 0 else reversed(args.modes):
            runs[mode].append(run_keju(args, model, mode, work / f"run-{mode}-{i}"))
        if i < args.pairs:
            peers.append(harness.run())
    first, lls = runs[args.modes[0]][0], peers[0]["lls"]
    exact = first["lls"]
    both = sorted(set(exact) & set(lls))
    apart = {d: max(abs(a - b) for a, b in zip(exact[d], lls[d])) for d in both}
    # transformers rebuilds the tokenizer from the GGUF file and splits ① or ½ otherwise than the
    # model's own rule: such items have other prompts, and no common log-likelihood.
    same = [d for d in both if apart[d] <= 2e-3]
    modes = {mode: mode_report(runs[mode], peers, exact) for mode in args.modes}
    report = {
        "model": FILES[model][0], "suite": args.suite, "subject": args.subject,
        "items": first["items"], "pairs": args.pairs,
        "lm_eval_seconds": statistics.median(p["seconds"] for p in peers),
        "lm_eval_process_seconds": peers[0]["process_seconds"],
        "computed_over_naive": first["tokens"]["computed"] / first["tokens"]["naive"],
        "worst_difference": max(apart[d] for d in same) if same else None,
        "other_prompts": [d for d in both if d not in same],
        "flips": sum(best(exact[d]) != best(lls[d]) for d in same),
        "cpu": first["cpu"], "cores": first["cores"], "commit": first["commit"],
        "modes": modes,
    }
    return report | modes[args.modes[0]]


def markdown(reports):
    r = reports[0]
    lines = [f"{r['suite']} {r['subject']}, 5-shot; {r['cpu']}, {r['cores']} cores; commit "
             f"{r['commit']}; lm-eval 0.4.13, Hugging Face backend, float32, batch 8; medians "
             f"[smallest, largest ratio], {r['pairs']} run(s) of lm-eval each between two of keju's",
             "", "| model | mode | items | lm-eval items/s | keju items/s | times faster | computed / naive | "
             "same choice as exact | flips past a margin of 0.1 | worst Δ log-likelihood to lm-eval | "
             "flips to lm-eval | other prompts |",
             "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"]
    for r in reports:
        for i, m in enumerate(r["modes"].values()):
            first = i == 0
            worst = "-" if r["worst_difference"] is None or not first else f"{r['worst_difference']:.1e}"
            lines.append(
                f"| {r['model']} | {m['numeric_mode']} | {r['items']} | "
                f"{r['items'] / r['lm_eval_seconds']:.2f} | "
                f"{r['items'] / statistics.median(m['keju_seconds']):.2f} | "
                f"{statistics.median(m['ratio']):.1f} [{min(m['ratio']):.1f}, {max(m['ratio']):.1f}] | "
                f"{r['computed_over_naive']:.3f} | {100 * m['agreement_with_exact']:.1f} % | "
                f"{m['flips_past_margin']} | {worst} | {r['flips'] if first else '-'} | "
                f"{len(r['other_prompts']) if first else '-'} |")
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser()
    for name in ("keju", "data", "models", "subject", "out"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--suite", choices=list(SUITES), default="cmmlu")
    parser.add_argument("--modes", default="exact,fast", type=lambda text: text.split(","))
    parser.add_argument("--items", type=int, default=0)
    parser.add_argument("--pairs", type=int, default=1)
    parser.add_argument("which", nargs="*", default=list(FILES))
    args = parser.parse_args()
    if args.modes[0] != "exact":
        parser.error("--modes: need exact first: the others are compared with it")
    reports = [compare(args, model) for model in args.which]
    pathlib.Path(args.out, "report.json").write_text(json.dumps(reports, indent=1) + "\n")
    text = markdown(reports)
    pathlib.Path(args.out, "report.md").write_text(text)
    print(text, end="")


main()
