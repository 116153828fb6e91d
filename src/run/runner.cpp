// SPDX-License-Identifier: MIT
#include "run/runner.h"

#include <algorithm>
#include <chrono>
#include <deque>
#include <map>
#include <unordered_map>
#include <unordered_set>

#include "base/error.h"
#include "base/mapped_file.h"
#include "run/manifest.h"
#include "run/progress.h"
#include "run/record.h"
#include "run/request.h"
#include "run/results.h"
#include "run/run_lock.h"
#include "run/speed.h"
#include "run/store.h"
#include "run/workers.h"
#include "score/code_tests.h"

namespace keju {
namespace {

using Exams = std::vector<std::unique_ptr<Exam>>;

// The items that are still to do, in the suites' order. A request's id is the item's place in that
// order over all exams, twice, and its part, so that a response finds its item without a table.
class PendingItems : public RequestSource {
 public:
  PendingItems(const Exams& exams, RunStore& store, const RunOptions& options)
      : exams_(exams), store_(store), cancel_(options.cancel) {
    for (const std::unique_ptr<Exam>& exam : exams) {
      starts_.push_back(total_);
      total_ += exam->size();
      phases_ = std::max(phases_, exam->turns());
    }
    done_.resize(static_cast<size_t>(total_));
    for (size_t e = 0; e < exams.size(); ++e) {
      const Exam& exam = *exams[e];
      store.for_each_finished(exam_key(exam), [&](int64_t position, const std::string& id) {
        if (position < 0 || position >= exam.size() || exam.item_id(position) != id) {
          throw fail(Code::kInput,
                     "run.db: item \"{}\": found at place {} of {}, where the exam has another. "
                     "The store is not of this run; choose another --out",
                     id,
                     position,
                     exam_key(exam));
        }
        done_[static_cast<size_t>(starts_[e] + position)] = true;
        ++resumed_;
      });
      for (int64_t i = 0; options.only && i < exam.size(); ++i) {
        if (!options.only(exam_key(exam), i)) done_[static_cast<size_t>(starts_[e] + i)] = true;
      }
    }
  }

  // Whether there is more to ask once all that was handed out is answered. Later turns of a
  // conversation are asked when the earlier ones are answered: the items are gone through once for
  // every turn that some exam has.
  bool go_on() {
    if (!begun_.empty()) return true;
    if (++phase_ >= phases_) return false;
    next_ = 0;
    return true;
  }

  std::optional<Request> next() override {
    while (ready_.empty() && !begun_.empty()) {
      const int64_t at = begun_.front();
      begun_.pop_front();
      const auto [exam, index] = place(static_cast<uint64_t>(at) * kParts);
      ExamItem item = exam->item(index);
      item.answers = {conclusions_.at(static_cast<size_t>(at)).prompt};
      ask(at, *exam, std::move(item));
    }
    for (; ready_.empty() && next_ < total_; ++next_) {
      if (done_[static_cast<size_t>(next_)]) continue;
      const auto [exam, index] = place(static_cast<uint64_t>(next_) * kParts);
      if (index % exam->turns() != phase_) continue;
      ExamItem item = exam->item(index);
      std::optional<std::vector<std::string>> answers = answers_before(*exam, index);
      if (!answers) continue;  // an earlier turn failed: this one stays unfinished
      if (exam->turns() > 1) item.answers = std::move(*answers);
      ask(next_, *exam, std::move(item));
      ++handed_out_;
    }
    if (ready_.empty()) return std::nullopt;
    Request request = std::move(ready_.front());
    ready_.pop_front();
    return request;
  }

  // What the model said to the turns before item `index`.
  std::optional<std::vector<std::string>> answers_before(const Exam& exam, int64_t index) const {
    std::vector<std::string> answers;
    for (int64_t turn = index - index % exam.turns(); turn < index; ++turn) {
      std::optional<std::string> answer = store_.output(exam_key(exam), exam.item_id(turn));
      if (!answer) return std::nullopt;
      answers.push_back(std::move(*answer));
    }
    return answers;
  }

  struct Place {
    const Exam* exam;
    int64_t index;
  };

  Place place(uint64_t id) const {
    KEJU_CHECK(id < static_cast<uint64_t>(total_) * kParts, "a response carries an unknown id");
    const int64_t at = static_cast<int64_t>(id / kParts);
    const auto after = std::upper_bound(starts_.begin(), starts_.end(), at);
    const size_t exam = static_cast<size_t>(after - starts_.begin()) - 1;
    return {exams_[exam].get(), at - starts_[exam]};
  }

