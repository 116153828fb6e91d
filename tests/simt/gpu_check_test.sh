#!/usr/bin/env bash
# scripts/gpu_check.sh on a machine without a GPU: all of its stages on the CPU backend with tiny shapes.
#   gpu_check_test.sh PROGRAM
set -euo pipefail
keju=$1
cd "$(dirname "$0")/../.."
shared=${KEJU_SHARED:-../shared}
if [[ ! -d $shared/fixtures/models ]]; then
  echo "no fixtures under $shared"
  [[ ,${KEJU_REQUIRE:-}, == *,shared,* ]] && exit 1
  exit 77
fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
check() { scripts/gpu_check.sh --keju "$keju" --shared "$shared" --out "$folder/out" --backend cpu --shapes tiny "$@"; }

said=$(check --dry-run)
grep -qE "bench +--backend +cpu" <<<"$said" || { echo "a dry run must print what it would run"; exit 1; }
[[ ! -e $folder/out ]] || { echo "a dry run must write nothing"; exit 1; }
check
python3 - "$folder/out/report.json" <<'END'
import json, sys
report = json.load(open(sys.argv[1]))
assert report["ok"] and not report["missing"], report
assert len(report["parts"]["fixtures"]["worst_logprob_error"]) > 30
assert len([name for name in report["parts"] if name.startswith("bench-")]) == 4
END
said=$(check)
[[ $(grep -c "done before" <<<"$said") == 6 ]] || { echo "finished stages must not be repeated"; exit 1; }
rm "$folder/out/bench.done"
said=$(check)
grep -q "bench: done before" <<<"$said" && { echo "a stage without its mark must be repeated"; exit 1; }
rm "$folder/out/invariance.done"
if scripts/gpu_check.sh --keju /bin/false --shared "$shared" --out "$folder/out" >/dev/null 2>&1; then
  echo "a failing stage must end the check"
  exit 1
fi
echo "gpu_check: all stages, resumed, repeated and failed as they must"
