// SPDX-License-Identifier: MIT
#pragma once

#include "text/template/callables.h"

// Methods of str that search: find, count, split …
namespace keju::jinja {

// Appends `text` with the first `limit` occurrences of `old` replaced (all if limit < 0).
void replace_text(Builder& out,
                  const MarkedText& text,
                  const MarkedText& old,
                  const MarkedText& fresh,
                  int64_t limit);

Value count_method(Runtime& rt, const Value& self, Bound& args);
Value find_method(Runtime& rt, const Value& self, Bound& args);
Value rfind_method(Runtime& rt, const Value& self, Bound& args);
Value index_method(Runtime& rt, const Value& self, Bound& args);
Value rindex_method(Runtime& rt, const Value& self, Bound& args);
Value starts_with_method(Runtime& rt, const Value& self, Bound& args);
Value ends_with_method(Runtime& rt, const Value& self, Bound& args);
Value split_method(Runtime& rt, const Value& self, Bound& args);
Value rsplit_method(Runtime& rt, const Value& self, Bound& args);
Value partition_method(Runtime& rt, const Value& self, Bound& args);
Value rpartition_method(Runtime& rt, const Value& self, Bound& args);

}  // namespace keju::jinja
