// SPDX-License-Identifier: MIT
#include "run/results.h"

#include <map>

#include "base/error.h"
#include "base/mapped_file.h"
#include "run/averages.h"
#include "run/errata.h"
#include "run/manifest.h"
#include "run/record.h"
#include "run/speed.h"
#include "run/store.h"

namespace keju {
namespace {

int64_t count(const Json& items, const char* key) { return items[key].get<int64_t>(); }

}  // namespace

Json compute_results(const std::filesystem::path& folder) {
  const std::string where = folder.string();
  const Json manifest = read_manifest(folder);
  const std::vector<ExamManifest> exams = manifest_exams(manifest, where + "/run.json");
  const std::vector<SessionRecord> sessions = read_sessions(folder);
  const std::set<std::string> errata = errata_items(manifest, where + "/run.json");
  std::map<std::string, ExamResults> by_exam;
  for (const ExamManifest& exam : exams) by_exam.try_emplace(exam.key, exam, errata, where);
  RunDigest digest;
  ItemTimings timings;
  for_each_record_in_order(folder, [&](const ItemRecord& record) {
    const auto exam = by_exam.find(record.exam);
    if (exam == by_exam.end()) {
      throw fail(Code::kInput,
                 "{}: item \"{}\": its exam \"{}\" is not in run.json",
                 where,
                 record.item,
                 record.exam);
    }
    digest.add(record);
    timings.add(record);
    exam->second.add(record);
  });

  Json papers = Json::array();
  Json items = to_json(ItemCounts{});
  for (const ExamManifest& exam : exams) {
    papers.push_back(by_exam.at(exam.key).finish());
    for (auto& [key, value] : items.items()) {
      value = value.get<int64_t>() + count(papers.back()["items"], key.c_str());
    }
  }
  const bool complete = count(items, "failed") == 0 && count(items, "unfinished") == 0;
  const Json& model = member(manifest, "model", where);
  return {{"schema", kResultsSchema},
          {"digest", digest.finish_hex()},
          {"complete", complete},
          {"parent", manifest.contains("parent") ? manifest["parent"] : Json()},
          {"errata", manifest.contains("errata") ? manifest["errata"] : Json()},
          {"model", model},
          {"items", std::move(items)},
          {"tokens", token_results(sessions)},
          {"speed", speed_results(sessions, std::move(timings))},
          {"memory", memory_results(sessions, int_member(model, "weight_bytes", where))},
          {"exams", std::move(papers)},
          {"fingerprint", member(manifest, "fingerprint", where)},
          {"environment", member(manifest, "environment", where)}};
}

Json write_results(const std::filesystem::path& folder) {
  Json results = compute_results(folder);
  write_file_atomically(folder / "results.json",
                        results.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
  return results;
}

Json read_results(const std::filesystem::path& folder) {
  const std::filesystem::path path = folder / "results.json";
  if (!std::filesystem::exists(path)) return compute_results(folder);
  Json results = read_json(path);
  const std::string where = path.string();
  const std::string schema = string_member(results, "schema", where);
  if (schema != kResultsSchema) {
    throw fail(Code::kUnsupported,
               "{}: schema: found \"{}\", need \"{}\". It was written by another version of keju",
               where,
               schema,
               kResultsSchema);
  }
  return results;
}

}  // namespace keju
