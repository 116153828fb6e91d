// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/dtype.h"

// The lower seam: every op that a model needs, on raw pointers and sizes. Above it nobody knows
// which device runs. kernels/cpu is the definition of right; any other backend is compared with it.
//
// Shape letters: T rows of a step, D width, H query heads, K kv heads, E head size, F feed-forward
// width, V vocabulary, R rows that need logits.
//
// What every backend promises (engine tests hold each of them bitwise):
//   - a row's results depend on (weights, op, that row's inputs, its absolute position, the keys
//   and
//     values of its own path), never on which other rows stand in the step, on T or on threads;
//   - each output element sums over its inner dimension in one ascending order;
//   - exact mode on x86-64 is one arithmetic: f32 with fused multiply-add in the order stated at
//     each op, own exp/tanh/erf, 16-lane reductions, so plain, AVX2 and AVX-512 agree bit for bit.
//
// Threads: one thread calls a backend at a time. Errors: Error(kDevice), Error(kUnsupported).
namespace keju {

inline constexpr int kPagePositions =
    64;  // positions per KV page; page p of a path holds [64p, 64p+64)

// Rows of activations on the device, in the backend's activation type (f32 on the CPU).
struct Rows {
  float* data = nullptr;
  int64_t count = 0;   // T
  int64_t width = 0;   // elements used of each row
  int64_t stride = 0;  // elements from one row to the next, >= width
};

// The same rows seen as heads: element e of head h of row t is data[t*row_stride + h*head_stride +
// e].
struct Heads {
  float* data = nullptr;
  int64_t heads = 0;
  int64_t size = 0;
  int64_t row_stride = 0;
  int64_t head_stride = 0;
};

// A weight matrix [rows, cols] on the device, in a layout of the backend's own choosing.
class Matrix {
 public:
  virtual ~Matrix() = default;
  int64_t rows = 0;  // outputs, N
  int64_t cols = 0;  // inputs, K
  DType dtype = DType::kF32;
  int64_t resident_bytes = 0;
};

// Where a matrix comes from: pieces of rows in host memory (usually a mapped file), in order.
// Pieces let fused or grouped checkpoint tensors be taken apart and put together without a copy.
struct MatrixSource {
  struct Piece {
    const std::byte* data = nullptr;  // first row
    int64_t rows = 0;
    int64_t row_stride_bytes = 0;
  };
  DType dtype = DType::kF32;
  int64_t cols = 0;
  std::vector<Piece> pieces;
  int64_t rows() const {
    int64_t total = 0;
    for (const Piece& piece : pieces) total += piece.rows;
    return total;
  }
};

// A small f32 vector on the device (norm weights, biases, tables).
class Vector {
 public:
  virtual ~Vector() = default;
  int64_t size = 0;
  const float* data = nullptr;  // device memory
};

struct PageCopy {
  int32_t from = 0, to = 0;  // page ids
  int32_t positions = 0;     // 1 to 63
};

enum class NormKind { kRms, kLayer };

struct NormSpec {
  NormKind kind = NormKind::kRms;
  const Vector* weight = nullptr;  // [D]; null: all ones
  const Vector* bias = nullptr;    // [D] or null
  float eps = 1e-5f;
  bool one_plus_weight = false;  // scale by 1 + weight (Gemma)
};

enum class Activation { kSilu, kGeluTanh, kGeluErf, kRelu, kRelu2, kGeluQuick };

struct GluSpec {
  Activation activation = Activation::kSilu;
  // gpt-oss: gate is clamped to (-inf, limit], up to [-limit, limit], and the result is
  // gate·sigmoid(alpha·gate)·(up + 1). Off when limit is 0.
  float clamp_limit = 0;
  float sigmoid_alpha = 0;
};

enum class RopeStyle {
  kHalf,         // pairs (i, i + dim/2), as Hugging Face's rotate_half
  kInterleaved,  // pairs (2i, 2i + 1)
};

struct HeadNormSpec {
  enum class Scope {
    kNone,
    kHead,
    kRow
  };  // statistics over one head, or over all heads of the row
  Scope scope = Scope::kNone;
  NormSpec norm;  // weight of E elements (shared by heads) or heads·E
};

// What stands between the QKV projections and attention, in this order: QK-norm, rotary embedding
// (or the other way round), scaling of q, scatter of k and v into their pages.
struct QkvSpec {
  HeadNormSpec q_norm{}, k_norm{};
  bool norm_after_rope = false;
  RopeStyle rope_style = RopeStyle::kHalf;
  int64_t rope_offset = 0;           // first rotated element of a head
  int64_t rope_dim = 0;              // rotated elements; 0: no rotary embedding
  const Vector* rope_cos = nullptr;  // [positions, rope_dim/2]
  const Vector* rope_sin = nullptr;
  const Vector* q_scale = nullptr;  // [positions], multiplies q (log-n attention) or null
};

// The keys and values of all layers, in pages. Layout is the backend's own; fresh pages hold zeros.
struct KvShape {
  int64_t layers = 0;
  int64_t kv_heads = 0;
  int64_t k_size = 0;  // E of keys (and queries)
  int64_t v_size = 0;  // E of values
  // Layers may differ (hybrid head sizes): when not empty, one entry per layer overrides the three.
  struct Layer {
    int64_t kv_heads, k_size, v_size;
  };
  std::vector<Layer> per_layer;
};

class KvPages {
 public:
  virtual ~KvPages() = default;
  KvShape shape;
  int64_t pages = 0;       // capacity
  int64_t page_bytes = 0;  // of all layers together
};

// A run of rows of one path at consecutive positions. Row row0+i stands at position pos0+i and sees
// positions [0, pos0+i] of its path (or the last `window` of them).
struct Segment {
  int32_t row0 = 0;
  int32_t rows = 0;
  int32_t pos0 = 0;
  const int32_t* pages =
      nullptr;             // host; page ids of the path, entry p for positions [64p, 64p+64)
  bool generated = false;  // rows of the decode role (see engine: kernels by role)
};

struct AttentionSpec {
  int64_t layer = 0;
  float scale = 1;
  float softcap = 0;              // cap·tanh(score/cap); 0: off
  int64_t window = 0;             // keys at positions > pos - window; 0: all
  const Vector* alibi = nullptr;  // [H] slopes: score += slope·(j - pos) or null
  const Vector* sinks = nullptr;  // [H] extra logit in each softmax, without a value, or null
};

struct RouteSpec {
  enum class Score { kSoftmax, kSigmoid };
  Score score = Score::kSoftmax;
  bool softmax_after_topk = false;  // gpt-oss: softmax over the chosen logits
  int64_t experts = 0;
  int64_t chosen = 0;                  // k
  bool normalise = false;              // divide the chosen weights by their sum (+1e-20)
  float scale = 1;                     // multiplies the chosen weights
  const Vector* correction = nullptr;  // [E] added for choosing only (DeepSeek-V3) or null
  int64_t groups = 1;                  // experts in equal groups; only topk_groups groups are open
  int64_t topk_groups = 1;
  bool group_score_top2 = false;  // a group's score: sum of its two best, else its best
};

struct ExpertWeights {
  std::vector<const Matrix*> gate_up;       // per expert [2F, D], gate rows first
  std::vector<const Matrix*> down;          // per expert [D, F]
  std::vector<const Vector*> gate_up_bias;  // per expert or empty
  std::vector<const Vector*> down_bias;
};

struct HeadSpec {
  float scale = 1;               // logits *= scale
  float softcap = 0;             // then cap·tanh(logit/cap)
  const Vector* bias = nullptr;  // [V], added before the scale
  int top = 0;                   // how many best (id, logit) pairs to return per row
};

struct HeadRow {
  double log_sum_exp = 0;  // over the whole vocabulary
  int32_t best_id = 0;     // lowest id among equal logits
  float best_logit = 0;
  std::vector<float> wanted;                   // logits of the ids asked for, in their order
  std::vector<std::pair<int32_t, float>> top;  // descending logit, ties by lower id
};

// How the token after a row is chosen.
struct SampleRule {
  int32_t row = 0;         // of the rows given
  double temperature = 0;  // 0: the best token, the lowest id among equals, whatever stands below
  int64_t top_k = 0;       // 0: all
  double top_p = 1;
  double min_p = 0;
  double draw = 0;  // in [0, 1)
};

struct BackendFacts {
  std::string name;          // "cpu", "cuda"
  std::string device;        // the processor's or card's own name
  std::string isa;           // "plain", "avx2", "avx512", …
  std::string numeric_mode;  // part of a run's identity: equal text means equal bits
  int threads = 1;
  // "on", "off": whether decode() repeats whole steps; "" where there is no such.
  std::string graphs;
};

// A step of generated rows, one for each text that goes on by a token, as Backend::decode wants it.
// Steps of one owner, kv and variant ask for the same ops with the same arguments, but for what
// stands in the lists and segments, for the number of rows, and for memory given back in between.
struct GeneratedStep {
  const void* owner = nullptr;
  const KvPages* kv = nullptr;
  int64_t variant = 0;
  int64_t rows = 0;           // of activations: decode_rows(segments); those past the segments' are
                              // computed like any, mean nothing and touch no page
  int64_t heads_per_key = 1;  // H / K
  std::span<const Segment> segments;  // of one row each, generated
  // All that the ops read from the host besides, each of `rows` elements or empty: token ids, their
  // positions, rows to gather.
  std::array<std::span<const int32_t>, 3> lists{};
  // For ops that end with sample(): its rules, one a row, with row i's at i; where the chosen
  // tokens come to; and V. Otherwise empty.
  std::span<const SampleRule> rules;
  std::span<int32_t> drawn;
  int64_t vocabulary = 0;
};

class Backend {
 public:
  virtual ~Backend() = default;
  virtual BackendFacts facts() const = 0;

