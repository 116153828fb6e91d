// SPDX-License-Identifier: MIT
#include "suite/suite_file.h"

#include <algorithm>
#include <iterator>
#include <set>
#include <utility>

#include "base/error.h"
#include "base/sha256.h"
#include "suite/pattern.h"
#include "suite/rules.h"

namespace keju {
namespace {

template <typename Value>
using Names = std::vector<std::pair<std::string, Value>>;

// The value that a name stands for; unknown names are refused with the nearest known one.
template <typename Value>
Value named(const Yaml& node, std::string_view key, const Names<Value>& names) {
  std::vector<std::string> known;
  for (const auto& [name, value] : names) {
    if (name == node.text()) return value;
    known.push_back(name);
  }
  throw fail(Code::kInput,
             "{}: {}: unknown \"{}\"{}",
             node.at(),
             key,
             node.text(),
             suggestion(node.text(), known));
}

const Names<Task> kTasks = {
    {"choose", Task::kChoose}, {"generate", Task::kGenerate}, {"perplexity", Task::kPerplexity}};
const Names<ChoiceScore> kScores = {{"sum", ChoiceScore::kSum},
                                    {"per_char", ChoiceScore::kPerChar},
                                    {"per_byte", ChoiceScore::kPerByte},
                                    {"per_token", ChoiceScore::kPerToken},
                                    {"whole_mean", ChoiceScore::kWholeMean},
                                    {"pmi", ChoiceScore::kPmi},
                                    {"mass", ChoiceScore::kMass}};
const Names<OptionToken> kOptionTokens = {{"retokenize", OptionToken::kRetokenize},
                                          {"separate", OptionToken::kSeparate},
                                          {"separate_last", OptionToken::kSeparateLast},
                                          {"vocabulary_entry", OptionToken::kVocabularyEntry}};
const Names<Average> kAverages = {{"micro", Average::kMicro}, {"macro", Average::kMacro}};
const Names<PromptRules::Choice> kChoices = {{"letter", PromptRules::Choice::kLetter},
                                             {"text", PromptRules::Choice::kText}};
const Names<ShotRules::Pick> kPicks = {{"first", ShotRules::Pick::kFirst},
                                       {"python_random", ShotRules::Pick::kPythonRandom},
                                       {"fixed", ShotRules::Pick::kFixed}};

// What may stand in a suite file as a default and in each of its protocols as a change.
const std::vector<std::string> kVariantKeys = {
    "task",   "split",     "shots",          "header",        "question",     "answer",
    "choice", "delimiter", "join",           "join_item",     "option_token", "score",
    "also",   "average",   "generate",       "extract",       "also_extract", "compare",
    "gold",   "accept",    "subjects",       "item",          "weight",       "replace",
    "option", "kinds",     "option_context", "unconditional", "thresholds",   "turns",
    "judge",  "conclude"};

std::vector<std::string> with(std::vector<std::string> keys,
                              std::initializer_list<const char*> more) {
  keys.insert(keys.end(), more.begin(), more.end());
  return keys;
}

std::vector<std::string> text_list(const Yaml& node) {
  std::vector<std::string> out;
  for (const Yaml& entry : node.list()) out.push_back(entry.text());
  return out;
}

std::string rule(const Yaml& node, std::string_view key, const std::vector<std::string>& known) {
  if (std::find(known.begin(), known.end(), node.text()) == known.end()) {
    throw fail(Code::kInput,
               "{}: {}: unknown rule \"{}\"{}",
               node.at(),
               key,
               node.text(),
               suggestion(node.text(), known));
  }
  return node.text();
}

// A rule by its name, or spelled out as patterns, which are tried here so that a wrong one is known
// before anything runs.
std::string extract_rule(const Yaml& node) {
  const std::vector<PatternStep> steps = pattern_steps(node.text());
  if (steps.empty()) return rule(node, "extract", extract_rules());
  for (const PatternStep& step : steps) Pattern(step.pattern, node.at());
  return node.text();
}

std::string compare_rule(const Yaml& node) {
  if (label_rule(node.text()).has_value()) return node.text();
  const std::optional<ExactMatch> exact = exact_match_rule(node.text());
  if (!exact.has_value()) return rule(node, "compare", compare_rules());
  for (const std::string& pattern : exact->ignore) Pattern(pattern, node.at());
  return node.text();
}

// A rule, or a map of a rule and its own comparison.
std::string also_extract_rule(const Yaml& node) {
  if (node.kind() != Yaml::Kind::kMap) return extract_rule(node);
  node.only({"extract", "compare"});
  return extract_rule(node.get("extract")) + " by " +
         rule(node.get("compare"), "compare", compare_rules());
}

int64_t bounded(const Yaml& node, std::string_view key, int64_t low, int64_t high) {
  const int64_t value = node.integer();
  if (value < low || value > high) {
    throw fail(Code::kInput, "{}: {}: found {}, need {} to {}", node.at(), key, value, low, high);
  }
  return value;
}

void read_text(const Yaml& map, std::string_view key, std::string& into) {
  if (const Yaml* node = map.find(key)) into = node->text();
}

void read_template(const Yaml& map, std::string_view key, TemplateSource& into) {
  if (const Yaml* node = map.find(key)) into = {node->text(), node->at()};
}

void read_shots(const Yaml& node, ShotRules& shots) {
  node.only({"split", "fewer", "count", "pick", "seed", "skip", "examples"});
  shots.at = node.at();
  read_text(node, "split", shots.split);
  if (const Yaml* count = node.find("count")) {
    shots.count = static_cast<int>(bounded(*count, "count", 0, 1000));
  }
  if (const Yaml* skip = node.find("skip")) {
    shots.skip = static_cast<int>(bounded(*skip, "skip", 0, 1000));
  }
  if (const Yaml* fewer = node.find("fewer")) shots.fewer = fewer->boolean();
  if (const Yaml* pick = node.find("pick")) shots.pick = named(*pick, "pick", kPicks);
  if (const Yaml* seed = node.find("seed")) {
    shots.seed = static_cast<uint64_t>(bounded(*seed, "seed", 0, INT64_MAX));
  }
  if (const Yaml* examples = node.find("examples")) {
    shots.examples.clear();
    shots.examples_of.clear();
    if (examples->kind() != Yaml::Kind::kList) {
      shots.examples_of = examples->text();
      return;
    }
    for (const Yaml& entry : examples->list()) {
      Json example = Json::object();
      for (const auto& [key, value] : entry.items()) example[key] = value.text();
      shots.examples.push_back(std::move(example));
    }
  }
  const bool fixed = shots.pick == ShotRules::Pick::kFixed;
  if (fixed && static_cast<size_t>(shots.count) > shots.examples.size()) {
    throw fail(Code::kInput,
               "{}: count: found {}, need at most {}, the number of examples",
               node.at(),
               shots.count,
               shots.examples.size());
  }
  if (!fixed && shots.count > 0 && shots.split.empty()) {
    throw fail(
        Code::kInput, "{}: split: found nothing, need the split to take shots from", node.at());
  }
}

void read_replace(const Yaml& node, PromptRules& prompt) {
  prompt.replace.clear();
  for (const Yaml& entry : node.list()) {
    const std::vector<Yaml>& pair = entry.list();
    if (pair.size() != 2) {
      throw fail(Code::kInput,
                 "{}: replace: found {} texts, need a pattern and what takes its place",
                 entry.at(),
                 pair.size());
    }
    Pattern(pair[0].text(), pair[0].at());
    prompt.replace.emplace_back(pair[0].text(), pair[1].text());
  }
}

void read_generate(const Yaml& node, GenerateSettings& settings) {
  static const Names<bool> kShots = {{"text", false}, {"turns", true}};
  node.only({"max_tokens",
             "temperature",
             "top_p",
             "stop",
             "samples",
             "chat",
             "shots",
             "system",
             "prefill"});
  if (const Yaml* value = node.find("max_tokens")) {
    settings.max_tokens = bounded(*value, "max_tokens", 1, 1 << 20);
  }
  if (const Yaml* value = node.find("temperature")) settings.temperature = value->number();
  if (const Yaml* value = node.find("top_p")) settings.top_p = value->number();
  if (settings.temperature < 0 || settings.top_p <= 0 || settings.top_p > 1) {
    throw fail(Code::kInput,
               "{}: generate: found temperature {} and top_p {}, need at least 0 and above 0 to 1",
               node.at(),
               settings.temperature,
               settings.top_p);
  }
  if (const Yaml* value = node.find("samples")) {
    settings.samples = bounded(*value, "samples", 1, 10000);
  }
  if (const Yaml* value = node.find("chat")) settings.chat = value->boolean();
  if (const Yaml* value = node.find("shots")) {
    settings.shots_as_turns = named(*value, "shots", kShots);
  }
  read_text(node, "system", settings.system);
  read_text(node, "prefill", settings.prefill);
  if (const Yaml* value = node.find("stop")) {
    settings.stop = text_list(*value);
    for (const std::string& stop : settings.stop) {
      if (stop.empty()) throw fail(Code::kInput, "{}: stop: found an empty text", value->at());
    }
  }
}

JudgeRules read_judge(const Yaml& node) {
  static const Names<JudgeRules::Read> kReads = {{"score_map", JudgeRules::Read::kScoreMap},
                                                 {"rating", JudgeRules::Read::kRating}};
  node.only({"rubric", "pairwise", "read", "total", "lowest", "highest", "max_tokens"});
  JudgeRules judge;
  read_text(node, "rubric", judge.rubric);
  read_text(node, "pairwise", judge.pairwise);
  read_text(node, "total", judge.total);
  if (const Yaml* read = node.find("read")) judge.read = named(*read, "read", kReads);
  if (const Yaml* lowest = node.find("lowest")) judge.lowest = lowest->number();
  if (const Yaml* highest = node.find("highest")) judge.highest = highest->number();
  if (const Yaml* most = node.find("max_tokens")) {
    judge.max_tokens = bounded(*most, "max_tokens", 1, 1 << 20);
  }
  if (judge.rubric.empty() && judge.pairwise.empty()) {
    throw fail(Code::kInput, "{}: judge: found no template, need rubric or pairwise", node.at());
  }
  if (!(judge.lowest < judge.highest && judge.highest > 0)) {
    throw fail(Code::kInput,
               "{}: judge: found {} to {}, need a range that ends above 0",
               node.at(),
               judge.lowest,
               judge.highest);
  }
  if (judge.read == JudgeRules::Read::kScoreMap && judge.total.empty()) {
    throw fail(Code::kInput, "{}: total: found nothing, need the headline's name", node.at());
  }
  return judge;
}

std::vector<Threshold> read_thresholds(const Yaml& list) {
  static const Names<Threshold::Of> kOf = {{"right", Threshold::Of::kRight},
                                           {"wrong", Threshold::Of::kWrong}};
  std::vector<Threshold> out;
  for (const Yaml& node : list.list()) {
    node.only({"subject", "of", "at_least", "at_most", "name"});
    Threshold threshold;
    threshold.subject = node.get("subject").text();
    threshold.of = named(node.get("of"), "of", kOf);
    const Yaml* least = node.find("at_least");
    const Yaml* most = node.find("at_most");
    if ((least == nullptr) == (most == nullptr)) {
      throw fail(Code::kInput, "{}: thresholds: need either at_least or at_most", node.at());
    }
    threshold.at_least = least != nullptr;
    threshold.bound = (least != nullptr ? least : most)->number();
    if (!(threshold.bound >= 0 && threshold.bound <= 1)) {
      throw fail(Code::kInput, "{}: thresholds: found {}, need 0 to 1", node.at(), threshold.bound);
    }
    const Yaml& title = node.get("name");
    title.only({"zh", "en"});
    threshold.name_zh = title.get("zh").text();
    threshold.name_en = title.get("en").text();
    out.push_back(std::move(threshold));
  }
  return out;
}

// Lays what `map` says over `variant`.
void apply(const Yaml& map, SuiteVariant& variant) {
  Protocol& protocol = variant.protocol;
  PromptRules& prompt = variant.prompt;
  if (const Yaml* node = map.find("task")) protocol.task = named(*node, "task", kTasks);
  read_text(map, "split", variant.split);
  if (const Yaml* node = map.find("shots")) read_shots(*node, prompt.shots);
  read_template(map, "header", prompt.header);
  read_template(map, "question", prompt.question);
  read_template(map, "item", prompt.item);
  read_template(map, "option", prompt.option);
  read_template(map, "option_context", prompt.option_context);
  read_text(map, "unconditional", protocol.unconditional);
  read_template(map, "answer", prompt.answer);
  read_template(map, "weight", prompt.weight);
  if (const Yaml* node = map.find("replace")) read_replace(*node, prompt);
  if (const Yaml* node = map.find("subjects")) variant.subjects = text_list(*node);
  read_template(map, "delimiter", prompt.delimiter);
  read_template(map, "gold", prompt.gold);
  if (const Yaml* node = map.find("choice")) prompt.choice = named(*node, "choice", kChoices);
  read_text(map, "join", prompt.join);
  if (const Yaml* node = map.find("join_item")) prompt.join_item = node->text();
  read_text(map, "accept", prompt.accept);
  if (const Yaml* node = map.find("option_token")) {
    protocol.option_token = named(*node, "option_token", kOptionTokens);
  }
  if (const Yaml* node = map.find("score")) protocol.score = named(*node, "score", kScores);
  if (const Yaml* node = map.find("also")) {
    protocol.also.clear();
    for (const Yaml& entry : node->list()) protocol.also.push_back(named(entry, "also", kScores));
  }
  if (const Yaml* node = map.find("average")) protocol.average = named(*node, "average", kAverages);
  if (const Yaml* node = map.find("generate")) read_generate(*node, protocol.generate);
  read_text(map, "conclude", protocol.conclude);
  if (const Yaml* node = map.find("extract")) {
    protocol.extract = extract_rule(*node);
  }
  if (const Yaml* node = map.find("also_extract")) {
    protocol.also_extract.clear();
    for (const Yaml& entry : node->list()) {
      protocol.also_extract.push_back(also_extract_rule(entry));
    }
  }
  if (const Yaml* node = map.find("compare")) {
    protocol.compare = compare_rule(*node);
  }
  read_text(map, "turns", prompt.turns);
  if (const Yaml* node = map.find("judge")) protocol.judge = read_judge(*node);
  if (const Yaml* node = map.find("temperature")) protocol.generate.temperature = node->number();
  if (const Yaml* node = map.find("thresholds")) protocol.thresholds = read_thresholds(*node);
}

void need(bool there, const SuiteVariant& variant, std::string_view key, std::string_view why) {
  if (there) return;
  throw fail(Code::kInput, "{}: {}: found nothing, need it {}", variant.at, key, why);
}

void check_variant(const SuiteVariant& variant) {
  const Protocol& protocol = variant.protocol;
  need(!variant.split.empty(), variant, "split", "to know which items to ask");
  const PromptRules& prompt = variant.prompt;
  need(!prompt.question.text.empty() || !prompt.turns.empty(), variant, "question", "to ask");
  if (!prompt.turns.empty() &&
      (protocol.task != Task::kGenerate || !protocol.generate.chat || prompt.shots.count > 0)) {
    throw fail(
        Code::kInput,
        "{}: turns: need task generate, chat and no shots: a conversation is rendered by the "
        "model's own template",
        variant.at);
  }
  if (protocol.generate.shots_as_turns &&
      (protocol.task != Task::kGenerate || !protocol.generate.chat || protocol.judge.has_value() ||
       !prompt.turns.empty())) {
    throw fail(Code::kInput,
               "{}: shots: turns: need task generate, chat, and neither turns nor a judge",
               variant.at);
  }
  if (protocol.own_contexts) {
    const bool plain = protocol.score == ChoiceScore::kSum && protocol.also.empty();
    need(plain, variant, "score: sum alone", "with option_context");
  }
  if (!protocol.conclude.empty() && (protocol.task == Task::kPerplexity || protocol.generate.chat ||
                                     protocol.own_contexts || protocol.judge.has_value())) {
    throw fail(Code::kInput,
               "{}: conclude: need task choose or generate, and no chat, option_context or judge",
               variant.at);
  }
  if (protocol.judge.has_value() && protocol.task != Task::kGenerate) {
    throw fail(Code::kInput, "{}: judge: need task generate", variant.at);
  }
  if (protocol.task != Task::kGenerate || protocol.judge.has_value()) return;
  need(
      !protocol.extract.empty(), variant, "extract", "to read an answer out of what was generated");
  need(!protocol.compare.empty(), variant, "compare", "to judge the answer");
}

// Kinds differ in words and in how answers are read; what a run has once stays the variant's.
const std::vector<std::string> kKindKeys = {"subjects",
                                            "header",
                                            "question",
                                            "item",
                                            "answer",
                                            "delimiter",
                                            "gold",
                                            "weight",
                                            "accept",
                                            "extract",
                                            "compare",
                                            "replace",
                                            "temperature",
                                            "conclude"};

void read_kinds(const Yaml& list, SuiteVariant& variant) {
  std::vector<SuiteVariant> kinds;
  for (const Yaml& node : list.list()) {
    node.only(kKindKeys);
    SuiteVariant kind = variant;
    kind.kinds.clear();
    kind.at = node.at();
    apply(node, kind);
    kind.subjects = text_list(node.get("subjects"));
    check_variant(kind);
    kinds.push_back(std::move(kind));
  }
  variant.kinds = std::move(kinds);
}

// Examples that stand under another protocol's name.
void find_examples(const SuiteFile& suite, ShotRules& shots) {
  if (shots.examples_of.empty()) return;
  std::vector<std::string> known;
  for (const SuiteVariant& other : suite.variants) {
    known.push_back(other.protocol.name);
    if (known.back() == shots.examples_of) shots.examples = other.prompt.shots.examples;
  }
  if (!shots.examples.empty()) return;
  throw fail(Code::kInput,
             "{}: examples: found \"{}\", need a list, or a protocol above that has one{}",
             shots.at,
             shots.examples_of,
             suggestion(shots.examples_of, known));
}

SuiteVariant read_variant(const SuiteFile& suite,
                          const std::string& name,
                          const Yaml& node,
                          const SuiteVariant& defaults,
                          const Yaml* kinds) {
  node.only(with(kVariantKeys, {"about", "aliases"}));
  SuiteVariant variant = defaults;
  variant.at = node.at();
  variant.protocol.id = suite.name + "/" + name;
  variant.protocol.name = name;
  variant.protocol.about = node.get("about").text();
  if (const Yaml* aliases = node.find("aliases")) variant.aliases = text_list(*aliases);
  apply(node, variant);
  find_examples(suite, variant.prompt.shots);
  variant.protocol.own_contexts = !variant.prompt.option_context.text.empty();
  variant.protocol.default_shots = variant.prompt.shots.count;
  if (const Yaml* own = node.find("kinds")) kinds = own;
  if (kinds != nullptr) read_kinds(*kinds, variant);
  check_variant(variant);
  return variant;
}

void read_variants(const Yaml& root, SuiteFile& suite) {
  SuiteVariant defaults;
  defaults.prompt.delimiter = {" ", root.at()};
  if (const Yaml* node = root.find("private")) defaults.protocol.private_items = node->boolean();
  apply(root, defaults);
  std::set<std::string> taken;
  for (const auto& [name, node] : root.get("protocols").items()) {
    SuiteVariant variant = read_variant(suite, name, node, defaults, root.find("kinds"));
    std::vector<std::string> names = variant.aliases;
    names.push_back(name);
    for (const std::string& each : names) {
      if (taken.insert(each).second) continue;
      throw fail(Code::kInput,
                 "{}: protocols: found the name \"{}\" twice, need names that differ",
                 node.at(),
                 each);
    }
    suite.variants.push_back(std::move(variant));
  }
  const auto official = std::find_if(suite.variants.begin(),
                                     suite.variants.end(),
                                     [](const auto& v) { return v.protocol.name == "official"; });
  if (official == suite.variants.end()) {
    throw fail(Code::kInput,
               "{}: protocols: found none called \"official\", need one: it is the default",
               root.get("protocols").at());
  }
  std::rotate(suite.variants.begin(), official, std::next(official));
}

void read_about(const Yaml& root, SuiteFile& suite) {
  suite.name = root.get("name").text();
  suite.version = bounded(root.get("version"), "version", 1, INT64_MAX);
  const Yaml& title = root.get("title");
  title.only({"zh", "en"});
  suite.title_zh = title.get("zh").text();
  suite.title_en = title.get("en").text();
  suite.about = root.get("about").text();
  read_text(root, "source", suite.source);
}

}  // namespace

SuiteFile SuiteFile::parse(std::string_view text, const std::string& where) {
  SuiteFile suite;
  suite.where = where;
  suite.sha256 = sha256_hex(text);
  const Yaml root = Yaml::parse(text, where);
  if (const Yaml* parts = root.find("parts")) {
    root.only({"name", "version", "title", "about", "source", "parts"});
    read_about(root, suite);
    suite.parts = text_list(*parts);
    if (suite.parts.empty()) throw fail(Code::kInput, "{}: parts: found none", parts->at());
    return suite;
  }
  root.only(with(
      kVariantKeys,
      {"name", "version", "title", "about", "source", "dataset", "protocols", "parts", "private"}));
  read_about(root, suite);
  suite.dataset = root.get("dataset").text();
  read_variants(root, suite);
  return suite;
}

}  // namespace keju
