// SPDX-License-Identifier: MIT
// Judging outside of the program: questions and verdicts as files.
#include <algorithm>

#include "base/error.h"
#include "base/mapped_file.h"
#include "run/judging.h"
#include "run/results.h"
#include "run/table_file.h"

namespace keju {
namespace {

constexpr const char* kSchema = "keju.judge/1";

std::string digest_of(const std::filesystem::path& run) {
  return string_member(read_results(run), "digest", run.string() + "/results.json");
}

void check_digest(const Json& key,
                  const char* member_name,
                  const std::filesystem::path& run,
                  const std::string& where) {
  const std::string wanted = string_member(key, member_name, where);
  const std::string found = digest_of(run);
  if (found == wanted) return;
  throw fail(Code::kUsage,
             "{}: {}: found the digest {} in {}, need {}. The key was made of another run",
             where,
             member_name,
             found,
             run.string(),
             wanted);
}

// A quoted cell with its line breaks, which people read; never one that a spreadsheet computes.
std::string quoted(const std::string& text) {
  std::string out = "\"";
  if (!text.empty() && std::string_view("=+-@").find(text[0]) != std::string_view::npos)
    out += '\'';
  for (const char c : text) {
    if (c == '"') out += '"';
    if (c != '\0') out += c;
  }
  return out + "\"";
}

}  // namespace

std::vector<std::filesystem::path> export_sheet(const JudgeSheet& sheet,
                                                SheetFormat format,
                                                const std::filesystem::path& out) {
  std::vector<const JudgeTask*> order;
  for (const JudgeTask& task : sheet.tasks) order.push_back(&task);
  std::sort(order.begin(), order.end(), [](const JudgeTask* a, const JudgeTask* b) {
    return a->id < b->id;
  });
  const bool csv = format == SheetFormat::kCsv;
  std::string text = csv ? "id,prompt,verdict\n" : "";
  Json tasks = Json::array();
  for (const JudgeTask* task : order) {
    if (csv) {
      text += fmt::format("{},{},\n", task->id, quoted(task->prompt));
    } else {
      text += Json({{"id", task->id}, {"prompt", task->prompt}, {"verdict", ""}})
                  .dump(-1, ' ', false, Json::error_handler_t::replace) +
              "\n";
    }
    tasks.push_back({{"id", task->id},
                     {"exam", task->exam},
                     {"item", task->item},
                     {"swapped", task->swapped},
                     {"vote", task->vote}});
  }
  const Json key = {{"schema", kSchema},
                    {"kind", sheet.pairwise ? "pairwise" : "rubric"},
                    {"votes", sheet.votes},
                    {"run", sheet.run_digest},
                    {"against", sheet.against_digest},
                    {"prompt_sha256", sheet.prompts},
                    {"tasks", std::move(tasks)}};
  std::filesystem::create_directories(out);
  const std::filesystem::path questions = out / (csv ? "questions.csv" : "questions.jsonl");
  write_file_atomically(questions, text);
  write_file_atomically(out / "key.json", key.dump(2) + "\n");
  return {questions, out / "key.json"};
}

JudgeAnswers read_answers(const std::filesystem::path& file, const JudgeSheet& sheet) {
  JudgeAnswers answers;
  for (const TableRow& row : read_table(file, {"id", "verdict"}, {"prompt"}).rows) {
    const std::string& id = row.cells.at("id");
    const bool known = std::any_of(
        sheet.tasks.begin(), sheet.tasks.end(), [&](const JudgeTask& t) { return t.id == id; });
    if (!known) throw fail(Code::kInput, "{}: id: found \"{}\", no id of the key", row.at, id);
    if (!answers.emplace(id, row.cells.at("verdict")).second) {
      throw fail(Code::kInput, "{}: id: found \"{}\" twice, need it once", row.at, id);
    }
  }
  return answers;
}

JudgeOptions options_of_key(const std::filesystem::path& key,
                            const std::filesystem::path& run,
                            const std::optional<std::filesystem::path>& against) {
  const std::string where = key.string();
  const Json json = read_json(key);
  const std::string schema = string_member(json, "schema", where);
  if (schema != kSchema) {
    throw fail(Code::kInput, "{}: schema: found \"{}\", need \"{}\"", where, schema, kSchema);
  }
  check_digest(json, "run", run, where);
  const bool pairwise = string_member(json, "kind", where) == "pairwise";
  if (pairwise != against.has_value()) {
    throw fail(Code::kUsage,
               "--against: found {}, need {}: the key is of {}",
               against ? "one" : "none",
               pairwise ? "the other run" : "none",
               pairwise ? "pairs" : "scores");
  }
  if (pairwise) check_digest(json, "against", *against, where);
  return {run, against, static_cast<int>(int_member(json, "votes", where))};
}

}  // namespace keju
