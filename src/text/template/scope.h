// SPDX-License-Identifier: MIT
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "text/template/ast.h"

namespace keju::jinja {

// What shares one frame at run time: the template, a macro, a call block, a recursive loop.
struct Function {
  int depth = 0;
  int slots = 0;
};

// The names that one block scope knows. What a name means is fixed while compiling: the first time
// a scope reads a name that no scope around it knows, the name stands for the context's variable;
// a name that a scope sets begins as the outer variable of that name, or as undefined.
// Source: jinja2 3.1 idtracking.py.
class Scope {
 public:
  Scope(Function& function, Scope* parent)
      : parent_(parent),
        function_(&function),
        slots_(std::make_shared<std::map<std::string, int>>()) {}

  // Returns whether the name was unknown, and so is read from the context.
  bool load(const std::string& name);
  void store(const std::string& name);
  void parameter(const std::string& name);
  // Begins as the outer variable if that is set by then, as the context's otherwise.
  void inherit(const std::string& name);
  // Takes over what the branches of an if, copies of this scope, came to know.
  void merge(const std::vector<Scope>& branches);

  Place place(const std::string& name) const;  // slot -1: unknown
  std::vector<Load> loads() const;
  Function& function() const { return *function_; }

 private:
  struct Ref {
    const Function* function;
    int slot;
  };
  struct Origin {
    enum class How { kParameter, kUndefined, kResolve, kAlias, kInherit };
    How how;
    std::string name;
    Ref from{nullptr, -1};
  };

  std::optional<Ref> find(const std::string& name) const;
  void define(const std::string& name, Origin origin);

  Scope* parent_;
  Function* function_;
  std::shared_ptr<std::map<std::string, int>> slots_;  // shared with copies
  std::map<std::string, int> refs_;
  std::map<int, Origin> origins_;
  std::set<std::string> stores_;
};

}  // namespace keju::jinja
