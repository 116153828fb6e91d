// SPDX-License-Identifier: MIT
#include <chrono>
#include <filesystem>

#include "tests/support/checkpoint_writer.h"
#include "tests/weights/test_files.h"
#include "weights/checkpoint.h"
#include "weights/tensor_file.h"

namespace keju {
namespace {

using testing::AnyOf;
using testing::HasSubstr;
using testing::StartsWith;

constexpr uint64_t kHuge = uint64_t{1} << 60;
constexpr uint64_t kMax = ~uint64_t{0};

std::string error_in(const std::string& bytes) {
  return error_text([&] { read_gguf(as_bytes(bytes), "x.gguf"); });
}

std::string header(uint32_t version, uint64_t tensors, uint64_t keys) {
  return "GGUF" + raw(version) + raw(tensors) + raw(keys);
}

std::string sound_bytes() {
  GgufWriter gguf;
  gguf.text("general.architecture", "llama");
  gguf.texts("tokens", {"a", "bc"});
  gguf.f32s("scores", {1, 2});
  gguf.boolean("flag", true);
  gguf.tensor({"a", DType::kF32, {2, 3}, f32_bytes({1, 2, 3, 4, 5, 6})});
  gguf.tensor({"b", DType::kQ8_0, {1, 32}, std::string(34, 'q')});
  return gguf.bytes();
}

TEST(HostileGguf, CutAtEveryByte) {
  const std::string whole = sound_bytes();
  for (size_t size = 0; size < whole.size(); ++size) {
    EXPECT_THAT(error_in(whole.substr(0, size)), StartsWith("input: x.gguf: byte ")) << size;
  }
  EXPECT_EQ(error_in(whole), "no error");
}

TEST(HostileGguf, CutAsAFileNamesTheFile) {
  const TestFolder folder;
  const std::string whole = sound_bytes();
  for (const size_t size : {size_t{0}, size_t{3}, size_t{20}, whole.size() - 1}) {
    const auto path = folder.write("cut.gguf", whole.substr(0, size));
    EXPECT_THAT(error_text([&] { Checkpoint::open(path.string()); }),
                StartsWith("input: " + path.string() + ": byte "));
  }
}

TEST(HostileGguf, EveryByteReplacedGivesAnErrorOrAFile) {
  const std::string whole = sound_bytes();
  for (size_t at = 0; at < whole.size(); ++at) {
    for (const char byte :
         {'\0', '\x01', '\x7f', '\x80', '\xff', static_cast<char>(whole[at] ^ 1)}) {
      std::string changed = whole;
      changed[at] = byte;
      EXPECT_THAT(
          error_in(changed),
          AnyOf("no error", StartsWith("input: x.gguf: "), StartsWith("unsupported: x.gguf: ")))
          << at;
    }
  }
}

struct Case {
  std::string bytes;
  std::string error;
};

TEST(HostileGguf, Headers) {
  const std::vector<Case> cases = {
      {"", "input: x.gguf: byte 0: magic: found 0 bytes up to the end of the file, need 4"},
      {"GGU", "input: x.gguf: byte 0: magic: found 3 bytes up to the end of the file, need 4"},
      {"GGML0000", "input: x.gguf: byte 0: magic: found \"GGML\", need \"GGUF\""},
      {std::string("\x00\xff\n\"", 4) + "0000",
       "input: x.gguf: byte 0: magic: found \"\\x00\\xff\\x0a\\\"\", need \"GGUF\""},
      {"FUGG0000",
       "unsupported: x.gguf: byte 0: found a big-endian GGUF file, need a little-endian one"},
      {header(0x03000000, 0, 0),
       "unsupported: x.gguf: byte 4: found a big-endian GGUF file (version 3), need a "
       "little-endian one"},
      {header(0, 0, 0), "unsupported: x.gguf: byte 4: version: found GGUF version 0, need 2 or 3"},
      {header(1, 0, 0), "unsupported: x.gguf: byte 4: version: found GGUF version 1, need 2 or 3"},
      {header(4, 0, 0), "unsupported: x.gguf: byte 4: version: found GGUF version 4, need 2 or 3"},
      {header(3, kMax, 0),
       "input: x.gguf: byte 8: tensor count: found 18446744073709551615, need at most 0 in a file "
       "of 24 bytes"},
      {header(3, 0, kMax >> 1),
       "input: x.gguf: byte 16: key count: found 9223372036854775807, need at most 0 in a file of "
       "24 bytes"},
      {header(3, 0, 2) + std::string(20, 'x'),
       "input: x.gguf: byte 16: key count: found 2, need at most 1 in a file of 44 bytes"},
  };
  for (const Case& item : cases) EXPECT_EQ(error_in(item.bytes), item.error);
}

// A file with one key whose bytes are given, and room for counts to look plausible.
std::string key_error(const std::string& bytes) {
  return error_in(header(3, 0, 1) + bytes + std::string(64, '\0'));
}

TEST(HostileGguf, Keys) {
  EXPECT_THAT(key_error(raw<uint64_t>(0)), HasSubstr("byte 24: key: found \"\", need 1 to 65535"));
  EXPECT_THAT(key_error(raw(kMax)), HasSubstr("byte 32: key: found 64 bytes up to the end"));
  EXPECT_THAT(key_error(GgufWriter::string("\xff\xfe")),
              HasSubstr("need 1 to 65535 bytes of UTF-8"));
  EXPECT_THAT(key_error(GgufWriter::string(std::string_view("a\0b", 3))),
              HasSubstr("key: found \"a\\x00b\""));
  const std::string key = GgufWriter::string("k");
  EXPECT_THAT(key_error(key + raw<uint32_t>(13)),
              HasSubstr("key \"k\": found value type 13, need 0 to 12"));
  EXPECT_THAT(key_error(key + raw<uint32_t>(255)), HasSubstr("found value type 255"));
  EXPECT_THAT(key_error(key + raw<uint32_t>(7) + "\x02"),
              HasSubstr("key \"k\": found boolean 2, need 0 or 1"));
  EXPECT_THAT(key_error(key + raw<uint32_t>(10) + raw(kMax)), HasSubstr("need at most 2^63 - 1"));
  EXPECT_THAT(key_error(key + raw<uint32_t>(8) + raw(uint64_t{1} << 63)),
              HasSubstr("string value: found 64 bytes up to the end of the file"));
  GgufWriter twice;
  twice.u32("k", 1);
  twice.u32("k", 1);
  EXPECT_THAT(error_in(twice.bytes()), HasSubstr("key \"k\": found it twice, need it once"));
}

TEST(HostileGguf, Arrays) {
  const std::string array = GgufWriter::string("k") + raw<uint32_t>(9);
  EXPECT_THAT(
      key_error(array + raw<uint32_t>(9) + raw<uint64_t>(1)),
      AllOf(StartsWith("unsupported: "), HasSubstr("key \"k\": array: found arrays in an array")));
  EXPECT_THAT(key_error(array + raw<uint32_t>(13) + raw<uint64_t>(0)),
              HasSubstr("array: found value type 13, need 0 to 12"));
  for (const uint32_t type : {0u, 4u, 7u, 8u, 12u}) {
    for (const uint64_t count : {kHuge, kMax, kMax / 8 + 1, uint64_t{65}}) {
      EXPECT_THAT(key_error(array + raw(type) + raw(count)),
                  HasSubstr(fmt::format("found {} values in the 64 bytes that are left", count)));
    }
  }
  EXPECT_THAT(key_error(array + raw<uint32_t>(8) + raw<uint64_t>(1) + raw(uint64_t{1} << 63)),
              HasSubstr("string value: found 64 bytes up to the end"));
}

std::string alignment_error(uint32_t type, const std::string& value) {
  GgufWriter gguf;
  gguf.value_of("general.alignment", type, value);
  gguf.tensor({"a", DType::kF32, {1}, f32_bytes({1})});
  return error_in(gguf.bytes());
}

TEST(HostileGguf, Alignments) {
  for (const uint32_t value : {0u, 1u, 3u, 4u, 33u, 1u << 31, ~0u}) {
    EXPECT_THAT(
        alignment_error(4, raw(value)),
        HasSubstr(fmt::format("key \"general.alignment\": found {}, need a power of two from "
                              "8 to 1048576",
                              value)));
  }
  EXPECT_THAT(alignment_error(10, raw<uint64_t>(32)), HasSubstr("found value type 10, need 4"));
  EXPECT_THAT(alignment_error(5, raw<int32_t>(-32)), HasSubstr("found value type 5, need 4"));
  EXPECT_THAT(alignment_error(8, GgufWriter::string("32")), HasSubstr("found value type 8"));
  GgufWriter other;  // offsets at 32 in a file that says 64
  other.u32("general.alignment", 64);
  other.tensor({"a", DType::kF32, {1}, f32_bytes({1})});
  other.tensor({"b", DType::kF32, {1}, f32_bytes({1})});
  EXPECT_THAT(error_in(other.bytes()),
              HasSubstr("tensor \"b\": found offset 32, need a multiple of the alignment, 64"));
}

std::string tensor_error(const std::vector<uint64_t>& axes, uint32_t type, uint64_t offset) {
  GgufWriter gguf;
  gguf.tensor_header("w", axes, type, offset);
  gguf.data(std::string(256, '\0'));
  return error_in(gguf.bytes());
}

TEST(HostileGguf, Shapes) {
  EXPECT_THAT(tensor_error({}, 0, 0), HasSubstr("tensor \"w\": found 0 axes, need 1 to 4"));
  EXPECT_THAT(tensor_error({1, 1, 1, 1, 1}, 0, 0), HasSubstr("found 5 axes, need 1 to 4"));
  EXPECT_THAT(tensor_error({0}, 0, 0), HasSubstr("axis 0: found 0, need 1 to 2^63 - 1"));
  EXPECT_THAT(tensor_error({1, kMax}, 0, 0), HasSubstr("axis 1: found 18446744073709551615"));
  const std::vector<std::vector<uint64_t>> too_big = {{kMax >> 1, 2},
                                                      {kMax >> 1},
                                                      {uint64_t{1} << 32, uint64_t{1} << 32},
                                                      {uint64_t{1} << 33, uint64_t{1} << 31, 2},
                                                      {uint64_t{1} << 62, 4, 4, 4},
                                                      {(uint64_t{1} << 62) + 1},
                                                      {1000}};
  for (const auto& axes : too_big) {
    EXPECT_THAT(tensor_error(axes, 0, 0), HasSubstr("need no more than the file's"));
  }
  EXPECT_THAT(tensor_error({31}, GgufWriter::type_number(DType::kQ8_0), 0),
              HasSubstr("found rows of 31 values, need a multiple of 32 for Q8_0"));
  EXPECT_THAT(tensor_error({128, 2}, GgufWriter::type_number(DType::kQ4_K), 0),
              HasSubstr("found rows of 128 values, need a multiple of 256 for Q4_K"));
}

TEST(HostileGguf, TypesAndNames) {
  for (const uint32_t type : {4u, 5u, 31u, 36u}) {
    EXPECT_THAT(tensor_error({32}, type, 0), HasSubstr("removed from the format"));
  }
  EXPECT_THAT(tensor_error({32}, 1u << 31, 0), HasSubstr("type: found number 2147483648"));
  EXPECT_THAT(tensor_error({32}, ~0u, 0), StartsWith("unsupported: "));
  GgufWriter twice;
  twice.tensor({"w", DType::kF32, {1}, f32_bytes({1})});
  twice.tensor({"w", DType::kF32, {1}, f32_bytes({1})});
  EXPECT_THAT(error_in(twice.bytes()), HasSubstr("tensor \"w\": found it twice, need it once"));
  GgufWriter nameless;
  nameless.tensor({"", DType::kF32, {1}, f32_bytes({1})});
  EXPECT_THAT(error_in(nameless.bytes()), HasSubstr("tensor name: found \"\", need 1 to 1024"));
  GgufWriter wordy;
  wordy.tensor({std::string(2000, 'n'), DType::kF32, {1}, f32_bytes({1})});
  EXPECT_THAT(error_in(wordy.bytes()),
              HasSubstr("tensor name: found 2000 bytes, need at most 1024"));
  EXPECT_LT(error_in(wordy.bytes()).size(), 300u);
}

TEST(HostileGguf, Offsets) {
  EXPECT_THAT(tensor_error({8}, 0, 4),
              HasSubstr("found offset 4, need a multiple of the alignment"));
  for (const uint64_t offset : {uint64_t{256}, uint64_t{1} << 62, kMax - 31}) {
    EXPECT_THAT(tensor_error({8}, 0, offset),
                HasSubstr(fmt::format("found offset {} and 32 bytes, need them inside", offset)));
  }
  GgufWriter overlap;
  overlap.tensor_header("a", {16}, 0, 0);
  overlap.tensor_header("b", {8}, 0, 32);
  overlap.data(std::string(256, '\0'));
  EXPECT_EQ(error_in(overlap.bytes()),
            "input: x.gguf: byte 57: tensor \"b\": found offset 32 inside tensor \"a\", which ends "
            "at 64; need no overlap");
  GgufWriter same;
  same.tensor_header("a", {8}, 0, 0);
  same.tensor_header("b", {8}, 0, 0);
  same.data(std::string(256, '\0'));
  EXPECT_THAT(error_in(same.bytes()), HasSubstr("need no overlap"));
}

// Files that are large enough for a lie to be believed: sparse, so they take no room on the disk.
TEST(HostileGguf, LargeFilesDoNotTakeMemoryOrTime) {
  const TestFolder folder;
  const std::string array = GgufWriter::string("k") + raw<uint32_t>(9);
  const uint64_t many = uint64_t{1} << 32;
  const std::vector<std::pair<std::string, std::string>> cases = {
      {header(3, 0, 1) + array + raw<uint32_t>(0) + raw(many), "found more than 256 MiB"},
      {header(3, 0, 1) + array + raw<uint32_t>(8) + raw(many), "found more than 256 MiB"},
      {header(3, 0, 1) + GgufWriter::string("k") + raw<uint32_t>(8) + raw(many),
       "string value: found 4294967296 bytes, need at most 16777216"},
      {header(3, 0, 1) + raw(many), "key: found 4294967296 bytes, need at most 65535"},
      {header(3, many, 0), "tensor count: found 4294967296, need at most 262144"},
      {header(3, 0, many), "key count: found 4294967296, need at most 65536"},
      {header(3, 1, 0) + raw(many), "tensor name: found 4294967296 bytes, need at most 1024"}};
  for (const auto& [bytes, error] : cases) {
    const auto path = folder.write("large.gguf", bytes);
    std::filesystem::resize_file(path, uint64_t{1} << 36);
    const auto begin = std::chrono::steady_clock::now();
    EXPECT_THAT(error_text([&] { Checkpoint::open(path.string()); }), HasSubstr(error));
    EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(1));
  }
}

}  // namespace
}  // namespace keju
