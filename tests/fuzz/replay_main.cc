// SPDX-License-Identifier: Apache-2.0
// Runs a fuzz target without libFuzzer: every file of the corpus, then mutations of them for a
// while, from a seed that is printed. It sees no coverage; it is here so that every build, by every
// compiler, runs every target.
//
// usage: target [-max_total_time=SECONDS] [-seed=N] [-...ignored] DIRECTORY-OR-FILE...
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include "tests/fuzz/fuzz_input.h"

namespace {

using Bytes = std::vector<std::uint8_t>;
using Random = std::mt19937_64;

constexpr std::size_t kMaxBytes = 8192;
constexpr int kMaxRuns = 200'000;

void read_into(std::vector<Bytes>& corpus, const std::filesystem::path& path) {
  if (std::filesystem::is_directory(path)) {
    for (const auto& entry : std::filesystem::directory_iterator(path)) {
      read_into(corpus, entry.path());
    }
    return;
  }
  std::ifstream file(path, std::ios::binary);
  corpus.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
}

void mutate_once(Bytes& bytes, const std::vector<Bytes>& corpus, Random& random) {
  const auto position = [&] { return static_cast<std::ptrdiff_t>(random() % (bytes.size() + 1)); };
  const auto at = position();
  const auto length = static_cast<std::ptrdiff_t>(1U << random() % 7);
  const auto rest = static_cast<std::ptrdiff_t>(bytes.size()) - at;
  const auto some = bytes.begin() + at + std::min(length, rest);
  switch (random() % 6) {
    case 0:  // noise
      for (auto byte = bytes.begin() + at; byte != some; ++byte) {
        *byte = static_cast<std::uint8_t>(random());
      }
      break;
    case 1:  // extremes
      std::fill(bytes.begin() + at, some, static_cast<std::uint8_t>(random() % 2 == 0 ? 0xFF : 0));
      break;
    case 2:  // one more, one less, one bit
      if (rest > 0) bytes[static_cast<std::size_t>(at)] ^= static_cast<std::uint8_t>(random());
      break;
    case 3:
      bytes.erase(bytes.begin() + at, some);
      break;
    case 4: {
      Bytes fresh(static_cast<std::size_t>(length));
      for (std::uint8_t& byte : fresh) byte = static_cast<std::uint8_t>(random());
      bytes.insert(bytes.begin() + at, fresh.begin(), fresh.end());
      break;
    }
    default: {  // a piece of another
      const Bytes& other = corpus[random() % corpus.size()];
      const std::size_t from = random() % (other.size() + 1);
      bytes.insert(bytes.begin() + at, other.begin() + static_cast<std::ptrdiff_t>(from),
                   other.end());
    }
  }
  if (bytes.size() > kMaxBytes) bytes.resize(kMaxBytes);
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<Bytes> corpus(1);  // the empty input is in every corpus
  double seconds = 5;
  std::uint64_t seed = std::random_device{}();
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    const auto value = [&] { return argument.substr(argument.find('=') + 1); };
    if (argument.starts_with("-max_total_time=")) {
      seconds = std::stod(value());
    } else if (argument.starts_with("-seed=")) {
      seed = std::stoull(value());
    } else if (!argument.starts_with("-")) {
      read_into(corpus, argument);
    }
  }
  for (const Bytes& bytes : corpus) LLVMFuzzerTestOneInput(bytes.data(), bytes.size());

  std::printf("%zu inputs of the corpus pass; mutations from -seed=%llu\n", corpus.size(),
              static_cast<unsigned long long>(seed));
  std::fflush(stdout);
  Random random(seed);
  const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
  int runs = 0;
  while (runs < kMaxRuns && std::chrono::steady_clock::now() < end) {
    Bytes bytes = corpus[random() % corpus.size()];
    for (auto times = 1 + random() % 16; times > 0; --times) mutate_once(bytes, corpus, random);
    LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
    ++runs;
  }
  std::printf("%d mutations pass\n", runs);
  return 0;
}
