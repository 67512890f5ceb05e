// The project's error and result types: values for what can go wrong while running.
//
// A function that the world can make fail returns Result<T>. Codes say what a caller can do about it; the
// message says what happened and where (stream, offset, element), for people; nobody matches on its text.
// `api` is the one room that maps codes to protocol errors. The member names are those of std::expected
// (C++23), so that a later switch is an alias.
#pragma once

#include <cassert>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace millrace {

enum class ErrorCode {
  kInvalidArgument,     // the request is wrong; the same request will always fail
  kNotFound,            // the named thing does not exist
  kAlreadyExists,       // the named thing exists already
  kFailedPrecondition,  // not in this state (a closed shard, a deleted stream)
  kOutOfRange,          // before the trim horizon or after the end
  kUnauthenticated,     // who are you (camera credentials, API credentials)
  kPermissionDenied,    // known, but not allowed
  kResourceExhausted,   // a limit was reached (queue, quota, size); trying later may work
  kNoSpace,             // the disk is full
  kUnavailable,         // a peer or the store is away for now; trying again is right
  kDeadlineExceeded,    // it took too long
  kCancelled,           // the owner stopped it
  kCorruption,          // stored or received bytes are damaged
  kUnsupported,         // well formed, but nothing we handle (a codec, a format version)
  kIo,                  // the operating system said no to a read or write
  kInternal,            // a bug of ours
};

// The code's name in lower case with underscores ("not_found"): for logs, metrics and JSON. Static storage.
std::string_view ToString(ErrorCode code);

struct Error {
  ErrorCode code = ErrorCode::kInternal;
  std::string message;

  // "not_found: stream 'door' does not exist"
  std::string ToString() const;
};

// Error{code, "context: " + message}: adds where it happened on the way up.
Error WithContext(Error error, std::string_view context);

template <typename T>
class [[nodiscard]] Result {
 public:
  using value_type = T;
  using error_type = Error;

  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}      // NOLINT: implicit by design
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT: implicit by design

  bool has_value() const noexcept { return state_.index() == 0; }
  explicit operator bool() const noexcept { return has_value(); }

  // REQUIRES: has_value().
  T& value() & { return Value(); }
  const T& value() const& { return Value(); }
  T&& value() && { return std::move(Value()); }
  T& operator*() & { return Value(); }
  const T& operator*() const& { return Value(); }
  T&& operator*() && { return std::move(Value()); }
  T* operator->() { return &Value(); }
  const T* operator->() const { return &Value(); }

  // REQUIRES: !has_value().
  Error& error() & { return ErrorRef(); }
  const Error& error() const& { return ErrorRef(); }
  Error&& error() && { return std::move(ErrorRef()); }

 private:
  T& Value() {
    assert(has_value());
    return *std::get_if<0>(&state_);
  }
  const T& Value() const {
    assert(has_value());
    return *std::get_if<0>(&state_);
  }
  Error& ErrorRef() {
    assert(!has_value());
    return *std::get_if<1>(&state_);
  }
  const Error& ErrorRef() const {
    assert(!has_value());
    return *std::get_if<1>(&state_);
  }

  std::variant<T, Error> state_;
};

// Success without a value: `return {};`
template <>
class [[nodiscard]] Result<void> {
 public:
  using value_type = void;
  using error_type = Error;

  Result() = default;
  Result(Error error) : error_(std::move(error)) {}  // NOLINT: implicit by design

  bool has_value() const noexcept { return !error_.has_value(); }
  explicit operator bool() const noexcept { return has_value(); }

  Error& error() & {
    assert(error_);
    return *error_;
  }
  const Error& error() const& {
    assert(error_);
    return *error_;
  }
  Error&& error() && {
    assert(error_);
    return std::move(*error_);
  }

 private:
  std::optional<Error> error_;
};

// Returns the error of a Result-valued expression from the calling function; otherwise goes on.
#define MILLRACE_RETURN_IF_ERROR(expression)                       \
  do {                                                             \
    if (auto millrace_result_ = (expression); !millrace_result_) { \
      return std::move(millrace_result_).error();                  \
    }                                                              \
  } while (false)

#define MILLRACE_CONCAT_INNER_(a, b) a##b
#define MILLRACE_CONCAT_(a, b) MILLRACE_CONCAT_INNER_(a, b)

// MILLRACE_ASSIGN_OR_RETURN(auto x, Compute()): x is the value, or the error is returned from the calling
// function. Not inside coroutines (they need co_return): write the three lines there.
#define MILLRACE_ASSIGN_OR_RETURN(declaration, expression) \
  MILLRACE_ASSIGN_OR_RETURN_(MILLRACE_CONCAT_(millrace_result_, __LINE__), declaration, expression)
#define MILLRACE_ASSIGN_OR_RETURN_(result, declaration, expression) \
  auto result = (expression);                                       \
  if (!result) return std::move(result).error();                    \
  declaration = std::move(result).value()

}  // namespace millrace
