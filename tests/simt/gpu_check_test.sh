#!/usr/bin/env bash
# scripts/gpu_check.sh on a machine without a GPU: all of its stages, the ops on the interpreter's card, the program on
# the CPU backend with tiny shapes.
#   gpu_check_test.sh PROGRAM OPS_PROGRAM
set -euo pipefail
keju=$1
ops=$2
cd "$(dirname "$0")/../.."
shared=${KEJU_SHARED:-../shared}
if [[ ! -d $shared/fixtures/models ]]; then
  echo "no fixtures under $shared"
  [[ ,${KEJU_REQUIRE:-}, == *,shared,* ]] && exit 1
  exit 77
fi
export KEJU_FAKE_CARDS=cards=1
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
check() {
  scripts/gpu_check.sh --keju "$keju" --ops "$ops" --shared "$shared" --out "$folder/out" --publish "$folder/page" \
    --backend cpu --shapes tiny --sweep 3 --peak 32 "$@"
}

said=$(check --dry-run)
for part in "bench +--backend +cpu" "--graphs +on" "--graphs +off" "card_ops +sweep +3" "compute-sanitizer +--tool +racecheck" "gpu_transformers.py"; do
  grep -qE -- "$part" <<<"$said" || { echo "a dry run must print what it would run: $part"; exit 1; }
done
[[ ! -e $folder/out ]] || { echo "a dry run must write nothing"; exit 1; }
check
python3 - "$folder/out/report.json" "$folder/page/interpreted-card-0" <<'END'
import json, sys
report = json.load(open(sys.argv[1]))
assert report["ok"] and not report["missing"], report
parts = report["parts"]
assert len(parts["fixtures"]["worst_logprob_error"]) > 30
assert len(parts["ops"]["errors"]) > 50 and parts["sweep"]["compared"] > 50
assert parts["peaks"]["bf16_tflops"] > 0 and parts["peaks"]["add_gbytes_per_s"] > 0
assert "absent" in parts["sanitizer"] or parts["sanitizer"]["ok"]
assert len([name for name in parts if name.startswith("bench-")]) == 5
assert "--live 16 --graphs on" in parts["invariance"]["writing"]
assert json.load(open(sys.argv[2] + ".json")) == report
page = open(sys.argv[2] + ".md").read()
for text in ("All checks passed", "| sweep | ok", "bf16_tflops", "tiny.gguf-single"):
    assert text in page, page
END
said=$(check)
[[ $(grep -c "done before" <<<"$said") == 10 ]] || { echo "finished stages must not be repeated"; exit 1; }
rm "$folder/out/sweep.done"
said=$(check)
grep -q "sweep: done before" <<<"$said" && { echo "a stage without its mark must be repeated"; exit 1; }
rm "$folder/out/peaks.done"
said=$(check --minutes 0)
grep -q "peaks: left out" <<<"$said" || { echo "a stage past the time must be left out"; exit 1; }
grep -q "Not run: peaks" "$folder/page/interpreted-card-0.md" || { echo "the page must say what was left out"; exit 1; }
rm "$folder/out/invariance.done"
if scripts/gpu_check.sh --keju /bin/false --shared "$shared" --out "$folder/out" >/dev/null 2>&1; then
  echo "a failing stage must end the check"
  exit 1
fi
echo "gpu_check: all stages, resumed, repeated, left out and failed as they must"
