// SPDX-License-Identifier: MIT
#include "suite/import_samples.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <set>

#include "base/error.h"
#include "base/sha256.h"
#include "base/utf8.h"
#include "suite/csv.h"

namespace keju {
namespace {

// How a log's requests look.
enum class Kind { kChoice, kGenerate, kRolling };

struct Sample {
  Json row = Json::object();
  Kind kind = Kind::kChoice;
  Json stops = Json::array();
  int64_t max_tokens = 256;  // lm-evaluation-harness's default
};

// JSON's strings are YAML's, too.
std::string yaml_text(const std::string& text) { return Json(text).dump(); }

class LogReader {
 public:
  LogReader(std::string_view log, const std::string& where) : log_(log), where_(where) {}

  void read() {
    check_text(log_, where_);
    int64_t line = 0;
    std::set<int64_t> seen;
    while (!log_.empty()) {
      const size_t end = std::min(log_.find('\n'), log_.size());
      const std::string_view body = python_strip(log_.substr(0, end));
      log_.remove_prefix(std::min(end + 1, log_.size()));
      ++line;
      if (body.empty()) continue;
      at_ = fmt::format("{}:{}", where_, line);
      const Json json = parse_json(body, at_);
      if (!json.is_object()) throw fail(Code::kInput, "{}: found no object, need a sample", at_);
      add_names(json);
      // A document stands once for every filter; the requests are the same.
      if (seen.insert(int_member(json, "doc_id", at_)).second) add(json);
    }
    if (samples_.empty()) throw fail(Code::kInput, "{}:1: found no samples, need one", where_);
  }

  const std::vector<Sample>& samples() const { return samples_; }
  const std::vector<std::string>& filters() const { return filters_; }
  const std::vector<std::string>& metrics() const { return metrics_; }

 private:
  static void remember(std::vector<std::string>& list, const std::string& name) {
    if (std::find(list.begin(), list.end(), name) == list.end()) list.push_back(name);
  }

  void add_names(const Json& json) {
    if (json.contains("filter")) remember(filters_, string_member(json, "filter", at_));
    if (!json.contains("metrics") || !json["metrics"].is_array()) return;
    for (const Json& metric : json["metrics"]) {
      if (metric.is_string()) remember(metrics_, metric.get<std::string>());
    }
  }

  std::vector<std::pair<std::string, Json>> arguments(const Json& json) const {
    const Json& all = member(json, "arguments", at_);
    std::vector<std::pair<std::string, Json>> out;
    for (size_t i = 0; all.is_object() && i < all.size(); ++i) {
      const Json& one = member(all, fmt::format("gen_args_{}", i), at_);
      const std::string context = string_member(one, "arg_0", at_);
      out.emplace_back(context, one.contains("arg_1") ? one["arg_1"] : Json());
    }
    if (out.empty()) throw fail(Code::kInput, "{}: arguments: found none, need requests", at_);
    return out;
  }

  void check_hash(const Json& json, const std::string& context) const {
    if (!json.contains("prompt_hash")) return;
    const std::string known = string_member(json, "prompt_hash", at_);
    if (sha256_hex(context) == known) return;
    throw fail(Code::kInput,
               "{}: prompt_hash: found {}, the context's is {}. The log was changed",
               at_,
               known,
               sha256_hex(context));
  }

  void add(const Json& json) {
    const auto requests = arguments(json);
    check_hash(json, requests[0].first);
    Sample sample;
    sample.row["doc_id"] = int_member(json, "doc_id", at_);
    sample.row["context"] = requests[0].first;
    if (requests[0].second.is_object()) {
      add_generation(json, requests[0].second, sample);
    } else if (requests[0].second.is_null()) {
      sample.kind = Kind::kRolling;
    } else {
      add_choice(json, requests, sample);
    }
    for (const char* hash : {"doc_hash", "prompt_hash", "target_hash"}) {
      if (json.contains(hash)) sample.row[hash] = json[hash];
    }
    if (!samples_.empty() && samples_[0].kind != sample.kind) {
      throw fail(Code::kInput, "{}: arguments: found another kind of request than before", at_);
    }
    samples_.push_back(std::move(sample));
  }

