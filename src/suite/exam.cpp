// SPDX-License-Identifier: MIT
#include "suite/exam.h"

#include <algorithm>
#include <numeric>

#include "base/error.h"
#include "base/mapped_file.h"
#include "base/rng.h"
#include "base/sha256.h"
#include "base/utf8.h"
#include "suite/card.h"
#include "suite/csv.h"
#include "suite/embedded.h"
#include "suite/open_data.h"
#include "suite/prompt.h"
#include "suite/rows.h"
#include "suite/suite_file.h"

namespace keju {
namespace {

// One subject of an opened exam.
struct Paper {
  const CardSubject* subject = nullptr;
  const SubjectRows* rows = nullptr;
  const SubjectRows* pool = nullptr;  // rows that worked examples come from
  std::string header;
  std::vector<Prompter::Shot> ready;  // worked examples that every item may share
  std::vector<int32_t> drawn;  // rows of the pool, by item, of ShotRules::Pick::kPythonRandom
  const Prompter* prompter = nullptr;
  const Protocol* protocol = nullptr;
  int64_t items = 0;
};

class FileExam : public Exam {
 public:
  explicit FileExam(const ExamOptions& options)
      : options_(options),
        suite_(load_suite(options)),
        variant_(suite_.variant(options.protocol)),
        protocol_(variant_.protocol),
        data_(open_data(suite_, options.data)),
        prompter_(variant_, data_.card) {
    read_subject_texts();
    for (const SuiteVariant& kind : variant_.kinds) kinds_.emplace_back(kind, data_.card);
    if (options_.subjects.empty()) options_.subjects = variant_.subjects;
    choose_split();
    choose_shots();
    choose_generation();
    check_subjects();
    rows_ = read_split(data_.card, data_.folder, split_, options_.subjects);
    if (shots_ > 0 && !from_file()) {
      pool_ = read_split(data_.card, data_.folder, shot_rules().split, options_.subjects);
    }
    count_turns();
    count_rotations();
    if (samples() > 1 && per_row_ > 1) {
      throw fail(Code::kUsage,
                 "samples: found {} of {}, need 1: its items are {} already",
                 samples(),
                 protocol().id,
                 options_.cyclic ? "rotations of a question" : "turns of a conversation");
    }
    for (const SubjectRows& subject : rows_.subjects) add_paper(subject);
    finish();
  }

  const std::string& suite() const override { return suite_.name; }
  int64_t suite_version() const override { return suite_.version; }
  const std::string& title(bool chinese) const override {
    return chinese ? suite_.title_zh : suite_.title_en;
  }
  const Protocol& protocol() const override { return protocol_; }
  const std::string& split() const override { return split_; }
  int shots() const override { return shots_; }
  std::optional<int64_t> limit() const override { return options_.limit; }
  const std::vector<SubjectInfo>& subjects() const override { return subjects_; }
  const std::vector<std::string>& categories() const override { return categories_; }
  double chance() const override { return chance_; }
  const std::string& suite_hash() const override { return suite_hash_; }
  const std::string& data_hash() const override { return data_hash_; }
  bool data_hash_matches_card() const override { return matches_card_; }
  int turns() const override { return variant_.prompt.turns.empty() ? 1 : per_row_; }
  int64_t size() const override { return begins_.back() * samples(); }
  int64_t unlimited_size() const override {
    int64_t rows = 0;
    for (const SubjectRows& subject : rows_.subjects) {
      rows += static_cast<int64_t>(subject.rows.size());
    }
    return rows * per_row_ * samples();
  }

  std::string item_id(int64_t index) const override {
    const Place place = place_of(index);
    return id_of(place, place.paper.rows->rows[static_cast<size_t>(place.at)].row);
  }

