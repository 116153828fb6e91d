// SPDX-License-Identifier: MIT
#include <cstdlib>
#include <filesystem>
#include <optional>

#include "tests/support/checkpoint_writer.h"
#include "tests/weights/test_files.h"
#include "weights/checkpoint.h"

namespace keju {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

class Locate : public testing::Test {
 protected:
  void SetUp() override {
    for (const char* name : kNames) {
      const char* value = std::getenv(name);
      before_.push_back(value == nullptr ? std::nullopt : std::optional<std::string>(value));
      ::unsetenv(name);
    }
    ::setenv("HOME", folder_.path().c_str(), 1);
  }
  void TearDown() override {
    for (size_t i = 0; i < before_.size(); ++i) {
      ::unsetenv(kNames[i]);
      if (before_[i]) ::setenv(kNames[i], before_[i]->c_str(), 1);
    }
  }

  // Puts a checkpoint into a folder below HOME.
  std::filesystem::path put(const std::string& where) {
    folder_.write(where + "/config.json", "{}");
    folder_.write(where + "/model.safetensors",
                  safetensors_file({{"a", DType::kF32, {1}, f32_bytes({1})}}));
    return folder_.path() / where;
  }
  static std::string error(const std::string& name) {
    return error_text([&] { Checkpoint::open(name); });
  }
  std::string home(const std::string& rest) const { return (folder_.path() / rest).string(); }

  static constexpr const char* kNames[] = {"HOME",
                                           "HF_HUB_CACHE",
                                           "HUGGINGFACE_HUB_CACHE",
                                           "HF_HOME",
                                           "XDG_CACHE_HOME",
                                           "MODELSCOPE_CACHE",
                                           "OLLAMA_MODELS"};
  std::vector<std::optional<std::string>> before_;
  TestFolder folder_;
};

TEST_F(Locate, HubFollowsBranchTagAndCommit) {
  const std::string repository = ".cache/huggingface/hub/models--org--name";
  const auto one = put(repository + "/snapshots/1111");
  const auto two = put(repository + "/snapshots/2222");
  folder_.write(repository + "/refs/main", "1111\n");
  folder_.write(repository + "/refs/pr/7", "2222");
  EXPECT_EQ(Checkpoint::open("hf:org/name")->root(), one);
  EXPECT_EQ(Checkpoint::open("hf:org/name@main")->root(), one);
  EXPECT_EQ(Checkpoint::open("hf:org/name@pr/7")->root(), two);
  EXPECT_EQ(Checkpoint::open("hf:org/name@2222")->root(), two);
  EXPECT_EQ(error("hf:org/name@3333"),
            "io: model \"hf:org/name@3333\": found it in none of these folders, need it there: " +
                home(repository + "/snapshots/3333") +
                ". Fetch it with: huggingface-cli download ORG/NAME");
}

TEST_F(Locate, HubReadsLinksToBlobs) {
  const std::string repository = ".cache/huggingface/hub/models--gpt2";
  folder_.write(repository + "/blobs/c", "{}");
  folder_.write(repository + "/blobs/w",
                safetensors_file({{"a", DType::kF32, {1}, f32_bytes({1})}}));
  folder_.write(repository + "/refs/main", "abc");
  const auto snapshot = folder_.path() / repository / "snapshots/abc";
  std::filesystem::create_directories(snapshot);
  std::filesystem::create_symlink("../../blobs/c", snapshot / "config.json");
  std::filesystem::create_symlink("../../blobs/w", snapshot / "model.safetensors");
  EXPECT_EQ(Checkpoint::open("hf:gpt2")->tensors().size(), 1u);
  std::filesystem::remove(folder_.path() / repository / "blobs/w");
  EXPECT_THAT(error("hf:gpt2"), StartsWith("io: "));
}

TEST_F(Locate, HubObeysItsVariables) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"XDG_CACHE_HOME", "huggingface/hub/"},
      {"HF_HOME", "hub/"},
      {"HUGGINGFACE_HUB_CACHE", ""},
      {"HF_HUB_CACHE", ""}};
  for (const auto& [variable, below] : cases) {  // each is preferred to those before it
    ::setenv(variable.c_str(), home(variable).c_str(), 1);
    const std::string repository = variable + "/" + below + "models--org--name";
    EXPECT_THAT(error("hf:org/name"), HasSubstr(home(repository)));
    folder_.write(repository + "/refs/main", "1");
    EXPECT_EQ(Checkpoint::open("hf:org/name")->root(), put(repository + "/snapshots/1"));
  }
}

TEST_F(Locate, HubSaysWhereItLooked) {
  EXPECT_EQ(error("hf:org/name"),
            "io: model \"hf:org/name\": found it in none of these folders, need it there: " +
                home(".cache/huggingface/hub/models--org--name") +
                ". Fetch it with: huggingface-cli download ORG/NAME");
  ::unsetenv("HOME");
  EXPECT_THAT(error("hf:org/name"), HasSubstr("(none: HOME is not set)"));
}

