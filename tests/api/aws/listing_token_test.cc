// Listing tokens: a page goes on where the one before ended, in the same listing of the same stream, while
// the token is young enough; what anybody else made is no token.
#include "api/aws/listing_token.h"

#include <gtest/gtest.h>

namespace millrace::api {
namespace {

constexpr ListingKind kListing{"list-things-1", std::chrono::seconds(300)};
constexpr ListingKind kForEver{"list-things-2", {}};
constexpr Timestamp kNow = Timestamp::FromSeconds(1'795'240'800);

class ListingTokenTest : public testing::Test {
 protected:
  std::string Seal(const ListingKind& kind) {
    boost::json::object place;
    MarkStream(place, "door", kNow);
    place["after"] = "b\"\xC3\xB6";
    return SealNextToken(sealer_, kind, std::move(place), kNow);
  }
  std::string FaultOf(const ListingKind& kind, std::string_view token, Timestamp now = kNow) {
    const auto place = OpenNextToken(sealer_, kind, token, now);
    return place ? "" : place.error().type + ": " + place.error().message;
  }

  const wire::TokenSealer sealer_{wire::TokenSealer::MakeKey()};
};

TEST_F(ListingTokenTest, HoldsThePlaceAndItsStream) {
  auto place = OpenNextToken(sealer_, kListing, Seal(kListing), kNow);
  ASSERT_TRUE(place);
  EXPECT_EQ(place->at("after").as_string(), "b\"\xC3\xB6");
  EXPECT_TRUE(IsOfStream(*place, "door", kNow));
  EXPECT_FALSE(IsOfStream(*place, "doors", kNow));
  EXPECT_FALSE(IsOfStream(*place, "door", kNow + Duration{1}));  // made again meanwhile
}

TEST_F(ListingTokenTest, EndsWhenItsListingSaysSo) {
  const std::string token = Seal(kListing);
  EXPECT_EQ(FaultOf(kListing, token, kNow + std::chrono::seconds(300)), "");
  EXPECT_EQ(FaultOf(kListing, token, kNow + std::chrono::seconds(300) + Duration{1}),
            "ExpiredNextTokenException: NextToken expired: it is valid for 300 seconds.");
  EXPECT_EQ(FaultOf(kForEver, Seal(kForEver), kNow + std::chrono::hours(100'000)), "");
}

TEST_F(ListingTokenTest, IsOfItsListingAndOfThisServer) {
  const std::string invalid = "InvalidArgumentException: NextToken is invalid.";
  EXPECT_EQ(FaultOf(kForEver, Seal(kListing)), invalid);
  for (const char* made_up : {"", "AAAA", "no base64", "AAAAAAAAAAE="}) {
    EXPECT_EQ(FaultOf(kListing, made_up), invalid) << made_up;
  }
  std::string changed = Seal(kListing);
  char& letter = changed[changed.size() / 2];
  letter = letter == 'A' ? 'B' : 'A';
  EXPECT_EQ(FaultOf(kListing, changed), invalid);
  const wire::TokenSealer other{wire::TokenSealer::MakeKey()};
  EXPECT_FALSE(OpenNextToken(other, kListing, Seal(kListing), kNow));
}

}  // namespace
}  // namespace millrace::api