  ExamItem item(int64_t index) const override {
    const Place place = place_of(index);
    const auto& [paper, at, part, sample] = place;
    const DataRow row = row_of(place);
    const CardSubject& subject = *paper.subject;
    const Prompter& prompter = *paper.prompter;
    ExamItem item;
    item.id = id_of(place, row.row);
    item.sample = sample;
    item.subject = subject.id;
    item.row = row.row;
    item.doc = row.doc;
    if (!variant_.prompt.turns.empty()) {
      add_turns(row, static_cast<size_t>(part), item);
    } else if (protocol().generate.shots_as_turns) {
      const std::vector<Prompter::Shot> shots = shots_of(paper, at);
      add_shots(paper.header, shots, prompter.item(row, subject, shots.size() + 1), item);
    } else {
      const std::vector<Prompter::Shot> shots = shots_of(paper, at);
      item.prompt =
          prompter.joined(paper.header, shots, prompter.item(row, subject, shots.size() + 1));
    }
    if (protocol().generate.chat) {
      item.system = prompter.system(subject);
      item.prefill = prompter.prefill(row, subject);
    }
    item.gold = row.gold;
    item.golds = row.golds;
    item.weight = prompter.weight(row, subject);
    item.shots = shots_;
    if (!row.options.empty()) item.options = prompter.choices(row);
    if (protocol().task == Task::kChoose) item.continuations = prompter.continuations(row, subject);
    if (protocol().task == Task::kGenerate) item.answer = prompter.gold(row, subject);
    item.aliases = prompter.accepted(row);
    if (paper.protocol != &variant_.protocol) {
      item.extract = paper.protocol->extract;
      item.compare = paper.protocol->compare;
      if (!options_.temperature) item.temperature = paper.protocol->generate.temperature;
    }
    return item;
  }

  std::string concluding_prompt(int64_t index, const std::string& wrote) const override {
    const Place place = place_of(index);
    return place.paper.prompter->conclusion(
        row_of(place), *place.paper.subject, item(index).prompt, wrote);
  }

 private:
  struct Place {
    const Paper& paper;
    int64_t at;      // which of its rows
    int64_t part;    // turn of the row's conversation, or rotation of its options
    int64_t sample;  // which of the protocol's samples
  };

  // As it is asked: in the rotation of its options that `place` stands for.
  DataRow row_of(const Place& place) const {
    const DataRow& row = place.paper.rows->rows[static_cast<size_t>(place.at)];
    return options_.cyclic && place.part > 0 ? rotated(row, place.part) : row;
  }

  Place place_of(int64_t index) const {
    KEJU_CHECK(index >= 0 && index < size(), "exam item out of range");
    const int64_t question = index / samples();
    const auto next = std::upper_bound(begins_.begin(), begins_.end(), question);
    const size_t which = static_cast<size_t>(next - begins_.begin()) - 1;
    const int64_t inside = question - begins_[which];
    return {papers_[which], inside / per_row_, inside % per_row_, index % samples()};
  }

  std::string id_of(const Place& place, int64_t row) const {
    std::string id = fmt::format("{}/{}/{}/{}", suite_.name, place.paper.subject->id, split_, row);
    if (samples() > 1) id += fmt::format("#{}", place.sample);
    if (options_.cyclic && place.part > 0) id += fmt::format("~{}", place.part);
    if (!variant_.prompt.turns.empty() && per_row_ > 1) id += fmt::format(".{}", place.part + 1);
    return id;
  }

  // Turn `turn` of a row's conversation. As a prompt stand the user's turns alone: what the model
  // says between them is not known before it has said it.
  void add_turns(const DataRow& row, size_t turn, ExamItem& item) const {
    const Json& list = row.doc.at(variant_.prompt.turns);
    for (size_t i = 0; i <= turn; ++i) {
      item.turns.push_back(plain_text(list[i]));
      item.prompt += (i == 0 ? "" : "\n\n") + item.turns.back();
    }
  }

