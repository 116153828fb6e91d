// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/sha256.h"
#include "suite/exam.h"

namespace keju {

// A made-up suite: multiple choice, generation or perplexity over any subjects. Item i of a subject
// asks "<subject> <i>?" and its right option is i mod 4, or "<i>" where text is generated.
struct FakeExamSpec {
  std::string suite = "fake";
  Protocol protocol = official();
  std::string split = "test";
  int shots = 0;
  std::optional<int64_t> limit;
  std::vector<SubjectInfo> subjects = {{"algebra", "代数", "Algebra", {"STEM", "Hard"}, 5},
                                       {"poetry", "诗词", "Poetry", {"Humanities"}, 3}};
  std::vector<std::string> categories = {"STEM", "Humanities", "Hard"};
  std::string title_zh = "样卷";
  std::string title_en = "Fake exam";
  std::string suite_hash = "suite-1";
  std::string data_hash = "data-1";
  bool labelled = true;

  static Protocol official() {
    Protocol protocol;
    protocol.id = "fake/official";
    protocol.name = "official";
    protocol.about = "made up";
    return protocol;
  }
};

class FakeExam : public Exam {
 public:
  explicit FakeExam(FakeExamSpec spec) : spec_(std::move(spec)) {
    for (const SubjectInfo& subject : spec_.subjects) size_ += subject.items;
  }

  const std::string& suite() const override { return spec_.suite; }
  int64_t suite_version() const override { return 1; }
  const std::string& title(bool chinese) const override {
    return chinese ? spec_.title_zh : spec_.title_en;
  }
  const Protocol& protocol() const override { return spec_.protocol; }
  const std::string& split() const override { return spec_.split; }
  int shots() const override { return spec_.shots; }
  std::optional<int64_t> limit() const override { return spec_.limit; }
  const std::vector<SubjectInfo>& subjects() const override { return spec_.subjects; }
  const std::vector<std::string>& categories() const override { return spec_.categories; }
  double chance() const override { return spec_.protocol.task == Task::kChoose ? 0.25 : 0; }
  const std::string& suite_hash() const override { return spec_.suite_hash; }
  const std::string& data_hash() const override { return spec_.data_hash; }
  bool data_hash_matches_card() const override { return true; }
  int64_t size() const override { return size_; }

  ExamItem item(int64_t index) const override {
    KEJU_CHECK(index >= 0 && index < size_, "item out of range");
    size_t subject = 0;
    while (index >= spec_.subjects[subject].items) index -= spec_.subjects[subject++].items;
    ExamItem item;
    item.subject = spec_.subjects[subject].id;
    item.id = fmt::format("{}/{}/{}/{}", spec_.suite, item.subject, spec_.split, index);
    item.row = index;
    item.shots = spec_.shots;
    item.doc = {{"id", index}, {"question", fmt::format("{} {}?", item.subject, index)}};
    item.prompt = fmt::format("{} {}?\n答案：", item.subject, index);
    if (spec_.protocol.task == Task::kChoose) {
      item.options = {"A", "B", "C", "D"};
      item.continuations = {" A", " B", " C", " D"};
      item.gold = spec_.labelled ? static_cast<int>(index % 4) : -1;
    } else if (spec_.protocol.task == Task::kGenerate) {
      item.answer = spec_.labelled ? std::to_string(index) : "";
    }
    return item;
  }

  std::string concluding_prompt(int64_t index, const std::string& wrote) const override {
    return fmt::format("{}{} So: ", item(index).prompt, wrote);
  }

 private:
  FakeExamSpec spec_;
  int64_t size_ = 0;
};

inline std::unique_ptr<Exam> fake_exam(FakeExamSpec spec = {}) {
  return std::make_unique<FakeExam>(std::move(spec));
}

// The papers of a run.
inline std::vector<std::unique_ptr<Exam>> fake_exams(std::vector<FakeExamSpec> specs) {
  std::vector<std::unique_ptr<Exam>> exams;
  for (FakeExamSpec& spec : specs) exams.push_back(fake_exam(std::move(spec)));
  return exams;
}

}  // namespace keju
