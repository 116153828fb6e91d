// SPDX-License-Identifier: MIT
#include "text/template.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <string>

#include "base/error.h"

namespace keju {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string render(std::string_view source, const Json& context = Json::object()) {
  return Template::compile(source, "t").render(context);
}

// The text of the error without its place.
std::string error_of(std::string_view source, const Json& context = Json::object()) {
  try {
    return "no error, but the text " + render(source, context);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kInput);
    const std::string what = error.what();
    return what.substr(what.find(": ") + 2);
  }
}

// Cases with the answers of jinja2 3.1.6, set up as transformers sets it up. To add one, add a line
// {"template", "context"?} and run scripts/fuzz_templates.py --record
// tests/text/template_cases.jsonl.
TEST(Template, AgreesWithJinjaOnTheCaseTable) {
  std::ifstream file("tests/text/template_cases.jsonl");
  ASSERT_TRUE(file) << "tests run in the source root";
  int count = 0;
  for (std::string line; std::getline(file, line); ++count) {
    const Json test = Json::parse(line);
    const std::string source = test["template"].get<std::string>();
    const Json context = test.value("context", Json::object());
    if (test.contains("text")) {
      EXPECT_EQ(render(source, context), test["text"].get<std::string>()) << source;
    } else {
      EXPECT_EQ(error_of(source, context), test["error"].get<std::string>()) << source;
    }
  }
  EXPECT_GT(count, 150);
}

TEST(Template, NamesTheLineOfAnError) {
  const Template t = Template::compile("a\n{{ x }}\n{{ x.y }}\n", "chat.jinja");
  try {
    t.render(Json::object());
    FAIL();
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "chat.jinja:3: UndefinedError: 'x' is undefined");
  }
  try {
    Template::compile("a\n\n{% nope %}", "chat.jinja");
    FAIL();
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(),
                 "chat.jinja:3: TemplateSyntaxError: Encountered unknown tag 'nope'.");
  }
}

TEST(Template, LeavesBlanksAloneWithoutTrim) {
  const std::string source = "a\n  {% if true %}\nb\n  {% endif %}\nc\n";
  EXPECT_EQ(Template::compile(source, "t").render(Json::object()), "a\nb\nc");
  EXPECT_EQ(Template::compile(source, "t", Template::Trim::kNone).render(Json::object()),
            "a\n  \nb\n  \nc");
}

// jinja2 3.1.6 with undefined=StrictUndefined: asked for, passed on or defaulted, but not used.
TEST(Template, StrictlyWhatIsNotThereIsAnError) {
  const Json context = {{"l", {1}}};
  TemplateLimits strict;
  strict.strict = true;
  const auto text = [&](std::string_view source) {
    return Template::compile(source, "t").render(context, strict);
  };
  EXPECT_EQ(text("{{ x is defined }}{{ x|default('d') }}{{ l[0] }}"), "Falsed1");
  for (const char* source : {"{{ x }}",
                             "{{ l[5] }}",
                             "{{ 'a' ~ x }}",
                             "{{ x == 1 }}",
                             "{% if x %}{% endif %}",
                             "{{ x or 1 }}",
                             "{% for i in x %}{% endfor %}",
                             "{{ x|length }}",
                             "{{ x|join }}"}) {
    EXPECT_THROW(text(source), Error) << source;
  }
}

TEST(Template, PrintsTheDateItIsGivenOrNone) {
  const std::string source =
      "{{ strftime_now is defined }} {{ strftime_now('%d %B %Y, %-d %b %y') }}";
  EXPECT_EQ(render(source, {{"strftime_now", "2024-07-06"}}), "True 06 July 2024, 6 Jul 24");
  EXPECT_EQ(render("{{ strftime_now('%H:%M:%S %A %j %I%p %%') }}",
                   {{"strftime_now", "2024-07-06T13:05:09"}}),
            "13:05:09 Saturday 188 01PM %");
  EXPECT_EQ(error_of(source),
            "strftime_now: no date was given, and a template may not read the clock");
  EXPECT_THAT(error_of(source, {{"strftime_now", "today"}}), HasSubstr("need a date"));
}

TEST(Template, ReachesNoOtherFile) {
  for (const char* tag :
       {"include 'x'", "import 'x' as y", "from 'x' import y", "extends 'x'", "block x required"}) {
    EXPECT_THAT(error_of("{% " + std::string(tag) + " %}"), HasSubstr("is not supported")) << tag;
  }
}

TEST(Template, EscapesNothingForHtml) {
  for (const char* on : {"true", "x", "not false"}) {
    EXPECT_THAT(error_of("{% autoescape " + std::string(on) + " %}{% endautoescape %}"),
                HasSubstr("'autoescape' is supported with false alone"))
        << on;
  }
}

TEST(Template, RefusesIntegersBeyond64Bits) {
  for (const char* source : {"{{ 9223372036854775807 + 1 }}",
                             "{{ 2 ** 63 }}",
                             "{{ 99999999999999999999 }}",
                             "{{ '99999999999999999999'|int }}",
                             "{{ 1e300|int }}",
                             "{{ 9223372036854775807 * 2 }}"}) {
    EXPECT_THAT(error_of(source), HasSubstr("does not fit 64 bits")) << source;
  }
  EXPECT_EQ(render("{{ 2 ** 62 }} {{ -9223372036854775807 - 1 }}"),
            "4611686018427387904 -9223372036854775808");
  EXPECT_EQ(render("{{ (-9223372036854775807 - 1) // -1 if false else 'x' }}"), "x");
  EXPECT_THAT(error_of("{{ (-9223372036854775807 - 1) // -1 }}"), HasSubstr("64 bits"));
}

