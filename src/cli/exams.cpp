// SPDX-License-Identifier: MIT
#include "cli/exams.h"

#include "base/error.h"

namespace keju {

void add_exam_options(CLI::App& app, ExamChoice& choice) {
  app.add_option("--suite,-s", choice.suites, "Suite names or .yaml paths; see `keju suites list`")
      ->required()
      ->delimiter(',');
  app.add_option("--data", choice.data, "Folder that holds one folder per data set (cmmlu/test/…)");
  app.add_option(
         "--protocol", choice.protocol, "Variant: official, lm-eval, opencompass, or a full id")
      ->capture_default_str();
  app.add_option("--split", choice.split, "Split; default the suite's own");
  app.add_option("--subjects", choice.subjects, "Only these subjects")->delimiter(',');
  app.add_option(
      "--shots", choice.shots, "Worked examples in the prompt; default the protocol's own");
  app.add_option("--limit", choice.limit, "First N items of each subject")
      ->check(CLI::PositiveNumber);
  app.add_option("--samples",
                 choice.samples,
                 "Generations for each item: their mean, and pass@k; default the protocol's own")
      ->check(CLI::PositiveNumber);
  app.add_option("--temperature", choice.temperature, "Of generation; default the protocol's own");
  app.add_flag("--chat", choice.chat, "Generation in the model's own chat template");
  app.add_flag(
      "--cyclic",
      choice.cyclic,
      "Each question in every rotation of its options: mean, worst, all right, letter bias");
}

std::vector<std::unique_ptr<Exam>> open_exams(const ExamChoice& choice) {
  std::vector<std::unique_ptr<Exam>> exams;
  for (const std::string& suite : choice.suites) {
    for (const std::string& part : expand_suite(suite)) {
      ExamOptions options;
      options.suite = part;
      if (!choice.data.empty()) options.data = choice.data;
      options.protocol = choice.protocol;
      options.split = choice.split;
      options.subjects = choice.subjects;
      options.shots = choice.shots;
      options.limit = choice.limit;
      options.samples = choice.samples;
      options.temperature = choice.temperature;
      if (choice.chat) options.chat = true;
      options.cyclic = choice.cyclic;
      exams.push_back(Exam::open(options));
    }
  }
  return exams;
}

}  // namespace keju
