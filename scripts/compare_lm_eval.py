# SPDX-License-Identifier: MIT
"""keju and lm-evaluation-harness side by side; run by compare_lm_eval.sh, which says what it does.

Times are those of the examination alone (model loaded, prompts made) on both sides; the whole
process of each is printed beside. The task is the harness's own cmmlu task, read from the users'
CSV files instead of the hub.
"""
import argparse
import csv
import json
import pathlib
import shutil
import subprocess
import sys
import time

FILES = {
    "smollm2": ("SmolLM2-135M-Instruct.Q4_1.gguf", False),
    "gemma3": ("gemma-3-270m-q4_k_m.gguf", True),
}


def subject_name(subject):
    """The Chinese name that the prompt's header carries, from the data card."""
    import yaml  # comes with lm_eval

    with open("datasets/cmmlu/dataset.yaml", encoding="utf-8") as card:
        subjects = yaml.safe_load(card)["subjects"]
    if subject not in subjects:
        sys.exit(f"compare_lm_eval: cmmlu has no subject {subject}")
    return subjects[subject]["zh"]


def run_keju(args, model, folder):
    shutil.rmtree(folder, ignore_errors=True)
    command = [args.keju, "run", "--model", str(pathlib.Path(args.models) / FILES[model][0]),
               "--suite", "cmmlu", "--data", args.data, "--protocol", "lm-eval", "--shots", "5",
               "--subjects", args.subject, "--mode", args.mode, "--out", str(folder)]
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


def run_lm_eval(args, model, work):
    from lm_eval import simple_evaluate
    from lm_eval.models.huggingface import HFLM

    process_start = time.perf_counter()
    file, bos = FILES[model]
    lm = HFLM(pretrained=args.models, gguf_file=file, tokenizer=None, dtype="float32", device="cpu",
              batch_size=8, add_bos_token=bos)
    rows = {}
    for split in ("dev", "test"):
        with open(f"{args.data}/cmmlu/{split}/{args.subject}.csv", encoding="utf-8-sig") as file:
            rows[split] = list(csv.DictReader(file))
        with open(work / f"{split}.jsonl", "w", encoding="utf-8") as out:
            for row in rows[split]:
                keep = {key: row[key] for key in ("Question", "A", "B", "C", "D", "Answer")}
                out.write(json.dumps(keep, ensure_ascii=False) + "\n")
    task = {
        "task": f"cmmlu_{args.subject}",
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {s: str((work / f"{s}.jsonl").resolve()) for s in rows}},
        "test_split": "test",
        "fewshot_split": "dev",
        "fewshot_config": {"sampler": "first_n"},
        "output_type": "multiple_choice",
        "description": f"以下是关于{subject_name(args.subject)}的单项选择题，请直接给出正确答案的选项。\n\n",
        "doc_to_text": "{{Question.strip()}}\nA. {{A}}\nB. {{B}}\nC. {{C}}\nD. {{D}}\n答案：",
        "doc_to_choice": ["A", "B", "C", "D"],
        "doc_to_target": "{{['A', 'B', 'C', 'D'].index(Answer)}}",
        "metric_list": [{"metric": "acc", "aggregation": "mean", "higher_is_better": True}],
    }
    # The examination alone: the harness's calls into the model.
    spent = 0.0
    inner = lm.loglikelihood

    def timed(*positional, **named):
        nonlocal spent
        start = time.perf_counter()
        result = inner(*positional, **named)
        spent += time.perf_counter() - start
        return result

    lm.loglikelihood = timed
    out = simple_evaluate(model=lm, tasks=[task], num_fewshot=5, limit=args.items or None,
                          bootstrap_iters=0, log_samples=True, verbosity="ERROR")
    samples = out["samples"][task["task"]]
    lls = {s["doc_id"]: [float(r[0]) for r in s["filtered_resps"]] for s in samples}
    return {"seconds": spent, "process_seconds": time.perf_counter() - process_start,
            "items": len(lls), "lls": lls}


def compare(args, model):
    work = pathlib.Path(args.out) / model
    work.mkdir(parents=True, exist_ok=True)
    before = run_keju(args, model, work / "run-before")
    peer = run_lm_eval(args, model, work)
    after = run_keju(args, model, work / "run-after")
    both = sorted(set(before["lls"]) & set(peer["lls"]))
    apart = {d: max(abs(a - b) for a, b in zip(before["lls"][d], peer["lls"][d])) for d in both}
    # transformers rebuilds the tokenizer from the GGUF file and splits ① or ½ otherwise than the
    # model's own rule: such items have other prompts, and no common log-likelihood.
    same = [d for d in both if apart[d] <= 2e-3]
    best = lambda lls: max(range(4), key=lambda i: lls[i])
    return {
        "model": FILES[model][0], "subject": args.subject, "items": before["items"],
        "keju_seconds": [before["seconds"], after["seconds"]],
        "keju_process_seconds": [before["process_seconds"], after["process_seconds"]],
        "lm_eval_seconds": peer["seconds"], "lm_eval_process_seconds": peer["process_seconds"],
        "ratio": [peer["seconds"] / r["seconds"] for r in (before, after)],
        "process_ratio": [peer["process_seconds"] / r["process_seconds"] for r in (before, after)],
        "computed_over_naive": before["tokens"]["computed"] / before["tokens"]["naive"],
        "peak_rss_bytes": before["peak_rss_bytes"],
        "worst_difference": max(apart[d] for d in same) if same else None,
        "other_prompts": [d for d in both if d not in same],
        "flips": sum(best(before["lls"][d]) != best(peer["lls"][d]) for d in same),
        "digest_repeats": before["lls"] == after["lls"],
        "cpu": before["cpu"], "cores": before["cores"], "commit": before["commit"],
        "numeric_mode": before["numeric_mode"],
    }


def main():
    parser = argparse.ArgumentParser()
    for name in ("keju", "data", "models", "subject", "mode", "out"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--items", type=int, default=0)
    parser.add_argument("which", nargs="*", default=list(FILES))
    args = parser.parse_args()
    reports = [compare(args, model) for model in args.which]
    pathlib.Path(args.out, "report.json").write_text(json.dumps(reports, indent=1))
    print("| model | items | lm-eval items/s | keju items/s | times faster (before, after) | "
          "computed / naive | worst Δ log-likelihood | flips | other prompts |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    for r in reports:
        print("| {} | {} | {:.2f} | {:.2f} | {:.1f}, {:.1f} | {:.3f} | {:.1e} | {} | {} |".format(
            r["model"], r["items"], r["items"] / r["lm_eval_seconds"],
            r["items"] / (sum(r["keju_seconds"]) / 2), *r["ratio"], r["computed_over_naive"],
            r["worst_difference"], r["flips"], len(r["other_prompts"])))
    r = reports[0]
    print(f"\n{r['subject']}, 5-shot; {r['cpu']}, {r['cores']} cores; commit {r['commit']}; "
          f"{r['numeric_mode']}; lm-eval 0.4.13, Hugging Face backend, float32, batch 8")


main()
