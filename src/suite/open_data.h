// SPDX-License-Identifier: MIT
#pragma once

#include <filesystem>
#include <optional>

#include "suite/card.h"
#include "suite/suite_file.h"

namespace keju {

// A data set: its card and where its files lie.
struct OpenData {
  DataCard card;
  DataFolder folder;
};

// Finds the data set of a suite. The card: `dataset` as a path beside the suite's file, or the name
// in datasets/ beside its folder, or in `data`, or embedded. The files: `data`/<name>, the card's
// own folder, or the program. Errors: Error(kInput) for an unknown data set; Error(kIo) with how to
// get the data where it is missing.
OpenData open_data(const SuiteFile& suite, const std::optional<std::filesystem::path>& data);

// The same for a data set by its name.
OpenData open_dataset(const std::string& name, const std::optional<std::filesystem::path>& data);

}  // namespace keju
