// SPDX-License-Identifier: MIT
#include "report/chart.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "report/format.h"
#include "report/svg.h"

namespace keju {
namespace {

using Anchor = Svg::Anchor;
constexpr double kRow = 27;
constexpr double kPi = 3.14159265358979323846;

// Maps [from, to] to [start, end], clamped.
struct Scale {
  double from, to, start, end;
  double operator()(double value) const {
    const double share = to > from ? (value - from) / (to - from) : 0;
    return start + (end - start) * std::clamp(share, 0.0, 1.0);
  }
};

double label_width(const std::vector<Text>& labels, double most) {
  double width = 60;
  for (const Text& label : labels) {
    width = std::max({width, text_width(label.zh, 13), text_width(label.en, 13)});
  }
  return std::min(width + 12, most);
}

// A step of 1, 2 or 5 times a power of ten that cuts `span` in about `parts`.
double nice_step(double span, int parts) {
  const double raw = span / parts;
  if (!(raw > 0)) return 1;
  const double power = std::pow(10.0, std::floor(std::log10(raw)));
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (raw <= factor * power * 1.0001) return factor * power;
  }
  return 10 * power;
}

std::string tick(double value) {
  if (value == 0) return "0";
  if (value >= 1e9) return fixed(value / 1e9, value < 1e10 && std::fmod(value, 1e9) != 0) + "B";
  if (value >= 1e6) return fixed(value / 1e6, 0) + "M";
  if (value >= 1e4) return fixed(value / 1e3, 0) + "k";
  return fixed(value, value < 1 ? 2 : value < 10 && std::fmod(value, 1) != 0 ? 1 : 0);
}

std::string draw(const BarChart& bars, const Text& label, std::optional<bool> chinese) {
  Svg svg(640, chinese);
  std::vector<Text> labels;
  for (const BarChart::Row& row : bars.rows) labels.push_back(row.label);
  const double left = label_width(labels, 256), right = 640 - 62;
  const Scale x{bars.from, bars.to, left, right};
  const double bottom = 8 + kRow * static_cast<double>(bars.rows.size());
  const double step = nice_step(bars.to - bars.from, 5);
  for (double at = bars.from; at <= bars.to * 1.0001; at += step) {
    svg.line(x(at), 4, x(at), bottom, "axis");
    svg.text(x(at), bottom + 16, tick(at), Anchor::kMiddle, "small quiet");
  }
  double y = 8;
  for (const BarChart::Row& row : bars.rows) {
    svg.text(left - 10, y + 17, row.label, Anchor::kEnd, row.quiet ? "quiet" : "", left - 12);
    svg.rect(left, y + 5, x(row.value) - left, 16, row.quiet ? "bar soft" : "bar");
    if (row.low && row.high) {
      svg.line(x(*row.low), y + 13, x(*row.high), y + 13, "whisker");
      for (const double end : {*row.low, *row.high}) {
        svg.line(x(end), y + 9, x(end), y + 17, "whisker");
      }
    }
    svg.text(640, y + 17, fixed(row.value, bars.decimals), Anchor::kEnd, "strong");
    y += kRow;
  }
  if (bars.chance) svg.line(x(*bars.chance), 4, x(*bars.chance), bottom, "chance");
  return svg.finish(bottom + 24, label);
}

std::string draw(const RadarChart& radar, const Text& label, std::optional<bool> chinese) {
  Svg svg(420, chinese);
  const double cx = 210, cy = 160, radius = 108;
  const auto count = static_cast<double>(radar.axes.size());
  const auto place = [&](size_t axis, double value) {
    const double angle = 2 * kPi * static_cast<double>(axis) / count - kPi / 2;
    const double r = radius * std::clamp(value, 0.0, 100.0) / 100;
    return std::make_pair(cx + r * std::cos(angle), cy + r * std::sin(angle));
  };
  for (const double ring : {25.0, 50.0, 75.0, 100.0}) {
    std::vector<std::pair<double, double>> points;
    for (size_t a = 0; a < radar.axes.size(); ++a) points.push_back(place(a, ring));
    svg.polygon(points, "frame");
  }
  std::vector<std::pair<double, double>> values, best;
  for (size_t a = 0; a < radar.axes.size(); ++a) {
    const auto [x, y] = place(a, 100);
    svg.line(cx, cy, x, y, "axis");
    const double lx = cx + (x - cx) * 1.1, ly = cy + (y - cy) * 1.13;
    const Anchor anchor = std::abs(lx - cx) < 12 ? Anchor::kMiddle
                          : lx > cx              ? Anchor::kStart
                                                 : Anchor::kEnd;
    const double room = anchor == Anchor::kMiddle ? 200 : anchor == Anchor::kStart ? 418 - lx : lx;
    svg.text(lx, ly + 4, radar.axes[a], anchor, "small", room, 12);
    if (radar.best[a]) best.push_back(place(a, *radar.best[a]));
    values.push_back(place(a, radar.values[a].value_or(0)));
  }
  svg.polygon(best, "best");
  svg.polygon(values, "area");
  for (const auto& [x, y] : values) svg.circle(x, y, 2.6, "point");
  return svg.finish(322, label);
}

std::string draw(const HeatMap& heat, const Text& label, std::optional<bool> chinese) {
  std::vector<Text> labels;
  for (const HeatMap::Row& row : heat.rows) labels.push_back(row.label);
  const double left = label_width(labels, 256), cell = 58, head = 92;
  const double width = std::max(left + cell * static_cast<double>(heat.columns.size()) + 8, 320.0);
  Svg svg(width + 60, chinese);
  for (size_t c = 0; c < heat.columns.size(); ++c) {
    // Two columns' width on alternating lines keeps heads readable without turning them.
    const double x = left + cell * (static_cast<double>(c) + 0.5);
    const double y = c % 2 == 0 ? head - 12 : head - 44;
    svg.line(x, y + 4, x, head - 2, "axis");
    svg.text(x, y, heat.columns[c], Anchor::kMiddle, "small quiet", 1.9 * cell, 12);
  }
  double y = head;
  for (const HeatMap::Row& row : heat.rows) {
    svg.text(left - 10, y + 18, row.label, Anchor::kEnd, "", left - 12);
    for (size_t c = 0; c < row.values.size(); ++c) {
      const double x = left + cell * static_cast<double>(c);
      if (!row.values[c]) {
        svg.text(x + cell / 2, y + 18, "—", Anchor::kMiddle, "small quiet");
        continue;
      }
      const double share = (*row.values[c] - heat.from) / std::max(heat.to - heat.from, 1e-9);
      const int level = static_cast<int>(std::lround(10 * std::clamp(share, 0.0, 1.0)));
      svg.rect(x + 1, y + 1, cell - 2, kRow - 2, fmt::format("heat h{}", level));
      svg.text(x + cell / 2,
               y + 18,
               fixed(*row.values[c], 1),
               Anchor::kMiddle,
               level >= 7 ? "small over" : "small");
    }
    y += kRow;
  }
  return svg.finish(y + 4, label);
}

// Boxes of labels that stand already.
class Labels {
 public:
  bool take(double x, double y, double width) {
    for (const auto& [bx, by, bw] : boxes_) {
      if (x < bx + bw && bx < x + width && std::abs(y - by) < 13) return false;
    }
    boxes_.push_back({x, y, width});
    return true;
  }

