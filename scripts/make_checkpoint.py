#!/usr/bin/env python3
"""Writes a checkpoint of a real model's shapes with random weights, for benchmarks: nothing is downloaded.

  make_checkpoint.py SHAPE OUT_DIR                 safetensors in BF16
  make_checkpoint.py SHAPE OUT.gguf                GGUF, matrices in Q4_K, vectors in F32
  make_checkpoint.py SHAPE OUT.gguf --mix q4_k_m   the same, with Q6_K where llama.cpp's Q4_K_M has it

Shapes: tiny, qwen2.5-0.5b, qwen2.5-1.5b, llama-3.1-8b. The weights are one seeded block repeated, cut at a place of its own for
each tensor, small enough that activations stay finite. Needs the standard library alone; 16 GB take about as long as
the disk does. The tokenizer knows single bytes; the rest of the vocabulary are names that no text has."""
import argparse
import json
import pathlib
import random
import struct
import sys

# name: family, layers, width, heads, kv heads, head size, feed-forward, vocabulary, tied head, rope theta, eps, QKV bias
SHAPES = {
    "tiny": ("llama", 2, 256, 4, 2, 64, 512, 1000, False, 10000.0, 1e-5, False),
    "qwen2.5-0.5b": ("qwen2", 24, 896, 14, 2, 64, 4864, 151936, True, 1000000.0, 1e-6, True),
    "qwen2.5-1.5b": ("qwen2", 28, 1536, 12, 2, 128, 8960, 151936, True, 1000000.0, 1e-6, True),
    "llama-3.1-8b": ("llama", 32, 4096, 32, 8, 128, 14336, 128256, False, 500000.0, 1e-5, False),
}
BLOCK = 1 << 20  # values of the repeated block


class Shape:
    def __init__(self, name: str):
        (self.family, self.layers, self.width, self.heads, self.kv_heads, self.head, self.inner, self.vocab, self.tied,
         self.theta, self.eps, self.bias) = SHAPES[name]

    def tensors(self):
        """(Hugging Face's name, GGUF's name, shape, what) in the order of the file."""
        q, kv, d = self.heads * self.head, self.kv_heads * self.head, self.width
        yield "model.embed_tokens.weight", "token_embd.weight", (self.vocab, d), "matrix"
        for i in range(self.layers):
            own, gguf = f"model.layers.{i}.", f"blk.{i}."
            yield own + "input_layernorm.weight", gguf + "attn_norm.weight", (d,), "norm"
            for name, short, rows in (("q", "q", q), ("k", "k", kv), ("v", "v", kv)):
                yield f"{own}self_attn.{name}_proj.weight", f"{gguf}attn_{short}.weight", (rows, d), "matrix"
                if self.bias:
                    yield f"{own}self_attn.{name}_proj.bias", f"{gguf}attn_{short}.bias", (rows,), "bias"
            yield own + "self_attn.o_proj.weight", gguf + "attn_output.weight", (d, q), "matrix"
            yield own + "post_attention_layernorm.weight", gguf + "ffn_norm.weight", (d,), "norm"
            yield own + "mlp.gate_proj.weight", gguf + "ffn_gate.weight", (self.inner, d), "matrix"
            yield own + "mlp.up_proj.weight", gguf + "ffn_up.weight", (self.inner, d), "matrix"
            yield own + "mlp.down_proj.weight", gguf + "ffn_down.weight", (d, self.inner), "matrix"
        yield "model.norm.weight", "output_norm.weight", (d,), "norm"
        if not self.tied:
            yield "lm_head.weight", "output.weight", (self.vocab, d), "matrix"

    def config(self) -> dict:
        return {
            "architectures": ["Qwen2ForCausalLM" if self.family == "qwen2" else "LlamaForCausalLM"],
            "model_type": self.family, "hidden_size": self.width, "intermediate_size": self.inner,
            "num_hidden_layers": self.layers, "num_attention_heads": self.heads,
            "num_key_value_heads": self.kv_heads, "head_dim": self.head, "vocab_size": self.vocab,
            "rms_norm_eps": self.eps, "rope_theta": self.theta, "max_position_embeddings": 8192,
            "hidden_act": "silu", "tie_word_embeddings": self.tied, "torch_dtype": "bfloat16",
        }


