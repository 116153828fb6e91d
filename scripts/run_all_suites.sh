#!/usr/bin/env bash
# Examines a model on every suite whose data lies in DATA: LIMIT items a subject (20 if not said).
#   scripts/run_all_suites.sh DATA MODEL [LIMIT]
# Environment: KEJU, the program (build/release/keju); OUT, the folder of the runs (runs/all-LIMIT);
# KEJU_RUN_OPTIONS, further options of `keju run`; SUITES, names to run instead of all; MINUTES, after
# which what runs is stopped in order and what follows is left; DRY=1 only plans. A run that exists
# goes on where it stopped. Suites that choose come first, those that generate after them.
# Prints a line a suite: its items, how many are finished, keju's exit code, and why it is none of
# them; exit 0 if all are whole, 3 if time alone was short, 1 if any failed.
set -euo pipefail

(($# == 2 || $# == 3)) || { sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//p}' "$0" >&2; exit 4; }
data=$1 model=$2 limit=${3:-20}
keju=${KEJU:-$(dirname "$0")/../build/release/keju}
out=${OUT:-runs/all-$limit}
read -ra more <<<"${KEJU_RUN_OPTIONS:-}"
[[ -n "${DRY:-}" ]] && more+=(--dry-run)
mkdir -p "$out"

# Items and finished items of a run folder, as its results say them.
counts() {
  python3 - "$1/results.json" <<'PY'
import json, sys
try:
    items = json.load(open(sys.argv[1], encoding="utf-8"))["items"]
    print(items["total"], items["scored"] + items["unscored"])
except OSError:
    print("- -")
PY
}

suites=${SUITES:-$("$keju" suites list --json | python3 -c '
import json, sys
tasks = {}
for row in json.load(sys.stdin):
    tasks.setdefault(row["suite"], row["task"])
print(*sorted(tasks, key=lambda name: (tasks[name] == "generate", name)))')}

failed=0 whole=0 absent=0 short=0
printf '%-20s %8s %8s %5s\n' suite items finished exit
for suite in $suites; do
  # A suite whose data is not there says so when it is shown; that is no failure.
  if ! why=$("$keju" suites show --suite "$suite" --data "$data" --json 2>&1 >/dev/null); then
    if [[ "$why" == *"To get it"* || "$why" == *"found no such"* ]]; then
      absent=$((absent + 1))
      continue
    fi
    printf '%-20s %8s %8s %5s  %s\n' "$suite" - - - "$(tail -n 1 <<<"$why")"
    failed=$((failed + 1))
    continue
  fi
  left=$((${MINUTES:-100000} * 60 - SECONDS))
  if ((left <= 0)); then
    printf '%-20s %8s %8s %5s  %s\n' "$suite" - - - "left: MINUTES are over"
    short=$((short + 1))
    continue
  fi
  code=0
  timeout --signal=INT "$left" "$keju" run --model "$model" --suite "$suite" --data "$data" \
    --limit "$limit" --out "$out/$suite" "${more[@]}" >"$out/$suite.log" 2>&1 || code=$?
  read -r items finished < <(counts "$out/$suite")
  case $code in
    0) whole=$((whole + 1)) note= ;;
    3 | 124)
      if note=$(grep -m1 -oE '[0-9]+ items? failed: .*' "$out/$suite.log"); then
        failed=$((failed + 1))
      else
        short=$((short + 1)) note="stopped; the same command goes on"
      fi
      ;;
    *) failed=$((failed + 1)) note=$(tail -n 1 "$out/$suite.log") ;;
  esac
  printf '%-20s %8s %8s %5s  %s\n' "$suite" "$items" "$finished" "$code" "$note"
done
echo "$whole suites whole, $short cut short, $failed failed, $absent without data in $data"
((failed == 0)) || exit 1
((short == 0)) || exit 3
