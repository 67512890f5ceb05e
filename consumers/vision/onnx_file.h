// A model that the user has as a file: its bytes, and the checksum that names it in versions.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"

namespace millrace {

struct OnnxFile {
  std::vector<unsigned char> bytes;
  std::uint32_t checksum = 0;  // CRC-32
};

// Errors: kNotFound: not there, or not readable; kUnsupported: empty, or of more than `bytes_max`. The texts
// end in `wanted`, which says what the file must be.
Result<OnnxFile> ReadOnnxFile(const std::string& path, std::size_t bytes_max, const std::string& wanted);

}  // namespace millrace