  // Worked examples as turns. The prompt is all that is said, for whoever reads it as one text.
  static void add_shots(const std::string& header,
                        const std::vector<Prompter::Shot>& shots,
                        const std::string& question,
                        ExamItem& item) {
    for (const Prompter::Shot& shot : shots) {
      item.turns.push_back(shot.question);
      item.answers.push_back(shot.answer);
    }
    item.turns.push_back(question);
    item.turns.front().insert(0, header);
    for (size_t i = 0; i < item.turns.size(); ++i) {
      item.prompt += (i == 0 ? "" : "\n\n") + item.turns[i];
      if (i < item.answers.size()) item.prompt += "\n\n" + item.answers[i];
    }
  }

  void count_turns() {
    if (variant_.prompt.turns.empty()) return;
    size_t turns = 0;
    for (const SubjectRows& subject : rows_.subjects) {
      for (const DataRow& row : subject.rows) {
        const size_t own = row.doc.at(variant_.prompt.turns).size();
        if (turns == 0) turns = own;
        if (own > 0 && own == turns) continue;
        throw fail(Code::kInput,
                   "{}: {}: found {} turns, need {} as in the rows before",
                   row.at,
                   variant_.prompt.turns,
                   own,
                   std::max<size_t>(turns, 1));
      }
    }
    per_row_ = static_cast<int>(turns);
  }

  static SuiteFile load_suite(const ExamOptions& options) {
    SuiteFile suite = SuiteFile::load(options.suite);
    if (!suite.parts.empty()) {
      throw fail(Code::kUsage,
                 "suite: \"{}\" is a group, need one of its parts: {}",
                 suite.name,
                 fmt::join(suite.parts, ", "));
    }
    for (SuiteVariant& variant : suite.variants) {
      if (!options.cyclic) continue;
      variant.protocol.cyclic = true;
      variant.protocol.id += "+cyclic";  // its numbers are not those of one order
    }
    return suite;
  }

  int64_t samples() const { return protocol_.generate.samples; }
  // How many items a question makes: its rotations.
  void count_rotations() {
    if (!options_.cyclic) return;
    size_t options = 0;
    const auto refuse = [&](std::string_view why) {
      return fail(Code::kUsage, "--cyclic: {}: {}", protocol().id, why);
    };
    if (data_.card.choices.empty() || data_.card.choice_texts.size() > 0) {
      throw refuse("found no options that differ between items, need some to rotate");
    }
    for (const SubjectRows& subject : rows_.subjects) {
      for (const DataRow& row : subject.rows) {
        if (options == 0) options = row.options.size();
        if (options > 1 && row.options.size() == options) continue;
        throw refuse("need the same number of options, two or more, in every item");
      }
    }
    per_row_ = static_cast<int>(options);
  }

  // The row with its options rotated: the first `by` of them go to the end.
  DataRow rotated(const DataRow& row, int64_t by) const {
    DataRow out = row;
    const auto k = static_cast<int64_t>(row.options.size());
    const std::vector<std::string>& keys = data_.card.choices;
    for (int64_t i = 0; i < k; ++i) {
      const auto to = static_cast<size_t>(i), from = static_cast<size_t>((i + by) % k);
      out.options[to] = row.options[from];
      if (data_.card.choices_are_list()) {
        if (row.doc.contains(keys[0]) && row.doc[keys[0]].is_array()) {
          out.doc[keys[0]][to] = row.doc[keys[0]][from];
        }
      } else {
        out.doc[keys[to]] = row.doc[keys[from]];
      }
    }
    const auto moved = [&](int gold) {
      return gold < 0 ? gold : static_cast<int>((gold + k - by) % k);
    };
    out.gold = moved(row.gold);
    for (int& gold : out.golds) gold = moved(gold);
    return out;
  }

  const ShotRules& shot_rules() const { return variant_.prompt.shots; }
  bool from_file() const { return shot_rules().pick == ShotRules::Pick::kFixed; }
  bool pool_is_own_split() const { return !from_file() && shot_rules().split == split_; }

