// A credentials' file in a directory of its own.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

namespace millrace::server {

class CredentialsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = ::testing::TempDir() + "millrace-credentials-XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
    file_ = directory_ / "users.yaml";
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  // In the place of what was there, at once.
  void Write(const std::string& text, ::mode_t mode = 0600) {
    const std::string part = file_.string() + ".part";
    std::ofstream(part) << text;
    ::chmod(part.c_str(), mode);
    std::filesystem::rename(part, file_);
  }
  std::string Read() {
    std::ifstream in(file_);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  ::mode_t Mode() {
    struct stat info {};
    EXPECT_EQ(::stat(file_.c_str(), &info), 0);
    return info.st_mode & 0777;
  }

  std::filesystem::path directory_;
  std::filesystem::path file_;
};

}  // namespace millrace::server
