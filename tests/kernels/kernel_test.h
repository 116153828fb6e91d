// SPDX-License-Identifier: MIT
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "base/block_codec.h"
#include "base/dtype.h"
#include "base/rng.h"
#include "kernels/backend.h"
#include "kernels/cpu/cpu_backend.h"

// Shared by the kernel tests: seeded data, matrices of every stored type, comparisons.
namespace keju::kernel_test {

inline constexpr uint64_t kSeed = 20240607;

// Numbers that are the same in every run. Each instance is one stream.
class Draw {
 public:
  explicit Draw(uint64_t stream) : stream_(stream) {}
  float between(float low, float high) {
    return low + (high - low) * static_cast<float>(uniform(kSeed, stream_, next_++));
  }
  uint64_t below(uint64_t n) { return uniform_below(kSeed, stream_, next_++, n); }
  std::vector<float> floats(int64_t n, float low = -1, float high = 1) {
    std::vector<float> values(static_cast<size_t>(n));
    for (float& v : values) v = between(low, high);
    return values;
  }

 private:
  uint64_t stream_;
  uint64_t next_ = 0;
};

// Rows in host memory with some room after each, which must stay as it is.
class Array {
 public:
  static constexpr float kUntouched = -77.5f;

  Array(int64_t count, int64_t width, int64_t room = 3)
      : count_(count), width_(width), stride_(width + room) {
    data_.assign(static_cast<size_t>(std::max<int64_t>(1, count * stride_)), kUntouched);
  }
  static Array random(int64_t count, int64_t width, uint64_t stream, float size = 1) {
    Array a(count, width);
    Draw draw(stream);
    for (int64_t t = 0; t < count; ++t) {
      for (int64_t d = 0; d < width; ++d) a.at(t, d) = draw.between(-size, size);
    }
    return a;
  }
  static Array of(std::vector<std::vector<float>> rows) {
    Array a(static_cast<int64_t>(rows.size()), static_cast<int64_t>(rows[0].size()));
    for (size_t t = 0; t < rows.size(); ++t) {
      for (size_t d = 0; d < rows[t].size(); ++d) {
        a.at(static_cast<int64_t>(t), static_cast<int64_t>(d)) = rows[t][d];
      }
    }
    return a;
  }

  float& at(int64_t t, int64_t d) { return data_[static_cast<size_t>(t * stride_ + d)]; }
  float at(int64_t t, int64_t d) const { return data_[static_cast<size_t>(t * stride_ + d)]; }
  Rows rows() { return {data_.data(), count_, width_, stride_}; }
  Rows rows(int64_t first, int64_t count) {
    return {data_.data() + first * stride_, count, width_, stride_};
  }
  Heads heads(int64_t n) { return {data_.data(), n, width_ / n, stride_, width_ / n}; }
  int64_t count() const { return count_; }
  int64_t width() const { return width_; }
  std::vector<float> row(int64_t t) const {
    const auto begin = data_.begin() + t * stride_;
    return {begin, begin + width_};
  }
  bool room_untouched() const {
    for (int64_t t = 0; t < count_; ++t) {
      for (int64_t d = width_; d < stride_; ++d) {
        if (at(t, d) != kUntouched) return false;
      }
    }
    return true;
  }

 private:
  int64_t count_;
  int64_t width_;
  int64_t stride_;
  std::vector<float> data_;
};

inline testing::AssertionResult same_bits(float a, float b) {
  if (std::bit_cast<uint32_t>(a) == std::bit_cast<uint32_t>(b)) return testing::AssertionSuccess();
  return testing::AssertionFailure()
         << a << " (" << std::hex << std::bit_cast<uint32_t>(a) << ") and " << b << " ("
         << std::bit_cast<uint32_t>(b) << ") differ";
}

inline testing::AssertionResult same_bits(const std::vector<float>& a,
                                          const std::vector<float>& b) {
  if (a.size() != b.size()) return testing::AssertionFailure() << "sizes differ";
  for (size_t i = 0; i < a.size(); ++i) {
    const auto one = same_bits(a[i], b[i]);
    if (!one) return testing::AssertionFailure() << "at " << i << ": " << one.message();
  }
  return testing::AssertionSuccess();
}

inline testing::AssertionResult same_bits(const Array& a, const Array& b) {
  if (a.count() != b.count() || a.width() != b.width()) {
    return testing::AssertionFailure() << "shapes differ";
  }
  for (int64_t t = 0; t < a.count(); ++t) {
    const auto one = same_bits(a.row(t), b.row(t));
    if (!one) return testing::AssertionFailure() << "row " << t << ": " << one.message();
  }
  return testing::AssertionSuccess();
}

// |got - want| <= tolerance·max(1, |want|); a NaN fails.
inline testing::AssertionResult near(double got, double want, double tolerance) {
  if (std::fabs(got - want) <= tolerance * std::max(1.0, std::fabs(want))) {
    return testing::AssertionSuccess();
  }
  return testing::AssertionFailure() << "got " << got << ", want " << want;
}

// A matrix in file form: random bytes, with scales that give finite values of about unit size.
struct Stored {
  DType dtype;
  int64_t rows;
  int64_t cols;
  std::vector<std::byte> bytes;

