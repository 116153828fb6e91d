// SPDX-License-Identifier: MIT
// Memory, weights and the ops that are one launch each.
#include "kernels/cuda/backend.h"

#include <algorithm>

#include "base/error.h"
#include "kernels/cuda/rooms.h"

namespace keju::cuda {
namespace {

constexpr int64_t kWeightSlot = int64_t{16} << 20;
constexpr int64_t kSmallSlot = int64_t{1} << 20;

const CudaMatrix& own(const Matrix& matrix) { return static_cast<const CudaMatrix&>(matrix); }

NormArgs norm_args(const NormSpec& spec) {
  return {spec.kind == NormKind::kLayer,
          spec.weight != nullptr ? spec.weight->data : nullptr,
          spec.bias != nullptr ? spec.bias->data : nullptr,
          spec.eps,
          spec.one_plus_weight};
}

}  // namespace

CudaBackend::CudaBackend(std::unique_ptr<Runtime> runtime, bool exact, bool graphs)
    : runtime_(std::move(runtime)),
      exact_(exact),
      graphs_on_(graphs),
      device_(runtime_->facts()),
      weights_ring_(*runtime_, Stream::kCopy, kWeightSlot),
      small_ring_(*runtime_, Stream::kCompute, kSmallSlot),
      frame_(*runtime_),
      graphs_(*runtime_),
      ids_(*runtime_),
      rounded_(*runtime_),
      expanded_(*runtime_),
      staged_(*runtime_),
      partials_(*runtime_),
      head_(*runtime_),
      head_out_(*runtime_),
      picks_(*runtime_),
      samples_(*runtime_),
      experts_(*runtime_),
      route_(*runtime_) {
  if (device_.major < 8) {
    throw fail(Code::kUnsupported,
               "cuda: {}: found compute capability {}.{}, need 8.0 or later",
               device_.name,
               device_.major,
               device_.minor);
  }
}

CudaBackend::~CudaBackend() = default;

void CudaBackend::reserve(const RoomSizes& sizes) {
  weights_ring_.reserve();
  small_ring_.reserve();
  ids_.bytes(sizes.ids);
  rounded_.bytes(sizes.rounded);
  expanded_.bytes(sizes.expanded);
  partials_.bytes(sizes.partials);
  head_.bytes(sizes.head);
  head_out_.bytes(sizes.head_out);
  picks_.bytes(sizes.picks);
  samples_.bytes(sizes.samples);
  experts_.bytes(sizes.experts);
  route_.bytes(sizes.route);
  if (tables_memory_.bytes() < sizes.tables) {
    tables_key_.clear();
    tables_memory_.reset();
    tables_memory_ = Memory(*runtime_, sizes.tables);
  }
  frame_.reserve(sizes.frame);
}

BackendFacts CudaBackend::facts() const {
  BackendFacts facts;
  facts.name = "cuda";
  facts.device = device_.name;
  facts.isa = "sm_" + std::to_string(device_.major) + std::to_string(device_.minor);
  facts.numeric_mode = std::string(exact_           ? "cuda-exact-f32-r1-"
                                   : expand_blocks_ ? "cuda-native-expanded-r1-"
                                                    : "cuda-native-r1-") +
                       facts.isa;
  facts.graphs = graphs_on_ ? "on" : "off";
  return facts;
}

// -- memory ---------------------------------------------------------------------------------------

std::unique_ptr<Matrix> CudaBackend::make_matrix(const MatrixSource& source) {
  const bool block = keju::facts(source.dtype).block_elems > 1;
  auto matrix = block && expand_blocks_
                    ? make_expanded(source)
                    : std::make_unique<CudaMatrix>(*runtime_, weights_ring_, source);
  if (!exact_ && native_ == DType::kF32 && source.dtype != DType::kF32) {
    native_ = source.dtype == DType::kF16 ? DType::kF16 : DType::kBF16;
  }
  return matrix;
}

// Some rows at a time: through the ring as stored, expanded to float32, rounded to BF16.
std::unique_ptr<CudaMatrix> CudaBackend::make_expanded(const MatrixSource& source) {
  const int64_t cols = source.cols;
  auto matrix = std::make_unique<CudaMatrix>(*runtime_, DType::kBF16, source.rows(), cols);
  const int64_t stored = row_bytes(source.dtype, cols);
  const int64_t slice = expand_rows(source.rows(), cols);
  std::byte* const staged = staged_.bytes(slice * stored);
  float* const expanded = expanded_.of<float>(slice * cols);
  int64_t to = 0;
  for (const MatrixSource::Piece& piece : source.pieces) {
    for (int64_t begin = 0; begin < piece.rows; begin += slice) {
      const int64_t rows = std::min(slice, piece.rows - begin);
      const std::byte* const from = piece.data + begin * piece.row_stride_bytes;
      weights_ring_.send_rows(staged, from, rows, stored, piece.row_stride_bytes);
      weights_ring_.flush();
      const StoredRows part{
          reinterpret_cast<const uint8_t*>(staged), source.dtype, rows, cols, stored};
      cuda::expand(stream(), part, expanded);
      done("expand");
      cuda::round_rows(stream(), {expanded, rows, cols, cols}, DType::kBF16, matrix->row(to), cols);
      done("round_rows");
      // The next rows may not come before these have been read.
      const Event read = runtime_->record(Stream::kCompute);
      runtime_->make_wait(Stream::kCopy, read);
      runtime_->drop(read);
      to += rows;
    }
  }
  return matrix;
}

std::unique_ptr<Vector> CudaBackend::make_vector(std::span<const float> values) {
  return std::make_unique<CudaVector>(*runtime_, weights_ring_, values);
}

std::unique_ptr<KvPages> CudaBackend::make_kv_pages(const KvShape& shape, int64_t pages) {
  return std::make_unique<CudaKvPages>(*runtime_, small_ring_, shape, native_, pages);
}

void CudaBackend::grow_kv_pages(KvPages& kv, int64_t pages) {
  static_cast<CudaKvPages&>(kv).grow(pages);
}

float* CudaBackend::allocate(int64_t elements) {
  const int64_t bytes = std::max<int64_t>(elements, 1) * static_cast<int64_t>(sizeof(float));
  return static_cast<float*>(runtime_->allocate(bytes));
}

void CudaBackend::release(float* memory) {
  if (memory != nullptr) runtime_->release(memory);
}

void CudaBackend::download(const float* device, int64_t elements, float* host) {
  runtime_->copy_to_host(host, device, elements * static_cast<int64_t>(sizeof(float)));
}

void CudaBackend::upload(const float* host, int64_t elements, float* device) {
  small_ring_.send(device, host, elements * static_cast<int64_t>(sizeof(float)));
  small_ring_.flush();
}

// -- steps that repeat ----------------------------------------------------------------------------

void CudaBackend::decode(const GeneratedStep& step, const StepOps& ops) {
  if (!graphs_on_) return ops();
  KEJU_CHECK(!in_step_, "a decode step inside a decode step");
  frame_.fill(step, small_ring_);
  struct InStep {
    explicit InStep(bool& flag) : in(flag) { in = true; }
    ~InStep() { in = false; }
    InStep(const InStep&) = delete;
    InStep& operator=(const InStep&) = delete;
    bool& in;
  } const in_step(in_step_);
  graphs_.run(frame_.shape(), ops);
  const auto drawn = static_cast<int64_t>(std::min(step.drawn.size(), step.segments.size()));
  if (drawn > 0) runtime_->copy_to_host(step.drawn.data(), frame_.drawn(), drawn * 4);
}

const int32_t* CudaBackend::list(std::span<const int32_t> values) {
  return in_step_ ? frame_.list(values) : send(ids_, values);
}

// -- ops ------------------------------------------------------------------------------------------

void CudaBackend::embed(const Matrix& table, std::span<const int32_t> ids, float scale, Rows out) {
  if (ids.empty()) return;
  for (const int32_t id : ids) KEJU_CHECK(id >= 0 && id < table.rows, "token id out of range");
  cuda::embed(stream(), own(table).stored(), list(ids), scale, false, out);
  done("embed");
}

void CudaBackend::add_rows(const Matrix& table, std::span<const int32_t> positions, Rows x) {
  if (positions.empty()) return;
  for (const int32_t p : positions) KEJU_CHECK(p >= 0 && p < table.rows, "position out of range");
  cuda::embed(stream(), own(table).stored(), list(positions), 1.0f, true, x);
  done("add_rows");
}

void CudaBackend::norm(Rows x, const NormSpec& spec, Rows out) {
  cuda::norm(stream(), x, norm_args(spec), out);
  done("norm");
}

void CudaBackend::add(Rows h, Rows delta, float alpha) {
  cuda::add(stream(), h, delta, alpha);
  done("add");
}

void CudaBackend::glu(Rows gate_up, const GluSpec& spec, Rows out) {
  cuda::glu(stream(), gate_up, spec, out);
  done("glu");
}

void CudaBackend::activate(Rows x, Activation activation) {
  cuda::activate(stream(), x, activation);
  done("activate");
}

void CudaBackend::sigmoid_scale(Rows x, Rows gate) {
  cuda::sigmoid_scale(stream(), x, gate);
  done("sigmoid_scale");
}

void CudaBackend::zero(Rows x) {
  cuda::zero(stream(), x);
  done("zero");
}

void CudaBackend::gather(Rows x, std::span<const int32_t> rows, Rows out) {
  if (rows.empty()) return;
  cuda::gather(stream(), x, list(rows), static_cast<int64_t>(rows.size()), out);
  done("gather");
}

// -- products -------------------------------------------------------------------------------------

void CudaBackend::linear(Rows x, const Matrix& w, const Vector* bias, bool accumulate, Rows out) {
  multiply(x, own(w).stored(), bias != nullptr ? bias->data : nullptr, accumulate, out);
}

void CudaBackend::multiply(
    Rows x, const StoredRows& w, const float* bias, bool accumulate, Rows out) {
  if (x.count == 0) return;
  const bool plain = w.dtype == DType::kF32 || w.dtype == DType::kF16 || w.dtype == DType::kBF16;
  if (w.dtype == DType::kF32 || (plain && !exact_)) {
    return multiply_plain(x, w, bias, accumulate, out);
  }
  if (!exact_) {
    cuda::matmul(stream(), {x, w, bias, accumulate, out});
    return done("matmul");
  }
  // Exact: the stored weights as float32, some rows at a time. Rows are outputs: the cut changes
  // no bit.
  const int64_t slice = expand_rows(w.rows, w.cols);
  float* const expanded = expanded_.of<float>(slice * w.cols);
  for (int64_t begin = 0; begin < w.rows; begin += slice) {
    StoredRows part = w;
    part.data += begin * w.row_bytes;
    part.rows = std::min(slice, w.rows - begin);
    cuda::expand(stream(), part, expanded);
    done("expand");
    const StoredRows floats{
        reinterpret_cast<const uint8_t*>(expanded), DType::kF32, part.rows, w.cols, w.cols * 4};
    Rows columns = out;
    columns.data += begin;
    columns.width = part.rows;
    multiply_plain(x, floats, bias != nullptr ? bias + begin : nullptr, accumulate, columns);
  }
}

void CudaBackend::multiply_plain(
    Rows x, const StoredRows& w, const float* bias, bool accumulate, Rows out) {
  GemmCall call;
  call.m = x.count;
  call.n = w.rows;
  call.k = w.cols;
  call.type = w.dtype;
  call.x = x.data;
  call.x_stride = x.stride;
  call.w = w.data;
  call.bias = bias;
  call.accumulate = accumulate;
  call.out = out.data;
  call.out_stride = out.stride;
  if (w.dtype != DType::kF32) {
    call.x_stride = rounded_stride(w.cols);
    uint16_t* const rounded = rounded_.of<uint16_t>(x.count * call.x_stride);
    cuda::round_rows(stream(), x, w.dtype, rounded, call.x_stride);
    done("round_rows");
    call.x = rounded;
  }
  runtime_->gemm(call);
}

}  // namespace keju::cuda
