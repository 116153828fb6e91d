// SPDX-License-Identifier: MIT
#include "run/export.h"

#include <set>

#include "base/error.h"
#include "base/json.h"
#include "base/mapped_file.h"
#include "run/csv_cell.h"
#include "run/manifest.h"
#include "run/store.h"

namespace keju {
namespace {

std::string number(double value) { return python_float(value); }

// Σ log-probs of the options, "-1.25 -3.5".
std::string logprobs(const Response& response) {
  std::string out;
  if (const auto* score = std::get_if<ScoreResult>(&response.what)) {
    for (const ContinuationScore& one : score->continuations) {
      out += (out.empty() ? "" : " ") + number(one.logprob);
    }
  } else if (const auto* rolling = std::get_if<RollingResult>(&response.what)) {
    out = number(rolling->logprob);
  }
  return out;
}

struct CsvOutcome {
  std::string status, value, choice, extracted, reason;
};

CsvOutcome describe(const Outcome& outcome) {
  if (const auto* scored = std::get_if<Scored>(&outcome)) {
    return {"scored",
            number(scored->value),
            scored->choice < 0 ? "" : std::to_string(scored->choice),
            scored->extracted,
            ""};
  }
  if (const auto* unscored = std::get_if<Unscored>(&outcome)) {
    return {"unscored", unscored->counts_as_wrong ? "0.0" : "", "", "", unscored->reason};
  }
  return {"failed", "", "", "", std::get<Failed>(outcome).error};
}

std::set<std::string> private_exam_keys(const std::filesystem::path& run) {
  std::set<std::string> keys;
  for (const ExamManifest& exam : manifest_exams(read_manifest(run), (run / "run.json").string())) {
    if (exam.protocol.private_items) keys.insert(exam.key);
  }
  return keys;
}

// Leaves of a private item its id, its value and the hash of its prompt.
void withhold(ItemRecord& record) {
  constexpr const char* kWithheld = "withheld: private suite";
  record.gold = -1;
  record.answer.clear();
  if (auto* scored = std::get_if<Scored>(&record.outcome)) {
    scored->choice = -1;
    scored->extracted.clear();
  } else if (auto* failed = std::get_if<Failed>(&record.outcome)) {
    failed->error = kWithheld;
  }
  record.response.error = kWithheld;
}

}  // namespace

void refuse_private(const std::filesystem::path& run, std::string_view what) {
  const std::set<std::string> keys = private_exam_keys(run);
  if (keys.empty()) return;
  throw fail(Code::kUsage,
             "{}: {}: found the private suite {}, whose items and outputs stay in the run. "
             "keju export --format csv leaves them out",
             run.string(),
             what,
             *keys.begin());
}

const std::vector<std::string>& export_formats() {
  static const std::vector<std::string> kFormats = {"ceval-submission", "csv", "lm-eval"};
  return kFormats;
}

std::vector<std::filesystem::path> export_run(const std::filesystem::path& run,
                                              const std::string& format,
                                              const std::filesystem::path& out) {
  if (format == "ceval-submission") return export_ceval_submission(run, out);
  if (format == "csv") return export_csv(run, out);
  if (format == "lm-eval") {
    refuse_private(run, "export");
    return export_lm_eval(run, out);
  }
  throw fail(Code::kUsage,
             "export: unknown format \"{}\"{}",
             format,
             suggestion(format, export_formats()));
}

std::vector<std::filesystem::path> export_csv(const std::filesystem::path& run,
                                              const std::filesystem::path& out) {
  std::string text =
      "exam,item,subject,row,status,value,choice,gold,answer,extracted,reason,logprobs,output,"
      "finish,output_tokens,prompt_sha256\n";
  const std::set<std::string> private_exams = private_exam_keys(run);
  for (ItemRecord& record : read_records(run)) {
    if (private_exams.count(record.exam) > 0) withhold(record);
    const CsvOutcome outcome = describe(record.outcome);
    const bool answered = record.response.error.empty();
    const auto* generated = std::get_if<GenerateResult>(&record.response.what);
    if (!answered) generated = nullptr;
    const std::string cells[] = {record.exam,
                                 record.item,
                                 record.subject,
                                 std::to_string(record.row),
                                 outcome.status,
                                 outcome.value,
                                 outcome.choice,
                                 record.gold < 0 ? "" : std::to_string(record.gold),
                                 record.answer,
                                 outcome.extracted,
                                 outcome.reason,
                                 answered ? logprobs(record.response) : "",
                                 generated == nullptr ? "" : generated->text,
                                 generated == nullptr ? "" : std::string(name(generated->finish)),
                                 std::to_string(record.response.timing.output_tokens),
                                 record.prompt_hash};
    bool first = true;
    for (const std::string& cell : cells) {
      if (!first) text += ',';
      first = false;
      text += csv_cell(cell);
    }
    text += '\n';
  }
  std::filesystem::create_directories(out);
  write_file_atomically(out / "items.csv", text);
  return {out / "items.csv"};
}

}  // namespace keju
