#!/usr/bin/env bash
# Examines a model on every suite whose data lies in DATA: LIMIT items a subject (20 if not said).
#   scripts/run_all_suites.sh DATA MODEL [LIMIT]
# Environment: KEJU, the program (build/release/keju); OUT, the folder of the runs (runs/all);
# KEJU_RUN_OPTIONS, further options of `keju run`; DRY=1 only plans. A run that exists is resumed.
# Prints one line a suite; exit 1 if any did not come through, after the others were run.
set -euo pipefail

(($# == 2 || $# == 3)) || { sed -n 2,6p "$0" >&2; exit 4; }
data=$1 model=$2 limit=${3:-20}
keju=${KEJU:-$(dirname "$0")/../build/release/keju}
out=${OUT:-runs/all}
read -ra more <<<"${KEJU_RUN_OPTIONS:-}"
[[ -n "${DRY:-}" ]] && more+=(--dry-run)
mkdir -p "$out"

failed=0 ran=0 absent=0
for suite in $("$keju" suites list --json | python3 -c '
import json, sys
print(*sorted({row["suite"] for row in json.load(sys.stdin)}))'); do
  # A suite whose data is not there says so when it is shown; that is no failure.
  if ! why=$("$keju" suites show --suite "$suite" --data "$data" --json 2>&1 >/dev/null); then
    if [[ "$why" == *"To get it"* || "$why" == *"found no such"* ]]; then
      absent=$((absent + 1))
      continue
    fi
    printf '%-20s FAILED  %s\n' "$suite" "$(tail -n 1 <<<"$why")"
    failed=$((failed + 1))
    continue
  fi
  log=$out/$suite.log
  if "$keju" run --model "$model" --suite "$suite" --data "$data" --limit "$limit" \
      --out "$out/$suite" "${more[@]}" >"$log" 2>&1; then
    printf '%-20s ok      %s\n' "$suite" "$(grep -m 1 'items' <(grep -v ETA "$log"))"
    ran=$((ran + 1))
  else
    printf '%-20s FAILED  %s\n' "$suite" "$(tail -n 1 "$log")"
    failed=$((failed + 1))
  fi
done
echo "$ran suites ran, $failed failed, $absent without data in $data"
((failed == 0))
