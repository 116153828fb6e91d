#!/usr/bin/env python3
"""A checkpoint in keju and in transformers on the same card: error of bf16 against float32, and speed of scoring.

  gpu_transformers.py KEJU MODEL_DIR [BACKEND]

Writes one JSON object. Where PyTorch or transformers is absent it says so and exits 0. transformers is given its best:
bf16, SDPA, batches without padding, logits of the last position alone; beside it full logits, as lm-evaluation-harness
asks for them."""
import json
import subprocess
import sys
import time

PROMPT = 350  # tokens, the mean of CMMLU with five shots
BATCH = 32
BATCHES = 8


def absent(why: str) -> int:
    print(json.dumps({"stage": "transformers", "absent": why}))
    return 0


def keju_logits(keju: str, model: str, backend: str, mode: str, rows: list) -> list:
    lines = "".join(json.dumps({"ids": ids}) + "\n" for ids in rows)
    done = subprocess.run([keju, "logprobs", "--logits", "--backend", backend, "--mode", mode, "--model", model],
                          input=lines, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"keju logprobs --mode {mode}: exit {done.returncode}: {done.stderr.strip()}")
    return [json.loads(line)["last_logits"] for line in done.stdout.splitlines()]


def compare(keju: str, folder: str, backend: str, torch, transformers) -> dict:
    device = "cuda" if torch.cuda.is_available() else "cpu"
    load = transformers.AutoModelForCausalLM.from_pretrained
    exact = load(folder, dtype=torch.float32, attn_implementation="sdpa").to(device).eval()
    draw = torch.Generator().manual_seed(7)
    rows = torch.randint(0, exact.config.vocab_size, (8, 200), generator=draw)
    out = {"stage": "transformers", "torch": torch.__version__, "transformers": transformers.__version__,
           "prompt_tokens": PROMPT}
    with torch.inference_mode():
        truth = torch.cat([exact(row[None].to(device)).logits[:, -1].float().cpu() for row in rows])
        del exact
        half = load(folder, dtype=torch.bfloat16, attn_implementation="sdpa").to(device).eval()
        theirs = torch.cat([half(row[None].to(device)).logits[:, -1].float().cpu() for row in rows])

        def error(logits) -> float:
            return float((logits - truth).norm() / truth.norm())

        for mode in ("exact", "native"):
            out[f"keju_{mode}_error"] = error(torch.tensor(keju_logits(keju, folder, backend, mode, rows.tolist())))
        out["transformers_bf16_error"] = error(theirs)
        out["error_ratio"] = out["keju_native_error"] / out["transformers_bf16_error"]
        ids = torch.randint(0, half.config.vocab_size, (BATCH, PROMPT), generator=draw).to(device)
        for name, kept in (("last_logits", 1), ("full_logits", 0)):
            half(ids, logits_to_keep=kept)
            if device == "cuda":
                torch.cuda.synchronize()
            start = time.monotonic()
            for _ in range(BATCHES):
                half(ids, logits_to_keep=kept).logits.sum().item()
            out[f"transformers_tokens_per_s_{name}"] = BATCHES * BATCH * PROMPT / (time.monotonic() - start)
    out["ok"] = out["error_ratio"] <= 1.5 and out["keju_exact_error"] < 1e-3
    return out


def main() -> int:
    keju, folder, backend = (sys.argv[1:] + ["cuda"])[:3]
    try:
        import torch  # pylint: disable=import-outside-toplevel
        import transformers  # pylint: disable=import-outside-toplevel
    except ImportError as error:
        return absent(str(error))
    result = compare(keju, folder, backend, torch, transformers)
    print(json.dumps(result, indent=1))
    return 0 if result["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
