// SPDX-License-Identifier: MIT
#include "kernels/cuda/blas.h"

#include <dlfcn.h>

#include <algorithm>
#include <bit>
#include <vector>

#include "base/error.h"

namespace keju::cuda {
namespace {

constexpr size_t kWorkspace = size_t{32} << 20;
constexpr int64_t kReferenceRows = 512;  // for which algorithms are chosen
constexpr int kCandidates = 16;

void need(cublasStatus_t status, const char* what) {
  if (status != CUBLAS_STATUS_SUCCESS) {
    throw fail(Code::kDevice,
               "cuda: cuBLASLt: {}: found status {}, need success",
               what,
               static_cast<int>(status));
  }
}

cudaDataType_t data_type(DType type) {
  if (type == DType::kBF16) return CUDA_R_16BF;
  return type == DType::kF16 ? CUDA_R_16F : CUDA_R_32F;
}

// The largest power of two up to 256 that divides both.
int alignment(const void* data, int64_t stride_bytes) {
  const uint64_t bits = static_cast<uint64_t>(reinterpret_cast<uintptr_t>(data)) |
                        static_cast<uint64_t>(stride_bytes) | 256u;
  return 1 << std::countr_zero(bits);
}

}  // namespace

// The functions used, by their own names.
struct Blas::Library {
  void* handle = nullptr;
  decltype(&cublasLtCreate) create;
  decltype(&cublasLtDestroy) destroy;
  decltype(&cublasLtGetVersion) version;
  decltype(&cublasLtMatmul) matmul;
  decltype(&cublasLtMatmulDescCreate) desc_create;
  decltype(&cublasLtMatmulDescDestroy) desc_destroy;
  decltype(&cublasLtMatmulDescSetAttribute) desc_set;
  decltype(&cublasLtMatrixLayoutCreate) layout_create;
  decltype(&cublasLtMatrixLayoutDestroy) layout_destroy;
  decltype(&cublasLtMatmulPreferenceCreate) preference_create;
  decltype(&cublasLtMatmulPreferenceDestroy) preference_destroy;
  decltype(&cublasLtMatmulPreferenceSetAttribute) preference_set;
  decltype(&cublasLtMatmulAlgoGetHeuristic) heuristic;
  decltype(&cublasLtMatmulAlgoConfigGetAttribute) config;

  template <typename Function>
  void load(Function& function, const char* name) {
    function = reinterpret_cast<Function>(dlsym(handle, name));
    if (function == nullptr)
      throw fail(
          Code::kDevice, "cuda: libcublasLt.so.13: found no function {}, need cuBLASLt 13", name);
  }

  Library() {
    handle = dlopen("libcublasLt.so.13", RTLD_NOW | RTLD_LOCAL);
    if (handle == nullptr) {
      throw fail(Code::kDevice,
                 "cuda: libcublasLt.so.13: found no such library, need the CUDA 13 runtime "
                 "libraries. Hint: {}",
                 dlerror());
    }
    load(create, "cublasLtCreate");
    load(destroy, "cublasLtDestroy");
    load(version, "cublasLtGetVersion");
    load(matmul, "cublasLtMatmul");
    load(desc_create, "cublasLtMatmulDescCreate");
    load(desc_destroy, "cublasLtMatmulDescDestroy");
    load(desc_set, "cublasLtMatmulDescSetAttribute");
    load(layout_create, "cublasLtMatrixLayoutCreate");
    load(layout_destroy, "cublasLtMatrixLayoutDestroy");
    load(preference_create, "cublasLtMatmulPreferenceCreate");
    load(preference_destroy, "cublasLtMatmulPreferenceDestroy");
    load(preference_set, "cublasLtMatmulPreferenceSetAttribute");
    load(heuristic, "cublasLtMatmulAlgoGetHeuristic");
    load(config, "cublasLtMatmulAlgoConfigGetAttribute");
  }
};

// The descriptors of one product. cuBLASLt's matrices stand in columns: ours, transposed. Its A is
// our w, its B our x, its m our n.
struct Blas::Product {
  const Library& library;
  cublasLtMatmulDesc_t operation = nullptr;
  cublasLtMatrixLayout_t w = nullptr, x = nullptr, out = nullptr;

  Product(const Library& lib, const GemmCall& call, int64_t rows) : library(lib) {
    need(library.desc_create(&operation, CUBLAS_COMPUTE_32F, CUDA_R_32F), "descriptor");
    const cublasOperation_t transposed = CUBLAS_OP_T;
    set(CUBLASLT_MATMUL_DESC_TRANSA, transposed);
    if (call.bias != nullptr) {
      set(CUBLASLT_MATMUL_DESC_EPILOGUE, CUBLASLT_EPILOGUE_BIAS);
      set(CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE, CUDA_R_32F);
      set(CUBLASLT_MATMUL_DESC_BIAS_POINTER, call.bias);
    }
    const cudaDataType_t in = data_type(call.type);
    need(library.layout_create(
             &w, in, static_cast<uint64_t>(call.k), static_cast<uint64_t>(call.n), call.k),
         "layout");
    need(library.layout_create(
             &x, in, static_cast<uint64_t>(call.k), static_cast<uint64_t>(rows), call.x_stride),
         "layout");
    need(library.layout_create(&out,
                               CUDA_R_32F,
                               static_cast<uint64_t>(call.n),
                               static_cast<uint64_t>(rows),
                               call.out_stride),
         "layout");
  }
  ~Product() {
    if (out != nullptr) library.layout_destroy(out);
    if (x != nullptr) library.layout_destroy(x);
    if (w != nullptr) library.layout_destroy(w);
    if (operation != nullptr) library.desc_destroy(operation);
  }
  Product(const Product&) = delete;
  Product& operator=(const Product&) = delete;

