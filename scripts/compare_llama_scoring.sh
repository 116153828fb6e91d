#!/bin/sh
# SPDX-License-Identifier: MIT
# Scores the same 5-shot CMMLU subject with keju and with llama.cpp: one forward pass for each item,
# and with the shared header kept in its cache; choices compared.
#   scripts/compare_llama_scoring.sh MODEL.gguf... [options of compare_llama_scoring.py]
# PYTHON: as in compare_llama_cpp.sh. KEJU: the program; default build/release/keju.
# DATA: holds cmmlu/test and cmmlu/dev; default ../shared/data.
set -eu
here=$(dirname "$0")
exec "${PYTHON:-python3}" "$here/compare_llama_scoring.py" --keju "${KEJU:-$here/../build/release/keju}" \
  --data "${DATA:-$here/../../shared/data}" "$@"
