// SPDX-License-Identifier: MIT
#include "suite/import_task.h"

#include <algorithm>
#include <optional>
#include <set>

#include "base/error.h"
#include "base/json.h"
#include "base/mapped_file.h"
#include "base/sha256.h"
#include "base/utf8.h"
#include "base/yaml.h"
#include "suite/card.h"
#include "suite/csv.h"
#include "suite/import_field.h"
#include "suite/import_samples.h"

namespace keju {
namespace {

// JSON's strings are YAML's, too.
std::string yaml_text(const std::string& text) { return Json(text).dump(); }

[[noreturn]] void unknown(const std::string& at,
                          std::string_view what,
                          std::string_view found,
                          std::string_view need) {
  throw fail(Code::kUnsupported, "{}: {}: found \"{}\", need {}", at, what, found, need);
}

// A scalar, list or map as JSON; plain numbers and booleans as such.
Json to_json(const Yaml& node) {
  switch (node.kind()) {
    case Yaml::Kind::kNull:
      return nullptr;
    case Yaml::Kind::kList: {
      Json out = Json::array();
      for (const Yaml& entry : node.list()) out.push_back(to_json(entry));
      return out;
    }
    case Yaml::Kind::kMap: {
      Json out = Json::object();
      for (const auto& [key, value] : node.items()) out[key] = to_json(value);
      return out;
    }
    case Yaml::Kind::kScalar:
      break;
  }
  const std::string& text = node.text();
  if (node.quoted()) return text;
  if (text == "true" || text == "True") return true;
  if (text == "false" || text == "False") return false;
  const Json number = Json::parse(text, nullptr, false);
  return number.is_number() ? number : Json(text);
}

const std::set<std::string> kKnown = {"task",
                                      "task_alias",
                                      "tag",
                                      "group",
                                      "dataset_path",
                                      "dataset_name",
                                      "dataset_kwargs",
                                      "training_split",
                                      "validation_split",
                                      "test_split",
                                      "fewshot_split",
                                      "output_type",
                                      "doc_to_text",
                                      "doc_to_target",
                                      "doc_to_choice",
                                      "description",
                                      "target_delimiter",
                                      "fewshot_delimiter",
                                      "num_fewshot",
                                      "fewshot_config",
                                      "generation_kwargs",
                                      "filter_list",
                                      "metric_list",
                                      "repeats",
                                      "should_decontaminate",
                                      "doc_to_decontamination_query",
                                      "include",
                                      "metadata"};

// Where the examples stand that a task file spells out.
constexpr const char* kSamplesSplit = "fewshot_samples";

// The harness's own name and those of its backends.
const std::set<std::string> kMostTokens = {
    "max_gen_toks", "max_new_tokens", "max_tokens", "max_completion_tokens"};

// A task file with what it includes: values by key, and where each stands.
class TaskFile {
 public:
  explicit TaskFile(const std::filesystem::path& file) { read(file, 0); }

  bool has(const std::string& key) const {
    return values_.contains(key) && !values_[key].is_null();
  }
  const Json& get(const std::string& key) const { return values_[key]; }
  std::string at(const std::string& key) const { return at_.at(key); }
  std::string text(const std::string& key, const std::string& otherwise) const {
    if (!has(key)) return otherwise;
    if (!values_[key].is_string()) unknown(at(key), key, values_[key].dump(), "a text");
    return values_[key].get<std::string>();
  }
  int64_t integer(const std::string& key, int64_t otherwise) const {
    if (!has(key)) return otherwise;
    if (!values_[key].is_number_integer()) unknown(at(key), key, values_[key].dump(), "a number");
    return values_[key].get<int64_t>();
  }

 private:
  void read(const std::filesystem::path& file, int depth) {
    if (depth > 8) unknown(file.string(), "include", file.string(), "at most 8 levels");
    const std::string text = read_file(file);
    refuse_functions(text, file.string());
    const Yaml root = Yaml::parse(text, file.string());
    if (const Yaml* include = root.find("include")) {
      const bool one = include->kind() != Yaml::Kind::kList;
      for (const Yaml& each : one ? std::vector<Yaml>{*include} : include->list()) {
        read(file.parent_path() / each.text(), depth + 1);
      }
    }
    const Yaml* parts = root.find("task");
    if (parts != nullptr && parts->kind() == Yaml::Kind::kList) {
      unknown(parts->at(), "task", "a list", "one task: a group has none; import its tasks' files");
    }
    for (const auto& [key, value] : root.items()) {
      if (kKnown.count(key) == 0) {
        throw fail(Code::kUnsupported,
                   "{}: key \"{}\": not known{}",
                   value.at(),
                   key,
                   suggestion(key, {kKnown.begin(), kKnown.end()}));
      }
      values_[key] = to_json(value);
      at_[key] = value.at();
    }
  }

