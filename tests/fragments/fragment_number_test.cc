#include "fragments/fragment_number.h"

#include <gtest/gtest.h>

#include <random>

namespace millrace {
namespace {

// A number as Kinesis Video writes them: 1 | 0000000000000001 | 0000016001686d46 | feeef70.
TEST(FragmentNumber, HasTheDecimalFormOfKinesisVideo) {
  const FragmentNumber number{.counter = 1, .server_ms = 0x16001686d46, .random = 0xfeeef70};
  EXPECT_EQ(number.ToString(), "91343852333181432392682062607743920146159169392");
  const auto parsed = FragmentNumber::Parse(number.ToString());
  ASSERT_TRUE(parsed);
  EXPECT_EQ(*parsed, number);
}

TEST(FragmentNumber, EveryFieldSurvivesBothForms) {
  std::mt19937_64 random(7);
  for (int i = 0; i < 2000; ++i) {
    const FragmentNumber number{.counter = random() >> (4 + random() % 60),
                                .server_ms = random() >> (random() % 64),
                                .random = static_cast<std::uint32_t>(random() & 0x0FFF'FFFF)};
    EXPECT_EQ(FragmentNumber::FromKey(number.ToKey()), number);
    if (number.counter > 1'700'000'000'000'000'000) continue;  // above it the decimal form has 48 digits
    const auto parsed = FragmentNumber::Parse(number.ToString());
    ASSERT_TRUE(parsed) << number.ToString();
    EXPECT_EQ(*parsed, number);
  }
}

TEST(FragmentNumber, OrderIsTheSameAsNumberAsTextAndAsKey) {
  std::mt19937_64 random(8);
  const auto make = [&] {
    return FragmentNumber{.counter = random() % 3,
                          .server_ms = random() % 3 + 1'700'000'000'000,
                          .random = static_cast<std::uint32_t>(random() % 3)};
  };
  for (int i = 0; i < 2000; ++i) {
    const FragmentNumber a = make();
    const FragmentNumber b = make();
    EXPECT_EQ(a < b, a.ToString() < b.ToString());
    EXPECT_EQ(a < b, a.ToKey() < b.ToKey());
    EXPECT_EQ(a.ToString().size(), 47u);
    EXPECT_EQ(a.ToKey().size(), 20u);
  }
}

TEST(FragmentNumber, RefusesWhatIsNotOne) {
  for (const std::string text : {
           "",
           "1",
           "9134385233318143239268206260774392014615916939",    // 46 digits
           "913438523331814323926820626077439201461591693920",  // 48 digits
           "9134385233318143239268206260774392014615916939x",
           "-1343852333181432392682062607743920146159169392",
           " 1343852333181432392682062607743920146159169392",
           "00000000000000000000000000000000000000000000001",  // no leading 1
           "49590338271490256608559692538361571095921575989136588898",
       }) {
    const auto parsed = FragmentNumber::Parse(text);
    ASSERT_FALSE(parsed) << text;
    EXPECT_EQ(parsed.error().code, ErrorCode::kInvalidArgument);
  }
}

}  // namespace
}  // namespace millrace
