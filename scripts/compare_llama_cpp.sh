#!/bin/sh
# SPDX-License-Identifier: MIT
# Times llama.cpp (PyPI package llama-cpp-python) and keju alternately on the same files.
#   scripts/compare_llama_cpp.sh MODEL.gguf... [options of compare_llama_cpp.py]
#   scripts/compare_llama_cpp.sh --shape qwen2.5-1.5b --cells prefill --forms Q8_0 --out OUT
# PYTHON: an interpreter that has llama-cpp-python (build it from source for this processor:
#   CMAKE_ARGS=-DGGML_NATIVE=ON pip install --no-binary llama-cpp-python llama-cpp-python).
# KEJU: the program; default build/release/keju.
set -eu
here=$(dirname "$0")
exec "${PYTHON:-python3}" "$here/compare_llama_cpp.py" --keju "${KEJU:-$here/../build/release/keju}" "$@"
