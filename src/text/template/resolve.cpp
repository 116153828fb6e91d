// SPDX-License-Identifier: MIT
#include <algorithm>
#include <functional>

#include "base/error.h"
#include "text/template/scope.h"
#include "text/template/walk.h"

namespace keju::jinja {

namespace {

// First pass over one scope: which names it reads and sets. Inner scopes are left alone, but what
// they evaluate in this scope (the sequence of a for) is read.
class Collector {
 public:
  Collector(Scope& scope, std::set<std::string>& free) : scope_(&scope), free_(free) {}

  void expr(const Expr* node) {
    if (!node) return;
    for_each_name(node, [&](const Expr* name) {
      if (name->kind == Expr::Kind::kTarget) return scope_->store(name->name);
      if (scope_->load(name->name)) free_.insert(name->name);
    });
  }

  void parameters(const Expr* target) {
    for_each_name(target, [&](const Expr* name) { scope_->parameter(name->name); });
  }

  void block(const Block& body) {
    for (const Stmt* stmt : body) statement(*stmt);
  }

  void statement(const Stmt& stmt) {
    switch (stmt.kind) {
      case Stmt::Kind::kOutput:
      case Stmt::Kind::kFor:   // the sequence
      case Stmt::Kind::kWith:  // the values
        for (const Expr* e : stmt.exprs) expr(e);
        return;
      case Stmt::Kind::kIf:
        return branches(stmt);
      case Stmt::Kind::kSet:
        expr(stmt.exprs[0]);
        return expr(stmt.targets[0]);
      case Stmt::Kind::kSetBlock:
        return expr(stmt.targets[0]);
      case Stmt::Kind::kMacro:
        return scope_->store(stmt.text);
      case Stmt::Kind::kCallBlock:
      case Stmt::Kind::kFilterBlock:
        return expr(stmt.filter);
      default:
        return;
    }
  }

 private:
  void branches(const Stmt& stmt) {
    // The test of an elif is read in its own branch.
    expr(stmt.branches[0].first);
    Scope* const whole = scope_;
    std::vector<Scope> copies;
    for (size_t i = 0; i <= stmt.branches.size(); ++i) {
      const bool last = i == stmt.branches.size();
      Scope copy = *whole;
      scope_ = &copy;
      if (!last && i > 0) expr(stmt.branches[i].first);
      block(last ? stmt.other : stmt.branches[i].second);
      copies.push_back(std::move(copy));
    }
    scope_ = whole;
    whole->merge(copies);
  }

  Scope* scope_;
  std::set<std::string>& free_;
};

// Second pass: writes the places of all names into the tree, scope after scope.
class Binder {
 public:
  Binder(Tree& tree, Cursor& cursor) : tree_(tree), cursor_(cursor) {}

  void run() {
    Function function;
    Scope scope(function, nullptr);
    Collector(scope, free_).block(tree_.body);
    root_ = &scope;
    block(scope, tree_.body, false);
    tree_.loads = scope.loads();
    tree_.frame_size = function.slots;
    for (const std::string& name : free_) {
      if (!is_global(name)) tree_.free.push_back(name);
    }
  }

 private:
  [[noreturn]] void fail(int line, const char* kind, std::string what) {
    cursor_.line = line;
    raise(kind, std::move(what));
  }

  void block(Scope& scope, const Block& body, bool soft) {
    for (Stmt* stmt : body) statement(scope, *stmt, soft);
  }

  // `soft`: under an if, where an unknown filter is an error only when it is reached.
  void expr(Scope& scope, Expr* node, bool soft) {
    if (!node) return;
    if (!node->name.empty() &&
        (node->kind == Expr::Kind::kName || node->kind == Expr::Kind::kTarget ||
         node->kind == Expr::Kind::kNamespace)) {
      if (scope.place(node->name).slot < 0 && scope.load(node->name)) free_.insert(node->name);
      node->place = scope.place(node->name);
    }
    if (node->kind == Expr::Kind::kCond) soft = true;
    const bool test = node->kind == Expr::Kind::kTest;
    if (test || node->kind == Expr::Kind::kFilter) {
      node->callable = test ? find_test(node->name) : find_filter(node->name);
      if (!node->callable && !soft) {
        fail(node->line,
             "TemplateAssertionError",
             fmt::format("No {} named '{}'.", test ? "test" : "filter", node->name));
      }
    }
    for_each_child(node, [&](Expr* child) { expr(scope, child, soft); });
  }

