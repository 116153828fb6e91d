// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace keju {

// `text` as UTF-8 if it is GB18030 (of which GBK and GB2312 are parts) from end to end; nothing if
// it is not, or if it is UTF-8 already. A file is one or the other: valid UTF-8 is never guessed
// to be something else.
std::optional<std::string> from_gb18030(std::string_view text);

}  // namespace keju
