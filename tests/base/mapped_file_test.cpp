// SPDX-License-Identifier: MIT
#include "base/mapped_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>

#include "base/error.h"

namespace keju {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class MappedFileTest : public testing::Test {
 protected:
  MappedFileTest() {
    std::string name = (fs::temp_directory_path() / "keju-base-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) throw fail(Code::kIo, "{}: no temporary folder", name);
    folder_ = name;
  }
  ~MappedFileTest() override {
    std::error_code ignored;
    fs::remove_all(folder_, ignored);
  }

  size_t files() const {
    size_t count = 0;
    for ([[maybe_unused]] const auto& entry : fs::directory_iterator(folder_)) ++count;
    return count;
  }

  template <typename Call>
  static std::string io_error(const Call& call) {
    try {
      call();
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), Code::kIo);
      return e.what();
    }
    ADD_FAILURE() << "no error";
    return "";
  }

  fs::path folder_;
};

TEST_F(MappedFileTest, WritesReadsMaps) {
  const fs::path path = folder_ / "a";
  std::string content(100000, 'x');
  content[50000] = '\0';
  content[99999] = 'y';
  write_file_atomically(path, content);
  EXPECT_EQ(read_file(path), content);
  const auto file = MappedFile::open(path);
  EXPECT_EQ(file->path(), path);
  ASSERT_EQ(file->bytes().size(), content.size());
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(file->bytes().data()), content.size()),
            content);
  EXPECT_EQ(files(), 1u);
}

TEST_F(MappedFileTest, MapOutlivesReplacement) {
  const fs::path path = folder_ / "a";
  write_file_atomically(path, "old");
  const auto file = MappedFile::open(path);
  write_file_atomically(path, "new content");
  EXPECT_EQ(file->bytes()[0], std::byte{'o'});
  EXPECT_EQ(read_file(path), "new content");
  EXPECT_EQ(files(), 1u);
}

TEST_F(MappedFileTest, EmptyFile) {
  const fs::path path = folder_ / "empty";
  write_file_atomically(path, "");
  EXPECT_EQ(read_file(path), "");
  const auto file = MappedFile::open(path);
  EXPECT_TRUE(file->bytes().empty());
  file->drop_pages(file->bytes().data(), 0);
}

TEST_F(MappedFileTest, DroppedPagesAreReadAgain) {
  const fs::path path = folder_ / "a";
  std::string content;
  for (int i = 0; i < 5000; ++i) content += "0123456789abcdef"[i % 16];
  write_file_atomically(path, content);
  const auto file = MappedFile::open(path);
  const auto text = [&] {
    return std::string(reinterpret_cast<const char*>(file->bytes().data()), file->bytes().size());
  };
  EXPECT_EQ(text(), content);
  file->drop_pages(file->bytes().data(), file->bytes().size());
  EXPECT_EQ(text(), content);
  file->drop_pages(file->bytes().data() + 10, 20);
  EXPECT_EQ(text(), content);
  EXPECT_THROW(file->drop_pages(file->bytes().data() + 10, content.size()), Error);
}

TEST_F(MappedFileTest, ErrorsNameThePathAndTheReason) {
  const fs::path absent = folder_ / "absent";
  const std::string message = io_error([&] { MappedFile::open(absent); });
  EXPECT_THAT(message, HasSubstr(absent.string()));
  EXPECT_THAT(message, HasSubstr("No such file"));
  EXPECT_THAT(io_error([&] { read_file(absent); }), HasSubstr("No such file"));
  EXPECT_THAT(io_error([&] { MappedFile::open(folder_); }), HasSubstr("found a folder"));
  EXPECT_THAT(io_error([&] { read_file(folder_); }), HasSubstr("found a folder"));
  EXPECT_THAT(io_error([&] { MappedFile::open("/dev/null"); }), HasSubstr("need a regular file"));
  EXPECT_THAT(io_error([&] { write_file_atomically(absent / "x", "y"); }),
              HasSubstr("No such file"));
}

TEST_F(MappedFileTest, FailedRenameLeavesNothingBehind) {
  const fs::path path = folder_ / "folder";
  fs::create_directory(path);
  fs::create_directory(path / "inner");
  io_error([&] { write_file_atomically(path, "content"); });
  EXPECT_TRUE(fs::is_directory(path / "inner"));
  EXPECT_EQ(files(), 1u);
}

TEST_F(MappedFileTest, FailedWriteKeepsTheOldContent) {
  const fs::path path = folder_ / "a";
  write_file_atomically(path, "old");
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  rlimit small = before;
  small.rlim_cur = 4096;
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  std::string message;
  try {
    write_file_atomically(path, std::string(10000, 'z'));
  } catch (const Error& e) {
    message = e.what();
  }
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
  std::signal(SIGXFSZ, handler);
  EXPECT_THAT(message, HasSubstr("too large"));
  EXPECT_EQ(read_file(path), "old");
  EXPECT_EQ(files(), 1u);
}

}  // namespace
}  // namespace keju
