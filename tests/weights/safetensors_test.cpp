// SPDX-License-Identifier: MIT
#include <chrono>
#include <cstring>
#include <filesystem>

#include "tests/support/checkpoint_writer.h"
#include "tests/weights/test_files.h"
#include "weights/checkpoint.h"
#include "weights/tensor_file.h"

namespace keju {
namespace {

using testing::AnyOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

std::string sound_bytes() {
  return safetensors_file({{"a", DType::kF32, {2, 3}, f32_bytes({1, 2, 3, 4, 5, 6})},
                           {"b.weight", DType::kBF16, {4}, bf16_bytes({1, 2, 3, 4})},
                           {"scalar", DType::kF16, {}, f16_bytes({7})},
                           {"empty", DType::kF32, {0, 5}, ""}});
}

std::string error_in(const std::string& bytes) {
  return error_text([&] { read_safetensors(as_bytes(bytes), "x.safetensors"); });
}

std::string header_error(std::string_view json, size_t data_bytes = 4) {
  return error_in(safetensors_file(json, std::string(data_bytes, '\0')));
}

TEST(Safetensors, ReadsTensorsInPlace) {
  const std::string bytes = sound_bytes();
  const TensorFile file = read_safetensors(as_bytes(bytes), "x.safetensors");

  ASSERT_EQ(file.tensors.size(), 4u);
  EXPECT_EQ(file.tensors[0].name, "a");
  EXPECT_EQ(file.tensors[0].shape, (Shape{2, 3}));
  float third = 0;
  std::memcpy(&third, file.tensors[0].data + 8, 4);
  EXPECT_EQ(third, 3.0f);
  EXPECT_EQ(file.tensors[1].dtype, DType::kBF16);
  EXPECT_EQ(file.tensors[2].shape, Shape{});
  EXPECT_EQ(file.tensors[2].bytes, 2u);
  EXPECT_EQ(file.tensors[3].bytes, 0u);
}

TEST(Safetensors, ReadsTensorsInAnyOrderOfTheHeaderAndEscapes) {
  const std::string bytes = safetensors_file(
      " { \"b\" "
      ":{\"data_offsets\":[4,8],\"shape\":[1],\"dtype\":\"F32\"},\n\t\"\\u5b57\\ud83d\\ude00"
      "\\/\":{\"dtype\":\"F32\",\"shape\":[ ],\"data_offsets\":[0, 4]}}  ",
      f32_bytes({1, 2}));
  const TensorFile file = read_safetensors(as_bytes(bytes), "x");
  ASSERT_EQ(file.tensors.size(), 2u);
  EXPECT_EQ(file.tensors[0].name, "字😀/");
  EXPECT_EQ(file.tensors[1].name, "b");
}

TEST(Safetensors, LeavesKnownIntegerBuffersOutAndListsThem) {
  const std::string bytes =
      safetensors_file(R"({"h.0.attn.bias":{"dtype":"BOOL","shape":[2,2],"data_offsets":[0,4]},)"
                       R"("w":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})",
                       std::string(8, '\0'));
  const TensorFile file = read_safetensors(as_bytes(bytes), "x");
  ASSERT_EQ(file.tensors.size(), 1u);
  ASSERT_EQ(file.left_out.size(), 1u);
  EXPECT_EQ(file.left_out[0].name, "h.0.attn.bias");
  EXPECT_EQ(file.left_out[0].type, "BOOL");
  EXPECT_THAT(
      header_error(R"({"h.0.attn.bias":{"dtype":"BOOL","shape":[3],"data_offsets":[0,4]}})"),
      HasSubstr("need what shape [3] of BOOL takes"));
}

TEST(Safetensors, CopiesTensorsThatLieAtOddAddresses) {
  const TestFolder folder;
  const auto path =
      folder.write("x.safetensors",
                   safetensors_file(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})"
                                    "   ",
                                    f32_bytes({3})));
  const auto checkpoint = Checkpoint::open(path.string());
  const StoredTensor& tensor = checkpoint->tensors().front();
  EXPECT_EQ(reinterpret_cast<uintptr_t>(tensor.data) % 4, 0u);
  EXPECT_EQ(*reinterpret_cast<const float*>(tensor.data), 3.0f);
  checkpoint->drop_pages(tensor);
}

TEST(HostileSafetensors, CutAtEveryByte) {
  const std::string whole = sound_bytes();
  for (size_t size = 0; size < whole.size(); ++size) {
    EXPECT_THAT(error_in(whole.substr(0, size)), StartsWith("input: x.safetensors: ")) << size;
  }
  EXPECT_THAT(error_in(whole + "x"), HasSubstr("data: found 1 bytes after the last tensor"));
  EXPECT_EQ(error_in(whole), "no error");
}

