// SPDX-License-Identifier: MIT
#include "kernels/cpu/w16_backend.h"

#include <algorithm>

namespace keju {

W16Backend::W16Backend(int threads,
                       BackendFacts facts,
                       const CpuKernels& kernels,
                       const W16Kernels& w16,
                       const W16FewKernels& few)
    : LanesBackend(threads, std::move(facts), kernels), w16_(w16), few_(few) {}

std::unique_ptr<Matrix> W16Backend::make_matrix(const MatrixSource& source) {
  auto matrix = pack_matrix(source, w16_panel_extra(source.cols));
  const LinearArgs args = args_of(*matrix);
  in_parallel(matrix->panels(), 1, [&](int64_t panel, int64_t, int) {
    std::byte* const end = matrix->data.data() + (panel + 1) * matrix->one_panel;
    w16_.measure(args, panel, reinterpret_cast<float*>(end - w16_panel_extra(source.cols)));
  });
  return matrix;
}

const std::byte* W16Backend::quantise(Rows x, int64_t group) {
  const int64_t bytes = w16_bytes(group, x.width);
  const auto write = [&](Rows part, int64_t begin, int64_t end, std::byte* to) {
    w16_.quantise(part.data, part.stride, part.count, part.width, begin, end, to);
  };
  return in_blocks(x, group, bytes, kW16Rows, 2 * kW16Rows * x.width, codes_, write);
}

const std::byte* W16Backend::quantise_few(Rows x) {
  std::byte* const to = codes_.bytes(x.count * w16_few_bytes(x.width));
  few_.quantise(x.data, x.stride, x.count, x.width, to);
  return to;
}

void W16Backend::multiply(Rows x, LinearArgs args) {
  args.packed = reinterpret_cast<const float*>(quantise(x, x.count));
  // The codes of one group of k are what a pass reads again and again.
  const int64_t steps = std::min(w16_steps(args.k), kW16GroupSteps);
  const int64_t per_pass = rows_per_pass(steps * 2 * kW16Step) / kW16Rows;
  const int64_t blocks = w16_blocks(x.count);
  const int64_t passes = (blocks + per_pass - 1) / per_pass;
  const int64_t panels = (args.n + kPanel - 1) / kPanel;
  in_pieces(panels, 2, passes, 16, 8, [&](int64_t pass, int64_t begin, int64_t end, int worker) {
    const int64_t from = blocks * pass / passes;
    const int64_t to = blocks * (pass + 1) / passes;
    std::byte* const scratch = worker_scratch(worker).bytes(w16_.scratch_bytes(to - from));
    w16_.tiles(args, from, to, begin, end, scratch);
  });
}

void W16Backend::multiply_few(Rows x, LinearArgs args) {
  args.packed = reinterpret_cast<const float*>(quantise_few(x));
  in_groups((args.n + kPanel - 1) / kPanel, 2 * kPanel * args.k, [&](int64_t begin, int64_t end) {
    few_.multiply(args, begin, end);
  });
}

void W16Backend::prepare_head(Rows x, const Matrix&) {
  head_codes_ = x.count <= kW16FewRows ? quantise_few(x) : quantise(x, kHeadRows);
}

void W16Backend::head_tile(Rows x, const Matrix& w, const HeadSpec& spec, const LogitTile& tile) {
  LinearArgs args = head_args(w, spec, tile);
  const int64_t first_panel = tile.begin / kPanel;
  const int64_t last_panel = (tile.end + kPanel - 1) / kPanel;
  if (x.count <= kW16FewRows) {
    args.packed = reinterpret_cast<const float*>(head_codes_);
    few_.multiply(args, first_panel, last_panel);
    return finish_logits(spec, tile);
  }
  const int64_t before = tile.row0 / kHeadRows * w16_bytes(kHeadRows, x.width);
  args.packed = reinterpret_cast<const float*>(head_codes_ + before);
  const int64_t blocks = w16_blocks(tile.rows);
  std::byte* const scratch = worker_scratch(tile.worker).bytes(w16_.scratch_bytes(blocks));
  w16_.tiles(args, 0, blocks, first_panel, last_panel, scratch);
  finish_logits(spec, tile);
}

}  // namespace keju
