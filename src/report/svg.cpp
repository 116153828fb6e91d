// SPDX-License-Identifier: MIT
#include "report/svg.h"

#include <algorithm>

#include "base/error.h"
#include "base/utf8.h"
#include "report/escape.h"
#include "run/csv_cell.h"

namespace keju {
namespace {

// What a file needs of the page's style, in its light colours.
constexpr const char* kFileStyle =
    "text{font:13px system-ui,'Noto Sans SC','Noto Sans CJK SC',sans-serif;fill:#1d1b18}"
    ".small{font-size:12px}.quiet{fill:#6a645b}.strong{font-weight:600}.axis{stroke:#e4ded4}"
    ".frame{stroke:#b9b1a4;fill:none}.chance{stroke:#6a645b;stroke-dasharray:3 3}"
    ".bar{fill:#a8261c}.bar.soft{fill:#b9b1a4}.whisker{stroke:#1d1b18;stroke-width:1.5}"
    ".point{fill:#a8261c}.trace{stroke:#a8261c;stroke-width:2;fill:none}"
    ".area{stroke:#a8261c;stroke-width:2;fill:#a8261c;fill-opacity:.14}"
    ".best{stroke:#6a645b;stroke-dasharray:4 3;fill:none}.median{stroke:#fff;stroke-width:2}"
    ".heat{fill:#a8261c}.h0{fill-opacity:.05}.h1{fill-opacity:.13}.h2{fill-opacity:.2}"
    ".h3{fill-opacity:.28}.h4{fill-opacity:.36}.h5{fill-opacity:.44}.h6{fill-opacity:.52}"
    ".h7{fill-opacity:.8}.h8{fill-opacity:.87}.h9{fill-opacity:.94}.h10{fill-opacity:1}"
    ".over{fill:#fff}";

std::string number(double value) {
  std::string text = fmt::format("{:.1f}", value);
  if (text.ends_with(".0")) text.resize(text.size() - 2);
  return text == "-0" ? "0" : text;
}

std::string attribute(const char* name, double value) {
  return fmt::format(" {}=\"{}\"", name, number(value));
}

std::string points_attribute(const std::vector<std::pair<double, double>>& points) {
  std::string out = " points=\"";
  for (const auto& [x, y] : points) out += number(x) + "," + number(y) + " ";
  if (!points.empty()) out.pop_back();
  return out + "\"";
}

}  // namespace

double text_width(const std::string& text, double size) {
  double width = 0;
  for (size_t at = 0; at < text.size();) {
    const char32_t c = next_code_point(text, at);
    const bool thin = c == 'i' || c == 'l' || c == '.' || c == ',';
    const bool capital = c >= 'A' && c <= 'Z';
    width += c >= 0x2e80 ? 1.0 : thin ? 0.35 : capital ? 0.75 : 0.64;
  }
  return width * size;
}

std::string fit_text(const std::string& text, double width, double size) {
  const std::string shown = visible(text, kMostShown);
  if (text_width(shown, size) <= width) return shown;
  std::string out;
  for (size_t at = 0; at < shown.size();) {
    const size_t begin = at;
    next_code_point(shown, at);
    const std::string next = shown.substr(begin, at - begin);
    if (text_width(out + next + "…", size) > width) break;
    out += next;
  }
  return out + "…";
}

void Svg::shape(const char* tag, const std::string& attributes, const Text& tip) {
  body_ += fmt::format("<{}{}", tag, attributes);
  if (tip.empty()) {
    body_ += "/>";
    return;
  }
  const std::string& shown = chinese_.value_or(false) ? tip.zh : tip.en;
  body_ += fmt::format("><title>{}</title></{}>", html(shown), tag);
}

void Svg::line(double x1, double y1, double x2, double y2, const char* classes) {
  shape("line",
        fmt::format(" class=\"{}\"", classes) + attribute("x1", x1) + attribute("y1", y1) +
            attribute("x2", x2) + attribute("y2", y2),
        {});
}

void Svg::rect(double x, double y, double width, double height, const std::string& classes) {
  shape("rect",
        fmt::format(" class=\"{}\"", classes) + attribute("x", x) + attribute("y", y) +
            attribute("width", std::max(width, 0.0)) + attribute("height", height),
        {});
}

void Svg::circle(double x, double y, double radius, const char* classes, const Text& tip) {
  shape("circle",
        fmt::format(" class=\"{}\"", classes) + attribute("cx", x) + attribute("cy", y) +
            attribute("r", radius),
        tip);
}

void Svg::polygon(const std::vector<std::pair<double, double>>& points, const char* classes) {
  shape("polygon", fmt::format(" class=\"{}\"", classes) + points_attribute(points), {});
}

void Svg::polyline(const std::vector<std::pair<double, double>>& points, const char* classes) {
  shape("polyline", fmt::format(" class=\"{}\"", classes) + points_attribute(points), {});
}

void Svg::text(double x,
               double y,
               const Text& text,
               Anchor anchor,
               const char* classes,
               double most,
               double size) {
  static constexpr const char* kAnchors[] = {"", " text-anchor=\"middle\"", " text-anchor=\"end\""};
  const auto element = [&](const std::string& shown, const char* language) {
    std::string attributes = attribute("x", x) + attribute("y", y);
    attributes += kAnchors[static_cast<size_t>(anchor)];
    if (*classes != '\0') attributes += fmt::format(" class=\"{}\"", classes);
    if (*language != '\0') attributes += fmt::format(" lang=\"{}\"", language);
    const std::string cut = most > 0 ? fit_text(shown, most, size) : shown;
    body_ += fmt::format("<text{}>{}</text>", attributes, html(cut));
  };
  if (chinese_) {
    element(*chinese_ ? text.zh : text.en, "");
  } else if (text.same()) {
    element(text.en, "");
  } else {
    element(text.zh, "zh");
    element(text.en, "en");
  }
}

std::string Svg::finish(double height, const Text& label) const {
  const std::string box =
      fmt::format("viewBox=\"0 0 {} {}\" role=\"img\"", number(width_), number(height));
  if (in_page()) {
    const std::string both = label.same() ? label.en : label.zh + " / " + label.en;
    return fmt::format(
        "<svg class=\"chart{}\" {} aria-label=\"{}\" width=\"{}\" height=\"{}\">{}</svg>",
        width_ > 700 ? " wide" : "",
        box,
        html(both),
        number(width_),
        number(height),
        body_);
  }
  const std::string title = html(*chinese_ ? label.zh : label.en);
  return fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" {} width=\"{}\" height=\"{}\" xml:lang=\"{}\">"
      "<title>{}</title><style>{}</style>"
      "<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>{}</svg>\n",
      box,
      number(width_),
      number(height),
      *chinese_ ? "zh" : "en",
      title,
      kFileStyle,
      body_);
}

}  // namespace keju
