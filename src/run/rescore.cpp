// SPDX-License-Identifier: MIT
#include "run/rescore.h"

#include <algorithm>
#include <map>

#include "base/error.h"
#include "base/mapped_file.h"
#include "base/sha256.h"
#include "run/manifest.h"
#include "run/pack.h"
#include "run/results.h"
#include "run/run_lock.h"
#include "run/store.h"
#include "run/verdict_log.h"
#include "run/workers.h"
#include "score/code_tests.h"
#include "score/outcome.h"
#include "suite/pattern.h"
#include "suite/rules.h"

namespace keju {
namespace {

// A rule as an id may spell it: patterns by their hash.
std::string short_name(const std::string& rule) {
  return pattern_steps(rule).empty() ? rule : "pattern-" + sha256_hex(rule).substr(0, 8);
}

bool is_extraction(const std::string& rule) {
  const std::vector<PatternStep> steps = pattern_steps(rule);
  for (const PatternStep& step : steps) Pattern(step.pattern, "--rule");
  const std::vector<std::string>& known = extract_rules();
  return !steps.empty() || std::find(known.begin(), known.end(), rule) != known.end();
}

// Which exams a rule is for; nullopt for an unknown rule.
std::optional<Task> task_of(const std::string& rule) {
  if (choice_score(rule).has_value()) return Task::kChoose;
  if (is_extraction(rule)) return Task::kGenerate;
  return std::nullopt;
}

// The new run's manifest: the parent's with what differs.
class ChildManifest {
 public:
  explicit ChildManifest(const RescoreOptions& options)
      : options_(options), where_((options.run / "run.json").string()) {
    json_ = read_manifest(options.run);
    for (const ExamManifest& exam : manifest_exams(json_, where_)) keys_[exam.key] = exam.key;
    Json changes = Json::object();
    if (options.rule.has_value()) {
      apply_rule();
      changes["rule"] = *options.rule;
    }
    if (options.verdicts.has_value()) {
      apply_verdicts();
      changes["verdicts"] = options.verdicts->records;
    }
    if (options.errata.has_value()) {
      json_["errata"] = to_json(*options.errata);
      changes["errata"] = options.errata->sha256;
    }
    parent_digest_ =
        string_member(read_results(options.run), "digest", options.run.string() + "/results.json");
    json_["parent"] = {
        {"run", options.run.filename().string()}, {"digest", parent_digest_}, {"changes", changes}};
    // A run that was scored again can never be gone on with as if it were the parent.
    json_["fingerprint"]["parent"] = json_["parent"];
    exams_ = manifest_exams(json_, where_);
  }

  const std::string& parent_digest() const { return parent_digest_; }
  const Json& json() const { return json_; }

  // What an item's exam is called now, and its rules. Errors: Error(kInput) for an unknown key.
  const ExamManifest& exam(const std::string& parent_key) const {
    const auto key = keys_.find(parent_key);
    const auto found = std::find_if(exams_.begin(), exams_.end(), [&](const ExamManifest& exam) {
      return key != keys_.end() && exam.key == key->second;
    });
    if (found == exams_.end()) {
      throw fail(Code::kInput, "{}: found items of \"{}\", no exam of the run", where_, parent_key);
    }
    return *found;
  }
  bool has_rule(const std::string& parent_key) const { return keys_.at(parent_key) != parent_key; }

