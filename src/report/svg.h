// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "report/text.h"

namespace keju {

// How wide a text is at `size`, near enough to place it: ideographs are as wide as high.
double text_width(const std::string& text, double size);
// The text cut to `width`, ending in "…" if anything was cut.
std::string fit_text(const std::string& text, double width, double size);

// Builds an <svg>. Every text is escaped here; classes are ours. Without a language, texts stand in
// both, and the page's style hides one.
class Svg {
 public:
  enum class Anchor { kStart, kMiddle, kEnd };

  Svg(double width, std::optional<bool> chinese) : width_(width), chinese_(chinese) {}

  void line(double x1, double y1, double x2, double y2, const char* classes);
  void rect(double x, double y, double width, double height, const std::string& classes);
  void circle(double x, double y, double radius, const char* classes, const Text& tip = {});
  void polygon(const std::vector<std::pair<double, double>>& points, const char* classes);
  void polyline(const std::vector<std::pair<double, double>>& points, const char* classes);
  // Cut to `most` units where that is above 0; `size` is the font size that the class has.
  void text(double x,
            double y,
            const Text& text,
            Anchor anchor = Anchor::kStart,
            const char* classes = "",
            double most = 0,
            double size = 13);

  double width() const { return width_; }
  bool in_page() const { return !chinese_.has_value(); }
  // The element, `label` read out in place of the drawing.
  std::string finish(double height, const Text& label) const;

 private:
  void shape(const char* tag, const std::string& attributes, const Text& tip);
  double width_;
  std::optional<bool> chinese_;
  std::string body_;
};

}  // namespace keju
