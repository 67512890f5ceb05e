#include "base/private_file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <fstream>
#include <iterator>

namespace millrace {
namespace {

class PrivateFileTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "millrace-file-XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  std::string Read(const std::string& name) const {
    std::ifstream in(directory_ / name);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  mode_t ModeOf(const std::string& name) const {
    struct stat info {};
    EXPECT_EQ(::stat((directory_ / name).c_str(), &info), 0);
    return info.st_mode & 0777;
  }
  std::filesystem::path directory_;
};

TEST_F(PrivateFileTest, IsWholeAndForItsOwnerAlone) {
  const mode_t before = ::umask(0);
  ASSERT_TRUE(WritePrivateFile(directory_ / "key", AsBytes("secret")));
  ::umask(before);
  EXPECT_EQ(Read("key"), "secret");
  EXPECT_EQ(ModeOf("key"), 0600u);
  EXPECT_FALSE(std::filesystem::exists(directory_ / "key.new"));
}

TEST_F(PrivateFileTest, ReplacesWhatIsThereAndWhatACrashLeft) {
  std::ofstream(directory_ / "key") << "an older and longer text";
  std::ofstream(directory_ / "key.new") << "half of so";
  ASSERT_TRUE(WritePrivateFile(directory_ / "key", AsBytes("new")));
  EXPECT_EQ(Read("key"), "new");
  EXPECT_EQ(ModeOf("key"), 0600u);
}

TEST_F(PrivateFileTest, KeepsTheGroupsRightToReadWhereAsked) {
  std::ofstream(directory_ / "users") << "old";
  ASSERT_EQ(::chmod((directory_ / "users").c_str(), 0666), 0);
  ASSERT_TRUE(WritePrivateFile(directory_ / "users", AsBytes("new"), true));
  EXPECT_EQ(ModeOf("users"), 0640u);
}

TEST_F(PrivateFileTest, FailuresLeaveWhatWasThere) {
  EXPECT_EQ(WritePrivateFile(directory_ / "none" / "key", AsBytes("x")).error().code, ErrorCode::kIo);
  std::filesystem::create_directory(directory_ / "taken");
  std::ofstream(directory_ / "taken" / "in") << "it";
  const auto failed = WritePrivateFile(directory_ / "taken", AsBytes("x"));
  ASSERT_FALSE(failed);
  EXPECT_NE(failed.error().message.find("taken"), std::string::npos);
  EXPECT_FALSE(std::filesystem::exists(directory_ / "taken.new"));
}

}  // namespace
}  // namespace millrace
