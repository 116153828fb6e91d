// SPDX-License-Identifier: MIT
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "base/error.h"
#include "text/template.h"

// Templates from strangers: each of these must end in an error, soon, with little memory, and
// without a crash.
namespace keju {
namespace {

using testing::AnyOf;
using testing::HasSubstr;

std::string repeat(std::string_view part, int count) {
  std::string out;
  for (int i = 0; i < count; ++i) out += part;
  return out;
}

std::string outcome(const std::string& source, const TemplateLimits& limits = {}) {
  try {
    return "text of " +
           std::to_string(Template::compile(source, "t").render(Json::object(), limits).size()) +
           " bytes";
  } catch (const Error& error) {
    return error.what();
  }
}

const char kDeep[] = "levels of nest";

TEST(TemplateLimits, DeepSourceIsRefused) {
  const int n = 10'000;
  EXPECT_THAT(outcome("{{ " + repeat("(", n) + "1" + repeat(")", n) + " }}"), HasSubstr(kDeep));
  EXPECT_THAT(outcome("{{ " + repeat("[", n) + repeat("]", n) + " }}"), HasSubstr(kDeep));
  EXPECT_THAT(outcome("{{ " + repeat("{1:", n) + "1" + repeat("}", n) + " }}"), HasSubstr(kDeep));
  EXPECT_THAT(outcome("{{ " + repeat("not ", n) + "1 }}"), HasSubstr(kDeep));
  EXPECT_THAT(outcome("{{ " + repeat("-", n) + "1 }}"), HasSubstr(kDeep));
  EXPECT_THAT(outcome("{{ x" + repeat(".a", n) + " }}"), HasSubstr(kDeep));
  EXPECT_THAT(outcome("{{ x" + repeat("[0]", n) + " }}"), HasSubstr(kDeep));
  EXPECT_THAT(outcome("{{ x" + repeat("()", n) + " }}"), HasSubstr(kDeep));
  EXPECT_THAT(outcome("{{ x" + repeat("|upper", n) + " }}"), HasSubstr(kDeep));
  EXPECT_THAT(outcome("{{ 1" + repeat(" if 1 else 1", n) + " }}"), HasSubstr(kDeep));
  EXPECT_THAT(outcome("{{ 1" + repeat(" if 1", n) + " }}"), HasSubstr(kDeep));
  EXPECT_THAT(outcome("{{ " + repeat("f(", n) + repeat(")", n) + " }}"), HasSubstr(kDeep));
  EXPECT_THAT(outcome(repeat("{% if 1 %}", n) + repeat("{% endif %}", n)), HasSubstr(kDeep));
  EXPECT_THAT(outcome(repeat("{% for i in [1] %}", n) + repeat("{% endfor %}", n)),
              HasSubstr(kDeep));
  EXPECT_THAT(outcome("{% for " + repeat("(", n) + "a" + repeat(",)", n) + " in x %}{% endfor %}"),
              HasSubstr(kDeep));
}

TEST(TemplateLimits, LongSourceIsNot) {
  EXPECT_EQ(outcome("{{ 0" + repeat(" + 1", 5'000) + " }}"), "text of 4 bytes");
  EXPECT_EQ(outcome("{{ ''" + repeat(" ~ 'a'", 5'000) + " }}"), "text of 5000 bytes");
  EXPECT_EQ(outcome("{{ 1" + repeat(" and 1", 5'000) + " }}"), "text of 1 bytes");
  EXPECT_EQ(outcome("{% if 0 %}" + repeat("{% elif 0 %}", 5'000) + "{% endif %}"),
            "text of 0 bytes");
  EXPECT_EQ(outcome(repeat("{{ 1 }}", 50'000)), "text of 50000 bytes");
}

TEST(TemplateLimits, EndlessWorkIsCut) {
  EXPECT_THAT(outcome("{% for i in range(10**9) %}{% endfor %}"),
              HasSubstr("OverflowError: Range too big"));
  EXPECT_THAT(
      outcome("{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}"),
      HasSubstr("more than 2000000 steps"));
  EXPECT_THAT(outcome("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}"), HasSubstr(kDeep));
  EXPECT_THAT(
      outcome("{% macro m() %}{% call m() %}{% endcall %}{{ caller() }}{% endmacro %}{{ m() }}"),
      HasSubstr(kDeep));
  EXPECT_THAT(outcome("{% for i in [1] recursive %}{{ loop([1]) }}{% endfor %}"), HasSubstr(kDeep));
  EXPECT_THAT(outcome("{% macro m(n) %}{% if n %}{{ m(n - 1) }}{{ m(n - 1) }}{% endif %}{% "
                      "endmacro %}{{ m(40) }}"),
              AnyOf(HasSubstr("steps"), HasSubstr(kDeep)));
  const std::string once = "{% set ns = namespace(s='ab' * 1000000) %}{% for i in range(90000) %}";
  for (const char* work : {"ns.s.count('x')",
                           "ns.s in ns.s",
                           "ns.s == ns.s ~ ''",
                           "ns.s.rfind('zz')",
                           "ns.s.islower()",
                           "ns.s.find('é')",
                           "ns.s.split('ab')",
                           "ns.s|wordcount"}) {
    EXPECT_THAT(outcome(once + "{% set x = " + work + " %}{% endfor %}", {.steps = 200'000}),
                AnyOf(HasSubstr("steps"), HasSubstr("bytes of text")))
        << work;
  }
}

TEST(TemplateLimits, GrowingTextIsCut) {
  const char kBytes[] = "bytes of text";
  const std::string start =
      "{% set ns = namespace(s='aaaaaaaaaa', l=[1]) %}{% for i in range(100) %}";
  for (const char* grow : {"ns.s + ns.s",
                           "ns.s ~ ns.s",
                           "'%s%s' % (ns.s, ns.s)",
                           "'{0}{0}'.format(ns.s)",
                           "ns.s * 10",
                           "[ns.s, ns.s]|join",
                           "ns.s.replace('a', 'aa')",
                           "(ns.s, ns.s)|string",
                           "ns.s|urlencode * 2",
                           "[ns.s, ns.s]|tojson",
                           "ns.s.replace('', 'bb')"}) {
    EXPECT_THAT(outcome(start + "{% set ns.s = " + grow + " %}{% endfor %}"),
                AnyOf(HasSubstr(kBytes), HasSubstr("steps")))
        << grow;
  }
  EXPECT_THAT(outcome(start + "{% set ns.l = ns.l + ns.l %}{% endfor %}"), HasSubstr("steps"));
  EXPECT_THAT(outcome(start + "{% set ns.l = ns.l * 1000 %}{% endfor %}"), HasSubstr("steps"));
  for (const char* large : {"'a' * 10**12",
                            "'%1000000d' % 1 * 1000",
                            "'a'.center(10**12)",
                            "'a'.ljust(10**17)",
                            "'a'.zfill(10**12)",
                            "[1]|tojson(indent=10**9)",
                            "'a'|indent(10**12, true)",
                            "'{:1000000}'.format(1) * 1000",
                            "'%.100000f' % 1 * 1000",
                            "'a\tb'.expandtabs(10**12)",
                            "'a'|center(10**15)",
                            "'{:{w}}'.format('', w=99999999)"}) {
    EXPECT_THAT(outcome("{{ " + std::string(large) + " }}"), HasSubstr(kBytes)) << large;
  }
  EXPECT_THAT(outcome("{{ '%1000000000000d' % 1 }}"), HasSubstr("ValueError"));
  EXPECT_THAT(outcome("{{ [0] * 10**12 }}"), HasSubstr("steps"));
  EXPECT_THAT(outcome("{{ [] * 9223372036854775807 }}"), HasSubstr("text of 2 bytes"));
  EXPECT_THAT(outcome("{{ 'ab' * 9000000000000000000 }}"), HasSubstr("more than"));
  EXPECT_THAT(outcome("{{ [1, 2] * 9223372036854775807 }}"), HasSubstr("more than"));
}

TEST(TemplateLimits, ValuesInsideValuesAreBounded) {
  const auto grown = [](const std::string& value, const std::string& use = "") {
    return outcome("{% set ns = namespace(x=1, y=2) %}{% for i in range(50000) %}{% set ns.x = " +
                   value + " %}{% endfor %}" + use);
  };
  EXPECT_THAT(grown("[ns.x]"), HasSubstr("levels of nested values"));
  EXPECT_THAT(grown("(ns.x,)"), HasSubstr("levels of nested values"));
  EXPECT_THAT(grown("{'k': ns.x}"), HasSubstr("levels of nested values"));
  EXPECT_THAT(grown("[ns.x]|map('string')"), HasSubstr("levels of nested values"));
  EXPECT_THAT(grown("joiner(ns.x)"), HasSubstr("levels of nested values"));
  EXPECT_THAT(grown("[ns.x].copy"), HasSubstr("levels of nested values"));
  EXPECT_THAT(grown("[ns.x]|unique"), HasSubstr("levels of nested values"));
  EXPECT_THAT(grown("namespace(p=ns.x)"), HasSubstr("text of 0 bytes"));  // freed one by one
  const std::string twice =
      "{% set ns = namespace(x=1, y=1) %}{% for i in range(60) %}"
      "{% set ns.x = [ns.x, ns.x] %}{% set ns.y = [ns.y, ns.y] %}{% endfor %}";
  for (const char* use : {"ns.x|string",
                          "ns.x == ns.y",
                          "ns.x < ns.y",
                          "ns.x|tojson",
                          "[ns.x]|unique|list",
                          "{(ns.x,): 1}"}) {
    EXPECT_THAT(outcome(twice + "{{ " + use + " }}"),
                AnyOf(HasSubstr("more than"), HasSubstr("unhashable")))
        << use;
  }
  EXPECT_THAT(outcome("{% set ns = namespace() %}{% set ns.me = ns %}{{ ns }}"), HasSubstr(kDeep));
  EXPECT_EQ(outcome("{% set ns = namespace() %}{% set ns.me = [ns, {'k': ns}] %}"),
            "text of 0 bytes");
  EXPECT_EQ(outcome("{% for i in [1] %}{{ loop.changed(loop, [loop]) }}{% endfor %}"),
            "text of 4 bytes");
  EXPECT_EQ(
      outcome(
          "{% set ns = namespace() %}{% for i in [1, 2] if i %}{% set ns.l = loop %}{% endfor %}"
          "{{ ns.l.length }}{{ ns.l.changed(ns.l) }}{{ ns.l.last }}"),
      "text of 9 bytes");
  EXPECT_EQ(
      outcome("{% macro m() %}{% macro n() %}{{ x }}{% endmacro %}{% set ns.f = n %}{% endmacro %}"
              "{% set ns = namespace() %}{{ m() }}{{ ns.f() }}"),
      "text of 0 bytes");
}

TEST(TemplateLimits, AreTheCallersToChoose) {
  const Template t = Template::compile("{% for i in range(100) %}abcdefghij{% endfor %}", "t");
  EXPECT_EQ(t.render(Json::object()).size(), 1000u);
  EXPECT_THROW(t.render(Json::object(), {.steps = 50}), Error);
  EXPECT_THROW(t.render(Json::object(), {.output_bytes = 500}), Error);
  EXPECT_THROW(
      Template::compile("{{ ((1 + (2 * (3 - (4))))) }}", "t").render(Json::object(), {.depth = 2}),
      Error);
}

TEST(TemplateLimits, OddBytesAreNoTrouble) {
  for (const char* source : {"\xff\xfe",
                             "{{ '\xff' }}",
                             "{{ \xff }}",
                             "{{ 'a\xc3'|upper }}",
                             "{{ 'a\xc3'[::-1] }}",
                             "{{ '\xe4\xbd'.strip() }}",
                             "{",
                             "{{",
                             "{%",
                             "{#",
                             "{{ '",
                             "{{ 1",
                             "{{ '\\",
                             "{{ '\\x",
                             "%}",
                             "{{ 0x }}",
                             "{{ 1__0 }}",
                             "{{ 1e }}",
                             "{{ 1. }}",
                             "{{ .1 }}",
                             "{% raw",
                             "{%- raw -%}{%"}) {
    outcome(source);
  }
  EXPECT_EQ(outcome(""), "text of 0 bytes");
  EXPECT_EQ(outcome(std::string("a\0b", 3)), "text of 3 bytes");
}

}  // namespace
}  // namespace keju
