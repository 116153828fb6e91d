// SPDX-License-Identifier: MIT
#include "kernels/cpu/w13_backend.h"

#include <algorithm>

namespace keju {

W13Backend::W13Backend(int threads,
                       BackendFacts facts,
                       const CpuKernels& kernels,
                       const W13Kernels& w13)
    : LanesBackend(threads, std::move(facts), kernels), w13_(w13) {}

std::unique_ptr<Matrix> W13Backend::make_matrix(const MatrixSource& source) {
  auto matrix = pack_matrix(source, w13_panel_extra(source.cols));
  const LinearArgs args = args_of(*matrix);
  in_parallel(matrix->panels(), 1, [&](int64_t panel, int64_t, int) {
    std::byte* const end = matrix->data.data() + (panel + 1) * matrix->one_panel;
    w13_.measure(args, panel, reinterpret_cast<float*>(end - w13_panel_extra(source.cols)));
  });
  return matrix;
}

const float* W13Backend::quantise(Rows x, int64_t group) {
  const std::byte* codes = nullptr;
  if (x.count <= kW13DirectRows) {
    const int64_t bytes = w13_row_bytes(x.width);
    codes = in_blocks(x, 1, bytes, 1, x.width, codes_, [&](Rows row, int64_t, int64_t, auto* to) {
      w13_.quantise_row(row.data, row.width, to);
    });
  } else {
    const int64_t bytes = w13_bytes(group, x.width);
    const auto write = [&](Rows part, int64_t begin, int64_t end, std::byte* to) {
      w13_.quantise(part.data, part.stride, part.count, part.width, begin, end, to);
    };
    codes = in_blocks(x, group, bytes, kW13Rows, 2 * kW13Rows * x.width, codes_, write);
  }
  return reinterpret_cast<const float*>(codes);
}

void W13Backend::multiply_few(Rows x, LinearArgs args) {
  args.packed = quantise(x, x.count);
  in_groups((args.n + kPanel - 1) / kPanel, kPanel * args.k / 2, [&](int64_t begin, int64_t end) {
    w13_.direct(args, begin, end);
  });
}

void W13Backend::multiply(Rows x, LinearArgs args) {
  args.packed = quantise(x, x.count);
  // The codes of one group of k and the results are what a pass uses again and again.
  constexpr int64_t kMostPairs = 4;
  const int64_t code_bytes = std::min(w13_units(args.k), kW13GroupUnits) * kW13RowUnit;
  const int64_t per_pass = rows_per_pass(code_bytes + 2 * kMostPairs * kPanel * 4) / kW13Rows;
  const int64_t blocks = w13_blocks(x.count);
  const int64_t passes = (blocks + per_pass - 1) / per_pass;
  const int64_t panels = (args.n + kPanel - 1) / kPanel;
  in_pieces(
      panels, 2, passes, 16, kMostPairs, [&](int64_t pass, int64_t begin, int64_t end, int worker) {
        std::byte* const scratch = worker_scratch(worker).bytes(w13_.scratch_bytes);
        const int64_t from = blocks * pass / passes;
        w13_.tiles(args, from, blocks * (pass + 1) / passes, begin, end, scratch);
      });
}

void W13Backend::prepare_head(Rows x, const Matrix&) { head_codes_ = quantise(x, kHeadRows); }

void W13Backend::head_tile(Rows x, const Matrix& w, const HeadSpec& spec, const LogitTile& tile) {
  LinearArgs args = head_args(w, spec, tile);
  const auto* const codes = reinterpret_cast<const std::byte*>(head_codes_);
  const int64_t before = tile.row0 / kHeadRows * w13_bytes(kHeadRows, x.width);
  args.packed = reinterpret_cast<const float*>(codes + before);
  const int64_t first_panel = tile.begin / kPanel;
  const int64_t last_panel = (tile.end + kPanel - 1) / kPanel;
  if (x.count <= kW13DirectRows) {
    w13_.direct(args, first_panel, last_panel);
  } else {
    std::byte* const scratch = worker_scratch(tile.worker).bytes(w13_.scratch_bytes);
    w13_.tiles(args, 0, w13_blocks(tile.rows), first_panel, last_panel, scratch);
  }
  finish_logits(spec, tile);
}

}  // namespace keju
