// Bodies that are gathered within the budget of all requests (api/aws/aws_body.h), on our own paths.
#pragma once

#include <utility>

#include "api/aws/aws_error.h"
#include "api/http/handlers.h"

namespace millrace::api {

// Why a body was not gathered, in our own protocol. What has no code of ours is a matter of the moment.
inline net::awaitable<void> RespondGatherError(ResponseWriter& writer, AwsError error) {
  if (error.code) {
    Error ours{*error.code, std::move(error.message)};
    co_await RespondBodyError(writer, std::move(ours));
  } else {
    Error busy{ErrorCode::kUnavailable, std::move(error.message)};
    co_await RespondError(writer, std::move(busy));
  }
}

}  // namespace millrace::api
