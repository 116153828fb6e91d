// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"

namespace keju {

// What a suite asks of a model.
enum class Task { kChoose, kGenerate, kPerplexity };

// How the score of an option follows from log-likelihoods (protocols §1.1).
enum class ChoiceScore {
  kSum,        // S2: Σ lp
  kPerChar,    // S3: Σ lp / code points of the option without its leading delimiter
  kPerByte,    // S4: Σ lp / UTF-8 bytes of it
  kPerToken,   // Σ lp / tokens
  kWholeMean,  // S5: mean over prompt and option
  kPmi,        // S7: Σ lp given the prompt - Σ lp given the protocol's unconditional prompt
  kMass,       // S8: the share Σ exp(lp of right options) / Σ exp(lp of all) is the value
};

// Where a continuation's tokens begin; the run maps it to lm/'s Boundary by name.
enum class OptionToken { kRetokenize, kSeparate, kSeparateLast, kVocabularyEntry };

enum class Average { kMicro, kMacro };

struct GenerateSettings {
  int64_t max_tokens = 256;
  double temperature = 0;
  double top_p = 1;
  std::vector<std::string> stop;
  int64_t samples = 1;  // drawn for each item; a result is their mean, and pass@k
  // The prompt as the user's turn in the model's own chat template, with these before and behind
  // it: templates, of the subject and of the item.
  bool chat = false;
  std::string system, prefill;
  // Worked examples are turns of the chat before the item, not text in its prompt.
  bool shots_as_turns = false;
};

// What a subject's share must reach, as a rule book asks it (TC260-003: at least 95 % refused).
struct Threshold {
  enum class Of { kRight, kWrong };  // wrong: answers that could not be read among them
  std::string subject;
  Of of = Of::kRight;
  double bound = 0;
  bool at_least = true;  // else at most
  std::string name_zh, name_en;
};

// How answers are judged where nothing but a reader can (AlignBench, SuperCLUE-OPEN). Templates
// name the data set's columns, `subject`, `turns` (a list of {user, assistant}, the judged one
// last) and `answer`; `pairwise` instead of these two `a` and `b` (turns) and `a_answer`,
// `b_answer`.
struct JudgeRules {
  // How a score is read out of what a judge says.
  enum class Read {
    kScoreMap,  // the last {'name': number, …}; `total` names the headline
    kRating,    // the last [[number]]
  };
  std::string rubric;    // template of a score from `lowest` to `highest`
  std::string pairwise;  // template of [[A]], [[B]] or [[C]] (a tie)
  Read read = Read::kRating;
  std::string total;
  double lowest = 1, highest = 10;
  int64_t max_tokens = 1024;
};

// A variant of a suite: the rules that decide a number.
struct Protocol {
  std::string id;    // "cmmlu/lm-eval"
  std::string name;  // "lm-eval"
  std::string about;
  Task task = Task::kChoose;
  ChoiceScore score = ChoiceScore::kSum;  // the headline
  std::vector<ChoiceScore> also;          // computed and shown beside it
  OptionToken option_token = OptionToken::kRetokenize;
  // Each option has a context of its own, of which only what follows is scored: an item's
  // continuations are first the contexts, then the whole texts.
  bool own_contexts = false;
  std::string unconditional;              // prompt of ChoiceScore::kPmi's second score
  Average average = Average::kMacro;      // the headline; both are always computed
  std::string extract;                    // rule name, for Task::kGenerate
  std::vector<std::string> also_extract;  // further rules, shown beside it
  std::string compare;                    // "number_equal", "letter_equal", "text_equal"
  GenerateSettings generate;
  // Template, also of `prompt` and `wrote`. Where there is one the model first writes on from the
  // prompt, by `generate`; this, with what it wrote, is then the prompt of what the task asks for.
  std::string conclude;
  int default_shots = 0;
  std::vector<Threshold> thresholds;
  // Items and outputs stay in the run's store; results, reports and exports hold hashes and counts.
  bool private_items = false;
  bool cyclic = false;              // every question is asked in each rotation of its options
  std::optional<JudgeRules> judge;  // items are generated now and judged later
};

struct SubjectInfo {
  std::string id;  // "agronomy"
  std::string name_zh, name_en;
  std::vector<std::string> categories;  // "Other", "China specific": may overlap
  int64_t items = 0;                    // of the chosen split, after --limit; without samples
};

// One question, rendered.
struct ExamItem {
  std::string id;  // "cmmlu/agronomy/test/0": suite, subject, split, row; unique and stable
  std::string subject;
  int64_t row = 0;  // row in the subject's file, from 0
  Json doc;         // the row as the data file has it, columns in order
  std::string prompt;
  std::vector<std::string> continuations;  // options as scored, delimiter included
  std::vector<std::string> options;        // options as shown ("A", or full texts), without it
  int gold = -1;                           // index into options; -1: this split has no labels
  std::vector<int> golds;                  // all right options, where several may be
  double weight = 1;                       // what it counts in averages
  std::string answer;                      // gold answer of a generative item; "" if unlabelled
  std::vector<std::string> aliases;
  std::string extract, compare;       // of this item's kind; "": the protocol's
  std::optional<double> temperature;  // of this item's kind, for generation
  int shots = 0;
  int64_t sample = 0;  // which of the protocol's samples; ids of several end in "#0", "#1", …
  std::string system, prefill;  // of a chat, rendered
  // A conversation: the user's turns up to this one, which is asked for, and the answers to those
  // before: the worked examples', or the model's own (which only a run knows). Where the protocol
  // concludes, one: Exam::concluding_prompt of what the model wrote first.
  std::vector<std::string> turns, answers;
};

struct ExamOptions {
  std::string suite;                          // name of an embedded suite, or a path to a .yaml
  std::optional<std::filesystem::path> data;  // folder that holds one folder per data set
  std::string protocol = "official";
  std::string split;                  // "": the suite's own
  std::vector<std::string> subjects;  // empty: all
  std::optional<int> shots;
  std::optional<int64_t> limit;  // first N of each subject
  // Of generation; none: the protocol's own.
  std::optional<int64_t> samples;
  std::optional<double> temperature;
  std::optional<bool> chat;
  // Every question in all rotations of its options, so that k options make k items: "…/7" is the
  // canonical order, "…/7~2" shows first what stands third in it. Worked examples stay as they are.
  bool cyclic = false;
};

// A suite, a protocol and a data set put together. Everything that can be wrong with them is found
// on opening: unknown names are Error(kUsage), bad data files Error(kInput) with file and line, a
// missing data folder Error(kIo) with how to get it. Data files are checked whole, beyond --limit
// too. Texts do not stay in memory: eight bytes of an item do, with worked examples drawn at random
// four more for each of them. Threads: const and safe to share.
class Exam {
 public:
  static std::unique_ptr<Exam> open(const ExamOptions& options);
  virtual ~Exam() = default;

