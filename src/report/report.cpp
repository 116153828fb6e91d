// SPDX-License-Identifier: MIT
#include "report/report.h"

#include <set>

#include "base/error.h"
#include "base/mapped_file.h"
#include "report/leaderboard.h"
#include "report/print.h"
#include "report/run_view.h"

namespace keju {
namespace {

std::vector<RunView> read_runs(const std::vector<std::filesystem::path>& folders) {
  if (folders.empty()) throw fail(Code::kUsage, "report: found no run folder, need at least one");
  std::set<std::filesystem::path> seen;
  std::vector<RunView> runs;
  for (const std::filesystem::path& folder : folders) {
    if (!std::filesystem::is_directory(folder)) {
      throw fail(Code::kIo,
                 "{}: found no folder, need a run folder that `keju run` wrote",
                 folder.string());
    }
    if (!seen.insert(std::filesystem::canonical(folder)).second) {
      throw fail(Code::kUsage, "report: {} is named twice", folder.string());
    }
    runs.push_back(read_run(folder));
  }
  return runs;
}

}  // namespace

std::vector<std::filesystem::path> write_report(const std::vector<std::filesystem::path>& runs,
                                                const std::filesystem::path& out,
                                                const ReportOptions& options) {
  // All is printed before anything is written, so that bad input leaves an older report whole.
  const std::vector<RunView> views = read_runs(runs);
  const Leaderboard board = make_leaderboard(views, options);
  std::vector<std::pair<std::filesystem::path, std::string>> files = {
      {out / "leaderboard.html", print_html(board)},
      {out / "leaderboard.md", print_markdown(board)},
      {out / "leaderboard.json",
       print_json(board).dump(2, ' ', false, Json::error_handler_t::replace) + "\n"},
      {out / "leaderboard.csv", print_csv(board.tables.front())}};
  for (const Table& table : board.tables) {
    files.emplace_back(out / "csv" / (table.id + ".csv"), print_csv(table));
  }
  std::error_code error;
  std::filesystem::create_directories(out / "csv", error);
  if (error) throw fail(Code::kIo, "{}: create: {}", out.string(), error.message());
  std::vector<std::filesystem::path> written;
  for (const auto& [path, content] : files) {
    write_file_atomically(path, content);
    written.push_back(path);
  }
  return written;
}

}  // namespace keju
