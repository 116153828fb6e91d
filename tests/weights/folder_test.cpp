// SPDX-License-Identifier: MIT
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>

#include "base/sha256.h"
#include "tests/support/checkpoint_writer.h"
#include "tests/weights/test_files.h"
#include "weights/checkpoint.h"

namespace keju {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

const TensorToWrite kA = {"a", DType::kF32, {2}, f32_bytes({1, 2})};
const TensorToWrite kB = {"b", DType::kF32, {1, 2}, f32_bytes({3, 4})};
constexpr std::string_view kConfig = R"({"model_type":"llama"})";

std::string open_error(const std::filesystem::path& path) {
  return error_text([&] { Checkpoint::open(path.string()); });
}

TEST(Folder, WithOneSafetensorsFile) {
  for (const std::string name : {"model.safetensors", "other.safetensors"}) {
    const TestFolder folder;
    folder.write("config.json", kConfig);
    folder.write(name, safetensors_file({kA, kB}));
    const auto checkpoint = Checkpoint::open(folder.path().string());
    EXPECT_EQ(checkpoint->format(), Checkpoint::Format::kSafetensors);
    EXPECT_EQ(checkpoint->config()["model_type"], "llama");
    EXPECT_EQ(checkpoint->root(), folder.path());
    EXPECT_EQ(checkpoint->weight_bytes(), 16u);
    EXPECT_TRUE(checkpoint->metadata().all().empty());
  }
}

TEST(Folder, NeedsItsConfig) {
  const TestFolder folder;
  folder.write("model.safetensors", safetensors_file({kA}));
  EXPECT_EQ(open_error(folder.path()),
            "io: " + (folder.path() / "config.json").string() + ": found no such file, need one");
  // A lone file may be looked at without.
  EXPECT_TRUE(Checkpoint::open((folder.path() / "model.safetensors").string())->config().is_null());
}

TEST(Folder, PrefersSafetensorsToPyTorchToGguf) {
  const TestFolder folder;
  folder.write("config.json", kConfig);
  folder.write("model.gguf", GgufWriter().bytes());
  EXPECT_EQ(Checkpoint::open(folder.path().string())->format(), Checkpoint::Format::kGguf);
  folder.write("training_args.bin", "not weights");
  EXPECT_EQ(Checkpoint::open(folder.path().string())->format(), Checkpoint::Format::kGguf);
  folder.write("pytorch_model.bin", torch_file({kA}));
  EXPECT_EQ(Checkpoint::open(folder.path().string())->format(), Checkpoint::Format::kTorch);
  folder.write("model.safetensors", safetensors_file({kA}));
  EXPECT_EQ(Checkpoint::open(folder.path().string())->format(), Checkpoint::Format::kSafetensors);
}

TEST(Folder, ThatHoldsNothing) {
  const TestFolder folder;
  EXPECT_EQ(open_error(folder.path()),
            "io: " + folder.path().string() +
                ": found no checkpoint, need model.safetensors, pytorch_model.bin (or their index) "
                "or a .gguf file");
  EXPECT_EQ(open_error(folder.path() / "x"),
            "io: " + (folder.path() / "x").string() +
                ": found no such file or folder, need a checkpoint");
}

TEST(Folder, OddFiles) {
  const TestFolder folder;
  EXPECT_THAT(open_error(folder.write("notes.txt", "hello")),
              HasSubstr("found neither a .gguf, .safetensors or .bin name nor"));
  const auto pipe = folder.path() / "pipe.gguf";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_THAT(open_error(pipe), StartsWith("io: " + pipe.string()));
  std::filesystem::create_symlink("loop.gguf", folder.path() / "loop.gguf");
  EXPECT_THAT(open_error(folder.path() / "loop.gguf"), StartsWith("io: "));
  std::filesystem::create_directory(folder.path() / "folder.gguf");
  EXPECT_THAT(open_error(folder.path() / "folder.gguf"), StartsWith("io: "));
  EXPECT_THAT(open_error(folder.write("config/config.json", "{").parent_path()),
              StartsWith("io: "));
}

TEST(Folder, FilesWithoutATellingNameAreKnownByTheirFirstBytes) {
  const TestFolder folder;
  EXPECT_EQ(Checkpoint::open(folder.write("sha256-1", GgufWriter().bytes()).string())->format(),
            Checkpoint::Format::kGguf);
  EXPECT_EQ(Checkpoint::open(folder.write("sha256-2", torch_file({kA})).string())->format(),
            Checkpoint::Format::kTorch);
}

// --- Shards -------------------------------------------------------------------------------------

class Shards : public testing::Test {
 protected:
  void SetUp() override {
    folder_.write("config.json", kConfig);
    folder_.write("model-00001-of-00002.safetensors", safetensors_file({kA}));
    folder_.write("model-00002-of-00002.safetensors", safetensors_file({kB}));
  }
  std::string error_with(std::string_view weight_map) {
    folder_.write("model.safetensors.index.json",
                  fmt::format(R"({{"weight_map":{}}})", weight_map));
    return open_error(folder_.path());
  }
  TestFolder folder_;
};

TEST_F(Shards, OpenTogether) {
  EXPECT_EQ(
      error_with(
          R"({"b":"model-00002-of-00002.safetensors","a":"model-00001-of-00002.safetensors"})"),
      "no error");
  const auto checkpoint = Checkpoint::open(folder_.path().string());
  EXPECT_EQ(checkpoint->files().size(), 2u);
  EXPECT_EQ(checkpoint->find("a")->file, 0);
  EXPECT_EQ(checkpoint->find("b")->file, 1);
}

TEST_F(Shards, AndIndexMustAgree) {
  const std::string a = R"("a":"model-00001-of-00002.safetensors")";
  const std::string b = R"("b":"model-00002-of-00002.safetensors")";
  EXPECT_THAT(error_with("{" + a + R"(,"b":"model-00001-of-00002.safetensors"})"),
              HasSubstr("model.safetensors.index.json: weight_map: \"b\": found no such tensor in "
                        "\"model-00001-of-00002.safetensors\", need it there"));
  EXPECT_THAT(
      error_with("{" + a + R"(,"c":"model-00002-of-00002.safetensors"})"),
      HasSubstr(
          "weight_map: \"b\": found it in \"model-00002-of-00002.safetensors\", need it listed"));
  EXPECT_THAT(
      error_with(R"({"a":"model-00002-of-00002.safetensors",)" + b +
                 R"(,"x":"model-00001-of-00002.safetensors"})"),
      HasSubstr("weight_map: \"a\": found it in \"model-00001-of-00002.safetensors\", need it "
                "in \"model-00002-of-00002.safetensors\""));
  EXPECT_THAT(
      error_with("{" + a + "," + b + R"(,"c":"model-00003-of-00003.safetensors"})"),
      AllOf(StartsWith("io: "), HasSubstr("model-00003-of-00003.safetensors: found no such file")));
  EXPECT_THAT(error_with("{" + a + "," + a + "}"), HasSubstr("twice in one object"));
}

TEST_F(Shards, IndexMayNotPointElsewhere) {
  for (const std::string name : {"../model.safetensors",
                                 "/etc/passwd",
                                 "a/b.safetensors",
                                 "x.bin",
                                 "a\\\\b.safetensors",
                                 "",
                                 "..",
                                 "a\\u0000.safetensors"}) {
    EXPECT_THAT(error_with(R"({"a":")" + name + R"("})"),
                AllOf(StartsWith("input: "),
                      HasSubstr("need the name of a .safetensors file in the same folder")))
        << name;
  }
  EXPECT_THAT(error_with(R"({"a":7})"),
              HasSubstr("weight_map: \"a\": found number, need the name"));
  EXPECT_THAT(error_with("[]"), HasSubstr("weight_map: found array, need names of tensors"));
  EXPECT_THAT(error_with("{}"), HasSubstr("need names of tensors"));
  folder_.write("model.safetensors.index.json", "{}");
  EXPECT_THAT(open_error(folder_.path()), HasSubstr("weight_map: found nothing"));
}

TEST_F(Shards, MayNotHoldATensorTwice) {
  folder_.write("model-00002-of-00002.safetensors", safetensors_file({kA, kB}));
  EXPECT_THAT(
      error_with(
          R"({"b":"model-00002-of-00002.safetensors","a":"model-00001-of-00002.safetensors"})"),
      HasSubstr("weight_map: \"a\": found it in \"model-00002-of-00002.safetensors\""));
}

TEST_F(Shards, WithoutTheirIndexAreRefused) {
  EXPECT_THAT(open_error(folder_.path()),
              HasSubstr("found 2 .safetensors files and no model.safetensors.index.json, need one "
                        "file or the index. Files: model-00001-of-00002.safetensors, "));
  EXPECT_THAT(open_error(folder_.path() / "model-00001-of-00002.safetensors"),
              HasSubstr("found one shard of several, need all of them. Open the folder "));
}

// --- Digests ------------------------------------------------------------------------------------

TEST(Digest, IsOfTheWeightsAndNotOfTheirFiles) {
  const TestFolder folder;
  folder.write("one/config.json", kConfig);
  folder.write("one/model.safetensors", safetensors_file({kA, kB}));
  folder.write("two/config.json", "{}");
  folder.write("two/model-00001-of-00002.safetensors", safetensors_file({kB}));
  folder.write("two/model-00002-of-00002.safetensors", safetensors_file({kA}));
  folder.write("two/model.safetensors.index.json",
               R"({"weight_map":{"b":"model-00001-of-00002.safetensors",)"
               R"("a":"model-00002-of-00002.safetensors"}})");
  folder.write("three.bin", torch_file({kB, kA}));
  GgufWriter gguf;
  gguf.tensor(kA);
  gguf.tensor(kB);
  folder.write("four.gguf", gguf.bytes());

  const std::string expected =
      sha256_hex("a F32 [2] " + sha256_hex(std::string_view(kA.data)) + "\nb F32 [1, 2] " +
                 sha256_hex(std::string_view(kB.data)) + "\n");
  ThreadPool alone(1);
  ThreadPool pool(3);
  for (const std::string name : {"one", "two", "three.bin", "four.gguf"}) {
    const auto checkpoint = Checkpoint::open((folder.path() / name).string());
    EXPECT_EQ(checkpoint->digest(alone), expected) << name;
    EXPECT_EQ(checkpoint->digest(pool), expected) << name;
  }
  const auto digests = Checkpoint::open((folder.path() / "two").string())->tensor_digests(pool);
  ASSERT_EQ(digests.size(), 2u);
  EXPECT_EQ(digests[0], std::pair(std::string("a"), sha256_hex(std::string_view(kA.data))));
}

TEST(Digest, ChangesWithNameShapeTypeAndData) {
  const TestFolder folder;
  ThreadPool pool(2);
  std::vector<std::string> seen;
  for (const TensorToWrite& tensor :
       std::vector<TensorToWrite>{kA,
                                  {"c", kA.dtype, kA.shape, kA.data},
                                  {"a", kA.dtype, {1, 2}, kA.data},
                                  {"a", DType::kF16, {4}, kA.data},
                                  {"a", DType::kBF16, {4}, kA.data},
                                  {"a", kA.dtype, kA.shape, f32_bytes({1, 3})}}) {
    const auto path = folder.write("x.safetensors", safetensors_file({tensor}));
    seen.push_back(Checkpoint::open(path.string())->digest(pool));
  }
  std::sort(seen.begin(), seen.end());
  EXPECT_EQ(std::unique(seen.begin(), seen.end()), seen.end());
}

}  // namespace
}  // namespace keju