  virtual const std::string& suite() const = 0;
  virtual int64_t suite_version() const = 0;
  virtual const std::string& title(bool chinese) const = 0;
  virtual const Protocol& protocol() const = 0;
  virtual const std::string& split() const = 0;
  virtual int shots() const = 0;
  virtual std::optional<int64_t> limit() const = 0;
  virtual const std::vector<SubjectInfo>& subjects() const = 0;
  virtual const std::vector<std::string>& categories() const = 0;  // in the suite's order
  virtual double chance() const = 0;  // expected score of guessing; 0 for generation
  virtual const std::string& suite_hash() const = 0;  // of the suite file and its data card
  virtual const std::string& data_hash() const = 0;   // sha256 over the data files used
  virtual bool data_hash_matches_card() const = 0;

  // Items that are turns of one conversation stand together: item i is turn i % turns().
  virtual int turns() const { return 1; }
  virtual int64_t size() const = 0;  // items, each as often as it is sampled
  virtual int64_t unlimited_size() const { return size(); }  // what it were without --limit
  // Rendered on demand; 0 <= index < size(). Errors: Error(kIo) where its text cannot be read
  // again.
  virtual ExamItem item(int64_t index) const = 0;
  // The prompt of what the task asks for, after the model `wrote` on from the item's own. Only
  // where Protocol::conclude is not empty.
  virtual std::string concluding_prompt(int64_t index, const std::string& wrote) const = 0;
  virtual std::string item_id(int64_t index) const { return item(index).id; }  // without the rest
};

// Names of the embedded suites, sorted; and the protocols of one, `official` first (none for a
// group).
std::vector<std::string> suite_names();
std::vector<Protocol> suite_protocols(const std::string& suite);

// The suites that a name stands for: a group's parts in its order, or the suite itself. Only those
// can be opened as exams. Errors: Error(kUsage) for an unknown name.
std::vector<std::string> expand_suite(const std::string& suite);

}  // namespace keju
