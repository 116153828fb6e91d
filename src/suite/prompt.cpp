// SPDX-License-Identifier: MIT
#include "suite/prompt.h"

#include <algorithm>

#include "base/error.h"

namespace keju {
namespace {

Json subject_json(const CardSubject& subject) {
  Json json = Json::object();
  json["id"] = subject.id;
  json["zh"] = subject.name_zh;
  json["en"] = subject.name_en;
  json["name"] = subject.language == "en" ? subject.name_en : subject.name_zh;
  json["language"] = subject.language;
  return json;
}

std::vector<std::string> letters(size_t count) {
  std::vector<std::string> out;
  for (size_t i = 0; i < count; ++i) out.emplace_back(1, static_cast<char>('A' + i));
  return out;
}

bool contains(const std::vector<std::string>& list, std::string_view name) {
  return std::find(list.begin(), list.end(), name) != list.end();
}

}  // namespace

PromptTemplate::PromptTemplate(const TemplateSource& source) : at_(source.at) {
  std::string_view body = source.text;
  while (!body.empty() && body.back() == '\n') body.remove_suffix(1);
  tail_ = source.text.substr(body.size());
  if (body.empty()) return;
  template_ = Template::compile(body, source.at, Template::Trim::kNone);
}

std::string PromptTemplate::render(const Json& context) const {
  return template_.has_value() ? template_->render(context) + tail_ : tail_;
}

std::vector<std::string> PromptTemplate::variables() const {
  return template_.has_value() ? template_->free_variables() : std::vector<std::string>{};
}

Prompter::Prompter(const SuiteVariant& variant, const DataCard& card)
    : variant_(variant),
      card_(card),
      header_(variant.prompt.header),
      question_(variant.prompt.question),
      answer_(variant.prompt.answer),
      delimiter_(variant.prompt.delimiter),
      gold_(variant.prompt.gold) {
  check_rules();
  check_variables(header_, {"subject"});
  check_variables(delimiter_, {"subject"});
  std::vector<std::string> known = {"subject"};
  if (!card.choices.empty()) known.insert(known.end(), {"options", "letters"});
  for (const CardColumn& column : card.columns) {
    if (contains({"subject", "options", "letters", "letter", "option"}, column.key)) {
      throw fail(
          Code::kInput,
          "{}: columns: found \"{}\", a name that prompts use for something else, need a key",
          card.where,
          column.key);
    }
    known.push_back(column.key);
  }
  check_variables(question_, known);
  check_variables(gold_, known);
  if (variant.prompt.shots.pick == ShotRules::Pick::kFixed) {
    check_examples();
    return;
  }
  if (!card.choices.empty()) known.insert(known.end(), {"letter", "option"});
  check_variables(answer_, known);
}

void Prompter::check_variables(const PromptTemplate& text, std::vector<std::string> known) const {
  for (const std::string& name : text.variables()) {
    if (contains(known, name)) continue;
    throw fail(Code::kInput,
               "{}: template: unknown variable \"{}\" with data set \"{}\"{}",
               text.at(),
               name,
               card_.name,
               suggestion(name, known));
  }
}

void Prompter::check_rules() const {
  const Protocol& protocol = variant_.protocol;
  const PromptRules& prompt = variant_.prompt;
  if (protocol.task == Task::kChoose && (card_.choices.empty() || card_.answer.empty())) {
    throw fail(Code::kInput,
               "{}: task: found \"choose\", need a data set with choices; \"{}\" has none",
               variant_.at,
               card_.name);
  }
  if (protocol.task == Task::kGenerate && prompt.gold.text.empty() && card_.answer.empty()) {
    throw fail(Code::kInput,
               "{}: gold: found nothing, need a template, since data set \"{}\" names no answer",
               variant_.at,
               card_.name);
  }
  if (protocol.task == Task::kGenerate && prompt.shots.count > 0 && prompt.answer.text.empty()) {
    throw fail(Code::kInput, "{}: answer: found nothing, need it for worked examples", variant_.at);
  }
  if (!prompt.accept.empty()) {
    const CardColumn* column = card_.column(prompt.accept);
    if (column == nullptr || column->type != CardColumn::Type::kList) {
      throw fail(Code::kInput,
                 "{}: accept: found \"{}\", need a column of lists",
                 variant_.at,
                 prompt.accept);
    }
  }
}

void Prompter::check_examples() const {
  std::vector<std::string> needed = question_.variables();
  for (std::string& name : answer_.variables()) needed.push_back(std::move(name));
  for (const Json& example : variant_.prompt.shots.examples) {
    for (const std::string& name : needed) {
      if (name == "subject" || example.contains(name)) continue;
      throw fail(Code::kInput,
                 "{}: examples: found one without \"{}\", need what the templates name",
                 variant_.prompt.shots.at,
                 name);
    }
  }
}

Json Prompter::context(const DataRow& row, const CardSubject& subject) const {
  Json context = row.doc;
  context["subject"] = subject_json(subject);
  if (!row.options.empty()) {
    context["options"] = row.options;
    context["letters"] = letters(row.options.size());
  }
  return context;
}

std::string Prompter::header(const CardSubject& subject) const {
  Json context = Json::object();
  context["subject"] = subject_json(subject);
  return header_.render(context);
}

std::string Prompter::question(const DataRow& row, const CardSubject& subject) const {
  return question_.render(context(row, subject));
}

std::string Prompter::shot(const DataRow& row, const CardSubject& subject) const {
  Json values = context(row, subject);
  std::string text = question_.render(values);
  if (!row.options.empty() && row.gold < 0) {
    throw fail(
        Code::kInput, "{}: {}: found none, need one in a worked example", row.at, card_.answer);
  }
  if (variant_.protocol.task == Task::kChoose) {
    return text + continuations(row, subject)[static_cast<size_t>(row.gold)];
  }
  if (!row.options.empty()) {
    values["letter"] = std::string(1, static_cast<char>('A' + row.gold));
    values["option"] = row.options[static_cast<size_t>(row.gold)];
  }
  return text + answer_.render(values);
}

std::string Prompter::fixed_shot(const Json& example, const CardSubject& subject) const {
  Json values = example;
  values["subject"] = subject_json(subject);
  return question_.render(values) + answer_.render(values);
}

std::string Prompter::joined(const std::string& header,
                             const std::vector<std::string>& shots,
                             const std::string& question) const {
  const PromptRules& rules = variant_.prompt;
  std::string text = header;
  for (size_t i = 0; i < shots.size(); ++i) {
    text += shots[i];
    text += i + 1 == shots.size() ? rules.join_item.value_or(rules.join) : rules.join;
  }
  return text + question;
}

std::vector<std::string> Prompter::choices(const DataRow& row) const {
  return variant_.prompt.choice == PromptRules::Choice::kText ? row.options
                                                              : letters(row.options.size());
}

std::vector<std::string> Prompter::continuations(const DataRow& row,
                                                 const CardSubject& subject) const {
  Json values = Json::object();
  values["subject"] = subject_json(subject);
  const std::string delimiter = delimiter_.render(values);
  std::vector<std::string> out = choices(row);
  for (std::string& choice : out) choice.insert(0, delimiter);
  return out;
}

std::string Prompter::gold(const DataRow& row, const CardSubject& subject) const {
  if (gold_.empty()) {
    return row.gold < 0 ? "" : std::string(1, static_cast<char>('A' + row.gold));
  }
  for (const std::string& name : gold_.variables()) {
    if (card_.column(name) != nullptr && !row.doc.contains(name)) return "";
  }
  return gold_.render(context(row, subject));
}

std::vector<std::string> Prompter::accepted(const DataRow& row) const {
  const std::string& key = variant_.prompt.accept;
  if (key.empty() || !row.doc.contains(key)) return {};
  return row.doc[key].get<std::vector<std::string>>();
}

}  // namespace keju
