#include "fuzz/fuzz_target.h"

#include <cstdio>
#include <cstdlib>

namespace millrace::fuzz {

void CheckFailed(const char* file, int line, const char* condition, const std::string& detail) {
  std::fprintf(stderr, "%s:%d: does not hold: %s\n%s\n", file, line, condition, detail.c_str());
  std::abort();
}

}  // namespace millrace::fuzz
