// SPDX-License-Identifier: MIT
#include <cstring>

#include "tests/support/checkpoint_writer.h"
#include "tests/weights/test_files.h"
#include "weights/checkpoint.h"
#include "weights/pickle.h"
#include "weights/tensor_file.h"
#include "weights/zip.h"

namespace keju {
namespace {

using testing::AnyOf;
using testing::HasSubstr;
using testing::StartsWith;

std::string error_in(const std::string& bytes) {
  return error_text([&] { read_torch(as_bytes(bytes), "x.bin"); });
}

std::vector<float> values(const StoredTensor& tensor) {
  std::vector<float> out(tensor.bytes / 4);
  std::memcpy(out.data(), tensor.data, tensor.bytes);
  return out;
}

TEST(Torch, ReadsContiguousTensorsInPlace) {
  const std::string bytes = torch_file({{"a", DType::kF32, {2, 3}, f32_bytes({1, 2, 3, 4, 5, 6})},
                                        {"b", DType::kBF16, {4}, bf16_bytes({1, 2, 3, 4})},
                                        {"c", DType::kF16, {1, 2}, f16_bytes({1, 2})},
                                        {"d", DType::kF32, {0}, ""},
                                        {"e", DType::kF32, {}, f32_bytes({9})}});
  const TensorFile file = read_torch(as_bytes(bytes), "x.bin");
  ASSERT_EQ(file.tensors.size(), 5u);
  EXPECT_TRUE(file.owned.empty());
  EXPECT_EQ(file.tensors[0].shape, (Shape{2, 3}));
  EXPECT_EQ(values(file.tensors[0]), (std::vector<float>{1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(file.tensors[1].dtype, DType::kBF16);
  EXPECT_EQ(file.tensors[2].dtype, DType::kF16);
  EXPECT_EQ(file.tensors[3].bytes, 0u);
  EXPECT_EQ(values(file.tensors[4]), (std::vector<float>{9}));
}

TEST(Torch, SharesAndViewsStoragesAndRebuildsStridedOnes) {
  PickleWriter pickle;
  pickle.tensor("whole", "FloatStorage", "0", 6, 0, {2, 3}, {3, 1});
  pickle.tensor("tied", "FloatStorage", "0", 6, 0, {2, 3}, {3, 1});
  pickle.tensor("row", "FloatStorage", "0", 6, 3, {3}, {1});
  pickle.tensor("turned", "FloatStorage", "0", 6, 0, {3, 2}, {1, 3});
  pickle.tensor("column", "FloatStorage", "0", 6, 1, {2, 1}, {3, int64_t{1} << 62});
  pickle.tensor("repeated", "FloatStorage", "0", 6, 5, {3, 2}, {0, 0});
  const std::string bytes = torch_file(pickle.bytes(), {{"0", f32_bytes({1, 2, 3, 4, 5, 6})}});
  const TensorFile file = read_torch(as_bytes(bytes), "x.bin");
  ASSERT_EQ(file.tensors.size(), 6u);
  EXPECT_EQ(file.tensors[0].data, file.tensors[1].data);
  EXPECT_EQ(values(file.tensors[2]), (std::vector<float>{4, 5, 6}));
  EXPECT_EQ(values(file.tensors[3]), (std::vector<float>{1, 4, 2, 5, 3, 6}));
  EXPECT_EQ(values(file.tensors[4]), (std::vector<float>{2, 5}));
  EXPECT_EQ(values(file.tensors[5]), (std::vector<float>{6, 6, 6, 6, 6, 6}));
  EXPECT_EQ(file.owned.size(), 3u);
}

TEST(Torch, ReadsWhatStateDictsCarryBesides) {
  // BUILD with _metadata, memo, frames, STACK_GLOBAL and long integers, as other protocols write.
  std::string pickle = "\x80\x04\x95" + raw<uint64_t>(1);
  const auto text = [](const std::string& value) {
    return "\x8c" + std::string(1, static_cast<char>(value.size())) + value + "\x94";
  };
  pickle += text("collections") + text("OrderedDict") + "\x93\x94)R\x94";  // memo 0, 1, 2, 3
  pickle += text("w") + text("torch._utils") + text("_rebuild_tensor_v2") + "\x93((" +
            text("storage") + text("torch") + text("FloatStorage") + "\x93" + text("7") +
            text("cpu") + "\x8a\x01\x02tQ" + std::string("\x8a\x00", 2) + "K\x02\x85K\x01\x85\x89" +
            "h\x02)RtRs";
  pickle += "}X" + raw<uint32_t>(9) + "_metadatah\x02)R" + text("") + "}X" + raw<uint32_t>(7) +
            "versionK\x01ssUs";
  pickle.replace(pickle.rfind("ssUs"), 4, "sssb.");
  const std::string bytes = torch_file(pickle, {{"7", f32_bytes({1, 2})}});
  const TensorFile file = read_torch(as_bytes(bytes), "x.bin");
  ASSERT_EQ(file.tensors.size(), 1u);
  EXPECT_EQ(file.tensors[0].name, "w");
  EXPECT_EQ(values(file.tensors[0]), (std::vector<float>{1, 2}));
}

TEST(Torch, ReadsZip64Directories) {
  PickleWriter pickle;
  pickle.tensor("a", "FloatStorage", "0", 1, 0, {1}, {1});
  ZipWriter zip;
  zip.entry("m/data.pkl", pickle.bytes());
  zip.entry("m/data/0", f32_bytes({5}));
  const std::string bytes = zip.bytes64();
  EXPECT_EQ(values(read_torch(as_bytes(bytes), "x.bin").tensors.at(0)), (std::vector<float>{5}));
  for (size_t size = bytes.size() - 98; size < bytes.size(); ++size) {
    EXPECT_THAT(error_in(bytes.substr(0, size)), StartsWith("input: x.bin: "));
  }
}

TEST(Torch, OpensFoldersAndShards) {
  const TestFolder folder;
  const TensorToWrite a = {"a", DType::kF32, {2}, f32_bytes({1, 2})};
  const TensorToWrite b = {"b", DType::kF32, {2}, f32_bytes({3, 4})};
  folder.write("config.json", "{}");
  folder.write("pytorch_model-00001-of-00002.bin", torch_file({a}));
  folder.write("pytorch_model-00002-of-00002.bin", torch_file({b}));
  folder.write("pytorch_model.bin.index.json",
               R"({"metadata":{},"weight_map":{"a":"pytorch_model-00001-of-00002.bin",)"
               R"("b":"pytorch_model-00002-of-00002.bin"}})");
  const auto sharded = Checkpoint::open(folder.path().string());
  EXPECT_EQ(sharded->format(), Checkpoint::Format::kTorch);
  EXPECT_EQ(sharded->tensors().size(), 2u);
  EXPECT_EQ(values(*sharded->find("b")), (std::vector<float>{3, 4}));
  folder.write("pytorch_model.bin", torch_file({a}));
  EXPECT_EQ(Checkpoint::open(folder.path().string())->tensors().size(), 1u);
}

TEST(Torch, LeavesKnownIntegerBuffersOutAndRefusesOtherTypesByName) {
  PickleWriter pickle;
  pickle.tensor("embeddings.position_ids", "LongStorage", "0", 1, 0, {1, 1}, {1, 1});
  const std::string bytes = torch_file(pickle.bytes(), {{"0", std::string(8, '\0')}});
  const TensorFile file = read_torch(as_bytes(bytes), "x.bin");
  EXPECT_TRUE(file.tensors.empty());
  ASSERT_EQ(file.left_out.size(), 1u);
  EXPECT_EQ(file.left_out[0].type, "torch.LongStorage");
  for (const std::string type : {"LongStorage", "DoubleStorage", "CharStorage"}) {
    PickleWriter other;
    other.tensor("w", type, "0", 1, 0, {1}, {1});
    EXPECT_THAT(error_in(torch_file(other.bytes(), {{"0", std::string(8, '\0')}})),
                AllOf(StartsWith("unsupported: x.bin: archive/data.pkl byte "),
                      HasSubstr("tensor \"w\": type: found torch." + type +
                                ", need FloatStorage, HalfStorage or BFloat16Storage")));
  }
}

// --- Hostile pickles ----------------------------------------------------------------------------

std::string pickle_error(const std::string& pickle) {
  return error_text([&] { read_pickle(as_bytes(pickle), "p"); });
}

TEST(HostilePickle, NamesEveryOtherGlobal) {
  EXPECT_EQ(pickle_error("\x80\x02"
                         "cposix\nsystem\nX" +
                         raw<uint32_t>(2) + "ls\x85R."),
            "unsupported: p: byte 2: found global \"system\" of module \"posix\", need a dict of "
            "plain tensors. Nothing of a pickle is executed: convert the file to safetensors");
  for (const std::string global : {"builtins\neval",
                                   "os\nsystem",
                                   "torch\nload",
                                   "torch\nFloatStorag",
                                   "torch._utils\n_rebuild_parameter",
                                   "\n",
                                   "collections\nordereddict"}) {
    EXPECT_THAT(pickle_error("\x80\x02"
                             "c" +
                             global + "\n)R."),
                StartsWith("unsupported: p: byte 2: found global"));
  }
  EXPECT_THAT(pickle_error("\x80\x04\x8c\x02os\x8c\x06system\x93."),
              HasSubstr("p: byte 14: found global \"system\" of module \"os\""));
  EXPECT_THAT(pickle_error("c" + std::string(1000, 'a') + "\nb\n."), HasSubstr("found global"));
}

TEST(HostilePickle, NamesEveryOtherOpcode) {
  const std::string allowed = "().JKMNQRXbchjqrstu}\x80\x85\x86\x87\x88\x89\x8a\x8c\x93\x94\x95";
  for (int op = 0; op < 256; ++op) {
    if (allowed.find(static_cast<char>(op)) != allowed.npos) continue;
    EXPECT_THAT(pickle_error("\x80\x02" + std::string(1, static_cast<char>(op)) + "."),
                StartsWith("unsupported: p: byte 2: found opcode "));
  }
  EXPECT_EQ(
      pickle_error("\x80\x02i."),
      "unsupported: p: byte 2: found opcode INST, need one of those that a dict of tensors is "
      "built with");
  EXPECT_THAT(pickle_error("\x80\x02\x81."), HasSubstr("found opcode NEWOBJ,"));
  EXPECT_THAT(pickle_error("\x80\x02\xfe."), HasSubstr("found opcode 0xfe,"));
}

TEST(HostilePickle, StacksMarksAndMemos) {
  EXPECT_THAT(pickle_error(""), HasSubstr("opcode: found 0 bytes up to the end"));
  EXPECT_THAT(pickle_error("."), HasSubstr("STOP: found 0 values, 0 marks and 0 more bytes"));
  EXPECT_THAT(pickle_error("}}."), HasSubstr("STOP: found 2 values"));
  EXPECT_THAT(pickle_error("}.x"), HasSubstr("1 more bytes, need one value and no more"));
  EXPECT_THAT(pickle_error("(}."), HasSubstr("1 marks"));
  EXPECT_THAT(pickle_error("N."), HasSubstr("found None at the top, need a dict of tensors"));
  EXPECT_THAT(pickle_error("R"), HasSubstr("found nothing on the stack, need a value"));
  EXPECT_THAT(pickle_error("N(\x85"), HasSubstr("found nothing on the stack"));
  EXPECT_THAT(pickle_error("t"), HasSubstr("found no mark, need one"));
  EXPECT_THAT(pickle_error("q\x01"), HasSubstr("found nothing on the stack"));
  EXPECT_THAT(pickle_error("h\x01"), HasSubstr("found no memo 1, need it put before"));
  EXPECT_THAT(pickle_error(std::string(1 << 20, '(')), HasSubstr("MARK: found more than 64 open"));
  EXPECT_THAT(pickle_error(std::string(2 << 20, 'N')), HasSubstr("found more than 1048576 values"));
  EXPECT_THAT(pickle_error(std::string(17 << 20, 'N')), HasSubstr("need at most 16777216"));
  EXPECT_THAT(pickle_error("\x80\x01"), HasSubstr("found pickle protocol 1, need 2 to 5"));
  EXPECT_THAT(pickle_error("\x95" + raw<uint64_t>(99)), HasSubstr("FRAME: found 99 bytes"));
  EXPECT_THAT(pickle_error("\x8a\x09" + std::string(9, '1')), HasSubstr("LONG1: found 9 bytes"));
  EXPECT_THAT(pickle_error("X" + raw<uint32_t>(~0u)),
              HasSubstr("string: found 0 bytes up to the end"));
}

TEST(HostilePickle, CyclesEndInAnError) {
  EXPECT_THAT(pickle_error("}q\x01X" + raw<uint32_t>(1) + "ah\x01s."),
              HasSubstr("\"a\": found a dict, need a tensor"));
  EXPECT_THAT(pickle_error("}q\x01h\x01Ns."),
              HasSubstr("name of a tensor: found a dict, need a string"));
}

TEST(HostilePickle, WrongKinds) {
  const std::string ordered = "ccollections\nOrderedDict\n";
  const std::string a = "X" + raw<uint32_t>(1) + "a";
  EXPECT_THAT(pickle_error(ordered + "N\x85R."),
              HasSubstr("REDUCE: found collections OrderedDict with 1 arguments"));
  EXPECT_THAT(pickle_error("ctorch\nFloatStorage\n)R."),
              HasSubstr("REDUCE: found torch FloatStorage with 0"));
  EXPECT_THAT(pickle_error("ctorch._utils\n_rebuild_tensor_v2\n)R."),
              HasSubstr("found 0 arguments, need 6 or 7"));
  EXPECT_THAT(pickle_error("N)R."), HasSubstr("REDUCE: found None, need a global"));
  EXPECT_THAT(pickle_error("}NR."), HasSubstr("REDUCE: arguments: found None, need a tuple"));
  EXPECT_THAT(pickle_error(")Q."), HasSubstr("BINPERSID: found a tuple of 0"));
  EXPECT_THAT(pickle_error("NQ."), HasSubstr("BINPERSID: found None, need a tuple"));
  EXPECT_THAT(pickle_error("}}b."), HasSubstr("BUILD: found a dict, need an OrderedDict"));
  EXPECT_THAT(pickle_error(ordered + ")R}" + a + "Nsb."),
              HasSubstr("BUILD: found attribute \"a\", need \"_metadata\""));
  EXPECT_THAT(pickle_error("N" + a + "Ns."),
              HasSubstr("found None and 2 keys and values, need a dict"));
  EXPECT_THAT(pickle_error("}(" + a + "u."), HasSubstr("and 1 keys and values"));
  EXPECT_THAT(pickle_error("}" + a + "K\x01s."),
              HasSubstr("\"a\": found an integer, need a tensor. Save the state dict itself"));
  EXPECT_THAT(pickle_error("}X" + raw<uint32_t>(10) + "state_dict}s."),
              HasSubstr("\"state_dict\": found a dict, need a tensor"));
}

TEST(HostilePickle, CutAndReplacedAtEveryByte) {
  PickleWriter writer;
  writer.tensor("a", "FloatStorage", "0", 6, 0, {2, 3}, {3, 1});
  writer.tensor("b", "HalfStorage", "1", 6, 0, {2}, {1});
  const std::string whole = writer.bytes();
  EXPECT_EQ(pickle_error(whole), "no error");
  for (size_t at = 0; at < whole.size(); ++at) {
    EXPECT_THAT(pickle_error(whole.substr(0, at)), StartsWith("input: p: byte ")) << at;
    for (int byte = 0; byte < 256; byte += 5) {
      std::string changed = whole;
      changed[at] = static_cast<char>(byte);
      EXPECT_THAT(pickle_error(changed),
                  AnyOf("no error", StartsWith("input: p"), StartsWith("unsupported: p")));
    }
  }
}

// --- Hostile tensors and archives ---------------------------------------------------------------

std::string view_error(int64_t elements,
                       int64_t offset,
                       const std::vector<int64_t>& shape,
                       const std::vector<int64_t>& strides) {
  PickleWriter pickle;
  pickle.tensor("w", "FloatStorage", "0", elements, offset, shape, strides);
  return error_in(torch_file(pickle.bytes(), {{"0", std::string(24, '\0')}}));
}

TEST(HostileTorch, ViewsOutsideTheirStorage) {
  constexpr int64_t kBig = int64_t{1} << 62;
  EXPECT_EQ(view_error(6, 0, {2, 3}, {3, 1}), "no error");
  EXPECT_EQ(view_error(6, 0, {0, kBig}, {kBig, kBig}), "no error");
  EXPECT_EQ(
      view_error(6, 1, {2, 3}, {3, 1}),
      "input: x.bin: archive/data.pkl byte 182: tensor \"w\": found shape [2, 3] with strides "
      "[3, 1] from element 1, need them inside its storage of 6 elements");
  for (const auto& [offset, shape, strides] :
       std::vector<std::tuple<int64_t, std::vector<int64_t>, std::vector<int64_t>>>{
           {6, {1}, {1}},
           {-1, {1}, {1}},
           {0, {7}, {1}},
           {0, {2}, {6}},
           {0, {kBig, 4}, {0, 0}},
           {0, {kBig, 8}, {4, 1}},
           {kBig, {2}, {kBig}},
           {INT64_MAX, {INT64_MAX, 3}, {INT64_MAX, 1}}}) {
    EXPECT_THAT(view_error(6, offset, shape, strides), HasSubstr("need them inside its storage"));
  }
  EXPECT_THAT(view_error(6, 0, {-1}, {1}), HasSubstr("shape: found -1, need 0 or more"));
  EXPECT_THAT(view_error(6, 0, {1}, {-1}), HasSubstr("strides: found -1, need 0 or more"));
  EXPECT_THAT(view_error(6, 0, {1}, {}), HasSubstr("found 1 axes and 0 strides"));
  EXPECT_THAT(view_error(6, 0, std::vector<int64_t>(9, 1), std::vector<int64_t>(9, 1)),
              HasSubstr("found 9 axes and 9 strides, need as many, at most 8"));
  for (const int64_t elements : {int64_t{5}, int64_t{7}, int64_t{-1}, INT64_MAX, kBig}) {
    EXPECT_THAT(view_error(elements, 0, {1}, {1}), HasSubstr("found a storage of 24 bytes, need"));
  }
}

TEST(HostileTorch, RepeatedElementsMayNotGrowPastTheFile) {
  EXPECT_THAT(view_error(6, 0, {1 << 20, 1 << 20}, {0, 0}),
              HasSubstr("need no more rebuilt bytes than the file has"));
  EXPECT_THAT(view_error(6, 0, {1 << 30, 1 << 30}, {0, 0}), HasSubstr("need no more rebuilt"));
  PickleWriter pickle;
  for (int i = 0; i < 1000; ++i) {
    pickle.tensor(std::to_string(i), "FloatStorage", "0", 6, 0, {10000}, {0});
  }
  EXPECT_THAT(error_in(torch_file(pickle.bytes(), {{"0", std::string(24, '\0')}})),
              HasSubstr("need no more rebuilt"));
}

TEST(HostileTorch, Archives) {
  EXPECT_THAT(error_in(""), HasSubstr("found no end-of-directory record in the last 0 bytes"));
  EXPECT_THAT(error_in("PK\x03\x04"), HasSubstr("The file may be cut short"));
  EXPECT_EQ(error_in("\x80\x02\x8a\x0al\xfc\x9c"),
            "unsupported: x.bin: byte 0: found a bare pickle (PyTorch before 1.6), need PyTorch's "
            "zip format. Load it with PyTorch and save it again, or convert it to safetensors");
  const auto zip_error = [](const std::vector<std::pair<std::string, std::string>>& entries,
                            ZipWriter::Options options = {}) {
    ZipWriter zip;
    for (const auto& [name, data] : entries) zip.entry(name, data, options);
    return error_in(zip.bytes());
  };
  EXPECT_THAT(zip_error({}), HasSubstr("found a zip archive without data.pkl"));
  EXPECT_THAT(zip_error({{"x/y/data.pkl", "}."}}), HasSubstr("without data.pkl"));
  EXPECT_EQ(zip_error({{"data.pkl", "}."}}), "no error");
  EXPECT_THAT(zip_error({{"a/data.pkl", "}."}, {"b/data.pkl", "}."}}),
              HasSubstr("found entries \"a/data.pkl\" and \"b/data.pkl\", need one"));
  EXPECT_THAT(zip_error({{"a/data.pkl", "}."}, {"a/data.pkl", "}."}}), HasSubstr("found it twice"));
  EXPECT_THAT(zip_error({{"a/data.pkl", "}."}, {"a/constants.pkl", ""}}), HasSubstr("TorchScript"));
  EXPECT_THAT(zip_error({{"a/data.pkl", "}."}, {"a/byteorder", "big"}}),
              HasSubstr("byteorder: found \"big\", need \"little\""));
  EXPECT_THAT(
      zip_error({{"a/data.pkl", "}."}}, {.method = 8}),
      AllOf(StartsWith("unsupported: "),
            HasSubstr("entry \"a/data.pkl\": found it compressed (deflate), need it stored")));
  EXPECT_THAT(zip_error({{"a/data.pkl", "}."}}, {.method = 77}),
              HasSubstr("compressed (method 77)"));
  EXPECT_THAT(zip_error({{"a/data.pkl", "}."}}, {.flags = 1}), HasSubstr("found it encrypted"));
  PickleWriter pickle;
  pickle.tensor("w", "FloatStorage", "9", 1, 0, {1}, {1});
  EXPECT_THAT(error_in(torch_file(pickle.bytes(), {{"0", "1234"}})),
              HasSubstr("tensor \"w\": found no entry \"archive/data/9\", need its storage"));
}

TEST(HostileTorch, CutAndReplacedAtEveryByte) {
  const std::string whole = torch_file(
      {{"a", DType::kF32, {2}, f32_bytes({1, 2})}, {"b", DType::kF32, {2}, f32_bytes({3, 4})}});
  ASSERT_EQ(error_in(whole), "no error");
  for (size_t at = 0; at < whole.size(); ++at) {
    EXPECT_THAT(error_in(whole.substr(0, at)), StartsWith("input: x.bin: ")) << at;
    for (const char byte :
         {'\0', '\x01', '\x7f', '\x80', '\xff', static_cast<char>(whole[at] ^ 1)}) {
      std::string changed = whole;
      changed[at] = byte;
      EXPECT_THAT(
          error_in(changed),
          AnyOf("no error", StartsWith("input: x.bin: "), StartsWith("unsupported: x.bin: ")))
          << at;
    }
  }
}

TEST(HostileTorch, OverlappingEntries) {
  // The second entry's directory record points at the first entry's header.
  ZipWriter zip;
  zip.entry("a/data.pkl", "}.");
  zip.entry("a/data.pk2", "}.");
  std::string bytes = zip.bytes();
  const size_t record = bytes.rfind("PK\x01\x02");
  bytes.replace(record + 42, 4, raw<uint32_t>(0));
  EXPECT_THAT(error_in(bytes),
              HasSubstr("entry \"a/data.pk2\": found \"a/data.pkl\" (stored) in its local"));
  bytes[record + 46 + 9] = 'l';
  EXPECT_THAT(error_in(bytes), HasSubstr("entry \"a/data.pkl\": found it twice"));
  // A first entry so long that it swallows the second.
  std::string longer = zip.bytes();
  const size_t first = longer.find("PK\x01\x02");
  longer.replace(first + 20, 8, raw<uint32_t>(66) + raw<uint32_t>(66));
  EXPECT_THAT(error_in(longer), HasSubstr("found it inside entry \"a/data.pkl\", need no overlap"));
}

}  // namespace
}  // namespace keju
