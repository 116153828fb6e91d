// SPDX-License-Identifier: MIT
#include <algorithm>

#include "base/error.h"
#include "report/escape.h"
#include "report/page_assets.h"
#include "report/print.h"

namespace keju {
namespace {

constexpr size_t kMostInPage = 1'500'000;  // bytes of item explorers that the page itself takes

std::string both(const Text& text, size_t most = kMostShown) { return both_html(text, most); }

// A paragraph.
std::string note_html(const char* classes, const Text& text) {
  return fmt::format("<p class=\"{}\">{}</p>\n", classes, both(text, kLongestNote));
}

std::string list(const std::vector<Text>& texts) {
  if (texts.empty()) return "";
  std::string out = "<ul class=\"facts\">";
  for (const Text& text : texts) out += "<li>" + both(text) + "</li>";
  return out + "</ul>\n";
}

// The place of `value` on a drawing 100 units wide.
std::string place(const Range& range, double value) {
  const double span = range.to - range.from;
  const double share = span > 0 ? (value - range.from) / span : 0;
  return fmt::format("{:.2f}", 100 * std::clamp(share, 0.0, 1.0));
}

// A line from low to high with the score as a dot and the chance level dashed; the numbers stand
// beside it in text, so it says nothing to a screen reader.
std::string drawing(const Range& range) {
  std::string out =
      "<svg viewBox=\"0 0 100 14\" preserveAspectRatio=\"none\" aria-hidden=\"true\">"
      "<line class=\"axis\" x1=\"0\" y1=\"7\" x2=\"100\" y2=\"7\"/>";
  if (range.chance) {
    const std::string x = place(range, *range.chance);
    out += fmt::format("<line class=\"chance\" x1=\"{0}\" y1=\"0\" x2=\"{0}\" y2=\"14\"/>", x);
  }
  out += fmt::format("<line class=\"whisker\" x1=\"{}\" y1=\"7\" x2=\"{}\" y2=\"7\"/>",
                     place(range, range.low),
                     place(range, range.high));
  const std::string x = place(range, range.value);
  return out +
         fmt::format("<ellipse class=\"point\" cx=\"{}\" cy=\"7\" rx=\"2.6\" ry=\"4\"/></svg>", x);
}

std::string class_of(const Column& column) {
  switch (column.kind) {
    case Column::Kind::kModel:
      return "model";
    case Column::Kind::kRank:
      return "rank";
    case Column::Kind::kText:
      return "text";
    case Column::Kind::kNumber:
      break;
  }
  if (column.id == "score" || column.id == "interval") return column.id;
  return "number";
}

// What sorting goes by: the number in full, the middle of an interval; nothing for texts.
std::string sort_value(const Cell& cell, const Column& column) {
  if (column.kind == Column::Kind::kModel || column.kind == Column::Kind::kText) return "";
  std::string value;
  if (cell.value.is_number()) value = cell.value.dump();
  if (cell.value.is_array()) value = cell.value[0].dump();
  return fmt::format(" data-v=\"{}\"", html(value));
}

std::string cell_html(const Cell& cell, const Column& column) {
  std::string content, marks;
  for (const Text& mark : cell.marks) {
    marks += "<span class=\"mark\">" + both(mark) + "</span> ";
  }
  // Marks stand before a number, so that numbers line up at the right, and after a name.
  const bool name = column.kind == Column::Kind::kModel;
  if (!name) content += marks;
  if (cell.range) content += drawing(*cell.range) + " <span class=\"ends\">";
  content += both(cell.text);
  if (cell.range) content += "</span>";
  if (name) content += " " + marks;
  std::string classes = class_of(column);
  if (column.kind == Column::Kind::kModel) {
    return fmt::format("<th scope=\"row\" class=\"{}\">{}</th>", classes, content);
  }
  if (cell.best) classes += " best";
  if (cell.value.is_null() && column.kind == Column::Kind::kNumber) classes += " none";
  return fmt::format("<td class=\"{}\"{}>{}</td>", classes, sort_value(cell, column), content);
}

std::string table_html(const Table& table) {
  // A wide table scrolls in its frame, which the keyboard must reach.
  std::string out = fmt::format(
      "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-labelledby=\"title-{0}\">\n"
      "<table>\n<caption class=\"hidden\">{1}</caption>\n<thead><tr>",
      html(table.id),
      both(table.title));
  for (const Column& column : table.columns) {
    const bool falling = column.kind == Column::Kind::kNumber;
    std::string title = both(column.title);
    if (!column.sub.empty()) title += " <span class=\"sub\">" + both(column.sub) + "</span>";
    out += fmt::format("<th scope=\"col\" class=\"{}\"{}>{}</th>",
                       class_of(column),
                       falling ? " data-first=\"falling\"" : "",
                       title);
  }
  out += "</tr></thead>\n<tbody>\n";
  for (size_t r = 0, quoted = 0; r < table.rows.size(); ++r) {
    const bool published = quoted < table.published.size() && table.published[quoted] == r;
    quoted += published ? 1 : 0;
    out += published ? "<tr class=\"published\">" : "<tr>";
    const auto& row = table.rows[r];
    for (size_t i = 0; i < row.size(); ++i) out += cell_html(row[i], table.columns[i]);
    out += "</tr>\n";
  }
  return out + "</tbody>\n</table>\n</div>\n";
}

std::string chart_html(const Chart& chart) {
  std::string about;
  if (!chart.about.empty()) about = " <span class=\"sub\">" + both(chart.about) + "</span>";
  return fmt::format("<figure><figcaption>{}{}</figcaption><div class=\"draw\">{}</div></figure>\n",
                     both(chart.title),
                     about,
                     svg_in_page(chart));
}

std::string inside_html(const Table& table) {
  std::string out = list(table.facts);
  if (!table.about.empty()) out += note_html("note about", table.about);
  if (!table.rows.empty()) out += table_html(table);
  if (!table.charts.empty()) {
    out += "<div class=\"charts\">\n";
    for (const Chart& chart : table.charts) out += chart_html(chart);
    out += "</div>\n";
  }
  if (table.notes.empty()) return out;
  out += "<div class=\"notes\">\n";
  for (const Text& note : table.notes) out += note_html("note", note);
  return out + "</div>\n";
}

std::string section_html(const Table& table) {
  const std::string title = both(table.title);
  if (table.folded) {
    return fmt::format(
        "<details class=\"fold\" id=\"{0}\">\n<summary><h3 id=\"title-{0}\">{1}</h3></summary>\n{2}"
        "</details>\n",
        html(table.id),
        title,
        inside_html(table));
  }
  return fmt::format("<section id=\"{0}\">\n<h3 id=\"title-{0}\">{1}</h3>\n{2}</section>\n",
                     html(table.id),
                     title,
                     inside_html(table));
}

const char* chapter_id(Chapter chapter) {
  static constexpr const char* kIds[] = {"overview",
                                         "boards",
                                         "chapter-abilities",
                                         "chapter-models",
                                         "buyer",
                                         "pace",
                                         "published",
                                         "provenance"};
  return kIds[static_cast<size_t>(chapter)];
}

std::string link(const std::string& target, const Text& title) {
  return fmt::format("<li><a href=\"{}\">{}</a></li>\n", html(target), both(title));
}

const Text kItemsTitle{"逐题查看", "Item by item"};

std::string navigation_html(const Leaderboard& board) {
  std::string out = "<nav aria-label=\"章节 / chapters\"><ul class=\"wrap\">\n";
  std::optional<Chapter> before;
  for (const Table& table : board.tables) {
    if (before == table.chapter) continue;
    before = table.chapter;
    if (table.chapter == Chapter::kRuns && !board.explorers.empty()) {
      out += link("#items", kItemsTitle);
    }
    out += link(std::string("#") + chapter_id(table.chapter), chapter_title(table.chapter));
  }
  return out + "</ul></nav>\n";
}

// A chapter's heading with links to its sections.
std::string chapter_html(const Leaderboard& board, Chapter chapter) {
  std::string out =
      fmt::format("<h2 id=\"{}\">{}</h2>\n", chapter_id(chapter), both(chapter_title(chapter)));
  std::string links;
  size_t count = 0;
  for (const Table& table : board.tables) {
    if (table.chapter != chapter || table.id.starts_with("subjects-")) continue;
    links += link("#" + table.id, table.title);
    ++count;
  }
  // Published tables are folded: their list of headings is short as it is.
  if (count > 2 && chapter != Chapter::kPublished)
    out += "<ul class=\"sections\">\n" + links + "</ul>\n";
  return out;
}

std::string items_html(const Leaderboard& board,
                       const std::vector<std::string>& printed,
                       bool inside) {
  std::string out = fmt::format("<h2 id=\"items\">{}</h2>\n", both(kItemsTitle));
  if (inside) {
    for (const std::string& one : printed) out += one;
    return out;
  }
  out += note_html("note",
                   {"题目较多，各分榜的逐题页在 items 文件夹里。",
                    "There are many items: each board's stand on a page in the folder items."});
  out += "<ul class=\"sections\">\n";
  for (const Explorer& explorer : board.explorers) {
    out += link("items/" + explorer.id + ".html", explorer.title);
  }
  return out + "</ul>\n";
}

std::string main_html(const Leaderboard& board,
                      const std::vector<std::string>& explorers,
                      bool inside) {
  std::string out = page_head(board.title, board.summary, "");
  out += navigation_html(board) + "<main class=\"wrap\">\n";
  std::optional<Chapter> before;
  for (const Table& table : board.tables) {
    if (before != table.chapter) {
      if (table.chapter == Chapter::kRuns && !explorers.empty()) {
        out += items_html(board, explorers, inside);
      }
      out += chapter_html(board, table.chapter);
      before = table.chapter;
    }
    out += section_html(table);
  }
  return out + "</main>\n" + page_foot();
}

}  // namespace

std::string both_html(const Text& text, size_t most) {
  if (text.same()) return html(text.en, most);
  return fmt::format("<span lang=\"zh\">{}</span><span lang=\"en\">{}</span>",
                     html(text.zh, most),
                     html(text.en, most));
}

std::string page_head(const Text& title, const std::vector<Text>& summary, const char* home) {
  // Nothing may be fetched, and no script or style but ours runs, whatever a run folder contains.
  const std::string policy = fmt::format(
      "default-src 'none'; style-src '{}'; script-src '{}'; base-uri 'none'; "
      "form-action 'none'",
      csp_hash(kPageCss),
      csp_hash(kPageJs));
  std::string heading = both(title);
  if (*home != '\0') heading = fmt::format("<a href=\"{}\">{}</a>", home, heading);
  std::string out = fmt::format(
      "<!DOCTYPE html>\n<html lang=\"zh\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"{}\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<meta name=\"referrer\" content=\"no-referrer\">\n"
      "<title>{} · {}</title>\n<style>{}</style>\n</head>\n",
      policy,
      html(title.zh),
      html(title.en),
      kPageCss);
  out +=
      "<body>\n"
      "<input class=\"lang\" type=\"radio\" name=\"lang\" id=\"lang-zh\" checked "
      "aria-label=\"中文\">\n"
      "<input class=\"lang\" type=\"radio\" name=\"lang\" id=\"lang-en\" aria-label=\"English\">\n"
      "<header><div class=\"wrap\">\n<div class=\"seal\" aria-hidden=\"true\">榜</div>\n"
      "<div class=\"name\"><h1>" +
      heading + "</h1>\n" + list(summary) +
      "</div>\n<div class=\"switch\"><label for=\"lang-zh\">中文</label>"
      "<label for=\"lang-en\">English</label></div>\n</div></header>\n";
  return out;
}

std::string page_foot() {
  const Text foot{"由 keju 生成。每个数字都注明协议、题数与区间；协议不同的行从不并排名次。",
                  "Made by keju. Every number names its protocol, items and interval; rows under "
                  "different protocols are never ranked together."};
  std::string out = "<footer><div class=\"wrap\">" + both(foot) + "</div></footer>\n<script>";
  out += kPageJs;
  return out + "</script>\n</body>\n</html>\n";
}

Pages print_html(const Leaderboard& board) {
  std::vector<std::string> explorers;
  size_t size = 0;
  for (const Explorer& explorer : board.explorers) {
    explorers.push_back(explorer_html(explorer));
    size += explorers.back().size();
  }
  const bool inside = size <= kMostInPage;
  Pages pages;
  pages.main = main_html(board, explorers, inside);
  for (size_t i = 0; i < explorers.size() && !inside; ++i) {
    const Explorer& explorer = board.explorers[i];
    pages.companions.emplace_back("items/" + explorer.id + ".html",
                                  page_head(explorer.title, {kItemsTitle}, "../leaderboard.html") +
                                      "<main class=\"wrap\">\n" + explorers[i] + "</main>\n" +
                                      page_foot());
  }
  return pages;
}

}  // namespace keju
