#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Random checkpoints of every family, run by transformers and by keju, and compared.

    python3 scripts/fuzz_families.py OUT [--program build/release/keju] [--seeds N] [--first N] [--only NAME …] [--gguf]

Every case draws widths, head counts, options and rope kinds, randomises every parameter, and is stored
in a drawn form: float32, bfloat16 or float16; one file or shards; safetensors or PyTorch's own; with or
without the base model's prefix. Its config.json is rewritten: transformers 4's or 5's keys, without the
keys that equal their class's defaults. transformers then reads that very folder, so its own reading of
the configuration is the truth, and computes in float32 with eager attention, a fresh model for every text (dynamic rope
remembers). keju gets all texts at once, in mixed order; some are the beginnings of others, so keys are
shared wherever they may be. Families that transformers lacks are checked against the float64 models of
slow_family_models.py, which make their own files. With --gguf only what a family's GGUF form can say is
drawn, and keju reads the file that family_gguf.py converts.

Prints one line per family: cases, worst |logit| and |log-prob| differences, and what disagreed. Cases
that disagree stay in OUT; the exit status is 1 if there are any.

Needs torch, transformers, safetensors, numpy and, with --gguf, gguf (written with transformers 5.23.0).
"""
import argparse
import copy
import json
import pathlib
import random
import shutil
import subprocess
import sys

import make_family_fixtures as fixtures

LONGEST = 150
TOLERANCE = 2e-4  # both of logits and of log-probs
ACTIVATIONS = ["silu", "silu", "gelu", "gelu_new", "gelu_pytorch_tanh", "relu", "quick_gelu"]
# The key of the activation where a family reads one, and where any value of ACTIVATIONS may stand.
ACTIVATION_KEYS = {name: "hidden_act" for name in (
    "cohere", "deepseek_v2", "deepseek_v3", "ernie4_5", "glm", "glm4", "granite", "hunyuan", "internlm3", "llama",
    "minicpm3", "mistral", "mixtral", "olmo2", "phi3", "qwen2", "qwen2_moe", "qwen3", "qwen3_moe", "seed_oss",
    "smollm3", "starcoder2", "gpt_neox")} | {
        "codegen": "activation_function", "gptj": "activation_function", "gpt2": "activation_function",
        "gemma2": "hidden_activation", "gemma3": "hidden_activation", "falcon": "activation"}
# What GGUF keeps as a constant of the architecture, by family of make_family_fixtures.
GGUF_CONSTANTS = {
    "bloom": {"apply_residual_connection_post_layernorm": False},
    "cohere": {"use_qk_norm": False, "rope_parameters": None},
    "deepseek_v2": {"attention_bias": False, "mlp_bias": False},
    "deepseek_v3": {"attention_bias": False, "rope_interleave": True},
    "ernie4_5": {}, "granite": {}, "internlm3": {}, "llama": {}, "olmo2": {}, "seed_oss": {}, "glm4": {},
    "falcon": {"bias": False, "activation": "gelu", "parallel_attn": True, "multi_query": True, "ffn_hidden_size": None,
               "num_ln_in_parallel_attn": None, "rope_parameters": None},
    "gemma": {"hidden_act": "gelu_pytorch_tanh"},
    "gemma2": {"attn_logit_softcapping": 20.0, "final_logit_softcapping": 12.0},
    "gemma3": {"final_logit_softcapping": None},
    "gpt2": {"scale_attn_weights": True, "scale_attn_by_inverse_layer_idx": False, "activation_function": "gelu_new"},
    "gpt_neox": {"hidden_act": "gelu"},
    "gpt_oss": {"swiglu_limit": 7.0, "rope_parameters": None},
    "hunyuan": {"rope_parameters": None},
    "minicpm3": {"scale_emb": 12, "scale_depth": 1.4, "dim_model_base": 256, "mlp_bias": False, "attention_bias": False,
                 "q_lora_rank": 24, "v_head_dim": 12, "rope_parameters": None},
    "mistral": {"sliding_window": None}, "mixtral": {"sliding_window": None}, "phi3": {},
    "qwen2": {"use_sliding_window": False, "layer_types": None},
    "qwen3": {"use_sliding_window": False, "layer_types": None},
    "qwen2_moe": {"norm_topk_prob": False}, "qwen3_moe": {"norm_topk_prob": True, "use_sliding_window": False},
    "smollm3": {"no_rope_layers": None, "no_rope_layer_interval": 4, "use_sliding_window": False},
    "starcoder2": {"sliding_window": None},
}
EPS_KEYS = ("rms_norm_eps", "layer_norm_eps", "layer_norm_epsilon", "norm_epsilon")


def wide_llama_like(r: random.Random, free_head: bool = True, even_width: bool = True) -> dict:
    """As make_family_fixtures.llama_like, with odder sizes."""
    kv = r.choice([1, 1, 2, 3, 5])
    heads = kv * r.choice([1, 2, 3, 7])
    head = r.choice([4, 6, 10, 16, 18, 20, 34, 64]) if heads < 12 else r.choice([4, 6, 10, 16])
    width = heads * r.choice([3, 5, 8, 11] if heads > 3 else [10, 17, 33]) if even_width and free_head else heads * head
    context = r.choice([24, 64, 100, 256])
    c = {
        "vocab_size": r.choice([33, 97, 160, 211, 300]), "hidden_size": width,
        "intermediate_size": r.choice([17, 40, 64, 77, 130]), "num_hidden_layers": r.choice([1, 2, 3, 4]),
        "num_attention_heads": heads, "num_key_value_heads": kv, "max_position_embeddings": context,
        "rms_norm_eps": r.choice([1e-5, 1e-6, 1e-3]), "tie_word_embeddings": r.random() < 0.5,
    }
    if free_head:
        c["head_dim"] = head
    c["rope_parameters"] = fixtures.rope_parameters(r, head if free_head else width // heads, context)
    return c


def settings_of(name: str, settings, r: random.Random, in_gguf: bool) -> dict:
    c = settings(r)
    if in_gguf:
        return gguf_settings(name, c, r)
    if name in ACTIVATION_KEYS and r.random() < 0.6:
        c[ACTIVATION_KEYS[name]] = r.choice(ACTIVATIONS)
    return c


def gguf_rope(r: random.Random, head: int, context: int, partial: float | None = None) -> dict:
    """As make_family_fixtures.rope_parameters, of the kinds that GGUF has keys for."""
    rope = {"rope_theta": r.choice([10000.0, 500000.0, 2500.0]), "rope_type": r.choice(["default", "linear", "yarn"])}
    if rope["rope_type"] != "default":
        rope["factor"] = r.choice([2.0, 4.0, 3.5])
    if rope["rope_type"] == "yarn":
        rope["original_max_position_embeddings"] = r.choice([16, 32, 50])
        if r.random() < 0.4:
            rope |= {"beta_fast": 16.0, "beta_slow": 2.0}
    if partial:
        rope["partial_rotary_factor"] = partial if int(head * partial) % 2 == 0 else 1.0
    del context
    return rope


def gguf_settings(name: str, c: dict, r: random.Random) -> dict:
    c |= GGUF_CONSTANTS[name]
    if name in ("gemma2", "gemma3"):
        c["query_pre_attn_scalar"] = c["head_dim"]
    if name.startswith("deepseek"):
        rope = c["rope_parameters"]
        if "mscale" in rope:
            rope["mscale"] = rope["mscale_all_dim"]
        if c.get("topk_method") == "greedy":
            c |= {"n_group": 1, "topk_group": 1}
    if name == "llama" and r.random() < 0.3:
        c["rope_parameters"] = {"rope_type": "llama3", "rope_theta": 10000.0, "factor": 8.0, "low_freq_factor": 1.0,
                                "high_freq_factor": 4.0, "original_max_position_embeddings": 32}
    return c


def prompts(r: random.Random, vocab: int, longest: int) -> list:
    """Texts of many lengths; half of them begin alike."""
    base = [r.randrange(vocab) for _ in range(longest)]
    lengths = {1, 2, longest, *(r.randrange(1, longest) for _ in range(4))}
    out = [base[:n] for n in lengths]
    for _ in range(3):
        keep = r.randrange(longest)
        out.append(base[:keep] + [r.randrange(vocab) for _ in range(r.randrange(1, longest - keep + 1))])
    r.shuffle(out)
    return out


def store(model, folder: pathlib.Path, r: random.Random, in_gguf: bool) -> list:
    """Writes the weights in a drawn form; returns words for the report."""
    import torch
    words = []
    dtype = r.choice([torch.float32, torch.float32, torch.bfloat16, torch.float16])
    model = copy.deepcopy(model).to(dtype)
    words.append(str(dtype).removeprefix("torch."))
    options = {}
    if r.random() < 0.3:
        options["max_shard_size"] = "40KB"
        words.append("sharded")
    model.save_pretrained(folder, **options)
    (folder / "generation_config.json").unlink(missing_ok=True)
    if "sharded" not in words and not in_gguf and r.random() < 0.25:
        from safetensors.torch import load_file
        tensors = load_file(folder / "model.safetensors")
        (folder / "model.safetensors").unlink()
        torch.save(tensors, folder / "pytorch_model.bin")
        words.append("bin")
    return words


def reference(folder: pathlib.Path, config_class, model_class, texts: list) -> list:
    import torch
    model = model_class.from_pretrained(folder, config=config_class.from_pretrained(folder), attn_implementation="eager",
                                        experts_implementation="eager", dtype=torch.float32).eval()
    out = []
    for ids in texts:
        fresh = copy.deepcopy(model)
        with torch.no_grad():
            logits = fresh(torch.tensor([ids])).logits[0].double()
        out.append(fixtures.case(ids, logits))
    return out


def run_keju(program: str, folder: pathlib.Path, texts: list) -> list:
    asked = "\n".join(json.dumps({"ids": ids}) for ids in texts) + "\n"
    done = subprocess.run([program, "logprobs", "--model", str(folder), "--logits", "--threads", "1", "--backend", "cpu"],
                          input=asked, capture_output=True, text=True)
    if done.returncode != 0:
        raise ValueError(f"keju exited {done.returncode}: {done.stderr.strip().splitlines()[-1]}")
    return [json.loads(line) for line in done.stdout.splitlines()]


def differences(wanted: list, found: list) -> tuple:
    logit = logprob = 0.0
    for w, f in zip(wanted, found, strict=True):
        for a, b in zip(w["last_logits"], f["last_logits"], strict=True):
            logit = max(logit, abs(a - b) if a == a and b == b else float("inf"))
        for a, b in zip(w["token_logprobs"][1:], f["token_logprobs"][1:], strict=True):
            logprob = max(logprob, abs(a - b) if a == a and b == b else float("inf"))
    return logit, logprob


def make_case(folder: pathlib.Path, name: str, stem: str, settings, seed: int, in_gguf: bool) -> tuple:
    """Writes a checkpoint; returns (the texts with their reference, words about its form)."""
    r = random.Random(f"fuzz {name} {seed}")
    kwargs = settings_of(name, settings, r, in_gguf)
    config_class, model_class = fixtures.classes(stem)
    config = config_class(**({"pad_token_id": 0} | kwargs))
    for key in EPS_KEYS[1:]:
        if hasattr(config, key) and r.random() < 0.5:
            setattr(config, key, r.choice([1e-6, 1e-4, 1e-3]))
    config._attn_implementation = config._experts_implementation = "eager"
    model = model_class(config).eval()
    fixtures.randomise(model, seed)
    model.tie_weights()
    folder.mkdir(parents=True, exist_ok=True)
    words = store(model, folder, r, in_gguf)
    written = json.loads((folder / "config.json").read_text())
    # A model class that stands for another's (InternLM 3 is LLaMA) writes its own type.
    written["model_type"] = config_class.model_type
    if r.random() < 0.5 and not in_gguf:
        written = fixtures.old_spelling(written)
        words.append("old spelling")
    if r.random() < 0.5 and not in_gguf:
        written = fixtures.without_defaults(written, config_class)
        words.append("no defaults")
    (folder / "config.json").write_text(json.dumps(written, indent=1))
    texts = prompts(r, config.vocab_size, LONGEST)
    return reference(folder, config_class, model_class, texts), words


def fuzz_transformers(out: pathlib.Path, args) -> dict:
    fixtures.quiet()
    fixtures.llama_like = wide_llama_like
    if args.gguf:
        fixtures.rope_parameters = gguf_rope
    report = {}
    for name, (stem, settings) in fixtures.families().items():
        if (args.only and name not in args.only) or (args.gguf and name not in GGUF_CONSTANTS):
            continue
        for seed in range(args.first, args.first + args.seeds):
            folder = out / f"{name}-{seed}"
            shutil.rmtree(folder, ignore_errors=True)
            try:
                wanted, words = make_case(folder, name, stem, settings, seed, args.gguf)
            except Exception as error:  # a configuration that transformers itself refuses
                report.setdefault(name, []).append((seed, None, None, f"transformers: {type(error).__name__}: {error}"))
                shutil.rmtree(folder, ignore_errors=True)
                continue
            judge(report, name, seed, folder, wanted, words, args)
        summarise(name, report.get(name, []))
    return report


def judge(report: dict, name: str, seed: int, folder: pathlib.Path, wanted: list, words: list, args) -> None:
    path = folder
    if args.gguf:
        import family_gguf
        path = folder / "model.gguf"
        family_gguf.convert(folder, path)
    try:
        logit, logprob = differences(wanted, run_keju(args.program, path, [w["ids"] for w in wanted]))
        note = "" if max(logit, logprob) <= TOLERANCE else f"logits {logit:.2g}, log-probs {logprob:.2g}"
    except ValueError as error:
        logit = logprob = float("inf")
        note = str(error)
    if note:
        (folder / "expected.json").write_text(json.dumps({"cases": wanted}))
        note += f" ({', '.join(words)})"
    else:
        shutil.rmtree(folder)
    report.setdefault(name, []).append((seed, logit, logprob, note))


def fuzz_slow(out: pathlib.Path, args) -> dict:
    import slow_family_models
    report = {}
    made = out / "slow"
    shutil.rmtree(made, ignore_errors=True)
    slow_family_models.make(made, fixtures.case, fixtures.write, args.seeds, only=args.only, first=args.first)
    for folder in sorted(made.iterdir()) if made.exists() else []:
        name, _, seed = folder.name.rpartition("-")
        if args.gguf and not in_gguf(folder):
            shutil.rmtree(folder)
            continue
        wanted = json.loads((folder / "expected.json").read_text())["cases"]
        judge(report, name, int(seed), folder, wanted, [], args)
    for name, rows in report.items():
        summarise(name, rows)
    return report


def in_gguf(folder: pathlib.Path) -> bool:
    import family_gguf
    kind = json.loads((folder / "config.json").read_text())["model_type"]
    return kind in family_gguf.RULES and not family_gguf.refuses(folder)


def summarise(name: str, rows: list) -> None:
    counted = [row for row in rows if row[1] is not None]
    worst = [max((row[i] for row in counted), default=0.0) for i in (1, 2)]
    print(f"{name:24} {len(counted):4} cases  logits {worst[0]:.1e}  log-probs {worst[1]:.1e}", flush=True)
    for seed, _, _, note in rows:
        if note:
            print(f"    {seed}: {note}", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--program", default="build/release/keju")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--only", nargs="*")
    parser.add_argument("--gguf", action="store_true")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    report = fuzz_transformers(args.out, args) | fuzz_slow(args.out, args)
    return 1 if any(row[1] is not None and row[3] for rows in report.values() for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