  void read_subject_texts() {
    if (data_.card.subject_text.empty()) return;
    for (CardSubject& subject : data_.card.subjects) {
      const std::string path = data_.card.subject_text_file(subject);
      if (!data_.folder.has(path)) {
        throw fail(Code::kIo,
                   "{}: found no such file, need the words on {} of {}. {}",
                   data_.folder.where(path),
                   subject.id,
                   data_.card.name,
                   data_.card.get.empty() ? "" : "To get it: " + data_.card.get);
      }
      const std::string text = data_.folder.read(path);
      check_text(text, data_.folder.where(path));
      const std::string& after = data_.card.subject_text_after;
      const size_t mark = after.empty() ? 0 : text.find(after);
      if (mark == std::string::npos) {
        throw fail(Code::kInput,
                   "{}: found no \"{}\", need it before the text",
                   data_.folder.where(path),
                   after);
      }
      subject.text = python_strip(std::string_view(text).substr(mark + after.size()));
    }
  }

  void choose_split() {
    split_ = options_.split.empty() ? variant_.split : options_.split;
    const std::vector<std::string> known = data_.card.split_ids();
    if (data_.card.split(split_) == nullptr) {
      throw fail(options_.split.empty() ? Code::kInput : Code::kUsage,
                 "{}: split: unknown \"{}\" of data set \"{}\"{}",
                 options_.split.empty() ? variant_.at : "--split",
                 split_,
                 data_.card.name,
                 suggestion(split_, known));
    }
    const std::string& shots_split = shot_rules().split;
    if (!shots_split.empty() && data_.card.split(shots_split) == nullptr) {
      throw fail(Code::kInput,
                 "{}: split: unknown \"{}\" of data set \"{}\"{}",
                 shot_rules().at,
                 shots_split,
                 data_.card.name,
                 suggestion(shots_split, known));
    }
  }

  void choose_shots() {
    shots_ = options_.shots.value_or(shot_rules().count);
    if (shots_ < 0) throw fail(Code::kUsage, "shots: found {}, need 0 or more", shots_);
    if (options_.limit.has_value() && *options_.limit < 1) {
      throw fail(Code::kUsage, "limit: found {}, need 1 or more", *options_.limit);
    }
    if (shots_ == 0) return;
    if (from_file() && static_cast<size_t>(shots_) > shot_rules().examples.size()) {
      throw fail(Code::kUsage,
                 "shots: found {}, need at most {}, the examples of {}",
                 shots_,
                 shot_rules().examples.size(),
                 protocol().id);
    }
    if (!from_file() && shot_rules().split.empty()) {
      throw fail(Code::kUsage,
                 "shots: found {}, need 0: {} has no worked examples",
                 shots_,
                 protocol().id);
    }
  }

  void choose_generation() {
    GenerateSettings& settings = protocol_.generate;
    const bool asked = options_.samples || options_.temperature || options_.chat;
    if (asked && protocol_.task != Task::kGenerate) {
      throw fail(Code::kUsage,
                 "{}: samples, temperature, chat: found one of them, need none: nothing is "
                 "generated",
                 protocol_.id);
    }
    if (protocol_.task != Task::kGenerate) return;
    settings.samples = options_.samples.value_or(settings.samples);
    settings.temperature = options_.temperature.value_or(settings.temperature);
    settings.chat = options_.chat.value_or(settings.chat);
    if (settings.samples < 1 || settings.samples > 10000 || !(settings.temperature >= 0)) {
      throw fail(Code::kUsage,
                 "samples, temperature: found {} and {}, need 1 to 10000 and at least 0",
                 settings.samples,
                 settings.temperature);
    }
    if (settings.chat && !protocol_.conclude.empty()) {
      throw fail(
          Code::kUsage,
          "{}: chat: found it asked for, need none: what the model writes is gone on with as "
          "plain text",
          protocol_.id);
    }
    if (settings.samples > 1 && settings.temperature == 0) {
      throw fail(Code::kUsage,
                 "samples: found {} at temperature 0, need a temperature above 0: greedy samples "
                 "are all alike",
                 settings.samples);
    }
  }

