#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Logs of lm-evaluation-harness over published data sets, taken in by `keju import lm-eval-samples`.

  LM_EVAL_PYTHON scripts/check_lm_eval_logs.py DATA [--keju PROGRAM] [--limit N]

Run by a Python that has lm_eval (scripts/compare_lm_eval.sh makes one). Writes eight tasks over the
files of DATA, three of them with Python code in the task, has lm_eval's dummy model log their
samples, and imports each log: keju refuses a log in which a context does not hash to the
prompt_hash beside it. Prints a line a task; exit 1 if any log is refused or lacks a hash."""
import argparse
import csv
import json
import pathlib
import subprocess
import sys
import tempfile

CHOICE = """output_type: multiple_choice
metric_list: [{metric: acc, aggregation: mean, higher_is_better: true}, {metric: acc_norm, aggregation: mean, higher_is_better: true}]
"""
LETTERED = CHOICE + """fewshot_split: dev
fewshot_config: {sampler: first_n}
num_fewshot: 2
description: "以下是单项选择题，请直接给出正确答案的选项。\\n\\n"
doc_to_text: "{{%(question)s.strip()}}\\nA. {{A}}\\nB. {{B}}\\nC. {{C}}\\nD. {{D}}\\n答案："
doc_to_choice: ["A", "B", "C", "D"]
doc_to_target: "{{['A','B','C','D'].index(%(answer)s)}}"
"""
# Name: (format, files by split under DATA, body). Test is the split that is asked.
TASKS = {
    "k_cmmlu": ("csv", {"test": "cmmlu/test/agronomy.csv", "dev": "cmmlu/dev/agronomy.csv"},
                LETTERED % {"question": "Question", "answer": "Answer"}),
    "k_ceval": ("csv", {"test": "ceval/val/law_val.csv", "dev": "ceval/dev/law_dev.csv"},
                LETTERED % {"question": "question", "answer": "answer"}),
    "k_gsm8k": ("json", {"test": "gsm8k/test.jsonl", "train": "gsm8k/train.jsonl"}, """output_type: generate_until
fewshot_split: train
num_fewshot: 5
doc_to_text: "Question: {{question}}\\nAnswer:"
doc_to_target: "{{answer}}"
metric_list: [{metric: exact_match, aggregation: mean, higher_is_better: true, ignore_case: true, ignore_punctuation: false, regexes_to_ignore: [",", "\\\\$", "(?s).*#### ", "\\\\.$"]}]
generation_kwargs: {until: ["Question:", "</s>"], do_sample: false, temperature: 0.0}
filter_list:
  - name: strict-match
    filter: [{function: regex, regex_pattern: "#### (\\\\-?[0-9\\\\.\\\\,]+)"}, {function: take_first}]
  - name: flexible-extract
    filter: [{function: regex, group_select: -1, regex_pattern: "(-?[$0-9.,]{2,})|(-?[0-9]+)"}, {function: take_first}]
"""),
    "k_simpleqa": ("json", {"test": "chinese_simpleqa/chinese_simpleqa.jsonl"}, """output_type: generate_until
doc_to_text: "问：{{question}}\\n答："
doc_to_target: "{{answer}}"
metric_list: [{metric: exact_match, aggregation: mean, higher_is_better: true, ignore_case: true, ignore_punctuation: true}]
generation_kwargs: {until: ["\\n"], do_sample: false}
filter_list: [{name: remove_whitespace, filter: [{function: remove_whitespace}, {function: take_first}]}]
"""),
    "k_text": ("json", {"test": "gsm8k/test.jsonl"}, """output_type: loglikelihood_rolling
doc_to_text: ""
doc_to_target: "{{question}}"
metric_list: [{metric: bits_per_byte}]
"""),
    "k_logiqa": ("json", {"test": "agieval/logiqa-zh.jsonl"}, CHOICE + """doc_to_text: !function utils.logiqa_text
