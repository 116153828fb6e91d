#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Encodes the same Chinese exam texts with keju and with PyPI's Hugging Face tokenizers, in turn, on
# one thread each, and prints MB/s of processor time and the ratio. Token counts must agree.
#
# A SentencePiece tokenizer.model (BPE) is given to Hugging Face tokenizers as transformers converts
# it: its pieces, the merges that their scores mean, "▁" in front and for spaces.
#
# Usage: scripts/compare_tokenizers.sh [build folder] [folder of a tokenizer ...]
# KEJU_PEER_PYTHON: a Python that has tokenizers and sentencepiece (else they are installed, into a
# folder that goes with the end of the script). KEJU_ROUNDS: how often each is run (3).
set -euo pipefail
cd "$(dirname "$0")/.."
build=${1:-build/release}
shift || true
shared=${KEJU_SHARED:-../shared}
folders=("$@")
if [ ${#folders[@]} -eq 0 ]; then
  for name in qwen2-fast llama3-fast deepseek-v3 smollm2 mistral-v1; do
    folders+=("$shared/fixtures/tokenizers/$name")
  done
fi
runner=$build/keju_test_text
[ -x "$runner" ] || { echo "$runner: not there; build it first: ninja -C $build keju_test_text" >&2; exit 1; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python=${KEJU_PEER_PYTHON:-$work/venv/bin/python}
if [ -z "${KEJU_PEER_PYTHON:-}" ]; then
  python3 -m venv "$work/venv"
  "$python" -m pip install --quiet --disable-pip-version-check tokenizers sentencepiece
fi

# One text per five questions, parted by an empty line.
python3 - "$shared/data/cmmlu" "$work/text" <<'PY'
import csv, pathlib, sys
texts = []
for path in sorted(pathlib.Path(sys.argv[1]).glob("test/*.csv")):
    rows = list(csv.reader(path.open(encoding="utf-8")))[1:]
    blocks = [f"{r[1]}\nA. {r[2]}\nB. {r[3]}\nC. {r[4]}\nD. {r[5]}\n答案：{r[6]}" for r in rows]
    blocks = [b.replace("\n\n", "\n") for b in blocks]
    texts += ["\n".join(blocks[i : i + 5]) for i in range(0, len(blocks), 5)]
pathlib.Path(sys.argv[2]).write_text("\n\n".join(texts), encoding="utf-8")
PY

cat > "$work/peer.py" <<'PY'
import os, sys, time
os.environ["TOKENIZERS_PARALLELISM"] = "false"
from tokenizers import Tokenizer, models, normalizers


def from_sentencepiece(path):
    import sentencepiece
    pieces = sentencepiece.SentencePieceProcessor(model_file=path)
    vocab = {pieces.id_to_piece(i): i for i in range(pieces.get_piece_size())}
    merges = []
    for piece, i in vocab.items():
        if pieces.is_control(i) or pieces.is_unknown(i) or pieces.is_byte(i):
            continue
        halves = [(piece[:n], piece[n:]) for n in range(1, len(piece))]
        halves = [(a, b) for a, b in halves if a in vocab and b in vocab]
        merges += [(-pieces.get_score(i), vocab[a], vocab[b], a, b) for a, b in halves]
    merges.sort()
    model = models.BPE(vocab, [m[3:] for m in merges], unk_token="<unk>", fuse_unk=True, byte_fallback=True)
    made = Tokenizer(model)
    made.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    return made


folder = sys.argv[1]
if os.path.exists(folder + "/tokenizer.json"):
    tokenizer = Tokenizer.from_file(folder + "/tokenizer.json")
else:
    tokenizer = from_sentencepiece(folder + "/tokenizer.model")
texts = open(sys.argv[2], encoding="utf-8").read().split("\n\n")
for _ in range(2):
    start, tokens = time.process_time(), 0
    for text in texts:
        tokens += len(tokenizer.encode(text, add_special_tokens=False).ids)
    print("BENCH", sum(len(t.encode()) for t in texts), tokens, time.process_time() - start)
PY

ours() {
  KEJU_BENCH_TOKENIZER=$1 KEJU_BENCH_TEXT=$work/text "$runner" --gtest_also_run_disabled_tests \
    --gtest_filter='TokenizerBench.*' | grep '^BENCH'
}
peer() { "$python" "$work/peer.py" "$1" "$work/text"; }

for folder in "${folders[@]}"; do
  : > "$work/ours"
  : > "$work/peer"
  for ((round = 0; round < ${KEJU_ROUNDS:-3}; ++round)); do
    ours "$folder" >> "$work/ours"
    peer "$folder" >> "$work/peer"
  done
  python3 - "$(basename "$folder")" "$work/ours" "$work/peer" <<'PY'
import statistics, sys
def read(path):
    rows = [line.split() for line in open(path)]
    return {int(r[2]) for r in rows}, [int(r[1]) / 1e6 / float(r[3]) for r in rows]
(our_tokens, ours), (peer_tokens, peers) = read(sys.argv[2]), read(sys.argv[3])
same = "same token count" if our_tokens == peer_tokens else f"COUNTS DIFFER {our_tokens} {peer_tokens}"
a, b = statistics.median(ours), statistics.median(peers)
print(f"{sys.argv[1]}: keju {a:.1f} MB/s (first pass {ours[0]:.1f}), tokenizers {b:.2f} MB/s, ratio {a / b:.1f}, {same}")
PY
done
