// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <deque>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "engine/decoder.h"
#include "engine/encode.h"
#include "engine/local_model.h"
#include "engine/page_pool.h"
#include "engine/planner.h"
#include "engine/sampler.h"
#include "engine/trie.h"
#include "lm/language_model.h"

namespace keju {

// One pass of the local engine over a source: windows of requests are tokenised, merged into a
// trie, walked step by step, and finished requests are handed out as they complete.
class LocalSession : public Session {
 public:
  LocalSession(Decoder& model,
               const Tokenizer& tokenizer,
               const PromptEncoder& encoder,
               const EngineOptions& options,
               int64_t context_length,
               RequestSource& source);
  ~LocalSession() override;
  std::optional<Response> next() override;
  SessionStats stats() const override;

  // Takes in the whole source without computing and returns the plan: its tokens, and about how
  // many bytes of keys and values will be live at once (exact where nothing generates; else with
  // the longest generations running together to their caps).
  SessionStats plan_all();

 private:
  // A request on its way: what is still missing, and what is known.
  struct Job {
    Request request;
    Response response;
    int64_t open_sequences = 0;
    bool begun = false;
  };
  // Which result a sequence's needs belong to.
  struct SequenceInfo {
    int64_t job = 0;
    int64_t continuation = 0;     // index, for scores
    bool together = false;        // need k is the only token of continuation k
    int32_t first_scored = 0;     // index of the first need that counts to the continuation itself
    std::vector<float> logprobs;  // one per need
    std::vector<bool> greedy;
    int64_t missing = 0;  // needs without a result
  };
  struct Live {  // a generation that decodes
    int64_t job = 0;
    PathState state;
    TokenId last = 0;
    uint64_t stream = 0;  // of random draws; 0 where none are drawn
    std::string pending;  // text so far
    std::unique_ptr<StreamDecoder> decoder;
    std::vector<TokenId> ids;
    double first_token_s = 0;
  };
  struct Regime {
    int64_t regime = 0;
    std::vector<Sequence> sequences;
    std::vector<SequenceInfo> infos;
  };

  // A request that was pulled, its options already encoded where it has any.
  struct Waiting {
    Request request;
    std::vector<EncodedPair> pairs;
    std::exception_ptr failure;
  };

  double now() const;
  bool pull();
  void encode(Waiting& waiting) const;
  bool fill_window();
  int64_t admit(Waiting waiting);
  static void forget_prompt(Request& request);
  void admit_score(const ScoreRequest& score, const std::vector<EncodedPair>& pairs, int64_t job);
  void admit_rolling(const RollingRequest& rolling, int64_t job);
  void admit_generate(const GenerateRequest& generate, int64_t job);
  void check_sequence(const Sequence& sequence) const;
  void add_sequence(int64_t regime_key, Sequence sequence, SequenceInfo info);
  bool start_regime(PagePool& pool);
  void refuse(int64_t job, const std::string& why);

  bool room_for_prompts() const;
  bool prefill_step();
  void decode_step();
  void take_results(const PlannedStep& planned, Rows hidden);
  void take_score(const Trie::NodeNeed& need,
                  const HeadRow& row,
                  const std::vector<int32_t>& wanted);
  void finish_sequence(SequenceInfo& info, const Sequence& sequence);
  static void finish_score(Job& job, const SequenceInfo& info, const Sequence& sequence);
  static ContinuationScore score_of(const SequenceInfo& info,
                                    const Sequence& sequence,
                                    size_t first,
                                    size_t last);
  Live begin_generation(int64_t job, PathState state);
  std::deque<Live> begin_generations(const PlannedStep& planned, Rows hidden);
  static SampleRule rule_for(const Live& live, const Job& job, int32_t row);
  bool append_token(Live& live, TokenId token);  // true when the generation has ended
  void end_generation(Live& live, FinishReason reason);
  void complete(int64_t job);

  Decoder& model_;
  const Tokenizer& tokenizer_;
  const PromptEncoder& encoder_;
  EngineOptions options_;
  int64_t context_length_;
  RequestSource& source_;
  PagePool pool_;
  std::chrono::steady_clock::time_point start_;

  std::unordered_map<int64_t, Job> jobs_;
  int64_t next_job_ = 0;
  int64_t window_added_ = 0;  // tokens that the request being admitted brought
  std::deque<Waiting> waiting_;
  bool source_dry_ = false;

  std::deque<std::unique_ptr<Regime>> regimes_;
  std::unique_ptr<Regime> current_;
  std::unique_ptr<Trie> trie_;
  std::unique_ptr<Planner> planner_;
  std::vector<std::pair<int32_t, PathState>> kept_;  // states handed over in the running step
  std::deque<Live> live_;
  // Of decode_step, kept so that a new token allocates nothing.
  Step decode_;
  std::vector<SampleRule> rules_;
  std::vector<int32_t> drawn_;
  std::deque<Response> ready_;
  SessionStats stats_;
};

}  // namespace keju
