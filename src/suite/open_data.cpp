// SPDX-License-Identifier: MIT
#include "suite/open_data.h"

#include "base/error.h"
#include "base/mapped_file.h"
#include "suite/embedded.h"

namespace keju {
namespace {

using std::filesystem::path;

constexpr const char* kCardName = "dataset.yaml";

bool is_file(const path& file) {
  std::error_code ignored;
  return std::filesystem::is_regular_file(file, ignored);
}

// Candidate places of a card on disk, nearest to the suite first.
std::vector<path> card_places(const std::optional<path>& suite_file,
                              const std::string& dataset,
                              const std::optional<path>& data) {
  std::vector<path> places;
  if (suite_file.has_value()) {
    const path folder = suite_file->parent_path();
    places.push_back(dataset.ends_with(".yaml") ? folder / dataset : folder / dataset / kCardName);
    places.push_back(folder / ".." / "datasets" / dataset / kCardName);
  }
  if (data.has_value()) places.push_back(*data / dataset / kCardName);
  return places;
}

DataFolder find_folder(const DataCard& card,
                       const std::optional<path>& data,
                       const std::optional<path>& beside_card) {
  if (data.has_value()) {
    const DataFolder folder = DataFolder::on_disk(*data / card.folder);
    if (folder.exists()) return folder;
  }
  if (card.embedded && !beside_card.has_value()) {
    return DataFolder::embedded("datasets/" + card.name);
  }
  if (beside_card.has_value()) return DataFolder::on_disk(*beside_card);
  const std::string place = data.has_value() ? (*data / card.folder).string() : "--data";
  // An option that is not there is the command line's fault, a folder that is not there the disk's.
  throw fail(data.has_value() ? Code::kIo : Code::kUsage,
             "{}: found {}, need the data of {}. {}",
             place,
             data.has_value() ? "no such folder" : "nothing",
             card.name,
             card.get.empty() ? "" : "To get it: " + card.get);
}

OpenData open(const std::string& dataset,
              const std::string& at,
              const std::optional<path>& suite_file,
              const std::optional<path>& data) {
  for (const path& place : card_places(suite_file, dataset, data)) {
    if (!is_file(place)) continue;
    DataCard card = DataCard::parse(read_file(place), place.string());
    DataFolder folder = find_folder(card, data, place.parent_path());
    return {std::move(card), std::move(folder)};
  }
  const std::string name = std::string("datasets/") + dataset + "/" + kCardName;
  const EmbeddedFile* file = find_embedded(name);
  if (file == nullptr) {
    throw fail(Code::kInput,
               "{}: dataset: unknown \"{}\"{}",
               at,
               dataset,
               suggestion(dataset, dataset_names()));
  }
  DataCard card = DataCard::parse(file->content, name);
  DataFolder folder = find_folder(card, data, std::nullopt);
  return {std::move(card), std::move(folder)};
}

}  // namespace

OpenData open_data(const SuiteFile& suite, const std::optional<path>& data) {
  return open(suite.dataset, suite.where, suite.path, data);
}

OpenData open_dataset(const std::string& name, const std::optional<path>& data) {
  return open(name, "--dataset", std::nullopt, data);
}

}  // namespace keju
