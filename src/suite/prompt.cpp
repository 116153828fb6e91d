// SPDX-License-Identifier: MIT
#include "suite/prompt.h"

#include <algorithm>
#include <charconv>

#include "base/error.h"

namespace keju {
namespace {

// Between the answers that an `accept` template gives (ASCII's unit separator).
constexpr char kAnswerSeparator = '\x1f';

Json subject_json(const CardSubject& subject) {
  Json json = Json::object();
  json["id"] = subject.id;
  json["zh"] = subject.name_zh;
  json["en"] = subject.name_en;
  json["name"] = subject.language == "en" ? subject.name_en : subject.name_zh;
  json["language"] = subject.language;
  json["text"] = subject.text;
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

std::string PromptTemplate::render(const Json& context, bool strict) const {
  TemplateLimits limits;
  limits.strict = strict;
  return template_.has_value() ? template_->render(context, limits) + tail_ : tail_;
}

std::vector<std::string> PromptTemplate::variables() const {
  return template_.has_value() ? template_->free_variables() : std::vector<std::string>{};
}

Prompter::Prompter(const SuiteVariant& variant, const DataCard& card)
    : variant_(variant),
      card_(card),
      header_(variant.prompt.header),
      question_(variant.prompt.question),
      item_(variant.prompt.item),
      answer_(variant.prompt.answer),
      delimiter_(variant.prompt.delimiter),
      gold_(variant.prompt.gold),
      weight_(variant.prompt.weight),
      option_(variant.prompt.option),
      option_context_(variant.prompt.option_context),
      system_({variant.protocol.generate.system, variant.at}),
      prefill_({variant.protocol.generate.prefill, variant.at}),
      conclude_({variant.protocol.conclude, variant.at}) {
  const std::string& accept = variant.prompt.accept;
  if (accept.find("{{") != std::string::npos) accept_ = PromptTemplate({accept, variant.at});
  for (const auto& [pattern, with] : variant.prompt.replace) {
    replace_.emplace_back(Pattern(pattern, variant.at), with);
  }
  check_rules();
  check_variables(header_, {"subject"});
  check_variables(delimiter_, {"subject"});
  check_variables(system_, {"subject"});
  std::vector<std::string> known = {"subject", "nth"};
  if (card.has_choices()) known.insert(known.end(), {"options", "letters"});
  for (const CardColumn& column : card.columns) {
    if (contains({"subject", "nth", "options", "letters", "letter", "option"}, column.key)) {
      throw fail(
          Code::kInput,
          "{}: columns: found \"{}\", a name that prompts use for something else, need a key",
          card.where,
          column.key);
    }
    known.push_back(column.key);
  }
  // What a card lets pass unnamed may stand in templates, too; only rendering can tell.
  any_variable_ = card.others;
  check_variables(question_, known);
  check_variables(item_, known);
  check_variables(prefill_, known);
  check_variables(weight_, known);
  std::vector<std::string> of_conclusion = known;
  of_conclusion.insert(of_conclusion.end(), {"prompt", "wrote"});
  check_variables(conclude_, of_conclusion);
  std::vector<std::string> of_gold = known;
  if (card.has_choices()) of_gold.insert(of_gold.end(), {"letter", "option"});
  check_variables(gold_, of_gold);
  check_variables(option_, of_gold);
  check_variables(option_context_, of_gold);
  check_variables(accept_, known);
  if (variant.prompt.shots.pick == ShotRules::Pick::kFixed) {
    check_examples();
    return;
  }
  if (card.has_choices()) known.insert(known.end(), {"letter", "option"});
  check_variables(answer_, known);
}

void Prompter::check_variables(const PromptTemplate& text, std::vector<std::string> known) const {
  for (const std::string& name : text.variables()) {
    if (any_variable_ || contains(known, name)) continue;
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
  if (protocol.task == Task::kChoose && (!card_.has_choices() || card_.answer.empty())) {
    throw fail(Code::kInput,
               "{}: task: found \"choose\", need a data set with choices; \"{}\" has none",
               variant_.at,
               card_.name);
  }
  if (!prompt.turns.empty() && (card_.column(prompt.turns) == nullptr ||
                                card_.column(prompt.turns)->type != CardColumn::Type::kList)) {
    throw fail(
        Code::kInput, "{}: turns: found \"{}\", need a column of lists", variant_.at, prompt.turns);
  }
  if (protocol.task == Task::kGenerate && !protocol.judge.has_value() && prompt.gold.text.empty() &&
      card_.answer.empty()) {
    throw fail(Code::kInput,
               "{}: gold: found nothing, need a template, since data set \"{}\" names no answer",
               variant_.at,
               card_.name);
  }
  if (protocol.task == Task::kGenerate && prompt.shots.count > 0 && prompt.answer.text.empty()) {
    throw fail(Code::kInput, "{}: answer: found nothing, need it for worked examples", variant_.at);
  }
  if (!prompt.accept.empty() && accept_.empty()) {
    const CardColumn* column = card_.column(prompt.accept.substr(0, prompt.accept.find('.')));
    if (column == nullptr ||
        (column->type != CardColumn::Type::kList && column->type != CardColumn::Type::kAny)) {
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

Json Prompter::context(const DataRow& row, const CardSubject& subject, size_t nth) const {
  Json context = row.doc;
  context["nth"] = nth;
  context["subject"] = subject_json(subject);
  if (!row.options.empty()) {
    context["options"] = row.options;
    context["letters"] = letters(row.options.size());
  }
  return context;
}

void Prompter::add_gold(Json& values, const DataRow& row) {
  if (row.gold < 0) return;
  values["letter"] = std::string(1, static_cast<char>('A' + row.gold));
  values["option"] = row.options[static_cast<size_t>(row.gold)];
}

std::string Prompter::header(const CardSubject& subject) const {
  Json context = Json::object();
  context["subject"] = subject_json(subject);
  return header_.render(context);
}

std::string Prompter::replaced(std::string text) const {
  for (const auto& [pattern, with] : replace_) text = pattern.replace(text, with);
  return text;
}

std::string Prompter::question(const DataRow& row, const CardSubject& subject, size_t nth) const {
  return replaced(question_.render(context(row, subject, nth)));
}

std::string Prompter::item(const DataRow& row, const CardSubject& subject, size_t nth) const {
  return item_.empty() ? question(row, subject, nth)
                       : replaced(item_.render(context(row, subject, nth)));
}

double Prompter::weight(const DataRow& row, const CardSubject& subject) const {
  if (weight_.empty()) return 1;
  const std::string text = weight_.render(context(row, subject));
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc() && end == text.data() + text.size() && value > 0) return value;
  throw fail(Code::kInput,
             "{}: weight: found \"{}\" for {}, need a number above 0",
             weight_.at(),
             text,
             row.at);
}

std::string Prompter::system(const CardSubject& subject) const {
  Json context = Json::object();
  context["subject"] = subject_json(subject);
  return system_.render(context);
}

std::string Prompter::conclusion(const DataRow& row,
                                 const CardSubject& subject,
                                 const std::string& prompt,
                                 const std::string& wrote) const {
  Json values = context(row, subject);
  values["prompt"] = prompt;
  values["wrote"] = wrote;
  return conclude_.render(values);
}

std::string Prompter::prefill(const DataRow& row, const CardSubject& subject) const {
  return prefill_.empty() ? "" : prefill_.render(context(row, subject));
}

Prompter::Shot Prompter::shot(const DataRow& row, const CardSubject& subject, size_t nth) const {
  Json values = context(row, subject, nth);
  std::string text = question(row, subject, nth);
  if (!row.options.empty() && row.gold < 0) {
    throw fail(
        Code::kInput, "{}: {}: found none, need one in a worked example", row.at, card_.answer);
  }
  if (variant_.protocol.task == Task::kChoose) {
    const std::vector<std::string> all = continuations(row, subject);
    return {text, all[all.size() - row.options.size() + static_cast<size_t>(row.gold)]};
  }
  add_gold(values, row);
  return {text, answer_.render(values)};
}

Prompter::Shot Prompter::fixed_shot(const Json& example, const CardSubject& subject) const {
  Json values = example;
  values["subject"] = subject_json(subject);
  return {question_.render(values), answer_.render(values)};
}

std::string Prompter::joined(const std::string& header,
                             const std::vector<Shot>& shots,
                             const std::string& question) const {
  const PromptRules& rules = variant_.prompt;
  std::string text = header;
  for (size_t i = 0; i < shots.size(); ++i) {
    text += shots[i].question + shots[i].answer;
    text += i + 1 == shots.size() ? rules.join_item.value_or(rules.join) : rules.join;
  }
  return text + question;
}

// A template over each option of a row.
std::vector<std::string> Prompter::spelt(const PromptTemplate& text, const DataRow& row) const {
  const std::vector<std::string> names = letters(row.options.size());
  Json values = row.doc;
  std::vector<std::string> out;
  for (size_t i = 0; i < names.size(); ++i) {
    values["letter"] = names[i];
    values["option"] = row.options[i];
    out.push_back(text.render(values));
  }
  return out;
}

std::vector<std::string> Prompter::choices(const DataRow& row) const {
  if (!option_.empty()) return spelt(option_, row);
  if (variant_.prompt.choice == PromptRules::Choice::kLetter) return letters(row.options.size());
  std::vector<std::string> out;
  for (const std::string& option : row.options) out.push_back(replaced(option));
  return out;
}

std::vector<std::string> Prompter::continuations(const DataRow& row,
                                                 const CardSubject& subject) const {
  Json values = Json::object();
  values["subject"] = subject_json(subject);
  const std::string delimiter = delimiter_.render(values);
  std::vector<std::string> out = choices(row);
  for (std::string& choice : out) choice.insert(0, delimiter);
  if (option_context_.empty()) return out;
  std::vector<std::string> contexts = spelt(option_context_, row);
  for (size_t i = 0; i < contexts.size(); ++i) out[i].insert(0, contexts[i]);
  out.insert(out.begin(), contexts.begin(), contexts.end());
  return out;
}

std::string Prompter::gold(const DataRow& row, const CardSubject& subject) const {
  if (gold_.empty()) {
    return row.gold < 0 ? "" : std::string(1, static_cast<char>('A' + row.gold));
  }
  for (const std::string& name : gold_.variables()) {
    if (card_.column(name) != nullptr && !row.doc.contains(name)) return "";
  }
  Json values = context(row, subject);
  add_gold(values, row);
  for (const std::string& name : gold_.variables()) {
    if (!values.contains(name)) return "";  // a row without a label
  }
  return gold_.render(values);
}

std::vector<std::string> Prompter::accepted(const DataRow& row) const {
  if (!accept_.empty()) {
    std::vector<std::string> out;
    std::string text = accept_.render(row.doc);
    for (size_t at = 0; at < text.size();) {
      const size_t end = std::min(text.find(kAnswerSeparator, at), text.size());
      if (end > at) out.push_back(text.substr(at, end - at));
      at = end + 1;
    }
    return out;
  }
  const std::string& key = variant_.prompt.accept;
  if (key.empty()) return {};
  const Json* list = at_path(row.doc, key);
  std::vector<std::string> out;
  if (list == nullptr || !list->is_array()) return out;
  for (const Json& entry : *list) out.push_back(plain_text(entry));
  return out;
}

}  // namespace keju