  void add_choice(const Json& json,
                  const std::vector<std::pair<std::string, Json>>& requests,
                  Sample& sample) const {
    Json continuations = Json::array();
    for (const auto& [context, continuation] : requests) {
      if (context != requests[0].first) {
        throw fail(Code::kInput,
                   "{}: arguments: found contexts that differ between options, need one context",
                   at_);
      }
      if (!continuation.is_string()) {
        throw fail(Code::kInput,
                   "{}: arguments: found {}, need a continuation",
                   at_,
                   continuation.type_name());
      }
      continuations.push_back(continuation);
    }
    if (continuations.size() < 2) {
      throw fail(Code::kInput,
                 "{}: arguments: found one continuation, need two or more. Single "
                 "log-likelihoods are not scored",
                 at_);
    }
    sample.row["continuations"] = continuations;
    const std::string target = string_member(json, "target", at_);
    int64_t gold = -1;
    const auto [end, error] = std::from_chars(target.data(), target.data() + target.size(), gold);
    if (error != std::errc() || end != target.data() + target.size()) {
      throw fail(Code::kInput, "{}: target: found \"{}\", need an option's number", at_, target);
    }
    sample.row["gold"] = gold;
  }

  void add_generation(const Json& json, const Json& settings, Sample& sample) const {
    sample.kind = Kind::kGenerate;
    sample.row["target"] = string_member(json, "target", at_);
    if (settings.contains("until")) {
      const Json& until = settings["until"];
      sample.stops = until.is_array() ? until : Json::array({until});
    }
    if (settings.contains("max_gen_toks")) {
      sample.max_tokens = int_member(settings, "max_gen_toks", at_);
    }
  }

  std::string_view log_;
  const std::string& where_;
  std::string at_;
  std::vector<Sample> samples_;
  std::vector<std::string> filters_, metrics_;
};

class Writer {
 public:
  Writer(const LogReader& log, const std::string& name, const Json& results)
      : log_(log), name_(name) {
    if (!results.is_object() || !results.contains("configs")) return;
    for (const auto& [task, config] : results["configs"].items()) {
      if (task == name_ || results["configs"].size() == 1) config_ = config;
    }
  }

  ImportedSuite write() {
    const Kind kind = log_.samples()[0].kind;
    out_.items = static_cast<int64_t>(log_.samples().size());
    write_rows(kind);
    write_card(kind);
    out_.suite = fmt::format(
        "name: {}\nversion: 1\ntitle: {{zh: {}, en: {}}}\nabout: {}\ndataset: {}\nsplit: test\n"
        "question: \"{{{{ context }}}}\"\naverage: micro\n",
        yaml_text(name_),
        yaml_text(name_),
        yaml_text(name_),
        yaml_text("Requests of a log of lm-evaluation-harness's task " + name_),
        yaml_text(name_));
    if (kind == Kind::kChoice) write_choice();
    if (kind == Kind::kGenerate) write_generation();
    if (kind == Kind::kRolling) {
      note_others({"bits_per_byte"});
      out_.suite += "task: perplexity\n" + protocols("");
    }
    return std::move(out_);
  }

 private:
  // A space before every continuation is lm-evaluation-harness's delimiter, which acc_norm leaves
  // out of an option's length.
  bool spaced() const {
    for (const Sample& sample : log_.samples()) {
      for (const Json& text : sample.row["continuations"]) {
        if (!text.get_ref<const std::string&>().starts_with(' ')) return false;
      }
    }
    return true;
  }

  void write_rows(Kind kind) {
    const bool cut = kind == Kind::kChoice && spaced();
    for (const Sample& sample : log_.samples()) {
      Json row = sample.row;
      if (cut) {
        for (Json& text : row["continuations"]) text = text.get<std::string>().substr(1);
      }
      out_.rows += row.dump() + "\n";
    }
  }

