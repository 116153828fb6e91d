// SPDX-License-Identifier: MIT
#include <algorithm>
#include <cstdlib>
#include <system_error>

#include "base/error.h"
#include "weights/bytes.h"
#include "weights/files.h"

// Where other programs keep what they have downloaded. Nothing here reaches for the network.
// Source: huggingface_hub 0.34 constants.py and file_download.py; modelscope 1.28 file_utils.py;
// ollama 0.9 envconfig/config.go, server/modelpath.go and server/manifest.go.

namespace keju {

namespace fs = std::filesystem;

namespace {

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

bool on_disk(const fs::path& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

std::vector<std::string> split(std::string_view text, char at) {
  std::vector<std::string> parts;
  for (size_t begin = 0;;) {
    const size_t end = text.find(at, begin);
    parts.emplace_back(text.substr(begin, end == text.npos ? text.npos : end - begin));
    if (end == text.npos) return parts;
    begin = end + 1;
  }
}

// A part of a name becomes part of a path, so it may only hold what such names hold.
bool plain_part(std::string_view part) {
  const auto allowed = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
           c == '_' || c == '.';
  };
  return !part.empty() && part.size() <= 128 && part != "." && part != ".." &&
         std::all_of(part.begin(), part.end(), allowed);
}

std::vector<std::string> name_parts(const std::string& whole,
                                    std::string_view rest,
                                    size_t most,
                                    std::string_view form) {
  std::vector<std::string> parts = split(rest, '/');
  if (parts.size() > most || !std::all_of(parts.begin(), parts.end(), plain_part)) {
    throw fail(
        Code::kUsage, "model {}: found no such form of name, need {}", in_quotes(whole), form);
  }
  return parts;
}

std::string paths(const std::vector<fs::path>& list) {
  std::string out;
  for (const fs::path& path : list) out += (out.empty() ? "" : ", ") + path.string();
  return out;
}

Error not_cached(const std::string& whole,
                 const std::vector<fs::path>& looked,
                 std::string_view hint) {
  return fail(Code::kIo,
              "model {}: found it in none of these folders, need it there: {}. {}",
              in_quotes(whole),
              looked.empty() ? "(none: HOME is not set)" : paths(looked),
              hint);
}

std::vector<fs::path> hub_folders() {
  std::vector<fs::path> folders;
  const std::string home = environment("HOME");
  if (const std::string hub = environment("HF_HUB_CACHE"); !hub.empty()) {
    folders.emplace_back(hub);
  } else if (const std::string old = environment("HUGGINGFACE_HUB_CACHE"); !old.empty()) {
    folders.emplace_back(old);
  } else if (const std::string hf = environment("HF_HOME"); !hf.empty()) {
    folders.push_back(fs::path(hf) / "hub");
  } else if (const std::string cache = environment("XDG_CACHE_HOME"); !cache.empty()) {
    folders.push_back(fs::path(cache) / "huggingface" / "hub");
  } else if (!home.empty()) {
    folders.push_back(fs::path(home) / ".cache" / "huggingface" / "hub");
  }
  return folders;
}

// The commit that a branch or tag of a cached repository points at; "" if it does not say.
std::string cached_commit(const fs::path& repository, const std::string& revision) {
  fs::path ref = repository / "refs";
  for (const std::string& part : split(revision, '/')) ref /= part;
  if (!on_disk(ref)) return plain_part(revision) ? revision : "";
  const auto file = map_file(ref);
  const auto bytes = file->bytes();
  std::string commit(reinterpret_cast<const char*>(bytes.data()),
                     std::min<size_t>(bytes.size(), 128));
  while (!commit.empty() && (commit.back() == '\n' || commit.back() == ' ')) commit.pop_back();
  if (!plain_part(commit)) {
    throw fail(
        Code::kInput, "{}: found {}, need the name of a commit", ref.string(), in_quotes(commit));
  }
  return commit;
}

fs::path locate_hub(const std::string& whole, std::string_view rest) {
  constexpr std::string_view kForm = "hf:ORG/NAME or hf:ORG/NAME@REVISION";
  std::string revision = "main";
  if (const size_t at = rest.find('@'); at != rest.npos) {
    revision = rest.substr(at + 1);
    rest = rest.substr(0, at);
    name_parts(whole, revision, 4, kForm);
  }
  std::string folder = "models";
  for (const std::string& part : name_parts(whole, rest, 2, kForm)) folder += "--" + part;
  std::vector<fs::path> looked;
  for (const fs::path& hub : hub_folders()) {
    const fs::path repository = hub / folder;
    looked.push_back(repository);
    if (!on_disk(repository)) continue;
    const std::string commit = cached_commit(repository, revision);
    const fs::path snapshot = repository / "snapshots" / commit;
    if (!commit.empty() && on_disk(snapshot)) return snapshot;
    looked.back() = commit.empty() ? repository / "refs" / revision : snapshot;
  }
  throw not_cached(whole, looked, "Fetch it with: huggingface-cli download ORG/NAME");
}

fs::path locate_modelscope(const std::string& whole, std::string_view rest) {
  const std::vector<std::string> parts = name_parts(whole, rest, 2, "modelscope:ORG/NAME");
  if (parts.size() != 2) {
    throw fail(Code::kUsage,
               "model {}: found no organisation, need modelscope:ORG/NAME",
               in_quotes(whole));
  }
  // The cache writes dots in names as three underscores (and links the plain name to them).
  std::string underscored;
  for (const char c : parts[1]) underscored += c == '.' ? std::string("___") : std::string(1, c);
  std::vector<fs::path> caches;
  if (const std::string cache = environment("MODELSCOPE_CACHE"); !cache.empty()) {
    caches.emplace_back(cache);
    caches.push_back(fs::path(cache) / "hub");
  }
  if (const std::string home = environment("HOME"); !home.empty()) {
    caches.push_back(fs::path(home) / ".cache" / "modelscope" / "hub");
  }
  std::vector<fs::path> looked;
  for (const fs::path& cache : caches) {
    for (const fs::path& models : {cache / "models", cache}) {
      const fs::path organisation = models / parts[0];
      looked.push_back(organisation / parts[1]);
      for (const std::string& name : {parts[1], underscored}) {
        if (on_disk(organisation / name)) return organisation / name;
      }
    }
  }
  throw not_cached(whole, looked, "Fetch it with: modelscope download ORG/NAME");
}

// The weights blob that a manifest names.
fs::path ollama_blob(const fs::path& models, const fs::path& manifest_path) {
  const std::string where = manifest_path.string();
  const Json manifest = small_json(manifest_path);
  const Json& layers = member(manifest, "layers", where);
  if (!layers.is_array()) {
    throw fail(Code::kInput, "{}: layers: found {}, need a list", where, layers.type_name());
  }
  for (const Json& layer : layers) {
    if (string_member(layer, "mediaType", where) != "application/vnd.ollama.image.model") continue;
    const std::string digest = string_member(layer, "digest", where);
    const bool hash = digest.size() == 71 && digest.starts_with("sha256:") &&
                      digest.find_first_not_of("0123456789abcdef", 7) == digest.npos;
    if (!hash) {
      throw fail(Code::kInput,
                 "{}: digest: found {}, need sha256: and 64 hexadecimal digits",
                 where,
                 in_quotes(digest));
    }
    return models / "blobs" / ("sha256-" + digest.substr(7));
  }
  throw fail(Code::kInput,
             "{}: layers: found none of type application/vnd.ollama.image.model, need one",
             where);
}

fs::path locate_ollama(const std::string& whole, std::string_view rest) {
  constexpr std::string_view kForm = "ollama:NAME, ollama:NAME:TAG or ollama:HOST/USER/NAME:TAG";
  std::string tag = "latest";
  if (const size_t at = rest.rfind(':'); at != rest.npos) {
    tag = rest.substr(at + 1);
    rest = rest.substr(0, at);
    name_parts(whole, tag, 1, kForm);
  }
  std::vector<std::string> parts = name_parts(whole, rest, 3, kForm);
  if (parts.size() == 1) parts.insert(parts.begin(), "library");
  if (parts.size() == 2) parts.insert(parts.begin(), "registry.ollama.ai");
  std::vector<fs::path> stores;
  if (const std::string store = environment("OLLAMA_MODELS"); !store.empty()) {
    stores.emplace_back(store);
  } else {
    const std::string home = environment("HOME");
    if (!home.empty()) stores.push_back(fs::path(home) / ".ollama" / "models");
    stores.emplace_back("/usr/share/ollama/.ollama/models");  // the system service
  }
  std::vector<fs::path> looked;
  for (const fs::path& store : stores) {
    const fs::path manifest = store / "manifests" / parts[0] / parts[1] / parts[2] / tag;
    if (on_disk(manifest)) return ollama_blob(store, manifest);
    looked.push_back(manifest);
  }
  throw not_cached(whole, looked, "Fetch it with: ollama pull NAME");
}

}  // namespace

fs::path locate_checkpoint(const std::string& name) {
  const std::string_view whole = name;
  if (whole.starts_with("hf:")) return locate_hub(name, whole.substr(3));
  if (whole.starts_with("modelscope:")) return locate_modelscope(name, whole.substr(11));
  if (whole.starts_with("ollama:")) return locate_ollama(name, whole.substr(7));
  return name;
}

}  // namespace keju
