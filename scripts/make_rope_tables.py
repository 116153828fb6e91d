#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Rotary tables in float64 from the published formulas, for tests/model/rope_table_test.cpp.

    python3 scripts/make_rope_tables.py > tests/fixtures/rope_tables.json

Sources: RoFormer (arXiv:2104.09864) for the frequencies; transformers 5.23 modeling_rope_utils.py for
linear, dynamic and longrope's attention factor; YaRN (arXiv:2309.00071) §3.3 and its own
implementation's "floor, ceil and clamp"; LongRoPE (arXiv:2402.13753); Llama 3.1's apply_scaling
(meta-llama/llama-models); modeling_qwen.py of Qwen-7B for "qwen". Needs numpy.
"""
import json
import math

import numpy as np

POSITIONS = [0, 1, 2, 7, 40, 63, 200]


def frequencies(theta, dim):
    return theta ** (-np.arange(0, dim, 2, dtype=np.float64) / dim)


def dynamic(theta, dim, factor, limit, length):
    if length > limit:
        theta *= (factor * length / limit - (factor - 1)) ** (dim / (dim - 2))
    return frequencies(theta, dim)


def yarn(theta, dim, rope):
    original, factor = rope["original_max_position_embeddings"], rope["factor"]

    def dimension(rotations):  # whose wavelength turns so often within the original context
        return dim * math.log(original / (rotations * 2 * math.pi)) / (2 * math.log(theta))
    low, high = dimension(rope.get("beta_fast", 32)), dimension(rope.get("beta_slow", 1))
    if rope.get("truncate", True):
        low, high = math.floor(low), math.ceil(high)
    low, high = max(low, 0), min(high, dim - 1)
    ramp = np.clip((np.arange(dim // 2) - low) / (high - low), 0, 1)
    plain = frequencies(theta, dim)
    mscale = 0.1 * math.log(factor) + 1 if factor > 1 else 1.0
    if "mscale" in rope:
        mscale = (0.1 * rope["mscale"] * math.log(factor) + 1) / (0.1 * rope["mscale_all_dim"] * math.log(factor) + 1)
    return plain / factor * ramp + plain * (1 - ramp), rope.get("attention_factor", mscale)


def llama3(theta, dim, rope):
    out = []
    for f in frequencies(theta, dim):
        turns = rope["original_max_position_embeddings"] * f / (2 * math.pi)
        share = (turns - rope["low_freq_factor"]) / (rope["high_freq_factor"] - rope["low_freq_factor"])
        share = min(max(share, 0), 1)
        out.append(f * share + f / rope["factor"] * (1 - share))
    return np.array(out)


def longrope(theta, dim, rope, context, length):
    original = rope["original_max_position_embeddings"]
    factor = context / original
    divisors = rope["long_factor"] if length > original else rope["short_factor"]
    scale = math.sqrt(1 + math.log(factor) / math.log(original)) if factor > 1 else 1.0
    return frequencies(theta, dim) / np.array(divisors), rope.get("attention_factor", scale)


def qwen(theta, dim, trained, length):
    alpha = max(2 ** math.ceil(math.log2(length / trained) + 1) - 1, 1)
    return frequencies(theta * alpha ** (dim / (dim - 2)), dim)


def case(name, head, length, config, freqs, scale=1.0):
    angles = np.outer(POSITIONS, freqs)
    return {"name": name, "head": head, "length": length, "config": config, "positions": POSITIONS,
            "cos": np.round(np.cos(angles) * scale, 9).tolist(), "sin": np.round(np.sin(angles) * scale, 9).tolist()}


def config(context, **rope):
    return {"max_position_embeddings": context, "rope_parameters": rope}


def main():
    cases = [case("default", 16, 201, config(512, rope_type="default", rope_theta=10000.0), frequencies(1e4, 16)),
             case("another theta", 10, 201, config(512, rope_type="default", rope_theta=5e5), frequencies(5e5, 10)),
             case("linear", 16, 201, config(512, rope_type="linear", rope_theta=10000.0, factor=3.5),
                  frequencies(1e4, 16) / 3.5)]
    for length in (64, 65, 201):
        cases.append(case(f"dynamic at {length}", 12, length,
                          config(64, rope_type="dynamic", rope_theta=10000.0, factor=2.0),
                          dynamic(1e4, 12, 2.0, 64, length)))
    base = {"rope_type": "yarn", "rope_theta": 10000.0, "factor": 4.0, "original_max_position_embeddings": 48}
    for name, more in (("yarn", {}), ("yarn with betas", {"beta_fast": 8.0, "beta_slow": 2.0}),
                       ("yarn not truncated", {"truncate": False}), ("yarn with a factor", {"attention_factor": 1.5}),
                       ("yarn with mscale", {"mscale": 0.7, "mscale_all_dim": 1.2})):
        cases.append(case(name, 24, 201, config(512, **base, **more), *yarn(1e4, 24, base | more)))
    rope = {"rope_type": "llama3", "rope_theta": 500000.0, "factor": 8.0, "low_freq_factor": 1.0,
            "high_freq_factor": 4.0, "original_max_position_embeddings": 128}
    cases.append(case("llama3", 32, 201, config(1024, **rope), llama3(5e5, 32, rope)))
    rope = {"rope_type": "longrope", "rope_theta": 10000.0, "original_max_position_embeddings": 64,
            "short_factor": [1.0, 1.1, 1.25, 1.5], "long_factor": [1.5, 2.5, 4.0, 9.0]}
    for length in (64, 65):
        cases.append(case(f"longrope at {length}", 8, length, config(256, **rope), *longrope(1e4, 8, rope, 256, length)))
    rope |= {"attention_factor": 1.2}
    cases.append(case("longrope with a factor", 8, 30, config(256, **rope), *longrope(1e4, 8, rope, 256, 30)))
    for length in (32, 33, 64, 65, 128, 129):
        cases.append(case(f"qwen at {length}", 12, length, {"model_type": "qwen", "seq_length": 32},
                          qwen(1e4, 12, 32, length)))
    print(json.dumps(cases))


if __name__ == "__main__":
    main()