TEST(HostileSafetensors, EveryByteReplacedGivesAnErrorOrAFile) {
  const std::string whole = sound_bytes();
  for (size_t at = 0; at < whole.size(); ++at) {
    for (const char byte : {'\0', '"', '\\', '{', '9', '-', '\x80', '\xff'}) {
      std::string changed = whole;
      changed[at] = byte;
      EXPECT_THAT(error_in(changed),
                  AnyOf("no error",
                        StartsWith("input: x.safetensors: "),
                        StartsWith("unsupported: x.safetensors: ")))
          << at;
    }
  }
}

TEST(HostileSafetensors, HeaderLengths) {
  const std::string whole = sound_bytes();
  const uint64_t right = whole.size() - 8;
  for (const uint64_t length : {uint64_t{0},
                                uint64_t{1},
                                uint64_t{7},
                                right - 1,
                                right,
                                right + 1,
                                uint64_t{1} << 63,
                                ~uint64_t{0}}) {
    EXPECT_THAT(error_in(raw(length) + whole.substr(8)), StartsWith("input: x.safetensors: byte "));
  }
  EXPECT_EQ(error_in(raw(~uint64_t{0}) + "{}"),
            "input: x.safetensors: byte 0: header length: found 18446744073709551615, need at most "
            "2 in a file of 10 bytes");
  EXPECT_EQ(error_in(raw<uint64_t>(2) + "{}"), "no error");
}

struct Case {
  std::string json;
  std::string error;
};

TEST(HostileSafetensors, Json) {
  const std::vector<Case> cases = {
      {"[]", "byte 8: header: found \"[\", need \"{\""},
      {"{}x", "byte 10: header: found \"x\", need nothing after the closing brace"},
      {std::string("{}\0", 3), "byte 10: header: found \"\\x00\", need nothing after"},
      {"{\"a\":1}", "byte 13: tensor: found \"1\", need \"{\""},
      {"{\"a\":[[[[[[", "byte 13: tensor: found \"[\", need \"{\""},
      {std::string(100000, '{'), "byte 9: name: found \"{\", need a string"},
      {"{\"a\" {}}", "byte 13: header: found \"{\", need \":\""},
      {"{\"a\":{},}", "found no dtype, need dtype, shape and data_offsets"},
      {"{\"a\x01\":{}}", "byte 11: name: found \"\\x01\", need no control character in a string"},
      {"{\"a\\u0000\":{}}", "tensor name: found \"a\\x00\", need 1 to 1024 bytes"},
      {"{\"\":{}}", "tensor name: found \"\", need 1 to 1024 bytes"},
      {"{\"\xff\":{}}", "name: found \"\\xff\", need UTF-8"},
      {"{\"\\ud800\":{}}", "need a surrogate pair"},
      {"{\"\\ud800\\u0041\":{}}", "need the second half of a surrogate pair"},
      {"{\"\\uzzzz\":{}}", "need four hexadecimal digits"},
      {"{\"\\q\":{}}", "escape: found \"q\", need one of"},
      {"{\"" + std::string(1 << 20, 'n') + "\":{}}", "need 1 to 1024 bytes"},
      {"{\"__metadata__\":{\"a\":1}}", "__metadata__ value: found \"1\", need a string"},
      {"{\"__metadata__\":{\"a\":\"\",\"a\":\"\"}}", "name \"__metadata__.a\": found it twice"},
      {"{\"__metadata__\":{},\"__metadata__\":{}}", "name \"__metadata__\": found it twice"},
  };
  for (const Case& item : cases) {
    EXPECT_THAT(header_error(item.json), AllOf(StartsWith("input: "), HasSubstr(item.error)));
  }
}

std::string tensor_error(const std::string& dtype,
                         const std::string& shape,
                         const std::string& offsets) {
  return header_error(R"({"w":{"dtype":)" + dtype + R"(,"shape":)" + shape + R"(,"data_offsets":)" +
                      offsets + "}}");
}

