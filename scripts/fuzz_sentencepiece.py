#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Trains small SentencePiece models of every kind and compares keju's ids with the library's.

The models differ in kind (BPE, unigram), normalisation (identity, nmt_nfkc, nfkc_cf, three rules of
our own), byte fallback, dummy prefix, extra white space and user-defined pieces; the texts are
random strings of what the rules touch. One small BPE model and its ids are kept as a fixture.

Usage: fuzz_sentencepiece.py KEJU [--rounds N] [--seed S] [--write FOLDER]
Needs the Python package sentencepiece (0.2).
"""
import argparse
import io
import itertools
import json
import pathlib
import random
import subprocess
import sys
import tempfile

import sentencepiece

RULES = {"\u00e9": "e", "\uff1a": ":", "ab": "b ", "\u3000": " "}
CORPUS = "下列 说法 正确 的 是 A B C D 答案 the answer is : abba café １２３ ＡＢＣ ① ㈱ ﬁ 1.5 x^2".split()
EXTRAS = ["\u3000", "  ", " ", "ab", "a", "b", "é", "e\u0301", "：", "😀", "\u200b", "\t", "\n", "\u0301",
          "<x>", "<x", "▁", "‼", "龘", "ｶﾞ", "\u00a0"]


def train(kind, rule, byte_fallback, prefix, squeeze, user_defined, rng, folder):
    lines = [" ".join(rng.choices(CORPUS, k=12)) for _ in range(400)]
    options = dict(
        sentence_iterator=iter(lines), model_writer=(model := io.BytesIO()), model_type=kind, minloglevel=2,
        vocab_size=360 if byte_fallback else 100, hard_vocab_limit=False, byte_fallback=byte_fallback,
        add_dummy_prefix=prefix, remove_extra_whitespaces=squeeze, character_coverage=0.98,
        user_defined_symbols=user_defined)
    if rule == "own":
        table = folder / "rules.tsv"
        code = lambda text: " ".join(f"{ord(c):X}" for c in text)
        table.write_text("".join(f"{code(a)}\t{code(b)}\n" for a, b in RULES.items()))
        options["normalization_rule_tsv"] = str(table)
    else:
        options["normalization_rule_name"] = rule
    sentencepiece.SentencePieceTrainer.train(**options)
    return model.getvalue()


def texts(rng, count):
    alphabet = CORPUS + EXTRAS + list("".join(CORPUS))
    for _ in range(count):
        yield "".join(rng.choices(alphabet, k=rng.randrange(0, 24)))


def ours(keju, path, lines):
    asked = "".join(json.dumps({"text": t}, ensure_ascii=False) + "\n" for t in lines)
    done = subprocess.run([keju, "tokenize", "--model", str(path)], input=asked, text=True,
                          capture_output=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{keju}: exit {done.returncode}: {done.stderr}")
    return [json.loads(line)["ids"] for line in done.stdout.splitlines()]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("keju")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--write", type=pathlib.Path)
    args = parser.parse_args()
    rng = random.Random(args.seed)
    kinds = itertools.product(["bpe", "unigram"], ["identity", "nmt_nfkc", "nfkc_cf", "own"], [False, True],
                              [True, False], [True, False], [[], ["<x>", "ab"]])
    models = wrong = compared = 0
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for setting in list(kinds) * args.rounds:
            path = folder / "tokenizer.model"
            path.write_bytes(train(*setting, rng, folder))
            oracle = sentencepiece.SentencePieceProcessor(model_proto=path.read_bytes())
            lines = list(texts(rng, 300))
            models += 1
            for text, got in zip(lines, ours(args.keju, path, lines), strict=True):
                compared += 1
                if got != (want := oracle.encode(text)):
                    wrong += 1
                    if wrong <= 20:
                        print(f"{setting}: {text!r}: found {got}, need {want}")
            if args.write and setting == ("bpe", "own", True, True, True, ["<x>", "ab"]):
                args.write.mkdir(parents=True, exist_ok=True)
                (args.write / "tokenizer.model").write_bytes(path.read_bytes())
                (args.write / "expected.jsonl").write_text("".join(
                    json.dumps({"text": t, "ids": oracle.encode(t)}, ensure_ascii=False) + "\n" for t in lines))
                (args.write / "about.json").write_text(json.dumps(
                    {"oracle": f"sentencepiece {sentencepiece.__version__}", "file": "tokenizer.model",
                     "note": "made by scripts/fuzz_sentencepiece.py", "parse_special": False}, indent=1) + "\n")
    print(f"{models} models, {compared} texts, {wrong} unlike sentencepiece {sentencepiece.__version__}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