  // -- memory ---------------------------------------------------------------------------------
  virtual std::unique_ptr<Matrix> make_matrix(const MatrixSource& source) = 0;
  virtual std::unique_ptr<Vector> make_vector(std::span<const float> values) = 0;
  virtual std::unique_ptr<KvPages> make_kv_pages(const KvShape& shape, int64_t pages) = 0;
  // Grows to at least `pages`, keeping contents and ids.
  virtual void grow_kv_pages(KvPages& kv, int64_t pages) = 0;
  // Copies of the first positions of pages within one layer, done in the order given: a branch of
  // the token trie takes over the part-filled page of its parent, after the parent's rows are
  // written.
  virtual void copy_pages(KvPages& kv, int64_t layer, std::span<const PageCopy> copies) = 0;
  virtual float* allocate(int64_t elements) = 0;  // activations
  virtual void release(float* memory) = 0;
  virtual void download(const float* device, int64_t elements, float* host) = 0;
  virtual void upload(const float* host, int64_t elements, float* device) = 0;

  // -- steps that repeat ------------------------------------------------------------------------
  // Rows of activations that a step of `rows` generated ones is made up to.
  virtual int64_t decode_rows(int64_t rows) const { return rows; }

  // Runs `ops`, which asks for all ops of the step, and waits for what step.drawn is to hold. Where
  // an earlier step of the kind is at hand, its work may be done again on this step's lists,
  // segments and rules instead, without a call of `ops`. Nothing in `ops` waits for the device or
  // brings it anything but those: no head, logits, download, upload, route or copy_pages.
  using StepOps = std::function<void()>;
  virtual void decode(const GeneratedStep&, const StepOps& ops) { ops(); }