  void write_card(Kind kind) {
    std::string columns = "  - {name: doc_id, type: integer}\n  - {name: context}\n";
    if (kind == Kind::kChoice) {
      columns += "  - {name: continuations, type: list}\n  - {name: gold, type: integer}\n";
    }
    if (kind == Kind::kGenerate) columns += "  - {name: target}\n";
    for (const char* hash : {"doc_hash", "prompt_hash", "target_hash"}) {
      columns += fmt::format("  - {{name: {}, optional: true}}\n", hash);
    }
    const std::string digest = sha256_hex(sha256_hex(out_.rows) + "  test.jsonl\n");
    out_.card = fmt::format(
        "name: {0}\ntitle: {{zh: {0}, en: {0}}}\nabout: {1}\nsource: a sample log of "
        "lm-evaluation-harness\nlicence: that of the task's data\nlanguage: en\nformat: jsonl\n"
        "files: \"test.jsonl\"\ncolumns:\n{2}id: doc_id\n{3}splits:\n  test: {{items: {4}, sha256: "
        "{5}}}\ncategories: []\nsubjects:\n  {0}: {{zh: {0}, en: {0}, categories: []}}\n",
        yaml_text(name_),
        yaml_text("Contexts and gold answers of task " + name_),
        columns,
        kind == Kind::kChoice ? "choices: continuations\nanswer: {column: gold, form: index}\n"
                              : "",
        out_.items,
        digest);
  }

  void note_others(const std::vector<std::string>& known) {
    for (const std::string& metric : log_.metrics()) {
      if (std::find(known.begin(), known.end(), metric) != known.end()) continue;
      out_.notes.push_back(fmt::format("metric \"{}\": not scored", metric));
    }
  }

  void write_choice() {
    note_others({"acc", "acc_norm", "acc_bytes"});
    const std::vector<std::string>& metrics = log_.metrics();
    const bool bytes = std::find(metrics.begin(), metrics.end(), "acc_bytes") != metrics.end();
    out_.suite += fmt::format(
        "task: choose\ndelimiter: \"{}\"\nchoice: text\noption_token: "
        "retokenize\nscore: sum\nalso: [per_char{}]\n",
        spaced() ? " " : "",
        bytes ? ", per_byte" : "");
    out_.suite += protocols("");
  }

  void write_generation() {
    note_others({"exact_match"});
    const Sample& first = log_.samples()[0];
    for (const Sample& sample : log_.samples()) {
      if (sample.stops == first.stops && sample.max_tokens == first.max_tokens) continue;
      out_.notes.push_back("stops differ between items; the first item's are used for all");
      break;
    }
    const Json metrics = config_.contains("metric_list") ? config_["metric_list"] : Json::array();
    if (!config_.contains("metric_list")) {
      out_.notes.push_back(
          "no results file with the task's filters and options: exact_match "
          "compares the text as it is");
    }
    out_.suite += fmt::format(
        "task: generate\ngold: \"{{{{ target }}}}\"\ngenerate: {{max_tokens: {}, temperature: 0, "
        "stop: {}}}\ncompare: {}\n",
        first.max_tokens,
        first.stops.dump(),
        yaml_text(lm_eval_compare(metrics)));
    std::vector<std::pair<std::string, std::string>> rules = filters();
    std::string more;
    for (size_t i = 1; i < rules.size(); ++i) {
      more += fmt::format("  {}:\n    about: {}\n    extract: {}\n",
                          yaml_text(rules[i].first),
                          yaml_text("Filter " + rules[i].first),
                          yaml_text(rules[i].second));
    }
    out_.suite += "extract: " + yaml_text(rules[0].second) + "\n";
    out_.suite += protocols(more);
  }

