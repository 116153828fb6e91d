#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Examines the same GGUF files on the same 5-shot CMMLU subject with keju and with
# lm-evaluation-harness (Hugging Face backend, float32, batch 8) in turn (keju, lm-eval, keju), and
# prints how many times faster keju was and how far the log-likelihoods lie apart.
#   scripts/compare_lm_eval.sh [smollm2|gemma3 ...]
# Environment: SUBJECT (college_mathematics), DATA (../shared/data), KEJU (build/release/keju),
# MODE (exact), ITEMS (all), LM_EVAL_PYTHON (a Python that has lm_eval, torch, transformers and
# gguf; default: a virtual environment made under the cache, some 3 GB, for this script alone).
# Writes reports/compare_lm_eval.json, which the README's table reads, and prints a Markdown table.
set -euo pipefail
cd "$(dirname "$0")/.."
cache=${KEJU_CACHE:-$HOME/.cache/keju}
keju=${KEJU:-build/release/keju}
data=${DATA:-../shared/data}
[[ -x $keju ]] || { echo "compare_lm_eval.sh: $keju is not there. Build it: cmake --build --preset release --target keju" >&2; exit 4; }
[[ -d $data/cmmlu ]] || { echo "compare_lm_eval.sh: $data/cmmlu is not there. DATA=FOLDER holds cmmlu/test and cmmlu/dev" >&2; exit 4; }
models=$(scripts/fetch_models.sh)

python=${LM_EVAL_PYTHON:-$cache/venv-lm-eval/bin/python}
if [[ ! -x $python ]]; then
  echo "installing lm_eval, torch, transformers and gguf into $cache/venv-lm-eval" >&2
  python3 -m venv "$cache/venv-lm-eval"
  "$python" -m pip install --quiet --disable-pip-version-check lm_eval==0.4.13 torch transformers accelerate gguf sentencepiece
fi
export HF_HUB_OFFLINE=1 HF_DATASETS_OFFLINE=1 TOKENIZERS_PARALLELISM=false
"$python" scripts/compare_lm_eval.py --keju "$keju" --data "$data" --models "$models" \
  --subject "${SUBJECT:-college_mathematics}" --mode "${MODE:-exact}" --items "${ITEMS:-0}" \
  --out keju-out/compare_lm_eval "$@"
# Some of the models, or some of the items, make no report.
if (($# == 0)) && [[ "${ITEMS:-0}" == 0 ]]; then
  cp keju-out/compare_lm_eval/report.json reports/compare_lm_eval.json
fi
