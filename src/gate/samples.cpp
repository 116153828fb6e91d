// SPDX-License-Identifier: MIT
#include "gate/samples.h"

#include <charconv>
#include <filesystem>

#include "base/error.h"

namespace keju {
namespace {

double number_of(const Json& value, const std::string& where) {
  if (value.is_number()) return value.get<double>();
  double out = 0;
  if (value.is_string()) {
    const auto text = value.get<std::string>();
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
    if (error == std::errc() && end == text.data() + text.size()) return out;
  }
  throw fail(Code::kInput, "{}: resps: found {}, need a number", where, value.dump());
}

// Messages of a chat prompt, as OpenCompass keeps them, put together.
std::string prompt_text(const Json& prompt) {
  if (prompt.is_string()) return prompt.get<std::string>();
  std::string out;
  if (prompt.is_array()) {
    for (const Json& turn : prompt) {
      if (turn.is_object() && turn.contains("prompt")) out += prompt_text(turn["prompt"]);
    }
  }
  return out;
}

void read_responses(const Json& line, const std::string& where, TheirItem& item) {
  const Json& resps = member(line, "resps", where);
  for (const Json& resp : resps) {
    // One list per request, with one entry per repeat: the first counts.
    const Json* first = &resp;
    while (first->is_array() && !first->empty() && (*first)[0].is_array()) first = &(*first)[0];
    const bool pair = first->is_array() && first->size() == 2;
    if (pair) {
      item.logprobs.push_back(number_of((*first)[0], where));
    } else if (first->is_array() && !first->empty() && (*first)[0].is_string()) {
      item.text = (*first)[0].get<std::string>();
    } else {
      throw fail(Code::kInput, "{}: resps: need [log-likelihood, greedy] or a text", where);
    }
  }
  if (!item.text || !line.contains("filtered_resps")) return;
  const Json& filtered = line["filtered_resps"];
  if (filtered.is_array() && !filtered.empty() && filtered[0].is_string())
    item.extracted = filtered[0].get<std::string>();
}

TheirItem read_line(const Json& line, const std::string& where) {
  TheirItem item;
  item.doc_id = int_member(line, "doc_id", where);
  if (line.contains("doc")) item.doc = line["doc"];
  const Json& arguments = member(line, "arguments", where);
  for (const Json& argument : arguments) {
    const Json& first = argument.is_array() ? argument.at(0) : member(argument, "arg_0", where);
    if (item.prompt.empty()) item.prompt = prompt_text(first);
    const Json second = argument.is_array() ? (argument.size() > 1 ? argument[1] : Json())
                                            : argument.value("arg_1", Json());
    if (second.is_string()) item.continuations.push_back(second.get<std::string>());
  }
  read_responses(line, where, item);
  for (const char* metric : {"acc", "exact_match"}) {
    if (!item.score && line.contains(metric) && line[metric].is_number())
      item.score = line[metric].get<double>();
  }
  return item;
}

// One entry of OpenCompass's predictions.
TheirItem read_prediction(const std::string& key, const Json& entry, const std::string& where) {
  TheirItem item;
  const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), item.doc_id);
  if (error != std::errc() || end != key.data() + key.size() || !entry.is_object())
    throw fail(Code::kInput, "{}: \"{}\": need entries numbered from \"0\"", where, key);
  if (entry.contains("origin_prompt")) {
    item.prompt = prompt_text(entry["origin_prompt"]);
    item.text = prompt_text(entry.value("prediction", Json()));
  } else {
    for (const auto& [label, inner] : entry.items()) {
      if (!label.starts_with("label: ") || !inner.is_object() || !inner.contains("prompt"))
        continue;
      // The prompt there ends with the option: what all of them share is the question.
      const std::string whole = prompt_text(inner["prompt"]);
      if (item.prompt.empty()) item.prompt = whole;
      size_t same = 0;
      while (same < item.prompt.size() && same < whole.size() && item.prompt[same] == whole[same])
        ++same;
      item.prompt.resize(same);
    }
    if (entry.contains("prediction")) item.extracted = prompt_text(entry["prediction"]);
  }
  if (entry.contains("correct") && entry["correct"].is_boolean())
    item.score = entry["correct"].get<bool>() ? 1 : 0;
  return item;
}

// "samples_<task>_<time>.jsonl" → "<task>"; another name as it is.
std::string task_of(const std::string& file) {
  std::string stem = std::filesystem::path(file).stem().string();
  if (!stem.starts_with("samples_")) return stem;
  stem = stem.substr(8);
  const size_t time = stem.rfind('_');
  const bool dated = time != std::string::npos && time + 1 < stem.size() && stem[time + 1] == '2';
  return dated ? stem.substr(0, time) : stem;
}

}  // namespace

std::vector<TheirItem> read_samples(std::string_view text, const std::string& file) {
  std::vector<TheirItem> out;
  const size_t begin = text.find_first_not_of(" \t\r\n");
  const bool lines = text.substr(0, text.find('\n')).find("\"doc_id\"") != std::string_view::npos;
  if (begin == std::string_view::npos)
    throw fail(Code::kInput, "{}: found nothing, need items", file);
  if (!lines) {
    const Json whole = parse_json(text, file);
    if (!whole.is_object())
      throw fail(Code::kInput, "{}: need one JSON object, or JSON lines with doc_id", file);
    for (const auto& [key, entry] : whole.items()) out.push_back(read_prediction(key, entry, file));
  } else {
    for (size_t at = 0, number = 1; at < text.size(); ++number) {
      const size_t end = std::min(text.find('\n', at), text.size());
      const std::string where = fmt::format("{}:{}", file, number);
      const std::string_view line = text.substr(at, end - at);
      if (line.find_first_not_of(" \t\r") != std::string_view::npos)
        out.push_back(read_line(parse_json(line, where), where));
      at = end + 1;
    }
  }
  for (TheirItem& item : out) item.task = task_of(file);
  return out;
}

std::optional<double> stated_average(const Json& results) {
  for (const char* part : {"groups", "results"}) {
    if (!results.is_object() || !results.contains(part) || !results[part].is_object()) continue;
    for (const auto& [name, entry] : results[part].items()) {
      for (const char* metric : {"acc,none", "exact_match,none", "exact_match,strict-match"}) {
        if (entry.is_object() && entry.contains(metric) && entry[metric].is_number())
          return entry[metric].get<double>();
      }
    }
  }
  return std::nullopt;
}

}  // namespace keju