  // -- ops ------------------------------------------------------------------------------------
  // out[t] = scale · table[ids[t]].  table [V, D], out [T, D].
  virtual void embed(const Matrix& table, std::span<const int32_t> ids, float scale, Rows out) = 0;

  // x[t] += table[positions[t]].  table [positions, D].
  virtual void add_rows(const Matrix& table, std::span<const int32_t> positions, Rows x) = 0;

  // kRms:   out[d] = x[d] / sqrt(mean(x²) + eps) · w[d]
  // kLayer: out[d] = (x[d] - mean) / sqrt(mean((x - mean)²) + eps) · w[d] + b[d]
  // Sums: lane l of 16 adds elements l, l+16, … in order by fma; lanes fold by halves (8, 4, 2, 1).
  // out may be x.
  virtual void norm(Rows x, const NormSpec& spec, Rows out) = 0;

  // h += alpha · delta.
  virtual void add(Rows h, Rows delta, float alpha) = 0;

  // out[t, n] = (accumulate ? out[t, n] : bias ? bias[n] : 0) then, for k ascending,
  // fma(x[t, k], w[n, k], ·). The weights are expanded to f32 exactly as expand_row does.
  virtual void linear(Rows x, const Matrix& w, const Vector* bias, bool accumulate, Rows out) = 0;

