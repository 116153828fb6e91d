// SPDX-License-Identifier: MIT
#include <algorithm>

#include "base/error.h"
#include "text/template/evaluator.h"
#include "text/template/ops.h"

namespace keju::jinja {

Value Evaluator::make_macro(const Stmt& stmt) {
  auto macro = std::make_shared<FunctionObject>();
  const bool named = stmt.kind == Stmt::Kind::kMacro;
  macro->type = "Macro";
  macro->name = stmt.text;
  macro->shown = named ? fmt::format("<Macro '{}'>", stmt.text) : "<Macro anonymous>";
  for (const Expr* target : stmt.targets) macro->parameters.push_back(target->name);
  Frame* const home = frame_;
  for (Frame* frame = home; frame && !frame->captured; frame = frame->parent)
    frame->captured = true;
  const FunctionObject& self = *macro;
  macro->call = [this, &stmt, home, &self](Runtime&, CallArgs& args) {
    return call_macro(stmt, home, self, args);
  };
  return Value(Kind::kFunction, std::move(macro));
}

Value Evaluator::call_macro(const Stmt& stmt,
                            Frame* parent,
                            const FunctionObject& macro,
                            CallArgs& args) {
  const Nest nest(rt_);
  const Call call(*this, parent, stmt.frame_size);
  bind_parameters(stmt, macro, args);
  enter(stmt.loads);
  const size_t required = stmt.targets.size() - stmt.exprs.size();
  for (size_t i = 0; i < stmt.parameters.size(); ++i) {
    if (!slot(stmt.parameters[i]).missing()) continue;
    slot(stmt.parameters[i]) =
        i < required
            ? undefined(fmt::format("parameter '{}' was not provided", macro.parameters[i]))
            : eval(*stmt.exprs[i - required]);
  }
  Builder out(rt_);
  run(stmt.body, out);
  return out.value();
}

namespace {

// Takes the keyword argument `name` out of `args`; missing if it is not there.
Value take(CallArgs& args, std::string_view name) {
  const auto it = std::find_if(args.kwargs.begin(), args.kwargs.end(), [&](const auto& kwarg) {
    return kwarg.first == name;
  });
  if (it == args.kwargs.end()) return Value();
  Value value = std::move(it->second);
  args.kwargs.erase(it);
  return value;
}

std::string shown_name(const FunctionObject& macro) {
  return macro.name.empty() ? "None" : "'" + macro.name + "'";
}

}  // namespace

void Evaluator::bind_parameters(const Stmt& stmt, const FunctionObject& macro, CallArgs& args) {
  const size_t count = stmt.parameters.size();
  const size_t given = std::min(count, args.args.size());
  for (size_t i = 0; i < count; ++i) {
    slot(stmt.parameters[i]) = i < given ? args.args[i] : take(args, macro.parameters[i]);
  }
  bind_special(
      stmt, macro, args, {args.args.begin() + static_cast<std::ptrdiff_t>(given), args.args.end()});
}

// caller, kwargs and varargs, for the macros that read them.
void Evaluator::bind_special(const Stmt& stmt,
                             const FunctionObject& macro,
                             CallArgs& args,
                             std::vector<Value> extra) {
  if (stmt.caller.slot >= 0) {
    Value caller = take(args, "caller");
    if (caller.missing() || caller.is(Kind::kNone)) caller = undefined("No caller defined");
    slot(stmt.caller) = caller;
  }
  if (stmt.kwargs.slot >= 0) {
    auto dict = std::make_shared<DictObject>();
    for (auto& [name, value] : args.kwargs) dict->set(name, value);
    slot(stmt.kwargs) = make_dict(rt_, std::move(dict));
  } else if (!args.kwargs.empty()) {
    const bool caller = std::any_of(args.kwargs.begin(), args.kwargs.end(), [](const auto& kwarg) {
      return kwarg.first == "caller";
    });
    raise("TypeError",
          caller ? fmt::format("macro {} was invoked with two values for the special caller "
                               "argument. This is most likely a bug.",
                               shown_name(macro))
                 : fmt::format("macro {} takes no keyword argument '{}'",
                               shown_name(macro),
                               args.kwargs[0].first));
  }
  if (stmt.varargs.slot >= 0) {
    slot(stmt.varargs) = make_tuple(rt_, std::move(extra));
  } else if (!extra.empty()) {
    raise("TypeError",
          fmt::format("macro {} takes not more than {} argument(s)",
                      shown_name(macro),
                      macro.parameters.size()));
  }
}

void Evaluator::run_call_block(const Stmt& stmt, Builder& out) {
  const Value caller = make_macro(stmt);
  append_text(out, eval_call(*stmt.filter, &caller));
}

}  // namespace keju::jinja
