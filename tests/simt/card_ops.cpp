// SPDX-License-Identifier: MIT
// Every op of the CUDA backend against the plain CPU loops, and the promise that the number of rows
// changes no bit of any of them; then what the card's products and memory can do. One JSON object.
// scripts/gpu_check.sh runs it on a card, the tests on the interpreter.
//   keju_card_ops ops|sweep|peaks [LARGEST]
//   LARGEST: rows of the largest batch of the sweep (260), or of the products (8192)
#include <fmt/format.h>

#include <chrono>
#include <cstdlib>
#include <functional>

#include "base/error.h"
#include "base/json.h"
#include "kernels/cpu/cpu_backend.h"
#include "kernels/cuda/cuda_backend.h"
#include "tests/kernels/kernel_test.h"

namespace keju {
namespace {

using kernel_test::Draw;
using kernel_test::random_matrix;
using kernel_test::Stored;

// Arrays on a backend for as long as one case runs.
class Desk {
 public:
  explicit Desk(Backend& backend) : be(backend) {}
  ~Desk() {
    for (float* memory : given_) be.release(memory);
  }
  Desk(const Desk&) = delete;
  Desk& operator=(const Desk&) = delete;

  Rows rows(int64_t count, int64_t width) {
    const int64_t stride = width + 5;  // rows need not lie side by side
    float* const memory = be.allocate(count * stride);
    given_.push_back(memory);
    return {memory, count, width, stride};
  }
  Rows random(int64_t count, int64_t width, uint64_t stream, float size = 1) {
    const Rows out = rows(count, width);
    const auto values = Draw(stream).floats(count * out.stride, -size, size);
    be.upload(values.data(), count * out.stride, out.data);
    return out;
  }
  std::vector<float> read(Rows x) {
    std::vector<float> all(static_cast<size_t>(x.count * x.stride));
    be.download(x.data, x.count * x.stride, all.data());
    std::vector<float> out;
    for (int64_t t = 0; t < x.count; ++t)
      out.insert(out.end(), all.begin() + t * x.stride, all.begin() + t * x.stride + x.width);
    return out;
  }
  Backend& be;