  // See QkvSpec. q [T, H, E] is changed in place; k (K heads) and v go to the pages of `layer`.
  // k_shared: one head that is appended to every key (MLA's rotary part), or data == nullptr.
  virtual void qkv_post(Heads q,
                        Heads k,
                        Heads k_shared,
                        Heads v,
                        const QkvSpec& spec,
                        std::span<const Segment> segments,
                        int64_t layer,
                        KvPages& kv) = 0;

  // out[t, h] = softmax over the visible positions j of (q·k_j·scale, soft-capped, biased) times
  // v_j. Scores sum over E ascending; the maximum is taken first; exp sums in 16 lanes by j mod 16;
  // values add in ascending j. out [T, H·v_size]; rows in no segment stay as they are.
  virtual void attention(Heads q,
                         const KvPages& kv,
                         const AttentionSpec& spec,
                         std::span<const Segment> segments,
                         Rows out) = 0;

  // out[t, f] = act(gate_up[t, f]) · gate_up[t, F + f].  gate_up [T, 2F], out [T, F].
  virtual void glu(Rows gate_up, const GluSpec& spec, Rows out) = 0;
  // out = glu(linear(x, gate_up, bias)), bit for bit. `wide` [T, 2F] is room for what stands
  // between the two; a backend that does not need it leaves it alone.
  virtual void linear_glu(
      Rows x, const Matrix& gate_up, const Vector* bias, const GluSpec& spec, Rows wide, Rows out) {
    linear(x, gate_up, bias, /*accumulate=*/false, wide);
    glu(wide, spec, out);
  }
  virtual void activate(Rows x, Activation activation) = 0;

  // logits [T, experts] → ids, weights: host arrays [T·chosen]. Ties go to the lower id; chosen
  // experts stand in descending order of score.
  virtual void route(Rows logits,
                     const RouteSpec& spec,
                     std::span<int32_t> ids,
                     std::span<float> weights) = 0;

  // out[t] += Σ_j weights[t, j] · down_e(glu(gate_up_e(x[t]))), j ascending, e = ids[t, j].
  virtual void experts(Rows x,
                       std::span<const int32_t> ids,
                       std::span<const float> weights,
                       const ExpertWeights& experts,
                       const GluSpec& glu,
                       Rows out) = 0;

  // x[t, d] *= sigmoid(gate[t, 0]).  gate [T, 1] (Qwen2-MoE's shared expert).
  virtual void sigmoid_scale(Rows x, Rows gate) = 0;

  // x[t, d] = 0.
  virtual void zero(Rows x) {
    const std::vector<float> zeros(static_cast<size_t>(x.width), 0.0f);
    for (int64_t t = 0; t < x.count; ++t) upload(zeros.data(), x.width, x.data + t * x.stride);
  }

  virtual void gather(Rows x, std::span<const int32_t> rows, Rows out) = 0;

  // Logits of each row of x against all of w [V, D], reduced on the fly: nothing of size [R, V] is
  // stored. wanted[i]: ids to pick for row i. The sum of exponentials runs over tiles of 1,024
  // columns in ascending order: per tile 16 lanes in f32 around the tile's maximum, tiles in
  // double.
  virtual std::vector<HeadRow> head(Rows x,
                                    const Matrix& w,
                                    const HeadSpec& spec,
                                    std::span<const std::vector<int32_t>> wanted) = 0;

  // ids[i] = the token that rules[i] chooses after its row; rules in ascending order of rows. Each
  // token has an integer mass, e^((logit - best)/temperature) in units of 2^-40 (sampling.h); those
  // of mass 0 are out. The others stand in descending order of logit, lower ids first among equals:
  // the first top_k stay; of these, those before which less than top_p of their mass stands; of
  // these, those before the first with less than min_p times the best one's mass; and always the
  // first. The token in which draw · (the mass left) falls is chosen: equal logits and rules give
  // equal ids on every backend. Of a row without a logit above -infinity it is token 0.
  virtual void sample(Rows x,
                      const Matrix& w,
                      const HeadSpec& spec,
                      std::span<const SampleRule> rules,
                      std::span<int32_t> ids) = 0;

  // The logits themselves, [R, V] to host memory, for --logits.
  virtual void logits(Rows x, const Matrix& w, const HeadSpec& spec, float* host) = 0;
};

}  // namespace keju
