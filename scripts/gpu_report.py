#!/usr/bin/env python3
"""What scripts/gpu_check.sh computes: comparisons with fixtures, invariance, and the report over all stages.

  gpu_report.py fixtures KEJU FIXTURES_DIR [BACKEND]
  gpu_report.py invariance KEJU FIXTURE_DIR [BACKEND]
  gpu_report.py report DIR

Each writes one JSON object to standard output and exits 1 where something is not as it must be."""
import json
import pathlib
import subprocess
import sys


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


def check_invariance(keju: str, model: str, backend: str) -> dict:
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
    return {"stage": "invariance", "step_rows": tried, "failed": failed, "ok": not failed}


def make_report(folder: str) -> dict:
    out = {"schema": "keju-gpu-check-1", "parts": {}, "missing": []}
    for name in ("doctor", "fixtures", "invariance"):
        path = pathlib.Path(folder) / f"{name}.json"
        if path.exists():
            out["parts"][name] = json.loads(path.read_text(encoding="utf-8"))
        else:
            out["missing"].append(name)
    device = pathlib.Path(folder) / "device.csv"
    out["device"] = device.read_text(encoding="utf-8").strip() if device.exists() else None
    for path in sorted(pathlib.Path(folder).glob("bench-*.json")):
        out["parts"][path.stem] = json.loads(path.read_text(encoding="utf-8"))
    out["ok"] = not out["missing"] and all(part.get("ok", True) for part in out["parts"].values())
    return out


def main() -> int:
    kind, *rest = sys.argv[1:]
    if kind == "report":
        result = make_report(*rest)
    else:
        backend = rest[2] if len(rest) > 2 else "cuda"
        result = (check_fixtures if kind == "fixtures" else check_invariance)(rest[0], rest[1], backend)
    print(json.dumps(result, indent=1))
    return 0 if result["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
