#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Examines the same GGUF files on the same 5-shot CMMLU or C-Eval subject with keju, in exact and in
# fast mode, and with lm-evaluation-harness (Hugging Face backend, float32, batch 8) in turn, and
# prints how many times faster keju was, how far the log-likelihoods lie apart, and which choices
# fast mode changes.
#   scripts/compare_lm_eval.sh [smollm2|gemma3 ...]
# Environment: SUITE (cmmlu; or ceval, split val), SUBJECT (college_mathematics; college_economics),
# DATA (../shared/data), KEJU (build/release/keju), MODES (exact,fast), ITEMS (all), PAIRS (1: runs
# of lm-eval, each between two of keju's), LM_EVAL_PYTHON (a Python that has lm_eval, torch,
# transformers and gguf; default: a virtual environment made under the cache, some 3 GB, for this
# script alone).
# Writes reports/compare_lm_eval.{json,md}, which the README's table reads (for C-Eval
# reports/compare_lm_eval_ceval.*), and prints a Markdown table.
set -euo pipefail
cd "$(dirname "$0")/.."
cache=${KEJU_CACHE:-$HOME/.cache/keju}
keju=${KEJU:-build/release/keju}
data=${DATA:-../shared/data}
suite=${SUITE:-cmmlu}
subject=college_mathematics name=compare_lm_eval
[[ $suite == cmmlu ]] || subject=college_economics name=compare_lm_eval_$suite
[[ -x $keju ]] || { echo "compare_lm_eval.sh: $keju is not there. Build it: cmake --build --preset release --target keju" >&2; exit 4; }
[[ -d $data/$suite ]] || { echo "compare_lm_eval.sh: $data/$suite is not there. DATA=FOLDER holds cmmlu/test, ceval/val and the like" >&2; exit 4; }
models=$(scripts/fetch_models.sh)

python=${LM_EVAL_PYTHON:-$cache/venv-lm-eval/bin/python}
if [[ ! -x $python ]]; then
  echo "installing lm_eval, torch, transformers and gguf into $cache/venv-lm-eval" >&2
  python3 -m venv "$cache/venv-lm-eval"
  "$python" -m pip install --quiet --disable-pip-version-check lm_eval==0.4.13 torch transformers accelerate gguf sentencepiece
fi
export HF_HUB_OFFLINE=1 HF_DATASETS_OFFLINE=1 TOKENIZERS_PARALLELISM=false
"$python" scripts/compare_lm_eval.py --keju "$keju" --data "$data" --models "$models" \
  --suite "$suite" --subject "${SUBJECT:-$subject}" --modes "${MODES:-exact,fast}" \
  --items "${ITEMS:-0}" --pairs "${PAIRS:-1}" --out "keju-out/$name" "$@"
# Some of the models, or some of the items, make no report.
if (($# == 0)) && [[ "${ITEMS:-0}" == 0 ]]; then
  cp "keju-out/$name/report.json" "reports/$name.json"
  cp "keju-out/$name/report.md" "reports/$name.md"
fi