  std::vector<float> expanded_row(int64_t row) const {
    std::vector<float> out(static_cast<size_t>(cols));
    expand_row(dtype, bytes.data() + row * row_bytes(dtype, cols), cols, out.data());
    return out;
  }
  MatrixSource source() const {
    return {dtype, cols, {{bytes.data(), rows, row_bytes(dtype, cols)}}};
  }
};

inline Stored random_matrix(DType dtype, int64_t rows, int64_t cols, uint64_t stream) {
  Stored m{dtype, rows, cols, {}};
  m.bytes.resize(static_cast<size_t>(rows * row_bytes(dtype, cols)));
  Draw draw(stream);
  const auto put_u16 = [&](size_t at, uint16_t v) { std::memcpy(m.bytes.data() + at, &v, 2); };
  if (dtype == DType::kF32) {
    for (size_t at = 0; at < m.bytes.size(); at += 4) {
      const float v = draw.between(-1, 1);
      std::memcpy(m.bytes.data() + at, &v, 4);
    }
    return m;
  }
  if (dtype == DType::kF16 || dtype == DType::kBF16) {
    for (size_t at = 0; at < m.bytes.size(); at += 2) {
      const float v = draw.between(-1, 1);
      put_u16(at, dtype == DType::kF16 ? f32_to_f16(v) : f32_to_bf16(v));
    }
    return m;
  }
  for (size_t at = 0; at + 8 <= m.bytes.size(); at += 8) {
    const uint64_t word = philox({static_cast<uint32_t>(at), 1, 2, 3},
                                 {static_cast<uint32_t>(stream), static_cast<uint32_t>(kSeed)})[0] *
                          0x9E3779B97F4A7C15u;
    std::memcpy(m.bytes.data() + at, &word, 8);
  }
  std::vector<size_t> halves;
  switch (dtype) {
    case DType::kQ4_1:
    case DType::kQ5_1:
    case DType::kQ4_K:
    case DType::kQ5_K:
      halves = {0, 2};
      break;
    case DType::kQ2_K:
      halves = {80, 82};
      break;
    case DType::kQ3_K:
      halves = {108};
      break;
    case DType::kQ6_K:
      halves = {208};
      break;
    default:
      halves = {0};
  }
  const size_t block = static_cast<size_t>(facts(dtype).block_bytes);
  for (size_t at = 0; at < m.bytes.size(); at += block) {
    for (const size_t half : halves) {
      float scale = draw.between(-0.02f, 0.02f);
      const uint64_t odd = draw.below(16);
      if (odd == 0) scale = 0;  // and either zero below
      if (odd == 1) scale = -0.0f;
      if (odd == 2) scale *= 1e-4f;  // a subnormal half
      put_u16(at + half, f32_to_f16(scale));
    }
  }
  return m;
}

inline KvShape kv_shape(int64_t kv_heads, int64_t k_size, int64_t v_size, int64_t layers = 1) {
  KvShape shape;
  shape.layers = layers;
  shape.kv_heads = kv_heads;
  shape.k_size = k_size;
  shape.v_size = v_size;
  return shape;
}

inline std::unique_ptr<Backend> backend(const std::string& isa, int threads = 2) {
  CpuOptions options;
  options.isa = isa;
  options.threads = threads;
  return make_cpu_backend(options);
}

// Tests that run once per ISA level of this processor.
class PerIsa : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override { backend_ = backend(GetParam()); }
  Backend& be() { return *backend_; }

 private:
  std::unique_ptr<Backend> backend_;
};

#define KEJU_PER_ISA(fixture)                                                                 \
  INSTANTIATE_TEST_SUITE_P(                                                                   \
      Cpu, fixture, testing::ValuesIn(::keju::cpu_isa_levels()), [](const auto& param_info) { \
        return param_info.param;                                                              \
      })

}  // namespace keju::kernel_test
