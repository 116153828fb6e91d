#!/usr/bin/env bash
# Checks and measures the CUDA backend on a machine with a GPU, in at most ten minutes of its time. Needs the program
# (built with the cuda preset), the CUDA 13 runtime libraries and python3; no packages of ours.
#
#   gpu_check.sh --keju PROGRAM --out DIR [--shared DIR] [--skip STAGE,…] [--only STAGE,…] [--dry-run]
#                [--backend cpu] [--shapes SHAPE,…]
#
# Stages, in order: device fixtures invariance checkpoint bench report. A stage that has finished leaves DIR/STAGE.done
# and is not repeated; remove the file to repeat it. --dry-run prints the commands and runs none; --backend cpu with
# --shapes tiny goes through all of them on a machine without a GPU.
set -euo pipefail
cd "$(dirname "$0")/.."

keju=build/cuda/keju
out=reports/gpu/check
shared=${KEJU_SHARED:-../shared}
skip=
only=
dry=
backend=cuda
shapes=qwen2.5-0.5b,llama-3.1-8b
while [[ $# -gt 0 ]]; do
  case $1 in
    --keju) keju=$2; shift 2 ;;
    --out) out=$2; shift 2 ;;
    --shared) shared=$2; shift 2 ;;
    --skip) skip=,$2,; shift 2 ;;
    --only) only=,$2,; shift 2 ;;
    --backend) backend=$2; shift 2 ;;
    --shapes) shapes=$2; shift 2 ;;
    --dry-run) dry=1; shift ;;
    --help) sed -n '2,12p' "$0" | cut -c3-; exit 0 ;;
    *) echo "gpu_check.sh: unknown option $1" >&2; exit 4 ;;
  esac
done

# to FILE COMMAND…: standard output into FILE.
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
  if [[ -z $dry && -e $out/$name.done ]]; then
    echo "== $name: done before"
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
  to "$out/device.csv" nvidia-smi --query-gpu=name,driver_version,memory.total,clocks.max.sm,clocks.max.mem,power.limit --format=csv
}

# Every fixture in exact mode against what transformers computed.
stage_fixtures() {
  to "$out/fixtures.json" python3 scripts/gpu_report.py fixtures "$keju" "$shared/fixtures/models" "$backend"
}

# The same tokens in steps of every size: the same bits.
stage_invariance() {
  to "$out/invariance.json" python3 scripts/gpu_report.py invariance "$keju" "$shared/fixtures/models/llama" "$backend"
}

stage_checkpoint() {
  local shape
  for shape in ${shapes//,/ }; do
    to "$out/made-$shape" python3 scripts/make_checkpoint.py "$shape" "$out/$shape"
    to "$out/made-$shape.gguf" python3 scripts/make_checkpoint.py "$shape" "$out/$shape.gguf"
  done
}

stage_bench() {
  local shape model scenario
  for shape in ${shapes//,/ }; do
    for model in "$shape offline" "$shape single" "$shape.gguf offline" "$shape.gguf single"; do
      scenario=${model#* }
      model=${model% *}
      to "$out/bench-$model-$scenario.json" "$keju" bench --backend "$backend" --mode native --model "$out/$model" \
        --scenario "$scenario" --step-rows 8192 --json
    done
  done
}

stage_report() {
  to "$out/report.json" python3 scripts/gpu_report.py report "$out"
}

[[ -n $dry ]] || mkdir -p "$out"
for name in device fixtures invariance checkpoint bench report; do stage "$name"; done
