#include "base/text.h"

#include <gtest/gtest.h>

namespace millrace {
namespace {

TEST(Excerpt, KeepsWhatIsShortEnough) {
  EXPECT_EQ(Excerpt("", 4), "");
  EXPECT_EQ(Excerpt("door", 4), "door");
  EXPECT_EQ(Excerpt("doors", 4), "door");
}

TEST(Excerpt, DoesNotCutACharacter) {
  EXPECT_EQ(Excerpt("abc\xC3\xA9", 4), "abc");
  EXPECT_EQ(Excerpt("abc\xC3\xA9", 5), "abc\xC3\xA9");
  EXPECT_EQ(Excerpt("\xE2\x82\xAC\xE2\x82\xAC", 5), "\xE2\x82\xAC");
  EXPECT_EQ(Excerpt("a\xF0\x9F\x8E\xA5", 4), "a");
  EXPECT_EQ(Excerpt("\xF0\x9F\x8E\xA5", 3), "");
}

// Not text at all: the length counts, and nothing more than a character's bytes is given up.
TEST(Excerpt, TakesBytesThatAreNotUtf8) {
  const std::string rubbish(100, '\x80');
  EXPECT_EQ(Excerpt(rubbish, 64).size(), 61u);
}

TEST(AsciiCase, IsThatOfLettersAlone) {
  EXPECT_EQ(ToAsciiLower("X-Amz-@[`{\xC3\x84"), "x-amz-@[`{\xC3\x84");
  EXPECT_TRUE(EqualsIgnoreCase("Content-TYPE", "cONTENT-type"));
  EXPECT_TRUE(EqualsIgnoreCase("", ""));
  EXPECT_FALSE(EqualsIgnoreCase("a", "ab"));
  EXPECT_FALSE(EqualsIgnoreCase("@", "`"));
  EXPECT_FALSE(EqualsIgnoreCase("[", "{"));
}

}  // namespace
}  // namespace millrace
