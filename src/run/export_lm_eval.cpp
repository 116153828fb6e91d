// SPDX-License-Identifier: MIT
#include <cmath>
#include <ctime>
#include <map>

#include "base/error.h"
#include "base/mapped_file.h"
#include "base/sha256.h"
#include "run/csv_cell.h"
#include "run/export.h"
#include "run/lm_eval_sample.h"
#include "run/manifest.h"
#include "run/results.h"
#include "run/store.h"

namespace keju {
namespace {

// A subject under the name that the harness gives its task.
struct LmEvalTask {
  std::string name;
  std::string subject;
  std::string lines;  // samples_*.jsonl
  std::string hashes;
  int64_t original = 0, effective = 0;
  std::map<std::string, std::vector<double>> values;  // by metric
};

// As the harness forms folder names, and never a way out of the folder.
std::string sanitized(const std::string& model) {
  std::string out;
  bool inside = false;
  for (const char c : visible(model, 100)) {
    const bool bad = std::string_view("\"<>:/|\\?*[]").find(c) != std::string_view::npos;
    if (bad && !inside) out += "__";
    if (!bad) out += c;
    inside = bad;
  }
  return out.empty() || out == "." || out == ".." ? "model" : out;
}

// datetime.isoformat() with ":" made "-".
std::string iso_time(double unix_s) {
  const auto micros = static_cast<int64_t>(std::llround(unix_s * 1e6));
  const auto seconds = static_cast<std::time_t>(micros / 1'000'000);
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  std::string out = fmt::format("{:04}-{:02}-{:02}T{:02}-{:02}-{:02}",
                                parts.tm_year + 1900,
                                parts.tm_mon + 1,
                                parts.tm_mday,
                                parts.tm_hour,
                                parts.tm_min,
                                parts.tm_sec);
  if (micros % 1'000'000 != 0) out += fmt::format(".{:06}", micros % 1'000'000);
  return out;
}

// The harness's name for an exam; with the protocol if the run holds the suite more than once.
std::string group_name(const ExamManifest& exam, bool alone) {
  const std::string name =
      exam.suite == "ceval" && exam.split == "val" ? "ceval-valid" : exam.suite;
  return alone ? name : name + "@" + exam.protocol.name;
}

std::string task_name(const ExamManifest& exam, const std::string& subject, bool alone) {
  const bool whole = exam.subjects.size() == 1 && subject == exam.suite;
  return whole ? group_name(exam, alone) : group_name(exam, alone) + "_" + subject;
}

std::vector<LmEvalTask> collect(const std::filesystem::path& run,
                                const ExamManifest& exam,
                                bool alone) {
  std::vector<LmEvalTask> tasks;
  std::map<std::string, size_t> index;
  for (const SubjectInfo& subject : exam.subjects) {
    index[subject.id] = tasks.size();
    tasks.push_back({task_name(exam, subject.id, alone), subject.id, "", "", subject.items, 0, {}});
  }
  for_each_item(run, exam.key, [&](const StoredItem& stored) {
    if (std::holds_alternative<Failed>(stored.record.outcome)) return;
    const auto at = index.find(stored.record.subject);
    if (at == index.end()) {
      throw fail(Code::kInput,
                 "{}: item \"{}\": its subject \"{}\" is not in run.json",
                 run.string(),
                 stored.record.item,
                 stored.record.subject);
    }
    LmEvalTask& task = tasks[at->second];
    const LmEvalSample sample = lm_eval_sample(exam, stored);
    task.lines += python_dumps(sample.line) + "\n";
    task.hashes += sample.hashes;
    for (const auto& [metric, value] : sample.metrics) task.values[metric].push_back(value);
    ++task.effective;
  });
  return tasks;
}

struct MeanStderr {
  Json mean;
  Json stderr_;  // sample deviation over √n, "N/A" of fewer than two
};

MeanStderr mean_stderr(const std::vector<double>& values) {
  if (values.empty()) return {Json(), "N/A"};
  const auto n = static_cast<double>(values.size());
  double mean = 0, squares = 0;
  for (const double value : values) mean += value / n;
  for (const double value : values) squares += (value - mean) * (value - mean);
  if (values.size() < 2) return {mean, "N/A"};
  return {mean, std::sqrt(squares / (n - 1)) / std::sqrt(n)};
}

Json task_entry(const ExamManifest& exam, const LmEvalTask& task) {
  Json entry = {{"name", task.name}, {"alias", task.name}, {"sample_len", task.effective}};
  const std::string filter = lm_eval_filter(exam);
  for (const std::string& metric : lm_eval_metrics(exam)) {
    const auto values = task.values.find(metric);
    const MeanStderr m =
        mean_stderr(values == task.values.end() ? std::vector<double>() : values->second);
    entry[metric + "," + filter] = m.mean;
    entry[metric + "_stderr," + filter] = m.stderr_;
  }
  return entry;
}

// A micro average with the harness's pooled standard error (protocols §1.8).
Json group_entry(const ExamManifest& exam,
                 const std::string& group,
                 const std::vector<LmEvalTask>& tasks) {
  Json entry = {{"alias", group}, {"name", group}, {"sample_len", 0}};
  const std::string filter = lm_eval_filter(exam);
  Json counts = Json::object();
  for (const std::string& metric : lm_eval_metrics(exam)) {
    double sum = 0, pooled = 0;
    int64_t n = 0, k = 0;
    for (const LmEvalTask& task : tasks) {
      const auto found = task.values.find(metric);
      if (found == task.values.end()) continue;
      const MeanStderr m = mean_stderr(found->second);
      const auto size = static_cast<double>(found->second.size());
      sum += m.mean.get<double>() * size;
      if (m.stderr_.is_number()) {
        pooled += (size - 1) * m.stderr_.get<double>() * m.stderr_.get<double>() * size;
      }
      n += static_cast<int64_t>(found->second.size());
      ++k;
    }
    entry["sample_len"] = n;
    entry[metric + "," + filter] = n > 0 ? Json(sum / static_cast<double>(n)) : Json();
    entry[metric + "_stderr," + filter] =
        n > k ? Json(std::sqrt(pooled / static_cast<double>(n - k) / static_cast<double>(n)))
              : Json("N/A");
    counts[metric + "," + filter] = n;
  }
  entry["sample_count"] = counts;
  return entry;
}

Json task_config(const ExamManifest& exam, const LmEvalTask& task) {
  static constexpr const char* kOutputTypes[] = {
      "multiple_choice", "generate_until", "loglikelihood_rolling"};
  Json metrics = Json::array();
  for (const std::string& metric : lm_eval_metrics(exam)) {
    metrics.push_back({{"metric", metric},
                       {"aggregation", "mean"},
                       {"higher_is_better", exam.protocol.task != Task::kPerplexity}});
  }
  return {{"task", task.name},
          {"dataset_path", exam.suite},
          {"dataset_name", task.subject},
          {"test_split", exam.split},
          {"num_fewshot", exam.shots},
          {"metric_list", std::move(metrics)},
          {"output_type", kOutputTypes[static_cast<size_t>(exam.protocol.task)]},
          {"repeats", 1},
          {"should_decontaminate", false},
          {"metadata", {{"version", exam.version}, {"protocol", exam.protocol.id}}}};
}

void add_exam(Json& out,
              const ExamManifest& exam,
              const std::vector<LmEvalTask>& tasks,
              bool alone) {
  Json children = Json::array();
  for (const LmEvalTask& task : tasks) {
    children.push_back(task.name);
    out["results"][task.name] = task_entry(exam, task);
    out["configs"][task.name] = task_config(exam, task);
    out["versions"][task.name] = exam.version;
    out["n-shot"][task.name] = exam.shots;
    for (const std::string& metric : lm_eval_metrics(exam)) {
      out["higher_is_better"][task.name][metric] = exam.protocol.task != Task::kPerplexity;
    }
    out["n-samples"][task.name] = {{"original", task.original}, {"effective", task.effective}};
    out["task_hashes"][task.name] = sha256_hex(task.hashes);
  }
  if (tasks.size() < 2) return;
  const std::string group = group_name(exam, alone);
  out["results"][group] = group_entry(exam, group, tasks);
  out["groups"][group] = out["results"][group];
  out["group_subtasks"][group] = std::move(children);
}

// The keys of results_*.json in the harness's order.
Json results_frame(const std::vector<ExamManifest>& exams) {
  Json out = Json::object();
  out["results"] = Json::object();
  for (const ExamManifest& exam : exams) {
    if (exam.subjects.size() > 1) out["groups"] = Json::object();
  }
  for (const char* key : {"group_subtasks",
                          "configs",
                          "versions",
                          "n-shot",
                          "higher_is_better",
                          "n-samples",
                          "config"}) {
    out[key] = Json::object();
  }
  for (const char* key : {"git_hash",
                          "date",
                          "pretty_env_info",
                          "transformers_version",
                          "lm_eval_version",
                          "upper_git_hash"}) {
    out[key] = nullptr;
  }
  out["task_hashes"] = Json::object();
  return out;
}

void add_identity(Json& out, const Json& results, const std::string& model, double started_s) {
  const std::string template_hash = results["model"]["template_hash"].get<std::string>();
  out["config"] = {{"model", "keju"},
                   {"model_args", results["model"]["file"]},
                   {"model_num_parameters", results["model"]["parameters"]},
                   {"model_sha", results["model"]["weights_digest"]},
                   {"model_dtype", results["model"]["numeric_mode"]},
                   {"limit", results["exams"][0]["limit"]},
                   {"bootstrap_iters", 0}};
  out["date"] = started_s;
  out["model_source"] = "keju";
  out["model_name"] = model;
  out["model_name_sanitized"] = sanitized(model);
  out["system_instruction"] = nullptr;
  out["system_instruction_sha"] = nullptr;
  out["fewshot_as_multiturn"] = false;
  out["chat_template"] = nullptr;
  out["chat_template_sha"] = template_hash.empty() ? Json() : Json(template_hash);
  out["total_evaluation_time_seconds"] = python_float(results["speed"]["wall_s"].get<double>());
}

}  // namespace

std::vector<std::filesystem::path> export_lm_eval(const std::filesystem::path& run,
                                                  const std::filesystem::path& out) {
  const Json results = compute_results(run);
  const std::vector<ExamManifest> exams =
      manifest_exams(read_manifest(run), (run / "run.json").string());
  const std::vector<SessionRecord> sessions = read_sessions(run);
  const double started_s = sessions.empty() ? 0 : sessions.front().started_unix_s;
  const std::string time = iso_time(started_s);
  const std::string model = results["model"]["name"].get<std::string>();
  const std::filesystem::path folder = out / sanitized(model);
  std::filesystem::create_directories(folder);

  std::map<std::string, int> uses;
  for (const ExamManifest& exam : exams) ++uses[exam.suite];
  Json frame = results_frame(exams);
  std::vector<std::filesystem::path> written;
  for (const ExamManifest& exam : exams) {
    const bool alone = uses[exam.suite] == 1;
    const std::vector<LmEvalTask> tasks = collect(run, exam, alone);
    for (const LmEvalTask& task : tasks) {
      written.push_back(folder / fmt::format("samples_{}_{}.jsonl", sanitized(task.name), time));
      write_file_atomically(written.back(), task.lines);
    }
    add_exam(frame, exam, tasks, alone);
  }
  add_identity(frame, results, model, started_s);
  written.push_back(folder / fmt::format("results_{}.json", time));
  write_file_atomically(written.back(), python_dumps(frame, 2));
  return written;
}

}  // namespace keju
