// SPDX-License-Identifier: MIT
#include "report/buyer.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/yaml.h"
#include "report/format.h"
#include "report/table_parts.h"

namespace keju {
namespace {

// P[Bin(n, p) <= k] for all k from 0 to n, from logarithms, so that no term underflows early.
std::vector<double> binomial_cdf(size_t n, double p) {
  std::vector<double> out(n + 1);
  const auto size = static_cast<double>(n);
  double sum = 0;
  for (size_t k = 0; k <= n; ++k) {
    const auto count = static_cast<double>(k);
    sum += std::exp(std::lgamma(size + 1) - std::lgamma(count + 1) - std::lgamma(size - count + 1) +
                    count * std::log(p) + (size - count) * std::log1p(-p));
    out[k] = std::min(sum, 1.0);
  }
  return out;
}

Requirement::What what_of(const Yaml& node) {
  static const std::vector<std::string> kNames = {
      "score", "ttft", "price_per_correct", "refusal_rate"};
  const auto name = std::find(kNames.begin(), kNames.end(), node.text());
  if (name == kNames.end()) {
    throw fail(Code::kInput,
               "{}: what: found \"{}\"{}",
               node.at(),
               node.text(),
               suggestion(node.text(), kNames));
  }
  return static_cast<Requirement::What>(name - kNames.begin());
}

Requirement requirement_of(const Yaml& node) {
  node.only({"what", "suite", "model", "percentile", "at_least", "at_most"});
  Requirement out;
  out.what = what_of(node.get("what"));
  if (const Yaml* suite = node.find("suite")) out.suite = suite->text();
  if (const Yaml* model = node.find("model")) out.model = model->text();
  if (const Yaml* percentile = node.find("percentile")) out.percentile = percentile->number();
  if (const Yaml* limit = node.find("at_least")) out.at_least = limit->number();
  if (const Yaml* limit = node.find("at_most")) out.at_most = limit->number();
  if (out.at_least.has_value() == out.at_most.has_value()) {
    throw fail(Code::kInput, "{}: need one of at_least and at_most", node.at());
  }
  if (out.what == Requirement::What::kScore && out.suite.empty()) {
    throw fail(Code::kInput, "{}: score: need the suite that it is of", node.at());
  }
  if (!(out.percentile > 0 && out.percentile < 100)) {
    throw fail(Code::kInput, "{}: percentile: need a number between 0 and 100", node.at());
  }
  return out;
}

}  // namespace

CorrectCost correct_cost(const ModelRow& model) {
  CorrectCost out;
  double input = 0, output = 0;
  for (const RunView* run : model.runs) {
    out.seconds += run->wall_s;
    out.tokens += static_cast<double>(run->tokens_computed);
    for (const ExamView& exam : run->exams) {
      if (exam.stored != nullptr) {
        input += static_cast<double>(exam.stored->prompt_tokens);
        output += static_cast<double>(exam.stored->output_tokens);
      }
      if (exam.lower_is_better() || !exam.micro.value) continue;
      out.correct += *exam.micro.value * static_cast<double>(exam.micro.n);
      out.items += exam.micro.n;
    }
  }
  if (out.items > 0) {
    const auto items = static_cast<double>(out.items);
    out.share = wilson(out.correct / items, items);
  }
  if (model.runs[0]->price) {
    const Price& price = *model.runs[0]->price;
    out.currency = price.currency;
    out.cost = price.per_hour ? *price.per_hour * out.seconds / 3600
                              : (price.input * input + price.output * output) / 1e6;
  }
  return out;
}

QuantileEstimate quantile(const std::vector<float>& rising, double p) {
  QuantileEstimate out;
  const size_t n = rising.size();
  const auto place = static_cast<size_t>(std::ceil(p * static_cast<double>(n)));
  out.value = rising[std::clamp<size_t>(place, 1, n) - 1];
  const std::vector<double> cdf = binomial_cdf(n, p);
  // The j-th smallest lies below the quantile with probability 1 − P[Bin <= j − 1] or less.
  for (size_t j = n; j >= 1; --j) {
    if (cdf[j - 1] > 0.025) continue;
    out.low = rising[j - 1];
    break;
  }
  for (size_t k = 1; k <= n; ++k) {
    if (cdf[k - 1] < 0.975) continue;
    out.high = rising[k - 1];
    break;
  }
  return out;
}

std::vector<Requirement> read_requirements(const std::filesystem::path& path) {
  const Yaml root = Yaml::load(path);
  root.only({"requirements"});
  std::vector<Requirement> out;
  for (const Yaml& node : root.get("requirements").list()) out.push_back(requirement_of(node));
  return out;
}

Met judge(const Requirement& requirement,
          const std::optional<double>& low,
          const std::optional<double>& high) {
  if (requirement.at_least) {
    if (low && *low >= *requirement.at_least) return Met::kMet;
    if (high && *high < *requirement.at_least) return Met::kNotMet;
  } else {
    if (high && *high <= *requirement.at_most) return Met::kMet;
    if (low && *low > *requirement.at_most) return Met::kNotMet;
  }
  return Met::kNotEstablished;
}

}  // namespace keju