  // The item's whole response once all its parts are there, until then nothing. A model that
  // answers twice would count an item twice.
  std::optional<Response> collect(Response response, const Exam& exam, int64_t index) {
    const Protocol& protocol = exam.protocol();
    const size_t item = static_cast<size_t>(response.id / kParts), part = response.id % kParts;
    if (!protocol.conclude.empty() && conclusions_.count(item) == 0) {
      KEJU_CHECK(!done_[item] && part == 0, "a response came twice");
      if (!response.error.empty()) {
        done_[item] = true;
        return response;
      }
      const auto& wrote = std::get<GenerateResult>(response.what);
      conclusions_[item] = {exam.concluding_prompt(index, wrote.text),
                            response.timing.end_s - response.timing.begin_s};
      begun_.push_back(static_cast<int64_t>(item));
      return std::nullopt;
    }
    const size_t parts = static_cast<size_t>(requests_per_item(protocol));
    KEJU_CHECK(!done_[item] && part < parts, "a response came twice");
    std::vector<std::optional<Response>>& here = waiting_[item];
    here.resize(parts);
    KEJU_CHECK(!here[part].has_value(), "a response came twice");
    here[part] = std::move(response);
    std::vector<Response> all;
    for (std::optional<Response>& one : here) {
      if (!one.has_value()) return std::nullopt;
    }
    for (std::optional<Response>& one : here) all.push_back(std::move(*one));
    waiting_.erase(item);
    done_[item] = true;
    Response whole = merged(std::move(all));
    if (const auto made = conclusions_.find(item); made != conclusions_.end()) {
      whole.timing.begin_s -= made->second.seconds;
    }
    return whole;
  }

  // The prompt that an item was concluded by, if its protocol does; it is not kept any longer.
  std::vector<std::string> take_conclusion(uint64_t id) {
    std::vector<std::string> taken;
    if (auto made = conclusions_.extract(static_cast<size_t>(id / kParts)); !made.empty()) {
      taken.push_back(std::move(made.mapped().prompt));
    }
    return taken;
  }

  bool cancelled() const override { return cancel_ != nullptr && cancel_->load(); }
  int64_t total() const { return total_; }
  int64_t resumed() const { return resumed_; }
  int64_t handed_out() const { return handed_out_; }

 private:
  static constexpr uint64_t kParts = 2;  // ids of an item: as many requests as it can be
  struct Conclusion {
    std::string prompt;
    double seconds = 0;  // that it took to write what it is made of
  };

  void ask(int64_t at, const Exam& exam, ExamItem item) {
    uint64_t id = static_cast<uint64_t>(at) * kParts;
    for (Request& request : make_requests(exam, std::move(item))) {
      request.id = id++;
      ready_.push_back(std::move(request));
    }
  }

  const Exams& exams_;
  RunStore& store_;
  const std::atomic<bool>* cancel_;
  std::deque<Request> ready_;  // of one item
  std::unordered_map<size_t, std::vector<std::optional<Response>>> waiting_;
  // Where the protocol concludes: the second prompts, and whose are still to be asked.
  std::unordered_map<size_t, Conclusion> conclusions_;
  std::deque<int64_t> begun_;
  int phases_ = 1, phase_ = 0;
  std::vector<int64_t> starts_;
  std::vector<bool> done_;
  int64_t total_ = 0, resumed_ = 0, next_ = 0, handed_out_ = 0;
};

void check_exams(const Exams& exams) {
  if (exams.empty()) throw fail(Code::kUsage, "run: found no suite, need at least one");
  std::unordered_set<std::string> keys;
  for (const std::unique_ptr<Exam>& exam : exams) {
    if (!keys.insert(exam_key(*exam)).second) {
      throw fail(Code::kUsage,
                 "run: {} is asked for twice. Name it once, or use two --out folders",
                 exam_key(*exam));
    }
  }
}

// Opens the folder for this run: new, or the same run as before.
void claim_folder(const std::filesystem::path& out, const Json& manifest) {
  const std::filesystem::path path = out / "run.json";
  // What is compared must have gone through the same writing and reading as what is on disk.
  const std::string text = manifest.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
  if (std::filesystem::exists(path)) {
    check_same_run(read_manifest(out), parse_json(text, path.string()), path.string());
    return;
  }
  if (std::filesystem::exists(out / "run.db")) {
    throw fail(
        Code::kInput, "{}: found run.db without run.json. Choose another --out", out.string());
  }
  write_file_atomically(path, text);
}

double unix_now_s() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

// One process's pass over the items that are left.
class Pass {
 public:
  Pass(LanguageModel& model, const Exams& exams, const RunOptions& options, RunStore& store)
      : model_(model),
        options_(options),
        store_(store),
        source_(exams, store, options),
        meter_(options.progress),
        programs_(options.threads, [this](ExaminedItem done) { keep(std::move(done)); }) {
    record_.id = store.begin_session(options.environment, unix_now_s(), options.load_s);
    session_ = model.start(source_);
  }

  // Returns when all is done or the run is cancelled.
  void work() {
    report(nullptr);
    try {
      examine();
      while (!cancelled() && source_.go_on()) {
        before_ = sum(before_, session_->stats());
        session_.reset();
        session_ = model_.start(source_);
        examine();
      }
    } catch (...) {
      keep_finished();
      throw;
    }
    note();
    store_.commit(record_);
    report(nullptr, Meter::kAlways);
  }

