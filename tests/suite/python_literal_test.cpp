// SPDX-License-Identifier: MIT
// Literals as Python 3.11's ast.literal_eval reads them, and tables that hold them.
#include "suite/python_literal.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "suite/literal_columns.h"

namespace keju {
namespace {

std::string json(std::string_view literal) {
  const std::optional<Json> value = python_literal(literal);
  return value.has_value() ? value->dump() : "nothing";
}

TEST(PythonLiteral, ReadsWhatPythonReads) {
  EXPECT_EQ(json("{'a': None, \"b\": ['x', 'it\\'s'], 'c': (1, -2.5), 'd': True}"),
            R"({"a":null,"b":["x","it's"],"c":[1,-2.5],"d":true})");
  EXPECT_EQ(json(R"('\x41\u00e9\U0001F600\n\t\\\101\q')"), "\"Aé😀\\n\\t\\\\A\\\\q\"");
  EXPECT_EQ(json("('one' \"two\")"), "\"onetwo\"");
  EXPECT_EQ(json("(1,)"), "[1]");
  EXPECT_EQ(json(" [ ] "), "[]");
  EXPECT_EQ(json("[1, 2,]"), "[1,2]");
}

TEST(PythonLiteral, AnythingElseIsNone) {
  for (const char* text : {"",
                           "[1 2]",
                           "[,]",
                           "'open",
                           "'a\nb'",
                           "{1: 2}",
                           "{'a'}",
                           "f()",
                           "1 + 2",
                           "'\\ud800'",
                           "'\\x4'",
                           "'\\N{BULLET}'",
                           "[1] [2]",
                           "Nonexistent"}) {
    EXPECT_EQ(json(text), "nothing") << text;
  }
  EXPECT_EQ(json(std::string(100'000, '[')), "nothing");
}

TEST(LiteralColumns, ExamplesAndExplanationsByTurns) {
  const std::string csv =
      ",one,two\nsample 1,{'q': 'A'},\nexplanation 1,\"because\n\n\nso\",\n"
      "sample 2,{'q': 'B'},{'q': 'C'}\nexplanation 2,thus,hence\n";
  EXPECT_EQ(literal_rows(csv, "one", "t"),
            "{\"q\":\"A\",\"explanation\":\"because\\n\\nso\"}\n"
            "{\"q\":\"B\",\"explanation\":\"thus\"}\n");
  EXPECT_EQ(literal_rows(csv, "two", "t"), "{\"q\":\"C\",\"explanation\":\"hence\"}\n");
  EXPECT_THROW(literal_rows(csv, "three", "t"), Error);
  EXPECT_THROW(literal_rows("a\n{'q'\nx\n", "a", "t"), Error);
  EXPECT_THROW(literal_rows("a\n{'q': 1}\n", "a", "t"), Error) << "no explanation";
}

}  // namespace
}  // namespace keju
