// SPDX-License-Identifier: MIT
#include <algorithm>

#include "base/error.h"
#include "gate/compare.h"
#include "report/escape.h"
#include "run/csv_cell.h"

namespace keju {
namespace {

Json unlike_json(const std::vector<Unlikeness>& unlike) {
  Json out = Json::array();
  for (const Unlikeness& u : unlike) {
    out.push_back({{"exam", u.exam},
                   {"field", u.field},
                   {"a", u.a},
                   {"b", u.b},
                   {"why", u.why},
                   {"refuses", u.refuses}});
  }
  return out;
}

Json row_json(const ComparedRow& row) {
  Json out{{"exam", row.exam},
           {"kind", row.kind},
           {"part", row.part},
           {"average", row.average},
           {"a", row.a},
           {"b", row.b},
           {"difference", row.b - row.a}};
  for (const char* key : {"low", "high", "se", "p", "p_adjusted", "method", "mcnemar_exact"})
    out[key] = nullptr;
  if (!row.difference) return out;
  const PairedDifference& d = *row.difference;
  out["low"] = d.interval.low;
  out["high"] = d.interval.high;
  out["se"] = d.mean.se;
  out["p"] = d.p;
  out["p_adjusted"] = row.p_adjusted;
  out["method"] = d.method;
  out["mcnemar_exact"] = mcnemar_exact(d.counts.first_only, d.counts.second_only);
  out["items"] = d.mean.count;
  out["clusters"] = d.mean.clusters;
  out["design_effect"] = d.mean.design_effect;
  out["only_a_right"] = d.counts.first_only;
  out["only_b_right"] = d.counts.second_only;
  return out;
}

Json answer_json(const AnsweredItem& item) {
  return {{"value", item.value},
          {"choice", item.choice},
          {"said", item.said},
          {"extracted", item.extracted},
          {"option_scores", item.option_scores}};
}

Json percentile_json(const std::vector<std::pair<double, double>>& list) {
  Json out = Json::object();
  for (const auto& [percent, value] : list) out[fmt::format("{}", percent)] = value;
  return out;
}

Json quant_json(const QuantView& view) {
  return {{"exam", view.exam},
          {"items", view.items},
          {"same_choice", view.same_choice},
          {"right_to_wrong", view.right_to_wrong},
          {"wrong_to_right", view.wrong_to_right},
          {"kl_mean", view.kl.value},
          {"kl_se", view.kl.stderr_ ? Json(*view.kl.stderr_) : Json()},
          {"kl_percentiles", percentile_json(view.kl_percentiles)},
          {"delta_p_mean", view.delta_p.value},
          {"delta_p_rms", view.delta_p_rms},
          {"delta_p_percentiles", percentile_json(view.delta_p_percentiles)}};
}

std::string points(double share) { return fmt::format("{:+.2f}", 100 * share); }

std::string p_text(double p) { return p < 0.0001 ? "<0.0001" : fmt::format("{:.4f}", p); }

std::string row_line(const ComparedRow& row) {
  const auto score = [&](double x) {
    return row.bits ? fmt::format("{:.4f}", x) : fmt::format("{:.2f}", 100 * x);
  };
  const auto change = [&](double x) { return row.bits ? fmt::format("{:+.4f}", x) : points(x); };
  std::string line = fmt::format("| {} | {} | {} | {} | {} |",
                                 markdown(row.part),
                                 row.average,
                                 score(row.a),
                                 score(row.b),
                                 change(row.b - row.a));
  if (!row.difference) return line + " n/a | | | | | |\n";
  const PairedDifference& d = *row.difference;
  return line + fmt::format(" {} to {} | {} | {} | {} | {} | {} |\n",
                            change(d.interval.low),
                            change(d.interval.high),
                            d.clustered
                                ? fmt::format("{} ({} clusters)", d.mean.count, d.mean.clusters)
                                : std::to_string(d.mean.count),
                            d.counts.first_only,
                            d.counts.second_only,
                            p_text(d.p),
                            p_text(row.p_adjusted) + (row.p_adjusted < 0.05 ? " *" : ""));
}

std::string table(const Comparison& comparison, const std::string& kind) {
  std::string lines;
  for (const ComparedRow& row : comparison.rows) {
    if (row.kind == kind) lines += row_line(row);
  }
  if (lines.empty()) return "";
  return fmt::format(
             "\n| {} | average | A | B | B − A | 95 % | items | only A right | only B right | p | "
             "p adjusted |\n"
             "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n",
             kind) +
         lines;
}

std::string output_of(const AnsweredItem& item) {
  if (item.option_scores.empty()) return markdown(visible(item.said, 160));
  std::string out = markdown(item.said) + " (";
  for (size_t i = 0; i < item.option_scores.size(); ++i)
    out += fmt::format("{}{:.3f}", i == 0 ? "" : " ", item.option_scores[i]);
  return out + ")";
}

std::string flips_table(const Comparison& comparison, int64_t most) {
  if (comparison.flips.empty()) return "\nNo item changed sides.\n";
  const auto shown =
      std::min<size_t>(comparison.flips.size(), static_cast<size_t>(std::max<int64_t>(most, 0)));
  std::string out =
      fmt::format("\n{} items changed sides; {} shown.\n", comparison.flips.size(), shown);
  if (shown == 0) return out;
  out += "\n| item | right | A gave | B gave |\n| --- | --- | --- | --- |\n";
  for (size_t i = 0; i < shown; ++i) {
    const auto& [a, b] = comparison.flips[i].pair;
    out += fmt::format("| {} | {} | {} | {} |\n",
                       markdown(a->id),
                       a->value > 0.5 ? "A" : "B",
                       output_of(*a),
                       output_of(*b));
  }
  return out;
}

std::string quant_text(const QuantView& view) {
  std::string out = fmt::format(
      "\n{}: {} items, the same choice in {} ({:.2f} %); right to wrong {}, wrong to right {}.\n"
      "KL(A‖B) over the options: mean {:.3g} nats{}",
      markdown(view.exam),
      view.items,
      view.same_choice,
      100 * static_cast<double>(view.same_choice) / static_cast<double>(view.items),
      view.right_to_wrong,
      view.wrong_to_right,
      view.kl.value,
      view.kl.stderr_ ? fmt::format(" ± {:.2g}", *view.kl.stderr_) : "");
  for (const auto& [percent, value] : view.kl_percentiles)
    out += fmt::format(", {} % {:.3g}", percent, value);
  out += fmt::format(".\nΔp of the right option, in points: mean {}, rms {:.2f}",
                     points(view.delta_p.value),
                     100 * view.delta_p_rms);
  for (const auto& [percent, value] : view.delta_p_percentiles)
    out += fmt::format(", {} % {}", percent, points(value));
  return out + ".\n";
}

}  // namespace

Json to_json(const Comparison& comparison, const AnsweredRun& a, const AnsweredRun& b) {
  Json rows = Json::array(), flips = Json::array(), quant = Json::array(), joined = Json::array();
  for (const ComparedRow& row : comparison.rows) rows.push_back(row_json(row));
  for (const Flip& flip : comparison.flips) {
    flips.push_back({{"exam", flip.exam},
                     {"item", flip.pair.a->id},
                     {"subject", flip.pair.a->subject},
                     {"gold", flip.pair.a->gold},
                     {"a", answer_json(*flip.pair.a)},
                     {"b", answer_json(*flip.pair.b)}});
  }
  for (const QuantView& view : comparison.quant) quant.push_back(quant_json(view));
  for (const auto& [exam, j] : comparison.joined) {
    joined.push_back({{"exam", exam},
                      {"items", j.pairs.size()},
                      {"only_a", j.only_a},
                      {"only_b", j.only_b},
                      {"other_prompt", j.other_prompt},
                      {"uncounted", j.uncounted}});
  }
  return {{"schema", kCompareSchema},
          {"a", {{"run", a.where}, {"model", a.model}}},
          {"b", {{"run", b.where}, {"model", b.model}}},
          {"refused", comparison.refused},
          {"unlike", unlike_json(comparison.unlike)},
          {"joined", std::move(joined)},
          {"rows", std::move(rows)},
          {"flips", std::move(flips)},
          {"quant", std::move(quant)}};
}

std::string to_markdown(const Comparison& comparison,
                        const AnsweredRun& a,
                        const AnsweredRun& b,
                        int64_t most_flips) {
  std::string out = fmt::format("A: {} ({})\nB: {} ({})\n",
                                markdown(a.model),
                                markdown(a.where),
                                markdown(b.model),
                                markdown(b.where));
  for (const Unlikeness& u : comparison.unlike)
    out += fmt::format(
        "- {}{}\n", u.refuses ? "**not the same exam** " : "", markdown(say(u), kLongestNote));
  for (const auto& [exam, j] : comparison.joined) {
    if (j.only_a + j.only_b + j.uncounted + j.other_prompt == 0) continue;
    out += fmt::format(
        "- {}: {} items joined; {} only in A, {} only in B, {} without a score in either, {} asked "
        "in other words\n",
        markdown(exam),
        j.pairs.size(),
        j.only_a,
        j.only_b,
        j.uncounted,
        j.other_prompt);
  }
  if (comparison.refused) {
    return out +
           "\nNot compared: the runs did not sit the same exam. --across-protocols compares what "
           "can be joined.\n";
  }
  for (const char* kind : {"suite", "category", "subject"}) out += table(comparison, kind);
  out +=
      "\np: McNemar's mid-p; with macro averages or clusters, t from cluster-robust errors. "
      "Adjusted: Holm over suites, "
      "Benjamini-Hochberg over categories and over subjects; * below 0.05.\n";
  for (const QuantView& view : comparison.quant) out += quant_text(view);
  return out + flips_table(comparison, most_flips);
}

}  // namespace keju