  void statement(Scope& scope, Stmt& stmt, bool soft) {
    switch (stmt.kind) {
      case Stmt::Kind::kData:
        return;
      case Stmt::Kind::kIf:
        for (auto& [test, body] : stmt.branches) {
          expr(scope, test, true);
          block(scope, body, true);
        }
        return block(scope, stmt.other, true);
      case Stmt::Kind::kFor:
        return for_loop(scope, stmt, soft);
      case Stmt::Kind::kMacro:
        stmt.place = scope.place(stmt.text);
        return function(scope, stmt);
      case Stmt::Kind::kCallBlock:
        function(scope, stmt);
        return expr(scope, stmt.filter, soft);
      case Stmt::Kind::kBreak:
      case Stmt::Kind::kContinue:
        if (loops_ > 0) return;
        fail(stmt.line,
             "SyntaxError",
             stmt.kind == Stmt::Kind::kBreak ? "'break' outside loop"
                                             : "'continue' not properly in loop");
      case Stmt::Kind::kOutput:
      case Stmt::Kind::kSet:
        for (Expr* e : stmt.exprs) expr(scope, e, soft);
        for (Expr* e : stmt.targets) expr(scope, e, soft);
        return;
      default:
        return inner(scope, stmt, soft);
    }
  }

  // Statements with a scope of their own in the same function.
  void inner(Scope& scope, Stmt& stmt, bool soft) {
    const bool named = stmt.kind == Stmt::Kind::kBlock;
    Scope own(scope.function(), named && !stmt.scoped ? root_ : &scope);
    Collector collector(own, free_);
    if (named) named_block(stmt, own);
    if (stmt.kind == Stmt::Kind::kWith) {
      for (Expr* value : stmt.exprs) expr(scope, value, soft);
      for (Expr* target : stmt.targets) collector.parameters(target);
    }
    collector.block(stmt.body);
    if (stmt.kind == Stmt::Kind::kFilterBlock || stmt.kind == Stmt::Kind::kSetBlock) {
      collector.expr(stmt.filter);
    }
    for (Expr* target : stmt.targets) {
      expr(stmt.kind == Stmt::Kind::kWith ? own : scope, target, false);
    }
    expr(own, stmt.filter, false);
    const int loops = loops_;
    if (named || stmt.kind == Stmt::Kind::kScope) loops_ = 0;
    block(own, stmt.body, false);
    loops_ = loops;
    stmt.loads = own.loads();
  }

  // A block is a function of the context, which holds what the template has set by then.
  void named_block(const Stmt& stmt, Scope& own) {
    if (!blocks_.insert(stmt.text).second) {
      fail(stmt.line, "TemplateAssertionError", fmt::format("block '{}' defined twice", stmt.text));
    }
    for_each_name(stmt.body, [&](const Expr* name) {
      if (name->kind != Expr::Kind::kTarget) own.inherit(name->name);
    });
  }

  Expr* clone(const Expr* target) {
    Expr* copy = tree_.expr(target->kind, target->line);
    copy->name = target->name;
    for (const Expr* item : target->items) copy->items.push_back(clone(item));
    return copy;
  }