 private:
  void apply_rule() {
    const std::optional<Task> task = task_of(*options_.rule);
    if (!task.has_value()) {
      std::vector<std::string> known = extract_rules();
      for (const char* score : {"sum", "per_char", "per_byte", "per_token", "mass"}) {
        known.emplace_back(score);
      }
      throw fail(Code::kUsage,
                 "--rule: unknown \"{}\"{}",
                 *options_.rule,
                 suggestion(*options_.rule, known));
    }
    bool any = false;
    for (size_t i = 0; i < json_["exams"].size(); ++i) {
      Json& exam = json_["exams"][i];
      if (exam["protocol"]["task"] != Json(name(*task))) continue;
      if (exam["protocol"].contains("judge") && !exam["protocol"]["judge"].is_null()) continue;
      any = true;
      rename(i, "+" + short_name(*options_.rule), "scored again by " + short_name(*options_.rule));
      exam["protocol"][*task == Task::kChoose ? "score" : "extract"] = *options_.rule;
    }
    if (!any) {
      throw fail(Code::kUsage,
                 "--rule: found \"{}\", a rule for {}; the run has no such exam",
                 *options_.rule,
                 *task == Task::kChoose ? "log-likelihoods of options" : "generated text");
    }
  }

  void apply_verdicts() {
    for (size_t i = 0; i < json_["exams"].size(); ++i) {
      Json& exam = json_["exams"][i];
      const auto found = options_.verdicts->records.find(exam["key"].get<std::string>());
      if (found == options_.verdicts->records.end()) continue;
      const Json& record = found->second;
      const std::string kind = record["kind"].get<std::string>();
      const std::string judge = record["judge"].get<std::string>();
      Json identity = record;
      for (const char* result : {"verdicts", "items_judged", "parts", "pairs"})
        identity.erase(result);
      rename(i,
             fmt::format("+{}-{}", kind, sha256_hex(identity.dump()).substr(0, 8)),
             fmt::format("judged by {} ({})", judge, kind));
      exam["judged"] = record;
    }
  }

  void rename(size_t index, const std::string& suffix, const std::string& how) {
    Json& exam = json_["exams"][index];
    Json& protocol = exam["protocol"];
    for (const char* field : {"id", "name"}) {
      protocol[field] = protocol[field].get<std::string>() + suffix;
    }
    protocol["about"] = protocol["about"].get<std::string>() + "; " + how;
    json_["fingerprint"]["exams"][index]["protocol"] = protocol["id"];
    const std::string old = exam["key"].get<std::string>();
    exam["key"] = exam_key(protocol["id"].get<std::string>(),
                           exam["split"].get<std::string>(),
                           exam["shots"].get<int64_t>(),
                           protocol.value("samples", int64_t{1}));
    // Both a rule and verdicts may have renamed it; the parent's key is the one that items carry.
    for (auto& [parent, key] : keys_) {
      if (key == old) key = exam["key"].get<std::string>();
    }
  }

