// SPDX-License-Identifier: MIT
#include "report/run_view.h"

#include <cmath>
#include <map>

#include "base/error.h"
#include "base/json.h"
#include "run/results.h"

namespace keju {
namespace {

// A value and its place, for messages.
class Field {
 public:
  Field(const Json& json, std::string where) : json_(json), where_(std::move(where)) {}

  Field at(const char* key) const { return Field(member(json_, key, where_), where_ + ": " + key); }
  bool has(const char* key) const { return json_.is_object() && json_.contains(key); }
  std::string text(const char* key) const { return string_member(json_, key, where_); }
  int64_t integer(const char* key) const { return int_member(json_, key, where_); }

  double number(const char* key) const {
    const double value = number_member(json_, key, where_);
    if (!std::isfinite(value)) {
      throw fail(Code::kInput, "{}: {}: found a number out of range", where_, key);
    }
    return value;
  }

  bool boolean(const char* key) const {
    const Json& value = member(json_, key, where_);
    if (!value.is_boolean()) {
      throw fail(Code::kInput, "{}: {}: found {}, need a boolean", where_, key, value.type_name());
    }
    return value.get<bool>();
  }

  std::optional<double> maybe_number(const char* key) const {
    if (member(json_, key, where_).is_null()) return std::nullopt;
    return number(key);
  }

  std::optional<int64_t> maybe_integer(const char* key) const {
    if (member(json_, key, where_).is_null()) return std::nullopt;
    return integer(key);
  }

  bool is_null() const { return json_.is_null(); }

  template <typename Visit>
  void each(const char* key, Visit visit) const {
    const Json& list = member(json_, key, where_);
    if (!list.is_array()) {
      throw fail(Code::kInput, "{}: {}: found {}, need an array", where_, key, list.type_name());
    }
    for (size_t i = 0; i < list.size(); ++i) {
      visit(Field(list[i], fmt::format("{}: {}[{}]", where_, key, i)));
    }
  }

