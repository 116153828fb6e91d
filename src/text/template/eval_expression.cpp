// SPDX-License-Identifier: MIT
#include "base/error.h"
#include "text/template/evaluator.h"
#include "text/template/ops.h"

namespace keju::jinja {

Value& Evaluator::slot(const Place& place) {
  Frame* frame = frame_;
  for (int i = 0; i < place.hops; ++i) frame = frame->parent;
  return frame->slots[static_cast<size_t>(place.slot)];
}

// A variable of the context, or a global of the language, or missing.
Value Evaluator::resolve(const std::string& name) {
  const Value* found = context_.find(name);
  return found ? *found : global(name);
}

Value Evaluator::eval(const Expr& node) {
  rt_.step();
  const Nest nest(rt_);
  rt_.line = node.line;
  switch (node.kind) {
    case Expr::Kind::kConst:
      return node.constant;
    case Expr::Kind::kName:
      return eval_name(node);
    case Expr::Kind::kTuple:
      return make_tuple(rt_, eval_all(node.items));
    case Expr::Kind::kList:
      return make_list(rt_, eval_all(node.items));
    case Expr::Kind::kDict:
      return eval_dict(node);
    case Expr::Kind::kNot:
      return Value::boolean(!truth(rt_, eval(*node.items[0])));
    case Expr::Kind::kNegative:
      return negative(eval(*node.items[0]));
    case Expr::Kind::kPositive:
      return positive(eval(*node.items[0]));
    case Expr::Kind::kBinary:
      return eval_binary(node);
    case Expr::Kind::kAnd:
    case Expr::Kind::kOr:
      return eval_logic(node);
    case Expr::Kind::kConcat:
      return eval_concat(node);
    case Expr::Kind::kCompare:
      return eval_compare(node);
    case Expr::Kind::kAttribute:
      return get_attribute(rt_, eval(*node.items[0]), node.constant);
    case Expr::Kind::kItem: {
      const Value object = eval(*node.items[0]);
      return get_item(rt_, object, eval(*node.items[1]));
    }
    case Expr::Kind::kSlice:
      return eval_slice(node);
    case Expr::Kind::kCall:
      return eval_call(node);
    case Expr::Kind::kFilter:
      return eval_filter(node, eval(*node.items[0]));
    case Expr::Kind::kTest:
      return eval_test(node);
    case Expr::Kind::kCond:
      return eval_cond(node);
    default:
      raise("TypeError", "a slice cannot stand here");
  }
}

Value Evaluator::eval_name(const Expr& node) {
  const Value& value = slot(node.place);
  return value.missing() ? undefined_name(node.name) : value;
}

std::vector<Value> Evaluator::eval_all(const std::vector<Expr*>& nodes) {
  std::vector<Value> values;
  values.reserve(nodes.size());
  for (const Expr* node : nodes) values.push_back(eval(*node));
  return values;
}

Value Evaluator::eval_dict(const Expr& node) {
  auto dict = std::make_shared<DictObject>();
  for (size_t i = 0; i + 1 < node.items.size(); i += 2) {
    const Value key = eval(*node.items[i]);
    dict->set(rt_, key, eval(*node.items[i + 1]));
  }
  return make_dict(rt_, std::move(dict));
}

Value Evaluator::eval_binary(const Expr& node) {
  Value value = eval(*node.items[0]);
  for (size_t i = 1; i < node.items.size(); ++i) {
    const Value right = eval(*node.items[i]);
    rt_.line = node.line;
    value = arithmetic(rt_, node.texts[i - 1], value, right);
  }
  return value;
}

Value Evaluator::eval_logic(const Expr& node) {
  const bool stop = node.kind == Expr::Kind::kOr;
  Value value = eval(*node.items[0]);
  for (size_t i = 1; i < node.items.size() && truth(rt_, value) != stop; ++i) {
    value = eval(*node.items[i]);
  }
  return value;
}

Value Evaluator::eval_concat(const Expr& node) {
  Builder out(rt_);
  for (const Value& value : eval_all(node.items)) append_str(out, value);
  return out.value();
}

bool Evaluator::compare(std::string_view op, const Value& a, const Value& b) {
  if (op == "==") return equal(rt_, a, b);
  if (op == "!=") return !equal(rt_, a, b);
  if (op == "in") return contains(rt_, b, a);
  if (op == "not in") return !contains(rt_, b, a);
  return ordered(rt_, op, a, b);
}

Value Evaluator::eval_compare(const Expr& node) {
  Value left = eval(*node.items[0]);
  for (size_t i = 1; i < node.items.size(); ++i) {
    Value right = eval(*node.items[i]);
    rt_.line = node.line;
    if (!compare(node.texts[i - 1], left, right)) return Value::boolean(false);
    left = std::move(right);
  }
  return Value::boolean(true);
}

Value Evaluator::eval_slice(const Expr& node) {
  const Value object = eval(*node.items[0]);
  Value bounds[3];
  for (size_t i = 0; i < 3; ++i) {
    if (node.items[i + 1]) bounds[i] = eval(*node.items[i + 1]);
  }
  rt_.line = node.line;
  return slice(rt_, object, bounds[0], bounds[1], bounds[2]);
}

CallArgs Evaluator::eval_args(const CallExpr& call) {
  CallArgs out;
  out.args = eval_all(call.args);
  for (const auto& [name, node] : call.kwargs) out.kwargs.emplace_back(name, eval(*node));
  if (call.star) {
    const Value more = eval(*call.star);
    if (!iterable(more)) {
      raise("TypeError", fmt::format("Value after * must be an iterable, not {}", type_name(more)));
    }
    for (Value& value : to_vector(rt_, more)) out.args.push_back(std::move(value));
  }
  if (!call.star_star) return out;
  const Value more = eval(*call.star_star);
  if (!more.is(Kind::kDict)) {
    raise("TypeError", fmt::format("argument after ** must be a mapping, not {}", type_name(more)));
  }
  for (const auto& [key, value] : more.dict().items) {
    if (!key.is(Kind::kString)) raise("TypeError", "keywords must be strings");
    for (const auto& known : out.kwargs) {
      if (known.first == key.bytes()) {
        raise("TypeError",
              fmt::format("got multiple values for keyword argument '{}'", known.first));
      }
    }
    out.kwargs.emplace_back(key.bytes(), value);
  }
  return out;
}

Value Evaluator::eval_filter(const Expr& node, const Value& subject) {
  CallArgs args = eval_args(node.call);
  rt_.line = node.line;
  if (!node.callable) {
    raise("TemplateRuntimeError", fmt::format("No filter named '{}' found.", node.name));
  }
  return invoke(rt_, *node.callable, subject, args);
}

// The filters of a filter block or set block, the innermost of which has no subject of its own.
Value Evaluator::filter_chain(const Expr* node, Value subject) {
  if (!node) return subject;
  const Nest nest(rt_);
  return eval_filter(*node, filter_chain(node->items[0], std::move(subject)));
}

Value Evaluator::eval_test(const Expr& node) {
  const Value subject = eval(*node.items[0]);
  CallArgs args = eval_args(node.call);
  rt_.line = node.line;
  if (!node.callable) {
    raise("TemplateRuntimeError", fmt::format("No test named '{}' found.", node.name));
  }
  return invoke(rt_, *node.callable, subject, args);
}

Value Evaluator::eval_cond(const Expr& node) {
  if (truth(rt_, eval(*node.items[0]))) return eval(*node.items[1]);
  if (node.items[2]) return eval(*node.items[2]);
  return undefined(
      fmt::format("the inline if-expression on line {} evaluated to false and no else "
                  "section was defined.",
                  node.line));
}

Value Evaluator::eval_call(const Expr& node, const Value* caller) {
  const Value callee = eval(*node.items[0]);
  CallArgs args = eval_args(node.call);
  if (caller) args.kwargs.emplace_back("caller", *caller);
  rt_.line = node.line;
  return call(rt_, callee, std::move(args));
}

}  // namespace keju::jinja
