#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Random tiny checkpoints of every model family with the logits that transformers computes.

    python3 scripts/make_family_fixtures.py random OUT [--seeds N] [--only NAME]
    python3 scripts/make_family_fixtures.py slow OUT [--seeds N]
    python3 scripts/make_family_fixtures.py gguf FIXTURES OUT
    python3 scripts/make_family_fixtures.py committed tests/fixtures

`random` draws widths, head counts, options and rope kinds and writes OUT/fixtures/models/NAME-SEED,
each with config.json, model.safetensors and expected.json; half of the configurations are written in
transformers 4's spelling, and half without the keys that equal their class's default.
`slow` does the same for families that transformers does not hold, from a slow implementation in
float64 that shares no code with the program (slow_family_models.py).
`gguf` converts fixtures to GGUF by llama.cpp's rules (family_gguf.py).
`committed` writes the small set that the tests hold: models/NAME of every family and gguf/NAME.gguf
where its architecture has a GGUF form.

Compare with: KEJU_SHARED=OUT build/release/keju_test_engine --gtest_filter='Models/*'

Needs torch, transformers, safetensors, numpy and, for `gguf`, gguf (written with 5.23.0 and 0.19.0).
"""
import argparse
import json
import pathlib
import random
import sys

SCRIPTS = pathlib.Path(__file__).resolve().parent
LENGTHS = (1, 9, 70, 150)
TOLERANCE = 2e-4


def rope_parameters(r: random.Random, head: int, context: int, partial: float | None = None) -> dict:
    """One of transformers' rope kinds for heads of `head` elements."""
    theta = r.choice([10000.0, 500000.0, 1e6, 2500.0])
    kind = r.choice(["default", "default", "linear", "dynamic", "yarn", "llama3", "longrope"])
    parameters = {"rope_theta": theta, "rope_type": kind}
    rotated = int(head * partial) if partial else head
    if (kind == "dynamic" and rotated <= 2) or (kind in ("yarn", "longrope") and rotated % 2):
        kind = parameters["rope_type"] = "default"  # transformers has no such thing
    if kind != "default":
        parameters["factor"] = r.choice([2.0, 4.0, 3.5])
    if kind in ("yarn", "llama3", "longrope"):
        parameters["original_max_position_embeddings"] = r.choice([16, 32, 50])
    if kind == "llama3":
        parameters |= {"low_freq_factor": 1.0, "high_freq_factor": r.choice([2.0, 4.0])}
    if kind == "yarn":
        if r.random() < 0.4:
            parameters |= {"beta_fast": 16.0, "beta_slow": 2.0}
        if r.random() < 0.3:
            parameters["truncate"] = False
        if r.random() < 0.3:
            parameters["attention_factor"] = 1.25
    if kind == "longrope":
        pairs = rotated // 2
        parameters["short_factor"] = [1.0 + 0.1 * i for i in range(pairs)]
        parameters["long_factor"] = [1.5 + 0.7 * i for i in range(pairs)]
        if r.random() < 0.3:
            parameters["attention_factor"] = 1.1
        elif r.random() < 0.3:
            del parameters["factor"]
    if partial:
        parameters["partial_rotary_factor"] = partial
    del context
    return parameters


