"""The places where mutate_kernels.py breaks the CUDA kernels, one at a time."""
import dataclasses

TENSOR = "*TensorCores*:*Cascade*"
GENERAL = "*GeneralKernel*"
QKV = "*QkvPost*:*CopiedPages*"
ROWS = "*RowOps*"
HEAD = "*RowOps.Head*"
ROUTE = "*RowOps.Routing*"
PRODUCTS = "*RowOps.*Products*"
STORED = "*RowOps.Embedding*:*RowOps.ExactProducts*"
SAMPLE = "*SampleOps*"
INDEX = "Index.*:SplitItems.*"
GRAPHS = "Graphs.*"


@dataclasses.dataclass(frozen=True)
class Mutant:
    """`old` stands once in kernels/cuda/`file`; `new` replaces it. `build` is what finds it: "values" (wrong
    results), "bounds" (AddressSanitizer) or "races" (ThreadSanitizer). `equivalent`: why no test can."""
    kind: str
    file: str
    old: str
    new: str
    tests: str
    build: str = "values"
    equivalent: str = ""


MUTANTS = [
    # What prefill and decode share.
    Mutant("mask", "attention_tile.cuh", "if (j > row.position ||", "if (j >= row.position ||", TENSOR),
    Mutant("mask", "attention_tile.cuh", "j < first_visible(row.position", "j <= first_visible(row.position", TENSOR),
    Mutant("index", "attention_tile.cuh", "slot <= last ? 16 : 0", "slot < last ? 16 : 0", TENSOR),
    Mutant("unset memory", "attention_tile.cuh", "slot <= last ? 16 : 0", "16", TENSOR),
    Mutant("index", "attention_tile.cuh", "n * 16 + lane / 16 * 8 + lane % 8", "n * 16 + lane % 16", TENSOR),
    Mutant("scale", "attention_tile.cuh", "score *= args.scale;", "", TENSOR),
    Mutant("scale", "attention_tile.cuh", "return score * kLog2E;", "return score;", TENSOR),
    Mutant("option", "attention_tile.cuh", "score = soft_cap(score, args.softcap);", "score = args.softcap;", TENSOR),
    Mutant("index", "attention_tile.cuh", "static_cast<float>(j - row.position)",
           "static_cast<float>(j - row.position + 1)", TENSOR),
    Mutant("reduction", "attention_tile.cuh", "max = fmaxf(max, __shfl_xor_sync(kFullWarp, max, 2));", "", TENSOR),
    Mutant("scale", "attention_tile.cuh", "state.out[n][2 * h + 1] *= keep;", "", TENSOR),
    Mutant("scale", "attention_tile.cuh", "fmaf(state.sum[h], keep, sum)", "state.sum[h] + sum", TENSOR),
    Mutant("reduction", "attention_tile.cuh", "state.sum[h] += __shfl_xor_sync(kFullWarp, state.sum[h], 1);", "",
           TENSOR),
    # Prefill.
    Mutant("barrier", "attention_prefill.cu", "      wait_copies<1>();", "", TENSOR),
    Mutant("barrier", "attention_prefill.cu", "    __syncthreads();\n    const T* const keys",
           "    const T* const keys", TENSOR),
    Mutant("barrier", "attention_prefill.cu", "    __syncthreads();  // before the page is overwritten", "", TENSOR),
    Mutant("index", "attention_prefill.cu", "kv_head * group + r % group}", "kv_head * group}", TENSOR),
    Mutant("mask", "attention_prefill.cu", "if (r < tile.rows * group) rows[h]", "if (r < tile.rows) rows[h]", TENSOR),
    Mutant("index", "attention_prefill.cu", "first_visible(tile.pos0, args.window)",
           "first_visible(last, args.window)", TENSOR),
    Mutant("scale", "attention_prefill.cu", "args.sinks[rows[h].head] * kLog2E", "args.sinks[rows[h].head]", TENSOR),
    # Decode.
    Mutant("index", "attention_decode.cu", "return head0 + r % heads;", "return head0;", TENSOR),
    Mutant("index", "attention_decode.cu", "return item->row[r / heads];", "return item->row[0];", TENSOR),
    Mutant("mask", "attention_decode.cu", ".first <= item.split;", ".first < item.split;", TENSOR),
    Mutant("barrier", "attention_decode.cu", "  __syncthreads();\n  TileRow rows[2];", "  TileRow rows[2];", TENSOR),
    Mutant("barrier", "attention_decode.cu",
           "    weigh(state, scores, args, rows, p * kPage);\n    wait_copies<0>();",
           "    weigh(state, scores, args, rows, p * kPage);", TENSOR),
    Mutant("barrier", "attention_decode.cu", "  __syncthreads();\n\n  const T* const all", "  const T* const all", TENSOR),
    Mutant("barrier", "attention_decode.cu", "    __syncwarp();\n    fetch_page<T, v_size>", "    fetch_page<T, v_size>",
           TENSOR, "races"),
    Mutant("barrier", "attention_decode.cu", "    __syncwarp();\n  }\n  join_sums", "  }\n  join_sums", TENSOR, "races"),
    Mutant("unset memory", "attention_decode.cu", "const int last = place.position - p * kPage;",
           "const int last = kPage - 1;", TENSOR),
    Mutant("mask", "attention_decode.cu", "if (part[v_size] == -infinity()) continue;", "", TENSOR),
    Mutant("unset memory", "attention_decode.cu", "for (int s = range.first; s", "for (int s = 0; s", TENSOR),
    Mutant("scale", "attention_decode.cu", "args.sinks[head] * kLog2E", "args.sinks[head]", TENSOR),
    Mutant("index", "split_items.cpp", "(split + 1) * kSplit - 1;", "(split + 1) * kSplit - 2;", INDEX),
    Mutant("index", "split_items.cpp", "split * kSplit <= place.position", "split * kSplit < place.position",
           INDEX + ":" + TENSOR),
    Mutant("index", "split_items.cpp", ".rows < rows_of_item", ".rows <= rows_of_item", INDEX),
    # The general kernel.
    Mutant("mask", "attention_general.cu", "j >= first && j <= last", "j > first && j <= last", GENERAL),
    Mutant("barrier", "attention_general.cu", "    __syncwarp();  // the last page's readers are done", "", GENERAL,
           "races"),
    Mutant("barrier", "attention_general.cu", "    __syncwarp();\n    const int64_t begin", "    const int64_t begin",
           GENERAL),
    Mutant("scale", "attention_general.cu", "float value = out[i] * keep;", "float value = out[i];", GENERAL),
    Mutant("scale", "attention_general.cu", "args.sinks != nullptr ? 1.0f : 0.0f", "0.0f", GENERAL),
    Mutant("mask", "attention_general.cu", "first > p * kPage ? first - p * kPage : 0", "0", GENERAL,
           equivalent="a slot before the window weighs exp(-infinity) = 0, its value was written by the path and is "
                      "finite, and fma(0, v, x) = x: the bound saves work and changes nothing"),
    # Index mathematics.
    Mutant("index", "index.h", "(head * kPage + slot) * at.v_size;", "(head * kPage + slot) * at.k_size;",
           INDEX + ":" + QKV),
    Mutant("index", "index.h", "position - window + 1", "position - window", INDEX + ":" + GENERAL),
    Mutant("index", "index.h", "(row * heads + head) * splits", "(row * heads) * splits", INDEX + ":" + TENSOR),
    Mutant("index", "index.h", "1 : kTileRows / group;", "1 : kTileRows / group + 1;", INDEX + ":" + TENSOR),
    # Queries and keys on their way in.
    Mutant("sign", "qkv.cu", "first = fmaf(a, c, -(b * s));", "first = fmaf(a, c, b * s);", QKV),
    Mutant("index", "qkv.cu", "args.rope_sin[position * half + pair]", "args.rope_sin[pair]", QKV),
    Mutant("index", "qkv.cu", "const int64_t slot = position % kPage;\n  for",
           "const int64_t slot = (position + 1) % kPage;\n  for", QKV),
    Mutant("index", "qkv.cu", "args.q_scale[position]", "args.q_scale[t]", QKV),
    Mutant("index", "qkv.cu", "if (slot >= copy.positions) continue;", "if (slot > copy.positions) continue;", QKV),
    Mutant("barrier", "qkv.cu", "  if (half == 0) return;\n  __syncthreads();", "  if (half == 0) return;", QKV),
    Mutant("scale", "qkv.cu", "warp_sum(squares) / size + spec.norm.eps", "warp_sum(squares) / size", QKV),
    # Norms and reductions.
    Mutant("scale", "norm.cu", "block_sum<kThreads / 32>(squares) / static_cast<float>(width)",
           "block_sum<kThreads / 32>(squares) / static_cast<float>(width + 1)", ROWS),
    Mutant("barrier", "math.cuh", "  __syncthreads();  // the last call's readers are done\n", "", ROWS),
    Mutant("barrier", "math.cuh", "  __syncthreads();\n  float sum = 0;", "  float sum = 0;", ROWS),
    Mutant("ties", "math.cuh", "b.value == a.value && b.id < a.id", "b.value == a.value && b.id > a.id", ROWS),
    Mutant("scale", "math.cuh", "0.044715f", "0.04475f", ROWS),
    # The head.
    Mutant("ties", "head.cu", "values[i] == best.value && id > best.id", "values[i] == best.value && id >= best.id",
           HEAD),
    Mutant("index", "head.cu", "{logit, first_id + column}", "{logit, column}", HEAD),
    Mutant("barrier", "head.cu", "  __syncthreads();  // the last call's readers are done\n", "", HEAD),
    Mutant("bounds", "head.cu", "begin + column >= args.logits.width", "begin + column > args.logits.width", HEAD,
           "bounds"),
    # Sampling.
    Mutant("barrier", "sample.cu", "  __syncthreads();\n  return found[0];", "  return found[0];", SAMPLE),
    Mutant("barrier", "sample.cu", "  __syncthreads();  // the last call's readers are done\n", "", SAMPLE, "races"),
    Mutant("ties", "sample.cu", "(cut.count - last.count) * last.mass", "last.mass", SAMPLE),
    Mutant("index", "sample.cu", "low += static_cast<uint32_t>(part.bin) << shift;",
           "low += static_cast<uint32_t>(part.bin);", SAMPLE),
    Mutant("mask", "sample.cu", "target - (by_count ? at.count : at.before)", "target - at.before", SAMPLE),
    # Mixture of experts.
    Mutant("barrier", "moe.cu", "    if (lane == 0) scores[g] = score;\n  }\n  __syncwarp();",
           "    if (lane == 0) scores[g] = score;\n  }", ROUTE),
    Mutant("index", "moe.cu", "choice[id] = -infinity();", "", ROUTE),
    Mutant("scale", "moe.cu", "chosen[j] = score[id];", "chosen[j] = choice[id];", ROUTE),
    Mutant("index", "rows.cu", "weights[t * chosen + j], results", "weights[t * chosen], results", ROWS),
    # Rows, element by element.
    Mutant("scale", "rows.cu", "fmaf(alpha, delta.data[t * delta.stride + d], to)",
           "to + delta.data[t * delta.stride + d]", ROWS),
    Mutant("sign", "rows.cu", "-spec.clamp_limit", "spec.clamp_limit", ROWS),
    Mutant("index", "rows.cu", "rows[t] * x.stride", "t * x.stride", ROWS),
    Mutant("bounds", "rows.cu", "d < x.width ? x.data[t * x.stride + d] : 0.0f", "x.data[t * x.stride + d]", PRODUCTS,
           "bounds"),
    Mutant("index", "rows.cu", "p.row * logits.stride + p.column", "p.row * logits.stride + p.column + 1", HEAD),
    # Products with stored weights.
    Mutant("barrier", "matmul.cu", "    __syncthreads();  // the last columns have been read\n", "", PRODUCTS),
    Mutant("index", "matmul.cu", "multiply<Bf16>(sums[n], left[1], right[2], right[3]);",
           "multiply<Bf16>(sums[n], left[1], right[3], right[2]);", PRODUCTS),
    Mutant("bounds", "matmul.cu", "output0 + own_row < args.w.rows", "output0 + own_row <= args.w.rows", PRODUCTS,
           "bounds"),
    Mutant("option", "matmul.cu", "args.accumulate ? to + value : value", "value", PRODUCTS),
    # Stored values.
    Mutant("scale", "stored.cu", "at + values[j] : scale * values[j]", "at + values[j] : values[j]", STORED),
    Mutant("scale", "codec.cuh", "(low4 | high2 << 4) - 32);\n    const uint8_t* const q",
           "(low4 | high2 << 4) - 31);\n    const uint8_t* const q", STORED),
    Mutant("index", "codec.cuh", "(packed[i - 4] >> 6) << 4", "(packed[i - 3] >> 6) << 4", STORED),
    Mutant("index", "codec.cuh", "static_cast<int8_t>(b[192 + g])", "static_cast<int8_t>(b[192 + g / 2])", STORED),
    Mutant("index", "codec.cuh", "word_at(b + 2) >> (group % 2 * 16)", "word_at(b + 2) >> (group % 2 * 15)", STORED),
    # Decode steps as graphs.
    Mutant("stale", "step_graphs.cpp",
           "  if (memory_ != runtime_.memory_changes()) clear();\n  memory_ = runtime_.memory_changes();\n  const auto",
           "  memory_ = runtime_.memory_changes();\n  const auto", GRAPHS),
    Mutant("stale", "step_frame.cpp", ".variant = step.variant,", "", GRAPHS),
    Mutant("mask", "step_frame.cpp", "{.position = -1}", "{.position = 0}", GRAPHS),
    Mutant("mask", "qkv.cu", "  if (place.position < 0) return;  // the whole block\n", "", GRAPHS),
]
