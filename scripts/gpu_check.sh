#!/usr/bin/env bash
# Checks and measures the CUDA backend on a machine with a GPU, in at most ten minutes of its time. Needs the two
# programs (cmake --preset cuda -DCMAKE_CUDA_ARCHITECTURES=90a-real, stripped), the CUDA 13 runtime libraries and
# python3; no packages of ours.
#
#   gpu_check.sh [--keju PROGRAM] [--ops PROGRAM] [--out DIR] [--publish DIR] [--shared DIR] [--skip STAGE,…]
#                [--only STAGE,…] [--minutes N] [--dry-run] [--backend cpu] [--shapes SHAPE,…] [--sweep N] [--peak N]
#
# Stages, in order: device ops sweep fixtures invariance sanitizer peaks checkpoint bench transformers report. A stage
# that has finished leaves DIR/STAGE.done and is not repeated; remove the file to repeat it. A stage that fails ends the
# check; one that would begin after --minutes (10) is left out, and the report says so. The report, JSON and Markdown,
# is published as DIR/CARD.json and .md (reports/gpu). --dry-run prints the commands and runs none; --backend cpu with
# --shapes tiny goes through all stages on a machine without a GPU, the ops on the interpreter's card.
set -euo pipefail
cd "$(dirname "$0")/.."

keju=build/cuda/keju
ops=build/cuda/keju_card_ops
out=keju-out/gpu
publish=reports/gpu
shared=${KEJU_SHARED:-../shared}
skip=
only=
dry=
minutes=10
backend=cuda
shapes=qwen2.5-0.5b,llama-3.1-8b
sweep=260
peak=8192
while [[ $# -gt 0 ]]; do
  case $1 in
    --keju) keju=$2; shift 2 ;;
    --ops) ops=$2; shift 2 ;;
    --out) out=$2; shift 2 ;;
    --publish) publish=$2; shift 2 ;;
    --shared) shared=$2; shift 2 ;;
    --skip) skip=,$2,; shift 2 ;;
    --only) only=,$2,; shift 2 ;;
    --minutes) minutes=$2; shift 2 ;;
    --backend) backend=$2; shift 2 ;;
    --shapes) shapes=$2; shift 2 ;;
    --sweep) sweep=$2; shift 2 ;;
    --peak) peak=$2; shift 2 ;;
    --dry-run) dry=1; shift ;;
    --help) sed -n '2,14p' "$0" | cut -c3-; exit 0 ;;
    *) echo "gpu_check.sh: unknown option $1" >&2; exit 4 ;;
  esac
done

# to FILE COMMAND…: standard output into FILE. What a failed check wrote stays as FILE.part.
to() {
  local file=$1
  shift
  if [[ -n $dry ]]; then
    printf '  %q' "$@"
    printf ' > %q\n' "$file"
  else
    "$@" >"$file.part" && mv "$file.part" "$file"
  fi
}

stage() {
  local name=$1
  if [[ $skip == *,$name,* || (-n $only && $only != *,$name,*) ]]; then
    echo "== $name: skipped"
    return
  fi
  if [[ -z $dry && -e $out/$name.done && $name != report ]]; then
    echo "== $name: done before"
    return
  fi
  if [[ $name != report && -z $dry && $SECONDS -ge $((minutes * 60)) ]]; then
    echo "== $name: left out, $minutes minutes are over"
    return
  fi
  local start=$SECONDS
  echo "== $name"
  "stage_$name"
  [[ -n $dry ]] || touch "$out/$name.done"
  echo "== $name: $((SECONDS - start)) s"
}

stage_device() {
  to "$out/doctor.json" "$keju" doctor --json
  [[ -z $dry ]] && ! command -v nvidia-smi >/dev/null && return
  to "$out/device.csv" nvidia-smi \
    --query-gpu=name,driver_version,memory.total,clocks.max.sm,clocks.max.mem,clocks.sm,power.limit --format=csv
}

# Every op against the plain CPU loops; then the bits of a row in batches of 1 to 260.
stage_ops() { to "$out/ops.json" "$ops" ops; }
stage_sweep() { to "$out/sweep.json" "$ops" sweep "$sweep"; }

# Every fixture in exact mode against what transformers computed.
stage_fixtures() {
  to "$out/fixtures.json" python3 scripts/gpu_report.py fixtures "$keju" "$shared/fixtures/models" "$backend"
}

# The same tokens in steps of every size, the same answers with decode steps as graphs and without: the same bits.
stage_invariance() {
  to "$out/made-tiny" python3 scripts/make_checkpoint.py tiny "$out/tiny"
  to "$out/invariance.json" python3 scripts/gpu_report.py invariance "$keju" "$shared/fixtures/models/llama" "$backend" \
    "$out/tiny"
}

# The op tests again under compute-sanitizer: memory, then races in shared memory.
stage_sanitizer() {
  local tool
  if [[ -z $dry ]] && ! command -v compute-sanitizer >/dev/null; then
    echo '{"stage": "sanitizer", "absent": "compute-sanitizer is not there"}' >"$out/sanitizer.json"
    return
  fi
  for tool in memcheck racecheck; do
    to "$out/sanitizer-$tool.txt" timeout 150 compute-sanitizer --tool "$tool" --error-exitcode 1 "$ops" ops
  done
  [[ -n $dry ]] || echo '{"stage": "sanitizer", "ok": true, "tools": ["memcheck", "racecheck"]}' >"$out/sanitizer.json"
}

# What the card can do, by which the benchmarks are judged.
stage_peaks() { to "$out/peaks.json" "$ops" peaks "$peak"; }

stage_checkpoint() {
  local shape
  for shape in ${shapes//,/ }; do
    to "$out/made-$shape" python3 scripts/make_checkpoint.py "$shape" "$out/$shape"
    to "$out/made-$shape.gguf" python3 scripts/make_checkpoint.py "$shape" "$out/$shape.gguf"
  done
}

# bench NAME MODEL OPTIONS…
bench() {
  local name=$1 model=$2
  shift 2
  to "$out/bench-$name.json" "$keju" bench --backend "$backend" --mode native --model "$out/$model" --step-rows 8192 \
    --context 2048 --json "$@"
}

# Decode steps are graphs; what that brings, one stream shows.
stage_bench() {
  local shape model scenario
  for shape in ${shapes//,/ }; do
    for model in "$shape" "$shape.gguf"; do
      for scenario in offline single; do
        bench "$model-$scenario" "$model" --graphs on --scenario "$scenario"
      done
    done
    bench "$shape-single-without-graphs" "$shape" --graphs off --scenario single
  done
}

# The smallest shape against transformers, speed and error in bf16, where PyTorch is present.
stage_transformers() {
  local shape=${shapes%%,*}
  to "$out/transformers.json" python3 scripts/gpu_transformers.py "$keju" "$out/$shape" "$backend"
}

stage_report() {
  to "$out/report.json" python3 scripts/gpu_report.py report "$out"
  to "$out/report.md" python3 scripts/gpu_report.py markdown "$out/report.json"
  if [[ -n $dry ]]; then return; fi
  local name
  name=$(python3 scripts/gpu_report.py name "$out/report.json")
  mkdir -p "$publish"
  cp "$out/report.json" "$publish/$name.json"
  cp "$out/report.md" "$publish/$name.md"
  echo "$publish/$name.md"
}

[[ -n $dry ]] || mkdir -p "$out"
for name in device ops sweep fixtures invariance sanitizer peaks checkpoint bench transformers report; do
  stage "$name"
done
