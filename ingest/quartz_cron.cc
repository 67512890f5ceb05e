#include "ingest/quartz_cron.h"

#include <algorithm>
#include <charconv>
#include <span>
#include <string>

#include "base/text.h"

namespace millrace {
namespace {

using std::chrono::day;
using std::chrono::days;
using std::chrono::last;
using std::chrono::sys_days;
using std::chrono::weekday;
using std::chrono::year_month_day;

constexpr std::array<std::string_view, 12> kMonths{"JAN", "FEB", "MAR", "APR", "MAY", "JUN",
                                                   "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"};
constexpr std::array<std::string_view, 7> kWeekdays{"SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"};

struct Field {
  const char* name;
  int first;
  int last;
  std::span<const std::string_view> names{};  // of the values from `first` on
  bool wraps = true;                          // "FRI-MON"
};
constexpr Field kSeconds{"seconds", 0, 59};
constexpr Field kMinutes{"minutes", 0, 59};
constexpr Field kHours{"hours", 0, 23};
constexpr Field kDays{"day of month", 1, 31};
constexpr Field kMonth{"month", 1, 12, kMonths};
constexpr Field kDaysOfWeek{"day of week", 1, 7, kWeekdays};
constexpr Field kYears{"year", 1970, 2099, {}, false};

Error Invalid(const Field& field, std::string_view text, const std::string& why) {
  return {ErrorCode::kInvalidArgument,
          "'" + Excerpt(text, 24) + "' is no " + field.name + " of a cron expression: " + why};
}

char Upper(char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; }

std::optional<int> Number(std::string_view text) {
  int value = 0;
  const char* end = text.data() + text.size();
  const auto [at, ec] = std::from_chars(text.data(), end, value);
  if (ec != std::errc() || at != end || text.front() == '-') return std::nullopt;
  return value;
}

// Of a number or a name.
Result<int> Value(const Field& field, std::string_view text) {
  const auto named = std::find_if(field.names.begin(), field.names.end(), [&](std::string_view name) {
    return std::equal(name.begin(), name.end(), text.begin(), text.end(),
                      [](char a, char b) { return a == Upper(b); });
  });
  if (named != field.names.end()) return field.first + static_cast<int>(named - field.names.begin());
  const auto value = text.empty() ? std::nullopt : Number(text);
  if (!value || *value < field.first || *value > field.last) {
    std::string range = std::to_string(field.first) + " to " + std::to_string(field.last);
    if (!field.names.empty())
      range += " or " + std::string(field.names.front()) + " to " + std::string(field.names.back());
    return Invalid(field, text, "a value is " + range);
  }
  return *value;
}

// "*", "5", "5-9", and with a step: "*/2", "5/2", "5-9/2".
template <typename Values>
Result<void> AddRange(const Field& field, std::string_view text, Values& values) {
  const int span = field.last - field.first + 1;
  const auto slash = text.find('/');
  const std::string_view range = text.substr(0, slash);
  int step = 1;
  if (slash != std::string_view::npos) {
    const std::string_view digits = text.substr(slash + 1);
    const auto number = digits.empty() ? std::nullopt : Number(digits);
    const int step_max = field.first == 0 ? span - 1 : span;
    if (!number || *number < 1 || *number > step_max) {
      return Invalid(field, text, "a step is a number from 1 to " + std::to_string(step_max));
    }
    step = *number;
  }
  int from = field.first;
  int to = field.last;
  if (range != "*" && !(range.empty() && slash == 0)) {
    const auto dash = range.find('-');
    MILLRACE_ASSIGN_OR_RETURN(from, Value(field, range.substr(0, dash)));
    if (dash != std::string_view::npos) {
      MILLRACE_ASSIGN_OR_RETURN(to, Value(field, range.substr(dash + 1)));
    } else if (slash == std::string_view::npos) {
      to = from;
    }
  }
  if (to < from) {
    if (!field.wraps) return Invalid(field, text, "the range ends before it begins");
    to += span;
  }
  for (int value = from; value <= to; value += step) {
    values.set(static_cast<std::size_t>((value - field.first) % span));
  }
  return {};
}

template <typename Values>
Result<void> ParseList(const Field& field, std::string_view text, Values& values) {
  if (text.find_first_of("?LlWw#") != std::string_view::npos && field.names.empty()) {
    return Invalid(field, text, "'?', 'L', 'W' and '#' stand alone, and only where days are meant");
  }
  for (;;) {
    const auto comma = text.find(',');
    MILLRACE_RETURN_IF_ERROR(AddRange(field, text.substr(0, comma), values));
    if (comma == std::string_view::npos) return {};
    text.remove_prefix(comma + 1);
  }
}

unsigned DaysOf(year_month_day date) {
  return static_cast<unsigned>((date.year() / date.month() / last).day());
}

// The working day nearest to `wanted`, within its month.
unsigned NearestWeekday(year_month_day date, unsigned wanted) {
  const unsigned in_month = DaysOf(date);
  const unsigned on = weekday(sys_days(date.year() / date.month() / day(wanted))).c_encoding();
  if (on == 6) return wanted == 1 ? 3 : wanted - 1;
  if (on == 0) return wanted == in_month ? wanted - 2 : wanted + 1;
  return wanted;
}

// The place of the first value at or behind `from`; none: there is none.
template <typename Values>
std::optional<int> NextOf(const Values& values, int from, int end) {
  for (int at = from; at < end; ++at) {
    if (values.test(static_cast<std::size_t>(at))) return at;
  }
  return std::nullopt;
}

}  // namespace

Result<QuartzCron> QuartzCron::Parse(std::string_view expression) {
  std::array<std::string_view, 7> fields;
  std::size_t count = 0;
  for (;;) {
    const auto begin = expression.find_first_not_of(" \t");
    if (begin == std::string_view::npos) break;
    expression.remove_prefix(begin);
    const auto end = std::min(expression.find_first_of(" \t"), expression.size());
    if (count == fields.size()) {
      count = fields.size() + 1;
      break;
    }
    fields[count++] = expression.substr(0, end);
    expression.remove_prefix(end);
  }
  if (count != 6 && count != 7) {
    return Error{
        ErrorCode::kInvalidArgument,
        "a cron expression has six fields or seven (seconds, minutes, hours, day of month, month, day "
        "of week, year), as in '0 0 8 ? * MON-FRI'"};
  }
  if (count == 6) fields[6] = "*";
  return ParseFields(fields);
}

Result<QuartzCron> QuartzCron::ParseFields(const std::array<std::string_view, 7>& fields) {
  QuartzCron cron;
  MILLRACE_RETURN_IF_ERROR(ParseList(kSeconds, fields[0], cron.seconds_));
  MILLRACE_RETURN_IF_ERROR(ParseList(kMinutes, fields[1], cron.minutes_));
  MILLRACE_RETURN_IF_ERROR(ParseList(kHours, fields[2], cron.hours_));
  MILLRACE_RETURN_IF_ERROR(cron.ParseDayOfMonth(fields[3]));
  MILLRACE_RETURN_IF_ERROR(ParseList(kMonth, fields[4], cron.months_));
  MILLRACE_RETURN_IF_ERROR(cron.ParseDayOfWeek(fields[5]));
  MILLRACE_RETURN_IF_ERROR(ParseList(kYears, fields[6], cron.years_));
  if ((cron.day_rule_ == DayRule::kAny) == (cron.weekday_rule_ == DayRule::kAny)) {
    return Error{ErrorCode::kInvalidArgument,
                 "one of the day of month and the day of week of a cron expression is '?', and not both"};
  }
  return cron;
}

Result<void> QuartzCron::ParseDayOfMonth(std::string_view text) {
  if (text == "?") return {};
  const char head = Upper(text.front());
  if (head == 'L') {
    const std::string_view all = text;
    text.remove_prefix(1);
    day_rule_ = DayRule::kLast;
    if (!text.empty() && Upper(text.back()) == 'W') {
      day_rule_ = DayRule::kLastWeekday;
      text.remove_suffix(1);
    }
    if (text.empty()) return {};
    const auto offset = text.size() > 1 && text[0] == '-' ? Number(text.substr(1)) : std::nullopt;
    if (!offset || *offset > 30) return Invalid(kDays, all, "L, LW, or L-1 to L-30 are wanted");
    day_offset_ = static_cast<unsigned>(*offset);
    return {};
  }
  if (Upper(text.back()) == 'W') {
    MILLRACE_ASSIGN_OR_RETURN(const int value, Value(kDays, text.substr(0, text.size() - 1)));
    day_rule_ = DayRule::kNearestWeekday;
    day_ = static_cast<unsigned>(value);
    return {};
  }
  day_rule_ = DayRule::kListed;
  return ParseList(kDays, text, days_);
}

Result<void> QuartzCron::ParseDayOfWeek(std::string_view text) {
  if (text == "?") return {};
  const auto hash = text.find('#');
  if (hash != std::string_view::npos) {
    MILLRACE_ASSIGN_OR_RETURN(const int value, Value(kDaysOfWeek, text.substr(0, hash)));
    const std::string_view digits = text.substr(hash + 1);
    const auto nth = digits.empty() ? std::nullopt : Number(digits);
    if (!nth || *nth < 1 || *nth > 5) return Invalid(kDaysOfWeek, text, "behind '#' is a number from 1 to 5");
    weekday_rule_ = DayRule::kNthOfMonth;
    weekday_ = static_cast<unsigned>(value - 1);
    nth_ = static_cast<unsigned>(*nth);
    return {};
  }
  if (text.size() > 1 && Upper(text.back()) == 'L') {
    MILLRACE_ASSIGN_OR_RETURN(const int value, Value(kDaysOfWeek, text.substr(0, text.size() - 1)));
    weekday_rule_ = DayRule::kLastOfMonth;
    weekday_ = static_cast<unsigned>(value - 1);
    return {};
  }
  weekday_rule_ = DayRule::kListed;
  // By itself it is the week's last day, Saturday.
  return ParseList(kDaysOfWeek, text == "L" || text == "l" ? "7" : text, weekdays_);
}

bool QuartzCron::MatchesDay(year_month_day date) const {
  const unsigned today = static_cast<unsigned>(date.day());
  const unsigned in_month = DaysOf(date);
  switch (day_rule_) {
    case DayRule::kListed:
      return days_.test(today - 1);
    case DayRule::kLast:
      return today + day_offset_ == in_month;
    case DayRule::kLastWeekday:
      return day_offset_ < in_month && today == NearestWeekday(date, in_month - day_offset_);
    case DayRule::kNearestWeekday:
      return day_ <= in_month && today == NearestWeekday(date, day_);
    default:
      break;
  }
  const unsigned on = weekday(sys_days(date)).c_encoding();
  if (weekday_rule_ == DayRule::kListed) return weekdays_.test(on);
  if (on != weekday_) return false;
  return weekday_rule_ == DayRule::kLastOfMonth ? today + 7 > in_month : (today + 6) / 7 == nth_;
}

std::optional<Timestamp> QuartzCron::Next(Timestamp after) const {
  constexpr std::int64_t kDaySeconds = 86'400;
  const std::int64_t from = std::max<std::int64_t>(after.seconds() + 1, 0);
  sys_days date{days(from / kDaySeconds)};
  std::int64_t of_day = from % kDaySeconds;
  for (;; date += days(1), of_day = 0) {
    year_month_day ymd(date);
    if (int(ymd.year()) > kYearLast) return std::nullopt;
    if (!years_.test(static_cast<std::size_t>(int(ymd.year()) - kYearFirst))) {
      date = sys_days(ymd.year() / 12 / 31);
      continue;
    }
    if (!months_.test(static_cast<unsigned>(ymd.month()) - 1)) {
      date = sys_days(ymd.year() / ymd.month() / last);
      continue;
    }
    if (!MatchesDay(ymd)) continue;
    // The first time of the day at or behind `of_day`.
    int hour = static_cast<int>(of_day / 3600);
    int minute = static_cast<int>(of_day / 60 % 60);
    int second = static_cast<int>(of_day % 60);
    for (; hour < 24; ++hour, minute = 0, second = 0) {
      if (!hours_.test(static_cast<std::size_t>(hour))) continue;
      for (; minute < 60; ++minute, second = 0) {
        if (!minutes_.test(static_cast<std::size_t>(minute))) continue;
        if (const auto found = NextOf(seconds_, second, 60)) {
          return Timestamp::FromSeconds(date.time_since_epoch().count() * kDaySeconds + hour * 3600 +
                                        minute * 60 + *found);
        }
      }
    }
  }
}

}  // namespace millrace
