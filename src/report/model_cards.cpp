// SPDX-License-Identifier: MIT
#include <cmath>

#include "base/error.h"
#include "base/utf8.h"
#include "base/yaml.h"
#include "report/page_assets.h"
#include "report/reference.h"

namespace keju {
namespace {

double money(const Yaml& node) {
  const double value = node.number();
  if (!std::isfinite(value) || value < 0) {
    throw fail(Code::kInput, "{}: price: found {}, need a number from 0 up", node.at(), value);
  }
  return value;
}

Price price_of(const Yaml& node) {
  node.only({"currency", "input", "output", "per_hour", "date", "source"});
  Price price;
  price.currency = node.get("currency").text();
  price.date = node.get("date").text();
  if (const Yaml* source = node.find("source")) price.source = source->text();
  if (const Yaml* hour = node.find("per_hour")) {
    price.per_hour = money(*hour);
  } else {
    price.input = money(node.get("input"));
    price.output = money(node.get("output"));
  }
  return price;
}

// Letters and digits in lower case, and whatever is beyond ASCII.
std::string folded(std::string_view name) {
  std::string out;
  for (const char c : name) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x80 || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z')) out += c;
    if (c >= 'A' && c <= 'Z') out += static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

// "Gemma 3 270M Q4_K_M" without its last word, if that names a number format.
std::string without_quantisation(const std::string& name) {
  const size_t cut = name.find_last_of(" .-");
  if (cut == std::string::npos || cut == 0) return name;
  const std::string last = folded(std::string_view(name).substr(cut + 1));
  const bool iq = last.size() > 2 && last.starts_with("iq") && last[2] >= '1' && last[2] <= '8';
  const bool q = last.size() > 1 && last[0] == 'q' && last[1] >= '1' && last[1] <= '8';
  const bool plain = last == "f16" || last == "f32" || last == "bf16" || last == "fp16" ||
                     last == "fp8" || last == "int8" || last == "int4";
  return q || iq || plain ? name.substr(0, cut) : name;
}

}  // namespace

Access parse_access(const Yaml& node) {
  static const std::vector<std::pair<std::string, Access>> kNames = {{"weights", Access::kWeights},
                                                                     {"api", Access::kApi},
                                                                     {"web", Access::kWeb},
                                                                     {"applied", Access::kApplied}};
  std::vector<std::string> known;
  for (const auto& [name, access] : kNames) {
    if (node.text() == name) return access;
    known.push_back(name);
  }
  throw fail(Code::kInput,
             "{}: access: found \"{}\"{}",
             node.at(),
             node.text(),
             suggestion(node.text(), known));
}

const Text& access_text(Access access) {
  static const Text kTexts[] = {
      {"模型", "weights"}, {"API", "API"}, {"网页", "web"}, {"申请", "on request"}};
  return kTexts[static_cast<size_t>(access)];
}

ModelCards ModelCards::builtin() {
  ModelCards cards;
  cards.add(kModelsYaml, "reports/models.yaml");
  return cards;
}

void ModelCards::add(std::string_view yaml, const std::string& where) {
  const Yaml root = Yaml::parse(yaml, where);
  root.only({"organisations", "models"});
  if (const Yaml* list = root.find("organisations")) {
    for (const Yaml& node : list->list()) {
      node.only({"id", "zh", "en", "country", "source"});
      const Yaml* country = node.find("country");
      const Yaml* source = node.find("source");
      organisations_[node.get("id").text()] = {{node.get("zh").text(), node.get("en").text()},
                                               country == nullptr ? "" : country->text(),
                                               source == nullptr ? "" : source->text()};
    }
  }
  std::map<std::string, std::string> seen;  // ids of this file
  for (const Yaml& node : root.get("models").list()) {
    node.only({"id",
               "name",
               "org",
               "access",
               "parameters",
               "licence",
               "licence_source",
               "price",
               "aliases",
               "country"});
    ModelCard card;
    card.id = node.get("id").text();
    card.name = node.get("name").text();
    if (!seen.emplace(card.id, node.at()).second) {
      throw fail(Code::kInput, "{}: id: found \"{}\" twice, need unique ids", node.at(), card.id);
    }
    const std::string& org = node.get("org").text();
    const auto known = organisations_.find(org);
    if (known == organisations_.end()) {
      throw fail(Code::kInput,
                 "{}: org: found \"{}\", need the id of one of the file's organisations",
                 node.at(),
                 org);
    }
    card.organisation = known->second.name;
    card.organisation_source = known->second.source;
    card.country = known->second.country;
    if (const Yaml* country = node.find("country")) card.country = country->text();
    card.access = parse_access(node.get("access"));
    if (const Yaml* parameters = node.find("parameters")) card.parameters = parameters->integer();
    if (const Yaml* licence = node.find("licence")) card.licence = licence->text();
    if (const Yaml* source = node.find("licence_source")) card.licence_source = source->text();
    if (const Yaml* price = node.find("price")) card.price = price_of(*price);
    if (const Yaml* aliases = node.find("aliases")) {
      for (const Yaml& alias : aliases->list()) card.aliases.push_back(alias.text());
    }
    const auto [place, added] = by_id_.emplace(card.id, cards_.size());
    if (added) cards_.emplace_back();
    cards_[place->second] = card;
    std::vector<std::string> names = card.aliases;
    names.insert(names.end(), {card.id, card.name});
    for (const std::string& name : names) {
      const auto [key, fresh] = by_key_.emplace(folded(name), place->second);
      if (!fresh && key->second != place->second) {
        throw fail(Code::kInput,
                   "{}: name: found \"{}\", which \"{}\" has already",
                   node.at(),
                   name,
                   cards_[key->second].id);
      }
    }
  }
}

const ModelCard* ModelCards::find(const std::string& name) const {
  for (const std::string& spelling : {name, without_quantisation(name)}) {
    const auto key = by_key_.find(folded(spelling));
    if (key != by_key_.end()) return &cards_[key->second];
  }
  return nullptr;
}

const ModelCard* ModelCards::by_id(const std::string& id) const {
  const auto place = by_id_.find(id);
  return place == by_id_.end() ? nullptr : &cards_[place->second];
}

}  // namespace keju
