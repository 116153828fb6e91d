// SPDX-License-Identifier: MIT
#include "gate/baseline.h"

#include <algorithm>

#include "base/error.h"
#include "base/mapped_file.h"
#include "gate/likeness.h"
#include "run/results.h"

namespace keju {
namespace {

// Right and wrong as "1" and "0", nothing as "-"; other values as a list.
Json pack_values(const std::vector<std::optional<double>>& values) {
  std::string text;
  Json list = Json::array();
  bool plain = true;
  for (const auto& value : values) {
    plain = plain && (!value || *value == 0 || *value == 1);
    text += !value ? '-' : *value == 1 ? '1' : '0';
    list.push_back(value ? Json(*value) : Json());
  }
  return plain ? Json(text) : list;
}

std::vector<std::optional<double>> unpack_values(const Json& packed, const std::string& where) {
  std::vector<std::optional<double>> out;
  if (packed.is_string()) {
    for (const char c : packed.get<std::string>()) {
      if (c != '0' && c != '1' && c != '-')
        throw fail(Code::kInput, "{}: values: found \"{}\", need 0, 1 or -", where, c);
      out.push_back(c == '-' ? std::nullopt : std::optional<double>(c - '0'));
    }
    return out;
  }
  if (!packed.is_array()) throw fail(Code::kInput, "{}: values: need a string or an array", where);
  for (const Json& value : packed) {
    if (!value.is_null() && !value.is_number())
      throw fail(Code::kInput, "{}: values: need numbers or null", where);
    out.push_back(value.is_null() ? std::nullopt : std::optional<double>(value.get<double>()));
  }
  return out;
}

// What an exam's entry says of itself; the entry may come from a file.
void read_entry(BaselineExam& exam, const std::string& where) {
  exam.key = string_member(exam.entry, "key", where);
  exam.chance = number_member(exam.entry, "chance", where);
  exam.perplexity = string_member(member(exam.entry, "protocol", where), "task", where) ==
                    name(Task::kPerplexity);
}

std::optional<double> optional_number(const Json& object, const char* key) {
  if (!object.is_object() || !object.contains(key) || !object[key].is_number()) return std::nullopt;
  return object[key].get<double>();
}

BaselineExam exam_from_json(const Json& json, const std::string& where) {
  BaselineExam exam;
  exam.entry = member(json, "exam", where);
  read_entry(exam, where);
  const std::string place = where + ": " + exam.key;
  exam.digest = string_member(json, "digest", place);
  exam.values = unpack_values(member(json, "values", place), place);
  exam.cap_hits = int_member(json, "cap_hits", place);
  const int64_t items = int_member(exam.entry, "items", place);
  if (static_cast<int64_t>(exam.values.size()) != items)
    throw fail(Code::kInput, "{}: values: found {}, need {}", place, exam.values.size(), items);
  exam.complete = true;
  return exam;
}

Baseline from_file(const std::filesystem::path& path) {
  const Json json = read_json(path);
  const std::string where = path.string();
  const std::string schema = string_member(json, "schema", where);
  if (schema != kBaselineSchema) {
    throw fail(Code::kUnsupported,
               "{}: schema: found \"{}\", need \"{}\". Write it anew with keju gate "
               "--write-baseline",
               where,
               schema,
               kBaselineSchema);
  }
  Baseline out;
  out.where = where;
  out.model = string_member(json, "model", where);
  out.fingerprint = member(json, "fingerprint", where);
  for (const Json& exam : member(json, "exams", where))
    out.exams.push_back(exam_from_json(exam, where));
  const Json& speed = member(json, "speed", where);
  out.prefill_tokens_per_s = optional_number(speed, "prefill_tokens_per_s");
  out.decode_tokens_per_s = optional_number(speed, "decode_tokens_per_s");
  if (speed.contains("paces")) {  // files of before there were paces have none
    const Json& paces = speed["paces"];
    out.paces = {pace_from_json(member(paces, "prefill", where), where + ": speed: prefill"),
                 pace_from_json(member(paces, "decode", where), where + ": speed: decode")};
  }
  const Json& pilot = member(json, "pilot", where);
  if (!pilot.is_null()) {
    out.pilot = {number_member(pilot, "discordance", where),
                 number_member(pilot, "design_effect", where),
                 string_member(pilot, "from", where)};
  }
  return out;
}

}  // namespace

std::optional<double> rate_of(const Json& results, const char* name) {
  return results.is_object() && results.contains("speed") ? optional_number(results["speed"], name)
                                                          : std::nullopt;
}

Baseline baseline_of(const AnsweredRun& run, const Json& results) {
  Baseline out;
  out.where = run.where;
  out.model = run.model;
  out.fingerprint = member(run.manifest, "fingerprint", run.where);
  for (const AnsweredExam& answered : run.exams) {
    BaselineExam exam;
    exam.entry = exam_entry(run, answered.manifest.key);
    read_entry(exam, run.where);
    exam.digest = answered.digest;
    exam.failed = answered.failed;
    exam.complete = answered.complete();
    for (const AnsweredItem& item : answered.items) {
      exam.values.push_back(item.counted ? std::optional<double>(item.value) : std::nullopt);
      exam.cap_hits += item.cap_hit ? 1 : 0;
    }
    out.exams.push_back(std::move(exam));
  }
  out.prefill_tokens_per_s = rate_of(results, "prefill_tokens_per_s");
  out.decode_tokens_per_s = rate_of(results, "decode_tokens_per_s");
  out.paces = run.paces;
  return out;
}

Baseline read_baseline(const std::filesystem::path& path) {
  if (std::filesystem::is_directory(path))
    return baseline_of(read_answers(path), read_results(path));
  return from_file(path);
}

void write_baseline(const Baseline& baseline, const std::filesystem::path& path) {
  Json exams = Json::array();
  for (const BaselineExam& exam : baseline.exams) {
    if (!exam.complete)
      throw fail(Code::kInput,
                 "{}: {}: the run is not complete, need all of its items",
                 baseline.where,
                 exam.key);
    exams.push_back({{"exam", exam.entry},
                     {"digest", exam.digest},
                     {"cap_hits", exam.cap_hits},
                     {"values", pack_values(exam.values)}});
  }
  const auto number = [](const std::optional<double>& x) { return x ? Json(*x) : Json(); };
  Json pilot;
  if (baseline.pilot) {
    pilot = {{"discordance", baseline.pilot->discordance},
             {"design_effect", baseline.pilot->design_effect},
             {"from", baseline.pilot->from}};
  }
  const Json out{{"schema", kBaselineSchema},
                 {"model", baseline.model},
                 {"fingerprint", baseline.fingerprint},
                 {"speed",
                  {{"prefill_tokens_per_s", number(baseline.prefill_tokens_per_s)},
                   {"decode_tokens_per_s", number(baseline.decode_tokens_per_s)},
                   {"paces",
                    {{"prefill", to_json(baseline.paces.prefill)},
                     {"decode", to_json(baseline.paces.decode)}}}}},
                 {"pilot", pilot},
                 {"exams", std::move(exams)}};
  write_file_atomically(path, out.dump(1, ' ', false, Json::error_handler_t::replace) + "\n");
}

}  // namespace keju