  const RescoreOptions& options_;
  std::string where_, parent_digest_;
  Json json_;
  std::map<std::string, std::string> keys_;  // parent's key to the new one
  std::vector<ExamManifest> exams_;
};

bool same(const Outcome& a, const Outcome& b) {
  Packer left, right;
  pack(left, a);
  pack(right, b);
  return left.bytes() == right.bytes();
}

// Items of judged exams keep what judges decided; a run that was judged before keeps its verdicts.
std::optional<Outcome> judged_outcome(const StoredItem& stored,
                                      const ExamManifest& exam,
                                      const RescoreOptions& options) {
  if (!exam.protocol.judge.has_value()) return std::nullopt;
  if (options.verdicts.has_value()) {
    const auto& outcomes = options.verdicts->outcomes;
    const auto found = outcomes.find(verdict_key(stored.record.exam, stored.record.item));
    if (found != outcomes.end()) return found->second;
  }
  return stored.record.outcome;
}

Outcome outcome_of(const StoredItem& stored, const ExamManifest& exam, bool by_rule) {
  if (!stored.scorable) {
    throw fail(Code::kUnsupported,
               "{}: its store is of an earlier version, which did not keep all that scoring "
               "needs. Run it again",
               stored.record.item);
  }
  ExamItem item = exam_item(stored);
  if (by_rule) item.extract.clear();  // the rule asked for goes before that of the item's kind
  Outcome outcome = score_item(item, exam.protocol, stored.record.response);
  const auto* failed = std::get_if<Failed>(&outcome);
  if (failed != nullptr && stored.record.response.error.empty() &&
      !std::holds_alternative<Failed>(stored.record.outcome)) {
    throw fail(Code::kInput,
               "{}: {}. The run did not keep what the rule needs",
               stored.record.item,
               failed->error);
  }
  return outcome;
}

struct Rescored {
  StoredItem item;
  bool changed = false;
};

Rescored rescored(StoredItem item, const ChildManifest& child, const RescoreOptions& options) {
  const ExamManifest& exam = child.exam(item.record.exam);
  const std::optional<Outcome> judged = judged_outcome(item, exam, options);
  Outcome outcome = judged ? *judged : outcome_of(item, exam, child.has_rule(item.record.exam));
  const bool changed = !same(outcome, item.record.outcome);
  item.record.outcome = std::move(outcome);
  item.record.exam = exam.key;
  return {std::move(item), changed};
}

void check_out(const std::filesystem::path& out) {
  std::error_code error;
  if (!std::filesystem::exists(out, error) || std::filesystem::is_empty(out, error)) return;
  if (clear_to_verdicts(out)) return;
  throw fail(Code::kUsage, "{}: found a folder with files in it, need a new one", out.string());
}

int64_t errata_found(const RescoreOptions& options) {
  if (!options.errata.has_value()) return 0;
  std::set<std::string> items;
  for (const ItemRecord& record : read_records(options.run)) items.insert(record.item);
  const auto& entries = options.errata->entries;
  const auto found = std::count_if(entries.begin(), entries.end(), [&](const Erratum& entry) {
    return items.count(entry.item) > 0;
  });
  if (found > 0) return found;
  throw fail(Code::kUsage,
             "{}: none of its {} items is in {}, need ids like \"{}\"",
             options.errata->file,
             entries.size(),
             options.run.string(),
             items.empty() ? "cmmlu/agronomy/test/0" : *items.begin());
}

// The parent's sessions, so that the new run tells what its outputs took.
SessionRecord copy_sessions(const std::filesystem::path& run, RunStore& store) {
  SessionRecord last;
  for (SessionRecord session : read_sessions(run)) {
    session.id = store.begin_session(session.environment, session.started_unix_s, session.load_s);
    store.commit(session);
    last = session;
  }
  return last;
}

}  // namespace

RescoreSummary rescore(const RescoreOptions& options) {
  const ChildManifest child(options);
  RescoreSummary summary;
  summary.parent_digest = child.parent_digest();
  summary.errata_listed =
      options.errata.has_value() ? static_cast<int64_t>(options.errata->entries.size()) : 0;
  summary.errata_found = errata_found(options);
  check_out(options.out);
  std::error_code error;
  std::filesystem::create_directories(options.out, error);
  if (error) throw fail(Code::kIo, "{}: create: {}", options.out.string(), error.message());
  const RunLock lock(options.out, "run.lock");
  {
    RunStore store(options.out, "run.db");
    const SessionRecord session = copy_sessions(options.run, store);
    const auto keep = [&](const Rescored& done) {
      summary.changed += done.changed ? 1 : 0;
      ++summary.items;
      store.put(done.item);
      store.commit_if_due(session);
    };
    Workers<Rescored> programs(0, keep);
    for_each_item(options.run, "", [&](const StoredItem& stored) {
      if (child.exam(stored.record.exam).protocol.compare == kPythonTests) {
        programs.give([&, stored] { return rescored(stored, child, options); });
      } else {
        keep(rescored(stored, child, options));
      }
    });
    programs.finish();
    store.commit(session);
    store.close();
  }
  write_file_atomically(options.out / "run.json",
                        child.json().dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
  const Json results = write_results(options.out);
  summary.complete = results["complete"].get<bool>();
  summary.digest = results["digest"].get<std::string>();
  return summary;
}

}  // namespace keju
