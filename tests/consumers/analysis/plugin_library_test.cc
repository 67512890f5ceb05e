// A library that is not for this Millrace is refused with both versions named, and one that misbehaves while
// it makes its analyzer becomes an error.
#include "consumers/analysis/plugin_library.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace millrace {
namespace {

std::string Strange(int variant) {
  return STRANGE_PLUGINS "/libstrange_plugin_" + std::to_string(variant) + ".so";
}

struct LibraryCase {
  int variant;
  ErrorCode code;
  std::vector<std::string> says;
};

TEST(PluginLibrary, AnotherInterfaceOrAbiIsRefusedWithBothNamed) {
  const std::string ours = "interface " + std::to_string(kAnalyzerInterface);
  const LibraryCase cases[] = {
      {1, ErrorCode::kUnsupported, {"built for interface 77", ours}},
      {2, ErrorCode::kUnsupported, {"Strange", "OpenCV 12.3", "OpenCV " CVAUX_STR(CV_VERSION_MAJOR) "."}},
      {3, ErrorCode::kUnsupported, {"Boost 1.58", "Boost 1."}},
      {4, ErrorCode::kInvalidArgument, {"says nothing"}},
      {5, ErrorCode::kUnsupported, {"libstdc++ 3"}},
      {6, ErrorCode::kUnsupported, {"built for interface 1", ours}},
      {7, ErrorCode::kInvalidArgument, {"says nothing"}},
      {8, ErrorCode::kInvalidArgument, {"MILLRACE_ANALYZER"}},
      {9, ErrorCode::kUnsupported, {"Strange", "Millrace 0.0.0-other", "Millrace " MILLRACE_VERSION}}};
  for (const LibraryCase& test : cases) {
    auto loaded = PluginLibrary::Load(Strange(test.variant));
    ASSERT_FALSE(loaded) << test.variant;
    EXPECT_EQ(loaded.error().code, test.code) << loaded.error().message;
    for (const std::string& says : test.says) {
      EXPECT_NE(loaded.error().message.find(says), std::string::npos) << loaded.error().message;
    }
  }
}

TEST(PluginLibrary, WhatIsNoLibraryIsRefused) {
  std::string directory = ::testing::TempDir() + "millrace-plugin-XXXXXX";
  ASSERT_NE(::mkdtemp(directory.data()), nullptr);
  std::ofstream(directory + "/text.so") << "no library at all";
  std::ofstream(directory + "/empty.so");
  EXPECT_EQ(PluginLibrary::Load(directory + "/text.so").error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(PluginLibrary::Load(directory + "/empty.so").error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(PluginLibrary::Load(directory + "/none.so").error().code, ErrorCode::kNotFound);
  EXPECT_EQ(PluginLibrary::Load(directory).error().code, ErrorCode::kNotFound);
  std::filesystem::remove_all(directory);
}

TEST(PluginLibrary, WhatFailsWhileMakingIsAnError) {
  auto loaded = PluginLibrary::Load(Strange(0));
  ASSERT_TRUE(loaded) << loaded.error().message;
  EXPECT_EQ(std::string(loaded->entry().name), "Strange");
  EXPECT_EQ(loaded->Make({{"throw", 1}}).error().code, ErrorCode::kInternal);
  EXPECT_EQ(loaded->Make({{"throw_else", 1}}).error().code, ErrorCode::kInternal);
  EXPECT_EQ(loaded->Make({{"none", 1}}).error().code, ErrorCode::kInternal);
  auto refused = loaded->Make({});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kInvalidArgument);
  EXPECT_NE(refused.error().message.find("option 'x' is not known"), std::string::npos);
}

}  // namespace
}  // namespace millrace
