// SPDX-License-Identifier: MIT
#include "suite/encoding.h"

#include <iconv.h>

#include <cerrno>

#include "base/utf8.h"

namespace keju {
namespace {

class Converter {
 public:
  Converter() : handle_(iconv_open("UTF-8", "GB18030")) {}
  ~Converter() {
    if (ok()) iconv_close(handle_);
  }
  Converter(const Converter&) = delete;
  Converter& operator=(const Converter&) = delete;

  bool ok() const { return handle_ != reinterpret_cast<iconv_t>(-1); }

  std::optional<std::string> convert(std::string_view text) {
    std::string out;
    std::string chunk(1 << 16, '\0');
    char* from = const_cast<char*>(text.data());  // iconv's type is older than const
    size_t left = text.size();
    while (left > 0) {
      char* to = chunk.data();
      size_t room = chunk.size();
      const size_t done = iconv(handle_, &from, &left, &to, &room);
      const int error = errno;
      out.append(chunk.data(), chunk.size() - room);
      if (done == static_cast<size_t>(-1) && error != E2BIG) return std::nullopt;
    }
    return out;
  }

 private:
  iconv_t handle_;
};

}  // namespace

std::optional<std::string> from_gb18030(std::string_view text) {
  if (valid_utf8(text)) return std::nullopt;
  Converter converter;
  return converter.ok() ? converter.convert(text) : std::nullopt;
}

}  // namespace keju
