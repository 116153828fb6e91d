// SPDX-License-Identifier: MIT
#include "text/template/walk.h"

namespace keju::jinja {

void for_each_child(const Expr* node, const std::function<void(Expr*)>& visit) {
  for (Expr* item : node->items) {
    if (item) visit(item);
  }
  for (Expr* arg : node->call.args) visit(arg);
  for (const auto& kwarg : node->call.kwargs) visit(kwarg.second);
  if (node->call.star) visit(node->call.star);
  if (node->call.star_star) visit(node->call.star_star);
}

void for_each_name(const Expr* node, const std::function<void(const Expr*)>& visit) {
  if (!node) return;
  const bool named = node->kind == Expr::Kind::kName || node->kind == Expr::Kind::kTarget ||
                     node->kind == Expr::Kind::kNamespace;
  if (named) visit(node);
  for_each_child(node, [&](Expr* child) { for_each_name(child, visit); });
}

void for_each_name(const Block& body,
                   const std::function<void(const Expr*)>& visit,
                   Parameters parameters) {
  for (const Stmt* stmt : body) {
    const bool declares = stmt->kind == Stmt::Kind::kMacro ||
                          stmt->kind == Stmt::Kind::kCallBlock || stmt->kind == Stmt::Kind::kWith;
    if (!declares || parameters == Parameters::kVisit) {
      for (const Expr* target : stmt->targets) for_each_name(target, visit);
    }
    for (const Expr* expr : stmt->exprs) for_each_name(expr, visit);
    for_each_name(stmt->filter, visit);
    for (const auto& [test, block] : stmt->branches) {
      for_each_name(test, visit);
      for_each_name(block, visit, parameters);
    }
    for_each_name(stmt->body, visit, parameters);
    for_each_name(stmt->other, visit, parameters);
  }
}

}  // namespace keju::jinja
