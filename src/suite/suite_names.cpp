// SPDX-License-Identifier: MIT
// Suites and protocols by name: embedded ones, and files on disk.
#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/mapped_file.h"
#include "suite/embedded.h"
#include "suite/suite_file.h"

namespace keju {

SuiteFile SuiteFile::load(const std::string& name_or_path) {
  const std::string embedded = "suites/" + name_or_path + ".yaml";
  if (const EmbeddedFile* file = find_embedded(embedded)) return parse(file->content, embedded);
  if (!name_or_path.ends_with(".yaml") && !name_or_path.ends_with(".yml")) {
    throw fail(Code::kUsage,
               "suite: unknown \"{}\"{}. Or give the path of a .yaml file",
               name_or_path,
               suggestion(name_or_path, suite_names()));
  }
  SuiteFile suite = parse(read_file(name_or_path), name_or_path);
  suite.path = name_or_path;
  return suite;
}

const SuiteVariant& SuiteFile::variant(const std::string& protocol) const {
  std::vector<std::string> known;
  for (const SuiteVariant& each : variants) {
    std::vector<std::string> names = each.aliases;
    names.push_back(each.protocol.name);
    for (const std::string& alias : names) {
      if (protocol == alias || protocol == name + "/" + alias) return each;
      known.push_back(alias);
    }
  }
  throw fail(Code::kUsage,
             "protocol: unknown \"{}\" of suite \"{}\"{}",
             protocol,
             name,
             suggestion(protocol, known));
}

std::vector<std::string> suite_names() {
  constexpr std::string_view kBegin = "suites/", kEnd = ".yaml";
  std::vector<std::string> names;
  for (const EmbeddedFile& file : embedded_files()) {
    if (!file.path.starts_with(kBegin)) continue;
    names.emplace_back(
        file.path.substr(kBegin.size(), file.path.size() - kBegin.size() - kEnd.size()));
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::vector<Protocol> suite_protocols(const std::string& suite) {
  std::vector<Protocol> protocols;
  for (SuiteVariant& variant : SuiteFile::load(suite).variants) {
    protocols.push_back(std::move(variant.protocol));
  }
  return protocols;
}

std::vector<std::string> expand_suite(const std::string& suite) {
  SuiteFile file = SuiteFile::load(suite);
  if (file.parts.empty()) return {suite};
  // A part of a file that lies on disk may be another file beside it.
  if (file.path.has_value()) {
    for (std::string& part : file.parts) {
      if (part.ends_with(".yaml")) part = (file.path->parent_path() / part).string();
    }
  }
  for (const std::string& part : file.parts) {
    if (SuiteFile::load(part).parts.empty()) continue;
    throw fail(Code::kInput, "{}: parts: found \"{}\", a group, need suites", file.where, part);
  }
  return file.parts;
}

}  // namespace keju
