// SPDX-License-Identifier: MIT
#include "base/error.h"
#include "text/template/evaluator.h"
#include "text/template/ops.h"

namespace keju::jinja {

Evaluator::Call::Call(Evaluator& evaluator, Frame* parent, int slots)
    : evaluator_(evaluator), caller_(evaluator.frame_), own_(std::make_unique<Frame>()) {
  evaluator.rt_.step(1 + slots / 8);
  own_->parent = parent;
  own_->slots.resize(static_cast<size_t>(slots));
  evaluator.frame_ = own_.get();
}

Evaluator::Call::~Call() {
  evaluator_.frame_ = caller_;
  if (own_->captured) evaluator_.kept_.push_back(std::move(own_));
}

MarkedText Evaluator::render() {
  const Call call(*this, nullptr, tree_.frame_size);
  enter(tree_.loads);
  Builder out(rt_);
  run(tree_.body, out);
  return out.take();
}

void Evaluator::enter(const std::vector<Load>& loads) {
  for (const Load& load : loads) {
    rt_.step();
    Value value;
    if (load.how == Load::How::kResolve) value = resolve(load.name);
    if (load.how == Load::How::kAlias || load.how == Load::How::kInherit) value = slot(load.from);
    if (load.how == Load::How::kInherit && value.missing()) value = resolve(load.name);
    slot({0, load.slot}) = std::move(value);
  }
}

void Evaluator::leave(const std::vector<Load>& loads) {
  for (const Load& load : loads) slot({0, load.slot}) = Value();
}

Evaluator::Flow Evaluator::run(const Block& body, Builder& out) {
  for (const Stmt* stmt : body) {
    const Flow flow = run(*stmt, out);
    if (flow != Flow::kNormal) return flow;
  }
  return Flow::kNormal;
}

// What filter blocks and call blocks print is not turned into text first.
void Evaluator::append_text(Builder& out, const Value& value) {
  if (!value.is(Kind::kString)) {
    out.spoil(fmt::format("sequence item 0: expected str instance, {} found", type_name(value)));
    return;
  }
  out.append(value.text());
}

Evaluator::Flow Evaluator::run(const Stmt& stmt, Builder& out) {
  rt_.step();
  const Nest nest(rt_, Nest::What::kStatement);
  rt_.line = stmt.line;
  switch (stmt.kind) {
    case Stmt::Kind::kData:
      out.append(stmt.text);
      break;
    case Stmt::Kind::kOutput:
      for (const Expr* node : stmt.exprs) append_str(out, eval(*node));
      break;
    case Stmt::Kind::kIf:
      return run_if(stmt, out);
    case Stmt::Kind::kFor:
      if (!stmt.recursive) return run_for(stmt, eval(*stmt.exprs[0]), 0, out);
      start_for(stmt, out);
      break;
    case Stmt::Kind::kSet:
      run_set(stmt);
      break;
    case Stmt::Kind::kMacro:
      slot(stmt.place) = make_macro(stmt);
      break;
    case Stmt::Kind::kCallBlock:
      run_call_block(stmt, out);
      break;
    case Stmt::Kind::kFilterBlock:
    case Stmt::Kind::kSetBlock:
      return run_captured(stmt, out);
    case Stmt::Kind::kWith:
    case Stmt::Kind::kScope:
    case Stmt::Kind::kBlock:
      return run_scope(stmt, out);
    case Stmt::Kind::kBreak:
      return Flow::kBreak;
    case Stmt::Kind::kContinue:
      return Flow::kContinue;
  }
  return Flow::kNormal;
}

Evaluator::Flow Evaluator::run_if(const Stmt& stmt, Builder& out) {
  for (const auto& [test, body] : stmt.branches) {
    if (truth(rt_, eval(*test))) return run(body, out);
  }
  return run(stmt.other, out);
}

Evaluator::Flow Evaluator::run_scope(const Stmt& stmt, Builder& out) {
  enter(stmt.loads);
  for (size_t i = 0; i < stmt.targets.size(); ++i) assign(*stmt.targets[i], eval(*stmt.exprs[i]));
  const Flow flow = run(stmt.body, out);
  leave(stmt.loads);
  return flow;
}

// Filter blocks and set blocks. A break out of them loses their text, as it does in the reference.
Evaluator::Flow Evaluator::run_captured(const Stmt& stmt, Builder& out) {
  enter(stmt.loads);
  Builder text(rt_);
  const Flow flow = run(stmt.body, text);
  if (flow != Flow::kNormal) return flow;
  const Value value = filter_chain(stmt.filter, text.value());
  if (stmt.kind == Stmt::Kind::kSetBlock) {
    assign(*stmt.targets[0], value);
  } else {
    append_text(out, value);
  }
  leave(stmt.loads);
  return flow;
}

void Evaluator::run_set(const Stmt& stmt) {
  check_namespaces(*stmt.targets[0]);
  const Value value = eval(*stmt.exprs[0]);
  rt_.line = stmt.line;
  assign(*stmt.targets[0], value);
}

void Evaluator::check_namespaces(const Expr& target) {
  if (target.kind == Expr::Kind::kTuple) {
    for (const Expr* item : target.items) check_namespaces(*item);
  }
  if (target.kind != Expr::Kind::kNamespace || slot(target.place).is(Kind::kNamespace)) return;
  raise("TemplateRuntimeError", "cannot assign attribute on non-namespace object");
}

void Evaluator::assign(const Expr& target, const Value& value) {
  if (target.kind == Expr::Kind::kTarget) {
    slot(target.place) = value;
    return;
  }
  if (target.kind == Expr::Kind::kNamespace) {
    const Value owner = slot(target.place);
    if (!owner.is(Kind::kNamespace)) {
      raise("TypeError",
            fmt::format("'{}' object does not support item assignment", type_name(owner)));
    }
    check_nesting(rt_, value.nesting() + 1);
    check_attribute_name(target.texts[0]);
    owner.name_space().attributes.set(target.texts[0], value);
    return;
  }
  const Nest nest(rt_);
  if (!iterable(value)) {
    raise("TypeError", fmt::format("cannot unpack non-iterable {} object", type_name(value)));
  }
  const size_t wanted = target.items.size();
  std::vector<Value> parts;
  const Next next = iterate(rt_, value);
  for (Value part; next(part);) {
    if (parts.size() == wanted) {
      raise("ValueError", fmt::format("too many values to unpack (expected {})", wanted));
    }
    parts.push_back(part);
  }
  if (parts.size() < wanted) {
    raise("ValueError",
          fmt::format("not enough values to unpack (expected {}, got {})", wanted, parts.size()));
  }
  for (size_t i = 0; i < wanted; ++i) assign(*target.items[i], parts[i]);
}

// What the names of a target hold now, in the target's shape.
Value Evaluator::target_value(const Expr& target) {
  if (target.kind != Expr::Kind::kTuple) return slot(target.place);
  std::vector<Value> parts;
  for (const Expr* item : target.items) parts.push_back(target_value(*item));
  return make_tuple(rt_, std::move(parts));
}

// The items of `source` for which the test of the loop holds.
Next Evaluator::tested(const Stmt& stmt, Next source) {
  if (!stmt.filter) return source;
  Frame* const home = frame_;
  return [this, &stmt, home, source = std::move(source)](Value& out) {
    Frame* const caller = std::exchange(frame_, home);
    struct Restore {
      Frame*& frame;
      Frame* value;
      ~Restore() { frame = value; }
    } restore{frame_, caller};
    enter(stmt.test_loads);
    while (source(out)) {
      rt_.step();
      assign(*stmt.test_targets[0], out);
      if (!truth(rt_, eval(*stmt.filter))) continue;
      out = target_value(*stmt.test_targets[0]);
      return true;
    }
    return false;
  };
}

namespace {
// Ends a loop, also when an error ends it.
struct Ending {
  LoopObject& loop;
  ~Ending() { loop.drop(); }
};
}  // namespace

Evaluator::Flow Evaluator::run_for(const Stmt& stmt,
                                   const Value& sequence,
                                   int64_t depth0,
                                   Builder& out) {
  auto loop = std::make_shared<LoopObject>();
  const Ending ending{*loop};
  loop->nesting = sequence.nesting() + 1;
  check_nesting(rt_, loop->nesting);
  loop->source = tested(stmt, iterate(rt_, sequence));
  if (!stmt.filter && sized(sequence)) loop->known_length = length(rt_, sequence);
  loop->depth0 = depth0;
  if (stmt.recursive) {
    Frame* const home = frame_->parent;
    loop->recurse = [this, &stmt, home](Runtime&, const Value& inner, int64_t depth) {
      const Call call(*this, home, stmt.frame_size);
      Builder text(rt_);
      run_for(stmt, inner, depth, text);
      return text.value();
    };
  }
  const Value shown = stmt.extended ? Value(Kind::kLoop, loop) : Value();
  bool ran = false;
  run_turns(stmt, *loop, shown, out, ran);
  if (ran || stmt.other.empty()) return Flow::kNormal;
  enter(stmt.other_loads);
  const Flow flow = run(stmt.other, out);
  leave(stmt.other_loads);
  return flow;
}

// `ran` becomes true when a turn was run to its end: what decides about `else`.
Evaluator::Flow Evaluator::run_turns(
    const Stmt& stmt, LoopObject& loop, const Value& shown, Builder& out, bool& ran) {
  for (Value item; loop.next(item);) {
    rt_.step();
    assign(*stmt.targets[0], item);
    if (!shown.missing()) slot(stmt.loop) = shown;
    enter(stmt.loads);
    const Flow flow = run(stmt.body, out);
    if (flow == Flow::kBreak) break;
    if (flow == Flow::kNormal) ran = true;
  }
  leave(stmt.loads);
  return Flow::kNormal;
}

void Evaluator::start_for(const Stmt& stmt, Builder& out) {
  const Value sequence = eval(*stmt.exprs[0]);
  const Call call(*this, frame_, stmt.frame_size);
  Builder text(rt_);
  run_for(stmt, sequence, 0, text);
  out.append(text.take());
}

}  // namespace keju::jinja
