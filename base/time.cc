#include "base/time.h"

#include <cstdio>
#include <optional>

#include "base/text.h"

namespace millrace {
namespace {

class RealClock final : public Clock {
 public:
  Timestamp Now() const override {
    auto since_epoch = std::chrono::system_clock::now().time_since_epoch();
    return Timestamp{std::chrono::duration_cast<Duration>(since_epoch).count()};
  }
  std::chrono::steady_clock::time_point SteadyNow() const override {
    return std::chrono::steady_clock::now();
  }
};

// What ParseTime takes, in seconds: whole years that a Timestamp can hold, so that all of it can be written
// and read again.
constexpr std::int64_t kSecondsMin =
    std::chrono::seconds(std::chrono::sys_days{std::chrono::year{1678} / 1 / 1}.time_since_epoch()).count();
constexpr std::int64_t kSecondsEnd =
    std::chrono::seconds(std::chrono::sys_days{std::chrono::year{2262} / 1 / 1}.time_since_epoch()).count();

// Takes exactly `digits` decimal digits off the front of `text`.
std::optional<int> TakeNumber(std::string_view& text, std::size_t digits) {
  if (text.size() < digits) return std::nullopt;
  int value = 0;
  for (std::size_t i = 0; i < digits; ++i) {
    if (text[i] < '0' || text[i] > '9') return std::nullopt;
    value = value * 10 + (text[i] - '0');
  }
  text.remove_prefix(digits);
  return value;
}

bool TakeOneOf(std::string_view& text, std::string_view wanted) {
  if (text.empty() || wanted.find(text.front()) == std::string_view::npos) return false;
  text.remove_prefix(1);
  return true;
}

// Takes ".123…" as nanoseconds; digits after the ninth are dropped.
std::optional<std::int64_t> TakeFraction(std::string_view& text) {
  if (text.empty() || text.front() != '.') return 0;
  text.remove_prefix(1);
  std::int64_t ns = 0;
  int digits = 0;
  while (!text.empty() && text.front() >= '0' && text.front() <= '9') {
    if (digits < 9) ns = ns * 10 + (text.front() - '0');
    ++digits;
    text.remove_prefix(1);
  }
  if (digits == 0) return std::nullopt;
  for (; digits < 9; ++digits) ns *= 10;
  return ns;
}

std::optional<Timestamp> ParseDateTime(std::string_view text) {
  auto year = TakeNumber(text, 4);
  if (!year || !TakeOneOf(text, "-")) return std::nullopt;
  auto month = TakeNumber(text, 2);
  if (!month || !TakeOneOf(text, "-")) return std::nullopt;
  auto day = TakeNumber(text, 2);
  if (!day || !TakeOneOf(text, "Tt ")) return std::nullopt;
  auto hour = TakeNumber(text, 2);
  if (!hour || !TakeOneOf(text, ":")) return std::nullopt;
  auto minute = TakeNumber(text, 2);
  if (!minute || !TakeOneOf(text, ":")) return std::nullopt;
  auto second = TakeNumber(text, 2);
  if (!second) return std::nullopt;
  auto fraction = TakeFraction(text);
  if (!fraction) return std::nullopt;

  int offset_s = 0;
  if (!TakeOneOf(text, "Zz")) {
    if (text.empty() || (text.front() != '+' && text.front() != '-')) return std::nullopt;
    int sign = text.front() == '-' ? -1 : 1;
    text.remove_prefix(1);
    auto offset_hour = TakeNumber(text, 2);
    if (!offset_hour || !TakeOneOf(text, ":")) return std::nullopt;
    auto offset_minute = TakeNumber(text, 2);
    if (!offset_minute || *offset_hour > 23 || *offset_minute > 59) return std::nullopt;
    offset_s = sign * (*offset_hour * 3600 + *offset_minute * 60);
  }
  if (!text.empty() || *hour > 23 || *minute > 59 || *second > 60) return std::nullopt;

  std::chrono::year_month_day date{std::chrono::year{*year},
                                   std::chrono::month{static_cast<unsigned>(*month)},
                                   std::chrono::day{static_cast<unsigned>(*day)}};
  if (!date.ok()) return std::nullopt;
  std::int64_t days = std::chrono::sys_days{date}.time_since_epoch().count();
  std::int64_t seconds = days * 86'400 + *hour * 3600 + *minute * 60 + *second - offset_s;
  if (seconds < kSecondsMin || seconds >= kSecondsEnd) return std::nullopt;
  return Timestamp{seconds * 1'000'000'000 + *fraction};
}

std::optional<Timestamp> ParseEpochSeconds(std::string_view text) {
  std::int64_t seconds = 0;
  bool any = false;
  while (!text.empty() && text.front() >= '0' && text.front() <= '9') {
    seconds = seconds * 10 + (text.front() - '0');
    if (seconds >= kSecondsEnd) return std::nullopt;
    any = true;
    text.remove_prefix(1);
  }
  auto fraction = TakeFraction(text);
  if (!any || !fraction || !text.empty()) return std::nullopt;
  return Timestamp{seconds * 1'000'000'000 + *fraction};
}

}  // namespace

const Clock& SystemClock() {
  static const RealClock clock;
  return clock;
}

std::string FormatRfc3339(Timestamp time) {
  std::chrono::sys_time<Duration> point{Duration{time.ns}};
  auto day = std::chrono::floor<std::chrono::days>(point);
  std::chrono::year_month_day date{day};
  std::chrono::hh_mm_ss clock{std::chrono::floor<std::chrono::milliseconds>(point - day)};
  char text[40];
  std::snprintf(text, sizeof(text), "%04d-%02u-%02uT%02d:%02d:%02d.%03dZ", static_cast<int>(date.year()),
                static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
                static_cast<int>(clock.seconds().count()), static_cast<int>(clock.subseconds().count()));
  return text;
}

Result<Timestamp> ParseTime(std::string_view text) {
  if (auto time = ParseDateTime(text)) return *time;
  if (auto time = ParseEpochSeconds(text)) return *time;
  return Error{ErrorCode::kInvalidArgument,
               "'" + Excerpt(text) +
                   "' is not a time: write it as 2026-11-21T14:03:00Z, with an offset such "
                   "as +02:00 instead of Z, or as seconds since 1970"};
}

}  // namespace millrace