  // The filters of the log that are known, by name, with their rules.
  std::vector<std::pair<std::string, std::string>> filters() {
    std::vector<std::pair<std::string, std::string>> out;
    for (const std::string& name : log_.filters()) {
      Json chain = Json::array();
      if (config_.contains("filter_list")) {
        for (const Json& each : config_["filter_list"]) {
          if (each.contains("name") && each["name"] == Json(name)) chain = each["filter"];
        }
      }
      if (const auto rule = lm_eval_rule(chain, out_.notes)) out.emplace_back(name, *rule);
    }
    if (out.empty()) {
      throw fail(Code::kInput,
                 "{}: filters: found none that is known{}{}",
                 name_,
                 out_.notes.empty() ? "" : ": ",
                 fmt::join(out_.notes, "; "));
    }
    return out;
  }

  std::string protocols(const std::string& more) const {
    return "protocols:\n  official:\n    about: As logged\n" + more;
  }

  const LogReader& log_;
  const std::string& name_;
  Json config_ = Json::object();
  ImportedSuite out_;
};

// A line break in a pattern would end the rule's step.
std::string on_one_line(std::string pattern) {
  for (size_t at = pattern.find('\n'); at != std::string::npos; at = pattern.find('\n', at)) {
    pattern.replace(at, 1, "\\n");
  }
  return pattern;
}

// The harness's regex filter: the first or the last match, stripped. A fallback of its own could
// be right where nothing was found, which is no rule here.
std::optional<std::string> regex_rule(const Json& step, std::vector<std::string>& notes) {
  std::string pattern = "#### (\\-?[0-9\\.\\,]+)";
  bool last = false;
  for (const auto& [key, value] : step.items()) {
    if (key == "regex_pattern" && value.is_string()) {
      pattern = value.get<std::string>();
    } else if (key == "group_select" && (value == Json(0) || value == Json(-1))) {
      last = value == Json(-1);
    } else if (key != "function" && !(key == "fallback" && value == Json("[invalid]"))) {
      notes.push_back(fmt::format("filter regex: {} {}: not known", key, value.dump()));
      return std::nullopt;
    }
  }
  return (last ? "last_stripped:" : "first_stripped:") + on_one_line(pattern);
}

}  // namespace

std::optional<std::string> lm_eval_rule(const Json& chain, std::vector<std::string>& notes) {
  std::string rule = "first:(?s)(.*)";  // the text as it is
  std::string before;                   // the filter that changed the text
  for (const Json& step : chain) {
    const std::string function = string_member(step, "function", "filter");
    if (function == "take_first") continue;
    // What a regular expression found has no white space at its ends.
    if (function == "remove_whitespace" && !before.empty()) continue;
    if (!before.empty()) {
      notes.push_back(fmt::format("filter {} behind {}: not known", function, before));
      return std::nullopt;
    }
    before = function;
    if (function == "remove_whitespace") {
      rule = "first_stripped:(?s)(.*)";
    } else if (function == "regex") {
      const auto read = regex_rule(step, notes);
      if (!read.has_value()) return std::nullopt;
      rule = *read;
    } else {
      notes.push_back(fmt::format("filter function \"{}\": not known", function));
      return std::nullopt;
    }
  }
  return rule;
}

std::string lm_eval_compare(const Json& metrics) {
  std::string rule = "exact_match";
  for (const Json& metric : metrics) {
    if (!metric.contains("metric") || metric["metric"] != Json("exact_match")) continue;
    for (const char* flag : {"ignore_case", "ignore_punctuation", "ignore_numbers"}) {
      if (metric.contains(flag) && metric[flag] == Json(true)) rule += std::string("\n") + flag;
    }
    if (!metric.contains("regexes_to_ignore")) continue;
    for (const Json& regex : metric["regexes_to_ignore"]) {
      rule += "\nignore:" + on_one_line(regex.get<std::string>());
    }
  }
  return rule;
}

ImportedSuite import_lm_eval_samples(std::string_view log,
                                     const std::string& where,
                                     const std::string& name,
                                     const Json& results) {
  LogReader reader(log, where);
  reader.read();
  return Writer(reader, name, results).write();
}

}  // namespace keju
