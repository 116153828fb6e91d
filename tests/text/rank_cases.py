#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes rank_cases.json: a small rank list and the ids that tiktoken gives texts under it.

    pip install tiktoken regex
    python3 tests/text/rank_cases.py > tests/text/rank_cases.json
"""
import base64
import collections
import json

import regex
import tiktoken

WORDS = r"[^\r\n\p{L}\p{N}]?\p{L}+"
REST = r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
GLM4 = rf"(?i:'s|'t|'re|'ve|'m|'ll|'d)|{WORDS}|\p{{N}}{{1,3}}|{REST}"
UPPER, LOWER, HEAD = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]", r"[^\r\n\p{L}\p{N}]?"
TEKKEN = (rf"{HEAD}{UPPER}*{LOWER}+|{HEAD}{UPPER}+{LOWER}*|\p{{N}}"
          r"| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+")
SAMPLE = """下列关于函数的说法，正确的是哪一项？下列选项中，正确的一项是：答案：A. 函数 B. 导数 C. 积分 D. 以上都不对
The quick brown fox doesn't jump over the lazy dog; the dog isn't there. Which of the following is true?
1234567890 2024 1999 100 3.14159 (a) (b) [INST] <s> </s> if (x == 10) { return the_answer; }
""" * 3
TEXTS = ["", " ", "the", "The dog isn't THERE", "I'LL we'Ve 'S", "下列关于函数的说法，正确的是", "答案：A.\n\n  B. 导数\r\n",
         "1234567890", "x=12345, y=6", "   leading  and   trailing   ", "HelloWorld camelCaseXMLHttp", "<s>[INST] dog [/INST]</s>",
         "naïve café Ⅷ ½ ①②", "🙂👩‍👧", "a//b\n/c", "tab\t\tend\t", "e\u0301 ﬁ \u200b", "ǅungla Ωμέγα", "以上都不对。" * 5]


def train(count):
    """Plain byte-pair training: the most frequent pair first, the smaller bytes among equals."""
    words = [[bytes([b]) for b in w.encode()] for w in regex.findall(GLM4, SAMPLE)]
    ranks = [bytes([b]) for b in range(256)]
    while len(ranks) < count:
        pairs = collections.Counter(p for w in words for p in zip(w, w[1:]) if p[0] + p[1] not in ranks)
        best = max(sorted(pairs), key=lambda p: pairs[p])
        ranks.append(best[0] + best[1])
        for w in words:
            at = 0
            while at + 1 < len(w):
                if (w[at], w[at + 1]) == best:
                    w[at:at + 2] = [best[0] + best[1]]
                at += 1
    return ranks


def cases(pattern, ranks, first):
    model = tiktoken.Encoding("small", pat_str=pattern, mergeable_ranks={t: i for i, t in enumerate(ranks)},
                              special_tokens={})
    return [{"text": t, "ids": [first + i for i in model.encode(t)]} for t in TEXTS]


def lines(items):
    return "[\n" + ",\n".join("  " + json.dumps(i, ensure_ascii=False) for i in items) + "]"


ranks = train(440)
print(f"""{{"tiktoken": "{tiktoken.__version__}",
 "ranks": {json.dumps([base64.b64encode(t).decode() for t in ranks])},
 "glm4": {lines(cases(GLM4, ranks, 0))},
 "tekken": {{"pattern": {json.dumps(TEKKEN)}, "used": 400, "specials": 30,
 "cases": {lines(cases(TEKKEN, ranks[:400], 30))}}}}}""")