def elements(shape) -> int:
    count = 1
    for size in shape:
        count *= size
    return count


class Repeated:
    """One block of bytes, read round and round from a place that depends on how much has been read."""

    def __init__(self, block: bytes, unit: int):
        self.block, self.unit, self.at = block, unit, 0

    def write(self, out, size: int) -> None:
        self.at = (self.at + 7919 * self.unit) % len(self.block)
        while size > 0:
            part = self.block[self.at:self.at + size]
            out.write(part)
            size -= len(part)
            self.at = (self.at + len(part)) % len(self.block)


def bf16_block(seed: int, scale: float) -> bytes:
    """BLOCK numbers of deviation `scale`, in BF16 by truncation."""
    draw = random.Random(seed)
    values = [draw.gauss(0, scale) for _ in range(4096)]
    some = b"".join(struct.pack("<f", value)[2:] for value in values)
    order = list(range(len(values)))
    out = bytearray()
    while len(out) < 2 * BLOCK:  # the same numbers in many orders
        draw.shuffle(order)
        out += b"".join(some[2 * i:2 * i + 2] for i in order)
    return bytes(out)


def q4_k_block(seed: int, scale: float) -> bytes:
    """Super-blocks of 256 values: d and dmin in halves, 12 bytes of scales, 128 bytes of nibbles."""
    draw = random.Random(seed)
    # A nibble's mean is 7.5 and a six-bit scale's 31.5: dmin = 7.5·d centres the values on zero.
    d = scale / (31.5 * 4.6)
    head = struct.pack("<ee", d, 7.5 * d)
    scales = bytes([0x5F] * 8 + [0xFF] * 4)  # every scale and minimum is 31
    return b"".join(head + scales + draw.randbytes(128) for _ in range(4096))


def q6_k_block(seed: int, scale: float) -> bytes:
    """Super-blocks of 256 values d·scale·(q - 32): 192 bytes of q, 16 scales of eight bits, d in a half."""
    draw = random.Random(seed)
    tail = bytes([16] * 16) + struct.pack("<e", scale / (16 * 18.5))
    return b"".join(draw.randbytes(192) + tail for _ in range(4096))


def has_more_bits(name: str, shape: Shape) -> bool:
    """Where llama.cpp's Q4_K_M takes Q6_K: the head, and v and down in the first and last eighth of the layers and in
    every third one between (src/llama-quant.cpp, use_more_bits)."""
    if name == "output.weight" or (name == "token_embd.weight" and shape.tied):
        return True
    if not name.endswith(("attn_v.weight", "ffn_down.weight")):
        return False
    layer, layers = int(name.split(".")[1]), shape.layers
    return layer < layers // 8 or layer >= 7 * layers // 8 or (layer - layers // 8) % 3 == 2


def write_safetensors(shape: Shape, folder: pathlib.Path, seed: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(shape.config(), indent=1) + "\n", encoding="utf-8")
    write_tokenizer(shape, folder)
    header, at = {}, 0
    for name, _, size, _ in shape.tensors():
        end = at + 2 * elements(size)
        header[name] = {"dtype": "BF16", "shape": list(size), "data_offsets": [at, end]}
        at = end
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    random_values = Repeated(bf16_block(seed, 0.02), 2)
    with open(folder / "model.safetensors", "wb") as out:
        out.write(struct.pack("<Q", len(text)) + text)
        for _, _, size, what in shape.tensors():
            if what == "norm":
                out.write(struct.pack("<f", 1.0)[2:] * elements(size))
            else:
                random_values.write(out, 2 * elements(size))