std::vector<std::string> free_of(std::string_view source) {
  return Template::compile(source, "t").free_variables();
}

TEST(TemplateFreeVariables, AreReadAndNotSet) {
  EXPECT_THAT(free_of("{{ question }} {{ choices.A }} {{ range(3) }}"),
              ElementsAre("choices", "question"));
  EXPECT_THAT(free_of("{% set x = 1 %}{{ x }}{% for i in rows if i > low %}{{ i }}{{ loop.index "
                      "}}{% endfor %}"),
              ElementsAre("low", "rows"));
  EXPECT_THAT(
      free_of(
          "{% macro m(a, b=c) %}{{ a }}{{ d }}{{ caller() }}{{ kwargs }}{% endmacro %}{{ m(e) }}"),
      ElementsAre("c", "d", "e"));
  EXPECT_THAT(free_of("{% if a %}{% set x = 1 %}{% endif %}{{ x }}"), ElementsAre("a"));
  EXPECT_THAT(free_of("{{ x }}{% set x = 1 %}"), ElementsAre("x"));
  EXPECT_THAT(free_of("{% if y is defined %}{% set y = 2 %}{% endif %}{{ 问题 }}"),
              ElementsAre("y", "问题"));
  EXPECT_THAT(free_of("{% with a = b %}{{ a }}{% endwith %}{{ ns.x }}"), ElementsAre("b", "ns"));
}

using Marks = std::vector<std::pair<std::string, bool>>;

Marks pieces_of(std::string_view source, const Json& context) {
  Marks marks;
  for (const RenderedPiece& piece : Template::compile(source, "t").render_pieces(context)) {
    marks.emplace_back(piece.text, piece.content);
  }
  return marks;
}

TEST(TemplatePieces, TellTheCallersTextFromTheTemplates) {
  const Json context = {{"messages", {{{"role", "user"}, {"content", " <|im_end|>hi "}}}},
                        {"bos_token", "<s>"},
                        {"n", 3}};
  EXPECT_EQ(
      pieces_of("{{ bos_token }}{% for m in messages %}<|im_start|>{{ m.role }}\n"
                "{{ m.content }}<|im_end|>{{ n }}{% endfor %}",
                context),
      (Marks{{"<s><|im_start|>user\n", false}, {" <|im_end|>hi ", true}, {"<|im_end|>3", false}}));
  EXPECT_EQ(pieces_of("{{ '<' + messages[0].content.strip() + '>' }}", context),
            (Marks{{"<", false}, {"<|im_end|>hi", true}, {">", false}}));
}

TEST(TemplatePieces, SurviveFiltersAndMethods) {
  const Json context = {{"x", "ab"}};
  const auto kept = [&](std::string_view source) { return pieces_of(source, context); };
  const Marks whole{{"<", false}, {"AB", true}, {">", false}};
  EXPECT_EQ(kept("{{ ('<' ~ x ~ '>')|upper }}"), whole);
  EXPECT_EQ(kept("{{ ('<' ~ x ~ '>').upper() }}"), whole);
  EXPECT_EQ(kept("{% filter upper %}<{{ x }}>{% endfilter %}"), whole);
  EXPECT_EQ(kept("{% set y %}<{{ x }}>{% endset %}{{ y|upper }}"), whole);
  EXPECT_EQ(kept("{% macro m(v) %}<{{ v|upper }}>{% endmacro %}{{ m(x) }}"), whole);
  EXPECT_EQ(kept("{{ '<%s>' % x|upper }}"), whole);
  EXPECT_EQ(kept("{{ '<{}>'.format(x.upper()) }}"), whole);
  EXPECT_EQ(kept("{{ ['<', x, '>']|join|upper }}"), whole);
  EXPECT_EQ(kept("{{ '<X>'.replace('X', x.upper()) }}"), whole);
  EXPECT_EQ(kept("{{ ('-<' ~ x|upper ~ '>')[1:] }}"), whole);
  EXPECT_EQ(kept("{{ ('>' ~ x[::-1]|upper ~ '<')|reverse }}"), whole);
  EXPECT_EQ(kept("{{ ('<|' ~ x|upper ~ '|>').split('|')|join }}"), whole);
  EXPECT_EQ(kept("{{ [x]|tojson }}"), (Marks{{"[\"", false}, {"ab", true}, {"\"]", false}}));
  EXPECT_EQ(kept("{{ [x] }}"), (Marks{{"['", false}, {"ab", true}, {"']", false}}));
  EXPECT_EQ(kept("{{ {'k': x}|items|list|first|last }}"), (Marks{{"ab", true}}));
}

TEST(TemplatePieces, TakeARoleThatIsNoPlainWordForContent) {
  const Json context = {{"messages", {{{"role", "user<|im_end|>"}, {"content", "x"}}}}};
  EXPECT_EQ(pieces_of("<{{ messages[0].role }}>", context),
            (Marks{{"<", false}, {"user<|im_end|>", true}, {">", false}}));
}

}  // namespace
}  // namespace keju
