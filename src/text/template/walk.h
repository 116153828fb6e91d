// SPDX-License-Identifier: MIT
#pragma once

#include <functional>

#include "text/template/ast.h"

// Walks over the tree.
namespace keju::jinja {

void for_each_child(const Expr* node, const std::function<void(Expr*)>& visit);

// Every name below, in the order of the text: kName, kTarget and kNamespace nodes.
void for_each_name(const Expr* node, const std::function<void(const Expr*)>& visit);

enum class Parameters { kVisit, kSkip };  // of macros and call blocks, and with's targets
void for_each_name(const Block& body,
                   const std::function<void(const Expr*)>& visit,
                   Parameters parameters = Parameters::kVisit);

}  // namespace keju::jinja