def byte_tokens(vocab: int) -> list:
    """The bytes as GPT-2 spells them (printable ones as they are, the others from U+0100 on), then fillers."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = iter(range(256, 512))
    letters = [chr(b) if b in plain else chr(next(others)) for b in range(256)]
    return letters + ["<end>"] + [f"<unused{i}>" for i in range(257, vocab)]


def write_tokenizer(shape: Shape, folder: pathlib.Path) -> None:
    tokens = byte_tokens(shape.vocab)
    end = {"id": 256, "content": "<end>", "single_word": False, "lstrip": False, "rstrip": False, "normalized": False,
           "special": True}
    tokenizer = {
        "version": "1.0", "added_tokens": [end], "normalizer": None, "post_processor": None,
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True},
        "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
        "model": {"type": "BPE", "vocab": {token: i for i, token in enumerate(tokens)}, "merges": []},
    }
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer), encoding="utf-8")
    (folder / "tokenizer_config.json").write_text(json.dumps({"eos_token": "<end>"}) + "\n", encoding="utf-8")


def gguf_strings(texts: list) -> bytes:
    return struct.pack("<IQ", 8, len(texts)) + b"".join(map(gguf_string, texts))


def gguf_string(text: str) -> bytes:
    return struct.pack("<Q", len(text.encode())) + text.encode()


def write_gguf(shape: Shape, path: pathlib.Path, seed: int, mix: str) -> None:
    f = shape.family
    keys = [("general.architecture", 8, gguf_string(f))]
    for key, value in ((".block_count", shape.layers), (".context_length", 8192), (".embedding_length", shape.width),
                       (".feed_forward_length", shape.inner), (".attention.head_count", shape.heads),
                       (".attention.head_count_kv", shape.kv_heads), (".rope.dimension_count", shape.head),
                       (".vocab_size", shape.vocab)):
        keys.append((f + key, 4, struct.pack("<I", value)))
    for key, value in ((".attention.layer_norm_rms_epsilon", shape.eps), (".rope.freq_base", shape.theta)):
        keys.append((f + key, 6, struct.pack("<f", value)))
    tokens = byte_tokens(shape.vocab)
    types = [1] * 256 + [3] + [5] * (shape.vocab - 257)  # normal, control, unused
    keys += [("tokenizer.ggml.model", 8, gguf_string("gpt2")), ("tokenizer.ggml.pre", 8, gguf_string("gpt-2")),
             ("tokenizer.ggml.tokens", 9, gguf_strings(tokens)), ("tokenizer.ggml.merges", 9, gguf_strings([])),
             ("tokenizer.ggml.token_type", 9, struct.pack(f"<IQ{len(types)}i", 5, len(types), *types)),
             ("tokenizer.ggml.eos_token_id", 4, struct.pack("<I", 256))]
    tensors, at = [], 0
    for _, name, size, what in shape.tensors():
        if what == "matrix" and size[-1] % 256 == 0 and mix == "q4_k_m" and has_more_bits(name, shape):
            kind, length = 14, elements(size) // 256 * 210
        elif what == "matrix" and size[-1] % 256 == 0:
            kind, length = 12, elements(size) // 256 * 144
        elif what == "matrix":
            kind, length = 30, 2 * elements(size)  # BF16: the row is no whole number of blocks
        else:
            kind, length = 0, 4 * elements(size)
        tensors.append((name, size, what, kind, length, at))
        at += length + -length % 32
    values = {12: Repeated(q4_k_block(seed, 0.02), 144), 14: Repeated(q6_k_block(seed, 0.02), 210),
              30: Repeated(bf16_block(seed, 0.02), 2)}
    with open(path, "wb") as out:
        out.write(b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(keys)))
        for key, kind, value in keys:
            out.write(gguf_string(key) + struct.pack("<I", kind) + value)
        for name, size, _, kind, _, offset in tensors:
            out.write(gguf_string(name) + struct.pack("<I", len(size)))
            out.write(struct.pack(f"<{len(size)}Q", *reversed(size)) + struct.pack("<IQ", kind, offset))
        out.write(b"\0" * (-out.tell() % 32))
        for _, size, what, kind, length, _ in tensors:
            if what == "norm":
                out.write(struct.pack("<f", 1.0) * elements(size))
            elif what == "bias":
                out.write(struct.pack("<f", 0.01) * elements(size))
            else:
                values[kind].write(out, length)
            out.write(b"\0" * (-length % 32))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shape", choices=sorted(SHAPES))
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--mix", choices=("q4_k", "q4_k_m"), default="q4_k", help="of a GGUF file")
    options = parser.parse_args()
    shape = Shape(options.shape)
    if options.out.suffix == ".gguf":
        write_gguf(shape, options.out, options.seed, options.mix)
    else:
        write_safetensors(shape, options.out, options.seed)
    return 0


if __name__ == "__main__":
    sys.exit(main())
