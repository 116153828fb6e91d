// SPDX-License-Identifier: MIT
#include "kernels/cpu/fast_backend.h"

#include <algorithm>

#include "kernels/cpu/panel_layout.h"

namespace keju {
namespace {

bool has_codes(const Matrix& w) { return panel_layout(w.dtype).unit > 0; }

int64_t blocks_of_rows(int64_t rows) { return (rows + kFastRows - 1) / kFastRows; }
int64_t code_bytes(int64_t rows, int64_t k) { return blocks_of_rows(rows) * (k / 32) * kFastStep; }

}  // namespace

FastBackend::FastBackend(int threads,
                         BackendFacts facts,
                         const CpuKernels& kernels,
                         const FastKernels& fast)
    : LanesBackend(threads, std::move(facts), kernels), fast_(fast) {}

const std::byte* FastBackend::quantise(Rows x, DType dtype, int64_t group) {
  const int64_t bytes = code_bytes(group, x.width);
  const auto write = [&](Rows part, int64_t begin, int64_t end, std::byte* to) {
    fast_.quantise(part.data, part.stride, part.count, part.width, dtype, begin, end, to);
  };
  return in_blocks(x, group, bytes, kFastRows, 2 * kFastRows * x.width, codes_, write);
}

void FastBackend::linear(Rows x, const Matrix& w, const Vector* bias, bool accumulate, Rows out) {
  if (!has_codes(w)) return LanesBackend::linear(x, w, bias, accumulate, out);
  if (x.count == 0) return;
  LinearArgs args = linear_args(w, x.count, bias, accumulate, out);
  args.packed = reinterpret_cast<const float*>(quantise(x, w.dtype, x.count));
  const int64_t panels = packed(w).panels();
  if (x.count <= kFastDirectRows) {
    in_groups(panels, kPanel * w.cols / 4, [&](int64_t begin, int64_t end) {
      fast_.direct(args, begin, end);
    });
    return;
  }
  constexpr int64_t kRowsPerPass = 192;  // codes are half of floats
  const int64_t blocks = blocks_of_rows(x.count);
  const int64_t passes = (x.count + kRowsPerPass - 1) / kRowsPerPass;
  in_pieces(panels, passes, 6, 4, [&](int64_t pass, int64_t begin, int64_t end, int worker) {
    std::byte* const scratch = worker_scratch(worker).bytes(fast_.scratch_bytes);
    const int64_t from = blocks * pass / passes;
    fast_.tiles(args, from, blocks * (pass + 1) / passes, begin, end, scratch);
  });
}

void FastBackend::linear_glu(
    Rows x, const Matrix& gate_up, const Vector* bias, const GluSpec& spec, Rows wide, Rows out) {
  if (!has_codes(gate_up)) return LanesBackend::linear_glu(x, gate_up, bias, spec, wide, out);
  Backend::linear_glu(x, gate_up, bias, spec, wide, out);
}

void FastBackend::prepare_head(Rows x, const Matrix& w) {
  if (!has_codes(w)) return LanesBackend::prepare_head(x, w);
  head_codes_ = quantise(x, w.dtype, kHeadRows);
}

void FastBackend::head_tile(Rows x, const Matrix& w, const HeadSpec& spec, const LogitTile& tile) {
  if (!has_codes(w)) return LanesBackend::head_tile(x, w, spec, tile);
  LinearArgs args = head_args(w, spec, tile);
  const int64_t before = tile.row0 / kHeadRows * code_bytes(kHeadRows, x.width);
  args.packed = reinterpret_cast<const float*>(head_codes_ + before);
  const int64_t first_panel = tile.begin / kPanel;
  const int64_t last_panel = (tile.end + kPanel - 1) / kPanel;
  if (tile.rows <= kFastDirectRows) {
    fast_.direct(args, first_panel, last_panel);
  } else {
    std::byte* const scratch = worker_scratch(tile.worker).bytes(fast_.scratch_bytes);
    fast_.tiles(args, 0, blocks_of_rows(tile.rows), first_panel, last_panel, scratch);
  }
  finish_logits(spec, tile);
}

}  // namespace keju
