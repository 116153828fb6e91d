// SPDX-License-Identifier: MIT
#include "kernels/cpu/lanes_backend.h"

#include <unistd.h>

#include <algorithm>

#include "base/error.h"
#include "kernels/cpu/panel_layout.h"

namespace keju {
namespace {

// Half of a core's second-level cache, for what a pass reads again and again.
int64_t pass_bytes() {
  static const int64_t bytes = [] {
    const long cache = sysconf(_SC_LEVEL2_CACHE_SIZE);  // 0 where the system does not say
    return std::clamp<int64_t>(cache, 1 << 20, 4 << 20) / 2;
  }();
  return bytes;
}

}  // namespace

int64_t rows_per_pass(int64_t bytes_per_row) {
  return std::max<int64_t>(96, pass_bytes() / std::max<int64_t>(1, bytes_per_row));
}

LinearArgs args_of(const Matrix& matrix) {
  LinearArgs args;
  args.weights = packed(matrix).data.data();
  args.panel_bytes = packed(matrix).one_panel;
  args.dtype = matrix.dtype;
  args.n = matrix.rows;
  args.k = matrix.cols;
  return args;
}

LinearArgs linear_args(
    const Matrix& w, int64_t rows, const Vector* bias, bool accumulate, Rows out) {
  LinearArgs args = args_of(w);
  args.rows = rows;
  args.bias = bias != nullptr ? bias->data : nullptr;
  args.accumulate = accumulate;
  args.out = out.data;
  args.out_stride = out.stride;
  return args;
}

LinearArgs head_args(const Matrix& w, const HeadSpec& spec, const LogitTile& tile) {
  LinearArgs args = linear_args(w, tile.rows, spec.bias, false, {});
  args.n = tile.end;
  args.first_column = tile.begin;
  args.out = tile.out;
  args.out_stride = tile.stride;
  return args;
}

LanesBackend::LanesBackend(int threads, BackendFacts facts, const CpuKernels& kernels)
    : CpuBase(threads, std::move(facts)), kernels_(kernels) {}

std::unique_ptr<Matrix> LanesBackend::make_matrix(const MatrixSource& source) {
  return pack_matrix(source, 0);
}

std::unique_ptr<PackedMatrix> LanesBackend::pack_matrix(const MatrixSource& source,
                                                        int64_t extra_bytes) {
  auto matrix = std::make_unique<PackedMatrix>();
  matrix->rows = source.rows();
  matrix->cols = source.cols;
  matrix->dtype = source.dtype;
  matrix->one_panel = panel_bytes(source.dtype, source.cols) + extra_bytes;
  matrix->data = Buffer(matrix->panels() * matrix->one_panel);
  matrix->resident_bytes = matrix->data.bytes();
  std::vector<const std::byte*> rows;
  rows.reserve(static_cast<size_t>(matrix->panels() * kPanel));
  for (const MatrixSource::Piece& piece : source.pieces) {
    for (int64_t r = 0; r < piece.rows; ++r) {
      rows.push_back(piece.data + r * piece.row_stride_bytes);
    }
  }
  rows.resize(static_cast<size_t>(matrix->panels() * kPanel), nullptr);
  in_parallel(matrix->panels(), 1, [&](int64_t panel, int64_t, int) {
    const std::byte* sources[kPanel];
    std::copy_n(rows.begin() + panel * kPanel, kPanel, sources);
    std::byte* const to = matrix->data.data() + panel * matrix->one_panel;
    pack_panel(matrix->dtype, sources, matrix->cols, to);
  });
  return matrix;
}

void LanesBackend::lookup(
    const Matrix& table, std::span<const int32_t> ids, float scale, bool add, Rows out) {
  const LinearArgs args = args_of(table);
  for (const int32_t id : ids) {
    KEJU_CHECK(id >= 0 && id < table.rows, "row of a table out of range");
  }
  const int64_t count = static_cast<int64_t>(ids.size());
  in_parallel(count, grain_for(table.cols * kPanel), [&](int64_t begin, int64_t end, int worker) {
    float* const scratch = worker_scratch(worker).floats(kChunk * kPanel);
    for (int64_t t = begin; t < end; ++t) {
      const int32_t id = ids[static_cast<size_t>(t)];
      kernels_.expand_one(args, id, scale, add, scratch, out.data + t * out.stride);
    }
  });
}

void LanesBackend::embed(const Matrix& table, std::span<const int32_t> ids, float scale, Rows out) {
  lookup(table, ids, scale, false, out);
}

void LanesBackend::add_rows(const Matrix& table, std::span<const int32_t> positions, Rows x) {
  lookup(table, positions, 1.0f, true, x);
}

void LanesBackend::norm(Rows x, const NormSpec& spec, Rows out) {
  NormArgs args;
  args.spec = spec;
  args.weight = spec.weight != nullptr ? spec.weight->data : nullptr;
  args.bias = spec.bias != nullptr ? spec.bias->data : nullptr;
  in_parallel(x.count, grain_for(4 * x.width), [&](int64_t begin, int64_t end, int) {
    for (int64_t t = begin; t < end; ++t) {
      kernels_.norm_row(x.data + t * x.stride, x.width, args, out.data + t * out.stride);
    }
  });
}

void LanesBackend::add(Rows h, Rows delta, float alpha) {
  in_parallel(h.count, grain_for(h.width), [&](int64_t begin, int64_t end, int) {
    for (int64_t t = begin; t < end; ++t) {
      kernels_.add(h.data + t * h.stride, delta.data + t * delta.stride, alpha, h.width);
    }
  });
}

void LanesBackend::glu(Rows gate_up, const GluSpec& spec, Rows out) {
  in_parallel(gate_up.count, grain_for(8 * out.width), [&](int64_t begin, int64_t end, int) {
    for (int64_t t = begin; t < end; ++t) {
      const float* gate = gate_up.data + t * gate_up.stride;
      kernels_.glu(gate, gate + out.width, spec, out.width, out.data + t * out.stride);
    }
  });
}

void LanesBackend::activate(Rows x, Activation activation) {
  in_parallel(x.count, grain_for(8 * x.width), [&](int64_t begin, int64_t end, int) {
    for (int64_t t = begin; t < end; ++t) {
      kernels_.activate(x.data + t * x.stride, activation, x.width);
    }
  });
}

void LanesBackend::multiply(Rows x, LinearArgs args) {
  args.x = x.data;
  args.x_stride = x.stride;
  const int64_t panels = (args.n + kPanel - 1) / kPanel;
  const int64_t blocks = blocks_of(x.count);
  const int64_t chunk_bytes = tile_chunk(args.k, x.count) * static_cast<int64_t>(sizeof(float));
  const int64_t per_pass = rows_per_pass(chunk_bytes);
  // A pass for each core where there are rows enough: it finds what it made of its rows before.
  const int64_t cores = x.count >= 128 * pool().size() ? pool().size() : 1;
  const int64_t passes = ((x.count + per_pass - 1) / per_pass + cores - 1) / cores * cores;
  const bool gated = args.glu != nullptr;
  const int64_t gated_rows = gated ? x.count / passes + 2 * kernels_.tile_rows : 0;
  const int64_t floats = kernels_.tile_scratch_floats + kernels_.gated_panels * kPanel * gated_rows;
  const int64_t unit = gated ? kernels_.gated_panels : std::max(2, kernels_.tile_panels);
  in_pieces(panels,
            unit,
            passes,
            16,
            8 / unit,
            [&](int64_t pass, int64_t begin, int64_t end, int worker) {
              float* const scratch = worker_scratch(worker).floats(floats);
              const int64_t from = blocks * pass / passes;
              kernels_.linear_tiles(args, from, blocks * (pass + 1) / passes, begin, end, scratch);
            });
}

void LanesBackend::linear(Rows x, const Matrix& w, const Vector* bias, bool accumulate, Rows out) {
  if (x.count == 0) return;
  const LinearArgs args = linear_args(w, x.count, bias, accumulate, out);
  return x.count > few_rows() ? multiply(x, args) : multiply_few(x, args);
}

void LanesBackend::multiply_few(Rows x, LinearArgs args) {
  args.x = x.data;
  args.x_stride = x.stride;
  in_groups((args.n + kPanel - 1) / kPanel, kPanel * args.k, [&](int64_t begin, int64_t end) {
    kernels_.linear_direct(args, begin, end);
  });
}

void LanesBackend::linear_glu(
    Rows x, const Matrix& gate_up, const Vector* bias, const GluSpec& spec, Rows wide, Rows out) {
  if (bias != nullptr || x.count <= few_rows() || !gates_in_tiles() || out.width % kPanel != 0) {
    return Backend::linear_glu(x, gate_up, bias, spec, wide, out);
  }
  LinearArgs args = linear_args(gate_up, x.count, nullptr, false, out);
  args.glu = &spec;
  multiply(x, args);
}

void LanesBackend::prepare_head(Rows, const Matrix&) {}

void LanesBackend::head_tile(Rows x, const Matrix& w, const HeadSpec& spec, const LogitTile& tile) {
  static_assert(kHeadTile % kPanel == 0);
  LinearArgs args = head_args(w, spec, tile);
  args.x = x.data + tile.row0 * x.stride;
  args.x_stride = x.stride;
  const int64_t first_panel = tile.begin / kPanel;
  const int64_t last_panel = (tile.end + kPanel - 1) / kPanel;
  if (tile.rows <= kDirectRows) {
    kernels_.linear_direct(args, first_panel, last_panel);
  } else {
    float* const scratch = worker_scratch(tile.worker).floats(kernels_.tile_scratch_floats);
    kernels_.linear_tiles(args, 0, blocks_of(tile.rows), first_panel, last_panel, scratch);
  }
  finish_logits(spec, tile);
}

void LanesBackend::finish_logits(const HeadSpec& spec, const LogitTile& tile) const {
  for (int64_t r = 0; r < tile.rows; ++r) {
    kernels_.finish_logits(
        tile.out + r * tile.stride, spec.scale, spec.softcap, tile.end - tile.begin);
  }
}

void LanesBackend::add_row(float* row, const float* from, float alpha, int64_t n) {
  kernels_.add(row, from, alpha, n);
}

TileSum LanesBackend::tile_sum(const float* logits, int64_t count) {
  TileSum result;
  kernels_.max_and_sum(logits, count, &result.max, &result.sum);
  return result;
}

void LanesBackend::masses(
    const float* logits, int64_t count, float best, double inverse, uint64_t* out) {
  kernels_.masses(logits, count, best, inverse, out);
}

}  // namespace keju