TEST(HostileSafetensors, Tensors) {
  const std::string f32 = R"("F32")";
  EXPECT_EQ(tensor_error(f32, "[1]", "[0,4]"), "no error");
  EXPECT_THAT(tensor_error(f32, "[1]", "[4,0]"),
              HasSubstr("data_offsets: found [4, 0], need them in order"));
  EXPECT_THAT(tensor_error(f32, "[1]", "[0,5]"),
              HasSubstr("found [0, 5], need them in order and inside"));
  EXPECT_THAT(tensor_error(f32, "[1]", "[-1,4]"), HasSubstr("need an integer from 0 to 2^63 - 1"));
  EXPECT_THAT(tensor_error(f32, "[1]", "[0,4.0]"), HasSubstr("need an integer from 0 to 2^63 - 1"));
  EXPECT_THAT(tensor_error(f32, "[1]", "[0,4e0]"), HasSubstr("need an integer from 0 to 2^63 - 1"));
  EXPECT_THAT(tensor_error(f32, "[1]", "[0,04]"), HasSubstr("need an integer from 0 to 2^63 - 1"));
  EXPECT_THAT(tensor_error(f32, "[1]", "[0,\"4\"]"), HasSubstr("need an integer"));
  EXPECT_THAT(tensor_error(f32, "[1]", "[0,18446744073709551620]"), HasSubstr("need an integer"));
  EXPECT_THAT(tensor_error(f32, "[1]", "[0]"), HasSubstr("data_offsets: found 1 numbers, need 2"));
  EXPECT_THAT(tensor_error(f32, "[1]", "[]"), HasSubstr("data_offsets: found 0 numbers, need 2"));
  EXPECT_THAT(tensor_error(f32, "[1]", "[0,4,4]"), HasSubstr("need at most 2 numbers"));
  EXPECT_THAT(
      tensor_error(f32, "[2]", "[0,4]"),
      HasSubstr("tensor \"w\": found 4 bytes by data_offsets, need what shape [2] of F32 takes"));
  EXPECT_THAT(tensor_error(f32, "[0]", "[0,4]"), HasSubstr("need what shape [0] of F32 takes"));
  EXPECT_THAT(tensor_error(f32, "[-1]", "[0,4]"), HasSubstr("shape: found \"-\", need an integer"));
  EXPECT_THAT(tensor_error(f32, "[4294967296,4294967296]", "[0,4]"), HasSubstr("need what shape"));
  EXPECT_THAT(tensor_error(f32, "[4611686018427387905]", "[0,4]"), HasSubstr("need what shape"));
  EXPECT_THAT(tensor_error(f32, "[1,1,1,1,1,1,1,1,1]", "[0,4]"),
              HasSubstr("need at most 8 numbers"));
  EXPECT_THAT(tensor_error(f32, "[1],\"shape\":[1]", "[0,4]"), HasSubstr("found shape twice"));
  EXPECT_THAT(tensor_error(f32, "[1],\"extra\":[1]", "[0,4]"), HasSubstr("found member \"extra\""));
  EXPECT_THAT(tensor_error("7", "[1]", "[0,4]"), HasSubstr("dtype: found \"7\", need a string"));
}

TEST(HostileSafetensors, RefusesOtherTypesByTheirName) {
  for (const std::string type : {"F64", "I64", "U8", "BOOL", "F8_E4M3", "F8_E5M2", "F4", "C64"}) {
    EXPECT_THAT(tensor_error("\"" + type + "\"", "[1]", "[0,4]"),
                StartsWith("unsupported: x.safetensors: byte 9: tensor \"w\": dtype: found " +
                           type + ", need F32, F16 or BF16"));
  }
  for (const std::string type : {"f32", "U4", "F33", ""}) {
    EXPECT_THAT(tensor_error("\"" + type + "\"", "[1]", "[0,4]"),
                AllOf(StartsWith("unsupported: "), HasSubstr("dtype: found \"" + type + "\"")));
  }
}

TEST(HostileSafetensors, GapsOverlapsAndDuplicates) {
  const auto two =
      [](const std::string& first, const std::string& second, const std::string& name) {
        return header_error(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":)" + first +
                                R"(},")" + name +
                                R"(":{"dtype":"F32","shape":[1],"data_offsets":)" + second + "}}",
                            12);
      };
  EXPECT_THAT(two("[0,4]", "[8,12]", "b"),
              HasSubstr("tensor \"b\": data_offsets: found a begin of 8, need 4"));
  EXPECT_THAT(two("[0,4]", "[2,6]", "b"), HasSubstr("found a begin of 2, need 4"));
  EXPECT_THAT(two("[0,4]", "[0,4]", "b"), HasSubstr("found a begin of 0, need 4"));
  EXPECT_THAT(two("[0,4]", "[4,8]", "b"),
              HasSubstr("data: found 4 bytes after the last tensor, need none"));
  EXPECT_THAT(two("[4,8]", "[8,12]", "b"), HasSubstr("found a begin of 4, need 0"));
  EXPECT_THAT(two("[0,4]", "[4,8]", "a"), HasSubstr("name \"a\": found it twice, need it once"));
  EXPECT_THAT(two("[0,4]", "[4,8]", "A"), HasSubstr("data: found 4 bytes"));  // another name
}

TEST(HostileSafetensors, MetadataIsBounded) {
  std::string header = R"({"__metadata__":{)";
  for (int i = 0; i < 70000; ++i) header += fmt::format(R"({}"{}":"")", i ? "," : "", i);
  EXPECT_THAT(header_error(header + "}}"), HasSubstr("found more entries, need at most 65536"));
}

TEST(HostileSafetensors, ManyTensorsAreRefusedInTime) {
  std::string header = "{";
  for (int i = 0; i < 300000; ++i) {
    header += fmt::format(
        R"({}"{}":{{"dtype":"F32","shape":[0],"data_offsets":[0,0]}})", i ? "," : "", i);
  }
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_THAT(header_error(header + "}", 0), HasSubstr("found more tensors, need at most 262144"));
  // Quadratic work would take minutes.
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(20));
}

}  // namespace
}  // namespace keju
