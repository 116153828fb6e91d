# SPDX-License-Identifier: MIT
"""Converts tiny fixtures to GGUF by the rules of llama.cpp's converter (autumn 2026).

Names of tensors come from the gguf package's own map; keys, permutations and constants are set down
here. Used by make_family_fixtures.py; needs gguf (0.19), safetensors and numpy.
"""
import json
import math
import pathlib

import gguf
import numpy as np
from safetensors.numpy import load_file

A = gguf.MODEL_ARCH


def permuted(weight: np.ndarray, heads: int) -> np.ndarray:
    """Rows of each head from halves to consecutive pairs."""
    return (weight.reshape(heads, 2, weight.shape[0] // heads // 2, *weight.shape[1:])
            .swapaxes(1, 2).reshape(weight.shape))


class Conversion:
    def __init__(self, folder: pathlib.Path):
        self.config = json.loads((folder / "config.json").read_text())
        self.tensors = {}
        for file in sorted(folder.glob("*.safetensors")):
            self.tensors |= load_bf16(file)
        c = self.config
        self.layers = c.get("num_hidden_layers", c.get("n_layer", c.get("num_layers")))
        self.heads = c.get("num_attention_heads", c.get("n_head"))
        self.kv = c.get("num_key_value_heads", c.get("multi_query_group_num", self.heads)) or self.heads
        self.width = c.get("hidden_size", c.get("n_embd"))
        self.rope = c.get("rope_parameters") or c.get("rope_scaling") or {}

    # -- keys -----------------------------------------------------------------------------------
    def common_keys(self, w: gguf.GGUFWriter) -> None:
        c = self.config
        w.add_block_count(self.layers)
        for key in ("max_position_embeddings", "n_ctx", "n_positions", "model_max_length"):
            if key in c:
                w.add_context_length(c[key])
                break
        w.add_embedding_length(self.width)
        w.add_feed_forward_length(c.get("intermediate_size", c.get("n_inner") or 4 * self.width))
        w.add_head_count(self.heads)
        w.add_head_count_kv(self.kv)
        rope = self.rope.get("full_attention", self.rope)
        kind = rope.get("rope_type", rope.get("type"))
        if kind == "linear":
            w.add_rope_scaling_type(gguf.RopeScalingType.LINEAR)
            w.add_rope_scaling_factor(rope["factor"])
        elif kind == "yarn":
            w.add_rope_scaling_type(gguf.RopeScalingType.YARN)
            w.add_rope_scaling_factor(rope["factor"])
            w.add_rope_scaling_orig_ctx_len(rope["original_max_position_embeddings"])
            for key, add in (("beta_fast", w.add_rope_scaling_yarn_beta_fast),
                             ("beta_slow", w.add_rope_scaling_yarn_beta_slow)):
                if key in rope:
                    add(rope[key])
        elif kind == "longrope":
            w.add_rope_scaling_type(gguf.RopeScalingType.LONGROPE)
        theta = rope.get("rope_theta", c.get("rope_theta"))
        if theta is not None:
            w.add_rope_freq_base(theta)
        if "sliding_attention" in self.rope:
            w.add_rope_freq_base_swa(self.rope["sliding_attention"]["rope_theta"])
        if "rms_norm_eps" in c:
            w.add_layer_norm_rms_eps(c["rms_norm_eps"])
        for key in ("layer_norm_eps", "layer_norm_epsilon", "norm_epsilon"):
            if key in c:
                w.add_layer_norm_eps(c[key])
        for keys, add in ((("num_local_experts", "num_experts", "n_routed_experts"), w.add_expert_count),
                          (("num_experts_per_tok",), w.add_expert_used_count),
                          (("n_group",), w.add_expert_group_count), (("topk_group",), w.add_expert_group_used_count)):
            for key in keys:
                if c.get(key) is not None:
                    add(c[key])
                    break
        if c.get("head_dim") is not None:
            w.add_key_length(c["head_dim"])
            w.add_value_length(c["head_dim"])

    # -- tensors --------------------------------------------------------------------------------
    def permute_qk(self, name: str, data: np.ndarray) -> np.ndarray:
        if name.endswith(("q_proj.weight", "q_proj.bias")):
            return permuted(data, self.heads)
        if name.endswith(("k_proj.weight", "k_proj.bias")):
            return permuted(data, self.kv)
        return data

    def stack_experts(self, template: str, parts: dict) -> None:
        """Per-expert tensors to one under the names in `parts`."""
        keys = ("num_local_experts", "num_experts", "n_routed_experts")
        count = next((self.config[key] for key in keys if self.config.get(key)), 0)
        for layer in range(self.layers):
            for part, new in parts.items():
                names = [template.format(layer, e, part) for e in range(count)]
                if names and names[0] in self.tensors:
                    self.tensors[new.format(layer)] = np.stack([self.tensors.pop(n) for n in names])


def load_bf16(file: pathlib.Path) -> dict:
    """Tensors of a safetensors file in float32, also where numpy has no such type."""
    raw = file.read_bytes()
    size = int.from_bytes(raw[:8], "little")
    header = json.loads(raw[8:8 + size])
    if not any(v.get("dtype") == "BF16" for k, v in header.items() if k != "__metadata__"):
        return {k: v.astype(np.float32) for k, v in load_file(file).items()}
    out = {}
    for name, v in header.items():
        if name == "__metadata__":
            continue
        a, b = v["data_offsets"]
        half = np.frombuffer(raw[8 + size + a:8 + size + b], np.uint16)
        out[name] = (half.astype(np.uint32) << 16).view(np.float32).reshape(v["shape"])
    return out


def llama_rope_factors(rope: dict, head: int) -> np.ndarray:
    theta = rope["rope_theta"]
    low, high = rope["low_freq_factor"], rope["high_freq_factor"]
    old = rope["original_max_position_embeddings"]
    factors = []
    for i in range(0, head, 2):
        wave = 2 * math.pi * theta ** (i / head)
        if wave < old / high:
            factors.append(1.0)
        elif wave > old / low:
            factors.append(rope["factor"])
        else:
            smooth = (old / wave - low) / (high - low)
            factors.append(1 / ((1 - smooth) / rope["factor"] + smooth))
    return np.array(factors, np.float32)


def head_size(t: Conversion) -> int:
    return t.config.get("head_dim") or t.width // t.heads


def llama(t: Conversion, w: gguf.GGUFWriter) -> None:
    t.common_keys(w)
    w.add_vocab_size(t.config["vocab_size"])
    w.add_rope_dimension_count(head_size(t))
    if t.rope.get("rope_type") == "llama3":
        t.tensors["rope_freqs.weight"] = llama_rope_factors(t.rope, head_size(t))
    t.tensors = {k: t.permute_qk(k, v) for k, v in t.tensors.items()}
    t.stack_experts("model.layers.{}.block_sparse_moe.experts.{}.{}.weight",
                    {p: "layers.{}.feed_forward.experts." + p + ".weight" for p in ("w1", "w2", "w3")})


def plain(t: Conversion, w: gguf.GGUFWriter) -> None:
    t.common_keys(w)


def qwen_moe(t: Conversion, w: gguf.GGUFWriter) -> None:
    t.common_keys(w)
    w.add_expert_feed_forward_length(t.config["moe_intermediate_size"])
    if "shared_expert_intermediate_size" in t.config:
        w.add_expert_shared_feed_forward_length(t.config["shared_expert_intermediate_size"])
    t.stack_experts("model.layers.{}.mlp.experts.{}.{}.weight",
                    {p: "model.layers.{}.mlp.experts." + p + ".weight" for p in ("down_proj", "gate_proj", "up_proj")})


def gemma(t: Conversion, w: gguf.GGUFWriter) -> None:
    c = t.config
    t.common_keys(w)
    if c["model_type"] == "gemma2":
        w.add_attn_logit_softcapping(c["attn_logit_softcapping"])
        w.add_final_logit_softcapping(c["final_logit_softcapping"])
    if "sliding_window" in c:
        w.add_sliding_window(c["sliding_window"])
    # The converter writes no pattern and the reader assumes the released one; a fixture's own
    # pattern is kept under the key that later architectures use.
    if "layer_types" in c:
        w.add_sliding_window_pattern([kind == "sliding_attention" for kind in c["layer_types"]])
    t.tensors = {k: v + np.float32(1) if k.endswith("norm.weight") else v for k, v in t.tensors.items()}


def glm4(t: Conversion, w: gguf.GGUFWriter) -> None:
    t.common_keys(w)
    w.add_rope_dimension_count(int(head_size(t) * t.rope.get("partial_rotary_factor", 0.5)))


def chatglm(t: Conversion, w: gguf.GGUFWriter) -> None:
    c = t.config
    w.add_context_length(c["seq_length"])
    w.add_embedding_length(t.width)
    w.add_feed_forward_length(c["ffn_hidden_size"])
    w.add_block_count(t.layers)
    w.add_head_count(t.heads)
    w.add_head_count_kv(t.kv)
    w.add_layer_norm_rms_eps(c["layernorm_epsilon"])
    w.add_rope_dimension_count(c["kv_channels"] // 2)
    w.add_rope_freq_base(10000.0 * c.get("rope_ratio", 1))
    if c["kv_channels"] != t.width // t.heads:  # the converter knows no other size of heads
        w.add_key_length(c["kv_channels"])
        w.add_value_length(c["kv_channels"])
    t.tensors = {k.removeprefix("transformer."): v for k, v in t.tensors.items()}


def baichuan(t: Conversion, w: gguf.GGUFWriter) -> None:
    t.common_keys(w)
    w.add_rope_dimension_count(t.width // t.heads)
    for layer in range(t.layers):
        name = f"model.layers.{layer}.self_attn."
        q, k, v = np.split(t.tensors.pop(name + "W_pack.weight"), 3)
        t.tensors |= {name + "q_proj.weight": permuted(q, t.heads), name + "k_proj.weight": permuted(k, t.heads),
                      name + "v_proj.weight": v}


def internlm2(t: Conversion, w: gguf.GGUFWriter) -> None:
    t.common_keys(w)
    share, size = t.heads // t.kv, t.width // t.heads
    for layer in range(t.layers):
        name = f"model.layers.{layer}.attention."
        qkv = t.tensors.pop(name + "wqkv.weight").reshape(t.kv, share + 2, size, t.width)
        q, k, v = qkv[:, :share], qkv[:, -2], qkv[:, -1]
        t.tensors |= {name + "wq.weight": permuted(q.reshape(-1, t.width), t.heads),
                      name + "wk.weight": permuted(k.reshape(-1, t.width), t.kv),
                      name + "wv.weight": v.reshape(-1, t.width)}


def minicpm(t: Conversion, w: gguf.GGUFWriter) -> None:
    c = t.config
    t.common_keys(w)
    w.add_embedding_scale(float(c["scale_emb"]))
    w.add_residual_scale(c["scale_depth"] / t.layers**0.5)
    w.add_logit_scale(t.width / c["dim_model_base"])
    t.tensors = {k: t.permute_qk(k, v) for k, v in t.tensors.items()}


def phi3(t: Conversion, w: gguf.GGUFWriter) -> None:
    c = t.config
    original = c.get("original_max_position_embeddings", c["max_position_embeddings"])
    w.add_context_length(c["max_position_embeddings"])
    w.add_rope_scaling_orig_ctx_len(original)
    w.add_embedding_length(t.width)
    w.add_feed_forward_length(c["intermediate_size"])
    w.add_block_count(t.layers)
    w.add_head_count(t.heads)
    w.add_head_count_kv(t.kv)
    w.add_layer_norm_rms_eps(c["rms_norm_eps"])
    w.add_rope_dimension_count(int(t.rope.get("partial_rotary_factor", 1.0) * t.width) // t.heads)
    w.add_rope_freq_base(t.rope["rope_theta"])
    w.add_sliding_window(c.get("sliding_window") or 0)
    if "long_factor" in t.rope:
        scale = c["max_position_embeddings"] / original
        w.add_rope_scaling_attn_factors(math.sqrt(1 + math.log(scale) / math.log(original)) if scale > 1 else 1.0)
        t.tensors |= {"rope_factors_long.weight": np.array(t.rope["long_factor"], np.float32),
                      "rope_factors_short.weight": np.array(t.rope["short_factor"], np.float32)}


def deepseek2(t: Conversion, w: gguf.GGUFWriter) -> None:
    c = t.config
    rank, rope, nope, value = c["kv_lora_rank"], c["qk_rope_head_dim"], c["qk_nope_head_dim"], c["v_head_dim"]
    heads = t.heads
    t.kv = 1
    c.pop("head_dim", None)
    if c["model_type"] == "deepseek_v3":
        w.add_expert_gating_func(gguf.ExpertGatingFuncType.SIGMOID)
    t.common_keys(w)
    w.add_leading_dense_block_count(c["first_k_dense_replace"])
    w.add_vocab_size(c["vocab_size"])
    if c.get("q_lora_rank"):
        w.add_q_lora_rank(c["q_lora_rank"])
    w.add_kv_lora_rank(rank)
    w.add_key_length(rank + rope)
    w.add_value_length(rank)
    w.add_key_length_mla(nope + rope)
    w.add_value_length_mla(value)
    w.add_expert_feed_forward_length(c["moe_intermediate_size"])
    w.add_expert_shared_count(c["n_shared_experts"])
    w.add_expert_weights_scale(c["routed_scaling_factor"])
    if c.get("norm_topk_prob"):
        w.add_expert_weights_norm(True)
    w.add_rope_dimension_count(rope)
    if t.rope.get("mscale_all_dim"):
        w.add_rope_scaling_yarn_log_mul(0.1 * t.rope["mscale_all_dim"])
    for layer in range(t.layers):
        name = f"model.layers.{layer}.self_attn."
        both = t.tensors.pop(name + "kv_b_proj.weight").reshape(heads, nope + value, rank)
        t.tensors |= {name + "k_b_proj.weight": np.ascontiguousarray(both[:, :nope].swapaxes(1, 2)),
                      name + "v_b_proj.weight": np.ascontiguousarray(both[:, nope:])}
    t.stack_experts("model.layers.{}.mlp.experts.{}.{}.weight",
                    {p: "model.layers.{}.mlp.experts." + p + ".weight" for p in ("down_proj", "gate_proj", "up_proj")})
    t.tensors = {k.replace("e_score_correction_bias", "e_score_correction.bias"): v for k, v in t.tensors.items()}


def minicpm3(t: Conversion, w: gguf.GGUFWriter) -> None:
    c = t.config
    w.add_context_length(c["max_position_embeddings"])
    w.add_embedding_length(t.width)
    w.add_block_count(t.layers)
    w.add_feed_forward_length(c["intermediate_size"])
    w.add_head_count(t.heads)
    w.add_head_count_kv(t.heads)
    w.add_layer_norm_rms_eps(c["rms_norm_eps"])
    w.add_vocab_size(c["vocab_size"])
    w.add_q_lora_rank(c["q_lora_rank"])
    w.add_kv_lora_rank(c["kv_lora_rank"])
    w.add_key_length(c["qk_nope_head_dim"] + c["qk_rope_head_dim"])
    w.add_rope_dimension_count(c["qk_rope_head_dim"])


def gpt2(t: Conversion, w: gguf.GGUFWriter) -> None:
    t.common_keys(w)
    turn = (".c_attn.weight", ".c_proj.weight", ".c_fc.weight")
    t.tensors = {k: np.ascontiguousarray(v.T) if k.endswith(turn) else v for k, v in t.tensors.items()}


def per_head_qkv(t: Conversion, suffix: str) -> None:
    """q, k, v per head to all q, all k, all v."""
    for name in [k for k in t.tensors if suffix in k]:
        data = t.tensors[name]
        parts = data.reshape(t.heads, 3, -1, *data.shape[1:])
        t.tensors[name] = np.concatenate([parts[:, i].reshape(-1, *data.shape[1:]) for i in range(3)])


def bloom(t: Conversion, w: gguf.GGUFWriter) -> None:
    t.config["n_positions"] = 256
    t.common_keys(w)
    per_head_qkv(t, "query_key_value")
    t.tensors = {k.removeprefix("transformer."): v for k, v in t.tensors.items()}


def gptneox(t: Conversion, w: gguf.GGUFWriter) -> None:
    c = t.config
    t.common_keys(w)
    w.add_rope_dimension_count(int(t.rope["partial_rotary_factor"] * (t.width // t.heads)))
    w.add_parallel_residual(c.get("use_parallel_residual", True))
    per_head_qkv(t, "query_key_value")


def falcon(t: Conversion, w: gguf.GGUFWriter) -> None:
    one_key = t.config.get("multi_query", True) and not t.config.get("new_decoder_architecture", False)
    t.kv = 1 if one_key else t.config["num_kv_heads"]
    t.common_keys(w)
    size = t.width // t.heads
    for name in [k for k in t.tensors if "query_key_value.weight" in k]:
        qkv = t.tensors[name].reshape(t.kv, t.heads // t.kv + 2, size, t.width)
        t.tensors[name] = np.concatenate(
            [qkv[:, :-2].reshape(-1, t.width), qkv[:, -2].reshape(-1, t.width), qkv[:, -1].reshape(-1, t.width)])


def granite(t: Conversion, w: gguf.GGUFWriter) -> None:
    c = t.config
    llama(t, w)
    w.add_attention_scale(c["attention_multiplier"])
    w.add_embedding_scale(c["embedding_multiplier"])
    w.add_residual_scale(c["residual_multiplier"])
    w.add_logit_scale(c["logits_scaling"])


def cohere(t: Conversion, w: gguf.GGUFWriter) -> None:
    t.common_keys(w)
    w.add_logit_scale(t.config["logit_scale"])
    w.add_rope_scaling_type(gguf.RopeScalingType.NONE)


def gpt_oss(t: Conversion, w: gguf.GGUFWriter) -> None:
    t.common_keys(w)
    w.add_sliding_window(t.config["sliding_window"])
    w.add_expert_feed_forward_length(t.config["intermediate_size"])
    out = {}
    for name, data in t.tensors.items():
        if name.endswith("down_proj_bias"):
            out[name.replace("_bias", ".bias")] = data
        elif name.endswith("down_proj"):
            out[name + ".weight"] = data.swapaxes(-1, -2)
        elif "gate_up_proj" in name:
            bias = name.endswith("_bias")
            base = name.replace("_bias", "")
            data = data if bias else data.swapaxes(-1, -2)
            for first, part in ((0, "gate_proj"), (1, "up_proj")):
                rows = data[..., first::2] if bias else data[:, first::2]
                out[base.replace("gate_up_proj", part) + (".bias" if bias else ".weight")] = rows
        else:
            out[name + ".weight" if "sinks" in name else name] = data
    t.tensors = {k: np.ascontiguousarray(v) for k, v in out.items()}


def hunyuan(t: Conversion, w: gguf.GGUFWriter) -> None:
    t.common_keys(w)


def starcoder2(t: Conversion, w: gguf.GGUFWriter) -> None:
    t.common_keys(w)


def qwen1(t: Conversion, w: gguf.GGUFWriter) -> None:
    c = t.config
    w.add_context_length(c["max_position_embeddings"])
    w.add_block_count(t.layers)
    w.add_embedding_length(t.width)
    w.add_feed_forward_length(c["intermediate_size"])
    w.add_rope_freq_base(c["rotary_emb_base"])
    w.add_rope_dimension_count(t.width // t.heads)
    w.add_head_count(t.heads)
    w.add_layer_norm_rms_eps(c["layer_norm_epsilon"])


# model_type: (architecture, rules)
RULES = {
    "llama": (A.LLAMA, llama), "mistral": (A.LLAMA, llama), "mixtral": (A.LLAMA, llama), "internlm3": (A.LLAMA, llama),
    "qwen2": (A.QWEN2, plain), "qwen3": (A.QWEN3, plain), "qwen2_moe": (A.QWEN2MOE, qwen_moe),
    "qwen3_moe": (A.QWEN3MOE, qwen_moe), "gemma": (A.GEMMA, gemma), "gemma2": (A.GEMMA2, gemma),
    "gemma3_text": (A.GEMMA3, gemma), "glm4": (A.GLM4, glm4), "chatglm": (A.CHATGLM, chatglm),
    "baichuan": (A.BAICHUAN, baichuan), "internlm2": (A.INTERNLM2, internlm2), "minicpm": (A.MINICPM, minicpm),
    "minicpm3": (A.MINICPM3, minicpm3), "phi3": (A.PHI3, phi3), "deepseek_v2": (A.DEEPSEEK2, deepseek2),
    "deepseek_v3": (A.DEEPSEEK2, deepseek2), "gpt2": (A.GPT2, gpt2), "bloom": (A.BLOOM, bloom),
    "gpt_neox": (A.GPTNEOX, gptneox), "falcon": (A.FALCON, falcon), "granite": (A.GRANITE, granite),
    "cohere": (A.COMMAND_R, cohere), "gpt_oss": (A.GPT_OSS, gpt_oss), "hunyuan_v1_dense": (A.HUNYUAN_DENSE, hunyuan),
    "starcoder2": (A.STARCODER2, starcoder2), "qwen": (A.QWEN, qwen1), "olmo2": (A.OLMO2, plain),
    "seed_oss": (A.SEED_OSS, plain), "smollm3": (A.SMOLLM3, llama), "ernie4_5": (A.ERNIE4_5, plain),
}


def refuses(folder: pathlib.Path) -> bool:
    """Whether GGUF cannot say what the checkpoint says."""
    c = json.loads((folder / "config.json").read_text())
    dynamic = (c.get("rope_scaling") or {}).get("type") == "dynamic"
    alibi = c["model_type"] == "baichuan" and "max_position_embeddings" not in c and c["num_hidden_layers"] != 40
    chatglm = c["model_type"] == "chatglm" and ("_name_or_path" in c or not c["multi_query_attention"] or
                                                c["apply_residual_connection_post_layernorm"])
    qwen = c["model_type"] == "qwen" and (c["use_dynamic_ntk"] or c["use_logn_attn"] or
                                          c["kv_channels"] * c["num_attention_heads"] != c["hidden_size"])
    internlm2 = c["model_type"] == "internlm2" and c.get("bias", True)  # the converter splits weights alone
    norm_head = c["model_type"] == "baichuan" and c["vocab_size"] == 125696  # files hold the rows already normalised
    return dynamic or alibi or chatglm or qwen or internlm2 or norm_head


def convert(folder: pathlib.Path, file: pathlib.Path) -> None:
    t = Conversion(folder)
    arch, rules = RULES[t.config["model_type"]]
    w = gguf.GGUFWriter(file, gguf.MODEL_ARCH_NAMES[arch])
    rules(t, w)
    vocab = t.config.get("padded_vocab_size", t.config["vocab_size"])
    if not any(key.endswith(".vocab_size") for key in w.kv_data[0]):
        w.add_vocab_size(vocab)
    w.add_tokenizer_model("none")
    # LLaMA's map fills in where an architecture's own has no dense layers (Qwen 3 MoE).
    maps = [gguf.get_tensor_name_map(a, t.layers) for a in (arch, A.LLAMA)]
    for name, data in t.tensors.items():
        found = [m.get_name(name, try_suffixes=(".weight", ".bias")) for m in maps]
        new = name if name.startswith("rope_") else found[0] or found[1]
        if new is None:
            raise ValueError(f"{folder}: no GGUF name for {name}")
        w.add_tensor(new, np.ascontiguousarray(data, dtype=np.float32))
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


def convert_all(fixtures: pathlib.Path, out: pathlib.Path) -> None:
    """Every fixture that has rules, each to OUT/NAME.gguf with OUT/NAME.json beside it."""
    out.mkdir(parents=True, exist_ok=True)
    for folder in sorted(fixtures.iterdir()):
        config = json.loads((folder / "config.json").read_text())
        if config.get("model_type") not in RULES or config.get("vocab_size", 0) > 100000:
            continue
        convert(folder, out / (folder.name + ".gguf"))
        (out / (folder.name + ".json")).write_text((folder / "expected.json").read_text())
        print(folder.name, flush=True)