def llama_like(r: random.Random, free_head: bool = True, even_width: bool = True) -> dict:
    kv = r.choice([1, 2, 3])
    heads = kv * r.choice([1, 2, 4])
    head = r.choice([8, 16, 20])
    width = heads * r.choice([8, 12, 16]) if even_width and free_head else heads * head
    context = r.choice([40, 128, 256])
    c = {
        "vocab_size": r.choice([97, 160, 211]), "hidden_size": width, "intermediate_size": r.choice([40, 64, 77]),
        "num_hidden_layers": r.choice([1, 2, 3]), "num_attention_heads": heads, "num_key_value_heads": kv,
        "max_position_embeddings": context, "rms_norm_eps": r.choice([1e-5, 1e-6]),
        "tie_word_embeddings": r.random() < 0.5,
    }
    if free_head:
        c["head_dim"] = head
    c["rope_parameters"] = rope_parameters(r, head if free_head else width // heads, context)
    return c


def coin(r: random.Random) -> bool:
    return r.random() < 0.5


def layer_types(r: random.Random, layers: int) -> list:
    return [r.choice(["sliding_attention", "full_attention"]) for _ in range(layers)]


def families() -> dict:
    """name: (config class, model class, settings from a random source)."""
    def llama(r):
        return llama_like(r) | {"attention_bias": coin(r), "mlp_bias": coin(r)}

    def mistral(r):
        return llama_like(r) | {"sliding_window": r.choice([None, 11, 64])}

    def mixtral(r):
        return llama_like(r) | {"sliding_window": r.choice([None, 11]), "num_local_experts": r.choice([3, 5]),
                                "num_experts_per_tok": r.choice([1, 2, 3])}

    def qwen2(r):
        c = llama_like(r, free_head=False)
        if coin(r):
            c |= {"use_sliding_window": True, "sliding_window": 13}
            c |= r.choice([{"max_window_layers": 1}, {"layer_types": layer_types(r, c["num_hidden_layers"])}])
        return c

    def qwen3(r):
        c = qwen2(r) | {"head_dim": 12, "attention_bias": coin(r)}
        c["rope_parameters"] = rope_parameters(r, 12, 0)
        return c

    def experts(r, c):
        c |= {"num_experts": r.choice([4, 6]), "num_experts_per_tok": r.choice([1, 2, 4]),
              "moe_intermediate_size": r.choice([24, 40]), "norm_topk_prob": coin(r)}
        if coin(r):
            c |= r.choice([{"mlp_only_layers": [0]}, {"decoder_sparse_step": 2}])
        return c

    def qwen2_moe(r):
        return experts(r, llama_like(r, free_head=False)) | {"shared_expert_intermediate_size": r.choice([32, 56]),
                                                             "qkv_bias": coin(r)}

    def qwen3_moe(r):
        c = experts(r, llama_like(r)) | {"attention_bias": coin(r)}
        if coin(r):
            c |= {"use_sliding_window": True, "sliding_window": 17}
        return c

    def gemma(r):
        return llama_like(r) | {"attention_bias": coin(r), "hidden_act": r.choice(["gelu", "gelu_pytorch_tanh"]),
                                "tie_word_embeddings": True}

    def gemma2(r):
        c = llama_like(r) | {"attention_bias": coin(r), "tie_word_embeddings": True, "sliding_window": 14,
                             "query_pre_attn_scalar": r.choice([16, 30]),
                             "attn_logit_softcapping": r.choice([None, 20.0]),
                             "final_logit_softcapping": r.choice([None, 12.0])}
        if coin(r):
            c["layer_types"] = layer_types(r, c["num_hidden_layers"])
        return c

    def gemma3(r):
        c = gemma2(r)
        c["attn_logit_softcapping"] = None
        c["num_hidden_layers"] = r.choice([3, 7])
        c.pop("layer_types", None)
        if coin(r):
            c["layer_types"] = layer_types(r, c["num_hidden_layers"])
        scaled = {"rope_type": "linear", "factor": 8.0} if coin(r) else {"rope_type": "default"}
        c["rope_parameters"] = {"full_attention": {"rope_theta": 1e6} | scaled,
                                "sliding_attention": {"rope_theta": 10000.0, "rope_type": "default"}}
        return c

    def glm(r):
        c = llama_like(r) | {"attention_bias": coin(r)}
        c["rope_parameters"] = rope_parameters(r, c["head_dim"], 0, r.choice([0.5, 1.0]))
        return c

    def phi3(r):
        c = llama_like(r, free_head=False) | {"sliding_window": r.choice([None, 15]), "pad_token_id": 0}
        kind = r.choice(["default", "longrope"])
        partial = r.choice([1.0, 0.5])
        if int(c["hidden_size"] // c["num_attention_heads"] * partial) % 2:
            partial = 1.0
        pairs = int(c["hidden_size"] // c["num_attention_heads"] * partial) // 2
        c["rope_parameters"] = {"rope_theta": 10000.0, "rope_type": kind, "partial_rotary_factor": partial}
        if kind == "longrope":
            c["original_max_position_embeddings"] = 40
            c["max_position_embeddings"] = 256
            c["rope_parameters"] |= {"short_factor": [1.0 + 0.05 * i for i in range(pairs)],
                                     "long_factor": [1.3 + 0.5 * i for i in range(pairs)]}
        return c

    def neox(r):
        heads = r.choice([2, 3, 4])
        head = r.choice([8, 12, 16])
        return {"vocab_size": 131, "hidden_size": heads * head, "num_hidden_layers": 2, "num_attention_heads": heads,
                "intermediate_size": 50, "max_position_embeddings": r.choice([64, 256]), "attention_bias": coin(r),
                "hidden_act": r.choice(["gelu", "gelu_fast", "relu"]), "use_parallel_residual": coin(r),
                "tie_word_embeddings": coin(r),
                "rope_parameters": rope_parameters(r, head, 0, r.choice([0.25, 0.5, 1.0]))}

    def gpt2(r):
        heads = r.choice([2, 3, 5])
        return {"vocab_size": 123, "n_positions": 160, "n_embd": heads * 8, "n_layer": r.choice([1, 3]), "n_head": heads,
                "n_inner": r.choice([None, 30]), "activation_function": r.choice(["gelu_new", "relu", "silu", "gelu"]),
                "scale_attn_weights": coin(r), "scale_attn_by_inverse_layer_idx": coin(r),
                "tie_word_embeddings": coin(r), "bos_token_id": 1, "eos_token_id": 2}

    def gptj(r):
        heads = r.choice([4, 8])
        return {"vocab_size": 123, "n_positions": 160, "n_embd": heads * 12, "n_layer": 2, "n_head": heads,
                "rotary_dim": r.choice([4, 8, 12]), "n_inner": r.choice([None, 30]),
                "activation_function": r.choice(["gelu_new", "gelu"]), "tie_word_embeddings": coin(r),
                "bos_token_id": 1, "eos_token_id": 2}

    def bloom(r):
        heads = r.choice([2, 3, 6])
        return {"vocab_size": 123, "hidden_size": heads * 8, "n_layer": 2, "n_head": heads,
                "apply_residual_connection_post_layernorm": coin(r), "tie_word_embeddings": coin(r)}

    def falcon(r):
        heads = r.choice([2, 4, 6])
        new = coin(r)
        c = {"vocab_size": 123, "hidden_size": heads * 8, "num_hidden_layers": 2, "num_attention_heads": heads,
             "new_decoder_architecture": new, "bias": coin(r), "max_position_embeddings": 256,
             "ffn_hidden_size": r.choice([None, 44]), "activation": r.choice(["gelu", "relu"]),
             "tie_word_embeddings": coin(r), "rope_parameters": rope_parameters(r, 8, 0)}
        if new:
            c |= {"num_kv_heads": 2, "num_ln_in_parallel_attn": r.choice([None, 1, 2])}
        else:
            c |= {"multi_query": coin(r), "parallel_attn": coin(r)}
        return c

    def cohere(r):
        return llama_like(r, free_head=False) | {"attention_bias": coin(r), "use_qk_norm": coin(r),
                                                 "logit_scale": r.choice([0.0625, 1.5])}

    def granite(r):
        return llama_like(r, free_head=False) | {"attention_bias": coin(r), "mlp_bias": coin(r),
                                                 "attention_multiplier": 0.17, "embedding_multiplier": 5.0,
                                                 "residual_multiplier": 0.3, "logits_scaling": 3.0}

    def hunyuan(r):
        c = llama_like(r) | {"attention_bias": coin(r)}
        if coin(r):
            c["rope_parameters"] = {"rope_type": "dynamic", "rope_theta": 10000.0, "alpha": 50.0, "factor": 1.0}
        return c

    def latent(r):
        heads = r.choice([2, 3, 4])
        rope = r.choice([4, 8])
        c = llama_like(r, free_head=False)
        c |= {"hidden_size": heads * 12, "num_attention_heads": heads, "num_key_value_heads": heads,
              "kv_lora_rank": r.choice([12, 20]), "q_lora_rank": r.choice([None, 24]), "qk_rope_head_dim": rope,
              "qk_nope_head_dim": r.choice([8, 10]), "v_head_dim": r.choice([8, 14]), "attention_bias": coin(r)}
        c["rope_parameters"] = rope_parameters(r, rope, 0)
        if c["rope_parameters"]["rope_type"] == "yarn" and coin(r):
            c["rope_parameters"] |= {"mscale": 0.7, "mscale_all_dim": r.choice([0.7, 1.0])}
        return c

    def deepseek_v2(r):
        c = latent(r) | {"n_routed_experts": 6, "num_experts_per_tok": 2, "moe_intermediate_size": 24,
                         "n_shared_experts": r.choice([1, 2]), "first_k_dense_replace": r.choice([0, 1]),
                         "routed_scaling_factor": r.choice([1.0, 2.0]), "mlp_bias": coin(r)}
        return c | r.choice([{"topk_method": "greedy"},
                             {"topk_method": "group_limited_greedy", "n_group": 3, "topk_group": 2}])

    def deepseek_v3(r):
        return latent(r) | {"n_routed_experts": 8, "num_experts_per_tok": r.choice([2, 3]), "moe_intermediate_size": 24,
                            "n_shared_experts": r.choice([1, 2]), "first_k_dense_replace": r.choice([0, 1]),
                            "n_group": r.choice([1, 2, 4]), "topk_group": 1, "norm_topk_prob": coin(r),
                            "routed_scaling_factor": 2.5, "rope_interleave": coin(r)} | (
                                {"n_group": 4, "topk_group": 2} if coin(r) else {"n_group": 2, "topk_group": 1})

    def minicpm3(r):
        return latent(r) | {"scale_emb": r.choice([4, 12]), "scale_depth": r.choice([1.4, None]),
                            "dim_model_base": r.choice([16, None]), "mlp_bias": coin(r)}

    def ernie(r):
        return llama_like(r) | {"use_bias": coin(r)}

    def gpt_oss(r):
        c = llama_like(r) | {"num_local_experts": r.choice([3, 4]), "num_experts_per_tok": r.choice([1, 2]),
                             "sliding_window": 16, "tie_word_embeddings": False, "attention_bias": coin(r),
                             "swiglu_limit": r.choice([0.5, 7.0])}
        c.pop("max_position_embeddings")
        if coin(r):
            c.pop("rope_parameters")
        return c

    def internlm3(r):
        bias = coin(r)
        return llama_like(r) | {"attention_bias": bias, "mlp_bias": bias}

    def codegen(r):
        heads = r.choice([4, 8])
        return {"vocab_size": 123, "n_positions": 160, "n_ctx": 160, "n_embd": heads * 12, "n_layer": 2, "n_head": heads,
                "rotary_dim": r.choice([4, 8, 12]), "n_inner": r.choice([None, 30]),
                "tie_word_embeddings": coin(r), "bos_token_id": 1, "eos_token_id": 2}

    def olmo2(r):
        return llama_like(r, free_head=False) | {"attention_bias": coin(r)}

    def seed_oss(r):
        return llama_like(r) | {"attention_bias": coin(r), "attention_out_bias": coin(r), "mlp_bias": coin(r)}

    def smollm3(r):
        c = llama_like(r, free_head=False) | {"attention_bias": coin(r), "mlp_bias": coin(r), "num_hidden_layers": 5}
        if coin(r):
            c["no_rope_layers"] = [1, 0, 1, 0, 0]
        else:
            c["no_rope_layer_interval"] = 3
        if coin(r):
            c |= {"use_sliding_window": True, "sliding_window": 12}
        return c

    def starcoder2(r):
        c = llama_like(r, free_head=False) | {"use_bias": coin(r), "sliding_window": r.choice([None, 19])}
        del c["rms_norm_eps"]
        return c

    return {
        "bloom": ("Bloom", bloom), "codegen": ("CodeGen", codegen), "cohere": ("Cohere", cohere),
        "deepseek_v2": ("DeepseekV2", deepseek_v2), "deepseek_v3": ("DeepseekV3", deepseek_v3),
        "ernie4_5": ("Ernie4_5", ernie), "falcon": ("Falcon", falcon), "gemma": ("Gemma", gemma),
        "gemma2": ("Gemma2", gemma2), "gemma3": ("Gemma3", gemma3), "glm": ("Glm", glm), "glm4": ("Glm4", glm),
        "gpt2": ("GPT2", gpt2), "gptj": ("GPTJ", gptj), "gpt_neox": ("GPTNeoX", neox), "gpt_oss": ("GptOss", gpt_oss),
        "granite": ("Granite", granite), "hunyuan": ("HunYuanDenseV1", hunyuan), "internlm3": ("InternLM3", internlm3),
        "llama": ("Llama", llama), "minicpm3": ("MiniCPM3", minicpm3), "mistral": ("Mistral", mistral),
        "mixtral": ("Mixtral", mixtral), "olmo2": ("Olmo2", olmo2), "phi3": ("Phi3", phi3), "qwen2": ("Qwen2", qwen2),
        "qwen2_moe": ("Qwen2Moe", qwen2_moe), "qwen3": ("Qwen3", qwen3), "qwen3_moe": ("Qwen3Moe", qwen3_moe),
        "seed_oss": ("SeedOss", seed_oss), "smollm3": ("SmolLM3", smollm3), "starcoder2": ("Starcoder2", starcoder2),
    }


SMALL = {"vocab_size": 40, "hidden_size": 16, "intermediate_size": 20, "num_hidden_layers": 2, "num_attention_heads": 4,
         "num_key_value_heads": 2, "max_position_embeddings": 256, "rms_norm_eps": 1e-5, "tie_word_embeddings": False}
GPT = {"vocab_size": 48, "n_positions": 160, "n_ctx": 160, "n_embd": 24, "n_layer": 2, "n_head": 4, "n_inner": 24,
       "bos_token_id": 1, "eos_token_id": 2}
HEAD8 = SMALL | {"head_dim": 8}
HEAD16 = SMALL | {"num_attention_heads": 2, "hidden_size": 32, "num_key_value_heads": 1}
MROPE = {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [2, 3, 3]}
EXPERTS = {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 12}
LATENT = SMALL | {"num_key_value_heads": 4, "kv_lora_rank": 12, "q_lora_rank": 16, "qk_rope_head_dim": 4,
                  "qk_nope_head_dim": 6, "v_head_dim": 6}


def rope(kind: str, **more) -> dict:
    return {"rope_parameters": {"rope_type": kind, "rope_theta": 10000.0} | more}


def local(*pattern: int) -> dict:
    return {"layer_types": ["sliding_attention" if x else "full_attention" for x in pattern], "sliding_window": 12}


# What the tests hold of families that transformers has: (model, settings). Where GGUF keeps a setting
# as a constant of the architecture, it has that constant's value.
COMMITTED = {
    "bloom": ("Bloom", {"vocab_size": 40, "hidden_size": 18, "n_layer": 2, "n_head": 3}),
    "codegen": ("CodeGen", GPT | {"rotary_dim": 4}),
    "cohere": ("Cohere", SMALL | {"tie_word_embeddings": True}),
    "deepseek-v2": ("DeepseekV2", LATENT | {
        "q_lora_rank": None, "n_routed_experts": 6, "num_experts_per_tok": 2, "moe_intermediate_size": 12,
        "n_shared_experts": 2, "first_k_dense_replace": 1, "topk_method": "group_limited_greedy", "n_group": 3,
        "topk_group": 2, "routed_scaling_factor": 1.5} | rope(
            "yarn", factor=4.0, original_max_position_embeddings=32, mscale=0.7, mscale_all_dim=0.7)),
    "deepseek-v3": ("DeepseekV3", LATENT | {
        "n_routed_experts": 8, "num_experts_per_tok": 2, "moe_intermediate_size": 12, "n_shared_experts": 1,
        "first_k_dense_replace": 1, "n_group": 4, "topk_group": 2}),
    "ernie4_5": ("Ernie4_5", HEAD8 | {"tie_word_embeddings": True}),
    "falcon": ("Falcon", {"vocab_size": 40, "hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 4,
                          "num_kv_heads": 2, "new_decoder_architecture": True}),
    "falcon-7b": ("Falcon", {"vocab_size": 40, "hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 3}),
    "gemma": ("Gemma", HEAD8 | {"tie_word_embeddings": True}),
    "gemma2": ("Gemma2", HEAD8 | {"tie_word_embeddings": True, "query_pre_attn_scalar": 8, "sliding_window": 12,
                                  "attn_logit_softcapping": 20.0, "final_logit_softcapping": 12.0}),
    "gemma3": ("Gemma3", HEAD8 | local(1, 0, 1) | {"tie_word_embeddings": True, "query_pre_attn_scalar": 8,
                                                   "num_hidden_layers": 3}),
    "glm": ("Glm", HEAD8),
    "glm4": ("Glm4", HEAD8),
    "gpt2": ("GPT2", GPT),
    "gpt_neox": ("GPTNeoX", {"vocab_size": 48, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4,
                             "intermediate_size": 40, "max_position_embeddings": 256}),
    "gpt_oss": ("GptOss", HEAD8 | {"num_local_experts": 4, "num_experts_per_tok": 2, "sliding_window": 12}),
    "gptj": ("GPTJ", GPT | {"rotary_dim": 4}),
    "granite": ("Granite", SMALL | {"attention_multiplier": 0.2, "embedding_multiplier": 5.0,
                                    "residual_multiplier": 0.3, "logits_scaling": 3.0}),
    "hunyuan": ("HunYuanDenseV1", HEAD8),
    "internlm3": ("InternLM3", HEAD8 | {"attention_bias": True, "mlp_bias": True}),
    "llama": ("Llama", SMALL),
    "llama-3.1": ("Llama", HEAD8 | {"tie_word_embeddings": True} | rope(
        "llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=32)),
    "llama-dynamic": ("Llama", SMALL | {"max_position_embeddings": 20} | rope("dynamic", factor=2.0)),
    "minicpm3": ("MiniCPM3", LATENT | {"v_head_dim": 4, "scale_emb": 12, "scale_depth": 1.4, "dim_model_base": 256}),
    "mistral": ("Mistral", SMALL | {"sliding_window": 12}),
    "mixtral": ("Mixtral", SMALL | {"num_local_experts": 4, "num_experts_per_tok": 2, "intermediate_size": 16}),
    "olmo2": ("Olmo2", SMALL),
    "phi3": ("Phi3", SMALL),
    "phi3-longrope": ("Phi3", SMALL | {"original_max_position_embeddings": 40} | rope(
        "longrope", short_factor=[1.0, 1.2], long_factor=[1.5, 3.0])),
    "qwen2": ("Qwen2", SMALL | {"tie_word_embeddings": True}),
    "qwen2-yarn": ("Qwen2", SMALL | rope("yarn", factor=4.0, original_max_position_embeddings=32)),
    "qwen2_moe": ("Qwen2Moe", SMALL | EXPERTS | {"shared_expert_intermediate_size": 20}),
    "qwen3": ("Qwen3", HEAD8),
    "qwen3_moe": ("Qwen3Moe", HEAD8 | EXPERTS | {"norm_topk_prob": True}),
    "seed_oss": ("SeedOss", HEAD8),
    "smollm3": ("SmolLM3", SMALL | {"num_hidden_layers": 4, "intermediate_size": 20}),
    "starcoder2": ("Starcoder2", {k: v for k, v in SMALL.items() if k != "rms_norm_eps"}),
}
# Multimodal models of which the text alone is computed: (model, the text's settings, the others).
TOWER = {"hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1, "image_size": 8,
         "patch_size": 4}
MULTIMODAL = {
    "gemma3-multimodal": ("Gemma3", COMMITTED["gemma3"][1], {
        "vision_config": TOWER | {"vision_use_head": False}, "mm_tokens_per_image": 4}),
}
# The same kind, not committed: `random` writes them once.
MULTIMODAL_MORE = {
    "llava": ("Llava", SMALL | {"model_type": "llama"}, {"vision_config": TOWER | {"model_type": "siglip_vision_model"}}),
    "mistral3": ("Mistral3", SMALL | {"model_type": "mistral"}, {
        "vision_config": TOWER | {"model_type": "pixtral", "head_dim": 8}, "spatial_merge_size": 2}),
    "qwen2_vl": ("Qwen2VL", HEAD16 | {"rope_parameters": MROPE}, {
        "vision_config": {"depth": 1, "embed_dim": 8, "hidden_size": 16, "num_heads": 1, "patch_size": 4}}),
    "qwen2_5_vl": ("Qwen2_5_VL", HEAD16 | {"rope_parameters": MROPE}, {
        "vision_config": {"depth": 1, "hidden_size": 8, "intermediate_size": 8, "out_hidden_size": 16, "num_heads": 1,
                          "patch_size": 4}}),
}
# Has no GGUF form, or one that cannot say what the checkpoint says.
NO_GGUF = ("gemma3-multimodal", "codegen", "gptj", "glm", "mistral", "llama-dynamic")
LARGEST = 200 << 10  # bytes of a committed file


def classes(stem: str):
    import transformers
    config = {"Gemma3": "Gemma3TextConfig"}.get(stem, stem + "Config")
    model = {"GPT2": "GPT2LMHeadModel", "InternLM3": "LlamaForCausalLM"}.get(stem, stem + "ForCausalLM")
    return getattr(transformers, config), getattr(transformers, model)


def multimodal_classes(stem: str):
    import transformers
    return getattr(transformers, stem + "Config"), getattr(transformers, stem + "ForConditionalGeneration")


def randomise(model, seed: int) -> None:
    """Weights that make every part of a model matter: no zero biases, no norms of all ones."""
    import torch
    generator = torch.Generator().manual_seed(seed)
    one_plus = "Gemma" in type(model).__name__
    with torch.no_grad():
        for name, p in list(model.named_parameters()) + list(model.named_buffers()):
            if not p.is_floating_point() or "inv_freq" in name or "embed_positions" in name or "embed_scale" in name:
                continue
            noise = torch.randn(p.shape, generator=generator)
            if p.ndim >= 2 and "norm" not in name:
                p.copy_(noise * (1.3 / p.shape[-1] ** 0.5))
            elif "norm" in name or "ln_" in name:
                weight = name.endswith("weight")
                p.copy_(0.3 * noise + (1.0 if weight and not one_plus else 0.0))
            elif "e_score_correction" in name:
                p.copy_(0.2 * noise)
            else:
                p.copy_(0.4 * noise)


def cases(model, vocab: int, lengths, seed: int) -> list:
    import torch
    r = random.Random(seed)
    out = []
    for length in lengths:
        ids = [r.randrange(vocab) for _ in range(length)]
        with torch.no_grad():
            logits = model(torch.tensor([ids])).logits[0].double()
        out.append(case(ids, logits))
    return out


def case(ids: list, logits) -> dict:
    import torch
    logprobs = torch.log_softmax(logits, dim=-1)
    return {"ids": ids,
            "token_logprobs": [None] + [round(float(logprobs[i, ids[i + 1]]), 6) for i in range(len(ids) - 1)],
            "last_logits": [round(float(x), 6) for x in logits[-1]]}


def old_spelling(config: dict) -> dict:
    """transformers 4's keys for rope."""
    rope = config.pop("rope_parameters", None)
    if not rope:
        return config
    if "full_attention" in rope:
        config["rope_theta"] = rope["full_attention"]["rope_theta"]
        config["rope_local_base_freq"] = rope["sliding_attention"]["rope_theta"]
        rope = rope["full_attention"]
    neox = config["model_type"] == "gpt_neox"
    config["rotary_emb_base" if neox else "rope_theta"] = rope["rope_theta"]
    if "partial_rotary_factor" in rope:
        config["rotary_pct" if neox else "partial_rotary_factor"] = rope["partial_rotary_factor"]
    scaling = {k: v for k, v in rope.items() if k not in ("rope_theta", "partial_rotary_factor")}
    if scaling.get("rope_type", "default") != "default":
        if config["model_type"] != "gemma3_text":  # younger than the key's first name
            scaling["type"] = scaling.pop("rope_type")
        config["rope_scaling"] = scaling
    return config


def without_defaults(config: dict, config_class) -> dict:
    default = config_class().to_dict()
    keep = ("model_type", "architectures", "rope_parameters", "hidden_size", "num_hidden_layers", "vocab_size")
    keep += ("num_attention_heads", "intermediate_size", "n_embd", "n_layer", "n_head", "head_dim")
    return {k: v for k, v in config.items() if k in keep or k not in default or default[k] != v}


def write(folder: pathlib.Path, name: str, note, found: list, source: str) -> None:
    expected = {"family": name, "source": source, "max_abs_logit_error": TOLERANCE, "note": note, "cases": found}
    (folder / "expected.json").write_text(json.dumps(expected))


def make_model(folder: pathlib.Path, name: str, stem: str, kwargs: dict, seed: int, lengths) -> tuple:
    """Writes config.json and weights; returns (the configuration, its class, the cases)."""
    import torch
    several = "text_config" in kwargs
    config_class, model_class = multimodal_classes(stem) if several else classes(stem)
    config = config_class(**({} if several else {"pad_token_id": 0}) | kwargs)
    config._attn_implementation = config._experts_implementation = "eager"
    model = model_class(config).eval()
    randomise(model, seed)
    model.tie_weights()
    folder.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(folder)
    (folder / "generation_config.json").unlink(missing_ok=True)
    found = []
    for length in (n for n in lengths if n <= getattr(config, "n_positions", 1 << 30)):
        # A fresh model each: dynamic rope remembers the longest text.
        fresh = model_class.from_pretrained(folder, attn_implementation="eager", experts_implementation="eager",
                                            dtype=torch.float32).eval()
        found += cases(fresh, config.get_text_config().vocab_size, [length], seed * 1000 + length)
    return json.loads((folder / "config.json").read_text()), config_class, found


def quiet() -> str:
    import torch
    import transformers
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    torch.set_num_threads(1)
    return f"transformers {transformers.__version__}, float32, eager attention"


def make_random(out: pathlib.Path, seeds: int, only: str | None) -> None:
    source = quiet()
    for name, (stem, settings) in families().items():
        if only and name != only:
            continue
        for seed in range(seeds):
            folder = out / "fixtures" / "models" / f"{name}-{seed}"
            kwargs = settings(random.Random(f"{name} {seed}"))
            written, config_class, found = make_model(folder, name, stem, kwargs, seed, LENGTHS)
            note = []
            if seed % 2 == 1:
                written = old_spelling(written)
                note.append("transformers 4 spelling")
            if seed // 2 % 2 == 1:
                written = without_defaults(written, config_class)
                note.append("without defaults")
            (folder / "config.json").write_text(json.dumps(written, indent=1))
            write(folder, name, ", ".join(note) or None, found, source)
        print(name, flush=True)
    for seed, (name, (stem, text, more)) in enumerate(MULTIMODAL_MORE.items()):
        if only and name != only:
            continue
        folder = out / "fixtures" / "models" / name
        *_, found = make_model(folder, name, stem, {"text_config": text} | more, seed, LENGTHS)
        write(folder, name, None, found, source)
        print(name, flush=True)


def make_multimodal(out: pathlib.Path, source: str) -> None:
    for seed, (name, (stem, text, more)) in enumerate(MULTIMODAL.items()):
        folder = out / name
        written, _, found = make_model(folder, name, stem, {"text_config": text} | more, seed, (1, 9, 70))
        (folder / "config.json").write_text(json.dumps(written, indent=1) + "\n")
        write(folder, name, None, found, source)


def make_committed(out: pathlib.Path) -> None:
    import family_gguf
    import slow_family_models
    source = quiet()
    for seed, (name, (stem, kwargs)) in enumerate(COMMITTED.items()):
        folder = out / "models" / name
        written, _, found = make_model(folder, name, stem, kwargs, seed, (1, 9, 70))
        (folder / "config.json").write_text(json.dumps(written, indent=1) + "\n")
        write(folder, name, None, found, source)
    make_multimodal(out / "models", source)
    slow_family_models.make(out / "models", case, write, seeds=1, skip=("baichuan2-normhead",))
    (out / "gguf").mkdir(parents=True, exist_ok=True)
    for folder in sorted((out / "models").iterdir()):
        kind = json.loads((folder / "config.json").read_text())["model_type"]
        if folder.name not in NO_GGUF and not family_gguf.refuses(folder) and kind in family_gguf.RULES:
            family_gguf.convert(folder, out / "gguf" / (folder.name + ".gguf"))
    for file in out.rglob("*"):
        if file.is_file() and file.stat().st_size > LARGEST:
            raise ValueError(f"{file}: {file.stat().st_size} bytes, need at most {LARGEST}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["random", "slow", "gguf", "committed"])
    parser.add_argument("paths", nargs="+", type=pathlib.Path)
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--only")
    args = parser.parse_args()
    sys.path.insert(0, str(SCRIPTS))
    if args.what == "random":
        make_random(args.paths[0], args.seeds, args.only)
    elif args.what == "slow":
        import slow_family_models
        slow_family_models.make(args.paths[0] / "fixtures" / "models", case, write, args.seeds)
    elif args.what == "committed":
        make_committed(args.paths[0])
    else:
        import family_gguf
        family_gguf.convert_all(args.paths[0], args.paths[1])
    return 0


if __name__ == "__main__":
    sys.exit(main())
