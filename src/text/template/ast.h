// SPDX-License-Identifier: MIT
#pragma once

#include <deque>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "text/template/callables.h"
#include "text/template/value.h"

// The tree of a compiled template. Nodes lie in the Tree's pools, so that a deep tree is not torn
// down recursively; pointers between them own nothing.
namespace keju::jinja {

struct Expr;

struct CallExpr {
  std::vector<Expr*> args;
  std::vector<std::pair<std::string, Expr*>> kwargs;
  Expr* star = nullptr;       // *args
  Expr* star_star = nullptr;  // **kwargs
};

// Where a variable lives: `hops` function frames up, in slot `slot`.
struct Place {
  int hops = 0;
  int slot = -1;
};

struct Expr {
  enum class Kind {
    kConst,
    kName,
    kTarget,     // a name that is assigned
    kNamespace,  // ns.attribute as a target
    kTuple,
    kList,
    kDict,  // items: key, value, key, value …
    kNot,
    kNegative,
    kPositive,
    kBinary,  // items: operands, texts: the operators between them
    kAnd,
    kOr,
    kConcat,
    kCompare,  // like kBinary
    kAttribute,
    kItem,    // items: object, key
    kSlice,   // items: object, start, stop, step (null where absent)
    kCall,    // items: callee
    kFilter,  // items: subject (null: the text of a filter block)
    kTest,
    kCond,  // items: test, then, else (or null)
  };
  Kind kind = Kind::kConst;
  int line = 0;
  int height = 1;  // nodes on the longest way down
  std::string name;
  std::vector<std::string> texts;
  std::vector<Expr*> items;
  Value constant;
  CallExpr call;
  Place place;
  const Callable* callable = nullptr;  // of a filter or test; null: unknown, an error when run
};

struct Stmt;
using Block = std::vector<Stmt*>;

// How a slot is filled when its scope is entered.
struct Load {
  enum class How { kUndefined, kResolve, kAlias, kInherit };  // kInherit: kAlias, else kResolve
  How how = How::kUndefined;
  int slot = 0;
  std::string name;
  Place from;  // of kAlias and kInherit
};

struct Stmt {
  enum class Kind {
    kData,
    kOutput,
    kIf,
    kFor,
    kSet,
    kSetBlock,
    kMacro,
    kCallBlock,
    kFilterBlock,
    kWith,
    kScope,  // a generation block
    kBlock,  // a named block, in its place
    kBreak,
    kContinue,
  };
  Kind kind = Kind::kData;
  int line = 0;
  std::string text;  // data, or the name of a macro or block
  std::vector<Expr*> exprs;
  std::vector<Expr*> targets;  // of set, for and with; a macro's parameters
  Expr* filter = nullptr;      // of set blocks and filter blocks; the test of a for
  Block body;
  Block other;                                    // else
  std::vector<std::pair<Expr*, Block>> branches;  // of an if
  bool recursive = false;
  bool scoped = false;    // a block that sees what is around it
  bool extended = false;  // the body of a for reads `loop`

  // Filled in by resolve().
  std::vector<Load> loads, other_loads, test_loads;
  std::vector<Expr*> test_targets;  // the targets again, in the slots that the test reads
  Place place;                      // of a macro's name
  std::vector<Place> parameters;
  Place loop, caller, kwargs, varargs;  // slot -1: not used
  int frame_size = 0;                   // of the function that this statement begins
};

struct Tree {
  std::deque<Expr> exprs;
  std::deque<Stmt> stmts;
  Block body;
  std::vector<Load> loads;
  int frame_size = 0;
  std::vector<std::string> free;  // names read and not set

  Expr* expr(Expr::Kind kind, int line) {
    Expr& node = exprs.emplace_back();
    node.kind = kind;
    node.line = line;
    return &node;
  }
  Stmt* stmt(Stmt::Kind kind, int line) {
    Stmt& node = stmts.emplace_back();
    node.kind = kind;
    node.line = line;
    return &node;
  }
};

// Where a fault was found; the compiler's functions keep it up to date.
struct Cursor {
  int line = 1;
};

void parse(std::string_view source, bool trim, Tree& tree, Cursor& cursor);
// Gives every name its slot, as jinja2 3.1's idtracking.py does, and checks filters and tests.
void resolve(Tree& tree, Cursor& cursor);

}  // namespace keju::jinja