  // Python code is named as what it is, before the YAML reader refuses its tag.
  static void refuse_functions(std::string_view text, const std::string& where) {
    int64_t line = 1;
    for (size_t at = 0; at < text.size(); ++line) {
      const size_t end = std::min(text.find('\n', at), text.size());
      const std::string_view body = text.substr(at, end - at);
      const size_t tag = body.find(": !function");
      if (tag != std::string_view::npos && python_strip(body).front() != '#') {
        throw fail(Code::kUnsupported,
                   "{}:{}: {}. Python code is not run; have lm-eval log the requests and use "
                   "`keju import lm-eval-samples`",
                   where,
                   line,
                   python_strip(body));
      }
      at = end + 1;
    }
  }

  Json values_ = Json::object();
  std::map<std::string, std::string> at_;
};

class TaskImporter {
 public:
  TaskImporter(const std::filesystem::path& file,
               const std::filesystem::path& rows,
               const std::string& name)
      : task_(file),
        rows_(rows),
        text_(field("doc_to_text")),
        target_(field("doc_to_target")),
        choice_(field("doc_to_choice")) {
    out_.name = name.empty() ? task_.text("task", file.stem().string()) : name;
    const std::string type = task_.text("output_type", "generate_until");
    if (type != "multiple_choice" && type != "generate_until") {
      unknown(task_.at("output_type"), "output_type", type, "multiple_choice or generate_until");
    }
    choose_ = type == "multiple_choice";
    for (const TaskField* each : {&text_, &target_}) {
      if (!each->given()) unknown(file.string(), "doc_to_text, doc_to_target", "nothing", "both");
    }
    if (choose_ && !choice_.given()) unknown(file.string(), "doc_to_choice", "nothing", "choices");
    if (task_.integer("repeats", 1) != 1) {
      unknown(task_.at("repeats"), "repeats", task_.get("repeats").dump(), "1");
    }
  }

  ImportedTask make() {
    split_ = task_.text("test_split", task_.text("validation_split", ""));
    if (split_.empty()) unknown(out_.name, "test_split, validation_split", "nothing", "one");
    read_split(split_);
    read_shots();
    if (shots_ > 0 && counts_.count(shot_split_) == 0) read_split(shot_split_);
    write_suite();
    write_card();
    return std::move(out_);
  }

 private:
  TaskField field(const std::string& key) const {
    return task_.has(key) ? TaskField(key, task_.get(key), task_.at(key)) : TaskField();
  }

  void read_split(const std::string& split) {
    const std::filesystem::path file = rows_ / (split + ".jsonl");
    const std::string text = read_file(file);
    check_text(text, file.string());
    std::string_view left = without_bom(text);
    std::string rows;
    int64_t line = 0, id = 0;
    while (!left.empty()) {
      const size_t end = std::min(left.find('\n'), left.size());
      const std::string_view body = python_strip(left.substr(0, end));
      left.remove_prefix(std::min(end + 1, left.size()));
      ++line;
      if (body.empty()) continue;
      const std::string at = fmt::format("{}:{}", file.string(), line);
      rows += row_of(parse_json(body, at), id++, at).dump() + "\n";
    }
    if (rows.empty()) throw fail(Code::kInput, "{}:1: found no documents", file.string());
    counts_[split] = id;
    out_.rows[split] = std::move(rows);
  }

  Json row_of(const Json& doc, int64_t id, const std::string& at) const {
    if (!doc.is_object()) throw fail(Code::kInput, "{}: found no object, need a document", at);
    Json row = {{"doc_id", id}};
    const TaskField::Value text = text_.value(doc);
    if (choice_.given() && text.is_index()) {
      unknown(text_.at(),
              "doc_to_text",
              text.json.dump(),
              "a text: one context for each choice is not known");
    }
    row["context"] = plain_text(text.json);
    const TaskField::Value target = target_.value(doc);
    if (choice_.given()) {
      const std::vector<std::string> choices = choice_.list(doc);
      const int64_t gold = target.place_in(choices, at);
      if (choose_) {
        row["choices"] = choices;
        row["gold"] = gold;
      } else {
        row["target"] = choices[static_cast<size_t>(gold)];
      }
      return row;
    }
    const std::string spelt = plain_text(target.json);
    if (target.json.is_array() ||
        (!target.column && spelt.size() > 1 && spelt.front() == '[' && spelt.back() == ']')) {
      unknown(target_.at(), "doc_to_target", spelt, "one target");
    }
    row["target"] = spelt;
    return row;
  }

