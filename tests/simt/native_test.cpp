// SPDX-License-Identifier: MIT
// Whole models in native mode on the interpreter: BF16 checkpoints with the head sizes that reach
// the tensor core kernels, against the plain CPU loops on the same weights, and the promise that
// no setting changes a bit.
#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <fstream>
#include <map>
#include <random>

#include "base/json.h"
#include "engine/local_model.h"
#include "tests/simt/cuda_test.h"
#include "tests/support/checkpoint_writer.h"
#include "tests/support/temp_folder.h"
#include "tests/support/toy_tokenizer.h"

namespace keju::cuda {
namespace {

constexpr int64_t kVocab = 160;

// A llama or qwen2 checkpoint with random weights: two layers, 3 query heads on one key head.
struct Tiny {
  int64_t head = 64;
  DType dtype = DType::kBF16;  // BF16 or F16
  bool bias = false;           // qwen2
};

std::string number_bytes(DType dtype, const std::vector<float>& values) {
  return dtype == DType::kF16 ? f16_bytes(values) : bf16_bytes(values);
}

void write_tiny(const Tiny& tiny, const std::filesystem::path& folder) {
  constexpr int64_t kWidth = 48;
  constexpr int64_t kInner = 72;
  const int64_t q = 3 * tiny.head;
  Json header = Json::object();
  std::string data;
  uint64_t stream = 1;
  const auto put =
      [&](const std::string& name, std::vector<int64_t> shape, float size, float middle = 0) {
        int64_t count = 1;
        for (const int64_t n : shape) count *= n;
        Draw draw(stream++);
        std::vector<float> values = draw.floats(count, middle - size, middle + size);
        const size_t begin = data.size();
        data += number_bytes(tiny.dtype, values);
        header[name] = {{"dtype", tiny.dtype == DType::kF16 ? "F16" : "BF16"},
                        {"shape", shape},
                        {"data_offsets", {begin, data.size()}}};
      };
  put("model.embed_tokens.weight", {kVocab, kWidth}, 1);
  for (int i = 0; i < 2; ++i) {
    const std::string own = fmt::format("model.layers.{}.", i);
    put(own + "input_layernorm.weight", {kWidth}, 0.3f, 1);
    put(own + "post_attention_layernorm.weight", {kWidth}, 0.3f, 1);
    for (const auto& [name, rows] : std::vector<std::pair<std::string, int64_t>>{
             {"q", q}, {"k", tiny.head}, {"v", tiny.head}}) {
      put(own + "self_attn." + name + "_proj.weight", {rows, kWidth}, 0.25f);
      if (tiny.bias) put(own + "self_attn." + name + "_proj.bias", {rows}, 0.3f);
    }
    put(own + "self_attn.o_proj.weight", {kWidth, q}, 0.1f);
    put(own + "mlp.gate_proj.weight", {kInner, kWidth}, 0.2f);
    put(own + "mlp.up_proj.weight", {kInner, kWidth}, 0.2f);
    put(own + "mlp.down_proj.weight", {kWidth, kInner}, 0.2f);
  }
  put("model.norm.weight", {kWidth}, 0.3f, 1);
  put("lm_head.weight", {kVocab, kWidth}, 0.2f);
  const Json config{{"architectures", {tiny.bias ? "Qwen2ForCausalLM" : "LlamaForCausalLM"}},
                    {"model_type", tiny.bias ? "qwen2" : "llama"},
                    {"hidden_size", kWidth},
                    {"intermediate_size", kInner},
                    {"num_hidden_layers", 2},
                    {"num_attention_heads", 3},
                    {"num_key_value_heads", 1},
                    {"head_dim", tiny.head},
                    {"vocab_size", kVocab},
                    {"rms_norm_eps", 1e-5},
                    {"rope_theta", 10000.0},
                    {"max_position_embeddings", 4096},
                    {"hidden_act", "silu"},
                    {"tie_word_embeddings", false}};
  std::ofstream(folder / "config.json") << config.dump();
  const std::string text = header.dump();
  std::ofstream(folder / "model.safetensors", std::ios::binary)
      << raw(static_cast<uint64_t>(text.size())) << text << data;
}

std::unique_ptr<LocalModel> model_on(Backend& backend,
                                     std::shared_ptr<const Checkpoint> checkpoint,
                                     EngineOptions options = {}) {
  LocalModelParts parts;
  parts.checkpoint = std::move(checkpoint);
  parts.tokenizer = make_toy_tokenizer();
  parts.backend = &backend;
  parts.options = options;
  return LocalModel::create(std::move(parts));
}

std::vector<TokenId> random_ids(size_t count, uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<TokenId> ids(count);
  for (TokenId& id : ids) id = static_cast<TokenId>(3 + random() % 150);
  return ids;
}

TEST(Native, AgreesWithTheCpuOnEveryHeadSizeOfTheTensorCores) {
  for (const Tiny& tiny : std::vector<Tiny>{{.head = 64},
                                            {.head = 64, .dtype = DType::kF16, .bias = true},
                                            {.head = 128, .bias = true},
                                            {.head = 256}}) {
    const TempFolder folder;
    write_tiny(tiny, folder.path());
    const auto checkpoint = Checkpoint::open(folder.path().string());
    Card card(false);
    const auto cpu = kernel_test::backend("plain", 1);
    const auto ids = random_ids(70, 3);
    std::vector<float> got_logits, want_logits;
    const auto got = model_on(card.be(), checkpoint)->token_logprobs(ids, &got_logits);
    const auto want = model_on(*cpu, checkpoint)->token_logprobs(ids, &want_logits);
    EXPECT_GT(card.record->kernels["attention_prefill"], 0) << tiny.head;
    EXPECT_EQ(card.record->kernels["attention_general"], 0) << tiny.head;
    // Activations are rounded to 8 (BF16) or 11 (F16) bits before each of 15 products in a row.
    const double bound = tiny.dtype == DType::kF16 ? 4e-3 : 3e-2;
    ASSERT_EQ(got.size(), want.size());
    double apart = 0;
    for (size_t i = 0; i < want.size(); ++i) {
      ASSERT_NEAR(got[i], want[i], bound) << tiny.head << " token " << i;
      apart = std::max(apart, std::fabs(want[i] - want[0]));
    }
    EXPECT_GT(apart, 0.5);  // the model says something
  }
}

std::vector<Request> requests() {
  const std::vector<TokenId> header = random_ids(70, 8);  // past a page's border
  std::vector<Request> all;
  for (uint32_t i = 0; i < 6; ++i) {
    std::vector<TokenId> prompt = header;
    const auto own = random_ids(1 + 17 * i, 20 + i);
    prompt.insert(prompt.end(), own.begin(), own.end());
    Prompt p;
    p.add_prefix = false;
    p.pieces = {{"", ParseSpecial::kNo, prompt}};
    Request request;
    request.id = i;
    request.group = "g";
    request.key = "item" + std::to_string(i);
    if (i % 3 == 2) {
      GenerateRequest generate;
      generate.prompt = p;
      generate.max_tokens = 8;
      generate.temperature = 0.7;
      generate.seed = 11;
      request.what = generate;
    } else {
      ScoreRequest score;
      score.prompt = p;
      score.continuations = {"ab", "cde", "b"};
      request.what = score;
    }
    all.push_back(request);
  }
  return all;
}

std::string bits(const Response& response) {
  std::string out = response.error;
  if (const auto* score = std::get_if<ScoreResult>(&response.what)) {
    for (const ContinuationScore& c : score->continuations)
      out += fmt::format("{:x} ", std::bit_cast<uint64_t>(c.logprob));
  } else {
    for (const TokenId id : std::get<GenerateResult>(response.what).ids)
      out += fmt::format("{} ", id);
  }
  return out;
}

struct Setting {
  int64_t step_rows;
  int64_t live;
  bool alone;  // one request per session: nothing is shared
};

std::map<uint64_t, std::string> answers(bool exact,
                                        const std::shared_ptr<const Checkpoint>& checkpoint,
                                        const Setting& setting) {
  Card card(exact);
  const auto model = model_on(
      card.be(), checkpoint, {.step_rows = setting.step_rows, .live_sequences = setting.live});
  std::map<uint64_t, std::string> out;
  const auto drain = [&](std::vector<Request> some) {
    VectorSource source(std::move(some));
    const auto session = model->start(source);
    while (const auto response = session->next()) out[response->id] = bits(*response);
  };
  std::vector<Request> all = requests();
  if (setting.alone) {
    for (const Request& request : all) drain({request});
  } else {
    drain(std::move(all));
  }
  if (!exact) {
    EXPECT_GT(card.record->kernels["attention_decode"], 0);
  }
  return out;
}

TEST(Native, NoSettingChangesABit) {
  const TempFolder folder;
  write_tiny({.head = 64}, folder.path());
  const auto checkpoint = Checkpoint::open(folder.path().string());
  for (const bool exact : {false, true}) {
    const auto truth = answers(exact, checkpoint, {.step_rows = 512, .live = 16, .alone = false});
    ASSERT_EQ(truth.size(), requests().size());
    for (const auto& [id, text] : truth) EXPECT_FALSE(text.empty()) << id;
    for (const Setting& s :
         std::vector<Setting>{{64, 16, false}, {17, 1, false}, {100, 16, true}}) {
      EXPECT_EQ(answers(exact, checkpoint, s), truth)
          << (exact ? "exact" : "native") << " step " << s.step_rows << " alone " << s.alone;
    }
  }
}

}  // namespace
}  // namespace keju::cuda