 private:
  const Json& json_;
  std::string where_;
};

EstimateView estimate(const Field& field) {
  return {field.maybe_number("value"),
          field.maybe_number("se"),
          field.maybe_number("low"),
          field.maybe_number("high"),
          field.integer("n")};
}

CountsView counts(const Field& field) {
  return {field.integer("total"),
          field.integer("scored"),
          field.integer("unscored"),
          field.integer("failed"),
          field.integer("unfinished")};
}

PercentilesView percentiles(const Field& field) {
  return {field.maybe_number("p50"), field.maybe_number("p90"), field.maybe_number("p99")};
}

void read_identity(const Field& field, ExamView& exam) {
  exam.key = field.text("key");
  exam.suite = field.text("suite");
  exam.title_zh = field.at("title").text("zh");
  exam.title_en = field.at("title").text("en");
  exam.protocol = field.text("protocol");
  exam.about = field.text("about");
  exam.task = field.text("task");
  exam.metric = field.text("metric");
  exam.score_rule = field.text("score_rule");
  exam.split = field.text("split");
  exam.suite_hash = field.text("suite_hash");
  exam.data_hash = field.text("data_hash");
  exam.data_hash_matches_card = field.boolean("data_hash_matches_card");
  // Results of before there were private suites say nothing of them.
  exam.private_items = field.has("private") && field.boolean("private");
  exam.item_set = field.text("item_set");
  exam.first_prompt_sha256 = field.text("first_prompt_sha256");
  exam.average = field.text("average");
  exam.digest = field.text("digest");
  exam.version = field.integer("version");
  exam.shots = field.integer("shots");
  exam.limit = field.maybe_integer("limit");
  exam.subjects_total = field.integer("subjects_total");
  const Field generate = field.at("generate");
  if (!generate.is_null()) exam.max_tokens = generate.integer("max_tokens");
}

void read_scores(const Field& field, ExamView& exam) {
  exam.items = counts(field.at("items"));
  exam.score = estimate(field.at("score"));
  exam.micro = estimate(field.at("micro"));
  exam.macro = estimate(field.at("macro"));
  const Field completed = field.at("completed_only");
  if (!completed.is_null()) exam.completed_only = estimate(completed);
  exam.chance = field.maybe_number("chance");
  exam.at_chance = field.boolean("at_chance");
  exam.ties = field.maybe_integer("ties");
  exam.cap_hits = field.maybe_integer("cap_hits");
  exam.truncated_items = field.integer("truncated_items");
  const Field extraction = field.at("extraction");
  if (!extraction.is_null()) {
    exam.extracted = extraction.integer("extracted");
    exam.ambiguous = extraction.integer("ambiguous");
    exam.not_extracted = extraction.integer("none");
  }
  const char* const average = exam.average == "macro" ? "macro" : "micro";
  field.each("also", [&](const Field& rule) {
    exam.also.push_back({rule.text("rule"), rule.maybe_number(average)});
  });
  field.each("categories", [&](const Field& part) {
    PartView category{part.text("id"),
                      part.text("id"),
                      part.text("id"),
                      part.integer("subjects"),
                      counts(part.at("items")),
                      {}};
    category.score = estimate(part.at(average));
    exam.categories.push_back(std::move(category));
  });
  field.each("subjects", [&](const Field& part) {
    exam.subjects.push_back({part.text("id"),
                             part.text("zh"),
                             part.text("en"),
                             1,
                             counts(part.at("items")),
                             estimate(part)});
  });
}

// What older results lack and what few suites have.
bool given(const Field& field, const char* key) {
  return field.has(key) && !field.at(key).is_null();
}

void read_thresholds(const Field& field, ExamView& exam) {
  if (!given(field, "thresholds")) return;
  field.each("thresholds", [&](const Field& row) {
    ThresholdView out;
    out.title = {row.text("zh"), row.text("en")};
    out.of_right = row.text("of") == "right";
    out.at_least = row.maybe_number("at_least");
    out.at_most = row.maybe_number("at_most");
    out.share = estimate(row);
    out.unread = row.integer("unread");
    if (given(row, "met")) out.met = row.boolean("met");
    if (given(row, "sure")) out.sure = row.boolean("sure");
    exam.thresholds.push_back(std::move(out));
  });
}

void read_judged(const Field& field, ExamView& exam) {
  if (!given(field, "judged")) return;
  const Field judged = field.at("judged");
  JudgedView out;
  out.kind = judged.text("kind");
  out.judge = judged.text("judge");
  out.judge_digest = judged.text("judge_digest");
  out.prompt_sha256 = judged.text("prompt_sha256");
  out.votes = judged.integer("votes");
  const Field verdicts = judged.at("verdicts");
  out.asked = verdicts.integer("asked");
  out.read = verdicts.integer("read");
  out.unreadable = verdicts.integer("unreadable");
  out.missing = verdicts.integer("missing");
  out.items = judged.integer("items_judged");
  judged.each("parts", [&](const Field& part) {
    out.parts.push_back({part.text("name"), part.number("mean")});
  });
  if (given(judged, "against")) {
    out.against = judged.at("against").text("model");
    out.against_digest = judged.at("against").text("digest");
  }
  if (given(judged, "pairs")) {
    const Field pairs = judged.at("pairs");
    out.pairwise = true;
    out.wins = pairs.integer("wins");
    out.ties = pairs.integer("ties");
    out.losses = pairs.integer("losses");
    out.not_lost = pairs.maybe_number("not_lost");
    out.three_one_none = pairs.maybe_number("three_one_none");
  }
  out.mean_of_categories = judged.maybe_number("mean_of_categories");
  exam.judging =
      Json::array(
          {out.kind, out.judge, out.judge_digest, out.prompt_sha256, out.votes, out.against_digest})
          .dump(-1, ' ', false, Json::error_handler_t::replace);
  exam.judged = std::move(out);
}

void read_robustness(const Field& field, ExamView& exam) {
  if (!given(field, "robustness")) return;
  const Field orders = field.at("robustness");
  RobustnessView out;
  out.questions = orders.integer("questions");
  out.orders = orders.integer("orders");
  out.canonical = orders.maybe_number("canonical");
  out.mean = orders.maybe_number("mean");
  out.worst = orders.maybe_number("worst");
  out.all_right = orders.maybe_number("all_right");
  out.letter_spread = orders.maybe_number("letter_spread");
  orders.each("letters", [&](const Field& letter) {
    const std::optional<double> chosen = letter.maybe_number("chosen");
    if (!chosen || (out.favourite_share && *chosen <= *out.favourite_share)) return;
    out.favourite = letter.text("letter");
    out.favourite_share = chosen;
  });
  const Field gain = orders.at("canonical_gain");
  out.gain = gain.maybe_number("value");
  out.gain_low = gain.maybe_number("low");
  out.gain_high = gain.maybe_number("high");
  exam.robustness = std::move(out);
}

void read_extras(const Field& field, ExamView& exam) {
  if (field.has("samples")) exam.samples = field.integer("samples");
  if (given(field, "pass_at_k")) {
    field.each("pass_at_k", [&](const Field& row) {
      exam.pass_at_k.push_back({row.integer("k"), row.maybe_number("value")});
    });
  }
  read_thresholds(field, exam);
  if (given(field, "without_errata")) {
    const Field without = field.at("without_errata");
    exam.without_errata = estimate(without.at("score"));
    exam.errata_left_out = without.integer("items_left_out");
  }
  read_judged(field, exam);
  read_robustness(field, exam);
}

void read_speed(const Field& root, RunView& run) {
  const Field tokens = root.at("tokens");
  run.tokens_naive = tokens.integer("naive");
  run.tokens_computed = tokens.integer("computed");
  const Field speed = root.at("speed");
  run.prefill_tokens_per_s = speed.maybe_number("prefill_tokens_per_s");
  run.decode_tokens_per_s = speed.maybe_number("decode_tokens_per_s");
  run.items_per_s = speed.maybe_number("items_per_s");
  run.prefill_s = speed.number("prefill_s");
  run.decode_s = speed.number("decode_s");
  run.load_s = speed.number("load_s");
  run.wall_s = speed.number("wall_s");
  run.sessions = speed.integer("sessions");
  run.ttft_s = percentiles(speed.at("ttft_s"));
  run.tpot_s = percentiles(speed.at("tpot_s"));
  run.latency_s = percentiles(speed.at("latency_s"));
  const Field memory = root.at("memory");
  run.weights_bytes = memory.integer("weights_bytes");
  run.kv_peak_bytes = memory.integer("kv_peak_bytes");
  run.peak_rss_bytes = memory.integer("peak_rss_bytes");
  run.promise_bytes = memory.integer("promise_bytes");
}

std::map<std::string, int64_t> samples_of(const RunView& run) {
  std::map<std::string, int64_t> samples;
  for (const ExamView& exam : run.exams) samples[exam.key] = exam.samples;
  return samples;
}

}  // namespace

RunView read_run(const std::filesystem::path& folder, size_t sample) {
  const Json results = read_results(folder);
  const Field root(results, (folder / "results.json").string());
  RunView run;
  run.path = folder;
  // "runs/x/" has an empty last name.
  const std::filesystem::path path = std::filesystem::absolute(folder).lexically_normal();
  run.folder = (path.has_filename() ? path.filename() : path.parent_path().filename()).string();
  const Field model = root.at("model");
  run.model = model.text("name");
  run.family = model.text("family");
  run.weights_digest = model.text("weights_digest");
  run.tokenizer_digest = model.text("tokenizer_digest");
  run.template_hash = model.text("template_hash");
  run.numeric_mode = model.text("numeric_mode");
  run.parameters = model.integer("parameters");
  run.digest = root.text("digest");
  run.complete = root.boolean("complete");
  run.items = counts(root.at("items"));
  read_speed(root, run);
  root.each("exams", [&](const Field& field) {
    ExamView exam;
    read_identity(field, exam);
    read_scores(field, exam);
    read_extras(field, exam);
    run.exams.push_back(std::move(exam));
  });
  run.has_weights = run.weights_bytes > 0 || !run.weights_digest.empty();
  std::map<std::string, std::shared_ptr<PaperItems>> stored =
      read_paper_items(folder, samples_of(run), sample);
  for (ExamView& exam : run.exams) {
    const auto found = stored.find(exam.key);
    if (found != stored.end()) exam.stored = found->second;
  }
  return run;
}

}  // namespace keju
