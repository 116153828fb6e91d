// SPDX-License-Identifier: MIT
#include "report/report.h"

#include <algorithm>
#include <set>
#include <thread>

#include "base/error.h"
#include "base/mapped_file.h"
#include "base/thread_pool.h"
#include "report/leaderboard.h"
#include "report/print.h"
#include "report/run_view.h"

namespace keju {
namespace {

std::vector<RunView> read_runs(const std::vector<std::filesystem::path>& folders, size_t sample) {
  if (folders.empty()) throw fail(Code::kUsage, "report: found no run folder, need at least one");
  std::set<std::filesystem::path> seen;
  for (const std::filesystem::path& folder : folders) {
    if (!std::filesystem::is_directory(folder)) {
      throw fail(Code::kIo,
                 "{}: found no folder, need a run folder that `keju run` wrote",
                 folder.string());
    }
    if (!seen.insert(std::filesystem::canonical(folder)).second) {
      throw fail(Code::kUsage, "report: {} is named twice", folder.string());
    }
  }
  std::vector<RunView> runs(folders.size());
  const int threads = static_cast<int>(std::clamp<size_t>(
      std::min<size_t>(std::thread::hardware_concurrency(), folders.size()), 1, 16));
  ThreadPool(threads).run(static_cast<int64_t>(folders.size()), [&](int64_t i) {
    const auto at = static_cast<size_t>(i);
    runs[at] = read_run(folders[at], sample);
  });
  return runs;
}

}  // namespace

ReportResult write_report(const std::vector<std::filesystem::path>& runs,
                          const std::filesystem::path& out,
                          const ReportOptions& options) {
  // All is printed before anything is written, so that bad input leaves an older report whole.
  std::vector<RunView> views = read_runs(runs, options.items);
  for (RunView& view : views) {
    const ModelCard* card = options.cards.find(view.model);
    if (card != nullptr) view.price = card->price;
  }
  ReportResult result;
  if (options.blind) result.key = make_blind(views);
  const Leaderboard board = make_leaderboard(views, options, result);
  using File = std::pair<std::filesystem::path, std::string>;
  Pages pages = print_html(board);
  std::vector<File> files = {
      {out / "leaderboard.html", std::move(pages.main)},
      {out / "leaderboard.md", print_markdown(board)},
      {out / "leaderboard.tex", print_latex(board)},
      {out / "leaderboard.json",
       print_json(board).dump(2, ' ', false, Json::error_handler_t::replace) + "\n"},
      {out / "leaderboard.csv", print_csv(board.tables.front())}};
  for (const Table& table : board.tables) {
    // Published tables are quoted: who wants them as data has them in reports/reference.
    if (table.chapter != Chapter::kPublished) {
      files.emplace_back(out / "csv" / (table.id + ".csv"), print_csv(table));
    }
    for (const Chart& chart : table.charts) {
      files.emplace_back(out / "charts" / (chart.id + ".zh.svg"), svg_file(chart, true));
      files.emplace_back(out / "charts" / (chart.id + ".en.svg"), svg_file(chart, false));
    }
  }
  for (auto& [path, content] : pages.companions) files.emplace_back(out / path, std::move(content));
  std::error_code error;
  for (const char* folder : {"csv", "charts", "items"}) {
    std::filesystem::create_directories(out / folder, error);
    if (error) throw fail(Code::kIo, "{}: create: {}", (out / folder).string(), error.message());
  }
  for (const auto& [path, content] : files) {
    write_file_atomically(path, content);
    result.files.push_back(path);
  }
  return result;
}

}  // namespace keju