  void for_loop(Scope& scope, Stmt& stmt, bool soft) {
    for (const Expr* e : stmt.exprs) check_loop_name(e);
    check_loop_name(stmt.targets[0]);
    check_loop_names(stmt.body);
    check_loop_names(stmt.other);
    expr(scope, stmt.exprs[0], soft);

    Function own{scope.function().depth + 1, 0};
    Function& function = stmt.recursive ? own : scope.function();
    Scope body(function, &scope);
    Scope other(function, &scope);
    Scope test(function, &scope);
    stmt.extended = stmt.recursive || reads(stmt.body, "loop");
    if (stmt.extended) body.parameter("loop");
    Collector in_body(body, free_);
    in_body.parameters(stmt.targets[0]);
    in_body.block(stmt.body);
    Collector(other, free_).block(stmt.other);
    if (stmt.filter) {
      Collector in_test(test, free_);
      in_test.parameters(stmt.targets[0]);
      in_test.expr(stmt.filter);
      stmt.test_targets.push_back(clone(stmt.targets[0]));
      expr(test, stmt.test_targets[0], false);
      expr(test, stmt.filter, false);
      stmt.test_loads = test.loads();
    }
    if (stmt.extended) stmt.loop = body.place("loop");
    expr(body, stmt.targets[0], false);
    const int loops = loops_;
    loops_ = stmt.recursive ? 1 : loops + 1;
    block(body, stmt.body, false);
    loops_ = stmt.recursive ? 0 : loops;
    block(other, stmt.other, false);
    loops_ = loops;
    stmt.loads = body.loads();
    stmt.other_loads = other.loads();
    stmt.frame_size = own.slots;
  }

  // Macros and call blocks.
  void function(Scope& scope, Stmt& stmt) {
    Function own{scope.function().depth + 1, 0};
    Scope body(own, &scope);
    Collector collector(body, free_);
    const auto named = [&](const char* name) {
      const auto it = std::find_if(
          stmt.targets.begin(), stmt.targets.end(), [&](const Expr* e) { return e->name == name; });
      return it - stmt.targets.begin();
    };
    const auto count = static_cast<std::ptrdiff_t>(stmt.targets.size());
    for (Expr* parameter : stmt.targets) collector.parameters(parameter);
    for (const char* special : {"caller", "kwargs", "varargs"}) {
      if (!reads(stmt.body, special)) continue;
      const std::ptrdiff_t at = named(special);
      if (at == count) {
        body.parameter(special);
      } else if (std::string_view(special) == "caller" &&
                 at < count - static_cast<std::ptrdiff_t>(stmt.exprs.size())) {
        fail(stmt.line,
             "TemplateAssertionError",
             "When defining macros or call blocks the special \"caller\" argument must be omitted "
             "or be given a default.");
      }
      if (at != count) continue;
      Place& place = special[0] == 'c'   ? stmt.caller
                     : special[0] == 'k' ? stmt.kwargs
                                         : stmt.varargs;
      place = body.place(special);
    }
    for (Expr* value : stmt.exprs) collector.expr(value);
    collector.block(stmt.body);
    for (Expr* parameter : stmt.targets) stmt.parameters.push_back(body.place(parameter->name));
    for (Expr* value : stmt.exprs) expr(body, value, false);
    const int loops = std::exchange(loops_, 0);
    block(body, stmt.body, false);
    loops_ = loops;
    stmt.loads = body.loads();
    stmt.frame_size = own.slots;
  }

  // Whether `body` reads `name` before anything in it sets that name.
  static bool reads(const Block& body, std::string_view name) {
    bool read = false;
    bool set = false;
    for_each_name(body, [&](const Expr* e) {
      if (e->name != name) return;
      if (e->kind == Expr::Kind::kTarget) {
        set = true;
      } else if (e->kind == Expr::Kind::kName && !set) {
        read = true;
      }
    });
    return read;
  }

  void check_loop_name(const Expr* node) {
    for_each_name(node, [&](const Expr* e) {
      if (e->kind == Expr::Kind::kTarget && e->name == "loop") {
        fail(e->line,
             "TemplateAssertionError",
             "Can't assign to special loop variable in for-loop target");
      }
    });
  }

  void check_loop_names(const Block& body) {
    for_each_name(
        body, [&](const Expr* e) { check_loop_name(e); }, Parameters::kSkip);
  }

  Tree& tree_;
  Cursor& cursor_;
  std::set<std::string> free_;
  std::set<std::string> blocks_;
  Scope* root_ = nullptr;
  int loops_ = 0;  // for loops of this function around the place being read
};

}  // namespace

void resolve(Tree& tree, Cursor& cursor) { Binder(tree, cursor).run(); }

}  // namespace keju::jinja
