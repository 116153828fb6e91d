// SPDX-License-Identifier: MIT
#include "run/export.h"

#include "base/error.h"
#include "base/json.h"
#include "base/mapped_file.h"
#include "run/csv_cell.h"
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

}  // namespace

const std::vector<std::string>& export_formats() {
  static const std::vector<std::string> kFormats = {"ceval-submission", "csv", "lm-eval"};
  return kFormats;
}

std::vector<std::filesystem::path> export_run(const std::filesystem::path& run,
                                              const std::string& format,
                                              const std::filesystem::path& out) {
  if (format == "ceval-submission") return export_ceval_submission(run, out);
  if (format == "csv") return export_csv(run, out);
  if (format == "lm-eval") return export_lm_eval(run, out);
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
  for (const ItemRecord& record : read_records(run)) {
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
