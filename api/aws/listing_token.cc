#include "api/aws/listing_token.h"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <utility>

namespace millrace::api {
namespace {

constexpr char kIssued[] = "issued";
constexpr char kStream[] = "stream";
constexpr char kCreated[] = "created";

}  // namespace

std::string SealNextToken(const wire::TokenSealer& sealer, const ListingKind& kind, boost::json::object place,
                          Timestamp now) {
  place[kIssued] = now.ns;
  const std::string text = boost::json::serialize(place);
  return sealer.Seal(kind.purpose, AsBytes(text));
}

AwsResult<boost::json::object> OpenNextToken(const wire::TokenSealer& sealer, const ListingKind& kind,
                                             std::string_view token, Timestamp now) {
  const auto opened = sealer.Open(kind.purpose, token);
  if (!opened) return AwsError("InvalidArgumentException", "NextToken is invalid.");
  // What opens was sealed above: it is JSON, and an object.
  const std::string_view text = AsText(*opened);
  boost::json::value value = boost::json::parse(boost::json::string_view(text.data(), text.size()));
  boost::json::object place = std::move(value.as_object());
  if (kind.lifetime && now - Timestamp{place.at(kIssued).as_int64()} > *kind.lifetime) {
    return AwsError(
        "ExpiredNextTokenException",
        "NextToken expired: it is valid for " +
            std::to_string(std::chrono::duration_cast<std::chrono::seconds>(*kind.lifetime).count()) +
            " seconds.");
  }
  return place;
}

void MarkStream(boost::json::object& place, std::string_view stream, Timestamp created) {
  place[kStream] = boost::json::string_view(stream.data(), stream.size());
  place[kCreated] = created.ns;
}

bool IsOfStream(const boost::json::object& place, std::string_view stream, Timestamp created) {
  return place.at(kStream).as_string() == boost::json::string_view(stream.data(), stream.size()) &&
         place.at(kCreated).as_int64() == created.ns;
}

}  // namespace millrace::api
