#include "api/aws/aws_body.h"

#include <algorithm>

#include "api/aws/aws_http.h"
#include "base/text.h"

namespace millrace::api {
namespace {

constexpr auto kBodyTimeout = std::chrono::seconds(60);
constexpr std::size_t kStepBytes = 1024 * 1024;  // of a body whose length is not announced

// The text itself, and what it becomes: values, and blobs out of their base64.
std::uint64_t Cost(std::size_t body_bytes) { return body_bytes + ParsedBytesMax(body_bytes) + body_bytes; }

AwsError NoRoom() {
  return {"ProvisionedThroughputExceededException", "Rate exceeded: too many large requests at a time."};
}

// A body that broke off is no fault of the server.
AwsError BodyError(Error error) {
  if (error.code == ErrorCode::kUnavailable || error.code == ErrorCode::kCancelled) {
    return {"RequestAbortedException", std::move(error.message)};
  }
  return error;
}

}  // namespace

net::awaitable<AwsResult<GatheredBody>> GatherAwsBody(Request& request, ByteBudget& budget,
                                                      std::size_t bytes_max) {
  const AwsError too_large(Error{ErrorCode::kResourceExhausted,
                                 "the body is larger than " + std::to_string(bytes_max) + " bytes"});
  const std::uint64_t announced = request.content_length.value_or(0);
  if (announced > bytes_max) co_return too_large;
  const auto until = std::chrono::steady_clock::now() + kBodyTimeout;
  GatheredBody body;
  std::size_t room = kBodyUncountedMax;  // up to here the text may grow with the shares that were taken
  for (;;) {
    Result<Bytes> piece = co_await request.body->Read(until);
    if (!piece) co_return BodyError(std::move(piece).error());
    if (piece->empty()) co_return std::move(body);
    const std::size_t size = body.text.size() + piece->size();
    if (size > bytes_max) co_return too_large;
    if (size > room) {
      const std::size_t more =
          std::max<std::size_t>(static_cast<std::size_t>(announced), size + kStepBytes) - room;
      auto share = budget.Take(Cost(more));
      if (!share) co_return NoRoom();
      body.shares.push_back(std::move(*share));
      room += more;
    }
    if (body.text.capacity() < size) {
      body.text.reserve(
          std::max(size, std::min<std::size_t>(room, 2 * body.text.capacity() + kBodyUncountedMax)));
    }
    body.text.append(AsText(*piece));
  }
}

std::string MediaType(const Request& request) {
  const auto header = request.headers.Find("Content-Type");
  if (!header) return {};
  std::string_view text = header->substr(0, header->find(';'));
  while (text.ends_with(' ') || text.ends_with('\t')) text.remove_suffix(1);
  return ToAsciiLower(text);
}

}  // namespace millrace::api
