// Errors as the AWS protocols have them, and the one place that maps ours to theirs.
//
// Threads: pure values and functions, any thread.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "base/result.h"

namespace millrace::api {

enum class AwsService {
  kDataStreams,   // JSON 1.1, by X-Amz-Target
  kVideoStreams,  // REST with JSON
};

struct AwsError {
  AwsError(std::string t, std::string m, int s = 400)
      : type(std::move(t)), message(std::move(m)), status(s) {}
  AwsError(Error error)
      : message(std::move(error.message)), code(error.code) {}  // NOLINT: implicit by design

  std::string type;  // "ResourceNotFoundException"; empty: what ToAws makes of `code`
  std::string message;
  int status = 400;
  std::optional<ErrorCode> code;
};

// Gives an error that is one of ours its type and status in this service. Text that says something of the
// inside of the server is logged and replaced.
AwsError ToAws(AwsError error, AwsService service);

// As Result, but with AWS's error; a Result's error becomes one by itself, so that the MILLRACE_… macros
// work.
template <typename T>
class [[nodiscard]] AwsResult {
 public:
  AwsResult(T value) : state_(std::in_place_index<0>, std::move(value)) {}  // NOLINT: implicit by design
  AwsResult(AwsError error)
      : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT: implicit by design
  AwsResult(Error error)                                     // NOLINT: implicit by design
      : state_(std::in_place_index<1>, AwsError(std::move(error))) {}

  explicit operator bool() const noexcept { return state_.index() == 0; }
  // REQUIRES: it holds a value.
  T& value() & { return std::get<0>(state_); }
  T&& value() && { return std::get<0>(std::move(state_)); }
  T& operator*() & { return std::get<0>(state_); }
  T&& operator*() && { return std::get<0>(std::move(state_)); }
  T* operator->() { return &std::get<0>(state_); }
  const T* operator->() const { return &std::get<0>(state_); }
  // REQUIRES: it does not.
  AwsError& error() & { return std::get<1>(state_); }
  const AwsError& error() const& { return std::get<1>(state_); }
  AwsError&& error() && { return std::get<1>(std::move(state_)); }

 private:
  std::variant<T, AwsError> state_;
};

}  // namespace millrace::api