  void check_subjects() {
    const std::vector<std::string> known = data_.card.subject_ids();
    for (const SuiteVariant& kind : variant_.kinds) {
      for (const std::string& subject : kind.subjects) {
        if (data_.card.subject(subject) != nullptr) continue;
        throw fail(Code::kInput,
                   "{}: subjects: unknown \"{}\"{}",
                   kind.at,
                   subject,
                   suggestion(subject, known));
      }
    }
    for (const std::string& subject : options_.subjects) {
      if (data_.card.subject(subject) != nullptr) continue;
      throw fail(Code::kUsage,
                 "subject: unknown \"{}\" of suite \"{}\"{}",
                 subject,
                 suite_.name,
                 suggestion(subject, known));
    }
  }

  void choose_kind(Paper& paper) {
    paper.prompter = &prompter_;
    paper.protocol = &variant_.protocol;
    for (size_t i = 0; i < kinds_.size(); ++i) {
      const std::vector<std::string>& own = variant_.kinds[i].subjects;
      if (std::find(own.begin(), own.end(), paper.subject->id) == own.end()) continue;
      paper.prompter = &kinds_[i];
      paper.protocol = &variant_.kinds[i].protocol;
    }
  }

  void add_paper(const SubjectRows& rows) {
    Paper paper;
    paper.rows = &rows;
    paper.subject = data_.card.subject(rows.subject);
    choose_kind(paper);
    paper.header = paper.prompter->header(*paper.subject);
    paper.items = static_cast<int64_t>(rows.rows.size());
    if (options_.limit.has_value()) paper.items = std::min(paper.items, *options_.limit);
    for (const SubjectRows& pool : pool_.subjects) {
      if (pool.subject == rows.subject) paper.pool = &pool;
    }
    if (shots_ > 0) prepare_shots(paper);
    papers_.push_back(std::move(paper));
  }

  void prepare_shots(Paper& paper) {
    size_t count = static_cast<size_t>(shots_);
    if (from_file()) {
      for (size_t i = 0; i < count; ++i) {
        paper.ready.push_back(paper.prompter->fixed_shot(shot_rules().examples[i], *paper.subject));
      }
      return;
    }
    if (shot_rules().fewer) count = std::min(count, paper.pool->rows.size());
    // An item of the pool itself may not stand among its own examples.
    const size_t needed = count + (pool_is_own_split() ? 1 : 0);
    const size_t skip = static_cast<size_t>(shot_rules().skip);
    if (paper.pool->rows.size() < needed + skip) {
      throw fail(Code::kUsage,
                 "shots: found {}, need at most {}: split \"{}\" of {} has {} rows",
                 shots_,
                 std::max(paper.pool->rows.size(), needed - count + skip) - (needed - count + skip),
                 shot_rules().split,
                 paper.subject->id,
                 paper.pool->rows.size());
    }
    if (shot_rules().pick == ShotRules::Pick::kFirst) {
      for (size_t i = 0; i < needed; ++i) {
        paper.ready.push_back(
            paper.prompter->shot(paper.pool->rows[skip + i], *paper.subject, i + 1));
      }
      return;
    }
    // One stream for the subject, drawn from in item order: what an item gets depends on how many
    // stand before it, and --limit keeps a prefix.
    PythonRandom random(shot_rules().seed);
    paper.drawn.reserve(static_cast<size_t>(paper.items) * needed);
    for (int64_t i = 0; i < paper.items; ++i) {
      for (const int64_t row : random.sample(static_cast<int64_t>(paper.pool->rows.size()),
                                             static_cast<int64_t>(needed))) {
        paper.drawn.push_back(static_cast<int32_t>(row));
      }
    }
  }

