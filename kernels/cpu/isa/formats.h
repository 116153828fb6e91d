// SPDX-License-Identifier: MIT
#pragma once

// Included after lanes_<isa>.h. How a panel of each stored type is read; panel_layout.h describes
// the layout. Every value is s·q or s·q + m with s, m exact in float32 and s·q exact too (d,
// sub-scale and code together have fewer than 25 bits), so one fused operation rounds as expand_row
// does.
#include "kernels/cpu/isa/table.h"
#include "kernels/cpu/panel_layout.h"

namespace keju {
namespace {

struct Scale {
  V s;
  V m;
};

// Four-bit codes: a byte holds k = 8·octet + i below and k = 8·octet + 4 + i above.
template <int kOctet>
KEJU_INLINE void nibble_octet(const std::byte* unit, Codes* even, Codes* odd) {
  const Codes both = load_codes(unit + 64 * kOctet);
  *even = bits_and(both, 0x0F0F0F0Fu);
  *odd = bits_and(shifted<4>(both), 0x0F0F0F0Fu);
}

// Bit planes above them: set `kSet` of 8 (two per octet) has its bit at position kSet of each byte.
template <int kSet>
KEJU_INLINE Codes fifth_bit(Codes plane) {
  return bits_and(shifted<kSet - 4>(plane), 0x10101010u);
}
// Two-bit planes: four sets to a dword, at bits 2·(set mod 4) of each byte.
template <int kSet, int kTo>
KEJU_INLINE Codes bit_pair(Codes plane) {
  return bits_and(shifted<2 * (kSet % 4) - kTo>(plane), 0x03030303u << kTo);
}

template <DType kType>
struct Stored {
  static constexpr int kBlock = panel_layout(kType).block;
  static constexpr int kSub = panel_layout(kType).sub;
  static constexpr int kHeader = panel_layout(kType).header;
  static constexpr int kUnitBytes = panel_layout(kType).unit;
};

// A format reads one panel block of kBlock values per column, in units of 32; every kSub of them
// share a Scale. octet() gives unsigned codes; a value is s·(code - kBias), or s·code + m where the
// format has kOffset.
struct OneScale {
  static constexpr bool kOffset = false;
  static KEJU_INLINE Scale scale(const std::byte* block, int) {
    const V d = load_f16(block);
    return {d, d};
  }
};
struct Nibbles {
  static constexpr bool kNibbles = true;
  template <int kOctet>
  static KEJU_INLINE void octet(const std::byte* unit, Codes* even, Codes* odd) {
    nibble_octet<kOctet>(unit, even, odd);
  }
};

struct Q4_0 : Stored<DType::kQ4_0>, OneScale, Nibbles {
  static constexpr int kBias = 8;
};

struct IQ4_NL : Stored<DType::kIQ4_NL>, OneScale {
  static constexpr int kBias = 128;
  static constexpr bool kNibbles = true;
  template <int kOctet>
  static KEJU_INLINE void octet(const std::byte* unit, Codes* even, Codes* odd) {
    static constexpr uint8_t kLevels[16] = {
        1, 24, 45, 63, 79, 93, 106, 118, 129, 141, 153, 166, 181, 197, 217, 241};
    nibble_octet<kOctet>(unit, even, odd);
    *even = looked_up(kLevels, *even);
    *odd = looked_up(kLevels, *odd);
  }
};

struct Q4_1 : Stored<DType::kQ4_1>, Nibbles {
  static constexpr int kBias = 0;
  static constexpr bool kOffset = true;
  static KEJU_INLINE Scale scale(const std::byte* block, int) {
    return {load_f16(block), load_f16(block + 32)};
  }
};

template <int kOctet>
KEJU_INLINE void five_bit_octet(const std::byte* unit, Codes* even, Codes* odd) {
  const Codes plane = load_codes(unit + 256);
  nibble_octet<kOctet>(unit, even, odd);
  *even = bits_or(*even, fifth_bit<2 * kOctet>(plane));
  *odd = bits_or(*odd, fifth_bit<2 * kOctet + 1>(plane));
}

struct Q5_0 : Stored<DType::kQ5_0> {
  static constexpr int kBias = 16;
  static constexpr bool kNibbles = false, kOffset = false;
  static KEJU_INLINE Scale scale(const std::byte* block, int) {
    const V d = load_f16(block);
    return {d, d};
  }
  template <int kOctet>
  static KEJU_INLINE void octet(const std::byte* unit, Codes* even, Codes* odd) {
    five_bit_octet<kOctet>(unit, even, odd);
  }
};

struct Q5_1 : Stored<DType::kQ5_1> {
  static constexpr int kBias = 0;
  static constexpr bool kNibbles = false, kOffset = true;
  static KEJU_INLINE Scale scale(const std::byte* block, int) {
    return {load_f16(block), load_f16(block + 32)};
  }
  template <int kOctet>
  static KEJU_INLINE void octet(const std::byte* unit, Codes* even, Codes* odd) {
    five_bit_octet<kOctet>(unit, even, odd);
  }
};

struct Q8_0 : Stored<DType::kQ8_0> {
  static constexpr int kBias = 128;
  static constexpr bool kNibbles = false, kOffset = false;
  static KEJU_INLINE Scale scale(const std::byte* block, int) {
    const V d = load_f16(block);
    return {d, d};
  }
  template <int kOctet>
  static KEJU_INLINE void octet(const std::byte* unit, Codes* even, Codes* odd) {
    *even = bytes_xor(load_codes(unit + 128 * kOctet), 0x80);
    *odd = bytes_xor(load_codes(unit + 128 * kOctet + 64), 0x80);
  }
};

// d·scale·q - dmin·min, with the product dmin·min negated once instead of subtracted each time.
KEJU_INLINE Scale super_scale(const std::byte* block, V scale, V low) {
  return {load_f16(block) * scale, V::spread(-0.0f) - load_f16(block + 32) * low};
}

struct Q2_K : Stored<DType::kQ2_K> {
  static constexpr int kBias = 0;
  static constexpr bool kNibbles = false, kOffset = true;
  static KEJU_INLINE Scale scale(const std::byte* block, int sub) {
    V scale{};
    V low{};
    load_nibbles(block + 64 + 16 * sub, &scale, &low);
    return super_scale(block, scale, low);
  }
  template <int kOctet>
  static KEJU_INLINE void octet(const std::byte* unit, Codes* even, Codes* odd) {
    const Codes plane = load_codes(unit + 64 * (kOctet / 2));
    *even = bit_pair<2 * kOctet, 0>(plane);
    *odd = bit_pair<2 * kOctet + 1, 0>(plane);
  }
};

struct Q3_K : Stored<DType::kQ3_K> {
  static constexpr int kBias = 4;
  static constexpr bool kNibbles = false, kOffset = false;
  static KEJU_INLINE Scale scale(const std::byte* block, int sub) {
    const V s = load_f16(block) * load_i8(block + 32 + 16 * sub);
    return {s, s};
  }
  template <int kOctet>
  static KEJU_INLINE void octet(const std::byte* unit, Codes* even, Codes* odd) {
    const Codes low = load_codes(unit + 64 * (kOctet / 2));
    const Codes high = load_codes(unit + 128);
    constexpr int kSet = 2 * kOctet;
    *even = bits_or(bit_pair<kSet, 0>(low), bits_and(shifted<kSet - 2>(high), 0x04040404u));
    *odd = bits_or(bit_pair<kSet + 1, 0>(low), bits_and(shifted<kSet - 1>(high), 0x04040404u));
  }
};

struct KScales {
  static constexpr int kBias = 0;
  static constexpr bool kOffset = true;
  static KEJU_INLINE Scale scale(const std::byte* block, int sub) {
    return super_scale(block, load_u8(block + 64 + 16 * sub), load_u8(block + 192 + 16 * sub));
  }
};

struct Q4_K : Stored<DType::kQ4_K>, KScales, Nibbles {};

struct Q5_K : Stored<DType::kQ5_K>, KScales {
  static constexpr bool kNibbles = false;
  template <int kOctet>
  static KEJU_INLINE void octet(const std::byte* unit, Codes* even, Codes* odd) {
    five_bit_octet<kOctet>(unit, even, odd);
  }
};

struct Q6_K : Stored<DType::kQ6_K> {
  static constexpr int kBias = 32;
  static constexpr bool kNibbles = false, kOffset = false;
  static KEJU_INLINE Scale scale(const std::byte* block, int sub) {
    const V s = load_f16(block) * load_i8(block + 32 + 16 * sub);
    return {s, s};
  }
  template <int kOctet>
  static KEJU_INLINE void octet(const std::byte* unit, Codes* even, Codes* odd) {
    const Codes plane = load_codes(unit + 256 + 64 * (kOctet / 2));
    nibble_octet<kOctet>(unit, even, odd);
    *even = bits_or(*even, bit_pair<2 * kOctet, 4>(plane));
    *odd = bits_or(*odd, bit_pair<2 * kOctet + 1, 4>(plane));
  }
};

template <typename F>
constexpr int kBlockBytes = F::kHeader + F::kBlock / 32 * F::kUnitBytes;

// -- values ------------------------------------------------------------------------------------

// Eight k of every column, on the way to floats.
struct Octet {
  Codes even;  // or, with a table, both nibbles
  Codes odd;
};

// Where a register can be looked up by nibbles, it holds the values themselves.
template <typename F>
constexpr bool kByTable = kHasTable&& F::kNibbles;

template <typename F>
KEJU_INLINE V nibble_values() {
  static constexpr float kNumbers[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  static constexpr float kCentred[16] = {-8, -7, -6, -5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6, 7};
  static constexpr float kLevels[16] = {
      -127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};
  return load(F::kBias == 0 ? kNumbers : F::kBias == 8 ? kCentred : kLevels);
}

template <typename F, int kOctet>
KEJU_INLINE Octet read_octet(const std::byte* unit) {
  Octet o;
  if constexpr (kByTable<F>) {
    o.even = o.odd = load_codes(unit + 64 * kOctet);
  } else {
    F::template octet<kOctet>(unit, &o.even, &o.odd);
    if constexpr (F::kBias == 128) {
      o.even = bytes_xor(o.even, 0x80);
      o.odd = bytes_xor(o.odd, 0x80);
    } else if constexpr (!F::kOffset) {
      o.even = bytes_minus(o.even, F::kBias);
      o.odd = bytes_minus(o.odd, F::kBias);
    }
  }
  return o;
}

// Signed codes come as q·2^24 (see signed_byte_2_24); 2^-24 in the scale takes that back, exactly.
template <typename F>
KEJU_INLINE Scale scale_of(const std::byte* block, int sub) {
  Scale scale = F::scale(block, sub);
  if constexpr (!kByTable<F> && !F::kOffset) scale.s = scale.s * V::spread(0x1p-24f);
  return scale;
}

// The value of k = i of the octet.
template <typename F, int i>
KEJU_INLINE V weight(const Octet& o, const Scale& scale) {
  if constexpr (kByTable<F>) {
    const V q = looked_up_values(nibble_values<F>(), shifted<8 * (i % 4) + 4 * (i / 4)>(o.even));
    if constexpr (F::kOffset) return mul_add(scale.s, q, scale.m);
    return scale.s * q;
  }
  const Codes& codes = i < 4 ? o.even : o.odd;
  if constexpr (F::kOffset) return mul_add(scale.s, unsigned_byte<i % 4>(codes), scale.m);
  return scale.s * signed_byte_2_24<i % 4>(codes);
}

// The types that are stored as they are: [k][16].
struct F32 {
  static constexpr int kBytes = 64;
  static KEJU_INLINE V at(const std::byte* p) { return load(reinterpret_cast<const float*>(p)); }
};
struct F16 {
  static constexpr int kBytes = 32;
  static KEJU_INLINE V at(const std::byte* p) { return load_f16(p); }
};
struct BF16 {
  static constexpr int kBytes = 32;
  static KEJU_INLINE V at(const std::byte* p) { return load_bf16(p); }
};

// use(F{}) with the format of a stored type.
template <typename Use>
KEJU_INLINE void with_block_format(DType dtype, const Use& use) {
  switch (dtype) {
    case DType::kQ4_0:
      return use(Q4_0{});
    case DType::kQ4_1:
      return use(Q4_1{});
    case DType::kQ5_0:
      return use(Q5_0{});
    case DType::kQ5_1:
      return use(Q5_1{});
    case DType::kQ8_0:
      return use(Q8_0{});
    case DType::kQ2_K:
      return use(Q2_K{});
    case DType::kQ3_K:
      return use(Q3_K{});
    case DType::kQ4_K:
      return use(Q4_K{});
    case DType::kQ5_K:
      return use(Q5_K{});
    case DType::kQ6_K:
      return use(Q6_K{});
    case DType::kIQ4_NL:
      return use(IQ4_NL{});
    default:
      return;
  }
}

// The same for all types: plain(F{}) for those that are stored as they are, blocks(F{}) for others.
template <typename Plain, typename Blocks>
KEJU_INLINE void with_format(DType dtype, const Plain& plain, const Blocks& blocks) {
  switch (dtype) {
    case DType::kF32:
      return plain(F32{});
    case DType::kF16:
      return plain(F16{});
    case DType::kBF16:
      return plain(BF16{});
    default:
      return with_block_format(dtype, blocks);
  }
}

}  // namespace
}  // namespace keju
