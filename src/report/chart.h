// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "report/text.h"

namespace keju {

// Scores as bars with their intervals. `chance` is drawn as a dashed line.
struct BarChart {
  struct Row {
    Text label;
    double value = 0;
    std::optional<double> low, high;
    bool quiet = false;  // quoted or unranked
  };
  std::vector<Row> rows;
  double from = 0, to = 100;
  int decimals = 1;
  std::optional<double> chance;
};

// One model over several axes of 0–100, beside the best that any model reached on each.
struct RadarChart {
  std::vector<Text> axes;
  std::vector<std::optional<double>> values, best;
};

struct HeatMap {
  struct Row {
    Text label;
    std::vector<std::optional<double>> values;
  };
  std::vector<Text> columns;
  std::vector<Row> rows;
  double from = 0, to = 100;
};

struct ScatterChart {
  struct Point {
    Text label;
    double x = 0, y = 0;
    std::optional<double> low, high;  // of y
  };
  Text x_title, y_title;
  std::vector<Point> points;  // x > 0: its axis is logarithmic
  double y_from = 0, y_to = 100;
};

// How often the model is right where it is that sure.
struct CalibrationChart {
  struct Bin {
    double confidence = 0, accuracy = 0;
    int64_t items = 0;
  };
  std::vector<Bin> bins;
};

// Lengths of generated answers: the middle 80 % as a bar, the median as a stroke.
struct LengthChart {
  struct Row {
    Text label;
    double p10 = 0, p50 = 0, p90 = 0;
    double cap = 0;       // the limit, in tokens
    double cap_rate = 0;  // share of answers that it cut
  };
  std::vector<Row> rows;
};

// One number over runs, oldest first.
struct TrendChart {
  struct Point {
    Text label;
    std::optional<double> value, low, high;
    bool step = false;  // told apart from the point before
  };
  std::vector<Point> points;
  int decimals = 1;
};

struct Chart {
  std::string id;  // unique, a slug
  Text title;
  Text about;  // how to read it; may be empty
  std::variant<BarChart,
               RadarChart,
               HeatMap,
               ScatterChart,
               CalibrationChart,
               LengthChart,
               TrendChart>
      what;
};

// An <svg> element for a page: classes for colours, texts in both languages.
std::string svg_in_page(const Chart& chart);

// A whole SVG file in one language, with its own colours.
std::string svg_file(const Chart& chart, bool chinese);

}  // namespace keju
