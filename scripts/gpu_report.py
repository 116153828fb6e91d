#!/usr/bin/env python3
"""What scripts/gpu_check.sh computes: comparisons with fixtures, invariance, and the report over all stages.

  gpu_report.py fixtures KEJU FIXTURES_DIR [BACKEND]
  gpu_report.py invariance KEJU FIXTURE_DIR BACKEND WRITER_DIR
  gpu_report.py report DIR
  gpu_report.py markdown REPORT.json
  gpu_report.py name REPORT.json

The first three write one JSON object to standard output; the first two exit 1 where something is not as it must be."""
import json
import pathlib
import subprocess
import sys
import tempfile


def logprobs(keju: str, model: pathlib.Path, rows: list, backend: str, *options: str) -> list:
    lines = "".join(json.dumps({"ids": ids}) + "\n" for ids in rows)
    done = subprocess.run([keju, "logprobs", "--backend", backend, "--model", str(model), *options], input=lines,
                          capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{model}: keju logprobs: exit {done.returncode}: {done.stderr.strip()}")
    return [json.loads(line) for line in done.stdout.splitlines()]


# Fixtures whose files do not hold what their logits were computed from (tests/engine/fixtures_test.cpp says why).
BOUNDS = {"baichuan2-normhead": 1e-3, "minicpm": 1e-2}
BOUND = 2e-4


def check_fixtures(keju: str, folder: str, backend: str) -> dict:
    worst, failed = {}, []
    for model in sorted(path for path in pathlib.Path(folder).iterdir() if (path / "expected.json").exists()):
        cases = json.loads((model / "expected.json").read_text(encoding="utf-8"))["cases"]
        answers = logprobs(keju, model, [case["ids"] for case in cases], backend, "--mode", "exact")
        most = 0.0
        for case, answer in zip(cases, answers, strict=True):
            for want, got in zip(case["token_logprobs"][1:], answer["token_logprobs"][1:], strict=True):
                difference = abs(want - got)
                if not difference <= most:  # a NaN stays
                    most = difference
        worst[model.name] = most
        if not most <= BOUNDS.get(model.name, BOUND):
            failed.append(model.name)
    return {"stage": "fixtures", "worst_logprob_error": worst, "bound": BOUND, "other_bounds": BOUNDS, "failed": failed,
            "ok": bool(worst) and not failed}


def digest(keju: str, model: str, backend: str, *options: str) -> str:
    """Of a short run in which the model writes."""
    with tempfile.TemporaryDirectory() as out:
        done = subprocess.run([keju, "run", "--json", "--backend", backend, "--model", model, "--suite", "keju-generate",
                               "--limit", "4", "--out", out + "/run", *options], capture_output=True, text=True,
                              check=False)
    answer = json.loads(done.stdout.splitlines()[-1]) if done.stdout.strip() else {}
    if not answer.get("complete"):
        raise SystemExit(f"{model}: keju run: exit {done.returncode}: {done.stderr.strip()}")
    return answer["digest"]


GRAPH_RUNS = [(live, graphs) for live in (1, 3, 16) for graphs in ("on", "off")]


def check_graphs(keju: str, model: str, backend: str) -> list:
    """What writes other answers than one generation at a time without graphs."""
    failed = []
    for mode in ("exact", "native"):
        truth = digest(keju, model, backend, "--mode", mode, "--live", "1", "--graphs", "off")
        for live, graphs in GRAPH_RUNS:
            if digest(keju, model, backend, "--mode", mode, "--live", str(live), "--graphs", graphs) != truth:
                failed.append(f"{mode} with --live {live} --graphs {graphs}")
    return failed


def check_invariance(keju: str, model: str, backend: str, writer: str) -> dict:
    ids = json.loads((pathlib.Path(model) / "expected.json").read_text(encoding="utf-8"))["cases"][0]["ids"]
    rows = [(ids * 40)[:n] for n in (1, 2, 63, 64, 65, 200)]
    truth, failed, tried = None, [], list(range(1, 261, 7)) + [512]
    for mode in ("exact", "native"):
        truth = None
        for step_rows in tried:
            answers = logprobs(keju, pathlib.Path(model), rows, backend, "--mode", mode, "--step-rows", str(step_rows))
            truth = truth or answers
            if answers != truth:
                failed.append(f"{mode} with --step-rows {step_rows}")
    failed += check_graphs(keju, writer, backend)
    return {"stage": "invariance", "step_rows": tried,
            "writing": [f"--live {live} --graphs {graphs}" for live, graphs in GRAPH_RUNS], "failed": failed,
            "ok": not failed}


STAGES = ("device", "ops", "sweep", "fixtures", "invariance", "sanitizer", "peaks", "checkpoint", "bench",
          "transformers")


def make_report(folder: str) -> dict:
    out = {"schema": "keju-gpu-check-2", "parts": {}, "missing": []}
    root = pathlib.Path(folder)
    for name in STAGES:
        if not (root / f"{name}.done").exists():
            out["missing"].append(name)
    names = ["doctor", "ops", "sweep", "fixtures", "invariance", "sanitizer", "peaks", "transformers"]
    for path in [root / f"{name}.json" for name in names] + sorted(root.glob("bench-*.json")):
        if path.exists():
            out["parts"][path.stem] = json.loads(path.read_text(encoding="utf-8"))
    device = root / "device.csv"
    out["device"] = device.read_text(encoding="utf-8").strip() if device.exists() else None
    out["ok"] = not out["missing"] and all(part.get("ok", True) for part in out["parts"].values())
    return out


def card_name(report: dict) -> str:
    """The card's own name as a file name."""
    name = report["parts"].get("peaks", {}).get("device") or "unknown card"
    return "".join(c if c.isalnum() else "-" for c in name.lower()).strip("-")


def number(value) -> str:
    return f"{value:,.4g}" if isinstance(value, (int, float)) and not isinstance(value, bool) else str(value)


def verdict(part: dict) -> str:
    if not part:
        return "not run"
    if "absent" in part:
        return part["absent"]
    text = "ok" if part.get("ok") else "FAILED: " + "; ".join(map(str, part.get("failed", ["?"])))
    errors = part.get("errors") or part.get("worst_logprob_error") or {}
    errors = {key: value for key, value in errors.items() if isinstance(value, (int, float))}
    if errors:
        key = max(errors, key=lambda one: errors[one])
        text += f" ({len(errors)} compared, worst {errors[key]:.2g}: {key})"
    return text


def markdown(report: dict) -> str:
    parts = report["parts"]
    lines = [f"# GPU check: {parts.get('peaks', {}).get('device', 'unknown card')}", "",
             f"{'All checks passed' if report['ok'] else 'NOT all checks passed'}; "
             f"{parts.get('doctor', {}).get('version', 'version unknown')}.", ""]
    if report["missing"]:
        lines += [f"Not run: {', '.join(report['missing'])}.", ""]
    if report["device"]:
        lines += ["```", report["device"], "```", ""]
    lines += ["| check | result |", "| --- | --- |"]
    lines += [f"| {name} | {verdict(parts.get(name, {}))} |"
              for name in ("ops", "sweep", "fixtures", "invariance", "sanitizer")]
    for name in ("peaks", "transformers"):
        if name in parts:
            lines += ["", f"## {name}", "", "| figure | value |", "| --- | ---: |"]
            lines += [f"| {key} | {number(value)} |" for key, value in parts[name].items() if key not in ("stage", "ok")]
    benches = {name: part for name, part in parts.items() if name.startswith("bench-")}
    if benches:
        keys = sorted({key for part in benches.values() for key, value in part.items()
                       if isinstance(value, (int, float)) and not isinstance(value, bool)})
        lines += ["", "## benchmarks", "", "| figure | " + " | ".join(name[6:] for name in benches) + " |",
                  "| --- |" + " ---: |" * len(benches)]
        lines += [f"| {key} | " + " | ".join(number(part.get(key, "")) for part in benches.values()) + " |"
                  for key in keys]
    return "\n".join(lines) + "\n"


def main() -> int:
    kind, *rest = sys.argv[1:]
    if kind in ("markdown", "name"):
        report = json.loads(pathlib.Path(rest[0]).read_text(encoding="utf-8"))
        sys.stdout.write(markdown(report) if kind == "markdown" else card_name(report) + "\n")
        return 0
    if kind == "report":
        print(json.dumps(make_report(*rest), indent=1))
        return 0  # written whatever it says
    if kind == "fixtures":
        result = check_fixtures(rest[0], rest[1], rest[2] if len(rest) > 2 else "cuda")
    else:
        result = check_invariance(*rest)
    print(json.dumps(result, indent=1))
    return 0 if result["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