  std::vector<Prompter::Shot> shots_of(const Paper& paper, int64_t at) const {
    if (shots_ == 0 || from_file()) return paper.ready;
    const size_t count = static_cast<size_t>(shots_);
    const bool own = pool_is_own_split();
    std::vector<Prompter::Shot> shots;
    if (shot_rules().pick == ShotRules::Pick::kFirst) {
      if (!own) return paper.ready;
      for (size_t i = 0; i < paper.ready.size() && shots.size() < count; ++i) {
        if (static_cast<int64_t>(i) + shot_rules().skip != at) shots.push_back(paper.ready[i]);
      }
      return shots;
    }
    const size_t each = count + (own ? 1 : 0);
    for (size_t i = 0; i < each && shots.size() < count; ++i) {
      const int32_t row = paper.drawn[static_cast<size_t>(at) * each + i];
      if (own && row == at) continue;
      shots.push_back(paper.prompter->shot(
          paper.pool->rows[static_cast<size_t>(row)], *paper.subject, shots.size() + 1));
    }
    return shots;
  }

  void finish() {
    begins_.push_back(0);
    double chances = 0;
    for (const Paper& paper : papers_) {
      const CardSubject& subject = *paper.subject;
      subjects_.push_back({subject.id,
                           subject.name_zh,
                           subject.name_en,
                           subject.categories,
                           paper.items * per_row_});
      begins_.push_back(begins_.back() + paper.items * per_row_);
      double sum = 0;
      for (int64_t i = 0; i < paper.items; ++i) {
        const size_t options = paper.rows->rows.options(static_cast<size_t>(i));
        if (options > 0) sum += 1.0 / static_cast<double>(options);
      }
      const bool macro = protocol().average == Average::kMacro;
      chances += macro ? sum / static_cast<double>(paper.items) : sum * per_row_;
    }
    if (protocol().task == Task::kChoose) {
      const bool macro = protocol().average == Average::kMacro;
      chance_ = chances /
                static_cast<double>(macro ? papers_.size() : static_cast<size_t>(begins_.back()));
    }
    for (const std::string& category : data_.card.categories) {
      const bool used = std::any_of(subjects_.begin(), subjects_.end(), [&](const SubjectInfo& s) {
        return std::find(s.categories.begin(), s.categories.end(), category) != s.categories.end();
      });
      if (used) categories_.push_back(category);
    }
    suite_hash_ = sha256_hex(suite_.sha256 + "\n" + data_.card.sha256 + "\n");
    hash_data();
  }

  void hash_data() {
    matches_card_ = true;
    Sha256 sum;
    for (const SplitRows* part : {&rows_, &pool_}) {
      if (part->subjects.empty()) continue;
      sum.update(fmt::format("{}  {}\n", part->sha256, part->split));
      const std::string& known = data_.card.split(part->split)->sha256;
      matches_card_ = matches_card_ && !known.empty() && known == part->whole_sha256;
    }
    data_hash_ = sum.finish_hex();
  }

  ExamOptions options_;
  SuiteFile suite_;
  const SuiteVariant& variant_;
  Protocol protocol_;  // the variant's, with what the options change
  OpenData data_;
  Prompter prompter_;
  std::vector<Prompter> kinds_;  // of the variant's kinds, in its order
  std::string split_;
  int shots_ = 0;
  int per_row_ = 1;  // items that one row makes: turns of a conversation, or rotations
  SplitRows rows_;
  SplitRows pool_;
  std::vector<Paper> papers_;
  std::vector<int64_t> begins_;  // of each paper's items, and the end
  std::vector<SubjectInfo> subjects_;
  std::vector<std::string> categories_;
  double chance_ = 0;
  std::string suite_hash_, data_hash_;
  bool matches_card_ = false;
};

}  // namespace

std::unique_ptr<Exam> Exam::open(const ExamOptions& options) {
  return std::make_unique<FileExam>(options);
}

}  // namespace keju
