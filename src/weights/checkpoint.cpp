// SPDX-License-Identifier: MIT
#include "weights/checkpoint.h"

#include <algorithm>
#include <functional>
#include <numeric>

#include "base/sha256.h"

namespace keju {

const StoredTensor* Checkpoint::find(std::string_view name) const {
  const auto found = index_.find(std::string(name));
  return found == index_.end() ? nullptr : &tensors_[found->second];
}

uint64_t Checkpoint::weight_bytes() const {
  uint64_t total = 0;
  for (const StoredTensor& tensor : tensors_) total += tensor.bytes;
  return total;
}

void Checkpoint::drop_pages(const StoredTensor& tensor) const {
  const MappedFile& file = *files_[static_cast<size_t>(tensor.file)];
  const std::less<const std::byte*> before;
  const std::byte* begin = file.bytes().data();
  if (before(tensor.data, begin) || !before(tensor.data, begin + file.bytes().size())) return;
  file.drop_pages(tensor.data, tensor.bytes);
}

std::vector<std::pair<std::string, std::string>> Checkpoint::tensor_digests(
    ThreadPool& pool) const {
  // Largest first, so that no thread is left alone with the embedding at the end.
  std::vector<size_t> order(tensors_.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return std::pair(tensors_[b].bytes, a) < std::pair(tensors_[a].bytes, b);
  });
  std::vector<std::pair<std::string, std::string>> digests(tensors_.size());
  pool.run(static_cast<int64_t>(order.size()), [&](int64_t i) {
    const size_t at = order[static_cast<size_t>(i)];
    const StoredTensor& tensor = tensors_[at];
    digests[at] = {tensor.name, sha256_hex(std::span(tensor.data, tensor.bytes))};
  });
  std::sort(digests.begin(), digests.end());
  return digests;
}

std::string Checkpoint::digest(ThreadPool& pool) const {
  Sha256 whole;
  for (const auto& [name, data] : tensor_digests(pool)) {
    const StoredTensor& tensor = *find(name);
    whole.update(name + " ");
    whole.update(keju::name(tensor.dtype));
    whole.update(" " + to_string(tensor.shape) + " " + data + "\n");
  }
  return whole.finish_hex();
}

}  // namespace keju
