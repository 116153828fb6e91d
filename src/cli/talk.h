// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>

namespace keju {

// Results go to standard output; everything said to a person goes to standard error through these.
void talk(std::string_view line);

// Replaces the line that the last call wrote, on a terminal; elsewhere writes a line at most every
// ten seconds. `last` ends the line.
void talk_progress(const std::string& line, bool last = false);

bool terminal();   // is standard error one?
bool colourful();  // a terminal, and NO_COLOR is not set

}  // namespace keju