 private:
  struct Box {
    double x, y, width;
  };
  std::vector<Box> boxes_;
};

std::string draw(const ScatterChart& scatter, const Text& label, std::optional<bool> chinese) {
  Svg svg(640, chinese);
  double low = scatter.points[0].x, high = low;
  for (const ScatterChart::Point& point : scatter.points) {
    low = std::min(low, point.x);
    high = std::max(high, point.x);
  }
  const double from = std::floor(std::log10(low / 1.25) * 3) / 3;
  const double to = std::ceil(std::log10(high * 1.25) * 3) / 3;
  const Scale x{from, to, 52, 620}, y{scatter.y_from, scatter.y_to, 318, 18};
  const double step = nice_step(scatter.y_to - scatter.y_from, 5);
  for (double at = scatter.y_from; at <= scatter.y_to * 1.0001; at += step) {
    svg.line(52, y(at), 620, y(at), "axis");
    svg.text(44, y(at) + 4, tick(at), Anchor::kEnd, "small quiet");
  }
  for (int power = static_cast<int>(std::floor(from)); power <= static_cast<int>(to) + 1; ++power) {
    for (const double factor : {1.0, 2.0, 5.0}) {
      const double at = factor * std::pow(10.0, power), exponent = std::log10(at);
      if (exponent < from - 1e-9 || exponent > to + 1e-9) continue;
      if (factor != 1 && to - from > 2.5) continue;
      svg.line(x(exponent), 318, x(exponent), 322, "frame");
      svg.text(x(exponent), 336, tick(at), Anchor::kMiddle, "small quiet");
    }
  }
  svg.text(52, 12, scatter.y_title, Anchor::kStart, "small quiet");
  svg.text(620, 356, scatter.x_title, Anchor::kEnd, "small quiet");
  std::vector<const ScatterChart::Point*> order;
  for (const ScatterChart::Point& point : scatter.points) order.push_back(&point);
  std::stable_sort(
      order.begin(), order.end(), [](const auto* a, const auto* b) { return a->y > b->y; });
  Labels labels;
  for (const ScatterChart::Point* point : order) {
    const double px = x(std::log10(point->x)), py = y(point->y);
    if (point->low && point->high) svg.line(px, y(*point->low), px, y(*point->high), "whisker");
    const std::string numbers = fmt::format(": {}, {}", tick(point->x), fixed(point->y, 1));
    svg.circle(px, py, 5, "point", {point->label.zh + numbers, point->label.en + numbers});
    const double width = std::min(text_width(point->label.en, 12), 200.0);
    const bool after = px + 10 + width < 636;
    if (!labels.take(after ? px + 8 : px - 8 - width, py, width)) continue;
    svg.text(after ? px + 9 : px - 9,
             py + 4,
             point->label,
             after ? Anchor::kStart : Anchor::kEnd,
             "small",
             210,
             12);
  }
  return svg.finish(362, label);
}

std::string draw(const CalibrationChart& calibration,
                 const Text& label,
                 std::optional<bool> chinese) {
  Svg svg(420, chinese);
  const Scale x{0, 1, 92, 372}, y{0, 1, 276, 16};
  for (const double at : {0.0, 0.25, 0.5, 0.75, 1.0}) {
    svg.line(x(0), y(at), x(1), y(at), "axis");
    svg.text(x(0) - 8, y(at) + 4, fixed(100 * at, 0), Anchor::kEnd, "small quiet");
    svg.text(x(at), 292, fixed(100 * at, 0), Anchor::kMiddle, "small quiet");
  }
  svg.line(x(0), y(0), x(1), y(1), "chance");
  svg.text(x(1), 310, {"把握 %", "confidence %"}, Anchor::kEnd, "small quiet");
  svg.text(x(0), 10, {"正确 %", "right %"}, Anchor::kStart, "small quiet");
  int64_t most = 1;
  for (const CalibrationChart::Bin& bin : calibration.bins) most = std::max(most, bin.items);
  std::vector<std::pair<double, double>> points;
  for (const CalibrationChart::Bin& bin : calibration.bins) {
    if (bin.items > 0) points.emplace_back(x(bin.confidence), y(bin.accuracy));
  }
  svg.polyline(points, "trace");
  for (const CalibrationChart::Bin& bin : calibration.bins) {
    if (bin.items == 0) continue;
    const double share = static_cast<double>(bin.items) / static_cast<double>(most);
    const std::string tip = fmt::format("{} % → {} %, n {}",
                                        fixed(100 * bin.confidence, 0),
                                        fixed(100 * bin.accuracy, 1),
                                        bin.items);
    svg.circle(x(bin.confidence), y(bin.accuracy), 2.5 + 5 * std::sqrt(share), "point", tip);
  }
  return svg.finish(318, label);
}

std::string draw(const LengthChart& lengths, const Text& label, std::optional<bool> chinese) {
  Svg svg(640, chinese);
  std::vector<Text> labels;
  double most = 1;
  for (const LengthChart::Row& row : lengths.rows) {
    labels.push_back(row.label);
    most = std::max({most, row.p90, row.cap});
  }
  const double left = label_width(labels, 280), right = 640 - 118;
  const Scale x{0, most, left, right};
  const double bottom = 8 + kRow * static_cast<double>(lengths.rows.size());
  const double step = nice_step(most, 4);
  for (double at = 0; at <= most * 1.0001; at += step) {
    svg.line(x(at), 4, x(at), bottom, "axis");
    svg.text(x(at), bottom + 16, tick(at), Anchor::kMiddle, "small quiet");
  }
  double y = 8;
  for (const LengthChart::Row& row : lengths.rows) {
    svg.text(left - 10, y + 17, row.label, Anchor::kEnd, "", left - 12);
    svg.rect(x(row.p10), y + 6, std::max(x(row.p90) - x(row.p10), 3.0), 14, "bar soft");
    svg.line(x(row.p50), y + 4, x(row.p50), y + 22, "trace");
    svg.line(x(row.cap), y + 2, x(row.cap), y + 24, "chance");
    const std::string cut = fixed(100 * row.cap_rate, 1) + " %";
    svg.text(640,
             y + 17,
             {"截断 " + cut, "cut " + cut},
             Anchor::kEnd,
             row.cap_rate > 0.01 ? "strong" : "quiet");
    y += kRow;
  }
  return svg.finish(bottom + 24, label);
}

std::string draw(const TrendChart& trend, const Text& label, std::optional<bool> chinese) {
  Svg svg(640, chinese);
  double low = INFINITY, high = -INFINITY;
  for (const TrendChart::Point& point : trend.points) {
    if (!point.value) continue;
    low = std::min(low, point.low.value_or(*point.value));
    high = std::max(high, point.high.value_or(*point.value));
  }
  if (!(low <= high)) return svg.finish(20, label);
  const double step = nice_step(std::max(high - low, 1e-9), 5);
  const double from = step * std::floor(low / step), to = step * std::ceil(high / step + 1e-9);
  const double left = 64, right = 620, bottom = 240;
  const Scale y{from, to, bottom, 18};
  for (double at = from; at <= to + step / 2; at += step) {
    svg.line(left, y(at), right, y(at), "axis");
    svg.text(left - 8, y(at) + 4, fixed(at, trend.decimals), Anchor::kEnd, "small quiet");
  }
  const auto count = static_cast<double>(trend.points.size());
  const double room = (right - left) / count;
  std::vector<std::pair<double, double>> line;
  for (size_t i = 0; i < trend.points.size(); ++i) {
    const double x = left + room * (static_cast<double>(i) + 0.5);
    const TrendChart::Point& point = trend.points[i];
    // Labels that would touch stand on two lines; beyond that some are left out.
    const size_t every = static_cast<size_t>(std::ceil(30 / room));
    if (i % every == 0) {
      const double lower = room * static_cast<double>(every) < 90 && i / every % 2 == 1 ? 16 : 0;
      svg.text(x,
               bottom + 18 + lower,
               point.label,
               Anchor::kMiddle,
               "small quiet",
               1.9 * room * static_cast<double>(every),
               12);
    }
    if (point.value) line.emplace_back(x, y(*point.value));
  }
  svg.polyline(line, "trace");
  for (size_t i = 0; i < trend.points.size(); ++i) {
    const double x = left + room * (static_cast<double>(i) + 0.5);
    const TrendChart::Point& point = trend.points[i];
    if (!point.value) continue;
    if (point.low && point.high) {
      svg.line(x, y(*point.low), x, y(*point.high), "whisker");
      for (const double end : {*point.low, *point.high}) {
        svg.line(x - 4, y(end), x + 4, y(end), "whisker");
      }
    }
    const std::string number = ": " + fixed(*point.value, trend.decimals);
    svg.circle(x, y(*point.value), 5, "point", {point.label.zh + number, point.label.en + number});
    if (point.step) svg.text(x + 8, y(*point.value) - 6, "*", Anchor::kStart, "strong");
  }
  return svg.finish(bottom + 44, label);
}

std::string draw_any(const Chart& chart, std::optional<bool> chinese) {
  return std::visit([&](const auto& what) { return draw(what, chart.title, chinese); }, chart.what);
}

}  // namespace

std::string svg_in_page(const Chart& chart) { return draw_any(chart, std::nullopt); }
std::string svg_file(const Chart& chart, bool chinese) { return draw_any(chart, chinese); }

}  // namespace keju