  void read_shots() {
    shots_ = task_.integer("num_fewshot", 0);
    shot_split_ = task_.text("fewshot_split",
                             task_.text("training_split", task_.text("validation_split", split_)));
    if (!task_.has("fewshot_config")) return;
    const std::string at = task_.at("fewshot_config");
    for (const auto& [key, value] : task_.get("fewshot_config").items()) {
      if (key == "sampler" && (value == Json("first_n") || value == Json("default"))) {
        first_ = value == Json("first_n");
      } else if (key == "split" && value.is_string()) {
        shot_split_ = value.get<std::string>();
      } else if (key == "samples" && value.is_array() && !task_.has("fewshot_split") &&
                 !task_.get("fewshot_config").contains("split")) {
        shot_split_ = kSamplesSplit;
        if (shots_ > 0) add_rows(kSamplesSplit, value, at);
      } else {
        unknown(at,
                "fewshot_config",
                key + ": " + value.dump(),
                "sampler first_n or default, split or samples");
      }
    }
  }

  // Worked examples that the task file spells out.
  void add_rows(const std::string& split, const Json& documents, const std::string& at) {
    std::string rows;
    int64_t id = 0;
    for (const Json& document : documents) {
      rows += row_of(document, id, fmt::format("{}: samples[{}]", at, id)).dump() + "\n";
      ++id;
    }
    if (rows.empty()) throw fail(Code::kInput, "{}: samples: found none", at);
    counts_[split] = id;
    out_.rows[split] = std::move(rows);
  }

  void write_suite() {
    const std::string description = task_.text("description", "");
    for (const char* mark : {"{{", "{%", "{#"}) {
      if (description.find(mark) == std::string::npos) continue;
      unknown(task_.at("description"), "description", description, "a text without a template");
    }
    const std::string join = task_.text("fewshot_delimiter", "\n\n");
    const std::string delimiter = task_.text("target_delimiter", " ");
    std::string& suite = out_.suite;
    suite = fmt::format(
        "name: {0}\nversion: 1\ntitle: {{zh: {0}, en: {0}}}\nabout: {1}\ndataset: {0}\nsplit: "
        "{2}\nheader: {3}\nquestion: \"{{{{ context }}}}\"\njoin: {4}\naverage: micro\n",
        yaml_text(out_.name),
        yaml_text("Task " + out_.name + " of lm-evaluation-harness"),
        yaml_text(split_),
        yaml_text(description),
        yaml_text(join));
    if (shots_ > 0) {
      suite += fmt::format("shots: {{split: {}, count: {}, pick: {}, seed: 1234}}\n",
                           yaml_text(shot_split_),
                           shots_,
                           first_ ? "first" : "python_random");
    }
    if (choose_) {
      const bool bytes = check_metrics({"acc", "acc_norm", "acc_bytes"}).count("acc_bytes") > 0;
      suite += fmt::format(
          "task: choose\ndelimiter: {}\nchoice: text\noption_token: retokenize\nscore: sum\nalso: "
          "[per_char{}]\nprotocols:\n  official:\n    about: As the task file says\n",
          yaml_text(delimiter),
          bytes ? ", per_byte" : "");
      return;
    }
    write_generation(delimiter, join);
  }

  void write_generation(const std::string& delimiter, const std::string& join) {
    check_metrics({"exact_match"});
    Json until = Json::array({join});
    int64_t max_tokens = 256;
    bool most_named = false;
    double temperature = 0, top_p = 1;
    std::optional<bool> sampled;
    if (task_.has("generation_kwargs")) {
      for (const auto& [key, value] : task_.get("generation_kwargs").items()) {
        if (key == "until") {
          until = value.is_array() ? value : Json::array({value});
        } else if (kMostTokens.count(key) > 0 && !most_named && value.is_number_integer()) {
          most_named = true;
          max_tokens = value.get<int64_t>();
        } else if (key == "temperature" && value.is_number()) {
          temperature = value.get<double>();
        } else if (key == "top_p" && value.is_number()) {
          top_p = value.get<double>();
        } else if (key == "do_sample" && value.is_boolean()) {
          sampled = value.get<bool>();
        } else {
          unknown(task_.at("generation_kwargs"),
                  "generation_kwargs",
                  key + ": " + value.dump(),
                  "until, one of max_gen_toks and its other names, temperature, top_p, do_sample");
        }
      }
    }
    std::string more;
    const std::string extract = rules(more);
    out_.suite += fmt::format(
        "task: generate\nanswer: {}\ngold: \"{{{{ target }}}}\"\ngenerate: {{max_tokens: {}, "
        "temperature: {}, top_p: {}, stop: {}}}\nextract: {}\ncompare: {}\nprotocols:\n  "
        "official:\n    "
        "about: As the task file says\n{}",
        yaml_text(delimiter + "{{ target }}"),
        max_tokens,
        sampled.value_or(true) ? temperature : 0,
        top_p,
        until.dump(),
        yaml_text(extract),
        yaml_text(
            lm_eval_compare(task_.has("metric_list") ? task_.get("metric_list") : Json::array())),
        more);
  }

