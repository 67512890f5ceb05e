// A model as a file, for as long as the object lives.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace millrace::testing {

class ModelFile {
 public:
  explicit ModelFile(const std::string& bytes) {
    std::string directory = ::testing::TempDir() + "/millrace-yunet-XXXXXX";
    if (mkdtemp(directory.data()) == nullptr) ADD_FAILURE() << "no temporary directory";
    directory_ = directory;
    std::ofstream(path(), std::ios::binary) << bytes;
  }
  ~ModelFile() { std::filesystem::remove_all(directory_); }
  ModelFile(const ModelFile&) = delete;
  ModelFile& operator=(const ModelFile&) = delete;
  std::string path() const { return directory_ + "/model.onnx"; }

 private:
  std::string directory_;
};

}  // namespace millrace::testing
