// SPDX-License-Identifier: MIT
#include "text/template.h"

#include <algorithm>
#include <chrono>
#include <cstdio>

#include "base/error.h"
#include "text/template/ast.h"
#include "text/template/evaluator.h"

namespace keju {

struct Template::Program {
  std::string where;
  jinja::Tree tree;
};

namespace {

using jinja::Value;

Error located(const std::string& where, int line, const jinja::Fault& fault) {
  const std::string kind = fault.kind().empty() ? "" : fault.kind() + ": ";
  return fail(Code::kInput, "{}:{}: {}{}", where, line, kind, fault.what());
}

// The markers that transformers hands to a template (special_tokens_map): marks, not content.
bool is_token_name(std::string_view name) {
  static constexpr std::string_view kNames[] = {
      "bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"};
  return std::find(std::begin(kNames), std::end(kNames), name) != std::end(kNames);
}

bool is_plain_word(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
  });
}

// Messages, whose roles are part of the template's marks: "<|" ~ role ~ "|>".
Value messages_value(jinja::Runtime& rt, const Json& messages) {
  if (!messages.is_array()) return from_json(rt, messages, true);
  std::vector<Value> items;
  for (const Json& message : messages) {
    const auto role = message.is_object() ? message.find("role") : message.end();
    if (!message.is_object() || role == message.end() || !role->is_string() ||
        !is_plain_word(role->get_ref<const std::string&>())) {
      items.push_back(from_json(rt, message, true));
      continue;
    }
    auto dict = std::make_shared<jinja::DictObject>();
    for (const auto& [key, value] : message.items()) {
      dict->set(key, from_json(rt, value, key != "role"));
    }
    items.push_back(make_dict(rt, std::move(dict)));
  }
  return make_list(rt, std::move(items));
}

// "2024-07-26" or "2024-07-26T12:30:00" as seconds since 1970.
int64_t parse_clock(const std::string& text) {
  int y = 0;
  unsigned m = 0;
  unsigned d = 0;
  int hour = 0;
  int minute = 0;
  int second = 0;
  const int read =
      std::sscanf(text.c_str(), "%4d-%2u-%2uT%2d:%2d:%2d", &y, &m, &d, &hour, &minute, &second);
  const std::chrono::year_month_day date{
      std::chrono::year(y), std::chrono::month(m), std::chrono::day(d)};
  if (read < 3 || !date.ok() || y < 1970) {
    jinja::raise("", "strftime_now: found '" + text + "', need a date such as 2024-07-26");
  }
  const int64_t days = std::chrono::sys_days(date).time_since_epoch().count();
  return ((days * 24 + hour) * 60 + minute) * 60 + second;
}

std::shared_ptr<jinja::DictObject> variables(jinja::Runtime& rt, const Json& context) {
  if (!context.is_object()) jinja::raise("", "the context is not an object");
  auto dict = std::make_shared<jinja::DictObject>();
  for (const auto& [name, value] : context.items()) {
    if (name == "strftime_now" && value.is_string()) {
      rt.clock = parse_clock(value.get<std::string>());
    } else if (name == "messages") {
      dict->set(name, messages_value(rt, value));
    } else {
      dict->set(name, from_json(rt, value, !is_token_name(name)));
    }
  }
  return dict;
}

jinja::MarkedText rendered(const std::string& where,
                           const jinja::Tree& tree,
                           const Json& context,
                           const TemplateLimits& limits) {
  jinja::Runtime rt(limits);
  try {
    const std::shared_ptr<jinja::DictObject> dict = variables(rt, context);
    return jinja::Evaluator(rt, tree, *dict).render();
  } catch (const jinja::Fault& fault) {
    throw located(where, std::max(rt.line, 1), fault);
  }
}

}  // namespace

Template::Template(std::unique_ptr<Program> program) : program_(std::move(program)) {}
Template::Template(Template&&) noexcept = default;
Template& Template::operator=(Template&&) noexcept = default;
Template::~Template() = default;

Template Template::compile(std::string_view source, std::string where, Trim trim) {
  auto program = std::make_unique<Program>();
  program->where = std::move(where);
  jinja::Cursor cursor;
  try {
    jinja::parse(source, trim == Trim::kBlocks, program->tree, cursor);
    jinja::resolve(program->tree, cursor);
  } catch (const jinja::Fault& fault) {
    throw located(program->where, cursor.line, fault);
  }
  return Template(std::move(program));
}

std::string Template::render(const Json& context, const TemplateLimits& limits) const {
  return std::move(rendered(program_->where, program_->tree, context, limits).bytes);
}

std::vector<RenderedPiece> Template::render_pieces(const Json& context,
                                                   const TemplateLimits& limits) const {
  const jinja::MarkedText text = rendered(program_->where, program_->tree, context, limits);
  std::vector<RenderedPiece> pieces;
  size_t at = 0;
  for (const jinja::Span& span : text.content) {
    if (span.begin > at) pieces.push_back({text.bytes.substr(at, span.begin - at), false});
    pieces.push_back({text.bytes.substr(span.begin, span.end - span.begin), true});
    at = span.end;
  }
  if (at < text.size()) pieces.push_back({text.bytes.substr(at), false});
  return pieces;
}

std::vector<std::string> Template::free_variables() const { return program_->tree.free; }

}  // namespace keju
