// SPDX-License-Identifier: MIT
#include <algorithm>
#include <cmath>
#include <set>

#include "base/error.h"
#include "report/buyer.h"
#include "report/format.h"
#include "report/table_parts.h"

namespace keju {
namespace {

using What = Requirement::What;

std::string amount(double value) {
  if (value != 0 && std::abs(value) < 0.01) return fmt::format("{:.3g}", value);
  std::string text = fixed(value, std::abs(value) >= 10 ? 2 : 4);
  text.erase(text.find_last_not_of('0') + 1);
  if (text.ends_with('.')) text.pop_back();
  return text;
}

Cell amount_cell(const std::optional<double>& value) {
  return value ? Cell{amount(*value), *value} : Cell{kNone, nullptr};
}

// A measurement with its interval, in the requirement's unit.
struct Measured {
  std::optional<double> value, low, high;
  Text of;  // what it is of, where more than one thing could be meant
};

void add_score(const ModelRow& model, const Requirement& want, std::vector<Measured>& out) {
  for (const RunView* run : model.runs) {
    for (const ExamView& exam : run->exams) {
      if (exam.suite != want.suite || !exam.score.value || !exam.items.complete()) continue;
      const double scale = exam.lower_is_better() ? 1 : 100;
      Measured one;
      one.value = scale * *exam.score.value;
      if (exam.score.low) one.low = scale * *exam.score.low;
      if (exam.score.high) one.high = scale * *exam.score.high;
      one.of = fmt::format("{}, {}-shot", exam.protocol, exam.shots);
      out.push_back(one);
    }
  }
}

Measured ttft(const ModelRow& model, const Requirement& want) {
  std::vector<float> values;
  for (const RunView* run : model.runs) {
    for (const ExamView& exam : run->exams) {
      if (exam.stored == nullptr || (!want.suite.empty() && exam.suite != want.suite)) continue;
      values.insert(values.end(), exam.stored->ttft_s.begin(), exam.stored->ttft_s.end());
    }
  }
  if (values.empty()) return {};
  std::sort(values.begin(), values.end());
  const QuantileEstimate estimate = quantile(values, want.percentile / 100);
  return {estimate.value, estimate.low, estimate.high, fmt::format("n {}", values.size())};
}

Measured refusals(const ModelRow& model, const Requirement& want) {
  int64_t declined = 0, answers = 0;
  for (const RunView* run : model.runs) {
    for (const ExamView& exam : run->exams) {
      if (exam.stored == nullptr || (!want.suite.empty() && exam.suite != want.suite)) continue;
      declined += exam.stored->refusals;
      answers += static_cast<int64_t>(exam.stored->lengths.size());
    }
  }
  if (answers == 0) return {};
  const auto n = static_cast<double>(answers);
  const double share = static_cast<double>(declined) / n;
  const Interval interval = wilson(share, n);
  return {100 * share, 100 * interval.low, 100 * interval.high, fmt::format("n {}", answers)};
}

Measured price(const ModelRow& model) {
  const CorrectCost cost = correct_cost(model);
  if (!cost.cost || cost.correct <= 0) return {};
  const auto items = static_cast<double>(cost.items);
  Measured out{
      *cost.cost / cost.correct, *cost.cost / (items * cost.share.high), {}, cost.currency};
  if (cost.share.low > 0) out.high = *cost.cost / (items * cost.share.low);
  return out;
}

std::vector<Measured> measure(const ModelRow& model, const Requirement& want) {
  std::vector<Measured> out;
  switch (want.what) {
    case What::kScore:
      add_score(model, want, out);
      break;
    case What::kTtft:
      out.push_back(ttft(model, want));
      break;
    case What::kPricePerCorrect:
      out.push_back(price(model));
      break;
    case What::kRefusalRate:
      out.push_back(refusals(model, want));
      break;
  }
  if (out.empty()) out.emplace_back();
  return out;
}

Text requirement_text(const Requirement& want) {
  const std::string suite = want.suite.empty() ? "" : " " + want.suite;
  const std::string zh_limit =
      want.at_least ? " ≥ " + amount(*want.at_least) : " ≤ " + amount(*want.at_most);
  switch (want.what) {
    case What::kScore:
      return {"得分" + suite + zh_limit, "score" + suite + zh_limit};
    case What::kTtft: {
      const std::string p = fmt::format(" p{}", want.percentile);
      return {"首词元" + p + suite + zh_limit + " 秒", "TTFT" + p + suite + zh_limit + " s"};
    }
    case What::kPricePerCorrect:
      return {"每答对一题的价格" + zh_limit, "price per correct answer" + zh_limit};
    case What::kRefusalRate:
      return {"拒答率" + suite + zh_limit + " %", "refusal rate" + suite + zh_limit + " %"};
  }
  return {};
}

Text verdict_text(Met met) {
  switch (met) {
    case Met::kMet:
      return {"达到", "met"};
    case Met::kNotMet:
      return {"未达到", "not met"};
    case Met::kNotEstablished:
      break;
  }
  return {"不能断定", "not established"};
}

Cell interval_of(const Measured& measured) {
  if (!measured.low && !measured.high) return {kNone, nullptr};
  const auto end = [](const std::optional<double>& value) {
    return value ? amount(*value) : std::string("?");
  };
  return {end(measured.low) + "–" + end(measured.high),
          Json::array({measured.low ? Json(*measured.low) : Json(),
                       measured.high ? Json(*measured.high) : Json()})};
}

}  // namespace

Table price_table(const Standings& standings) {
  Table table;
  table.id = "price";
  table.title = {"每答对一题的代价", "What a correct answer costs"};
  table.chapter = Chapter::kBuyer;
  table.notes = {
      {"一个模型全部运行的花费除以答对的题数；价格由使用者的文件给出（--"
       "models，例如机器每小时的价格），"
       "没有价格时只列秒数与词元。区间来自正确率的 Wilson 区间。所做试卷不同的模型在此不可比。",
       "All that a model's runs spent over what they got right; prices come from a file of your "
       "own "
       "(--models; a machine's hourly price for instance), without one there are only seconds and "
       "tokens. The interval follows from Wilson's for the share of right answers. Models that sat "
       "other papers are not comparable here."}};
  table.columns = {{"model", {"模型", "Model"}, Column::Kind::kModel},
                   {"currency", {"币种", "Currency"}, Column::Kind::kText},
                   {"price", {"每题价格", "Price per correct"}},
                   {"interval", {"95% 区间", "95% interval"}},
                   {"seconds", {"每题秒数", "Seconds per correct"}},
                   {"tokens", {"每题词元", "Tokens per correct"}},
                   {"correct", {"答对", "Correct"}},
                   {"items", {"题数", "Items"}}};
  for (const ModelRow& model : standings.models) {
    const CorrectCost cost = correct_cost(model);
    if (cost.items == 0) continue;
    const Measured measured = price(model);
    Cell money = amount_cell(measured.value);
    if (!cost.cost) money.marks.push_back({"无价格", "no price"});
    const bool some = cost.correct > 0;
    table.rows.push_back(
        {text_cell(model.name),
         cost.currency.empty() ? Cell{kNone, nullptr} : text_cell(cost.currency),
         money,
         interval_of(measured),
         amount_cell(some ? std::optional<double>(cost.seconds / cost.correct) : std::nullopt),
         some ? Cell{per_second(cost.tokens / cost.correct), cost.tokens / cost.correct}
              : Cell{kNone, nullptr},
         Cell{fixed(cost.correct, 0), cost.correct},
         count_cell(cost.items)});
  }
  std::set<std::string> currencies;
  for (const auto& row : table.rows) {
    if (!row[1].value.is_null()) currencies.insert(row[1].value.get<std::string>());
  }
  if (currencies.size() == 1) mark_best(table, {"price"}, true);
  mark_best(table, {"seconds", "tokens"}, true);
  drop_empty(table, {"currency", "price", "interval"});
  return table;
}

Table acceptance_table(const Standings& standings, ReportResult& result) {
  Table table;
  table.id = "acceptance";
  table.title = {"验收", "Acceptance"};
  table.chapter = Chapter::kBuyer;
  if (!standings.options->acceptance) return table;
  table.notes = {
      {"区间整个满足要求为“达到”，整个不满足为“未达到”，其余为“不能断定”。拒答率：以“抱歉”“我无法”"
       "等"
       "开头的生成答案。",
       "Met where the whole 95% interval keeps to the limit, not met where none of it does, "
       "otherwise not established. Refusal rate: generated answers that begin by declining."}};
  table.columns = {{"model", {"模型", "Model"}, Column::Kind::kModel},
                   {"requirement", {"要求", "Requirement"}, Column::Kind::kText},
                   {"of", {"依据", "Of"}, Column::Kind::kText},
                   {"found", {"实测", "Found"}},
                   {"interval", {"95% 区间", "95% interval"}},
                   {"verdict", {"结论", "Verdict"}, Column::Kind::kText}};
  const std::vector<Requirement> wanted = read_requirements(*standings.options->acceptance);
  for (const ModelRow& model : standings.models) {
    for (const Requirement& want : wanted) {
      if (!want.model.empty() && want.model != model.name) continue;
      for (const Measured& measured : measure(model, want)) {
        const Met met = judge(want, measured.low, measured.high);
        const Text verdict = verdict_text(met), text = requirement_text(want);
        const Cell interval = interval_of(measured);
        result.all_met = result.all_met && met == Met::kMet;
        result.any_failed = result.any_failed || met == Met::kNotMet;
        const std::string found =
            measured.value ? amount(*measured.value) + " [" + interval.text.en + "]" : "—";
        result.acceptance.push_back({model.name, text.en, found, verdict.en});
        table.rows.push_back({text_cell(model.name),
                              text_cell(text),
                              measured.of.empty() ? Cell{kNone, nullptr} : text_cell(measured.of),
                              amount_cell(measured.value),
                              interval,
                              text_cell(verdict)});
      }
    }
  }
  return table;
}

}  // namespace keju
