// SPDX-License-Identifier: MIT
#include "text/decode.h"

#include "base/utf8.h"
#include "text/vocab.h"

namespace keju {
namespace {

constexpr std::string_view kReplacementCharacter = "\xEF\xBF\xBD";
constexpr std::string_view kSpaceSymbol = "\xE2\x96\x81";

std::string replaced(std::string_view text, std::string_view needle, std::string_view by) {
  std::string out;
  size_t last = 0;
  if (!needle.empty()) {
    for (size_t at = text.find(needle); at != text.npos; at = text.find(needle, last)) {
      out.append(text.substr(last, at - last)).append(by);
      last = at + needle.size();
    }
  }
  return out.append(text.substr(last));
}

std::string joined(const std::vector<std::string>& tokens) {
  std::string out;
  for (const std::string& token : tokens) out += token;
  return out;
}

class ByteLevelStep : public DecodeStep {
 public:
  void apply(std::vector<std::string>& tokens) const override {
    std::string bytes;
    for (const std::string& token : tokens) bytes += piece(token);
    tokens = {lossy_utf8(bytes)};
  }
  std::string piece(std::string token) const override {
    std::string bytes;
    return bytes_from_stand_ins(token, bytes) ? bytes : token;
  }
};

// A run of byte tokens that is not UTF-8 as a whole becomes one U+FFFD per byte.
class ByteFallbackStep : public DecodeStep {
 public:
  void apply(std::vector<std::string>& tokens) const override {
    std::vector<std::string> out;
    std::string run;
    const auto flush = [&] {
      if (valid_utf8(run)) {
        if (!run.empty()) out.push_back(run);
      } else {
        out.insert(out.end(), run.size(), std::string(kReplacementCharacter));
      }
      run.clear();
    };
    for (std::string& token : tokens) {
      const int byte = byte_of_fallback(token);
      if (byte >= 0) {
        run += static_cast<char>(byte);
        continue;
      }
      flush();
      out.push_back(std::move(token));
    }
    flush();
    tokens = std::move(out);
  }
  std::string piece(std::string token) const override {
    const int byte = byte_of_fallback(token);
    return byte < 0 ? token : std::string(1, static_cast<char>(byte));
  }
};

class FuseStep : public DecodeStep {
 public:
  void apply(std::vector<std::string>& tokens) const override { tokens = {joined(tokens)}; }
};

class ReplaceStep : public DecodeStep {
 public:
  ReplaceStep(std::string needle, std::string by)
      : needle_(std::move(needle)), by_(std::move(by)) {}
  void apply(std::vector<std::string>& tokens) const override {
    for (std::string& token : tokens) token = replaced(token, needle_, by_);
  }
  std::string piece(std::string token) const override { return replaced(token, needle_, by_); }

 private:
  std::string needle_;
  std::string by_;
};

class StripStep : public DecodeStep {
 public:
  StripStep(std::string content, size_t left, size_t right)
      : content_(std::move(content)), left_(left), right_(right) {}
  void apply(std::vector<std::string>& tokens) const override {
    if (content_.empty()) return;
    for (std::string& token : tokens) {
      std::string_view rest = token;
      for (size_t n = 0; n < left_ && rest.starts_with(content_); ++n)
        rest.remove_prefix(content_.size());
      for (size_t n = 0; n < right_ && rest.ends_with(content_); ++n)
        rest.remove_suffix(content_.size());
      token = std::string(rest);
    }
  }

 private:
  std::string content_;
  size_t left_;
  size_t right_;
};

class MetaspaceStep : public DecodeStep {
 public:
  MetaspaceStep(std::string replacement, bool drop_first)
      : replacement_(std::move(replacement)), drop_first_(drop_first) {}
  void apply(std::vector<std::string>& tokens) const override {
    for (size_t i = 0; i < tokens.size(); ++i) {
      tokens[i] = replaced(tokens[i], replacement_, i == 0 && drop_first_ ? "" : " ");
    }
  }
  std::string piece(std::string token) const override { return replaced(token, replacement_, " "); }

 private:
  std::string replacement_;
  bool drop_first_;
};

class SentencePieceStep : public DecodeStep {
 public:
  SentencePieceStep(bool strip, bool all) : strip_(strip), all_(all) {}
  void apply(std::vector<std::string>& tokens) const override {
    std::string text;
    std::string bytes;
    const auto flush = [&] {
      for (size_t at = 0; at < bytes.size();) append_utf8(text, next_code_point(bytes, at));
      bytes.clear();
    };
    bool front = strip_;
    for (const std::string& token : tokens) {
      const int byte = byte_of_fallback(token);
      if (byte >= 0) {
        bytes += static_cast<char>(byte);
        front = false;
        continue;
      }
      flush();
      std::string_view rest = token;
      while (front && rest.starts_with(kSpaceSymbol)) {
        rest.remove_prefix(kSpaceSymbol.size());
        front = all_;
      }
      front = front && rest.empty();
      text += replaced(rest, kSpaceSymbol, " ");
    }
    flush();
    tokens = {text};
  }
  std::string piece(std::string token) const override {
    const int byte = byte_of_fallback(token);
    return byte >= 0 ? std::string(1, static_cast<char>(byte)) : replaced(token, kSpaceSymbol, " ");
  }

 private:
  bool strip_;
  bool all_;
};

}  // namespace

std::unique_ptr<DecodeStep> decode_byte_level() { return std::make_unique<ByteLevelStep>(); }
std::unique_ptr<DecodeStep> decode_byte_fallback() { return std::make_unique<ByteFallbackStep>(); }
std::unique_ptr<DecodeStep> decode_fuse() { return std::make_unique<FuseStep>(); }

std::unique_ptr<DecodeStep> decode_replace(std::string needle, std::string by) {
  return std::make_unique<ReplaceStep>(std::move(needle), std::move(by));
}

std::unique_ptr<DecodeStep> decode_strip(std::string content, size_t left, size_t right) {
  return std::make_unique<StripStep>(std::move(content), left, right);
}

std::unique_ptr<DecodeStep> decode_metaspace(std::string replacement, bool drop_first) {
  return std::make_unique<MetaspaceStep>(std::move(replacement), drop_first);
}

std::unique_ptr<DecodeStep> decode_sentencepiece(bool strip, bool all) {
  return std::make_unique<SentencePieceStep>(strip, all);
}

std::string lossy_utf8(std::string_view bytes) {
  std::string out;
  for (size_t at = 0; at < bytes.size();) {
    const size_t begin = at;
    const char32_t code = next_code_point(bytes, at);
    if (code != 0xFFFD || at - begin == 3) {
      out.append(bytes.substr(begin, at - begin));
      continue;
    }
    // The longest beginning that some valid sequence has: extended while it could still be one.
    const std::string_view rest = bytes.substr(begin);
    size_t bad = 1;
    while (bad < 3 && bad < rest.size() && complete_utf8_prefix(rest.substr(0, bad + 1)) == 0)
      ++bad;
    out.append(kReplacementCharacter);
    at = begin + bad;
  }
  return out;
}

}  // namespace keju