  template <typename Value>
  void set(cublasLtMatmulDescAttributes_t attribute, const Value& value) {
    need(library.desc_set(operation, attribute, &value, sizeof value), "attribute");
  }
};

std::string Blas::absence() {
  void* const handle = dlopen("libcublasLt.so.13", RTLD_LAZY | RTLD_LOCAL);
  if (handle == nullptr) return "a GPU but no libcublasLt.so.13 (of the CUDA 13 runtime libraries)";
  dlclose(handle);
  return "";
}

Blas::Blas() {
  static Library library;  // never unloaded
  library_ = &library;
  need(library_->create(&handle_), "start");
  if (cudaMalloc(&workspace_, kWorkspace) != cudaSuccess) {
    library_->destroy(handle_);
    throw fail(Code::kDevice, "cuda: memory: found no {} MiB free for cuBLASLt", kWorkspace >> 20);
  }
}

Blas::~Blas() {
  cudaFree(workspace_);
  library_->destroy(handle_);
}

std::string Blas::version() const { return std::to_string(library_->version()); }

const cublasLtMatmulAlgo_t& Blas::algorithm(const Kind& kind, const GemmCall& call) {
  const auto known = algorithms_.find(kind);
  if (known != algorithms_.end()) return known->second;
  const Product reference(*library_, call, kReferenceRows);
  cublasLtMatmulPreference_t preference = nullptr;
  need(library_->preference_create(&preference), "preference");
  const auto set = [&](cublasLtMatmulPreferenceAttributes_t attribute, const auto& value) {
    need(library_->preference_set(preference, attribute, &value, sizeof value), "preference");
  };
  set(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, kWorkspace);
  set(CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK,
      static_cast<uint32_t>(CUBLASLT_REDUCTION_SCHEME_NONE));
  const uint32_t aligned = static_cast<uint32_t>(std::get<5>(kind));
  for (const auto attribute : {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES,
                               CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES,
                               CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES,
                               CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES}) {
    set(attribute, aligned);
  }
  cublasLtMatmulHeuristicResult_t found[kCandidates];
  int count = 0;
  const cublasStatus_t status = library_->heuristic(handle_,
                                                    reference.operation,
                                                    reference.w,
                                                    reference.x,
                                                    reference.out,
                                                    reference.out,
                                                    preference,
                                                    kCandidates,
                                                    found,
                                                    &count);
  library_->preference_destroy(preference);
  need(status, "choice of an algorithm");
  for (int i = 0; i < count; ++i) {
    int32_t splits = 0;
    uint32_t reduction = 0;
    size_t written = 0;
    need(library_->config(
             &found[i].algo, CUBLASLT_ALGO_CONFIG_SPLITK_NUM, &splits, sizeof splits, &written),
         "algorithm");
    need(library_->config(&found[i].algo,
                          CUBLASLT_ALGO_CONFIG_REDUCTION_SCHEME,
                          &reduction,
                          sizeof reduction,
                          &written),
         "algorithm");
    if (splits > 1 || reduction != CUBLASLT_REDUCTION_SCHEME_NONE) continue;
    return algorithms_.emplace(kind, found[i].algo).first->second;
  }
  throw fail(Code::kUnsupported,
             "cuda: cuBLASLt: found no algorithm without split-K for {} outputs of {} inputs in {}",
             call.n,
             call.k,
             name(call.type));
}

void Blas::gemm(const GemmCall& call, cudaStream_t stream) {
  const int64_t in_bytes = call.type == DType::kF32 ? 4 : 2;
  const int aligned = std::min({alignment(call.w, call.k * in_bytes),
                                alignment(call.x, call.x_stride * in_bytes),
                                alignment(call.out, call.out_stride * 4)});
  const Kind kind{call.n, call.k, call.type, call.bias != nullptr, call.accumulate, aligned};
  const Product product(*library_, call, call.m);
  const cublasLtMatmulAlgo_t& chosen = algorithm(kind, call);
  const float alpha = 1;
  const float beta = call.accumulate ? 1.0f : 0.0f;
  need(library_->matmul(handle_,
                        product.operation,
                        &alpha,
                        call.w,
                        product.w,
                        call.x,
                        product.x,
                        &beta,
                        call.out,
                        product.out,
                        call.out,
                        product.out,
                        &chosen,
                        workspace_,
                        kWorkspace,
                        stream),
       "product");
}

}  // namespace keju::cuda
