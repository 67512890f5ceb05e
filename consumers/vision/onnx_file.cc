#include "consumers/vision/onnx_file.h"

#include <array>
#include <boost/crc.hpp>
#include <fstream>

namespace millrace {

Result<OnnxFile> ReadOnnxFile(const std::string& path, std::size_t bytes_max, const std::string& wanted) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return Error{ErrorCode::kNotFound, "cannot read the model " + path + ": " + wanted};
  OnnxFile file;
  std::array<char, 65536> piece{};
  while (in.read(piece.data(), piece.size()), in.gcount() > 0) {
    file.bytes.insert(file.bytes.end(), piece.begin(), piece.begin() + in.gcount());
    if (file.bytes.size() > bytes_max) {
      return Error{ErrorCode::kUnsupported,
                   path + " is larger than " + std::to_string(bytes_max >> 20) + " MB: " + wanted};
    }
  }
  if (file.bytes.empty()) return Error{ErrorCode::kUnsupported, path + " is empty: " + wanted};
  boost::crc_32_type checksum;
  checksum.process_bytes(file.bytes.data(), file.bytes.size());
  file.checksum = checksum.checksum();
  return file;
}

}  // namespace millrace
