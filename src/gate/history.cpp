// SPDX-License-Identifier: MIT
#include "gate/history.h"

#include <algorithm>
#include <cmath>
#include <ctime>
#include <map>

#include "base/error.h"
#include "gate/compare.h"
#include "report/escape.h"
#include "run/results.h"
#include "score/statistics/multiplicity.h"

namespace keju {
namespace {

struct Sitting {
  AnsweredRun answers;
  Json results;
  double started_unix_s = 0;
};

std::string text_at(const Json& object, const char* key) {
  return object.is_object() && object.contains(key) && object[key].is_string()
             ? object[key].get<std::string>()
             : "";
}

HistoryPoint point_of(const Sitting& sitting, const Json& exam) {
  HistoryPoint out;
  out.run = sitting.answers.where;
  out.model = sitting.answers.model;
  out.started_unix_s = sitting.started_unix_s;
  const Json& environment = member(sitting.answers.manifest, "environment", out.run);
  out.commit = text_at(environment, "commit");
  const Json& items = member(exam, "items", out.run);
  out.complete =
      int_member(items, "failed", out.run) == 0 && int_member(items, "unfinished", out.run) == 0;
  const Json& score = member(exam, "score", out.run);
  const auto number = [&](const char* key) {
    return score.contains(key) && score[key].is_number()
               ? std::optional<double>(score[key].get<double>())
               : std::nullopt;
  };
  out.score = number("value");
  out.low = number("low");
  out.high = number("high");
  return out;
}

void add_steps(HistoryLine& line, const std::vector<const Sitting*>& sittings) {
  std::vector<double> p;
  for (size_t i = 1; i < line.points.size(); ++i) {
    HistoryPoint& point = line.points[i];
    const AnsweredExam &before = *sittings[i - 1]->answers.find(line.exam),
                       &now = *sittings[i]->answers.find(line.exam);
    const auto unlike = unlike_exams(exam_entry(sittings[i - 1]->answers, line.exam),
                                     exam_entry(sittings[i]->answers, line.exam));
    if (!unlike.empty()) {
      point.note = "not the same exam as before: " + unlike[0].field;
    } else {
      point.step = difference_of(join(before, now).pairs, line.average == "macro");
    }
    p.push_back(point.step ? point.step->p : 1);
  }
  const auto adjusted = holm(p);
  for (size_t i = 1; i < line.points.size(); ++i) line.points[i].p_adjusted = adjusted[i - 1];
}

std::string date(double unix_s) {
  const auto seconds = static_cast<std::time_t>(unix_s);
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  return fmt::format("{:04}-{:02}-{:02} {:02}:{:02}",
                     parts.tm_year + 1900,
                     parts.tm_mon + 1,
                     parts.tm_mday,
                     parts.tm_hour,
                     parts.tm_min);
}

// The interval on a scale of its own line's lows and highs.
std::string bar(const HistoryPoint& point, double from, double to) {
  constexpr int kWidth = 30;
  if (!point.score || !(to > from)) return "";
  const auto column = [&](double x) {
    return std::clamp(
        static_cast<int>(std::lround((x - from) / (to - from) * (kWidth - 1))), 0, kWidth - 1);
  };
  const int low = column(point.low.value_or(*point.score)),
            high = column(point.high.value_or(*point.score)), at = column(*point.score);
  std::string out;
  for (int i = 0; i < kWidth; ++i) out += i == at ? "●" : i >= low && i <= high ? "─" : "·";
  return out;
}

std::string line_text(const HistoryLine& line) {
  double from = 1e300, to = -1e300;
  for (const HistoryPoint& p : line.points) {
    if (!p.score) continue;
    from = std::min(from, p.low.value_or(*p.score));
    to = std::max(to, p.high.value_or(*p.score));
  }
  const auto show = [&](double x, bool sign) {
    const double shown = line.bits ? x : 100 * x;
    return line.bits ? (sign ? fmt::format("{:+.4f}", shown) : fmt::format("{:.4f}", shown))
                     : (sign ? fmt::format("{:+.2f}", shown) : fmt::format("{:.2f}", shown));
  };
  std::string out = fmt::format(
      "\n{} ({}{}); bars from {} to {}\n\n| run | begun (UTC) | commit | score | 95 % | | step | "
      "95 % | p adjusted |\n"
      "| --- | --- | --- | ---: | ---: | --- | ---: | ---: | ---: |\n",
      markdown(line.exam),
      line.average,
      line.bits ? ", bits per byte" : "",
      show(from, false),
      show(to, false));
  for (const HistoryPoint& p : line.points) {
    out +=
        fmt::format("| {}{} | {} | {} | {} | {} | {} |",
                    markdown(p.run),
                    p.complete ? "" : " (incomplete)",
                    date(p.started_unix_s),
                    markdown(p.commit),
                    p.score ? show(*p.score, false) : "n/a",
                    p.low && p.high ? show(*p.low, false) + " to " + show(*p.high, false) : "n/a",
                    bar(p, from, to));
    if (p.step) {
      out += fmt::format(" {} | {} to {} | {:.4f}{} |\n",
                         show(p.step->mean.value, true),
                         show(p.step->interval.low, true),
                         show(p.step->interval.high, true),
                         p.p_adjusted,
                         p.p_adjusted < 0.05 ? " *" : "");
    } else {
      out += fmt::format(" {} | | |\n", markdown(p.note));
    }
  }
  return out;
}

}  // namespace

std::vector<HistoryLine> read_history(const std::vector<std::filesystem::path>& runs) {
  std::vector<Sitting> sittings;
  for (const auto& run : runs) {
    const auto sessions = read_sessions(run);
    sittings.push_back({read_answers(run),
                        read_results(run),
                        sessions.empty() ? 0 : sessions.front().started_unix_s});
  }
  std::stable_sort(sittings.begin(), sittings.end(), [](const Sitting& a, const Sitting& b) {
    return a.started_unix_s < b.started_unix_s;
  });
  std::vector<HistoryLine> lines;
  std::vector<std::vector<const Sitting*>> sat;
  for (const Sitting& sitting : sittings) {
    for (const Json& exam : member(sitting.results, "exams", sitting.answers.where)) {
      const std::string key = string_member(exam, "key", sitting.answers.where);
      if (sitting.answers.find(key) == nullptr)
        throw fail(Code::kInput,
                   "{}: results.json: exam {} is not in run.json",
                   sitting.answers.where,
                   key);
      size_t at = 0;
      while (at < lines.size() && lines[at].exam != key) ++at;
      if (at == lines.size()) {
        lines.push_back({key,
                         string_member(exam, "average", sitting.answers.where),
                         string_member(exam, "metric", sitting.answers.where) == "bits_per_byte",
                         {}});
        sat.emplace_back();
      }
      lines[at].points.push_back(point_of(sitting, exam));
      sat[at].push_back(&sitting);
    }
  }
  for (size_t i = 0; i < lines.size(); ++i) add_steps(lines[i], sat[i]);
  return lines;
}

std::vector<Chart> to_charts(const std::vector<HistoryLine>& lines) {
  std::vector<Chart> charts;
  std::map<std::string, int> uses;
  for (const HistoryLine& line : lines) {
    const double scale = line.bits ? 1 : 100;
    TrendChart trend;
    trend.decimals = line.bits ? 3 : 1;
    const auto scaled = [&](const std::optional<double>& x) {
      return x ? std::optional<double>(scale * *x) : std::nullopt;
    };
    for (const HistoryPoint& p : line.points) {
      const std::string label = p.commit.empty() ? date(p.started_unix_s) : p.commit.substr(0, 9);
      trend.points.push_back({label,
                              scaled(p.score),
                              scaled(p.low),
                              scaled(p.high),
                              p.step.has_value() && p.p_adjusted < 0.05});
    }
    std::string id = slug(line.exam);
    const int use = ++uses[id];
    if (use > 1) id += fmt::format("-{}", use);
    const std::string unit = line.bits ? "bits per byte" : line.average;
    charts.push_back({id, line.exam + " (" + unit + ")", {}, std::move(trend)});
  }
  return charts;
}

Json to_json(const std::vector<HistoryLine>& lines) {
  const auto number = [](const std::optional<double>& x) { return x ? Json(*x) : Json(); };
  Json out = Json::array();
  for (const HistoryLine& line : lines) {
    Json points = Json::array();
    for (const HistoryPoint& p : line.points) {
      Json step;
      if (p.step) {
        step = {{"difference", p.step->mean.value},
                {"low", p.step->interval.low},
                {"high", p.step->interval.high},
                {"p", p.step->p},
                {"p_adjusted", p.p_adjusted},
                {"items", p.step->mean.count}};
      }
      points.push_back({{"run", p.run},
                        {"model", p.model},
                        {"commit", p.commit},
                        {"started_unix_s", p.started_unix_s},
                        {"complete", p.complete},
                        {"score", number(p.score)},
                        {"low", number(p.low)},
                        {"high", number(p.high)},
                        {"step", step},
                        {"note", p.note}});
    }
    out.push_back({{"exam", line.exam}, {"average", line.average}, {"points", std::move(points)}});
  }
  return {{"schema", kHistorySchema}, {"lines", std::move(out)}};
}

std::string to_markdown(const std::vector<HistoryLine>& lines) {
  std::string out;
  for (const HistoryLine& line : lines) out += line_text(line);
  return out +
         "\nStep: paired with the run before; adjusted by Holm over an exam's steps; * below "
         "0.05.\n";
}

}  // namespace keju