  // The first filter's rule; the others become protocols of their names.
  std::string rules(std::string& more) {
    const Json none = Json::array({{{"name", "none"}, {"filter", Json::array()}}});
    const Json list = task_.has("filter_list") ? task_.get("filter_list") : none;
    std::string first;
    for (const Json& filter : list) {
      std::vector<std::string> notes;
      const auto rule = lm_eval_rule(member(filter, "filter", out_.name), notes);
      if (!rule.has_value()) {
        throw fail(Code::kUnsupported, "{}: {}", task_.at("filter_list"), fmt::join(notes, "; "));
      }
      if (first.empty()) {
        first = *rule;
        continue;
      }
      const std::string name = string_member(filter, "name", out_.name);
      more += fmt::format("  {}:\n    about: {}\n    extract: {}\n",
                          yaml_text(name),
                          yaml_text("Filter " + name),
                          yaml_text(*rule));
    }
    return first;
  }

  // The names that the task gives.
  std::set<std::string> check_metrics(const std::vector<std::string>& known) const {
    std::set<std::string> names;
    if (!task_.has("metric_list")) return names;
    const std::set<std::string> options = {"metric",
                                           "aggregation",
                                           "higher_is_better",
                                           "ignore_case",
                                           "ignore_punctuation",
                                           "ignore_numbers",
                                           "regexes_to_ignore"};
    for (const Json& entry : task_.get("metric_list")) {
      const std::string at = task_.at("metric_list");
      const std::string metric = string_member(entry, "metric", at);
      if (std::find(known.begin(), known.end(), metric) == known.end()) {
        unknown(at, "metric", metric, fmt::format("{}", fmt::join(known, ", ")));
      }
      names.insert(metric);
      for (const auto& [key, value] : entry.items()) {
        if (options.count(key) == 0) unknown(at, "metric " + metric, key, "a known option");
        if (key == "aggregation" && value != Json("mean")) {
          unknown(at, "aggregation", value.dump(), "mean");
        }
      }
    }
    return names;
  }

  void write_card() {
    std::string splits, counts;
    for (const auto& [split, rows] : out_.rows) {
      splits += fmt::format("  {}: {{items: {}, sha256: {}}}\n",
                            yaml_text(split),
                            counts_.at(split),
                            sha256_hex(sha256_hex(rows) + "  " + split + ".jsonl\n"));
    }
    out_.card = fmt::format(
        "name: {0}\ntitle: {{zh: {0}, en: {0}}}\nabout: {1}\nsource: {2}\nlicence: that of the "
        "task's data\nlanguage: en\nformat: jsonl\nfiles: \"{{split}}.jsonl\"\ncolumns:\n  - "
        "{{name: "
        "doc_id, type: integer}}\n  - {{name: context}}\n{3}id: doc_id\n{4}splits:\n{5}categories: "
        "[]\nsubjects:\n  {0}: {{zh: {0}, en: {0}, categories: []}}\n",
        yaml_text(out_.name),
        yaml_text("Documents of task " + out_.name + ", rendered by its templates"),
        yaml_text(task_.text("dataset_path", "not named")),
        choose_ ? "  - {name: choices, type: list}\n  - {name: gold, type: integer}\n"
                : "  - {name: target}\n",
        choose_ ? "choices: choices\nanswer: {column: gold, form: index}\n" : "",
        splits);
  }

  const TaskFile task_;
  const std::filesystem::path& rows_;
  const TaskField text_, target_, choice_;
  bool choose_ = false, first_ = false;
  std::string split_, shot_split_;
  int64_t shots_ = 0;
  std::map<std::string, int64_t> counts_;
  ImportedTask out_;
};

}  // namespace

ImportedTask import_lm_eval_task(const std::filesystem::path& file,
                                 const std::filesystem::path& rows,
                                 const std::string& name) {
  return TaskImporter(file, rows, name).make();
}

}  // namespace keju