 private:
  std::vector<float*> given_;
};

// What a case computes on a backend with so many rows: one value list per row, side by side.
struct Case {
  std::string name;
  double bound;  // ‖got - want‖ / ‖want‖
  int64_t rows;
  std::function<std::vector<float>(Desk&, int64_t rows)> run;
};

Heads heads(Rows x, int64_t n) { return {x.data, n, x.width / n, x.stride, x.width / n}; }

void add_products(std::vector<Case>& cases, bool exact) {
  for (const DTypeFacts& type : all_dtypes()) {
    const double bound = exact ? 1e-5 : type.type == DType::kF32 ? 1e-5 : 6e-3;
    cases.push_back({fmt::format("linear {}", type.name), bound, 65, [type](Desk& d, int64_t rows) {
                       const Stored stored = random_matrix(type.type, 67, 512, 3);
                       const auto w = d.be.make_matrix(stored.source());
                       const auto bias = d.be.make_vector(Draw(4).floats(67));
                       const Rows out = d.random(rows, 67, 5);
                       d.be.linear(d.random(rows, 512, 6), *w, nullptr, true, out);
                       const Rows other = d.rows(rows, 67);
                       d.be.linear(d.random(rows, 512, 6), *w, bias.get(), false, other);
                       d.be.add(out, other, 0.5f);
                       return d.read(out);
                     }});
    cases.push_back({fmt::format("embed {}", type.name), 1e-6, 9, [type](Desk& d, int64_t rows) {
                       const Stored stored = random_matrix(type.type, 40, 256, 3);
                       const auto w = d.be.make_matrix(stored.source());
                       std::vector<int32_t> ids;
                       for (int64_t t = 0; t < rows; ++t)
                         ids.push_back(static_cast<int32_t>(t * 7 % 40));
                       const Rows out = d.rows(rows, 256);
                       d.be.embed(*w, ids, 1.5f, out);
                       d.be.add_rows(*w, ids, out);
                       return d.read(out);
                     }});
  }
}

void add_row_ops(std::vector<Case>& cases) {
  for (const bool layer : {false, true}) {
    cases.push_back({layer ? "norm layer" : "norm rms", 1e-5, 33, [layer](Desk& d, int64_t rows) {
                       const auto weight = d.be.make_vector(Draw(1).floats(300));
                       const auto bias = d.be.make_vector(Draw(2).floats(300));
                       NormSpec spec;
                       spec.kind = layer ? NormKind::kLayer : NormKind::kRms;
                       spec.weight = weight.get();
                       if (layer) spec.bias = bias.get();
                       spec.one_plus_weight = !layer;
                       const Rows out = d.rows(rows, 300);
                       d.be.norm(d.random(rows, 300, 3), spec, out);
                       return d.read(out);
                     }});
  }
  for (const auto activation : {Activation::kSilu,
                                Activation::kGeluTanh,
                                Activation::kGeluErf,
                                Activation::kRelu,
                                Activation::kRelu2,
                                Activation::kGeluQuick}) {
    cases.push_back({fmt::format("glu {}", static_cast<int>(activation)),
                     1e-5,
                     17,
                     [activation](Desk& d, int64_t rows) {
                       GluSpec spec;
                       spec.activation = activation;
                       const Rows out = d.rows(rows, 70);
                       d.be.glu(d.random(rows, 140, 3, 4), spec, out);
                       d.be.activate(out, activation);
                       d.be.sigmoid_scale(out, d.random(rows, 1, 4));
                       return d.read(out);
                     }});
  }
}

void add_head_and_experts(std::vector<Case>& cases, bool exact) {
  cases.push_back(
      {"head", exact ? 1e-5 : 6e-3, 5, [](Desk& d, int64_t rows) {
         const Stored stored = random_matrix(DType::kBF16, 2100, 128, 3);
         const auto w = d.be.make_matrix(stored.source());
         HeadSpec spec;
         spec.scale = 0.25f;
         spec.softcap = 20;
         const std::vector<std::vector<int32_t>> wanted(static_cast<size_t>(rows), {0, 1024, 2099});
         std::vector<float> out;
         for (const HeadRow& row : d.be.head(d.random(rows, 128, 4), *w, spec, wanted)) {
           out.push_back(static_cast<float>(row.log_sum_exp));
           out.push_back(row.best_logit);
           out.insert(out.end(), row.wanted.begin(), row.wanted.end());
         }
         return out;
       }});
  // One product per logit: both sides draw from the same bits, and must draw the same ids.
  cases.push_back({"sample", 1e-6, 13, [](Desk& d, int64_t rows) {
                     const auto w =
                         d.be.make_matrix(random_matrix(DType::kF32, 5000, 1, 3).source());
                     std::vector<SampleRule> rules;
                     for (int32_t r = 0; r < rows; ++r) {
                       rules.push_back({.row = r,
                                        .temperature = 0.3 + 0.2 * (r % 4),
                                        .top_k = r % 3 == 1 ? 50 : 0,
                                        .top_p = r % 5 == 2 ? 0.9 : 1,
                                        .min_p = r % 7 == 3 ? 0.01 : 0,
                                        .draw = uniform(kernel_test::kSeed, 9, uint64_t(r))});
                     }
                     std::vector<int32_t> ids(rules.size());
                     d.be.sample(d.random(rows, 1, 4, 9), *w, {}, rules, ids);
                     return std::vector<float>(ids.begin(), ids.end());
                   }});
  cases.push_back(
      {"experts", exact ? 1e-5 : 1e-2, 13, [](Desk& d, int64_t rows) {
         std::vector<std::unique_ptr<Matrix>> all;
         ExpertWeights experts;
         for (uint64_t e = 0; e < 4; ++e) {
           all.push_back(d.be.make_matrix(random_matrix(DType::kBF16, 64, 48, 10 + e).source()));
           experts.gate_up.push_back(all.back().get());
           all.push_back(d.be.make_matrix(random_matrix(DType::kBF16, 48, 32, 20 + e).source()));
           experts.down.push_back(all.back().get());
         }
         RouteSpec spec;
         spec.experts = 4;
         spec.chosen = 2;
         std::vector<int32_t> ids(static_cast<size_t>(rows * 2));
         std::vector<float> weights(ids.size());
         d.be.route(d.random(rows, 4, 5, 3), spec, ids, weights);
         const Rows out = d.random(rows, 48, 6);
         d.be.experts(d.random(rows, 48, 7), ids, weights, experts, {}, out);
         return d.read(out);
       }});
}

// A path of 130 positions before the rows: prompt rows follow each other on it, generated rows each
// stand on a path of their own that shares its pages.
void add_attention(std::vector<Case>& cases, bool exact) {
  struct Kind {
    int64_t size;
    int64_t window;
    float softcap;
    bool generated;
  };
  std::vector<Kind> kinds;
  for (const int64_t size : {64, 80, 96, 128, 192, 256, 40}) {
    kinds.push_back({size, 0, 0, false});
    kinds.push_back({size, 0, 0, true});
  }
  kinds.push_back({64, 50, 20, false});
  kinds.push_back({64, 50, 20, true});
  for (const Kind& kind : kinds) {
    const std::string name = fmt::format("attention {} {}{}",
                                         kind.size,
                                         kind.generated ? "decode" : "prefill",
                                         kind.window > 0 ? " window cap" : "");
    cases.push_back(
        {name, exact ? 1e-5 : 8e-3, 9, [kind](Desk& d, int64_t rows) {
           constexpr int64_t kBefore = 130;
           // The type of keys and values follows the weights that a backend has seen.
           const auto w = d.be.make_matrix(random_matrix(DType::kBF16, 8, 8, 1).source());
           KvShape shape;
           shape.layers = 1;
           shape.kv_heads = 2;
           shape.k_size = shape.v_size = kind.size;
           const int64_t pages = (kBefore + rows) / kPagePositions + 1;
           const int64_t paths = kind.generated ? rows : 1;
           const auto kv = d.be.make_kv_pages(shape, pages * paths);
           std::vector<std::vector<int32_t>> lists;
           std::vector<Segment> before, now;
           for (int64_t p = 0; p < paths; ++p) {
             lists.emplace_back();
             for (int64_t i = 0; i < pages; ++i)
               lists.back().push_back(static_cast<int32_t>(p * pages + i));
           }
           for (int64_t p = 0; p < paths; ++p) {
             const int32_t* const list = lists[static_cast<size_t>(p)].data();
             before.push_back({0, kBefore, 0, list, false});
             const auto row = static_cast<int32_t>(p);
             if (kind.generated) now.push_back({row, 1, kBefore, list, true});
           }
           if (!kind.generated)
             now.push_back({0, static_cast<int32_t>(rows), kBefore, lists[0].data()});
           const int64_t width = 2 * kind.size;
           const auto put =
               [&](const std::vector<Segment>& segments, int64_t count, uint64_t stream) {
                 const Rows q = d.random(count, 3 * width, stream);
                 const Rows k = d.random(count, width, stream + 1);
                 const Rows v = d.random(count, width, stream + 2);
                 d.be.qkv_post(heads(q, 6), heads(k, 2), {}, heads(v, 2), {}, segments, 0, *kv);
                 return q;
               };
           for (const Segment& one : before) put({one}, kBefore, 30);
           const Rows q = put(now, rows, 40);
           const Rows out = d.rows(rows, 3 * width);
           AttentionSpec spec;
           spec.scale = 0.2f;
           spec.window = kind.window;
           spec.softcap = kind.softcap;
           d.be.attention(heads(q, 6), *kv, spec, now, out);
           return d.read(out);
         }});
  }
}

std::vector<Case> all_cases(bool exact) {
  std::vector<Case> cases;
  add_products(cases, exact);
  add_row_ops(cases);
  add_head_and_experts(cases, exact);
  add_attention(cases, exact);
  return cases;
}

double distance(const std::vector<float>& got, const std::vector<float>& want) {
  if (got.size() != want.size()) return INFINITY;
  double apart = 0;
  double size = 0;
  for (size_t i = 0; i < want.size(); ++i) {
    const double a = static_cast<double>(got[i]);
    const double b = static_cast<double>(want[i]);
    apart += (a - b) * (a - b);
    size += b * b;
  }
  const double ratio = std::sqrt(apart / std::max(size, 1e-30));
  return std::isnan(ratio) ? INFINITY : ratio;
}

Json ops() {
  Json out{{"stage", "ops"}, {"failed", Json::array()}, {"errors", Json::object()}};
  const auto cpu = make_cpu_backend({.threads = 1, .isa = "plain", .mode = NumericMode::kExact});
  for (const bool exact : {true, false}) {
    for (const Case& c : all_cases(exact)) {
      const auto card = make_cuda_backend({.exact = exact});
      Desk there(*card);
      Desk here(*cpu);
      const std::string name = fmt::format("{} {}", exact ? "exact" : "native", c.name);
      const double apart = distance(c.run(there, c.rows), c.run(here, c.rows));
      out["errors"][name] = std::isinf(apart) ? Json("not a number") : Json(apart);
      if (!(apart <= c.bound)) out["failed"].push_back(name);
    }
  }
  out["ok"] = out["failed"].empty() && !out["errors"].empty();
  return out;
}

// The first and the last row of a batch of each size: the bits that they have in the largest one.
Json sweep(int64_t largest) {
  Json out{{"stage", "sweep"}, {"largest", largest}, {"failed", Json::array()}};
  int64_t compared = 0;
  for (const bool exact : {true, false}) {
    for (const Case& c : all_cases(exact)) {
      const auto card = make_cuda_backend({.exact = exact});
      Desk all(*card);
      const std::vector<float> truth = c.run(all, largest);
      const size_t width = truth.size() / static_cast<size_t>(largest);
      for (int64_t rows = 1; rows < largest; ++rows) {
        Desk desk(*card);
        const std::vector<float> some = c.run(desk, rows);
        const auto same = [&](int64_t row) {
          return std::memcmp(some.data() + static_cast<size_t>(row) * width,
                             truth.data() + static_cast<size_t>(row) * width,
                             width * sizeof(float)) == 0;
        };
        ++compared;
        if (same(0) && same(rows - 1)) continue;
        out["failed"].push_back(
            fmt::format("{} {} with {} rows", exact ? "exact" : "native", c.name, rows));
        break;
      }
    }
  }
  out["compared"] = compared;
  out["ok"] = out["failed"].empty() && compared > 0;
  return out;
}

double seconds(const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// On random data: zeros draw less power and run faster.
Json peaks(int64_t n) {
  Json out{{"stage", "peaks"}, {"size", n}};
  for (const bool exact : {false, true}) {
    const auto card = make_cuda_backend({.exact = exact});
    out["device"] = card->facts().device;
    Desk desk(*card);
    const Stored stored = random_matrix(exact ? DType::kF32 : DType::kBF16, n, n, 1);
    const auto w = card->make_matrix(stored.source());
    const Rows x = desk.random(n, n, 2);
    const Rows y = desk.rows(n, n);
    float one = 0;
    const auto timed = [&](int times, const std::function<void()>& work) {
      work();
      card->download(y.data, 1, &one);  // waits
      return seconds([&] {
               for (int i = 0; i < times; ++i) work();
               card->download(y.data, 1, &one);
             }) /
             times;
    };
    const auto rows = static_cast<double>(n);
    const double product = timed(10, [&] { card->linear(x, *w, nullptr, false, y); });
    out[exact ? "f32_tflops" : "bf16_tflops"] = 2 * rows * rows * rows / product / 1e12;
    if (exact) {
      const double add = timed(10, [&] { card->add(y, x, 0.5f); });
      out["add_gbytes_per_s"] = 12 * rows * rows / add / 1e9;  // two read, one written
    }
  }
  out["ok"] = true;
  return out;
}

int work(int argc, char** argv) {
  const std::string what = argc > 1 ? argv[1] : "";
  const int64_t largest = argc > 2 ? std::strtoll(argv[2], nullptr, 10) : 0;
  Json out;
  if (what == "ops") {
    out = ops();
  } else if (what == "sweep") {
    out = sweep(largest > 0 ? largest : 260);
  } else if (what == "peaks") {
    out = peaks(largest > 0 ? largest : 8192);
  } else {
    fmt::print(stderr, "keju_card_ops ops|sweep|peaks [LARGEST]\n");
    return 4;
  }
  fmt::print("{}\n", out.dump(1));
  return out["ok"].get<bool>() ? 0 : 1;
}

}  // namespace
}  // namespace keju

int main(int argc, char** argv) {
  try {
    return keju::work(argc, argv);
  } catch (const keju::Error& error) {
    fmt::print(stderr, "keju_card_ops: {}\n", error.what());
    return keju::exit_code(error.code());
  }
}
