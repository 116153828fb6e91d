// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <vector>

#include "text/template/ast.h"
#include "text/template/value.h"

namespace keju::jinja {

// The variables of one call of a function.
struct Frame {
  Frame* parent = nullptr;
  std::vector<Value> slots;
  bool captured = false;  // a macro made here refers to it: kept until the rendering ends
};

// Walks the tree. One per rendering.
class Evaluator {
 public:
  Evaluator(Runtime& rt, const Tree& tree, const DictObject& context)
      : rt_(rt), tree_(tree), context_(context) {}
  MarkedText render();

 private:
  enum class Flow { kNormal, kBreak, kContinue };

  // Swaps in a frame of its own while it lives.
  class Call {
   public:
    Call(Evaluator& evaluator, Frame* parent, int slots);
    ~Call();
    Call(const Call&) = delete;
    Call& operator=(const Call&) = delete;

   private:
    Evaluator& evaluator_;
    Frame* caller_;
    std::unique_ptr<Frame> own_;
  };

  // Statements.
  Flow run(const Block& body, Builder& out);
  Flow run(const Stmt& stmt, Builder& out);
  Flow run_if(const Stmt& stmt, Builder& out);
  Flow run_scope(const Stmt& stmt, Builder& out);
  Flow run_captured(const Stmt& stmt, Builder& out);
  Flow run_for(const Stmt& stmt, const Value& sequence, int64_t depth0, Builder& out);
  Flow run_turns(const Stmt& stmt, LoopObject& loop, const Value& shown, Builder& out, bool& ran);
  void start_for(const Stmt& stmt, Builder& out);
  Value target_value(const Expr& target);
  Next tested(const Stmt& stmt, Next source);
  void run_set(const Stmt& stmt);
  void run_call_block(const Stmt& stmt, Builder& out);
  Value make_macro(const Stmt& stmt);
  Value call_macro(const Stmt& stmt, Frame* parent, const FunctionObject& macro, CallArgs& args);
  void bind_parameters(const Stmt& stmt, const FunctionObject& macro, CallArgs& args);
  void bind_special(const Stmt& stmt,
                    const FunctionObject& macro,
                    CallArgs& args,
                    std::vector<Value> extra);
  void enter(const std::vector<Load>& loads);
  void leave(const std::vector<Load>& loads);
  void assign(const Expr& target, const Value& value);
  void check_namespaces(const Expr& target);
  static void append_text(Builder& out, const Value& value);

  // Expressions.
  Value eval(const Expr& node);
  Value eval_name(const Expr& node);
  Value eval_dict(const Expr& node);
  Value eval_binary(const Expr& node);
  Value eval_logic(const Expr& node);
  Value eval_concat(const Expr& node);
  Value eval_compare(const Expr& node);
  Value eval_slice(const Expr& node);
  Value eval_filter(const Expr& node, const Value& subject);
  Value eval_test(const Expr& node);
  Value eval_cond(const Expr& node);
  Value eval_call(const Expr& node, const Value* caller = nullptr);
  std::vector<Value> eval_all(const std::vector<Expr*>& nodes);
  CallArgs eval_args(const CallExpr& call);
  Value filter_chain(const Expr* node, Value subject);
  bool compare(std::string_view op, const Value& a, const Value& b);

  Value& slot(const Place& place);
  Value resolve(const std::string& name);

  Runtime& rt_;
  const Tree& tree_;
  const DictObject& context_;
  Frame* frame_ = nullptr;
  std::vector<std::unique_ptr<Frame>> kept_;
};

}  // namespace keju::jinja
