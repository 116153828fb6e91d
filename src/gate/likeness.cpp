// SPDX-License-Identifier: MIT
#include "gate/likeness.h"

#include <array>
#include <set>

#include "base/error.h"

namespace keju {
namespace {

struct Field {
  const char* name;
  const char* why;
};

// What must be equal for two exams to ask and judge the same.
constexpr std::array<Field, 9> kDeciding = {{
    {"suite", "another suite"},
    {"split", "another split: other questions"},
    {"shots", "another number of worked examples"},
    {"limit", "cut to another number of items"},
    {"data_hash", "other data files: other questions or answers"},
    {"suite_hash", "another version of the suite file or its data card"},
    {"items", "another number of items"},
    {"chance", "another score of guessing"},
    {"item_set", "the questions as asked differ: ids or prompts"},
}};

std::string shown(const Json& value) {
  std::string text = value.dump(-1, ' ', false, Json::error_handler_t::replace);
  if (text.size() > 60) text = text.substr(0, 57) + "...";
  return text;
}

const Json& at(const Json& object, const std::string& key) {
  static const Json none;
  return object.is_object() && object.contains(key) ? object[key] : none;
}

void compare_protocol(const std::string& key,
                      const Json& a,
                      const Json& b,
                      std::vector<Unlikeness>& out) {
  std::set<std::string> fields;
  for (const Json* side : {&a, &b}) {
    for (const auto& [field, value] : side->items()) fields.insert(field);
  }
  fields.erase("about");
  for (const std::string& field : fields) {
    if (at(a, field) == at(b, field)) continue;
    out.push_back({key,
                   "protocol." + field,
                   shown(at(a, field)),
                   shown(at(b, field)),
                   "another rule of asking or scoring",
                   true});
  }
}

std::vector<std::string> subject_ids(const Json& exam) {
  std::vector<std::string> out;
  for (const Json& subject : at(exam, "subjects")) out.push_back(at(subject, "id").dump());
  return out;
}

}  // namespace

std::vector<Unlikeness> unlike_exams(const Json& a, const Json& b) {
  std::vector<Unlikeness> out;
  const std::string key = at(a, "key").is_string() ? a["key"].get<std::string>() : "";
  compare_protocol(key, at(a, "protocol"), at(b, "protocol"), out);
  for (const Field& field : kDeciding) {
    if (at(a, field.name) == at(b, field.name)) continue;
    out.push_back(
        {key, field.name, shown(at(a, field.name)), shown(at(b, field.name)), field.why, true});
  }
  const auto subjects_a = subject_ids(a), subjects_b = subject_ids(b);
  if (subjects_a != subjects_b) {
    out.push_back({key,
                   "subjects",
                   std::to_string(subjects_a.size()) + " subjects",
                   std::to_string(subjects_b.size()) + " subjects",
                   "other subjects",
                   true});
  }
  return out;
}

const Json& exam_entry(const AnsweredRun& run, const std::string& key) {
  for (const Json& exam : member(run.manifest, "exams", run.where)) {
    if (string_member(exam, "key", run.where) == key) return exam;
  }
  throw fail(Code::kInput, "{}: run.json: found no exam {}", run.where, key);
}

std::vector<Unlikeness> unlike_runs(const AnsweredRun& a, const AnsweredRun& b) {
  std::vector<Unlikeness> out;
  const Json &print_a = member(a.manifest, "fingerprint", a.where),
             &print_b = member(b.manifest, "fingerprint", b.where);
  for (const auto& [name, why] :
       {std::pair("weights_digest", "other weights"),
        {"tokenizer_digest", "another tokenizer"},
        {"template_hash", "another chat template"},
        {"numeric_mode", "other arithmetic: equal weights may differ in low bits"}}) {
    if (at(print_a, name) == at(print_b, name)) continue;
    out.push_back({"", name, shown(at(print_a, name)), shown(at(print_b, name)), why, false});
  }
  for (const AnsweredExam& exam : a.exams) {
    const std::string& key = exam.manifest.key;
    if (b.find(key) == nullptr) {
      out.push_back({key, "exam", "present", "absent", "sat in one run only: not compared", false});
      continue;
    }
    for (Unlikeness& unlike : unlike_exams(exam_entry(a, key), exam_entry(b, key)))
      out.push_back(std::move(unlike));
  }
  for (const AnsweredExam& exam : b.exams) {
    if (a.find(exam.manifest.key) == nullptr)
      out.push_back({exam.manifest.key,
                     "exam",
                     "absent",
                     "present",
                     "sat in one run only: not compared",
                     false});
  }
  return out;
}

std::string say(const Unlikeness& u) {
  return fmt::format(
      "{}{}: {} against {}: {}", u.exam.empty() ? "" : u.exam + ": ", u.field, u.a, u.b, u.why);
}

}  // namespace keju
