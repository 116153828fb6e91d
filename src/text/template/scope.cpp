// SPDX-License-Identifier: MIT
#include "text/template/scope.h"

namespace keju::jinja {

std::optional<Scope::Ref> Scope::find(const std::string& name) const {
  for (const Scope* scope = this; scope; scope = scope->parent_) {
    const auto it = scope->refs_.find(name);
    if (it != scope->refs_.end()) return Ref{scope->function_, it->second};
  }
  return std::nullopt;
}

void Scope::define(const std::string& name, Origin origin) {
  const auto [it, fresh] = slots_->try_emplace(name, function_->slots);
  if (fresh) ++function_->slots;
  refs_[name] = it->second;
  origins_.insert_or_assign(it->second, std::move(origin));
}

bool Scope::load(const std::string& name) {
  if (find(name)) return false;
  define(name, {Origin::How::kResolve, name});
  return true;
}

void Scope::store(const std::string& name) {
  stores_.insert(name);
  if (refs_.count(name)) return;
  const std::optional<Ref> outer = parent_ ? parent_->find(name) : std::nullopt;
  if (outer) {
    define(name, {Origin::How::kAlias, name, *outer});
  } else {
    define(name, {Origin::How::kUndefined, name});
  }
}

void Scope::parameter(const std::string& name) {
  stores_.insert(name);
  define(name, {Origin::How::kParameter, name});
}

void Scope::inherit(const std::string& name) {
  const std::optional<Ref> outer = parent_ ? parent_->find(name) : std::nullopt;
  if (outer && !refs_.count(name)) define(name, {Origin::How::kInherit, name, *outer});
}

void Scope::merge(const std::vector<Scope>& branches) {
  std::set<std::string> fresh;
  for (const Scope& branch : branches) fresh.insert(branch.stores_.begin(), branch.stores_.end());
  for (const std::string& name : stores_) fresh.erase(name);
  for (const Scope& branch : branches) {
    for (const auto& [name, slot] : branch.refs_) refs_[name] = slot;
    for (const auto& [slot, origin] : branch.origins_) origins_.insert_or_assign(slot, origin);
    stores_.insert(branch.stores_.begin(), branch.stores_.end());
  }
  // Set in some branches only: without them the name means what it means outside.
  for (const std::string& name : fresh) {
    const std::optional<Ref> outer = parent_ ? parent_->find(name) : std::nullopt;
    Origin origin{outer ? Origin::How::kAlias : Origin::How::kResolve, name};
    if (outer) origin.from = *outer;
    origins_.insert_or_assign(refs_.at(name), std::move(origin));
  }
}

Place Scope::place(const std::string& name) const {
  const std::optional<Ref> ref = find(name);
  if (!ref) return {};
  return {function_->depth - ref->function->depth, ref->slot};
}

std::vector<Load> Scope::loads() const {
  std::vector<Load> out;
  for (const auto& [slot, origin] : origins_) {
    Load load;
    load.slot = slot;
    load.name = origin.name;
    switch (origin.how) {
      case Origin::How::kParameter:
        continue;
      case Origin::How::kUndefined:
        load.how = Load::How::kUndefined;
        break;
      case Origin::How::kResolve:
        load.how = Load::How::kResolve;
        break;
      case Origin::How::kAlias:
      case Origin::How::kInherit:
        load.how = origin.how == Origin::How::kAlias ? Load::How::kAlias : Load::How::kInherit;
        load.from = {function_->depth - origin.from.function->depth, origin.from.slot};
        break;
    }
    out.push_back(std::move(load));
  }
  return out;
}

}  // namespace keju::jinja