  int64_t resumed() const { return source_.resumed(); }

  std::vector<std::pair<std::string, int64_t>> failures() const {
    std::vector<std::pair<std::string, int64_t>> list(failures_.begin(), failures_.end());
    std::stable_sort(
        list.begin(), list.end(), [](const auto& a, const auto& b) { return a.second > b.second; });
    return list;
  }

 private:
  struct ExaminedItem {
    const Exam* exam = nullptr;
    int64_t index = 0;
    StoredItem item;
  };

  void examine() {
    while (!cancelled()) {
      std::optional<Response> response = session_->next();
      if (!response) break;
      const auto [exam, index] = source_.place(response->id);
      response = source_.collect(std::move(*response), *exam, index);
      if (!response) continue;
      auto score = [exam = exam,
                    index = index,
                    conclusion = source_.take_conclusion(response->id),
                    got = std::move(*response)]() mutable {
        StoredItem item = stored_item(*exam, index, std::move(got));
        if (!conclusion.empty()) item.answers = std::move(conclusion);
        return ExaminedItem{exam, index, std::move(item)};
      };
      if (exam->protocol().compare == kPythonTests) {
        programs_.give(std::move(score));
      } else {
        keep(score());
      }
    }
    programs_.finish();
  }

  void count(const std::string& reason) {
    constexpr size_t kMost = 64;  // reasons that name their item could be as many as the items
    if (failures_.size() < kMost || failures_.count(reason) > 0) ++failures_[reason];
  }

  void keep(ExaminedItem done) {
    done.item.session = record_.id;
    if (done.exam->turns() > 1) {
      done.item.answers = source_.answers_before(*done.exam, done.index).value();
    }
    if (const auto* failed = std::get_if<Failed>(&done.item.record.outcome)) count(failed->error);
    store_.put(done.item);
    ++record_.items;
    note();
    store_.commit_if_due(record_);
    report(done.exam);
  }

  // A model that gives up takes no finished item with it. If it is the store that failed, this
  // fails too, and the first error is the one to tell.
  void keep_finished() {
    try {
      programs_.finish();
      store_.commit(record_);
    } catch (const Error&) {
    }
  }

  bool cancelled() const { return source_.cancelled(); }

  void note() {
    record_.stats = sum(before_, session_->stats());
    record_.wall_s = meter_.elapsed_s();
    record_.peak_rss_bytes = peak_rss_bytes();
  }

  void report(const Exam* exam, Meter::When when = Meter::kWhenDue) {
    Work work;
    work.total = source_.total();
    work.resumed = source_.resumed();
    work.done = record_.items;
    work.handed_out = source_.handed_out();
    work.stats = record_.stats;
    meter_.tell(exam == nullptr ? "" : exam_key(*exam), work, when);
  }

  LanguageModel& model_;
  const RunOptions& options_;
  RunStore& store_;
  PendingItems source_;
  std::unique_ptr<Session> session_;
  SessionStats before_;  // of the sessions of earlier turns
  SessionRecord record_;
  Meter meter_;
  std::map<std::string, int64_t> failures_;
  Workers<ExaminedItem> programs_;  // what is generated is run while the model goes on
};

}  // namespace

std::string check_sandbox(const Exams& exams) {
  for (const std::unique_ptr<Exam>& exam : exams) {
    if (exam->protocol().compare != kPythonTests) continue;
    try {
      return shared_sandbox().description();
    } catch (const Error& error) {
      throw fail(error.code(), "{}: {}", exam->protocol().id, error.what());
    }
  }
  return "";
}

RunSummary run_exams(LanguageModel& model, const Exams& exams, const RunOptions& options) {
  check_exams(exams);
  check_sandbox(exams);
  std::error_code error;
  std::filesystem::create_directories(options.out, error);
  if (error) throw fail(Code::kIo, "{}: create: {}", options.out.string(), error.message());
  const RunLock lock(options.out, "run.lock");
  claim_folder(options.out,
               make_manifest(model.facts(), exams, options.model_name, options.environment));

  RunSummary summary;
  {
    RunStore store(options.out, "run.db");
    try {
      Pass pass(model, exams, options, store);
      summary.resumed = pass.resumed();
      pass.work();
      summary.failures = pass.failures();
    } catch (const Error& failure) {
      if (failure.code() != Code::kIo && failure.code() != Code::kDevice) throw;
      throw fail(
          failure.code(), "{} ({} items of this start are kept)", failure.what(), store.kept());
    }
    store.close();
  }
  const Json results = write_results(options.out);
  summary.complete = results["complete"].get<bool>();
  summary.total = results["items"]["total"].get<int64_t>();
  summary.scored = results["items"]["scored"].get<int64_t>();
  summary.unscored = results["items"]["unscored"].get<int64_t>();
  summary.failed = results["items"]["failed"].get<int64_t>();
  summary.digest = results["digest"].get<std::string>();
  summary.results = options.out / "results.json";
  return summary;
}

}  // namespace keju