TEST_F(Locate, HubRefusesAReferenceThatLeavesTheCache) {
  const std::string repository = ".cache/huggingface/hub/models--org--name";
  folder_.write(repository + "/refs/main", "../../../../secret");
  EXPECT_EQ(error("hf:org/name"),
            "input: " + home(repository + "/refs/main") +
                ": found \"../../../../secret\", need the name of a commit");
}

TEST_F(Locate, NamesMayNotLeaveTheirCache) {
  for (const std::string name : {"hf:",
                                 "hf:a/b/c",
                                 "hf:../x",
                                 "hf:a/..",
                                 "hf:/etc",
                                 "hf:a b/c",
                                 "hf:a/b@",
                                 "hf:a/b@../x",
                                 "modelscope:a",
                                 "modelscope:a/../b",
                                 "ollama:",
                                 "ollama:a:",
                                 "ollama:a:../b",
                                 "ollama:../../x",
                                 "ollama:a/b/c/d"}) {
    EXPECT_THAT(error(name), StartsWith("usage: model \"" + name + "\": found no ")) << name;
  }
}

TEST_F(Locate, ModelScope) {
  EXPECT_THAT(error("modelscope:org/name"),
              HasSubstr("need it there: " + home(".cache/modelscope/hub/models/org/name") + ", " +
                        home(".cache/modelscope/hub/org/name") + ". Fetch it with: modelscope"));
  const auto old = put(".cache/modelscope/hub/org/name");
  EXPECT_EQ(Checkpoint::open("modelscope:org/name")->root(), old);
  const auto now = put(".cache/modelscope/hub/models/org/name");
  EXPECT_EQ(Checkpoint::open("modelscope:org/name")->root(), now);
  ::setenv("MODELSCOPE_CACHE", home("ms").c_str(), 1);
  EXPECT_EQ(Checkpoint::open("modelscope:org/name")->root(), now);
  const auto dotted = put("ms/models/Qwen/Qwen2___5-7B");
  EXPECT_EQ(Checkpoint::open("modelscope:Qwen/Qwen2.5-7B")->root(), dotted);
}

constexpr std::string_view kDigest =
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

std::string manifest(const std::string& digest) {
  return R"({"schemaVersion":2,"layers":[{"mediaType":"application/vnd.ollama.image.template",)"
         R"("digest":"sha256:x"},{"mediaType":"application/vnd.ollama.image.model","digest":")" +
         digest + R"("}]})";
}

TEST_F(Locate, Ollama) {
  GgufWriter gguf;
  gguf.tensor({"a", DType::kF32, {1}, f32_bytes({1})});
  const std::string models = ".ollama/models/";
  const auto blob = folder_.write(models + "blobs/sha256-" + std::string(kDigest), gguf.bytes());
  const std::string right = manifest("sha256:" + std::string(kDigest));
  folder_.write(models + "manifests/registry.ollama.ai/library/qwen/latest", right);
  folder_.write(models + "manifests/registry.ollama.ai/library/qwen/0.5b", right);
  folder_.write(models + "manifests/registry.ollama.ai/user/qwen/latest", right);
  folder_.write(models + "manifests/hf.co/user/qwen/Q4", right);
  for (const std::string name : {"ollama:qwen",
                                 "ollama:qwen:latest",
                                 "ollama:qwen:0.5b",
                                 "ollama:user/qwen",
                                 "ollama:hf.co/user/qwen:Q4"}) {
    EXPECT_EQ(Checkpoint::open(name)->root(), blob) << name;
  }
  EXPECT_THAT(error("ollama:llama"),
              HasSubstr("need it there: " +
                        home(models + "manifests/registry.ollama.ai/library/llama/latest") +
                        ", /usr/share/ollama/.ollama/models/manifests/"));
  ::setenv("OLLAMA_MODELS", home("om").c_str(), 1);
  EXPECT_THAT(error("ollama:qwen"),
              HasSubstr("need it there: " +
                        home("om/manifests/registry.ollama.ai/library/qwen/latest") + ". Fetch"));
}

TEST_F(Locate, OllamaManifestsAreChecked) {
  const std::string path = ".ollama/models/manifests/registry.ollama.ai/library/x/latest";
  const auto with = [&](const std::string& content) {
    folder_.write(path, content);
    return error("ollama:x");
  };
  EXPECT_THAT(with(manifest("sha256:../../etc/passwd")), HasSubstr("digest: found \"sha256:../"));
  EXPECT_THAT(with(manifest("md5:1")), HasSubstr("need sha256: and 64 hexadecimal digits"));
  EXPECT_THAT(with(R"({"layers":[]})"), HasSubstr("layers: found none of type"));
  EXPECT_THAT(with(R"({"layers":7})"), HasSubstr("layers: found number, need a list"));
  EXPECT_THAT(with("{"), StartsWith("input: " + home(path)));
  EXPECT_THAT(with(manifest("sha256:" + std::string(kDigest))), StartsWith("io: "));
}

}  // namespace
}  // namespace keju
