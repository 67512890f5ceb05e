// Runs a fuzz target without a fuzzer: its own seeds, the files it is given, and changed copies of both.
//
//   parser_replay [--seconds S] [--rounds N] [--seed N] [FILE|DIRECTORY]…
//   parser_replay --rounds 0 crash.hex          one input again
//   parser_replay --write-inputs DIRECTORY [FILE|DIRECTORY]…   all of them as they are, for libFuzzer
//
// Files named *.hex hold hexadecimal digits, with white space and comments from '#' to the end of the line,
// and several inputs where lines of "---" stand between them; others are taken as they are. The changed
// copies depend on the seed alone; S bounds how many are tried. The input that fails is written to
// <program>-failed.hex in the current directory.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fuzz/fuzz_target.h"
#include "fuzz/mutator.h"

// Of the sanitizers' runtime, where there is one.
extern "C" void __sanitizer_set_death_callback(void (*callback)()) __attribute__((weak));

namespace millrace::fuzz {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kInputBytesMax = 32 * 1024;

// What a dying process writes down; set before each run.
const std::uint8_t* current_data = nullptr;
std::size_t current_size = 0;
char failed_path[512] = "failed.hex";

// Called in signal handlers: system calls alone.
void WriteCurrent() {
  const int file = ::open(failed_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (file < 0) return;
  constexpr char kDigits[] = "0123456789abcdef";
  char line[65];
  for (std::size_t at = 0; at < current_size;) {
    std::size_t used = 0;
    for (; used < 64 && at < current_size; ++at) {
      line[used++] = kDigits[current_data[at] >> 4];
      line[used++] = kDigits[current_data[at] & 15];
    }
    line[used++] = '\n';
    if (::write(file, line, used) < 0) break;
  }
  ::close(file);
  constexpr char kText[] = "the input that failed is in ";
  [[maybe_unused]] ssize_t ignored = ::write(2, kText, sizeof(kText) - 1);
  ignored = ::write(2, failed_path, std::strlen(failed_path));
  ignored = ::write(2, "\n", 1);
}

void OnSignal(int signal) {
  WriteCurrent();
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

void Run(const Bytes& input) {
  // A copy of its own size: reading past it is an error that the address sanitizer sees.
  const Bytes copy(input.begin(), input.end());
  current_data = copy.data();
  current_size = copy.size();
  LLVMFuzzerTestOneInput(copy.data(), copy.size());
  current_size = 0;
}

std::optional<Bytes> FromHex(const std::string& text) {
  Bytes bytes;
  int digits = 0;
  int value = 0;
  bool comment = false;
  for (const char c : text) {
    if (c == '#') comment = true;
    if (c == '\n') comment = false;
    if (comment || c == ' ' || c == '\t' || c == '\r' || c == '\n') continue;
    int digit = 0;
    if (std::from_chars(&c, &c + 1, digit, 16).ec != std::errc{}) return std::nullopt;
    value = value * 16 + digit;
    if (++digits == 2) {
      bytes.push_back(static_cast<std::uint8_t>(value));
      digits = value = 0;
    }
  }
  if (digits != 0) return std::nullopt;
  return bytes;
}

// Appends the file's bytes, or those of all files in the directory in name order.
bool Load(const fs::path& path, std::vector<Bytes>& inputs) {
  std::error_code error;
  if (fs::is_directory(path, error)) {
    std::vector<fs::path> files;
    for (const auto& entry : fs::directory_iterator(path, error)) files.push_back(entry.path());
    std::sort(files.begin(), files.end());
    return std::all_of(files.begin(), files.end(), [&](const fs::path& file) { return Load(file, inputs); });
  }
  std::ifstream in(path, std::ios::binary);
  std::string text((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  if (!in) {
    std::fprintf(stderr, "cannot read %s\n", path.c_str());
    return false;
  }
  if (path.extension() != ".hex") {
    inputs.emplace_back(text.begin(), text.end());
    return true;
  }
  constexpr std::string_view kBetween = "\n---\n";
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find(kBetween, at), text.size());
    std::optional<Bytes> bytes = FromHex(text.substr(at, end - at));
    if (!bytes) {
      std::fprintf(stderr, "%s is not hexadecimal\n", path.c_str());
      return false;
    }
    inputs.push_back(std::move(*bytes));
    at = end + kBetween.size();
  }
  return true;
}

int WriteInputs(const std::vector<Bytes>& inputs, const fs::path& directory) {
  fs::create_directories(directory);
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const fs::path path = directory / ("seed-" + std::to_string(i));
    std::ofstream out(path, std::ios::binary);
    out.write(reinterpret_cast<const char*>(inputs[i].data()),
              static_cast<std::streamsize>(inputs[i].size()));
    if (!out.flush()) {
      std::fprintf(stderr, "cannot write %s\n", path.c_str());
      return 1;
    }
  }
  return 0;
}

int Main(const std::vector<std::string>& arguments, const std::string& program) {
  double seconds = 2;
  unsigned long rounds = 100'000;
  std::uint32_t random_seed = 1;
  std::string write_to;
  std::vector<Bytes> inputs;
  for (const Seed& seed : Seeds()) inputs.push_back(seed.bytes);
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string& argument = arguments[i];
    const char* value = i + 1 < arguments.size() ? arguments[i + 1].c_str() : nullptr;
    if (argument.rfind("--", 0) != 0) {
      if (!Load(argument, inputs)) return 2;
      continue;
    }
    if (value == nullptr) {
      std::fprintf(stderr, "%s: %s needs a value\n", program.c_str(), argument.c_str());
      return 2;
    }
    ++i;
    if (argument == "--write-inputs") {
      write_to = value;
    } else if (argument == "--seconds") {
      seconds = std::atof(value);
    } else if (argument == "--rounds") {
      rounds = std::strtoul(value, nullptr, 10);
    } else if (argument == "--seed") {
      random_seed = static_cast<std::uint32_t>(std::strtoul(value, nullptr, 10));
    } else {
      std::fprintf(stderr, "%s: unknown option %s\n", program.c_str(), argument.c_str());
      return 2;
    }
  }

  if (!write_to.empty()) return WriteInputs(inputs, write_to);
  std::snprintf(failed_path, sizeof(failed_path), "%s-failed.hex", program.c_str());
  for (const int signal : {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTERM}) {
    if (__sanitizer_set_death_callback == nullptr || signal == SIGABRT || signal == SIGTERM) {
      std::signal(signal, OnSignal);
    }
  }
  if (__sanitizer_set_death_callback != nullptr) __sanitizer_set_death_callback(WriteCurrent);

  for (const Bytes& input : inputs) Run(input);
  Run({});
  if (inputs.empty()) inputs.emplace_back();
  Mutator mutator(inputs, random_seed);
  const auto until = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
  unsigned long round = 0;
  while (round < rounds && std::chrono::steady_clock::now() < until) {
    Run(mutator.Next(kInputBytesMax));
    ++round;
  }
  std::printf("%s: %zu inputs and %lu changed copies of them (seed %u)\n", program.c_str(), inputs.size(),
              round, random_seed);
  return 0;
}

}  // namespace
}  // namespace millrace::fuzz

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  return millrace::fuzz::Main(arguments, std::filesystem::path(argv[0]).filename().string());
}