doc_to_choice: ["A", "B", "C", "D"]
doc_to_target: !function utils.logiqa_target
target_delimiter: ""
"""),
    "k_sat": ("json", {"test": "agieval/sat-en.jsonl"}, CHOICE + """doc_to_text: !function utils.sat_text
doc_to_choice: !function utils.sat_choice
doc_to_target: !function utils.logiqa_target
"""),
    "k_cmath": ("json", {"test": "cmath/cmath_dev.jsonl"}, """output_type: generate_until
doc_to_text: !function utils.cmath_text
doc_to_target: "{{golden}}"
metric_list: [{metric: exact_match, aggregation: mean, higher_is_better: true}]
generation_kwargs: {until: ["\\n"], max_gen_toks: 64}
"""),
}
UTILS = '''def logiqa_text(doc):
    return (doc["passage"] or "") + "\\n" + doc["question"] + "\\n" + "\\n".join(doc["options"]) + "\\n答案："
def logiqa_target(doc):
    return "ABCD".index(doc["label"])
def sat_text(doc):
    return f"{doc['passage'].strip()}\\n\\nQ: {doc['question'].strip()}\\nA:"
def sat_choice(doc):
    return [option[option.index(")") + 1:].strip() for option in doc["options"]]
def cmath_text(doc):
    return f"【题】{doc['input']}\\n【答】"
'''


def same_columns(files: dict, folder: pathlib.Path, name: str) -> dict:
    """Copies of CSV files with the columns that all of them have: lm_eval's reader takes no others."""
    tables = {split: list(csv.DictReader(path.open(encoding="utf-8-sig", newline=""))) for split, path in files.items()}
    shared = [key for key in next(iter(tables.values()))[0] if key and all(key in rows[0] for rows in tables.values())]
    out = {}
    for split, rows in tables.items():
        out[split] = folder / f"{name}_{split}.csv"
        with out[split].open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, shared, extrasaction="ignore")
            writer.writeheader()
            writer.writerows(rows)
    return out


def write_tasks(folder: pathlib.Path, data: pathlib.Path) -> None:
    (folder / "utils.py").write_text(UTILS, encoding="utf-8")
    for name, (form, files, body) in TASKS.items():
        files = {split: data / file for split, file in files.items()}
        if form == "csv":
            files = same_columns(files, folder, name)
        paths = json.dumps({split: str(file) for split, file in files.items()}, ensure_ascii=False)
        (folder / f"{name}.yaml").write_text(
            f"task: {name}\ndataset_path: {form}\ndataset_kwargs: {{data_files: {paths}}}\ntest_split: test\n{body}",
            encoding="utf-8")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=lambda path: pathlib.Path(path).resolve())
    parser.add_argument("--keju", default="build/release/keju")
    parser.add_argument("--limit", default="25", help="items of each task")
    options = parser.parse_args()
    failed = 0
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch)
        (folder / "tasks").mkdir()
        write_tasks(folder / "tasks", options.data)
        subprocess.run(
            [sys.executable, "-m", "lm_eval", "--model", "dummy", "--include_path", "tasks", "--tasks", ",".join(TASKS),
             "--limit", options.limit, "--log_samples", "--output_path", "logs"],
            cwd=folder, check=True, stdout=subprocess.DEVNULL)
        for name in TASKS:
            log = next(folder.glob(f"logs/**/samples_{name}_*.jsonl"))
            rows = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
            hashed = sum("prompt_hash" in row for row in rows)
            # Generations with two filters are logged once for each.
            items = len({row["doc_id"] for row in rows})
            taken = subprocess.run(
                [options.keju, "import", "lm-eval-samples", str(log), "--out", str(folder / "suites"), "--json"],
                capture_output=True, text=True)
            got = json.loads(taken.stdout)["items"] if taken.returncode == 0 else 0
            code = "Python" if "!function" in TASKS[name][2] else "-"
            whole = taken.returncode == 0 and got == items and hashed == len(rows)
            failed += not whole
            print(f"{name:12} {code:7} {items:4} items, {got:4} imported, {hashed} of {len(rows)} rows hashed"
                  + ("" if whole else f": {taken.stderr.strip()}"))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
