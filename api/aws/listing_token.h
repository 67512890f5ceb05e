// NextToken: where the next page of a listing begins, sealed, so that a client can neither read, change nor
// make it up, and carries whatever the listing was asked for over to its next page.
//
// Form:    a JSON object of the listing's own, and when it was issued, sealed for the listing's purpose.
// Errors:  of the AWS protocols: InvalidArgumentException for a token that is not this listing's,
//          ExpiredNextTokenException for one that is too old.
// Threads: any.
#pragma once

#include <boost/json/object.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "api/aws/aws_error.h"
#include "base/time.h"
#include "wire/sealed_token.h"

namespace millrace::api {

struct ListingKind {
  // Tokens of one purpose do not open as another's. It ends in a number, which changes when other members are
  // put into the object: tokens outlive a restart, and with it an update.
  std::string_view purpose;
  std::optional<Duration> lifetime;  // none: a token is good while the server's key is
};

// How long the Data Streams service's tokens are good.
constexpr Duration kDataListingLifetime = std::chrono::seconds(300);

// REQUIRES: `place`, as JSON, is at most 4,000 bytes, and has no member "issued".
std::string SealNextToken(const wire::TokenSealer& sealer, const ListingKind& kind, boost::json::object place,
                          Timestamp now);

// The object that SealNextToken was given for this listing, all of its members.
AwsResult<boost::json::object> OpenNextToken(const wire::TokenSealer& sealer, const ListingKind& kind,
                                             std::string_view token, Timestamp now);

// A place in a listing of what one stream has names the stream, and when it was made: a token does not go on
// in another stream of the name. `MarkStream` sets "stream" and "created", which `IsOfStream` compares.
void MarkStream(boost::json::object& place, std::string_view stream, Timestamp created);
bool IsOfStream(const boost::json::object& place, std::string_view stream, Timestamp created);

}  // namespace millrace::api
