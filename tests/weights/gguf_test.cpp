// SPDX-License-Identifier: MIT
#include <cstring>

#include "tests/support/checkpoint_writer.h"
#include "tests/weights/test_files.h"
#include "weights/checkpoint.h"
#include "weights/ggml_types.h"
#include "weights/tensor_file.h"

namespace keju {
namespace {

using testing::HasSubstr;

GgufWriter sound() {
  GgufWriter gguf;
  gguf.text("general.architecture", "llama");
  gguf.u32("llama.block_count", 2);
  gguf.tensor({"a", DType::kF32, {2, 3}, f32_bytes({1, 2, 3, 4, 5, 6})});
  gguf.tensor({"b", DType::kF16, {4}, f16_bytes({1, 2, 3, 4})});
  return gguf;
}

std::string error_in(const std::string& bytes) {
  return error_text([&] { read_gguf(as_bytes(bytes), "x.gguf"); });
}

TEST(Gguf, ReadsTensorsInPlaceWithTheOutermostAxisFirst) {
  const std::string bytes = sound().bytes();
  const TensorFile file = read_gguf(as_bytes(bytes), "x.gguf");

  ASSERT_EQ(file.tensors.size(), 2u);
  EXPECT_EQ(file.tensors[0].name, "a");
  EXPECT_EQ(file.tensors[0].shape, (Shape{2, 3}));
  EXPECT_EQ(file.tensors[0].bytes, 24u);
  float third = 0;
  std::memcpy(&third, file.tensors[0].data + 8, 4);
  EXPECT_EQ(third, 3.0f);
  EXPECT_EQ(file.tensors[1].dtype, DType::kF16);
  EXPECT_EQ(file.tensors[1].shape, (Shape{4}));
}

TEST(Gguf, ReadsVersionTwo) {
  GgufWriter gguf = sound();
  gguf.version = 2;
  const std::string bytes = gguf.bytes();
  EXPECT_EQ(read_gguf(as_bytes(bytes), "x.gguf").tensors.size(), 2u);
}

TEST(Gguf, ReadsEveryTypeOfValue) {
  GgufWriter gguf;
  gguf.value_of("u8", 0, raw<uint8_t>(200));
  gguf.value_of("i8", 1, raw<int8_t>(-5));
  gguf.u16("u16", 60000);
  gguf.value_of("i16", 3, raw<int16_t>(-300));
  gguf.u32("u32", 4000000000u);
  gguf.i32("i32", -7);
  gguf.f32("f32", 0.5f);
  gguf.boolean("bool", true);
  gguf.text("text", "字");
  gguf.u64("u64", uint64_t{1} << 62);
  gguf.value_of("i64", 11, raw<int64_t>(-(int64_t{1} << 40)));
  gguf.value_of("f64", 12, raw(0.1));
  gguf.texts("texts", {"a", "", "c"});
  gguf.f32s("f32s", {1, 2});
  gguf.i32s("i32s", {-1, 2});
  gguf.value_of("bools", 9, raw<uint32_t>(7) + raw<uint64_t>(2) + std::string("\x01\x00", 2));
  gguf.value_of("none", 9, raw<uint32_t>(8) + raw<uint64_t>(0));
  const std::string bytes = gguf.bytes();
  const TensorFile file = read_gguf(as_bytes(bytes), "x.gguf");

  const KeyValues& keys = file.metadata;
  EXPECT_EQ(keys.where(), "x.gguf");
  EXPECT_EQ(keys.integer("u8"), 200);
  EXPECT_EQ(keys.integer("i8"), -5);
  EXPECT_EQ(keys.integer("u16"), 60000);
  EXPECT_EQ(keys.integer("i16"), -300);
  EXPECT_EQ(keys.integer("u32"), 4000000000);
  EXPECT_EQ(keys.integer("i32"), -7);
  EXPECT_EQ(keys.number("f32"), 0.5);
  EXPECT_TRUE(keys.boolean("bool"));
  EXPECT_EQ(keys.string("text"), "字");
  EXPECT_EQ(keys.integer("u64"), int64_t{1} << 62);
  EXPECT_EQ(keys.integer("i64"), -(int64_t{1} << 40));
  EXPECT_EQ(keys.number("f64"), 0.1);
  EXPECT_EQ(keys.strings("texts"), (std::vector<std::string>{"a", "", "c"}));
  EXPECT_EQ(keys.numbers("f32s"), (std::vector<double>{1, 2}));
  EXPECT_EQ(keys.integers("i32s"), (std::vector<int64_t>{-1, 2}));
  EXPECT_EQ(std::get<std::vector<bool>>(*keys.find("bools")), (std::vector<bool>{true, false}));
  EXPECT_TRUE(keys.strings("none").empty());
}

TEST(Gguf, ReadsEveryReadableTensorType) {
  for (const DTypeFacts& type : all_dtypes()) {
    SCOPED_TRACE(type.name);
    GgufWriter gguf;
    const int64_t row = 2 * type.block_elems;
    const auto bytes = static_cast<size_t>(3 * row_bytes(type.type, row));
    gguf.tensor({"x", type.type, {3, row}, std::string(bytes, 'x')});
    const std::string whole = gguf.bytes();
    const TensorFile file = read_gguf(as_bytes(whole), "x.gguf");
    ASSERT_EQ(file.tensors.size(), 1u);
    EXPECT_EQ(file.tensors[0].dtype, type.type);
    EXPECT_EQ(file.tensors[0].bytes, bytes);
    EXPECT_EQ(ggml_type_number(type.type), GgufWriter::type_number(type.type));
    EXPECT_EQ(ggml_type_name(GgufWriter::type_number(type.type)), type.name);
  }
}

TEST(Gguf, RefusesEveryOtherTensorTypeByItsName) {
  for (uint32_t number = 0; number < 64; ++number) {
    if (ggml_dtype(number)) continue;
    GgufWriter gguf;
    gguf.tensor_header("w", {256}, number, 0);
    gguf.data(std::string(4096, '\0'));
    EXPECT_THAT(
        error_in(gguf.bytes()),
        HasSubstr("tensor \"w\": type: found " + ggml_type_name(number) + ", need one of F32"));
  }
  GgufWriter gguf;
  gguf.tensor_header("w", {256}, 16, 0);
  EXPECT_EQ(
      error_in(gguf.bytes()),
      "unsupported: x.gguf: byte 24: tensor \"w\": type: found IQ2_XXS, need one of F32, F16, "
      "BF16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q2_K, Q3_K, Q4_K, Q5_K, Q6_K, IQ4_NL");
}

TEST(Gguf, FollowsTheAlignmentKey) {
  GgufWriter gguf;
  gguf.alignment = 128;
  gguf.u32("general.alignment", 128);
  gguf.tensor({"a", DType::kF32, {1}, f32_bytes({1})});
  gguf.tensor({"b", DType::kF32, {1}, f32_bytes({2})});
  const std::string bytes = gguf.bytes();
  const TensorFile file = read_gguf(as_bytes(bytes), "x.gguf");
  float second = 0;
  std::memcpy(&second, file.tensors[1].data, 4);
  EXPECT_EQ(second, 2.0f);
  EXPECT_EQ(file.metadata.integer("general.alignment"), 128);
}

TEST(Gguf, AcceptsAFileThatHoldsAVocabularyOnly) {
  GgufWriter gguf;
  gguf.texts("tokenizer.ggml.tokens", {"a", "b"});
  const TestFolder folder;
  const auto checkpoint = Checkpoint::open(folder.write("vocab.gguf", gguf.header()).string());
  EXPECT_TRUE(checkpoint->tensors().empty());
  EXPECT_EQ(checkpoint->metadata().strings("tokenizer.ggml.tokens").size(), 2u);
}

TEST(Gguf, AcceptsTensorsInAnyOrderAndWithGaps) {
  GgufWriter gguf;
  gguf.tensor_header("late", {8}, 0, 64);
  gguf.tensor_header("early", {4}, 0, 0);
  gguf.data(std::string(96, '\0'));
  const std::string bytes = gguf.bytes();
  const TensorFile file = read_gguf(as_bytes(bytes), "x.gguf");
  EXPECT_EQ(file.tensors[0].data - file.tensors[1].data, 64);
}

TEST(Gguf, OpensAsACheckpoint) {
  const TestFolder folder;
  const auto path = folder.write("tiny.gguf", sound().bytes());
  const auto checkpoint = Checkpoint::open(path.string());
  EXPECT_EQ(checkpoint->format(), Checkpoint::Format::kGguf);
  EXPECT_EQ(checkpoint->root(), path);
  EXPECT_EQ(checkpoint->files().size(), 1u);
  EXPECT_EQ(checkpoint->weight_bytes(), 32u);
  EXPECT_TRUE(checkpoint->config().is_null());
  ASSERT_NE(checkpoint->find("b"), nullptr);
  EXPECT_EQ(checkpoint->find("b")->shape, (Shape{4}));
  EXPECT_EQ(checkpoint->find("c"), nullptr);
  EXPECT_EQ(Checkpoint::open(folder.path().string())->tensors().size(), 2u);
}

// --- Several parts ------------------------------------------------------------------------------

std::string part(uint16_t number, uint16_t count, int32_t tensors, const std::string& name) {
  GgufWriter gguf;
  gguf.u16("split.no", number);
  gguf.u16("split.count", count);
  gguf.i32("split.tensors.count", tensors);
  if (number == 0) gguf.text("general.architecture", "llama");
  gguf.tensor({name, DType::kF32, {2}, f32_bytes({1, 2})});
  return gguf.bytes();
}

TEST(SplitGguf, OpensAllPartsFromTheFirstOrTheFolder) {
  const TestFolder folder;
  const auto first = folder.write("m-00001-of-00003.gguf", part(0, 3, 3, "a"));
  folder.write("m-00002-of-00003.gguf", part(1, 3, 3, "b"));
  folder.write("m-00003-of-00003.gguf", part(2, 3, 3, "c"));
  for (const auto& path : {first, folder.path()}) {
    const auto checkpoint = Checkpoint::open(path.string());
    EXPECT_EQ(checkpoint->files().size(), 3u);
    EXPECT_EQ(checkpoint->tensors().size(), 3u);
    EXPECT_EQ(checkpoint->find("c")->file, 2);
    EXPECT_EQ(checkpoint->root(), first);
    EXPECT_EQ(checkpoint->metadata().string("general.architecture"), "llama");
  }
}

TEST(SplitGguf, RefusesPartsThatDoNotBelongTogether) {
  const auto error = [](const std::string& second, int32_t tensors) {
    const TestFolder folder;
    const auto first = folder.write("m-00001-of-00002.gguf", part(0, 2, tensors, "a"));
    if (!second.empty()) folder.write("m-00002-of-00002.gguf", second);
    return error_text([&] { Checkpoint::open(first.string()); });
  };
  EXPECT_THAT(error("", 2), testing::StartsWith("io: "));
  EXPECT_THAT(error("", 2), HasSubstr("m-00002-of-00002.gguf: found no such file"));
  EXPECT_THAT(error(part(0, 2, 2, "b"), 2),
              HasSubstr("m-00002-of-00002.gguf: key \"split.no\": found 0, need 1. The parts must "
                        "come from one split"));
  EXPECT_THAT(error(part(1, 3, 2, "b"), 2), HasSubstr("key \"split.count\": found 3, need 2"));
  EXPECT_THAT(error(part(1, 2, 9, "b"), 2), HasSubstr("\"split.tensors.count\": found 9, need 2"));
  EXPECT_THAT(error(part(1, 2, 3, "b"), 3), HasSubstr("\"split.tensors.count\": found 3, need 2"));
  EXPECT_THAT(error(part(1, 2, 2, "a"), 2), HasSubstr("tensor \"a\": found it in "));
}

TEST(SplitGguf, SaysWhichPartToOpen) {
  const TestFolder folder;
  const auto second = folder.write("m-00002-of-00002.gguf", part(1, 2, 2, "b"));
  EXPECT_THAT(error_text([&] { Checkpoint::open(second.string()); }),
              HasSubstr("found part 2 of 2, need the first. Open m-00001-of-00002.gguf"));
  const auto renamed = folder.write("x/m.gguf", part(0, 2, 2, "b"));
  EXPECT_THAT(error_text([&] { Checkpoint::open(renamed.string()); }),
              HasSubstr("key \"split.count\": found 2, need 0, as the file's name says"));
}

TEST(Folder, WithSeveralUnrelatedGgufFilesListsThem) {
  const TestFolder folder;
  folder.write("a.gguf", sound().bytes());
  folder.write("b.gguf", sound().bytes());
  EXPECT_EQ(error_text([&] { Checkpoint::open(folder.path().string()); }),
            "input: " + folder.path().string() +
                ": found 2 GGUF files, need one model. Name the file: a.gguf, b.gguf");
}

}  // namespace
}  // namespace keju
