// An access key: who signs.
#pragma once

#include <string>

namespace millrace::wire {

struct AccessKey {
  std::string id;
  std::string secret;  // never logged or shown
};

}  // namespace millrace::wire
