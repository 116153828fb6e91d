# SPDX-License-Identifier: MIT
"""Slow models of families that transformers does not hold, from their released formulas.

Everything is float64 and written for reading: one position, one head, one element at a time where
that says more. Nothing here is shared with the program. Used by make_family_fixtures.py.

Formulas: modeling_baichuan.py (Baichuan-7B, -13B, Baichuan2), modeling_chatglm.py (chatglm2-6b-32k,
chatglm3-6b, glm-4-9b), modeling_internlm.py, modeling_internlm2.py, modeling_qwen.py (Qwen-7B),
modeling_minicpm.py (MiniCPM-2B), modeling_moss.py.
"""
import json
import math
import pathlib
import random

import numpy as np


def silu(x):
    return x / (1 + np.exp(-x))


def gelu_tanh(x):
    return 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def rms_norm(x, weight, eps):
    return x / np.sqrt(np.mean(x * x) + eps) * weight


def layer_norm(x, weight, bias, eps):
    return (x - x.mean()) / np.sqrt(x.var() + eps) * weight + bias


def rotate(vector, position, theta, dim, pairs_adjacent, divide=1.0):
    """Rotates the first `dim` elements; pairs are (2i, 2i+1) or (i, i + dim/2)."""
    out = vector.copy()
    for i in range(dim // 2):
        angle = (position / divide) * theta ** (-2 * i / dim)
        a, b = (2 * i, 2 * i + 1) if pairs_adjacent else (i, i + dim // 2)
        out[a] = vector[a] * math.cos(angle) - vector[b] * math.sin(angle)
        out[b] = vector[b] * math.cos(angle) + vector[a] * math.sin(angle)
    return out


def alibi_slope(head, heads):
    """Press et al.: powers of two first, then every other power of the doubled count."""
    power = 1
    while power * 2 <= heads:
        power *= 2
    if head < power:
        return 2 ** (-8 * (head + 1) / power)
    return 2 ** (-8 * (2 * (head - power) + 1) / (2 * power))


def attend(q, keys, values, scale, bias):
    scores = np.array([float(q @ k) * scale + bias(j) for j, k in enumerate(keys)])
    weights = np.exp(scores - scores.max())
    weights /= weights.sum()
    return sum(w * v for w, v in zip(weights, values))


class Slow:
    """A decoder put together by the settings that a family's function gives it."""

    def __init__(self, **settings):
        self.__dict__.update(settings)

    def logits(self, ids):
        length = len(ids)
        states = [self.embed(token) for token in ids]
        for layer in range(self.layers):
            inputs = [self.norm_in(layer, h) for h in states]
            queries, keys, values = [], [], []
            for position, x in enumerate(inputs):
                q, k, v = self.project(layer, x)  # [heads][size], [kv][size], [kv][size]
                queries.append([self.position(h, position, length, True) for h in q])
                keys.append([self.position(h, position, length, False) for h in k])
                values.append(v)
            for position in range(length):
                mixed = []
                for head in range(self.heads):
                    group = head * self.kv_heads // self.heads
                    mixed.append(attend(
                        queries[position][head], [keys[j][group] for j in range(position + 1)],
                        [values[j][group] for j in range(position + 1)], self.scale,
                        lambda j, head=head, position=position: self.bias(head, j, position)))
                attention = self.output(layer, np.concatenate(mixed))
                if self.parallel:
                    states[position] = states[position] + attention + self.mlp(layer, inputs[position])
                    continue
                base = inputs[position] if self.from_norm else states[position]
                h = base + self.residual * attention
                n = self.norm_mid(layer, h)
                states[position] = (n if self.from_norm else h) + self.residual * self.mlp(layer, n)
        return np.array([self.head(self.norm_out(h)) for h in states])


DEFAULTS = {"parallel": False, "residual": 1.0, "from_norm": False, "bias": lambda head, j, position: 0.0,
            "position": lambda vector, position, length, query: vector}


class Weights:
    """Random float32 tensors under the family's own names, remembered for the file."""

    def __init__(self, seed):
        self.source = np.random.default_rng(seed)
        self.tensors = {}

    def _keep(self, name, value):
        self.tensors[name] = value.astype(np.float32)
        return self.tensors[name].astype(np.float64)

    def matrix(self, name, rows, cols):
        return self._keep(name + ".weight", self.source.standard_normal((rows, cols)) * 1.3 / math.sqrt(cols))

    def norm(self, name, size):
        return self._keep(name + ".weight", 1 + 0.3 * self.source.standard_normal(size))

    def bias(self, name, size, there=True):
        return self._keep(name + ".bias", 0.4 * self.source.standard_normal(size)) if there else np.zeros(size)


def heads_of(row, heads, size):
    return [row[h * size:(h + 1) * size] for h in range(heads)]


def llama_shaped(w, config, layout, names, bias=False, o_bias=None, kv=None, head=None, mlp=None):
    """The parts that LLaMA's relatives share; `layout` splits the rows of a fused projection."""
    width, heads, layers = config["hidden_size"], config["num_attention_heads"], config["num_hidden_layers"]
    kv = kv or heads
    size = head or width // heads
    eps = config.get("rms_norm_eps", config.get("layer_norm_epsilon", config.get("layernorm_epsilon")))
    mlp = mlp or config["intermediate_size"]
    vocab = config["vocab_size"]
    embedding = w.matrix(names["embedding"], vocab, width)
    final = w.norm(names["final"], width)
    lm_head = w.matrix(names["head"], vocab, width)
    parts = []
    for i in range(layers):
        n = {k: v.format(i) for k, v in names.items()}
        part = {"in": w.norm(n["norm1"], width), "mid": w.norm(n["norm2"], width)}
        part["project"] = layout(w, n, width, heads, kv, size, bias)
        part["o"] = (w.matrix(n["o"], width, heads * size), w.bias(n["o"], width, bias if o_bias is None else o_bias))
        if "gate_up" in n:
            both = w.matrix(n["gate_up"], 2 * mlp, width)
            part["gate"], part["up"] = both[:mlp], both[mlp:]
        else:
            part["gate"], part["up"] = w.matrix(n["gate"], mlp, width), w.matrix(n["up"], mlp, width)
        part["down"] = w.matrix(n["down"], width, mlp)
        parts.append(part)
    return DEFAULTS | {
        "layers": layers, "heads": heads, "kv_heads": kv, "scale": size**-0.5,
        "embed": lambda token: embedding[token],
        "norm_in": lambda i, h: rms_norm(h, parts[i]["in"], eps),
        "norm_mid": lambda i, h: rms_norm(h, parts[i]["mid"], eps),
        "norm_out": lambda h: rms_norm(h, final, eps),
        "project": lambda i, x: parts[i]["project"](x),
        "output": lambda i, x: parts[i]["o"][0] @ x + parts[i]["o"][1],
        "mlp": lambda i, x: parts[i]["down"] @ (silu(parts[i]["gate"] @ x) * (parts[i]["up"] @ x)),
        "head": lambda x: lm_head @ x, "lm_head": lm_head, "size": size,
    }


def separate(w, n, width, heads, kv, size, bias):
    q = (w.matrix(n["q"], heads * size, width), w.bias(n["q"], heads * size, bias))
    k = (w.matrix(n["k"], kv * size, width), w.bias(n["k"], kv * size, bias))
    v = (w.matrix(n["v"], kv * size, width), w.bias(n["v"], kv * size, bias))
    return lambda x: tuple(heads_of(m @ x + b, c, size) for (m, b), c in ((q, heads), (k, kv), (v, kv)))


def stacked(w, n, width, heads, kv, size, bias):
    m, b = w.matrix(n["qkv"], (heads + 2 * kv) * size, width), w.bias(n["qkv"], (heads + 2 * kv) * size, bias)

    def split(x):
        all_heads = heads_of(m @ x + b, heads + 2 * kv, size)
        return all_heads[:heads], all_heads[heads:heads + kv], all_heads[heads + kv:]
    return split


def grouped(w, n, width, heads, kv, size, bias):
    m, b = w.matrix(n["qkv"], (heads + 2 * kv) * size, width), w.bias(n["qkv"], (heads + 2 * kv) * size, bias)
    share = heads // kv

    def split(x):
        all_heads = heads_of(m @ x + b, heads + 2 * kv, size)
        groups = [all_heads[g * (share + 2):(g + 1) * (share + 2)] for g in range(kv)]
        return [h for g in groups for h in g[:share]], [g[share] for g in groups], [g[share + 1] for g in groups]
    return split


def per_head(w, n, width, heads, kv, size, bias):
    m, b = w.matrix(n["qkv"], 3 * heads * size, width), w.bias(n["qkv"], 3 * heads * size, bias)

    def split(x):
        all_heads = heads_of(m @ x + b, 3 * heads, size)
        return all_heads[0::3], all_heads[1::3], all_heads[2::3]
    return split


LLAMA = {"embedding": "model.embed_tokens", "final": "model.norm", "head": "lm_head",
         "norm1": "model.layers.{}.input_layernorm", "norm2": "model.layers.{}.post_attention_layernorm",
         "q": "model.layers.{}.self_attn.q_proj", "k": "model.layers.{}.self_attn.k_proj",
         "v": "model.layers.{}.self_attn.v_proj", "o": "model.layers.{}.self_attn.o_proj",
         "gate": "model.layers.{}.mlp.gate_proj", "up": "model.layers.{}.mlp.up_proj",
         "down": "model.layers.{}.mlp.down_proj"}


def base_config(r, heads, kv=None, **more):
    config = {"vocab_size": r.choice([53, 61]), "hidden_size": heads * r.choice([4, 6]),
              "intermediate_size": r.choice([16, 20]), "num_hidden_layers": r.choice([1, 2]),
              "num_attention_heads": heads, "rms_norm_eps": r.choice([1e-5, 1e-6]), "hidden_act": "silu",
              "tie_word_embeddings": False}
    if kv:
        config["num_key_value_heads"] = kv
    return config | more


def baichuan(r, w, alibi, norm_head=False, layers=None):
    config = base_config(r, r.choice([3, 5, 6]), architectures=["BaichuanForCausalLM"], model_type="baichuan")
    if layers:
        config |= {"num_hidden_layers": layers, "hidden_size": 3 * 4, "num_attention_heads": 3, "intermediate_size": 8}
    if norm_head:
        config |= {"vocab_size": 125696, "hidden_size": 3 * 4, "num_attention_heads": 3, "num_hidden_layers": 1}
    config |= {"model_max_length": 128} if alibi else {"max_position_embeddings": 128}
    heads = config["num_attention_heads"]
    s = llama_shaped(w, config, stacked, LLAMA | {"qkv": "model.layers.{}.self_attn.W_pack"})
    if alibi:
        s["bias"] = lambda head, j, position: alibi_slope(head, heads) * (j - position)
    else:
        s["position"] = lambda v, p, length, query: rotate(v, p, 10000.0, len(v), False)
    if norm_head:
        unit = s["lm_head"] / np.linalg.norm(s["lm_head"], axis=1, keepdims=True)
        s["head"] = lambda x: unit @ x
    return config, s, (1, 5) if norm_head or layers else (1, 9, 40)


def minicpm(r, w):
    config = base_config(r, 4, 2, architectures=["MiniCPMForCausalLM"], model_type="minicpm",
                         max_position_embeddings=128, rope_theta=10000.0, scale_emb=r.choice([3, 12]),
                         scale_depth=1.4, dim_model_base=r.choice([8, 256]))
    config["num_hidden_layers"] = 3
    s = llama_shaped(w, config, separate, LLAMA, kv=2)
    embed = s["embed"]
    s["embed"] = lambda token: embed(token) * config["scale_emb"]
    s["residual"] = config["scale_depth"] / math.sqrt(3)
    head = s["head"]
    s["head"] = lambda x: head(x / (config["hidden_size"] / config["dim_model_base"]))
    s["position"] = lambda v, p, length, query: rotate(v, p, 10000.0, len(v), False)
    return config, s, (1, 9, 40)


def internlm(r, w):
    limit = 24
    config = base_config(r, 4, architectures=["InternLMForCausalLM"], model_type="internlm",
                         max_position_embeddings=limit, bias=r.random() < 0.7)
    # Absent, it is dynamic: the default of the released configuration class.
    rotary = r.choice([None, {"base": 10000, "type": "dynamic"}, {"base": 5000, "type": "origin"},
                       {"base": 30000, "type": "dynamic", "scaling_factor": 2.0}])
    if rotary:
        config["rotary"] = rotary
    rotary = rotary or {"base": 10000, "type": "dynamic"}
    s = llama_shaped(w, config, separate, LLAMA, bias=config["bias"])

    def position(v, p, length, query):
        theta, dim, factor = rotary["base"], len(v), rotary.get("scaling_factor", 1.0)
        if rotary["type"] == "dynamic" and length > limit:
            theta = theta * (factor * length / limit - (factor - 1)) ** (dim / (dim - 2))
        return rotate(v, p, theta, dim, False)
    s["position"] = position
    return config, s, (1, 23, 24, 25, 60)


def internlm2(r, w, dynamic=True):
    limit, factor = 24, r.choice([1.0, 2.0, 3.0])
    heads = r.choice([4, 6])
    config = base_config(r, heads, heads // 2, architectures=["InternLM2ForCausalLM"], model_type="internlm2",
                         max_position_embeddings=limit, rope_theta=r.choice([10000, 1000000]),
                         bias=r.random() < 0.5)
    if dynamic:
        config["rope_scaling"] = {"type": "dynamic", "factor": factor}
    names = {"embedding": "model.tok_embeddings", "final": "model.norm", "head": "output",
             "norm1": "model.layers.{}.attention_norm", "norm2": "model.layers.{}.ffn_norm",
             "qkv": "model.layers.{}.attention.wqkv", "o": "model.layers.{}.attention.wo",
             "gate": "model.layers.{}.feed_forward.w1", "up": "model.layers.{}.feed_forward.w3",
             "down": "model.layers.{}.feed_forward.w2"}
    s = llama_shaped(w, config, grouped, names, bias=config["bias"], kv=heads // 2)

    def position(v, p, length, query):
        theta, dim = config["rope_theta"], len(v)
        if dynamic and length > limit:
            theta = theta * (factor * length / limit - (factor - 1)) ** (dim / (dim - 2))
        return rotate(v, p, theta, dim, False)
    s["position"] = position
    return config, s, (1, 23, 24, 25, 60)


def qwen1(r, w, past=True):
    trained = 16
    config = {"architectures": ["QWenLMHeadModel"], "model_type": "qwen", "vocab_size": 61, "hidden_size": 24,
              "intermediate_size": 40, "num_hidden_layers": 2, "num_attention_heads": 3,
              "kv_channels": r.choice([8, 12]), "layer_norm_epsilon": 1e-6, "max_position_embeddings": 128,
              "seq_length": trained, "rotary_emb_base": 10000, "rotary_pct": r.choice([1.0, 0.5]), "no_bias": True,
              "use_dynamic_ntk": r.random() < 0.7, "use_logn_attn": r.random() < 0.7, "tie_word_embeddings": False,
              "scale_attn_weights": True}
    if not past:
        config |= {"kv_channels": 8, "rotary_pct": 1.0, "use_dynamic_ntk": False, "use_logn_attn": False}
    names = {"embedding": "transformer.wte", "final": "transformer.ln_f", "head": "lm_head",
             "norm1": "transformer.h.{}.ln_1", "norm2": "transformer.h.{}.ln_2", "qkv": "transformer.h.{}.attn.c_attn",
             "o": "transformer.h.{}.attn.c_proj", "gate": "transformer.h.{}.mlp.w2", "up": "transformer.h.{}.mlp.w1",
             "down": "transformer.h.{}.mlp.c_proj"}
    size = config["kv_channels"]
    s = llama_shaped(w, config, stacked, names, bias=True, o_bias=False, head=size, mlp=20)
    dim = int(size * config["rotary_pct"])

    def position(v, p, length, query):
        alpha = 1
        if config["use_dynamic_ntk"]:
            alpha = max(2 ** math.ceil(math.log(length / trained, 2) + 1) - 1, 1)
        out = rotate(v, p, 10000.0 * alpha ** (dim / (dim - 2)), dim, False)
        if query and config["use_logn_attn"] and p + 1 > trained:
            out = out * math.log(p + 1, trained)
        return out
    s["position"] = position
    return config, s, (1, 15, 16, 17, 33, 70)


def chatglm(r, w, kind):
    heads = r.choice([4, 6])
    size = r.choice([8, 12])
    mqa = kind != "per_head"
    kv = heads // 2 if mqa else heads
    config = {"architectures": ["ChatGLMModel"], "model_type": "chatglm", "padded_vocab_size": 61, "vocab_size": 55,
              "hidden_size": heads * 4, "ffn_hidden_size": 20, "num_layers": 2, "num_attention_heads": heads,
              "kv_channels": size, "multi_query_attention": mqa, "multi_query_group_num": kv,
              "layernorm_epsilon": 1e-5, "seq_length": 128, "rmsnorm": True, "add_qkv_bias": r.random() < 0.7,
              "add_bias_linear": False, "post_layer_norm": True, "original_rope": True,
              "apply_residual_connection_post_layernorm": kind == "per_head"}
    theta, divide = 10000.0, 1.0
    if kind == "glm4":
        config["rope_ratio"] = 50
        theta *= 50
    if kind == "glm2-32k":
        config |= {"rope_ratio": 4, "_name_or_path": "THUDM/chatglm2-6b-32k"}
        divide = 4.0
    names = {"embedding": "transformer.embedding.word_embeddings", "final": "transformer.encoder.final_layernorm",
             "head": "transformer.output_layer", "norm1": "transformer.encoder.layers.{}.input_layernorm",
             "norm2": "transformer.encoder.layers.{}.post_attention_layernorm",
             "qkv": "transformer.encoder.layers.{}.self_attention.query_key_value",
             "o": "transformer.encoder.layers.{}.self_attention.dense",
             "gate_up": "transformer.encoder.layers.{}.mlp.dense_h_to_4h",
             "down": "transformer.encoder.layers.{}.mlp.dense_4h_to_h"}
    shape = config | {"vocab_size": 61, "num_hidden_layers": 2}
    s = llama_shaped(w, shape, stacked if mqa else per_head, names, bias=config["add_qkv_bias"], o_bias=False, kv=kv,
                     head=size, mlp=20)
    s["from_norm"] = config["apply_residual_connection_post_layernorm"]
    s["position"] = lambda v, p, length, query: rotate(v, p, theta, size // 2, True, divide)
    return config, s, (1, 9, 40)


def moss(r, w):
    heads, size, width, rotary = 4, 8, 32, r.choice([4, 8])
    config = {"architectures": ["MossForCausalLM"], "model_type": "moss", "vocab_size": 61, "n_positions": 128,
              "n_ctx": 128, "n_embd": width, "n_layer": 2, "n_head": heads, "rotary_dim": rotary,
              "activation_function": "gelu_new", "layer_norm_epsilon": 1e-5, "tie_word_embeddings": False}
    embedding = w.matrix("transformer.wte", 61, width)
    final = w.norm("transformer.ln_f", width), w.bias("transformer.ln_f", width)
    head = w.matrix("lm_head", 61, width), w.bias("lm_head", 61)
    parts = []
    for i in range(2):
        p = f"transformer.h.{i}."
        parts.append({"ln": (w.norm(p + "ln_1", width), w.bias(p + "ln_1", width)),
                      "qkv": w.matrix(p + "attn.qkv_proj", 3 * width, width),
                      "o": w.matrix(p + "attn.out_proj", width, width),
                      "in": (w.matrix(p + "mlp.fc_in", 4 * width, width), w.bias(p + "mlp.fc_in", 4 * width)),
                      "out": (w.matrix(p + "mlp.fc_out", width, 4 * width), w.bias(p + "mlp.fc_out", width))})

    def project(i, x):
        q, k, v = [], [], []
        for block in (parts[i]["qkv"] @ x).reshape(4, 3, -1):  # each block: q, v, k
            q += heads_of(block[0], heads // 4, size)
            v += heads_of(block[1], heads // 4, size)
            k += heads_of(block[2], heads // 4, size)
        return q, k, v
    return config, DEFAULTS | {
        "layers": 2, "heads": heads, "kv_heads": heads, "scale": size**-0.5, "parallel": True,
        "embed": lambda token: embedding[token], "norm_in": lambda i, h: layer_norm(h, *parts[i]["ln"], 1e-5),
        "norm_out": lambda h: layer_norm(h, *final, 1e-5), "project": project,
        "output": lambda i, x: parts[i]["o"] @ x,
        "mlp": lambda i, x: parts[i]["out"][0] @ gelu_tanh(parts[i]["in"][0] @ x + parts[i]["in"][1])
        + parts[i]["out"][1],
        "head": lambda x: head[0] @ x + head[1],
        "position": lambda v, p, length, query: rotate(v, p, 10000.0, rotary, True)}, (1, 9, 40)


MODELS = {
    "baichuan-rope": lambda r, w: baichuan(r, w, False), "baichuan-alibi": lambda r, w: baichuan(r, w, True),
    "baichuan2-normhead": lambda r, w: baichuan(r, w, False, True), "minicpm": minicpm, "internlm": internlm,
    "baichuan-13b": lambda r, w: baichuan(r, w, True, layers=40),
    "internlm2": lambda r, w: internlm2(r, w, False), "internlm2-dynamic": internlm2,
    "qwen1": lambda r, w: qwen1(r, w, False), "qwen1-past": qwen1, "chatglm3": lambda r, w: chatglm(r, w, "glm3"),
    "chatglm-per-head": lambda r, w: chatglm(r, w, "per_head"), "glm4-9b": lambda r, w: chatglm(r, w, "glm4"),
    "chatglm2-32k": lambda r, w: chatglm(r, w, "glm2-32k"), "moss": moss,
}


def make(out: pathlib.Path, case, write, seeds: int, skip: tuple = (), only=None, first: int = 0) -> None:
    import torch
    from safetensors.numpy import save_file
    for name, settings in MODELS.items():
        if name in skip or (only and name not in only):
            continue
        for seed in range(first, first + (1 if name == "baichuan2-normhead" else seeds)):
            r = random.Random(f"{name} {seed}")
            w = Weights(seed + sum(map(ord, name)))
            config, parts, lengths = settings(r, w)
            model = Slow(**parts)
            vocab = config.get("padded_vocab_size", config["vocab_size"])
            found = []
            # Texts that begin alike, on both sides of every limit.
            base = [r.randrange(vocab) for _ in range(max(lengths))]
            for length in lengths:
                ids = base[:length]
                found.append(case(ids, torch.tensor(model.logits(ids))))
            folder = out / (f"slow-{name}" if seeds == 1 else f"slow-{name}-{seed}")
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "config.json").write_text(json.dumps(config, indent=1))
            save_file(w.tensors, folder / "model.safetensors")
            write(folder, name, None, found, "slow_family_models.py, float64")
        print(name, flush=True)
